"""Identities around and inside the pixels: overlays, curves, icons, spare bits, comments of the code streams."""

from __future__ import annotations

import struct
from io import BytesIO

import imagecodecs
import numpy as np
from PIL import Image, ImageDraw
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate

from benchmarks.deid.header.cases.build import Built, anatomy, base_ct, one, padded, set_pixels, written
from benchmarks.deid.plant import Ledger


def _bitmap(p: Ledger, side: int = 64) -> np.ndarray:
    """bool[side, side]: a name drawn as text."""
    canvas = Image.new("1", (side, side))
    ImageDraw.Draw(canvas).text((1, side // 2), p.rng.choice(("DOE J", "ROE A")), fill=1)
    return np.asarray(canvas)


def overlay(p: Ledger) -> Built:
    ds, drawn = base_ct(p), np.packbits(_bitmap(p), bitorder="little").tobytes()
    p.blobs.append(drawn[drawn.find(drawn.strip(b"\0")[:1]) :][:24])
    for group in (0x6000, 0x6002, 0x601E):
        ds.add_new((group, 0x0010), "US", 64)
        ds.add_new((group, 0x0011), "US", 64)
        ds.add_new((group, 0x0022), "LO", p.name("{s}"))
        ds.add_new((group, 0x0040), "CS", "G")
        ds.add_new((group, 0x0050), "SS", [1, 1])
        ds.add_new((group, 0x0100), "US", 1)
        ds.add_new((group, 0x0102), "US", 0)
        ds.add_new((group, 0x1500), "LO", p.name("{g} {s}"))
        ds.add_new((group, 0x3000), "OW", drawn)
        ds.add_new((group, 0x4000), "LT", p.name("{s}"))
    return one(written(ds))


def _high(p: Ledger, declared: bool) -> Built:
    ds = base_ct(p)
    pixels = anatomy(64) | (_bitmap(p).astype(np.uint16) << 12)
    ds.PixelData = pixels.tobytes()
    row = next(r for r in pixels if (r >> 12).any())
    p.blobs.append(row.tobytes())
    if declared:
        ds.add_new((0x6000, 0x0010), "US", 64)
        ds.add_new((0x6000, 0x0011), "US", 64)
        ds.add_new((0x6000, 0x0040), "CS", "G")
        ds.add_new((0x6000, 0x0050), "SS", [1, 1])
        ds.add_new((0x6000, 0x0100), "US", 16)
        ds.add_new((0x6000, 0x0102), "US", 12)
    return Built({"a.dcm": written(ds)}, spare_bits=True)


def bits_above_stored(p: Ledger) -> Built:
    return _high(p, False)


def overlay_in_the_pixels(p: Ledger) -> Built:
    return _high(p, True)


def bits_above_stored_compressed(p: Ledger) -> Built:
    """The same in JPEG 2000, where no byte search can see it: found by decoding."""
    ds = base_ct(p)
    pixels = anatomy(64) | (_bitmap(p).astype(np.uint16) << 12)
    stream = imagecodecs.jpeg2k_encode(pixels, level=0, reversible=True, codecformat="J2K", bitspersample=16)
    ds.PixelData = encapsulate([stream])
    ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OB", True
    return Built({"a.dcm": written(ds, uid.JPEG2000Lossless)}, withhold=True, spare_bits=True)


def curves_and_audio(p: Ledger) -> Built:
    ds = base_ct(p)
    ds.add_new(0x50000005, "US", 1)
    ds.add_new(0x50000010, "US", 8)
    ds.add_new(0x50000022, "LO", p.name("{s}"))
    ds.add_new(0x50002500, "LO", p.name("{s}"))
    ds.add_new(0x50003000, "OW", p.blob(32))
    ds.add_new(0x50020022, "LO", p.name("{s}"))
    return one(written(ds))


def icon(p: Ledger) -> Built:
    ds, small = base_ct(p), Dataset()
    set_pixels(small, (_bitmap(p) * 200).astype(np.uint8), 8)
    small.PixelData = p.blob(64) + small.PixelData[64:]
    small.PatientName = p.name()
    ds.IconImageSequence = [small]
    return one(written(ds))


def lut_words(p: Ledger) -> Built:
    ds = base_ct(p)
    for keyword in ("ModalityLUTSequence", "VOILUTSequence"):
        lut = Dataset()
        lut.LUTDescriptor, lut.LUTExplanation = [4, 0, 16], p.name("{g} {s}")
        lut.add_new("LUTData", "US", [0, 1000, 2000, 4095])
        if keyword == "ModalityLUTSequence":
            lut.ModalityLUTType = p.name("{s}")
            continue  # beside a rescale slope it would not be valid
        setattr(ds, keyword, [lut])
    return one(written(ds))


def _compressed(p: Ledger, stream: bytes, syntax: str, pixels: np.ndarray) -> Built:
    ds = base_ct(p)
    set_pixels(ds, pixels, 8 * pixels.dtype.itemsize if pixels.dtype == np.uint8 else 12)
    ds.PixelData = encapsulate([padded(stream)])
    ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OB", True
    if syntax == uid.JPEGBaseline8Bit:
        ds.LossyImageCompression, ds.LossyImageCompressionMethod = "01", "ISO_10918_1"
    return one(written(ds, syntax))


def _marker(code: int, payload: bytes) -> bytes:
    return struct.pack(">HH", code, len(payload) + 2) + payload


def jpeg_comment(p: Ledger) -> Built:
    pixels = (anatomy(64) >> 4).astype(np.uint8)
    stream = imagecodecs.jpeg8_encode(pixels, level=95)
    stream = stream[:2] + _marker(0xFFFE, p.name("{g} {s}").encode()) + stream[2:]
    return _compressed(p, stream, uid.JPEGBaseline8Bit, pixels)


def jpeg_exif(p: Ledger) -> Built:
    picture, out = Image.fromarray((anatomy(64) >> 4).astype(np.uint8)), BytesIO()
    exif = Image.Exif()
    exif[0x013B], exif[0x010E] = p.name("{g} {s}"), p.number("MRN ########")
    picture.save(out, "JPEG", quality=95, exif=exif)
    return _compressed(p, out.getvalue(), uid.JPEGBaseline8Bit, np.asarray(picture))


def jpeg_after_the_end(p: Ledger) -> Built:
    pixels = (anatomy(64) >> 4).astype(np.uint8)
    stream = imagecodecs.jpeg8_encode(pixels, level=95) + p.name("{s}^{g}").encode() + p.blob()
    return _compressed(p, stream, uid.JPEGBaseline8Bit, pixels)


def jpeg2000_comment(p: Ledger) -> Built:
    pixels = anatomy(64)
    stream = imagecodecs.jpeg2k_encode(pixels, level=0, reversible=True, codecformat="J2K", bitspersample=12)
    end = stream.index(b"\xff\x52")  # before COD: the main header
    comment = _marker(0xFF64, b"\0\1" + p.name("{g} {s}").encode())
    return _compressed(p, stream[:end] + comment + stream[end:], uid.JPEG2000Lossless, pixels)


def jpegls_comment(p: Ledger) -> Built:
    pixels = anatomy(64)
    stream = imagecodecs.jpegls_encode(pixels)
    return _compressed(p, stream[:2] + _marker(0xFFFE, p.name("{g} {s}").encode()) + stream[2:],
                       uid.JPEGLSLossless, pixels)  # fmt: skip


def rle_header(p: Ledger) -> Built:
    """The 64-byte RLE header has 15 offsets; those past the number of segments are free (PS3.5 G.5)."""
    pixels = (anatomy(64) >> 4).astype(np.uint8)
    rows = b"".join(struct.pack("B", len(r) - 1) + r.tobytes() for r in pixels)
    header = struct.pack("<II", 1, 64).ljust(64, b"\0")
    hidden = p.name("{s} {g}").encode()[:48]
    p.plant(hidden.decode())
    return _compressed(p, header[:16] + hidden.ljust(48, b"\0") + rows, uid.RLELossless, pixels)


def more_pixels_than_frames(p: Ledger) -> Built:
    ds = base_ct(p)
    ds.PixelData += padded(p.name("{g} {s}")) + p.blob(64)
    return one(written(ds))


def fragments_and_offsets(p: Ledger) -> Built:
    """An item of text among the fragments, and text where the basic offset table lies."""
    pixels = (anatomy(64) >> 4).astype(np.uint8)
    ds = base_ct(p)
    set_pixels(ds, pixels, 8)
    stream, text = padded(imagecodecs.jpeg8_encode(pixels, level=95)), padded(p.name("{g} {s}"))
    parts = (b"", stream, text)
    ds.PixelData = b"".join(b"\xfe\xff\x00\xe0" + struct.pack("<I", len(part)) + part for part in parts)
    ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OB", True
    return one(written(ds, uid.JPEGBaseline8Bit))


CASES = (overlay, bits_above_stored, overlay_in_the_pixels, bits_above_stored_compressed, curves_and_audio, icon,
         lut_words, jpeg_comment, jpeg_exif, jpeg_after_the_end, jpeg2000_comment, jpegls_comment, rle_header,
         more_pixels_than_frames, fragments_and_offsets)  # fmt: skip
