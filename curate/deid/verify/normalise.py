"""The verifier's normalisation of text, and names in other scripts: romanised, or not provably absent."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from typing import Any

from pydicom.sr.codedict import codes

BARRIER = "\x1e"  # between texts that are searched together: no phrase crosses it
_TWO = {"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe", "æ": "ae", "œ": "oe"}
_OTHER = str.maketrans({"ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i"})
_APOSTROPHES = "'’`´"


def _ascii_table() -> dict[int, str]:
    table = {}
    for code in range(128):
        ch = chr(code)
        if ch.isalnum():
            table[code] = ch.lower()
        elif ch in "\n\t\r" or code >= 32:
            table[code] = "'" if ch in _APOSTROPHES else " "
        else:
            table[code] = ""
    return {**table, ord(BARRIER): " | ", 127: ""}


_ASCII = _ascii_table()


def normalise(text: str) -> str:
    """Case- and accent-free words of letters and digits, one space between, one at each end; "|" for a barrier."""
    letters_only = text.translate(_ASCII) if text.isascii() else "".join(_normalised(text))
    words = f"{letters_only} ".replace("'s ", " ").replace("'", "")
    return f" {' '.join(words.split())} "


def _normalised(text: str) -> Iterator[str]:
    flat = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold()).translate(_OTHER)
    for ch in flat:
        kind = unicodedata.category(ch)
        if ch == BARRIER:
            yield " | "
        elif kind[0] in "LN":
            yield ch
        elif kind not in ("Mn", "Cf", "Cc") or ch in "\n\t\r":
            yield "'" if ch in _APOSTROPHES else " "


def expand_umlauts(text: str) -> str:
    """Umlauts and ligatures written out as two letters."""
    composed = unicodedata.normalize("NFKC", text).casefold()
    return "".join(_TWO.get(ch, ch) for ch in composed)


def plain(text: str) -> str:
    """Accents and zero-width characters gone, wide forms narrow; case and punctuation as they were."""
    if text.isascii():
        return text
    flat = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text))
    return "".join(ch for ch in flat if unicodedata.category(ch) not in ("Mn", "Cf"))


def join_broken_words(text: str) -> str:
    """Words broken by a line end, a hyphen or a no-break space joined again."""
    return re.sub(r"(?<=\w)-?\s*\n\s*(?=\w)|(?<=\w)[-\u00a0](?=\w)", "", text)


def join_spaced_letters(text: str) -> str:
    """Spaced-out letters joined: "S M I T H"."""
    return re.sub(r"\b(\w)[ .](?=\w\b)", r"\1", text)


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


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_TITLES = _set("dr mr ms md do pa np rn ra rt jr sr ii iv vi dds phd")
_PARTICLES = _set("de da la le el al di du st van von der den del")
_ENGLISH = _set("an as at am be by do go he if in is it me my no of on or so to up us we")
_ATTRIBUTES = _set("AP CR CT DX ES LL MG MR NM OT PA PT RF RL RX SC SM US XA XC")
_CAPTION = """
image view mri pet mammogram radiograph angiogram fluoroscopy ultrasound nuclear medicine medical left right bilateral
mm cm hu
"""
_PLACES = ("病院", "医院", "醫院", "大学", "大學", "クリニック", "センター", "科", "室", "병원", "대학", "의원",
           "مستشفى", "عيادة", "בית חולים", "מרכז", "โรงพยาบาล", "अस्पताल")  # fmt: skip


def fold_umlauts(word: str) -> str:
    """A form that is equal for Mueller and Muller, Haakon and Hakon."""
    return re.sub(r"a[ae]+|(?<=[ou])e+", lambda hit: hit[0][0] if hit[0][0] == "a" else "", word)


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
    for group in (group for value in phi if "^" in value for group in _plain(value).split("=")):
        for component in group.split("^")[:3]:
            words = re.findall(r"[^\W_]+(?:['’][^\W_]+)*", component)
            for word in (word.casefold() for word in words):
                if len(word) != 2 or not word.isalpha() or word in _TITLES or (len(words) > 1 and word in _PARTICLES):
                    continue
                if word.isascii() or all(letter in _SOUNDS for letter in word):
                    patterns.setdefault("".join(_SOUNDS.get(letter, letter) for letter in word))
    return tuple(patterns)


def _plain(text: str) -> str:
    return "".join(ch for ch in unicodedata.normalize("NFKD", text) if unicodedata.category(ch) != "Mn")


def has_short_name(text: str, names: Sequence[str]) -> bool:
    """True if one occurs capitalised like a name: not "5 ng/mL", "MR", nor an English word of a text all in
    capitals."""
    if not names or text.strip() in _ATTRIBUTES:
        return False
    text = _plain(text)
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
    return len(words) <= 4 and not re.search(r"\d", value) and not any(place in value for place in _PLACES)


def _latin_words(text: str) -> bool:
    plain = re.sub(r"\[[A-Z]+(?::[\d-]+)?\]", " ", unicodedata.normalize("NFKC", text))
    words = re.findall(r"[^\W\d_]{2,}", plain)
    return any(_script(w[0]) == "LATIN" and w.casefold() not in _vocabulary() for w in words)


@cache
def _vocabulary() -> frozenset[str]:
    """Words of header attributes and of captions made from them, and units."""
    words = [*_ATTRIBUTES, *_set(_CAPTION)]
    for scheme in ("SCT", "DCM"):
        dictionary: Any = getattr(codes, scheme)
        words += re.findall(r"[A-Z]?[a-z]{2,}|[A-Z]{2,}", " ".join(dictionary.dir()))
    return frozenset(word.casefold() for word in words)
