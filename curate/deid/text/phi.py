"""The patient's own header and report values, found in folded text however they are written there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from curate.deid.header.phi import technical_words
from curate.deid.text.fold import fold_value
from curate.deid.text.glance import Glance
from curate.deid.text.person import People, people_spans
from curate.deid.text.rules import Span
from curate.deid.text.variants import initials_spans, variant_spans


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_EDGE_L, _EDGE_R = r"(?<![^\W_])", r"(?![^\W_])"
_LOOSE = r"(?:[^\w\0]|_)"  # whatever stands between words, but a placeholder
_FACILITY = _words("""
hospital hospitals clinic center centre ctr medical med health healthcare university infirmary radiology imaging
institute department dept associates group system general regional memorial community ward unit laboratory lab
school college trust nhs
""")
_ADDRESS = re.compile(r"^\d+\s+[^\W\d_]|\b(?:street|st|ave|avenue|road|rd|lane|ln|drive|blvd|box|apt)\b", re.IGNORECASE)


def phi_spans(text: str, phi: Sequence[str], glance: Glance | None = None) -> Iterator[Span]:
    """Spans of folded ``text`` that hold one of ``phi``, by what each value is: a name, a number, a place, a phrase."""
    squashed = _squash(text)
    values, people = _known(tuple(phi))
    for plain, words in values:
        yield from _value_spans(text, squashed, plain, words)
    yield from people_spans(text, squashed, people)
    if people.long:
        yield from variant_spans(Glance(text) if glance is None else glance, squashed, people.long)
        yield from initials_spans(text, people.initials)


@lru_cache(maxsize=16)
def _known(phi: tuple[str, ...]) -> tuple[list[tuple[str, list[str]]], People]:
    """What is no name with its words, and the people; kept while one record is scrubbed."""
    values: list[tuple[str, list[str]]] = []
    people = People()
    for value in dict.fromkeys(phi):
        for plain in dict.fromkeys(fold_value(value, wide=wide).strip() for wide in (False, True)):
            words = re.findall(r"[^\W_]+(?:['-][^\W_]+)*", plain)
            if _is_name(plain, words):
                people.add(plain)
            else:
                values.append((plain, words))
    return values, people


@lru_cache(maxsize=4096)
def _squash(text: str) -> str:
    return re.sub(r"[\W_]+", "", text).lower()


def _is_name(plain: str, words: list[str]) -> bool:
    """A PN ("A^B"), a word, or two to four words none of which is of a facility, an address or the standard."""
    if "^" in plain:
        return True
    if not words or any(c.isdigit() for c in plain) or "@" in plain or not _letters_only(plain):
        return False
    lowered = [w.lower() for w in words]
    if any(w in _FACILITY for w in lowered):
        return False
    return len(words) == 1 or (len(words) <= 4 and not all(w in technical_words() for w in lowered))


def _letters_only(plain: str) -> bool:
    return re.fullmatch(r"[^\W\d_]+(?:[\s,.'-]+[^\W\d_]+)*\.?", plain) is not None


def _value_spans(text: str, squashed: str, plain: str, words: list[str]) -> Iterator[Span]:
    core = _squash(plain)
    digits = re.sub(r"\D", "", plain)
    if _squash(plain) in squashed and core and not (core.isdigit() and len(core) < 4):
        gap = rf"{_LOOSE}{{0,3}}" if len(core) > 4 else ""
        numeric = any(c.isdigit() for c in core) and len(words) < 3
        pattern = gap.join(map(re.escape, core)) if numeric and gap else rf"{_LOOSE}{{0,12}}".join(map(_word, words))
        guard = r"(?<!\d[.,])" if core.isdigit() else ""
        yield from _find(text, guard + pattern, _label(plain, words))
    trimmed = digits.lstrip("0")
    for number in dict.fromkeys((digits, trimmed)):
        if len(number) > 4 and number != core and number in squashed:
            yield from _find(text, r"[\s./_-]?".join(number), "ID")
    yield from _places(text, squashed, words)


def _word(word: str) -> str:
    return r"[\W_]{0,2}".join(map(re.escape, re.split(r"['-]", word)))


def _places(text: str, squashed: str, words: list[str]) -> Iterator[Span]:
    """A facility by its own name: "Mercy General Hospital" is also "Mercy General", and "Mercy"."""
    lowered = [w.lower() for w in words]
    if not any(w in _FACILITY for w in lowered):
        return
    own = [w for w in words if w.lower() not in _FACILITY and w.lower() not in technical_words() and len(w) > 3]
    for word in own:
        if not any(c.isdigit() for c in word) and _squash(word) in squashed:
            yield from _find(text, _word(word) + "(?:'s)?", "FACILITY")


def _find(text: str, pattern: str, label: str) -> Iterator[Span]:
    for hit in re.finditer(f"{_EDGE_L}{pattern}{_EDGE_R}", text, re.IGNORECASE):
        yield hit.start(), hit.end(), label


def _label(plain: str, words: list[str]) -> str:
    if "@" in plain:
        return "EMAIL"
    if any(w.lower() in _FACILITY for w in words):
        return "FACILITY"
    if len(words) > 1 and _ADDRESS.search(plain):
        return "ADDRESS"
    if re.fullmatch(r"[+()\d\s./-]{7,}", plain) and re.search(r"[+() -]", plain):
        return "PHONE"
    return "ID" if any(c.isdigit() for c in plain) else "NAME"
