"""Files whose header and data contradict each other, each with the picture that went into it.

A reader may drop such a file, with a Reason, or show that picture; anything else is a wrong picture kept.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

import numpy as np
from pydicom.dataset import Dataset
from pydicom.pixels.processing import convert_color_space
from pydicom.sequence import Sequence
from pydicom.uid import (
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from benchmarks.input.dicom_make import (
    LOSSLESS,
    Case,
    cells_of,
    colours,
    file_of,
    header,
    native,
    packed,
    picture,
    shade,
    shown,
    stream,
    unwindowed,
    wide_window,
    windowed,
)

Make = Callable[[np.random.Generator], Case]
KINDS: dict[str, Make] = {}
_REMOTE = 1 << 20


def kind(make: Make) -> Make:
    """Registers a kind under its function's name."""
    KINDS[make.__name__] = make
    return make


def _one(rng: np.random.Generator, options: tuple) -> object:
    return options[int(rng.integers(len(options)))]


def _deep(rng: np.random.Generator, signed: bool = False) -> tuple[np.ndarray, int]:
    bits = int(rng.integers(10, 16))
    half = 1 << (bits - 1)
    return (picture(rng, -half + 3, half - 5), bits) if signed else (picture(rng, 2, (1 << bits) - 3), bits)


def _coded(
    values: np.ndarray, bits: int, allocated: int, syntax: UID, told: UID | None = None, **more: object
) -> bytes:
    ds = header(values, bits, allocated, **wide_window(values), **more)
    frames = values if values.ndim == 3 else values[None]
    streams = [stream(cells_of(f, allocated), syntax) for f in frames]
    return file_of(ds, packed(streams), syntax, coded=True, told=told)


def _of(values: np.ndarray) -> np.ndarray:
    window = wide_window(values)
    return windowed(values, float(window["WindowCenter"]), float(window["WindowWidth"]))


@kind
def native_syntax_over_streams(rng: np.random.Generator) -> Case:
    values, bits = _deep(rng)
    several = np.stack([values, values[::-1], values[:, ::-1]])
    syntax = _one(rng, LOSSLESS)
    data = _coded(several, bits, 16, syntax, told=ExplicitVRLittleEndian)
    frame = int(rng.integers(3))
    return Case(data, _of(several)[frame], frame, 2)


@kind
def native_syntax_over_lossy_streams(rng: np.random.Generator) -> Case:
    values = picture(rng, 0, 255)
    ds = header(values, 8, 8)
    data = file_of(ds, packed([stream(values.astype("u1"), JPEGBaseline8Bit)]), JPEGBaseline8Bit, coded=True,
                   told=ExplicitVRLittleEndian)  # fmt: skip
    return Case(data, values.astype(np.uint8), 0, 14)


@kind
def encapsulated_syntax_over_cells(rng: np.random.Generator) -> Case:
    values, bits = _deep(rng)
    ds = header(values, bits, 16, **wide_window(values))
    data = file_of(ds, native(values, 16), ExplicitVRLittleEndian, told=_one(rng, (*LOSSLESS, JPEGBaseline8Bit)))
    return Case(data, _of(values), 0, 2)


@kind
def another_codec(rng: np.random.Generator) -> Case:
    values = picture(rng, 0, 255)
    real = _one(rng, (JPEGLSLossless, JPEGLosslessSV1, JPEG2000Lossless, RLELossless))
    told = _one(rng, tuple(s for s in (*LOSSLESS, JPEGBaseline8Bit) if s != real))
    data = _coded(values, 8, 8, real, told=told)
    return Case(data, _of(values), 0, 2)


@kind
def a_stream_without_items(rng: np.random.Generator) -> Case:
    values, bits = _deep(rng)
    ds = header(values, bits, 16, **wide_window(values))
    syntax = _one(rng, (JPEGLSLossless, JPEG2000Lossless))
    code = stream(cells_of(values, 16), syntax)
    data = file_of(ds, code + b"\0" * (len(code) % 2), ExplicitVRLittleEndian, told=syntax)
    return Case(data, _of(values), 0, 2)


