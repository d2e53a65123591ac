"""Good and unusual files of the second generator: each must be shown as the picture that went into it."""

from __future__ import annotations

import cv2
import imagecodecs
import numpy as np
from PIL import Image, ImageOps
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, encapsulate_extended
from pydicom.sequence import Sequence
from pydicom.uid import (
    JPEG2000,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
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
    by_dcmtk,
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


def good(make: Make) -> Make:
    """Registers a kind."""
    return KINDS.setdefault(make.__name__, make)


# -- good and unusual: grey DICOM


@good
def xa_run(rng: np.random.Generator) -> Case:
    frames = [grey(rng, 0, 255, (64, 72)) for _ in range(5)]
    at = int(rng.integers(5))
    ds = head("XA", 64, 72, 8, 8, NumberOfFrames=5, FrameTime="66.7", PixelIntensityRelationship="LIN")
    ds.FrameIncrementPointer = 0x00181063
    syntax = pick(rng, LE, DF, IM)
    return Case(pack(ds, b"".join(cells(f, 8) for f in frames), syntax), frames[at].astype(np.uint8), 0, at)


@good
def tomosynthesis(rng: np.random.Generator) -> Case:
    frames = [grey(rng, 0, 1023, (60, 44)) for _ in range(4)]
    at = int(rng.integers(4))
    shared, voi, change = Dataset(), Dataset(), Dataset()
    voi.WindowCenter, voi.WindowWidth, voi.VOILUTFunction = ["512", "300"], ["700.5", "200"], "LINEAR"
    voi.WindowCenterWidthExplanation = ["NORMAL", "HARDER"]
    change.RescaleSlope, change.RescaleIntercept, change.RescaleType = "1", "0", "US"
    shared.FrameVOILUTSequence, shared.PixelValueTransformationSequence = Sequence([voi]), Sequence([change])
    ds = head("BTO", 60, 44, 10, 16, NumberOfFrames=4, PresentationLUTShape="IDENTITY")
    ds.SharedFunctionalGroupsSequence = Sequence([shared])
    ds.PerFrameFunctionalGroupsSequence = Sequence([Dataset() for _ in frames])
    syntax = pick(rng, *CODED)
    value = encapsulate([coder(syntax, f.astype(np.uint16)) for f in frames])
    return Case(pack(ds, value, syntax), windowed(frames[at], 512, 700.5), 1, at)


@good
def enhanced_mr(rng: np.random.Generator) -> Case:
    frames = [grey(rng, 0, 3000, (50, 48)) for _ in range(3)]
    at = int(rng.integers(3))
    groups = []
    for k in range(3):
        group, voi, change = Dataset(), Dataset(), Dataset()
        voi.WindowCenter, voi.WindowWidth = f"{900 + 100 * k}", f"{1500 - 200 * k}"
        change.RescaleSlope, change.RescaleIntercept = f"{0.5 + 0.25 * k}", f"{-10 * k}"
        group.FrameVOILUTSequence, group.PixelValueTransformationSequence = Sequence([voi]), Sequence([change])
        groups.append(group)
    ds = head("EMR", 50, 48, 16, 16, NumberOfFrames=3, WindowCenter="1", WindowWidth="2")
    ds.PerFrameFunctionalGroupsSequence = Sequence(groups)
    truth = windowed(frames[at] * (0.5 + 0.25 * at) - 10 * at, 900 + 100 * at, 1500 - 200 * at)
    return Case(pack(ds, b"".join(cells(f, 16) for f in frames), pick(rng, LE, IM)), truth, 1, at)


@good
def nuclear_medicine(rng: np.random.Generator) -> Case:
    frames = [grey(rng, 0, 400, (64, 64)) for _ in range(4)]
    at = int(rng.integers(4))
    ds = head("NM", 64, 64, 16, 16, NumberOfFrames=4, NumberOfDetectors=2, NumberOfEnergyWindows=1)
    ds.FrameIncrementPointer, ds.EnergyWindowVector, ds.DetectorVector = [0x00540010, 0x00540020], [1] * 4, [1, 1, 2, 2]
    ds.DetectorInformationSequence = Sequence([Dataset(), Dataset()])
    if rng.integers(2):
        return Case(pack(ds, b"".join(cells(f, 16) for f in frames)), unwindowed(frames[at]), 1, at)
    ds.SmallestImagePixelValue, ds.LargestImagePixelValue = 0, 400
    return Case(pack(ds, b"".join(cells(f, 16, ">") for f in frames), BE), unwindowed(frames[at]), 1, at)


@good
def positron_slope(rng: np.random.Generator) -> Case:
    values = grey(rng, 0, 32000)
    slope = 10.0 ** -rng.uniform(3, 7)
    ds = head("PT", *values.shape, 16, 16, True, RescaleIntercept="0", RescaleSlope=f"{slope:.8g}", Units="BQML")
    slope = float(f"{slope:.8g}")
    top = float(f"{32000 * slope * 0.8:.8g}")
    ds.WindowCenter, ds.WindowWidth, ds.VOILUTFunction = f"{top / 2:.8g}", f"{top:.8g}", "LINEAR_EXACT"
    centre = float(f"{top / 2:.8g}")
    return Case(pack(ds, cells(values, 16)), shade((values * slope - centre) / top + 0.5))


@good
def sigmoid_of_a_film(rng: np.random.Generator) -> Case:
    values = grey(rng, 100, 4000)
    ds = head("DX", *values.shape, 12, 16, PhotometricInterpretation="MONOCHROME1", PresentationLUTShape="INVERSE")
    ds.WindowCenter, ds.WindowWidth, ds.VOILUTFunction = "2048", "1200", pick(rng, "SIGMOID", "sigmoid", "Sigmoid ")
    return Case(pack(ds, cells(values, 16)), 255 - shade(1 / (1 + np.exp(-4 * (values - 2048.0) / 1200))))


@good
def tables_before_windows(rng: np.random.Generator) -> Case:
    values = grey(rng, -1000, 1000)
    entries = np.cumsum(rng.integers(1, 4, 2001))
    item = Dataset()
    item.add_new("LUTDescriptor", "SS", [2001, -1000, 13])
    item.LUTExplanation = "made"
    item.add_new("LUTData", "US", entries.tolist())
    ds = head("DX", *values.shape, 12, 16, True, WindowCenter="0", WindowWidth="10", VOILUTSequence=Sequence([item]))
    top = (1 << int(entries.max()).bit_length()) - 1
    return Case(pack(ds, cells(values, 16)), shade(entries[values + 1000] / top))


@good
def modality_table(rng: np.random.Generator) -> Case:
    values = grey(rng, 0, 255)
    table = np.sort(rng.integers(0, 60000, 256))
    item = Dataset()
    item.LUTDescriptor, item.ModalityLUTType = [256, 0, 16], "OD"
    item.add_new("LUTData", "OW", table.astype("<u2").tobytes())
    ds = head(
        "DX", *values.shape, 8, 8, ModalityLUTSequence=Sequence([item]), WindowCenter="30000", WindowWidth="50000"
    )
    return Case(pack(ds, cells(values, 8)), windowed(table[values], 30000, 50000))


@good
def four_bytes(rng: np.random.Generator) -> Case:
    signed = bool(rng.integers(2))
    values = grey(rng, -(10**6) if signed else 5, 2 * 10**6)
    ds = head("SC", *values.shape, 32, 32, signed)
    truth = with_window(rng, ds, values)
    if rng.integers(2):
        return Case(pack(ds, cells(values, 32)), truth)
    return Case(
        pack(ds, encapsulate([coder(RLELossless, (values & 0xFFFFFFFF).astype(np.uint32))]), RLELossless), truth
    )


@good
def floats_of_a_known_class(rng: np.random.Generator) -> Case:
    values = grey(rng, 0, 5000).astype(np.float64) / 7 - 300
    wide = bool(rng.integers(2))
    ds = head("EMR", *values.shape, 32, 64 if wide else 32)
    for keyword in ("BitsStored", "HighBit", "PixelRepresentation"):
        delattr(ds, keyword)
    ds.WindowCenter, ds.WindowWidth = "0", "500"
    data = pack(ds, b"")
    at = data.rindex(b"\xe0\x7f\x10\x00")
    raw = values.astype("<f8" if wide else "<f4").tobytes()
    tag = b"\xe0\x7f\x09\x00OD" if wide else b"\xe0\x7f\x08\x00OF"
    stored = values if wide else values.astype(np.float32).astype(np.float64)
    return Case(data[:at] + tag + b"\0\0" + len(raw).to_bytes(4, "little") + raw, windowed(stored, 0, 500))


@good
def single_bits(rng: np.random.Generator) -> Case:
    frames = [(grey(rng, 0, 255, (33, 29)) > 127).astype(np.uint8) for _ in range(3)]
    at, inverse = int(rng.integers(3)), bool(rng.integers(2))
    ds = head("SCB", 33, 29, 1, 1, NumberOfFrames=3, PhotometricInterpretation=f"MONOCHROME{1 if inverse else 2}")
    bits = np.packbits(np.concatenate([f.ravel() for f in frames]), bitorder="little").tobytes()
    return Case(pack(ds, bits), (1 - frames[at] if inverse else frames[at]) * np.uint8(255), 0, at)


@good
def overlays_beside(rng: np.random.Generator) -> Case:
    ds, values, truth = plain_file(rng)
    rows, columns = values.shape
    for group in (0x6000, 0x6004):
        ds.add_new((group, 0x0010), "US", rows)
        ds.add_new((group, 0x0011), "US", columns)
        ds.add_new((group, 0x0040), "CS", "G")
        ds.add_new((group, 0x0050), "SS", [1, 1])
        ds.add_new((group, 0x0100), "US", 1)
        ds.add_new((group, 0x0102), "US", 0)
        plane = np.packbits(rng.integers(0, 2, rows * columns, dtype=np.uint8)).tobytes()
        ds.add_new((group, 0x3000), "OW", plane + b"\0" * (len(plane) % 2))
    return Case(pack(ds, cells(values, 16)), truth)


@good
def an_icon_and_private_pixels(rng: np.random.Generator) -> Case:
    """Nested pixel data before the picture's own, in sequences of either length."""
    ds, values, truth = plain_file(rng)
    icon = head("SC", 16, 16, 8, 8)
    icon.PixelData = bytes(rng.integers(0, 256, 256, dtype=np.uint8))
    icon["PixelData"].VR = "OB"
    ds.IconImageSequence = Sequence([icon])
    block = ds.private_block(0x0009, "MADE UP", create=True)
    inner = Dataset()
    inner.PixelData = bytes(64)
    inner["PixelData"].VR = "OB"
    block.add_new(0x10, "SQ", Sequence([inner]))
    ds["IconImageSequence"].is_undefined_length = bool(rng.integers(2))
    for item in ds.IconImageSequence:
        item.is_undefined_length_sequence_item = bool(rng.integers(2))
    return Case(pack(ds, cells(values, 16), pick(rng, LE, IM, DF)), truth)


@good
def coded_in_pieces(rng: np.random.Generator) -> Case:
    frames = [grey(rng, 0, 4095, (51, 47)) for _ in range(3)]
    at, syntax = int(rng.integers(3)), pick(rng, *CODED)
    ds = head("XA", 51, 47, 12, 16, NumberOfFrames=3, WindowCenter="2000", WindowWidth="3000")
    streams = [coder(syntax, f.astype(np.uint16)) for f in frames]
    if rng.integers(2):
        value, table, lengths = encapsulate_extended(streams)
        ds.ExtendedOffsetTable, ds.ExtendedOffsetTableLengths = table, lengths
    else:
        pieces = 1 if syntax == RLELossless else int(rng.integers(2, 5))
        value = encapsulate(streams, fragments_per_frame=pieces, has_bot=bool(rng.integers(2)))
    return Case(pack(ds, value, syntax), windowed(frames[at], 2000, 3000), 1, at)


@good
def coded_by_dcmtk(rng: np.random.Generator) -> Case:
    ds, values, truth = plain_file(rng, signed=False)
    plain = pack(ds, cells(values, 16))
    tool, *flags = pick(
        rng, ("dcmcjpeg", "+e1"), ("dcmcjpeg", "+el", "+sv", str(int(rng.integers(1, 8)))), ("dcmcjpls",), ("dcmcrle",),
        ("dcmconv", "+tb"), ("dcmconv", "+td"), ("dcmconv", "+ti", "-e"), ("dcmconv", "+te", "+g", "-e"),
        ("dcmconv", "+te", "-g", "+e", "+p", "512", "128"),
    )  # fmt: skip
    return Case(by_dcmtk(tool, plain, *flags), truth)


@good
def signed_streams(rng: np.random.Generator) -> Case:
    values = grey(rng, -1024, 3000)
    ds = head("CT", *values.shape, 16, 16, True)
    truth = with_window(rng, ds, values)
    syntax = pick(rng, JPEG2000Lossless, HTJ2KLossless, HTJ2KLosslessRPCL, JPEGLSLossless, RLELossless)
    own = syntax in (JPEG2000Lossless, HTJ2KLossless, HTJ2KLosslessRPCL)
    options = {"resolutions": int(rng.integers(1, 5))} if syntax == JPEG2000Lossless else {}
    stream = coder(syntax, values.astype(np.int16) if own else (values & 0xFFFF).astype(np.uint16), **options)
    return Case(pack(ds, encapsulate([stream]), syntax), truth)


@good
def lossy_grey(rng: np.random.Generator) -> Case:
    syntax = pick(rng, JPEGBaseline8Bit, JPEGLSNearLossless, JPEG2000)
    values = grey(rng, 0, 255)
    options = {JPEGLSNearLossless: {"level": 2}, JPEGBaseline8Bit: {"level": 98}}.get(syntax, {})
    ds = head("XA", *values.shape, 8, 8, LossyImageCompression="01")
    return Case(
        pack(ds, encapsulate([coder(syntax, values.astype(np.uint8), **options)]), syntax), values.astype(np.uint8), 9
    )


@good
def padding_and_a_range(rng: np.random.Generator) -> Case:
    values = grey(rng, 0, 2000)
    values[: len(values) // 3] = -2000
    ds = head("CT", *values.shape, 16, 16, True)
    ds.add_new("PixelPaddingValue", "SS", -2000)
    inside = values[len(values) // 3 :]
    low, high = (np.sort(inside, axis=None)[max(int(np.ceil(q * inside.size)) - 1, 0)] for q in (0.005, 0.995))
    return Case(pack(ds, cells(values, 16)), shade((values - float(low)) / float(high - low)))


@good
def spellings(rng: np.random.Generator) -> Case:
    values = grey(rng, 0, 255)
    name = pick(rng, "monochrome2", "Monochrome2", "MONOCHROME", "GRAYSCALE", "MONOCHROME 2", "Grayscale", "")
    ds = head("SC", *values.shape, 8, 8, PhotometricInterpretation=name)
    return Case(pack(ds, cells(values, 8)), values.astype(np.uint8), 0)


@good
def without_head_or_meta(rng: np.random.Generator) -> Case:
    ds, values, truth = plain_file(rng)
    data = pack(ds, cells(values, 16), IM)
    length = int.from_bytes(data[140:144], "little")
    return Case(data[144 + length :] if rng.integers(2) else data[128 + 4 :], truth)


@good
def things_behind_the_pixels(rng: np.random.Generator) -> Case:
    ds, values, truth = plain_file(rng)
    ds.DataSetTrailingPadding = bytes(126)
    ds["DataSetTrailingPadding"].VR = "OB"
    syntax = pick(rng, LE, BE)
    return Case(pack(ds, cells(values, 16, ">" if syntax == BE else "<"), syntax), truth)


@good
def bytes_in_words(rng: np.random.Generator) -> Case:
    values = grey(rng, 0, 255, (45, 37))
    raw = np.frombuffer(cells(values, 8) + b"\0", np.uint8)[: 45 * 37 + 1]
    data = raw.reshape(-1, 2)[:, ::-1].tobytes()
    return Case(pack(head("SC", 45, 37, 8, 8), data, BE, vr="OW"), values.astype(np.uint8), 0)


# -- good and unusual: colour DICOM


@good
def colour_streams(rng: np.random.Generator) -> Case:
    rgb = pick(rng, colour, vivid)(rng)
    syntax = pick(rng, *CODED)
    options = {"mct": bool(rng.integers(2))} if syntax == JPEG2000Lossless else {}
    named = "YBR_RCT" if options.get("mct") else "RGB"
    value = encapsulate([coder(syntax, rgb, **options)])
    return Case(pack(rgb_head("US", rgb, named, int(syntax == RLELossless)), value, syntax), rgb, 0)


@good
def luminance_streams(rng: np.random.Generator) -> Case:
    """YBR_FULL as it is, in the codings that carry what they are given."""
    rgb = pick(rng, colour, vivid)(rng)
    syntax = pick(rng, RLELossless, JPEGLSLossless, JPEGLosslessSV1, LE, DF)
    ybr = ybr_of(rgb)
    if syntax == JPEGLosslessSV1:  # whose other coders name the colours themselves
        return Case(by_dcmtk("dcmcjpeg", pack(rgb_head("US", rgb, "YBR_FULL"), ybr.tobytes(), vr="OB"), "+e1"), rgb, 2)
    value = encapsulate([coder(syntax, ybr)]) if syntax.is_encapsulated else ybr.tobytes()
    return Case(pack(rgb_head("US", rgb, pick(rng, "YBR_FULL", "ybr_full")), value, syntax, vr="OB"), rgb, 2)


@good
def loops_of_dct(rng: np.random.Generator) -> Case:
    frames = [colour(rng, (48, 64)) for _ in range(3)]
    frames = [cv2.GaussianBlur(f, (0, 0), 2) for f in frames]
    at = int(rng.integers(3))
    streams = [coder(JPEGBaseline8Bit, f, subsampling="422") for f in frames]
    ds = rgb_head("US", frames[0], "YBR_FULL_422", NumberOfFrames=3, LossyImageCompression="01")
    return Case(pack(ds, encapsulate(streams), JPEGBaseline8Bit), frames[at], 40, at)


@good
def colours_by_dcmtk(rng: np.random.Generator) -> Case:
    rgb = pick(rng, colour, vivid)(rng)
    plain = pack(rgb_head("SCT", rgb), rgb.tobytes(), vr="OB")
    tool, *flags = pick(
        rng, ("dcmcjpeg", "+e1"), ("dcmcjpeg", "+e1", "+pl", "+cy"), ("dcmcjpeg", "+eb", "+cr", "+q", "97"),
        ("dcmcjpeg", "+eb", "+cy", "+n1", "+q", "97", "+s4"), ("dcmcjpls",), ("dcmcjpls", "+is"), ("dcmcrle",),
        ("dcmcjpls", "+il"),
    )  # fmt: skip
    lossless = tool != "dcmcjpeg" or flags == ["+e1"]
    return Case(by_dcmtk(tool, plain, *flags), rgb, 0 if lossless else 3 if "+e1" in flags else 25)


@good
def subsampled_cells(rng: np.random.Generator) -> Case:
    rgb = colour(rng)
    rgb[:, 1::2] = rgb[:, ::2]
    ybr = ybr_of(rgb)
    data = np.stack([ybr[:, ::2, 0], ybr[:, 1::2, 0], ybr[:, ::2, 1], ybr[:, ::2, 2]], -1).tobytes()
    return Case(pack(rgb_head("US", rgb, "YBR_FULL_422"), data, vr="OB"), rgb, 2)


@good
def palettes(rng: np.random.Generator) -> Case:
    deep, first, syntax = bool(rng.integers(2)), int(rng.choice([0, 0, 5])), pick(rng, LE, BE, RLELossless, IM)
    values = grey(rng, 0, 199)
    table = rng.integers(0, 256, (200, 3))
    ds = head("US", *values.shape, 8, 8, PhotometricInterpretation="PALETTE COLOR")
    for k, name in enumerate(("Red", "Green", "Blue")):
        words = table[:, k] * (257 if deep else 1)
        raw = words.astype(">u2" if syntax == BE else "<u2").tobytes() if deep else table[:, k].astype("u1").tobytes()
        if syntax == BE and not deep:
            raw = np.frombuffer(raw, np.uint8).reshape(-1, 2)[:, ::-1].tobytes()
        setattr(ds, f"{name}PaletteColorLookupTableDescriptor", [200, first, 16 if deep else 8])
        setattr(ds, f"{name}PaletteColorLookupTableData", raw)
    value = values + first
    data = encapsulate([coder(syntax, value.astype(np.uint8))]) if syntax.is_encapsulated else cells(value, 8)
    return Case(pack(ds, data, syntax), table[values].astype(np.uint8), 0)


# -- good and unusual: image files


def spread(values: np.ndarray) -> np.ndarray:
    """Greys deeper than 8 bits, from their extremes (no outlier lies in these textures)."""
    return shade((values - values.min()) / float(np.ptp(values)))


@good
def png_kinds(rng: np.random.Generator) -> Case:
    which = int(rng.integers(6))
    if which == 0:
        values = even(rng, 0, 60000)
        return Case(bytes(cv2.imencode(".png", values.astype(np.uint16))[1]), spread(values), 1, suffix=".png")
    if which == 1:
        values = grey(rng, 0, 255).astype(np.uint8)
        alpha = grey(rng, 0, 255, values.shape).astype(np.uint8)
        truth = np.rint(values.astype(float) * alpha / 255).astype(np.uint8)
        return Case(
            pil(Image.merge("LA", (Image.fromarray(values), Image.fromarray(alpha))), "PNG"), truth, 1, suffix=".png"
        )
    if which == 2:
        bits = (grey(rng, 0, 255) > 100).astype(np.uint8) * 255
        return Case(pil(Image.fromarray(bits).convert("1", dither=Image.Dither.NONE), "PNG"), bits, 0, suffix=".png")
    if which == 3:
        rgb = vivid(rng)
        image = Image.fromarray(rgb).quantize(32)
        return Case(pil(image, "PNG"), np.asarray(image.convert("RGB")), 0, suffix=".png")
    if which == 4:
        rgb = colour(rng)
        exif = Image.Exif()
        exif[274] = turn = int(rng.integers(2, 9))
        return Case(pil(Image.fromarray(rgb), "PNG", exif=exif), turned(rgb, turn), 0, suffix=".png")
    values = grey(rng, 0, 15)
    small = packed_png(values.astype(np.uint8), 4)
    return Case(small, (values * 17).astype(np.uint8), 0, suffix=".png")


def turned(pixels: np.ndarray, turn: int) -> np.ndarray:
    """By EXIF's orientation, as Pillow has it."""
    image = Image.fromarray(pixels)
    image.getexif()[274] = turn
    return np.asarray(ImageOps.exif_transpose(image))


@good
def tiff_kinds(rng: np.random.Generator) -> Case:
    which = int(rng.integers(7))
    if which == 0:
        values = even(rng, 0, 65535).astype(np.uint16)
        how = pick(rng, "tiff_lzw", "tiff_adobe_deflate", "packbits", None)
        return Case(
            pil(Image.fromarray(values), "TIFF", compression=how), spread(values.astype(float)), 1, suffix=".tif"
        )
    if which == 1:
        values = even(rng, -500, 3000).astype(np.float32) / 3
        return Case(pil(Image.fromarray(values, "F"), "TIFF"), spread(values.astype(float)), 1, suffix=".tif")
    if which == 2:
        values = even(rng, -(10**5), 10**6).astype(np.int32)
        return Case(pil(Image.fromarray(values, "I"), "TIFF"), spread(values.astype(float)), 1, suffix=".tif")
    if which == 3:
        bits = (grey(rng, 0, 255) > 100).astype(np.uint8) * 255
        image = Image.fromarray(bits).convert("1", dither=Image.Dither.NONE)
        return Case(pil(image, "TIFF", compression=pick(rng, "group4", "group3", "tiff_ccitt")), bits, 0, suffix=".tif")
    if which == 4:
        inks = np.dstack([grey(rng, 0, 200, (50, 60)) for _ in range(4)]).astype(np.uint8)
        image = Image.fromarray(inks, "CMYK")
        return Case(pil(image, "TIFF", compression="tiff_lzw"), np.asarray(image.convert("RGB")), 1, suffix=".tif")
    if which == 5:
        pages = [grey(rng, 0, 255, (40, 50)).astype(np.uint8) for _ in range(3)]
        at = int(rng.integers(3))
        images = [Image.fromarray(p) for p in pages]
        return Case(pil(images[0], "TIFF", save_all=True, append_images=images[1:]), pages[at], 0, at, ".tif")
    rgb = vivid(rng)
    indexed = Image.fromarray(rgb).quantize(64)
    return Case(pil(indexed, "TIFF"), np.asarray(indexed.convert("RGB")), 0, suffix=".tif")


@good
def jpeg_kinds(rng: np.random.Generator) -> Case:
    which = int(rng.integers(6))
    values = cv2.GaussianBlur(grey(rng, 0, 255).astype(np.uint8), (0, 0), 1.5)
    if which == 0:
        return Case(pil(Image.fromarray(values), "JPEG", quality=97, progressive=True), values, 8, suffix=".jpg")
    if which == 1:
        rgb, turn = cv2.GaussianBlur(colour(rng), (0, 0), 2), int(rng.integers(2, 9))
        exif = Image.Exif()
        exif[274] = turn
        data = pil(Image.fromarray(rgb), "JPEG", quality=97, subsampling=0, exif=exif)
        return Case(data, turned(rgb, turn), 10, suffix=".jpg")
    if which == 2:
        return Case(bytes(imagecodecs.jpegls_encode(values)), values, 0, suffix=".jls")
    if which == 3:
        deep = even(rng, 0, 4000).astype(np.uint16)
        data = bytes(imagecodecs.jpeg2k_encode(deep, codecformat=pick(rng, "jp2", "j2k"), reversible=True, level=0))
        return Case(data, spread(deep.astype(float)), 1, suffix=".jp2")
    if which == 4:
        data = bytes(imagecodecs.jpeg8_encode(values, lossless=True, predictor=int(rng.integers(1, 8))))
        return Case(data, values, 0, suffix=".jpg")
    kind = pick(rng, "BMP", "WEBP")
    data = pil(Image.fromarray(values).convert("RGB"), kind, **({"lossless": True} if kind == "WEBP" else {}))
    return Case(data, values, 0, suffix="." + kind.lower())
