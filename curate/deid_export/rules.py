"""What `curate deid` is told: the rules of headers, pixels and text, in one frozen piece."""

from __future__ import annotations

from dataclasses import dataclass, field

from curate.deid.header.rules import HeaderRules
from curate.deid.rules import PixelPolicy, TextRules


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
