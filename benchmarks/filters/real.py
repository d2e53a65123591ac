"""Real image-caption pairs with recorded mismatches: every method against them, and the set's own faults apart.

DATA/radiology_pairs holds `pairs.csv` (image, caption, group_id, type, location_category) and `images`. A share of the
pool got the caption of another group, at random or of the same region and modality, by derangement.
"""

from __future__ import annotations

import csv
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks import frozen
from benchmarks.filters.methods import CONTENDERS, Contender, columns_of, learn
from benchmarks.filters.planting import deranged
from filters.method import Records
from filters.metrics import auroc, bootstrap_interval
from filters.towers import preprocess
from filters.training.plan import hold_out

LIT = {"arch": "lit", "tokenizer": "open_clip"}
KINDS = {f"{share:.0%} {how}": (share, how == "near") for share in (0.3, 0.6) for how in ("random", "near")}
Rows = list[dict[str, str]]
SCRATCH = ("plain DFN, from scratch", "EVA recipe", "SigLIP 2 losses", "BLIP", "BLIP-2")
_PLACEHOLDER = "replace this"
_SHORT = 3  # words
_SIDE = 224


@dataclass(frozen=True)
class Pairs:
    """One seed's pairs: ``held`` out of everything, ``clean``, and a ``pool`` whose captions may be exchanged; no group
    in two of them. ``place`` keeps what filters made of them."""

    held: Rows
    clean: Rows
    pool: Rows
    place: Path


def pairs_of(data: Path, seed: int, part: float, work: Path) -> Pairs:
    """A fifth of the groups held out, two fifths clean, two the pool, which alone has the set's own faults. ``part`` of
    the groups are used."""
    with (data / "radiology_pairs" / "pairs.csv").open(newline="", encoding="utf-8") as file:
        rows = [dict(r) for r in csv.DictReader(file)]
    rows = [r for r in rows if r["caption"].strip() and _path(data, r).is_file()]
    if part < 1:
        rows = _of(rows, hold_out([r["group_id"] for r in rows], part, 0))
    away = hold_out([r["group_id"] for r in rows], 0.2, seed)
    inside = _of(rows, ~away)
    taught = hold_out([r["group_id"] for r in inside], 0.5, seed + 1)
    held, clean = ([r for r in some if not is_faulty(r["caption"])] for some in (_of(rows, away), _of(inside, taught)))
    place = work / f"real-{seed}-{part:g}-{'towers' if frozen.installed() else 'scratch'}"
    return Pairs(held, clean, _of(inside, ~taught), place)


def _of(rows: Rows, chosen: NDArray[np.bool_]) -> Rows:
    return [r for r, c in zip(rows, chosen, strict=True) if c]


def measure(data: Path, seed: int, part: float, work: Path, scratch: bool = False) -> dict[str, Any]:
    """Of each of `KINDS`: name -> AUROC of right captions against recorded mismatches with its interval, precision
    among the best of as many as there are right ones, and the AUROC against the set's own faults. ``scratch``: of the
    methods that begin at random and take minutes, else of the others. What learns from the clean pairs is trained once;
    what reads the pool's too, beside the randomly exchanged one of that share."""
    pairs = pairs_of(data, seed, part, work)
    clean, pool = records_of(pairs.clean, data), records_of(pairs.pool, data)
    faulty = np.array([is_faulty(text) for text in pool.texts])
    found: dict[str, Any] = {}
    with frozen.cached_features() if frozen.installed() else nullcontext():
        for kind, (share, near) in KINDS.items():
            captions, wrong = mismatched(pairs.pool, share, near, seed)
            told, place = replace(pool, texts=captions), pairs.place / kind.replace(" ", "-")
            found[kind] = {"pairs": {"clean": len(clean), "pool": len(pool), "wrong": int(wrong.sum())}}
            beside = place.with_name(f"{share:.0%}-random")
            at = {"clean": pairs.place, "pool": place, "both": beside}
            for contender in contenders(beside):
                if (contender.name in SCRATCH) != scratch:
                    continue
                if contender.method == "binary" and frozen.installed() and not near:
                    _generic(clean, told, beside, seed)
                columns, cost = columns_of(contender, clean, told, place, seed, at[contender.on])
                judged = _judge(columns[""], wrong, faulty, pool.groups)
                found[kind][contender.name] = {**judged, "cpu-s": cost}
                if contender.method == "ours":  # its score is a probability: how many does it say are right?
                    said = {"said": float(np.nanmean(columns[""][~faulty])), "true": float((~wrong[~faulty]).mean())}
                    found[kind][contender.name]["right"] = said
    return found


def contenders(place: Path) -> tuple[Contender, ...]:
    """Every method; those of two towers on frozen pretrained ones (LiT, 2111.07991) where the extra is there, and
    plain DFN from scratch beside them. ``place`` is where the classifier's towers lie."""
    known = {c.name: c for c in CONTENDERS}
    scratch = replace(known["plain DFN"], name="plain DFN, from scratch")
    if not frozen.installed():
        return (*CONTENDERS, scratch)
    changed = {n: {**known[n].rules, **LIT} for n in ("pool CLIP", "plain DFN", "SigLIP")}
    changed |= {"binary classifier": {"encoder": str(place / "filter-generic")}}
    changed |= {"ours": {"part_rules": {"dfn": LIT}}}
    return (*(replace(c, rules=changed.get(c.name, c.rules)) for c in CONTENDERS), scratch)


def _generic(clean: Records, pool: Records, place: Path, seed: int) -> None:
    """Towers that know clean and pool pairs alike, for the classifier that tells one from the other."""
    parts = ([*getattr(clean, name), *getattr(pool, name)] for name in ("keys", "images", "texts", "groups"))
    if not (place / "filter-generic").exists():
        both = Contender("generic", "dfn", {"epochs": 2, "bank": 0, **LIT}, on="pool")
        learn(both, clean, Records(*parts), place / "filter-generic", seed)


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


def _path(data: Path, row: dict[str, str]) -> Path:
    folder = data / "radiology_pairs"
    return next(
        (p for p in (folder / row["image"], folder / "images" / row["image"]) if p.is_file()), folder / row["image"]
    )


def records_of(rows: Rows, data: Path) -> Records:
    """Their pictures at the side that models read, as an export would write them, captions, and groups as patients."""
    images = [_shrunk(_path(data, r).read_bytes()) for r in rows]
    keys = [f"{r['group_id']}-{i:05d}" for i, r in enumerate(rows)]
    return Records(keys, images, [r["caption"] for r in rows], [r["group_id"] for r in rows])


def _shrunk(image: bytes) -> bytes:
    found = preprocess.decode(image, _SIDE)
    if found is None:
        return image
    return cv2.imencode(".png", found if found.shape[2] == 1 else found[:, :, ::-1])[1].tobytes()


def is_faulty(caption: str) -> bool:
    """A placeholder, or too few words to say anything: the set's own faults."""
    return _PLACEHOLDER in caption.lower() or len(caption.split()) <= _SHORT


def mismatched(rows: Rows, share: float, near: bool, seed: int) -> tuple[list[str], NDArray[np.bool_]]:
    """Captions of which about ``share`` are another group's; ``near``: of the same region and modality."""
    captions = [r["caption"] for r in rows]
    kinds = [f"{r['type']}|{r['location_category']}" for r in rows]
    source = deranged(
        [r["group_id"] for r in rows], captions, kinds, "image", "near" if near else "random", share, seed
    )
    moved = [captions[i] for i in source]
    return moved, np.array([a != b for a, b in zip(moved, captions, strict=True)])
