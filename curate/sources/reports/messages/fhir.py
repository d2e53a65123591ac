"""FHIR R4 as reports: DiagnosticReports of bundles, of bulk exports (NDJSON) and alone, in JSON or XML, with what they
refer to.

A report's resource says whose it is by reference: to a Patient, an ImagingStudy, a ServiceRequest, Observations, in the
same bundle or in another file of the export. So files are read twice, resource by resource, however large: once for
`References`, of which a few strings each are held, once for the reports themselves.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any
from xml.etree.ElementTree import Element, tostring

import ijson

from curate.errors import DropRecord
from curate.record import Reason
from curate.sources.reports.formats import HEAD, Bounded, from_base64
from curate.sources.reports.messages.cda import parse_xml
from curate.sources.reports.messages.hl7 import BROKEN, Message
from curate.sources.reports.tables.documents import parsed

MAX_ATTACHMENT = 1 << 24  # bytes of one text
MAX_RESOURCE = 1 << 28  # bytes of an entry of a bundle, or of a line of NDJSON
_MAX_XML = 1 << 28  # bytes of a document of XML, which is read whole
_BUNDLE = re.compile(rb'"resourceType"\s*:\s*"Bundle"|^\{[^{\[]*"entry"\s*:\s*\[')
_REFERRED = frozenset(
    ("Patient", "ImagingStudy", "ServiceRequest", "Practitioner", "PractitionerRole", "Observation", "Binary")
)
_LINKS = ("subject", "imagingStudy", "basedOn", "performer", "resultsInterpreter", "result", "study")
_NAMING = ("subject", "performer", "resultsInterpreter")
_NO_TEXT = (dict, list, type(None))
_TEXT_KINDS = ("text/", "application/rtf", "application/xhtml")
_PATIENT_IDS, _ORDER_IDS = ("MR", "PI", "PT"), ("ACSN", "FILL", "PLAC")  # v2 table 0203
_BY_ID, _PEOPLE = ("Patient", "ImagingStudy", "ServiceRequest"), ("Practitioner", "PractitionerRole")
_UNSURE = {"Patient": ("Patient", "", "")}  # nobody's id, not even the one it is referred to by
_VERSION = re.compile(r"/_history/[^/]+$")
Contained = Mapping[str, tuple[str, ...]]


def resources(file: Any) -> Iterator[tuple[str, Any]]:
    """(full URL or "", resource) of each entry of a bundle, of each line, or of the one there is; None in place of one
    that is none, and where a bundle can be read no further. ``file``: bytes, that can `peek`."""
    if file.peek(3)[:3] == codecs.BOM_UTF8:
        file.read(3)
    head = file.peek(HEAD)[:HEAD].lstrip()
    if head.startswith((b"<", codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raw = file.read(_MAX_XML + 1)
        if len(raw) > _MAX_XML:
            raise DropRecord(Reason.TOO_LARGE)
        root = parse_xml(raw)
        if not root.tag[:1].isupper():  # resources wrapped in something else
            raise DropRecord(Reason.REFUSED_KIND)
        entries = (
            [_value(each) for each in root.findall("entry")] if root.tag == "Bundle" else [{"resource": _value(root)}]
        )
        yield from map(_of_entry, entries)
    elif _BUNDLE.search(head):
        yield from _values(file, "entry.item")
    elif head.startswith(b'{"'):
        yield from _lines(file)
    else:
        yield from _values(file, "")


def _value(element: Element) -> Any:
    """An element as FHIR's JSON has it (R4, 2.6.1); what stands there once is no list."""
    if element.tag == "div":
        return tostring(element, "unicode")
    if (own := element.get("value")) is not None:
        return own
    fields: dict[str, Any] = {}
    for part in element:
        fields[part.tag] = [*_all(fields, part.tag), _value(part)] if part.tag in fields else _value(part)
    if element.tag in ("resource", "contained"):
        return next((inner for inner in fields.values() if isinstance(inner, dict)), None)
    return {**fields, "resourceType": element.tag} if element.tag[:1].isupper() else fields


def _lines(file: Any) -> Iterator[tuple[str, Any]]:
    while line := file.readline(MAX_RESOURCE):
        if line.strip():
            yield _of_entry({"resource": parsed(line.decode("utf-8-sig", "replace"))})


