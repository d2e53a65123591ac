"""The frames of one file on their way out: what is looked at, what is blanked, what is written."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from pydicom.uid import UID

from curate.sources.dicom.layout import Layout


@dataclass(frozen=True)
class Written:
    """A pixel data element. ``value`` may be of odd length, and may be the frames' own memory."""

    syntax: UID
    tag: int
    vr: str
    value: bytes | memoryview


class Frames(ABC):
    """Pixel data about to be written.

    ``layout`` is what is written as it stands, ``decoded`` that of `stored`'s arrays: a compressed YBR frame is looked
    at, and blanked, as RGB. ``changes`` says what was left behind, as actions.
    """

    layout: Layout
    decoded: Layout
    changes: tuple[str, ...]

    @abstractmethod
    def stored(self, frame: int) -> np.ndarray:
        """The 0-based frame's stored values, (rows, columns) or (rows, columns, samples); DropRecord if undecodable."""

    @abstractmethod
    def written(self) -> Written:
        """The pixel data element as it is written."""


class WritableFrames(Frames):
    """Frames whose pixels can be replaced."""

    @abstractmethod
    def put(self, frame: int, pixels: np.ndarray) -> None:
        """Overwrite the 0-based frame with (rows, columns) or (rows, columns, samples)."""
