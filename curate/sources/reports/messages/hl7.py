"""HL7 v2 messages as reports: what an ORU (or MDM) says of each order, by segment and field (v2.5 chapters 3, 4, 7).

A message names itself: MSH gives the separators, PID the patient, ORC, OBR and IPC the order, OBX the words. A file
holds one message, a batch (FHS, BHS) or what a listener wrote down with its framing (MLLP). Escapes stay in the text:
`markup` decodes them as anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from dataclasses import field as default
from functools import lru_cache
from itertools import chain
from typing import Any

from curate.errors import DropRecord
from curate.record import Reason
from curate.sources.identity import canonical_id
from curate.sources.pairing.several import declared_status
from curate.sources.reports.formats import decode, from_base64
from curate.sources.reports.text.section import canonical

FIELD = re.compile(r"([A-Z][A-Z0-9]{2})-(\d{1,2})")  # how a recipe names a field of its own: "OBR-20"
_START = re.compile(r"[\s\ufeff\v\x1c]*(?:(?:FHS|BHS|MSH)([^\w\s])\S|(?:PID|PV1|ORC|OBR|OBX)\|)")
_SEGMENT = re.compile(r"[A-Z][A-Z0-9]{2}$")
_REPORTS = ("ORU", "MDM")
_WORDS = ("TX", "FT", "ST", "CE", "CWE", "CNE", "")  # value types whose content is text (OBX-2)
_HOLDS = ("ED", "RP")  # documents, and pointers to some
_TEXTS = frozenset(("TEXT", "TX", "FT", "PLAIN", "RTF", "HTML", "XHTML", "X-HL7-FT"))  # ED.2 and ED.3, table 0291
_GONE = ("D", "W", "X")  # OBX-11, table 0085: deleted, wrong, cannot be obtained


def _places(names: str) -> tuple[tuple[str, int], ...]:
    """(segment, field) of names like "OBR-20"."""
    return tuple((name[:3], int(name[4:])) for name in names.split())


# where an accession number stands, the surest first; fillers and placers of a RIS are often it, and sometimes not
_ORDER = _places("IPC-1 OBR-18 OBR-3 ORC-3 OBR-2 ORC-2 OBR-20 TXA-15 TXA-14")
_TIMES = _places("OBR-22 OBX-14 TXA-8 TXA-7 MSH-7")
_STUDY, _STATUS, _DATE = _places("IPC-3 ZDS-1"), _places("OBR-25 TXA-17 OBX-11"), _places("OBR-7")
_DOCUMENT = {"AU": "final", "LA": "final", **dict.fromkeys(("DI", "DO", "IN", "IP", "PA"), "preliminary")}  # table 0271
_PEOPLE = _places("OBR-16 OBR-32 OBR-33 OBR-34 OBR-35 ORC-10 ORC-12 PV1-7 PV1-8 PV1-9 PV1-17 OBX-16 TXA-9")
_KIN = _places("PID-6 PID-9 NK1-2")  # as PID-5, without an id before the name
_NUMBERS = _places("PID-2 PID-4 PID-13 PID-14 PID-18 PID-19 PID-20 PV1-19")
# OBX-3 of the text's parts: suffixes of chapter 7 (7.2.5), LOINC
PARTS = {"imp": "IMPRESSION", "19005-8": "IMPRESSION", "18782-3": "FINDINGS", "59776-5": "FINDINGS",
          "rec": "RECOMMENDATION", "18783-1": "RECOMMENDATION", "his": "HISTORY", "55752-0": "HISTORY",
          "18785-6": "INDICATION", "con": "CONCLUSION", "adt": "ADDENDUM", "add": "ADDENDUM",
          "55111-9": "TECHNIQUE", "18834-2": "COMPARISON"}  # fmt: skip
# MSH-18, table 0211; of others, and where the bytes are UTF-8 all the same, they decide themselves
_CHARSETS = {**{f"8859/{n}": f"iso8859-{n}" for n in (2, 3, 4, 5, 6, 7, 8, 9, 15)}, "GB 18030-2000": "gb18030",
             "BIG-5": "big5", "KS X 1001": "euc-kr", "ISO IR87": "iso2022_jp", "ISO IR159": "iso2022_jp_1"}  # fmt: skip
_HEADER = re.compile(r"(?:\A|(?<=[\r\n]))(?=MSH(?:[^A-Za-z0-9]|\Z))")  # segments end with a carriage return alone
_TRAILER = re.compile(r"(?<=[\r\n])BTS[^\w\s](\d+)")
# a line that has fields and no name that a segment can have: a segment that lost its beginning
_TORN = re.compile(r"[A-Za-z0-9]{0,6}([|])[^|]*\|[^|]*\|")
_NAMED = {
    name: [(field, (name, field) in _KIN) for each, field in _PEOPLE + _KIN if each == name]
    for name in dict.fromkeys(name for name, _ in _PEOPLE + _KIN)
}
Segment = Sequence[str]
Segments = Mapping[str, Sequence[Segment]]


def message_text(raw: bytes) -> str:
    """A file of messages as text: UTF-8 and UTF-16 by their bytes, else as its first MSH-18 says, else as any file of
    reports (`curate.sources.reports.formats.decode`, and raises as that)."""
    with suppress(UnicodeDecodeError):
        return raw.decode("utf-8-sig") if b"\0" not in raw[:64] else decode(raw)
    head = re.split(rb"[\r\n]", raw[:4096].lstrip(b"\v \r\n"))
    first = next((line for line in head if line.startswith(b"MSH")), b"MSH|")
    fields = first.split(first[3:4])
    declared = fields[17].split(b"~")[0].decode("ascii", "replace").strip().upper() if len(fields) > 17 else ""
    try:
        return raw.decode(_CHARSETS[declared])
    except (KeyError, UnicodeDecodeError):
        return decode(raw)


_KNOWN = ("accession", "study", "patient", "patient_name", "date", "status", "order")


@dataclass(frozen=True)
class Message:
    """What is said under one order, by a message or another document. ``known``: accession, study, patient,
    patient_name, date, status and order, "" or absent where it is not told; an accession may list the order's several
    numbers. ``people``: others' names; ``numbers``: telephones, accounts, streets, and whatever else identifies."""

    text: str = ""
    known: Mapping[str, str] = default(default_factory=lambda: dict.fromkeys(_KNOWN, ""))
    people: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    segments: Segments = default(default_factory=dict)  # of an HL7 message, by their names, in order
    marks: str = "|^~\\&"
    reason: Reason | None = None  # BROKEN_ROW: nobody knows what is missing of it; UNREAD_DOCUMENT: a PDF is all it has

    def value(self, name: str) -> str:
        """Of a field by a name like "OBR-20" the first component, in the first segment that has one."""
        return next(_firsts(self.segments, _places(name), self.marks), "")

    def record(self) -> dict[str, Any]:
        """As a row of a table, by columns whose names say what they hold."""
        accession, *others = self.known["accession"].split("; ")
        patient = self.known["patient"]
        return {
            "accession": accession,
            "order_number": others,
            "study_uid": self.known["study"],
            "patient_id": canonical_id(patient),
            "patient_name": self.known["patient_name"],
            "physician_name": list(self.people),
            "telephone": [*self.numbers, *(r.split("^")[0] for r in patient.split("~") if r)],
            "date": self.known["date"],
            "status": self.known["status"],
            "signed_date": self.known["order"],
            "text": self.text,
        }


