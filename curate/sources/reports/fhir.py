"""FHIR R4 as reports: DiagnosticReports of bundles, of bulk exports (NDJSON) and alone, in JSON or XML, with what they
refer to.

A report's resource says whose it is by reference: to a Patient, an ImagingStudy, a ServiceRequest, Observations, in the
same bundle or in another file of the export. So files are read twice, resource by resource, however large: once for
`References`, of which a few strings each are held, once for the reports themselves.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

import ijson

from curate.errors import DropRecord
from curate.record import Reason
from curate.sources.reports.documents import parsed
from curate.sources.reports.encoding import HEAD, from_base64
from curate.sources.reports.xml import fhir_values

MAX_ATTACHMENT = 1 << 24  # bytes of one text
MAX_RESOURCE = 1 << 28  # bytes of an entry of a bundle, or of a line of NDJSON
_MAX_XML = 1 << 28  # bytes of a document of XML, which is read whole
_TYPE = re.compile(rb'"resourceType"\s*:\s*"[A-Z]|<(?:\w+:)?[A-Z]\w+\s[^>]*"http://hl7\.org/fhir"')
_BUNDLE = re.compile(rb'"resourceType"\s*:\s*"Bundle"|^\{[^{\[]*"entry"\s*:\s*\[')
_REFERRED = frozenset(
    ("Patient", "ImagingStudy", "ServiceRequest", "Practitioner", "PractitionerRole", "Observation", "Binary")
)
_TEXT_KINDS = ("text/", "application/rtf", "application/xhtml")
_PATIENT_IDS, _ORDER_IDS = ("MR", "PI", "PT"), ("ACSN", "FILL", "PLAC")  # v2 table 0203
_VERSION = re.compile(r"/_history/[^/]+$")
Known = Mapping[str, Any]


@dataclass(frozen=True)
class FhirReport:
    """``known``: by fields of `curate.sources.reports.report.Report`; ``phi``: every other identifying value told."""

    text: str
    known: Mapping[str, str]
    phi: tuple[str, ...]
    reason: Reason | None = None


def is_fhir(head: bytes) -> bool:
    """Does a file of JSON or XML that begins with ``head`` hold resources, UTF-16 too?"""
    return _TYPE.search(head.replace(b"\0", b"")) is not None


def resources(file: Any) -> Iterator[tuple[str, Any]]:
    """(full URL or "", resource) of each entry of a bundle, of each line, or of the one there is; None in place of one
    that is none, and where a bundle can be read no further. ``file``: bytes, that can `peek`. Of XML as
    `fhir_values`."""
    if file.peek(3)[:3] == codecs.BOM_UTF8:
        file.read(3)
    head = file.peek(HEAD)[:HEAD].lstrip()
    if head.startswith((b"<", codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raw = file.read(_MAX_XML + 1)
        if len(raw) > _MAX_XML:
            raise DropRecord(Reason.TOO_LARGE)
        yield from map(_of_entry, fhir_values(raw))
    elif _BUNDLE.search(head):
        yield from _values(file, "entry.item")
    elif head.startswith(b'{"'):
        yield from _lines(file)
    else:
        yield from _values(file, "")


def _lines(file: Any) -> Iterator[tuple[str, Any]]:
    while line := file.readline(MAX_RESOURCE):
        if line.strip():
            value = parsed(line.decode("utf-8-sig", "replace"))
            yield "", value if _is(value) else None


def _values(file: Any, place: str) -> Iterator[tuple[str, Any]]:
    """The entries of bundles, one behind the other, or resources written over several lines. DropRecord TOO_LARGE where
    one does not end within `MAX_RESOURCE`."""
    bounded = _Bounded(file)
    try:
        for value in ijson.items(bounded, place, use_float=True, multiple_values=True):
            bounded.left = MAX_RESOURCE
            if place and _is(value):
                yield _of_entry(value)
            elif _is(value):
                yield "", value
    except ijson.JSONError:
        yield "", None


def _of_entry(entry: Mapping[str, Any]) -> tuple[str, Any]:
    resource = entry.get("resource")
    return _text(entry.get("fullUrl")), resource if _is(resource) else None


class _Bounded:
    """A file of which ``left`` bytes may still be read, so that one value cannot fill the memory."""

    def __init__(self, file: Any) -> None:
        self._file, self.left = file, MAX_RESOURCE

    def read(self, size: int) -> bytes:
        """As the file's."""
        data: bytes = self._file.read(size)
        self.left -= len(data)
        if self.left < 0:
            raise DropRecord(Reason.TOO_LARGE)
        return data


def _is(value: Any) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


