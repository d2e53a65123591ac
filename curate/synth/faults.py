"""Which fault is injected into which study, and the faults of pixels and bytes.

A study has one primary fault, drawn from the configured shares by (seed, index) alone. Burned-in text may come on top
of a fault of the report.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, fields

import cv2
import numpy as np
from numpy.typing import NDArray

from curate.errors import RecipeError
from curate.synth.case import Case, Purpose, draw_case, rng_for

NEEDS_FINDING = ("negated", "boilerplate")
NEEDS_SIDE = ("wrong_side",)
DUPLICATES = ("exact_duplicate", "near_duplicate")
BROKEN_FILES = ("truncated", "corrupt", "empty", "not_dicom")
TEXT_FAULTS = ("mismatch", "wrong_side", "negated", "boilerplate")
_DELIMITER = 8  # bytes that close a sequence of compressed fragments
_MAX_DISTANCE = 256  # studies back in which a duplicate looks for its source; without one it is faultless


@dataclass(frozen=True)
class SynthConfig:
    """How many studies, how large, and the share of studies with each fault; the rest is faultless.

    ``side`` is the base picture size in pixels (films are 1.25 times as large, MR 0.75). ``reviewed`` is the share
    of faultless studies that are marked as reviewed by hand: the clean set a filter is trained on.
    Raises RecipeError if a share is outside 0..1 or the faults' shares sum to more than 1.
    """

    studies: int = 300
    seed: int = 0
    side: int = 256
    reviewed: float = 0.3
    mismatch: float = 0.25
    wrong_side: float = 0.08
    negated: float = 0.08
    boilerplate: float = 0.08
    exact_duplicate: float = 0.06
    near_duplicate: float = 0.06
    blank: float = 0.01
    truncated: float = 0.01
    corrupt: float = 0.01
    empty: float = 0.005
    not_dicom: float = 0.005
    burned_in: float = 0.04
    orphan_image: float = 0.02
    orphan_report: float = 0.02
    ambiguous: float = 0.01

    def __post_init__(self) -> None:
        for name, low, fix in (
            ("studies", 0, "a count"),
            ("seed", 0, "a whole number >= 0"),
            ("side", 64, "64 or more"),
        ):
            if getattr(self, name) < low:
                raise RecipeError(name, f"{getattr(self, name)} is below {low}", f"give {fix}")
        for name in ("reviewed", *FAULTS):
            share = getattr(self, name)
            if not (math.isfinite(share) and 0.0 <= share <= 1.0):
                raise RecipeError(name, f"{share} is not a share", "a number from 0 to 1")
        if (total := sum(self.shares())) > 1.0 + 1e-9:
            raise RecipeError("faults", f"their shares sum to {total:.3f}", "lower some, the sum may be 1 at most")

    def shares(self) -> list[float]:
        """The faults' shares, in the order of `FAULTS`."""
        return [float(getattr(self, name)) for name in FAULTS]


FAULTS = tuple(f.name for f in fields(SynthConfig))[4:]


@dataclass(frozen=True)
class Plan:
    """The plan of study ``index``. ``source`` is the case that it duplicates, ``wrong`` the one that its report
    describes."""

    index: int
    fault: str
    burned_in: bool
    reviewed: bool
    case: Case
    source: Case | None
    wrong: Case | None

    @property
    def faults(self) -> list[str]:
        """All faults, the primary one first."""
        more = ["burned_in"] if self.burned_in and self.fault != "burned_in" else []
        return [self.fault, *more] if self.fault != "none" else more


def draw_fault(config: SynthConfig, index: int) -> str:
    """The primary fault drawn for a study; "none" for the rest."""
    at = float(rng_for(config.seed, Purpose.FAULT, index).random())
    place = int(np.searchsorted(np.cumsum(config.shares()), at, side="right"))
    return FAULTS[place] if place < len(FAULTS) else "none"


def plain_case(config: SynthConfig, index: int) -> Case:
    """The case of a study as its own fault needs it, not resolving duplicates."""
    fault = draw_fault(config, index)
    return draw_case(config.seed, index, fault in NEEDS_FINDING, fault in NEEDS_SIDE)


