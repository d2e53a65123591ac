"""Letterheads and signature blocks at the edges of a report's text: hospital, address, whom it is about and who signed.

They say nothing of the picture, and scrubbed they would be `[NAME] [ADDRESS] [DATE]` in every caption. A text is read
in units: lines, and the sentences and fields of a line. Only units at its two edges go, only those of which every word
belongs in a letterhead or is a name, and only as far as one with a plain sign: "Electronically signed by", a title
before a name, a telephone number. The first unit that says anything else ends it, so no clinical sentence can be lost.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from enum import IntEnum
from functools import cache, lru_cache

from curate.deid.text.fold import fold_value
from curate.deid.text.text_index import is_shouted
from curate.deid.words.vocabulary import Kind, kind, word_sections
from curate.sources.reports import letterhead_signs as signs
from curate.sources.reports.section import parse_sections

_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_LONGEST = 600  # characters of a unit
_FEWEST = 3  # words of a sentence beside a field, which else is its value


class Unit(IntEnum):
    """What a line or sentence is: of the report, possibly of a letterhead, certainly of one."""

    REPORT = 0
    NEUTRAL = 1
    LETTERHEAD = 2


def caption_sections(text: str, wanted: Sequence[str]) -> tuple[dict[str, str], Counter[str]]:
    """The ``wanted`` sections of a report (`parse_sections`) without letterhead and signature, and what was cut of it.

    A field of the letterhead ("MRN: 123") or a signature that has a heading of its own is cut there; sentences of the
    report that stand on its line, as in a report flattened to one, are body.
    """
    found = parse_sections(text)
    cut: Counter[str] = Counter()
    for name, label in (("other", "LETTERHEAD"), ("signature", "SIGNATURE")):
        if name in found and name not in wanted:
            lines = found.pop(name).split("\n")
            cut[label] += len(lines)
            rest = [sentences for line in lines if (sentences := _sentences(line))]
            if rest:
                found["body"] = "\n".join([*([found["body"]] if "body" in found else []), *rest])
    kept = {}
    for name in (n for n in found if n in wanted):
        kept[name], edges = cut_letterhead(found[name])
        cut += edges
    return {name: part for name, part in kept.items() if part}, +cut


def cut_letterhead(text: str) -> tuple[str, Counter[str]]:
    """``text`` without the letterhead at its top and the signature block at its end, and how many units of
    "LETTERHEAD" and of "SIGNATURE" were cut; white space between the units that stay is as it was."""
    units = _units(text)
    top = _reach(text, units)
    bottom = _reach(text, units[top:][::-1])
    cut = Counter({name: n for name, n in (("LETTERHEAD", top), ("SIGNATURE", bottom)) if n})
    if not cut:
        return text, cut
    kept = units[top : len(units) - bottom]
    return (text[kept[0][0] : kept[-1][1]].strip() if kept else ""), cut


def _sentences(line: str) -> str:
    """What of a field's line is the report's: from its first sentence on, if any speaks of anatomy or disease."""
    value = signs.VALUE.match(line)
    line = line[value.end() :] if value else line
    first, medical = None, False
    for start, end in _units(line):
        unit = line[start:end].rstrip()
        words = _WORD.findall(unit)
        says = len(words) > 1 and any(_is_medical(w.lower()) for w in words)  # "No pneumothorax." is of two
        if (says or len(words) >= _FEWEST) and unit.endswith((".", "!", "?")) and unit_kind(unit) is Unit.REPORT:
            first = start if first is None else first
            medical = medical or says
    return cut_letterhead(line[first:])[0] if first is not None and medical else ""


def _reach(text: str, units: Sequence[tuple[int, int]]) -> int:
    """How many units go from this edge: as far as the last certain one before the first of the report."""
    reach = 0
    for i, (start, end) in enumerate(units, 1):
        each = unit_kind(text[start:end])
        if each is Unit.REPORT:
            break
        reach = i if each is Unit.LETTERHEAD else reach
    return reach


def _units(text: str) -> list[tuple[int, int]]:
    """(start, end) of every line, and of the sentences and fields in it; "Dr. A. Baker" is not three of them."""
    cuts = [
        m.span()
        for m in signs.SPLIT.finditer(text)
        if not signs.ABBREVIATED.search(text[max(0, m.start() - 12) : m.start()])
    ]
    cuts += [m.span() for m in signs.LINE.finditer(text)]
    cuts += [
        m.span()
        for m in signs.INSIDE.finditer(text)
        if not signs.HALF_ROLE.search(text[max(0, m.start() - 16) : m.start()])
    ]
    cuts += [m.span(1) for m in signs.FIELD.finditer(text)]
    units, at = [], 0
    for start, end in [*sorted(cuts), (len(text), len(text))]:
        if start >= at:
            if text[at:start].strip():
                units.append((at, start))
            at = end
    return units


def unit_kind(unit: str) -> Unit:
    """Whether a line or sentence is of a letterhead; what is longer than one has ever been is none."""
    if len(unit) > _LONGEST:
        return Unit.REPORT
    plain = " ".join(fold_value(unit).split())
    if signs.STAMP.match(plain):
        return Unit.LETTERHEAD
    if signs.NOTICE.match(plain) and not _says_anything_medical(plain):
        return Unit.LETTERHEAD
    signed = signs.START.match(plain) is not None or signs.ANYWHERE.search(plain) is not None
    if _says_anything(plain, signed):
        return Unit.REPORT
    return Unit.LETTERHEAD if signed else Unit.NEUTRAL


def _says_anything_medical(notice: str) -> bool:
    words = {w.lower() for w in _WORD.findall(notice)}
    return any(_is_medical(w) for w in words - signs.notice_words())


def _says_anything(unit: str, signed: bool) -> bool:
    """Does a word of the unit belong in no letterhead? Names do not count, nor what follows a title; in a unit with a
    sign no capitalised word counts that is not of medicine ("Kochi District Hospital")."""
    house = signs.HOUSE.match(unit)
    if house and _is_name(house[1].lower()) and not _is_medical(house[1].lower()):
        return False
    rest = signs.PERSON.sub(_without_name, signs.ADDRESS.sub(" ", unit))
    shouted = is_shouted(unit)
    for word in _WORD.findall(rest):
        low = word.lower()
        if len(low) < 2 or low in signs.words() or low.removesuffix("'s") in signs.words():
            continue
        if word[0].islower():
            return True
        if _is_medical(low) or not (_is_name(low) or (signed and not shouted) or (not shouted and _is_rare(low))):
            return True
    return False


def _without_name(title: re.Match[str]) -> str:
    """A title without the name after it: up to three words, of which none is of medicine and nobody's name."""
    words = title[1].split()
    name = [w.lower().strip(".,") for w in words[:3]]
    named = next((i for i, w in enumerate(name) if _is_medical(w) and not kind(w) & Kind.NAME), len(name))
    return f"{title[0][: title.start(1) - title.start()]} {' '.join(words[named:])} "


@cache
def _medical() -> frozenset[str]:
    return word_sections("radiology")["medical"] - signs.words()


@lru_cache(maxsize=50_000)
def _is_medical(word: str) -> bool:
    """A word of anatomy, disease or imaging that no letterhead holds."""
    return word in _medical() or (word.endswith("s") and word[:-1] in _medical())


@lru_cache(maxsize=50_000)
def _is_name(word: str) -> bool:
    """A surname or given name, or a word that nobody knows."""
    return bool(kind(word) & Kind.NAME) or not kind(word) & Kind.KNOWN


@lru_cache(maxsize=50_000)
def _is_rare(word: str) -> bool:
    """A word that no report is made of ("Riverside")."""
    return not kind(word) & (Kind.CLINICAL | Kind.BY_HAND)
