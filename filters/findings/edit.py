"""Edit a report so that it contradicts its picture: hard negatives that need no labels.

Contrastive models hardly notice such changes unless they are trained on them (Yuksekgonul et al. 2023): the words stay
almost the same, the meaning does not. Each kind of edit is one fault that real archives have.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
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
_MIN_WORDS = 2  # words of a text that is still a text


def edit(text: str, kind: str, rng: np.random.Generator) -> str | None:
    """A text that makes another claim about the picture, or None if this kind of edit does not apply.

    "side" swaps left and right, or makes both one; "negation" denies a finding that was affirmed, or the reverse;
    "severity" turns small into large, or scales a measure; "level" moves along the spine; "drop" leaves a finding out.
    Equal ``rng`` states give equal texts. ValueError on another ``kind``.
    """
    if kind not in _EDITORS:
        raise ValueError(f"{kind!r} is no kind of edit; {', '.join(EDITS)}")
    claims = [s for s in read(text) if not s.claim.historic]
    edited = _EDITORS[kind](text, claims, rng) if claims else None
    return edited if edited is not None and edited != text else None


def versions(text: str, kinds: Sequence[str], count: int = 1, seed: int = 0) -> list[str]:
    """The different texts that ``count`` edits of each of ``kinds`` make of ``text``, the same wherever it is met."""
    start = int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8], "big")
    rng = np.random.default_rng(start + seed)
    edited = [edit(text, kind, rng) for kind in kinds for _ in range(count)]
    return sorted({version for version in edited if version is not None})


def _side(text: str, claims: list[LocatedClaim], rng: np.random.Generator) -> str | None:
    asserted = [s for s in claims if s.claim.state != "absent" and s.claim.side]
    if not asserted:
        return None
    swapped = swap_sides(text)
    if any(s.claim.side != "both" for s in asserted) or swapped != text:  # "both, the right more than the left"
        return swapped
    side = str(rng.choice(["left", "right"]))
    return _replace_tokens(text, _sides(text), lambda word, _: one_sided(word, side))


def swap_sides(text: str) -> str:
    """``text`` with left and right exchanged wherever they are sides."""
    return _replace_tokens(text, _sides(text), lambda word, _: swap_side(word))


def _sides(text: str) -> list[Token]:
    return [t for sentence in scan(text)[1] for t in sentence.tokens if t.meaning.side]


def _severity(text: str, claims: list[LocatedClaim], rng: np.random.Generator) -> str | None:
    asserted = [s for s in claims if s.claim.state != "absent"]
    low = bool(rng.random() < 0.5)  # direction for "moderate" and for measures
    by_token: dict[int, tuple[Token, str]] = {}
    for s in asserted:
        if s.claim.size:
            by_token.update({t.start: (t, s.claim.finding) for t in s.sentence.tokens if t.meaning.size})
    if by_token:
        tokens = [by_token[start][0] for start in sorted(by_token)]
        return _replace_tokens(text, tokens, lambda word, at: change_size(word, by_token[at][1], low))
    for s in asserted:
        start, stop = s.sentence.start, s.sentence.stop
        if (scaled := scale_numbers(text[start:stop], 1 / 3 if low else 3.0)) is not None:
            return text[:start] + scaled + text[stop:]
    return None


def _level(text: str, claims: list[LocatedClaim], rng: np.random.Generator) -> str | None:
    if not any(s.claim.level and s.claim.state != "absent" for s in claims):
        return None
    tokens = [t for sentence in scan(text)[1] for t in sentence.tokens if t.meaning.level]
    for offset in (int(o) for o in rng.permutation(_OFFSETS)):
        if all(shift_level(text[t.start : t.stop], offset) is not None for t in tokens):
            return _replace_tokens(text, tokens, partial(_shift_token, by=offset))
    return None


def _shift_token(word: str, _: int, by: int) -> str:
    return shift_level(word, by) or word


def _drop(text: str, claims: list[LocatedClaim], rng: np.random.Generator) -> str | None:
    asserted = sorted({s.claim.finding for s in claims if s.claim.state != "absent"})
    if not asserted:
        return None
    chosen = asserted[int(rng.integers(len(asserted)))]
    removed = {s.sentence.start: s.sentence for s in claims if s.claim.finding == chosen and s.claim.state != "absent"}
    headings = [(m.start(), m.end()) for m in lexicon().sections.finditer(lower(text))]
    for start in sorted(removed, reverse=True):
        stop = removed[start].stop + (text[removed[start].stop : removed[start].stop + 1] in tuple(".;!?"))
        begin = max((b for a, b in headings if start <= a < stop), default=start)
        text = text[:begin] + text[stop:]
    text = _without_empty_sections(_LIST_NUMBER.sub("", text))
    return text if len(text.split()) >= _MIN_WORDS else None


def _without_empty_sections(text: str) -> str:
    """Remove the headings of empty sections."""
    headings = [(m.start(), m.end()) for m in lexicon().sections.finditer(lower(text))]
    ends = [a for a, _ in headings[1:]] + [len(text)] if headings else []
    for (start, begin), end in reversed(list(zip(headings, ends, strict=True))):
        if not text[begin:end].strip():
            text = text[:start] + text[end:]
    return text.strip()


def _replace_tokens(text: str, tokens: list[Token], change: Callable[[str, int], str]) -> str:
    """Replace each token by ``change(words, start)`` and correct the article before it."""
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
