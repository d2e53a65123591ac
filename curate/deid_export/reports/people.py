"""The patients of an archive, as its headers and report columns give them, looked up by keyed links; and the values by
which a report's row identifies its patient.

A link is 64 bits of an HMAC over a patient id, a study UID or an accession number. All of it lives in memory only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from pydicom.uid import UID_dictionary  # type: ignore[attr-defined]

from curate.deid.pseudonym import Pseudonymizer
from curate.deid.replace.surrogates import taken_names
from curate.sources.days import possible_days
from curate.sources.identity import canonical_id, canonical_ids, no_one, spellings
from curate.sources.reports.tables.columns import IDENTIFYING, Kind, Kinds, leaves

# One fact a row. HEADER and ROW: the patient id (text) of a link, from a DICOM header or a report's row. VALUE: an
# identifying value of the link's patient. NAME: a folded word of anyone's name. WORD: a word in the reports of the
# link's patient.
HEADER, ROW, VALUE, NAME, WORD = range(5)
SURVEY = pa.schema([("fact", pa.int8()), ("link", pa.uint64()), ("text", pa.large_string())])
ABSENT = frozenset({"", "nan", "none", "null", "n/a", "na", "nil", "-", "--", "unknown", "<na>", "?"})
_TITLES = "dr mr mrs ms md do pa np rn rt jr sr phd prof and the of von van de la mbbs frcr frcs dds"
_NO_NAME = frozenset(_TITLES.split())
UID = re.compile(r"[0-2](?:\.(?:0|[1-9]\d*)){2,}")
_MAX_PATIENTS = 8  # patients; an accession number or UID shared by more is a placeholder and identifies nobody


@dataclass(frozen=True)
class Person:
    """The patient of one report: ``patient_id`` as in the source ("" if unknown), ``values`` the identifying values of
    every patient that its links lead to."""

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
        """The patient that ``links`` lead to; ``patient_id`` is the report's own, "" if it has none.

        If the links lead to several patients, the values of all are taken, and the id is the report's own or none.
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
    """64-bit keyed hash of a patient id, study UID or accession number, independent of its spelling."""
    return int.from_bytes(pseudo.digest("link", kind, canonical_id(value))[:8], "big")


def archive_words(tables: Iterable[pa.Table], k: int) -> frozenset[str]:
    """Words in the reports of at least ``k`` patients, without any word of a person's or a place's name.

    Reports of unknown patients do not count: several of them may be of one patient.
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
    """``link, person, text``: the link's patient and one spelling of the id. A header takes precedence over a report's
    row; placeholders are left out."""
    leading = facts.filter(pl.col("fact").is_in([HEADER, ROW])).with_columns(best=pl.col("fact").min().over("link"))
    leading = leading.filter(pl.col("fact") == pl.col("best")).with_columns(person=canonical_ids("text"))
    leading = leading.group_by("link", "person").agg(pl.col("text").min())
    return leading.filter(pl.len().over("link") <= _MAX_PATIENTS)


def own_values(record: dict[str, Any], kinds: Kinds) -> Iterator[tuple[Kind, str]]:
    """(kind, value) of every cell that identifies the record's patient or staff."""
    for path, value in leaves(record):
        kind, cell = kinds.of(path), value.strip(" \t\r\n\0\xa0")
        if kind in IDENTIFYING and cell.lower() not in ABSENT:
            yield kind, cell


def search_values(kind: Kind, cell: str) -> Iterator[str]:
    """The values of such a cell to search for in text: all of it, a name's words, a birth date in DICOM's form."""
    if kind is Kind.BIRTH:
        yield from dict.fromkeys(f"{day:%Y%m%d}" for day in possible_days(cell) if day is not None)
        return
    if is_registered(cell):  # a SOP class or a transfer syntax identifies nobody
        return
    if kind is Kind.ID and not re.search(r"\d{3}|\d.*[^\W\d_]|[^\W\d_].*\d", cell):
        return
    if no_one(cell) or len(cell) < 2:
        return
    if kind is Kind.PLACE and len(re.sub(r"[\W_]", "", cell)) < 4:  # occurs everywhere: "2", "A", "US"
        return
    if kind is Kind.NAME:
        words = [w for w in re.findall(r"[^\W\d_]+(?:['’-][^\W\d_]+)*", cell) if w.lower() not in _NO_NAME]
        yield "^".join(words[:5]) if "," in cell or "^" in cell else "^".join([*words[-1:], *words[:-1]][:5])
        yield from (w for w in words if len(w) > 2 or (len(w) == 2 and not w.isascii()))
    yield from dict.fromkeys(spellings(cell) if kind in (Kind.PATIENT, Kind.ACCESSION) else (cell,))


def is_uid(value: str) -> bool:
    """True for the form of a UID (PS3.5 9.1)."""
    return UID.fullmatch(value.strip()) is not None


def is_registered(value: str) -> bool:
    """True for a UID of the standard's own: a class of objects, a transfer syntax (PS3.6 annex A)."""
    return value.strip() in UID_dictionary
