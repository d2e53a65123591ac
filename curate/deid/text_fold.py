"""Text as it is matched: one plain character for every way of writing it, with the way back to the original.

Rules look at the folded text and their spans are cut out of the original, so clinical text keeps its own characters.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

BARRIER = "\0"  # stands for a placeholder while matching: `tidy` has removed every other control character
_LETTERS = str.maketrans(
    {"ß": "ss", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ð": "d", "Ð": "D", "æ": "ae", "Æ": "AE"}
    | {"œ": "oe", "Œ": "OE", "ı": "i", "þ": "th", "Þ": "TH", "ħ": "h", "Ħ": "H", "ŋ": "n", "ʼ": "'"}
)
_QUOTES = frozenset("‘’‛′´`＇")


def tidy(text: str) -> str:
    """``text`` without what cannot be seen: control and format characters (zero-width, soft hyphens, direction marks).

    Line ends become \\n; lone surrogates, private-use and unassigned characters become U+FFFD.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if text.isascii() and text.isprintable():
        return text
    return "".join(_visible(ch) for ch in text)


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


def fold_value(value: str) -> str:
    """A header value as it is matched against folded text."""
    return "".join(map(_plain, tidy(value)))


def fold(text: str, protect: re.Pattern[str]) -> tuple[str, list[int]]:
    """(folded, index): folded[i] came from text[index[i]]; index[len(folded)] is len(text).

    What ``protect`` matches (a placeholder) is one BARRIER, so that no rule can reach into it or across it.
    """
    folded: list[str] = []
    index: list[int] = []
    at = 0
    for hit in protect.finditer(text):
        _append(text, at, hit.start(), folded, index)
        folded.append(BARRIER)
        index.append(hit.start())
        at = hit.end()
    _append(text, at, len(text), folded, index)
    index.append(len(text))
    return "".join(folded), index


def _append(text: str, start: int, end: int, folded: list[str], index: list[int]) -> None:
    piece = text[start:end]
    if piece.isascii():
        folded.append(piece)
        index.extend(range(start, end))
        return
    for i, ch in enumerate(piece, start):
        plain = _plain(ch)
        folded.append(plain)
        index.extend([i] * len(plain))
