"""Every number that the input promises: files that contradict themselves, good ones that are unusual, other renderers,
report files of every form, letterheads, and three made archives from their recipe to shards.

    python -m benchmarks.input [--data FOLDER] [--only PART ...] [--quick] [--out FILE]

Everything is made here, by seed; nothing that a rule was written from is in it. With --data the DICOM files below a
folder are shown to the other renderers too. Parts that were not run keep their
results of before.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.input import dicom_files, dicom_render, image_files, report_files, trees
from benchmarks.input.table import markdown

PARTS: dict[str, Callable[[bool, Path | None], Any]] = {
    "dicom": lambda quick, _: dicom_files.run(count=200 if quick else 2400),
    "render": lambda _, data: dicom_render.run(data),
    "image": lambda quick, _: image_files.run(seeds=(0,) if quick else (0, 1, 2)),
    "report": lambda *_: report_files.run(),
    "trees": lambda quick, _: trees.run(12 if quick else 40),
}


def main() -> None:
    """Run the parts, write the JSON, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS), metavar="PART")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/input.json"))
    asked = parser.parse_args()
    results = json.loads(asked.out.read_text()) if asked.out.exists() else {}
    for name in asked.only:
        results[name] = PARTS[name](asked.quick, asked.data)
        asked.out.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")
    print(markdown(results))


if __name__ == "__main__":
    main()
