"""Uncompressed pixel data by their length: which layout holds where the header's does not (PS3.5 8.1, C.7.6.3)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian

from curate.errors import DropRecord
from curate.record import Reason
from curate.sources.dicom.colours import proven_colours, some_frames
from curate.sources.dicom.file import FLOAT_PIXELS, DicomFile
from curate.sources.dicom.layout import COLOUR, Layout, clamped, is_swapped, with_samples
from curate.sources.dicom.neighbours import (
    frames_or_strips,
    is_one_channel,
    is_smoother,
    is_wrapped,
    nearest_stride,
    roughness,
)

WIDTHS = (8, 16, 32)  # of a cell, in bits
_GLANCE = 1 << 20  # bytes of several frames that are looked at, if they are two
_ORDER_SAMPLE = 1 << 16  # cells that show the byte order
_FEW = 16  # rows and columns below which smoothness says nothing
_MOSTLY = 0.5  # of the pixels
_GREYER = 0.2  # more of the pixels are grey: three equal channels do not come by chance


def native_layout(file: DicomFile, layout: Layout) -> Layout:
    """The layout whose frames the element's length holds.

    Raises DropRecord TRUNCATED where bytes are missing, PIXEL_LENGTH where no layout fits, or several do.
    """
    there = file.element.length
    consistent = _consistent(file, layout)
    fitting = [other for other in consistent if 0 <= there - other.bytes_of_all <= 1]
    if not fitting:
        fitting = [other for other in _alternatives(file, consistent[0]) if _agrees(file, layout, other)]
    if len(fitting) == 1:
        found = _coloured(file, _planar(file, clamped(fitting[0])))
        _check_lines(file, found, known=found.frames == layout.frames)
        return found
    if there < consistent[0].bytes_of_all:
        raise DropRecord(Reason.TRUNCATED)
    if fitting or not _is_slack(file, consistent[0]):
        raise DropRecord(Reason.PIXEL_LENGTH)
    return _coloured(file, _planar(file, clamped(consistent[0])))


def in_proven_order(file: DicomFile, layout: Layout) -> DicomFile:
    """The file with the other byte order where 16-bit cells are a far smoother picture so, and fit Bits Stored.

    Of a picture's two bytes the lower is the rougher one: as the higher it makes grain.
    """
    if layout.allocated != 16 or file.element.tag in FLOAT_PIXELS or min(layout.rows, layout.columns) < _FEW:
        return file
    line = layout.columns * (1 if layout.planar else layout.samples)
    lines = min(layout.rows, max(_FEW, _ORDER_SAMPLE // line))
    data = file.read(file.element.offset + 2 * line * ((layout.rows - lines) // 2), 2 * line * lines)
    order = "<" if file.syntax.is_little_endian else ">"
    here = np.frombuffer(data[: len(data) // (2 * line) * 2 * line], f"{order}{'i' if layout.signed else 'u'}2")
    here = here.reshape(-1, line)
    other = here.view(here.dtype.newbyteorder())
    fits = layout.stored >= 16 or int(other.astype("u2").max(initial=0)) < 1 << layout.stored
    if len(here) < _FEW or not fits or not is_smoother(other, here, layout.samples):
        return file
    return replace(file, syntax=ExplicitVRBigEndian if file.syntax.is_little_endian else ExplicitVRLittleEndian)


def _consistent(file: DicomFile, layout: Layout) -> list[Layout]:
    """The header's layout; where samples and photometric interpretation contradict each other, both readings of it,
    the shorter first. Three samples that nobody names are a picture where they are equal."""
    grey = layout.photometric not in COLOUR
    if grey == (layout.samples == 1):
        return [layout]
    one, three = (with_samples(layout, samples, "RGB") for samples in (1, 3))
    if not grey:
        return [one, three]
    if 0 <= file.element.length - three.bytes_of_all <= 1 and layout.photometric == "MONOCHROME2":
        cells = _cells(file, layout.allocated, three)
        shape = (3, -1) if layout.planar else (-1, 3)
        pixels = cells[: cells.size // 3 * 3].reshape(shape)
        if bool((pixels == (pixels[:1] if layout.planar else pixels[:, :1])).all()):
            return [three]
        raise DropRecord(Reason.PIXEL_LENGTH)
    return [one]


def _alternatives(file: DicomFile, layout: Layout) -> Iterator[Layout]:
    """Layouts with one other attribute, that fill the element."""
    there, floats = file.element.length, file.element.tag in FLOAT_PIXELS
    others = [replace(layout, allocated=width) for width in WIDTHS if width != layout.allocated and not floats]
    if layout.samples == 3 and layout.allocated == 8 and layout.photometric.startswith("YBR_FULL"):
        swapped = "YBR_FULL" if layout.photometric == "YBR_FULL_422" else "YBR_FULL_422"
        others.append(replace(layout, photometric=swapped))
    frame = layout.bits_a_frame / 8
    others.append(replace(layout, frames=max(int(there / frame), 1)))
    return (other for other in others if 0 <= there - other.bytes_of_all <= 1)


def _agrees(file: DicomFile, declared: Layout, other: Layout) -> bool:
    """Does what else is known agree with ``other``, a layout that has the element's length?"""
    if other.allocated < declared.allocated:
        return declared.stored <= other.allocated
    if other.allocated > declared.allocated:
        if declared.stored > declared.allocated:
            return declared.stored <= other.allocated
        cells = _cells(file, other.allocated, other)
        return bool(cells.size and int(cells.max()) < 1 << declared.stored)
    if declared.allocated == 1:
        return True
    cells = _cells(file, declared.allocated, other)
    if other.photometric != declared.photometric:  # samples in turn, Y B R or Y Y B R, unless these say the contrary
        here, there = (4, 3) if other.photometric == "YBR_FULL_422" else (3, 4)
        return bool(other.planar) or nearest_stride(cells, (here, there)) != there
    step = 4 if other.photometric == "YBR_FULL_422" else other.samples
    if step == 1 and other.frames % 3 == 0 and cells.size > 3:  # three frames, or three equal samples in turn?
        in_turn, shifted = (cells[k:][: (cells.size - 1) // 3 * 3].reshape(-1, 3) for k in (0, 1))
        if _grey(in_turn, other) - _grey(shifted, other) > _GREYER:
            return False
    strides = (1, 2, 3) if step == 1 else (step, 2 * step, 7 - step, 1)
    return nearest_stride(cells, strides) == step


def _check_lines(file: DicomFile, layout: Layout, *, known: bool) -> None:
    """DropRecord PIXEL_LENGTH where the lines have another length than Columns says, or the frames are strips of one
    picture; where the header does not count as many frames as there are (``known``), frames must be seen."""
    if layout.allocated not in WIDTHS or min(layout.rows, layout.columns) < _FEW:
        return
    whole = layout.bits_a_frame // 8
    cells = _cells(file, layout.allocated, layout, max(2, _GLANCE // whole) if layout.frames > 1 else 1)
    if layout.signed:
        cells = cells.view(f"{cells.dtype.byteorder}i{cells.itemsize}")
    planes = layout.samples if layout.planar else 1
    line = whole * 8 // layout.allocated // layout.rows // planes
    step = line // layout.columns if layout.columns else 1
    others = {layout.rows * step, *(line * k for k in range(2, min(layout.frames * planes, 8) + 1))}
    if is_wrapped(cells, line, others):
        raise DropRecord(Reason.PIXEL_LENGTH)
    count = cells.size // (line * layout.rows * planes) * planes
    if layout.frames == 1 or count < 2:
        return
    found = frames_or_strips(cells[: count * layout.rows * line].reshape(count, layout.rows, line))
    if found == "strips" or (found is None and not known):
        raise DropRecord(Reason.PIXEL_LENGTH)


def _cells(file: DicomFile, width: int, layout: Layout, frames: int = 1, frame: int = 0) -> np.ndarray:
    """The cells of ``frames`` from ``frame`` on as unsigned numbers of ``width`` bits, as far as they are in the file;
    of one at most 4 MiB."""
    wanted = min(layout.bits_a_frame // 8, 1 << 22) if frames == 1 else layout.bits_a_frame // 8 * frames
    first = layout.bits_a_frame // 8 * frame
    data = file.read(file.element.offset + first, min(wanted + wanted % 2, file.element.length - first))
    if is_swapped(file, layout):
        data = np.frombuffer(data[: len(data) & ~1], "<u2").byteswap().tobytes()
    data = data[:wanted]
    order = "<" if file.syntax.is_little_endian else ">"
    return np.frombuffer(data[: len(data) - len(data) % (width // 8)], f"{order}u{width // 8}")


def _is_slack(file: DicomFile, layout: Layout) -> bool:
    """Are the bytes behind the frames no part of a picture?

    Less than a row and less than a column cannot come from a wrong size of the picture; more may, unless they are all
    the same and the declared row is the nearest stride.
    """
    slack, cell = file.element.length - layout.bytes_of_all, layout.samples * layout.allocated / 8
    if slack < min(layout.rows, layout.columns) * cell:
        return True
    if layout.frames > 1 or layout.allocated not in WIDTHS or slack >= layout.bytes_of_all:
        return False
    if len(set(file.read(file.element.offset + layout.bytes_of_all, slack))) > 1:
        return False
    row = layout.columns * (1 if layout.planar else layout.samples)
    step = 1 if layout.planar else layout.samples
    return nearest_stride(_cells(file, layout.allocated, layout), (row - step, row, row + step)) == row


def _planar(file: DicomFile, layout: Layout) -> Layout:
    """Planar Configuration as the first frame shows it: the other one where the picture is smoother with it."""
    if layout.samples != 3 or layout.photometric == "YBR_FULL_422" or layout.allocated not in (8, 16):
        return layout
    cells = _cells(file, layout.allocated, layout)
    count = layout.rows * layout.columns
    if cells.size < 3 * count or min(layout.rows, layout.columns) < _FEW:
        return layout
    by_pixel = cells[: 3 * count].reshape(layout.rows, layout.columns, 3)
    by_plane = np.moveaxis(cells[: 3 * count].reshape(3, layout.rows, layout.columns), 0, -1)
    here, other = (by_plane, by_pixel) if layout.planar else (by_pixel, by_plane)
    told = _grey(here, layout)
    if told == 1:
        return layout
    changed = by_pixel[:, 1:][(by_pixel[:, 1:] != by_pixel[:, :-1]).any(axis=2)]
    if layout.planar and told < _MOSTLY and changed.size and _grey(changed, layout) > _MOSTLY:
        return replace(layout, planar=0)  # greys that change from pixel to pixel, all three at once
    rougher = roughness(here) / max(roughness(other), 1e-9)
    swapped = rougher > 1.3 if layout.planar else rougher > 1.2 and is_one_channel(cells[: 3 * count], layout.columns)
    if swapped or (rougher > 1 and _grey(other, layout) - _grey(here, layout) > _GREYER):
        return replace(layout, planar=1 - layout.planar)
    return layout


def _grey(pixels: np.ndarray, layout: Layout) -> float:
    """The share of (rows, columns, 3) pixels without colour."""
    without = 1 << (layout.stored - 1) if layout.photometric.startswith("YBR_FULL") else pixels[..., 0]
    return float(((pixels[..., 1] == without) & (pixels[..., 2] == without)).mean())


def _coloured(file: DicomFile, layout: Layout) -> Layout:
    """The colours as some frame of bytes shows them; of two luminances to a pair of colours none are doubted."""
    if (layout.samples, layout.allocated) != (3, 8) or layout.photometric == "YBR_FULL_422":
        return layout
    frames = [0] if is_swapped(file, layout) else some_frames(layout.frames)
    shown = (pixels for k in frames if (pixels := _pixels(file, layout, k)) is not None)
    return proven_colours(shown, layout, doubted=False, otherwise=Reason.CONTRADICTORY)


def _pixels(file: DicomFile, layout: Layout, frame: int) -> np.ndarray | None:
    """The frame's bytes, (rows, columns, 3); of a large one the first rows, None where it is in planes."""
    cells, count = _cells(file, 8, layout, frame=frame), layout.rows * layout.columns * 3
    if cells.size < count:  # the rest of a large one is not asked
        rows = cells.size // (3 * layout.columns)
        return None if layout.planar or not rows else cells[: 3 * rows * layout.columns].reshape(rows, -1, 3)
    shape = (3, layout.rows, layout.columns)
    return np.moveaxis(cells[:count].reshape(shape), 0, -1) if layout.planar else cells[:count].reshape(*shape[1:], 3)
