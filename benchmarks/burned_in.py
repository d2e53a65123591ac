"""How much drawn text the fast look sees, how many clean pictures it withholds, and what it costs.

    python benchmarks/burned_in.py DATA           the report
    python benchmarks/burned_in.py DATA --fit     weights for pixel_row.py, from the other half

DATA holds vision/brain_tumor_mri, vision/cxr_labelled (its central part, where no markers are), dicom/manifest.csv,
deid/burned_in_images, radiology_pairs, cxr_pairs. Text is drawn with OpenCV's strokes and Pillow's default font, 10 to
32 px, at 0.2 to 1.0 of the grey range, where it fits whole. No OCR engine is used.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import time
from pathlib import Path

import cv2
import numpy as np
import pydicom
from PIL import Image, ImageDraw, ImageFont

from curate.deid.pixels.gate import _SUSPECT, _suspects, _views, ocr_available
from curate.deid.pixels.look import rows, text_rows
from curate.deid.pixels.row import Row
from curate.deid.quiet import UNPARSEABLE, quiet

TEXTS = ["SMITH JOHN", "DOE^JANE", "1957-03-12", "MRN 4711081", "St. Mary Hospital", "12/03/2024 10:22",
         "Garcia Lopez, Ana",
         "ID:0099812", "M 067Y", "ACC 20240301"]  # fmt: skip
PAD = 25  # the boxes of burned_in_images were measured with this border around the picture
SIZES, CONTRASTS = (10, 14, 20, 32), (0.2, 0.5, 1.0)
# Of the grey DICOM set: text that a person reads, and a file that decodes to a pattern. The rest look clean.
WRITTEN = ("GH355", "presidio", "JPEGLossless_1s_1f_i_16_16_bad")


def noise(rng: np.random.Generator, size: int) -> np.ndarray:
    """Anatomy-like: smooth shapes, texture of several octaves, film grain."""
    out = np.zeros((size, size), np.float32)
    for octave in (4, 8, 16, 32, 64):
        grid = rng.random((octave, octave), np.float32)
        out += cv2.resize(grid, (size, size), interpolation=cv2.INTER_CUBIC) * (255 / octave)
    y, x = np.mgrid[:size, :size] / size - 0.5
    out *= ((x / 0.42) ** 2 + (y / 0.45) ** 2 < 1).astype(np.float32)
    return np.clip(cv2.GaussianBlur(out, (0, 0), 1.0) + rng.normal(0, 4, out.shape), 0, 255).astype(np.uint8)


def clean_pictures(data: Path, half: int, n: int) -> list[np.ndarray]:
    """Pictures without text: even ones for fitting (half 0), odd ones for the report (half 1)."""
    found: list[np.ndarray] = []
    for folder in sorted((data / "vision" / "brain_tumor_mri" / "Training").glob("*")):
        found += [cv2.imread(str(p), cv2.IMREAD_GRAYSCALE) for p in sorted(folder.glob("*"))[half::2][:n]]
    for folder in sorted((data / "vision" / "cxr_labelled").glob("*/")):
        for path in sorted(folder.glob("*"))[half::2][:n]:
            whole = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
            h, w = whole.shape
            found.append(np.ascontiguousarray(whole[h // 5 : -h // 5, w // 5 : -w // 5]))
    rng = np.random.default_rng(half)
    return found + [noise(rng, 512) for _ in range(n)]


def dicom_pictures(data: Path) -> list[tuple[str, np.ndarray]]:
    """The first frame of every grey CT, MR, PT, CR, DX and MG file that decodes."""
    found = []
    for row in csv.DictReader((data / "dicom" / "manifest.csv").open()):
        if row["modality"] not in ("CT", "MR", "PT", "CR", "DX", "MG") or row["samples"] != "1":
            continue
        try:
            with quiet():
                pixels = pydicom.dcmread(data / "dicom" / row["file"], force=True).pixel_array
        except UNPARSEABLE:
            continue
        except RuntimeError:  # what pydicom's decoders raise
            continue
        frame = pixels if pixels.ndim == 2 else pixels[0]
        if min(frame.shape) >= 64:
            found.append((row["file"], frame))
    return found


def draw(picture: np.ndarray, rng: random.Random, size: int, contrast: float) -> tuple[np.ndarray, Row | tuple] | None:
    """``picture`` with a line of text and the text's box; None where it does not fit whole."""
    text, (h, w) = rng.choice(TEXTS), picture.shape
    mask = Image.new("L", (w, h), 0)
    if rng.random() < 0.5:
        font = ImageFont.load_default(size)
        left, _, right, bottom = font.getbbox(text)
        if right - left > w - 8 or size > h // 8:
            return None
        place = (rng.randint(2, w - int(right) - 2), rng.randint(2, h - int(bottom) - 4))
        ImageDraw.Draw(mask).text(place, text, font=font, fill=255)
        ink = np.asarray(mask)
    else:
        scale, thick = size * 0.75 / 22, 1 if size < 20 else 2
        (tw, th), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, thick)
        if tw > w - 8 or size > h // 8:
            return None
        ink = np.zeros((h, w), np.uint8)
        kind = cv2.LINE_AA if rng.random() < 0.7 else cv2.LINE_8
        place = (rng.randint(2, w - tw - 4), rng.randint(th + 4, h - 6))
        cv2.putText(ink, text, place, cv2.FONT_HERSHEY_SIMPLEX, scale, 255, thick, kind)
    ground = float(np.median(picture[ink > 128]))
    tone = np.clip(ground + contrast * 255 * (1 if ground <= 127 else -1), 0, 255)
    drawn = picture * (1 - ink / 255.0) + tone * (ink / 255.0)
    return drawn.astype(np.uint8), cv2.boundingRect(ink)


