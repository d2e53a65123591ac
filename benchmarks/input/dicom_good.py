"""Files that the standard allows, or that every viewer shows, and that readers lose: each must be shown."""

from __future__ import annotations

import struct
from collections.abc import Callable

import numpy as np
from pydicom.dataset import Dataset
from pydicom.pixels.processing import convert_color_space
from pydicom.sequence import Sequence
from pydicom.uid import (
    JPEG2000,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from benchmarks.input.dicom_contradictory import _deep, _of, _one, curve, lut_item
from benchmarks.input.dicom_make import (
    LOSSLESS,
    NATIVE,
    Case,
    cells_of,
    colours,
    file_of,
    header,
    native,
    packed,
    picture,
    rle,
    shade,
    shown,
    stream,
    unwindowed,
    wide_window,
    windowed,
)

KINDS: dict[str, Callable[[np.random.Generator], Case]] = {}


def kind(make: Callable[[np.random.Generator], Case]) -> Callable[[np.random.Generator], Case]:
    """Registers a kind under its function's name."""
    KINDS[make.__name__] = make
    return make


@kind
def padding_behind_the_end(rng: np.random.Generator) -> Case:
    values, bits = _deep(rng)
    syntax = _one(rng, (JPEGLSLossless, JPEGLosslessSV1, JPEG2000Lossless))
    frames = np.stack([values, values[::-1]])
    pad = bytes([int(_one(rng, (0, 255)))])
    block = int(_one(rng, (64, 512, 4096)))
    streams = [stream(f.astype("u2"), syntax) for f in frames]
    streams = [s + pad * (block - len(s) % block) for s in streams]
    data = file_of(header(frames, bits, 16, **wide_window(values)), packed(streams), syntax, coded=True)
    return Case(data, _of(values[::-1]), 1)


@kind
def padding_behind_the_end_of_lossy(rng: np.random.Generator) -> Case:
    values = picture(rng, 0, 255).astype(np.uint8)
    code = stream(values, JPEGBaseline8Bit, level=98) + b"\0" * int(rng.integers(20, 2000))
    data = file_of(header(values, 8, 8, "US"), packed([code]), JPEGBaseline8Bit, coded=True)
    return Case(data, values, 0, 12)


@kind
def a_bare_stream_under_a_native_syntax(rng: np.random.Generator) -> Case:
    values = picture(rng, 0, 255).astype(np.uint8)
    code = stream(values, _one(rng, (JPEGBaseline8Bit, JPEGLSLossless, JPEG2000Lossless)))
    return Case(file_of(header(values, 8, 8), code + b"\0" * (len(code) % 2), ExplicitVRLittleEndian), values, 0, 14)


@kind
def a_stream_of_8_bits_under_12(rng: np.random.Generator) -> Case:
    values, syntax = (
        picture(rng, 0, 255).astype(np.uint8),
        _one(rng, (JPEGBaseline8Bit, JPEGLosslessSV1, JPEGLSLossless)),
    )
    ds = header(values, 12, 16, **({} if rng.random() < 0.5 else {"WindowCenter": "2048", "WindowWidth": "4096"}))
    return Case(file_of(ds, packed([stream(values, syntax)]), syntax, coded=True), values, 0, 14)


@kind
def several_fragments(rng: np.random.Generator) -> Case:
    values, bits = _deep(rng)
    syntax = _one(rng, (JPEGLSLossless, JPEGLosslessSV1, JPEG2000Lossless, HTJ2KLossless))
    frames = np.stack([values, values[::-1], values[:, ::-1]])[: int(_one(rng, (1, 3)))]
    ds = header(frames if len(frames) > 1 else values, bits, 16, **wide_window(values))
    streams = [stream(f.astype("u2"), syntax) for f in frames]
    body = packed(streams, table=bool(rng.random() < 0.5), pieces=int(rng.integers(2, 6)))
    return Case(file_of(ds, body, syntax, coded=True), _of(frames[-1]), len(frames) - 1)


@kind
def extended_offset_table(rng: np.random.Generator) -> Case:
    values, bits = _deep(rng)
    syntax = _one(rng, LOSSLESS)
    frames = np.stack([values, values[::-1], values[:, ::-1]])
    streams = [s + b"\0" * (len(s) % 2) for s in (stream(f.astype("u2"), syntax) for f in frames)]
    ds = header(frames, bits, 16, **wide_window(values))
    places = np.cumsum([0, *(len(s) + 8 for s in streams[:-1])])
    ds.ExtendedOffsetTable = struct.pack("<3Q", *places.tolist())
    ds.ExtendedOffsetTableLengths = struct.pack("<3Q", *(len(s) for s in streams))
    return Case(file_of(ds, packed(streams, table=False), syntax, coded=True), _of(frames[1]), 1)


@kind
def native_in_every_order(rng: np.random.Generator) -> Case:
    values, bits = _deep(rng, signed=rng.random() < 0.5)
    syntax = _one(rng, NATIVE)
    return Case(file_of(header(values, bits, 16, **wide_window(values)), native(values, 16, syntax), syntax),
                _of(values))  # fmt: skip


@kind
def deflated(rng: np.random.Generator) -> Case:
    values, bits = _deep(rng)
    ds = header(values, bits, 16, **wide_window(values))
    return Case(file_of(ds, native(values, 16), DeflatedExplicitVRLittleEndian), _of(values))


@kind
def bytes_in_big_endian_words(rng: np.random.Generator) -> Case:
    shape = (int(rng.integers(30, 60)) * 2 + 1, int(rng.integers(30, 60)) * 2 + 1)
    frames = np.stack([picture(rng, 0, 255, shape), picture(rng, 0, 255, shape)])
    raw = frames.astype("u1").tobytes()
    words = np.frombuffer(raw, "<u2").byteswap().tobytes()
    data = file_of(header(frames, 8, 8), words, ExplicitVRBigEndian, vr="OW")
    frame = int(rng.integers(2))
    return Case(data, frames[frame].astype(np.uint8), frame)


@kind
def single_bits(rng: np.random.Generator) -> Case:
    shape = (int(rng.integers(60, 90)), int(rng.integers(60, 90)))
    frames = np.stack([picture(rng, 0, 255, shape) > 128, picture(rng, 0, 255, shape) > 100])
    ds = header(frames.astype(int), 1, 1)
    packed_bits = np.packbits(frames.ravel(), bitorder="little").tobytes()
    data = file_of(ds, packed_bits + b"\0" * (len(packed_bits) % 2), ExplicitVRLittleEndian)
    return Case(data, frames[1].astype(np.uint8) * 255, 1)


@kind
def overlays_in_unused_bits(rng: np.random.Generator) -> Case:
    values = picture(rng, 0, 4095)
    bit = int(rng.integers(12, 16))
    plane = picture(rng, 0, 255, values.shape) > 150
    ds = header(values, 12, 16, **wide_window(values))
    ds.add_new(0x60000010, "US", values.shape[0])
    ds.add_new(0x60000011, "US", values.shape[1])
    ds.add_new(0x60000040, "CS", "G")
    ds.add_new(0x60000050, "SS", [1, 1])
    ds.add_new(0x60000100, "US", 16)
    ds.add_new(0x60000102, "US", bit)
    syntax = _one(rng, (ExplicitVRLittleEndian, RLELossless, JPEGLSLossless))
    cells = values | (plane.astype(np.int64) << bit)
    if syntax == ExplicitVRLittleEndian:
        return Case(file_of(ds, native(cells, 16), syntax), _of(values))
    return Case(file_of(ds, packed([stream(cells.astype("u2"), syntax)]), syntax, coded=True), _of(values))


@kind
def overlays_nobody_declares(rng: np.random.Generator) -> Case:
    values = picture(rng, 0, 4095, (96, 90))
    smooth = np.rint(values * 0.2 + 1000).astype(np.int64)  # texture that leaves no doubt which bits are the picture
    plane = np.zeros(values.shape, bool)
    plane[10:30, 8:60:5] = plane[60:62, 20:80] = True
    ds = header(smooth, 12, 16, **wide_window(smooth))
    if rng.random() < 0.4:
        plane[:] = True
    data = file_of(
        ds, native(smooth | (plane.astype(np.int64) << int(rng.integers(13, 16))), 16), ExplicitVRLittleEndian
    )
    return Case(data, _of(smooth))


@kind
def signs_written_or_not(rng: np.random.Generator) -> Case:
    bits = int(rng.integers(10, 16))
    values = picture(rng, -(1 << (bits - 1)) + 5, (1 << (bits - 1)) - 9)
    cells = values if rng.random() < 0.5 else values & ((1 << bits) - 1)
    ds = header(values, bits, 16, **wide_window(values))
    syntax = _one(rng, (ExplicitVRLittleEndian, ExplicitVRBigEndian, RLELossless))
    if syntax == RLELossless:
        return Case(file_of(ds, packed([rle(cells_of(cells, 16))]), syntax, coded=True), _of(values))
    return Case(file_of(ds, native(cells, 16, syntax), syntax), _of(values))


@kind
def values_at_the_top_of_the_cell(rng: np.random.Generator) -> Case:
    signed = rng.random() < 0.4
    values = picture(rng, -2000, 2000) if signed else picture(rng, 0, 4095)
    ds = header(values, 12, 16, HighBit=15, **wide_window(values))
    return Case(file_of(ds, native(values << 4, 16), ExplicitVRLittleEndian), _of(values))


@kind
def colour_by_planes(rng: np.random.Generator) -> Case:
    rgb = colours(rng)
    planar = int(rng.integers(2))
    ds = header(rgb, 8, 8, "US", PlanarConfiguration=planar)
    data = np.moveaxis(rgb, -1, 0).tobytes() if planar else rgb.tobytes()
    if rng.random() < 0.4:
        return Case(file_of(ds, packed([rle(rgb)]), RLELossless, coded=True), rgb)
    return Case(file_of(ds, data + b"\0" * (len(data) % 2), ExplicitVRLittleEndian), rgb)


@kind
def deep_colour(rng: np.random.Generator) -> Case:
    rgb = np.dstack([picture(rng, 0, 4095, (70, 80)) for _ in range(3)])
    ds = header(rgb, 12, 16, "US")
    return Case(file_of(ds, native(rgb, 16), ExplicitVRLittleEndian), shade(rgb / 4095))


@kind
def luminance_and_chrominance(rng: np.random.Generator) -> Case:
    rgb = colours(rng)
    rgb[:, 1::2] = rgb[:, ::2]
    ybr = convert_color_space(rgb, "RGB", "YBR_FULL").astype(np.uint8)
    half = rng.random() < 0.5
    ds = header(rgb, 8, 8, "US", PhotometricInterpretation="YBR_FULL_422" if half else "YBR_FULL")
    pairs = np.concatenate([ybr[:, ::2, :1], ybr[:, 1::2, :1], ybr[:, ::2, 1:]], axis=-1)
    data = (pairs if half else ybr).tobytes()
    truth = convert_color_space(ybr, "YBR_FULL", "RGB").astype(np.uint8)
    return Case(file_of(ds, data + b"\0" * (len(data) % 2), ExplicitVRLittleEndian), truth)


@kind
def palettes(rng: np.random.Generator) -> Case:
    wide = rng.random() < 0.4
    count, first = (int(rng.integers(300, 4096)), int(rng.integers(0, 50))) if wide else (int(rng.integers(60, 257)), 0)
    indices = picture(rng, first, first + count - 1)
    tables = [np.rint(255 * rng.random(count)).astype(np.int64) for _ in range(3)]
    for table in tables:
        table[0] = 255
    deep = rng.random() < 0.6
    ds = header(indices, 16 if wide else 8, 16 if wide else 8, "US", PhotometricInterpretation="PALETTE COLOR")
    for k, (name, table) in enumerate(zip(("Red", "Green", "Blue"), tables, strict=True)):
        ds.add_new(0x00281101 + k, "US", [count, first, 16 if deep else 8])
        data = (
            ((table << 8) + (table if count % 2 else 0)).astype("<u2").tobytes()
            if deep
            else table.astype("u1").tobytes()
        )
        setattr(ds, f"{name}PaletteColorLookupTableData", data + b"\0" * (len(data) % 2))
    truth = np.dstack([t[indices - first] for t in tables]).astype(np.uint8)
    return Case(file_of(ds, native(indices, 16 if wide else 8), ExplicitVRLittleEndian), truth)


@kind
def segmented_palettes(rng: np.random.Generator) -> Case:
    indices = picture(rng, 0, 255)
    ds = header(indices, 8, 8, "US", PhotometricInterpretation="PALETTE COLOR")
    tables = []
    for k, name in enumerate(("Red", "Green", "Blue")):
        start, middle, end = (int(v) for v in rng.integers(0, 256, 3))
        ds.add_new(0x00281101 + k, "US", [256, 0, 16])
        codes = np.array([0, 1, start << 8, 1, 127, middle << 8, 1, 128, end << 8], "<u2")
        setattr(ds, f"Segmented{name}PaletteColorLookupTableData", codes.tobytes())
        parts = [
            [start << 8],
            np.linspace(start << 8, middle << 8, 128)[1:],
            np.linspace(middle << 8, end << 8, 129)[1:],
        ]
        tables.append(np.rint(np.concatenate(parts)).astype(np.int64) >> 8)
    truth = np.dstack([t[indices] for t in tables]).astype(np.uint8)
    return Case(file_of(ds, native(indices, 8), ExplicitVRLittleEndian), truth)


@kind
def tables_of_packed_bytes(rng: np.random.Generator) -> Case:
    values = picture(rng, 0, 1023)
    table = curve(rng, 1024, 255)
    item = Dataset()
    item.LUTDescriptor = [1024, 0, 8]
    syntax = _one(rng, NATIVE)
    raw = table.astype("u1").tobytes()
    if syntax == ExplicitVRBigEndian:
        raw = np.frombuffer(raw, "<u2").byteswap().tobytes()
    item.add_new(0x00283006, "OW", raw)
    ds = header(values, 10, 16, "CR", VOILUTSequence=Sequence([item]))
    return Case(file_of(ds, native(values, 16, syntax), syntax), shade(table[values] / 255))


@kind
def tables_in_every_order(rng: np.random.Generator) -> Case:
    values, bits = _deep(rng)
    table, top = curve(rng, 1 << bits, 4095), 4095
    syntax = _one(rng, NATIVE)
    item = Dataset()
    item.LUTDescriptor = [(1 << bits) & 0xFFFF, 0, 12]
    if rng.random() < 0.5:
        item.add_new(0x00283006, "US", table.tolist())
    else:
        order = ">" if syntax == ExplicitVRBigEndian else "<"
        item.add_new(0x00283006, "OW", table.astype(f"{order}u2").tobytes())
    ds = header(values, bits, 16, "CR", VOILUTSequence=Sequence([item]))
    ds.WindowCenter, ds.WindowWidth = "-900", "7"  # the table goes first
    return Case(file_of(ds, native(values, 16, syntax), syntax), shade(table[values] / top))


@kind
def modality_tables(rng: np.random.Generator) -> Case:
    values = picture(rng, 0, 1023)
    first = int(rng.integers(0, 100))
    table = curve(rng, 900, int(rng.integers(3000, 65535)))
    mapped = table[np.clip(values - first, 0, 899)]
    item = lut_item(first, 16, table)
    item.ModalityLUTType = "US"
    ds = header(values, 10, 16, "CR", ModalityLUTSequence=Sequence([item]), **wide_window(mapped))
    return Case(file_of(ds, native(values, 16), ExplicitVRLittleEndian), _of(mapped))


@kind
def functions_of_a_window(rng: np.random.Generator) -> Case:
    values, bits = _deep(rng)
    spelt = _one(
        rng, ("SIGMOID", "Sigmoid", "sigmoid ", "LINEAR_EXACT", "linear_exact", "LINEAR EXACT", "LINEAR", "linear")
    )
    ds = header(values, bits, 16, **wide_window(values))
    ds.add_new(0x00281056, "CS", spelt)
    ds.WindowWidth = f"{float(ds.WindowWidth) * 0.6:.1f}"
    function = str(spelt).strip().upper().replace(" ", "_")
    truth = windowed(values, float(ds.WindowCenter), float(ds.WindowWidth), function)
    return Case(file_of(ds, native(values, 16), ExplicitVRLittleEndian), truth)


@kind
def several_windows(rng: np.random.Generator) -> Case:
    values, bits = _deep(rng)
    centre, width = float(np.quantile(values, 0.6)), float(np.ptp(values)) / 2
    ds = header(
        values, bits, 16, WindowCenter=[f"{centre:.1f}", "40", "-600"], WindowWidth=[f"{width:.1f}", "400", "1"]
    )
    truth = windowed(values, float(f"{centre:.1f}"), float(f"{width:.1f}"))
    return Case(file_of(ds, native(values, 16), ExplicitVRLittleEndian), truth)


def _groups(slope: float, intercept: float, window: tuple[float, float] | None) -> Dataset:
    group, rescale = Dataset(), Dataset()
    rescale.RescaleSlope, rescale.RescaleIntercept, rescale.RescaleType = f"{slope:.4f}", f"{intercept:.1f}", "US"
    group.PixelValueTransformationSequence = Sequence([rescale])
    if window is not None:
        voi = Dataset()
        voi.WindowCenter, voi.WindowWidth = f"{window[0]:.1f}", f"{window[1]:.1f}"
        group.FrameVOILUTSequence = Sequence([voi])
    return group


@kind
def functional_groups(rng: np.random.Generator) -> Case:
    values, bits = _deep(rng)
    frames = np.stack([values, values[::-1], values[:, ::-1]])
    slopes = [round(float(s), 4) for s in rng.uniform(0.2, 3, 3)]
    starts = [round(float(s), 1) for s in rng.uniform(-2000, 2000, 3)]
    windows = [
        (float(np.mean(f * a + b)), float(np.ptp(f)) * a) for f, a, b in zip(frames, slopes, starts, strict=True)
    ]
    frame = int(rng.integers(3))
    ds = header(frames, bits, 16, "EMR")
    shared = rng.random() < 0.3
    if shared:
        ds.SharedFunctionalGroupsSequence = Sequence([_groups(slopes[frame], starts[frame], windows[frame])])
        ds.PerFrameFunctionalGroupsSequence = Sequence([Dataset(), Dataset(), Dataset()])
    else:
        groups = [_groups(a, b, w) for a, b, w in zip(slopes, starts, windows, strict=True)]
        ds.PerFrameFunctionalGroupsSequence = Sequence(groups)
    mapped = frames[frame] * slopes[frame] + starts[frame]
    centre, width = (float(f"{v:.1f}") for v in windows[frame])
    return Case(file_of(ds, native(frames, 16), ExplicitVRLittleEndian), windowed(mapped, centre, width), frame)


@kind
def inverted_films(rng: np.random.Generator) -> Case:
    values, bits = _deep(rng)
    ds = header(values, bits, 16, "DX", PhotometricInterpretation="MONOCHROME1", **wide_window(values))
    if rng.random() < 0.5:
        ds.PresentationLUTShape = "INVERSE"
    return Case(file_of(ds, native(values, 16), ExplicitVRLittleEndian), 255 - shown(values, ds))


@kind
def floats(rng: np.random.Generator) -> Case:
    values = picture(rng, 0, 60000) / 1000.0 - 7.5
    double = rng.random() < 0.5
    ds = header(picture(rng, 0, 9, values.shape), 16, 64 if double else 32, "NM")
    del ds.BitsStored, ds.HighBit, ds.PixelRepresentation
    cells = values.astype("<f8" if double else "<f4")
    if rng.random() < 0.3:
        cells[3, 4] = cells.min()  # a number that is none is as dark
        truth = unwindowed(cells)
        cells[3, 4] = np.nan
    else:
        truth = unwindowed(cells)
    data = file_of(ds, b"\0\0", ExplicitVRLittleEndian)
    tag = b"\xe0\x7f\x10\x00"
    at = data.rindex(tag)
    number, vr = (9, b"OD") if double else (8, b"OF")
    element = struct.pack("<HH2s2xL", 0x7FE0, number, vr, cells.nbytes) + cells.tobytes()
    return Case(data[:at] + element, truth)


@kind
def without_a_window(rng: np.random.Generator) -> Case:
    values, bits = _deep(rng, signed=rng.random() < 0.3)
    pad = None
    ds = header(values, bits, 16)
    if rng.random() < 0.5:
        pad = np.zeros(values.shape, bool)
        pad[:, : values.shape[1] // 4] = True
        values[pad] = values.min()
        pad = values == values.min()
        ds.add_new(0x00280120, "SS" if values.min() < 0 else "US", int(values.min()))
    return Case(file_of(ds, native(values, 16), ExplicitVRLittleEndian), unwindowed(values, pad))


@kind
def rescaled(rng: np.random.Generator) -> Case:
    values, bits = _deep(rng)
    slope, intercept = float(_one(rng, (0.25, 1.5, -1.0, 3.125))), float(rng.integers(-2000, 2000))
    mapped = values * slope + intercept
    ds = header(values, bits, 16, RescaleSlope=str(slope), RescaleIntercept=str(intercept), **wide_window(mapped))
    return Case(file_of(ds, native(values, 16), ExplicitVRLittleEndian), _of(mapped))


@kind
def deep_cells(rng: np.random.Generator) -> Case:
    values = picture(rng, 0, int(rng.integers(70000, 1 << 30)))
    ds = header(values, 32, 32, **wide_window(values))
    syntax = _one(rng, NATIVE)
    return Case(file_of(ds, native(values, 32, syntax), syntax), _of(values))


@kind
def signed_streams(rng: np.random.Generator) -> Case:
    bits = int(_one(rng, (12, 13, 16)))
    half = 1 << (bits - 1)
    values = picture(rng, -half + 9, half - 7)
    ds = header(values, bits, 16, **wide_window(values))
    syntax = _one(rng, (JPEG2000Lossless, JPEGLSLossless, JPEGLosslessSV1, RLELossless))
    if syntax == JPEG2000Lossless and rng.random() < 0.5:
        code = stream(values.astype("i2"), syntax, bitspersample=bits)
    else:
        code = stream(cells_of(values, 16) & ((1 << bits) - 1), syntax)
    return Case(file_of(ds, packed([code]), syntax, coded=True), _of(values))


@kind
def twelve_bits_of_dct(rng: np.random.Generator) -> Case:
    values = picture(rng, 0, 4095)
    code = stream(values.astype("u2"), JPEGBaseline8Bit, bitspersample=12, level=98)
    ds = header(values, 12, 16, **wide_window(values))
    return Case(file_of(ds, packed([code]), JPEGExtended12Bit, coded=True), _of(values), 0, 12)


@kind
def lossy_wavelets(rng: np.random.Generator) -> Case:
    values = picture(rng, 0, 255).astype(np.uint8)
    code = stream(values, JPEG2000, reversible=False, level=55)
    return Case(file_of(header(values, 8, 8, "US"), packed([code]), JPEG2000, coded=True), values, 0, 8)


@kind
def whole_jp2_files(rng: np.random.Generator) -> Case:
    values = picture(rng, 0, 4095)
    code = stream(values.astype("u2"), JPEG2000Lossless, codecformat="jp2")
    ds = header(values, 12, 16, **wide_window(values))
    return Case(file_of(ds, packed([code]), JPEG2000Lossless, coded=True), _of(values))


@kind
def a_few_bytes_too_many(rng: np.random.Generator) -> Case:
    values, bits = _deep(rng)
    ds = header(values, bits, 16, **wide_window(values))
    data = native(values, 16) + rng.bytes(2 * int(rng.integers(1, 30)))
    return Case(file_of(ds, data, ExplicitVRLittleEndian), _of(values))


@kind
def no_meta_information(rng: np.random.Generator) -> Case:
    values, bits = _deep(rng)
    syntax = _one(rng, (ExplicitVRLittleEndian, ImplicitVRLittleEndian))
    data = file_of(header(values, bits, 16, **wide_window(values)), native(values, 16), syntax)
    return Case(data[132 + 12 + int.from_bytes(data[140:144], "little") :], _of(values))
