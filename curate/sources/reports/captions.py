"""Which column of a report file says what; texts out of columns: caption templates, findings' labels, questions with
their answers.

A template is made of sentences with ``{column}`` in them. A sentence that names an empty column is left out, or only
its ``[part in brackets]`` where the column stands in one. ``{labels}`` and ``{statement}`` stand for what is made of
the label columns and of the question.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Literal

from pydantic.dataclasses import dataclass as pydantic_dataclass

from curate.part import PART
from curate.record import Reason
from curate.sources.reports.statements import Claim, claim

if TYPE_CHECKING:
    from curate.sources.reports.report import Report

Asked = Literal["auto", "csv", "jsonl", "json", "parquet", "xlsx", "txt", "hl7", "cda", "fhir", "openi", "dicom"]
_MAPPINGS = ("sections", "keep")
_NO_COLUMN = (*_MAPPINGS, "caption")
LABELS, STATEMENT = "labels", "statement"
_FIELD = re.compile(r"\{([^{}]+)\}")
_OPTIONAL = re.compile(r"\[([^\[\]]*)\]")
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?![^\[]*\])")
_EMPTY = {"", "nan", "none", "null", "n/a", "<na>", "nat"}


@dataclass(frozen=True)
class CaptionRules:
    """``template``: what is written; "" for labels or the statement alone. ``labels``: column -> its value -> the
    sentence that says it, "" for silence; an empty cell is silence too. ``question`` and ``answer``: columns;
    ``open``: what becomes of a question that asks what, where or which: the answer behind it ('keep'), or nothing."""

    template: str = ""
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    question: str | None = None
    answer: str | None = None
    open: Literal["keep", "drop"] = "keep"

    @property
    def given(self) -> bool:
        """Whether a text is made at all."""
        return bool(self.template or self.labels or self.question)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that are read, each once."""
        fields = [name for name in _FIELD.findall(self._template) if name not in (LABELS, STATEMENT)]
        fields += [*self.labels, *(name for name in (self.question, self.answer) if name)]
        return tuple(dict.fromkeys(fields))

    @property
    def _template(self) -> str:
        label_slot = [LABELS] if self.labels else []
        return self.template or " ".join(f"{{{name}}}" for name in ([STATEMENT] if self.question else []) + label_slot)

    def compose(self, row: Mapping[str, str]) -> tuple[list[str], Claim | None, Reason | None]:
        """The sentences of a row (column -> cell), what its question states, and why there is no text: NO_STATEMENT,
        UNKNOWN_LABEL, EMPTY_REPORT."""
        values = {name: "" if cell.strip().casefold() in _EMPTY else cell.strip() for name, cell in row.items()}
        stated = None
        if self.question and self.answer:
            stated = claim(values[self.question], values[self.answer])
            if stated is None or (stated.denial is None and self.open == "drop"):
                return [], None, Reason.NO_STATEMENT
            values[STATEMENT] = stated.statement
        spelled = self._labels(values)
        if spelled is None:
            return [], None, Reason.UNKNOWN_LABEL
        values[LABELS] = " ".join(spelled)
        sentences = [s for part in _SENTENCE.split(self._template) if (s := _filled(part, values))]
        return sentences, stated, None if sentences else Reason.EMPTY_REPORT

    def _labels(self, values: Mapping[str, str]) -> list[str] | None:
        spelled = []
        for column, words in self.labels.items():
            value = label_value(values[column])
            if value and value not in words:
                return None
            if value and words[value]:
                spelled.append(words[value])
        return spelled


@pydantic_dataclass(frozen=True, config=PART)
class Columns:
    """Which report column says what; a text file a study needs none."""

    text: str | None = None
    """Column of the whole report."""
    sections: dict[str, str] = field(default_factory=dict)
    """Section name to column, where a table has one a section; left out: none."""
    accession: str | None = None
    """Column of the accession number."""
    study: str | None = None
    """Column of the Study Instance UID."""
    patient: str | None = None
    """Column of the patient's id."""
    patient_name: str | None = None
    """Column of the patient's name, which goes from the text."""
    date: str | None = None
    """Column of the study's day."""
    image: str | None = None
    """Column of the picture's relative path or name."""
    group: str | None = None
    """Column whose value groups rows beside the patient (a case)."""
    clean: str | None = None
    """Column that declares a row reviewed: the filters' clean set."""
    split: str | None = None
    """Column of the source's own split."""
    status: str | None = None
    """Column of preliminary, final, addendum, cancelled."""
    order: str | None = None
    """Column of a number or time that says which report is later."""
    keep: dict[str, str] = field(default_factory=dict)
    """Name of yours to a column that is carried along, scrubbed and verified like the text; left out: none."""


