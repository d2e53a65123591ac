"""Stored values of one frame, by imagecodecs where it is proven bit-exact, else by pydicom and its pylibjpeg.

imagecodecs is asked first for the transfer syntaxes of ``FAST``, but for 12-bit DCT; what it refuses, and every other
syntax, goes to pydicom. `benchmarks/decode.py` measures what that is worth.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import chain
from typing import Any

import imagecodecs
import numpy as np
from pydicom import uid
from pydicom.encaps import encapsulate
from pydicom.pixels.decoders.base import get_decoder

from curate.errors import DropRecord
from curate.record import Reason
from curate.sources.dicom.cells import overlay_bits, read_signs, settle
from curate.sources.dicom.codestream import Stream, read_stream
from curate.sources.dicom.colours import proven_colours, some_frames, to_rgb
from curate.sources.dicom.file import FLOAT_PIXELS, DicomFile
from curate.sources.dicom.layout import Layout, is_swapped
from curate.sources.dicom.prove import ProvenPixels, frame_stream
from curate.sources.images.jp2 import CODE_STREAM, check_hole
from curate.sources.images.jpeg import by_libjpeg, decode_whole, looks_whole, with_more
from curate.sources.third_party import call_third_party

PLUGIN = "imagecodecs"
_LOSSLESS_JPEG = (uid.JPEGLossless, uid.JPEGLosslessSV1)
_DCT_JPEG = (uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit)
_JPEG_LS = (uid.JPEGLSLossless, uid.JPEGLSNearLossless)
_JPEG_2000 = (uid.JPEG2000Lossless, uid.JPEG2000)
# Of pydicom's own plugins; not gdcm, which crashes the process on bad bytes and on good ones gives the same pixels.
_PYDICOM = "pylibjpeg"
FAST = (uid.RLELossless, *_DCT_JPEG, *_LOSSLESS_JPEG, *_JPEG_LS, *_JPEG_2000)


def decode_frame(pixels: ProvenPixels, frame: int) -> tuple[np.ndarray, Layout]:
    """Stored values of the 0-based ``frame``, (rows, columns) or (rows, columns, 3) RGB, and the layout they prove.

    Only that frame's bytes are read. Unused high bits are masked or sign-extended (`cells`), palettes not applied.

    Raises DropRecord TRUNCATED where bytes of the frame are missing, FRAME_COUNT where it never was there, UNDECODABLE,
    STREAM_SIZE, PIXEL_BITS.
    """
    if pixels.fragments is not None:
        cells, stream = decode_stream(pixels.file.syntax, frame_stream(pixels, frame), pixels.layout)
        streams = (frame_stream(pixels, other) for other in some_frames(pixels.layout.frames, but=frame))
        others = other_cells(pixels.file.syntax, streams, pixels.layout)
        return settle_stream(cells, stream, pixels.layout, overlay_bits(pixels.file.dataset), others)
    cells = native_frame(pixels.file, pixels.layout, frame)
    if cells.dtype.kind == "f" or pixels.layout.allocated == 1:
        return cells, pixels.layout
    values, layout = settle(cells, pixels.layout, overlay_bits(pixels.file.dataset))
    if layout.photometric.startswith("YBR_FULL"):
        values = to_rgb(values, layout.stored)
    return values, layout


def native_frame(file: DicomFile, layout: Layout, frame: int) -> np.ndarray:
    """Cells of one uncompressed frame (PS3.5 8.1.1, 8.2), (rows, columns[, samples]) in the machine's byte order.

    Integers without a sign, floats of Float and Double Float Pixel Data; YBR_FULL_422 is spread out to YBR_FULL.
    """
    bits = layout.bits_a_frame
    if frame >= layout.frames:
        raise DropRecord(Reason.FRAME_COUNT)
    first, last = frame * bits // 8, -(-(frame + 1) * bits // 8)
    swapped = is_swapped(file, layout)
    if swapped:  # words of two pixels
        first, odd, last = first & ~1, first & 1, last + last % 2
    data = file.read(file.element.offset + first, last - first)
    if len(data) < last - first - swapped:
        raise DropRecord(Reason.TRUNCATED)
    if swapped:
        data = np.frombuffer(data.ljust(last - first, b"\0"), "<u2").byteswap().tobytes()[odd : odd + bits // 8]
    if layout.allocated == 1:
        start = frame * bits % 8
        unpacked = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")[start : start + bits]
        return unpacked.reshape(layout.rows, layout.columns)
    cells = np.frombuffer(data, cell_dtype(file, layout))
    cells = cells.astype(cells.dtype.newbyteorder("="), copy=False)
    return _arranged(cells, layout)


def cell_dtype(file: DicomFile, layout: Layout) -> np.dtype:
    """Of a native cell as it is stored; DropRecord UNDECODABLE where Bits Allocated is no size of a number."""
    kind = "f" if file.element.tag in FLOAT_PIXELS else "u"
    if layout.allocated not in (8, 16, 32, 64):
        raise DropRecord(Reason.UNDECODABLE)
    return np.dtype(f"{'<' if file.syntax.is_little_endian else '>'}{kind}{layout.allocated // 8}")


def _arranged(cells: np.ndarray, layout: Layout) -> np.ndarray:
    rows, columns = layout.rows, layout.columns
    if layout.samples == 1:
        return cells.reshape(rows, columns)
    if layout.photometric == "YBR_FULL_422":  # Y1 Y2 B R, PS3.3 C.7.6.3.1.2
        if columns % 2 or layout.allocated != 8:
            raise DropRecord(Reason.UNDECODABLE)
        pairs = cells.reshape(rows, columns // 2, 4)
        colours = pairs[..., 2:].repeat(2, axis=1)
        return np.dstack([pairs[..., :2].reshape(rows, columns), colours])
    if layout.planar:
        return np.moveaxis(cells.reshape(3, rows, columns), 0, -1)
    return cells.reshape(rows, columns, 3)


def decode_stream(syntax: uid.UID, data: bytes, layout: Layout) -> tuple[np.ndarray, Stream | None]:
    """Cells of one frame's code stream that ends with its end marker, bits above Bits Stored and all, as the machine
    has them; three samples as stored, but for JPEG 2000's own colours. With what the stream says of itself, which RLE
    does not.

    Raises DropRecord UNDECODABLE; STREAM_SIZE where the stream's size is not that of ``layout``, or it holds more than
    that; TRUNCATED where coded data are missing before its end marker.
    """
    stream = None
    if syntax != uid.RLELossless:
        stream = call_third_party(Reason.UNDECODABLE, read_stream, data)
        size = (layout.rows, layout.columns, layout.samples)
        if stream is None or (stream.rows, stream.columns, stream.samples) != size:
            raise DropRecord(Reason.STREAM_SIZE)
    cells, plugin = _first_that_decodes(syntax, data, layout, _plugins(syntax, data, layout, stream))
    if stream is not None and stream.coding == "j2k":
        check_hole(data[data.index(CODE_STREAM) :])
    elif stream is not None and stream.coding != "ht" and (stream.coding, plugin) != ("ls", PLUGIN):
        _check_whole(syntax, data, layout, cells, plugin)
    return cells, stream


def _check_whole(syntax: uid.UID, data: bytes, layout: Layout, cells: np.ndarray, plugin: str) -> None:
    """Are all coded data of a JPEG stream there? Decoders, CharLS alone apart, make something up for those that are
    missing; what stands behind those of a whole one is not looked at."""
    more = None
    if syntax in _LOSSLESS_JPEG:  # by another decoder: the fast one ends at a code that is none, and says nothing
        with suppress(DropRecord):
            more = by_libjpeg(with_more(data)).astype(cells.dtype)
    if more is None:
        more, _ = _first_that_decodes(syntax, with_more(data), layout, (plugin,))
    if np.array_equal(more, cells) and looks_whole(data):
        return
    if syntax in _JPEG_LS:
        raise DropRecord(Reason.TRUNCATED)
    reason = None
    try:
        decode_whole(data)
    except DropRecord as dropped:
        reason = dropped.reason
    if reason not in (None, Reason.UNDECODABLE):  # which another decoder has read
        raise DropRecord(Reason.TRUNCATED if reason is Reason.TRUNCATED else Reason.STREAM_SIZE)


def other_cells(syntax: uid.UID, streams: Iterator[bytes], layout: Layout) -> Iterator[np.ndarray]:
    """What those of ``streams`` give that can be decoded."""
    with suppress(DropRecord):
        for data in streams:
            yield decode_stream(syntax, data, layout)[0]


def settle_stream(
    cells: np.ndarray, stream: Stream | None, layout: Layout, overlays: int, others: Iterable[np.ndarray] = ()
) -> tuple[np.ndarray, Layout]:
    """As `cells.settle`, of what `decode_stream` gave; a sign that only the stream has must be seen in the picture.
    Colours as RGB, and the layout with those that the frame proves, or else one of the ``others`` of the file."""
    if cells.ndim == 3:
        doubted = stream is not None and stream.transformed
        layout = proven_colours(chain([cells], others), layout, doubted=doubted, otherwise=Reason.STREAM_SIZE)
        if layout.photometric.startswith("YBR_FULL"):
            return to_rgb(cells, min(layout.stored, 8 * cells.dtype.itemsize)), layout
        if cells.dtype.itemsize == 1:
            return cells, layout
    if stream is not None and stream.signed and not layout.signed:
        cells = cells & cells.dtype.type((1 << stream.bits) - 1)
        if cells.ndim == 2 and read_signs(cells, stream.bits):
            layout = replace(layout, signed=True, stored=stream.bits)
    return settle(cells, layout, overlays, doubted=stream is not None and stream.signed is False)


def _first_that_decodes(
    syntax: uid.UID, data: bytes, layout: Layout, plugins: tuple[str, ...]
) -> tuple[np.ndarray, str]:
    for plugin in plugins[:-1]:
        try:
            return call_third_party(Reason.UNDECODABLE, _decode, plugin, syntax, data, layout), plugin
        except DropRecord:
            continue  # what one decoder refuses, the other may still read
    return call_third_party(Reason.UNDECODABLE, _decode, plugins[-1], syntax, data, layout), plugins[-1]


def _decode(plugin: str, syntax: uid.UID, data: bytes, layout: Layout) -> np.ndarray:
    if plugin == PLUGIN:
        return by_imagecodecs(syntax, data, layout)
    source = io.BytesIO(encapsulate([data]))
    options = _options(layout)
    return get_decoder(syntax).as_array(source, index=0, raw=True, decoding_plugin=plugin, **options)[0]


def _options(layout: Layout) -> dict[str, Any]:
    """What pydicom's runner is told; Bits Stored is all of the cell, as unused bits and signs are `cells`'s."""
    return {
        "rows": layout.rows,
        "columns": layout.columns,
        "samples_per_pixel": layout.samples,
        "photometric_interpretation": layout.photometric,
        "bits_allocated": layout.allocated,
        "bits_stored": layout.allocated,
        "pixel_representation": int(layout.signed),
        "planar_configuration": layout.planar,
        "number_of_frames": 1,
        "pixel_keyword": "PixelData",
        "apply_j2k_sign_correction": False,
        "apply_jls_sign_correction": False,
    }


def _plugins(syntax: uid.UID, data: bytes, layout: Layout, stream: Stream | None) -> tuple[str, ...]:
    """Which decoders to ask, in order.

    Decoders believe a code stream's own size, whatever the header says: so that is looked at before any of them sees
    it. Most forgive a cut one and fill in grey: see `_check_whole`.
    """
    if syntax == uid.RLELossless:
        # not pylibjpeg's: on bad bytes it panics, with a BaseException that is out of our reach
        return (PLUGIN, "pydicom")
    if syntax not in FAST:
        return (_PYDICOM,)
    # 12-bit DCT: the two differ by one here and there, so pydicom's goes first
    return (_PYDICOM, PLUGIN) if syntax in _DCT_JPEG and stream is not None and stream.bits != 8 else (PLUGIN, _PYDICOM)


def by_imagecodecs(syntax: uid.UID, data: bytes, layout: Layout) -> np.ndarray:
    """Cells (rows, columns[, samples]) of a stream in one of ``FAST``; ValueError, or what imagecodecs raises, where it
    is no frame of ``layout``."""
    sign, size = "i" if layout.signed else "u", layout.allocated // 8
    shape = (layout.rows, layout.columns) if layout.samples == 1 else (layout.rows, layout.columns, layout.samples)
    if syntax == uid.RLELossless:  # segments are planes
        planes = np.frombuffer(imagecodecs.dicomrle_decode(data, np.dtype(f"u{size}")), f"{sign}{size}")
        return np.moveaxis(planes.reshape(layout.samples, layout.rows, layout.columns), 0, -1).reshape(shape)
    if syntax in _LOSSLESS_JPEG:
        pixels = imagecodecs.ljpeg_decode(data)
    elif syntax in _JPEG_LS:
        pixels = imagecodecs.jpegls_decode(data)
    elif syntax in _JPEG_2000:
        pixels = imagecodecs.jpeg2k_decode(data, planar=False)
    else:  # samples as stored, since libjpeg would guess what they are
        named = None if layout.samples == 1 else "rgb" if layout.photometric == "RGB" else "ycbcr"
        pixels = imagecodecs.jpeg8_decode(data, colorspace=named, outcolorspace=named)
    if pixels.itemsize != size and syntax not in (*_JPEG_LS, *_JPEG_2000):  # whose cells are by the stream's precision
        raise ValueError("the stream's cells are not the header's")
    return np.ascontiguousarray(pixels).view(f"{sign}{pixels.itemsize}").astype(f"{sign}{size}").reshape(shape)
