"""Clean Descriptors (PS3.15 E.3.5): the words of a header's free text that may be kept.

A word is kept if a vocabulary of medicine or of DICOM's terms has it and it is no name in this file; a number if it is
short and measures something or is part of a protocol's name ("T2", "1.5 mm"). The result is ASCII, with accents folded,
so that it needs no character set.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

from curate.deid.header import allowed
from curate.deid.header.phi import Identity, folded
from curate.deid.words.technical import technical_words
from curate.deid.words.vocabulary import Kind, is_given_name, is_medical, is_surname, kind

# Words of protocols that are in no dictionary, and of body parts
_PROTOCOL = allowed.PROTOCOL_WORDS | {w.lower() for term in allowed.BODY_PARTS for w in term.split()}
_WITHOUT = frozenset({"w/o", "w/wo", "wo/w", "w/", "w/c"})  # kept whole: a half would say the opposite
# Single letters with a meaning: sides, planes, weightings, with and without, by.
_LETTERS = frozenset("lrtwxbk")
_LEAD = frozenset("tlcsbik")  # a letter before a number: T2, L4, C7, S1, B30, I31f, K
_DATE_LIKE = re.compile(
    r"\d+[-/.:]\d+[-/.:]\d+|\d+[-/:]\d+|\d{4,}|\d{1,2}[-./ ]?(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"
)
# 45 CFR 164.514(b)(2)(i)(C): ages over 89 are removed
_OLD = re.compile(
    r"(?<![\w.])(?:9\d|1[0-4]\d)[\s-]{0,2}(?:y(?:ea)?rs?|y\.?\s?/?o\.?|y)(?:[\s-]{1,2}old)?\b"
    r"|\bage[d:]?\s{0,2}(?:9\d|1[0-4]\d)\b|(?<![\w.])(?:9\d|1[0-4]\d)\s?[MF]\b",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W_]+")
_MAX_DIGITS = 3
_MAX_TEXT = 1024


def clean_text(text: str, identity: Identity) -> str:
    """The words and numbers of ``text`` that may be kept, in order; "" if there are none."""
    return _clean(text[:_MAX_TEXT], identity.words, identity.phrases, identity.digits)


@lru_cache(maxsize=1024)
def _clean(text: str, words: frozenset[str], phrases: tuple[str, ...], digits: frozenset[str]) -> str:
    """`clean_text`, cached for the files of a series, which share texts and identities."""
    identity = Identity((), words, phrases, digits)
    plain = _OLD.sub(" ", _without_phrases(_unaccented(text), identity))
    tokens = plain.split()
    remaining = [chunk for chunk in _in_context(tokens, [_token(token, identity) for token in tokens]) if chunk]
    result = " ".join(" ".join(_measured(remaining)).split())
    return "" if not re.search(r"[A-Za-z]", result) or holds_phrase(result, identity) else result


def _unaccented(text: str) -> str:
    """Letters without their accents; ASCII is unchanged."""
    if text.isascii():
        return text
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))


def _without_phrases(text: str, identity: Identity) -> str:
    """Without identifying values as a whole: each word of an institution's name alone may be harmless."""
    lowered = folded(text)
    for phrase in identity.phrases:
        if phrase in lowered:
            text = re.sub(re.escape(phrase), " ", text, flags=re.IGNORECASE)
    return text


def holds_phrase(text: str, identity: Identity) -> bool:
    """True if ``text`` contains a whole identifying value of the file, though each of its words is harmless."""
    lowered = folded(text)
    spelled = f" {' '.join(_WORD.findall(lowered))} "
    return any(p in lowered or f" {p} " in spelled for p in identity.phrases)


def known(word: str, identity: Identity) -> bool:
    """True for a word of the vocabularies that is no name in this file."""
    low = folded(word)
    return low not in identity.words and _known(low)