def make_plan(config: SynthConfig, index: int) -> Plan:
    """All decisions about study ``index``, from the configured shares and (seed, index)."""
    fault, case = draw_fault(config, index), plain_case(config, index)
    rng = rng_for(config.seed, Purpose.FAULT, index, 1)
    source = _find_source(config, index) if fault in DUPLICATES else None
    if fault in DUPLICATES and source is None:
        fault = "none"
    wrong = _find_wrong(config, case, rng) if fault in ("mismatch", "ambiguous") else None
    burned = fault == "burned_in" or (fault in TEXT_FAULTS and rng.random() < config.burned_in)
    reviewed = fault == "none" and rng.random() < config.reviewed
    return Plan(index, fault, burned, reviewed, case, source, wrong)


def _find_source(config: SynthConfig, index: int) -> Case | None:
    """The nearest faultless study before this one."""
    for j in range(index - 1, max(-1, index - _MAX_DISTANCE), -1):
        if draw_fault(config, j) == "none":
            return plain_case(config, j)
    return None


def _find_wrong(config: SynthConfig, case: Case, rng: np.random.Generator) -> Case:
    """Another study whose report is wrong for ``case``; it may lie beyond the end of a small archive."""
    while True:
        other = plain_case(config, case.index + int(rng.integers(1, 512)))
        if case.differs(other):
            return other


def file_fault(plan: Plan, number: int) -> str:
    """The primary fault of one file: only the last image of a study is broken or blank."""
    last = number == (plan.source or plan.case).images - 1
    return plan.fault if last or plan.fault not in (*BROKEN_FILES, "blank") else "none"


def swap_sides(text: str) -> str:
    """Exchange "left" and "right", keeping upper and lower case."""
    swap = {"left": "right", "right": "left"}

    def turn(match: re.Match[str]) -> str:
        word = swap[match[0].lower()]
        return word.upper() if match[0].isupper() else word.capitalize() if match[0][0].isupper() else word

    return re.sub(r"\b(left|right)\b", turn, text, flags=re.IGNORECASE)


def burn_text(frames: NDArray[np.generic], lines: list[str], white: int, rng: np.random.Generator) -> None:
    """Draw ASCII ``lines`` into a corner of every frame, in place; frames are [n, h, w] or [n, h, w, 3]."""
    height, width = frames.shape[1:3]
    font, longest = cv2.FONT_HERSHEY_SIMPLEX, max(lines, key=len)
    full = cv2.getTextSize(longest, font, 1.0, 1)[0]
    size = min(0.0021 * width, 0.92 * width / full[0])
    (text_width, text_height), _ = cv2.getTextSize(longest, font, size, 1)
    step, margin = round(1.7 * text_height), max(3, width // 64)
    x = margin if rng.random() < 0.5 else width - text_width - margin
    top = margin + text_height if rng.random() < 0.7 else height - margin - step * (len(lines) - 1)
    layer = np.zeros((height, width), np.uint8)
    for k, line in enumerate(lines):
        cv2.putText(layer, line, (x, top + k * step), font, size, (255,), 1, cv2.LINE_AA)
    frames[:, layer > 96] = white


def rescale_contrast(frames: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """A near duplicate of 8-bit frames: different contrast, slightly different size."""
    factor = rng.choice([0.85, 0.93, 1.0, 1.08])
    gain, lift = rng.uniform(0.85, 1.1), rng.uniform(-8, 12)
    size = round(frames.shape[2] * factor), round(frames.shape[1] * factor)
    scaled = [cv2.resize(f, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR) for f in frames]
    return np.asarray(np.clip(np.stack(scaled).astype(np.float32) * gain + lift, 0, 255), np.uint8)


def truncate(data: bytes, pixel_bytes: int) -> bytes:
    """The file cut in the middle of its pixel data, which comes last and is ``pixel_bytes`` long."""
    return data[: len(data) - pixel_bytes // 2]


def garble(data: bytes, pixel_bytes: int, rng: np.random.Generator) -> bytes:
    """Noise over the compressed pixels, or over the file's meta information: nothing can be decoded.

    The first item's header (PS3.5 A.4: 12 bytes of offset table and 8 of item) stays, so that it is the decoder, not
    the parser, that fails.
    """
    start, stop = (len(data) - _DELIMITER - pixel_bytes + 20, len(data) - _DELIMITER)
    if rng.random() < 0.4:
        start, stop = 132, 300
    noise = rng.integers(0, 256, stop - start, dtype=np.uint8).tobytes()
    return data[:start] + noise + data[stop:]
