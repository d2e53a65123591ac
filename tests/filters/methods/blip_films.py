"""A small procedural chest archive with planted faults: what BLIP, BLIP-2 and the binary classifier are tested on."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from curate.synth.canvas import Canvas
from curate.synth.catalogue import FINDINGS, Finding
from curate.synth.chest import chest_film
from curate.synth.faults import swap_sides
from filters.method import Batch, Records
from filters.towers import preprocess

_SIDED = tuple(FINDINGS[name] for name in ("effusion", "pneumothorax", "consolidation", "nodule"))
_HEART = FINDINGS["cardiomegaly"]
_SIZES = ("small", "moderate", "large")
_GRADES = {"small": "mild", "moderate": "moderate", "large": "severe"}
_NORMAL = ("No acute abnormality.", "The bones are intact.", "The trachea is central.")


def _words(finding: Finding | None, side: str, size: str, rng: np.random.Generator) -> str:
    if finding is None:
        return str(rng.choice(_NORMAL[:1])) + " " + str(rng.choice(_SIDED[0].absent))
    words = {"side": side, "size": size, "grade": _GRADES[size]}
    said = str(rng.choice(finding.present)).format(
        **words, **{k.capitalize(): v.capitalize() for k, v in words.items()}
    )
    return said if rng.random() < 0.5 else f"{said} {rng.choice(_NORMAL[1:])}"


def _film(finding: Finding | None, side: str, size: str, rng: np.random.Generator) -> bytes:
    view = Canvas.view(96, 96, rng)
    image = chest_film(view, finding.name if finding else "", side if finding in _SIDED else "", size, rng, rng)
    image = image + 0.02 * view.grain(rng)
    return cv2.imencode(".png", (image * 255).clip(0, 255).astype(np.uint8))[1].tobytes()


def films(n: int, seed: int = 0) -> Records:
    """``n`` right pairs, two a patient."""
    images, texts = [], []
    for i in range(n):
        rng = np.random.default_rng([seed, i])
        finding = (*_SIDED, _HEART, None)[int(rng.choice(6, p=[0.22, 0.22, 0.16, 0.1, 0.15, 0.15]))]
        side, size = ("left", "right")[int(rng.integers(2))], str(rng.choice(_SIZES))
        images.append(_film(finding, side, size, rng))
        texts.append(_words(finding, side, size, rng))
    keys = [f"{seed:04x}{i:028x}" for i in range(n)]
    return Records(keys, images, texts, [f"p{seed}-{i // 2}" for i in range(n)])


def mismatched(records: Records, seed: int = 0) -> Records:
    """The same images, each with another record's text that reads otherwise."""
    rng = np.random.default_rng(seed)
    texts = []
    for own in records.texts:
        others = [t for t in records.texts if t.split()[:3] != own.split()[:3]]
        texts.append(others[int(rng.integers(len(others)))])
    return Records([f"f{k[1:]}" for k in records.keys], records.images, texts, records.groups)


def wrong_side(records: Records) -> tuple[Records, NDArray[np.int64]]:
    """Those whose text names a side, with the other one; and which they were."""
    where = np.array([i for i, t in enumerate(records.texts) if swap_sides(t) != t])
    kept = records.take(where)
    return Records(kept.keys, kept.images, [swap_sides(t) for t in kept.texts], kept.groups), where


def batch(records: Records, side: int) -> Batch:
    """The records as the models read them; undecodable images are black and not valid."""
    decoded = [preprocess.decode(image, side) for image in records.images]
    black = np.zeros((side, side, 1), np.uint8)
    pixels = preprocess.stack([black if d is None else d for d in decoded])
    return Batch({side: pixels}, list(records.texts), np.array([d is not None for d in decoded]))
