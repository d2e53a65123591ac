"""The gate every picture passes: no text-like structure in it, or it is kept back.

BurnedInAnnotation = NO is not believed, YES is. A fast look (`curate.deid.pixels.look`) clears plain pictures; what it
suspects is put to rapidocr's text detection where that extra is installed, and otherwise quarantined. The place for
known regions by manufacturer and model, and for ultrasound region metadata as proof, is before the look, in `gate`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from itertools import islice
from typing import Any, Literal

import cv2
import numpy as np
from pydicom.dataset import Dataset

from curate.deid.pixels.look import rows
from curate.deid.pixels.row import Box, Image8
from curate.deid.quiet import quiet
from curate.record import Reason

# Log-odds above which a row is suspected; with the figures of benchmarks/burned_in.py.
_SUSPECT = 0.0
_ROUNDS = 3  # looks at a blanked picture before it is given up
# Modalities whose pictures are written on by habit, so that a fast look alone proves nothing.
_WRITTEN_ON = frozenset({"US", "IVUS", "ES", "XC", "SC", "DOC"})


@dataclass(frozen=True)
class PixelPolicy:
    """What to do with text in pixels: quarantine the picture, blank the text and look again, or trust the source."""

    burned_in: Literal["quarantine", "blank", "trust"] = "quarantine"


@dataclass(frozen=True)
class Gate:
    """The pixels to go on with, why they may not (None: cleared), and the boxes (x, y, width, height) found."""

    pixels: np.ndarray
    reason: Reason | None
    regions: tuple[tuple[int, int, int, int], ...]


def gate(pixels: np.ndarray, header: Dataset | None, policy: PixelPolicy) -> Gate:
    """Clear a picture, blank its text or keep it back.

    ``pixels``: one frame at its native resolution, [H, W] or [H, W, 3], any integer or float dtype. Reason.BURNED_IN
    where text-like structure is left, Reason.PIXELS_UNPROVEN where none is seen but the header says there is, or the
    modality is one that is written on, and no OCR engine is there to tell. Policy "quarantine" stops looking at the
    first text found, so its ``regions`` may not be all there are; "blank" names them all. Policy "trust" returns
    everything untouched and looks at nothing; the caller must say so. Raises ValueError for another shape.
    """
    if not (pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] in (3, 4))):
        raise ValueError(f"one frame of shape [H, W] or [H, W, 3] expected, not {pixels.ndim} dimensions")
    if policy.burned_in == "trust":
        return Gate(pixels, None, ())
    expected = _expected(header)
    found = _suspects(pixels, insist=expected is not None, first=policy.burned_in == "quarantine")
    seen = list(found)
    if policy.burned_in == "blank":
        for _ in range(_ROUNDS):
            if not found:
                break
            pixels = _painted(pixels, found)
            found = _suspects(pixels, insist=expected is not None)
            seen += [b for b in found if b not in seen]
    if found:
        return Gate(pixels, Reason.BURNED_IN, tuple(seen))
    # An engine that finds nothing clears a habit; it does not clear a header that says there is text, unless some was
    # found and is gone.
    cleared = expected is None or (ocr_available() and (expected == "modality" or bool(seen)))
    return Gate(pixels, None if cleared else Reason.PIXELS_UNPROVEN, tuple(seen))


@cache
def ocr_available() -> bool:
    """Whether the optional text detection (``pip install radsift[ocr]``) is there to confirm or clear suspicions."""
    return find_spec("rapidocr_onnxruntime") is not None


def _expected(header: Dataset | None) -> Literal["header", "modality"] | None:
    """Why text is to be expected whatever the fast look says: the header says so, or the modality is written on."""
    if header is None:
        return None
    with quiet():
        annotated = str(header.get("BurnedInAnnotation", "")).strip().upper()
        modality = str(header.get("Modality", "")).strip().upper()
    if annotated == "YES":
        return "header"
    return "modality" if modality in _WRITTEN_ON else None


def _suspects(pixels: np.ndarray, *, insist: bool = False, first: bool = False) -> list[Box]:
    """Boxes of what looks like text in any view of the picture; where there is OCR, of what its detection finds.

    OCR is asked where the fast look suspects something, or always with ``insist``. With ``first`` the fast look ends
    at the first box.
    """
    suspected = (row.box for view in _views(pixels) for row in rows(view) if row.score > _SUSPECT)
    boxes = list(islice(suspected, 1 if first else None))
    if ocr_available() and (boxes or insist):
        boxes = [box for view in _views(pixels) for box in _detected(view)]
    return _merged(boxes)


def _views(pixels: np.ndarray) -> Iterator[Image8]:
    """The picture as uint8[H, W], stretched over its bulk, and over its whole range where that hides much of it.

    Text brighter than all anatomy saturates in the first view but keeps its edges; text drawn on saturated ground
    shows in the second only. Colour is looked at by its brightest and its darkest channel.
    """
    planes = [pixels] if pixels.ndim == 2 else _extremes(pixels)
    for plane in planes:
        if plane.dtype != np.uint8:
            plane = np.nan_to_num(plane.astype(np.float32), copy=False, nan=0.0, posinf=0.0, neginf=0.0)
        sample = plane[:: max(1, plane.shape[0] // 512), :: max(1, plane.shape[1] // 512)]
        low, high = _bulk(sample)
        least, most = float(plane.min()), float(plane.max())
        yield _stretched(plane, low, high if high > low else most)
        if most - least > 1.5 * max(high - low, 1.0):
            yield _stretched(plane, least, most)


def _extremes(pixels: np.ndarray) -> list[np.ndarray]:
    """The brightest and the darkest channel of [H, W, 3 or 4], one where they are equal; a fourth channel is alpha."""
    red, green, blue = (pixels[..., k] for k in range(3))
    planes = [np.maximum(np.maximum(red, green), blue), np.minimum(np.minimum(red, green), blue)]
    return planes[:1] if np.array_equal(*planes) else planes


def _bulk(sample: np.ndarray) -> tuple[float, float]:
    """The 0.1th and 99.9th percentile; of bytes by counting, at a tenth of the cost of sorting."""
    if sample.dtype == np.uint8:
        counts = cv2.calcHist([np.ascontiguousarray(sample)], [0], None, [256], [0, 256]).ravel()
        below = np.cumsum(counts, dtype=np.int64)
        low, high = (_counted(below, part) for part in (0.001, 0.999))
    else:
        low, high = (float(v) for v in np.percentile(sample, (0.1, 99.9)))
    return low, high


def _counted(below: np.ndarray, part: float) -> float:
    """The quantile ``part`` where ``below[v]`` values are ``v`` or less, interpolated between the two nearest."""
    at = part * (int(below[-1]) - 1)
    a, b = (float(v) for v in np.searchsorted(below, (math.floor(at), math.ceil(at)), side="right"))
    return a + (b - a) * (at - math.floor(at))


def _stretched(plane: np.ndarray, low: float, high: float) -> Image8:
    if plane.dtype == np.uint8:
        table = _stretched(np.arange(256, dtype=np.float32), low, high)
        return np.asarray(cv2.LUT(plane, table), np.uint8)
    scale = 255.0 / (high - low) if high > low else 0.0
    return np.asarray(np.clip((plane - low) * scale, 0, 255), np.uint8)


def _merged(boxes: list[Box]) -> list[Box]:
    """Boxes that overlap as one, in reading order."""
    rest, done = sorted(set(boxes)), list[Box]()
    while rest:
        x, y, w, h = rest.pop(0)
        touching = [b for b in rest if b[0] <= x + w and x <= b[0] + b[2] and b[1] <= y + h and y <= b[1] + b[3]]
        if not touching:
            done.append((x, y, w, h))
            continue
        group = [(x, y, w, h), *touching]
        rest = [b for b in rest if b not in touching]
        x0, y0 = min(b[0] for b in group), min(b[1] for b in group)
        x1, y1 = max(b[0] + b[2] for b in group), max(b[1] + b[3] for b in group)
        rest.insert(0, (x0, y0, x1 - x0, y1 - y0))
    return sorted(done, key=lambda b: (b[1], b[0]))


def _painted(pixels: np.ndarray, boxes: list[Box]) -> np.ndarray:
    """A copy with every box, widened by half its height, filled with the median of the ring around it."""
    out = pixels.copy()
    height, width = pixels.shape[:2]
    for x, y, w, h in boxes:
        pad = max(3, min(w, h) // 2)
        x0, y0, x1, y1 = max(0, x - pad), max(0, y - pad), min(width, x + w + pad), min(height, y + h + pad)
        ring = np.concatenate(
            [
                pixels[max(0, y0 - 2) : y0, x0:x1].reshape(-1, *pixels.shape[2:]),
                pixels[y1 : y1 + 2, x0:x1].reshape(-1, *pixels.shape[2:]),
                pixels[y0:y1, max(0, x0 - 2) : x0].reshape(-1, *pixels.shape[2:]),
                pixels[y0:y1, x1 : x1 + 2].reshape(-1, *pixels.shape[2:]),
            ]
        )
        fill = np.median(ring, axis=0) if len(ring) else np.zeros(pixels.shape[2:])
        out[y0:y1, x0:x1] = np.asarray(fill).astype(pixels.dtype)
    return out


@cache
def _engine() -> Any:  # an untyped optional package
    from rapidocr_onnxruntime import RapidOCR

    return RapidOCR()


def _detected(view: Image8) -> list[Box]:
    """Boxes of rapidocr's text detection at native resolution, upright and turned by 90 degrees."""
    found: list[Box] = []
    for turned in (False, True):
        image = cv2.rotate(view, cv2.ROTATE_90_CLOCKWISE) if turned else view
        quads, _ = _engine().text_det(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR))
        for quad in quads if quads is not None else ():
            x, y, w, h = cv2.boundingRect(np.asarray(quad, np.float32))
            found.append((y, view.shape[0] - x - w, h, w) if turned else (x, y, w, h))
    return found
