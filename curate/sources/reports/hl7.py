"""HL7 v2 messages as reports: what an ORU (or MDM) says of each order, by segment and field (v2.5 chapters 3, 4, 7).

A message names itself: MSH gives the separators, PID the patient, ORC, OBR and IPC the order, OBX the words. A file
holds one message, a batch (FHS, BHS) or what a listener wrote down with its framing (MLLP). Escapes stay in the text:
`markup` decodes them as anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from curate.sources.identity import canonical_id
from curate.sources.reports.section import canonical
from curate.sources.reports.several import declared_status

FIELD = re.compile(r"([A-Z][A-Z0-9]{2})-(\d{1,2})")  # how a recipe names a field of its own: "OBR-20"
_START = re.compile(r"[\s\ufeff\v\x1c]*(?:(?:FHS|BHS|MSH)([^\w\s])\S|(?:PID|PV1|ORC|OBR|OBX)\|)")
_SEGMENT = re.compile(r"[A-Z][A-Z0-9]{2}$")
_REPORTS = ("ORU", "MDM")
_WORDS = ("TX", "FT", "ST", "CE", "CWE", "CNE", "")  # value types whose content is text (OBX-2)
_GONE = ("D", "W", "X")  # OBX-11, table 0085: deleted, wrong, cannot be obtained
# where an accession number stands, the surest first; fillers and placers of a RIS are often it, and sometimes not
_ORDER = (("IPC", 1), ("OBR", 18), ("OBR", 3), ("ORC", 3), ("OBR", 2), ("ORC", 2), ("OBR", 20))
_PEOPLE = (("OBR", 16), ("OBR", 32), ("OBR", 33), ("OBR", 34), ("OBR", 35), ("ORC", 10), ("ORC", 12), ("PV1", 7),
           ("PV1", 8), ("PV1", 9), ("PV1", 17), ("OBX", 16), ("TXA", 9))  # fmt: skip
_KIN = (("PID", 6), ("PID", 9), ("NK1", 2))  # as PID-5, without an id before the name
_NUMBERS = (("PID", 2), ("PID", 4), ("PID", 13), ("PID", 14), ("PID", 18), ("PID", 19), ("PID", 20), ("PV1", 19))
# OBX-3 of the text's parts: suffixes of chapter 7 (7.2.5), LOINC
_PARTS = {"imp": "IMPRESSION", "19005-8": "IMPRESSION", "18782-3": "FINDINGS", "59776-5": "FINDINGS",
          "rec": "RECOMMENDATION", "18783-1": "RECOMMENDATION", "his": "HISTORY", "55752-0": "HISTORY",
          "18785-6": "INDICATION", "con": "CONCLUSION", "adt": "ADDENDUM", "add": "ADDENDUM",
          "55111-9": "TECHNIQUE", "18834-2": "COMPARISON"}  # fmt: skip
Segment = Sequence[str]


@dataclass(frozen=True)
class Message:
    """What is said under one order. ``known``: accession, study, patient, patient_name, date, status and order, each ""
    where it is not told; an accession may list the order's several numbers. ``people``: others' names; ``numbers``:
    telephones, accounts, streets."""

    text: str
    known: Mapping[str, str]
    people: tuple[str, ...]
    numbers: tuple[str, ...]
    fields: Mapping[str, str]  # "OBR-20" -> its first component, of each segment's first

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


def is_message(text: str) -> bool:
    """Does ``text`` begin as a message, a batch, or segments cut out of one?"""
    return _START.match(text) is not None


def read_messages(text: str) -> Iterator[Message]:
    """One for each order (OBR) of each message that reports; orders without words of their own are none."""
    text = re.sub(r"[\ufeff\v\x1c]", "", text)
    for part in re.split(r"(?m)^(?=MSH\W)", text):
        segments = [line for line in re.split(r"\r\n|\r|\n", part) if line.strip()]
        if not segments:
            continue
        head = segments[0] if segments[0].startswith("MSH") and len(segments[0]) > 8 else "MSH|^~\\&|"
        marks = head[3:8]  # field, component, repetition, escape, subcomponent
        parsed = [_fields(line, marks) for line in _joined(segments, marks[0])]
        kind = _at(parsed, "MSH", 9, marks)
        if not kind or kind[:3] in _REPORTS:
            yield from _orders(parsed, marks)


def _joined(lines: Sequence[str], field: str) -> Iterator[str]:
    """Segments; a line that begins with none goes on in the one above, as texts with bare line ends do."""
    held = ""
    for line in lines:
        if _SEGMENT.match(line[:3]) and line[3:4] in (field, ""):
            if held:
                yield held
            held = line
        elif held:
            held += "\n" + line
    if held:
        yield held


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
        own = [*shared, *segments[begin:end]]
        if text := _text(own, marks):
            people, numbers = (tuple(dict.fromkeys(found(own, marks))) for found in (_people, _numbers))
            yield Message(text, _known(own, marks), people, numbers, _named(own, marks))


def _text(segments: Sequence[Segment], marks: str) -> str:
    """The words of OBX-5, a heading before each part that OBX-3 names; of an order without any its notes (NTE-3)."""
    lines: list[str] = []
    heading = ""
    for segment in segments:
        if segment[0] != "OBX" or _get(segment, 2).strip() not in _WORDS or _get(segment, 11).strip() in _GONE:
            continue
        part = _part(_get(segment, 3), marks)
        repetitions = [_words(r, _get(segment, 2), marks) for r in _get(segment, 5).split(marks[2])]
        if part != heading and part and not repetitions[0].lstrip().upper().startswith(part):
            lines.append(f"{part}:")
        heading = part
        lines += repetitions
    if not any(line.strip() for line in lines):
        lines = [r for s in segments if s[0] == "NTE" for r in _get(s, 3).split(marks[2])]
    text = "\n".join(lines).strip()
    return text.replace(marks[3], "\\") if marks[3:4] not in ("", "\\") else text


def _words(value: str, kind: str, marks: str) -> str:
    """Of coded values the text beside the code; of text all of it, as few escape a component's mark."""
    parts = value.split(marks[1])
    return parts[1] if kind.strip() in ("CE", "CWE", "CNE") and len(parts) > 1 and parts[1].strip() else value


