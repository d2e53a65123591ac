"""How much of a text is gone after it was scrubbed: a text of mostly placeholders teaches nothing, and is withheld."""

from __future__ import annotations

import re

from curate.deid.patterns.months import MONTH, WEEKDAY
from curate.deid.rules import PLACEHOLDER
from curate.deid.text.fold import fold_value, tidy
from curate.errors import DropRecord
from curate.memory import once
from curate.record import Reason

_WORD = re.compile(r"\b[^\W\d_]{2,}(?:['’-][^\W\d_]+)*\b")
_TITLES = """am pm st nd rd th dr mr mrs ms md prof med herr frau fr hr sr sra srta dra don dona mme mlle monsieur
madame
sig sigra dott dottssa mevr mw dhr drs uhr uur ore horas heures"""
_COUNTED_NOT = re.compile(rf"(?:{MONTH}|{WEEKDAY}|{'|'.join(_TITLES.split())})", re.IGNORECASE)
_FEWEST = 5  # masked words; two names and a street in a short text are no sign


def masked_words(source: str, scrubbed: str) -> tuple[int, int]:
    """(words of ``source`` that are gone from ``scrubbed``, words of ``source``).

    Words are two and more letters without a digit; those of dates and titles, of all seven languages, do not count. A
    placeholder counts the
    words that it stands for, however many fell into one; what stood as a placeholder in the source is nobody's.
    """
    words = _count(tidy(source))
    return max(0, words - _count(scrubbed)), words


def exceeds(gone: int, words: int, most: float) -> bool:
    """Is more than the share ``most`` of the words gone, and more than a few?"""
    return gone >= _FEWEST and gone > most * words


def require_words_left(gone: int, words: int, most: float) -> None:
    """DropRecord(MASKED) where it `exceeds` the share ``most``."""
    if exceeds(gone, words, most):
        raise DropRecord(Reason.MASKED)


def _count(text: str) -> int:
    return sum(once(_counts, word) for word in _WORD.findall(PLACEHOLDER.sub(" ", text)))


def _counts(word: str) -> bool:
    return _COUNTED_NOT.fullmatch(fold_value(word)) is None
