"""What a column of a report file holds: told by its name, and by its cells where the name says nothing.

A name decides only towards more care: what it calls a measurement or an age is still looked at cell by cell, and what
nothing is known of is free text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from functools import lru_cache
from typing import Any

from curate.deid.words import vocabulary
from curate.sources.days import DAY, day_first
from curate.sources.reports.text.markup import plain_text, report_text
from curate.sources.reports.text.section import canonical


class Kind(StrEnum):
    """What becomes of a cell depends on it (`curate.deid_export.reports.cells`)."""

    PATIENT = "PATIENT"
    ACCESSION = "ACCESSION"
    UID = "UID"
    ID = "ID"
    FILE = "FILE"
    NAME = "NAME"
    BIRTH = "BIRTH"
    PLACE = "PLACE"  # addresses, contacts, facilities, devices: nothing of it is kept
    DATE = "DATE"
    TIME = "TIME"
    AGE = "AGE"
    NUMBER = "NUMBER"
    REPORT = "REPORT"  # a whole report, to be cut into its sections
    SECTION = "SECTION"  # a column that holds one section
    TEXT = "TEXT"


# Kinds whose cells are the row's own identifying values.
IDENTIFYING = frozenset({Kind.PATIENT, Kind.ACCESSION, Kind.UID, Kind.ID, Kind.NAME, Kind.BIRTH, Kind.PLACE})
WORDS = frozenset({Kind.TEXT, Kind.REPORT, Kind.SECTION})

# Words of a name between blanks, an alternative each; "_" is a blank within one.
_PERSON = r"""
surname firstname lastname forename initials? nombres? apellidos? nachname vorname prenom nom physicians? doctor dr
radiologists? technologists? tech operators? authors? sign(?:ed|ature|er|atory)? dictat\w+ transcri\w+ readers?
read_by referring referrer requesting requestor requester ordering attending providers? performing performed_by
reviewers? approv\w+ verif\w+_by reported_by interpret\w+ clinicians? consultants? surgeons? nurses? staff resident
fellow users? username login mother father spouse husband wife guardian relatives? kin contact owner people persons?
arzt medico medecin paciente who by
"""
_THINGS = """
stud(?:y|ies) series procedure exam examination file protocol drug test column body_part organ disease diagnosis
finding label class category contrast sequence variable field section table modality code concept topic model view
"""
_RECORDS = """
exam study series report document doc order record case row sample scan image group episode event item message job
specimen instance note text parent source external internal local global unique hospital chart file admission
"""
# (kind, what a name holds), the first that fits
_NAMED_BY: tuple[tuple[Kind, str], ...] = (
    (Kind.BIRTH, r"dob birth\w* born bdate yob nacimiento geburt\w* geb naissance nascita nascimento"),
    (Kind.UID, r"uids? instance_?uid \w+uid"),
    (Kind.ACCESSION, r"accession(?:_\w+)? accession\w+ acc(?:_?(?:no|num|number|nr|id))? accno accnum"),
    (Kind.PATIENT, r"""
        mrn mrns pid nhs(?:_\w+)? nhc chi(?:_number)? empi mpi med(?:ical)?_?rec\w*(?:_\w+)? patid patnr ptid
        (?:patient|patients|pat|subject|person|client|member|participant|pt)_?(?:id|ids|number|num|no|nr|code|key|identifier|index|idx|hash)
        historia(?:_clinica)?"""),
    (Kind.FILE, r"""
        (?:file|images?|img|dicom|png|jpe?g)_?(?:path|name|file|url|location)s? files? paths? filename filepath
        imagepath folder directory"""),
    (Kind.DATE, r"""
        date\w* \w+date dod death discharged? admit(?:ted)? datetime timestamp day fecha datum dt year month when
        created modified updated"""),
    (Kind.TIME, r"time times \w+time hora heure uhrzeit hour clock"),
    (Kind.AGE, r"age ages \w*patientage edad alter age_(?:years|yrs)"),
    (Kind.PLACE, r"""
        address\w* street city town village zip zipcode postal postcode county state country nation\w* district
        suburb phones? telephones? tel mobile cell_?phone fax pager e_?mails? urls? website web ip mac host hostname
        hospitals? institut\w+ facilit(?:y|ies) clinics? site sites wards? room bed department dept organi[sz]ation
        employer occupation insur\w+ payer payor ssn social_security passport licen[cs]e_(?:no|number|id|plate)
        station aet ae_title serial scanner device lat latitude lon lng longitude gps geo\w* coordinates religion
        domicilio direccion telefono ciudad ort plz anschrift adresse telefon ville box account billing bank"""),
    (Kind.NAME, _PERSON + "rad nok maiden beneficiary next_of_kin"),
    (Kind.ID, rf"""
        ids? identifi\w+ csn fin policy plate vin nric hn ic uuid guid barcode key keys encounter visit requisition
        index idx rowid unnamed hash (?:{'|'.join(_RECORDS.split())})_?(?:no|nr|num|number|code|ids?)"""),
    (Kind.NUMBER, r"""
        size width height length diameter volume area thick\w* spacing depth score scores grade count counts num n
        dose kvp mas ma kv weight bmi bp hr hu suv\w* ratio percent\w* pct prob\w* confidence level density intensity
        mm cm ml kg slices? frames? rows columns cols rating stage birads lirads angle rate value label labels target
        duration len tokens words ctdi\w* dlp te tr fov matrix window x y z"""),
)  # fmt: skip


def _any(words: str) -> str:
    return f"(?:{'|'.join(words.split()).replace('_', ' ')})"


_NAMED = tuple((kind, re.compile(f" {_any(words)} ")) for kind, words in _NAMED_BY)
_NAME = re.compile(r" (?:\w+ )*(?:name|names|\w+name) ")
_THING_NAME = re.compile(rf" {_any(_THINGS)} (?:\w+ )?names? ")
_SOMEONE = re.compile(f" {_any(_PERSON)} ")
_WHOLE = re.compile(r" (?:reports?|report text|text|narrative|notes?|full text|body|document|radiology report) ")
UID = re.compile(r"[0-2](?:\.\d+){3,}")
_LETTER = r"(?:[^\W\d]|['’.-]|(?<=[^\W\d_]{3})\d+)"  # a digit behind three letters, as of Jane2: T2 is no one
_PN = re.compile(  # no sentence: its last word is none of four small letters and a full stop
    rf"(?!.*(?<![^\W\d_])[a-zß-ÿ]{{4,}}\.$)(?:[^\W\d_]{_LETTER}*(?:\^(?:{_LETTER}| )*)+"
    rf"|[^\W\d_][\w'’-]+,\s?[^\W\d_][\w'’.-]*(?:\s[^\W\d_][\w'’.]*){{0,2}})"
)
_CODE = re.compile(r"(?=(?:\D*\d){4})[\w./#-]+")
_ONE_WORD = re.compile(r"[\w./\\:#-]+")
_FILE = re.compile(r"(?:.*[/\\])?[^/\\]+\.(?:png|jpe?g|tiff?|dcm|bmp|webp|nii|gz|txt|pdf)", re.IGNORECASE)
_MOST = 0.8  # of the cells there are
_SAMPLED = 4096  # characters of a cell that are looked at
# Words of column names that no vocabulary of medicine or English need know.
_NAME_WORDS = """
id ids mrn uid uids dob pid num no nr idx acc accno acr nhs url urls json csv doi pmid meta metadata str desc img png
jpg dicom dcm pdf txt ssn zip lat lon gps ip dt ts datetime timestamp bmi hr bp hu suv kvp mas ctdi dlp fov ml mm cm
kg icd cpt snomed loinc mesh radlex orig cols bool config uuid guid filename filepath subset split fold login username
os ae aet
"""
_NAMES = frozenset(_NAME_WORDS.split())
# Words of column names that are somebody's name, too.
_COLUMN_WORDS = frozenset(
    """body part patient kind wait class hand head page case key price view current comment keep value type level code
    field line power rate read reader ready score size step time top total unit way week worth month day may mean min
    max cross side left right high low long short small large best good hard main major minor new old first last next
    note park pool post rank rest ring room round rule sample scale short start stop store store table tag test trial
    true type user visit ward year center site image series slice phase dose mark lead link list load loss
    lot""".split()  # noqa: SIM905
)


def words_of(name: str) -> list[str]:
    """The lower-case words of a column name: "StudyInstanceUID" is study instance uid, "patient_name" patient name."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", plain)
    return re.findall(r"[^\W\d_]+|\d+", parted.lower())


