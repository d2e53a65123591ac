"""The values that are known of a patient, as search terms: whole, in parts, in other spellings and other scripts."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from datetime import date
from functools import lru_cache
from itertools import islice

from curate.deid.verify.dates import date_forms, day_of
from curate.deid.verify.finding import Finding
from curate.deid.verify.normalise import (
    expand_umlauts,
    fold_umlauts,
    join_broken_words,
    join_spaced_letters,
    normalise,
    plain,
)
from curate.deid.verify.vocabulary import standard_words
from curate.deid.word_lists import word_sections, words

_PART = 4  # shorter parts of names occur by chance in any text
_NO_NAME = word_sections("words", "verify/data")["no name"]
_PLACE = re.compile(
    r"\b(?:hospital|clinic|cent(?:er|re)|university|institute|department|dept|street|road|avenue|lane|drive|infirmary)\b"
    r"|病院|医院|醫院|大学|병원",
    re.IGNORECASE,
)
_CONTACT = re.compile(r"@|://|^www\.|^\+?[\d\s()./-]{7,}$")


class KnownValues:
    """The search terms of ``phi``: words and phrases with their codes, digit runs, dates, names in other scripts."""

    def __init__(self, phi: Sequence[str], whole: Sequence[str] = ()) -> None:
        """``whole``: values that are searched for as a whole, not in parts."""
        phrases: dict[str, Finding] = {}
        self.digits: dict[str, Finding] = {}
        for value in (*phi, *whole):
            kind = kind_of(value)
            for phrase in (
                _phrases(value) if value in phi else islice(_phrases(value), None if kind is Finding.DATE else 1)
            ):
                phrases.setdefault(phrase, kind)
            for run in _digit_runs(value):
                self.digits.setdefault(run, Finding.ID if kind is Finding.NAME else kind)
        self.days: frozenset[date] = frozenset(day for value in (*phi, *whole) if (day := day_of(value)) is not None)
        self.spellings = tuple(s for w in phrases if is_cyrillic_or_greek(w) for s in transliterations(w))
        self.short = short_names(phi)
        self.folded = {
            b for p in phrases if p.isascii() and len(p) > 4 and p.isalpha() and len(b := fold_umlauts(p)) > 3
        }
        for value in phi:
            if not value.isascii():
                for phrase in _phrases(expand_umlauts(value)):
                    phrases.setdefault(phrase, kind_of(value))
        self.phrases = [(f" {p} ", kind) for p, kind in phrases.items()]
        self.joined = [
            (p, kind)
            for phrase, kind in phrases.items()
            if len(p := phrase.replace(" ", "")) > 7 and not p.isdigit() and kind is not Finding.DATE
        ]

    def in_text(self, text: str) -> Iterator[Finding]:
        """Findings in ``text``, which has no shifted dates (`curate.deid.verify.dates.without_shifted`)."""
        flat = normalise(text)
        yield from (kind for phrase, kind in self.phrases if phrase in flat)
        yield from (Finding.NAME for _ in range(1) if self._other_letters(text, flat))
        for other in dict.fromkeys((normalise(join_broken_words(text)), normalise(join_spaced_letters(text)))):
            if other != flat:
                yield from (kind for phrase, kind in self.phrases if phrase in other)
        joined = flat.replace(" ", "")
        yield from (kind for long, kind in self.joined if long in joined)
        if self.digits:
            normalised = unicodedata.normalize("NFKC", text)
            runs = {re.sub(r"\D", "", run) for run in re.findall(r"\d(?:[ ./()_-]{0,2}\d)*", normalised)}
            runs.update(re.findall(r"\d+", normalised))
            yield from (kind for number, kind in self.digits.items() if number in runs)

    def _other_letters(self, text: str, flat: str) -> bool:
        """Is there a name with umlauts written out or not, romanised, or of two letters?"""
        out = flat if text.isascii() else normalise(expand_umlauts(text))
        if out != flat and any(phrase in out for phrase, _ in self.phrases):
            return True
        if self.folded and not self.folded.isdisjoint(map(fold_umlauts, {*flat.split(), *out.split()})):
            return True
        if self.spellings and any(spelling.search(flat) for spelling in self.spellings):
            return True
        return has_short_name(text, self.short)


def kind_of(value: str) -> Finding:
    """The kind of an identifying value, by its form."""
    value = value.strip()
    if day_of(value) is not None:
        return Finding.DATE
    if re.fullmatch(r"[0-2](?:\.\d+){3,}", value):
        return Finding.UID
    if "^" not in value and _PLACE.search(value):
        return Finding.PLACE
    if _CONTACT.search(value):
        return Finding.CONTACT if re.search(r"\D", value) else Finding.ID
    return Finding.ID if re.search(r"\d", value) else Finding.NAME


def _phrases(value: str) -> Iterator[str]:
    """A value and its identifying parts, flattened by `letters`."""
    whole = normalise(value).strip()
    day = day_of(value)
    if day is not None:
        yield from date_forms(day)
        return
    words = whole.split()
    solid = whole.replace(" ", "")
    if len(whole) >= (3 if whole.isascii() else 2) and not (solid.isdigit() and len(solid) < _PART):
        yield whole
    if "^" in value or _looks_like_a_name(words):
        yield from (w for w in words if len(w) >= _PART or (not w.isascii() and len(w) > 1))
        if len(words) > 1:
            yield f"{words[1]} {words[0]}"
        after = (normalise(w).strip() for w in re.findall(r"['’]([^\W\d_]+)", value))  # Donoghue of O'Donoghue
        yield from (w for w in after if len(w) >= _PART)


def _looks_like_a_name(words: list[str]) -> bool:
    return 2 <= len(words) <= 3 and all(w.isalpha() and w not in _NO_NAME for w in words)


def _digit_runs(value: str) -> Iterator[str]:
    run = re.sub(r"\D", "", value)
    if day_of(value) is None and len(run) > 4 and "." not in value:
        yield run
        if len(run.lstrip("0")) > 4:
            yield run.lstrip("0")


# Sounds, Latin for Cyrillic and for Greek letters, most letters first. As regular expressions over lower case.
_SOUNDS: dict[str, str] = {
    "щ": "s(h|c)?(c|t)?(s?c)?h?", "кс": "(ks|x)", "ий": "(i[iyj]?|y[iyj]?|j|ey)", "ый": "(i|y[iyj]?|ij)",
    "дж": "(dzh|dj|j|g)", "а": "a", "б": "b", "в": "(v|w|ff?)", "г": "(gh?|h)", "ґ": "g", "д": "d",
    "е": "[yij]?[eo]", "ё": "[yij]?[eo]", "ж": "(zh|j|z|g|sh)", "з": "[zs]",
    "ии": "(i[iyj]?|y[iyj]?|j|ey)", "ыи": "(i|y[iyj]?|ij)", "и": "(i|y|ee)",
    "й": "[yij]?", "к": "[kc]", "л": "l", "м": "m", "н": "n", "о": "o", "п": "p", "р": "r", "с": "s?[sc]", "т": "t",
    "у": "(ou|oo|u|w|y)", "ф": "(f|ph)", "х": "(kh|ch|h|x)", "ц": "(t[sz]|c?z|c)", "ч": "(ts?ch|tsh|ch|cz|c)",
    "ш": "(sch|sh|ch|sz|s)", "ъ": "[au]?", "ы": "[yi]", "ь": "[yi]?", "э": "e", "ю": "([yij]?u)", "я": "([yij]?a)",
    "і": "[yij]?[iy]", "ї": "[yij]?i", "є": "[yij]?e", "ў": "[uw]", "ј": "[jy]", "љ": "[ln]j", "њ": "nj", "ђ": "dj?",
    "ћ": "(ch?|tj)", "џ": "(d[zj]|j)",
    "ου": "(ou|u)", "αυ": "a[vfu]", "ευ": "e[vfu]", "μπ": "(m?b|mp)", "ντ": "(n?d|nt)", "γκ": "(g[kg]?|ng)",
    "γγ": "(ng|gg)", "γχ": "nc?h", "αι": "(ai|ae|e)", "οι": "(o?i|o?e)", "ει": "(ei|i)", "τζ": "(tz|j)", "α": "a",
    "β": "[vb]", "γ": "(gh?|y|j)", "δ": "dh?", "ε": "e", "ζ": "z", "η": "[ieyh]", "θ": "th?", "ι": "[iyj]",
    "κ": "[kc]", "λ": "l", "μ": "m", "ν": "n", "ξ": "(x|ks)", "ο": "o", "π": "p", "ρ": "rh?", "σ": "s", "ς": "s",
    "τ": "t", "υ": "[yuivf]", "φ": "(f|ph)", "χ": "(ch|kh|h|x)", "ψ": "ps", "ω": "o",
}  # fmt: skip


_TITLES = words("dr mr ms md do pa np rn ra rt jr sr ii iv vi dds phd")
_PARTICLES = words("de da la le el al di du st van von der den del")
_ENGLISH = words("an as at am be by do go he if in is it me my no of on or so to up us we")
_ATTRIBUTES = words("AP CR CT DX ES LL MG MR NM OT PA PT RF RL RX SC SM US XA XC")
_NO_NAMES = words("mri pet mm cm hu mammogram radiograph angiogram") | {attribute.lower() for attribute in _ATTRIBUTES}
_INSTITUTIONS = ("病院", "医院", "醫院", "大学", "大學", "クリニック", "センター", "科", "室", "병원", "대학", "의원",
           "مستشفى", "عيادة", "בית חולים", "מרכז", "โรงพยาบาล", "अस्पताल")  # fmt: skip


def is_cyrillic_or_greek(word: str) -> bool:
    """True for a word with Cyrillic or Greek letters and none of another script except Latin."""
    return not word.isascii() and word.isalpha() and len(word) > 2 and {_script(c) for c in word} <= {"?", "LATIN"}


@lru_cache(maxsize=256)
def transliterations(word: str) -> list[re.Pattern[str]]:
    """Patterns for a Cyrillic or Greek word in Latin letters, in text flattened by `letters`."""
    sounds = re.findall("|".join(sorted(_SOUNDS, key=len, reverse=True)) + "|.", word)
    return [re.compile(rf"(?<= ){''.join(_SOUNDS.get(s, re.escape(s)) for s in sounds)}(?= )")]


def short_names(phi: Sequence[str]) -> tuple[str, ...]:
    """Parts of person names with two letters, as patterns in lower case; only from person names ("A^B")."""
    patterns: dict[str, None] = {}
    for group in (group for value in phi if "^" in value for group in plain(value).split("=")):
        for component in group.split("^")[:3]:
            words = re.findall(r"[^\W_]+(?:['’][^\W_]+)*", component)
            for word in (word.casefold() for word in words):
                if len(word) != 2 or not word.isalpha() or word in _TITLES or (len(words) > 1 and word in _PARTICLES):
                    continue
                if word.isascii() or all(letter in _SOUNDS for letter in word):
                    patterns.setdefault("".join(_SOUNDS.get(letter, letter) for letter in word))
    return tuple(patterns)


def has_short_name(text: str, names: Sequence[str]) -> bool:
    """True if one occurs capitalised like a name: not "5 ng/mL", "MR", nor an English word of a text all in
    capitals."""
    if not names or text.strip() in _ATTRIBUTES:
        return False
    text = plain(text)
    capitals = sum(map(str.isupper, text)) >= 8 * sum(map(str.islower, text))
    for hit in re.finditer(r"(?<![^\W_])[A-Z][A-Za-z]{1,3}(?![^\W_])", text):
        word, before, after = hit[0], text[: hit.start()], text[hit.end() :]
        if not any(re.fullmatch(name, word.lower()) for name in names) or (capitals and word.lower() in _ENGLISH):
            continue
        if not re.match(r"\s?/", after) and not (word.isupper() and re.search(r"\d\s?$", before[-3:])):
            return True
    return False


@lru_cache(maxsize=8192)
def _script(ch: str) -> str:
    """ "LATIN", "?" for Cyrillic and Greek, "" for non-letters, else the script's name."""
    if not unicodedata.category(ch).startswith("L"):
        return ""
    script = unicodedata.name(ch, "UNNAMED").split()[0].split("-")[0]
    return "?" if script in ("CYRILLIC", "GREEK") else "" if script in ("MODIFIER", "MICRO") else script


