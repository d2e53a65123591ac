"""Our decode against plain pydicom, both in one run: python -m benchmarks.decode [--side 1024] [--repeats 7] [--out F]

For each transfer syntax one synthetic radiograph is read `repeats` times each way, in turn, and the median of the
process' CPU time taken. "stored" is file to stored values: pydicom's `dcmread` and `pixel_array` against
`decode_frame`. "picture" is file to an 8-bit windowed picture: `dcmread`, `pixel_array`, `apply_modality_lut`,
`apply_voi_lut` and a scaling to 8 bits against `load_dicom`. Before anything is timed, the stored values of both are
checked to be the same.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
from pydicom.pixels import apply_modality_lut, apply_voi_lut, get_decoder
from pydicom.uid import UID, JPEGBaseline8Bit

from curate.sources.dicom import codec
from curate.sources.dicom.file import open_dicom
from curate.sources.dicom.prove import prove
from curate.sources.dicom.read import load_dicom, read_header
from curate.sources.picture import PixelRules
from tests.curate.dicomfiles import ENCAPSULATED, NATIVE, write

RULES = PixelRules()


def radiograph(side: int, bits: int) -> np.ndarray:
    """(side, side): smooth anatomy-like shades with noise in the low bits, as a detector gives."""
    y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    shades = np.exp(-3 * (np.abs(x) - 0.45) ** 2 - y**2) + 0.2 * np.cos(9 * y) * np.exp(-4 * x**2)
    noise = np.random.default_rng(0).normal(0, 0.004, (side, side))
    scaled = np.clip((shades + noise) / 1.3, 0, 1) * (2**bits - 1)
    return scaled.astype("u1" if bits == 8 else "u2")


def plain_plugin(syntax: UID) -> str:
    """The first of pydicom's own plugins for the syntax."""
    return next(iter(get_decoder(syntax)._available), "")


def plain_stored(path: Path, plugin: str) -> np.ndarray:
    return pydicom.pixels.pixel_array(pydicom.dcmread(path), index=0, decoding_plugin=plugin)


def plain_picture(path: Path, plugin: str) -> np.ndarray:
    ds = pydicom.dcmread(path)
    ds.pixel_array_options(index=0, decoding_plugin=plugin)
    windowed = apply_voi_lut(apply_modality_lut(ds.pixel_array, ds), ds).astype(np.float64)
    return ((windowed - windowed.min()) / (windowed.max() - windowed.min()) * 255 + 0.5).astype(np.uint8)


def our_stored(path: Path) -> np.ndarray:
    with open_dicom(path, RULES.max_bytes) as file:
        return codec.decode_frame(prove(file), 0)[0]


def alternating_medians(calls: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median CPU milliseconds of each call; they alternate, so that a busy machine is unfair to none."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(repeats + 1):
        for name, call in calls.items():
            start = time.process_time()
            call()
            if turn:  # the first turn warms up
                times[name].append((time.process_time() - start) * 1e3)
    return {name: statistics.median(values) for name, values in times.items()}


def measure(folder: Path, syntax: UID, side: int, repeats: int) -> dict[str, float | str]:
    bits = 8 if syntax == JPEGBaseline8Bit else 12
    window = {"WindowCenter": "1800", "WindowWidth": "3000"} if bits == 12 else {}
    extra = {"RescaleSlope": "1", "RescaleIntercept": "0", "BitsStored": bits, **window}
    path, plugin = write(folder / "a.dcm", radiograph(side, bits), syntax, **extra), plain_plugin(syntax)
    assert np.array_equal(our_stored(path), plain_stored(path, plugin)), syntax.name
    ms = alternating_medians(
        {
            "plain_stored": lambda: plain_stored(path, plugin),
            "our_stored": lambda: our_stored(path),
            "plain_picture": lambda: plain_picture(path, plugin),
            "our_picture": lambda: load_dicom(path, 0, RULES),
            "our_header": lambda: read_header(path),
        },
        repeats,
    )
    return {"syntax": syntax.keyword, "uid": str(syntax), "pydicom_plugin": plugin, **ms}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=1024)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/decode.json"))
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        rows = [measure(Path(folder), syntax, args.side, args.repeats) for syntax in NATIVE + ENCAPSULATED]
    print(f"CPU ms a {args.side} x {args.side} image, median of {args.repeats}")
    print(
        f"{'transfer syntax':30} {'plugin':>9} | stored: pydicom  ours  ratio | picture: pydicom  ours  ratio | header"
    )
    for r in rows:
        a, b, c, d = (float(r[k]) for k in ("plain_stored", "our_stored", "plain_picture", "our_picture"))
        head = f"{r['syntax']:30.30} {r['pydicom_plugin']:>9}"
        print(f"{head} | {a:15.1f} {b:5.1f} {a / b:6.1f} | {c:16.1f} {d:5.1f} {c / d:6.1f} | {r['our_header']:6.2f}")
    args.out.parent.mkdir(parents=True, exist_ok=True)
    machine = {"machine": platform.machine(), "python": platform.python_version(), "pydicom": pydicom.__version__}
    args.out.write_text(
        json.dumps({**machine, "side": args.side, "repeats": args.repeats, "rows": rows}, indent=1) + "\n"
    )


if __name__ == "__main__":
    main()