@lru_cache(maxsize=65536)
def _known(word: str) -> bool:
    if word in allowed.NEVER_WORDS or not word.isascii():
        return False
    if word in _PROTOCOL:
        return True
    word_kind = kind(word)
    if word_kind & Kind.NAME and (not word_kind & Kind.BY_HAND or word_kind & (Kind.EPONYM | Kind.BOUND)):
        return False  # an eponym, or a rare word, that is also somebody's name
    if len(word) > 1 and is_medical(word):
        return True
    return word in technical_words() and not is_surname(word) and not is_given_name(word)


def _is_name(token: str) -> bool:
    """True for a kept token with a word that is also a name: stone, hill, gray."""
    words = (w.lower() for w in re.findall(r"[A-Za-z]{2,}", token))
    return any(w not in _PROTOCOL and kind(w) & Kind.NAME for w in words)


def _in_context(tokens: list[str], kept: list[str]) -> list[str]:
    """``kept`` without words that are names in their context: after a cue, or next to a removed word."""
    removed = [not k and bool(re.search(r"[^\W\d_]{3,}", t)) for t, k in zip(tokens, kept, strict=True)]
    cue = [folded(t).strip(".,;:()[]") in allowed.NAME_CUES for t in tokens]
    changed = True
    while changed:
        changed = False
        for i, token in enumerate(kept):
            beside = any(0 <= j < len(kept) and removed[j] and not cue[j] for j in (i - 1, i + 1))
            if (
                token
                and _is_name(token)
                and (beside or (i > 0 and cue[i - 1]) or (i > 1 and cue[i - 2] and removed[i - 1]))
            ):
                kept[i], removed[i], changed = "", True, True
    return kept


def _token(token: str, identity: Identity) -> str:
    """The kept parts of one blank-separated token, with the punctuation between them."""
    if token.lower() in _WITHOUT:
        return token
    if folded(token).strip(".,;:()[]") in identity.words or _DATE_LIKE.match(token.lower()):
        return ""
    if not token.isascii() and not (token := re.sub(r"[^\x00-\x7f]", "", token)):
        return ""
    out: list[str] = []
    for joined in re.findall(r"[A-Za-z0-9.]+|[^A-Za-z0-9.]+", token):
        if joined[0].isalnum() or joined[0] == ".":
            out.append(_joined(joined, identity))
        else:
            out.append(joined if joined in ("/", "-", "+", "_", "&", ",", "(", ")", "*", "x", "%", " ") else " ")
    return re.sub(r"^[\W_]+|[\W_]+$", "", "".join(out)) if any(re.search(r"[A-Za-z0-9]", o) for o in out) else ""


def _joined(part: str, identity: Identity) -> str:
    """A run of letters and digits is kept whole or not at all ("T2W", "1.5mm", "Chest.")."""
    part = part.strip(".")
    runs = re.findall(r"[A-Za-z]+|\d+(?:\.\d+)?", part)
    if not runs or "".join(runs) != part.replace("..", "") or len(runs) > 4 or folded(part) in identity.words:
        return _words_of(part, identity)
    if len(runs) == 1:
        return part if _run(part, identity, True) else ""
    return (
        part if all(_run(r, identity, i == 0) for i, r in enumerate(runs)) and not _is_number_of(part, identity) else ""
    )


def _words_of(part: str, identity: Identity) -> str:
    """Words separated by dots, each checked by itself."""
    return " ".join(w for w in part.split(".") if w.isalpha() and known(w, identity))


def _run(run: str, identity: Identity, first: bool) -> bool:
    if run[0].isdigit():
        return len(run.replace(".", "")) <= _MAX_DIGITS + ("." in run)
    low = run.lower()
    if len(low) == 1:
        return low in _LETTERS or (first and low in _LEAD) or (not first and low in "dfhst")
    return low in allowed.UNITS or known(run, identity)


def _is_number_of(part: str, identity: Identity) -> bool:
    return re.sub(r"[^0-9]", "", part) in identity.digits


def _measured(tokens: list[str]) -> Iterator[str]:
    """Without numbers of two digits and more that have no unit."""
    for i, token in enumerate(tokens):
        if re.fullmatch(r"\d{1,3}", token) and len(token) > 1:
            after = tokens[i + 1].lower() if i + 1 < len(tokens) else ""
            if after not in allowed.UNITS:
                continue
        yield token
