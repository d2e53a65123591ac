"""Where in its cell a value lies: High Bit, Bits Stored and sign, held against the bits in use (PS3.5 8.1.1).

What the cells prove goes before what the header says; cells that fit neither are dropped as PIXEL_BITS.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from pydicom.dataset import Dataset

from curate.errors import DropRecord
from curate.record import Reason
from curate.sources.dicom.layout import Layout
from curate.sources.dicom.neighbours import is_continuous, is_nearer, is_noise, seams
from curate.sources.third_party import call_third_party

_FEW = 16  # pairs of neighbours below which nothing is said


def overlay_bits(dataset: Dataset) -> int:
    """Mask of the bits of a cell that overlay planes use (group 60xx, retired in 2004, PS3.3 C.9.2)."""
    mask = 0
    for group in range(0x6000, 0x6020, 2):
        if (group, 0x0102) in dataset and (group, 0x3000) not in dataset:
            try:
                place = int(call_third_party(Reason.BAD_HEADER, lambda tag: dataset[tag].value, (group, 0x0102)))
            except (DropRecord, TypeError, ValueError):
                continue
            mask |= 1 << place if 0 < place < 64 else 0  # 0: the plane lies elsewhere
    return mask


def settle(cells: np.ndarray, layout: Layout, overlays: int = 0, *, doubted: bool = False) -> tuple[np.ndarray, Layout]:
    """The values of whole ``cells``, (..., rows, columns[, samples]) of any integer dtype, and the layout they prove.

    - High Bit above Bits Stored - 1: values lie at the top where the bits below are empty, at the bottom where they
      all fit there.
    - Bits above Bits Stored are left out where overlays declare them, where all cells have the same, and where the
      picture goes on below them; they are a sign where every cell repeats its highest bit in them; they belong to
      the value where the picture goes on only with them.
    - A declared sign is none where the picture goes on from the highest positive to the lowest negative number, and
      there is an undeclared one where it goes on only from 0 to the highest number. ``doubted``: the code stream says
      that there is none, so the picture must show one.

    Raises DropRecord PIXEL_BITS, TRUNCATED (`_breaks_off`).
    """
    codes = cells.view(f"{cells.dtype.byteorder}u{cells.itemsize}")
    if _breaks_off(codes, layout):
        raise DropRecord(Reason.TRUNCATED)
    codes, layout = _at_bottom(codes, layout, overlays)
    above = int(np.bitwise_or.reduce(codes, axis=None)) >> layout.stored << layout.stored & ~overlays
    if above:
        layout = _explained(codes, layout, above)
    layout = replace(layout, signed=_is_signed(codes, layout.stored, declared=layout.signed, doubted=doubted))
    return mask(codes.view(f"{cells.dtype.byteorder}{'i' if layout.signed else 'u'}{cells.itemsize}"), layout), layout


def _breaks_off(codes: np.ndarray, layout: Layout) -> bool:
    """Do zeros begin within a line below one that goes on there, and fill the rest, an eighth of the lines at least? So
    does a file of which only the length was copied, and no picture."""
    by_pixel = codes.ndim > 2 and codes.shape[-1] == layout.samples == 3
    rows, columns = codes.shape[-3:-1] if by_pixel else codes.shape[-2:]
    for plane in codes.reshape(-1, rows, columns * (3 if by_pixel else 1)):
        if plane[-1].any() or plane[-max(rows // 8, 1) :].any():
            continue
        last = int(np.flatnonzero(plane.any(axis=1)).max(initial=0))
        end = int(np.flatnonzero(plane[last]).max(initial=-1)) + 1
        parts = plane[last, :end], plane[last - 1, end:]
        if last and all(part.size >= _FEW and (part != 0).mean() > 0.95 for part in parts):
            return True
    return False


def mask(values: np.ndarray, layout: Layout) -> np.ndarray:
    """Integer ``values`` with the bits above Bits Stored zero, or the sign where pixels are signed (PS3.5 8.1.1)."""
    unused = 8 * values.dtype.itemsize - layout.stored
    if unused <= 0:
        return values
    if layout.signed:
        return _with_sign(values, layout.stored).view(values.dtype)
    return np.asarray(values & values.dtype.type((1 << layout.stored) - 1))


def _with_sign(codes: np.ndarray, stored: int) -> np.ndarray:
    """The numbers of ``stored`` bits in ``codes``, whose highest bit is their sign, of the same width."""
    unused = 8 * codes.dtype.itemsize - stored
    return np.asarray((codes.view(codes.dtype.str.replace("u", "i")) << unused) >> unused)


def _at_bottom(codes: np.ndarray, layout: Layout, overlays: int) -> tuple[np.ndarray, Layout]:
    """The codes moved down to bit 0, where High Bit says that they lie higher and the cells agree."""
    if layout.high is None:
        return codes, layout
    shift = layout.high + 1 - layout.stored
    settled = replace(layout, high=None)
    if shift < 0:  # less bits than stored: only the place of the sign depends on it
        fits = layout.signed and _fits(codes, layout.high + 1)
        return codes, replace(settled, stored=layout.high + 1) if fits else settled
    if not int(np.bitwise_or.reduce(codes, axis=None)) & ((1 << shift) - 1) & ~overlays:
        return codes >> codes.dtype.type(shift), settled
    if _fits(codes, layout.stored):
        return codes, settled
    raise DropRecord(Reason.PIXEL_BITS)


def _explained(codes: np.ndarray, layout: Layout, above: int) -> Layout:
    """The layout with which the bits in ``above`` make sense."""
    stored, width = layout.stored, 8 * codes.itemsize
    if _repeats_sign(codes, stored):
        return replace(layout, signed=True)
    if not (above & ~int(np.bitwise_and.reduce(codes, axis=None))):
        return layout
    span = float(1 << stored)
    plane = _plane(codes)
    if plane is not None:
        kind = f"{plane.dtype.byteorder}{'i' if layout.signed else 'u'}{plane.itemsize}"
        whole, below = plane.view(kind), mask(plane.view(kind), layout)
        parts = whole.astype(np.int64) - below  # seams are where the two readings part
        if is_continuous(below, parts, span):
            return layout
        if is_continuous(whole, parts, 4 * span):
            return replace(layout, stored=width if layout.signed else above.bit_length())
        if layout.signed and _sign_or_none(plane, stored) and is_nearer(below, whole, parts):
            return layout
    raise DropRecord(Reason.PIXEL_BITS)


def _sign_or_none(codes: np.ndarray, stored: int) -> bool:
    """Are the bits above ``stored`` in each cell zero, or the sign repeated, so that writers of both kinds are met?"""
    high = codes >> codes.dtype.type(stored - 1)
    return bool(((high <= 1) | (high == high.dtype.type((1 << (8 * codes.itemsize - stored + 1)) - 1))).all())


def _is_signed(codes: np.ndarray, stored: int, *, declared: bool, doubted: bool) -> bool:
    """Is there a sign in bit ``stored - 1``, as ``declared``, or does the picture go on over the seam between the
    highest and the lowest number that this makes?

    Asked only where values come near both, and of the pixels that are not there themselves: black beside white is no
    seam. ``doubted``: where the picture does not tell, the header's word is not enough; in noise it never is.
    """
    plane, half, span = _plane(codes & codes.dtype.type((1 << stored) - 1)), 1 << (stored - 1), 1 << stored
    if plane is None or (stored <= 8 and not declared):  # of 8 bits and no sign is every screen with letters on it
        return declared
    places = plane ^ plane.dtype.type(half) if declared else plane  # from the lowest number
    if int(places.min()) >= max(span >> 4, 1) or int(places.max()) < span - max(span >> 4, 1):
        return declared
    parts, among = plane >> plane.dtype.type(stored - 1), (places > 0) & (places < span - 1)
    numbers = _with_sign(plane, stored)
    if not declared:
        return _has_untold_sign(plane, numbers, parts, among)
    if is_nearer(plane, numbers, parts, among):
        return False
    unsure = doubted or is_noise(numbers) or is_nearer(plane, numbers, parts, among, by=1)  # not by far, but at all
    if unsure and not is_nearer(numbers, plane, parts, among):
        raise DropRecord(Reason.PIXEL_BITS)
    return True


def _has_untold_sign(plane: np.ndarray, numbers: np.ndarray, parts: np.ndarray, among: np.ndarray) -> bool:
    """Does the picture go on over 0 with the ``numbers`` that have a sign, and nowhere over half the range without?

    Both sides of 0 must be picture, of many values: letters drawn into a dark one have few.

    Raises DropRecord PIXEL_BITS where the sign is nearer by far and the picture does not go on over 0 either.
    """
    signed, unsigned = seams(parts, among, numbers, plane)
    if signed.size < _FEW:
        return False
    always, mostly = bool((signed < unsigned).mean() > 0.97), bool(signed.mean() < 0.75 * unsigned.mean())
    if not always and not mostly:
        return False
    values = min(len(np.unique(plane[parts == k])) for k in (0, 1))
    if values < _FEW / 4:
        return False
    if always and is_continuous(numbers, parts, int(numbers.max()) - int(numbers.min()) + 1, among):
        return True
    if always or values > 4 * _FEW:
        raise DropRecord(Reason.PIXEL_BITS)
    return False


def _plane(cells: np.ndarray) -> np.ndarray | None:
    """All rows of all frames under each other, None where neighbours are other samples."""
    return cells.reshape(-1, cells.shape[-1]) if cells.ndim == 2 or cells.shape[-1] != 3 else None


def read_signs(codes: np.ndarray, bits: int) -> bool:
    """Of a stream that has signs under a header that has none: are the numbers of ``bits`` bits signed?

    Raises DropRecord PIXEL_BITS where the picture does not tell.
    """
    unsigned = codes & codes.dtype.type((1 << bits) - 1)
    parts = unsigned >> codes.dtype.type(bits - 1)
    if not parts.any():
        return False
    numbers = unsigned.astype(np.int64) - (parts.astype(np.int64) << bits)
    if is_continuous(numbers, parts, 1 << bits):
        return True
    if is_continuous(unsigned, parts, 1 << bits):
        return False
    raise DropRecord(Reason.PIXEL_BITS)


def _fits(codes: np.ndarray, bits: int) -> bool:
    """Are all codes numbers of ``bits`` bits, with or without a sign?"""
    return int(codes.max(initial=0)) < 1 << bits or _repeats_sign(codes, bits)


def _repeats_sign(codes: np.ndarray, bits: int) -> bool:
    """Does every code repeat its bit ``bits - 1`` in all bits above it, and is that bit set in some and not in all?"""
    numbers = codes.view(f"{codes.dtype.byteorder}i{codes.itemsize}")
    low, high = int(numbers.min(initial=0)), int(numbers.max(initial=-1))
    return -(1 << (bits - 1)) <= low < 0 <= high < 1 << (bits - 1)
