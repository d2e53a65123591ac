"""A pool of chest-film pairs with known truth: right ones, and every fault the filters are meant to see.

Films are `curate.synth`'s, with up to one finding a lung and a large heart; the reports are written here, each film's
findings in changing words among normal statements. A record is a function of (seed, index) alone.
"""

from __future__ import annotations

import re
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context

import cv2
import numpy as np
from numpy.typing import NDArray

from curate.synth.canvas import Canvas
from curate.synth.catalogue import FINDINGS, SCENES, Finding
from curate.synth.chest import SIZES, chest_film_with
from curate.synth.faults import swap_sides
from filters.method import Records

LUNG = tuple(FINDINGS[name] for name in ("effusion", "pneumothorax", "consolidation", "nodule"))
HEART = FINDINGS["cardiomegaly"]
BY_NAME = {f.name: f for f in (*LUNG, HEART)}
GRADES = {"small": "mild", "moderate": "moderate", "large": "severe"}
NOTHING = ("No acute abnormality.", "Normal study.", "No acute findings.", "Unremarkable examination.",
           "No acute process.", "No acute cardiopulmonary disease.")  # fmt: skip
FAULTS = ("mismatch", "side", "negation", "boilerplate", "duplicate", "blank", "nonradiology")
SHARES = {"mismatch": 0.30, "side": 0.12, "negation": 0.12, "boilerplate": 0.12, "duplicate": 0.06, "blank": 0.04,
          "nonradiology": 0.04}  # fmt: skip
_DOUBT = 0.12

Seen = tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, eq=False)
class Pool:
    """n records and the truth of each: ``fault`` is "" for a right pair; ``seen`` what the film shows."""

    records: Records
    fault: list[str]
    seen: list[Seen]

    def __len__(self) -> int:
        return len(self.records)

    @property
    def right(self) -> NDArray[np.bool_]:
        """bool[n]: a right pair that duplicates no other."""
        return np.array([f == "" for f in self.fault])

    def take(self, index: NDArray[np.int64]) -> Pool:
        """The records ``index``."""
        chosen = [int(i) for i in index]
        return Pool(self.records.take(index), [self.fault[i] for i in chosen], [self.seen[i] for i in chosen])


def make_pool(n: int, seed: int, clean: float = 0.2, side: int = 64, workers: int = 2) -> Pool:
    """``n`` pairs of which the share ``clean`` is right, the rest faulty in the proportions of `SHARES`."""
    make = partial(_make, seed=seed, clean=clean, side=side)
    if workers == 1:
        rows = [make(i) for i in range(n)]
    else:
        with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
            rows = list(pool.map(make, range(n), chunksize=256))
    keys = [f"{seed:04d}-{i:07d}" for i in range(n)]
    images, texts, fault, seen, groups = (list(column) for column in zip(*rows, strict=True))
    return Pool(Records(keys, images, texts, [f"{seed}-{g}" for g in groups]), fault, seen)


def _make(index: int, seed: int, clean: float, side: int) -> tuple[bytes, str, str, Seen, int]:
    fault = _fault(seed, index, clean)
    source = index
    if fault == "duplicate":  # a right pair that is there already, its picture a little altered
        before = [j for j in range(index - 1, max(-1, index - 200), -1) if _fault(seed, j, clean) == ""]
        fault, source = ("duplicate", before[0]) if before else ("", index)
    rng = np.random.default_rng([seed, index, 7])
    seen = draw_seen(seed, source, fault)
    text = report(seen, np.random.default_rng([seed, source, 3]))
    image = film(seen, seed, source, side)
    if fault == "mismatch":
        text = report(_other(seen, seed, index), rng)
    elif fault == "side":
        text = swap_sides(text)
    elif fault == "negation":
        text = deny(seen, rng)
    elif fault == "boilerplate":
        text = normal(rng)
    elif fault == "blank":
        image = np.clip(
            rng.choice([0.0, 6.0, 250.0, 128.0]) + rng.uniform(0, 3) * rng.standard_normal((side, side)), 0, 255
        )
    elif fault == "nonradiology":
        image = photo(side, rng).astype(np.float32)
    elif fault == "duplicate":
        image = np.clip(image * rng.uniform(0.85, 1.1) + rng.uniform(-8, 12), 0, 255)
    encoded = cv2.imencode(".png", np.asarray(image, np.uint8))[1].tobytes()
    return encoded, text, fault, seen, source


