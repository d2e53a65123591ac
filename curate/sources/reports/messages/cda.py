"""XML documents as reports: HL7 CDA (Clinical Document Architecture R2; imaging reports: DICOM PS3.20) and Open-i's.

The header of a clinical document says whose the report is and of which order, the body's sections are its text: a title
each, and what a reader sees of the narrative.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
from xml.etree.ElementTree import Element, TreeBuilder, tostring
from xml.parsers import expat

from curate.errors import DropRecord
from curate.record import Reason
from curate.sources.reports.formats import from_base64
from curate.sources.reports.messages.hl7 import PARTS, Message
from curate.sources.reports.text.markup import plain_text

_DEEPEST = 200  # elements within one another
_PERSONS = frozenset(("patient", "assignedPerson", "associatedPerson", "relatedPerson", "guardianPerson",
                      "informationRecipient", "maintainingPerson"))  # fmt: skip
_UID = re.compile(r"\d+(?:\.\d+){3,}")


def parse_xml(raw: bytes) -> Element:
    """The root of a document, its elements by their names without prefixes, bound or not.

    Raises DropRecord BROKEN_ROW where it is no XML or nested too deep, TOO_LARGE where it declares entities: of a few
    lines they make gigabytes.
    """
    parser, builder, depth, reason = expat.ParserCreate(), TreeBuilder(), 0, Reason.BROKEN_ROW

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > _DEEPEST:
            raise ValueError
        builder.start(name.rpartition(":")[2], attributes)

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(name.rpartition(":")[2])

    def entity(*_: object) -> None:
        nonlocal reason
        reason = Reason.TOO_LARGE
        raise ValueError

    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, builder.data
    parser.EntityDeclHandler, parser.buffer_text = entity, True
    root = None
    try:
        parser.Parse(raw, True)
        root = builder.close()
    except (expat.ExpatError, ValueError, LookupError, AssertionError):
        pass
    if root is None:
        raise DropRecord(reason)
    return root


def read_openi(raw: bytes) -> Message:
    """A document as Open-i publishes the Indiana collection (ecgen-radiology/1.xml), a heading for each part: the uid
    ("CXR1") is the study, which the images' names begin with.

    Raises DropRecord as `parse_xml`, and NOT_A_REPORT where it is no such document.
    """
    root = parse_xml(raw)
    study = next((each.get("id", "").strip() for each in root.iter("uId")), "")
    if not study:
        raise DropRecord(Reason.NOT_A_REPORT)
    parts = [(each.get("Label", "").strip(), _words(each)) for each in root.iter("AbstractText")]
    text = "\n\n".join(f"{label}: {words}" if label else words for label, words in parts if words)
    return Message(text, {"study": study})


def read_cda(raw: bytes) -> Message:
    """The document, with the names and numbers of everybody in it.

    Raises DropRecord as `parse_xml`, and REFUSED_KIND where it is no clinical document. Its `reason` is
    UNREAD_DOCUMENT where its body is a PDF or a picture, SEVERAL_PATIENTS where it is about several.
    """
    root = parse_xml(raw)
    if root.tag != "ClinicalDocument":
        raise DropRecord(Reason.REFUSED_KIND)
    header = list(_header(root))
    text = plain_text("".join(part for body in root.iter("structuredBody") for part in _sections(body)))
    reason = None
    for part in (part for path, part in header if path[-2:] == ("nonXMLBody", "text")):
        text, reason = _unpacked(_words(part), part.get("mediaType", "text/plain"), part.get("representation", "TXT"))
    targets = [_extensions(t.findall("patientRole/id")) for t in root.iter("recordTarget")]
    if len(targets) > 1 and not set.intersection(*map(set, targets)):
        reason = Reason.SEVERAL_PATIENTS
    lines = [line.strip() for line in re.sub(r"[^\S\n\t]+", " ", text).split("\n")]
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
    people = [(path, name) for path, part in header if (name := _person(path, part))]
    known = _known(header) | {
        "patient": next((id_ for ids in targets for id_ in ids), ""),
        "patient_name": next((name for path, name in people if "patient" in path), ""),
    }
    numbers = [value for path, part in header if (value := _number(path, part))]
    return Message(
        text, known, tuple(dict.fromkeys(n for _, n in people)), tuple(dict.fromkeys(numbers)), reason=reason
    )


Path = tuple[str, ...]


def _header(part: Element, above: Path = ()) -> Iterator[tuple[Path, Element]]:
    """(names of the elements from the root down to it, element) of all that is no section."""
    path = (*above, part.tag)
    if part.tag != "structuredBody":
        yield path, part
        for below in part:
            yield from _header(below, path)


def _words(part: Element) -> str:
    return "".join(part.itertext()).strip()


def _sections(body: Element) -> Iterator[str]:
    """The narrative of sections and those within them, as markup, under their titles or what their codes stand for."""
    heading = ""
    for part in body:
        if body.tag == "section" and part.tag == "code":
            heading = PARTS.get(part.get("code", "").lower(), part.get("displayName", ""))
        elif body.tag == "section" and part.tag == "title":
            heading = ""
            yield f"\n{escape(_words(part))}:\n"
        elif body.tag == "section" and part.tag == "text":
            if heading:
                yield f"\n{escape(heading.upper())}:"
            yield tostring(part, "unicode")
        elif part.tag != "entry" and part.get("revised") != "delete":  # entries repeat the narrative in codes
            yield from _sections(part)


def _person(path: Path, part: Element) -> str:
    """A person's name as DICOM writes it; "" of another element."""
    if part.tag != "name" or _PERSONS.isdisjoint(path):
        return ""
    parts = [" ".join(_words(each) for each in part.iter(name)) for name in ("family", "given")]
    return "^".join(parts) if any(parts) else _words(part)


