"""Bytes of report files as text, or as nothing: which encoding they are in is proven, never guessed.

Text is UTF-8, UTF-16 or UTF-32 where a byte-order mark says so, or UTF-16 where its zero bytes do. In a file that mixes
encodings, as exports from several systems do, each value is decided alone: bytes that are not UTF-8 are read as cp1252
only where all of the value can be, so one bad row spoils no other and nothing is read as what it is not.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import datetime as dt
import json
import re
import unicodedata
from contextlib import suppress
from typing import Any

from curate.errors import DropRecord
from curate.record import Reason

HEAD = 4096  # bytes that show the encoding
_DEEPEST = 32  # of nested values
_SURROGATE = re.compile("[\ud800-\udfff]")
_WHITE = re.compile("[\t\n\v\f\r]+")
# signs between letters, and capitals between small ones
_OF_ANOTHER = re.compile(
    r"(?<=[^\W\d_])[„”“‚ˆ‰˜§¶³¹¤¢£¥¡¿¦¬†‡¼½¾](?=[^\W\d_])|(?<![A-Z][a-z])(?<=[a-zß-ÿ])[À-ÖØ-ÞŠŽŒŸ](?=[a-zß-ÿ])|(?:^|\s)[ˆ‰](?:\s|$)"
)
_NO_TEXT = frozenset(("Cc", "Co", "Cn"))  # control, private and unassigned characters
_MARKS = (  # UTF-32's begins as UTF-16's does
    (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip


def text_encoding(head: bytes) -> tuple[str, str]:
    """(codec, error handler) of a text that begins with ``head``. Bytes that are not UTF-8 become surrogates (PEP 383),
    for `mend` to judge value by value."""
    for mark, codec in _MARKS:
        if head.startswith(mark):
            return codec, "surrogatepass"
    text = head.rstrip(b"\0")  # what fills a file up says nothing
    pairs = len(text) // 2
    even, odd = text[: 2 * pairs : 2].count(0), text[1 : 2 * pairs : 2].count(0)
    # Latin letters, digits and separators have a zero byte each; more than a stray one on the other side is no text
    if pairs >= 4 and max(even, odd) * 5 >= pairs and min(even, odd) * 50 <= pairs:
        codec = "utf-16-le" if odd > even else "utf-16-be"
        if _NO_TEXT.isdisjoint(map(unicodedata.category, _WHITE.sub("", head.decode(codec, "ignore")))):
            return codec, "surrogatepass"
    return "utf-8-sig", "surrogateescape"


def decode(raw: bytes) -> str | None:
    """``raw`` as text; None where it is in no encoding that can be told."""
    codec, errors = text_encoding(raw[:HEAD])
    try:
        return mend(raw.decode(codec, errors))
    except UnicodeDecodeError:
        return None


def from_base64(text: str) -> str:
    """The text that ``text`` holds; DropRecord BROKEN_ROW where it is no base64, BAD_ENCODING as `decode`."""
    raw, found = None, None
    with suppress(binascii.Error, ValueError):
        raw = base64.b64decode("".join(text.split()), validate=True)
        found = decode(raw) if raw else ""
    if found is None:
        raise DropRecord(Reason.BROKEN_ROW if raw is None else Reason.BAD_ENCODING)
    return found


def mend(text: str) -> str | None:
    """``text``, decoded as UTF-8 with escaped bytes (PEP 383), made whole; None where that would be a guess.

    Escaped bytes are cp1252 where the value holds no UTF-8 beside them, all of its bytes are assigned in cp1252 (else
    latin-1 would make them C1 controls), they are few, as accents are, and none makes a sign of a letter within a word:
    "Gr”áe" was written in a code page of DOS, "z³amania" in that of Central Europe. NUL at an end is padding, as in
    DICOM; within it is a sign of another encoding.
    """
    if "\0" in text and "\0" in (text := text.strip("\0")):
        return None
    if text.isascii() or not _SURROGATE.search(text):
        return text
    if any("\x80" <= c < "\udc80" or c > "\udcff" for c in text):
        return None
    try:
        mended = text.encode("ascii", "surrogateescape").decode("cp1252")
    except UnicodeDecodeError:
        return None
    if _OF_ANOTHER.search(mended):
        return None
    strange = sum(not c.isascii() for c in mended)
    return mended if strange * 3 <= len(mended) or len(mended) <= 16 else None


def mended(record: dict[str, Any]) -> dict[str, Any] | Reason:
    """Every string of the record whole, at any depth; BAD_ENCODING where one cannot be, BROKEN_ROW where too deep."""
    try:
        return {_all(key, 0): _all(value, 1) for key, value in record.items()}
    except DropRecord as dropped:
        return dropped.reason


def _all(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        if value.isascii() and "\0" not in value:
            return value
        whole = mend(value)
        if whole is None:
            raise DropRecord(Reason.BAD_ENCODING)
        return whole
    if depth > _DEEPEST:
        raise DropRecord(Reason.BROKEN_ROW)
    if isinstance(value, dict):
        return {_all(str(k), depth): _all(v, depth + 1) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_all(v, depth + 1) for v in value]
    return value


def as_string(value: object) -> str:
    """A cell as text: null and NaN are "", a whole float an integer (a column of ids with gaps becomes floats), a
    time at midnight a day."""
    if isinstance(value, str):
        return value
    if value is None or value != value:
        return ""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:  # beyond, the digits are another's
        return str(int(value))
    if isinstance(value, dt.datetime):
        return value.date().isoformat() if value.time() == dt.time() else value.isoformat(" ")
    if isinstance(value, list):
        return "; ".join(map(as_string, value))
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False, sort_keys=True, default=repr)
    return str(value)
