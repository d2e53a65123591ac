"""Patient-disjoint splits: the source's own (made patient-disjoint by `curate.ingest.splits`), else by the patient's
pseudonym, so that a record's split never changes as the archive grows."""

from __future__ import annotations

from dataclasses import dataclass

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class SplitRules:
    """Fractions of patients held out; the rest train."""

    val: float = 0.05
    test: float = 0.05


def split_of(patient: str, rules: SplitRules, official: str | None = None) -> str:
    """train | val | test: the ``official`` one, else by the patient pseudonym (hex digits of an HMAC: uniform)."""
    if official is not None:
        return official
    u = int(patient[:13], 16) / 16.0**13
    if u < rules.test:
        return "test"
    return "val" if u < rules.test + rules.val else "train"
