"""Negate affirmed findings and affirm negated ones, in sentences that a radiologist could have dictated."""

from __future__ import annotations

import re

import numpy as np

from filters.findings.claims import LocatedClaim, extract
from filters.findings.edit_words import grades
from filters.findings.items import NOTHING_WRONG
from filters.findings.lexicon import lexicon, normalise
from filters.findings.scan import Sentence, lower

_DENY = 0.75  # share of edits that negate, for a text that both affirms and denies findings
_THERE = re.compile(
    r"(there\s+(?:is|are|was|were|has been|have been))\s+(?:again |also |now )?"
    r"(?:an?\s|some\s|the\s|several\s|multiple\s|scattered\s)?\s*",
    re.I,
)
_SHOWS = re.compile(
    r"\b(shows?|showed|showing|demonstrates?|demonstrated|demonstrating|reveals?|revealed|revealing|contains?|has)\s+"
    r"(?:an?\s|the\s|some\s|several\s|multiple\s)?\s*",
    re.I,
)
_BE = re.compile(r"\b(is|are|was|were|remains?|appears?)\b(?!.*\b(?:is|are|was|were|remains?|appears?)\b)", re.I | re.S)
_DETERMINER = re.compile(r"(?:an?|the|some|multiple|several|there is|there are|again noted is|stable)\s+", re.I)
_FINITE = re.compile(r"\b(?:is|are|was|were|has|have|shows?|with|demonstrates?|reveals?|of)\b", re.I)
_COUNTED = re.compile(
    r"(?:effusion|thorax|nodule|mass|lesion|cyst|stone|fracture|infarct|collection|toma|tear|calculus|shift|abscess|"
    r"aneurysm|tumou?r|bleed|haemorrhage|hemorrhage|hernia|protrusion|herniation|extrusion|bulge|polyp|opacity|goit(?:re|er)|"
    r"stenosis|infiltrate|syrinx)$"
)
_TITLE = re.compile(r"(?::|\)[:-]?|\s[-\u2013])\s")  # "Post contrast T1: a mass"
_BE_FORMS = ("is", "are", "was", "were")
_MAX_WORDS_BEFORE = 6  # of a noun phrase before the finding itself


def flip(text: str, claims: list[LocatedClaim], rng: np.random.Generator) -> str | None:
    """Negate a finding that ``text`` affirms, or affirm one that it denies, in every sentence that mentions it."""
    findings = lexicon().findings
    affirmed = sorted(
        {s.claim.finding for s in claims if s.claim.state == "present" and not findings[s.claim.finding].device}
    )
    denied = sorted({s.claim.finding for s in claims if s.claim.state == "absent"} - {NOTHING_WRONG} - set(affirmed))
    denying = bool(affirmed) and (not denied or bool(rng.random() < _DENY))
    names = affirmed if denying else denied
    order = [names[int(i)] for i in rng.permutation(len(names))]
    for name, plain in [(n, False) for n in order] + [(n, True) for n in order if denying]:
        edited = _deny_all(text, claims, name, plain) if denying else _affirm_all(text, claims, name, rng)
        if edited is not None:
            states = {c.state for c in extract(edited) if c.finding == name and not c.historic}
            if states == ({"absent"} if denying else {"present"}):
                return edited
    return None


def _deny_all(text: str, claims: list[LocatedClaim], name: str, plain: bool) -> str | None:
    """Negate the finding in each sentence's own words; if that fails None, or with ``plain`` a simple new sentence."""
    for s in _last_first(claims, name, "present"):
        start, stop = _body(text, s.sentence)
        negated = _deny(text, start, stop, s)
        if negated is None and plain:
            side = f"{s.claim.side} " if s.claim.side in ("left", "right") else ""
            negated = f"There is no {side}{s.claim.finding}"
        if negated is None:
            return None
        text = text[:start] + negated + text[stop:]
    return text


def _last_first(claims: list[LocatedClaim], name: str, state: str) -> list[LocatedClaim]:
    """The first claim on ``name`` in each sentence, last sentence first, so that earlier offsets stay valid."""
    by_sentence: dict[int, LocatedClaim] = {}
    for s in claims:
        if s.claim.finding == name and s.claim.state == state:
            by_sentence.setdefault(s.sentence.start, s)
    return [by_sentence[start] for start in sorted(by_sentence, reverse=True)]


def _body(text: str, sentence: Sentence) -> tuple[int, int]:
    """The sentence without its section's heading, list number and surrounding blanks."""
    start, stop = sentence.start, sentence.stop
    for match in lexicon().sections.finditer(lower(text), start, stop):
        start = match.end()
    while start < stop and (text[start].isspace() or text[start] in "-*\u2022"):
        start += 1
    while stop > start and text[stop - 1].isspace():
        stop -= 1
    return start, stop


def _deny(text: str, begin: int, stop: int, s: LocatedClaim) -> str | None:
    """The sentence with its finding negated, without conclusions from it (", in keeping with")."""
    start = max([m.end() for m in _TITLE.finditer(text, begin, s.sentence.tokens[s.item.at].start)], default=begin)
    negated = _deny_here(text, start, stop, s)
    return None if negated is None else text[begin:start] + negated


