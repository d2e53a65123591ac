"""Whether a text is in English: one that is not is withheld whole, since the vocabulary would mask most of its words.

Every word is one of seven kinds: what builds English sentences, what the vocabulary knows, what the languages of
`data/foreign.txt` say, both of these, a name, or unknown, with a capital or without. A logistic regression over the
seven counts tells English from the rest, so that one word decides nothing and a short text is told by its few words;
`benchmarks/deid/languages.py` fits it and measures it. Headings, case and accents do not matter, and the words that an
archive's patients share do not count: in a German archive "kein" is such a word.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache

from curate.deid.text.fold import fold_value
from curate.deid.text.tokens import is_shouted
from curate.deid.text.vocabulary import Kind, kind, word_sections
from curate.errors import DropRecord
from curate.record import Reason

KINDS = ("function", "known", "shared", "foreign", "name", "unknown", "capital")
_FUNCTION, _KNOWN, _SHARED, _FOREIGN, _NAME, _UNKNOWN, _CAPITAL = range(len(KINDS))
WEIGHTS = (-1.1, -0.8, -0.55, 2.1, -0.65, 1.85, 0.5)  # log-odds a word; as fitted, rounded
BIAS = -1.5
_FEWEST = 2  # words that speak against English; one may be a misspelling
_PIECE = 6  # words of a sentence that is judged by itself, in a text that is English as a whole
_CLEAR = 2.0  # log-odds that such a sentence has to reach

_WORD = re.compile(r"[^\W\d_]{2,}")
# Addresses; what another de-identifier took out; the headings of a form, which are English in many a foreign report.
_NO_WORD = re.compile(
    r"(?<!\S)\S*(?:://|@|www\.)\S*|\b[xX]{2,}\b|(?:^|(?<=[.;]))[ \t]*[^\W\d_]+(?: [^\W\d_]+){0,2}:", re.MULTILINE
)
_SENTENCE = re.compile(r"(?<=[.!?;])\s+|\n+")
_MOST_NON_LATIN = 0.2  # of the letters outside the Latin alphabet
_FEWEST_LETTERS = 4
_FEWEST_IN_CELL, _FEWEST_LETTERS_IN_CELL = 10, 12
_SCRIPTS = (("\u0370", "\u03ff", "Greek"), ("\u0400", "\u052f", "Cyrillic"), ("\u0590", "\u05ff", "Hebrew"),
            ("\u0600", "\u06ff", "Arabic"), ("\u0900", "\u0dff", "Indic"), ("\u0e00", "\u0e7f", "Thai"),
            ("\u3040", "\u30ff", "Japanese"), ("\u4e00", "\u9fff", "Chinese or Japanese"),
            ("\uac00", "\ud7af", "Korean"))  # fmt: skip


def require_known_language(text: str, *, report: bool = True) -> None:
    """DropRecord(LANGUAGE) where ``text``, or a long sentence of it, is in another language than English.

    A ``report`` is judged however short it is; any other text (a cell of a table, which may be a name) from ten words
    on, or where it is written in another script.
    """
    judged = report or len(text.split()) >= _FEWEST_IN_CELL or _script(text, _FEWEST_LETTERS_IN_CELL) is not None
    if judged and foreign_language(text) is not None:
        raise DropRecord(Reason.LANGUAGE)


def foreign_language(text: str) -> str | None:
    """The name of the language that ``text`` is in, "unknown" where it is none of the list; None for English, and for
    a text too short to tell."""
    script = _script(text)
    if script is not None:
        return script
    pieces = [piece for piece in _SENTENCE.split(text) if piece]
    counts = [word_counts(piece) for piece in pieces]
    whole = [sum(column) for column in zip(*counts, strict=True)] or [0] * len(KINDS)
    if _against(whole) >= _FEWEST and log_odds(whole) > 0:
        return _name(text)
    for piece, found in zip(pieces, counts, strict=True):
        if sum(found) >= _PIECE and found[_FOREIGN] >= _FEWEST and log_odds(found) > _CLEAR:
            return _name(piece)
    return None


def log_odds(counts: Sequence[int]) -> float:
    """Of another language against English, for words counted by kind (`word_counts`)."""
    return BIAS + sum(weight * n for weight, n in zip(WEIGHTS, counts, strict=True))


def word_counts(text: str) -> list[int]:
    """How many words of each of `KINDS`; capitals say nothing in a text that is all in capitals."""
    shouted = is_shouted(text)
    counts = [0] * len(KINDS)
    for word in _WORD.findall(_NO_WORD.sub(" ", unicodedata.normalize("NFC", text))):
        counts[_kind_here(word, shouted)] += 1
    return counts


def language_preview(texts: Iterable[str]) -> list[str]:
    """What `curate plan` says of a sample of reports: lines like "language: 70 of 70 reports look German: they would
    be withheld"; none where all are in English. No word of a text is in them."""
    looked = [foreign_language(text) for text in texts]
    found = Counter(name for name in looked if name is not None)
    return [
        f"language: {n:,} of {len(looked):,} reports look {'unlike English' if name == 'unknown' else name}: "
        "they would be withheld"
        for name, n in sorted(found.items(), key=lambda item: (-item[1], item[0]))
    ]


