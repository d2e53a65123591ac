"""Text in the pixels: does it still show in what is written? Ours and the peers on the same files, by kind of pixels.

Each case is a picture with the patient's name and number drawn into it. A tool cleans a case where it passes the file
and the drawn strokes are gone (what is left of their contrast against the picture without them is under a fifth),
withholds it where it passes nothing, and leaks it otherwise. The same pictures without text are there too:
withholding or changing them is a loss. The large measurement over sizes and contrasts is `benchmarks.burned_in`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from pydicom import uid
from pydicom.dataset import Dataset

from benchmarks.deid import ours, peers
from benchmarks.deid.header.cases.build import anatomy, base_ct, set_pixels, written
from benchmarks.deid.plant import Ledger, pixels_of

SIDE = 512
_SHOWS = 0.2  # of the strokes' contrast left


def _ink(size: int, turn: int = 0, at: tuple[int, int] = (16, 12)) -> np.ndarray:
    """float32[SIDE, SIDE], 0..1: two lines of text."""
    canvas = Image.new("L", (SIDE, SIDE))
    font = ImageFont.load_default(size)
    ImageDraw.Draw(canvas).text(at, "THISTLEWANE, MARIGOLDA\nMRN 48210577  12/03/2019", font=font, fill=255)
    return np.rot90(np.asarray(canvas, np.float32) / 255, turn).copy()


def _ct(ledger: Ledger, pixels: np.ndarray, photometric: str = "MONOCHROME2", modality: str = "CT") -> Dataset:
    ds = base_ct(ledger)
    set_pixels(ds, pixels, 12, photometric)
    if modality == "US":
        ds.SOPClassUID, ds.Modality = uid.UltrasoundImageStorage, "US"
    ds.BurnedInAnnotation = "NO"  # a flag that is wrong
    return ds


def _body(rng: np.random.Generator) -> np.ndarray:
    """float32[SIDE, SIDE], 0..4095: smooth anatomy with grain."""
    return np.clip(anatomy(SIDE, 3000).astype(np.float32) + rng.normal(0, 25, (SIDE, SIDE)), 0, 4095)


def _drawn(body: np.ndarray, ink: np.ndarray, tone: float) -> np.ndarray:
    return np.asarray(body * (1 - ink) + tone * ink)


def _mono2(body: np.ndarray, ink: np.ndarray, p: Ledger) -> Dataset:
    return _ct(p, _drawn(body, ink, 4000).astype(np.uint16))


def _mono1(body: np.ndarray, ink: np.ndarray, p: Ledger) -> Dataset:
    ds = _ct(p, (4095 - _drawn(body, ink, 4000)).astype(np.uint16), "MONOCHROME1")
    ds.SOPClassUID, ds.Modality = uid.ComputedRadiographyImageStorage, "CR"
    return ds


def _inverted(body: np.ndarray, ink: np.ndarray, p: Ledger) -> Dataset:
    """Dark writing on a bright plate."""
    return _ct(p, _drawn(np.clip(4095 - body, 0, 4095), ink, 100).astype(np.uint16))


def _faint(body: np.ndarray, ink: np.ndarray, p: Ledger) -> Dataset:
    return _ct(p, (body + 900 * ink).clip(0, 4095).astype(np.uint16))


def _eight_bits(body: np.ndarray, ink: np.ndarray, p: Ledger) -> Dataset:
    return _ct(p, (_drawn(body, ink, 4000) / 16).astype(np.uint8))


def _rgb(body: np.ndarray, ink: np.ndarray, p: Ledger) -> Dataset:
    grey = body / 16
    channels = [_drawn(grey, ink, tone) for tone in (240, 220, 40)]
    return _ct(p, np.stack(channels, axis=2).astype(np.uint8), "RGB", "US")


def _palette(body: np.ndarray, ink: np.ndarray, p: Ledger) -> Dataset:
    """Indices into a table in which neighbours look alike; the writing is one more index."""
    indices = np.where(ink > 0.5, 255, np.minimum(body / 16, 250)).astype(np.uint8)
    ds = _ct(p, indices, "PALETTE COLOR", "US")
    ramp = (np.arange(256) * 257).astype("<u2")
    for colour in ("Red", "Green", "Blue"):
        setattr(ds, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, 16])
        setattr(ds, f"{colour}PaletteColorLookupTableData", ramp.tobytes())
    return ds


def _one_frame_of_six(body: np.ndarray, ink: np.ndarray, p: Ledger) -> Dataset:
    frames = np.stack([_drawn(body, ink, 4000) if i == 3 else body for i in range(6)]).astype(np.uint16)
    ds = _ct(p, frames[0])
    ds.PixelData, ds.NumberOfFrames = (frames >> 4).astype(np.uint8).tobytes(), 6
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 8, 8, 7
    ds["PixelData"].VR = "OB"
    ds.SOPClassUID, ds.Modality, ds.FrameTime = uid.UltrasoundMultiFrameImageStorage, "US", 40
    ds.FrameIncrementPointer = 0x00181063
    return ds


Draw = Callable[[np.ndarray, np.ndarray, Ledger], Dataset]
CASES: dict[str, tuple[Draw, np.ndarray]] = {
    "MONOCHROME2": (_mono2, _ink(18)),
    "MONOCHROME1": (_mono1, _ink(18)),
    "dark on bright": (_inverted, _ink(18)),
    "palette colour": (_palette, _ink(18)),
    "RGB": (_rgb, _ink(18)),
    "one frame of six": (_one_frame_of_six, _ink(18)),
    "rotated by 90": (_mono2, _ink(18, 1)),
    "rotated by 270": (_mono2, _ink(18, 3)),
    "upside down": (_mono2, _ink(18, 2)),
    "faint": (_faint, _ink(20)),
    "small, 10 px": (_mono2, _ink(10)),
    "large, 32 px": (_mono2, _ink(32)),
    "over the anatomy": (_mono2, _ink(20, 0, (120, 250))),
    "8 bits": (_eight_bits, _ink(16)),
}


def measure(installed: list[peers.Peer], cache: Path) -> dict[str, Any]:
    """{"cases": n, "tools": {tool: {"cleaned", "withheld", "leaking", "clean pictures withheld", "ends"}}}"""
    with tempfile.TemporaryDirectory() as folder:
        source, made = Path(folder) / "in", {}
        source.mkdir()
        for i, (name, (draw, ink)) in enumerate(CASES.items()):
            body = _body(np.random.default_rng(i))
            for kind, drawn in (("text", ink), ("plain", np.zeros_like(ink))):
                path = source / f"{i:02d}-{kind}.dcm"
                path.write_bytes(written(draw(body, drawn, Ledger(900 + i))))
                made[path.name] = (name, kind, ink)
        tools = {ours.NAME: _judge(made, source, {n: _ours(source / n) for n in made})}
        for peer in installed:
            target = Path(folder) / peer.module
            status = peers.drive(peer, cache, source, target, DEID_PIXELS="1")
            ends = {
                n: (target / n).read_bytes() if (target / n).exists() and not status[n]["error"] else None for n in made
            }
            tools[peer.name] = _judge(made, source, ends)
    return {"cases": len(CASES), "tools": tools}


def _ours(path: Path) -> bytes | None:
    done = ours.clean(path)
    return done.outcome.data if done.outcome else None


def _judge(made: dict[str, tuple[str, str, np.ndarray]], source: Path, ends: dict[str, bytes | None]) -> dict[str, Any]:
    fates: dict[str, str] = {}
    withheld = changed = 0
    for file, (name, kind, ink) in made.items():
        before, data = pixels_of((source / file).read_bytes()), ends[file]
        after = pixels_of(data) if data is not None else None
        if kind == "plain":
            withheld += after is None
            changed += after is not None and not np.array_equal(before, after)
            continue
        plain = pixels_of((source / file.replace("text", "plain")).read_bytes())
        assert before is not None and plain is not None
        fates[name] = "withheld" if after is None else "leaks" if _shows(before, plain, after, ink) else "cleaned"
    counts = {fate: sum(f == fate for f in fates.values()) for fate in ("cleaned", "withheld", "leaks")}
    return {**counts, "clean pictures withheld": withheld, "clean pictures changed": changed, "ends": fates}


def _shows(before: np.ndarray, plain: np.ndarray, after: np.ndarray, ink: np.ndarray) -> bool:
    """Is a fifth of any word's contrast left? Its strokes against the pixels right beside them, in the worst frame."""
    if after.shape != before.shape:
        return True
    stack = (lambda p: p[None]) if before.ndim == 2 or before.shape[-1] == 3 else (lambda p: p)
    pairs = [(_grey(b), _grey(a), _grey(c)) for b, a, c in zip(stack(before), stack(after), stack(plain), strict=True)]
    count, words = cv2.connectedComponents(cv2.dilate((ink > 0).astype(np.uint8), np.ones((9, 9), np.uint8)))
    ring = cv2.dilate((ink > 0).astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool) & ~(ink > 0)
    for word in range(1, count):
        on, near = (words == word) & (ink > 0.5), (words == word) & ring
        for b, a, c in pairs:
            drawn, left, floor = (abs(float(np.median(p[on]) - np.median(p[near]))) for p in (b, a, c))
            if drawn > 2 * floor + 1 and left > _SHOWS * drawn + floor:
                return True
    return False


def _grey(picture: np.ndarray) -> np.ndarray:
    return picture.mean(axis=2) if picture.ndim == 3 else picture.astype(np.float64)
