"""What a sentence speaks of: findings named outright, findings put together from an organ and what is wrong with it.

"The left ventricle is dilated" names no finding; *ventricle* and *dilated* together do. And "the heart is normal in
size" denies one without naming it. A word that needs an organ takes the nearest one that it can be said of.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from filters.findings.lexicon import Lexicon
from filters.findings.scan import Sentence, Token

NOTHING_WRONG = "abnormality"  # what a normal study denies
_COPULA = re.compile(r"\b(?:is|are|was|were|appears?|remains?|looks?|has|have|within|:)(?!\w)|:")
_ASIDE = re.compile(r"\b(?:with|about|but|than|to|compared)\b| - ")  # "intact with sclerosis of the bone"
_STATES = frozenset({"enlarged", "dilated", "thickened", "narrowed", "calcified", "displaced", "collapse", "elevated"})
_CONTEXT = frozenset({"nodule", "lesion", "cyst", "stone"})  # an earlier organ will do
_ADJACENT = 4  # characters between "renal" and "stone"


@dataclass(slots=True, eq=False)
class Item:
    """One thing said: ``names`` are several where an organ is called normal. Indices are of the sentence's tokens."""

    at: int
    names: tuple[str, ...]
    organ: int  # -1: none
    normal: bool = False
    deny: bool = False
    doubt: bool = False
    past: bool = False
    side: str = ""
    size: str = ""
    level: str = ""


def find_items(words: Lexicon, low: str, sentence: Sentence, earlier: list[str]) -> list[Item]:
    """The items of a sentence, in order; ``earlier`` are organs named before it, the latest last."""
    items: list[Item] = []
    tokens = sentence.tokens
    organs = [i for i, t in enumerate(tokens) if t.said.organ]
    for i, token in enumerate(tokens):
        said = token.said
        if said.finding:
            items.append(_named(words, i, said.finding))
        elif said.head:
            items += _composed(words, low, tokens, i, organs, earlier)
        elif said.cue in ("normal", "normal_after"):
            items += _normal(words, low, tokens, i)
    return items


def _named(words: Lexicon, i: int, name: str) -> Item:
    if name == "normal study":
        return Item(i, (NOTHING_WRONG,), -1, normal=True)
    return Item(i, tuple(name.split("+")), -1)  # "hepatosplenomegaly" says two things


def _composed(
    words: Lexicon, low: str, tokens: list[Token], i: int, organs: list[int], earlier: list[str]
) -> list[Item]:
    head = tokens[i].said.head
    fitting = [o for o in organs if (head, tokens[o].said.organ) in words.composed]
    if not fitting:
        if head in _CONTEXT:
            for organ in reversed(earlier):
                if (head, organ) in words.composed:
                    return [Item(i, (words.composed[head, organ],), -1)]
        return [Item(i, (words.alone[head],), -1)] if words.alone[head] else []
    best = min(fitting, key=lambda o: (_stops(tokens, i, o), _distance(tokens, i, o), -o))
    chosen = [best]
    if head in _STATES and best < i and _COPULA.search(low, tokens[best].stop, tokens[i].start):
        chosen = [o for o in fitting if o == best or (o < best and _listed(tokens, o, best))]
    return [Item(i, (words.composed[head, tokens[o].said.organ],), o) for o in chosen]


def _distance(tokens: list[Token], i: int, o: int) -> int:
    """Characters between; an organ that stands as an adjective right before the word is nearest of all."""
    gap = tokens[i].start - tokens[o].stop if o < i else tokens[o].start - tokens[i].stop
    return 0 if o < i and gap <= _ADJACENT else gap


def _stops(tokens: list[Token], i: int, o: int) -> int:
    low, high = (i, o) if i < o else (o, i)
    return sum(tokens[k].said.cue == "stop" for k in range(low + 1, high))


def _listed(tokens: list[Token], first: int, last: int) -> bool:
    """Whether only organs, commas and "and" stand between: "the liver and spleen are enlarged"."""
    return all(
        t.said.organ or t.said.side or t.said.cue in ("and", "or", "comma") for t in tokens[first + 1 : last]
    ) and any(t.said.cue in ("and", "or", "comma") for t in tokens[first + 1 : last])


def _normal(words: Lexicon, low: str, tokens: list[Token], i: int) -> list[Item]:
    """Organs called normal: those before ("the heart and lungs are normal"), or after ("normal heart size").

    "Central" and "homogeneous" praise only what is said to be so: "the midline is central".
    """
    before = _run(tokens, i, -1)
    after = [o for o in _run(tokens, i, 1) if not _ASIDE.search(low, tokens[i].stop, tokens[o].start)]
    said_so = bool(before) and _COPULA.search(low, tokens[before[0]].stop, tokens[i].start) is not None
    if tokens[i].said.cue == "normal_after" and not said_so:
        return []
    predicate = said_so or (bool(before) and not after)
    chosen = before if predicate else after
    return [Item(i, words.denied[tokens[o].said.organ], o, normal=True) for o in sorted(chosen)]


def _run(tokens: list[Token], i: int, step: int) -> list[int]:
    """Organs on one side of ``i``, nearest first, up to the next word that is about something else."""
    found: list[int] = []
    k = i + step
    while 0 <= k < len(tokens):
        said = tokens[k].said
        praised = said.cue in ("normal", "normal_after") and not said.organ  # "midline" is an organ too
        if said.finding or said.head or praised or said.cue == "stop":
            break
        if step > 0 and said.cue == "comma":
            break
        if said.organ:
            found.append(k)
        k += step
    return found
