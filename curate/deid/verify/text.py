"""The verifier: does any identifier survive in the output that is about to be written?

It shares no code, patterns or tables with the cleaning (`curate.deid.header`, `curate.deid.text`,
`curate.deid.pixels`): it has its own normalisation and its own definitions of names and dates, so that mistakes there
are not repeated here. It also checks the container: an image file may contain pixels and nothing else.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterator, Sequence
from datetime import date
from itertools import islice

from curate.deid.verify import dates
from curate.deid.verify.dates import ages_and_births, date_forms, day_of
from curate.deid.verify.finding import Finding, sorted_unique
from curate.deid.verify.identifiers import text_identifiers
from curate.deid.verify.images import PNG, jpeg_is_bare, png_is_bare
from curate.deid.verify.normalise import (
    BARRIER,
    expand_umlauts,
    fold_umlauts,
    has_short_name,
    is_cyrillic_or_greek,
    join_broken_words,
    join_spaced_letters,
    normalise,
    short_names,
    transliterations,
    unprovable,
)
from curate.memory import once

_PART = 4  # shorter parts of names occur by chance in any text
_PLACES = """hospital clinic center centre medical university institute department radiology imaging health healthcare
system street road avenue lane drive general regional memorial community and the of for prof professor doctor miss"""
_NO_NAME = frozenset(_PLACES.split())
_PLACE = re.compile(
    r"\b(?:hospital|clinic|cent(?:er|re)|university|institute|department|dept|street|road|avenue|lane|drive|infirmary)\b"
    r"|病院|医院|醫院|大学|병원",
    re.IGNORECASE,
)
_CONTACT = re.compile(r"@|://|^www\.|^\+?[\d\s()./-]{7,}$")


class KnownValues:
    """The search terms of ``phi``: words and phrases with their codes, digit runs, dates, names in other scripts."""

    def __init__(self, phi: Sequence[str], whole: Sequence[str] = ()) -> None:
        """``whole``: values that are searched for as a whole, not in parts."""
        phrases: dict[str, Finding] = {}
        self.digits: dict[str, Finding] = {}
        for value in (*phi, *whole):
            kind = kind_of(value)
            for phrase in (
                _phrases(value) if value in phi else islice(_phrases(value), None if kind is Finding.DATE else 1)
            ):
                phrases.setdefault(phrase, kind)
            for run in _digit_runs(value):
                self.digits.setdefault(run, Finding.ID if kind is Finding.NAME else kind)
        self.days: frozenset[date] = frozenset(day for value in (*phi, *whole) if (day := day_of(value)) is not None)
        self.spellings = tuple(s for w in phrases if is_cyrillic_or_greek(w) for s in transliterations(w))
        self.short = short_names(phi)
        self.folded = {
            b for p in phrases if p.isascii() and len(p) > 4 and p.isalpha() and len(b := fold_umlauts(p)) > 3
        }
        for value in phi:
            if not value.isascii():
                for phrase in _phrases(expand_umlauts(value)):
                    phrases.setdefault(phrase, kind_of(value))
        self.phrases = [(f" {p} ", kind) for p, kind in phrases.items()]
        self.joined = [
            (p, kind)
            for phrase, kind in phrases.items()
            if len(p := phrase.replace(" ", "")) > 7 and not p.isdigit() and kind is not Finding.DATE
        ]

    def in_text(self, text: str) -> Iterator[Finding]:
        """Findings in ``text``, which has no shifted dates (`curate.deid.verify.dates.without_shifted`)."""
        flat = normalise(text)
        yield from (kind for phrase, kind in self.phrases if phrase in flat)
        yield from (Finding.NAME for _ in range(1) if self._other_letters(text, flat))
        for other in dict.fromkeys((normalise(join_broken_words(text)), normalise(join_spaced_letters(text)))):
            if other != flat:
                yield from (kind for phrase, kind in self.phrases if phrase in other)
        joined = flat.replace(" ", "")
        yield from (kind for long, kind in self.joined if long in joined)
        if self.digits:
            normalised = unicodedata.normalize("NFKC", text)
            runs = {re.sub(r"\D", "", run) for run in re.findall(r"\d(?:[ ./()_-]{0,2}\d)*", normalised)}
            runs.update(re.findall(r"\d+", normalised))
            yield from (kind for number, kind in self.digits.items() if number in runs)

    def _other_letters(self, text: str, flat: str) -> bool:
        """Is there a name with umlauts written out or not, romanised, or of two letters?"""
        out = flat if text.isascii() else normalise(expand_umlauts(text))
        if out != flat and any(phrase in out for phrase, _ in self.phrases):
            return True
        if self.folded and not self.folded.isdisjoint(map(fold_umlauts, {*flat.split(), *out.split()})):
            return True
        if self.spellings and any(spelling.search(flat) for spelling in self.spellings):
            return True
        return has_short_name(text, self.short)


def kind_of(value: str) -> Finding:
    """The kind of an identifying value, by its form."""
    value = value.strip()
    if day_of(value) is not None:
        return Finding.DATE
    if re.fullmatch(r"[0-2](?:\.\d+){3,}", value):
        return Finding.UID
    if "^" not in value and _PLACE.search(value):
        return Finding.PLACE
    if _CONTACT.search(value):
        return Finding.CONTACT if re.search(r"\D", value) else Finding.ID
    return Finding.ID if re.search(r"\d", value) else Finding.NAME


def _phrases(value: str) -> Iterator[str]:
    """A value and its identifying parts, flattened by `letters`."""
    whole = normalise(value).strip()
    day = day_of(value)
    if day is not None:
        yield from date_forms(day)
        return
    words = whole.split()
    solid = whole.replace(" ", "")
    if len(whole) >= (3 if whole.isascii() else 2) and not (solid.isdigit() and len(solid) < _PART):
        yield whole
    if "^" in value or _looks_like_a_name(words):
        yield from (w for w in words if len(w) >= _PART or (not w.isascii() and len(w) > 1))
        if len(words) > 1:
            yield f"{words[1]} {words[0]}"
        after = (normalise(w).strip() for w in re.findall(r"['’]([^\W\d_]+)", value))  # Donoghue of O'Donoghue
        yield from (w for w in after if len(w) >= _PART)


def _looks_like_a_name(words: list[str]) -> bool:
    return 2 <= len(words) <= 3 and all(w.isalpha() and w not in _NO_NAME for w in words)


def _digit_runs(value: str) -> Iterator[str]:
    run = re.sub(r"\D", "", value)
    if day_of(value) is None and len(run) > 4 and "." not in value:
        yield run
        if len(run.lstrip("0")) > 4:
            yield run.lstrip("0")


_LABEL = re.compile(r"\[(?:NAME|ID|DATE|TIME|PHONE|EMAIL|URL|ADDRESS|AGE|FACILITY)(?=[\]:])")


def findings(
    outputs: Sequence[str | bytes], phi: Sequence[str], sources: Sequence[str] = (), whole: Sequence[str] = ()
) -> tuple[Finding, ...]:
    """Identities of a record that survive in ``outputs``: codes, sorted, each once; () for none.

    Text (str, or bytes read as UTF-8, Latin-1 and UTF-16), with its markup and escapes and without, is searched
    without case and accents for every value of ``phi`` whole, for each part of 4 and more letters of a name, for
    numbers of 5 and more digits whatever separates their digits, and for dates in other written forms; for names also
    with their umlauts written out, in the Latin spellings of Cyrillic and Greek, and, if of two letters, where they
    stand capitalised. Values of ``whole`` are searched for as they are, not in parts. From ``sources``, the original
    texts, contacts, numbers, dates and times, addresses, facilities and names are extracted
    (`curate.deid.verify.identifiers`), none of which may be in ``outputs``. Ages over 89 and dates of birth are always
    findings; dates marked as shifted are if all of them are dates of the source.

    Bytes that begin as PNG or JPEG must hold pixels only (`curate.deid.verify.images`), else CONTAINER. UNPROVABLE is
    Latin words beside a person whose name is known in a script of which no romanisation is certain, and in that alone.
    """
    texts = [text for output in outputs for text in _readings(output)]
    codes = [Finding.CONTAINER for output in outputs if isinstance(output, bytes) and not _is_bare(output)]
    codes += once(_in_all, tuple(texts), _possible_values(texts, phi), tuple(sources), _possible_values(texts, whole))
    return sorted_unique(codes)


def _in_all(
    texts: tuple[str, ...], phi: tuple[str, ...], sources: tuple[str, ...], whole: tuple[str, ...]
) -> tuple[Finding, ...]:
    return tuple(text_findings(texts, phi, sources, whole))


_DOTTED = re.compile(r"\d+(?:\.\d+){3,}")


def _possible_values(texts: Sequence[str], values: Sequence[str]) -> tuple[str, ...]:
    """The values that can occur in ``texts``: without UIDs that have more digits than any text. The remaining values
    are the same for all pictures of a series, which helps caching."""
    if not all(map(str.isascii, texts)):
        return tuple(values)
    digits = max((len(re.sub(r"[^0-9]", "", text)) for text in texts), default=0)
    return tuple(v for v in values if _DOTTED.fullmatch(v) is None or len(v) - v.count(".") <= digits)


def text_findings(
    texts: Sequence[str],
    phi: Sequence[str],
    sources: Sequence[str] = (),
    whole: Sequence[str] = (),
    *,
    together: bool = True,
) -> Iterator[Finding]:
    """The findings of `findings` in texts; ``together``: they are of one patient, so that their dates give an age."""
    known, source_texts = KnownValues(phi, whole), tuple(sources)
    if together:
        yield from _in_texts(texts, known, source_texts)
    else:
        yield from (finding for text in texts for finding in _in_texts([text], known, source_texts))
    if phi or whole or sources:
        yield from ages_and_births(texts, together=together)
    if unprovable(texts, phi):
        yield Finding.UNPROVABLE


def placeholders_masked(text: str) -> str:
    """``text`` without the labels of placeholders: someone may be called Name."""
    return _LABEL.sub("[", text)


def _in_texts(texts: Sequence[str], known: KnownValues, sources: tuple[str, ...]) -> Iterator[Finding]:
    placeholders: set[date] = set()
    columns: set[date] = set()
    for text in texts:
        rest, shifted = dates.without_shifted(text.replace(BARRIER, ""))
        (placeholders if rest else columns).update(shifted)
        rest = placeholders_masked(rest)
        yield from known.in_text(rest)
        yield from once(_of_sources, sources, rest)
    days = known.days | once(text_identifiers, sources).days
    if dates.is_unshifted(frozenset(placeholders), days) or dates.is_unshifted(frozenset(columns), days):
        yield Finding.DATE


def _of_sources(sources: tuple[str, ...], text: str) -> tuple[Finding, ...]:
    """Findings of ``sources`` in ``text``, cached for repeated reports."""
    return tuple(once(text_identifiers, sources).in_text(text))


def _is_bare(output: bytes) -> bool:
    if output.startswith(PNG):
        return png_is_bare(output)
    return not output.startswith(b"\xff\xd8") or jpeg_is_bare(output)


def _readings(output: str | bytes) -> list[str]:
    """An output as text, bytes in each possible encoding; nothing for a picture."""
    if isinstance(output, str):
        return list(dict.fromkeys([output, unwrapped(output)]))
    if output.startswith((PNG, b"\xff\xd8")):
        return []
    readings = [output.decode("utf-8", "replace"), output.decode("latin-1")]
    if b"\0" in output:
        readings += [output[i:].decode(code, "replace") for code in ("utf-16-le", "utf-16-be") for i in (0, 1)]
    return list(dict.fromkeys([*readings, *map(unwrapped, readings)]))


_MARKUP = re.compile(r"<[A-Za-z/!?][^<>]{0,400}>")
_ESCAPE = re.compile(r"\\X((?:[0-9A-F]{2})+)\\|\\u00([0-9A-F]{2})|\\x([0-9A-F]{2})|_x00([0-9A-F]{2})_", re.IGNORECASE)


def unwrapped(text: str) -> str:
    """The text without markup and escapes, as a viewer displays it, to find names that contain tags.

    It is only searched, so it does not matter whether the marks are really markup."""
    if not any(mark in text for mark in "&<\\_"):
        return text
    visible = _ESCAPE.sub(lambda match: bytes.fromhex(next(filter(None, match.groups()))).decode("latin-1"), text)
    for _ in range(2):  # tags may be escaped themselves
        visible = html.unescape(_MARKUP.sub("", visible))
    return _MARKUP.sub("", visible)
