"""The lexicon: findings, organs, head words (abnormalities of an organ), and cues that modify them.

Four tables in ``data/``, in British spelling and the singular, are compiled into one pattern and one dictionary from
phrase to `Meaning`. The pattern is a trie (Fredkin 1960): `re` would try thousands of alternatives one by one, a trie
goes letter by letter. The longest phrase wins.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from filters.findings.spelling import plurals, spellings

SIZES = ("small", "moderate", "large")
SIDES = ("left", "right", "both")
_SECTIONS = ("past_section", "present_section")
_EITHER = {frozenset({"deny", "deny_after"}): "deny_either", frozenset({"doubt", "doubt_after"}): "doubt_either"}
_NOT_MRI = r"(?![\d.]*\d|[ -]?(?:weight|wi\b|signal|hyper|hypo))"
# C1, T10-T11, L4/5, L5-S1. T1 and T2 alone are MRI weightings, so they are levels only where a vertebra is named.
_LEVEL = r"(?:[cls]\d|t\d\d?)(?:[ ]?[-/\u2010-\u2014][ ]?[ctls]?\d\d?)?" + _NOT_MRI
_SPLIT = re.compile(r"[\s-]+")


class Meaning(NamedTuple):
    """The roles of a phrase, "" for those it does not have: "left base" is a side and an organ."""

    cue: str = (
        ""  # deny, deny_after, deny_either, doubt..., certain, stop, affirm, history, or, and, normal, none, comma
    )
    side: str = ""
    size: str = ""
    organ: str = ""
    head: str = ""
    finding: str = ""
    level: str = ""


@dataclass(frozen=True)
class Finding:
    """A finding's canonical ``name``, its body ``region``, whether it can have a side and whether it is a device."""

    name: str
    region: str
    sided: bool
    device: bool


@dataclass(frozen=True, eq=False)
class Lexicon:
    """The compiled tables. ``denied``: the findings that a normal organ rules out; ``composed``: those of head and
    organ."""

    findings: dict[str, Finding]
    meanings: dict[str, Meaning]
    composed: dict[tuple[str, str], str]  # (head, organ) -> finding
    alone: dict[str, str]  # head -> finding if no organ is named
    denied: dict[str, tuple[str, ...]]
    pattern: re.Pattern[str]  # over the lower-cased text; group 1 is set for a boundary of sentences
    sections: re.Pattern[str]
    past: frozenset[str]  # headings of sections that are not about this picture


def normalise(phrase: str) -> str:
    """The dictionary's form of a matched phrase: one space for any blanks and hyphens."""
    return " ".join(_SPLIT.split(phrase))


@cache
def lexicon() -> Lexicon:
    """The tables of ``data/``, compiled; about 0.2 s, once in each process."""
    findings: dict[str, Finding] = {}
    fields: dict[str, dict[str, str]] = {}
    for name, region, flags, words in _rows("findings.tsv"):
        for part in name.split("+"):
            findings.setdefault(part, Finding(part, region, "m" not in flags, "v" in flags))
        _enter(fields, "finding", name, words.split("|"), nouns=True)
    denied: dict[str, tuple[str, ...]] = {}
    for organ, none_of, words in _rows("organs.tsv"):
        denied[organ] = tuple(none_of.split("|"))
        _enter(fields, "organ", organ, words.split("|"), nouns=True)
    composed, alone = _heads(fields, findings)
    sections = _cues(fields)
    meanings = {phrase: Meaning(**meaning) for phrase, meaning in fields.items()}
    headings = "|".join(re.escape(w) for w in sorted((w for s in sections.values() for w in s), key=len, reverse=True))
    return Lexicon(
        findings,
        meanings,
        composed,
        alone,
        denied,
        _compile(meanings),
        re.compile(rf"(?:^|(?<=[\n.]))[ \t]*({headings})[ \t]*:"),
        frozenset(sections["past_section"]),
    )


def _heads(
    fields: dict[str, dict[str, str]], findings: dict[str, Finding]
) -> tuple[dict[tuple[str, str], str], dict[str, str]]:
    composed: dict[tuple[str, str], str] = {}
    alone: dict[str, str] = {}
    for head, name, words, pairs in _rows("composed.tsv"):
        _enter(fields, "head", head, words.split("|"), nouns=True)
        alone[head] = name
        for pair in filter(None, pairs.split("|")):
            organ, finding = pair.split("=")
            composed[head, organ] = finding
    for name in sorted({*composed.values(), *filter(None, alone.values())} - set(findings)):
        findings[name] = Finding(name, "general", True, False)
    return composed, alone


def _cues(fields: dict[str, dict[str, str]]) -> dict[str, list[str]]:
    """Enter the words of ``cues.tsv``; the headings of sections are returned instead."""
    sections: dict[str, list[str]] = {}
    kinds: dict[str, set[str]] = {}
    for kind, words in _rows("cues.tsv"):
        if kind in _SECTIONS:
            sections[kind] = words.split("|")
        elif kind in SIDES:
            _enter(fields, "side", kind, words.split("|"))
        elif kind in SIZES:
            _enter(fields, "size", kind, words.split("|"))
        else:
            for word in words.split("|"):
                kinds.setdefault(normalise(word), set()).add(kind)
    for word, cue_kinds in kinds.items():
        kind = next(iter(cue_kinds)) if len(cue_kinds) == 1 else _EITHER[frozenset(cue_kinds)]
        _enter(fields, "cue", kind, [word])
    return sections


def _enter(
    fields: dict[str, dict[str, str]], field: str, value: str, words: Iterable[str], nouns: bool = False
) -> None:
    """Add phrases; one that already has this field keeps its first value, and a head is no finding by itself."""
    for word in words:
        for spelt in spellings(word):
            for phrase in plurals(spelt) if nouns else (spelt,):
                meaning = fields.setdefault(normalise(phrase), {})
                meaning.setdefault(field, value)
                if field == "head":
                    meaning.pop("finding", None)


def _rows(name: str) -> Iterator[list[str]]:
    text = files("filters.findings").joinpath("data", name).read_text("utf-8")
    return (line.split("\t") for line in text.splitlines() if line and not line.startswith("#"))


def _compile(phrases: Iterable[str]) -> re.Pattern[str]:
    trie: dict[str, dict[str, object]] = {}
    for phrase in phrases:
        node: dict[str, object] = trie  # type: ignore[assignment]
        for letter in phrase:
            node = node.setdefault(letter, {})  # type: ignore[assignment]
        node[""] = {}
    words = _branch(trie)
    return re.compile(rf"\b(?:{words}|{_LEVEL}|[lr](?![\w'./-]))\b|([;\n]|[.!?](?=\s|$))|[,:(/]")


def _branch(node: dict[str, dict[str, object]]) -> str:
    """A trie as a pattern; an end inside a longer phrase is optional, so that the longest is tried first."""
    parts = []
    for letter in sorted(k for k in node if k):
        here = r"[\s-]{1,3}" if letter == " " else re.escape(letter)
        parts.append(here + _branch(node[letter]))  # type: ignore[arg-type]
    if not parts:
        return ""
    inner = parts[0] if len(parts) == 1 else f"(?:{'|'.join(parts)})"
    return f"(?:{inner})?" if "" in node else inner
