"""The people a header or a report column names, found in folded text: runs of their names' parts, in any order."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import product

from curate.deid.known.roman import letters, romanised, spelled
from curate.deid.known.runs import Parts, parts_of, run_spans
from curate.deid.patterns.prefilter import Span
from curate.deid.text.text_index import TextIndex
from curate.deid.word_lists import words

_EDGE_L, _EDGE_R = r"(?<![^\W_])", r"(?![^\W_])"
_BETWEEN = r"[\s,.^_/\\=-]{0,4}"


_PARTICLES = words("""
de da del della der den van von vom la le los las el al bin ibn ben st san dos das du di mac ter
""")
_TITLES = words("""
dr mr mrs ms md phd prof miss jr sr ii iii iv esq rn np pa do dds
""")
_SURNAMES = words("do pa")  # titles that are also names, where the family or given name is nothing else
# Two letters in a value that may be a room or a device ("CT One"): only of a certain person name are they a name.
_CODES = words("""
ct mr us cr dr dx mg xa rf nm pt sc ot es op io er or ed ge rm us uk of at in on to id no ap pa rt lt
""")
# In a text all in capitals nothing tells these words of English from the name, so there they stay.
_FUNCTION = words("""
an as at am be by do go he if in is it me my no of on or so to up us we
""")


_HALVES = re.compile("['-]")
_BESIDE = re.compile(r"[\s,.^_-]{1,3}")
_MEASURED = re.compile(r"[ ]?/[ ]?(?:[mdcun]?[lg]|kg|h|min|day)\b", re.IGNORECASE)
_COUNTED = re.compile(r"\d[ \xa0]?$")
_BEGINS = re.compile(r"^$|\n$|[.!?:;\0]\s$")


@dataclass
class People:
    """What is searched for of all the people of one record, in the order it was met."""

    long: dict[str, None] = field(default_factory=dict)  # each names someone alone, in any case
    roman: dict[str, None] = field(default_factory=dict)  # the same, as patterns: Latin for Cyrillic or Greek
    short: dict[str, None] = field(default_factory=dict)  # two letters: alone where capitalised
    minor: dict[str, None] = field(default_factory=dict)  # particles and two letters: beside a part
    initials: dict[str, None] = field(default_factory=dict)

    @cached_property
    def parts(self) -> Parts:
        """As they are looked up; asked for when all are taken in."""
        return parts_of(self.long, self.minor, self.initials)

    @cached_property
    def native(self) -> list[str]:
        """The parts of other scripts."""
        return [part for part in self.long if not part.isascii()]

    def add(self, plain: str) -> None:
        """Take in a folded person name, "A^B" or words."""
        certain = "^" in plain or "=" in plain
        for group in plain.split("="):
            for position, component in enumerate(group.split("^")):
                words = re.findall(r"[^\W_]+(?:['-][^\W_]+)*", component)
                for word in words:
                    self._part(word, certain, alone=certain and len(words) == 1 and position < 3)

    def _part(self, word: str, certain: bool, alone: bool) -> None:
        lower = word.lower()
        if lower in _TITLES and not (alone and lower in _SURNAMES):
            return
        self.initials.setdefault(word[0].upper())
        if lower in _PARTICLES and not alone:
            self.minor.setdefault(word)
        elif len(word) == 2 and lower != word.upper():
            self._two(word, certain)
        elif len(word) > 1:
            self._long(word)
            for half in _HALVES.split(word) if _HALVES.search(word) else ():  # also the Donoghue of O'Donoghue
                if len(half) == 2:
                    self._two(half, certain)
                elif len(half) > 2:
                    self._long(half)

    def _long(self, word: str) -> None:
        self.long.setdefault(word)
        sounds = letters(word)
        if sounds is not None:
            self.roman.setdefault(romanised(sounds))
            self.initials.update(dict.fromkeys(way[0].upper() for way in sounds[0] if way))

    def _two(self, word: str, certain: bool) -> None:
        sounds = letters(word)
        ways = [word] if sounds is None else [word, *("".join(way) for way in product(*sounds))]
        for way in ways:
            if len(way) > 1:
                self.minor.setdefault(way)
                if certain or way.lower() not in _CODES | _PARTICLES | _FUNCTION:
                    self.short.setdefault(way)


def people_spans(index: TextIndex, people: People) -> Iterator[Span]:
    """Runs of the names' parts and initials, in any order and case, that hold at least one whole part.

    A part of two letters counts alone where it is written as a name, capitalised.
    """
    text, squashed = index.text, index.squashed
    yield from run_spans(index, people.parts)
    initials = "".join(people.parts.initials)
    minor = [p for p in people.minor if p.lower() in squashed]
    roman = [pattern for pattern in people.roman if re.search(pattern, text, re.IGNORECASE)]
    if roman:
        latin = [spelled(p) for p in people.long if p.isascii()]
        run = _run((*latin, *roman), tuple(minor), initials, edges=True)
        yield from ((m.start(), m.end(), "NAME") for m in run.finditer(text))
    native = [spelled(p) for p in people.native if p.lower() in squashed]
    if native:  # scripts without spaces, endings of cases: no edges
        run = _run(tuple(native), tuple(minor), initials, edges=False)
        yield from ((m.start(), m.end(), "NAME") for m in run.finditer(text))
    if len(minor) > 1:
        yield from _pairs(index, people.parts.minor)
    yield from _short_spans(index, people.short)


def _pairs(index: TextIndex, minor: frozenset[str]) -> Iterator[Span]:
    """ "LI^AN": in lower case two short parts name someone side by side."""
    for part in sorted(minor):
        for i in index.which(part):
            if i + 1 < len(index.tokens) and index.lowered[i + 1] in minor and _BESIDE.fullmatch(index.gap(i)):
                yield index.tokens[i][0], index.tokens[i + 1][1], "NAME"


@lru_cache(maxsize=64)
def _run(whole: tuple[str, ...], short: tuple[str, ...], initials: str, *, edges: bool) -> re.Pattern[str]:
    """The run as a pattern, for what cannot be looked up: other scripts, and Latin letters for them."""
    full = "|".join(sorted(whole, key=len, reverse=True))
    minors = [*map(re.escape, short), *([rf"(?-i:[{initials}])\.?"] if initials else [])]
    minor = f"(?:{'|'.join(minors)})" if minors else r"(?!)"
    left, right = (_EDGE_L, _EDGE_R) if edges else ("", "")
    follow = rf"(?:{_BETWEEN}(?:{full}|{minor}(?![^\W_])))*(?:'s)?"
    return re.compile(rf"{left}(?:{minor}{_BETWEEN})*?(?:{full}){follow}{right}", re.IGNORECASE)


def _short_spans(index: TextIndex, parts: Iterable[str]) -> Iterator[Span]:
    """ "Ng is stable" and "with LI", not "5 ng/mL"; in a text all in capitals not where English has the word."""
    text = index.text
    for part in dict.fromkeys(part.lower() for part in parts):
        for i in index.which(part):
            start, end = index.tokens[i]
            form = text[start:end]
            if not form[0].isupper() or _MEASURED.match(text, end):
                continue
            if part in _FUNCTION and (index.shouted or _BEGINS.search(text[max(0, start - 2) : start])):
                continue
            if form == part.capitalize() or (form.isupper() and not _COUNTED.search(text[max(0, start - 2) : start])):
                possessive = text[end : end + 2].lower() == "'s" and not text[end + 2 : end + 3].isalnum()
                yield start, end + 2 * possessive, "NAME"