@kind
def more_frames_than_told(rng: np.random.Generator) -> Case:
    values, bits = _deep(rng)
    several = np.stack([values, values[::-1], values[:, ::-1]])
    ds = header(several, bits, 16, **wide_window(values))
    ds.NumberOfFrames = int(rng.integers(1, 3))
    if rng.random() < 0.4:
        del ds.NumberOfFrames
    return Case(file_of(ds, native(several, 16), ExplicitVRLittleEndian), _of(values), 0, 2)


@kind
def more_8_bit_frames_than_told(rng: np.random.Generator) -> Case:
    values = picture(rng, 0, 255)
    several = np.stack([values, values[::-1]] * int(rng.integers(1, 3)))
    ds = header(several, 8, 8)
    ds.NumberOfFrames = len(several) - 1
    return Case(file_of(ds, native(several, 8), ExplicitVRLittleEndian), values.astype(np.uint8), 0, 2)


@kind
def fewer_frames_than_told(rng: np.random.Generator) -> Case:
    values, bits = _deep(rng)
    several = np.stack([values, values[::-1]])
    frame = int(rng.integers(4))
    coded = rng.random() < 0.5
    if coded:
        data = _coded(several, bits, 16, _one(rng, LOSSLESS), NumberOfFrames=4)
    else:
        ds = header(several, bits, 16, NumberOfFrames=4, **wide_window(values))
        data = file_of(ds, native(several, 16), ExplicitVRLittleEndian)
    truth = _of(several)[frame] if frame < 2 else np.zeros_like(_of(values))
    return Case(data, truth, frame, 2)


@kind
def cells_of_half_the_width(rng: np.random.Generator) -> Case:
    values = picture(rng, 0, 255)
    ds = header(values, int(_one(rng, (8, 12, 16))), 16, **wide_window(values))
    return Case(file_of(ds, native(values, 8), ExplicitVRLittleEndian, vr="OW"), _of(values), 0, 2)


@kind
def cells_of_twice_the_width(rng: np.random.Generator) -> Case:
    values, bits = _deep(rng)
    ds = header(values, int(_one(rng, (8, bits))), 8, **wide_window(values))
    return Case(file_of(ds, native(values, 16), ExplicitVRLittleEndian, vr="OW"), _of(values), 0, 2)


@kind
def small_values_in_wide_cells(rng: np.random.Generator) -> Case:
    values = picture(rng, 0, 255)
    ds = header(values, 8, 8, **wide_window(values))
    return Case(file_of(ds, native(values, 16), ExplicitVRLittleEndian, vr="OW"), _of(values), 0, 2)


@kind
def subsampled_or_not(rng: np.random.Generator) -> Case:
    rgb = colours(rng)
    rgb[:, 1::2] = rgb[:, ::2]
    ybr = convert_color_space(rgb, "RGB", "YBR_FULL").astype(np.uint8)
    ds = header(rgb, 8, 8, "US")
    full = rng.random() < 0.5
    ds.PhotometricInterpretation = "YBR_FULL_422" if full else "YBR_FULL"
    pairs = np.concatenate([ybr[:, ::2, :1], ybr[:, 1::2, :1], ybr[:, ::2, 1:]], axis=-1)
    if rng.random() < 0.5:
        ds.NumberOfFrames = 2
    data = (ybr if full else pairs).tobytes() * int(ds.get("NumberOfFrames", 1))
    truth = convert_color_space(ybr, "YBR_FULL", "RGB").astype(np.uint8)
    return Case(file_of(ds, data + b"\0" * (len(data) % 2), ExplicitVRLittleEndian), truth, 0, 2)


@kind
def high_bit_says_top_and_values_lie_low(rng: np.random.Generator) -> Case:
    values, bits = _deep(rng, signed=rng.random() < 0.4)
    ds = header(values, bits, 16, HighBit=15, **wide_window(values))
    return Case(file_of(ds, native(values, 16), ExplicitVRLittleEndian), _of(values), 0, 2)


@kind
def high_bit_in_the_middle(rng: np.random.Generator) -> Case:
    values = picture(rng, 0, 1023)
    ds = header(values, 10, 16, HighBit=int(rng.integers(10, 15)), **wide_window(values))
    if rng.random() < 0.5:
        ds.BitsStored, ds.HighBit = 16, 9
    return Case(file_of(ds, native(values, 16), ExplicitVRLittleEndian), _of(values), 0, 2)


