"""The same films, told by a second writer: telegram style, everyday words that the lexicon does not hold, slips of the
pen; and faults that are none of those that `ours` injects to learn from.

A method that knows findings by their usual names has nothing to read here, and one that learned a fault by planting it
meets others: a finding told as another, a report half of which is another film's, one that says a thing and its
contrary, one that is of the film before.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.filters.methods import CONTENDERS, columns_of
from benchmarks.filters.pool import Pool, Seen, draw_seen, film
from benchmarks.filters.synthetic import Size
from filters.findings import concept
from filters.method import NothingToLearn, Records
from filters.metrics import auroc

FAULTS = ("another text", "another finding", "half another's", "contradiction", "film before", "other side")
METHODS = ("ours", "findings", "plain DFN", "SigLIP", "text quality")
_WORDS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {  # as it is told, as it is denied
    "pleural effusion": (
        ("{z} water at {s} base", "{s} sulcus drowned ({z})", "wet rim {s} low down, {z}", "{s} corner filled up, {z}"),
        ("corners sharp both", "nil water at bases", "w/o wet rim"),
    ),
    "pneumothorax": (
        ("{s} lung come away from ribs, {z}", "{z} black collar {s} top, no markings past it", "{s} lung down, {z}"),
        ("lungs up to ribs all round", "nil black collar", "markings out to edge"),
    ),
    "consolidation": (
        ("white patch {s} middle, {z}", "{z} solid-looking zone {s}", "{s} lung filled in w/ tubes seen thru, {z}"),
        ("nil white patch", "lungs black as should be", "w/o solid zone"),
    ),
    "nodule": (
        ("{z} coin {s}", "round spot {s}, {z}", "marble-like dot {s}, {z}"),
        ("nil coin", "w/o round spots", "no marbles"),
    ),
    "cardiomegaly": (
        ("pump shadow too wide, {z}", "CTR over half ({z})", "{z} big pump"),
        ("pump fits", "CTR under half", "pump ok"),
    ),
}
_SIDES = {"left": ("L", "lt", "left-hand"), "right": ("R", "rt", "right-hand"), "": ("",)}
_SIZES = {"small": ("wee", "slight"), "moderate": ("middling", "fair"), "large": ("whopping", "++")}
_OPENERS = ("CXR:", "film -", "1 view.", "supine film:", "")
_CLOSERS = ("rpt prn", "thx", "d/w team", "rest nil to add", "")
_SLIP = 0.06  # of the longer words


def text(seen: Seen, rng: np.random.Generator, before: str = "") -> str:
    """What the second writer makes of a film that shows ``seen``; ``before`` stands before each finding."""
    lines = [before + _told(_name(s[0]), s[1], s[2], rng) for s in seen]
    present = {_name(s[0]) for s in seen}
    absent = [name for name in _WORDS if name not in present and rng.random() < (0.35 if seen else 0.7)]
    lines += [str(rng.choice(_WORDS[name][1])) for name in absent]
    body = "; ".join(str(line) for line in rng.permutation(lines)) if lines else "all clear as far as seen"
    return _slipped(" ".join(f"{rng.choice(_OPENERS)} {body}. {rng.choice(_CLOSERS)}".split()), rng)


def _name(finding: str) -> str:
    return next(name for name in _WORDS if name.split()[-1] in finding or finding in name)


def _told(name: str, side: str, size: str, rng: np.random.Generator) -> str:
    words = {"s": str(rng.choice(_SIDES[side])), "z": str(rng.choice(_SIZES[size]))}
    return str(rng.choice(_WORDS[name][0])).format(**words)


def _slipped(line: str, rng: np.random.Generator) -> str:
    """Two letters of some words exchanged, or one left out."""

    def slip(match: re.Match[str]) -> str:
        word = match.group()
        if rng.random() >= _SLIP:
            return word
        at = int(rng.integers(1, len(word) - 2))
        swapped = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
        return swapped if rng.random() < 0.5 else word[:at] + word[at + 1 :]

    return re.sub(r"[a-z]{5,}", slip, line)


def faulty(seen: Seen, fault: str, rng: np.random.Generator, seed: int) -> str:
    """A text with ``fault`` of `FAULTS` for a film that shows ``seen``, which holds a finding of a lung."""
    other = _unlike(seen, seed)
    if fault == "another text":
        return text(other, rng)
    if fault == "another finding":
        at = int(rng.integers(len(seen)))
        names = sorted({n for n in _WORDS if n != "cardiomegaly"} - {_name(s[0]) for s in seen})
        return text((*seen[:at], (str(rng.choice(names)), seen[at][1] or "left", seen[at][2]), *seen[at + 1 :]), rng)
    if fault == "half another's":
        return text((*seen[: len(seen) // 2], *other), rng)
    if fault == "contradiction":
        denied = str(rng.choice(_WORDS[_name(seen[0][0])][1]))
        return text(seen, rng) + f" {denied}."
    if fault == "film before":
        return text(seen, rng, before="last film had ") + " now gone."
    turned = {"left": "right", "right": "left", "": ""}
    return text(tuple((n, turned[s], z) for n, s, z in seen), rng)


def _unlike(seen: Seen, seed: int) -> Seen:
    """What a film shows that shares no finding of a side with ``seen``, and is not free of findings."""
    for k in range(1000):
        other = draw_seen(seed, 500_000 + k)
        if other and not {s[:2] for s in other} & {s[:2] for s in seen}:
            return other
    raise AssertionError("no other film")


def make(n: int, seed: int, right: float, side: int = 64) -> Pool:
    """``n`` films of lungs that differ, the share ``right`` of them told right, the others with each of `FAULTS`."""
    images: list[bytes] = []
    texts: list[str] = []
    faults: list[str] = []
    shown: list[Seen] = []
    for i in range(n):
        rng = np.random.default_rng([seed, i, 21])
        seen = draw_seen(seed, i, "side")
        fault = "" if rng.random() < right else str(rng.choice(FAULTS))
        images.append(bytes(cv2.imencode(".png", np.asarray(film(seen, seed, i, side), np.uint8))[1].tobytes()))
        texts.append(faulty(seen, fault, rng, seed + i) if fault else text(seen, rng))
        faults.append(fault)
        shown.append(seen)
    records = Records([f"{seed}-{i:06d}" for i in range(n)], images, texts, [f"{seed}-{i}" for i in range(n)])
    return Pool(records, faults, shown)


def measure(seed: int, size: Size, work: Path, methods: tuple[str, ...] = METHODS) -> dict[str, Any]:
    """method -> fault -> AUROC of right pairs against it; the share of texts of which the lexicon reads nothing."""
    pool = make(size.pool, seed, 0.5)
    clean = make(size.clean, seed + 10_000, 1.0).records
    fault, found = np.array(pool.fault), {}
    for contender in (c for c in CONTENDERS if c.name in methods):
        place = work / f"second-{seed}-{size.pool}-{size.clean}"
        try:
            columns, cost = columns_of(contender, clean, pool.records, place, seed)
        except NothingToLearn:  # it reads none of these words, and says so
            continue
        known = np.where(np.isfinite(columns[""]), columns[""], np.nanmin(columns[""]) - 1)
        told = {name: auroc(known[(fault == "") | (fault == name)], fault[(fault == "") | (fault == name)] == "")
                for name in FAULTS}  # fmt: skip
        found[contender.name] = {"auroc": told, "cpu-s": cost["train"] + cost["score"]}
    unread = float(np.mean([not concept(t) for t in pool.records.texts]))
    return {"methods": found, "unread": unread, "size": vars(size)}
