"""How much drawn text the pixel gate blanks or keeps back, how many clean pictures it withholds, and what it costs.

    python -m benchmarks.burned_in [DATA] [--out FILE]    the report; without DATA on synthetic pictures alone
    python -m benchmarks.burned_in DATA --fit             weights for curate/deid/pixels/row.py

The shipped weights of a row's traits are what ``--fit`` printed, those of the network that looks at its pixels what
`benchmarks.burned_in_fit` wrote; the thresholds of `curate.deid.pixels.suspects` were chosen beside them. Fitting and
testing share neither pictures nor fonts: pictures are parted by number (the first half of each folder is for fitting),
those of pairs by group, synthetic ones by seed, fonts by `benchmarks.drawn_text.fonts`. DATA holds
vision/brain_tumor_mri, vision/cxr_labelled, radiology_pairs, cxr_pairs, dicom/manifest.csv and deid/burned_in_images.
Where publishers or technologists wrote on the borders, a picture counts as clean in its central part only (`PARTS`),
with nothing left out there; of the DICOM files those in which a person reads text or a letter (`WRITTEN`) are left out.
A region found in a clean picture is what policy "quarantine" withholds it for.
"""

from __future__ import annotations

import argparse
import csv
import json
import platform
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import cv2
import numpy as np
import pydicom

from benchmarks.drawn_text import VISIBLE_NOISE, VISIBLE_STEP, Box, Line, fonts, lines
from curate.deid.pixels.gate import PixelPolicy, gate, ocr_available
from curate.deid.pixels.look import rows
from curate.deid.pixels.row import Row
from curate.deid.pixels.views import views
from curate.deid.quiet import UNPARSEABLE, quiet
from curate.synth.anatomy import render
from curate.synth.case import draw_case

PAD = 25  # the boxes of burned_in_images were measured with this border around the picture
COVERED = 0.9  # of a line's box, to count as blanked
# Of the grey DICOM set: text that a person reads, and a file that decodes to a pattern. The rest look clean.
WRITTEN = ("GH355", "presidio", "JPEGLossless_1s_1f_i_16_16_bad", "CR-ModalitySequenceLUT", "RG3_")
PARTS = {"cxr_labelled": (0.2, 0.2), "radiology_pairs": (0.14, 0.1), "cxr_pairs": (0.2, 0.2)}  # cut off each side: y, x
# Ultrasound of different machines; text stands around the scan, so that its central part is looked at.
ULTRASOUND = ("GREYSCALE_IMAGE", "GH364", "JPEGExtended_3s_1f", "OBXXXX1A.dcm", "examples_ybr_color", "1s_1f_8b",
              "US-ALOKA-16.dcm", "US1_UNCR", "color-pl")  # fmt: skip
_LEAST_SIDE = 120  # px of a central part
FULL = (2500, 2000)  # px: a radiograph as the detector gives it
Named = tuple[str, np.ndarray]
T = TypeVar("T")


def clean_pictures(data: Path | None, half: int, n: int) -> list[Named]:
    """Pictures without text, named by their set: of a half 0 (for fitting) or 1 (for the report)."""
    found = [("synthetic", _synthetic(half, k)) for k in range(n)]
    if data is None:
        return found
    for folder in sorted((data / "vision" / "brain_tumor_mri" / "Training").glob("*")):
        found += [("MR", _read(p, cv2.IMREAD_GRAYSCALE)) for p in _of_half(folder, half, n)]
    for folder in sorted((data / "vision" / "cxr_labelled").glob("*/")):
        found += [("CR", _central(path, "cxr_labelled")) for path in _of_half(folder, half, n)]
    return found + [("DICOM", frame) for _, frame in dicom_pictures(data)[half::2]]


def _of_half(folder: Path, half: int, n: int) -> list[Path]:
    """``n`` files, evenly spread over the first or the second half of a folder in the order of the numbers in names.

    Neighbours by number are often slices of one patient: they stay in one half.
    """
    paths = sorted(folder.glob("*"), key=lambda p: [int(t) if t.isdigit() else t for t in re.split(r"(\d+)", p.name)])
    middle = len(paths) // 2
    return spread(paths[middle:] if half else paths[:middle], n)