BROKEN = Message(reason=Reason.BROKEN_ROW)


def is_message(text: str) -> bool:
    """Does ``text`` begin as a message, a batch, or segments cut out of one?"""
    return _START.match(text) is not None


def read_messages(text: str) -> Iterator[Message]:
    """One for each order (OBR) of each message that reports; orders without words of their own are none.

    One that is BROKEN_ROW stands for an order with a segment that is none, for a message without a header that can be
    read, and for what a batch lacks of the messages that its trailer (BTS-1) counts.
    """
    text = re.sub(r"[\ufeff\v\x1c]", "", text)
    parts = [part for part in _HEADER.split(text) if part.strip()]
    for part in parts:
        lines = [line for line in part.replace("\r", "\n").split("\n") if line.strip()]
        if not lines:
            continue
        if lines[0].startswith("MSH") and (len(lines[0]) < 9 or lines[0][3].isalnum()):
            if len(parts) > 1 or len(lines) > 1:  # of a file that is nothing else, nothing is lost
                yield BROKEN
            continue
        head = lines[0] if lines[0].startswith("MSH") else "MSH|^~\\&|"
        marks = head[3:8]  # field, component, repetition, escape, subcomponent
        parsed = [_fields(line, marks) for line in _joined(lines, marks[0])]
        kind = next((_get(s, 9) for s in parsed if s[0] == "MSH"), "")
        if not kind or kind[:3] in _REPORTS:
            yield from _orders(parsed, marks)
    if (counted := _TRAILER.findall(text)) and len(counted) == 1:
        messages = sum(part.startswith("MSH") for part in parts)
        yield from [BROKEN] * max(int(counted[0]) - messages, 0)