@lru_cache(maxsize=4096)
def kind_of_name(name: str) -> Kind:
    """What the name alone says; TEXT where it says nothing."""
    words = words_of(name)
    spaced = f" {' '.join(words)} "
    for kind, pattern in _NAMED[:4]:
        if pattern.search(spaced):
            return kind
    if _NAME.fullmatch(spaced) and not _THING_NAME.fullmatch(spaced):
        return Kind.FILE if re.search(r" (?:file|image|img|path) ?names? ", spaced) else Kind.NAME
    if words in (["image"], ["images"], ["img"], ["dicom"]):
        return Kind.FILE
    if _WHOLE.fullmatch(spaced):
        return Kind.REPORT
    if canonical(" ".join(words)) not in (None, "other", "body") and not _SOMEONE.search(spaced):
        return Kind.SECTION
    return next((kind for kind, pattern in _NAMED[4:] if pattern.search(spaced)), Kind.TEXT)


def kind_of(name: str, cells: Sequence[str]) -> Kind:
    """What a column by this name with these cells (a sample, "" left out) holds."""
    kind = kind_of_name(name)
    if words_of(name) in (["patient"], ["subject"], ["person"], ["paciente"]):
        return Kind.PATIENT if _most(cells, re.compile(r"[^\s,^]*\d[^\s,^]*")) else Kind.NAME
    if kind is Kind.FILE and cells and not _most(cells, _FILE):
        return Kind.ID if _most(cells, _ONE_WORD) else Kind.TEXT
    if kind not in (Kind.TEXT, Kind.NUMBER, Kind.SECTION, Kind.REPORT) or not cells:
        return kind
    if kind is not Kind.NUMBER:
        candidates = ((Kind.UID, UID), (Kind.DATE, DAY), (Kind.NAME, _PN), (Kind.FILE, _FILE), (Kind.ID, _CODE))
        return next((k for k, pattern in candidates if _most(cells, pattern)), kind)
    return kind