class References:
    """What resources other than reports say, by the names they are referred to by: a few strings each.

    A file's own go first, as bundles may count their resources each for itself; of a name that several things have
    nothing is known.
    """

    def __init__(self, known: dict[tuple[str, str], tuple[str, ...]] | None = None, file: str = "") -> None:
        self._known, self._file = {} if known is None else known, file

    def within(self, file: str) -> References:
        """The same, as a file's own resources name one another."""
        return References(self._known, file)

    def add(self, url: str, resource: Any) -> None:
        """Remember what a report may need of ``resource``."""
        kind = _text(resource.get("resourceType")) if _is(resource) else ""
        if kind not in _REFERRED:
            return
        values = _values_of(kind, resource)
        for name in {url, f"{kind}/{_text(resource.get('id'))}"}:
            for key in {(self._file, name), ("", name)} if name and not name.endswith("/") else ():
                before = self._known.setdefault(key, values)
                if before != values:
                    same = kind in _BY_ID and any(values[1:2]) and before[1:2] == values[1:2]  # another version of it
                    self._known[key] = values if same or kind in _PEOPLE else _UNSURE.get(kind, ())

    def of(self, reference: Any, contained: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
        """What is known of the resource that a Reference names: its type first; () where it is not there."""
        name = _VERSION.sub("", _text(reference.get("reference")) if _is(reference) else "")
        if name.startswith("#"):
            return contained.get(name[1:], ())
        keys = ((file, n) for n in (name, "/".join(name.rsplit("/", 2)[-2:])) for file in (self._file, ""))
        return next((self._known[key] for key in keys if key in self._known), ())


_BY_ID, _PEOPLE = ("Patient", "ImagingStudy", "ServiceRequest"), ("Practitioner", "PractitionerRole")
_UNSURE = {"Patient": ("Patient", "", "")}  # nobody's id, not even the one it is referred to by


def _values_of(kind: str, resource: Mapping[str, Any]) -> tuple[str, ...]:
    """(type, what it is known by, ...): of a patient the id, the name and every identifying value; of a study its UID
    and accession numbers; of an order these; of a person the name; of an observation and a document their text."""
    if kind == "Patient":
        ids = _identifiers(resource, _PATIENT_IDS)
        known = ids[0] if ids else _text(resource.get("id"))
        names = [*_names(resource)]
        return kind, known, names[0] if names else "", *ids, *names, *_contacts(resource)
    if kind == "ImagingStudy":
        uids = [
            _bare(_text(i.get("value"))) for i in _list(resource, "identifier") if "dicom" in _text(i.get("system"))
        ]
        return kind, next(iter(uids), ""), *(v for v in _identifiers(resource, _ORDER_IDS) if _bare(v) not in uids)
    if kind == "ServiceRequest":
        return kind, *_identifiers(resource, _ORDER_IDS)
    if kind in _PEOPLE:
        return kind, *_names(resource), _display(resource.get("practitioner"))
    if kind == "Observation":
        return kind, _heading(resource), _value(resource)
    text = _attachment(resource)
    return kind, text if isinstance(text, str) else ""


def fhir_report(report: Mapping[str, Any], references: References) -> FhirReport:
    """What a DiagnosticReport says. Its text is what is presented (attachments of text), with the conclusion where that
    is not in it; else its observations and the conclusion; else the narrative. A report of which only documents that
    are not read are presented (PDF) is UNREAD_DOCUMENT, an attachment that is no base64 a BROKEN_ROW."""
    contained = {_text(c.get("id")): _values_of(c["resourceType"], c) for c in _list(report, "contained")
                 if _text(c.get("resourceType")) in _REFERRED}  # fmt: skip
    linked = [references.of(r, contained) for name in ("subject", "imagingStudy", "basedOn", "performer",
            "resultsInterpreter", "result", "study") for r in _listed(report.get(name))]  # fmt: skip
    patient = next((known for known in linked if known[:1] == ("Patient",)), ())
    studies = [known for known in linked if known[:1] == ("ImagingStudy",)]
    orders = [value for known in linked if known[:1] == ("ServiceRequest",) for value in known[1:]]
    own = _identifiers(report, _ORDER_IDS)
    numbers = [*own, *(value for known in studies for value in known[2:]), *orders]
    subject = report.get("subject")
    inline = _text(subject["identifier"].get("value")) if _is(subject) and _is(subject.get("identifier")) else ""
    named = [_display(r) for n in ("subject", "performer", "resultsInterpreter") for r in _listed(report.get(n))]
    people = [
        value for known in linked if known[:1] in (("Practitioner",), ("PractitionerRole",)) for value in known[1:]
    ]
    period = report.get("effectivePeriod")
    when = _text(report.get("effectiveDateTime")) or (_text(period.get("start")) if _is(period) else "")
    known = {
        "accession": "; ".join(dict.fromkeys(n for n in numbers if any(c.isdigit() for c in n))),
        "study": next((k[1] for k in studies if len(k) > 1), ""),
        "patient": patient[1] if patient else inline or _text(subject.get("reference") if _is(subject) else "")
        .removeprefix("#").rpartition("/")[2],
        "patient_name": patient[2] if patient else _display(subject),
        "date": when[:10].replace("-", ""),
        "status": _text(report.get("status")),
        "order": _text(report.get("issued")) or when,
    }  # fmt: skip
    phi = tuple(dict.fromkeys(value for value in (*patient[2:], *numbers, *named, *people) if value))
    try:
        return FhirReport(_words(report, linked, references, contained), known, phi)
    except DropRecord as dropped:
        return FhirReport("", known, phi, dropped.reason)


def _words(
    report: Mapping[str, Any],
    linked: Iterable[tuple[str, ...]],
    references: References,
    contained: Mapping[str, tuple[str, ...]],
) -> str:
    forms = _list(report, "presentedForm")
    texts = [_attachment(form, references, contained) for form in forms]
    parts = [text for text in texts if text]
    conclusion = _text(report.get("conclusion")).strip()
    if not parts:
        observed = [known for known in linked if known[:1] == ("Observation",) and known[2].strip()]
        parts = [f"{heading}: {value}" if heading else value for _, heading, value in observed]
    if conclusion and not any(" ".join(conclusion.split()) in " ".join(part.split()) for part in parts):
        parts.append(f"IMPRESSION: {conclusion}" if parts else conclusion)
    if not parts and forms:
        raise DropRecord(Reason.UNREAD_DOCUMENT)
    if not parts and _is(report.get("text")):
        parts = [_text(report["text"].get("div"))]
    return "\n\n".join(parts)


def _attachment(
    form: Mapping[str, Any],
    references: References | None = None,
    contained: Mapping[str, tuple[str, ...]] | None = None,
) -> str | None:
    """The text of an Attachment or a Binary; None of another kind, or where its data are elsewhere."""
    if not _text(form.get("contentType")).lower().startswith(_TEXT_KINDS):
        return None
    data = form.get("data")
    if not isinstance(data, str):
        known = references.of({"reference": form.get("url")}, contained or {}) if references else ()
        return (known[1] or None) if known[:1] == ("Binary",) else None
    if len(data) > MAX_ATTACHMENT * 4 // 3 + 4:
        raise DropRecord(Reason.TOO_LARGE)
    return from_base64(data)


def _identifiers(resource: Mapping[str, Any], kinds: tuple[str, ...]) -> list[str]:
    """The values of its identifiers, those of ``kinds`` (v2 table 0203) first, in this order."""
    found = []
    for at, identifier in enumerate(_list(resource, "identifier")):
        kind = identifier.get("type")
        codes = [_text(c.get("code")) for c in _list(kind, "coding")] if _is(kind) else []
        rank = min((kinds.index(code) for code in codes if code in kinds), default=len(kinds))
        if value := _text(identifier.get("value")).strip():
            found.append((rank, at, value))
    return [value for _, _, value in sorted(found)]


def _names(resource: Mapping[str, Any]) -> Iterator[str]:
    """HumanNames as DICOM writes them."""
    for name in _listed(resource.get("name")):
        if _is(name):
            given = " ".join(_text(g) for g in _listed(name.get("given")))
            yield "^".join(filter(None, (_text(name.get("family")), given))) or _text(name.get("text"))


def _contacts(patient: Mapping[str, Any]) -> Iterator[str]:
    yield _text(patient.get("birthDate"))
    yield from (_text(t.get("value")) for t in _list(patient, "telecom"))
    for address in _list(patient, "address"):
        yield from (_text(line) for line in _listed(address.get("line")))
        yield from (_text(address.get(name)) for name in ("text", "city", "postalCode"))
    for person in _list(patient, "contact"):
        yield from _names({"name": person.get("name")})
        yield from (_text(t.get("value")) for t in _list(person, "telecom"))


def _heading(observation: Mapping[str, Any]) -> str:
    code = observation.get("code")
    if not _is(code):
        return ""
    shown = [_text(c.get("display")) for c in _list(code, "coding")]
    return (_text(code.get("text")) or next(filter(None, shown), "")).strip().upper()


def _value(observation: Mapping[str, Any]) -> str:
    quantity, coded = observation.get("valueQuantity"), observation.get("valueCodeableConcept")
    if _is(quantity):
        return f"{_text(quantity.get('value'))} {_text(quantity.get('unit'))}".strip()
    if _is(coded):
        return _text(coded.get("text")) or next((_text(c.get("display")) for c in _list(coded, "coding")), "")
    return _text(observation.get("valueString")) or "\n".join(_text(n.get("text")) for n in _list(observation, "note"))


def _bare(uid: str) -> str:
    return uid.removeprefix("urn:oid:")


def _display(reference: Any) -> str:
    return _text(reference.get("display")) if _is(reference) else ""


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None or isinstance(value, dict | list) else str(value)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _list(resource: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    return [each for each in _listed(resource.get(name)) if _is(each)]
