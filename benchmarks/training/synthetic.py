"""Did filtering pay, on a pool whose truth is known: models from selections of it, at equal samples seen."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.filters.pool import Pool, make_pool
from benchmarks.filters.synthetic import KEEP, distinct, draw, top
from benchmarks.filters.synthetic import QUICK as SMALL
from benchmarks.filters.synthetic import Size as Pools
from benchmarks.training.judge import measure as judge
from benchmarks.training.selections import GENERIC, ORACLE, OURS, PLAIN, RANDOM, Ground, cells, done
from benchmarks.training.shards import write_shards
from curate.storage import digest
from filters.compare.outcome import ALL
from filters.compare.runs import EvaluationTask, ExperimentRun
from filters.evaluate.rules import EvaluateRules
from filters.methods.two_towers import Towers
from filters.rules import ModelRules, TrainingRules
from filters.towers.model import load_filter

BUDGETS = (0.1, 0.25, 0.5)  # of the samples, at which ours is trained again
HELD = "held out"
SAME = "held out, same findings"  # a text is right for every film that shows the same findings on the same sides
ARCH = str(Path(__file__).with_name("small.json"))


@dataclass(frozen=True)
class Size:
    """The pool and clean set of the ``filters``, pairs ``held`` out, ``samples`` that a model sees."""

    filters: Pools = field(default_factory=Pools)
    held: int = 600
    samples: int = 32000


QUICK = Size(SMALL, 200, 1600)


def measure(seed: int, size: Size, work: Path) -> dict[str, Any]:
    """``cells`` as `filters.compare` has them, and of each filter its cost and how right its choice is. The filters are
    those of `benchmarks.filters.synthetic`, on the same pool."""
    drawn = draw(seed, size.filters, work)
    pool, n = drawn.pool, len(drawn.pool)
    held = make_pool(size.held, seed + 20_000, clean=1.0, workers=1)
    ground = Ground(
        drawn.place / f"models-{digest(repr(size))[:8]}",
        write_shards(drawn.place / "pool", pool.records),
        pool.records.keys,
        pool.right,
        seed,
    )
    chosen = {
        ALL: np.arange(n),
        RANDOM: np.sort(np.random.default_rng([seed, 7]).permutation(n)[: round(KEEP * n)]),
    }
    filters: dict[str, Any] = {}
    left = distinct(pool.records)
    for name in (GENERIC, PLAIN, OURS):
        columns, cost = drawn.columns(name)
        chosen[name] = kept = top(np.where(left, columns[""], np.nan), KEEP)
        filters[name] = {**cost, "kept": len(kept), "right": float(pool.right[kept].mean())}
    chosen[ORACLE] = np.flatnonzero(pool.right)
    rules = TrainingRules(model=ModelRules(ARCH), batch=64, samples=size.samples, threads=1)
    exams = (EvaluationTask(HELD, str(write_shards(ground.place / "held", held.records))),)
    asked = EvaluateRules(tasks=("findings", "retrieval", "language"), draws=1)
    made = cells(ground, chosen, rules, exams, asked, {OURS: BUDGETS})
    return {"cells": [_with_findings(cell, held) for cell in made], "filters": filters, "size": asdict(size)}


def _with_findings(cell: ExperimentRun, held: Pool) -> dict[str, Any]:
    """The cell's results, and beside them those of the truth that the films were drawn by."""
    found = done(cell)
    told = judge(Towers(load_filter(cell.out / "model", "cpu"), None), held)
    found["tasks"][SAME] = {
        "retrieval": {"r1": told.r1, "r10": told.r10},
        "findings": {"auroc": told.zero_shot},
        "side": {"preferred": told.side},
    }
    return found
