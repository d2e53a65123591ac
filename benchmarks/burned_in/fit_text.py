"""Text for fitting the text detector: words, faces, dots, slants and tones, drawn on a crop and marked in its truth.

Fonts come from a folder that is named, and never hold a family that the benchmark draws with.
"""

from __future__ import annotations

import math
import random
import re
import string
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from benchmarks.drawn_text import wording

Image8 = npt.NDArray[np.uint8]

SIDE = 256  # px of a crop
LOWEST, HIGHEST = 4, 48  # px: heights of letters that one level of the pyramid is to see, or to suspect
_LARGE = 90  # px: letters up to this height are drawn too; what is larger than HIGHEST is neither text nor ground
_SHRUNK = 0.2  # of a line's height, on each side: the core that is marked
_LONGEST = 1.6  # characters: of a square's side by a line's height, so that most of it is seen
_STEP, _NOISE = 5.0, 1.2  # of 255, and of the ground's unrest: what stands out less is not asked for
_NO_LETTERS, _OF_THE_TEST = ("Symbol", "D050000L", "Dingbats", "cursor", "nil"), ("DejaVu",)
_OTHER = (
    "АБВГДЕЖЗИКЛМНОПРСТУФХЦЧШЩЫЭЮЯабвгдежзиклмнопрстΑΒΓΔΕΖΗΘαβγδεζηθ"
    "田中山本王李张北京医院放射科あいうえおカキクケコ김이박정"
)
_MACHINES = (
    "#.#cm", "SL #.0", "kV 1##", "W### L##", "FR ##Hz", "Im: ##/1##", "TE ##", "MI 1.1  TIs 0.4", "Zoom ##%", "SUPINE",
    "PORTABLE", "AP ERECT", "+ Dist #.## mm", "R", "L", "##", "##:##:##",
)  # fmt: skip


def faces(folder: Path) -> list[str]:
    """The font files under ``folder``, none of a family that the test draws with; of bitmap fonts each 16th."""
    files = [p for p in sorted(folder.rglob("*")) if not any(word in str(p) for word in _NO_LETTERS + _OF_THE_TEST)]
    outlines = [str(p) for p in files if p.suffix in (".ttf", ".otf", ".otb", ".t1")]
    bitmaps = [str(p) for p in files if p.name.endswith(".pcf.gz")]
    return [*outlines, *bitmaps[::16], *["pillow"] * 10]


def _words(rng: random.Random) -> str:
    kind = rng.random()
    if kind < 0.35:
        return wording(rng)[1]
    if kind < 0.5:  # what machines write
        return re.sub("#", lambda _: str(rng.randrange(10)), rng.choice(_MACHINES))
    if kind < 0.55:
        return "".join(rng.choices(_OTHER, k=rng.randint(2, 10)))
    letters = rng.choice(
        (
            string.ascii_uppercase,
            string.ascii_letters,
            string.digits,
            string.ascii_lowercase,
            string.ascii_letters + string.digits,
        )
    )
    if kind < 0.75:  # short ones
        return "".join(rng.choices(letters, k=rng.randint(2, 4)))
    words = ["".join(rng.choices(letters, k=rng.randint(1, 9))) for _ in range(rng.choice((1, 1, 2, 3, 5)))]
    return rng.choice((" ", " ", " ", "-", "^", "  ")).join(words)


@lru_cache(maxsize=600)
def _font(path: str, size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size) if path == "pillow" else ImageFont.truetype(path, size)


