"""The patient's own header and report values, found in folded text however they are written there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from curate.deid.header_phi import technical_words
from curate.deid.text_fold import fold_value
from curate.deid.text_rules import Span


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_EDGE_L, _EDGE_R = r"(?<![^\W_])", r"(?![^\W_])"
# A word broken by a line end, a hyphen, a no-break space; tidied text has no zero-width characters left.
_BREAK = r"(?:-?[^\S\n]*\n\s*|[-\xa0'.])?"
_LOOSE = r"(?:[^\w\0]|_)"  # whatever stands between words, but a placeholder
_BETWEEN = r"[\s,.^_/\\=-]{0,4}"
_PARTICLES = _words("""
de da del della der den van von vom la le los las el al bin ibn ben st san dos das du di mac ter
""")
_TITLES = _words("""
dr mr mrs ms md phd prof miss jr sr ii iii iv esq rn np pa do dds
""")
_FACILITY = _words("""
hospital hospitals clinic center centre ctr medical med health healthcare university infirmary radiology imaging
institute department dept associates group system general regional memorial community ward unit laboratory lab
school college trust nhs
""")
_ADDRESS = re.compile(r"^\d+\s+[^\W\d_]|\b(?:street|st|ave|avenue|road|rd|lane|ln|drive|blvd|box|apt)\b", re.IGNORECASE)


def phi_spans(text: str, phi: Sequence[str]) -> Iterator[Span]:
    """Spans of folded ``text`` that hold one of ``phi``, by what each value is: a name, a number, a place, a phrase."""
    squashed = _squash(text)
    values, parts, initials = _known(tuple(phi))
    for plain, words in values:
        yield from _value_spans(text, squashed, plain, words)
    yield from _name_spans(text, squashed, parts, initials)


@lru_cache(maxsize=16)
def _known(phi: tuple[str, ...]) -> tuple[list[tuple[str, list[str]]], list[str], str]:
    """What is no name with its words, the parts of names, their initials; kept while one record is scrubbed."""
    values: list[tuple[str, list[str]]] = []
    parts: dict[str, None] = {}
    initials: dict[str, None] = {}
    for value in dict.fromkeys(phi):
        plain = fold_value(value).strip()
        words = re.findall(r"[^\W_]+(?:['-][^\W_]+)*", plain)
        if _is_name(plain, words):
            for part in _name_parts(words):
                parts.setdefault(part)
                initials.setdefault(part[0].upper())
        else:
            values.append((plain, words))
    return values, list(parts), "".join(c for c in initials if c.isalpha())


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


def _name_parts(words: list[str]) -> Iterator[str]:
    for word in words:
        if word.lower() in _TITLES:
            continue
        yield word
        if "-" in word:
            yield from (w for w in word.split("-") if len(w) > 2)


def _name_spans(text: str, squashed: str, parts: list[str], initials: str) -> Iterator[Span]:
    """Runs of the name's parts and initials, in any order and case, that hold at least one whole part."""
    present = [p for p in parts if _squash(p) in squashed]
    long = [p for p in present if len(p) > (2 if p.isascii() else 1) and p.lower() not in _PARTICLES]
    short = [p for p in present if p not in long and len(p) > 1]
    if long:
        run = _name_run(tuple(long), tuple(short), initials)
        yield from ((m.start(), m.end(), "NAME") for m in run.finditer(text))
    if len(short) > 1:  # "LI^AN": two short parts name someone only side by side
        pair = "|".join(map(re.escape, short))
        run = re.compile(rf"{_EDGE_L}(?:{pair})[\s,.^_-]{{1,3}}(?:{pair}){_EDGE_R}", re.IGNORECASE)
        yield from ((m.start(), m.end(), "NAME") for m in run.finditer(text))


@lru_cache(maxsize=64)
def _name_run(long: tuple[str, ...], short: tuple[str, ...], initials: str) -> re.Pattern[str]:
    """Compiling costs more than searching, and a record's sections ask for the same names."""
    whole = "|".join(sorted(map(_spelled, long), key=len, reverse=True))
    minor = (
        "|".join([*map(re.escape, short), rf"(?-i:[{initials}])\.?"]) if initials else "|".join(map(re.escape, short))
    )
    minor = f"(?:{minor})" if minor else r"(?!)"
    edges = (_EDGE_L, _EDGE_R) if all(p.isascii() for p in long) else ("", "")
    follow = rf"(?:{_BETWEEN}(?:{whole}|{minor}(?![^\W_])))*(?:'s)?"
    run = rf"{edges[0]}(?:{minor}{_BETWEEN})*?(?:{whole}){follow}{edges[1]}"
    return re.compile(run, re.IGNORECASE)


def _spelled(part: str) -> str:
    """A part as one pattern: broken by a line end or hyphen anywhere, or letter-spaced."""
    letters = [re.escape(c) for c in part if c.isalnum()]
    joints = [r"[\W_]{0,2}" if not a.isalnum() else "" for a in part]
    broken = letters[0]
    at = 0
    for c, joint in zip(part[1:], joints[1:], strict=True):
        if joint:
            at = 1
            continue
        broken += (r"[\W_]{0,2}" if at else _BREAK) + re.escape(c)
        at = 0
    spaced = r"[ .]{1,2}".join(letters)
    return f"{broken}|{spaced}" if len(letters) > 3 else broken


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
