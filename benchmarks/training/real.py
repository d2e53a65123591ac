"""Did filtering pay, on real pairs: captions of CT and MR images of which a share was exchanged between patients.

DATA/radiology_pairs as `benchmarks.filters.real` has it, its cases split by ``group_id``: a quarter teaches the filters
(the clean set), a quarter is held out, half is the pool. DATA/vision/brain_tumor_mri, where it is there, is data of
another kind: MR slices, a folder a class. The learner has frozen pretrained towers where the extra ``towers`` is
installed (LiT, 2111.07991); else it begins at random, which a few hundred pairs teach little.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import frozen
from benchmarks.filters.methods import columns_of
from benchmarks.filters.real import contenders, is_faulty, mismatched, records_of, rows_of
from benchmarks.filters.synthetic import top
from benchmarks.training.selections import ORACLE, OURS, PLAIN, RANDOM, Ground, cells, done
from benchmarks.training.shards import write_shards
from curate.storage import digest
from filters.compare.cells import Exam
from filters.compare.outcome import ALL
from filters.data import hold_out
from filters.evaluate.rules import EvaluateRules
from filters.method import Records
from filters.model import ModelRules
from filters.training.rules import TrainingRules

SHARES = (0.3, 0.6)
HELD, OUTSIDE = "held out", "brain_tumor_mri"
Rows = list[dict[str, str]]


@dataclass(frozen=True)
class Size:
    """``samples``: pairs a model sees. ``part`` of the groups are used."""

    samples: int = 6000
    part: float = 1.0


QUICK = Size(640, 0.3)


def measure(seed: int, size: Size, data: Path, work: Path) -> dict[str, Any]:
    """Of each share of mismatches ``cells`` and ``filters``, as of the synthetic pool."""
    held, clean, pool = _split(rows_of(data, size.part), seed)
    lit = frozen.installed()
    found: dict[str, Any] = {"size": asdict(size), "towers": "frozen, pretrained" if lit else "from scratch"}
    place = work / f"real-{seed}-{digest(repr(size), str(lit))[:8]}"
    exams = [Exam(HELD, str(write_shards(place / "held", records_of(held, data), _facts(held))))]
    if (data / "vision" / OUTSIDE).is_dir():
        exams.append(Exam(OUTSIDE, str(data / "vision" / OUTSIDE)))
    taught = records_of(clean, data)
    with frozen.asked_once() if lit else nullcontext():
        for share in SHARES:
            captions, wrong = mismatched(pool, share, False, seed)
            told = [{**r, "caption": c} for r, c in zip(pool, captions, strict=True)]
            records = records_of(told, data)
            shards = write_shards(place / f"{share:g}" / "pool", records, _facts(pool))
            right = ~wrong & ~np.array([is_faulty(c) for c in captions])
            ground = Ground(place / f"{share:g}", shards, records.keys, right, seed)
            found[f"{share:.0%}"] = _compared(ground, taught, records, 1 - share, size, tuple(exams), lit)
    return found


def _compared(
    ground: Ground, clean: Records, pool: Records, keep: float, size: Size, exams: tuple[Exam, ...], lit: bool
) -> dict[str, Any]:
    n, filters = len(pool), {}
    drawn = np.random.default_rng([ground.seed, 7]).permutation(n)[: round(keep * n)]
    chosen: dict[str, NDArray[np.int64]] = {ALL: np.arange(n), RANDOM: np.sort(drawn)}
    for contender in (c for c in contenders(lit) if c.name in (PLAIN, OURS)):
        columns, cost = columns_of(contender, clean, pool, ground.place, ground.seed)
        kept = chosen[contender.name] = top(columns[""], keep)
        filters[contender.name] = {**cost, "kept": len(kept), "right": float(ground.right[kept].mean())}
    chosen[ORACLE] = np.flatnonzero(ground.right)
    model = ModelRules("lit", tokenizer="open_clip") if lit else ModelRules()
    rules = TrainingRules(model=model, batch=32, samples=size.samples, threads=1, augment=not lit)
    asked = EvaluateRules(
        tasks=("zero_shot", "retrieval", "linear_probe"), facts=("modality", "view", "body_part"), draws=1
    )
    made = cells(ground, chosen, rules, exams, asked, {})
    return {"cells": [done(cell) for cell in made], "filters": filters}


def _split(rows: Rows, seed: int) -> tuple[Rows, Rows, Rows]:
    """Held out, clean, pool, no group in two; the set's own faults stay in the pool alone."""
    groups = [r["group_id"] for r in rows]
    away = hold_out(groups, 0.25, seed)
    inside = [r for r, a in zip(rows, away, strict=True) if not a]
    taught = hold_out([r["group_id"] for r in inside], 1 / 3, seed + 1)
    held = [r for r, a in zip(rows, away, strict=True) if a and not is_faulty(r["caption"])]
    clean = [r for r, t in zip(inside, taught, strict=True) if t and not is_faulty(r["caption"])]
    return held, clean, [r for r, t in zip(inside, taught, strict=True) if not t]


def _facts(rows: Rows) -> list[dict[str, str]]:
    """What zero-shot is asked: modality, plane, region."""
    return [{"modality": r["type"], "view": r["plane"], "body_part": r["location_category"]} for r in rows]
