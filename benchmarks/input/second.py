"""A second generator of pictures: `python -m benchmarks.input.second [--seed S] [--each N] [--out FILE]`

156 files that contradict themselves and 186 good but unusual ones. How it differs from `dicom_contradictory`,
`dicom_good` and the image kinds: textures are real (pydicom's CT, MR and ultrasound files, cut and resized), the coders
are DCMTK's, pydicom's, libtiff's (Pillow) and OpenJPEG's rather than this folder's own, headers are those of other
objects (XA, tomosynthesis, NM, enhanced MR, secondary captures of every depth), and the right picture of each file is
written down before it is encoded. A contradictory file must be dropped or right; a good one must be right; what
`curate deid` writes of a file must be the same picture.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.input import second_contradictory, second_good
from benchmarks.input.dicom_make import keep
from benchmarks.input.second_pieces import Case, Make
from curate.deid.pseudonym import Pseudonymizer
from curate.deid.rules import DeidRules
from curate.deid_export.dicom.clean import clean_dicom
from curate.deid_export.images import clean_image
from curate.deid_export.rules import ReleaseRules
from curate.errors import DropRecord
from curate.sources.dicom.read import load_dicom, read_header
from curate.sources.images.read import load_image, read_image_header
from curate.sources.picture import PixelRules

SEED, EACH = 20261129, 6
_TRUST, _PSEUDO = ReleaseRules(deid=DeidRules("trust")), Pseudonymizer(bytes(range(32)))


def shown(path: Path, case: Case) -> np.ndarray | str:
    """The product's picture, or the Reason."""
    try:
        if case.suffix == ".dcm":
            read_header(path)
            return load_dicom(path, case.frame, PixelRules()).pixels
        read_image_header(path)
        return load_image(path, case.frame, PixelRules()).pixels
    except DropRecord as dropped:
        return dropped.reason.value


def verdict(found: np.ndarray | str, case: Case) -> str:
    """right, wrong or dropped."""
    if isinstance(found, str):
        return "dropped"
    one, other = (np.dstack([a] * 3) if a.ndim == 2 else a for a in (found, case.truth))
    same = one.shape == other.shape and int(np.abs(one.astype(int) - other.astype(int)).max()) <= case.within
    return "right" if same else "wrong"


def judge(kinds: dict[str, Make], seed: int, each: int, folder: Path) -> dict[str, Any]:
    """``each`` files of every kind, and what `curate deid` makes of them."""
    table: dict[str, Counter[str]] = {name: Counter() for name in kinds}
    reasons: Counter[str] = Counter()
    for n, (name, make) in enumerate(kinds.items()):
        for k in range(each):
            try:
                case = make(np.random.default_rng((seed, n, k)))
            except Exception as error:
                raise RuntimeError(f"the generator's {name}, {k}") from error
            path = folder / f"case{case.suffix}"
            path.write_bytes(case.data)
            found = shown(path, case)
            table[name][verdict(found, case)] += 1
            if isinstance(found, str):
                reasons[f"{name}: {found}"] += 1
            clean = clean_dicom if case.suffix == ".dcm" else clean_image
            outcome = clean(path, _TRUST, _PSEUDO)
            if outcome.data is not None:
                again = folder / f"written{outcome.suffix}"
                again.write_bytes(outcome.data)
                table[name]["exported " + verdict(shown(again, case), case)] += 1
            elif not isinstance(found, str):
                table[name][f"not exported: {outcome.reason}"] += 1
    total = sum(table.values(), Counter[str]())
    return {"files": each * len(kinds), **dict(sorted(total.items())), "reasons": dict(sorted(reasons.items())),
            "kinds": {name: dict(sorted(row.items())) for name, row in table.items()}}  # fmt: skip


def run(seed: int = SEED, each: int = EACH) -> dict[str, Any]:
    """Both halves."""
    with tempfile.TemporaryDirectory() as folder:
        return {"seed": seed, "good": judge(second_good.KINDS, seed, each, Path(folder)),
                "contradictory": judge(second_contradictory.KINDS, seed, each, Path(folder))}  # fmt: skip


def main() -> None:
    """Print the figures, kind by kind where something is wrong or lost."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--each", type=int, default=EACH)
    parser.add_argument("--out", type=Path, help="results to write the figures into")
    options = parser.parse_args()
    result = run(options.seed, options.each)
    for half, faults in (("good", ("wrong", "dropped")), ("contradictory", ("wrong",))):
        for name, row in result[half]["kinds"].items():
            if any(key in faults or "exported wrong" in key or "not exported" in key for key in row):
                why = [r for r in result[half]["reasons"] if r.startswith(name + ":")]
                print(f"{half:14} {name:32} {row} {why if half == 'good' else ''}")
        print(half, {k: v for k, v in result[half].items() if k not in ("kinds", "reasons")})
    if options.out is not None:
        keep(options.out, "second", result)


if __name__ == "__main__":
    main()
