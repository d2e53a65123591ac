"""Files of the second generator that contradict themselves: each must be dropped, or shown as what went into it."""

from __future__ import annotations

import zlib

import cv2
import imagecodecs
import numpy as np
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import (
    HTJ2KLossless,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from benchmarks.input.dicom_make import shade, unwindowed, windowed
from benchmarks.input.second_pieces import (
    BE,
    CODED,
    DF,
    IM,
    LE,
    Case,
    Make,
    cells,
    coder,
    colour,
    even,
    grey,
    head,
    pack,
    packed_png,
    pick,
    pil,
    plain_file,
    rgb_head,
    vivid,
    with_window,
    ybr_of,
)

KINDS: dict[str, Make] = {}


def bad(make: Make) -> Make:
    """Registers a kind."""
    return KINDS.setdefault(make.__name__, make)


# -- contradictory


@bad
def colours_named_otherwise(rng: np.random.Generator) -> Case:
    """RGB that the header calls YBR_FULL, or the other way round."""
    rgb = pick(rng, colour, colour, vivid)(rng)
    holds_rgb, syntax = (
        bool(rng.integers(3)),
        pick(rng, RLELossless, JPEGLSLossless, JPEGLosslessSV1, LE, JPEG2000Lossless),
    )
    stored = rgb if holds_rgb else ybr_of(rgb)
    options = {"mct": False} if syntax == JPEG2000Lossless else {}
    value = encapsulate([coder(syntax, stored, **options)]) if syntax.is_encapsulated else stored.tobytes()
    named = pick(rng, "YBR_FULL", "YBR_FULL_422") if holds_rgb else "RGB"
    return Case(pack(rgb_head("US", rgb, named), value, syntax, vr="OB"), rgb, 2)


@bad
def colours_of_dct_named_otherwise(rng: np.random.Generator) -> Case:
    """RGB in a JPEG that says nothing of it, under YBR_FULL_422."""
    rgb = cv2.GaussianBlur(colour(rng), (0, 0), 1)
    data = imagecodecs.jpeg8_encode(rgb, level=98, colorspace="RGB", outcolorspace="RGB", subsampling="444")
    plain = bytearray(data)
    at = plain.find(b"\xff\xee")
    if at > 0:
        del plain[at : at + 2 + int.from_bytes(plain[at + 2 : at + 4], "big")]
    frame = plain.find(b"\xff\xc0")
    names = [frame + 10 + 3 * k for k in range(3)]
    scan = plain.find(b"\xff\xda")
    for k, at in enumerate(names):
        plain[at] = k + 1
        plain[scan + 5 + 2 * k] = k + 1
    return Case(pack(rgb_head("US", rgb, "YBR_FULL_422"), encapsulate([bytes(plain)]), JPEGBaseline8Bit), rgb, 8)


@bad
def sizes_exchanged(rng: np.random.Generator) -> Case:
    ds, values, truth = plain_file(rng)
    ds.Rows, ds.Columns = ds.Columns, ds.Rows
    if values.shape[0] == values.shape[1]:
        ds.Rows += 1
    syntax = pick(rng, LE, JPEGLSLossless, JPEG2000Lossless)
    stored = (values & 0xFFF).astype(np.uint16)
    value = encapsulate([coder(syntax, stored)]) if syntax.is_encapsulated else cells(values, 16)
    return Case(pack(ds, value, syntax), truth)


@bad
def a_size_a_little_off(rng: np.random.Generator) -> Case:
    ds, values, truth = plain_file(rng)
    setattr(ds, pick(rng, "Rows", "Columns"), pick(rng, values.shape[0] - 1, values.shape[1] + 1, values.shape[1] - 3))
    syntax = pick(rng, LE, JPEGLosslessSV1, RLELossless, HTJ2KLossless)
    stored = (values & 0xFFFF).astype(np.uint16)
    value = encapsulate([coder(syntax, stored)]) if syntax.is_encapsulated else cells(values, 16)
    return Case(pack(ds, value, syntax), truth if (ds.Rows, ds.Columns) == values.shape else np.zeros((1, 1), np.uint8))


@bad
def frames_miscounted(rng: np.random.Generator) -> Case:
    frames = [grey(rng, 0, 255, (48, 40)) for _ in range(4)]
    told, syntax = int(rng.choice([1, 2, 3, 5, 8])), pick(rng, LE, *CODED)
    at = min(told, 4) - 1 if rng.integers(2) else told - 1
    ds = head("XA", 48, 40, 8, 8, NumberOfFrames=told)
    raw = b"".join(cells(f, 8) for f in frames)
    value = encapsulate([coder(syntax, f.astype(np.uint8)) for f in frames]) if syntax.is_encapsulated else raw
    truth = frames[at].astype(np.uint8) if at < 4 else np.zeros((1, 1), np.uint8)
    return Case(pack(ds, value, syntax), truth, 0, at)


@bad
def another_width_of_cells(rng: np.random.Generator) -> Case:
    values = grey(rng, 0, 255)
    if rng.integers(2):
        ds = head("SC", *values.shape, 16, 16)
        return Case(pack(ds, cells(values, 8), vr="OW"), values.astype(np.uint8), 1)
    ds = head("SC", *values.shape, 8, 8)
    deep = values * 16
    return Case(pack(ds, cells(deep, 16), vr="OW"), unwindowed(deep))


@bad
def another_syntax_named(rng: np.random.Generator) -> Case:
    """The whole data set is of another syntax than the meta information says."""
    ds, values, truth = plain_file(rng)
    written, told = pick(rng, (LE, IM), (IM, LE), (LE, DF), (BE, LE), (LE, BE), (DF, LE), (BE, IM))
    order = ">" if written == BE else "<"
    return Case(pack(ds, cells(values, 16, order), written, told=told), truth)


@bad
def another_coding_named(rng: np.random.Generator) -> Case:
    ds, values, truth = plain_file(rng, signed=False)
    syntax = pick(rng, *CODED)
    told = pick(rng, *(s for s in (*CODED, JPEGBaseline8Bit, JPEGExtended12Bit, LE, IM) if s != syntax))
    return Case(pack(ds, encapsulate([coder(syntax, values.astype(np.uint16))]), syntax, told=told), truth)


@bad
def a_sign_that_is_none(rng: np.random.Generator) -> Case:
    signed = bool(rng.integers(2))
    values = grey(rng, -20000 if signed else 0, 30000 if signed else 65535)
    ds = head("CT", *values.shape, 16, 16, not signed)
    truth = with_window(rng, ds, values)
    return Case(pack(ds, cells(values, 16)), truth)


@bad
def cut_natively(rng: np.random.Generator) -> Case:
    ds, values, truth = plain_file(rng)
    data = pack(ds, cells(values, 16), pick(rng, LE, IM, DF))
    return Case(data[: int(len(data) * rng.uniform(0.5, 0.995))], truth, 0)


@bad
def cut_in_the_code(rng: np.random.Generator) -> Case:
    values = grey(rng, 0, 4095)
    syntax = pick(rng, *CODED)
    ds = head("XA", *values.shape, 12, 16, WindowCenter="2000", WindowWidth="3500")
    stream = coder(syntax, values.astype(np.uint16))
    cut = stream[: int(len(stream) * rng.uniform(0.5, 0.97))]
    if syntax != RLELossless and rng.integers(2):
        cut = cut.rstrip(b"\xff") + b"\xff\xd9"
    return Case(pack(ds, encapsulate([cut + b"\0" * (len(cut) % 2)]), syntax), windowed(values, 2000, 3500))


@bad
def a_hole_in_the_code(rng: np.random.Generator) -> Case:
    values = grey(rng, 0, 255, (96, 110))
    syntax = pick(rng, JPEGBaseline8Bit, JPEGLSLossless, JPEGLosslessSV1, JPEG2000Lossless)
    stream = bytearray(coder(syntax, values.astype(np.uint8)))
    tail = int(len(stream) * rng.uniform(0.1, 0.4))
    stream[-tail:-2] = bytes(tail - 2)
    ds = head("XA", 96, 110, 8, 8)
    return Case(pack(ds, encapsulate([bytes(stream) + b"\0" * (len(stream) % 2)]), syntax), values.astype(np.uint8), 8)


@bad
def fragments_lost(rng: np.random.Generator) -> Case:
    frames = [grey(rng, 0, 4095, (70, 66)) for _ in range(3)]
    syntax = pick(rng, JPEGLSLossless, JPEGLosslessSV1, JPEG2000Lossless)
    ds = head("XA", 70, 66, 12, 16, NumberOfFrames=3, WindowCenter="2000", WindowWidth="3000")
    value = encapsulate([coder(syntax, f.astype(np.uint16)) for f in frames], fragments_per_frame=3, has_bot=True)
    items, at = [], 0
    while at < len(value):
        size = 8 + int.from_bytes(value[at + 4 : at + 8], "little")
        items.append(value[at : at + size])
        at += size
    del items[int(rng.integers(1, len(items)))]
    at = int(rng.integers(3))
    return Case(pack(ds, b"".join(items), syntax), windowed(frames[at], 2000, 3000), 1, at)


@bad
def the_other_planes(rng: np.random.Generator) -> Case:
    rgb = colour(rng)
    planar = int(rng.integers(2))
    raw = rgb.tobytes() if planar else np.moveaxis(rgb, -1, 0).tobytes()
    return Case(pack(rgb_head("US", rgb, planar=planar), raw, vr="OB"), rgb, 0)


@bad
def samples_miscounted(rng: np.random.Generator) -> Case:
    if rng.integers(2):
        rgb = colour(rng)
        ds = rgb_head("US", rgb)
        ds.SamplesPerPixel = 1
        if rng.integers(2):
            ds.PhotometricInterpretation = "MONOCHROME2"
        return Case(pack(ds, rgb.tobytes(), vr="OB"), rgb, 0)
    values = grey(rng, 0, 255)
    ds = head("SC", *values.shape, 8, 8, SamplesPerPixel=3, PlanarConfiguration=0)
    ds.PhotometricInterpretation = pick(rng, "RGB", "MONOCHROME2")
    return Case(pack(ds, cells(values, 8)), values.astype(np.uint8), 0)


@bad
def palettes_that_fit_nothing(rng: np.random.Generator) -> Case:
    values = grey(rng, 0, 199)
    table = rng.integers(0, 256, (200, 3))
    ds = head("US", *values.shape, 8, 8, PhotometricInterpretation="PALETTE COLOR")
    fault = int(rng.integers(4))
    for k, name in enumerate(("Red", "Green", "Blue")):
        count = 256 if fault == 0 else 200
        setattr(ds, f"{name}PaletteColorLookupTableDescriptor", [count, 0, 12 if fault == 1 else 8])
        raw = table[:, k].astype("u1").tobytes()
        setattr(ds, f"{name}PaletteColorLookupTableData", raw[:100] if fault == 2 and k == 1 else raw)
    if fault == 3:
        del ds.GreenPaletteColorLookupTableData
    return Case(pack(ds, cells(values, 8)), table[values].astype(np.uint8), 0)


@bad
def stream_of_another_picture(rng: np.random.Generator) -> Case:
    ds, values, _ = plain_file(rng, signed=False)
    other = grey(rng, 0, 4000, (values.shape[0] + int(rng.integers(1, 9)), values.shape[1]))
    syntax = pick(rng, *CODED)
    return Case(pack(ds, encapsulate([coder(syntax, other.astype(np.uint16))]), syntax), np.zeros((1, 1), np.uint8))


@bad
def pixels_in_the_icon_alone(rng: np.random.Generator) -> Case:
    ds, values, _ = plain_file(rng)
    icon = head("SC", *values.shape, 16, 16)
    icon.PixelData = cells(values, 16)
    icon["PixelData"].VR = "OW"
    ds.IconImageSequence = Sequence([icon])
    data = pack(ds, b"")
    return Case(data[: data.rindex(b"\xe0\x7f\x10\x00")], np.zeros((1, 1), np.uint8))


@bad
def bits_in_a_middle_depth(rng: np.random.Generator) -> Case:
    """12 bits packed, which was once allowed; or bits said to be bytes."""
    values = grey(rng, 0, 4095, (40, 44))
    if rng.integers(2):
        flat = values.ravel().astype(np.uint32)
        packed = np.stack([flat[::2] & 255, (flat[::2] >> 8) | ((flat[1::2] & 15) << 4), flat[1::2] >> 4], -1).astype(
            "u1"
        )
        return Case(pack(head("SC", 40, 44, 12, 12), packed.tobytes(), vr="OW"), unwindowed(values))
    bits = (values > 2000).astype(np.uint8)
    ds = head("SCB", 40, 44, 8, 8)
    return Case(pack(ds, np.packbits(bits.ravel(), bitorder="little").tobytes()), bits * np.uint8(255), 0)


@bad
def windows_that_are_none(rng: np.random.Generator) -> Case:
    values = grey(rng, 0, 4000)
    ds = head("DX", *values.shape, 12, 16)
    ds.WindowCenter, ds.WindowWidth = pick(rng, ("2000", "0"), ("90000", "100"), ("-5000", "200"), ("2000", "-400"))
    return Case(pack(ds, cells(values, 16)), unwindowed(values))


@bad
def transforms_that_are_none(rng: np.random.Generator) -> Case:
    values = grey(rng, 0, 4000)
    ds = head("CT", *values.shape, 12, 16, RescaleIntercept="0")
    data = None
    ds.RescaleSlope = "1"
    ds.WindowCenter, ds.WindowWidth = "2000", "3000"
    data = pack(ds, cells(values, 16))
    text = pick(rng, b"0 ", b"  ", b"x ")
    at = data.index(b"\x28\x00\x53\x10DS\x02\x00") + 8
    return Case(data[:at] + text + data[at + 2 :], windowed(values, 2000, 3000))


@bad
def tables_that_end_early(rng: np.random.Generator) -> Case:
    values = grey(rng, 0, 999)
    entries = np.sort(rng.integers(0, 4096, 1000))
    item = Dataset()
    item.LUTDescriptor = [1000, 0, pick(rng, 12, 16, 8)]
    item.add_new("LUTData", "OW", entries[: pick(rng, 1000, 600)].astype("<u2").tobytes())
    ds = head("DX", *values.shape, 12, 16, VOILUTSequence=Sequence([item]))
    top = (1 << int(entries.max()).bit_length()) - 1
    return Case(pack(ds, cells(values, 16)), shade(entries[values] / top))


@bad
def high_bits(rng: np.random.Generator) -> Case:
    values = grey(rng, 0, 4095)
    ds = head("CT", *values.shape, 12, 16)
    ds.HighBit = 15
    truth = with_window(rng, ds, values)
    return Case(pack(ds, cells(values * 16 if rng.integers(2) else values, 16)), truth)


@bad
def png_of_another_size(rng: np.random.Generator) -> Case:
    values = grey(rng, 0, 15).astype(np.uint8)
    data = bytearray(packed_png(values, 4))
    at = 16 + 4 * int(rng.integers(2))
    told = int.from_bytes(data[at : at + 4], "big") + int(pick(rng, -9, 8, 30))
    data[at : at + 4] = told.to_bytes(4, "big")
    data[29:33] = zlib.crc32(bytes(data[12:29])).to_bytes(4, "big")
    return Case(bytes(data), np.zeros((1, 1), np.uint8), suffix=".png")


@bad
def tiff_of_another_shape(rng: np.random.Generator) -> Case:
    values = even(rng, 0, 65535).astype(np.uint16)
    data = bytearray(pil(Image.fromarray(values), "TIFF", compression=pick(rng, "tiff_lzw", None, "packbits")))
    start = int.from_bytes(data[4:8], "little")
    wanted = pick(rng, 256, 257, 258)
    for k in range(int.from_bytes(data[start : start + 2], "little")):
        at = start + 2 + 12 * k
        if int.from_bytes(data[at : at + 2], "little") == wanted:
            old = int.from_bytes(data[at + 8 : at + 10], "little")
            new = {256: old + pick(rng, -7, 9), 257: old + pick(rng, -9, 12), 258: 8}[wanted]
            data[at + 8 : at + 10] = int(new).to_bytes(2, "little")
    return Case(bytes(data), np.zeros((1, 1), np.uint8), suffix=".tif")


@bad
def image_cut(rng: np.random.Generator) -> Case:
    values = cv2.GaussianBlur(grey(rng, 0, 255, (90, 100)).astype(np.uint8), (0, 0), 1)
    kind = pick(rng, "PNG", "TIFF", "JPEG", "BMP", "WEBP")
    data = pil(Image.fromarray(values).convert("RGB" if kind == "WEBP" else "L"), kind)
    cut = data[: int(len(data) * rng.uniform(0.5, 0.97))]
    return Case(
        cut + (b"\xff\xd9" if kind == "JPEG" and rng.integers(2) else b""), values, 8, suffix="." + kind.lower()
    )
