"""Whether a text is of a language that the vocabulary knows: one that it does not know is withheld, not half masked."""

from __future__ import annotations

import re

from curate.deid.text.tokens import is_shouted
from curate.deid.text.vocabulary import Kind, kind
from curate.errors import DropRecord
from curate.record import Reason

_WORD = re.compile(r"[^\W\d_]{2,}")
_NO_LETTERS = {i: chr(i) if chr(i).isalpha() else " " for i in range(128)}
_FEWEST = 10  # words that may be judged
_MOST_UNKNOWN = 0.4  # of the words that are not capitalised; in English reports 0.00 to 0.15, in Spanish 0.5 to 0.8
_MOST_NON_LATIN = 0.2  # of the letters outside the Latin alphabet
_FEWEST_LETTERS = 12


def require_known_language(text: str, archive: frozenset[str] = frozenset()) -> None:
    """DropRecord(TEXT_UNPROVEN) where folded ``text`` is mostly of words or letters that the vocabulary does not know.

    Counted are words in small letters, whose share of names is small; all words of a text all in capitals. A short text
    passes: what is unknown in it is masked word by word.
    """
    lower = text.lower() if is_shouted(text) else text
    if not text.isascii():
        letters = [c for c in text if c.isalpha()]
        non_latin = sum(c > "\u024f" for c in letters)
        if non_latin >= _FEWEST_LETTERS and non_latin > _MOST_NON_LATIN * len(letters):
            raise DropRecord(Reason.TEXT_UNPROVEN)
    words = lower.translate(_NO_LETTERS).split() if lower.isascii() else _WORD.findall(lower)
    judged = [w for w in words if len(w) > 1 and w.islower()]
    unknown = {w for w in set(judged) if w not in archive and not kind(w) & (Kind.KNOWN | Kind.EPONYM)}
    if unknown and len(judged) >= _FEWEST and sum(w in unknown for w in judged) > _MOST_UNKNOWN * len(judged):
        raise DropRecord(Reason.TEXT_UNPROVEN)
