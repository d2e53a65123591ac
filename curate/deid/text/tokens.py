"""The words of a folded text as the vocabulary gate sees them: what each is, and whether it begins a sentence."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from string import ascii_lowercase, ascii_uppercase

from curate.deid.text import roles
from curate.deid.text.codes import is_code_known
from curate.deid.text.fold import BARRIER
from curate.deid.text.rules import Span
from curate.deid.text.vocabulary import Kind, kind

_TOKEN = re.compile(rf"({BARRIER}|[^\W_]+(?:['.](?=[^\W_])[^\W_]+)*)")
_BREAK = re.compile(r"[.!?:;\n()\[\]{}\"*=<>|\t]|(?:^|\s)[-+](?:\s|$)")
_BEYOND: Span = (sys.maxsize, sys.maxsize, "")
_ALPHA, _DIGITS, _DOTS = range(3)  # shapes of a token
_SMALL, _LARGE = ascii_lowercase.encode(), ascii_uppercase.encode()
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


def is_shouted(text: str) -> bool:
    """True for a text all in capitals."""
    plain = text.encode("ascii", "ignore")
    small = len(plain) - len(plain.translate(None, _SMALL))
    return len(plain) - len(plain.translate(None, _LARGE)) > _SHOUTED * small


def words_of(text: str, archive: frozenset[str], taken: Sequence[Span]) -> list[Word]:
    found: list[Word] = []
    at, next_taken, last = 0, -1, len(taken)
    begun, reached, label = 0, 0, ""
    pieces = _TOKEN.split(text)  # what stands between the tokens, and they
    for n in range(1, len(pieces), 2):
        gap, token = pieces[n - 1], pieces[n]
        start = at + len(gap)
        end = start + len(token)
        while reached <= start:
            next_taken += 1
            begun, reached, label = taken[next_taken] if next_taken < last else _BEYOND
        first = at == 0 or (gap != " " and _breaks(gap))
        if first and found and gap in (".", ". ") and found[-1].text != BARRIER:
            before = found[-1]
            if before.lower in roles.TITLES:  # "Dr. Young"
                first = False
            elif len(before.text) == 1:  # "J. Young"
                first = before.first
        at = end
        if begun < end:
            person = label == "NAME"
            found.append(Word(start, end, BARRIER, BARRIER, 0, first, person, True, person))
            continue
        lower, what, settled, shape = _look(token)
        if shape == _ALPHA:
            if archive and lower in archive and not what & Kind.NAME:
                what, settled = what | Kind.KNOWN | Kind.CLINICAL, True
            found.append(Word(start, end, token, lower, what, first, False, settled, False))
        elif shape == _DIGITS:
            known = is_code_known(text, start, end) or token.lower() in archive
            found.append(Word(start, end, token, "0", Kind.KNOWN, first, not known, True, False))
        else:
            found += _dotted(start, token, first, archive)
    return found


@lru_cache(maxsize=4096)
def _breaks(gap: str) -> bool:
    return _BREAK.search(gap) is not None


def _dotted(start: int, token: str, first: bool, archive: frozenset[str]) -> Iterator[Word]:
    """ "follow.The" is two words, with a sentence's end between them."""
    for piece in token.split("."):
        lower, what, settled, _ = _look(piece)
        if lower in archive and not what & Kind.NAME:
            what, settled = what | Kind.KNOWN | Kind.CLINICAL, True
        yield Word(start, start + len(piece), piece, lower, what, first, False, settled, False)
        start, first = start + len(piece) + 1, True


@lru_cache(maxsize=100_000)
def _look(piece: str) -> tuple[str, int, bool, int]:
    """A token as it is looked up, what it is, whether that settles it, and its shape."""
    if any(map(str.isdigit, piece)):
        return "0", 0, False, _DIGITS
    if "." in piece:
        return "", 0, False, _DOTS
    lower = piece.lower()
    if lower.endswith("'s") and len(lower) > 3:
        lower = lower[:-2]
    what = kind(lower)
    if not what & Kind.KNOWN and "'" in lower and all(kind(p) & Kind.KNOWN for p in lower.split("'") if len(p) > 2):
        what |= Kind.KNOWN
    if len(piece) == 1:
        return lower, what, piece.isascii() or _is_letter_kept(piece), _ALPHA
    known = bool(what & Kind.KNOWN)
    plain = known and not what & Kind.FREQUENT and piece.islower()
    clinical = known and what & Kind.CLINICAL and not what & (Kind.NAME | Kind.BOUND) and lower not in roles.PLACES
    if clinical and piece.istitle():  # capitalised, a word that only the large lists know may be a name that looks so
        clinical = bool(what & Kind.BY_HAND and not what & Kind.SHORT) or lower in roles.CAPITALS
    function = what & Kind.FUNCTION and not (what & Kind.NAME and piece.istitle())
    return lower, what, bool(plain or clinical or function or lower in roles.TITLES), _ALPHA


def _is_letter_kept(ch: str) -> bool:
    """Greek letters stand for angles and receptors; other signs are no word."""
    return "\u0391" <= ch <= "\u03c9" or not ch.isalpha() or ch in "µªº"
