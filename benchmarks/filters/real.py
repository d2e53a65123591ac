"""Real image-caption pairs with recorded mismatches: every method against them, and the set's own faults apart.

DATA/radiology_pairs holds `pairs.csv` (image, caption, group_id, type, location_category) and `images`. Half of the
groups are the clean set, the others the pool, of which a share got the caption of another group, at random or of the
same region and modality.
"""

from __future__ import annotations

import csv
import tempfile
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks import frozen
from benchmarks.filters.methods import CONTENDERS, Contender, learn, score
from filters import data as pixels
from filters.data import hold_out
from filters.measure import auroc, bootstrap_interval
from filters.method import Records

LIT = {"arch": "lit", "tokenizer": "open_clip"}
KINDS = {f"{share:.0%} {how}": (share, how == "near") for share in (0.3, 0.6) for how in ("random", "near")}
_PLACEHOLDER = "replace this"
_SHORT = 3  # words
_SIDE = 224


def measure(data: Path, seed: int, part: float = 1.0) -> dict[str, Any]:
    """Of each of `KINDS`: name -> AUROC of right captions against recorded mismatches with its interval, precision
    among the best of as many as there are right ones, and the AUROC against the set's own faults. ``part`` of the
    groups are used."""
    rows = rows_of(data, part)
    natural = np.array([is_faulty(r["caption"]) for r in rows])
    taught = hold_out([r["group_id"] for r in rows], 0.5, seed)
    clean = records_of([r for r, t, bad in zip(rows, taught, natural, strict=True) if t and not bad], data)
    pool_rows = [r for r, t in zip(rows, taught, strict=True) if not t]
    right = records_of(pool_rows, data)
    pools, wrongs = {}, {}
    for kind, (share, near) in KINDS.items():
        captions, wrongs[kind] = mismatched(pool_rows, share, near, seed)
        pools[kind] = replace(right, texts=captions)
    found: dict[str, Any] = {
        kind: {"pairs": {"clean": len(clean), "pool": len(right), "wrong": int(wrongs[kind].sum())}} for kind in KINDS
    }
    with frozen.asked_once() if frozen.installed() else nullcontext():
        for contender in contenders(frozen.installed()):
            for kind, (columns, cost) in _columns(contender, clean, pools, seed).items():
                judged = _judge(columns[""], wrongs[kind], natural[~taught], right.groups)
                found[kind][contender.name] = {**judged, "cpu-s": cost}
    return found


def _columns(contender: Contender, clean: Records, pools: dict[str, Records], seed: int) -> dict[str, Any]:
    """kind -> (columns, CPU-seconds) over every pool; what learns from the clean set alone is trained once."""
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as place:
        for kind, pool in pools.items():
            folder = Path(place) / ("any" if contender.on == "clean" else kind)
            trained = 0.0 if folder.exists() else learn(contender, clean, pool, folder, seed)
            columns, scored = score(folder, pool)
            found[kind] = columns, {"train": trained, "score": scored}
    return found


def contenders(lit: bool) -> tuple[Contender, ...]:
    """Every method; those of two towers on frozen pretrained ones (LiT, 2111.07991) where the extra is there, and
    plain DFN from scratch beside them."""
    if not lit:
        return CONTENDERS
    known = {c.name: c for c in CONTENDERS}
    on_towers = {n: replace(known[n], rules={**known[n].rules, **LIT}) for n in ("pool CLIP", "plain DFN", "SigLIP")}
    ours = replace(known["ours"], rules={"part_rules": {"dfn": LIT}})
    scratch = replace(known["plain DFN"], name="plain DFN, from scratch")
    return (*({**known, **on_towers, "ours": ours}.values()), scratch)


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


def rows_of(data: Path, part: float = 1.0) -> list[dict[str, str]]:
    """Rows with a caption and a picture; of ``part`` of the groups."""
    with (data / "radiology_pairs" / "pairs.csv").open(newline="", encoding="utf-8") as file:
        rows = [dict(r) for r in csv.DictReader(file)]
    rows = [r for r in rows if r["caption"].strip() and _path(data, r).is_file()]
    some = hold_out([r["group_id"] for r in rows], part, 0) if part < 1 else [True] * len(rows)
    return [r for r, chosen in zip(rows, some, strict=True) if chosen]


def _path(data: Path, row: dict[str, str]) -> Path:
    folder = data / "radiology_pairs"
    return next(
        (p for p in (folder / row["image"], folder / "images" / row["image"]) if p.is_file()), folder / row["image"]
    )


def records_of(rows: list[dict[str, str]], data: Path) -> Records:
    """Their pictures at the side that models read, as an export would write them, captions, and groups as patients."""
    images = [_shrunk(_path(data, r).read_bytes()) for r in rows]
    keys = [f"{r['group_id']}-{i:05d}" for i, r in enumerate(rows)]
    return Records(keys, images, [r["caption"] for r in rows], [r["group_id"] for r in rows])


def _shrunk(image: bytes) -> bytes:
    found = pixels.decode(image, _SIDE)
    if found is None:
        return image
    return cv2.imencode(".png", found if found.shape[2] == 1 else found[:, :, ::-1])[1].tobytes()


def is_faulty(caption: str) -> bool:
    """A placeholder, or too few words to say anything: the set's own faults."""
    return _PLACEHOLDER in caption.lower() or len(caption.split()) <= _SHORT


def mismatched(rows: list[dict[str, str]], share: float, near: bool, seed: int) -> tuple[list[str], NDArray[np.bool_]]:
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
