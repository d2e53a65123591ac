"""The words of a folded text as the vocabulary gate sees them: what each is, and whether it begins a sentence."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from string import ascii_lowercase, ascii_uppercase

from curate.deid.text import roles
from curate.deid.text.codes import is_code_known
from curate.deid.text.fold import BARRIER
from curate.deid.text.needs import Span
from curate.deid.text.vocabulary import Kind, kind

_TOKEN = re.compile(rf"({BARRIER}|[^\W_]+(?:['.](?=[^\W_])[^\W_]+)*)")
_PLAIN_TOKEN = re.compile(rf"({BARRIER}|[A-Za-z0-9]+(?:['.][A-Za-z0-9]+)*)")  # the same for ASCII
_BREAK = re.compile(r"[.!?:;\n()\[\]{}\"*=<>|\t]|(?:^|\s)[-+](?:\s|$)")
_ROMAN = re.compile(r"(?:I{2,3}|I[VX]|VI{1,3}|X{1,2}I{1,3}|XI?V|XVI{1,3}|XI?X|XX)[A-Da-d]?")  # segment IVa
_BEYOND: Span = (sys.maxsize, sys.maxsize, "")
_ALPHA, _DIGITS, _DOTS = range(3)  # shapes of a token
_SMALL, _LARGE = ascii_lowercase.encode(), ascii_uppercase.encode()
_LONGEST_SHORT = 4  # letters of a title that is cut short, as "Dr" and "Prof" are
_SHOUTED = 9  # as many capitals for each small letter


@dataclass(slots=True)
class Word:
    start: int
    end: int
    text: str
    lower: str
    kind: int
    first: bool  # begins a sentence, a line or a clause
    masked: bool = False
    settled: bool = False  # stays, whatever stands around it
    person: bool = False  # masked, and a name: pulls its neighbours along
    accented: bool = False  # the source writes it with letters beyond ASCII


def is_shouted(text: str) -> bool:
    """True for a text all in capitals."""
    plain = text.encode("ascii", "ignore")
    small = len(plain) - len(plain.translate(None, _SMALL))
    return len(plain) - len(plain.translate(None, _LARGE)) > _SHOUTED * small


def words_of(text: str, archive: frozenset[str], taken: Sequence[Span]) -> list[Word]:
    found: list[Word] = []
    add, next_taken, last = found.append, -1, len(taken)
    begun, reached, label = 0, 0, ""
    pieces = (_PLAIN_TOKEN if text.isascii() else _TOKEN).split(text)  # what stands between the tokens, and they
    ends = list(accumulate(map(len, pieces)))
    tokens = pieces[1::2]
    for gap, token, start, end, look in zip(
        pieces[::2], tokens, ends[::2], ends[1::2], map(_look, tokens), strict=False
    ):
        while reached <= start:
            next_taken += 1
            begun, reached, label = taken[next_taken] if next_taken < last else _BEYOND
        first = gap != " " and _breaks(gap)
        if first and found and gap in (".", ". ") and found[-1].text != BARRIER:
            first = _begins_behind(found[-1])
        if begun < end:
            add(Word(start, end, BARRIER, BARRIER, 0, first, label == "NAME", True, label == "NAME"))
            continue
        lower, what, settled, shape = look
        if shape == _ALPHA:
            if archive and lower in archive and not what & Kind.NAME:
                what, settled = what | Kind.KNOWN | Kind.CLINICAL, True
            add(Word(start, end, token, lower, what, first, False, settled, False))
        elif shape == _DIGITS:
            known = is_code_known(text, start, end) or token.lower() in archive
            add(Word(start, end, token, "0", Kind.KNOWN, first, not known, True, False))
        else:
            found += _dotted(start, token, first, archive)
    if found:
        found[0].first = True
    return found


def _begins_behind(before: Word) -> bool:
    """Behind a full stop: not in "Dr. Young", nor in "J. Young"."""
    if before.lower in roles.TITLES:
        return len(before.text) > _LONGEST_SHORT
    return before.first if len(before.text) == 1 and before.text.isalpha() else True


@lru_cache(maxsize=4096)
def _breaks(gap: str) -> bool:
    return _BREAK.search(gap) is not None


def _dotted(start: int, token: str, first: bool, archive: frozenset[str]) -> Iterator[Word]:
    """ "follow.The" and "1.No" are two words, with a sentence's end between them."""
    for piece in token.split("."):
        lower, what, settled, shape = _look(piece)
        if shape == _DIGITS:
            what, settled = Kind.KNOWN, True
        elif lower in archive and not what & Kind.NAME:
            what, settled = what | Kind.KNOWN | Kind.CLINICAL, True
        yield Word(start, start + len(piece), piece, lower, what, first, False, settled, False)
        start, first = start + len(piece) + 1, True


@lru_cache(maxsize=100_000)
def _look(piece: str) -> tuple[str, int, bool, int]:
    """A token as it is looked up, what it is, whether it stays whatever stands around it, and its shape."""
    if any(map(str.isdigit, piece)):
        pieces = piece.split(".")
        listed = (
            len(pieces) > 1 and any(p.isdigit() for p in pieces) and any(p.isalpha() and len(p) > 1 for p in pieces)
        )
        return ("", 0, False, _DOTS) if listed else ("0", 0, False, _DIGITS)  # "1.No" is a list's number and a word
    if "." in piece:
        return "", 0, False, _DOTS
    lower = piece.lower()
    if _ROMAN.fullmatch(piece):
        return lower, Kind.KNOWN | Kind.CLINICAL, True, _ALPHA
    if lower.endswith("'s") and len(lower) > 3:
        lower = lower[:-2]
    what = kind(lower)
    if not what & Kind.KNOWN and "'" in lower and all(kind(p) & Kind.KNOWN for p in lower.split("'") if len(p) > 2):
        what |= Kind.KNOWN
    if len(piece) == 1:
        return lower, what, (piece.isascii() and not piece.isupper()) or _is_letter_kept(piece), _ALPHA
    plain = what & Kind.KNOWN and not what & (Kind.FREQUENT if piece.islower() else Kind.NAME) and not piece.istitle()
    return lower, what, bool(plain) or lower in roles.TITLES, _ALPHA


def _is_letter_kept(ch: str) -> bool:
    """Greek letters stand for angles and receptors; other signs are no word."""
    return "\u0391" <= ch <= "\u03c9" or not ch.isalpha() or ch in "µªº"
