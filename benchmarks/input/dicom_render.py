"""Do other renderers show the same shades? `python -m benchmarks.input.dicom_render [--data FOLDER] [--out FILE]`

Cells are made over photometric interpretation x bits x sign x mapping (window of each function, VOI LUT, modality LUT,
rescale, none) x transfer syntax; ``--data`` and the files that come with pydicom are judged beside them, by DCMTK and
pydicom. A cell agrees with a judge where no pixel differs by more than one shade; every other cell must have a named
cause. Counted are pairs of cell and judge, and cells: those that every judge agrees with, those that most do (of two
against each other neither is most), and those that one agrees with while the cause of each other's distance is named.

What is compared: windows and VOI LUTs as they are. A frame of more than 8 bits without either is shown by percentiles,
a rule of the product's own (`benchmarks.input.dicom_files` holds it against a reference); against a judge it is
shown by its extremes (``window: full``), which is DCMTK's ``+Wm``. pydicom has no rule for inverting: `dicom_judges`
inverts for it.
"""

from __future__ import annotations

import argparse
import itertools
import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.data import get_testdata_files
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.pixels.processing import convert_color_space
from pydicom.sequence import Sequence
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from benchmarks.input.dicom_contradictory import curve, lut_item
from benchmarks.input.dicom_judges import (
    by_dcmjs,
    by_dcmtk,
    by_gdcm,
    by_pydicom,
    dcmtk_version,
    head,
    is_dcmtks_arithmetic,
    mapping,
)
from benchmarks.input.dicom_make import (
    cells_of,
    colours,
    file_of,
    header,
    keep,
    native,
    packed,
    picture,
    stream,
    wide_window,
)
from curate.errors import DropRecord
from curate.sources.dicom.read import load_dicom
from curate.sources.picture import PixelRules

SYNTAXES = (
    ImplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
    RLELossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEG2000Lossless,
)
MAPPINGS = ("LINEAR", "LINEAR_EXACT", "SIGMOID", "rescale", "lut", "modality", "none")
Judges = dict[str, Callable[[Path], np.ndarray | None]]
JUDGES: Judges = {"pydicom": by_pydicom, "dcmtk": by_dcmtk}
MORE: Judges = {"gdcm": by_gdcm, "dcmjs": by_dcmjs}  # of made cells, whose every kind they know or are not asked about


def cells(step: int = 1) -> Iterator[tuple[str, bytes]]:
    """(name, file) of every ``step``-th grey cell and of every ``step``-th in colour."""
    grey = itertools.product(("MONOCHROME1", "MONOCHROME2"), (8, 10, 12, 16), (False, True), MAPPINGS, SYNTAXES)
    for k, (photometric, bits, signed, how, syntax) in itertools.islice(enumerate(grey), 0, None, step):
        name = f"{photometric} {bits} bits {'signed' if signed else 'unsigned'} {how} {syntax.name}"
        yield name, _grey(np.random.default_rng((4, k)), photometric, bits, how, syntax, signed=signed)
    colour = itertools.product(("RGB", "RGB by plane", "YBR_FULL", "YBR_FULL_422", "PALETTE 8", "PALETTE 16"), SYNTAXES)
    for k, (photometric, syntax) in itertools.islice(enumerate(colour), 0, None, step):
        data = _colour(np.random.default_rng((5, k)), photometric, syntax)
        if data is not None:
            yield f"{photometric} 8 bits {syntax.name}", data


def _file(ds: Dataset, values: np.ndarray, allocated: int, syntax: UID) -> bytes:
    if syntax.is_encapsulated:
        return file_of(ds, packed([stream(cells_of(values, allocated), syntax)]), syntax, coded=True)
    return file_of(ds, native(values, allocated, syntax), syntax)


def _grey(rng: np.random.Generator, photometric: str, bits: int, how: str, syntax: UID, *, signed: bool) -> bytes:
    allocated, half = 8 if bits == 8 else 16, 1 << (bits - 1)
    values = picture(rng, -half + 2, half - 2) if signed else picture(rng, 1, 2 * half - 2)
    vr, order = "SS" if signed else "US", ">" if syntax == ExplicitVRBigEndian else "<"
    ds = header(values, bits, allocated, PhotometricInterpretation=photometric)
    if how in ("LINEAR", "LINEAR_EXACT", "SIGMOID"):
        ds.WindowCenter, ds.WindowWidth = _decimals(float(np.quantile(values, 0.6)), float(np.ptp(values)) / 2)
        ds.VOILUTFunction = how
    elif how == "rescale":
        ds.RescaleSlope, ds.RescaleIntercept = "1.5", "-700"
        ds.WindowCenter, ds.WindowWidth = _decimals(float(values.mean()) * 1.5 - 700, float(np.ptp(values)))
    elif how == "lut":
        first = int(values.min()) & 0xFFFF
        count = min(int(np.ptp(values)) + 1, 65535)
        first = first - 0x10000 if signed else first
        ds.VOILUTSequence = Sequence([lut_item(first, 12, curve(rng, count, 4095), vr, order)])
    elif how == "modality":
        table = curve(rng, min(int(np.ptp(values)) + 1, 65535), 50000)
        first = int(values.min())
        item = lut_item(first, 16, table, vr, order)
        item.ModalityLUTType = "US"
        ds.ModalityLUTSequence = Sequence([item])
        for keyword, text in wide_window(table).items():
            setattr(ds, keyword, text)
    return _file(ds, values, allocated, syntax)


