"""The words of the languages beside English: what goes, by the language's own `Lexicon`.

As in English, an unknown word goes, whatever it is. A known word that is a name as well goes where a title or a role
leads it, where it stands beside a name, where the text names somebody so elsewhere, and where it is capitalised inside
a sentence although its language writes the word small. The closed class (negations, sides, severity, units, heads)
goes never. German nouns stay when they are known or built of known parts; a misspelt word of reports, one letter away,
stays, and so does an eponym beside its noun or grade. Works on folded text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache

from curate.deid.text.fold import BARRIER
from curate.deid.text.text_index import is_shouted
from curate.deid.text.tokens import is_code_known
from curate.deid.word_lists import word_sections
from curate.deid.words.lexicon import Lexicon, lexicon
from curate.deid.words.other_cues import Span, cued_spans
from curate.deid.words.other_names import Word, mask_behind_cues
from curate.deid.words.vocabulary import Kind, kind, one_letter_away

_TOKEN = re.compile(rf"{BARRIER}|[^\W_]+")
_SENTENCE_END = re.compile(r"[.!?:;\n()\[\]*=<>|\t/]|(?:^|\s)-(?:\s|$)")
_CODE = re.compile(
    r"(?:[lbh]w[ks]?|hwk|bwk|lwk|th|cw|d|[clts])\d{1,2}(?:[-/]?[a-z]?\d{1,2})?|\d{1,2}(?:o|a|os|as|er|ere|re|e|eme)",
    re.IGNORECASE,
)
_ROMAN = re.compile(r"x{0,2}(?:ix|iv|v?i{1,3}|v|x)[a-d]?", re.IGNORECASE)
_ELIDED = frozenset("l d s c n m j t qu un dell all nell sull dall quell jusqu lorsqu".split())  # noqa: SIM905
_SHORTEST_MISSPELT = 6
_SHORTEST_REPEATED = 4  # letters of a name that is sought elsewhere in its text
_BESIDE = re.compile(r"[ ]{1,2}|[.][ ]?|,[ ]|[-']")
# An eponym stays beside these, before a grade, or where English always has it as one.
_OF_EPONYMS = word_sections("context")["of eponyms, elsewhere"]


def decide_words(text: str, code: str, archive: frozenset[str] = frozenset(), taken: Sequence[Span] = ()) -> list[Span]:
    """Spans of folded ``text``, which is in the language ``code``, that must go: names, numbers, addresses, facilities.

    ``archive``: folded lower-case words that stay although the lexicon lacks them. ``taken``: what is masked already,
    sorted and apart (start, end, label); a NAME there draws its neighbours along.
    """
    lexical, stretches = lexicon(code), [*_stretches(text)]
    cued = [
        (start + s, start + e, label)
        for start, end, level in stretches
        for s, e, label in cued_spans(text[start:end], lexical, level=level)
    ]
    words = _tokens(text, stretches, lexical, archive)
    masked = [(s, e) for s, e, _ in (*taken, *cued)]
    named = [(s, e) for s, e, label in taken if label == "NAME"]
    for word in words:
        if any(s < word.end and word.start < e for s, e in masked):
            word.masked = word.known = True
            word.cued = any(s < word.end and word.start < e for s, e in named)
    mask_behind_cues(words, lexical)
    _repeat(words, lexical)
    for i, word in enumerate(words):
        if not word.masked:
            word.masked = _should_mask(words, i, lexical)
    _expand_names(words, lexical)
    return sorted([*cued, *_runs(words, masked)])


def _stretches(text: str) -> Iterator[tuple[int, int, bool]]:
    """(start, end, level) of the lines of ``text``, side by side where they agree; ``level``: capitals tell nothing in
    them, since all letters are, or since the text has no word with one."""
    small, begin, before = re.search(r"[A-Z][a-z]", text) is None, 0, False
    for line in re.finditer(r"[^\n]+\n?|\n", text):
        level = small or is_shouted(line[0])
        if level != before:
            if line.start() > begin:
                yield begin, line.start(), before
            begin, before = line.start(), level
    yield begin, len(text), before


def _tokens(
    text: str, stretches: Sequence[tuple[int, int, bool]], lexical: Lexicon, archive: frozenset[str]
) -> list[Word]:
    found: list[Word] = []
    at = 0
    cues = lexical.titles | lexical.degrees | lexical.particles | lexical.ids | lexical.roles | lexical.acts | _ELIDED
    for level, hit in ((level, hit) for start, end, level in stretches for hit in _TOKEN.finditer(text, start, end)):
        token, gap = hit[0], text[at : hit.start()]
        at = hit.end()
        first = not found or _SENTENCE_END.search(gap) is not None
        if first and found and gap in (". ", ".") and (len(found[-1].text) == 1 or found[-1].low in lexical.titles):
            first = False
        word = Word(hit.start(), hit.end(), token, token.lower(), gap, first, level)
        if token == BARRIER:
            word.known = word.cued = word.masked = True
        elif token.isalpha():
            word.closed = lexical.is_closed(word.low)
            word.name, word.maybe = lexical.is_name(word.low), lexical.is_maybe_name(word.low)
            word.known = word.closed or len(token) == 1 or lexical.is_known(word.low) or word.low in archive
            word.known = word.known or word.low in cues or _ROMAN.fullmatch(token) is not None
        else:
            word.known = is_code_known(text, word.start, word.end) or _CODE.fullmatch(token) is not None
            word.known = word.known or word.low in archive
        found.append(word)
    return found


def _repeat(words: list[Word], lexical: Lexicon) -> None:
    """Who is named by a cue somewhere is found elsewhere in the text."""
    called = {
        w.low
        for w in words
        if w.cued
        and w.text.isalpha()
        and len(w.text) >= _SHORTEST_REPEATED
        and w.text[0].isupper() == (not w.text.islower())
    }
    for word in words:
        if word.low in called and not word.masked and not word.closed and (word.text[0].isupper() or word.level):
            plain = lexical.is_medical(word.low) or (word.known and not word.maybe)
            word.masked = word.cued = not plain or (not word.first and not word.level and not lexical.capital_nouns)


def _should_mask(words: list[Word], i: int, lexical: Lexicon) -> bool:
    word = words[i]
    if not word.known:
        stays = _misspelt(word, lexical) or _is_eponym(words, i) or _is_combined(words, i, lexical)
        return not (word.text.isalpha() and stays)
    if word.closed or not word.name or len(word.text) < 2 or not word.text.isalpha():
        return False
    if word.low in lexical.medical or word.low in lexical.short or word.level or not word.text.istitle():
        return False
    if word.low in lexical.titles | lexical.roles | lexical.ids | lexical.degrees:
        return False
    return not word.first and not _is_eponym(words, i)


def _is_combined(words: list[Word], i: int, lexical: Lexicon) -> bool:
    """ "reticulo-nodular", "Hüft-TEP": a combining form before its hyphen."""
    word, after = words[i], words[i + 1] if i + 1 < len(words) else None
    if after is None or after.gap != "-" or not after.known or after.masked:
        return False
    if lexical.compounds and lexical.is_stem(word.low) and lexical.is_medical(after.low):
        return True
    return len(word.text) > 4 and word.low.endswith("o") and not word.maybe and not after.maybe


def _is_eponym(words: list[Word], i: int) -> bool:
    if not kind(words[i].low) & (Kind.EPONYM | Kind.BOUND) and words[i].low not in ("achille", "aquiles", "achilles"):
        return False
    before, after = (words[i - 1] if i else None), (words[i + 1] if i + 1 < len(words) else None)
    led = before is not None and (
        before.low in _OF_EPONYMS
        or (
            i > 1
            and words[i - 2].low in _OF_EPONYMS
            and before.low in ("de", "di", "d", "von", "van", "do", "da", "nach")
        )
    )
    graded = (
        after is not None
        and after.gap in (" ", "-")
        and (_ROMAN.fullmatch(after.text) is not None or after.text[0].isdigit())
    )
    return led or graded or (after is not None and after.gap in (" ", "-") and after.low in _OF_EPONYMS)


def _misspelt(word: Word, lexical: Lexicon) -> bool:
    """One letter away from a word of reports, and not written as a name is."""
    if len(word.text) < _SHORTEST_MISSPELT or word.maybe:
        return False
    if word.text.istitle() and not word.first and not lexical.capital_nouns:
        return False
    return is_near(word.low, lexical.code)


@lru_cache(maxsize=50_000)
def is_near(word: str, code: str) -> bool:
    """True if ``word`` is `one_letter_away` from a word of reports in the language ``code``."""
    return one_letter_away(word, _long_words(code))


@cache
def _long_words(code: str) -> frozenset[str]:
    return frozenset(word for word in lexicon(code).medical if len(word) >= _SHORTEST_MISSPELT)


def _expand_names(words: list[Word], lexical: Lexicon) -> None:
    """A name's neighbours that are names as well, and initials, go with it."""
    for i, word in enumerate(words):
        if _is_person(word):
            _draw_particles(words, i, lexical)
    for order in (range(len(words)), range(len(words) - 1, -1, -1)):
        step = 1 if order.step > 0 else -1
        for i in order:
            beside = i - step
            if 0 <= beside < len(words) and not words[i].masked and words[i].text.isalpha():
                word, other = words[i], words[beside]
                gap = word.gap if step > 0 else other.gap
                if _is_person(other) and _BESIDE.fullmatch(gap) and _is_drawn(words, i, gap, lexical):
                    word.masked = word.cued = True


