"""One record of a report file, cell by cell: ids become pseudonyms, names are masked, dates shifted, text is scrubbed,
and numbers stay only if they clearly measure something.

A cell that is not of its column's kind is treated as free text: no value is kept because of its column alone.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from pydicom.uid import UID_dictionary  # type: ignore[attr-defined]

from curate.deid.pseudonym import Pseudonymizer
from curate.deid.replace.finish import finish
from curate.deid.replace.masked import exceeds, masked_words, require_words_left
from curate.deid.rules import WORDS, WORDS_MASKED
from curate.deid.text.fold import fold_value
from curate.deid.text.scrub import scrub
from curate.deid.words.language import require_known_sections
from curate.deid.words.vocabulary import Kind as Vocabulary
from curate.deid.words.vocabulary import kind
from curate.deid_export.reports.people import ABSENT, UID, Person
from curate.deid_export.rules import ReleaseRules
from curate.errors import DropRecord
from curate.record import Reason
from curate.sources.days import whole_day
from curate.sources.identity import canonical_id, listed
from curate.sources.reports.tables.columns import Kind, Kinds, below, safe_name, words_of
from curate.sources.reports.text.letterhead import caption_sections
from curate.sources.reports.text.section import SECTIONS, canonical, parse_sections

_FLAG = re.compile(r"yes|no|true|false|y|n|t|f|[01]", re.IGNORECASE)
_SEX_WORDS = "m f o u male female other unknown man woman intersex mann frau hombre mujer homme femme w d"
_SEXES = frozenset(_SEX_WORDS.split())
# Modalities (PS3.3 C.7.3.1.1.1), views, sides and planes: short codes that a gate would mask.
_CODES = """
ct mr mri us cr dx dr mg xa rf nm pt pet io px ot es gm sm ivus oct rg xr cta mra pa ap lat ll rl lao rao mlo cc l r b
left right bilateral axial coronal sagittal oblique
"""
_TERMS = frozenset(_CODES.split())
_NUMBER = re.compile(r"[-+]?\d{1,4}(?:\.\d{1,6})?")
_SMALL = re.compile(r"[-+]?\d{1,2}(?:\.\d{1,3})?|[-+]?\d{3}\.\d{1,3}")
_YEAR = re.compile(r"(?:19|20)\d\d")
_AGE = re.compile(
    r"(?P<n>\d{1,3})(?:\.\d+)?\s?(?P<unit>y(?:ea)?rs?(?: old)?|yo|y/o|y|m(?:o(?:nth)?s?)?|w(?:ee)?ks?|w|d(?:ays?)?)?",
    re.IGNORECASE,
)
_OLDEST = 90  # 45 CFR 164.514(b)(2)(i)(C)
_PSEUDONYM = {Kind.PATIENT: "patient", Kind.ID: "id", Kind.FILE: "file", Kind.ACCESSION: "accession"}
_BODY_SECTIONS = tuple(
    name for name in SECTIONS if name not in ("other", "signature")
)  # sections of a report without its letterhead


@dataclass
class Row:
    """State of one record while it is cleaned: its patient, and counts of what was done. The verifier reads
    ``texts``."""

    person: Person
    phi: tuple[str, ...]
    actions: Counter[str] = field(default_factory=Counter)
    texts: list[str] = field(default_factory=list)
    filled: list[str] = field(default_factory=list)  # those of ``texts`` that are written with surrogates, as written
    wanted: int = 0  # cells with a requested section
    unwanted: int = 0
    words: int = 0  # of report text, and how many of them are masked
    masked: int = 0


@dataclass(frozen=True)
class Cells:
    """Cleans the cells of one file. ``renamed`` gives the released name of an image file, if there is one; ``taken``
    are the names that no surrogate may have."""

    rules: ReleaseRules
    pseudo: Pseudonymizer
    archive: frozenset[str]
    kinds: Kinds
    renamed: Callable[[str], str | None] | None = None
    taken: frozenset[str] = frozenset()

    def clean(self, value: Any, path: str, row: Row) -> Any:
        """The value as it may be written: same type, a string, or None. Raises DropRecord TEXT_UNPROVEN, LANGUAGE."""
        if isinstance(value, dict):
            names = output_names(tuple(value))
            return {names[key]: self.clean(each, below(path, key), row) for key, each in value.items()}
        if isinstance(value, list):
            return [self.clean(each, path, row) for each in value]
        if value is None or isinstance(value, bool):
            return value
        kind = self.kinds.of(path)
        if isinstance(value, bytes):
            row.actions["drop BINARY"] += 1
            return None
        if isinstance(value, dt.date | dt.time | dt.timedelta):
            return self._day_or_time(value, kind, row)
        if isinstance(value, str):
            return self._string(value, kind, path, row)
        return self._number(value, kind, row)

    def _string(self, value: str, kind: Kind, path: str, row: Row) -> str:
        cell = value.strip(" \t\r\n\0\xa0")
        if not cell or (cell.lower() in ABSENT and kind not in (Kind.TEXT, Kind.REPORT)):
            return ""
        cleaned = self._structured(cell, kind, path, row)
        if cleaned is None:
            report = kind in (Kind.REPORT, Kind.SECTION)
            if report and self.rules.text.vocabulary:
                sections, _ = caption_sections(value, _BODY_SECTIONS)  # names and numbers alone are in no language
                require_known_sections(value, sections.values(), self.rules.text.languages)
            return self._text(self._sections(value, kind, path, row), row, report=report)
        # a shifted date is marked for the verifier, which would take it for one of the source's otherwise
        moved = kind is Kind.DATE and re.fullmatch(r"\d{4}-\d\d-\d\d", cleaned)
        row.texts.append(f"[DATE:{cleaned}]" if moved else cleaned)
        return cleaned

    def _text(self, text: str, row: Row, *, report: bool) -> str:
        scrubbed = self._scrub(text, row)
        if report:
            self._count_masked(text, scrubbed, row)
        finished = finish(
            text, scrubbed, self.rules.text, self.pseudo, row.person.patient_id, row.phi, self.taken, cut=report
        )
        row.actions.update(finished.done)
        row.texts.append(finished.masked)
        row.filled += [finished.text] if finished.text != finished.masked else []
        return finished.text

    def _scrub(self, text: str, row: Row) -> str:
        return scrub(text, row.phi, row.person.patient_id, self.pseudo, self.rules.text, self.archive)

    def _count_masked(self, text: str, cleaned: str, row: Row) -> None:
        """Count the masked words. A release keeps letterheads, but they do not count against ``max_masked``: if too
        much is masked with them, the report's body is scrubbed and counted alone."""
        masked, words = masked_words(text, cleaned)
        if exceeds(masked, words, self.rules.text.max_masked):
            core = "\n".join(caption_sections(text, _BODY_SECTIONS)[0].values())
            masked, words = masked_words(core, self._scrub(core, row))
        row.masked, row.words = row.masked + masked, row.words + words

    def _structured(self, cell: str, kind: Kind, path: str, row: Row) -> str | None:
        """The output of a cell of a structured kind (id, date, code, number); None for text that has to be scrubbed."""
        if kind in (Kind.BIRTH, Kind.PLACE, Kind.TIME):
            row.actions[f"drop {kind}"] += 1
            return ""
        if kind is Kind.NAME:
            row.actions["mask NAME"] += 1
            return "[NAME]"
        if kind in _PSEUDONYM:
            row.actions[f"pseudonym {kind}"] += 1
            return "; ".join(self._pseudonym(each, kind) for each in _ids_in(cell, kind))
        if kind is Kind.UID or UID.fullmatch(cell):
            return self._uid(cell, row)
        if kind is Kind.DATE:
            return self._day(cell, path, row)
        if kind is Kind.AGE:
            return _age(cell)
        plain = cell.lower()
        if plain in _SEXES or plain in _TERMS or _FLAG.fullmatch(cell):
            return None if plain in {v.lower() for v in row.phi} else cell
        if kind is not Kind.REPORT and _only_names(cell):
            row.actions["mask NAME"] += 1
            return "[NAME]"
        if _NUMBER.fullmatch(cell) and self._measures(cell, kind, row):
            return cell
        if kind is not Kind.REPORT and re.fullmatch(r"[-+]?[\d.,]+(?:e[-+]?\d+)?", cell, re.IGNORECASE):
            row.actions["drop NUMBER"] += 1
            return ""
        return None

    def _pseudonym(self, cell: str, kind: Kind) -> str:
        if kind is Kind.FILE and self.renamed is not None and (name := self.renamed(cell)) is not None:
            return name
        return self.pseudo.key(_PSEUDONYM[kind], cell)

    def _uid(self, cell: str, row: Row) -> str:
        if cell in UID_dictionary or "uids" in self.rules.header.retain:
            return cell if UID.fullmatch(cell) else ""
        row.actions["pseudonym UID"] += 1
        return self.pseudo.uid(cell, self.rules.header.uid_root)

    def _day(self, cell: str, path: str, row: Row) -> str:
        """A full date shifted by the patient's shift, ISO; [DATE] for a partial date or an unknown patient."""
        row.actions["shift DATE"] += 1
        day = whole_day(cell, self.kinds.orders(path))
        known = self.rules.text.dates == "shift" and bool(canonical_id(row.person.patient_id))
        moved = self.pseudo.shift_date(row.person.patient_id, day.isoformat()) if day and known else None
        return moved or "[DATE]"

    def _day_or_time(self, value: dt.date | dt.time | dt.timedelta, kind: Kind, row: Row) -> str | None:
        """A day inside a nested value, as an ISO string."""
        if isinstance(value, dt.date) and kind is not Kind.BIRTH:
            moved = self._day(value.isoformat()[:10], "", row)
            if moved != "[DATE]":
                return moved
        row.actions["drop TIME"] += 1
        return None

    def _number(self, value: Any, kind: Kind, row: Row) -> Any:
        """A value of numeric type: kept, or a string if it was an id, or None."""
        text = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
        if value != value or text.lower() in ("inf", "-inf"):
            return None
        if kind in (Kind.DATE, *_PSEUDONYM):
            return self._string(text, kind, "", row)
        if kind is Kind.AGE:
            return min(value, type(value)(_OLDEST)) if value >= 0 else None
        if kind in (Kind.NUMBER, Kind.TEXT, Kind.SECTION) and self._measures(text, kind, row):
            return value
        row.actions["drop NUMBER"] += 1
        return None

    def _measures(self, text: str, kind: Kind, row: Row) -> bool:
        """Is this number a measurement? By its column's name, or because it is a flag, a fraction or has two digits;
        never a year or one of the patient's identifying values."""
        if text in row.phi or _YEAR.fullmatch(text) or len(text.lstrip("+-").partition(".")[0]) > 4:
            return False
        if kind is Kind.NUMBER:
            return True
        try:
            return abs(float(text)) <= 1 or _SMALL.fullmatch(text) is not None
        except ValueError:
            return False

    def _sections(self, value: str, kind: Kind, path: str, row: Row) -> str:
        """The requested sections of a report, each under its heading; a section's own column is kept whole or
        dropped."""
        wanted = self.rules.sections
        if wanted is None or kind not in (Kind.REPORT, Kind.SECTION):
            return value
        if kind is Kind.SECTION:
            is_wanted = canonical(" ".join(words_of(path.rpartition(".")[2]))) in wanted
            row.wanted, row.unwanted = row.wanted + is_wanted, row.unwanted + (not is_wanted)
            return value if is_wanted else ""
        sections = {name: text for name, text in parse_sections(value).items() if name in wanted}
        row.wanted, row.unwanted = row.wanted + bool(sections), row.unwanted + (not sections)
        return "\n\n".join(text if name == "body" else f"{name.upper()}:\n{text}" for name, text in sections.items())