@kind
def values_need_more_bits_than_stored(rng: np.random.Generator) -> Case:
    values = picture(rng, 0, int(_one(rng, (5000, 9000, 16383, 40000, 65535))))
    ds = header(values, 12, 16, **wide_window(values))
    syntax = _one(rng, (ExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian))
    return Case(file_of(ds, native(values, 16, syntax), syntax), _of(values), 0, 2)


@kind
def streams_need_more_bits_than_stored(rng: np.random.Generator) -> Case:
    values = picture(rng, 0, int(_one(rng, (5000, 16383, 65535))))
    ds = header(values, 12, 16, **wide_window(values))
    syntax = _one(rng, LOSSLESS)
    return Case(file_of(ds, packed([stream(values.astype("u2"), syntax)]), syntax, coded=True), _of(values), 0, 2)


@kind
def signed_values_need_more_bits(rng: np.random.Generator) -> Case:
    values = picture(rng, -1024, int(_one(rng, (3071, 8000, 20000))))
    ds = header(values, 12, 16, **wide_window(values))
    return Case(file_of(ds, native(values, 16), ExplicitVRLittleEndian), _of(values), 0, 2)


@kind
def negative_numbers_said_to_be_unsigned(rng: np.random.Generator) -> Case:
    bits = int(rng.integers(10, 16))
    values = picture(rng, -(1 << (bits - 2)), (1 << (bits - 1)) - 1)
    ds = header(values, bits, 16, PixelRepresentation=0, **wide_window(values))
    return Case(file_of(ds, native(values, 16), ExplicitVRLittleEndian), _of(values), 0, 2)


@kind
def an_untold_sign(rng: np.random.Generator) -> Case:
    values = picture(rng, -int(rng.integers(900, 1100)), int(rng.integers(1500, 3072)))
    ds = header(values, 16, 16, PixelRepresentation=0, **wide_window(values))
    syntax = _one(rng, (ExplicitVRLittleEndian, ExplicitVRBigEndian))
    return Case(file_of(ds, native(values, 16, syntax), syntax), _of(values), 0, 2)


@kind
def rows_and_columns_of_other_lines(rng: np.random.Generator) -> Case:
    values = picture(rng, 0, 4095, (64, 96))
    ds = header(values, 12, 16, **wide_window(values))
    ds.Rows, ds.Columns = _one(rng, ((32, 96), (16, 96), (64, 48), (32, 48), (96, 64)))
    if rng.random() < 0.5:
        ds.NumberOfFrames = values.size // (ds.Rows * ds.Columns)
    return Case(file_of(ds, native(values, 16), ExplicitVRLittleEndian), _of(values), 0, 2)


@kind
def large_numbers_said_to_be_signed(rng: np.random.Generator) -> Case:
    bits = int(_one(rng, (12, 14, 16)))
    values = picture(rng, 0, (1 << bits) - 1)
    ds = header(values, bits, 16, PixelRepresentation=1, **wide_window(values))
    syntax = _one(rng, (JPEG2000Lossless, JPEGLSLossless, JPEGLosslessSV1))
    return Case(file_of(ds, packed([stream(values.astype("u2"), syntax)]), syntax, coded=True), _of(values), 0, 2)


@kind
def signed_stream_under_unsigned_header(rng: np.random.Generator) -> Case:
    values = picture(rng, -900, 3000)
    ds = header(values, 16, 16, PixelRepresentation=0, **wide_window(values))
    code = stream(values.astype("i2"), JPEG2000Lossless, bitspersample=int(_one(rng, (13, 16))))
    return Case(file_of(ds, packed([code]), JPEG2000Lossless, coded=True), _of(values), 0, 2)


@kind
def more_bits_stored_than_allocated(rng: np.random.Generator) -> Case:
    deep = rng.random() < 0.5
    values = picture(rng, 0, 4095 if deep else 255)
    ds = header(values, 16 if deep else 12, 8, **wide_window(values))
    return Case(file_of(ds, native(values, 16 if deep else 8), ExplicitVRLittleEndian, vr="OW"), _of(values), 0, 2)


@kind
def stream_deeper_than_allocated(rng: np.random.Generator) -> Case:
    values, _ = _deep(rng)
    ds = header(values, 8, 8, **wide_window(values))
    syntax = _one(rng, LOSSLESS)
    return Case(file_of(ds, packed([stream(values.astype("u2"), syntax)]), syntax, coded=True), _of(values), 0, 2)


