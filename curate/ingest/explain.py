"""What the scrubber took from one record's report, and why: asked of the sealed index, told on the terminal only."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import pyarrow.compute as pc

from curate.deid.rules import TextRules
from curate.deid.text.scrub import Gone, explain
from curate.deid.vault import SecretSource
from curate.ingest.rows import image_key
from curate.ingest.sealed import read_index, read_shared_words
from curate.record import Reason
from curate.sources.member import place as as_in_a_folder
from curate.sources.reports.text.letterhead import caption_sections
from curate.sources.scan import read_scan


def explain_text(
    index: Path, partitions: int, key: str, secret: SecretSource, wanted: tuple[str, ...], rules: TextRules
) -> list[tuple[str, Gone]] | None:
    """(section, what went from it) of the sections ``wanted`` of the record ``key``'s report; None where the index has
    none. Values that only the image's header holds are not known here: what went for their sake alone is not among
    them."""
    row = _find(index, partitions, key, secret)
    if row is None or row["text"] is None:
        return None
    words = read_shared_words(str(index), secret)
    context = tuple(row["phi"] or ()), row["patient_id"] or "", secret.pseudonymizer(), rules, words
    sections, _ = caption_sections(row["text"], wanted)
    return [(name, gone) for name, text in sections.items() for gone in explain(text, *context)]


def _find(index: Path, partitions: int, key: str, secret: SecretSource) -> dict[str, Any] | None:
    """The row of INDEX."""
    for partition in range(partitions):
        table = read_index(index, partition, secret.pseudonymizer())
        for row in table.filter(pc.equal(table["key"], key)).to_pylist():
            return cast("dict[str, Any]", row)
    return None


def shape(words: str) -> str:
    """What went without what it was: "Xxxxx 00/00"."""
    return re.sub(r"\d", "0", re.sub(r"[^\W\d_]", lambda hit: "X" if hit[0].isupper() else "x", words))


def find_identity(index: Path, partitions: int, key: str, secret: SecretSource) -> dict[str, object] | None:
    """Whose the record ``key`` is and where its picture lies, as the sealed index has it: identities, for the terminal
    alone. None where the index has no such record, as of one that was dropped before it was paired."""
    row = _find(index, partitions, key, secret)
    return None if row is None else _identity(row)


def find_file(
    scans: Path, chunks: Sequence[str], sources: Sequence[str], key: str, secret: SecretSource
) -> dict[str, object] | None:
    """The same of a file that became no pair, by its own key among all that was walked: one HMAC a file and source."""
    pseudo = secret.pseudonymizer()
    for chunk in chunks:
        for row in read_scan([chunk], scans, pseudo).to_pylist():
            if row["reason"] != Reason.WITHDRAWN.value and any(
                image_key(source, row["relative"], pseudo) == key for source in sources
            ):
                return _identity(row)
    return None


def _identity(row: Mapping[str, Any]) -> dict[str, object]:
    """What a row of INDEX or SCAN says of who and where."""
    path = row["path"]
    # a member of an archive as though that were a folder; bytes that are not UTF-8 as \xff, for no terminal shows them
    file = None if path is None else os.fsencode(as_in_a_folder(os.fsdecode(path))).decode("utf-8", "backslashreplace")
    origin = {"file": file, "frame": row.get("frame") or None}
    origin |= {name: row.get(name) for name in ("patient_id", "patient_name", "accession", "study_uid", "sop_uid")}
    origin["identity"] = row.get("identity")
    return {name: value for name, value in origin.items() if value}
