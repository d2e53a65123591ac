"""HL7 CDA documents as reports (Clinical Document Architecture R2; imaging reports: DICOM PS3.20).

The header says whose the report is and of which order, the body's sections are its text: a title each, and what a
reader sees of the narrative.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from curate.errors import DropRecord
from curate.record import Reason
from curate.sources.reports.encoding import from_base64
from curate.sources.reports.hl7 import PARTS, Message
from curate.sources.reports.xml import read_parts

_START = re.compile(rb"<(?:[\w.-]+:)?clinicaldocument[\s>]", re.IGNORECASE)
_LINES = frozenset(("paragraph", "list", "item", "br", "table", "tr", "caption", "title", "section", "text"))
_CELLS = frozenset(("td", "th"))
_PERSONS = frozenset(("patient", "assignedPerson", "associatedPerson", "relatedPerson", "guardianPerson",
                      "informationRecipient", "maintainingPerson"))  # fmt: skip
_NAME = ("family", "given", "prefix", "suffix")
_RAISED = "\x02"  # where a raised number begins: 10 to the power of 3 is not 103
_POWER = re.compile(rf"(?<=\d){_RAISED}(?=[-+\u2212]?\d)")
_UID = re.compile(r"\d+(?:\.\d+){3,}")
_ACCESSION, _ORDER = ("accessionNumber",), ("order", "id")


def is_cda(head: bytes) -> bool:
    """Does a file that begins with ``head`` hold a clinical document, UTF-16 too?"""
    return _START.search(head.replace(b"\0", b"")) is not None


def read_cda(raw: bytes) -> Message:
    """The document, with the names and numbers of everybody in it.

    Raises DropRecord as `read_parts`, and REFUSED_KIND where it is no clinical document. Its `reason` is
    UNREAD_DOCUMENT where its body is a PDF or a picture, SEVERAL_PATIENTS where it is about several.
    """
    found = _Document()
    read_parts(raw, found.start, found.end, found.words)
    if found.root != "ClinicalDocument":
        raise DropRecord(Reason.REFUSED_KIND)
    return found.message()


class _Document:
    """What a parser tells, gathered."""

    def __init__(self) -> None:
        self.root = ""
        self._path: list[str] = []
        self._body: list[str] = []
        self._characters: list[str] = []  # characters of the element that is read
        self._code: list[str] = []  # of each section that is open, the heading its code stands for
        self._name: dict[str, list[str]] = {}
        self._form: tuple[str, str] | None = None  # mediaType and representation of a body that is no XML
        self._first: dict[str, str] = {}
        self._targets: list[set[str]] = []  # the ids of each patient
        self._deleted = 0  # how deep the element lies that a later version has struck out (`revised`)
        self._accessions: list[str] = []
        self._people: list[str] = []
        self._numbers: list[str] = []

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        self.root = self.root or name
        self._path.append(name)
        if attributes.get("revised") == "delete":
            self._deleted = self._deleted or len(self._path)
        if "structuredBody" in self._path:
            if name == "section":
                self._code.append("")
            elif self._path[-2:] == ["section", "code"]:
                self._code[-1] = PARTS.get(attributes.get("code", "").lower(), attributes.get("displayName", ""))
            elif self._path[-2:] == ["section", "text"] and self._code[-1]:
                self._body.append(f"\n{self._code[-1].upper()}:")
                self._code[-1] = ""
            if self._in_text():
                self._body.append("\n" if name in _LINES else "\t" if name in _CELLS else _RAISED * (name == "sup"))
            return
        self._characters = []
        if self._path[-2:] == ["nonXMLBody", "text"]:
            self._form = attributes.get("mediaType", "text/plain"), attributes.get("representation", "TXT")
        if name == "name":
            self._name = {}
        self._read_attributes(name, attributes)

    def words(self, data: str) -> None:
        if "structuredBody" in self._path:
            if not self._deleted and (self._in_text() or self._path[-2:] == ["section", "title"]):
                self._body.append(data)
        else:
            self._characters.append(data)

    def end(self, name: str) -> None:
        if "structuredBody" in self._path:
            if self._in_text() and name in _LINES:
                self._body.append("\n")
            elif self._path[-2:] == ["section", "title"]:
                self._body.append(":\n")
                self._code[-1] = ""
            elif name == "section":
                self._code.pop()
        else:
            content = "".join(self._characters).strip()
            if self._path[-2:] == ["nonXMLBody", "text"]:
                self._body = [content]
            elif name in _NAME and "name" in self._path:
                self._name.setdefault(name, []).append(content)
            elif name == "name" and not _PERSONS.isdisjoint(self._path):
                self._person(content)
            elif name == "streetAddressLine" and content:
                self._numbers.append(content)
            if name != "name":
                self._characters = []
        if self._deleted == len(self._path):
            self._deleted = 0
        self._path.pop()

    def _in_text(self) -> bool:
        """Is this narrative of a section? Entries repeat it in codes."""
        return "text" in self._path and self._path[self._path.index("text") - 1] == "section"

    def _person(self, plain: str) -> None:
        parts = [" ".join(self._name.get(part, ())) for part in ("family", "given")]
        person = "^".join(parts) if any(parts) else plain
        if "patient" in self._path:
            self._first.setdefault("patient_name", person)
        if person:
            self._people.append(person)

    def _read_attributes(self, name: str, attributes: Mapping[str, str]) -> None:
        extension, root, value = (attributes.get(key, "").strip() for key in ("extension", "root", "value"))
        place = tuple(self._path)
        if name == "recordTarget":
            self._targets.append(set())
        if name == "id" and extension:
            if place[-2:] == ("patientRole", "id") and self._targets:
                self._targets[-1].add(extension)
                self._first.setdefault("patient", extension)
            if place[-2:] != _ORDER:
                self._numbers.append(extension)
        if place[-1:] == _ACCESSION and extension:
            self._accessions.insert(0, extension)
        elif place[-2:] == _ORDER and "inFulfillmentOf" in place and extension:
            self._accessions.append(extension)
        elif place[-2:] == ("serviceEvent", "id") and not extension and _UID.fullmatch(root):
            self._first.setdefault("study", root)
        elif "serviceEvent" in place and name in ("effectiveTime", "low") and value:
            self._first.setdefault("date", value[:8])
        elif place == ("ClinicalDocument", "effectiveTime") and value:
            self._first.setdefault("order", value)
        elif name == "telecom" and value:
            self._numbers.append(value.partition(":")[2] or value)
        elif place[-1] == "relatedDocument" and attributes.get("typeCode") == "APND":
            self._first["status"] = "addendum"
        elif name == "signatureCode" and attributes.get("code") == "S":
            self._first.setdefault("status", "final")

    def message(self) -> Message:
        text, reason = "".join(self._body), None
        if self._form is not None:
            text, reason = _unpacked(text, *self._form)
        if len(self._targets) > 1 and not set.intersection(*self._targets):
            reason = Reason.SEVERAL_PATIENTS
        text = _POWER.sub("^", text).replace(_RAISED, "")
        lines = [line.strip() for line in re.sub(r"[^\S\n\t]+", " ", text).split("\n")]
        text = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
        known = dict.fromkeys(("accession", "study", "patient", "patient_name", "date", "status", "order"), "")
        known |= self._first | {"accession": "; ".join(dict.fromkeys(self._accessions))}
        known["date"] = known["date"] or known["order"][:8]
        people, numbers = (tuple(dict.fromkeys(values)) for values in (self._people, self._numbers))
        return Message(text, known, people, numbers, {}, "|^~\\&", reason)


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
