"""The verifier: does anything that identifies survive in what is about to be written?

It shares no code, no patterns and no tables with what cleans (`curate.deid.header`, `curate.deid.text`,
`curate.deid.pixels`): another normalisation, another idea of what a name or a date is, so that a mistake there is not
repeated here. It also reads the container: an image file may hold pixels and nothing else.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterator, Sequence
from datetime import date
from itertools import islice

from curate.deid.verify import dates
from curate.deid.verify.dates import ages_and_births, day_of, written
from curate.deid.verify.direct import direct
from curate.deid.verify.finding import Finding, sorted_unique
from curate.deid.verify.letters import (
    BARRIER,
    blurred,
    cyrillic_or_greek,
    healed,
    latin_spellings,
    letters,
    short_names,
    two_letters,
    unprovable,
    unspaced,
    written_out,
)
from curate.deid.verify.pictures import PNG, jpeg_is_bare, png_is_bare
from curate.memory import once

_PART = 4  # name parts shorter than this are met by chance in any text
_PLACES = """hospital clinic center centre medical university institute department radiology imaging health healthcare
system street road avenue lane drive general regional memorial community and the of for prof professor doctor miss"""
_NO_NAME = frozenset(_PLACES.split())
_PLACE = re.compile(
    r"\b(?:hospital|clinic|cent(?:er|re)|university|institute|department|dept|street|road|avenue|lane|drive|infirmary)\b"
    r"|病院|医院|醫院|大学|병원",
    re.IGNORECASE,
)
_CONTACT = re.compile(r"@|://|^www\.|^\+?[\d\s()./-]{7,}$")


class Known:
    """What ``phi`` asks to look for: words and phrases with their codes, digit runs, days, names in other letters."""

    def __init__(self, phi: Sequence[str], whole: Sequence[str] = ()) -> None:
        """``whole`` are values that are looked for as they are, not in parts."""
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
        self.spellings = tuple(s for w in phrases if cyrillic_or_greek(w) for s in latin_spellings(w))
        self.short = short_names(phi)
        self.blurred = {b for p in phrases if p.isascii() and len(p) > 4 and p.isalpha() and len(b := blurred(p)) > 3}
        for value in phi:
            if not value.isascii():
                for phrase in _phrases(written_out(value)):
                    phrases.setdefault(phrase, kind_of(value))
        self.phrases = [(f" {p} ", kind) for p, kind in phrases.items()]
        self.joined = [
            (p, kind)
            for phrase, kind in phrases.items()
            if len(p := phrase.replace(" ", "")) > 7 and not p.isdigit() and kind is not Finding.DATE
        ]

    def in_text(self, text: str) -> Iterator[Finding]:
        """What of it a text holds; ``text`` has no shifted dates in it (`curate.deid.verify.dates.set_apart`)."""
        flat = letters(text)
        yield from (kind for phrase, kind in self.phrases if phrase in flat)
        yield from (Finding.NAME for _ in range(1) if self._other_letters(text, flat))
        for other in dict.fromkeys((letters(healed(text)), letters(unspaced(text)))):
            if other != flat:
                yield from (kind for phrase, kind in self.phrases if phrase in other)
        joined = flat.replace(" ", "")
        yield from (kind for long, kind in self.joined if long in joined)
        if self.digits:
            narrow = unicodedata.normalize("NFKC", text)
            runs = {re.sub(r"\D", "", run) for run in re.findall(r"\d(?:[ ./()_-]{0,2}\d)*", narrow)}
            runs.update(re.findall(r"\d+", narrow))
            yield from (kind for number, kind in self.digits.items() if number in runs)

    def _other_letters(self, text: str, flat: str) -> bool:
        """Names with their umlauts written out or not, romanised, or of two letters."""
        out = flat if text.isascii() else letters(written_out(text))
        if out != flat and any(phrase in out for phrase, _ in self.phrases):
            return True
        if self.blurred and not self.blurred.isdisjoint(map(blurred, {*flat.split(), *out.split()})):
            return True
        if self.spellings and any(spelling.search(flat) for spelling in self.spellings):
            return True
        return two_letters(text, self.short)


def kind_of(value: str) -> Finding:
    """Which kind of identity a value is, by its look."""
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
    """A value and what of it would give it away alone, as `letters` writes it."""
    whole = letters(value).strip()
    day = day_of(value)
    if day is not None:
        yield from written(day)
        return
    words = whole.split()
    solid = whole.replace(" ", "")
    if len(whole) >= (3 if whole.isascii() else 2) and not (solid.isdigit() and len(solid) < _PART):
        yield whole
    if "^" in value or _looks_like_a_name(words):
        yield from (w for w in words if len(w) >= _PART or (not w.isascii() and len(w) > 1))
        if len(words) > 1:
            yield f"{words[1]} {words[0]}"
        after = (letters(w).strip() for w in re.findall(r"['’]([^\W\d_]+)", value))  # Donoghue of O'Donoghue
        yield from (w for w in after if len(w) >= _PART)


def _looks_like_a_name(words: list[str]) -> bool:
    return 2 <= len(words) <= 3 and all(w.isalpha() and w not in _NO_NAME for w in words)


def _digit_runs(value: str) -> Iterator[str]:
    run = re.sub(r"\D", "", value)
    if day_of(value) is None and len(run) > 4 and "." not in value:
        yield run
        if len(run.lstrip("0")) > 4:
            yield run.lstrip("0")


__all__ = ["Finding", "findings", "leaks"]

_LABEL = re.compile(r"\[(?:NAME|ID|DATE|TIME|PHONE|EMAIL|URL|ADDRESS|AGE|FACILITY)(?=[\]:])")


def findings(
    outputs: Sequence[str | bytes], phi: Sequence[str], sources: Sequence[str] = (), whole: Sequence[str] = ()
) -> tuple[Finding, ...]:
    """What of a record's identities survives in ``outputs``: codes, sorted, each once; () where nothing was found.

    Text (str, or bytes read as UTF-8, Latin-1 and UTF-16), with its markup and escapes and without, is searched
    without case and accents for every value of ``phi`` whole, for each part of 4 and more letters of a name, for
    numbers of 5 and more digits whatever separates their digits, and for dates in other written forms; for names also
    with their umlauts written out, in the Latin spellings of Cyrillic and Greek, and, if of two letters, where they
    stand capitalised. Values of ``whole`` are sought as they are, not in parts. From ``sources``, the texts as they
    came, the reader takes contacts, numbers, dates and times, addresses, facilities and names by its own means
    (`curate.deid.verify.direct`), none of which may be in ``outputs``. An age over 89 and a date of birth are found
    by themselves. Dates that say they were shifted are found where all of them are dates of the source.

    Bytes that begin as PNG or JPEG must hold pixels only (`curate.deid.verify.pictures`), else CONTAINER. UNPROVABLE is
    Latin words beside a person whose name is known in a script of which no romanisation is certain, and in that alone.
    """
    texts = [text for output in outputs for text in _readings(output)]
    found = [Finding.CONTAINER for output in outputs if isinstance(output, bytes) and not _is_bare(output)]
    found += once(_in_all, tuple(texts), _told(texts, phi), tuple(sources), _told(texts, whole))
    return sorted_unique(found)


def _in_all(
    texts: tuple[str, ...], phi: tuple[str, ...], sources: tuple[str, ...], whole: tuple[str, ...]
) -> tuple[Finding, ...]:
    return tuple(text_findings(texts, phi, sources, whole))


_DOTTED = re.compile(r"\d+(?:\.\d+){3,}")


def _told(texts: Sequence[str], values: Sequence[str]) -> tuple[str, ...]:
    """The values that can be in ``texts``: not the UIDs with more digits than any text has. What else the pictures of
    a series carry is the same in all of them."""
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
    """What `findings` finds in texts; ``together``: they are of one patient, so that their dates tell an age."""
    known, taken = Known(phi, whole), tuple(sources)
    if together:
        yield from _in_texts(texts, known, taken)
    else:
        yield from (finding for text in texts for finding in _in_texts([text], known, taken))
    if phi or whole or sources:
        yield from ages_and_births(texts, together=together)
    if unprovable(texts, phi):
        yield Finding.UNPROVABLE


def placeholders_masked(text: str) -> str:
    """``text`` with the names of our placeholders out of them: someone may be called Name."""
    return _LABEL.sub("[", text)


def leaks(outputs: Sequence[str | bytes], phi: Sequence[str]) -> bool:
    """True if `findings` finds anything."""
    return bool(findings(outputs, phi))


def _in_texts(texts: Sequence[str], known: Known, sources: tuple[str, ...]) -> Iterator[Finding]:
    placeholders: set[date] = set()
    columns: set[date] = set()
    for text in texts:
        rest, shifted = dates.set_apart(text.replace(BARRIER, ""))
        (placeholders if rest else columns).update(shifted)
        rest = placeholders_masked(rest)
        yield from known.in_text(rest)
        yield from once(_of_sources, sources, rest)
    days = known.days | once(direct, sources).days
    if dates.is_unshifted(frozenset(placeholders), days) or dates.is_unshifted(frozenset(columns), days):
        yield Finding.DATE


def _of_sources(sources: tuple[str, ...], text: str) -> tuple[Finding, ...]:
    """What of ``sources`` is in ``text``: the same whoever a report that comes again is of."""
    return tuple(once(direct, sources).in_text(text))


def _is_bare(output: bytes) -> bool:
    if output.startswith(PNG):
        return png_is_bare(output)
    return not output.startswith(b"\xff\xd8") or jpeg_is_bare(output)


def _readings(output: str | bytes) -> list[str]:
    """An output as text, bytes in each way that they could be meant; of a picture nothing."""
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
    """The text as a viewer of its markup would show it: a name in which tags or escapes stand is a name all the same.

    It is only searched in, so nothing need prove that the marks are meant as such."""
    if not any(mark in text for mark in "&<\\_"):
        return text
    shown = _ESCAPE.sub(lambda found: bytes.fromhex(next(filter(None, found.groups()))).decode("latin-1"), text)
    for _ in range(2):  # tags may be escaped themselves
        shown = html.unescape(_MARKUP.sub("", shown))
    return _MARKUP.sub("", shown)
