"""What became of one input: CLEAN, QUARANTINED or REFUSED, why, and what was done to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from curate.record import Fate, Reason

__all__ = ["Fate", "Outcome"]


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

    @property
    def fate(self) -> Fate:
        """CLEAN, QUARANTINED or REFUSED."""
        return Fate.of(self.reason)
