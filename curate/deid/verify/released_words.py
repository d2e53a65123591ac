"""Findings in texts, paths and cells of a released file, without a source to compare with.

The verifier's shapes and cues (`curate.deid.verify.direct`, `people`, `dates`), applied to the output itself. Names are
found by their cues; a name that is also an English word is not found without a cue.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from curate.deid.verify import dates
from curate.deid.verify.dates import ages_and_births, day_of
from curate.deid.verify.direct import direct
from curate.deid.verify.finding import Finding
from curate.deid.verify.leaks import placeholders_masked
from curate.deid.verify.source import is_generic
from curate.deid.verify.words import is_known, is_standard

REPLACED = re.compile(
    r"anon|de-?id|remov|redact|pseudo|dummy|subject|unknown|withheld|xxx|volunteer|phantom|patient|case|test|study|unnamed"
    r"|nobody|none|hidden|null",
    re.IGNORECASE,
)
PSEUDONYM = re.compile(r"[0-9a-fA-F-]{16,64}")
DIGITS = re.compile(r"\d{5,}")  # a hospital's number, in PatientID: a pseudonym is seldom digits alone


def is_a_name(value: str) -> bool:
    """True for a value that does not look like a pseudonym: a word without digits that is no placeholder."""
    if is_generic(value) or PSEUDONYM.fullmatch(value.strip("^= ")):
        return False
    words = [w for w in re.split(r"[\^=\s,]+", value) if w and not re.search(r"[\d_-]", w)]
    return any(len(w) > 1 and not REPLACED.search(w) and not is_generic(w) for w in words)


# Hexadecimal pseudonyms, UIDs of the standard, web addresses of licences and standards.
_NO_ONES = re.compile(
    r"\b(?=[0-9a-f]{0,31}[a-f])[0-9a-f]{32,64}\b|(?<![\d.])1\.2\.840\.10008(?:\.\d+)*"
    r"|https?://(?:www\.)?(?:creativecommons|spdx|schema|w3|opensource|apache|dicomstandard)\.org\S*"
)


def text_findings_alone(text: str) -> Iterator[Finding]:
    """Findings in a text without its source: contacts, numbers, dates, addresses by shape; names and facilities by cue;
    ages over 89 and dates of birth. Placeholders ([NAME], [DATE:2013-03-21]) are no findings."""
    plain = _NO_ONES.sub(" ", text)
    remaining = placeholders_masked(dates.without_shifted(plain)[0] or plain)  # a bare date is not marked as shifted
    identifiers = direct([remaining], in_parts=False)
    yield from (kind for kind, _ in identifiers.shapes)
    yield from (kind for _, kind in identifiers.cued)
    yield from (kind for _, kind, _ in identifiers.pieces if kind is Finding.NAME)
    if dates.days(remaining):
        yield Finding.DATE
    yield from ages_and_births([remaining])


_PARTS = re.compile(r"[^\W_]+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")


def name_findings(relative: str) -> frozenset[Finding]:
    """Findings in a path below the released folder: names, dates, numbers like a hospital's."""
    codes: set[Finding] = set()
    for part in re.split(r"[/\\]", relative):
        stem = re.sub(r"(?:\.[A-Za-z0-9]{1,8}){1,2}$", "", part) or part
        if PSEUDONYM.fullmatch(stem) or re.fullmatch(r"[0-9.]+", stem):
            stem = stem if re.fullmatch(r"\d{6,10}", stem) else ""
        tokens = [t for word in _PARTS.findall(stem) for t in _CAMEL.split(word)]
        for token in tokens:
            if re.fullmatch(r"\d{8}", token) and day_of(token) is not None:
                codes.add(Finding.DATE)
            elif re.fullmatch(r"(?!00)\d{6,12}", token):
                codes.add(Finding.ID)
        for pair in pairwise(tokens):
            if _are_someone(*pair):
                codes.add(Finding.NAME)
        if "@" in stem:
            codes.add(Finding.CONTACT)
    return frozenset(codes)


_GIVEN_NAMES = """
james john robert michael william david richard joseph thomas charles daniel matthew anthony mark paul steven
andrew peter mary patricia jennifer linda elizabeth barbara susan jessica sarah karen lisa nancy margaret
sandra ashley emily jane anna maria jose juan carlos luis ana carmen hans peter klaus ursula helga jean pierre
marie jacques giovanni giuseppe paolo wei li ming ahmed mohammed muhammad fatima ali ivan olga natalia dmitri
piotr katarzyna jan kees raj priya sanjay
"""
_GIVEN = frozenset(_GIVEN_NAMES.split())


def _are_someone(a: str, b: str) -> bool:
    """Are two neighbouring words of a path a person's name? One is a frequent given name, or both are capitalised and
    not both English words. Two English words, "Penny_Baker", are not taken for a name."""
    capitals = [re.fullmatch(r"[A-Z][a-z]{2,}", word) is not None for word in (a, b)]
    lower = a.lower(), b.lower()
    for given, word, other in ((lower[0], b, lower[1]), (lower[1], a, lower[0])):
        if given in _GIVEN and re.fullmatch(r"[^\W\d]{3,}", word) and not is_standard(other):
            return True
    return all(capitals) and not any(map(is_standard, lower)) and not all(map(is_known, lower))


_COLUMNS = (
    (re.compile(r"birth|dob\b|geburt|nacim", re.I), Finding.BIRTH),
    (re.compile(r"(?:patient|first|last|sur|family|given|physician|doctor|radiologist|author|signed).{0,12}name|^name$|radiologist"
                r"|physician|^(?:sur|last|first)name", re.I), Finding.NAME),
    (re.compile(r"address|street|postal|zip|city", re.I), Finding.PLACE),
    (re.compile(r"phone|fax|e-?mail", re.I), Finding.CONTACT),
    (
        re.compile(
            r"\bmrn\b|medical.?record|accession|\bssn\b|insurance|order.?(?:no|num)|patient.?(?:id|no|num)", re.I
        ),
        Finding.ID,
    ),
)  # fmt: skip


_NUMBER = re.compile(r"\d{5,}|@|\d[\d ()./-]{5,}\d")


def cell_findings(column: str, value: str) -> frozenset[Finding]:
    """Findings in a table's cell, by its column's name and its value."""
    value = value.strip()
    if not value or PSEUDONYM.fullmatch(value):
        return frozenset()
    codes = set(text_findings_alone(value)) if re.search(r"\s|@|\d{6}|[-/.]\d", value) else set()
    for pattern, kind in _COLUMNS:
        if pattern.search(column) and not is_generic(value):
            if kind is Finding.NAME and not is_a_name(value):
                continue
            if kind in (Finding.ID, Finding.CONTACT) and not _NUMBER.search(value):
                continue
            codes.add(kind)
    return frozenset(codes)
