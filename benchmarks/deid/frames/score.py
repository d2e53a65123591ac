"""The frames through the scrubber: what leaked, by kind; what was lost, closed-class words apart; is the meaning kept.

Output and input are laid on each other, so that a character is known to have stayed or gone. A span leaks where two or
more of its letters or digits stayed together, "Hospital", "Street", years and the like apart; it tells where it stayed
whole, or a number of it, a name or a word that nobody knows ("Dept of Neurology" of an address does not). A word is
lost where any of it went and none of it is of a span; titles and cues ("Dr", "MRN", "year old") may go with what they
announce.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from benchmarks.deid.frames.words import ENGLISH, Measure
from benchmarks.deid.ours import PSEUDO
from curate.deid.rules import TextRules
from curate.deid.text.scrub import scrub
from curate.deid.words.vocabulary import Kind, kind
from curate.errors import DropRecord

if TYPE_CHECKING:
    from benchmarks.deid.frames.fillings import Gold, Text

_PLACEHOLDER = re.compile(r"\[[A-Z][A-Z0-9 _+-]{0,30}\]")
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_ANY = re.compile(r"[^\W_]{2,}")
_YEAR = re.compile(r"(?:19|20)\d\d")
_SPOKEN_YEAR = re.compile(r"(?:twenty|two thousand) ?(?:\w+ ?){0,2}$")


@dataclass(frozen=True)
class Outcome:
    """What became of one text. ``leaks``: spans of which something stayed, ``telling``: those of which it tells;
    ``lost``: words that went (kind or "")."""

    out: str | None  # None: withheld
    leaks: tuple[Gold, ...]
    lost: tuple[tuple[str, str], ...]
    words: int
    closed: int
    cpu: float
    telling: tuple[Gold, ...] = ()


def run(
    texts: Sequence[Text],
    languages: tuple[str, ...] = ("en",),
    measure: Measure = ENGLISH,
    threshold: float = TextRules().name_threshold,
) -> list[Outcome]:
    """Every text through `scrub`, its own patient's header given where it names one."""
    # a frame of 5 words is no report: what share is masked says nothing
    rules = TextRules(dates="mask", max_masked=1.0, languages=languages, name_threshold=threshold)
    _one(texts[0], rules, measure)  # warm
    return [_one(text, rules, measure) for text in texts]


def _one(text: Text, rules: TextRules, measure: Measure) -> Outcome:
    start = time.process_time()
    try:
        out = scrub(text.text, list(text.header), "patient", PSEUDO, rules)
    except DropRecord:
        return Outcome(None, (), (), 0, 0, time.process_time() - start)
    return judge(text, out, time.process_time() - start, measure)


def judge(text: Text, out: str, cpu: float = 0.0, measure: Measure = ENGLISH) -> Outcome:
    """What leaked and what was lost of ``text``, of which a scrubber made ``out`` in ``cpu`` seconds."""
    stayed = kept(text.text, out)
    leaks, lost, words, closed = verdict(text, stayed, measure)
    telling = tuple(gold for gold in leaks if is_telling(text.text, gold, stayed))
    return Outcome(out, leaks, lost, words, closed, cpu, telling)


def verdict(
    text: Text, stayed: Sequence[bool], measure: Measure = ENGLISH
) -> tuple[tuple[Gold, ...], tuple[tuple[str, str], ...], int, int]:
    """Leaks, lost words (their kind and themselves), how many words and how many of the closed class there are;
    ``stayed``: of each character."""
    leaks = tuple(g for g in text.gold if _left(text.text, g, stayed, measure))
    closed = closed_words(text, measure)
    lost, words = [], 0
    for a, b in text.protected:
        for word in _WORD.finditer(text.text, a, b):
            if word.group().casefold() in measure.neutral:
                continue
            words += 1
            if not all(stayed[word.start() : word.end()]) and not any(s <= word.start() < e for s, e, _ in closed):
                lost.append(("", word.group()))
    lost += [(kind, text.text[s:e]) for s, e, kind in closed if not all(stayed[s:e])]
    return leaks, tuple(lost), words, len(closed)