def _decimals(centre: float, width: float) -> tuple[str, str]:
    return f"{centre:.1f}", f"{width:.1f}"


def _colour(rng: np.random.Generator, photometric: str, syntax: UID) -> bytes | None:
    if photometric.startswith("PALETTE"):
        indices, deep = picture(rng, 0, 255), photometric.endswith("16")
        ds = header(indices, 8, 8, "US", PhotometricInterpretation="PALETTE COLOR")
        for k, name in enumerate(("Red", "Green", "Blue")):
            table = rng.integers(0, 256, 256) * (257 if deep else 1)
            ds.add_new(0x00281101 + k, "US", [256, 0, 16 if deep else 8])
            order = ">" if syntax == ExplicitVRBigEndian else "<"
            words = table.astype(f"{order}u2") if deep else table.astype("u1")
            if not deep and order == ">":
                words = words.reshape(-1, 2)[:, ::-1]
            setattr(ds, f"{name}PaletteColorLookupTableData", words.tobytes())
        return _file(ds, indices, 8, syntax)
    rgb = colours(rng)
    rgb[:, 1::2] = rgb[:, ::2]
    ds = header(rgb, 8, 8, "US")
    if photometric.startswith("YBR"):
        if syntax.is_encapsulated:
            return None
        ybr = convert_color_space(rgb, "RGB", "YBR_FULL").astype(np.uint8)
        pairs = np.concatenate([ybr[:, ::2, :1], ybr[:, 1::2, :1], ybr[:, ::2, 1:]], axis=-1)
        ds.PhotometricInterpretation = photometric
        return file_of(ds, (pairs if photometric.endswith("422") else ybr).tobytes(), syntax, vr="OB")
    if photometric == "RGB by plane":
        if syntax.is_encapsulated:
            return None
        ds.PlanarConfiguration = 1
        data = np.ascontiguousarray(np.moveaxis(rgb, -1, 0)).tobytes()
        return file_of(ds, data + b"\0" * (len(data) % 2), syntax, vr="OB")
    if syntax == JPEGLosslessSV1:
        return None  # the encoder at hand makes no colour
    if syntax.is_encapsulated:
        return file_of(ds, packed([stream(rgb, syntax)]), syntax, coded=True)
    return file_of(ds, rgb.tobytes() + b"\0" * (rgb.size % 2), syntax, vr="OB")


def ours(path: Path) -> np.ndarray | str:
    """The product's picture, by extremes where the rule of the percentiles would be asked; or the Reason."""
    try:
        ds = head(path)
        by_range = mapping(ds) == "range" and str(ds.get("PhotometricInterpretation", "")).startswith("MONO")
        return load_dicom(path, 0, PixelRules(window="full" if by_range else "dicom")).pixels
    except DropRecord as dropped:
        return dropped.reason.value


def difference(one: np.ndarray, other: np.ndarray) -> int:
    """The largest difference in shades; 256 where the pictures have different sizes."""
    one, other = (np.dstack([a] * 3) if a.ndim == 2 else a for a in (one, other))
    return int(np.abs(one.astype(int) - other.astype(int)).max()) if one.shape == other.shape else 256


def cause(ds: Dataset, judge: str, apart: int, path: Path, other: np.ndarray) -> str | None:
    """Why a judge shows another picture, where it is known; of DCMTK's arithmetic by doing it."""
    cut = judge == "dcmtk" and (str(ds.get("PhotometricInterpretation")).startswith("YBR") or "RescaleSlope" in ds)
    if cut and not _lossy(ds) and mapping(ds) in ("window", "bits") and is_dcmtks_arithmetic(path, other):
        return _CUT
    return next((name for name, holds in CAUSES.items() if holds(ds, judge, apart)), None)


def _lossy(ds: Dataset) -> bool:
    return getattr(ds, "file_meta", Dataset()).get("TransferSyntaxUID") in (JPEGBaseline8Bit, JPEGExtended12Bit)


def _narrow(ds: Dataset) -> bool:
    width = ds.get("WindowWidth")
    return width is not None and float(width[0] if isinstance(width, MultiValue) else width) < 1