def _draw_particles(words: list[Word], i: int, lexical: Lexicon) -> None:
    """ "Anneloes de Brug": particles and a name behind one."""
    at = i + 1
    while at < len(words) and words[at].low in lexical.particles and words[at].gap == " " and not words[at].masked:
        at += 1
    if (
        at == i + 1
        or at >= len(words)
        or words[at].masked
        or words[at].gap not in (" ", "'")
        or words[i].text == BARRIER
    ):
        return
    word = words[at]
    named = word.maybe or not word.known
    if word.low in lexical.titles | lexical.roles:
        return
    if (
        word.text.isalpha()
        and not word.closed
        and ((named and not lexical.is_medical(word.low)) if word.level else word.text.istitle())
    ):
        for one in words[i + 1 : at + 1]:
            one.masked = one.cued = True


def _is_person(word: Word) -> bool:
    somebody = word.masked and (word.cued or not word.known) and (word.text.isalpha() or word.text == BARRIER)
    return somebody and (word.text == BARRIER or word.text[0].isupper() or word.text.islower())


def _is_drawn(words: list[Word], i: int, gap: str, lexical: Lexicon) -> bool:
    word = words[i]
    after = words[i + 1].gap if i + 1 < len(words) else ""
    if len(word.text) == 1:
        return word.text.isupper() and after.startswith(".") and gap in (" ", ". ", ".", "-")
    if (
        gap.startswith(".")
        or word.closed
        or word.low in lexical.titles | lexical.roles | lexical.acts | lexical.ids | lexical.degrees
    ):
        return False
    if gap == "-":
        return word.text[0].isupper() or word.level
    capital = word.text[0].isupper() or word.level
    plain = word.low in lexical.medical or word.low in lexical.short
    ended = word.level and word.maybe and gap == " " and after != " "
    announced = ended or (
        not word.level and not lexical.capital_nouns and gap == " " and not word.first and word.text.istitle()
    )
    if not capital or (plain and not announced):
        return False
    if word.level:
        return ended or word.name or (gap == " " and after != " " and not lexical.is_medical(word.low))
    return word.maybe if lexical.capital_nouns or gap.startswith(",") else word.maybe or (not word.first and gap == " ")


def _runs(words: list[Word], masked: Sequence[tuple[int, int]]) -> Iterator[Span]:
    for word in words:
        if word.masked and word.text != BARRIER and not any(s <= word.start and word.end <= e for s, e in masked):
            yield word.start, word.end, "NAME" if word.text.isalpha() else "ID"
