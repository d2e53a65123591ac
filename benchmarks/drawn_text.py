"""What is written, and with which letters: for fitting the text detector, and other letters for its benchmark."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

GIVEN = ("SMITH", "DOE", "GARCIA", "NGUYEN", "Keller", "Larsson", "OKAFOR", "Rossi", "WANG", "Novak")
FIRST = ("JOHN", "JANE", "ANA", "Minh", "Petra", "Lars", "IFE", "Marco", "LI", "Eva")


def wording(rng: random.Random) -> tuple[str, str]:
    """A kind of line and its text: names, words, dates, identifiers, and short ones of two or three characters."""
    family, first = rng.choice(GIVEN), rng.choice(FIRST)
    year, month, day = rng.randint(1930, 2024), rng.randint(1, 12), rng.randint(1, 28)
    digits = "".join(rng.choices("0123456789", k=rng.randint(5, 8)))
    lines = {
        "name": [f"{family} {first}", f"{family}^{first}", f"{family}, {first}", f"{first} {family}"],
        "word": [family, "Hospital", "Radiology", first + family[:3]],
        "date": [f"{year}-{month:02}-{day:02}", f"{day:02}/{month:02}/{year}", f"{day}.{month}.{year} 08:{day:02}"],
        "id": [f"ID:{digits}", f"MRN {digits}", f"ACC {digits}", digits],
        "short id": [f"{rng.choice('KMPX')}{digits[:4]}", digits[:4], f"{month:02}:{day:02}"],
        "mark": [f"{rng.choice('ABEHMNRS')}{digits[0]}", digits[:3], first[:2], f"{digits[:2]}Y"],
    }  # fmt: skip
    kind = rng.choices(tuple(lines), (4, 3, 3, 3, 3, 2))[0]
    return kind, rng.choice(lines[kind])


@dataclass(frozen=True)
class Font:
    """A way to write: a TrueType file, Pillow's own outlines ("pillow") or bitmap ("bitmap"), or OpenCV's ("cv:N")."""

    source: str

    def ink(self, text: str, size: int) -> np.ndarray:
        """uint8[h, w]: how much of each pixel is ink, cropped to the line."""
        if self.source.startswith("cv:"):
            face, scale = int(self.source[3:]), size * 0.75 / 22
            (w, h), below = cv2.getTextSize(text, face, scale, 1)
            mask = np.zeros((h + below + 2 * size, w + 4 * size), np.uint8)
            cv2.putText(mask, text, (size, h + size), face, scale, 255, 1 if size < 20 else 2, cv2.LINE_AA)
        else:
            if self.source == "bitmap":
                font: ImageFont.ImageFont | ImageFont.FreeTypeFont = ImageFont.load_default_imagefont()
            elif self.source == "pillow":
                font = ImageFont.load_default(size)
            else:
                font = ImageFont.truetype(self.source, size)
            left, top, right, bottom = (int(v) for v in font.getbbox(text))
            canvas = Image.new("L", (right - left + 2 * size, bottom - top + 2 * size), 0)
            ImageDraw.Draw(canvas).text((size - left, size - top), text, font=font, fill=255)
            mask = np.asarray(canvas)
            if self.source == "bitmap" and size >= 20:
                mask = cv2.resize(mask, None, fx=size // 10, fy=size // 10, interpolation=cv2.INTER_NEAREST)
        x, y, w, h = cv2.boundingRect(mask)
        return mask[y : y + h, x : x + w]


def fonts(half: Literal["fit", "test"], folder: Path = Path("/usr/share/fonts/truetype")) -> list[Font]:
    """Fonts for fitting and for testing, none in both: OpenCV's upright light and Pillow's outlines; the rest."""
    if half == "fit":
        return [Font("cv:0"), Font("pillow"), Font("bitmap"), *map(Font, _files(folder, "Serif", True))]
    return [Font("cv:2"), Font("cv:6"), *map(Font, _files(folder, "Serif", False))]


def _files(folder: Path, word: str, with_word: bool) -> list[str]:
    fonts = sorted(p for p in folder.rglob("*.ttf") if "Math" not in p.name and (word in p.name) == with_word)
    return [str(p) for p in fonts][:: max(1, len(fonts) // 8)]