def covers(box: tuple, target: tuple) -> bool:
    wide = min(box[0] + box[2], target[0] + target[2]) - max(box[0], target[0])
    high = min(box[1] + box[3], target[1] + target[3]) - max(box[1], target[1])
    return wide > 0.3 * target[2] and high > 0.5 * target[3]


def drawn_on(pictures: list[np.ndarray], rng: random.Random, each: int) -> list[tuple[int, float, np.ndarray, tuple]]:
    """Pictures enlarged to 384 px or more, as archives hold them, with one line of text each."""
    found = []
    for picture in pictures:
        factor = max(1, -(-384 // min(picture.shape)))
        large = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
        for _ in range(each):
            size, contrast = rng.choice(SIZES), rng.choice(CONTRASTS)
            if (result := draw(large, rng, size, contrast)) is not None:
                found.append((size, contrast, *result))
    return found


def fit(data: Path) -> None:
    """Logistic regression on traits and their squares, clean rows against drawn ones; prints the table of weights."""
    pictures = clean_pictures(data, 0, 60)
    against = [r.traits for p in pictures for r in rows(p)]
    against += [
        r.traits for p in pictures[::3] for r in rows(cv2.resize(p, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC))
    ]
    hits = []
    for _, _, image, target in drawn_on(pictures, random.Random(0), 4):
        matching = [r for r in rows(image) if covers(r.box, target)]
        hits += [max(matching, key=lambda r: r.count * r.stable).traits] if matching else []
    traits = np.array(against + hits)
    truth = np.r_[np.zeros(len(against)), np.ones(len(hits))]
    mean, deviation = traits.mean(axis=0), traits.std(axis=0)
    z = np.clip((traits - mean) / deviation, -4, 4)
    design = np.c_[np.ones(len(z)), z, z * z]
    weights = np.zeros(design.shape[1])
    for _ in range(60):
        p = 1 / (1 + np.exp(-np.clip(design @ weights, -30, 30)))
        curve = (design.T * (p * (1 - p) + 1e-6)) @ design + np.eye(len(weights))
        weights += np.linalg.solve(curve, design.T @ (truth - p) - weights)
    k = traits.shape[1]
    print(f"# {len(against)} rows of clean pictures, {len(hits)} of drawn text")
    print(f"_BIAS = {weights[0]:.4f}")
    for i in range(k):
        print(f"        ({mean[i]:.4f}, {deviation[i]:.4f}, {weights[1 + i]:.4f}, {weights[1 + k + i]:.4f}),")


def report(data: Path) -> None:
    print("OCR engine:", "present" if ocr_available() else "absent", "| threshold", _SUSPECT)
    pictures = clean_pictures(data, 1, 60)
    withheld = sum(bool(_suspects(p)) for p in pictures)
    print(f"clean pictures withheld: {withheld} of {len(pictures)} = {withheld / len(pictures):.2%}")
    drawn = drawn_on(pictures, random.Random(1), 4)
    seen = [any(covers(r.box, target) for r in text_rows(image, _SUSPECT)) for _, _, image, target in drawn]
    kept = [bool(_suspects(image)) for _, _, image, _ in drawn]
    print(f"drawn lines: {len(drawn)}; line found {np.mean(seen):.2%}; picture kept back {np.mean(kept):.2%}")
    for size in SIZES:
        cells = []
        for contrast in CONTRASTS:
            which = [k for (s, c, _, _), k in zip(drawn, kept, strict=True) if (s, c) == (size, contrast)]
            cells.append(f"contrast {contrast}: {sum(which)}/{len(which)}")
        print(f"  {size} px  " + "  ".join(cells))
    files = dicom_pictures(data)
    flagged = [(name, bool(_suspects(frame))) for name, frame in files]
    clean = [f for f in flagged if not any(w in f[0] for w in WRITTEN)]
    print(f"DICOM without text withheld: {sum(f[1] for f in clean)} of {len(clean)}:", [n for n, hit in clean if hit])
    real_text(data)
    slices = [f for name, f in files if f.shape == (512, 512) and not any(w in name for w in WRITTEN)]
    start = time.process_time()
    for frame in slices:
        for view in _views(frame):
            text_rows(view, _SUSPECT)
    spent = 1000 * (time.process_time() - start) / max(len(slices), 1)
    print(f"{spent:.1f} ms CPU a 512 x 512 slice without text, of {len(slices)}")


def real_text(data: Path) -> None:
    truth = json.loads((data / "deid" / "burned_in_images" / "ground_truth.json").read_text())
    for name, entry in truth.items():
        image = cv2.imread(str(data / "deid" / "burned_in_images" / name))
        found = _suspects(image)
        boxes = [(b["left"] - PAD, b["top"] - PAD, b["width"], b["height"]) for b in entry.get("boxes", [])]
        touched = sum(any(covers(f, b) for f in found) for b in boxes)
        print(f"  {name}: kept back {bool(found)}, words found {touched}/{len(boxes)}")
    for folder in ("dicom/presidio", "dicom/deid-data"):
        for path in sorted((data / folder).glob("*.dcm")):
            try:
                with quiet():
                    pixels = pydicom.dcmread(path, force=True).pixel_array
            except (*UNPARSEABLE, RuntimeError):
                continue
            print(f"  {path.name}: kept back {bool(_suspects(pixels))}")
    for folder in ("radiology_pairs", "cxr_pairs"):
        paths = sorted((data / folder / "images").glob("*"))[:: 15 if folder == "radiology_pairs" else 5]
        hits = [bool(_suspects(cv2.imread(str(p)))) for p in paths]
        print(f"  {folder}: kept back {sum(hits)} of {len(hits)} (most are watermarked or marked)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--fit", action="store_true", help="print weights instead of the report")
    args = parser.parse_args()
    (fit if args.fit else report)(args.data)


if __name__ == "__main__":
    main()
