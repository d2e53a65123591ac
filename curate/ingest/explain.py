"""What the scrubber took from one record's report, and why: asked of the sealed index, told on the terminal only."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow.compute as pc

from curate.deid.rules import TextRules
from curate.deid.text.scrub import Gone, explain
from curate.deid.vault import SecretSource
from curate.ingest.sealed import read_index, read_shared_words
from curate.sources.reports.letterhead import caption_sections


@dataclass(frozen=True)
class TextRecord:
    """A record's report as the index holds it, sealed: its text and what is known of its patient."""

    text: str
    phi: tuple[str, ...]
    patient: str


def find_text(index: Path, partitions: int, key: str, secret: SecretSource) -> TextRecord | None:
    """The report of the record ``key``; None where the index has none."""
    for partition in range(partitions):
        table = read_index(index, partition, secret.pseudonymizer())
        for row in table.filter(pc.equal(table["key"], key)).to_pylist():
            if row["text"] is not None:
                return TextRecord(row["text"], tuple(row["phi"] or ()), row["patient_id"] or "")
    return None


def explain_text(
    record: TextRecord, wanted: tuple[str, ...], rules: TextRules, index: Path, secret: SecretSource
) -> Iterator[tuple[str, Gone]]:
    """(section, what went from it) of the sections ``wanted``. Values that only the image's header holds are not known
    here: what went for their sake alone is not among them."""
    words = read_shared_words(str(index), secret)
    sections, _ = caption_sections(record.text, wanted)
    for name, text in sections.items():
        for gone in explain(text, record.phi, record.patient, secret.pseudonymizer(), rules, words):
            yield name, gone


def shape(words: str) -> str:
    """What went without what it was: "Xxxxx 00/00"."""
    return re.sub(r"\d", "0", re.sub(r"[^\W\d_]", lambda hit: "X" if hit[0].isupper() else "x", words))
