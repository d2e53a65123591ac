"""Which language a text is in, and each of its sentences: a report may be English with a German impression.

Every word votes (`language_votes`) by its rank among the most frequent words of some thirty languages and by the words
of reports written by hand: a Bayesian sum of logarithms, each word's share bounded. What English medicine has as well
(Latin: os trigonum, spina bifida) never speaks against English; what no list has, a misspelling or a name, says
nothing. A sentence without a sign of its own is in the language of the text. English, German, Spanish, French, Italian,
Dutch and Portuguese are cleaned, each by its own words; a text in any other, or of words that no list knows, is
withheld. `benchmarks/deid/languages/detector.py` measures it.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from curate.deid.text.fold import fold_value
from curate.deid.text.text_index import is_shouted
from curate.deid.word_lists import words
from curate.deid.words.language_votes import FLOOR, NAMES, UNKNOWN, all_codes, word_ranks, word_votes
from curate.deid.words.lexicon import CODES, LANGUAGES, NAMES_OF, lexicon
from curate.deid.words.vocabulary import Kind, kind
from curate.errors import DropRecord
from curate.memory import once
from curate.record import Reason

_STRANGE, _ACCENTED = 1.0, 2.0  # log-odds of a word that no list has at all, in small letters; of one with an accent
_FOREIGN = 3.5  # log-odds that a text or a sentence has to reach to be in another language than English
_CLEAR = 7.0  # ... a sentence inside an English text, to withhold the whole
# ... or that it denies something, however short it is: of "Kein Erguss." nothing would be left but masks
_DENIALS = {
    code: re.compile(
        rf"(?<![\w|-])(?i:{words})(?![\w|-])" + ("" if code == "de" else r"(?!\s+[A-Z][a-z])")
    )  # Sin Lee, MD
    for code, words in {
        "de": "kein(?:e[nmrs]?)?|nicht|ohne|weder",
        "es": "sin|ningún|ninguna|tampoco|no (?:se|hay|existen?)",
        "fr": "pas|aucune?|sans",
        "it": "non|senza|nessun[ao]?",
        "nl": "geen|niet|zonder",
        "pt": "sem|não|nenhuma?",
        "cs": "bez|není",
        "da": "ingen|intet|ikke|uden",
        "hu": "nincs|nem",
        "nb": "ingen|ikke|uten",
        "pl": "bez|brak|nie",
        "ro": "fără|nu",
        "sv": "ingen|inget|inga|utan|ej",
        "tr": "yok|yoktur",
    }.items()
}
_FRENCH_DENIAL = re.compile(r"\b(?:pas|absence|aucune?) d(?:e\b|['’])", re.IGNORECASE)  # words that English has, too
_LIKE_THE_TEXT = 3.0  # log-odds that the text's language gives each of its sentences
_CLEARLY_OTHER, _FEWEST_OTHER = 6.0, 4  # log-odds over the text's language, and words, of a sentence in a third one
_FEWEST_ENGLISH = 2  # words that build English sentences, of an English sentence in a text that is not
_FEWEST_BARE = 4
_NO_ENGLISH = 1.5  # log-odds of a text of so many words without a sign of English to be in another language
_CLOSE = 4.0  # log-odds by which languages are about as likely
_SURE = 8.0  # log-odds of a text of rare words up to which the lexicons are asked
_OWN = 2.0  # what the words of a language itself have to add up to, beside what only speaks against English
_FEWEST_STRANGE = 2
_PIECE = 6  # words of a sentence that is judged by itself
_FEWEST_UNKNOWN, _MAX_UNKNOWN = 2, 0.4  # words that no list has, and their share, from which a text is not readable

_WORD = re.compile(r"[^\W\d_]{2,}|[^\W\d_](?=['’])|\b[aeoyàéèóìù]\b", re.IGNORECASE)
# Addresses; what another de-identifier took out; headings, of which the English ones say nothing: they are a form's.
_ADDRESS = r"(?<!\S)\S*(?:://|@|www\.)\S*|"
_OTHERWISE = (
    r"\b[xX]{2,}\b|\[[A-Z]{2,8}(?::[^\]]*)?\]"
    r"|(?:^|(?<=[.;]))[ \t]*(?P<heading>[^\W\d_]+(?: [^\W\d_]+){0,2}):"
)
_NO_WORD, _NO_WORD_OR_ADDRESS = (re.compile(each, re.MULTILINE) for each in (_OTHERWISE, _ADDRESS + _OTHERWISE))
_SENTENCE = re.compile(r"(?:(?<=[!?;])|(?<=[^.\s][^.\s]\.)|(?<=\d\.))\s+|\n+")
_PARTICLES = words(
    """
    de la del da das dos di van von der den du des le el al ter ten san santa saint dal della
    """
)
_VOWEL = re.compile("[aeiouy]")
_TITLES = frozenset(["dr", "prof"])  # of every language
_MAX_NON_LATIN = 0.2  # of the letters outside the Latin alphabet
_FEWEST_LETTERS = 4
_FEWEST_IN_CELL, _FEWEST_LETTERS_IN_CELL = 10, 12
_SCRIPTS = (("\u0370", "\u03ff", "Greek"), ("\u0400", "\u052f", "Cyrillic"), ("\u0590", "\u05ff", "Hebrew"),
            ("\u0600", "\u06ff", "Arabic"), ("\u0900", "\u0dff", "Indic"), ("\u0e00", "\u0e7f", "Thai"),
            ("\u3040", "\u30ff", "Japanese"), ("\u4e00", "\u9fff", "Chinese or Japanese"),
            ("\uac00", "\ud7af", "Korean"))  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Piece:
    """A sentence: where it stands, its words, the log-odds of each language against English: those of one that has none
    of the words, and for each that has some, what these add."""

    start: int
    end: int
    words: int
    unknown: int
    english: int  # words that English has
    base: float
    more: dict[str, float]

    @property
    def highest(self) -> float:
        """The log-odds of the likeliest language: where they are not over nought, the sentence is taken for English."""
        return self.base + max(0.0, *self.more.values()) if self.more else self.base

    @property
    def odds(self) -> dict[str, float]:
        """The log-odds of each language."""
        return {code: self.base + self.more.get(code, 0.0) for code in all_codes()}

    def best(self, favoured: str = "") -> tuple[float, str]:
        """The language that is likeliest and its log-odds against English, ``favoured`` raised."""
        raised = ((value + (_LIKE_THE_TEXT if code == favoured else 0.0), code) for code, value in self.odds.items())
        return max(raised, default=(-math.inf, "en"))


def language_name(text: str) -> str:
    """The code of the language that most of ``text`` is in, of some thirty; "unknown" for another script's."""
    return UNKNOWN if _script(text) is not None else _read(text)[1]


