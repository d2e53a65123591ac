"""The verifier of pixels: optical character recognition of frames that are about to be written.

It uses rapidocr's detection and recognition together (PP-OCRv6 small), with its own preprocessing; nothing is shared
with `curate.deid.pixels`, whose text detector is another network.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from functools import cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from curate.deid.verify.finding import Finding, reads_pixels, sorted_unique
from curate.deid.verify.known_values import kind_of
from curate.deid.verify.normalise import normalise

Image8 = npt.NDArray[np.uint8]

_SURE, _MIN_LETTERS = 0.75, 3  # minimum confidence of a line, and its minimum number of letters and digits
_MIN_SIDE = 480  # px
_UNSURE = 0.3  # minimum confidence for a line that resembles a known value
_TILE, _OVERLAP = 1024, 96  # px; longer lines are still read in part
_ALIKE = 0.8  # of difflib's ratio: one letter of five may be misread
# Marks in every picture that identify nobody: sides, views, positions, scales.
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


def pixel_findings(frames: Sequence[np.ndarray], phi: Sequence[str]) -> tuple[Finding, ...]:
    """PIXEL_TEXT if text is read in any of ``frames``, and the kinds of the values of ``phi`` that it resembles.

    ``frames``: [H, W] of any integer or float dtype, or [H, W, 3 or 4] of uint8 or uint16, at native resolution. A line
    is text if it is recognised with a confidence of at least 0.75 and has at least three letters or digits, unless all
    its words are marks of side, view, position, scale or technique ("L", "AP", "PORTABLE", "10 cm"); with less
    confidence if it resembles a known value. () if rapidocr is not installed.
    """
    if not reads_pixels():
        return ()
    known_values = _search_values(phi)
    codes: list[Finding] = []
    for frame in frames:
        for line, confidence in _lines(frame):
            kinds = [kind for value, kind in known_values if _is_like(line, value)]
            codes += kinds
            if kinds or (confidence >= _SURE and is_text(line)):
                codes.append(Finding.PIXEL_TEXT)
        if Finding.PIXEL_TEXT in codes:
            break
    return sorted_unique(codes)


def is_text(line: str) -> bool:
    """True for a line with more than marks."""
    words = re.findall(r"[^\W_]+", line.casefold())
    unmarked = [
        w
        for w in words
        if w not in _MARKS and not re.fullmatch(r"\d{1,3}|\d{1,3}(?:mm|cm|s|ms|kv|ma|hz|db|fps|[xlr])", w)
    ]
    return sum(map(len, words)) >= _MIN_LETTERS and bool(unmarked) and sum(map(len, unmarked)) >= _MIN_LETTERS


def _search_values(phi: Sequence[str]) -> list[tuple[str, Finding]]:
    parts: dict[str, Finding] = {}
    for value in phi:
        flat = normalise(value).strip()
        words = flat.split() if "^" in value else []
        for part in (flat, *words):
            if len(part) >= 4:
                parts.setdefault(part, kind_of(value))
    return list(parts.items())


def _is_like(line: str, value: str) -> bool:
    flat = normalise(line).strip()
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
    """(text, confidence) of every line that is read in any view of a frame."""
    for n, view in enumerate(_views(frame)):
        for tile in _tiles(view):
            turns = [tile, np.asarray(cv2.rotate(tile, cv2.ROTATE_90_CLOCKWISE), np.uint8)]
            for turned in turns[: 2 if n == 0 else 1]:  # the engine itself handles upside-down text
                result = _engine()(cv2.cvtColor(turned, cv2.COLOR_GRAY2BGR))
                for text, confidence in zip(result.txts or (), result.scores or (), strict=True):
                    yield str(text), float(confidence)


def _views(frame: np.ndarray) -> Iterator[Image8]:
    """The picture in grey over its full range, and over its central range if much narrower. Dark text is read like
    bright."""
    colour = frame.ndim == 3 and frame.shape[2] >= 3
    planes = [frame[..., :3].max(axis=2), frame[..., :3].min(axis=2)] if colour else [np.squeeze(frame)]
    for plane in planes[: 1 if len(planes) > 1 and np.array_equal(planes[0], planes[1]) else 2]:
        values = np.nan_to_num(plane.astype(np.float32))
        minimum, maximum = float(values.min()), float(values.max())
        if maximum <= minimum:
            continue
        low, high = (float(v) for v in np.quantile(values[::4, ::4], (0.005, 0.995)))
        whole = _scaled(values, minimum, maximum)
        yield whole
        if high > low and maximum - minimum > 1.5 * (high - low):
            yield _scaled(values, low, high)


def _scaled(values: np.ndarray, low: float, high: float) -> Image8:
    return np.asarray(np.clip((values - low) * (255.0 / (high - low)), 0, 255), np.uint8)


def _tiles(view: Image8) -> Iterator[Image8]:
    """Overlapping tiles of a large picture, so that the engine does not shrink it; without uniform ones."""
    height, width = view.shape
    for y in range(0, max(1, height - _OVERLAP), _TILE - _OVERLAP):
        for x in range(0, max(1, width - _OVERLAP), _TILE - _OVERLAP):
            tile = np.ascontiguousarray(view[y : y + _TILE, x : x + _TILE])
            if int(tile.max()) - int(tile.min()) > 16:
                yield tile


@cache
def _engine() -> Any:  # an untyped optional package
    from rapidocr import RapidOCR

    # parallelism is by worker processes; enlarging small pictures more costs time without benefit
    threads = {f"EngineConfig.onnxruntime.{which}_op_num_threads": 1 for which in ("intra", "inter")}
    size = {"Det.limit_side_len": _MIN_SIDE, "Det.limit_type": "min"}
    logging.getLogger("RapidOCR").disabled = True  # its messages could contain text of the picture
    return RapidOCR(params=threads | size | {"Global.text_score": _UNSURE})
