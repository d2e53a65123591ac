"""Lines of text drawn on pictures, with the place of each and how visible it is: what the gate is fitted with.

A line is *visible* where the median step of its strokes over the ground is at least 6 % of the picture's grey range and
2.5 times the ground's local unrest: the robust standard deviation, within the line's box, of the ground less its own
Gaussian blur at half the text's height. (Rose's criterion asks 3 to 5 for a single detail; a line has many.)
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

Box = tuple[int, int, int, int]
SIZES, CONTRASTS = (10, 12, 14, 16, 20, 24, 32), (0.2, 0.35, 0.5, 0.75, 1.0)
PLACES = ("border", "anywhere")
KINDS = ("grey", "inverted", "deep", "colour", "palette")
GIVEN = ("SMITH", "DOE", "GARCIA", "NGUYEN", "Keller", "Larsson", "OKAFOR", "Rossi", "WANG", "Novak")
FIRST = ("JOHN", "JANE", "ANA", "Minh", "Petra", "Lars", "IFE", "Marco", "LI", "Eva")
VISIBLE_STEP, VISIBLE_NOISE = 0.06, 2.5


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
class Line:
    """One drawn line: the picture [H, W] or [H, W, 3], the line's box in it, and what it was drawn as."""

    picture: np.ndarray
    box: Box
    text: str
    wording: str
    size: int
    contrast: float
    kind: str
    turn: int
    font: str
    step: float
    noise: float

    @property
    def visible(self) -> bool:
        return self.step >= VISIBLE_STEP and self.step >= VISIBLE_NOISE * self.noise


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
            drawn = Image.new("L", (right - left + 2 * size, bottom - top + 2 * size), 0)
            ImageDraw.Draw(drawn).text((size - left, size - top), text, font=font, fill=255)
            mask = np.asarray(drawn)
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
    found = sorted(p for p in folder.rglob("*.ttf") if "Math" not in p.name and (word in p.name) == with_word)
    return [str(p) for p in found][:: max(1, len(found) // 8)]


def lines(pictures: Sequence[np.ndarray], rng: random.Random, each: int, faces: Sequence[Font]) -> Iterator[Line]:
    """``each`` lines on every picture (uint8[H, W]), one a copy; pictures are first enlarged to 384 px or more."""
    for picture in pictures:
        factor = max(1, -(-384 // min(picture.shape)))
        large = (
            cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC) if factor > 1 else picture
        )
        for _ in range(each):
            drawn = draw(large, rng, rng.choice(faces))
            if drawn is not None:
                yield drawn


def draw(picture: np.ndarray, rng: random.Random, font: Font) -> Line | None:
    """One line somewhere on ``picture`` (uint8[H, W]); None where it does not fit whole."""
    size, contrast, kind = rng.choice(SIZES), rng.choice(CONTRASTS), rng.choice(KINDS)
    called, text = wording(rng)
    turn = rng.choices((0, 90, 180, 270), (7, 1, 1, 1))[0]
    ink = np.rot90(font.ink(text, size), turn // 90)
    h, w = ink.shape
    if h > picture.shape[0] - 8 or w > picture.shape[1] - 8:
        return None
    x, y = rng.randint(2, picture.shape[1] - w - 2), rng.randint(2, picture.shape[0] - h - 2)
    if rng.choice(PLACES) == "border":
        if rng.random() < 0.5:
            x = rng.choice((4, picture.shape[1] - w - 4))
        y = rng.choice((4, picture.shape[0] - h - 4))
    where = np.s_[y : y + h, x : x + w]
    ground, share = picture[where].astype(np.float32), ink / np.float32(255)
    level = float(np.median(ground[ink > 128])) if (ink > 128).any() else float(np.median(ground))
    tone = np.clip(level + contrast * 255 * (1 if level <= 127 else -1), 0, 255)
    out = picture.copy()
    out[where] = np.clip(ground * (1 - share) + tone * share, 0, 255).astype(np.uint8)
    step = float(np.median(np.abs(out[where].astype(np.float32) - ground)[ink > 160])) if (ink > 160).any() else 0.0
    return Line(_as(kind, out, where, share, rng), (x, y, w, h), text, called, size, contrast, kind, turn,
                Path(font.source).stem, step / 255, _unrest(ground, size) / 255)  # fmt: skip


def _unrest(ground: np.ndarray, size: int) -> float:
    fine = ground - cv2.GaussianBlur(ground, (0, 0), size / 2)
    return float(np.median(np.abs(fine - np.median(fine))) * 1.4826)


def _as(kind: str, out: np.ndarray, where: tuple[slice, slice], share: np.ndarray, rng: random.Random) -> np.ndarray:
    """The picture as an archive would hold it: inverted, 12 bits deep, in colour, or as indices of a palette."""
    if kind == "inverted":
        return 255 - out
    if kind == "deep":
        return out.astype(np.uint16) * 16
    if kind == "palette":
        return (out // 4 * 4).astype(np.uint8)
    if kind == "colour":
        rgb = np.repeat(out[..., None], 3, axis=2)
        if rng.random() < 0.5:  # coloured ink: one channel keeps the ground
            keep = rng.randrange(3)
            part = rgb[where]
            part[..., keep] = np.where(share > 0.3, part[..., keep] // 2, part[..., keep])
        return rgb
    return out