@kind
def stream_shallower_than_allocated(rng: np.random.Generator) -> Case:
    values = picture(rng, 0, 255)
    ds = header(values, int(_one(rng, (8, 12, 16))), 16, **wide_window(values))
    syntax = _one(rng, LOSSLESS)
    return Case(file_of(ds, packed([stream(values.astype("u1"), syntax)]), syntax, coded=True), _of(values), 0, 2)


@kind
def stream_of_another_size(rng: np.random.Generator) -> Case:
    values, bits = _deep(rng)
    ds = header(values, bits, 16, **wide_window(values))
    change = int(_one(rng, (-7, -1, 1, 16)))
    if rng.random() < 0.5:
        ds.Rows += change
    else:
        ds.Columns += change
    syntax = _one(rng, LOSSLESS)
    return Case(file_of(ds, packed([stream(values.astype("u2"), syntax)]), syntax, coded=True), _of(values), 0, 2)


@kind
def cells_of_another_size(rng: np.random.Generator) -> Case:
    values, bits = _deep(rng)
    values[-2:] = values.min() if rng.random() < 0.5 else values[-2:]
    ds = header(values, bits, 16, **wide_window(values))
    ds.Columns += int(_one(rng, (-6, -2, -1, 1, 3)))
    return Case(file_of(ds, native(values - values.min(), 16), ExplicitVRLittleEndian), _of(values), 0, 2)


@kind
def samples_against_photometric(rng: np.random.Generator) -> Case:
    rgb = colours(rng)
    if rng.random() < 0.5:
        ds = header(rgb, 8, 8, "US", SamplesPerPixel=1)
        if rng.random() < 0.5:
            ds.SamplesPerPixel, ds.PhotometricInterpretation = 3, "MONOCHROME2"
        truth, data = rgb, rgb.tobytes()
    else:
        grey = rgb[..., 0]
        ds = header(grey, 8, 8, "US", SamplesPerPixel=3, PlanarConfiguration=0)
        if rng.random() < 0.5:
            ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "RGB"
        truth, data = grey, grey.tobytes()
    return Case(file_of(ds, data + b"\0" * (len(data) % 2), ExplicitVRLittleEndian), truth, 0, 2)


@kind
def samples_against_the_stream(rng: np.random.Generator) -> Case:
    if rng.random() < 0.5:
        rgb = colours(rng)
        ds = header(rgb, 8, 8, "US", SamplesPerPixel=1, PhotometricInterpretation="MONOCHROME2")
        return Case(file_of(ds, packed([stream(rgb, JPEG2000Lossless)]), JPEG2000Lossless, coded=True), rgb, 0, 2)
    grey = picture(rng, 0, 255).astype(np.uint8)
    ds = header(grey, 8, 8, "US", SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0)
    syntax = _one(rng, LOSSLESS)
    return Case(file_of(ds, packed([stream(grey, syntax)]), syntax, coded=True), grey, 0, 2)


@kind
def the_other_planar_configuration(rng: np.random.Generator) -> Case:
    rgb = np.stack([picture(rng, 0, 255, (90, 96))] * 3, -1).astype(np.uint8)
    rgb[..., 1] = 255 - rgb[..., 1] // 2
    rgb[..., 2] //= 3
    planar = int(rng.integers(2))
    ds = header(rgb, 8, 8, "US", PlanarConfiguration=planar)
    data = rgb.tobytes() if planar else np.moveaxis(rgb, -1, 0).tobytes()
    return Case(file_of(ds, data, ExplicitVRLittleEndian), rgb, 0, 2)


@kind
def wrong_offset_tables(rng: np.random.Generator) -> Case:
    values, bits = _deep(rng)
    several = np.stack([values, values[::-1], values[:, ::-1]])[: int(_one(rng, (1, 3)))]
    ds = header(several if len(several) > 1 else values, bits, 16, **wide_window(values))
    syntax = _one(rng, LOSSLESS)
    whole = packed([stream(f.astype("u2"), syntax) for f in several], pieces=1 if syntax == RLELossless else 2)
    count = len(several)
    wrong = struct.pack(f"<{count}L", *rng.integers(0, _REMOTE, count).tolist())
    body = whole[:8] + wrong + whole[8 + 4 * count :]
    if rng.random() < 0.4:
        ds.ExtendedOffsetTable = struct.pack(f"<{count}Q", *rng.integers(0, _REMOTE, count).tolist())
        ds.ExtendedOffsetTableLengths = struct.pack(f"<{count}Q", *rng.integers(0, _REMOTE, count).tolist())
        body = whole[:4] + b"\0\0\0\0" + whole[8 + 4 * count :]
    frame = int(rng.integers(count))
    return Case(file_of(ds, body, syntax, coded=True), _of(several)[frame], frame, 2)


