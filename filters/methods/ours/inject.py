"""Faults injected in right pairs, so that a filter can learn what wrong looks like without a single label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from filters.findings import concept, edit
from filters.method import Records

RIGHT = ""
FAULTS = ("mismatch", "side", "negation", "omission", "boilerplate", "blank", "nonradiology")
_NORMAL = (
    "No acute abnormality.",
    "Normal examination.",
    "Unremarkable study.",
    "No acute findings.",
    "No significant abnormality is seen.",
    "Within normal limits.",
    "No acute disease.",
    "Stable examination without acute change.",
)
_EDITS = {"side": "side", "negation": "negation", "omission": "drop"}


@dataclass(frozen=True, eq=False)
class Injected:
    """Pairs and what is wrong with each, `RIGHT` or one of `FAULTS`; ``origin`` int64[n]: the right pair's row."""

    records: Records
    faults: list[str]
    origin: np.ndarray


def inject(right: Records, seed: int, copies: int = 1) -> Injected:
    """Every right pair as it is, and ``copies`` times with each fault that applies to it; the same for a seed.

    A mismatched text is another patient's and says something else; boilerplate comes where the right text claims a
    finding, and is a normal text of the set or a plain phrase.
    """
    rng = np.random.default_rng([seed, 11])
    concepts = [concept(text) for text in right.texts]
    normal = sorted({t for t, c in zip(right.texts, concepts, strict=True) if c == "normal"})
    rows = [(i, RIGHT, right.images[i], right.texts[i]) for i in range(len(right))]
    for _ in range(copies):
        for i in range(len(right)):
            rows += [(i, fault, *pair) for fault, pair in _faults(right, concepts, normal, i, rng)]
    keys = [f"{right.keys[i]}-{fault}-{n}" for n, (i, fault, _, _) in enumerate(rows)]
    faulty = Records(keys, [r[2] for r in rows], [r[3] for r in rows], [right.groups[r[0]] for r in rows])
    return Injected(faulty, [r[1] for r in rows], np.array([r[0] for r in rows]))


def _faults(
    right: Records, concepts: Sequence[str], normal: Sequence[str], i: int, rng: np.random.Generator
) -> list[tuple[str, tuple[bytes, str]]]:
    image, text = right.images[i], right.texts[i]
    found = []
    if (other := _another(right, concepts, i, rng)) is not None:
        found.append(("mismatch", (image, other)))
    for fault, kind in _EDITS.items():
        if (edited := edit(text, kind, rng)) is not None and edited != text:
            found.append((fault, (image, edited)))
    if concepts[i] not in ("", "normal"):
        phrase = normal[int(rng.integers(len(normal)))] if normal and rng.random() < 0.5 else _boilerplate(rng)
        found.append(("boilerplate", (image, phrase)))
    if rng.random() < 0.2:
        found.append(("blank", (blank_image(rng), text)))
    if rng.random() < 0.2:
        found.append(("nonradiology", (other_image(rng), text)))
    return found


def _another(right: Records, concepts: Sequence[str], i: int, rng: np.random.Generator) -> str | None:
    for _ in range(20):
        j = int(rng.integers(len(right)))
        differs = concepts[j] != concepts[i] or not concepts[i]
        if right.groups[j] != right.groups[i] and differs and right.texts[j] != right.texts[i]:
            return right.texts[j]
    return None


def _boilerplate(rng: np.random.Generator) -> str:
    chosen = rng.permutation(len(_NORMAL))[: int(rng.integers(1, 3))]
    return " ".join(_NORMAL[int(k)] for k in chosen)


def blank_image(rng: np.random.Generator, side: int = 128) -> bytes:
    """A PNG of one grey level, with or without a little noise."""
    level, noise = rng.choice([0.0, 4.0, 60.0, 128.0, 200.0, 255.0]), rng.choice([0.0, 1.0, 4.0])
    pixels = np.clip(level + noise * rng.standard_normal((side, side)), 0, 255).astype(np.uint8)
    return bytes(cv2.imencode(".png", pixels)[1].tobytes())


def other_image(rng: np.random.Generator, side: int = 128) -> bytes:
    """A PNG that is no radiograph: coloured clouds, a page of lines, a chart, or shapes; half of them grey."""
    kind = int(rng.integers(4))
    if kind == 0:
        grid = int(rng.integers(2, 10))
        image = cv2.resize(rng.integers(0, 256, (grid, grid, 3)).astype(np.uint8), (side, side))
    elif kind == 1:
        image = np.full((side, side, 3), 255 - int(rng.integers(30)), np.uint8)
        for y in range(8, side, int(rng.integers(7, 14))):
            for start in range(6, side - 10, 12):
                cv2.line(image, (start, y), (start + int(rng.integers(3, 11)), y), (30, 30, 30), 2)
    elif kind == 2:
        image = np.full((side, side, 3), 250, np.uint8)
        for k in range(int(rng.integers(4, 9))):
            top = int(rng.integers(side // 4, side - 10))
            color = rng.integers(0, 256, 3).tolist()
            cv2.rectangle(image, (8 + 14 * k, top), (18 + 14 * k, side - 8), color, -1)
    else:
        image = np.full((side, side, 3), rng.integers(0, 256, 3), np.uint8)
        for _ in range(int(rng.integers(2, 9))):
            at, size = rng.integers(0, side, 2).tolist(), int(rng.integers(6, side // 2))
            cv2.circle(image, at, size, rng.integers(0, 256, 3).tolist(), int(rng.choice([-1, 2, 4])))
    image = np.clip(image + rng.uniform(0, 8) * rng.standard_normal(image.shape), 0, 255).astype(np.uint8)
    if rng.random() < 0.5:
        image = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    return bytes(cv2.imencode(".png", image)[1].tobytes())
