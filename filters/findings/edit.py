"""A report turned into one that says something else of the picture: hard negatives that need no labels.

Contrastive models hardly see such changes unless they are shown them (Yuksekgonul et al. 2023): the words
stay almost the same, the meaning does not. Each kind of edit is one fault that real archives have.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

import numpy as np

from filters.findings.claims import LocatedClaim, read
from filters.findings.edit_negation import flip
from filters.findings.edit_words import change_size, one_sided, scale_numbers, shift_level, swap_side
from filters.findings.lexicon import lexicon
from filters.findings.scan import Token, lower, scan

EDITS = ("side", "negation", "severity", "level", "drop")
_OFFSETS = (-2, -1, 1, 2)  # vertebrae
_LIST_NUMBER = re.compile(r"(?<![\w.])\d{1,2}\.[ \t]*(?=\s*(?:\d{1,2}\.(?:\s|$)|$|\n\s*\n))")
_ARTICLE = re.compile(r"\b([Aa])n?(\s+)$")
_LEFT_OVER = 2  # words of a text that is still a text


def edit(text: str, kind: str, rng: np.random.Generator) -> str | None:
    """A text that makes another claim about the picture, or None where this kind of edit has nothing to work on.

    "side" swaps left and right, or makes both one; "negation" denies a finding that was affirmed, or the reverse;
    "severity" turns small into large, or scales a measure; "level" moves along the spine; "drop" leaves a finding out.
    Equal ``rng`` states give equal texts. ValueError on another ``kind``.
    """
    if kind not in _EDITORS:
        raise ValueError(f"{kind!r} is no kind of edit; {', '.join(EDITS)}")
    said = [s for s in read(text) if not s.claim.historic]
    made = _EDITORS[kind](text, said, rng) if said else None
    return made if made is not None and made != text else None


def _side(text: str, said: list[LocatedClaim], rng: np.random.Generator) -> str | None:
    shown = [s for s in said if s.claim.state != "absent" and s.claim.side]
    if not shown:
        return None
    tokens = [t for sentence in scan(text)[1] for t in sentence.tokens if t.said.side]
    swapped = _replaced(text, tokens, lambda word, _: swap_side(word))
    if any(s.claim.side != "both" for s in shown) or swapped != text:  # "both, the right more than the left"
        return swapped
    side = str(rng.choice(["left", "right"]))
    return _replaced(text, tokens, lambda word, _: one_sided(word, side))


def _severity(text: str, said: list[LocatedClaim], rng: np.random.Generator) -> str | None:
    shown = [s for s in said if s.claim.state != "absent"]
    low = bool(rng.random() < 0.5)  # where "moderate" goes, and measures
    by_token: dict[int, tuple[Token, str]] = {}
    for s in shown:
        if s.claim.size:
            by_token.update({t.start: (t, s.claim.finding) for t in s.sentence.tokens if t.said.size})
    if by_token:
        tokens = [by_token[start][0] for start in sorted(by_token)]
        return _replaced(text, tokens, lambda word, at: change_size(word, by_token[at][1], low))
    for s in shown:
        start, stop = s.sentence.start, s.sentence.stop
        if (scaled := scale_numbers(text[start:stop], 1 / 3 if low else 3.0)) is not None:
            return text[:start] + scaled + text[stop:]
    return None


def _level(text: str, said: list[LocatedClaim], rng: np.random.Generator) -> str | None:
    if not any(s.claim.level and s.claim.state != "absent" for s in said):
        return None
    tokens = [t for sentence in scan(text)[1] for t in sentence.tokens if t.said.level]
    for offset in (int(o) for o in rng.permutation(_OFFSETS)):
        if all(shift_level(text[t.start : t.stop], offset) is not None for t in tokens):
            return _replaced(text, tokens, partial(_shifted, by=offset))
    return None


def _shifted(word: str, _: int, by: int) -> str:
    return shift_level(word, by) or word


def _drop(text: str, said: list[LocatedClaim], rng: np.random.Generator) -> str | None:
    shown = sorted({s.claim.finding for s in said if s.claim.state != "absent"})
    if not shown:
        return None
    chosen = shown[int(rng.integers(len(shown)))]
    doomed = {s.sentence.start: s.sentence for s in said if s.claim.finding == chosen and s.claim.state != "absent"}
    headings = [(m.start(), m.end()) for m in lexicon().sections.finditer(lower(text))]
    for start in sorted(doomed, reverse=True):
        stop = doomed[start].stop + (text[doomed[start].stop : doomed[start].stop + 1] in tuple(".;!?"))
        begins = max((b for a, b in headings if start <= a < stop), default=start)
        text = text[:begins] + text[stop:]
    text = _without_empty_sections(_LIST_NUMBER.sub("", text))
    return text if len(text.split()) >= _LEFT_OVER else None


def _without_empty_sections(text: str) -> str:
    """Headings of which nothing is left go as well."""
    found = [(m.start(), m.end()) for m in lexicon().sections.finditer(lower(text))]
    ends = [a for a, _ in found[1:]] + [len(text)] if found else []
    for (start, begins), end in reversed(list(zip(found, ends, strict=True))):
        if not text[begins:end].strip():
            text = text[:start] + text[end:]
    return text.strip()


def _replaced(text: str, tokens: list[Token], change: Callable[[str, int], str]) -> str:
    """Each token's words changed (``change`` takes them and their place), articles before them put right."""
    for token in sorted(tokens, key=lambda t: t.start, reverse=True):
        before, word = text[: token.start], text[token.start : token.stop]
        new = change(word, token.start)
        if new != word:
            before = _ARTICLE.sub(lambda m, new=new: _article(m, new), before)  # type: ignore[misc]
        text = before + new + text[token.stop :]
    return text


def _article(match: re.Match[str], word: str) -> str:
    return f"{match[1]}{'n' if word[:1].lower() in tuple('aeiou') else ''}{match[2]}"


_EDITORS: dict[str, Callable[[str, list[LocatedClaim], np.random.Generator], str | None]] = {
    "side": _side,
    "negation": flip,
    "severity": _severity,
    "level": _level,
    "drop": _drop,
}
