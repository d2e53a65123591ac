"""What `curate deid` is told: the rules of headers, pixels and text; and what became of one input."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from curate.deid.header.rules import HeaderRules
from curate.deid.rules import PixelPolicy, TextRules
from curate.record import Reason


@dataclass(frozen=True)
class ReleaseRules:
    """``sections`` keeps only those sections of a report (None: all of it). A word that the vocabulary does not know
    stays where it is seen with at least ``k_patients`` patients. ``second_look``: the share of the pictures that the
    verifier reads whatever the gate said of them, chosen by key. ``max_bytes`` bounds a decoded frame and an inflated
    file.
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
    """One file's end. Nothing in it identifies but ``data``, which is clean where ``reason`` is None.

    ``actions`` counts what was done, by "action attribute" ("remove PatientAddress", "blank pixels",
    "mask NAME"); ``findings`` are the codes of what the verifier found, of which none is a value. A report file
    has one fate a row as well: ``rows`` counts them by reason, "" being the clean ones.
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