def _part(identifier: str, marks: str) -> str:
    """The heading that OBX-3 stands for, "" where it says nothing known."""
    parts = [p.strip() for p in re.split(f"[{re.escape(marks[1] + marks[4:5])}]", identifier)]
    for part in parts:
        if (known := _PARTS.get(part.lower())) is not None:
            return known
    named = (canonical(part) for part in parts if part)
    return next((name.upper() for name in named if name not in (None, "body", "other", "exam")), "")


def _known(segments: Sequence[Segment], marks: str) -> dict[str, str]:
    numbers = [_at(segments, *place, marks) for place in _ORDER]
    listed = dict.fromkeys(n for n in numbers if any(c.isdigit() for c in n))
    statuses = [_at(segments, "OBR", 25, marks), _at(segments, "OBX", 11, marks)]
    times = (_at(segments, *place, marks) for place in (("OBR", 22), ("OBX", 14), ("MSH", 7)))
    study = _at(segments, "IPC", 3, marks) or _at(segments, "ZDS", 1, marks)
    if not study:  # an observation of that name (IHE RAD TF-2, 4.28)
        uids = (_get(s, 5) for s in segments if s[0] == "OBX" and "113014" in _get(s, 3))
        study = next((uid.split(marks[1])[0] for uid in uids), "")
    return {
        "accession": "; ".join(listed),
        "study": study,
        "patient": next((_get(s, 3) for s in segments if s[0] == "PID"), ""),
        "patient_name": next((_get(s, 5).split(marks[2])[0] for s in segments if s[0] == "PID"), ""),
        "date": _at(segments, "OBR", 7, marks),
        "status": next((status for status in statuses if declared_status(status)), ""),
        "order": next((t for t in times if t), ""),
    }


def _people(segments: Sequence[Segment], marks: str) -> Iterator[str]:
    """Names as DICOM writes them; an XCN has its id before them."""
    for segment in segments:
        for name, field in _PEOPLE + _KIN:
            if segment[0] != name:
                continue
            for person in filter(None, _get(segment, field).split(marks[2])):
                parts = [p.strip() for p in person.split(marks[1])]
                named = parts[:3] if (name, field) in _KIN else parts[1:4] or parts[:1]
                yield from filter(None, ["^".join(filter(None, named))])


def _numbers(segments: Sequence[Segment], marks: str) -> Iterator[str]:
    yield from filter(None, (_at(segments, *place, marks) for place in _NUMBERS))
    for segment in segments:
        if segment[0] == "PID":
            yield from filter(None, (a.split(marks[1])[0].strip() for a in _get(segment, 11).split(marks[2])))


def _named(segments: Sequence[Segment], marks: str) -> dict[str, str]:
    named: dict[str, str] = {}
    for segment in segments:
        for number, value in enumerate(segment[1:], start=1):
            named.setdefault(f"{segment[0]}-{number}", value.split(marks[2])[0].split(marks[1])[0].strip())
    return named


def _get(segment: Segment, field: int) -> str:
    return segment[field] if field < len(segment) else ""


def _at(segments: Sequence[Segment], name: str, field: int, marks: str) -> str:
    """The first component of the field's first repetition, of the first segment by that name that has one."""
    found = (_get(s, field).split(marks[2])[0].split(marks[1])[0].strip() for s in segments if s[0] == name)
    return next((value for value in found if value), "")
