"""Every frame of a file put before the gate, at its native size, as it would be shown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset
from pydicom.pixels.processing import convert_color_space

from curate.deid.pixels.boxes import Box
from curate.deid.pixels.found_text import TextSearch
from curate.deid.pixels.gate import gate, painted, too_much_painted
from curate.deid.pixels.known_regions import written_regions
from curate.deid.rules import PixelPolicy
from curate.deid_export.dicom_native import BitFrames, Frames, NativeFrames
from curate.deid_export.dicom_write import drop_palette, set_palette
from curate.errors import DropRecord
from curate.record import Reason
from curate.sources.dicom.file import text
from curate.sources.dicom.lut import Palette
from curate.sources.third_party import call_third_party

_ROUNDS = 3  # looks at a frame blanked in index or YBR space before it is given up
# Objects whose pixels a program computes and no screen is captured into: labels, probabilities, dose (PS3.3 A.51,
# A.75, A.18.3). What looks like text in them is a row of vertebrae, and blanking would change the numbers.
_NUMBERS = frozenset(f"1.2.840.10008.5.1.4.1.1.{tail}" for tail in ("30", "66.4", "66.7", "66.8", "481.2"))


@dataclass(frozen=True)
class Gated:
    """``boxes`` (x, y, width, height) to be blanked in every frame; ``pixels``: a single frame as the gate left it."""

    boxes: tuple[Box, ...] = ()
    pixels: np.ndarray | None = None


def is_numbers(source: Dataset) -> bool:
    """Are the pixels labels or numbers, so that there is no text in them to look for?

    By the SOP class, which is believed unless Burned In Annotation says YES.
    """
    annotated = text(source, "BurnedInAnnotation").upper() == "YES"
    return text(source, "SOPClassUID") in _NUMBERS and not annotated


def gate_frames(frames: Frames, source: Dataset, policy: PixelPolicy, palette: Palette | None) -> Gated:
    """Every frame decoded and gated; what one frame shows is blanked in all that follow before they are looked at.

    Raises DropRecord with the gate's reason, or the decoder's. Policy "trust" decodes and looks at nothing.
    """
    boxes: tuple[Box, ...] = ()
    kept = None
    shown = _shown(source, palette)
    searches = (TextSearch(), TextSearch())
    for frame in range(frames.layout.frames):
        pixels = frames.stored(frame)
        if policy.burned_in == "trust":
            continue
        if boxes:
            pixels = painted(pixels, boxes, indices=palette is not None)
        new, result = _cleared(pixels, frames, shown, policy, palette, searches)
        new = tuple(box for box in new if box not in boxes)
        if new:
            boxes, kept = (*boxes, *new), result
            shown = _untold(shown)
    if boxes and frames.layout.frames > 1:  # each frame may be within bounds, and all that they add up to is not
        last = painted(frames.stored(frames.layout.frames - 1), boxes, indices=palette is not None)
        known = written_regions(source, (last.shape[0], last.shape[1]))
        told = [box for box in boxes if box not in known]
        if too_much_painted(next(shown_views(last, frames, palette)), told, policy):
            raise DropRecord(Reason.TOO_MUCH_PAINTED)
    return Gated(boxes, kept if frames.layout.frames == 1 else None)


def _shown(source: Dataset, palette: Palette | None) -> Dataset:
    """The source's header for the gate, with the palette that will be written in place of its own."""
    if palette is None:
        return source
    out = Dataset(source)
    drop_palette(out)
    set_palette(out, palette)
    out.PhotometricInterpretation = "PALETTE COLOR"
    return out


def uncompressed(frames: Frames, found: Gated, max_bytes: int) -> Frames:
    """The frames as native ones, with the boxes that were found painted over in every one of them."""
    indices = frames.layout.photometric == "PALETTE COLOR"
    out = frames if isinstance(frames, NativeFrames | BitFrames) else NativeFrames.empty(frames.decoded, max_bytes)
    if found.pixels is not None:
        out.put(0, found.pixels)
        return out
    for frame in range(frames.layout.frames):
        pixels = frames.stored(frame)
        out.put(frame, painted(pixels, found.boxes, indices=indices) if found.boxes else pixels)
    return out


def shown_views(pixels: np.ndarray, frames: Frames, palette: Palette | None) -> Iterator[np.ndarray]:
    """What a viewer may show of a frame's stored values: grey or RGB; of a palette's indices also the bare indices,
    where these could hold what the colours do not show."""
    if palette is not None:
        yield palette.colours(pixels)
        if palette.hides(pixels):
            yield pixels
    else:
        yield _rgb(pixels, frames)


def _rgb(pixels: np.ndarray, frames: Frames) -> np.ndarray:
    """The frame as it is, but YBR as RGB."""
    if not frames.decoded.photometric.startswith("YBR"):
        return pixels
    return call_third_party(Reason.UNDECODABLE, convert_color_space, pixels, "YBR_FULL", "RGB")


def _views(
    pixels: np.ndarray, frames: Frames, shown: Dataset, palette: Palette | None
) -> list[tuple[np.ndarray, Dataset, bool]]:
    """What the gate is asked about, with which header, and whether these are the stored values themselves."""
    if palette is None or not palette.hides(pixels):
        rgb = _rgb(pixels, frames)
        return [(rgb, shown, rgb is pixels)]
    bare = Dataset(shown)
    bare.PhotometricInterpretation = "MONOCHROME2"
    return [(pixels, shown, False), (pixels, bare, False)]


def _cleared(
    pixels: np.ndarray,
    frames: Frames,
    shown: Dataset,
    policy: PixelPolicy,
    palette: Palette | None,
    searches: tuple[TextSearch, TextSearch],
) -> tuple[tuple[Box, ...], np.ndarray | None]:
    """The boxes blanked in one frame, and its pixels where they are the gate's own; ``searches``: of each of `_views`,
    through all frames."""
    found: tuple[Box, ...] = ()
    for _ in range(_ROUNDS):
        new: list[Box] = []
        for (view, header, direct), search in zip(_views(pixels, frames, shown, palette), searches, strict=False):
            result = gate(view, header, policy, search)
            if result.reason is not None:
                raise DropRecord(result.reason)
            new += [box for box in result.regions if box not in found and box not in new]
            if direct:  # the gate painted these very pixels, and looked at them again
                return tuple(new), result.pixels
        if not new:
            return found, None
        pixels = painted(pixels, new, indices=palette is not None)
        found, shown = (*found, *new), _untold(shown)
    raise DropRecord(Reason.BURNED_IN)


def _untold(source: Dataset) -> Dataset:
    """The header without Burned In Annotation: the text it speaks of was found, and is gone from what is looked at."""
    if "BurnedInAnnotation" not in source:
        return source
    out = Dataset(source)
    del out["BurnedInAnnotation"]
    return out
