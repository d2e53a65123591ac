"""The findings of a sentence: named directly, or composed of an organ and a head word.

"The left ventricle is dilated" names no finding; *ventricle* and *dilated* together do. And "the heart is normal in
size" denies one without naming it. A head word takes the nearest organ with which it makes a finding.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from filters.findings.lexicon import Lexicon
from filters.findings.scan import Sentence, Token

NOTHING_WRONG = "abnormality"  # the finding that a normal study denies
_COPULA = re.compile(r"\b(?:is|are|was|were|appears?|remains?|looks?|has|have|within|:)(?!\w)|:")
_ASIDE = re.compile(r"\b(?:with|about|but|than|to|compared)\b| - ")  # "intact with sclerosis of the bone"
_STATES = frozenset({"enlarged", "dilated", "thickened", "narrowed", "calcified", "displaced", "collapse", "elevated"})
_CONTEXT = frozenset({"nodule", "lesion", "cyst", "stone"})  # these may take an organ of an earlier sentence
_ADJACENT = 4  # characters between "renal" and "stone"


@dataclass(slots=True, eq=False)
class Item:
    """One mention: ``names`` are several if an organ is called normal. Indices are into the sentence's tokens."""

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
    """The items of a sentence, in order; ``earlier`` are organs of previous sentences, the latest last."""
    items: list[Item] = []
    tokens = sentence.tokens
    organs = [i for i, t in enumerate(tokens) if t.meaning.organ]
    for i, token in enumerate(tokens):
        meaning = token.meaning
        if meaning.finding:
            items.append(_named(words, i, meaning.finding))
        elif meaning.head:
            items += _composed(words, low, tokens, i, organs, earlier)
        elif meaning.cue in ("normal", "normal_after"):
            items += _normal(words, low, tokens, i)
    return items


def _named(words: Lexicon, i: int, name: str) -> Item:
    if name == "normal study":
        return Item(i, (NOTHING_WRONG,), -1, normal=True)
    return Item(i, tuple(name.split("+")), -1)  # "hepatosplenomegaly" is two findings


def _composed(
    words: Lexicon, low: str, tokens: list[Token], i: int, organs: list[int], earlier: list[str]
) -> list[Item]:
    head = tokens[i].meaning.head
    fitting = [o for o in organs if (head, tokens[o].meaning.organ) in words.composed]
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
    return [Item(i, (words.composed[head, tokens[o].meaning.organ],), o) for o in chosen]


def _distance(tokens: list[Token], i: int, o: int) -> int:
    """Characters between the tokens; 0 for an organ right before the word, as an adjective."""
    gap = tokens[i].start - tokens[o].stop if o < i else tokens[o].start - tokens[i].stop
    return 0 if o < i and gap <= _ADJACENT else gap


def _stops(tokens: list[Token], i: int, o: int) -> int:
    low, high = (i, o) if i < o else (o, i)
    return sum(tokens[k].meaning.cue == "stop" for k in range(low + 1, high))


def _listed(tokens: list[Token], first: int, last: int) -> bool:
    """Are there only organs, sides, commas, "and" and "or" between? "The liver and spleen are enlarged"."""
    return all(
        t.meaning.organ or t.meaning.side or t.meaning.cue in ("and", "or", "comma") for t in tokens[first + 1 : last]
    ) and any(t.meaning.cue in ("and", "or", "comma") for t in tokens[first + 1 : last])


def _normal(words: Lexicon, low: str, tokens: list[Token], i: int) -> list[Item]:
    """Organs called normal: those before ("the heart and lungs are normal"), or after ("normal heart size").

    "Central" and "homogeneous" mean normal only as predicates: "the midline is central".
    """
    before = _run(tokens, i, -1)
    after = [o for o in _run(tokens, i, 1) if not _ASIDE.search(low, tokens[i].stop, tokens[o].start)]
    predicated = bool(before) and _COPULA.search(low, tokens[before[0]].stop, tokens[i].start) is not None
    if tokens[i].meaning.cue == "normal_after" and not predicated:
        return []
    predicate = predicated or (bool(before) and not after)
    chosen = before if predicate else after
    return [Item(i, words.denied[tokens[o].meaning.organ], o, normal=True) for o in sorted(chosen)]


def _run(tokens: list[Token], i: int, step: int) -> list[int]:
    """Organs on one side of token ``i``, nearest first, up to the next finding, head or other boundary."""
    organs: list[int] = []
    k = i + step
    while 0 <= k < len(tokens):
        meaning = tokens[k].meaning
        calls_normal = meaning.cue in ("normal", "normal_after") and not meaning.organ  # "midline" is an organ too
        if meaning.finding or meaning.head or calls_normal or meaning.cue == "stop":
            break
        if step > 0 and meaning.cue == "comma":
            break
        if meaning.organ:
            organs.append(k)
        k += step
    return organs