def _fault(seed: int, index: int, clean: float) -> str:
    at = float(np.random.default_rng([seed, index, 1]).random())
    if at < clean:
        return ""
    total = np.cumsum(list(SHARES.values()))
    return FAULTS[min(int(np.searchsorted(total / total[-1], (at - clean) / (1 - clean), "right")), len(FAULTS) - 1)]


def draw_seen(seed: int, index: int, fault: str = "") -> Seen:
    """What the film shows; a fault of the side needs lungs that differ, one of negation or boilerplate a finding."""
    for part in range(1000):
        rng = np.random.default_rng([seed, index, 2, part])
        seen: list[tuple[str, str, str]] = []
        if rng.random() >= 0.25:
            for lung in ("right", "left"):
                if rng.random() < 0.5:
                    seen.append((LUNG[int(rng.integers(4))].name, lung, str(rng.choice(SIZES))))  # noqa: PERF401
        if rng.random() < 0.2:
            seen.append((HEART.name, "", str(rng.choice(SIZES))))
        rights, lefts = ([s[0] for s in seen if s[1] == side] for side in ("right", "left"))
        if (fault != "side" or rights != lefts) and (fault not in ("negation", "boilerplate") or seen):
            return tuple(seen)
    raise AssertionError("no such film")


def _other(seen: Seen, seed: int, index: int) -> Seen:
    """What another film shows, other findings than these."""
    names = {s[:2] for s in seen}
    for step in range(1, 1000):
        other = draw_seen(seed, index + 100_000 + step)
        if {s[:2] for s in other} != names:
            return other
    raise AssertionError("no other film")


def film(seen: Seen, seed: int, index: int, side: int) -> NDArray[np.float32]:
    """The film in grey levels 0..255, float32[side, side]."""
    grain = np.random.default_rng([seed, index, 4])
    view = Canvas.view(side, side, grain)
    image = chest_film_with(
        view, seen, np.random.default_rng([seed, index, 5]), np.random.default_rng([seed, index, 6])
    )
    image = (image + 0.02 * view.grain(grain)) * grain.uniform(0.9, 1.1) + 0.02 * view.texture(grain, 4)
    return np.asarray(np.clip(image, 0, 1) * 255, np.float32)


def report(seen: Seen, rng: np.random.Generator) -> str:
    """Findings and impression of a film that shows ``seen``."""
    if not seen:
        return (
            normal(rng)
            if rng.random() < 0.3
            else " ".join([*_absences(set(), rng, 0.7), _line(rng), str(rng.choice(NOTHING))])
        )
    words = [_words(side, size) for _, side, size in seen]
    lines = [str(rng.choice(BY_NAME[s[0]].present)).format(**w) for s, w in zip(seen, words, strict=True)]
    lines += _absences({s[0] for s in seen}, rng, 0.4)
    sides = {s[1] for s in seen if s[1]}
    if len(sides) == 1 and rng.random() < 0.4:
        lines.append(str(rng.choice(SCENES[0].other_side)).format(**_words(sides.pop(), "small")))
    if rng.random() < 0.5:
        lines.append(_line(rng))
    summary = [str(rng.choice(BY_NAME[s[0]].summary)).format(**w) for s, w in zip(seen, words, strict=True)]
    if rng.random() < _DOUBT:
        summary[0] = "Likely " + summary[0][0].lower() + summary[0][1:]
    body = " ".join(str(x) for x in rng.permutation(lines))
    return f"{body} {' '.join(summary)}" if rng.random() < 0.8 else body


def normal(rng: np.random.Generator) -> str:
    """Boilerplate: what is said where nobody looked."""
    kept = [str(s) for s in rng.permutation(SCENES[0].normal)[: int(rng.integers(0, 3))]]
    return " ".join([*kept, str(rng.choice(NOTHING))])