def _joined(lines: Sequence[str], field: str) -> Iterator[str]:
    """Segments; a line that begins with none goes on in the one above, as texts with bare line ends do, and an ADD
    (2.10.2) in its last field."""
    pending = ""
    for line in lines:
        if line[:1].isspace() and _SEGMENT.match(line.strip()[:3]) and line.strip()[3:4] == field:
            line = line.strip()
        if pending and line.startswith(f"ADD{field}"):
            whole = pending.startswith("OBX") and pending.count(field) > 5  # it is not its words that go on
            pending += ("\0" if whole else "") + line[4:]
            continue
        if _SEGMENT.match(line[:3]) and line[3:4] in (field, ""):
            if pending:
                yield pending
            pending = line
        elif pending:
            pending += ("\0" if field == "|" and _TORN.match(line) else "\n") + line
    if pending:
        yield pending


def _fields(line: str, marks: str) -> Segment:
    parts = line.split(marks[0])
    return [parts[0], marks[0], *parts[1:]] if parts[0] == "MSH" else parts


def _orders(segments: Sequence[Segment], marks: str) -> Iterator[Message]:
    """The segments before the first order belong to every order; ORC stands before its OBR."""
    starts = [i for i, s in enumerate(segments) if s[0] == "OBR"] or [len(segments)]
    begins = [i - 1 if i and segments[i - 1][0] == "ORC" else i for i in starts]
    shared = segments[: begins[0]]
    if begins[0] == len(segments):
        begins, shared = [0], []
    for begin, end in zip(begins, [*begins[1:], len(segments)], strict=True):
        own: dict[str, list[Segment]] = {}
        for segment in (*shared, *segments[begin:end]):
            own.setdefault(segment[0], []).append(segment)
            if segment[0] == "NTE" and "OBX" in own:  # a note to an observation, in its place
                own["OBX"].append(segment)
        broken = any("\0" in marks[0].join(segment) for segment in segments[begin:end])
        text = _text(own, marks)
        document = any(_get(s, 2).strip() in _HOLDS and _get(s, 5).strip() for s in own.get("OBX", ()))
        reason = Reason.BROKEN_ROW if broken else Reason.UNREAD_DOCUMENT if document and not text else None
        if text or reason:
            people = tuple(dict.fromkeys(_people((*shared, *segments[begin:end]), marks)))
            numbers = tuple(dict.fromkeys(_numbers(own, marks)))
            yield Message(text, _known(own, marks), people, numbers, own, marks, reason)


def _text(segments: Segments, marks: str) -> str:
    """The words of OBX-5 and of the notes to them (NTE-3), a heading before each part that OBX-3 names; of an order
    without any its notes."""
    lines = _observed(segments, marks, _WORDS)
    if not any(line.strip() for line in lines):
        lines = _observed(segments, marks, ("ED",))  # which beside words holds them once more
    if not any(line.strip() for line in lines):
        lines = [r for s in segments.get("NTE", ()) for r in _get(s, 3).split(marks[2])]
    text = "\n".join(lines).strip()
    return text.replace(marks[3], "\\") if marks[3:4] not in ("", "\\") else text


def _observed(segments: Segments, marks: str, kinds: Sequence[str]) -> list[str]:
    lines: list[str] = []
    heading = ""
    for segment in segments.get("OBX", ()):
        if segment[0] == "NTE":
            lines += _get(segment, 3).split(marks[2]) if lines else []
            continue
        if _get(segment, 2).strip().upper() not in kinds or _get(segment, 11).strip() in _GONE:
            continue
        part = _part(_get(segment, 3), marks)
        repetitions = [_words(r, _get(segment, 2), marks) for r in _get(segment, 5).split(marks[2])]
        if part != heading and part and any(repetitions) and not repetitions[0].lstrip().upper().startswith(part):
            lines.append(f"{part}:")
        heading = part
        lines += repetitions
    return lines


