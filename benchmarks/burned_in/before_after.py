"""The picture in docs/deidentification.md: public pictures with a name written in, and what two gates make of them.

python -m benchmarks.burned_in.before_after DATA --against TREE [--out FILE]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from benchmarks.burned_in.judge import judged
from benchmarks.burned_in.pictures import read
from curate.deid.pixels.intensity_views import views

# ultrasound with a machine's writing, and a slice; of packages with the MIT licence
FILES = (
    ("dicom/pydicom-bundled/examples_ybr_color.dcm", "US"),
    ("dicom/ljdata/JPEGLosslessP14SV1_3s_2f_u_08_08.dcm", "US"),
    ("dicom/pydicom-data/US1_UNCI.dcm", "US"),
    ("dicom/ljdata/CT1_JLSN.dcm", "CT"),
)
_WIDE, _HIGH, _HEAD = 300, 226, 24


def named(path: Path) -> np.ndarray:
    """The picture as shown, uint8[H, W, 3], with a name in its corner."""
    pixels = read(path)
    assert pixels is not None
    shown = pixels if pixels.ndim == 3 else cv2.cvtColor(next(views(pixels)), cv2.COLOR_GRAY2RGB)
    size = max(12, shown.shape[1] // 45)
    page = Image.fromarray(shown)
    ImageDraw.Draw(page).text((size // 2, size // 3), "SMITH^JOHN 1957", "#fff", ImageFont.load_default(size))
    return np.asarray(page)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--against", type=Path, required=True, help="another checkout")
    parser.add_argument("--out", type=Path, default=Path("docs/images/burned_in.png"))
    args = parser.parse_args()
    pictures = [(named(args.data / name), modality) for name, modality in FILES]
    columns = [[(p, "") for p, _ in pictures]]
    columns += [
        [(r.pixels, "withheld" if r.reason else "") for r in judged(pictures, tree.resolve())]
        for tree in (args.against, Path.cwd())
    ]
    page = Image.new("RGB", (3 * (_WIDE + 4), len(FILES) * (_HIGH + 4) + _HEAD), "#777")
    draw = ImageDraw.Draw(page)
    draw.rectangle((0, 0, page.width, _HEAD), "#fff")
    for k, (head, column) in enumerate(zip(("with a name", "before", "now"), columns, strict=True)):
        draw.text((k * (_WIDE + 4) + 6, 3), head, "#000", ImageFont.load_default(15))
        for row, (pixels, said) in enumerate(column):
            small = Image.fromarray(pixels)
            small.thumbnail((_WIDE, _HIGH))
            at = (k * (_WIDE + 4) + 2, row * (_HIGH + 4) + _HEAD + 2)
            page.paste(small, at)
            draw.text((at[0] + 6, at[1] + 4), said, "#fc6", ImageFont.load_default(15))
    page.save(args.out)


if __name__ == "__main__":
    main()
