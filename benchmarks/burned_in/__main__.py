"""What the pixel gate leaves of planted text, what it takes from pictures that have none, and what it costs.

    python -m benchmarks.burned_in DATA [--small] [--lines N] [--against TREE] [--out FILE]

DATA holds vqa_rad, vision, dicom and deid/burned_in_images. Pictures without text are those of `clean_pictures.csv`,
each seen by eye; text is planted on the same pictures, with fonts that nothing was fitted on. ``--against`` asks the
gate of another checkout about the same pictures in the same run; rapidocr and presidio-image-redactor, with Tesseract
where that is installed, see them too. Writes JSON, a table beside
it and a plot.
"""

from __future__ import annotations

import argparse
import json
import platform
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.burned_in.judge import Judged, judged
from benchmarks.burned_in.measure import clean_report, planted_report, real_report
from benchmarks.burned_in.peers import peers
from benchmarks.burned_in.pictures import clean_pictures
from benchmarks.burned_in.planted import plant
from benchmarks.burned_in.show import plotted, tabled

Pictures = Sequence[tuple[np.ndarray, str]]
OUT = Path("benchmarks/results/burned_in.json")
_GROUND = 1300  # px: text is planted on pictures up to this size


def report(data: Path, every: int, lines: int, trees: dict[str, Path], workers: int, alone: bool) -> dict[str, Any]:
    """All figures of the gate of every tree, on the same pictures."""
    pictures = clean_pictures(data, every)
    planted = plant([p for p in pictures if max(p.pixels.shape) <= _GROUND], lines)
    out: dict[str, Any] = {
        "machine": f"{platform.processor() or platform.machine()}, Python {platform.python_version()}",
        "versions": {name: version(name) for name in ("numpy", "opencv-python-headless", "onnxruntime")},
        "pictures without text": len(pictures),
    }
    gates: dict[str, Callable[[Pictures], list[Judged]]] = {
        name: partial(judged, tree=tree, workers=workers) for name, tree in trees.items()
    }
    for name, ask in (gates | ({} if alone else peers())).items():
        clean = ask([(p.pixels, p.modality) for p in pictures])
        written = ask([(line.pixels, line.picture.modality) for line in planted])
        out[name] = {
            "pictures without text": clean_report(pictures, clean),
            "planted text": planted_report(planted, written),
            "burned_in_images": real_report(data, ask),
        }
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="a folder of real pictures")
    parser.add_argument("--small", action="store_true", help="a fourth of the pictures, 80 lines")
    parser.add_argument("--lines", type=int, default=420)
    parser.add_argument("--against", type=Path, help="another checkout, to be asked too")
    parser.add_argument("--alone", action="store_true", help="without the peers")
    parser.add_argument("--workers", type=int, default=2, help="processes; no figure depends on it")
    parser.add_argument("--out", type=Path, default=OUT)
    args = parser.parse_args()
    trees = {"this": Path.cwd()} | ({"before": args.against} if args.against else {})
    told = report(args.data, 4 if args.small else 1, 80 if args.small else args.lines, trees, args.workers, args.alone)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(told, indent=1, default=float) + "\n")
    args.out.with_suffix(".md").write_text(tabled(told))
    plotted(told, args.out.with_suffix(".svg"))
    print(tabled(told))


if __name__ == "__main__":
    main()