def _words(value: str, kind: str, marks: str) -> str:
    """Of coded values the text beside the code, of encapsulated ones (ED) theirs; of text all of it, as few escape a
    component's mark."""
    kind = kind.strip().upper()
    if kind == "ED":
        return _embedded(value.split(marks[1]))
    if kind in ("CE", "CWE", "CNE"):
        parts = value.split(marks[1])
        return parts[1] if len(parts) > 1 and parts[1].strip() else value
    return value


def _embedded(parts: Sequence[str]) -> str:
    """The words of an ED (2.A.24), source ^ type ^ subtype ^ encoding ^ data: plain, RTF, HTML; "" of anything else."""
    if len(parts) < 5 or not {part.strip().upper() for part in parts[1:3]} & _TEXTS:
        return ""
    if parts[3].strip().upper() != "BASE64":
        return parts[4]
    with suppress(DropRecord):
        return from_base64(parts[4])
    return ""


@lru_cache(maxsize=4096)
def _part(identifier: str, marks: str) -> str:
    """The heading that OBX-3 stands for, "" where it says nothing known."""
    parts = [p.strip() for p in re.split(f"[{re.escape(marks[1] + marks[4:5])}]", identifier)]
    for part in parts:
        if (known := PARTS.get(part.lower())) is not None:
            return known
    named = (canonical(part) for part in parts if part)
    return next((name.upper() for name in named if name not in (None, "body", "other", "exam")), "")


def _known(segments: Segments, marks: str) -> dict[str, str]:
    orders = dict.fromkeys(n for n in _firsts(segments, _ORDER, marks) if any(c.isdigit() for c in n))
    ordered, document, observed = (next(_firsts(segments, [place], marks), "") for place in _STATUS)
    statuses = (ordered, _DOCUMENT.get(document.upper(), ""), observed)
    # the study may be an observation of that name (IHE RAD TF-2, 4.28)
    uids = (_get(s, 5).split(marks[1])[0] for s in segments.get("OBX", ()) if "113014" in _get(s, 3))
    patient = next(iter(segments.get("PID", ())), ())
    usual = str.maketrans(marks[1:3], "^~")  # what ids and names are read by, whatever the message separates with
    return {
        "accession": "; ".join(orders),
        "study": next(chain(_firsts(segments, _STUDY, marks), uids), ""),
        "patient": _get(patient, 3).translate(usual),
        "patient_name": _get(patient, 5).split(marks[2])[0].translate(usual),
        "date": next(_firsts(segments, _DATE, marks), ""),
        "status": next(filter(declared_status, statuses), ""),
        "order": next(_firsts(segments, _TIMES, marks), ""),
    }


def _people(segments: Iterable[Segment], marks: str) -> Iterator[str]:
    """Names as DICOM writes them; an XCN has its id before them."""
    for segment in segments:
        for field, is_kin in _NAMED.get(segment[0], ()):
            for person in filter(None, _get(segment, field).split(marks[2])):
                parts = [p.strip() for p in person.split(marks[1])]
                named = parts[:3] if is_kin else parts[1:4] or parts[:1]
                yield from filter(None, ["^".join(filter(None, named))])


def _numbers(segments: Segments, marks: str) -> Iterator[str]:
    yield from _firsts(segments, _NUMBERS, marks)
    for segment in segments.get("PID", ()):
        yield from filter(None, (a.split(marks[1])[0].strip() for a in _get(segment, 11).split(marks[2])))


def _get(segment: Segment, field: int) -> str:
    return segment[field] if field < len(segment) else ""


def _firsts(segments: Segments, places: Iterable[tuple[str, int]], marks: str) -> Iterator[str]:
    """Of each field that says something the first component of its first repetition, in the first segment that does."""
    for name, field in places:
        for segment in segments.get(name, ()):
            if field < len(segment) and (value := segment[field].split(marks[2])[0].split(marks[1])[0].strip()):
                yield value
                break