@dataclass(frozen=True)
class ReportColumns(Columns):
    """With ``caption``: a text made of several columns. ``text``, ``sections`` or both, or that, make the report's
    text; None: no column does."""

    caption: CaptionRules = field(default_factory=CaptionRules)

    def by_field(self) -> dict[str, str]:
        """Field of the recipe under ``columns`` -> the column it names."""
        single = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in _NO_COLUMN}
        many = {f"{name}.{key}": column for name in _MAPPINGS for key, column in getattr(self, name).items()}
        caption_fields = {f"caption.{column}": column for column in self.caption.columns}
        return {name: column for name, column in (single | many | caption_fields).items() if column is not None}

    @property
    def make_text(self) -> bool:
        """Whether any column gives the text."""
        return self.text is not None or bool(self.sections) or self.caption.given


def label_value(cell: str) -> str:
    """A label's value as compared: "1.0" is "1", "True" is "true"."""
    cell = cell.strip().casefold()
    return re.sub(r"^([+-]?\d+)\.0*$", r"\1", cell).removeprefix("+")


def label_words(column: str, words: Mapping[str, str]) -> dict[str, str]:
    """Value -> sentence of a column of findings, ``{label}`` in ``words`` being its name: PleuralEffusion and
    pleural_effusion are "pleural effusion"; COPD stays."""
    plain = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", column).replace("_", " ")
    name = " ".join(w if len(w) > 1 and w.isupper() else w.lower() for w in plain.split())
    filled = {label_value(value): text.replace("{label}", name).strip() for value, text in words.items()}
    return {value: text[:1].upper() + text[1:] for value, text in filled.items()}


def _filled(sentence: str, values: Mapping[str, str]) -> str:
    """The sentence with its columns' values; "" where one that does not stand in brackets is empty."""
    sentence = _OPTIONAL.sub(lambda m: m[1] if all(values.get(n) for n in _FIELD.findall(m[1])) else "", sentence)
    names = _FIELD.findall(sentence)
    if not all(values.get(name) for name in names):
        return ""
    # a value brings its own full stop: it is not doubled
    text = re.sub(r"\{([^{}]+)\}([.!?]?)", lambda m: _joined(values[m[1]], m[2]), sentence)
    text = re.sub(r"\s+([.,;:!?])", r"\1", " ".join(text.split()))
    return text[:1].upper() + text[1:]


def _joined(value: str, end: str) -> str:
    return value if value.endswith((".", "!", "?")) else value + end


def gathered(reports: Iterable[Report]) -> Iterator[Report]:
    """One report an image (or study) of the rows that state something about it, each thing once; rows that gave none
    come as they are, and pair with nothing.

    What is stated and denied of one image, or answered in two ways, is believed in neither: CONTRADICTED. ``meta`` gets
    the true ``statement`` and the false ``denial`` of every closed question, a line each, in the same order.
    """
    groups: dict[tuple[str, ...], list[Report]] = {}
    for report in reports:
        if report.reason is not None:
            yield _alone(report)
        else:
            key = (report.image, report.accession, report.study, report.patient, report.date)
            groups.setdefault(key if any(key) else (report.row,), []).append(report)
    for rows in groups.values():
        good, bad = _consistent(rows)
        for report in bad:
            yield _alone(replace(report, reason=Reason.CONTRADICTED))
        if good:
            yield _merged(good)


def _alone(report: Report) -> Report:
    return replace(report, accession="", study="", date="", image="")


def _consistent(rows: list[Report]) -> tuple[list[Report], list[Report]]:
    """The rows that nothing contradicts, and the others."""
    true = {_plain(r.claim.statement) for r in rows if r.claim}
    false = {_plain(r.claim.denial) for r in rows if r.claim and r.claim.denial}
    answers: dict[str, set[str]] = {}
    for r in rows:
        if r.claim:
            answers.setdefault(r.claim.question, set()).add(_plain(r.claim.statement))
    bad = [
        r.claim is not None
        and (
            _plain(r.claim.statement) in false
            or _plain(r.claim.denial or "") in true
            or len(answers[r.claim.question]) > 1
        )
        for r in rows
    ]
    return [r for r, b in zip(rows, bad, strict=True) if not b], [r for r, b in zip(rows, bad, strict=True) if b]


def _merged(rows: list[Report]) -> Report:
    sentences = dict.fromkeys(s for r in rows for s in r.text.split("\n"))
    closed = {r.claim.statement: r.claim.denial for r in rows if r.claim and r.claim.denial}
    meta = {n: "; ".join(dict.fromkeys(r.meta[n] for r in rows if r.meta[n])) for n in rows[0].meta}
    if closed:
        meta |= {"statement": "\n".join(closed), "denial": "\n".join(str(d) for d in closed.values())}
    clean = None if rows[0].clean is None else all(r.clean for r in rows)
    phi = tuple(dict.fromkeys(value for r in rows for value in r.phi))
    return replace(rows[0], text=" ".join(sentences), meta=meta, clean=clean, phi=phi)


def _plain(text: str) -> str:
    return re.sub(r"\W+", " ", re.sub(r"\b(?:a|an|the)\b", "", text.casefold())).strip()
