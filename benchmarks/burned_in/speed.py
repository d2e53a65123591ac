"""What a picture costs by its kind: decoding, the gate, encoding as PNG; CPU-seconds of one thread.

python -m benchmarks.burned_in.speed DATA [--against TREE] [--out FILE]

CT: the 512 px CT files of dicom; US: its 640 px ultrasound frames; CR: its files of 1,700 px and more; MR: slices of
vision/brain_tumor_mri; mixed: all of these, as many of each. With --against another checkout is asked about the same
files in the same run, in turn.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

KINDS = ("CT 512", "US 640", "CR 2000", "MR")
_GOALS = {"CT 512": 15, "US 640": 6, "CR 2000": 8, "MR": 40, "mixed": 15}
_EACH, _ROUNDS = 12, 3
_ASK = "--ask"


def files(data: Path) -> dict[str, list[Path]]:
    """The files of each kind."""
    found: dict[str, list[Path]] = {kind: [] for kind in KINDS}
    for row in csv.DictReader((data / "dicom" / "manifest.csv").open()):
        rows, columns = int(row["rows"] or 0), int(row["columns"] or 0)
        kind = {
            ("CT", rows == columns == 512): "CT 512",
            ("US", (rows, columns) == (480, 640)): "US 640",
            (row["modality"], row["modality"] in ("CR", "DX") and min(rows, columns) >= 1500): "CR 2000",
        }.get((row["modality"], True))
        if kind and row["pydicom_decode"].startswith("ok"):
            found[kind].append(data / "dicom" / row["file"])
    slices = sorted((data / "vision" / "brain_tumor_mri").glob("*/*/*.jpg"))
    found["MR"] = slices[:: len(slices) // _EACH]
    return {kind: paths[:_EACH] for kind, paths in found.items()}


def _asked(paths: list[str]) -> dict[str, list[float]]:
    """Of every file the least seconds of decoding, the gate, encoding; none where it does not decode."""
    import cv2

    from curate.deid.pixels import gate as room  # names as every tree has them
    from curate.errors import DropRecord
    from curate.sources.dicom.read import load_dicom
    from curate.sources.images.read import load_image
    from curate.sources.picture import PixelRules

    cv2.setNumThreads(1)
    told: dict[str, list[float]] = {}
    for name in paths:
        best = [float("inf")] * 3
        for _ in range(_ROUNDS):
            times = [time.process_time()]
            try:
                picture = (load_dicom if name.endswith(".dcm") else load_image)(Path(name), 0, PixelRules())
            except DropRecord:
                break
            times.append(time.process_time())
            result = room.gate(picture.pixels, picture.dataset, room.PixelPolicy("blank"))
            times.append(time.process_time())
            cv2.imencode(".png", result.pixels)
            times.append(time.process_time())
            best = [min(a, c - b) for a, b, c in zip(best, times, times[1:], strict=False)]
        else:
            told[name] = best
    return told


def measured(data: Path, tree: Path) -> dict[str, Any]:
    """Records a CPU-second of each kind and of their mixture, and where the time goes."""
    env = {**os.environ, "PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    kinds = files(data)
    paths = [str(path) for some in kinds.values() for path in some]
    command = [
        sys.executable,
        str(Path(__file__).resolve()),
        _ASK,
        *paths,
    ]  # a file: the tree has benchmarks of its own
    done = subprocess.run(command, env=env, cwd=tree, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    told = json.loads(done.stdout.splitlines()[-1])
    out, means = {}, []
    for kind, some in kinds.items():
        rows = [told[str(path)] for path in some if str(path) in told]
        mean = [sum(column) / len(rows) for column in zip(*rows, strict=True)]
        means.append(mean)
        out[kind] = _figures(kind, mean, len(rows))
    out["mixed"] = _figures("mixed", [sum(c) / len(means) for c in zip(*means, strict=True)], len(told))
    return out


def _figures(kind: str, mean: list[float], n: int) -> dict[str, Any]:
    decode, gated, encode = mean
    return {
        "files": n, "records a CPU-second": 1 / sum(mean), "wanted": _GOALS[kind],
        "of the loop without the gate": (decode + encode) / sum(mean),
        "ms": {"decode": 1e3 * decode, "gate": 1e3 * gated, "encode": 1e3 * encode},
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--against", type=Path, help="another checkout")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/burned_in_speed.json"))
    args = parser.parse_args()
    trees = {"this": Path.cwd()} | ({"before": args.against} if args.against else {})
    told = {name: measured(args.data.resolve(), tree.resolve()) for name, tree in trees.items()}
    args.out.write_text(json.dumps(told, indent=1) + "\n")
    print("| kind | wanted | " + " | ".join(f"{t}: records a CPU-second | of the loop without the gate" for t in told))
    for kind in (*KINDS, "mixed"):
        cells = [told[t][kind] for t in told]
        shown = [f"{c['records a CPU-second']:.1f} | {c['of the loop without the gate']:.2f}" for c in cells]
        print(f"| {kind} | {_GOALS[kind]} | " + " | ".join(shown) + " |")


if __name__ == "__main__":
    if sys.argv[1] == _ASK:
        print(json.dumps(_asked(sys.argv[2:])))
    else:
        main()
