"""The verifier's findings: codes, never values, since they go into attestations and logs."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from importlib.util import find_spec

from curate.record import Reason


class Finding(StrEnum):
    """The kinds of findings in an output.

    All fail the run's attestation except two, which mean that something could not be proven: UNPROVABLE and PIXEL_TEXT.
    """

    NAME = "name"
    ID = "id"
    DATE = "date"
    BIRTH = "birth_date"
    AGE = "age_over_89"
    PLACE = "place"
    CONTACT = "contact"
    UID = "uid"
    ATTRIBUTE = "attribute"  # an identifying attribute carried over, or one that must not be there at all
    WORD = "unknown_word"  # free text of the source with words of no vocabulary
    PRIVATE = "private_data"
    CONTAINER = "container"  # bytes that do not belong into the file, or a file that is not sound
    HIDDEN_BITS = "hidden_bits"
    PIXEL_TEXT = "pixel_text"
    UNPROVABLE = "unprovable"  # nothing was found, but nothing could have been


def sorted_unique(codes: Iterable[Finding]) -> tuple[Finding, ...]:
    """The codes once each, in alphabetical order."""
    return tuple(sorted(set(codes)))


_UNPROVEN = frozenset({Finding.UNPROVABLE, Finding.PIXEL_TEXT})


def fails(codes: Iterable[str]) -> bool:
    """True if an identity was found, and not only text in pixels that matches none, or something unsearchable."""
    return not _UNPROVEN.issuperset(codes)


def rejection_reason(findings: Iterable[Finding]) -> Reason | None:
    """The reason why an input with these findings is not written; None without findings."""
    codes = frozenset(findings)
    if fails(codes):
        return Reason.PHI_IN_OUTPUT
    if Finding.PIXEL_TEXT in codes:
        return Reason.BURNED_IN
    return Reason.UNPROVABLE if codes else None


def reads_pixels() -> bool:
    """True if the optional OCR package, by which the verifier reads pictures, is installed."""
    return find_spec("rapidocr") is not None
