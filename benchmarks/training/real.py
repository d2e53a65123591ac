"""Did filtering pay, on real pairs: captions of CT and MR images of which a share was exchanged between patients.

DATA/radiology_pairs as `benchmarks.filters.real` has it, its cases split by ``group_id``. DATA/vision/brain_tumor_mri,
where it is there, is data of another kind: MR slices, a folder a class. The learner has frozen pretrained towers where
the extra ``towers`` is installed (LiT, 2111.07991); else it begins at random, which a few hundred pairs teach little.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import frozen
from benchmarks.filters.methods import columns_of
from benchmarks.filters.real import KINDS, Rows, contenders, is_faulty, mismatched, pairs_of, records_of
from benchmarks.filters.synthetic import top
from benchmarks.training.selections import GENERIC, ORACLE, OURS, PLAIN, RANDOM, Ground, cells, done
from benchmarks.training.shards import write_shards
from filters.compare.outcome import ALL
from filters.compare.runs import EvaluationTask
from filters.evaluate.rules import EvaluateRules
from filters.method import Records
from filters.rules import ModelRules, TrainingRules

MISMATCHES = ("30% random", "60% random")
HELD, OUTSIDE = "held out", "brain_tumor_mri"


@dataclass(frozen=True)
class Size:
    """``samples``: pairs a model sees. ``part`` of the groups are used."""

    samples: int = 6000
    part: float = 1.0


QUICK = Size(640, 0.3)


def measure(seed: int, size: Size, data: Path, work: Path) -> dict[str, Any]:
    """Of each of `MISMATCHES` ``cells`` and ``filters``, as of the synthetic pool. The filters are those of
    `benchmarks.filters.real`, on the same pairs."""
    pairs = pairs_of(data, seed, size.part, work)
    lit = frozen.installed()
    found: dict[str, Any] = {"size": asdict(size), "towers": "frozen, pretrained" if lit else "from scratch"}
    exams = [
        EvaluationTask(HELD, str(write_shards(pairs.place / "held", records_of(pairs.held, data), _facts(pairs.held))))
    ]
    if (data / "vision" / OUTSIDE).is_dir():
        exams.append(EvaluationTask(OUTSIDE, str(data / "vision" / OUTSIDE)))
    clean, right = records_of(pairs.clean, data), records_of(pairs.pool, data)
    with frozen.cached_features() if lit else nullcontext():
        for kind in MISMATCHES:
            share, near = KINDS[kind]
            captions, wrong = mismatched(pairs.pool, share, near, seed)
            pool, place = replace(right, texts=captions), pairs.place / kind.replace(" ", "-")
            chosen, filters = _chosen(clean, pool, 1 - share, place, seed)
            true = ~wrong & ~np.array([is_faulty(text) for text in captions])
            chosen[ORACLE] = np.flatnonzero(true)
            told = {name: {**cost, "right": float(true[chosen[name]].mean())} for name, cost in filters.items()}
            shards = write_shards(place / "pool", pool, _facts(pairs.pool))
            ground = Ground(place / f"models-{size.samples}", shards, pool.keys, true, seed)
            found[kind] = {"cells": _trained(ground, chosen, size, tuple(exams), lit), "filters": told}
    return found


def _chosen(
    clean: Records, pool: Records, keep: float, place: Path, seed: int
) -> tuple[dict[str, NDArray[np.int64]], dict[str, dict[str, float]]]:
    """What each selection keeps of the pool, and the filters' costs."""
    n, costs = len(pool), {}
    drawn = np.random.default_rng([seed, 7]).permutation(n)[: round(keep * n)]
    chosen: dict[str, NDArray[np.int64]] = {ALL: np.arange(n), RANDOM: np.sort(drawn)}
    for contender in (c for c in contenders(place) if c.name in (GENERIC, PLAIN, OURS)):
        trained_in = place.parent if contender.on == "clean" else place
        columns, costs[contender.name] = columns_of(contender, clean, pool, place, seed, trained_in)
        chosen[contender.name] = top(columns[""], keep)
    return chosen, costs


def _trained(
    ground: Ground, chosen: dict[str, NDArray[np.int64]], size: Size, exams: tuple[EvaluationTask, ...], lit: bool
) -> list[dict[str, Any]]:
    model = ModelRules("lit", tokenizer="open_clip") if lit else ModelRules()
    rules = TrainingRules(model=model, batch=32, samples=size.samples, threads=1, augment=not lit)
    asked = EvaluateRules(
        tasks=("zero_shot", "retrieval", "linear_probe"), facts=("modality", "view", "body_part"), draws=1
    )
    made = cells(ground, chosen, rules, exams, asked, {})
    return [done(cell) for cell in made]


def _facts(rows: Rows) -> list[dict[str, str]]:
    """What zero-shot is asked: modality, plane, region."""
    return [{"modality": r["type"], "view": r["plane"], "body_part": r["location_category"]} for r in rows]
