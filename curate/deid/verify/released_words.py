"""Words of a released file by themselves: texts, paths, cells of tables, nobody's source beside them.

The verifier's shapes and cues (`curate.deid.verify.direct`, `people`, `dates`), applied to what was written: what of it
identifies has no business there. Names are found by their cues; an English word that is somebody's name and stands
behind no cue is not.
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
    """True for words in which nobody recognises a pseudonym: no digit in them, no word of those that stand for one."""
    if is_generic(value) or PSEUDONYM.fullmatch(value.strip("^= ")):
        return False
    words = [w for w in re.split(r"[\^=\s,]+", value) if w and not re.search(r"[\d_-]", w)]
    return any(len(w) > 1 and not REPLACED.search(w) and not is_generic(w) for w in words)


# Pseudonyms in hexadecimal digits, UIDs of the standard itself, addresses of licences and standards.
_NO_ONES = re.compile(
    r"\b(?=[0-9a-f]{0,31}[a-f])[0-9a-f]{32,64}\b|(?<![\d.])1\.2\.840\.10008(?:\.\d+)*"
    r"|https?://(?:www\.)?(?:creativecommons|spdx|schema|w3|opensource|apache|dicomstandard)\.org\S*"
)


def text_findings_alone(text: str) -> Iterator[Finding]:
    """What identifies in a text nobody has the source of: contacts, numbers, days, addresses by their shape; names and
    facilities by their cues; ages over 89 and days of birth. Placeholders ([NAME], [DATE:2013-03-21]) are none."""
    plain = _NO_ONES.sub(" ", text)
    rest = placeholders_masked(dates.set_apart(plain)[0] or plain)  # a bare day says of itself nothing at all
    taken = direct([rest], in_parts=False)
    yield from (kind for kind, _ in taken.shapes)
    yield from (kind for _, kind in taken.cued)
    yield from (kind for _, kind, _ in taken.pieces if kind is Finding.NAME)
    if dates.days(rest):
        yield Finding.DATE
    yield from ages_and_births([rest])


_PARTS = re.compile(r"[^\W_]+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")


def name_findings(relative: str) -> frozenset[Finding]:
    """What identifies in a path below the released folder: people's names, days, numbers as hospitals give them."""
    found: set[Finding] = set()
    for part in re.split(r"[/\\]", relative):
        stem = re.sub(r"(?:\.[A-Za-z0-9]{1,8}){1,2}$", "", part) or part
        if PSEUDONYM.fullmatch(stem) or re.fullmatch(r"[0-9.]+", stem):
            stem = stem if re.fullmatch(r"\d{6,10}", stem) else ""
        tokens = [t for word in _PARTS.findall(stem) for t in _CAMEL.split(word)]
        for token in tokens:
            if re.fullmatch(r"\d{8}", token) and day_of(token) is not None:
                found.add(Finding.DATE)
            elif re.fullmatch(r"(?!00)\d{6,12}", token):
                found.add(Finding.ID)
        for pair in pairwise(tokens):
            if _are_someone(*pair):
                found.add(Finding.NAME)
        if "@" in stem:
            found.add(Finding.CONTACT)
    return frozenset(found)


_GIVEN_NAMES = """
james john robert michael william david richard joseph thomas charles daniel matthew anthony mark paul steven
andrew peter mary patricia jennifer linda elizabeth barbara susan jessica sarah karen lisa nancy margaret
sandra ashley emily jane anna maria jose juan carlos luis ana carmen hans peter klaus ursula helga jean pierre
marie jacques giovanni giuseppe paolo wei li ming ahmed mohammed muhammad fatima ali ivan olga natalia dmitri
piotr katarzyna jan kees raj priya sanjay
"""
_GIVEN = frozenset(_GIVEN_NAMES.split())


def _are_someone(a: str, b: str) -> bool:
    """Whether two neighbouring words of a path are a name: one of them given often, or both capitalised and not both
    words of English. Two words that are English, "Penny_Baker", are taken for what they say."""
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
    """What identifies in a table's cell, by its column's name and by what stands there."""
    value = value.strip()
    if not value or PSEUDONYM.fullmatch(value):
        return frozenset()
    found = set(text_findings_alone(value)) if re.search(r"\s|@|\d{6}|[-/.]\d", value) else set()
    for pattern, kind in _COLUMNS:
        if pattern.search(column) and not is_generic(value):
            if kind is Finding.NAME and not is_a_name(value):
                continue
            if kind in (Finding.ID, Finding.CONTACT) and not _NUMBER.search(value):
                continue
            found.add(kind)
    return frozenset(found)
