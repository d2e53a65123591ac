"""What the verifier can find. A code, never a value: it goes into attestations and logs."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from curate.record import Reason


class Finding(StrEnum):
    """The kind of what should not have been in an output.

    All fail the run's attestation but two, which say that something could not be proven: UNPROVABLE and PIXEL_TEXT.
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
    WORD = "unknown_word"  # free text whose words no vocabulary knows, as the source had it
    PRIVATE = "private_data"
    CONTAINER = "container"  # bytes that are no part of what the file should hold, or a file that is not sound
    HIDDEN_BITS = "hidden_bits"
    PIXEL_TEXT = "pixel_text"
    UNPROVABLE = "unprovable"  # nothing was found, and nothing could have been


def sorted_unique(found: Iterable[Finding]) -> tuple[Finding, ...]:
    """The codes once each, in alphabetical order."""
    return tuple(sorted(set(found)))


_UNPROVEN = frozenset({Finding.UNPROVABLE, Finding.PIXEL_TEXT})


def fails(found: Iterable[str]) -> bool:
    """Whether an identity was found, and not only text in pixels that is like none, or what cannot be searched."""
    return not _UNPROVEN.issuperset(found)


def kept_back(found: Iterable[Finding]) -> Reason | None:
    """Why an input with these findings is not written: None where there are none."""
    codes = frozenset(found)
    if fails(codes):
        return Reason.PHI_IN_OUTPUT
    if Finding.PIXEL_TEXT in codes:
        return Reason.BURNED_IN
    return Reason.UNPROVABLE if codes else None