def _deny_here(text: str, start: int, stop: int, s: LocatedClaim) -> str | None:
    tokens = s.sentence.tokens
    head = tokens[s.item.at]
    stop = _end_of_statement(text, stop, s)
    after = text[head.start : stop].rstrip(" ,;(:-")
    organ = tokens[s.item.organ] if s.item.organ >= 0 else None
    if organ is not None and organ.start < head.start and (be := _BE.search(text, organ.stop, head.start)):
        verb = be[0].lower()
        negated_verb = f"{be[0]} not" if verb in _BE_FORMS else f"do{'es' if verb[-1] == 's' else ''} not appear"
        return f"{text[start : be.start()]}{negated_verb}{_without_size(text[be.end() : head.start])}{after}"
    begin = max([t.stop for t in tokens if t.meaning.finding or t.meaning.head if t.start < head.start], default=0)
    before = text[start : head.start]
    if begin > start:
        return None  # "no" before another finding would negate that one
    if existential := _THERE.match(text, start, head.start):
        return f"{existential[1]} no {_without_size(text[existential.end() : head.start]).lstrip()}{after}"
    if shown_by := list(_SHOWS.finditer(before)):
        last = shown_by[-1]
        return f"{before[: last.start()]}{last[1]} no {_without_size(before[last.end() :]).lstrip()}{after}"
    noun = _DETERMINER.sub("", before, count=1) if _DETERMINER.match(before) else before
    if len(noun.split()) <= _MAX_WORDS_BEFORE and not _FINITE.search(noun) and "," not in noun:
        return f"No {_small_first(_without_size(noun).lstrip() + after)}"
    return None


def _end_of_statement(text: str, stop: int, s: LocatedClaim) -> int:
    """End of the statement that the finding is there; its size or interpretation follows."""
    at = s.sentence.tokens[s.item.at]
    for token in s.sentence.tokens:
        if token.start > at.start and token.meaning.cue in ("certain", "doubt", "doubt_after"):
            return token.start
        if token.start > at.start and token.meaning.size:
            comma = text.rfind(",", at.stop, token.start)
            if comma >= 0 and token.start - comma <= 2:
                return comma
    return stop


def _without_size(words: str) -> str:
    """A denied finding has no size: "no left effusion", not "no small left effusion"."""
    remaining = [w for w in re.split(r"(\s+)", words) if not _is_size(w)]
    return re.sub(r"\s{2,}", " ", "".join(remaining))


def _is_size(word: str) -> bool:
    meaning = lexicon().meanings.get(normalise(word.strip(",").lower())) if word.strip() else None
    return meaning is not None and bool(meaning.size)


def _small_first(words: str) -> str:
    """A small first letter, unless it begins an abbreviation."""
    return words[:1].lower() + words[1:] if words[1:2].islower() else words


def _affirm_all(text: str, claims: list[LocatedClaim], name: str, rng: np.random.Generator) -> str:
    """Affirm the finding where it was negated; a closing "no acute abnormality" is replaced by the finding too."""
    statements = _last_first(claims, name, "absent")
    side = str(rng.choice(["left", "right"])) if lexicon().findings[name].sided else ""
    side = next((s.claim.side for s in statements if s.claim.side in ("left", "right")), side)
    size = grades(name)[int(rng.integers(3))]
    level = f" at L{int(rng.integers(2, 6))}" if name == "compression fracture" else ""
    closing = _last_first(claims, NOTHING_WRONG, "absent")
    by_sentence = {s.sentence.start: s for s in closing + statements}
    for begin in sorted(by_sentence, reverse=True):
        s = by_sentence[begin]
        start, stop = _body(text, s.sentence)
        words = _phrase(text, s if s in statements else statements[0], name)
        phrase = " ".join(w for w in (size, side, words) if w) + level
        new = _affirm(text, s, claims, phrase) if s in statements else phrase[:1].upper() + phrase[1:]
        text = text[:start] + new + text[stop:]
    return text


def _phrase(text: str, s: LocatedClaim, name: str) -> str:
    """The finding in the report's own words if it is named there, else its canonical name."""
    token = s.sentence.tokens[s.item.at]
    if s.item.normal or s.item.organ >= 0 or not token.meaning.finding:
        return name
    return text[token.start : token.stop].lower()


def _affirm(text: str, s: LocatedClaim, claims: list[LocatedClaim], phrase: str) -> str:
    """ "No effusion or pneumothorax" with the second affirmed: other negated findings stay negated."""
    others: dict[int, str] = {}
    for o in claims:
        if o.sentence is s.sentence and o.item is not s.item and o.item.deny and o.claim.finding != s.claim.finding:
            others[o.item.at] = _phrase(text, o, o.claim.finding)
    article = ("an " if phrase[0] in "aeiou" else "a ") if _COUNTED.search(phrase.split(" at ")[0]) else ""
    sentence = f"There is {article}{phrase}" if s.item.at % 2 else phrase[:1].upper() + phrase[1:]
    return f"{sentence}. No {' or '.join(others.values())}" if others else sentence