def _values(file: Any, place: str) -> Iterator[tuple[str, Any]]:
    """The entries of bundles, one behind the other, or resources written over several lines. DropRecord TOO_LARGE where
    one does not end within `MAX_RESOURCE`."""
    bounded = Bounded(file, MAX_RESOURCE)
    try:
        for value in ijson.items(bounded, place, use_float=True, multiple_values=True):
            bounded.left = MAX_RESOURCE
            if isinstance(value, dict):
                yield _of_entry(value if place else {"resource": value})
    except ijson.JSONError:
        yield "", None


def _of_entry(entry: Mapping[str, Any]) -> tuple[str, Any]:
    resource = entry.get("resource")
    return _first(entry, "fullUrl"), resource if isinstance(resource, dict) else None


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
        kind = _kind(resource)
        if kind not in _REFERRED:
            return
        values = _values_of(kind, resource)
        for name in {url, f"{kind}/{_first(resource, 'id')}"}:
            for key in {(self._file, name), ("", name)} if name and not name.endswith("/") else ():
                before = self._known.setdefault(key, values)
                if before != values:
                    same = kind in _BY_ID and any(values[1:2]) and before[1:2] == values[1:2]  # another version of it
                    self._known[key] = values if same or kind in _PEOPLE else _UNSURE.get(kind, ())

    def of(self, reference: str, contained: Contained) -> tuple[str, ...]:
        """What is known of the resource that a Reference names: its type first; () where it is not there."""
        name = _VERSION.sub("", reference)
        if name.startswith("#"):
            return contained.get(name[1:], ())
        keys = ((file, n) for n in (name, "/".join(name.rsplit("/", 2)[-2:])) for file in (self._file, ""))
        return next((self._known[key] for key in keys if key in self._known), ())


def _values_of(kind: str, resource: Any) -> tuple[str, ...]:
    """(type, what it is known by, ...): of a patient the id, the name and every identifying value; of a study its UID
    and accession numbers; of an order these; of a person the name; of an observation and a document their text."""
    if kind == "Patient":
        ids, names = _identifiers(resource, _PATIENT_IDS), _names(resource)
        known = ids[0] if ids else _first(resource, "id")
        return kind, known, names[0] if names else "", *ids, *names, *_contacts(resource)
    if kind == "ImagingStudy":
        dicom = [each for each in _all(resource, "identifier") if "dicom" in _first(each, "system")]
        uids = [_bare(_first(each, "value")) for each in dicom]
        return kind, next(iter(uids), ""), *(v for v in _identifiers(resource, _ORDER_IDS) if _bare(v) not in uids)
    if kind == "ServiceRequest":
        return kind, *_identifiers(resource, _ORDER_IDS)
    if kind in _PEOPLE:
        return kind, *_names(resource), _first(resource, "practitioner.display")
    if kind == "Observation":
        heading = _first(resource, "code.text") or _first(resource, "code.coding.display")
        return kind, heading.strip().upper(), _observed(resource)
    return kind, _attachment(resource) or ""


def fhir_report(report: Any, references: References) -> Message:
    """What a DiagnosticReport says; of what is none (None) a BROKEN_ROW.

    Its text is what is presented (attachments of text), with the conclusion where that is not in it; else its
    observations and the conclusion; else the narrative. A report of which only documents that are not read are
    presented (PDF) is UNREAD_DOCUMENT, an attachment that is no base64 a BROKEN_ROW.
    """
    if report is None:
        return BROKEN
    contained = {_first(c, "id"): _values_of(kind, c) for c in _all(report, "contained")
                 if (kind := _kind(c)) in _REFERRED}  # fmt: skip
    linked = [
        references.of(r, contained) for name in _LINKS if name in report for r in _texts(report[name], "reference")
    ]
    patient = next((known for known in linked if known[:1] == ("Patient",)), ())
    studies = [known for known in linked if known[:1] == ("ImagingStudy",)]
    orders = [value for known in linked if known[:1] == ("ServiceRequest",) for value in known[1:]]
    numbers = [*_identifiers(report, _ORDER_IDS), *(value for known in studies for value in known[2:]), *orders]
    named = [each for name in _NAMING if name in report for each in _texts(report[name], "display")]
    people = [value for known in linked if known[:1] and known[0] in _PEOPLE for value in known[1:]]
    when = _first(report, "effectiveDateTime") or _first(report, "effectivePeriod.start")
    other = _first(report, "subject.reference").removeprefix("#").rpartition("/")[2]
    known = {
        "accession": "; ".join(dict.fromkeys(n for n in numbers if any(c.isdigit() for c in n))),
        "study": next((k[1] for k in studies if len(k) > 1), ""),
        "patient": patient[1] if patient else _first(report, "subject.identifier.value") or other,
        "patient_name": patient[2] if patient else _first(report, "subject.display"),
        "date": when[:10].replace("-", ""),
        "status": _first(report, "status"),
        "order": _first(report, "issued") or when,
    }
    phi = tuple(dict.fromkeys(value for value in (*patient[2:], *numbers, *named, *people) if value))
    try:
        return Message(_words(report, linked, references, contained), known, phi)
    except DropRecord as dropped:
        return Message("", known, phi, reason=dropped.reason)


