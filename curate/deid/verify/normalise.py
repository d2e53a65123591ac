"""The verifier's normalisation of text: what differs in case, accents, spaces and broken words alone is the same."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

BARRIER = "\x1e"  # between texts that are searched together: no phrase crosses it
_TWO = {"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe", "æ": "ae", "œ": "oe"}
_OTHER = str.maketrans({"ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i"})
_APOSTROPHES = "'’`´"


def _ascii_table() -> dict[int, str]:
    table = {}
    for code in range(128):
        ch = chr(code)
        if ch.isalnum():
            table[code] = ch.lower()
        elif ch in "\n\t\r" or code >= 32:
            table[code] = "'" if ch in _APOSTROPHES else " "
        else:
            table[code] = ""
    return {**table, ord(BARRIER): " | ", 127: ""}


_ASCII = _ascii_table()


def normalise(text: str) -> str:
    """Case- and accent-free words of letters and digits, one space between, one at each end; "|" for a barrier."""
    letters_only = text.translate(_ASCII) if text.isascii() else "".join(_normalised(text))
    words = f"{letters_only} ".replace("'s ", " ").replace("'", "")
    return f" {' '.join(words.split())} "


def _normalised(text: str) -> Iterator[str]:
    flat = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold()).translate(_OTHER)
    for ch in flat:
        kind = unicodedata.category(ch)
        if ch == BARRIER:
            yield " | "
        elif kind[0] in "LN":
            yield ch
        elif kind not in ("Mn", "Cf", "Cc") or ch in "\n\t\r":
            yield "'" if ch in _APOSTROPHES else " "


def has_any(text: str, words: Iterable[str]) -> bool:
    """False if a pattern without case that needs one of ``words``, in lower case, matches nowhere in ``text``: what a
    text may hold is asked before it is searched. True for letters beyond ASCII, whose capitals are many."""
    lower = text.lower()
    return not text.isascii() or any(word in lower for word in words)


def expand_umlauts(text: str) -> str:
    """Umlauts and ligatures written out as two letters."""
    composed = unicodedata.normalize("NFKC", text).casefold()
    return "".join(_TWO.get(ch, ch) for ch in composed)


def plain(text: str) -> str:
    """Accents and zero-width characters gone, wide forms narrow; case and punctuation as they were."""
    if text.isascii():
        return text
    flat = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text))
    return "".join(ch for ch in flat if unicodedata.category(ch) not in ("Mn", "Cf"))


def join_broken_words(text: str) -> str:
    """Words broken by a line end, a hyphen or a no-break space joined again."""
    return re.sub(r"(?<=\w)-?\s*\n\s*(?=\w)|(?<=\w)[-\u00a0](?=\w)", "", text)


def join_spaced_letters(text: str) -> str:
    """Spaced-out letters joined: "S M I T H"."""
    return re.sub(r"\b(\w)[ .](?=\w\b)", r"\1", text)


def fold_umlauts(word: str) -> str:
    """A form that is equal for Mueller and Muller, Haakon and Hakon."""
    return re.sub(r"a[ae]+|(?<=[ou])e+", lambda hit: hit[0][0] if hit[0][0] == "a" else "", word)


def in_capitals(text: str) -> str:
    """A text in small letters in capitals, letter by letter: what follows a title is a name; others as they are."""
    return "".join(ch.upper() if len(ch.upper()) == 1 else ch for ch in text) if text.islower() else text
