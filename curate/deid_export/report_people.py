"""Who the patients of an archive are, as far as its headers and report columns say: looked up by keyed links.

A link is 64 bits of an HMAC over a patient id, a study UID or an accession number. All of it lives in memory only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa

from curate.deid.pseudonym import Pseudonymizer
from curate.deid.replace.surrogates import taken_names
from curate.sources.identity import canonical_id, canonical_ids

# One fact a row. HEADER and ROW: the patient id (text) that a link leads to, by a DICOM header or a report's row.
# VALUE: an identifying value of the link's patient. NAME: a folded word of anyone's name. WORD: one of the reports of
# the link's patient.
HEADER, ROW, VALUE, NAME, WORD = range(5)
SURVEY = pa.schema([("fact", pa.int8()), ("link", pa.uint64()), ("text", pa.large_string())])
_MOST_SHARED = 8  # patients; an accession number or a UID of more is a placeholder and leads to no one


@dataclass(frozen=True)
class Person:
    """The patient of one report: ``patient_id`` as a source has it ("" where it is not known), ``values`` the
    identifying values of all whom its links lead to."""

    patient_id: str = ""
    values: tuple[str, ...] = ()


class People:
    """The lookup. Two flat arrays and a list column: about 40 bytes a link, and the values' own bytes.

    ``taken``: names of theirs that no surrogate may have.
    """

    def __init__(self, tables: Iterable[pa.Table]) -> None:
        facts = _facts(tables, (HEADER, ROW, VALUE, NAME))
        named = facts.filter(pl.col("fact").is_in([VALUE, NAME]))["text"].unique()
        self.taken = taken_names(named.to_list())
        facts = facts.filter(pl.col("fact") != NAME)
        links = _links(facts)
        values = facts.filter(pl.col("fact") == VALUE).select("link", "text").unique()
        # a link that leads to no patient id is a patient without one
        lost = values.join(links, on="link", how="anti").select("link").unique()
        lost = lost.with_columns(person=pl.format("\0{}", "link"), text=pl.lit(""))
        links = pl.concat([links, lost])
        known = links.join(values.rename({"text": "value"}), on="link").select("person", "value").unique()
        lists = known.sort("value").group_by("person").agg("value")
        persons = links.group_by("person").agg(pl.col("text").min()).join(lists, on="person", how="left").sort("person")
        order = links.join(persons.with_row_index("row").select("person", "row"), on="person").sort("link", "row")
        self._links = order["link"].to_numpy().astype(np.uint64)
        self._rows = order["row"].to_numpy().astype(np.uint32)
        self._persons, self._values = persons["text"].to_arrow(), persons["value"].to_arrow()

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return int(self._links.nbytes + self._rows.nbytes + self._persons.nbytes + self._values.nbytes)

    def __len__(self) -> int:
        return len(self._persons)

    def find(self, links: Sequence[int], patient_id: str = "") -> Person:
        """Whoever ``links`` lead to; ``patient_id`` is the report's own, "" where it has none.

        Where the links lead to several, each one's values are taken, and the id is the report's own or none.
        """
        rows: dict[int, None] = {}
        for link in links:
            first = np.searchsorted(self._links, np.uint64(link), "left")
            last = np.searchsorted(self._links, np.uint64(link), "right")
            rows.update(dict.fromkeys(int(r) for r in self._rows[first:last]))
        ids = [name for r in rows if (name := self._persons[r].as_py())]
        values = dict.fromkeys(v for r in rows for v in self._values[r].as_py() or ())
        only = ids[0] if len(ids) == 1 else ""
        return Person(patient_id if canonical_id(patient_id) else only, tuple(values))


def link(pseudo: Pseudonymizer, kind: str, value: str) -> int:
    """64 bits standing for a patient id, study UID or accession number, however it is spelt."""
    return int.from_bytes(pseudo.digest("link", kind, canonical_id(value))[:8], "big")


def could_name(value: str) -> bool:
    """False for a place or contact so short or plain that it would be met anywhere: "2", "A", "US"."""
    return len(re.sub(r"[\W_]", "", value)) > 3


def archive_words(tables: Iterable[pa.Table], k: int) -> frozenset[str]:
    """Words of reports seen with at least ``k`` patients, without any word of a person's or a place's name.

    Reports whose patient is not known count for nothing: eight of them may be of one.
    """
    facts = _facts(tables, (HEADER, ROW, NAME, WORD))
    links = _links(facts).select("link", patient="person").unique()
    words = facts.filter(pl.col("fact") == WORD).select("link", "text").join(links, on="link")
    counted = words.group_by("text").agg(pl.col("patient").n_unique()).filter(pl.col("patient") >= k)
    names = facts.filter(pl.col("fact") == NAME).select("text").unique()
    return frozenset(counted.join(names, on="text", how="anti")["text"].to_list())


def _facts(tables: Iterable[pa.Table], wanted: Sequence[int]) -> pl.DataFrame:
    """The facts of these kinds, without repeats; tables are taken one by one."""
    frames = [pl.DataFrame(SURVEY.empty_table())]
    for table in tables:
        frame = pl.from_arrow(table.select(SURVEY.names))
        assert isinstance(frame, pl.DataFrame)
        frames.append(frame.filter(pl.col("fact").is_in(list(wanted))))
    return pl.concat(frames).unique()


def _links(facts: pl.DataFrame) -> pl.DataFrame:
    """``link, person, text``: the patient whom it leads to, and one spelling of the id; a header's word goes before a
    row's, a placeholder leads nowhere."""
    found = facts.filter(pl.col("fact").is_in([HEADER, ROW])).with_columns(best=pl.col("fact").min().over("link"))
    found = found.filter(pl.col("fact") == pl.col("best")).with_columns(person=canonical_ids("text"))
    found = found.group_by("link", "person").agg(pl.col("text").min())
    return found.filter(pl.len().over("link") <= _MOST_SHARED)
