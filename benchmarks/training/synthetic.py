"""Did filtering pay, on a pool whose truth is known: models from selections of it, at equal samples seen."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.filters.induce import measure as judge
from benchmarks.filters.methods import CONTENDERS
from benchmarks.filters.pool import Pool, make_pool
from benchmarks.training.selections import ORACLE, OURS, PLAIN, RANDOM, Ground, capped, cells, done, scores, top
from benchmarks.training.shards import write_shards
from curate.storage import digest
from filters.compare.cells import Cell, Exam
from filters.compare.outcome import ALL
from filters.evaluate.rules import EvaluateRules
from filters.methods.towers import Towers
from filters.model import ModelRules, load_filter
from filters.training.rules import TrainingRules

KEEP = 0.2  # of the pool; as many of it are right
BUDGETS = (0.1, 0.25, 0.5)  # of the samples, at which ours is trained again
HELD = "held out"
SAME = "held out, same findings"  # a text is right for every film that shows the same findings on the same sides
ARCH = str(Path(__file__).with_name("small.json"))


@dataclass(frozen=True)
class Size:
    """Records of the pool, of the clean set, held out; pairs a model sees."""

    pool: int = 4000
    clean: int = 400
    held: int = 600
    samples: int = 32000


QUICK = Size(1000, 150, 200, 1600)


def measure(seed: int, size: Size, work: Path) -> dict[str, Any]:
    """``cells`` as `filters.compare` has them, and of each filter its cost and how right its choice is."""
    place = work / f"synthetic-{seed}-{digest(repr(size))[:8]}"
    pool = make_pool(size.pool, seed, workers=1)
    clean = make_pool(size.clean, seed + 10_000, clean=1.0, workers=1)
    held = make_pool(size.held, seed + 20_000, clean=1.0, workers=1)
    shards = write_shards(place / "pool", pool.records)
    ground = Ground(place, shards, pool.records.keys, pool.right, seed)
    chosen = {
        ALL: np.arange(size.pool),
        RANDOM: np.sort(np.random.default_rng([seed, 7]).permutation(size.pool)[: round(KEEP * size.pool)]),
    }
    filters: dict[str, Any] = {}
    for name in (PLAIN, OURS):
        contender = next(c for c in CONTENDERS if c.name == name)
        values, cost = scores(contender, clean.records, pool.records, place, seed)
        kept = capped(values, pool.records, KEEP) if name == OURS else top(values, pool.records.keys, KEEP)
        chosen[name] = kept
        filters[name] = {**cost, "kept": len(kept), "right": float(pool.right[kept].mean())}
    chosen[ORACLE] = np.flatnonzero(pool.right)
    rules = TrainingRules(model=ModelRules(ARCH), batch=64, samples=size.samples, threads=1)
    exams = (Exam(HELD, str(write_shards(place / "held", held.records))),)
    asked = EvaluateRules(tasks=("findings", "retrieval", "language"), draws=1)
    made = cells(ground, chosen, rules, exams, asked, {OURS: BUDGETS})
    return {"cells": [_with_findings(cell, held) for cell in made], "filters": filters, "size": asdict(size)}


def _with_findings(cell: Cell, held: Pool) -> dict[str, Any]:
    """The cell's results, and beside them those of the truth that the films were drawn by."""
    found = done(cell)
    told = judge(Towers(load_filter(cell.out / "model", "cpu"), None), held)
    found["tasks"][SAME] = {
        "retrieval": {"r1": told.r1, "r10": told.r10},
        "findings": {"auroc": told.zero_shot},
        "side": {"preferred": told.side},
    }
    return found
