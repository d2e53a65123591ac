"""Every frame of a file through the pixel gate, at its native size, as it would be displayed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset

from curate.deid.pixels.boxes import Box
from curate.deid.pixels.found_text import TextSearch
from curate.deid.pixels.gate import gate, painted, too_much_painted
from curate.deid.pixels.known_regions import written_regions
from curate.deid.rules import PixelPolicy
from curate.deid_export.dicom.frames import BitFrames, Frames, NativeFrames
from curate.deid_export.dicom.write import drop_palette, set_palette
from curate.errors import DropRecord
from curate.record import Reason
from curate.sources.dicom.colours import to_rgb
from curate.sources.dicom.file import text
from curate.sources.dicom.lut import Palette

_ROUNDS = 3  # times that a frame blanked in index or YBR space is searched again before it is dropped
# Objects whose pixels are computed, with no screen text in them: labels, probabilities, dose (PS3.3 A.51, A.75,
# A.18.3). What looks like text there is anatomy (a row of vertebrae), and blanking would change the numbers.
_NUMBERS = frozenset(f"1.2.840.10008.5.1.4.1.1.{tail}" for tail in ("30", "66.4", "66.7", "66.8", "481.2"))


@dataclass(frozen=True)
class Gated:
    """``boxes`` (x, y, width, height) to be blanked in every frame; ``pixels``: a single frame as the gate left it."""

    boxes: tuple[Box, ...] = ()
    pixels: np.ndarray | None = None


def is_numbers(source: Dataset) -> bool:
    """Are the pixels labels or numbers, in which no text is searched for?

    Decided by the SOP class, unless Burned In Annotation is YES.
    """
    annotated = text(source, "BurnedInAnnotation").upper() == "YES"
    return text(source, "SOPClassUID") in _NUMBERS and not annotated


def gate_frames(frames: Frames, source: Dataset, policy: PixelPolicy, palette: Palette | None) -> Gated:
    """Every frame decoded and gated; text found in one frame is blanked in all later ones before these are searched.

    Raises DropRecord with the gate's reason, or the decoder's. Policy "trust" decodes and does not search.
    """
    boxes: tuple[Box, ...] = ()
    gated_pixels = None
    shown = _header_shown(source, palette)
    searches = (TextSearch(), TextSearch())
    for frame in range(frames.layout.frames):
        pixels = frames.stored(frame)
        if policy.burned_in == "trust":
            continue
        if boxes:
            pixels = painted(pixels, boxes, indices=palette is not None)
        new, result = _gate_frame(pixels, frames, shown, policy, palette, searches)
        new = tuple(box for box in new if box not in boxes)
        if new:
            boxes, gated_pixels = (*boxes, *new), result
            shown = _without_burned_in_annotation(shown)
    if boxes and frames.layout.frames > 1:  # each frame may be within the limit and their union not
        last = frames.stored(frames.layout.frames - 1)
        known = written_regions(source, (last.shape[0], last.shape[1]))
        last = painted(last, [box for box in boxes if box in known], indices=palette is not None)
        unexpected = [box for box in boxes if box not in known]
        if too_much_painted(next(shown_views(last, frames, palette)), unexpected, policy):
            raise DropRecord(Reason.TOO_MUCH_PAINTED)
    return Gated(boxes, gated_pixels if frames.layout.frames == 1 else None)


def _header_shown(source: Dataset, palette: Palette | None) -> Dataset:
    """The header for the gate: the source's, with the palette that will be written."""
    if palette is None:
        return source
    out = Dataset(source)
    drop_palette(out)
    set_palette(out, palette)
    out.PhotometricInterpretation = "PALETTE COLOR"
    return out


def uncompressed(frames: Frames, gated: Gated, max_bytes: int) -> Frames:
    """The frames as native ones, with the gate's boxes blanked in every one of them."""
    indices = frames.layout.photometric == "PALETTE COLOR"
    out = frames if isinstance(frames, NativeFrames | BitFrames) else NativeFrames.empty(frames.decoded, max_bytes)
    if gated.pixels is not None:
        out.put(0, gated.pixels)
        return out
    for frame in range(frames.layout.frames):
        pixels = frames.stored(frame)
        out.put(frame, painted(pixels, gated.boxes, indices=indices) if gated.boxes else pixels)
    return out


def shown_views(pixels: np.ndarray, frames: Frames, palette: Palette | None) -> Iterator[np.ndarray]:
    """What a viewer may display of a frame's stored values: grey or RGB; of palette indices also the indices
    themselves, if these could contain what the colours hide."""
    if palette is not None:
        yield palette.colours(pixels)
        if palette.hides(pixels):
            yield pixels
    else:
        yield _rgb(pixels, frames)


def _rgb(pixels: np.ndarray, frames: Frames) -> np.ndarray:
    """The frame; a YBR one converted to RGB."""
    if not frames.decoded.photometric.startswith("YBR"):
        return pixels
    return to_rgb(pixels, frames.decoded.stored)


def _views(
    pixels: np.ndarray, frames: Frames, shown: Dataset, palette: Palette | None
) -> list[tuple[np.ndarray, Dataset, bool]]:
    """The views that the gate searches, each with its header and whether it is the stored values themselves."""
    if palette is None or not palette.hides(pixels):
        rgb = _rgb(pixels, frames)
        return [(rgb, shown, rgb is pixels)]
    bare = Dataset(shown)
    bare.PhotometricInterpretation = "MONOCHROME2"
    return [(pixels, shown, False), (pixels, bare, False)]


def _gate_frame(
    pixels: np.ndarray,
    frames: Frames,
    shown: Dataset,
    policy: PixelPolicy,
    palette: Palette | None,
    searches: tuple[TextSearch, TextSearch],
) -> tuple[tuple[Box, ...], np.ndarray | None]:
    """The boxes blanked in one frame, and its pixels if the gate itself painted them; ``searches``: one text search for
    each of `_views`, shared by all frames."""
    blanked: tuple[Box, ...] = ()
    for _ in range(_ROUNDS):
        new: list[Box] = []
        for (view, header, direct), search in zip(_views(pixels, frames, shown, palette), searches, strict=False):
            result = gate(view, header, policy, search)
            if result.reason is not None:
                raise DropRecord(result.reason)
            new += [box for box in result.regions if box not in blanked and box not in new]
            if direct:  # the gate painted the stored values, and searched them again
                return tuple(new), result.pixels
        if not new:
            return blanked, None
        pixels = painted(pixels, new, indices=palette is not None)
        blanked, shown = (*blanked, *new), _without_burned_in_annotation(shown)
    raise DropRecord(Reason.BURNED_IN)


def _without_burned_in_annotation(source: Dataset) -> Dataset:
    """The header without Burned In Annotation: the text that it announces was found and blanked."""
    if "BurnedInAnnotation" not in source:
        return source
    out = Dataset(source)
    del out["BurnedInAnnotation"]
    return out