def _ink(text: str, height: int, fonts: Sequence[str], rng: random.Random) -> Image8 | None:
    """uint8[h, w]: how much of each pixel is ink; about ``height`` px high."""
    kind = rng.random()
    if kind < 0.12:
        face = rng.choice((0, 1, 3, 4, 5, 7))
        thick = rng.choice((1, 1, 2, max(1, height // 10)))
        scale = height / 22
        (w, h), below = cv2.getTextSize(text, face, scale, thick)
        ink = np.zeros((h + below + 8, w + 8), np.uint8)
        cv2.putText(ink, text, (4, h + 3), face, scale, 255, thick, rng.choice((cv2.LINE_AA, cv2.LINE_8)))
    else:
        path = rng.choice(fonts)
        fixed = path.endswith((".pcf.gz", ".otb"))
        try:
            font = _font(path, 16 if fixed else max(4, round(height * 1.35)))
            left, top, right, bottom = (int(v) for v in font.getbbox(text))
            if not (0 < right - left < 4000 and 0 < bottom - top < 400):
                return None
            page = Image.new("L", (right - left + 8, bottom - top + 8), 0)
            ImageDraw.Draw(page, "L").fontmode = rng.choice(("L", "L", "1"))
            ImageDraw.Draw(page).text((4 - left, 4 - top), text, font=font, fill=255)
        except (OSError, ValueError, UnicodeError):
            return None
        ink = np.asarray(page)
    x, y, w, h = cv2.boundingRect(ink)
    if w < 2 or h < 2:
        return None
    ink = ink[y : y + h, x : x + w]
    if kind > 0.8:  # dots of a matrix
        rows = rng.choice((7, 7, 8, 9, 12))
        small = (
            cv2.resize(ink, (max(2, round(w * rows / h)), rows), interpolation=cv2.INTER_AREA)
            if h > rows * 1.3
            else ink
        )
        pitch = max(2, round(height / small.shape[0]))
        dots = np.zeros((small.shape[0] * pitch, small.shape[1] * pitch), np.uint8)
        radius = max(1, round(pitch * rng.uniform(0.22, 0.5)))
        for v, u in np.argwhere(small > rng.choice((80, 110, 140))):
            if pitch < 4:
                dots[v * pitch, u * pitch] = 255
            else:
                cv2.circle(
                    dots, (int(u) * pitch + pitch // 2, int(v) * pitch + pitch // 2), radius, 255, -1, cv2.LINE_AA
                )
        ink = dots
    elif abs(ink.shape[0] - height) > 0.4 * height:
        times = height / ink.shape[0]
        if times > 1.5 and rng.random() < 0.6:
            ink = cv2.resize(ink, None, fx=round(times), fy=round(times), interpolation=cv2.INTER_NEAREST)
        else:
            ink = cv2.resize(
                ink, None, fx=times, fy=times, interpolation=cv2.INTER_AREA if times < 1 else cv2.INTER_LINEAR
            )
    if rng.random() < 0.1:  # wide or narrow
        ink = cv2.resize(ink, None, fx=rng.uniform(0.7, 1.6), fy=1, interpolation=cv2.INTER_LINEAR)
    return ink if min(ink.shape) >= 3 else None


def write_text(canvas: npt.NDArray[np.float32], truth: Image8, fonts: Sequence[str], rng: random.Random) -> None:
    """A line, or a block of lines, drawn into ``canvas``; its cores marked in ``truth``."""
    height = round(math.exp(rng.uniform(math.log(LOWEST), math.log(rng.choice((16, 30, HIGHEST, _LARGE))))))
    side = len(canvas)
    if side < SIDE:
        height = min(height, side // 2)
    longest = max(2, int(_LONGEST * side / height))
    inks = [_ink(_words(rng)[:longest], height, fonts, rng) for _ in range(rng.choice((1, 1, 1, 1, 2, 4)))]
    inks = [ink for ink in inks if ink is not None]
    if not inks:
        return
    gap = round(height * rng.uniform(0.25, 0.9)) + 1
    size = max(i.shape[1] for i in inks), sum(i.shape[0] + gap for i in inks)
    angle, turn, shift = _turned(*size, side, rng)
    ink = np.zeros((side, side), np.float32)
    cores, boxes = [], []
    top = 0
    for each in inks:
        h, w = each.shape
        matrix = np.c_[turn, turn @ np.array([0, top]) + shift]
        flags = cv2.INTER_LINEAR if angle % 90 else cv2.INTER_NEAREST
        ink = np.maximum(ink, cv2.warpAffine(each, matrix, (side, side), flags=flags).astype(np.float32) / 255)
        by = min(_SHRUNK * h, max(0.0, (h - 3) / 2))
        for inset, kept in ((by, cores), (-2, boxes)):
            x = min(inset, 0.3 * w)
            box = (
                np.array([(x, inset), (w - x, inset), (w - x, h - inset), (x, h - inset)]) @ matrix[:, :2].T
                + matrix[:, 2]
            )
            kept.append((box, h))
        top += h + gap
    if np.count_nonzero(ink > 0.4) < 6:
        return
    zone = np.zeros((side, side), np.uint8)
    for box, _ in boxes:
        cv2.fillPoly(zone, [np.int32(np.round(box * 16))], 1, shift=4)
    if (truth[zone > 0] != 0).any():
        return  # on other writing
    ground = canvas.copy()
    step = _lay(canvas, ink, zone, rng)
    fine = ground - cv2.GaussianBlur(ground, (0, 0), max(1.0, height / 3))
    inside = fine[zone > 0]
    unrest = 1.4826 * float(np.median(np.abs(inside - np.median(inside))))
    for (box, h), (core, _) in zip(boxes, cores, strict=True):
        cv2.fillPoly(truth, [np.int32(np.round(box * 16))], 2, shift=4)
        if step >= _STEP and step >= _NOISE * unrest and h <= HIGHEST * 1.3:
            halo = np.zeros_like(truth)
            cv2.fillPoly(halo, [np.int32(np.round(box * 16))], 1, shift=4)
            truth[halo > 0] = 0
            cv2.fillPoly(truth, [np.int32(np.round(core * 16))], 1, shift=4)


def _turned(
    wide: int, high: int, side: int, rng: random.Random
) -> tuple[float, npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """How a block lies in a picture: degrees, the same as a matrix, and what moves it to its place."""
    angle = rng.choice((*(0,) * 6, 90, 270, 180, *(rng.uniform(-180, 180) for _ in range(4)), rng.uniform(-25, 25)))
    a = math.radians(angle)
    turn = np.array([[math.cos(a), -math.sin(a)], [math.sin(a), math.cos(a)]])
    corners = np.array([(0, 0), (wide, 0), (wide, high), (0, high)], np.float64) @ turn.T
    low, size = corners.min(axis=0), np.ptp(corners, axis=0)
    spare = side - size
    at = np.array([rng.uniform(min(2, s), max(2, s - 2)) for s in spare])
    if rng.random() < 0.3:
        at[1] = rng.choice((2, max(2, spare[1] - 2)))
    shift = at - low
    return angle, turn, np.round(shift) if angle % 90 == 0 else shift


def _lay(canvas: npt.NDArray[np.float32], ink: npt.NDArray[np.float32], zone: Image8, rng: random.Random) -> float:
    """The ink on its ground, at times on a plate; its median contrast before that."""
    ground, strokes = canvas.copy(), ink > 0.4
    _paint(canvas, ink, zone, rng)
    step = float(np.median(np.abs(canvas - ground)[strokes]))
    if rng.random() < 0.1 and step > 10:  # on a plate of its own
        tone = float(np.median(ground[zone > 0]))
        away = canvas[strokes].mean() - tone
        np.copyto(canvas, tone, where=(zone > 0) & (ink < 0.2))
        canvas[zone > 0] = np.clip(tone + away * ink[zone > 0], 0, 255)
    return step


def _paint(canvas: npt.NDArray[np.float32], ink: npt.NDArray[np.float32], zone: Image8, rng: random.Random) -> None:
    """The ink laid on: brighter, darker, outlined, or as it turns over with its ground."""
    inside = canvas[zone > 0]
    level = float(np.median(inside))
    kind = rng.random()
    if kind < 0.6:
        contrast = math.exp(rng.uniform(math.log(0.03), 0))
        tone = level + contrast * 255 * (1 if level < rng.uniform(90, 165) else -1)
    else:
        tone = rng.choice((255, 255, 230, 0, rng.randrange(256)))
    tone = min(max(tone, 0), 255)
    if kind > 0.9:  # a dark outline about bright letters, or the other way round
        halo = cv2.GaussianBlur(cv2.dilate(ink, np.ones((3, 3))), (0, 0), 0.6)
        other = 0 if tone > 127 else 255
        canvas += (other - canvas) * halo
    share = ink * (rng.uniform(0.4, 1) if rng.random() < 0.15 else 1)
    canvas += (tone - canvas) * share
