"""The searches that a patient's known values ask for, and what a text holds of them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from datetime import date
from itertools import islice

from curate.deid.verify.dates import day_of, written
from curate.deid.verify.finding import Finding
from curate.deid.verify.flat import healed, letters, unspaced, written_out
from curate.deid.verify.names import blurred, cyrillic_or_greek, latin_spellings, short_names, two_letters

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