def spread(things: Sequence[T], n: int) -> list[T]:
    """``n`` of them, evenly spread; all where they are fewer."""
    return [things[k * len(things) // n] for k in range(n)] if len(things) > n else list(things)


def pair_pictures(data: Path, half: int, n: int, each: int = 1) -> list[Named]:
    """The central parts of pictures of pairs: ``n`` groups of each set that belong to the half, ``each`` of a group.

    Of small pictures the publisher's writing takes more than the borders; they are left out.
    """
    found = []
    for name in ("radiology_pairs", "cxr_pairs"):
        images: dict[str, dict[str, None]] = {}
        for row in csv.DictReader((data / name / "pairs.csv").open()):
            images.setdefault(row["group_id"], {})[row["image"]] = None
        groups = spread([images[group] for group in sorted(images)][half::2], n)
        chosen = [image for group in groups for image in sorted(group)[:each]]
        found += [(name, _central(data / name / image, name)) for image in chosen]
    return [(name, picture) for name, picture in found if min(picture.shape) >= _LEAST_SIDE]


def _central(path: Path, name: str) -> np.ndarray:
    whole = _read(path, cv2.IMREAD_GRAYSCALE)
    y, x = (int(part * side) for part, side in zip(PARTS[name], whole.shape, strict=True))
    return np.ascontiguousarray(whole[y : whole.shape[0] - y, x : whole.shape[1] - x])


def _read(path: Path, how: int = cv2.IMREAD_COLOR) -> np.ndarray:
    return np.asarray(cv2.imread(str(path), how), np.uint8)


def _synthetic(half: int, k: int) -> np.ndarray:
    """The k-th picture of a synthetic archive, uint8, windowed where it is CT."""
    case = draw_case(100 + half, k, False, False)
    image: np.ndarray = render(case, 100 + half, 0, 400)
    if case.scene.modality == "CT":
        low, high = (-160, 240) if k % 2 else (-1000, 600)
        image = (image - low) / (high - low)
    return np.asarray(np.clip(image, 0, 1) * 255, np.uint8)


def dicom_pictures(data: Path) -> list[Named]:
    """The first frame of every grey CT, MR, PT, CR, DX and MG file that decodes and shows no text."""
    found = []
    for row in csv.DictReader((data / "dicom" / "manifest.csv").open()):
        if row["modality"] not in ("CT", "MR", "PT", "CR", "DX", "MG") or row["samples"] != "1":
            continue
        pixels = _decoded(data / "dicom" / row["file"])
        frame = pixels if pixels is None or pixels.ndim == 2 else pixels[0]
        if frame is not None and min(frame.shape) >= 64 and not any(w in row["file"] for w in WRITTEN):
            found.append((row["file"], frame))
    return found


def _decoded(path: Path) -> np.ndarray | None:
    try:
        with quiet():
            return np.asarray(pydicom.dcmread(path, force=True).pixel_array)
    except (*UNPARSEABLE, RuntimeError):  # what pydicom's decoders raise
        return None


def eight(frame: np.ndarray) -> np.ndarray:
    """Its first view: what text is drawn on."""
    return frame if frame.dtype == np.uint8 else next(views(frame))


class Judged(NamedTuple):
    """What the gate said of a picture, and the ms of CPU that took."""

    withheld: bool
    regions: tuple[Box, ...]
    ms: float


def judged(picture: np.ndarray, kind: str, policy: PixelPolicy) -> Judged:
    cv2.setNumThreads(1)
    header = _header(kind)
    start = time.process_time()
    result = gate(picture, header, policy)
    return Judged(result.reason is not None, result.regions, 1000 * (time.process_time() - start))


Judge = Callable[[Sequence[np.ndarray], Sequence[str], PixelPolicy], list[Judged]]


def judge(workers: int) -> Judge:
    """`judged` of many pictures by so many processes; the answers do not depend on how many."""
    # Spawned, not forked: OpenCV's threads of this process would be missing in a fork, which waits for them.
    pool = ProcessPoolExecutor(workers, get_context("spawn"))
    return lambda pictures, kinds, policy: list(pool.map(judged, pictures, kinds, repeat(policy), chunksize=4))


def handled(line: Line, result: Judged) -> str:
    """ "withheld", "blanked" where the regions cover 90 % of the line's box, else "missed"."""
    if result.withheld:
        return "withheld"
    return "blanked" if covered(line.box, result.regions, line.picture.shape) >= COVERED else "missed"


def covered(box: Box, regions: Sequence[Box], shape: Sequence[int]) -> float:
    """The part of ``box`` that lies in ``regions`` as `painted` widens them."""
    mask = np.zeros(shape[:2], np.uint8)
    for x, y, w, h in regions:
        by = max(3, min(w, h) // 2)
        mask[max(0, y - by) : y + h + by, max(0, x - by) : x + w + by] = 1
    x, y, w, h = box
    part = mask[max(0, y) : y + h, max(0, x) : x + w]
    return float(part.mean()) if part.size else 0.0


def wilson(hits: int, n: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927)."""
    if not n:
        return 0.0, 1.0
    z, p = 1.96, hits / n
    middle, reach = p + z * z / (2 * n), z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return float((middle - reach) / (1 + z * z / n)), float((middle + reach) / (1 + z * z / n))


def share(hits: int, n: int) -> dict[str, Any]:
    low, high = wilson(hits, n)
    return {"hits": hits, "of": n, "share": hits / n if n else None, "interval": [low, high]}


def drawn_report(drawn: Sequence[Line], results: Sequence[Judged]) -> dict[str, Any]:
    """Lines blanked or withheld, in all and by what they are; the visible ones, and all."""
    fates = [handled(line, result) for line, result in zip(drawn, results, strict=True)]
    seen = [(line, fate) for line, fate in zip(drawn, fates, strict=True) if line.visible]
    by: dict[str, dict[str, Any]] = {}
    traits: dict[str, Callable[[Line], object]] = {
        "size": lambda v: v.size, "contrast": lambda v: v.contrast, "kind": lambda v: v.kind,
        "wording": lambda v: v.wording, "turn": lambda v: v.turn, "font": lambda v: v.font,
        "step over unrest": lambda v: "2.5 to 4" if v.step < 4 * v.noise else "4 or more",
    }  # fmt: skip
    for name, trait in traits.items():
        groups: dict[str, list[str]] = {}
        for line, fate in seen:
            groups.setdefault(str(trait(line)), []).append(fate)
        by[name] = {key: share(sum(f != "missed" for f in fs), len(fs)) for key, fs in sorted(groups.items())}
    return {
        "visible": share(sum(fate != "missed" for _, fate in seen), len(seen)),
        "fates": dict(Counter(fate for _, fate in seen)),
        "visible or not": share(sum(fate != "missed" for fate in fates), len(fates)),
        "cpu ms": float(np.mean([result.ms for result in results])),
        "by": by,
        "missed": [
            {
                "text": v.text,
                "size": v.size,
                "contrast": v.contrast,
                "kind": v.kind,
                "turn": v.turn,
                "font": v.font,
                "step over unrest": round(v.step / max(v.noise, 1e-3), 1),
            }
            for v, fate in seen
            if fate == "missed"
        ],
    }


def _header(kind: str) -> pydicom.Dataset | None:
    """A grey ramp as palette where a line was drawn as indices of one; of ultrasound the modality."""
    if kind not in ("palette", "ultrasound"):
        return None
    if kind == "ultrasound":
        ds = pydicom.Dataset()
        ds.Modality = "US"
        return ds
    ds = pydicom.Dataset()
    ds.PhotometricInterpretation = "PALETTE COLOR"
    for name in ("Red", "Green", "Blue"):
        setattr(ds, f"{name}PaletteColorLookupTableDescriptor", [256, 0, 16])
        setattr(ds, f"{name}PaletteColorLookupTableData", (np.arange(256, dtype="<u2") * 257).tobytes())
    return ds


def clean_report(pictures: Sequence[Named], results: Sequence[Judged]) -> dict[str, Any]:
    """Of clean pictures, by set: withheld by policy "blank", something found in (withheld by "quarantine"), CPU."""
    groups: dict[str, list[Judged]] = {"all": []}
    for (name, picture), result in zip(pictures, results, strict=True):
        for key in ("all", name):
            groups.setdefault(key, []).append(result)
        if not result.regions and picture.shape == (512, 512):
            groups.setdefault("512 x 512, nothing found", []).append(result)
    return {
        key: {
            "withheld": share(sum(r.withheld for r in rs), len(rs)),
            "found in": share(sum(bool(r.regions) for r in rs), len(rs)),
            "cpu ms": {"mean": float(np.mean([r.ms for r in rs])), "median": float(np.median([r.ms for r in rs]))},
        }
        for key, rs in groups.items()
        if rs
    }


def full_radiographs(pictures: Sequence[Named], n: int) -> list[np.ndarray]:
    """Pictures of the CR set enlarged to `FULL`, 12 bits, with the grain of a detector."""
    rng = np.random.default_rng(0)
    found = [p for name, p in pictures if name in ("CR", "synthetic")][-n:]
    large = (cv2.resize(p, FULL[::-1], interpolation=cv2.INTER_CUBIC).astype(np.float32) * 16 for p in found)
    return [np.clip(p + rng.normal(0, 12, p.shape), 0, 4095).astype(np.uint16) for p in large]


def ultrasound(data: Path, run: Judge) -> dict[str, Any]:
    """Central parts of real ultrasound: in how many the engine, which reads all of it, finds text that is not there."""
    names = [row["file"] for row in csv.DictReader((data / "dicom" / "manifest.csv").open())]
    pixels = [_decoded(data / "dicom" / name) for name in names if any(part in name for part in ULTRASOUND)]
    frames = []
    for frame in (p if p.ndim == 2 or (p.ndim == 3 and p.shape[2] == 3) else p[0] for p in pixels if p is not None):
        y, x = (3 * side // 10 for side in frame.shape[:2])
        frames.append(np.ascontiguousarray(frame[y:-y, x:-x]))
    results = run(frames, ["ultrasound"] * len(frames), PixelPolicy("blank"))
    return {
        "withheld": share(sum(r.withheld for r in results), len(results)),
        "found in": share(sum(bool(r.regions) for r in results), len(results)),
        "cpu ms": float(np.mean([r.ms for r in results])),
    }


def real_text(data: Path) -> dict[str, Any]:
    """Word boxes of burned_in_images: covered by blanking, and by blanking or quarantine; and pictures kept back."""
    folder = data / "deid" / "burned_in_images"
    found: dict[str, Any] = {}
    for name, entry in json.loads((folder / "ground_truth.json").read_text()).items():
        image = _read(folder / name)
        boxes = [(b["left"] - PAD, b["top"] - PAD, b["width"], b["height"]) for b in entry.get("boxes", [])]
        cell: dict[str, Any] = {"boxes": len(boxes)}
        for label, engine in _engines():
            result = gate(image, None, PixelPolicy("blank", engine))
            cell[label] = {
                "fate": "clean" if result.reason is None else result.reason.value,
                "blanked": sum(covered(b, result.regions, image.shape) >= COVERED for b in boxes),
            }
        found[name] = cell
    return found


def _engines() -> list[tuple[str, bool]]:
    return [("with OCR", True), ("without OCR", False)] if ocr_available() else [("without OCR", False)]


def report(data: Path | None, n: int, each: int, workers: int) -> dict[str, Any]:
    """Everything above, as one table."""
    run = judge(workers)
    pictures = clean_pictures(data, 1, n)
    some = [eight(p) for _, p in pictures if 128 <= min(p.shape) <= 1100]
    drawn = list(lines(some, random.Random(1), each, fonts("test")))
    if data is not None:
        pictures += pair_pictures(data, 1, n)
    out: dict[str, Any] = {
        "machine": f"{platform.processor() or platform.machine()}, Python {platform.python_version()}",
        "versions": {name: version(name) for name in ("numpy", "opencv-python-headless")},
        "visible means": f"step >= {VISIBLE_STEP} of the grey range and >= {VISIBLE_NOISE} local deviations",
        "lines": {"drawn": len(drawn), "visible": sum(line.visible for line in drawn)},
    }
    large = full_radiographs(pictures, 6)
    for label, engine in _engines():
        policy = PixelPolicy("blank", engine)
        on_lines = run([line.picture for line in drawn], [line.kind for line in drawn], policy)
        out[label] = {
            "lines": drawn_report(drawn, on_lines),
            "clean pictures": clean_report(pictures, run([p for _, p in pictures], [""] * len(pictures), policy)),
            f"radiographs of {FULL[0]} x {FULL[1]}, cpu ms": [
                round(r.ms) for r in run(large, [""] * len(large), policy)
            ],
        }
    if data is not None:
        out["burned_in_images"] = real_text(data)
        out["ultrasound, central part, with OCR"] = ultrasound(data, run) if ocr_available() else None
    return out


def fit(data: Path) -> None:
    """Prints the weights of lone pieces, pairs and rows: logistic regression, clean pictures against drawn lines."""
    pictures = [eight(p) for _, p in clean_pictures(data, 0, 80) if min(p.shape) >= 64]
    larger = [
        cv2.resize(p, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC) for p in pictures[::3] if max(p.shape) < 600
    ]
    against = [row for p in pictures + larger for row in rows(p)]
    hits: list[Row] = []
    for line in lines([p for p in pictures if 128 <= min(p.shape) <= 1100], random.Random(0), 4, fonts("fit")):
        if line.visible:
            found = [r for v in views(line.picture) for r in rows(v)]
            on = [r for r in found if r.count > 1 and covered(line.box, [r.box], line.picture.shape) > 0.3]
            hits += sorted(on, key=lambda r: (-r.count * r.stable, r.box))[:2]
            alone = [r for r in found if r.count == 1 and covered(r.box, [line.box], line.picture.shape) > 0.8]
            hits += sorted(alone, key=lambda r: (-r.box[2] * r.box[3], r.box))[:3]
    for name, counts in (("LONE", range(1, 2)), ("PAIR", range(2, 3)), ("ROW", range(3, 10_000))):
        no, yes = (np.array([r.traits for r in side if r.count in counts]) for side in (against, hits))
        print(f"# {len(no)} of clean pictures, {len(yes)} of drawn text")
        _print_weights(name, np.r_[no, yes], np.r_[np.zeros(len(no)), np.ones(len(yes))])


def _print_weights(name: str, traits: np.ndarray, truth: np.ndarray) -> None:
    mean, deviation = traits.mean(axis=0), traits.std(axis=0)
    deviation[deviation < 1e-4] = 1.0  # a pair always counts two
    z = np.clip((traits - mean) / deviation, -4, 4)
    design = np.c_[np.ones(len(z)), z, z * z]
    weights = np.zeros(design.shape[1])
    for _ in range(60):  # Newton steps with a unit ridge
        p = 1 / (1 + np.exp(-np.clip(design @ weights, -30, 30)))
        curve = (design.T * (p * (1 - p) + 1e-6)) @ design + np.eye(len(weights))
        weights += np.linalg.solve(curve, design.T @ (truth - p) - weights)
    k = traits.shape[1]
    print(f"_{name}_BIAS = {weights[0]:.4f}")
    for i in range(k):
        print(f"        ({mean[i]:.4f}, {deviation[i]:.4f}, {weights[1 + i]:.4f}, {weights[1 + k + i]:.4f}),")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, nargs="?", help="a folder of real pictures")
    parser.add_argument("--fit", action="store_true", help="print weights instead of the report")
    parser.add_argument("--out", type=Path, help="write the report there as JSON")
    parser.add_argument("--pictures", type=int, default=26, help="clean ones a set")
    parser.add_argument("--each", type=int, default=2, help="lines a picture")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    args = parser.parse_args()
    if args.fit:
        fit(args.data)
        return
    text = json.dumps(report(args.data, args.pictures, args.each, args.workers), indent=1)
    print(text)
    if args.out is not None:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
