"""The case behind study i (patient, scene, finding), a function of (seed, i) alone.

Every draw comes from a generator keyed by the seed, an index and the purpose, so a study can be made again from its
index at any time, in any order, in an archive of any size. Nothing is remembered between studies.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from curate.synth.catalogue import SCENES, Finding, Scene
from curate.synth.chest import SIZES
from curate.synth.others import LEVELS

_HEALTHY = 0.3  # share of studies without a finding, if the injected fault does not need one
_BLOCK, _PATIENTS_A_BLOCK = 8, 6  # eight studies in a row belong to at most six patients
_WEIGHTS = np.cumsum([s.weight for s in SCENES]) / sum(s.weight for s in SCENES)


class Purpose(IntEnum):
    """The purpose of a generator; never renumbered, or every archive changes."""

    FAULT = 1
    CASE = 2
    PATIENT = 3
    BLOCK = 4
    VISIT = 5
    BODY = 6
    SPOT = 7
    GRAIN = 8
    WORDS = 9
    TAGS = 10
    PIXELS = 11
    DAMAGE = 12


def rng_for(seed: int, purpose: Purpose, index: int, part: int = 0) -> np.random.Generator:
    """The generator for one purpose of one study (or patient); ``part`` tells its images apart."""
    return np.random.default_rng([seed, int(purpose), index, part])


@dataclass(frozen=True)
class Case:
    """``patient`` is an index; ``finding`` is None and ``side`` "" where there is none."""

    index: int
    patient: int
    scene: Scene
    finding: Finding | None
    side: str
    size: str
    images: int

    @property
    def finding_name(self) -> str:
        return self.finding.name if self.finding else ""

    def differs(self, other: Case) -> bool:
        """Is a report of ``other`` wrong for this case: another part of the body or another finding?"""
        return self.scene.body_part != other.scene.body_part or self.finding_name != other.finding_name


def draw_case(seed: int, index: int, needs_finding: bool, needs_side: bool) -> Case:
    """The case of study ``index``; some faults need a finding or a side that they can falsify."""
    rng = rng_for(seed, Purpose.CASE, index)
    healthy = rng.random() < _HEALTHY and not needs_finding and not needs_side
    scene, finding = _draw_finding(rng, needs_side)
    side = str(rng.choice(["left", "right"]))
    size = str(rng.choice(SIZES))
    images = int(rng.choice([1, 2, 3], p=[0.7, 0.2, 0.1]))
    if healthy:
        return Case(index, patient_of(seed, index), scene, None, "", "", images)
    return Case(index, patient_of(seed, index), scene, finding, side if finding.sided else "", size, images)


def _draw_finding(rng: np.random.Generator, needs_side: bool) -> tuple[Scene, Finding]:
    while True:
        scene = SCENES[int(np.searchsorted(_WEIGHTS, rng.random(), side="right"))]
        finding = scene.findings[int(rng.integers(len(scene.findings)))]
        if finding.sided or not needs_side:
            return scene, finding


def patient_of(seed: int, index: int) -> int:
    """Index of the study's patient; a duplicate takes its source's patient instead."""
    block = index // _BLOCK
    seats = rng_for(seed, Purpose.BLOCK, block).integers(0, _PATIENTS_A_BLOCK, _BLOCK)
    return block * _BLOCK + int(seats[index % _BLOCK])


def spine_level(seed: int, index: int) -> str:
    """The disc or vertebra that the report names; the picture shows the same one."""
    return LEVELS[int(rng_for(seed, Purpose.SPOT, index).integers(2, 5))]
