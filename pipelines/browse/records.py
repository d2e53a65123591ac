"""What is shown of records: pictures as they were written, made small on demand, and texts as they go out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from pipelines.api import Run
from pipelines.browse.table import Table
from pipelines.report.summary import thumbnail

_READ = ("text", "painted", "sections")
_HELD = 600  # pictures kept in memory


class Payloads:
    """Texts, boxes and pictures of a run's records, by row of ``table``; None where a record has none."""

    def __init__(self, run: Run, table: Table) -> None:
        self._run, self._table = run, table
        self._proposed = run.folder("capfilt") is not None
        self.picture = lru_cache(_HELD)(self._picture)

    def listed(self, rows: Sequence[int]) -> list[dict[str, Any]]:
        """The facts of each row with its text: what a list shows, without opening a part where that can be."""
        known = self._table.texts(rows)
        if known is None or self._proposed:
            return self.described(rows)
        facts = self._table.facts(rows)
        return [fact | ({"text": text} if text else {}) for fact, text in zip(facts, known, strict=True)]

    def described(self, rows: Sequence[int]) -> list[dict[str, Any]]:
        """The facts of each row (`Table.facts`) with text, sections, boxes of what was painted and, of a duplicate, the
        record that was kept in its place."""
        facts = self._table.facts(rows)
        placed = [(f["key"], f["partition"]) for f in facts if "partition" in f]
        found = self._run.payloads(placed, _READ, {f["key"]: f.get("text_from") for f in facts})
        for fact in facts:
            fact |= {k: v for k, v in found.get(fact["key"], {}).items() if k in _READ and v}
        return facts

    def _picture(self, row: int, side: int) -> bytes | None:
        """A JPEG of at most ``side`` px of what was written."""
        fact = self._table.facts([row])[0]
        if "partition" not in fact:
            return None
        found = self._run.payloads([(fact["key"], fact["partition"])], ["image"]).get(fact["key"], {})
        return thumbnail(found["image"], side) if found.get("image") else None