@kind
def cut_short(rng: np.random.Generator) -> Case:
    values, bits = _deep(rng)
    if rng.random() < 0.5:
        data = _coded(values, bits, 16, _one(rng, LOSSLESS))
    else:
        ds = header(values, bits, 16, **wide_window(values))
        data = file_of(ds, native(values, 16), ExplicitVRLittleEndian)
    return Case(data[: int(len(data) * rng.uniform(0.4, 0.95))], _of(values), 0, 2)


@kind
def cut_and_closed(rng: np.random.Generator) -> Case:
    syntax = _one(rng, (JPEGBaseline8Bit, JPEGLosslessSV1, JPEGLSLossless, JPEG2000Lossless))
    lossy = syntax == JPEGBaseline8Bit
    values, bits = (picture(rng, 0, 255), 8) if lossy else _deep(rng)
    code = stream(cells_of(values, 8 if lossy else 16), syntax)
    start = code.index(b"\xff\x93" if syntax == JPEG2000Lossless else b"\xff\xda")
    cut = start + int((len(code) - start) * rng.uniform(0.3, 0.9))
    hole = bytes(len(code) - cut - 2) if rng.random() < 0.3 else b""  # what a broken copy leaves in a file of its size
    ds = header(values, bits, 8 if lossy else 16, **({} if lossy else wide_window(values)))
    data = file_of(ds, packed([code[:cut] + hole + b"\xff\xd9"]), syntax, coded=True)
    return Case(data, values.astype(np.uint8) if lossy else _of(values), 0, 14 if lossy else 2)


def lut_item(first: int, bits: int, entries: np.ndarray, vr: str = "US", order: str = "<") -> Dataset:
    """A LUT item with words as entries, in the byte order of the data set."""
    item = Dataset()
    item.add_new(0x00283002, vr, [len(entries) & 0xFFFF, first, bits])
    item.add_new(0x00283006, "OW", entries.astype(f"{order}u2").tobytes())
    return item


def curve(rng: np.random.Generator, count: int, top: int) -> np.ndarray:
    """int64[count] from 0 to ``top``, rising."""
    return np.rint(top * np.linspace(0, 1, count) ** rng.uniform(0.6, 1.8)).astype(np.int64)


@kind
def lut_of_fewer_bits(rng: np.random.Generator) -> Case:
    values, bits = _deep(rng)
    told, real = _one(rng, ((16, 12), (16, 10), (16, 8), (16, 14), (12, 10), (12, 8)))
    table = curve(rng, 1 << bits, (1 << real) - 1)
    ds = header(values, bits, 16, "CR", VOILUTSequence=Sequence([lut_item(0, told, table)]))
    data = file_of(ds, native(values, 16), ExplicitVRLittleEndian)
    return Case(data, shade(table[values] / ((1 << real) - 1)), 0, 2)


@kind
def lut_of_more_bits(rng: np.random.Generator) -> Case:
    values, bits = _deep(rng)
    table = curve(rng, 1 << bits, 65535)
    ds = header(values, bits, 16, "CR", VOILUTSequence=Sequence([lut_item(0, int(_one(rng, (8, 10, 12))), table)]))
    return Case(file_of(ds, native(values, 16), ExplicitVRLittleEndian), shade(table[values] / 65535), 0, 2)


@kind
def lut_first_value_of_the_other_sign(rng: np.random.Generator) -> Case:
    offset = int(rng.integers(500, 3000))
    table = curve(rng, 6000, 4095)
    if rng.random() < 0.5:  # rescaled to negative numbers, and the table's first as an unsigned word
        values = picture(rng, int(_one(rng, (0, offset))), 5000)
        ds = header(values, 13, 16, RescaleSlope="1", RescaleIntercept=str(-offset))
        item, truth = lut_item(0x10000 - offset, 12, table), table[values]
    else:
        values = picture(rng, 40000, 45999)
        ds = header(values, 16, 16)
        item, truth = lut_item(40000 - 0x10000, 12, table, "SS"), table[values - 40000]
    ds.VOILUTSequence = Sequence([item])
    return Case(file_of(ds, native(values, 16), ExplicitVRLittleEndian), shade(truth / 4095), 0, 2)


