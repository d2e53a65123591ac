"""What a single word says of the language it is in: its rank among the frequent words of some thirty languages
(`data/languages/frequent.words`) and the words of reports written by hand (`data/foreign.txt`,
`data/languages/<code>.txt`), as log-odds against English, bounded, so that one word decides little."""

from __future__ import annotations

import math
from functools import cache, lru_cache

from curate.deid.text.fold import fold_value
from curate.deid.word_lists import word_sections
from curate.deid.words.lexicon import CODES, NAMES_OF, frequent_words, read_sections
from curate.deid.words.vocabulary import Kind, kind

UNKNOWN = "unknown"  # the code of a language that is not cleaned
NAMES = NAMES_OF | {
    "ca": "Catalan",
    "cs": "Czech",
    "da": "Danish",
    "fi": "Finnish",
    "fil": "Filipino",
    "hr": "Croatian",
    "hu": "Hungarian",
    "id": "Indonesian",
    "is": "Icelandic",
    "lt": "Lithuanian",
    "lv": "Latvian",
    "ms": "Malay",
    "nb": "Norwegian",
    "pl": "Polish",
    "ro": "Romanian",
    "sh": "Croatian",
    "sk": "Slovak",
    "sl": "Slovenian",
    "sv": "Swedish",
    "tr": "Turkish",
    "vi": "Vietnamese",
}
_OF_NAME = {name: code for code, name in NAMES.items() if code != "hr"} | {"Norwegian": "nb"}
FLOOR = -12.0  # log-probability of a word that a language's list does not have
_OFFSET = 20  # added to a rank: the first words of a list say hardly more than the twentieth
_BY_HAND = -8.5  # ... of a word that only the lists written by hand have
_NOT_ENGLISH = -14.0  # ... of one that English has in no list of the vocabulary either
_ENGLISH = 3.0  # log-odds that a word which builds English sentences speaks for it besides
_MOST = 5.0  # log-odds of one word at most, either way


@cache
def all_codes() -> tuple[str, ...]:
    return tuple(code for code in (*frequent_words(), "hr") if code != "en")


@lru_cache(maxsize=200_000)
def word_votes(word: str) -> tuple[float | None, tuple[tuple[str, float], ...], bool]:
    """(log-odds against English of a language that has not the word, what is to be added for each that has it, whether
    it is a sign of English); None for a word that no list has, and for a name."""
    folded = fold_value(word)
    ranks = word_ranks(folded)
    bits = kind(folded)
    english = ranks.get("en", FLOOR if bits & Kind.NAME else _NOT_ENGLISH)
    best = max((value for code, value in ranks.items() if code != "en"), default=FLOOR)
    if bits & Kind.FUNCTION and english > best:
        english += _ENGLISH  # the, of, with: other languages' lists have them from English they quote
    elif bits & Kind.CLINICAL and not bits & Kind.FUNCTION:
        english = max(english, best)  # Latin is everybody's
    elif bits & Kind.KNOWN:
        english = max(english, -10.0)
    if not ranks:
        return (None if not bits & (Kind.KNOWN | Kind.EPONYM) else -0.5), (), False
    if not word.isascii() and best > FLOOR:
        english = _NOT_ENGLISH  # no English word has an accent
    against = max(-_MOST, FLOOR - english)
    more = tuple(
        (code, max(-_MOST, min(_MOST, value - english)) - against) for code, value in ranks.items() if code != "en"
    )
    return against, more, bool(bits & Kind.FUNCTION) and english > best - 1.0


def word_ranks(folded: str) -> dict[str, float]:
    """The log-probability of a folded word in each of the languages that have it."""
    found = {
        code: max(-math.log(places[folded] + _OFFSET) - 1.5, FLOOR + 1)
        for code, places in _places().items()
        if folded in places
    }
    for code in _by_hand().get(folded, ()):
        found[code] = max(found.get(code, FLOOR), _BY_HAND)
    return found


@cache
def _places() -> dict[str, dict[str, int]]:
    """The rank of each of a language's frequent words: a hundred thousand, of which a process asks for few."""
    return {code: dict(zip(words, range(len(words)), strict=True)) for code, words in frequent_words().items()}


@cache
def _by_hand() -> dict[str, list[str]]:
    """The languages whose lists written by hand have a folded word."""
    listed = [
        (_OF_NAME[name], word)
        for name, words in word_sections("foreign").items()
        if name not in ("", "shared")
        for word in words
    ]
    for code in CODES:
        sections = read_sections(code)
        listed += [(code, word) for title in ("closed", "medical") for word in sections[title]]
    found: dict[str, list[str]] = {}
    for code, word in listed:
        for form in {fold_value(word).lower(), fold_value(word, wide=True).lower()}:
            found.setdefault(form, []).append(code)
    return found
