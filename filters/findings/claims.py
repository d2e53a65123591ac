"""Findings stated in a report, with state, side, size and level, extracted by rules and a lexicon."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, cast

from curate.deid.words.language import segments
from filters.findings.attach import attach
from filters.findings.items import NOTHING_WRONG, Item, find_items
from filters.findings.lexicon import lexicon
from filters.findings.scan import Sentence, scan
from filters.findings.scope import apply_cues

State = Literal["present", "absent", "uncertain"]
Side = Literal["left", "right", "both", ""]
Size = Literal["", "small", "moderate", "large"]
READS = ("en",)  # the languages whose findings are read
REGIONS = frozenset({"chest", "neuro", "spine", "abdomen", "pelvis", "msk", "neck", "breast"})
_REMEMBERED = 4  # organs of earlier sentences to which a "nodule" without an organ may belong


@dataclass(frozen=True, slots=True)
class Claim:
    """One statement about a finding. ``span``: its characters in the text; ``historic``: it is not about this picture.

    The finding "abnormality" is only ever absent: the report says that nothing is wrong.
    """

    finding: str
    state: State
    side: Side
    size: Size
    level: str  # of the spine: "L4-L5"
    span: tuple[int, int]
    historic: bool


@dataclass(frozen=True, eq=False)
class LocatedClaim:
    """A claim with the sentence and the item that it was extracted from, for `edit`."""

    claim: Claim
    sentence: Sentence
    item: Item


def extract(text: str) -> tuple[Claim, ...]:
    """The claims of ``text`` in order; () if there are none, and for languages outside of `READS`.

    Accepts any text; 10,000 words take 0.1 s.

    Negation, doubt and history reach as far as their clause (Chapman et al. 2001, Harkema et al. 2009). Sections
    headed history, indication, comparison or technique give historic claims.
    """
    return tuple(located.claim for located in read(text))


def read_english(text: str) -> str:
    """``text`` with segments in languages outside of `READS` replaced by blanks: a denial in another language is read
    neither as presence nor as absence."""
    parts = segments(text)
    if all(code in READS for _, _, code in parts):
        return text
    return "".join(text[s:e] if code in READS else re.sub(r"[^\n]", " ", text[s:e]) for s, e, code in parts)


def language_read(text: str) -> str | None:
    """The language in which findings of ``text`` are read; None if no part of it is in one of `READS`, so that no
    finding can be called present or absent."""
    return next((code for _, _, code in segments(text) if code in READS), None)


def read(text: str) -> Iterator[LocatedClaim]:
    """The claims of the English part of ``text``, with their origin."""
    text = read_english(text)
    words = lexicon()
    low, sentences = scan(text)
    earlier: list[str] = []
    for sentence in sentences:
        if not sentence.tokens:
            continue
        items = find_items(words, low, sentence, earlier)
        if items:
            apply_cues(sentence.tokens, items)
            attach(words, low, sentence.tokens, items)
            for item in items:
                yield from _claims(sentence, item)
        earlier += [t.meaning.organ for t in sentence.tokens if t.meaning.organ]
        del earlier[:-_REMEMBERED]


def _claims(sentence: Sentence, item: Item) -> Iterator[LocatedClaim]:
    if item.normal and item.deny:
        return  # "not normal" does not say what is wrong
    state: State = "absent" if item.deny or item.normal else "uncertain" if item.doubt else "present"
    if item.names[0] == NOTHING_WRONG and state != "absent":
        return
    token = sentence.tokens[item.at]
    start, stop = token.start, token.stop
    if item.organ >= 0:
        organ = sentence.tokens[item.organ]
        start, stop = min(start, organ.start), max(stop, organ.stop)
    side, size = cast(Side, item.side), cast(Size, item.size)
    for name in item.names:
        claim = Claim(name, state, side, size, item.level, (start, stop), item.past or sentence.past)
        yield LocatedClaim(claim, sentence, item)


def regions(text: str) -> frozenset[str]:
    """The regions of the body whose organs or findings ``text`` names, affirmed or denied: chest, neuro, spine,
    abdomen, pelvis, msk (bones and joints), neck, breast."""
    words = lexicon()
    names = {c.finding for c in extract(text)}
    names |= {words.denied[t.meaning.organ][0] for s in scan(text)[1] for t in s.tokens if t.meaning.organ}
    return frozenset(words.findings[name].region for name in names) & REGIONS


def concept(text: str) -> str:
    """The present findings as one canonical string: "finding@side;...", sorted.

    "normal" if the text only denies findings, "" if nothing is known. Uncertain and historic claims and devices are
    left out.
    """
    claims = [c for c in extract(text) if not c.historic]
    findings = lexicon().findings
    present = {
        f"{c.finding}@{c.side}" if c.side else c.finding
        for c in claims
        if c.state == "present" and not findings[c.finding].device
    }
    if present:
        bare = {p for p in present if "@" not in p and any(q.startswith(p + "@") for q in present)}
        return ";".join(sorted(present - bare))
    return "normal" if any(c.state == "absent" for c in claims) else ""
