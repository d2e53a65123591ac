"""Text as it is matched: one plain character for every way of writing it, with the way back to the original.

Rules look at the folded text and their spans are cut out of the original, so clinical text keeps its own characters.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from functools import lru_cache

from curate.deid.known.roman import PLAINEST

BARRIER = "\0"  # stands for a placeholder while matching: `tidy` has removed every other control character
_LETTERS = str.maketrans(
    {"ß": "ss", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ð": "d", "Ð": "D", "æ": "ae", "Æ": "AE"}
    | {"œ": "oe", "Œ": "OE", "ı": "i", "þ": "th", "Þ": "TH", "ħ": "h", "Ħ": "H", "ŋ": "n", "ʼ": "'"}
)
# The other way to write them: an umlaut's dots are an e, a ring is an a, Cyrillic and Greek are Latin letters.
_WIDE = str.maketrans({"ø": "oe", "Ø": "Oe"} | PLAINEST)
_MARKS = {"\u0308": "e", "\u030a": "a"}
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_NO_TEXT = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\U0010ffff]")  # may be
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]+")
_QUOTES = frozenset("‘’‛′´`＇")


def tidy(text: str) -> str:
    """``text`` without what cannot be seen: control and format characters (zero-width, soft hyphens, direction marks).

    Line ends become \\n; lone surrogates, private-use and unassigned characters become U+FFFD.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if text.isascii() and _CONTROL.search(text) is None:
        return text
    return _NO_TEXT.sub(lambda hit: _visible(hit[0]), text)


@lru_cache(maxsize=8192)
def _visible(ch: str) -> str:
    if ch in "\n\t":
        return ch
    if ch in "\x0b\x0c\x85\u2028\u2029":
        return "\n"
    category = unicodedata.category(ch)
    if category in ("Cc", "Cf"):
        return ""
    return "\ufffd" if category in ("Cs", "Co", "Cn") else ch


@lru_cache(maxsize=8192)
def _plain(ch: str) -> str:
    """One character without accent, width or typographic variety: empty for a combining mark."""
    if ch in _QUOTES:
        return "'"
    category = unicodedata.category(ch)
    if category == "Pd":
        return "-"
    if category == "Zs":
        return " " if ch == " " else "\xa0"
    parts = unicodedata.normalize("NFKD", ch).translate(_LETTERS)
    return "".join(c for c in parts if unicodedata.category(c) != "Mn")


@lru_cache(maxsize=8192)
def _wide(ch: str) -> str:
    """As `_plain`, in the other way of writing letters that have one: Mueller, Soerensen, Haakon, Petrov."""
    parts = unicodedata.normalize("NFKD", ch)
    if parts[0] in PLAINEST or parts in "øØ":
        return parts[0].translate(_WIDE)
    if parts in _MARKS:  # a letter and its mark written apart
        return _MARKS[parts]
    marked = len(parts) == 2 and parts[0] in "aouAOU"
    return _plain(ch) + (_MARKS.get(parts[1], "") if marked else "")


def has_wide(text: str) -> bool:
    """True if ``text`` holds letters with another way of writing them."""
    return not text.isascii() and any(_wide(ch) != _plain(ch) for ch in set(text) if ch > "\x7f")


def fold_value(value: str, *, wide: bool = False) -> str:
    """A header value as it is matched against folded text."""
    if value.isascii():
        return tidy(value).replace("`", "'")
    return "".join(map(_wide if wide else _plain, tidy(value)))


def fold(text: str, protect: re.Pattern[str], *, wide: bool = False) -> tuple[str, Sequence[int]]:
    """(folded, index): folded[i] came from text[index[i]]; index[len(folded)] is len(text).

    What ``protect`` matches (a placeholder) is one BARRIER, so that no rule can reach into it or across it. ``wide``
    writes ü as ue and Петров as Petrov instead of u and as it is.
    """
    folded: list[str] = []
    index: list[int] = []
    text = text.replace("`", "'")
    if text.isascii() and protect.search(text) is None:
        return text, range(len(text) + 1)
    at = 0
    for hit in protect.finditer(text):
        _append(text[at : hit.start()], at, folded, index, _wide if wide else _plain)
        folded.append(BARRIER)
        index.append(hit.start())
        at = hit.end()
    _append(text[at:], at, folded, index, _wide if wide else _plain)
    index.append(len(text))
    return "".join(folded), index


def _append(piece: str, start: int, folded: list[str], index: list[int], letter: Callable[[str], str]) -> None:
    at = 0
    for hit in _BEYOND_ASCII.finditer(piece) if not piece.isascii() else ():
        begin, end = hit.span()
        folded.append(piece[at:begin])
        index.extend(range(start + at, start + begin))
        for i in range(begin, end):
            plain = letter(piece[i])
            folded.append(plain)
            index.extend([start + i] * len(plain))
        at = end
    folded.append(piece[at:])
    index.extend(range(start + at, start + len(piece)))