def segments(text: str) -> list[tuple[int, int, str]]:
    """(start, end, code) of the stretches of ``text`` in one language each: together they are the whole text."""
    if not text:
        return []
    if _script(text) is not None:
        return [(0, len(text), UNKNOWN)]
    pieces, whole, _ = _read(text)
    found: list[tuple[int, int, str]] = []
    for piece in pieces:
        code = _code_of(piece, whole)
        code = code if code in LANGUAGES else UNKNOWN
        if found and found[-1][2] == code:
            found[-1] = (found[-1][0], piece.end, code)
        else:
            found.append((found[-1][1] if found else 0, piece.end, code))
    if not found:
        return [(0, len(text), whole if whole in LANGUAGES else UNKNOWN)]
    found[-1] = (found[-1][0], len(text), found[-1][2])
    return found


def require_known_language(text: str, *, report: bool = True, languages: Iterable[str] = LANGUAGES) -> None:
    """DropRecord(LANGUAGE) where ``text``, or a long sentence of it, is in none of ``languages``.

    A ``report`` is judged however short it is; any other text (a cell of a table, which may be a name) from ten words
    on, or where it is written in another script.
    """
    judged = report or len(text.split()) >= _FEWEST_IN_CELL or _script(text, _FEWEST_LETTERS_IN_CELL) is not None
    allowed = {NAMES_OF[code] for code in languages}
    if judged and any(name not in allowed for name in _other_languages(text)):
        raise DropRecord(Reason.LANGUAGE)


def require_known_sections(report: str, sections: Iterable[str], languages: Iterable[str] = LANGUAGES) -> None:
    """DropRecord(LANGUAGE) where a report, or one of its sections, is in none of ``languages``: some are written in one
    language and headed in another."""
    allowed = tuple(languages)
    for text in (report, *sections):
        require_known_language(text, languages=allowed)


