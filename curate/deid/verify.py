"""The second reader: does anything that identifies survive in what is about to be written?

It shares no code and no patterns with the scrubber (`text*.py`) nor with the header cleaner: another normalisation,
another idea of what a name or a date is, so that a mistake there is not repeated here. It also reads the container: an
image file may hold pixels and nothing else.
"""

from __future__ import annotations

import re
import struct
import unicodedata
import zlib
from collections.abc import Iterator, Sequence
from datetime import date

_PART = 4  # name parts shorter than this are met by chance in any text
_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_CHUNKS = (b"IHDR", b"PLTE", b"IDAT", b"IEND")
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
    """
    wanted = _Wanted(phi)
    return any(_output_leaks(output, wanted) for output in outputs)


class _Wanted:
    """The searches that ``phi`` asks for: words and phrases of letters and digits, digit runs."""

    def __init__(self, phi: Sequence[str]) -> None:
        phrases: dict[str, None] = {}
        digits: dict[str, None] = {}
        for value in phi:
            phrases.update(dict.fromkeys(_phrases(value)))
            digits.update(dict.fromkeys(_digit_runs(value)))
        self.phrases = [f" {p} " for p in phrases]
        self.joined = [p for phrase in phrases if len(p := phrase.replace(" ", "")) > 7 and not p.isdigit()]
        self.digits = list(digits)


def _letters(text: str) -> str:
    """Case- and accent-free words of letters and digits, one space between, one at each end."""
    flat = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    kept = []
    for ch in flat:
        kind = unicodedata.category(ch)
        if kind[0] in "LN":
            kept.append(ch)
        elif kind not in ("Mn", "Cf", "Cc") or ch in "\n\t\r":
            kept.append("'" if ch in "'’`´" else " ")
    words = f"{''.join(kept)} ".replace("'s ", " ").replace("'", "")
    return f" {' '.join(words.split())} "


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


def _output_leaks(output: str | bytes, wanted: _Wanted) -> bool:
    if isinstance(output, str):
        return _text_leaks(output, wanted)
    if output.startswith(_PNG):
        return not _png_is_bare(output)
    if output.startswith(b"\xff\xd8"):
        return not _jpeg_is_bare(output)
    readings = [output.decode("latin-1"), output.decode("utf-8", "replace")]
    if b"\0" in output:
        readings += [output[i:].decode(code, "replace") for code in ("utf-16-le", "utf-16-be") for i in (0, 1)]
    return any(_text_leaks(reading, wanted) for reading in dict.fromkeys(readings))


def _text_leaks(text: str, wanted: _Wanted) -> bool:
    text = _LABEL.sub("[", text)  # someone may be called Name; what a shifted date says is still read
    flat = _letters(text)
    if any(phrase in flat for phrase in wanted.phrases):
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


def _png_is_bare(data: bytes) -> bool:
    """Only pixel chunks, right lengths and CRCs, exactly the pixels the header announces, nothing after the end."""
    at, order, packed = len(_PNG), [], []
    while at + 12 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        body = data[at + 8 : at + 8 + size]
        if kind not in _PNG_CHUNKS or data[at + 8 + size : at + 12 + size] != zlib.crc32(kind + body).to_bytes(
            4, "big"
        ):
            return False
        order.append((kind, body))
        packed += [body] if kind == b"IDAT" else []
        at += 12 + size
        if kind == b"IEND":
            break
    kinds = [kind for kind, _ in order]
    sound = kinds[:1] == [b"IHDR"] and kinds[-1:] == [b"IEND"] and kinds.count(b"IHDR") == 1 and at == len(data)
    if not sound or order[-1][1] or any(len(b) % 3 or len(b) > 768 for k, b in order if k == b"PLTE"):
        return False
    return _png_pixels_fit(order[0][1], b"".join(packed))


def _png_pixels_fit(header: bytes, packed: bytes) -> bool:
    if len(header) != 13:
        return False
    width, height, bits, colour, compression, filtering, interlace = struct.unpack(">IIBBBBB", header)
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(colour)
    if channels is None or compression or filtering or interlace:
        return False
    expected = height * (1 + (width * channels * bits + 7) // 8)
    inflater = zlib.decompressobj()
    try:
        got = inflater.decompress(packed, expected + 1)
    except zlib.error:
        return False
    return len(got) == expected and (inflater.eof or not inflater.flush()) and not inflater.unused_data


def _jpeg_is_bare(data: bytes) -> bool:
    """Only the markers that decoding needs, JFIF without a thumbnail and Adobe's 12 bytes, and EOI as the last byte."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker, size = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        body = data[at + 4 : at + 2 + size]
        if not _marker_allowed(marker, body) or len(body) != size - 2:
            return False
        at += 2 + size
        if marker == 0xDA:
            scan = re.compile(rb"\xff(?!\x00|[\xd0-\xd7]|\xff)").search(data, at)
            if scan is None:
                return False
            at = scan.start()
            if data[at + 1] == 0xD9:
                return at + 2 == len(data)
    return False


def _marker_allowed(marker: int, body: bytes) -> bool:
    if marker == 0xE0:
        return body[:5] == b"JFIF\0" and len(body) == 14
    if marker == 0xEE:
        return body[:5] == b"Adobe" and len(body) == 12
    return marker in (0xDB, 0xC4, 0xDA, 0xDD) or marker in (0xC0, 0xC1, 0xC2)