_CUT = "DCMTK cuts to whole numbers in between, and centres colours at 127.5: done likewise its picture comes out"
CAUSES: dict[str, Callable[[Dataset, str, int], bool]] = {
    "pydicom and dcmjs do not swap a palette's bytes in big-endian words": lambda ds, judge, _: (
        judge in ("pydicom", "dcmjs")
        and ds.get("PhotometricInterpretation") == "PALETTE COLOR"
        and ds.file_meta.TransferSyntaxUID == ExplicitVRBigEndian
    ),
    "dcmjs takes the planes of RLE for whole pixels": lambda ds, judge, _: (
        judge == "dcmjs" and ds.SamplesPerPixel == 3 and ds.file_meta.TransferSyntaxUID == RLELossless
    ),
    "another decoder of lossy JPEG rounds, and spreads halved colours, in its own way": lambda ds, _, apart: (
        _lossy(ds) and apart <= (12 if str(ds.get("PhotometricInterpretation")).startswith("YBR") else 3)
    ),
    "a JFIF stream is YBR, and DCMTK believes the header's RGB": lambda ds, judge, _: (
        judge == "dcmtk" and _lossy(ds) and ds.get("PhotometricInterpretation") == "RGB"
    ),
    "padding is no part of our range, and of theirs it is": lambda ds, _, __: (
        "PixelPaddingValue" in ds and mapping(ds) == "range"
    ),
    "a window narrower than 1, which LINEAR forbids, is LINEAR_EXACT to us and black to DCMTK": lambda ds, judge, _: (
        judge == "dcmtk" and _narrow(ds)
    ),
}


def compare(path: Path, found: np.ndarray, judges: Judges = JUDGES) -> dict[str, Any]:
    """Of every judge that shows the file: the largest difference; where it is over one shade, the cause, and the least
    difference from another judge (None: there is none)."""
    ds = head(path)
    row: dict[str, Any] = {}
    for name, judge in judges.items():
        other = judge(path)
        if other is None:
            continue
        apart = difference(found, other)
        row[name] = {"apart": apart} | ({"cause": cause(ds, name, apart, path, other)} if apart > 1 else {})
    for name, result in row.items():
        if result["apart"] > 1:
            result["from_another"] = min((r["apart"] for n, r in row.items() if n != name), default=None)
    return row


def judge_all(named: Iterator[tuple[str, Path]], judges: Judges = JUDGES) -> dict[str, Any]:
    """The figures over some files: how many cells each judge saw and agreed with, and what it did not."""
    seen, agreed, causes, apart, dropped = Counter[str](), Counter[str](), Counter[str](), {}, Counter[str]()
    cells = Counter[str]()
    for name, path in named:
        found = ours(path)
        if isinstance(found, str):
            dropped[found] += 1
            continue
        results = compare(path, found, judges)
        near = [result["apart"] <= 1 for result in results.values()]
        explained = all(result.get("cause", "") is not None for result in results.values())
        cells["judged"] += bool(near)
        cells["every_judge"] += bool(near) and all(near)
        cells["most_judges"] += sum(near) * 2 > len(near)
        cells["any_judge"] += any(near) and explained
        for judge, result in results.items():
            seen[judge] += 1
            if result["apart"] <= 1:
                agreed[judge] += 1
            else:
                causes[result["cause"] or "UNNAMED"] += 1
                apart[f"{name} | {judge}"] = result
    return {"judged": dict(seen), "within_one_shade": dict(agreed), "cells": dict(cells),
            "causes": dict(sorted(causes.items())),
            "not_shown_by_us": dict(sorted(dropped.items())), "apart": apart}  # fmt: skip


def _made(folder: Path, step: int) -> Iterator[tuple[str, Path]]:
    path = folder / "cell.dcm"
    for name, data in cells(step):
        path.write_bytes(data)
        yield name, path


def run(data: Path | None = None, step: int = 1) -> dict[str, Any]:
    """Every ``step``-th generated cell, pydicom's bundled files and, where given, the DICOM files under ``data``."""
    with tempfile.TemporaryDirectory() as folder:
        made = judge_all(_made(Path(folder), step), JUDGES | MORE)
    bundled = judge_all((Path(p).name, Path(p)) for p in sorted(get_testdata_files("*.dcm")))
    result = {"dcmtk": dcmtk_version(), "pydicom": pydicom.__version__, "generated": made, "bundled": bundled}
    if data is not None:
        files = (p for p in sorted(data.rglob("*")) if p.is_file() and p.suffix not in (".csv", ".md"))
        result["data"] = judge_all((p.relative_to(data).as_posix(), p) for p in files)
    for half in ("generated", "bundled", "data"):
        if half in result:
            part = result[half]
            total, same = sum(part["judged"].values()), sum(part["within_one_shade"].values())
            part["agreement"] = round(same / total, 5) if total else None
            count = part["cells"].get("judged", 0)
            for rule in ("every_judge", "most_judges", "any_judge"):
                part[f"agreement_by_{rule}"] = round(part["cells"][rule] / count, 5) if count else None
    return result


def main() -> None:
    """Print the agreement and everything that is not within one shade."""
    parser = argparse.ArgumentParser(description="shades against DCMTK's and pydicom's")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--step", type=int, default=1)
    parser.add_argument("--out", type=Path, help="results to write the figures into")
    options = parser.parse_args()
    result = run(options.data, options.step)
    for half in ("generated", "bundled", "data"):
        for name, row in result.get(half, {}).get("apart", {}).items():
            print(f"{half:10} {name:70} {row}")
    for half in ("generated", "bundled", "data"):
        if half in result:
            print(half, json.dumps({k: v for k, v in result[half].items() if k != "apart"}))
    if options.out is not None:
        keep(options.out, "render", result)


if __name__ == "__main__":
    main()