@lru_cache(maxsize=256)
def output_names(names: tuple[str, ...]) -> dict[str, str]:
    """Each column's or key's name in the output: its own, or "column_3" if its own could be a value."""
    out: dict[str, str] = {}
    taken: set[str] = set()
    for i, name in enumerate(names, 1):
        output = safe_name(re.sub(r"#\d+$", "", name)) or f"column_{i}"
        output = output if output not in taken else f"{output}_{i}"
        while output in taken:
            output += "_"
        taken.add(output)
        out[name] = output
    return out


def _ids_in(cell: str, kind: Kind) -> list[str]:
    """The ids of one cell: a report of several studies lists their accession numbers, each with its own pseudonym."""
    return listed(cell) if kind is Kind.ACCESSION else [cell]


def _age(cell: str) -> str:
    """The age as it is, in years, months, weeks or days; "90" from 90 years on; "" for what is no age."""
    match = _AGE.fullmatch(cell)
    if match is None:
        return ""
    unit = (match["unit"] or "y")[0].lower()
    years = int(match["n"]) / {"y": 1, "m": 12, "w": 52.18, "d": 365.25}[unit]
    if years >= _OLDEST:
        return str(_OLDEST)
    return cell


def check_row(row: Row, rules: ReleaseRules) -> None:
    """DropRecord NO_WANTED_SECTION if there was a report but none of the requested sections; MASKED if too much of it
    is masked."""
    if row.unwanted and not row.wanted:
        raise DropRecord(Reason.NO_WANTED_SECTION)
    require_words_left(row.masked, row.words, rules.text.max_masked)
    row.actions.update(+Counter({WORDS: row.words, WORDS_MASKED: row.masked}))


def _only_names(cell: str) -> bool:
    """Is the cell one to four capitalised words that could all be names? Outside of a sentence they are taken for
    names."""
    words = re.findall(r"[^\W\d_]{2,}", cell)
    if not 1 <= len(words) <= 4 or re.search(r"\d", cell) or not all(w[0].isupper() for w in words):
        return False
    kinds = [kind(fold_value(w).lower()) for w in words]
    return all(k & Vocabulary.NAME and not k & Vocabulary.CLINICAL for k in kinds)
