"""Records that an earlier ingest of the run has made of the very same rows: taken over, not made again.

An archive grows, and with it the index; its name changes, and so does that of the ingest step. What one record becomes
depends on its own row, the rules, and of the archive's shared words on those its report asks for. A keyed digest of
these stands beside every record (`made_of`); where a finished ingest step of the run holds one with the same, that is
copied. The bytes are those of a run from nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from curate.deid.rules import TextRules
from curate.deid.vault import SecretSource
from curate.deid.words.vocabulary import unusual_words
from curate.errors import DamagedError
from curate.export.columns import columns_in, fixed_bytes, read_columns
from curate.ingest.files import with_column
from curate.ingest.sealed import read_shared_words, read_taken_names
from curate.intact import MANIFEST, part_path
from curate.memory import once
from curate.places import place
from curate.record import PASSING, RECORD
from curate.step import load_manifest
from curate.storage import digest, read_table

_COLUMN = "made_of"


@dataclass(frozen=True)
class Reuse:
    """Where earlier ingest steps lie (RUN/steps), and the rules' digest, their step's version in it."""

    steps: str
    rules: str
    text: TextRules
    secret: SecretSource
    index: str

    def digests(self, table: pa.Table) -> list[str]:
        """32 hex digits a row of INDEX: of all that decides its record."""
        pseudo = self.secret.pseudonymizer()
        shared = read_shared_words(self.index, self.secret) if self.text.vocabulary else frozenset[str]()
        taken = sorted(read_taken_names(self.index, self.secret)) if self.text.replace == "surrogates" else []
        names = digest(*taken)
        computed = []
        for row in table.drop_columns(["drop_step", "drop_reason"]).to_pylist():
            texts = (row["text"] or "", *(value for _, value in row["meta"] or [] if value))
            words = sorted({w for text in texts for w in once(unusual_words, text) if w in shared})
            computed.append(pseudo.key("made-of", self.rules, names, " ".join(words), repr(sorted(row.items()))))
        return computed

    def find(self, digests: Sequence[str]) -> pa.Table:
        """RECORD rows of earlier steps that were made of the same, in no order; a step that is damaged gives none."""
        found, left = [RECORD.empty_table()], set(digests)
        for folder in sorted(place(self.steps).glob("ingest-*")):
            if not left:
                break
            try:
                rows = _rows(folder, sorted(left))
            except DamagedError:
                continue
            found.append(rows)
            left -= set(rows[_COLUMN].to_pylist())
        return pa.concat_tables(found)


def _rows(folder: Path, wanted: list[str]) -> pa.Table:
    if not (folder / MANIFEST).exists() or _COLUMN not in columns_in(folder):
        return RECORD.empty_table()
    digests, partitions = _made_of(folder)
    sought = np.array(wanted, digests.dtype)
    first = np.searchsorted(digests, sought)
    hits = first[np.append(digests, b"")[first] == sought]
    only = [(_COLUMN, "in", wanted)]
    parts = np.unique(partitions[hits]).tolist()
    tables = (read_table(part_path(folder, i), RECORD.names, only).cast(RECORD) for i in parts)
    return pa.concat_tables([RECORD.empty_table(), *tables])


@lru_cache(maxsize=8)  # every partition asks for those of each step
def _made_of(folder: Path) -> tuple[NDArray[np.bytes_], NDArray[np.int32]]:
    """The first half of what each record of a finished step was made of, S16[n] sorted, and its partition."""
    manifest = load_manifest(folder)
    column = read_columns(folder, (_COLUMN,))[_COLUMN]
    if manifest is None or len(column) != sum(part["rows"] for part in manifest.parts):  # a removal was killed there
        raise DamagedError(folder / MANIFEST)
    partitions = np.repeat(np.arange(len(manifest.parts), dtype=np.int32), [part["rows"] for part in manifest.parts])
    chunks = [fixed_bytes(chunk).view("S16")[::2] for chunk in column.drop_null().chunks if len(chunk)]
    digests = np.concatenate([np.empty(0, "S16"), *chunks])
    order = np.argsort(digests)
    return digests[order], partitions[column.is_valid().to_numpy()][order]


def with_digests(records: pa.Table, digests: Sequence[str]) -> pa.Table:
    """RECORD rows that say what they were made of, but for those that may become something else another time."""
    passing = {reason.value for reason in PASSING}
    reasons = records["drop_reason"].to_pylist()
    reusable = [None if reason in passing else digest for reason, digest in zip(reasons, digests, strict=True)]
    return with_column(records, _COLUMN, pa.array(reusable, pa.string()))
