"""The verifier of pixels: optical character recognition of frames that are about to be written.

It uses rapidocr's detection and recognition together (PP-OCRv6 small), on pictures that it prepares by itself; nothing
is shared with `curate.deid.pixels`, whose text detector is another network.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from functools import cache
from importlib.util import find_spec
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from curate.deid.verify.finding import Finding, sorted_unique
from curate.deid.verify.leaks import kind_of
from curate.deid.verify.letters import letters

Image8 = npt.NDArray[np.uint8]

_SURE, _ENOUGH = 0.75, 3  # confidence of a line, and its letters and digits, from which it is text
_LEAST_SIDE = 480  # px
_UNSURE = 0.3  # enough where the line is like a known value
_TILE, _OVERLAP = 1024, 96  # px; a line longer than the overlap is still read in part
_ALIKE = 0.8  # of difflib's ratio: one letter of five may be misread
# Marks that technologists and machines put in every picture and that tell of no one: sides, views, positions, scales.
_MARK_WORDS = """
l r lt rt left right ap pa lat lateral oblique obl rao lao rpo lpo cc mlo ml lm rcc lcc rmlo lmlo portable port
mobile supine prone erect upright upr semi semierect sitting standing decub decubitus insp exp inspiration
expiration flexion extension neutral open mouth weight bearing wb internal external rotation axial sagittal coronal
cm mm hu kv ma mas kvp sec ax sag cor head feet anterior posterior superior inferior a p h f i s cr ct mr us dx mg
xr pre post flair dwi adc stir t1 t2 fs fov tr te ti tilt gantry zoom mag thk img im se ser series image slice
axials scout localizer with without mono contrast delay phase fr hz db frq dyn gain depth mi tis tib res gen harm
bpm dr map wf low med high dia sys
"""
_MARKS = frozenset(_MARK_WORDS.split())


def reads_pixels() -> bool:
    """Whether the optional package is there that reads (``pip install radsift[ocr]``)."""
    return find_spec("rapidocr") is not None


def pixel_findings(frames: Sequence[np.ndarray], phi: Sequence[str]) -> tuple[Finding, ...]:
    """PIXEL_TEXT where text is read in any of ``frames``, and the kind of a value of ``phi`` that it is like.

    ``frames``: [H, W] of any integer or float dtype, or [H, W, 3 or 4] of uint8 or uint16, at native resolution. A line
    is text where it was recognised with a confidence of 0.75 and more and has three letters or digits and more, unless
    all its words are marks of side, view, position, scale or technique ("L", "AP", "PORTABLE", "10 cm"); with less
    confidence where it is like a known value. () where rapidocr is not installed.
    """
    if not reads_pixels():
        return ()
    sought = _sought(phi)
    found: list[Finding] = []
    for frame in frames:
        for line, confidence in _lines(frame):
            like = [kind for value, kind in sought if _is_like(line, value)]
            found += like
            if like or (confidence >= _SURE and is_text(line)):
                found.append(Finding.PIXEL_TEXT)
        if Finding.PIXEL_TEXT in found:
            break
    return sorted_unique(found)


def is_text(line: str) -> bool:
    """True for a line that says more than a mark does."""
    words = re.findall(r"[^\W_]+", line.casefold())
    told = [
        w
        for w in words
        if w not in _MARKS and not re.fullmatch(r"\d{1,3}|\d{1,3}(?:mm|cm|s|ms|kv|ma|hz|db|fps|[xlr])", w)
    ]
    return sum(map(len, words)) >= _ENOUGH and bool(told) and sum(map(len, told)) >= _ENOUGH


def _sought(phi: Sequence[str]) -> list[tuple[str, Finding]]:
    found: dict[str, Finding] = {}
    for value in phi:
        flat = letters(value).strip()
        parts = flat.split() if "^" in value else []
        for part in (flat, *parts):
            if len(part) >= 4:
                found.setdefault(part, kind_of(value))
    return list(found.items())


def _is_like(line: str, value: str) -> bool:
    flat = letters(line).strip()
    if value in flat:
        return True
    words = flat.split()
    n = len(value.split())
    return any(
        abs(len(piece) - len(value)) <= 2
        and SequenceMatcher(None, piece, value).ratio() >= (0.9 if value.isdigit() else _ALIKE)
        for i in range(len(words) - n + 1)
        if (piece := " ".join(words[i : i + n]))
    )


def _lines(frame: np.ndarray) -> Iterator[tuple[str, float]]:
    """(text, confidence) of every line that is read in a frame, in any view of it."""
    for n, view in enumerate(_views(frame)):
        for tile in _tiles(view):
            turns = [tile, np.asarray(cv2.rotate(tile, cv2.ROTATE_90_CLOCKWISE), np.uint8)]
            for turned in turns[: 2 if n == 0 else 1]:  # what is upside down the engine turns by itself
                read = _engine()(cv2.cvtColor(turned, cv2.COLOR_GRAY2BGR))
                for text, confidence in zip(read.txts or (), read.scores or (), strict=True):
                    yield str(text), float(confidence)


def _views(frame: np.ndarray) -> Iterator[Image8]:
    """The picture in grey over its whole range, and over its bulk where narrower. Dark text reads as bright does."""
    colour = frame.ndim == 3 and frame.shape[2] >= 3
    planes = [frame[..., :3].max(axis=2), frame[..., :3].min(axis=2)] if colour else [np.squeeze(frame)]
    for plane in planes[: 1 if len(planes) > 1 and np.array_equal(planes[0], planes[1]) else 2]:
        values = np.nan_to_num(plane.astype(np.float32))
        least, most = float(values.min()), float(values.max())
        if most <= least:
            continue
        low, high = (float(v) for v in np.quantile(values[::4, ::4], (0.005, 0.995)))
        whole = _scaled(values, least, most)
        yield whole
        if high > low and most - least > 1.5 * (high - low):
            yield _scaled(values, low, high)


def _scaled(values: np.ndarray, low: float, high: float) -> Image8:
    return np.asarray(np.clip((values - low) * (255.0 / (high - low)), 0, 255), np.uint8)


def _tiles(view: Image8) -> Iterator[Image8]:
    """A large picture in overlapping squares, so that the engine does not shrink it; none without any structure."""
    height, width = view.shape
    for y in range(0, max(1, height - _OVERLAP), _TILE - _OVERLAP):
        for x in range(0, max(1, width - _OVERLAP), _TILE - _OVERLAP):
            tile = np.ascontiguousarray(view[y : y + _TILE, x : x + _TILE])
            if int(tile.max()) - int(tile.min()) > 16:
                yield tile


@cache
def _engine() -> Any:  # an untyped optional package
    from rapidocr import RapidOCR

    # the workers are the threads; enlarging small pictures more than this costs much and reads no more
    threads = {f"EngineConfig.onnxruntime.{which}_op_num_threads": 1 for which in ("intra", "inter")}
    size = {"Det.limit_side_len": _LEAST_SIDE, "Det.limit_type": "min"}
    logging.getLogger("RapidOCR").disabled = True  # what it would say of a picture is no business of a log
    return RapidOCR(params=threads | size | {"Global.text_score": _UNSURE})