def deny(seen: Seen, rng: np.random.Generator) -> str:
    """A report of ``seen`` in which one of its findings is denied in so many words, and the rest still said."""
    gone = seen[int(rng.integers(len(seen)))]
    rest = tuple(s for s in seen if s[0] != gone[0])
    denied = str(rng.choice(BY_NAME[gone[0]].absent))
    others = [BY_NAME[s[0]] for s in rest]
    if not rest:
        return " ".join([denied, *_absences({gone[0]}, rng, 0.6), _line(rng), f"No {gone[0]}."])
    said = report(rest, rng)
    said = _without(said, BY_NAME[gone[0]], others)
    return f"{denied} {said}" if rng.random() < 0.5 else f"{said} {denied}"


def _without(text: str, finding: Finding, others: list[Finding]) -> str:
    """``text`` without the absence of ``finding`` said by chance, and without calling the other lung clear."""
    sentences = re.split(r"(?<=\.) ", text)
    hidden = {
        *finding.absent,
        *(c.format(**_words(s, "small")) for c in SCENES[0].other_side for s in ("left", "right")),
    }
    return " ".join(s for s in sentences if s not in hidden)


def _absences(present: set[str], rng: np.random.Generator, share: float) -> list[str]:
    return [str(rng.choice(f.absent)) for f in BY_NAME.values() if f.name not in present and rng.random() < share]


def _line(rng: np.random.Generator) -> str:
    return str(rng.choice((*SCENES[0].normal, *SCENES[1].normal)))


def _words(side: str, size: str) -> dict[str, str]:
    words = {"side": side, "other": "left" if side == "right" else "right", "size": size, "grade": GRADES[size]}
    return {**words, **{k.capitalize(): v.capitalize() for k, v in words.items()}}


def photo(side: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Not radiology, uint8[side, side, 3]: a landscape, a page of text, a diagram or a coloured texture."""
    kind = int(rng.integers(4))
    image = np.full((side, side, 3), rng.integers(0, 256, 3), np.uint8)
    if kind == 0:
        rows = np.linspace(0, 1, side)[:, None, None]
        image = np.asarray(
            (1 - rows) * rng.integers(80, 256, 3) + rows * rng.integers(0, 160, 3) + np.zeros((1, side, 1)), np.uint8
        )
        cv2.circle(
            image,
            (int(rng.integers(side)), int(rng.integers(side // 2))),
            side // 8,
            rng.integers(150, 256, 3).tolist(),
            -1,
        )
        hills = np.array(
            [[0, side], *[[x, int(side * rng.uniform(0.5, 0.9))] for x in range(0, side + 1, side // 4)], [side, side]]
        )
        cv2.fillPoly(image, [hills.astype(np.int32)], rng.integers(0, 140, 3).tolist())
    elif kind == 1:
        image[:] = 250
        for y in range(5, side, 7):
            for x in range(4, side - 6, 5):
                if rng.random() < 0.8:
                    cv2.putText(
                        image, chr(97 + int(rng.integers(26))), (x, y), cv2.FONT_HERSHEY_PLAIN, 0.45, (20, 20, 20), 1
                    )
    elif kind == 2:
        for _ in range(int(rng.integers(3, 8))):
            a, b = rng.integers(0, side, 2), rng.integers(0, side, 2)
            cv2.rectangle(
                image, a.tolist(), b.tolist(), rng.integers(0, 256, 3).tolist(), -1 if rng.random() < 0.6 else 2
            )
    else:
        coarse = rng.integers(0, 256, (int(rng.integers(3, 12)),) * 2 + (3,)).astype(np.uint8)
        image = np.asarray(cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC), np.uint8)
    noisy = image.astype(np.float32) + rng.uniform(0, 12) * rng.standard_normal(image.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)


def shuffled(pool: Pool, share: float, seed: int) -> Pool:
    """Right pairs of which ``share`` got another's text: a poisoned clean set."""
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(pool))[: round(share * len(pool))]
    texts = list(pool.records.texts)
    for i, j in zip(chosen, np.roll(chosen, 1), strict=True):
        texts[i] = pool.records.texts[j]
    fault = list(pool.fault)
    for i in chosen:
        fault[i] = "mismatch"
    return replace(pool, records=replace(pool.records, texts=texts), fault=fault)
