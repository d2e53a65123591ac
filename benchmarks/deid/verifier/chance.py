"""False alarms of the verifier's byte search in pixels: names of nobody, searched in noise and in real pictures.

    python -m benchmarks.deid.verifier.chance [--data FOLDER] [--names 2000] [--out FILE]

Every name is searched as the verifier does, in every case and encoding of 7 bytes and more, in every picture. No
picture holds a name, so each hit is chance. Three counts: hits of the bytes alone (what a search without a bound would
call a leak), hits that count, and how many may by the bound that `curate.deid.verify.dicom.byte_search.needed_bits`
states. The noise is the least favourable there is: of the mean and the spread of the letters themselves.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import warnings
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pydicom

from curate.deid.verify.dicom.byte_search import FALSE_ALARMS, found_in_pixels, holds_any
from curate.deid.verify.dicom.header import byte_forms

_BESIDE = Path(__file__).resolve().parents[4] / "shared" / "data"
_A_FILE = 64  # spellings sought in one file at a time, as of a header's ten or so values


def names(count: int, seed: int = 5) -> list[str]:
    """Names of 4 to 8 letters, each as often as English has names of that length."""
    packed = files("curate.deid.words").joinpath("data/surnames.txt.gz").read_bytes()
    all_ = [w for w in gzip.decompress(packed).decode().split() if w.isascii() and w.isalpha() and 4 <= len(w) <= 8]
    return random.Random(seed).sample(sorted(set(all_)), count)


def noise(seed: int = 5) -> Iterator[tuple[str, bytes, int]]:
    """(kind, pixel data, bytes a sample): 4 Mpx each, a smooth one (a random walk) among them."""
    rng = np.random.default_rng(seed)
    size = 2048 * 2048
    for cell, dtype in ((1, "<u1"), (2, "<u2")):
        for mean, spread in ((108, 7), (80, 7), (80, 20), (100, 60)):
            drawn = np.clip(rng.normal(mean, spread, size), 0, 255).astype(dtype)
            yield f"noise {mean} +- {spread}, {8 * cell} bit", drawn.tobytes(), cell
        steps = np.clip(100 + 25 * np.sin(np.cumsum(rng.normal(0, 0.2, size))) + rng.normal(0, 4, size), 0, 255)
        yield f"waves, {8 * cell} bit", steps.astype(dtype).tobytes(), cell
        yield f"uniform, {8 * cell} bit", rng.integers(0, 256**cell, size).astype(dtype).tobytes(), cell


def real(data: Path) -> Iterator[tuple[str, bytes, int]]:
    """The decoded pixel data of public DICOM files, those of one size and beginning once."""
    seen: set[tuple[int, bytes]] = set()
    for path in sorted((data / "dicom").rglob("*")):
        if not path.is_file():
            continue
        try:
            array = np.ascontiguousarray(pydicom.dcmread(path).pixel_array)
        except Exception:  # noqa: BLE001  whatever cannot be decoded is no picture
            continue
        raw = array.tobytes()
        mark = (len(raw), raw[len(raw) // 2 : len(raw) // 2 + 64])
        if len(raw) > 50_000 and array.dtype.itemsize < 3 and mark not in seen:
            seen.add(mark)
            yield f"real, {8 * array.dtype.itemsize} bit", raw, array.dtype.itemsize


def count(pictures: Iterator[tuple[str, bytes, int]], sought: list[str]) -> dict[str, dict[str, float]]:
    """Per kind of picture: how many, their bytes, names searched, hits of bytes, hits that count, how many may."""
    groups: list[dict[bytes, str]] = [{}]
    for name in sought:
        groups[-1].update(dict.fromkeys(byte_forms(name), name))
        if len(groups[-1]) >= _A_FILE:
            groups.append({})
    told: dict[str, dict[str, float]] = {}
    for kind, data, cell in pictures:
        one = told.setdefault(kind, dict.fromkeys(("pictures", "megabytes", "hits", "counted", "allowed"), 0.0))
        one["pictures"] += 1
        one["megabytes"] = round(one["megabytes"] + len(data) / 2**20, 2)
        for group in groups:
            one["hits"] += len(holds_any(data, group))
            one["counted"] += len(found_in_pixels(data, group, cell))
            one["allowed"] += FALSE_ALARMS
    for one in told.values():
        one["allowed"] = round(one["allowed"], 5)
        one["hits, a name and picture"] = round(one["hits"] / one["pictures"] / len(sought), 6)
    return told


def measure(data: Path | None, names_: int) -> dict[str, Any]:
    """Noise, and real pictures where there are any."""
    sought = names(names_)
    return {"names": len(sought), **count(noise(), sought), **(count(real(data), sought) if data else {})}


def main() -> None:
    """Print, and write as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=_BESIDE if _BESIDE.is_dir() else None)
    parser.add_argument("--names", type=int, default=2000)
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")
    result = measure(chosen.data, chosen.names)
    print(json.dumps(result, indent=1))
    if chosen.out:
        chosen.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
