"""The second reader: does anything that identifies survive in what is about to be written?

It shares no code and no patterns with the scrubber (`text*.py`) nor with the header cleaner: another normalisation,
another idea of what a name or a date is, so that a mistake there is not repeated here. It also reads the container: an
image file may hold pixels and nothing else.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from datetime import date

from curate.deid.verify.ages import tells_an_age
from curate.deid.verify.files import PNG, jpeg_is_bare, png_is_bare
from curate.deid.verify.names import blurred, cyrillic_or_greek, latin_spellings, short_names, two_letters, unprovable

_PART = 4  # name parts shorter than this are met by chance in any text
_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
_LABEL = re.compile(r"\[(?:NAME|ID|DATE|TIME|PHONE|EMAIL|URL|ADDRESS|AGE|FACILITY)(?=[\]:])")
_PLACES = """hospital clinic center centre medical university institute department radiology imaging health healthcare
system street road avenue lane drive general regional memorial community and the of for prof professor doctor miss"""
_NO_NAME = frozenset(_PLACES.split())


def leaks(outputs: Sequence[str | bytes], phi: Sequence[str]) -> bool:
    """True if any identifying value of ``phi`` survives in any of ``outputs``, or an output holds what none should.

    Text (str, or bytes read as UTF-8, Latin-1 and UTF-16) is searched without case and accents for every value whole,
    for each part of 4 and more letters of a name, for numbers of 5 and more digits whatever separates their digits, and
    for dates in other written forms. Bytes that begin as PNG or JPEG must hold pixels only: PNG the chunks IHDR, PLTE,
    IDAT, IEND; JPEG no APPn but JFIF and Adobe, no comment; neither a trailing byte. A malformed one is a leak.

    Names are also searched with their umlauts written out and in the Latin spellings of Cyrillic and Greek; those of
    two letters where they stand capitalised. What cannot be proven clean leaks as well: Latin words beside a person
    whose name is known in a script of which no romanisation is certain, and in that alone. So do an age over 89 in
    words, a date of birth, and dates of which one could be the birth of someone over 89.
    """
    wanted = _Wanted(phi)
    texts = [text for output in outputs for text in _readings(output)]
    return (
        any(_file_leaks(output) for output in outputs if isinstance(output, bytes))
        or any(_text_leaks(text, wanted) for text in texts)
        or (bool(wanted.phrases) and tells_an_age(texts))
        or unprovable(texts, phi)
    )


class _Wanted:
    """The searches that ``phi`` asks for: words and phrases of letters and digits, digit runs."""

    def __init__(self, phi: Sequence[str]) -> None:
        phrases: dict[str, None] = {}
        digits: dict[str, None] = {}
        for value in phi:
            phrases.update(dict.fromkeys(_phrases(value)))
            digits.update(dict.fromkeys(_digit_runs(value)))
        self.spellings = tuple(s for w in phrases if cyrillic_or_greek(w) for s in latin_spellings(w))
        self.short = short_names(phi)
        self.blurred = {b for p in phrases if p.isascii() and len(p) > 4 and p.isalpha() and len(b := blurred(p)) > 3}
        phrases |= dict.fromkeys(f for value in phi if not value.isascii() for f in _phrases(_written_out(value)))
        self.phrases = [f" {p} " for p in phrases]
        self.joined = [p for phrase in phrases if len(p := phrase.replace(" ", "")) > 7 and not p.isdigit()]
        self.digits = list(digits)


def _letters(text: str) -> str:
    """Case- and accent-free words of letters and digits, one space between, one at each end."""
    flat = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold()).translate(_OTHER_LETTERS)
    kept = []
    for ch in flat:
        kind = unicodedata.category(ch)
        if kind[0] in "LN":
            kept.append(ch)
        elif kind not in ("Mn", "Cf", "Cc") or ch in "\n\t\r":
            kept.append("'" if ch in "'’`´" else " ")
    words = f"{''.join(kept)} ".replace("'s ", " ").replace("'", "")
    return f" {' '.join(words.split())} "


_TWO = {"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe", "æ": "ae", "œ": "oe"}
_OTHER_LETTERS = str.maketrans({"ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i"})


def _written_out(text: str) -> str:
    """Umlauts and ligatures as the two letters that replace them on a plain keyboard."""
    composed = unicodedata.normalize("NFKC", text).casefold()
    return "".join(_TWO.get(ch, ch) for ch in composed)


def _phrases(value: str) -> Iterator[str]:
    """A value and what of it would give it away alone, as `_letters` writes it."""
    whole = _letters(value).strip()
    day = _day(value)
    if day is not None:
        yield from _written(day)
        return
    words = whole.split()
    solid = whole.replace(" ", "")
    if len(whole) >= (3 if whole.isascii() else 2) and not (solid.isdigit() and len(solid) < _PART):
        yield whole
    if "^" in value or _looks_like_a_name(words):
        yield from (w for w in words if len(w) >= _PART or (not w.isascii() and len(w) > 1))
        if len(words) > 1:
            yield f"{words[1]} {words[0]}"
        after = (_letters(w).strip() for w in re.findall(r"['’]([^\W\d_]+)", value))  # Donoghue of O'Donoghue
        yield from (w for w in after if len(w) >= _PART)


def _looks_like_a_name(words: list[str]) -> bool:
    return 2 <= len(words) <= 3 and all(w.isalpha() and w not in _NO_NAME for w in words)


def _digit_runs(value: str) -> Iterator[str]:
    run = re.sub(r"\D", "", value)
    if _day(value) is None and len(run) > 4 and "." not in value:
        yield run
        if len(run.lstrip("0")) > 4:
            yield run.lstrip("0")


def _day(value: str) -> date | None:
    """The day a DICOM DA or DT, or an ISO date, names."""
    match = re.fullmatch(r"(\d{4})[-.]?(\d\d)[-.]?(\d\d)(?:\d{2,6}(?:\.\d+)?(?:[+-]\d{4})?)?", value.strip())
    try:
        return date(int(match[1]), int(match[2]), int(match[3])) if match and 1850 < int(match[1]) < 2100 else None
    except ValueError:
        return None


def _written(day: date) -> Iterator[str]:
    """A day as people write it, punctuation aside."""
    y, m, d, name = day.year, day.month, day.day, _MONTHS[day.month - 1]
    yield f"{y}{m:02}{d:02}"
    for dd in dict.fromkeys((f"{d:02}", str(d))):
        for mm in dict.fromkeys((f"{m:02}", str(m))):
            yield from (f"{y} {mm} {dd}", f"{mm} {dd} {y}", f"{dd} {mm} {y}")
        for mon in dict.fromkeys((name, name[:3])):
            for day_word in (dd, f"{dd}{_ordinal(d)}"):
                yield from (f"{day_word} {mon} {y}", f"{mon} {day_word} {y}", f"{day_word} of {mon} {y}")
    yield from (f"{d:02}{name[:3]}{y}", f"{m:02} {d:02} {y % 100:02}", f"{m} {d} {y % 100:02}")


def _ordinal(d: int) -> str:
    return "th" if 10 < d < 20 else {1: "st", 2: "nd", 3: "rd"}.get(d % 10, "th")


def _file_leaks(output: bytes) -> bool:
    if output.startswith(PNG):
        return not png_is_bare(output)
    return output.startswith(b"\xff\xd8") and not jpeg_is_bare(output)


def _readings(output: str | bytes) -> list[str]:
    """An output as text, bytes in each way that they could be meant; of a picture nothing."""
    if isinstance(output, str):
        return [output]
    if output.startswith((PNG, b"\xff\xd8")):
        return []
    readings = [output.decode("utf-8", "replace"), output.decode("latin-1")]
    if b"\0" in output:
        readings += [output[i:].decode(code, "replace") for code in ("utf-16-le", "utf-16-be") for i in (0, 1)]
    return list(dict.fromkeys(readings))


def _text_leaks(text: str, wanted: _Wanted) -> bool:
    text = _LABEL.sub("[", text)  # someone may be called Name; what a shifted date says is still read
    flat = _letters(text)
    if any(phrase in flat for phrase in wanted.phrases) or _other_letters(text, flat, wanted):
        return True
    # a line end inside a word, letters spaced out, hyphens: nothing between the letters at all
    healed = _letters(re.sub(r"(?<=\w)-?\s*\n\s*(?=\w)|(?<=\w)[-\u00a0](?=\w)", "", text))
    spaced = _letters(re.sub(r"\b(\w)[ .](?=\w\b)", r"\1", text))
    if any(phrase in other for other in (healed, spaced) if other != flat for phrase in wanted.phrases):
        return True
    joined = flat.replace(" ", "")
    if any(long in joined for long in wanted.joined):
        return True
    runs = re.findall(r"\d(?:[ ./()_-]{0,2}\d)*", unicodedata.normalize("NFKC", text)) if wanted.digits else []
    return any(re.sub(r"\D", "", run) == number for run in runs for number in wanted.digits) or any(
        re.search(rf"(?<!\d){number}(?!\d)", text) for number in wanted.digits
    )


def _other_letters(text: str, flat: str, wanted: _Wanted) -> bool:
    """Names with their umlauts written out or not, romanised, or of two letters."""
    out = flat if text.isascii() else _letters(_written_out(text))
    if out != flat and any(phrase in out for phrase in wanted.phrases):
        return True
    if wanted.blurred and not wanted.blurred.isdisjoint(map(blurred, {*flat.split(), *out.split()})):
        return True
    if wanted.spellings and any(spelling.search(flat) for spelling in wanted.spellings):
        return True
    return two_letters(text, wanted.short)
