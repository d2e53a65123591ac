"""Every method of the product on one pool: trained on its clean set (or on the pool, where that is the method), then
scoring every record of the pool."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curate.storage import commit_json, read_json
from filters.method import Records, TrainingSet, module_of
from filters.registry import field_names, make_rules
from filters.score import Scorer, prepare

Columns = dict[str, NDArray[np.float32]]
Cost = dict[str, float]


@dataclass(frozen=True)
class Contender:
    """``method`` with ``rules`` beyond its defaults. ``on``: what it learns from, the "clean" set (with it, if at all,
    images and texts of the pool that are not paired), the "pool" alone, or the pairs of "both"."""

    name: str
    method: str
    rules: dict[str, Any]
    on: str = "clean"


CONTENDERS = (
    Contender("pool CLIP", "dfn", {"epochs": 2, "bank": 0}, on="pool"),
    Contender("binary classifier", "binary", {}, on="both"),
    Contender("plain DFN", "dfn", {"margin": True}),
    Contender("SigLIP", "siglip", {}),
    Contender("EVA recipe", "eva", {}),
    Contender("SigLIP 2 losses", "siglip2", {}),
    Contender("BLIP", "blip", {}),
    Contender("BLIP-2", "blip2", {}),
    Contender("findings", "findings", {}),
    Contender("text quality", "text_quality", {}),
    Contender("image quality", "image_quality", {}),
    Contender("ours", "ours", {}, on="both"),
)


def learn(contender: Contender, clean: Records, pool: Records, folder: Path, seed: int) -> float:
    """Train the contender into ``folder``; CPU-seconds."""
    known = set(field_names(module_of(contender.method).Rules))
    common = {k: v for k, v in {"seed": seed, "threads": 1}.items() if k in known}
    data = TrainingSet(pool if contender.on == "pool" else clean, pool)
    began = time.process_time()
    module_of(contender.method).train(data, folder, make_rules(contender.method, {**common, **contender.rules}))
    return time.process_time() - began


def score(folder: Path, pool: Records) -> tuple[Columns, float]:
    """Columns of the filter in ``folder`` over the pool, its score as "", and CPU-seconds."""
    began = time.process_time()
    scorer = Scorer({"s": str(folder)}, "cpu", 1)
    whose = list(zip(pool.keys, pool.groups, strict=True))
    parts = [scorer(b) for b in prepare(pool.images, pool.texts, scorer.needs, 64, whose=whose)]
    spent = time.process_time() - began
    return {name[2:]: np.concatenate([p[name] for p in parts]) for name in scorer.columns}, spent


def columns_of(
    contender: Contender, clean: Records, pool: Records, place: Path, seed: int, trained_in: Path | None = None
) -> tuple[Columns, Cost]:
    """The contender's columns over the pool and its cost in CPU-seconds; both are kept in ``place``, for training
    some of them takes minutes. The filter lies in ``trained_in`` (``place`` where it is None), and is trained where it
    does not yet."""
    name = contender.name.replace(" ", "-")
    kept, folder = place / f"scores-{name}.json", (trained_in or place) / f"filter-{name}"
    if not kept.exists():
        cost = {"train": 0.0 if (folder / "card.json").exists() else learn(contender, clean, pool, folder, seed)}
        columns, cost["score"] = score(folder, pool)
        known = {n: [None if np.isnan(v) else float(v) for v in c] for n, c in columns.items()}
        commit_json(kept, {"columns": known, "cost": cost})
    said = read_json(kept)
    columns = {n: np.array([np.nan if v is None else v for v in c], np.float32) for n, c in said["columns"].items()}
    return columns, said["cost"]