def _most(cells: Sequence[str], pattern: re.Pattern[str]) -> bool:
    found = sum(pattern.fullmatch(cell.strip()[:_SAMPLED]) is not None for cell in cells)
    return bool(cells) and found >= _MOST * len(cells)


class Kinds:
    """The kinds of a file's columns, and of nested keys by their path ("finding.size"), from a sample of records."""

    def __init__(self, sample: Iterable[Mapping[str, Any]]) -> None:
        cells: dict[str, list[str]] = {}
        for record in sample:
            for path, value in leaves(record):
                cells.setdefault(path, []).append(value)
        self._kinds = {path: kind_of(path.rpartition(".")[2], [c for c in found if c.strip()])
                       for path, found in cells.items()}  # fmt: skip
        self._orders = {path: _orders(found) for path, found in cells.items() if self._kinds[path] is Kind.DATE}

    def of(self, path: str) -> Kind:
        """By its cells where the sample held any, else by its name."""
        return self._kinds.get(path) or kind_of_name(path.rpartition(".")[2])

    def orders(self, path: str) -> frozenset[bool]:
        """The orders of day and month that the column's dates have proven (`day_first`)."""
        return self._orders.get(path, frozenset())

    def see_orders(self, rest: Iterable[Mapping[str, Any]]) -> None:
        """Look for the order of dates among further records as well."""
        for path, value in (leaf for record in rest for leaf in leaves(record) if leaf[0] in self._orders):
            self._orders[path] |= _orders([value])

    @property
    def undecided(self) -> bool:
        """Is there a column of dates that have proven no order?"""
        return not all(self._orders.values())


def _orders(cells: Iterable[str]) -> frozenset[bool]:
    return frozenset(order for cell in cells if (order := day_first(cell)) is not None)


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """(path, text) of every string and number of a record, at any depth; items of a list have the list's path."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from leaves(each, below(path, key))
    elif isinstance(value, list):
        for each in value:
            yield from leaves(each, path)
    elif isinstance(value, str):
        yield path, value
    elif value is not None and not isinstance(value, bool | bytes):
        yield path, str(value)


def decoded(value: Any, kinds: Kinds, path: str = "") -> Any:
    """A record with every string as the plain text that it stands for; names of files apart, whose backslashes are no
    escapes."""
    if isinstance(value, dict):
        return {key: decoded(each, kinds, below(path, key)) for key, each in value.items()}
    if isinstance(value, list):
        return [decoded(each, kinds, path) for each in value]
    if not isinstance(value, str) or kinds.of(path) is Kind.FILE:
        return value
    return report_text(value) if kinds.of(path) in WORDS else plain_text(value)


def below(path: str, key: str) -> str:
    """The path of a record's key: a second column "id" is "id#2", and of the same kind as the first."""
    name = re.sub(r"#\d+$", "", key).replace(".", " ")
    return f"{path}.{name}" if path else name


@lru_cache(maxsize=4096)
def safe_name(name: str) -> str | None:
    """``name`` where every word of it names columns or is of medicine or English; None where it could be a value."""
    words = words_of(name)
    if not words or len(name) > 64 or any(word.isdigit() and len(word) > 3 for word in words):
        return None
    known = all(_known(word) for word in words)
    return name if known and (len(words) < 9) and not re.search(r"[\^,;:@]", name) else None


def _known(word: str) -> bool:
    if word.isdigit() or len(word) == 1 or word in _NAMES or kind_of_name(word) not in (Kind.TEXT, Kind.ID):
        return True
    bits = vocabulary.kind(word)
    if bits & vocabulary.Kind.NAME and word not in _COLUMN_WORDS:
        return bool(bits & vocabulary.Kind.BY_HAND and not bits & vocabulary.Kind.FREQUENT)
    return vocabulary.is_medical(word) or vocabulary.is_general(word)