def foreign_language(text: str) -> str | None:
    """The name of the language that ``text``, or a long sentence of it, is in, "unknown" where it is none of the list;
    None for English, and for a text too short to tell."""
    return next(iter(_other_languages(text)), None)


def language_preview(texts: Iterable[str], languages: Iterable[str] = LANGUAGES) -> list[str]:
    """What `curate plan` says of a sample of reports: lines like "language: 70 of 70 reports look Polish: they would
    be withheld"; none where all are in English. No word of a text is in them."""
    looked = [foreign_language(text) for text in texts]
    found = Counter(name for name in looked if name is not None)
    cleaned = {NAMES_OF[code] for code in languages}
    fates = {True: "they are cleaned; findings are read in English only", False: "they would be withheld"}
    return [
        f"language: {n:,} of {len(looked):,} reports look {'unlike English' if name == UNKNOWN else name}: "
        f"{fates[name in cleaned]}"
        for name, n in sorted(found.items(), key=lambda item: (-item[1], item[0]))
    ]


def _code_of(piece: _Piece, whole: str) -> str:
    """The language of a sentence in a text that as a ``whole`` is in another: what is short, or unclear, is in that."""
    if whole == "en":
        if piece.highest <= _FOREIGN:
            return "en"
        odds, code = piece.best()
        return code if odds > _FOREIGN else "en"
    own = piece.odds.get(whole, 0.0)
    odds, code = piece.best(whole)
    if code != whole and (piece.words < _FEWEST_OTHER or odds - own < _CLEARLY_OTHER):
        odds, code = own, whole
    if piece.english >= _FEWEST_ENGLISH and odds <= 0.0:
        return "en"
    return code if piece.english < _FEWEST_ENGLISH or own > -_LIKE_THE_TEXT else "en"


def _other_languages(text: str) -> list[str]:
    """Names of the languages beside English that the text as a whole, and its clear long sentences, are in."""
    script = _script(text)
    if script is not None:
        return [script]
    pieces, whole, _ = _read(text)
    found = {} if whole == "en" else {NAMES.get(whole, UNKNOWN): None}
    for piece in pieces:
        code = _code_of(piece, whole)
        sentence = text[piece.start : piece.end]
        if code == whole == "en" and _FRENCH_DENIAL.search(sentence):
            found[NAMES["fr"]] = None
        elif code != "en" and (
            (piece.words >= _PIECE and piece.odds.get(code, 0.0) > _CLEAR)
            or (whole == "en" and code in _DENIALS and _DENIALS[code].search(sentence))
        ):
            found[NAMES.get(code, UNKNOWN)] = None
    return list(found)


@lru_cache(maxsize=256)
def _read(text: str) -> tuple[tuple[_Piece, ...], str, float]:
    """The sentences, the language of the whole, and its log-odds against English."""
    pieces, at = [], 0
    for gap in _SENTENCE.finditer(text):
        pieces.append(_piece(text, at, gap.end()))
        at = gap.end()
    if at < len(text):
        pieces.append(_piece(text, at, len(text)))
    if any(piece.english for piece in pieces) and all(piece.highest <= 0.0 for piece in pieces):
        return tuple(pieces), "en", 0.0  # nothing speaks for another language, not even in a sentence
    total: Counter[str] = Counter()
    codes = {code for _ in pieces[:1] for code in all_codes()}
    for piece in pieces:
        total.update(piece.odds)
    odds, code = max(((value, code) for code, value in total.items()), default=(-math.inf, "en"))
    if odds > _NO_ENGLISH and code in CODES:
        code = _closer(text, [one for one in CODES if total.get(one, -math.inf) > odds - _CLOSE], code)
    if not any(piece.english for piece in pieces) and odds <= _SURE:
        known = _by_lexicons(text)
        if known is not None:
            return tuple(pieces), known, odds
    bare = not any(piece.english for piece in pieces)
    several = sum(piece.words for piece in pieces) >= _FEWEST_BARE
    if odds > (_NO_ENGLISH if bare and several else _FOREIGN):
        own = max(sum(piece.more.get(code, 0.0) for piece in pieces) for code in codes)
        if own >= _OWN:
            return tuple(pieces), code, odds
        if odds > _FOREIGN:
            return tuple(pieces), (_by_lexicons(text) if bare else None) or UNKNOWN, odds
    words, unknown = sum(piece.words for piece in pieces), sum(piece.unknown for piece in pieces)
    if bare and unknown >= _FEWEST_UNKNOWN and unknown > _MAX_UNKNOWN * words:
        return tuple(pieces), UNKNOWN, 0.0
    return tuple(pieces), "en", odds