@kind
def lut_shorter_than_told(rng: np.random.Generator) -> Case:
    values, bits = _deep(rng)
    table = curve(rng, 1 << bits, 4095)
    item = lut_item(0, 12, table)
    item.LUTData = item.LUTData[: int(len(item.LUTData) * rng.uniform(0.3, 0.9)) & ~1]
    ds = header(values, bits, 16, "CR", VOILUTSequence=Sequence([item]))
    return Case(file_of(ds, native(values, 16), ExplicitVRLittleEndian), shade(table[values] / 4095), 0, 2)


@kind
def window_beside_the_data(rng: np.random.Generator) -> Case:
    values, bits = _deep(rng)
    beside = float(_one(rng, (-30000, 90000)))
    real = wide_window(values)
    second = rng.random() < 0.5
    ds = header(values, bits, 16)
    ds.WindowCenter = [f"{beside}", real["WindowCenter"]] if second else f"{beside}"
    ds.WindowWidth = ["400", real["WindowWidth"]] if second else "400"
    truth = _of(values) if second else unwindowed(values)
    return Case(file_of(ds, native(values, 16), ExplicitVRLittleEndian), truth, 0, 2)


@kind
def padding_of_the_other_sign(rng: np.random.Generator) -> Case:
    signed = rng.random() < 0.5
    values = picture(rng, 0, 2000) if signed else picture(rng, 20000, 30000)
    pad = np.zeros(values.shape, bool)
    pad[: values.shape[0] // 3] = True
    values[pad] = -2000 if signed else 63536
    ds = header(values, 16, 16)
    ds.add_new(0x00280120, "US" if signed else "SS", 63536 if signed else -2000)
    return Case(file_of(ds, native(values, 16), ExplicitVRLittleEndian), unwindowed(values, pad), 0, 2)


@kind
def slope_of_zero(rng: np.random.Generator) -> Case:
    values, bits = _deep(rng)
    ds = header(values, bits, 16, RescaleSlope="0", RescaleIntercept="0", **wide_window(values))
    if rng.random() < 0.5:
        ds.RescaleIntercept = "-100"
        del ds.WindowCenter, ds.WindowWidth
        return Case(file_of(ds, native(values, 16), ExplicitVRLittleEndian), unwindowed(values), 0, 2)
    return Case(file_of(ds, native(values, 16), ExplicitVRLittleEndian), _of(values), 0, 2)


@kind
def shape_against_photometric(rng: np.random.Generator) -> Case:
    values, bits = _deep(rng)
    inverse = rng.random() < 0.5
    ds = header(values, bits, 16, "DX", **wide_window(values))
    ds.PhotometricInterpretation = "MONOCHROME2" if inverse else "MONOCHROME1"
    ds.PresentationLUTShape = "INVERSE" if inverse else "IDENTITY"
    truth = shown(values, ds)
    return Case(file_of(ds, native(values, 16), ExplicitVRLittleEndian), 255 - truth if inverse else truth, 0, 2)


@kind
def palette_of_other_bits(rng: np.random.Generator) -> Case:
    indices = picture(rng, 0, 255)
    tables = [rng.permutation(256) for _ in range(3)]
    told, real = _one(rng, ((16, 8), (8, 16)))
    ds = header(indices, 8, 8, "US", PhotometricInterpretation="PALETTE COLOR")
    for k, (name, table) in enumerate(zip(("Red", "Green", "Blue"), tables, strict=True)):
        ds.add_new(0x00281101 + k, "US", [256, 0, told])
        words = table.astype("u1").tobytes() if real == 8 else (table * 257).astype("<u2").tobytes()
        setattr(ds, f"{name}PaletteColorLookupTableData", words)
    truth = np.dstack([table[indices] for table in tables]).astype(np.uint8)
    return Case(file_of(ds, native(indices, 8), ExplicitVRLittleEndian), truth, 0, 2)