def _has_other_script(value: str) -> bool:
    return any(_script(ch) not in ("", "?", "LATIN") for ch in unicodedata.normalize("NFKC", value))


def unprovable(texts: Sequence[str], phi: Sequence[str]) -> bool:
    """True if a person is named only in a script without unique romanisation, and a text has Latin words.

    If the name has a Latin group (PS3.5 6.2.1), that one is searched for. A text whose only Latin words are those of
    the standard's vocabulary (CT, chest, contrast) cannot contain another name.
    """
    latin_pieces = {piece for value in phi if _has_latin_group(value) for piece in _pieces(value)}
    if not any(_has_other_script(value) and value not in latin_pieces and _names_someone(value) for value in phi):
        return False
    return any(_latin_words(text) for text in texts)


def _has_latin_group(value: str) -> bool:
    groups = value.split("=")
    return len(groups) > 1 and any(
        not _has_other_script(group) and re.search(r"[^\W\d_]{2}", group) is not None for group in groups
    )


def _pieces(value: str) -> Iterator[str]:
    for group in (value, *value.split("=")):
        for component in (group, *group.split("^")):
            for word in (component, *re.split(r"[\s,]+", component)):
                yield word.strip(" \0\t\r\n^=")
    yield value


def _names_someone(value: str) -> bool:
    """True for a person name, or up to four words of letters that are no institution."""
    if "^" in value:
        return True
    words = value.split()
    return len(words) <= 4 and not re.search(r"\d", value) and not any(place in value for place in _INSTITUTIONS)


def _latin_words(text: str) -> bool:
    visible = re.sub(r"\[[A-Z]+(?::[\d-]+)?\]", " ", unicodedata.normalize("NFKC", text))
    words = re.findall(r"[^\W\d_]{2,}", visible)
    names = (w for w in map(str.casefold, words) if w not in standard_words() and w not in _NO_NAMES)
    return any(_script(name[0]) == "LATIN" for name in names)
