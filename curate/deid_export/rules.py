"""The options of `curate deid` (rules of headers, pixels and text), and the outcome of one input."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from curate.deid.header.rules import HeaderRules
from curate.deid.rules import PixelPolicy, TextRules
from curate.record import Reason


@dataclass(frozen=True)
class ReleaseRules:
    """``sections`` keeps only those sections of a report (None: all of it). A word that the vocabulary does not know is
    kept if it occurs with at least ``k_patients`` patients. ``second_look``: the share of pictures that the verifier
    reads whatever the gate said of them, chosen by key. ``max_bytes`` limits a decoded frame and an inflated file.
    """

    header: HeaderRules = field(default_factory=HeaderRules)
    pixels: PixelPolicy = PixelPolicy()
    text: TextRules = TextRules()
    sections: tuple[str, ...] | None = None
    k_patients: int = 8
    second_look: float = 0.01
    max_bytes: int = 1 << 30


@dataclass(frozen=True)
class Outcome:
    """The outcome of one file. Without PHI: ``data`` is the clean file, there exactly if ``reason`` is None.

    ``actions`` counts what was done, by "action attribute" ("remove PatientAddress", "blank pixels",
    "mask NAME"); ``findings`` are the verifier's codes, never values. ``rows`` of a report file counts its
    rows by reason, "" being the clean ones.
    """

    reason: Reason | None
    data: bytes | None = None
    suffix: str = ""
    actions: Mapping[str, int] = field(default_factory=dict)
    findings: tuple[str, ...] = ()
    rows: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if (self.reason is None) != (self.data is not None):
            raise ValueError("a clean outcome has data, any other has a reason and none")