def _closer(text: str, codes: list[str], likeliest: str) -> str:
    """Of ``codes`` that are about as likely the one whose lexicon knows most of the words."""
    if len(codes) < 2:
        return likeliest
    words = {fold_value(word).lower() for word in _words_in(text) if len(word) > 2}
    known = {code: sum(lexicon(code).is_known(word) for word in words) for code in codes}
    return max(codes, key=lambda code: (known[code], code == likeliest))


def _by_lexicons(text: str) -> str | None:
    """The language whose lexicon alone knows the words that English does not; only asked of a text of rare words."""
    words = {fold_value(word.lower()) for word in _words_in(text)}
    strange = [w for w in words if len(w) > 2 and not kind(w) & (Kind.KNOWN | Kind.EPONYM | Kind.NAME)]
    if len(strange) < _FEWEST_STRANGE:
        return None
    counts = {code: sum(word in lexicon(code).known for word in strange) for code in CODES}
    ranks = [word_ranks(word) for word in words]
    votes = {c: (n, sum(of.get(c, FLOOR) for of in ranks)) for c, n in counts.items()}
    best = max(votes, key=votes.__getitem__)
    return best if counts[best] >= max(_FEWEST_STRANGE, 0.6 * len(strange)) else None


def _piece(text: str, start: int, end: int) -> _Piece:
    """A report's sentences come again in its sections, and in the text of these as the scrubber tidies it."""
    return _Piece(start, end, *once(_weighed, text[start:end]))


def _weighed(sentence: str) -> tuple[int, int, int, float, dict[str, float]]:
    """What `_Piece` says of a sentence, wherever it stands."""
    plain = sentence if sentence.isascii() else unicodedata.normalize("NFC", sentence)
    words = _words_in(plain)
    shouted = is_shouted(plain)
    base, extra = 0.0, dict[str, float]()
    count = unknown = english = 0
    for i, word in enumerate(words):
        low = word.lower()
        if low in _TITLES or (low.isascii() and _VOWEL.search(low) is None):
            continue  # a unit or an abbreviation is of no language: mm, kg, LVH
        if low in _PARTICLES and not shouted and i + 1 < len(words) and words[i + 1][0].isupper():
            continue
        against, more, is_english = word_votes(low)
        count += 1
        english += is_english
        if against is None:
            strange = (word.islower() or shouted) and not kind(fold_value(word)) & Kind.NAME
            unknown += strange
            base += (_STRANGE if word.isascii() else _ACCENTED) if strange else 0.0
            continue
        if i and word[0].isupper() and not shouted and not is_english:  # a name, but for a German noun
            extra["de"] = extra.get("de", 0.0) + sum(against + value for code, value in more if code == "de")
            continue
        base += against
        for code, value in more:
            extra[code] = extra.get(code, 0.0) + value
    extra.pop("", None)
    return count, unknown, english, base, extra


def _words_in(text: str) -> list[str]:
    has_address = "@" in text or "://" in text or "www." in text
    return _WORD.findall((_NO_WORD_OR_ADDRESS if has_address else _NO_WORD).sub(_blank, text))


def _blank(hit: re.Match[str]) -> str:
    """Nothing, for what is no word; a heading as it stands where English has not all of its words."""
    heading = hit["heading"]
    english = heading is None or all(kind(fold_value(word).lower()) & Kind.KNOWN for word in heading.split())
    return " " if english else f" {heading} "


def _script(text: str, fewest: int = _FEWEST_LETTERS) -> str | None:
    if text.isascii():
        return None
    letters = [c for c in text if c.isalpha()]
    beyond = [c for c in letters if c > "\u024f" and not "\u1e00" <= c <= "\u1eff"]
    if len(beyond) < fewest or len(beyond) <= _MAX_NON_LATIN * len(letters):
        return None
    names = Counter(name for c in beyond for first, last, name in _SCRIPTS if first <= c <= last)
    if names["Japanese"]:
        return "Japanese"
    return max(sorted(names), key=names.__getitem__, default=UNKNOWN)