def _number(path: Path, part: Element) -> str:
    """What identifies somebody in the header: an id, a telephone number, a street; "" of another element."""
    if part.tag == "id" and path[-2:] != ("order", "id"):
        return part.get("extension", "").strip()
    if part.tag == "telecom":
        value = part.get("value", "").strip()
        return value.partition(":")[2] or value
    return _words(part) if part.tag == "streetAddressLine" else ""


def _extensions(ids: list[Element]) -> list[str]:
    return [value for each in ids if (value := each.get("extension", "").strip())]


def _known(header: list[tuple[Path, Element]]) -> dict[str, str]:
    """Of the order and the document: accession, study, date, status and order, "" where it is not told."""
    accessions, orders = list[str](), list[str]()
    known = dict.fromkeys(("study", "date", "status", "order"), "")
    for path, part in header:
        value = part.get("value", "").strip()
        if part.tag == "accessionNumber":
            accessions[:0] = _extensions([part])
        elif path[-2:] == ("order", "id") and "inFulfillmentOf" in path:
            orders += _extensions([part])
        elif path[-2:] == ("serviceEvent", "id") and _UID.fullmatch(root := part.get("root", "").strip()):
            known["study"] = known["study"] or ("" if _extensions([part]) else root)
        elif "serviceEvent" in path and part.tag in ("effectiveTime", "low"):
            known["date"] = known["date"] or value[:8]
        elif path == ("ClinicalDocument", "effectiveTime"):
            known["order"] = known["order"] or value
        elif part.tag == "relatedDocument" and part.get("typeCode") == "APND":
            known["status"] = "addendum"
        elif part.tag == "signatureCode" and part.get("code") == "S":
            known["status"] = known["status"] or "final"
    known["date"] = known["date"] or known["order"][:8]
    return known | {"accession": "; ".join(dict.fromkeys([*accessions, *orders]))}


def _unpacked(text: str, kind: str, representation: str) -> tuple[str, Reason | None]:
    """The words of a body that is no XML (4.3.4.1), or why there are none."""
    if not kind.startswith(("text/", "application/rtf", "application/xhtml")):
        return "", Reason.UNREAD_DOCUMENT
    if representation != "B64":
        return text, None
    try:
        return from_base64(text), None
    except DropRecord as dropped:
        return "", dropped.reason