def closed_words(text: Text, measure: Measure = ENGLISH) -> list[tuple[int, int, str]]:
    """Where words of the closed class lie, wholly in what must stay: (start, end, kind)."""
    found = [
        (m.start(), m.end(), kind) for kind, pattern in measure.closed.items() for m in pattern.finditer(text.text)
    ]
    found = [f for f in found if not _announces(text, f[0], f[1])]
    return [(s, e, k) for s, e, k in found if any(a <= s and e <= b for a, b in text.protected)]


def _announces(text: Text, start: int, end: int) -> bool:
    """Is the word no denial but the cue of a span: "w/o Asha" is her wife of, "NHS No 412" her number?"""
    word, spans = text.text[start:end].lower(), {g.start: g.kind for g in text.gold}
    if word == "w/o":
        return end + 1 in spans
    after = (at for at in range(end, end + 4) if at in spans and not text.text[end:at].strip(" .:"))
    return word == "no" and any("name" not in spans[at] for at in after)


def kept(text: str, out: str) -> list[bool]:
    """For every character of ``text``: is it in ``out`` still? Placeholders stand for what went."""
    pieces = _PLACEHOLDER.split(out)
    stayed, at = [False] * len(text), 0
    for i, piece in enumerate(pieces):
        if i == len(pieces) - 1 and i:
            found = len(text) - len(piece) if text.endswith(piece) and len(text) - len(piece) >= at else -1
        elif i == 0:
            found = 0 if text.startswith(piece) else -1
        else:
            found = text.find(piece, at + 1)
        if found < 0:
            return _by_words(text, out)
        stayed[found : found + len(piece)] = [True] * len(piece)
        at = found + len(piece)
    return stayed if len(pieces) > 1 or text == out else _by_words(text, out)


def _by_words(text: str, out: str) -> list[bool]:
    """`kept` where more than placeholders changed (an age became 90, spaces were closed up): word by word."""
    before = list(re.finditer(r"\w+|[^\w\s]", text))
    after = [m.group() for m in re.finditer(r"\w+|[^\w\s]", _PLACEHOLDER.sub("\0", out).replace("\0", " ¤ "))]
    stayed = [c.isspace() for c in text]
    for block in SequenceMatcher(None, [m.group() for m in before], after, autojunk=False).get_matching_blocks():
        for m in before[block.a : block.a + block.size]:
            stayed[m.start() : m.end()] = [True] * (m.end() - m.start())
    return stayed


def _left(text: str, gold: Gold, stayed: Sequence[bool], measure: Measure) -> bool:
    shown = "".join(
        c if s else " " for c, s in zip(text[gold.start : gold.end], stayed[gold.start : gold.end], strict=True)
    ).casefold()
    if all(stayed[gold.start : gold.end]) and not gold.kind.startswith("age"):
        return True  # "4 West" whole, too
    if gold.kind.startswith(("name that", "other name", "name of")):
        return bool(_ANY.search(shown))
    if gold.kind == "name, spelled":
        return sum(map(str.isalpha, shown)) > 1
    if gold.kind.startswith(("date", "month", "time")):
        shown = _SPOKEN_YEAR.sub("", _YEAR.sub(" ", shown).strip())
    if gold.kind.startswith("age"):
        shown = re.sub(r"(?<!\d)(?:90|ninety)(?!\d|th)", " ", shown)  # "90F", "90yo": that says "90 and over"
    return tells(shown, measure.of_a_kind)


def is_telling(text: str, gold: Gold, stayed: Sequence[bool]) -> bool:
    """Of a span that leaks: did it stay whole, or a number of it, or a word that is a name, a town's or unknown?"""
    if all(stayed[gold.start : gold.end]):
        return True
    shown = "".join(text[i] if stayed[i] else " " for i in range(gold.start, gold.end))
    return any(_is_of_somebody(word) for word in _ANY.findall(shown))


def _is_of_somebody(word: str) -> bool:
    if not word.isalpha():
        return True
    known = kind(word.lower())
    named = known & (Kind.NAME | Kind.TOWN) and not known & (Kind.CLINICAL | Kind.FUNCTION)
    return bool(named) or not known & Kind.KNOWN


def tells(shown: str, of_a_kind: frozenset[str] = ENGLISH.of_a_kind) -> bool:
    """Is there something in what was left of a span, case-folded, by which someone could be told? Years are not."""
    return any(t not in of_a_kind and not _YEAR.fullmatch(t) for t in _ANY.findall(shown))
