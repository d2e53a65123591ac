"""Stored values of one frame: pydicom's decoding, with imagecodecs doing the work where it is proven bit-exact.

imagecodecs joins pydicom as one more decoding plugin, so that everything around a decoder (sign correction, unused
bits, planar order, YBR to RGB) stays pydicom's. It is asked first for the transfer syntaxes of ``FAST``, but for
12-bit DCT; what it refuses, and every other syntax, goes to pylibjpeg. `benchmarks/decode.py` measures what that is
worth.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, cast

import imagecodecs
import numpy as np
from pydicom import uid
from pydicom.encaps import get_frame, parse_fragments
from pydicom.pixels.common import PhotometricInterpretation
from pydicom.pixels.decoders.base import DecodeRunner, get_decoder

from curate.errors import DropRecord
from curate.record import Reason
from curate.sources.dicomfile import UNDEFINED, DicomFile
from curate.sources.third_party import call_third_party

PLUGIN = "imagecodecs"
_LOSSLESS_JPEG = (uid.JPEGLossless, uid.JPEGLosslessSV1)
_DCT_JPEG = (uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit)
_JPEG_LS = (uid.JPEGLSLossless, uid.JPEGLSNearLossless)
_JPEG_2000 = (uid.JPEG2000Lossless, uid.JPEG2000)
_HTJ2K = (uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL, uid.HTJ2K)
# Of pydicom's own plugins; not gdcm, which crashes the process on bad bytes and on good ones gives the same pixels.
_PYDICOM = "pylibjpeg"
FAST = (uid.RLELossless, *_DCT_JPEG, *_LOSSLESS_JPEG, *_JPEG_LS, *_JPEG_2000)

# What pydicom asks of a plugin's module: the packages it needs by syntax, and `is_available`.
DECODER_DEPENDENCIES = dict.fromkeys(FAST, ("imagecodecs",))


@dataclass(frozen=True)
class Layout:
    """How the stored values lie, from the Image Pixel module (PS3.3 C.7.6.3); already made plausible."""

    rows: int
    columns: int
    samples: int
    photometric: str
    allocated: int
    stored: int
    signed: bool
    planar: int
    frames: int
    offsets: tuple[bytes, bytes] | None = None  # extended offset table and its lengths

    @property
    def bits_a_frame(self) -> int:
        """Size of one native frame; YBR_FULL_422 stores two of three samples."""
        bits = self.rows * self.columns * self.samples * self.allocated
        return bits * 2 // 3 if self.photometric == "YBR_FULL_422" else bits


def is_available(syntax: str) -> bool:
    """pydicom's question to a plugin."""
    return syntax in FAST


def decode_frame(file: DicomFile, layout: Layout, frame: int) -> np.ndarray:
    """Stored values of the 0-based ``frame``: (rows, columns) or (rows, columns, 3) RGB, any integer dtype.

    Only that frame's bytes are read. Unused high bits are masked or sign-extended, palettes not applied.

    Raises DropRecord UNSUPPORTED_SYNTAX, TRUNCATED where bytes of the frame are missing, UNDECODABLE.
    """
    decoder = call_third_party(Reason.UNSUPPORTED_SYNTAX, get_decoder, file.syntax)
    if file.pixels is None:
        raise DropRecord(Reason.NO_PIXELS)
    file.source.seek(file.pixels.offset)
    plugins = _plugins(file, layout, frame)
    options = _options(file, layout)
    offset = file.pixels.offset

    def decode(plugin: str) -> np.ndarray:
        file.source.seek(offset)
        return decoder.as_array(file.source, index=frame, raw=False, decoding_plugin=plugin, **options)[0]

    for plugin in plugins[:-1]:
        try:
            return call_third_party(Reason.UNDECODABLE, decode, plugin)
        except DropRecord:
            continue  # what one decoder refuses, the other may still read
    return call_third_party(Reason.UNDECODABLE, decode, plugins[-1])


def _options(file: DicomFile, layout: Layout) -> dict[str, Any]:
    options: dict[str, Any] = {
        "rows": layout.rows,
        "columns": layout.columns,
        "samples_per_pixel": layout.samples,
        "photometric_interpretation": layout.photometric,
        "bits_allocated": layout.allocated,
        "bits_stored": layout.stored,
        "pixel_representation": int(layout.signed),
        "planar_configuration": layout.planar,
        "number_of_frames": layout.frames,
        "pixel_keyword": "PixelData",
    }
    if file.pixels is not None and file.pixels.vr:
        options["pixel_vr"] = file.pixels.vr
    if layout.offsets is not None:
        options["extended_offsets"] = layout.offsets
    return options


def _check_native(file: DicomFile, layout: Layout, frame: int) -> None:
    assert file.pixels is not None
    there = file.size - file.pixels.offset
    if file.pixels.length != UNDEFINED:
        there = min(there, file.pixels.length)
    if there * 8 < layout.bits_a_frame * (frame + 1):
        raise DropRecord(Reason.TRUNCATED)


