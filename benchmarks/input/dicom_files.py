"""DICOM files whose header and data contradict each other, and good ones that are unusual: `python -m
benchmarks.input.dicom_files [--count N] [--seed S] [--out FILE]`.

A contradictory file must be dropped with a Reason or shown as the picture that went into it; a good one must be shown.
How these differ from hand-made examples of single faults: shapes are odd and drawn anew, textures are masses, hard
edges and grain (one in seven too noisy for neighbours to be witnesses), values of 10 to 16 bits, every syntax and byte
order that can carry the fault, several frames, faults drawn in strength as well as in kind. One file in ``EXPORTED``
goes through `curate deid`'s writer too, and what is written must show the same picture.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.input import dicom_contradictory, dicom_good
from benchmarks.input.dicom_make import Case, keep
from curate.deid.pseudonym import Pseudonymizer
from curate.deid.rules import DeidRules
from curate.deid_export.dicom.clean import clean_dicom
from curate.deid_export.rules import ReleaseRules
from curate.errors import DropRecord
from curate.sources.dicom.read import load_dicom, read_header
from curate.sources.picture import PixelRules

EXPORTED = 10
_PSEUDO, _TRUST = Pseudonymizer(bytes(range(32))), ReleaseRules(deid=DeidRules("trust"))


def read(path: Path, frame: int) -> np.ndarray | str:
    """The picture the product makes of the file, or the Reason."""
    try:
        read_header(path)
        return load_dicom(path, frame, PixelRules()).pixels
    except DropRecord as dropped:
        return dropped.reason.value


def verdict(found: np.ndarray | str, case: Case) -> str:
    """ "right", "wrong", or "dropped"."""
    if isinstance(found, str):
        return "dropped"
    truth = case.truth
    if truth.ndim == 3 and found.ndim == 2:
        found = np.dstack([found] * 3)
    if truth.ndim == 2 and found.ndim == 3:
        return "wrong"
    same = found.shape == truth.shape
    return "right" if same and np.abs(found.astype(int) - truth.astype(int)).max() <= case.within else "wrong"


def judge(kinds: dict[str, Any], count: int, seed: int, folder: Path) -> dict[str, Any]:
    """``count`` files of ``kinds`` in turn: how many of each were right, wrong, dropped, and for which Reasons."""
    path, written = folder / "case.dcm", folder / "written.dcm"
    table: dict[str, Counter[str]] = {name: Counter() for name in kinds}
    reasons: Counter[str] = Counter()
    names = list(kinds)
    for k in range(count):
        name = names[k % len(names)]
        case: Case = kinds[name](np.random.default_rng((seed, k)))
        path.write_bytes(case.data)
        found = read(path, case.frame)
        table[name][verdict(found, case)] += 1
        if isinstance(found, str):
            reasons[found] += 1
        if (k // len(names)) % EXPORTED == 0:
            outcome = clean_dicom(path, _TRUST, _PSEUDO)
            if outcome.data is not None:
                written.write_bytes(outcome.data)
                table[name]["exported " + verdict(read(written, case.frame), case)] += 1
    total = sum(table.values(), Counter[str]())
    return {"files": count, **total, "reasons": dict(sorted(reasons.items())),
            "kinds": {name: dict(sorted(row.items())) for name, row in table.items()}}  # fmt: skip


def run(count: int = 1600, seed: int = 20261128) -> dict[str, Any]:
    """Both halves, ``count`` files each."""
    started = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        halves = {
            "contradictory": judge(dicom_contradictory.KINDS, count, seed, Path(folder)),
            "good": judge(dicom_good.KINDS, count, seed, Path(folder)),
        }
    return {"seed": seed, **halves, "cpu_seconds": round(time.process_time() - started, 1)}


def main() -> None:
    """Print the figures, kind by kind where something is wrong or lost."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--count", type=int, default=1600)
    parser.add_argument("--seed", type=int, default=20261128)
    parser.add_argument("--all", action="store_true", help="every kind, not only those with faults")
    parser.add_argument("--out", type=Path, help="results to write the figures into")
    options = parser.parse_args()
    result = run(options.count, options.seed)
    for half, bad in (("contradictory", ("wrong", "exported wrong")), ("good", ("wrong", "dropped", "exported wrong"))):
        for name, row in result[half]["kinds"].items():
            if options.all or any(row.get(verdict) for verdict in bad):
                print(f"{half:14} {name:45} {row}")
        figures = {k: v for k, v in result[half].items() if k != "kinds"}
        print(f"{half}: {json.dumps(figures)}")
    print(f"{result.pop('cpu_seconds')} CPU-seconds")
    if options.out is not None:
        keep(options.out, "files", result)


if __name__ == "__main__":
    main()
