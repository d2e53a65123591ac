"""Several reports under one key: the preliminary, the final, the corrected one, addenda. Which of them is the report.

Status and order are taken from declared columns, and the status also from a text that names itself ("FINAL REPORT").
Where they do not decide, nothing is chosen: the pairing calls that ambiguous.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from curate.sources.days import ranks
from curate.sources.identity import folded
from curate.sources.pairing.rules import Several
from curate.sources.reports.text.section import parse_sections

Status = Literal["preliminary", "", "final", "corrected", "addendum", "void"]

# HL7 table 0123 and OBX-11, FHIR DiagnosticReport.status, and the words of worklists
_STATUS_WORDS: dict[Status, str] = {
    "preliminary": "p|prelim|preliminary|preliminary report|provisional|draft|wet read|partial|interim|registered|"
    "unverified|unsigned|dictated|transcribed|pending|r|vorläufig|preliminar|provisoire",
    "final": "f|final|final report|finalized|finalised|verified|approved|signed|authenticated|complete|completed|"
    "endgültig|freigegeben|definitivo|définitif",
    "corrected": "c|corrected|amended|revised|correction|final corrected|korrigiert|corregido|corrigé",
    "addendum": "a|add|addendum|addended|addenda|appended|nachtrag|adenda",
    "void": "x|w|d|cancelled|canceled|deleted|entered-in-error|wrong|void|storniert",
}
_STATUS = {word: status for status, words in _STATUS_WORDS.items() for word in words.split("|")}
_MARK = r"[ \t>#*_=\-\[(]*"
_FINAL_WORDS, _EARLY_WORDS = "FINAL|(?P<again>CORRECTED|AMENDED|REVISED)", "PRELIMINARY|PROVISIONAL|INTERIM"


def _headed(words: str) -> list[re.Pattern[str]]:
    """The forms of a heading: in capitals at a line's start; as a line of its own; as the text's first word."""
    report = r"[ \t]+(?:RADIOLOGY[ \t]+)?(?:REPORT|READ|READING|RESULT|INTERPRETATION)"
    capitals = re.compile(rf"^{_MARK}(?:{words})[ \t]+(?:RADIOLOGY[ \t]+)?REPORT\b", re.MULTILINE)
    line = re.compile(rf"^{_MARK}(?:{words}){report}[ \t*_\])]*:?[ \t]*$", re.MULTILINE | re.IGNORECASE)
    first = re.compile(rf"\A\s*{_MARK}(?:{words})(?:{report})?[ \t*_\])]*(?:[:–—]|[ \t]-[ \t]|$)", re.MULTILINE)
    return [capitals, line, first]


_FINAL, _PRELIMINARY = _headed(_FINAL_WORDS), _headed(_EARLY_WORDS)
_ADDENDUM = re.compile(
    rf"\s*{_MARK}(?:ADDENDUM|Addendum)(?:\s+(?:REPORT|Report))?\s*(?:[#(]?\d{{1,2}}\)?)?[ \t*_\])]*(?:[:.\-–—]|\n|$)"
)


def declared_status(value: str) -> Status:
    """What a status column says; "" where it says nothing known, or two things ("pending final").

    Of longer words ("F - Final", "Addendum #2", "Final (signed)") each that is known must say the same; a corrected
    final is corrected, an addendum to a final one an addendum.
    """
    whole = folded(value)
    if whole in _STATUS or re.search(r"\b(?:not?|un\w+|non|pending|awaiting)\b", whole):
        return _STATUS.get(whole, "")
    found = {_STATUS[word] for word in re.findall(r"[^\W\d_]{4,}", whole) if word in _STATUS}
    for stronger in ("corrected", "addendum"):
        if found == {"final", stronger}:
            found = {stronger}
    return found.pop() if len(found) == 1 else ""


def told_status(text: str) -> Status:
    """What a report calls itself where a heading would stand; a text with a final report in it is one."""
    if found := next((hit for form in _FINAL if (hit := form.search(text))), None):
        return "corrected" if found["again"] else "final"
    if _ADDENDUM.match(text):
        return "addendum"
    return "preliminary" if any(form.search(text) for form in _PRELIMINARY) else ""


@dataclass(frozen=True)
class Candidate:
    """One of several reports of different text: ``row`` stands for all of equal text."""

    row: int
    status: Status
    order: str
    patient: str = ""
    readable: bool = True


def resolve(candidates: Sequence[Candidate], rule: Several) -> tuple[int, ...] | None:
    """The rows that make the report, in order: the report, then its addenda (all of them by 'join'); None: unknown.

    By 'ambiguous' a status must say which: the latest of the final and corrected ones by order, the one there is
    without an order; a single report without a status goes before preliminary ones. By 'latest' and 'first' the order
    says it, preliminary ones last and addenda apart. Addenda ordered before the chosen report went into it, or were of
    what it replaced. What cannot be read may say anything, so beside it nothing is chosen.
    """
    if not all(c.readable for c in candidates) or len({c.patient for c in candidates} - {""}) > 1:
        return None
    places = dict(zip((c.row for c in candidates), ranks([c.order for c in candidates]), strict=True))
    if rule == "join":
        return tuple(sorted(places, key=lambda row: (places[row], row)))
    bases = [c for c in candidates if c.status != "addendum"] or (list(candidates) if rule != "ambiguous" else [])
    base = _choose(bases, places, rule)
    if base is None:
        return None
    later = [
        c.row for c in candidates if c.status == "addendum" and c is not base and places[c.row] >= places[base.row]
    ]
    return (base.row, *sorted(later, key=lambda row: (places[row], row)))


def _choose(bases: Sequence[Candidate], places: dict[int, int], rule: Several) -> Candidate | None:
    pool = [c for c in bases if c.status != "preliminary"] or list(bases)
    if rule == "first":
        return _only(bases, [-places[c.row] for c in bases])
    if rule == "ambiguous" and len(pool) > 1 and any(c.status == "" for c in pool):
        return None
    return _only(pool, [places[c.row] for c in pool]) or _only(pool, [int(c.status == "corrected") for c in pool])


def _only(pool: Sequence[Candidate], heights: Sequence[int]) -> Candidate | None:
    """The one that stands highest; None where several do."""
    highest = [c for c, height in zip(pool, heights, strict=True) if height == max(heights)]
    return highest[0] if len(highest) == 1 else None


# Sections that are no part of what an addendum says; they keep their headings, so that they stay what they are.
_APART = ("signature", "notification", "other")


def joined(texts: Sequence[str], statuses: Sequence[str]) -> str:
    """One report of several: the first as it is, an addendum behind it as the section ADDENDUM, others as they are."""
    parts = [texts[0].strip()]
    for text, status in zip(texts[1:], statuses[1:], strict=True):
        if status != "addendum":
            parts.append(text.strip())
            continue
        sections = parse_sections(text)
        sentences = " ".join(" ".join(body.split()) for name, body in sections.items() if name not in _APART)
        parts.append(f"ADDENDUM: {sentences}")
        parts += [f"{name.upper()}: {body}" for name, body in sections.items() if name in _APART and name != "other"]
    return "\n\n".join(parts)
