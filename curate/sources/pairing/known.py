"""What the ids of an archive say all together: which of them stand for none, and which separators stand inside ids.

Both are found in parts of an archive and put together, since a part cannot say either: of 0, 1, 2 the 0 is an id.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import pyarrow as pa

from curate.sources.identity import PADDING, canonical_id, is_wordless_id, placeholders, separators, telling_ids

Side = Literal["images", "reports", "headers"]  # "images": by header or path; "headers": those of the images alone
_SIDES: tuple[str, ...] = get_args(Side)
IDS = ("accession", "study", "patient")
_SURVEY = pa.schema([("what", pa.string()), ("id", pa.string())])


@dataclass(frozen=True)
class KnownIds:
    """``none``: (side, column of `IDS`) -> the side's canonical ids that stand for none; ``nobody``: patients of either
    side that are none; ``inside``: column -> the separators that stand inside the images' ids."""

    none: Mapping[tuple[str, str], frozenset[str]]
    nobody: frozenset[str]
    inside: Mapping[str, str]


class IdSurvey:
    """The ids of parts of an archive, as far as `KnownIds` asks for them."""

    def __init__(self) -> None:
        self._ids: dict[str, set[str]] = {}

    def add(self, side: Side, column: str, ids: Iterable[str]) -> None:
        """Canonical ids of one column."""
        known = {value for value in ids if value}
        self._ids.setdefault(f"{side}.{column}", set()).update(telling_ids(known))
        if side == "images":
            inside = {c for value in known if not is_wordless_id(value) for c in separators() if c in value}
            self._ids.setdefault(f"inside.{column}", set()).update(inside)

    def add_cells(self, side: Side, columns: Mapping[str, Iterable[str | None]]) -> IdSurvey:
        """The columns of `IDS`, as written; of a list of patients (HL7's repetitions) each."""
        for column in IDS:
            cells = {value.strip(PADDING) for value in set(columns[column]) if value}
            parts = (
                {part for cell in cells if "~" in cell for part in cell.split("~")} if column == "patient" else set()
            )
            self.add(side, column, map(canonical_id, cells | parts))
        return self

    def table(self) -> pa.Table:
        """As it is sealed."""
        rows = [(of, value) for of, values in sorted(self._ids.items()) for value in sorted(values)]
        return pa.Table.from_pylist([dict(zip(_SURVEY.names, row, strict=True)) for row in rows], _SURVEY)

    def add_table(self, table: pa.Table) -> IdSurvey:
        """What `table` of another part made."""
        for of, value in zip(table["what"].to_pylist(), table["id"].to_pylist(), strict=True):
            self._ids.setdefault(of, set()).add(value)
        return self

    def known(self) -> KnownIds:
        """What all of them say."""
        ids = {(side, column): self._ids.get(f"{side}.{column}", set()) for side in _SIDES for column in IDS}
        none = {where: frozenset(placeholders(some)) for where, some in ids.items()}
        nobody = frozenset(placeholders(ids["images", "patient"] | ids["reports", "patient"]))
        return KnownIds(none, nobody, {c: "".join(sorted(self._ids.get(f"inside.{c}", ()))) for c in IDS})