def _words(report: Any, linked: Sequence[tuple[str, ...]], references: References, contained: Contained) -> str:
    forms = _all(report, "presentedForm")
    parts = [text for form in forms if (text := _attachment(form, references, contained))]
    conclusion = _first(report, "conclusion").strip()
    if not parts:
        observed = [known for known in linked if known[:1] == ("Observation",) and known[2].strip()]
        parts = [f"{heading}: {value}" if heading else value for _, heading, value in observed]
    if conclusion and not any(" ".join(conclusion.split()) in " ".join(part.split()) for part in parts):
        parts.append(f"IMPRESSION: {conclusion}" if parts else conclusion)
    if not parts and forms:
        raise DropRecord(Reason.UNREAD_DOCUMENT)
    return "\n\n".join(parts or _texts(report, "text.div"))


def _attachment(form: Any, references: References | None = None, contained: Contained | None = None) -> str | None:
    """The text of an Attachment or a Binary; None of another kind, or where its data are elsewhere."""
    if not _first(form, "contentType").lower().startswith(_TEXT_KINDS):
        return None
    data = form.get("data")
    if not isinstance(data, str):
        known = references.of(_first(form, "url"), contained or {}) if references else ()
        return (known[1] or None) if known[:1] == ("Binary",) else None
    if len(data) > MAX_ATTACHMENT * 4 // 3 + 4:
        raise DropRecord(Reason.TOO_LARGE)
    return from_base64(data)


def _identifiers(resource: Any, kinds: tuple[str, ...]) -> list[str]:
    """The values of its identifiers, those of ``kinds`` (v2 table 0203) first, in this order."""

    def rank(identifier: Any) -> int:
        codes = _texts(identifier, "type.coding.code")
        return min((kinds.index(code) for code in codes if code in kinds), default=len(kinds))

    ranked = sorted(_all(resource, "identifier"), key=rank)
    return [value for each in ranked if (value := _first(each, "value").strip())]


def _names(resource: Any) -> list[str]:
    """HumanNames as DICOM writes them."""
    names = [(_first(n, "family"), " ".join(_texts(n, "given")), _first(n, "text")) for n in _all(resource, "name")]
    return ["^".join(filter(None, (family, given))) or text for family, given, text in names]


def _contacts(patient: Any) -> Iterator[str]:
    for place in ("birthDate", "telecom.value", "address.line", "address.text", "address.city", "address.postalCode",
                  "contact.telecom.value"):  # fmt: skip
        yield from _texts(patient, place)
    for person in _all(patient, "contact"):
        yield from _names(person)


def _observed(observation: Any) -> str:
    quantity = f"{_first(observation, 'valueQuantity.value')} {_first(observation, 'valueQuantity.unit')}".strip()
    coded = (_first(observation, f"valueCodeableConcept.{name}") for name in ("text", "coding.display"))
    values = (quantity, *coded, _first(observation, "valueString"), "\n".join(_texts(observation, "note.text")))
    return next(filter(None, values), "")


def _kind(resource: Any) -> str:
    kind = resource.get("resourceType") if isinstance(resource, dict) else None
    return kind if isinstance(kind, str) else ""


def _bare(uid: str) -> str:
    return uid.removeprefix("urn:oid:")


@cache
def _parts(path: str) -> list[str]:
    return path.split(".")


def _all(value: Any, path: str) -> list[Any]:
    """What stands in a resource at a path like "name.family", of lists each; whatever has no such fields has none."""
    values = value if isinstance(value, list) else [value]
    for name in _parts(path):
        found: list[Any] = []
        for each in values:
            below = each.get(name) if isinstance(each, dict) else None
            if isinstance(below, list):
                found += below
            elif below is not None:
                found.append(below)
        if not found:
            return found
        values = found
    return values


def _texts(value: Any, path: str) -> list[str]:
    found = _all(value, path)
    return [text for each in found if not isinstance(each, _NO_TEXT) and (text := str(each))] if found else found


def _first(value: Any, path: str) -> str:
    if "." not in path and isinstance(value, dict) and isinstance(found := value.get(path, ""), str):
        return found
    return next(iter(_texts(value, path)), "")