def _plugins(file: DicomFile, layout: Layout, frame: int) -> tuple[str, ...]:
    """Which decoders to ask, in order, once the frame is seen to be whole and of the declared size.

    Decoders forgive a cut codestream and fill in grey, and believe its own size, whatever the header says: so both
    are looked at before any of them sees it.
    """
    if not file.syntax.is_encapsulated:
        _check_native(file, layout, frame)
        return ("",)
    frames, tables = layout.frames, layout.offsets
    data = call_third_party(
        Reason.UNDECODABLE, get_frame, file.source, frame, number_of_frames=frames, extended_offsets=tables
    )
    if file.syntax == uid.RLELossless:
        if _is_cut(file, frame, frames):
            raise DropRecord(Reason.TRUNCATED)
        # not pylibjpeg's: on bad bytes it panics, with a BaseException that is out of our reach
        sound = layout.allocated % 8 == 0 and _has_segments(data, layout.samples * layout.allocated // 8)
        return (PLUGIN, "pydicom") if sound else ("pydicom",)
    if b"\xff\xd9" not in data[-16:]:  # EOI of JPEG and JPEG-LS, EOC of JPEG 2000
        raise DropRecord(Reason.TRUNCATED)
    size = call_third_party(Reason.UNDECODABLE, codestream_size, data)
    if size is None or size[:3] != (layout.rows, layout.columns, layout.samples):
        raise DropRecord(Reason.UNDECODABLE)
    if file.syntax not in FAST:
        return (_PYDICOM,)
    # 12-bit DCT: the two differ by one here and there, so pydicom's goes first
    return (_PYDICOM, PLUGIN) if file.syntax in _DCT_JPEG and size[3] != 8 else (PLUGIN, _PYDICOM)


def _is_cut(file: DicomFile, frame: int, frames: int) -> bool:
    """Does the file end inside the frame's fragment? Of frames that span fragments, only in a whole file none."""
    assert file.pixels is not None
    file.source.seek(file.pixels.offset)
    count, offsets = call_third_party(Reason.TRUNCATED, parse_fragments, file.source)
    ours = frame if count == frames else count - 1
    if ours >= count:
        return True
    file.source.seek(offsets[ours] + 4)
    length = int.from_bytes(file.source.read(4), "little")
    return offsets[ours] + 8 + length > file.size


def _has_segments(data: bytes, count: int) -> bool:
    """Does an RLE frame's header (PS3.5 G.5) point at ``count`` segments inside it? imagecodecs trusts it blindly."""
    if len(data) < 64:
        return False
    declared, *offsets = struct.unpack_from("<16L", data)
    used = [*offsets[:count], len(data)]
    return bool(declared == count <= 15 and used[0] >= 64 and all(a < b for a, b in pairwise(used)))


def codestream_size(data: bytes) -> tuple[int, int, int, int] | None:
    """(rows, columns, components, bits) that a JPEG, JPEG-LS or JPEG 2000 codestream declares; None if it does not.

    JPEG: the first SOFn segment (ITU-T T.81 B.2.2; T.87 C.2.2). JPEG 2000: SIZ (ITU-T T.800 A.5.1).
    """
    boxes = data[4:8] == b"jP  "  # a whole JP2 file, which the standard forbids and writers do
    siz = data.find(b"\xff\x4f\xff\x51", 0, None if boxes else 4)
    if siz >= 0:
        right, bottom, left, top = (int.from_bytes(data[siz + k : siz + k + 4], "big") for k in (8, 12, 16, 20))
        return bottom - top, right - left, int.from_bytes(data[siz + 40 : siz + 42], "big"), (data[siz + 42] & 0x7F) + 1
    at = 2
    while at + 9 < len(data):
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
        elif marker == 0xF7 or (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)):
            rows, columns = int.from_bytes(data[at + 5 : at + 7], "big"), int.from_bytes(data[at + 7 : at + 9], "big")
            return rows, columns, data[at + 9], data[at + 4]
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None


def _decode(data: bytes, runner: DecodeRunner) -> bytes:
    """pydicom's plugin function: the decoded frame as a buffer; tells the runner how the samples lie in it."""
    syntax = runner.transfer_syntax
    if syntax == uid.RLELossless:
        runner.set_option("planar_configuration", 1)  # RLE segments are planes
        return cast(bytes, imagecodecs.dicomrle_decode(data, np.dtype(f"u{runner.bits_allocated // 8}")))
    pixels = np.ascontiguousarray(_codec(runner)(data))
    if runner.samples_per_pixel > 1:
        runner.set_option("planar_configuration", 0)
    if syntax in _JPEG_LS or syntax in _JPEG_2000:
        runner.set_option("bits_allocated", pixels.dtype.itemsize * 8)  # by the codestream's precision
    if syntax in _JPEG_2000 and runner.photometric_interpretation in ("YBR_ICT", "YBR_RCT"):
        runner.set_option("photometric_interpretation", PhotometricInterpretation.RGB)
    if pixels.size != runner.frame_length(unit="pixels"):
        raise ValueError("the codestream's size is not the header's")
    return cast(bytes, pixels.reshape(-1).view(np.uint8).data)  # pydicom only looks at the buffer


def _codec(runner: DecodeRunner) -> Callable[[bytes], np.ndarray]:
    syntax = runner.transfer_syntax
    codec: Callable[..., np.ndarray]
    if syntax in _LOSSLESS_JPEG:
        codec = imagecodecs.ljpeg_decode
    elif syntax in _JPEG_LS:
        codec = imagecodecs.jpegls_decode
    elif syntax in _JPEG_2000:
        codec = partial(imagecodecs.jpeg2k_decode, planar=False)
    else:  # keep YBR as stored: pydicom converts it, and libjpeg's rounding differs by one
        colour = runner.samples_per_pixel == 3 and runner.photometric_interpretation != "RGB"
        codec = partial(imagecodecs.jpeg8_decode, outcolorspace="ycbcr" if colour else None)
    return codec


for _syntax in FAST:
    if PLUGIN not in (_decoder := get_decoder(_syntax)).available_plugins:
        _decoder.add_plugin(PLUGIN, (__name__, "_decode"))
