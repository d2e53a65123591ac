"""Direct identifiers that the verifier extracts from a source text by its own broad patterns, and searches for again.

Two ways. Identifiers with a shape (contacts, numbers, dates, addresses) are extracted from source and output alike, and
those in both were left in. Identifiers that only a cue reveals (a name after a title, a facility, a capitalised word of
no vocabulary) are extracted from the source and searched for in the output.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from curate.deid.verify import dates
from curate.deid.verify.finding import Finding
from curate.deid.verify.names import facilities, person_names
from curate.deid.verify.normalise import in_capitals, normalise, plain
from curate.deid.verify.vocabulary import is_known, language
from curate.deid.word_lists import word_sections
from curate.memory import once

_UNITS = r"mm|cm|ml|cc|mg|mcg|ug|kg|hu|msec|ms|mgy|mhz|khz|hz|kvp?|mas?|iu|units?|cells|bpm|mmhg|ft|lbs?|x10|ppm|ng|pg"
_NO_UNIT = rf"(?!\s?(?:{_UNITS}|%)\b|\s?%)"
_MAIL = re.compile(r"[\w.+'-]{1,99}\s?@\s?[\w-]{1,63}(?:(?:\.|\s\.\s?)[\w-]{1,63}){1,6}")
_HOST = re.compile(
    r"(?:https?|ftp)://\S+|\bwww\.\S+"
    r"|(?<![\w.-])(?:[a-z0-9-]{2,63}\.){1,5}(?:com|org|net|edu|gov|int|info|io|health|uk|de|fr|es|it|jp|ca|au|nl)(?:/\S*)?"
    r"(?![\w-]|\.\w)",
    re.IGNORECASE,
)
_HOST_PART = re.compile(r"://|www\.|\.[a-z]", re.IGNORECASE)
_NUMBER = re.compile(r"\d+")
_PHONE = re.compile(
    r"(?<![\w.+-])(?:\+\d{1,3}[ ./-]?)?(?:\(\d{1,5}\)[ ./-]?|\d{2,5}[ ./-])(?:\d{2,4}[ ./-]){0,2}"
    r"\d{3,4}[ .-]?\d{0,4}(?![\w-]|\.\d)"
)
_CALL = re.compile(
    r"\b(?:phone|tel|telephone|fax|pager|beeper|mobile|cell|ext|extension|call(?:back)?|whatsapp|contact)\b"
    r"[ .:#no]{0,6}"
    r"(\+?\(?\d[\d ()./-]{2,20}\d)",
    re.IGNORECASE,
)
_LONG = re.compile(rf"(?<![\w.,])\d{{6,}}(?![\w]|[.,]\d){_NO_UNIT}", re.IGNORECASE)
_HYPHENED = re.compile(r"(?<![\w.-])\d{2,}(?:-\d{2,}){2,}(?![\w-]|\.\d)")
_DOTTED = re.compile(r"(?<![\w.])(?:\d{1,3}(?:\.\d{1,3}){3}|[0-2](?:\.\d{1,40}){4,})(?![\w]|\.\d)")
_MIXED = re.compile(
    r"(?<![\w.-])(?=[A-Za-z0-9/_-]{0,40}[A-Za-z])(?=(?:[^\W\d]|[/_-]){0,30}\d)[A-Za-z0-9]+(?:[-/_][A-Za-z0-9]+)*(?![\w-])"
)
_CUED_ID = re.compile(
    r"\b(?:mrn|m\.r\.n\.|medical record|accession|acc|ssn|pid|patient id|nhs|account|acct|encounter|visit|order"
    r"|serial|s/n"
    r"|policy|passport|licen[cs]e|specimen|badge|chart|exam id|study id|record|hospital|member|insurance)"
    r"(?:[ ](?:no|num|number|id|code)\b)?\.?[ ]?[#:=]*[ ]?(?:is[ ])?((?=[\w/-]{0,30}\d{3})[A-Za-z0-9][\w/-]{3,})",
    re.IGNORECASE,
)
_STREET = re.compile(
    r"(?<![\w.])\d{1,5}[A-Za-z]?,? (?:[NSEW]\.? )?(?:[A-Z][\w'.-]* ){1,4}?"
    r"(?:Street|St|Avenue|Ave|Road|Rd|Lane|Ln|Drive|Dr|Boulevard"
    r"|Blvd|Court|Ct|Way|Place|Pl|Terrace|Parkway|Pkwy|Highway|Hwy|Circle|Square|Trail|Close|Crescent|STREET|AVE(?:NUE)?"
    r"|ROAD|LANE|DRIVE|BLVD)\b"
)
_BOX = re.compile(r"\b(?:P\.?O\.? Box|Apt\.?|Apartment|Suite) ?#?\d+\w?", re.IGNORECASE)
_ROOM = re.compile(
    r"\b(?:(?:room|ward|bed|bay|zimmer|zi|hab|habitacion|cama|chambre|lit|stanza|letto|kamer|leito|quarto)\.? ?"
    r"(?:no\.? ?)?(?=\d)|station (?=\d{3}))(\d{1,4}[A-Za-z]?)\b(?!\s?(?:%|mm|cm|ml))",
    re.IGNORECASE,
)
_ZIP = re.compile(r"\b[A-Z]{2} \d{5}(?:-\d{4})?\b")
# Streets with numbers, and postal codes with towns, in other languages than English.
_STREETS_ELSEWHERE = (
    re.compile(
        r"(?:\b\d{1,4}(?: bis| ter)?,? )?\b(?:rue|avenue|boulevard|place|chemin|quai|impasse|allee|calle|c/|avda\.?"
        r"|avenida|plaza|paseo|ronda|via|viale|corso|piazza|largo|vicolo|rua|travessa|praca|alameda|estrada|strada)\.? "
        r"(?:(?:de|del|della|dei|des|du|da|do|das|dos|la|los|las|le|les|l'|d')[ ]?){0,3}[^\W\d_][\w'.]*"
        r"(?: [^\W\d_][\w'.]*){0,3}?(?<! de)(?<! en),? (?:n[ºo.°]*\.? ?)?\d{1,4}(?:/[a-z])?\b(?!\s?(?:mm|cm|%))"
        r"|\b\d{1,4}(?: bis| ter)?,? (?:rue|avenue|boulevard|place|chemin|quai|impasse|allee)"
        r" [^\n,;0-9]{3,40}(?=,|\n|$)"
        r"|\b[\w.-]{2,}(?:stra(?:ss|ß)e|str\.|weg|platz|allee|gasse|ring|markt|straat|laan|plein|gracht|kade|singel)"
        r" \d{1,4}(?:[a-z]|[-/][a-z0-9]{1,3})?\b(?!\s?(?:mm|cm|%))",
        re.IGNORECASE,
    ),
    re.compile(
        r"(?<![\w.,/-])(?<!\d[ ])(?!(?:19|20)\d\d ?[A-Z]{2} )"  # no "2013 IN ...", no telephone's end
        r"(?:[A-Z]{1,2}-\d{4,5}|\d{5}|\d{4} ?[A-Z]{2}|\d{4}-\d{3}|\d{5}-\d{3}) [A-Z][\w'-]{2,}"
    ),
)


def shapes_of(text: str) -> dict[tuple[Finding, str], None]:
    """Identifiers in ``text`` by shape, as (code, canonical form)."""
    return {(code, key): None for code, key, _, _ in _shapes(_one_line(text))}


def _one_line(text: str) -> str:
    return " ".join(plain(text).split())


def _shapes(flat: str) -> Iterator[tuple[Finding, str, int, int]]:
    """(code, canonical form, start, end) of every shape; none is sought that needs more digits than the text has."""
    numbers = _NUMBER.findall(flat)
    digits, longest = sum(map(len, numbers)), max(map(len, numbers), default=0)
    for pattern in (*[_MAIL] * ("@" in flat), *[_HOST] * (_HOST_PART.search(flat) is not None)):
        for hit in pattern.finditer(flat):
            yield Finding.CONTACT, re.sub(r"\s", "", hit[0]).lower().strip(".,;:)/'"), *hit.span()
    for pattern, group, min_digits in ((_PHONE, 0, 7), (_CALL, 1, 4)):
        for hit in pattern.finditer(flat) if digits >= min_digits else ():
            run = re.sub(r"\D", "", hit[group])
            if min_digits <= len(run) <= 16 and not _A_DATE.fullmatch(hit[group]):
                yield Finding.CONTACT, run, *hit.span(group)
    for pattern in (*[_LONG] * (longest >= 6), *[_HYPHENED] * (digits >= 6), *[_DOTTED] * (digits >= 4)):
        for hit in pattern.finditer(flat):
            yield Finding.ID, re.sub(r"\D", "", hit[0]), *hit.span()
    for hit in _MIXED.finditer(flat) if digits >= 4 else ():
        if _identifies(hit[0]):
            yield Finding.ID, re.sub(r"[\W_]", "", hit[0]).lower(), *hit.span()
    for hit in _CUED_ID.finditer(flat) if longest >= 3 else ():
        yield Finding.ID, re.sub(r"[\W_]", "", hit[1]).lower(), *hit.span(1)
    if not numbers:
        return
    for hit in _ROOM.finditer(flat):
        yield Finding.PLACE, normalise(hit[0]), *hit.span(1)
    patterns: tuple[re.Pattern[str], ...] = (_STREET, _BOX, _ZIP)
    if language(flat) != "en":
        flat, patterns = in_capitals(flat), _STREETS_ELSEWHERE
    for pattern in patterns:
        for hit in pattern.finditer(flat):
            yield Finding.PLACE, normalise(hit[0]), *hit.span()


_A_DATE = re.compile(r"\d{4}[-/.]\d\d?[-/.]\d\d?|\d\d?[-/.]\d\d?[-/.]\d{4}")


def _identifies(token: str) -> bool:
    """True for a token of letters and digits that looks like an identifier: four digits after capitals, or five
    anywhere."""
    digits = sum(map(str.isdigit, token))
    if digits < 4 or re.fullmatch(
        rf"\d+(?:x\d+)+|\d+-?(?:{_UNITS}|s|th|st|nd|rd|[a-z])|\d+-\d+-?(?:{_UNITS})", token, re.IGNORECASE
    ):
        return False
    parts = re.split(r"[-/_]", token)
    if all(re.fullmatch(r"[A-Za-z]{0,4}\d{1,3}[A-Za-z]{0,3}|[A-Za-z]+", part) or _is_strength(part) for part in parts):
        return False  # L4-L5, 18F-FDG, 120/80mmHg, ISOVUE300/100
    if any(re.fullmatch(r"(?:18|19|20)\d\d", part) for part in parts) and digits < 6:
        return False  # mid-2019
    return digits >= 5 or re.fullmatch(r"[A-Z]{1,5}-?\d{4,}[A-Z]?", token) is not None


def _is_strength(part: str) -> bool:
    """True for a known word followed by up to three digits: a contrast agent and its concentration."""
    match = re.fullmatch(r"([A-Za-z]{5,})\d{1,3}", part)
    return match is not None and is_known(match[1])


@dataclass(frozen=True)
class TextIdentifiers:
    """Identifiers of source texts to search for.

    ``pieces``: words and numbers that are parts of identifiers: a day without its year, half a telephone number, a name
    that is also a word. Each may occur in a text as often as the source has it outside of identifiers (the number).
    """

    shapes: frozenset[tuple[Finding, str]] = frozenset()
    date_keys: frozenset[str] = frozenset()
    days: frozenset[date] = frozenset()
    cued: tuple[tuple[str, Finding], ...] = ()  # flattened phrases
    pieces: tuple[tuple[str, Finding, int], ...] = ()

    def in_text(self, text: str) -> Iterator[Finding]:
        """Findings in ``text``, which has no shifted dates."""
        if not self:
            return
        flat = plain(text)
        if self.shapes:
            digits = {re.sub(r"\D", "", run) for run in re.findall(r"\d(?:[ ()./-]?\d)*", flat)}
            yield from (kind for kind, _ in shapes_of(text).keys() & self.shapes)
            yield from (kind for kind, key in self.shapes if len(key) > 6 and key in digits)
        if self.date_keys and not self.date_keys.isdisjoint(dates.date_keys(flat)):
            yield Finding.DATE
        if self.cued:
            joined = normalise(text)
            yield from (kind for phrase, kind in self.cued if phrase in joined)
        # a table's cell with one value is no text
        if self.pieces and ("[" in text or len(_PROSE.findall(flat)) >= _MIN_WORDS):
            counts = Counter(_PIECE.findall(flat))
            yield from (kind for piece, kind, elsewhere in self.pieces if counts[piece] > elsewhere)

    def __bool__(self) -> bool:
        return bool(self.shapes or self.date_keys or self.cued or self.pieces)


@dataclass
class _SourceIdentifiers:
    """The identifiers of one source: as in `Direct`, and how often each piece occurs inside of identifiers."""

    shapes: dict[tuple[Finding, str], None]
    date_keys: set[str]
    cued: dict[str, Finding]
    pieces: dict[str, Finding]
    inside: Counter[str]
    total: Counter[str]


_PIECE = re.compile(r"[^\W_]+")
_PROSE = re.compile(r"[^\W\d_]{2,}")
_MIN_WORDS = 3
_YEAR = re.compile(r"(?:18|19|20)\d\d")
_MIN_DIGITS = {Finding.ID: 3, Finding.CONTACT: 3, Finding.PLACE: 2}  # of a piece that could identify someone
_NO_PIECE = word_sections("words", "verify/data")["no piece"]


def text_identifiers(sources: Sequence[str], *, in_parts: bool = True) -> TextIdentifiers:
    """The identifiers in ``sources``, the original texts.

    ``in_parts``: pieces of numbers and dates, too, which needs the whole sources, because occurrences outside of
    identifiers are counted.
    """
    per_source = [
        once(_read_source, source) for source in sources
    ]  # a report that comes again is read once a partition
    date_keys = {key for each in per_source for key in each.date_keys}
    days = frozenset(date.fromisoformat(key) for key in date_keys if re.fullmatch(r"\d{4}-\d\d-\d\d", key))
    kinds: dict[str, Finding] = {piece: kind for each in per_source for piece, kind in each.pieces.items()}
    elsewhere = {p: sum(max(0, each.total[p] - each.inside[p]) for each in per_source) for p in kinds}
    cued = {phrase: kind for each in per_source for phrase, kind in each.cued.items()}
    shapes = frozenset(shape for each in per_source for shape in each.shapes)
    pieces = tuple((piece, kind, elsewhere[piece]) for piece, kind in kinds.items() if in_parts or kind is Finding.NAME)
    return TextIdentifiers(shapes, frozenset(date_keys), days, tuple(cued.items()), pieces)


@lru_cache(maxsize=64)
def _read_source(source: str) -> _SourceIdentifiers:
    text, shifted = dates.without_shifted(source)
    flat = _one_line(text)
    lines = plain(text)
    cued: dict[str, Finding] = {}
    pieces: dict[str, Finding] = {}
    spans: dict[tuple[int, int], Finding] = {}
    shapes: dict[tuple[Finding, str], None] = {}
    for kind, key, start, end in _shapes(flat):
        shapes[kind, key] = None
        spans[start, end] = kind
    date_keys = {day.isoformat() for day in shifted}
    for start, end, keys in dates.date_spans(flat):
        spans[start, end] = Finding.DATE
        date_keys.update(keys)
    words: list[tuple[int, int]] = []
    for start, end, distinct in person_names(lines):
        if distinct:
            cued[normalise(lines[start:end])] = Finding.NAME
        else:
            words.append((start, end))
    # the larger of the two counts: a word may be taken for part of a date and of a name in one place
    inside = _count_inside(flat, spans, pieces) | _count_inside(lines, dict.fromkeys(words, Finding.NAME), pieces)
    cued |= {normalise(name): Finding.PLACE for name in facilities(lines)}
    cued |= {phrase: kind for kind, phrase in shapes if kind is Finding.PLACE}
    return _SourceIdentifiers(shapes, date_keys, cued, pieces, inside, Counter(_PIECE.findall(lines)))


def _count_inside(text: str, spans: Mapping[tuple[int, int], Finding], pieces: dict[str, Finding]) -> Counter[str]:
    """How often each word or number occurs in ``spans``, overlapping ones once; the words are added to ``pieces``."""
    counted: Counter[str] = Counter()
    end = 0
    for (start, stop), kind in sorted(spans.items()):
        for hit in _PIECE.finditer(text, max(start, end), stop):
            word = hit[0]
            if word.lower() in _NO_PIECE or (word.isdigit() and len(word) < _MIN_DIGITS.get(kind, 1)):
                continue
            if kind is Finding.DATE and _YEAR.fullmatch(word):
                continue
            counted[word] += 1
            pieces.setdefault(word, kind)
        end = max(end, stop)
    return counted
