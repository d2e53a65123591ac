"""Plain image files of every unusual and every contradictory kind, through the readers of both commands.

    python -m benchmarks.input.image_files [--seeds 0 1 2] [--out FILE]

The truth of a good file is the array that was encoded, so no decoder is believed. A contradictory file must be dropped
with a Reason, or shown as the whole picture that its data prove.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np

from benchmarks.input.image_bad import Bad, bad
from benchmarks.input.image_good import Good, good
from curate.deid.pseudonym import Pseudonymizer
from curate.deid.rules import DeidRules
from curate.deid_export.images import clean_image
from curate.deid_export.rules import ReleaseRules
from curate.errors import DropRecord
from curate.sources.images.read import load_image, read_image_header
from curate.sources.picture import PixelRules

RULES = PixelRules(max_bytes=1 << 24)
RELEASE = ReleaseRules(deid=DeidRules("trust"), max_bytes=1 << 24)
PSEUDO = Pseudonymizer(b"input" * 8)


def shown(values: np.ndarray) -> np.ndarray:
    """The 8-bit picture of stored values, by sorting."""
    if values.dtype == np.uint8:
        return values
    if values.dtype == np.int8:
        return (values.astype(int) + 128).astype(np.uint8)
    numbers = values.astype(np.float64)
    ordered = np.sort(numbers[np.isfinite(numbers)])
    inner = ordered[[int(np.ceil(0.005 * ordered.size)) - 1, int(np.ceil(0.995 * ordered.size)) - 1]]
    ends = ordered[[0, -1]]
    low, high = inner if np.ptp(ends) > 2 * np.ptp(inner) > 0 else ends
    return np.floor(np.clip((np.nan_to_num(numbers, nan=low) - low) / (high - low), 0, 1) * 255 + 0.5).astype(np.uint8)


def equal(found: np.ndarray, truth: np.ndarray, within: int) -> bool:
    """Are two pictures one, a grey one being a colour of three equal channels?"""
    if found.ndim < truth.ndim:
        found = np.dstack([found] * 3)
    elif truth.ndim < found.ndim:
        truth = np.dstack([truth] * 3)
    return found.shape == truth.shape and int(np.abs(found.astype(int) - truth.astype(int)).max()) <= within


def read(path: Path, data: bytes) -> np.ndarray | str:
    """The picture that `curate run` makes of a file, or the reason why it makes none, or the error it ends with."""
    path.write_bytes(data)
    try:
        header = read_image_header(path)
        pixels = load_image(path, 0, RULES).pixels
    except DropRecord as dropped:
        return dropped.reason.value
    except Exception as error:  # noqa: BLE001  what must not happen is counted
        return f"error {type(error).__name__}"
    same = {header.rows, header.columns} == set(pixels.shape[:2])  # turned by what stands behind the pixels or not
    return pixels if same else "another size than its header's"


def released(path: Path) -> np.ndarray | str:
    """The values that `curate deid` writes."""
    try:
        outcome = clean_image(path, RELEASE, PSEUDO)
    except Exception as error:  # noqa: BLE001  what must not happen is counted
        return f"error {type(error).__name__}"
    if outcome.data is None:
        return str(outcome.reason)
    decode = {".png": imagecodecs.png_decode, ".tif": imagecodecs.tiff_decode, ".jpg": imagecodecs.jpeg8_decode}
    return np.asarray(decode[outcome.suffix](outcome.data))


def check_good(files: Iterable[Good], path: Path) -> dict[str, Any]:
    lost, wrong, changed = Counter[str](), Counter[str](), Counter[str]()
    count = asked = 0
    for file in files:
        count += 1
        found = read(path, file.data)
        if isinstance(found, str):
            lost[f"{file.name}: {found}"] += 1
        elif not equal(found, shown(file.truth), file.within):
            wrong[file.name] += 1
        if file.exact:
            asked += 1
            written = released(path)
            same = isinstance(written, np.ndarray) and equal_values(written, file.truth)
            changed[f"{file.name}: {written if isinstance(written, str) else written.dtype}"] += not same
    return {
        "files": count,
        "lost": dict(lost),
        "wrong": dict(wrong),
        "deid_asked": asked,
        "deid_changed": dict(+changed),
    }


def equal_values(written: np.ndarray, truth: np.ndarray) -> bool:
    """The same dtype and the same values, one grey channel standing for three equal ones."""
    if written.ndim < truth.ndim:
        written = np.dstack([written] * 3)
    if written.dtype != truth.dtype or written.shape != truth.shape:
        return False
    kind = np.abs(written.astype(np.float64) - truth.astype(np.float64))
    lossless = np.nanmax(kind) == 0 and np.array_equal(np.isnan(written), np.isnan(truth))
    return bool(lossless or (truth.dtype.kind == "u" and np.nanmax(kind) <= 1))  # alpha may round the other way


def check_bad(files: Iterable[Bad], path: Path) -> dict[str, Any]:
    wrong, reasons = Counter[str](), Counter[str]()
    count = right = 0
    for file in files:
        count += 1
        found = read(path, file.data)
        if isinstance(found, str):
            reasons[found] += 1
            wrong[f"{file.name}: {found}"] += found.startswith(("error", "another"))
        elif file.truth is not None and equal(found, shown(file.truth), file.within):
            right += 1
        else:
            wrong[file.name] += 1
    return {"files": count, "kept_right": right, "kept_wrong": dict(+wrong), "reasons": dict(sorted(reasons.items()))}


def run(seeds: Sequence[int] = (0, 1, 2)) -> dict[str, Any]:
    """All files of ``seeds`` through the readers; counts, by kind where something is wrong."""
    begun = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file.bin"
        return {
            "seeds": list(seeds),
            "good": check_good((file for seed in seeds for file in good(seed)), path),
            "contradictory": check_bad((file for seed in seeds for file in bad(seed)), path),
            "cpu_seconds": round(time.process_time() - begun, 1),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    text = json.dumps(run(given.seeds), indent=1) + "\n"
    print(text)
    if given.out:
        given.out.write_text(text)


if __name__ == "__main__":
    main()
