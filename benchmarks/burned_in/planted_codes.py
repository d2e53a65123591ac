"""Codes drawn into real pictures that have none: matrices and bars of eleven kinds, turned, blurred, grainy, damaged,
of any contrast; and whether an independent decoder (zxing-cpp) still reads them."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from benchmarks.burned_in.pictures import Picture
from benchmarks.drawn_text import wording

KINDS = (
    "QRCode", "MicroQRCode", "RMQRCode", "DataMatrix", "PDF417", "Aztec", "Code128", "Code39", "Code93", "EAN13", "ITF",
)  # fmt: skip
_MODULES = (1.5, 2, 2.5, 3, 4, 5, 6, 8)  # px
_DEGREES = (0, 0, 0, 90, 180, 270, 3, -7, 15, 30, 45, -60)


@dataclass(frozen=True)
class PlantedCode:
    """A picture with one code in it; ``corners`` (x, y) of the code with its quiet zone, ``contrast`` of the range."""

    picture: Picture
    pixels: np.ndarray
    corners: np.ndarray
    kind: str
    text: str
    module: float
    contrast: float
    degrees: int
    flaw: str


def plant_codes(pictures: Sequence[Picture], n: int, seed: int = 5) -> list[PlantedCode]:
    """``n`` codes, each alone on a picture, the pictures and the kinds in turn."""
    rng, made, tries = random.Random(seed), list[PlantedCode](), 0
    while len(made) < n and tries < 40 * n:
        tries += 1
        picture = pictures[(len(made) * 7 + tries) % len(pictures)]
        one = _one(picture, KINDS[len(made) % len(KINDS)], rng)
        if one is not None:
            made.append(one)
    return made


def decoded(pixels: np.ndarray) -> list[str]:
    """What zxing-cpp reads in a picture of any depth, as it is shown, turned to negative, and at twice its size."""
    import zxingcpp

    plane = pixels if pixels.ndim == 2 else np.asarray(cv2.cvtColor(_bytes(pixels), cv2.COLOR_RGB2GRAY))
    shown = _bytes(plane)
    told: list[str] = []
    for picture in (shown, 255 - shown, cv2.resize(shown, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)):
        told += [code.text for code in zxingcpp.read_barcodes(np.ascontiguousarray(picture)) if code.text]
    return told


def code_ink(kind: str, text: str, module: float) -> np.ndarray:
    """uint8[h, w], 255 where the code is dark; modules of ``module`` px; no quiet zone."""
    import zxingcpp

    code: Any = zxingcpp.create_barcode(text, getattr(zxingcpp.BarcodeFormat, kind))
    flat = 255 - np.asarray(code.to_image(scale=1, add_quiet_zones=False))
    if kind in _LINEAR:
        flat = np.repeat(flat[:1], max(8, flat.shape[1] // 4), axis=0)
    return np.asarray(cv2.resize(flat, None, fx=module, fy=module, interpolation=cv2.INTER_AREA
                                 if module != int(module) else cv2.INTER_NEAREST))  # fmt: skip


_LINEAR = frozenset({"Code128", "Code39", "Code93", "EAN13", "ITF"})


def _one(picture: Picture, kind: str, rng: random.Random) -> PlantedCode | None:
    text = "".join(rng.choices("0123456789", k=12)) if kind in ("EAN13", "ITF") else wording(rng)[1].upper()
    text = text.replace("^", " ").replace(",", "")[:18] if kind in ("Code39", "Code93", "MicroQRCode") else text
    text = text[:6] if kind == "MicroQRCode" else text
    module = rng.choice(_MODULES)
    try:
        ink = code_ink(kind, text, module)
    except ValueError:  # a letter that the kind has no sign for
        return None
    flaw = rng.choice(("", "", "blur", "grain", "damage", "negative"))
    if flaw == "damage":  # a stroke across
        cv2.line(ink, (0, rng.randrange(ink.shape[0])), (ink.shape[1], rng.randrange(ink.shape[0])), 255, 2)
    quiet = round(4 * module)
    label = np.pad(ink, quiet)
    degrees, contrast = rng.choice(_DEGREES), math.exp(rng.uniform(math.log(0.08), 0))
    placed = _placed(label, degrees, picture.pixels.shape, rng)
    if placed is None:
        return None
    ink_at, on, corners = placed
    if flaw == "blur":
        ink_at = cv2.GaussianBlur(ink_at, (0, 0), 0.4 * module)
    pixels = _drawn(picture.pixels, ink_at, on, contrast, flaw, rng)
    return PlantedCode(picture, pixels, corners, kind, text, module, contrast, degrees, flaw)


def _placed(
    label: np.ndarray, degrees: int, shape: Sequence[int], rng: random.Random
) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """The ink and the label's place in a picture of ``shape``, float32[H, W] of 0 to 1, and its corners."""
    h, w = label.shape
    a = math.radians(degrees)
    turn = np.array([[math.cos(a), -math.sin(a)], [math.sin(a), math.cos(a)]])
    turned = np.array([(0, 0), (w, 0), (w, h), (0, h)], np.float64) @ turn.T
    low, size = turned.min(axis=0), np.ptp(turned, axis=0)
    room = np.array([shape[1], shape[0]]) - size - 4
    if (room < 0).any():
        return None
    shift = np.round(np.array([rng.uniform(0, room[0]), rng.uniform(0, room[1])]) + 2 - low)
    matrix, to = np.c_[turn, shift], (shape[1], shape[0])
    way = cv2.INTER_LINEAR if degrees % 90 else cv2.INTER_NEAREST
    ink = cv2.warpAffine(label, matrix, to, flags=way).astype(np.float32) / 255
    on = cv2.warpAffine(np.full_like(label, 255), matrix, to, flags=way).astype(np.float32) / 255
    return ink, on, turned + shift


def _drawn(
    pixels: np.ndarray, ink: np.ndarray, on: np.ndarray, contrast: float, flaw: str, rng: random.Random
) -> np.ndarray:
    """A light label on the picture, the code on it darker by ``contrast`` of the range."""
    low, high = (float(v) for v in np.percentile(pixels, (0.1, 99.9)))
    reach = max(high - low, 1.0)
    light = low + rng.uniform(contrast, 1) * reach
    tone = light - contrast * reach * ink
    if flaw == "negative":
        tone = low + high - tone
    if flaw == "grain":
        tone = tone + np.random.default_rng(rng.randrange(1 << 30)).normal(0, 0.1 * contrast * reach, tone.shape)
    share = on if pixels.ndim == 2 else on[..., None]
    shown = tone if pixels.ndim == 2 else tone[..., None]
    limits = np.iinfo(pixels.dtype) if pixels.dtype.kind in "iu" else np.finfo(pixels.dtype)
    return np.clip(pixels * (1 - share) + shown * share, limits.min, limits.max).astype(pixels.dtype)


def _bytes(pixels: np.ndarray) -> np.ndarray:
    if pixels.dtype == np.uint8:
        return pixels
    low, high = (float(v) for v in np.percentile(pixels, (0.1, 99.9)))
    return np.clip((pixels - low) * (255 / max(high - low, 1e-6)), 0, 255).astype(np.uint8)
