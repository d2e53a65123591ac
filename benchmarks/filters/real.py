"""Real image-caption pairs with recorded mismatches: every method against them, and the set's own faults apart.

DATA/radiology_pairs holds `pairs.csv` (image, caption, group_id, type, location_category) and `images`. Half of the
groups are the clean set, the others the pool, of which a share got the caption of another group, at random or of the
same region and modality.
"""

from __future__ import annotations

import csv
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.filters.methods import CONTENDERS, Contender, run
from filters.data import hold_out
from filters.measure import auroc, bootstrap_interval
from filters.method import Records

_PLACEHOLDER = "replace this"
_SHORT = 3  # words


def measure(data: Path, seed: int, share: float, near: bool, contenders: tuple[Contender, ...]) -> dict[str, Any]:
    """name -> AUROC of right captions against recorded mismatches with its interval, precision among the best of as
    many as there are right ones, and the AUROC against the set's own faults."""
    rows = _rows(data)
    natural = np.array([_is_faulty(r["caption"]) for r in rows])
    taught = hold_out([r["group_id"] for r in rows], 0.5, seed)
    clean = _records([r for r, t, bad in zip(rows, taught, natural, strict=True) if t and not bad], data)
    pool_rows = [r for r, t in zip(rows, taught, strict=True) if not t]
    faulty = natural[~taught]
    captions, wrong = _mismatched(pool_rows, share, near, seed)
    pool = _records([{**r, "caption": c} for r, c in zip(pool_rows, captions, strict=True)], data)
    found: dict[str, Any] = {"pairs": {"clean": len(clean), "pool": len(pool), "wrong": int(wrong.sum())}}
    for contender in contenders:
        with tempfile.TemporaryDirectory() as folder:
            columns, cost = run(contender, clean, pool, Path(folder) / "filter", seed)
        found[contender.name] = {**_judge(columns[""], wrong, faulty, pool.groups), "cpu-s": cost}
    return found


def lit_contenders() -> tuple[Contender, ...]:
    """What makes sense on a thousand real pairs: small filters from scratch, and frozen pretrained towers."""
    wanted = ("plain DFN", "SigLIP", "MedCLIP", "text quality", "image quality", "ours")
    lit = Contender("DFN on frozen towers (LiT)", "dfn", {"arch": "lit", "tokenizer": "open_clip"})
    return (*(c for c in CONTENDERS if c.name in wanted), lit)


def _judge(
    scores: NDArray[Any], wrong: NDArray[np.bool_], faulty: NDArray[np.bool_], groups: list[str]
) -> dict[str, Any]:
    known = np.where(np.isfinite(scores), scores, np.nanmin(scores) - 1)
    plain = ~faulty
    low, high = bootstrap_interval(
        known[plain], ~wrong[plain], groups=[g for g, p in zip(groups, plain, strict=True) if p]
    )
    right = plain & ~wrong
    kept = np.argsort(-known[plain], kind="stable")[: int(right.sum())]
    own = faulty & ~wrong
    against = right | own
    return {
        "auroc": auroc(known[plain], ~wrong[plain]),
        "low": low,
        "high": high,
        "precision": float((~wrong[plain])[kept].mean()),
        "auroc natural faults": auroc(known[against], right[against]) if own.any() else None,
    }


def _rows(data: Path) -> list[dict[str, str]]:
    with (data / "radiology_pairs" / "pairs.csv").open(newline="", encoding="utf-8") as file:
        rows = [dict(r) for r in csv.DictReader(file)]
    return [r for r in rows if r["caption"].strip() and _path(data, r).is_file()]


def _path(data: Path, row: dict[str, str]) -> Path:
    folder = data / "radiology_pairs"
    return next(
        (p for p in (folder / row["image"], folder / "images" / row["image"]) if p.is_file()), folder / row["image"]
    )


def _records(rows: list[dict[str, str]], data: Path) -> Records:
    images = [_path(data, r).read_bytes() for r in rows]
    keys = [f"{r['group_id']}-{i:05d}" for i, r in enumerate(rows)]
    return Records(keys, images, [r["caption"] for r in rows], [r["group_id"] for r in rows])


def _is_faulty(caption: str) -> bool:
    return _PLACEHOLDER in caption.lower() or len(caption.split()) <= _SHORT


def _mismatched(rows: list[dict[str, str]], share: float, near: bool, seed: int) -> tuple[list[str], NDArray[np.bool_]]:
    """Captions of which ``share`` are another group's; ``near``: of the same region and modality."""
    rng = np.random.default_rng([seed, 5])
    captions, wrong = [r["caption"] for r in rows], np.zeros(len(rows), dtype=bool)
    for i in rng.permutation(len(rows))[: round(share * len(rows))]:
        kind = (rows[i]["type"], rows[i]["location_category"])
        others = [
            r["caption"]
            for r in rows
            if r["group_id"] != rows[i]["group_id"]
            and r["caption"] != rows[i]["caption"]
            and (not near or (r["type"], r["location_category"]) == kind)
        ]
        if others:
            captions[i], wrong[i] = others[int(rng.integers(len(others)))], True
    return captions, wrong
