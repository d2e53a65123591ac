"""Real ultrasound and CT frames that carry writing of their own: is every word painted, and is the anatomy as it was?

    python -m benchmarks.burned_in.written DATA [--out FILE] [--page docs/images/burned_in.png]

Which words and what is anatomy, `written_frames.csv` says. The gate is asked as the product asks it, with the file's
header. Where it withholds a frame, nothing goes out; what it would have painted is told all the same, since the words
must be found and the anatomy spared there too. ``--page``: some of the frames before and after, drawn on one page.
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from benchmarks.burned_in.measure import COVERED
from curate.deid.pixels.gate import Gate, PixelPolicy, gate
from curate.deid.pixels.intensity_views import coloured, is_palette, views
from curate.sources.dicom.read import load_dicom
from curate.sources.picture import Picture, PixelRules

LIST = Path(__file__).with_name("written_frames.csv")
OUT = Path("benchmarks/results/burned_in_written.json")
_ALL = PixelPolicy("blank", max_painted_text=1e9, max_painted_anatomy=1)  # paints whatever it costs
_STROKE = 0.5  # of the way from a box's median to its brightest or darkest, whichever is farther: letters
_DRAWN = ("OBXXXX1A", "JPEGLosslessP14SV1_3s_2f", "US1_UNCR", "GH355", "JPGLosslessP14SV1_1s", "gdcm-US-ALOKA")
_WIDE, _HIGH, _HEAD = 400, 300, 24

Box = tuple[int, int, int, int]


def shown(pixels: np.ndarray, picture: Picture) -> np.ndarray:
    """uint8[H, W] or [H, W, 3], as on a screen."""
    if pixels.ndim == 3:
        return pixels
    if picture.dataset is not None and is_palette(picture.dataset):
        return coloured(pixels, picture.dataset)
    return next(iter(views(pixels)))


def judged(picture: Picture, words: list[Box], anatomy: Box) -> tuple[dict[str, Any], Gate]:
    """One frame's figures, and what the gate makes of it whatever that costs."""
    painted_all = gate(picture.pixels, picture.dataset, _ALL)
    reason = gate(picture.pixels, picture.dataset, PixelPolicy("blank")).reason
    mask = np.zeros(picture.pixels.shape[:2], bool)
    for x, y, w, h in painted_all.regions:
        mask[y : y + h, x : x + w] = True
    plane = shown(picture.pixels, picture)
    plane = (plane if plane.ndim == 2 else plane.max(axis=2)).astype(np.int32)
    covered = []
    for x, y, w, h in words:
        part = np.s_[max(0, y) : y + h, max(0, x) : x + w]
        apart = plane[part] - np.median(plane[part])
        apart = apart if apart.max() > -apart.min() else -apart
        strokes = apart > _STROKE * apart.max()
        covered.append(float(mask[part][strokes].mean()))
    x, y, w, h = anatomy
    changed = painted_all.pixels != picture.pixels
    changed = changed.any(axis=2) if changed.ndim == 3 else changed
    told = {
        "words": len(words),
        "covered": sum(share >= COVERED for share in covered),
        "missed": [list(box) for box, share in zip(words, covered, strict=True) if share < COVERED],
        "withheld": reason.value if reason else "",
        "anatomy painted": round(float(mask[y : y + h, x : x + w].mean()), 4),
        "changed but not painted, px": int((changed & ~mask).sum()),
    }
    return told, painted_all


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--page", type=Path, help="draw some of them, before and after")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    boxes: dict[str, dict[str, list[Box]]] = {}
    for row in csv.DictReader(line for line in LIST.read_text().splitlines() if not line.startswith("#")):
        x, y, w, h = (int(row[name]) for name in ("x", "y", "width", "height"))
        boxes.setdefault(row["file"], {}).setdefault(row["what"], []).append((x, y, w, h))
    told, drawn = {}, []
    for file, mine in boxes.items():
        picture = load_dicom(args.data / file, 0, PixelRules())
        told[file], gated = judged(picture, mine["word"], *mine["anatomy"])
        print(file, *(f"{name} {value}" for name, value in told[file].items()), sep="  ", flush=True)
        if Path(file).stem.startswith(_DRAWN):
            drawn.append([shown(picture.pixels, picture), shown(gated.pixels, picture), told[file]["withheld"]])
    words, covered = (sum(one[name] for one in told.values()) for name in ("words", "covered"))
    print(f"{covered} of {words} words covered in {len(told)} frames")
    args.out.write_text(json.dumps({"words": words, "covered": covered, "frames": told}, indent=1) + "\n")
    if args.page:
        _page(drawn).save(args.page)


def _page(drawn: list[list[Any]]) -> Image.Image:
    """Rows of two: as they are, and what the gate paints; withheld ones are named so."""
    page = Image.new("RGB", (2 * (_WIDE + 4), len(drawn) * (_HIGH + 4) + _HEAD), "#777")
    draw = ImageDraw.Draw(page)
    draw.rectangle((0, 0, page.width, _HEAD), "#fff")
    for column, head in enumerate(("the frame", "what the gate paints")):
        draw.text((column * (_WIDE + 4) + 6, 3), head, "#000", ImageFont.load_default(15))
    for row, (before, after, withheld) in enumerate(drawn):
        for column, pixels in enumerate((before, after)):
            small = Image.fromarray(np.ascontiguousarray(pixels)).convert("RGB")
            small.thumbnail((_WIDE, _HIGH))
            at = column * (_WIDE + 4) + 2, row * (_HIGH + 4) + _HEAD + 2
            page.paste(small, at)
            if column and withheld:
                draw.text(
                    (at[0] + 6, at[1] + small.height - 20), f"withheld: {withheld}", "#fc6", ImageFont.load_default(14)
                )
    return page


if __name__ == "__main__":
    main()