def _kind_here(word: str, shouted: bool) -> int:
    """The kind of a word as it stands: a name in small letters is none, and no English word has an accent."""
    low = word.lower()
    found = _kind(fold_value(low))
    if found == _SHARED and not low.isascii():
        return _FOREIGN
    if found == _NAME and word == low:
        found = _UNKNOWN
    return _CAPITAL if found == _UNKNOWN and word != low and not shouted else found


def _against(counts: Sequence[int]) -> int:
    return counts[_FOREIGN] + counts[_UNKNOWN] + counts[_CAPITAL]


def _script(text: str, fewest: int = _FEWEST_LETTERS) -> str | None:
    if text.isascii():
        return None
    letters = [c for c in text if c.isalpha()]
    beyond = [c for c in letters if c > "\u024f" and not "\u1e00" <= c <= "\u1eff"]
    if len(beyond) < fewest or len(beyond) <= _MOST_NON_LATIN * len(letters):
        return None
    names = Counter(name for c in beyond for first, last, name in _SCRIPTS if first <= c <= last)
    if names["Japanese"]:
        return "Japanese"
    return max(sorted(names), key=names.__getitem__, default="unknown")


def _name(text: str) -> str:
    """The language of most of the words; only asked once it is known that the text is not in English."""
    votes: Counter[str] = Counter()  # a word of one language alone says most
    for word in _WORD.findall(fold_value(text).lower()):
        if _kind(word) in (_FOREIGN, _SHARED):
            languages = _languages().get(word, ())
            votes.update({name: 12 // len(languages) for name in languages})
    return max(sorted(votes), key=votes.__getitem__, default="unknown")


@lru_cache(maxsize=200_000)
def _kind(word: str) -> int:
    hand = word_sections("radiology")
    if word in _languages():
        usual = any(word in words for words in (hand["function"], hand["plain"], hand["medical"], _shared()))
        return _SHARED if usual else _FOREIGN
    if word in hand["function"]:
        return _FUNCTION
    found = kind(word)
    if found & (Kind.KNOWN | Kind.EPONYM):
        return _KNOWN
    return _NAME if found & Kind.NAME else _UNKNOWN


@cache
def _shared() -> frozenset[str]:
    return word_sections("foreign")["shared"]


@cache
def _languages() -> dict[str, tuple[str, ...]]:
    """Each folded word, in both ways of writing its letters (für: fur, fuer), and the languages that have it."""
    found: dict[str, dict[str, None]] = {}
    for language, words in word_sections("foreign").items():
        if language not in ("", "shared"):
            for word in sorted(words):
                for form in (fold_value(word), fold_value(word, wide=True)):
                    found.setdefault(form.lower(), {})[language] = None
    return {word: tuple(languages) for word, languages in found.items()}
