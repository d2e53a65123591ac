"""The first pass over an archive: its patients, the values that identify them, and the words that many of them share.

Some names in a report are known only from image headers, and whether a rare word is harmless depends on the whole
archive. The result is PHI: tables in memory, which the caller seals between the passes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from pydicom.dataset import Dataset

from curate.deid.header.phi import identifying_values
from curate.deid.pseudonym import Pseudonymizer
from curate.deid.words.shared import called_words, name_words, rare_words
from curate.deid_export.reports.people import HEADER, NAME, ROW, SURVEY, VALUE, WORD, link, own_values, search_values
from curate.engine.guard import fault_of
from curate.errors import DropRecord
from curate.record import Reason
from curate.sources.days import DAY
from curate.sources.dicom.file import open_dicom, text
from curate.sources.identity import listed, no_one
from curate.sources.reports.formats import MAX_BYTES, report_suffix
from curate.sources.reports.rows import open_typed
from curate.sources.reports.tables.columns import UID, WORDS, Kind, Kinds, decoded, leaves, words_of
from curate.sources.sniff import sniff

_Fact = tuple[int, int, str]


def survey(paths: Sequence[Path], pseudo: Pseudonymizer) -> pa.Table:
    """SURVEY rows, sorted and without repeats, of the DICOM headers and report files among ``paths``.

    Unreadable files are skipped here: the second pass gives them their reason. Pixels are not read.
    """
    facts: set[_Fact] = set()
    for path in paths:
        try:
            if report_suffix(path):
                facts.update(_report_facts(path, pseudo))
            elif sniff(path) == "dicom":
                with open_dicom(path, MAX_BYTES) as file:
                    facts.update(_header_facts(file.dataset, pseudo))
        except DropRecord:
            continue
        except Exception as error:  # noqa: BLE001  a bug met with one file: the second pass counts it
            fault_of(error)
    columns = zip(*sorted(facts), strict=True) if facts else ((), (), ())
    return pa.table([pa.array(c, f.type) for c, f in zip(columns, SURVEY, strict=True)], schema=SURVEY)


def _header_facts(ds: Dataset, pseudo: Pseudonymizer) -> Iterator[_Fact]:
    patient = text(ds, "PatientID")
    study, accession = text(ds, "StudyInstanceUID"), text(ds, "AccessionNumber")
    links = _links(pseudo, patient, accession, study)
    yield from ((HEADER, each, patient) for each in links if patient)
    identifiers = {patient, accession, study, text(ds, "PatientBirthDate")}
    for value in identifying_values(ds):
        yield from ((NAME, 0, word) for word in name_words(value))
        # Instance UIDs are left out (a series has thousands, and every UID in a report is masked anyway), and so are
        # dates but that of birth, because the scrubber takes the oldest date for it.
        if links and (value in identifiers or not (UID.fullmatch(value) or DAY.fullmatch(value))):
            yield VALUE, links[0], value


def _report_facts(path: Path, pseudo: Pseudonymizer) -> Iterator[_Fact]:
    with open_typed(path) as (records, kinds, rows):
        for record in rows:
            if not isinstance(record, Reason):
                stem = stem_links(path, pseudo) if records.format == "txt" else ()
                yield from _record_facts(decoded(record, kinds), kinds, stem, pseudo)


def _record_facts(record: dict[str, Any], kinds: Kinds, stem: Sequence[int], pseudo: Pseudonymizer) -> Iterator[_Fact]:
    links, patient = row_links(record, kinds, pseudo)
    yield from ((ROW, each, patient) for each in links if patient)
    for kind, cell in own_values(record, kinds):
        for value in search_values(kind, cell):
            if kind in (Kind.NAME, Kind.PLACE):
                yield from ((NAME, 0, word) for word in name_words(value))
            if links:
                yield VALUE, links[0], value
    # a file's name gives several candidates; one of them may match a header
    owners = links[:1] or stem
    for path, value in leaves(record):
        if kinds.of(path) in WORDS:
            yield from ((WORD, each, word) for word in rare_words(value) for each in owners)
            yield from ((NAME, 0, word) for word in called_words(value))


def row_links(record: dict[str, Any], kinds: Kinds, pseudo: Pseudonymizer) -> tuple[list[int], str]:
    """The links of one record, the patient's first, and its patient id ("" where it has none)."""
    cells: dict[Kind, str] = {}
    for kind, cell in own_values(record, kinds):
        if kind is not Kind.UID or UID.fullmatch(cell):
            cells.setdefault(kind, "" if no_one(cell) else cell)
    patient = cells.get(Kind.PATIENT, "")
    studies = [value for path, value in leaves(record) if kinds.of(path) is Kind.UID and "study" in words_of(path)]
    study = studies[0].strip() if studies else cells.get(Kind.UID, "")
    return _links(pseudo, patient, cells.get(Kind.ACCESSION, ""), study), patient


def stem_links(path: Path, pseudo: Pseudonymizer) -> list[int]:
    """Candidate links from a text file's name and its folders' names: accession number, study UID or patient id, whole
    or in parts."""
    stem = path.name.removesuffix(".gz").rpartition(".")[0]
    parts = [*re.split(r"[_\s]+|(?<!\d)\.|\.(?!\d)", stem), *re.split(r"[_\s-]+", stem)]
    names = dict.fromkeys([stem, *parts, path.parent.name, path.parent.parent.name])
    candidates = [name for name in names if len(name) > 3 and re.search(r"\d", name)]
    return [link(pseudo, kind, name) for name in candidates for kind in ("accession", "study", "patient")]


def _links(pseudo: Pseudonymizer, patient: str, accession: str, study: str) -> list[int]:
    named = [("patient", patient), *(("accession", each) for each in listed(accession)), ("study", study)]
    return [link(pseudo, kind, value) for kind, value in named if value and not no_one(value)]
