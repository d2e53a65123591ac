"""Every method of the product on one pool: trained on its clean set (or on the pool, where that is the method), then
scoring every record of the pool."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from filters.method import Records, TrainingSet, make_rules, module_of
from filters.score import Scorer, prepare

Columns = dict[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Contender:
    """``method`` with ``rules`` beyond its defaults, trained on the ``clean`` set or on the whole ``pool``."""

    name: str
    method: str
    rules: dict[str, Any]
    on: str = "clean"


CONTENDERS = (
    Contender("pool CLIP", "dfn", {"epochs": 2, "bank": 0}, on="pool"),
    Contender("binary classifier", "binary", {}),
    Contender("plain DFN", "dfn", {}),
    Contender("SigLIP", "siglip", {}),
    Contender("EVA recipe", "eva", {}),
    Contender("SigLIP 2 losses", "siglip2", {}),
    Contender("BLIP", "blip", {}),
    Contender("BLIP-2", "blip2", {}),
    Contender("MedCLIP", "medclip", {}),
    Contender("text quality", "text_quality", {}),
    Contender("image quality", "image_quality", {}),
    Contender("ours", "ours", {}),
)


def run(
    contender: Contender, clean: Records, pool: Records, folder: Path, seed: int
) -> tuple[Columns, dict[str, float]]:
    """The contender's columns over the pool, and its cost in CPU-seconds: training, scoring."""
    module = module_of(contender.method)
    known = {"seed": seed, "threads": 1}
    rules = make_rules(contender.method, {**_only_known(contender.method, known), **contender.rules})
    data = TrainingSet(pool, pool) if contender.on == "pool" else TrainingSet(clean, pool)
    began = time.process_time()
    module.train(data, folder, rules)
    trained = time.process_time()
    scorer = Scorer({"s": str(folder)}, "cpu", 1)
    parts = [scorer(b) for b in prepare(pool.images, pool.texts, scorer.needs, 64)]
    scored = time.process_time()
    columns = {name[2:]: np.concatenate([p[name] for p in parts]) for name in scorer.columns if name != "s"}
    columns[""] = np.concatenate([p["s"] for p in parts])
    return columns, {"train": trained - began, "score": scored - trained}


def _only_known(method: str, values: dict[str, Any]) -> dict[str, Any]:
    from filters.method import field_names

    known = set(field_names(module_of(method).Rules))
    return {k: v for k, v in values.items() if k in known}
