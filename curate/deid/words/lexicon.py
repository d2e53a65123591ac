"""What is known of the words of one language: a `Lexicon`, read from the lists in `data/languages`.

Words are folded (`curate.deid.text.fold`) and in small letters; ä, ae and a are one letter. A word is looked up whole,
then as an inflection of a word written by hand, then piece by piece: prefixes of medicine before a known word, and in
German and Dutch compounds of known words (Lungen|oberlappen). English words of medicine are known in every language:
it is Latin and Greek in all of them.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

from curate.deid.text.fold import fold_value
from curate.deid.word_lists import read_word_list, word_sections
from curate.deid.words.cognates import is_cognate
from curate.deid.words.stems import PREFIXES
from curate.deid.words.vocabulary import Kind, is_given_name, is_surname, kind

CODES = ("de", "es", "fr", "it", "nl", "pt")  # languages beside English that are cleaned
LANGUAGES = ("en", *CODES)
NAMES_OF = {"en": "English", "de": "German", "es": "Spanish", "fr": "French", "it": "Italian", "nl": "Dutch",
            "pt": "Portuguese"}  # fmt: skip
_SHORTEST_PART, _LONGEST_NAMES = 4, 3
_LONG_PART = 6  # letters of a word of a town's name that is a name by itself
_SHORTEST_STEM = 5
_SHORTEST_MEDICINE = 7
_PREFIXES = PREFIXES | word_sections("prefixes")["languages"]
# What medicine's words end in and surnames do not.
_MEDICAL_END = re.compile(
    r".{2,}(?:graf|graph|scop|skop|log|metr)(?:ic[oaie]s?|iche|iques?|isch(?:e[nrsm]?)?|ici)|.{4,}(?:itis"
    r"|itiden|iasis|iase|iasi|osis|ose|osen|ektomie|ectomia|ectomie|tomie|tomia|stomie|stomia|plastik"
    r"|plastie"
    r"|plastia|plastica|pathie|patia|graphie|grafie|grafia|skopie|scopie|scopia|amie|emia|emie|urie|uria"
    r"|megalie|megalia|ektasie|ectasia|ectasie|trophie|trofia|trofie|plasie|plasia|sklerose|sclerose|esclerosis"
    r"|sclerosi"
    r"|stenose|estenosis|stenosi|gramm|grama|gramma|gram|logie|logia|logico|logisch|genese|genesis|patico"
    r"|patica)(?:s|n)?"
    r"|.{3,}algi[ae]s?"
)
# Stems of medicines' international names (WHO, "The use of stems in the selection of INN"), as the languages end them.
_MEDICINE = re.compile(
    r".{2,}(?:cilin|micin|mycin|floxacin|prazol|conazol|sartan|olol|dipin|statin|tinib|sidon|son|solon|olon"
    r"|cain|azepam|zolam"
    r"|barbital|platin|taxel|rubicin|cristin|gliptin|gliflozin|formin|parin|xaban|gatran|setron|tidin|fibrat"
    r"|ciclin|cyclin"
    r"|sulfamid|zolamid|semid|tiazid|zolid|penem|bactam|terol|tropi|lukast|profen|oxicam|fenac|trexat|fosfamid"
    r"|posid|mustin|porin|limus"
    r"|navir|ciclovir|tegravir|buvir|ximab|zumab|mumab|tamab|codon|morfin|morphin|fentanil|fentanyl|curoni"
    r"|coumarol|cumarol)(?:[aeo]s?|um|io|e)?"
)
_FREQUENT_NAME = Kind.NAME | Kind.FREQUENT


@dataclass(frozen=True)
class Grammar:
    """How a language builds words and writes what identifies; the file says what each is (`languages/grammar.toml`)."""

    compounds: bool
    capital_nouns: bool
    two_surnames: bool
    joints: list[str]
    endings: list[str]
    closed_endings: list[str]
    bases: list[str]
    agent_links: list[str]
    derived: str
    surnames: str
    postal_codes: str
    years: str
    aged: str
    old: str
    at: str
    on: str
    toward: str


@dataclass(frozen=True)
class Lexicon(Grammar):
    """The words of the language ``code``; every set holds folded words in small letters.

    ``known``: general and medical words; ``closed``: what builds sentences and what a finding turns on (negations,
    sides, severity, units, heads), never masked unless a cue names someone by it; ``medical``: words of reports;
    ``stays``: of those, words that are surnames too and mean the thing; ``short``: abbreviations; ``titles`` and
    ``roles``: a name follows; ``particles``: inside a name; ``birth``, ``age``, ``street``, ``facility``, ``ids``,
    ``phone``: cues of a date of birth, an age, an address, a facility, a number, a telephone; ``acts``: what people
    do, behind a name; ``by``: what links a role to a name; ``days`` and ``months``.
    """

    code: str
    known: frozenset[str]
    closed: frozenset[str]
    medical: frozenset[str]
    stays: frozenset[str]
    short: frozenset[str]
    titles: frozenset[str]
    degrees: frozenset[str]
    roles: frozenset[str]
    particles: frozenset[str]
    birth: frozenset[str]
    age: frozenset[str]
    street: frozenset[str]
    facility: frozenset[str]
    ids: frozenset[str]
    phone: frozenset[str]
    acts: frozenset[str]
    by: frozenset[str]
    days: frozenset[str]
    months: tuple[str, ...]

    def is_closed(self, word: str) -> bool:
        """True for a word of the closed class, inflected ones too."""
        return any(form in self.closed or _is_closed_form(form, self) for form in _forms(word))

    def is_name(self, word: str) -> bool:
        """True for a given name or surname of the lists, whatever else the word means."""
        if word not in self.medical and re.fullmatch(self.surnames, _without_umlauts(word)):
            return True
        return any(form in people() or kind(form) & _FREQUENT_NAME == _FREQUENT_NAME for form in _forms(word))

    def is_maybe_name(self, word: str) -> bool:
        """True for what is on any list of names or of towns, however rare."""
        return self.is_name(word) or any(
            form in towns() or is_surname(form) or is_given_name(form) for form in _forms(word)
        )

    def is_known(self, word: str) -> bool:
        """True for a word of the language or of medicine, inflected and compounded ones too."""
        return _is_known(self.code, word)

    def is_stem(self, word: str) -> bool:
        """True for what a word of reports is before a hyphen: Hüft-, Leisten-."""
        return any(form + end in self.medical for form in _forms(word) for end in ("e", "en", "n"))

    def is_medical(self, word: str) -> bool:
        """True for a word of reports, written by hand, and for Latin ones."""
        return any(form in self.medical or form in self.short or form in self.closed for form in _forms(word))


def read_sections(code: str) -> dict[str, frozenset[str]]:
    """ "## title" and the folded words under it, of the list written by hand for ``code``."""
    return {title: frozenset(words) for title, words in _sections(code).items()}


@cache
def lexicon(code: str) -> Lexicon:
    """The lexicon of one of `CODES`; read once a process (about 40 MB of a large one)."""
    hand = read_sections(code)
    general = "closed medical short age facility roles phone days months acts by ids"
    known = frozenset(_lines(f"words_{code}")).union(*(hand[title] for title in general.split()))
    hand["medical"] |= hand["stays"]
    sets: dict[str, Any] = {name: hand[name] for name in Lexicon.__annotations__.keys() & hand.keys() - {"months"}}
    raw = (files("curate.deid.words") / "data" / "languages" / "grammar.toml").read_text(encoding="utf-8")
    months = tuple(_sections(code)["months"])
    return Lexicon(code=code, known=known, months=months, **sets, **tomllib.loads(raw)[code])


@cache
def people() -> frozenset[str]:
    """Folded names of people of Europe and Latin America."""
    return frozenset(_lines("names"))


@cache
def towns() -> frozenset[str]:
    """Folded names of towns where the languages are spoken, and the long words of those of several."""
    listed = _lines("towns")
    parts = {word for town in listed if " " in town for word in re.split("[ -]", town) if len(word) >= _LONG_PART}
    return frozenset(town for town in listed if " " not in town) | parts


@cache
def town_names() -> frozenset[str]:
    """Folded names of towns, whole."""
    return frozenset(_lines("towns"))


@cache
def frequent_words() -> dict[str, tuple[str, ...]]:
    """The most frequent words of each language, by its code, most frequent first."""
    found: dict[str, list[str]] = {}
    words: list[str] = []
    for line in _lines("frequent"):
        if line.startswith("## "):
            words = found.setdefault(line[3:], [])
        else:
            words.append(line)
    return {code: tuple(of) for code, of in found.items()}


def _lines(name: str) -> list[str]:
    return read_word_list("words/data/languages", name)


@cache
def _sections(code: str) -> dict[str, list[str]]:
    raw = (files("curate.deid.words") / "data" / "languages" / f"{code}.txt").read_text(encoding="utf-8")
    found: dict[str, list[str]] = {}
    title = ""
    for line in raw.splitlines():
        if line.startswith("## "):
            title = line[3:].strip()
        elif not line.startswith("#"):
            words = [fold_value(word).lower() for word in line.split()]
            found.setdefault(title, []).extend(form for word in words for form in _forms(word))
    return found


def _without_umlauts(word: str) -> str:
    """The spelling in which words are kept: ue, ae and oe of an umlaut as u, a and o."""
    return word if len(word) < _LONGEST_NAMES else _UMLAUT.sub(lambda hit: hit[0][0], word)


_UMLAUT = re.compile(r"(?<![aeq])(?:ue|ae|oe)")


def _forms(word: str) -> tuple[str, ...]:
    plain = _without_umlauts(word)
    return (word,) if plain == word else (word, plain)


@lru_cache(maxsize=200_000)
def _is_known(code: str, word: str) -> bool:
    lexical = lexicon(code)
    for form in _forms(word):
        if form in lexical.known or _inflected(form, lexical) or _latin(form):
            return True
        if (is_cognate(form) or _derived(form, lexical)) and not lexical.is_maybe_name(form):
            return True
        named = lexical.is_maybe_name(form) and not kind(form) & Kind.EPONYM  # Winterstein, no Fleischner
        if lexical.compounds and not named and _compound(form, lexical, 3):
            return True
        if _prefixed(form, lexical) or (_MEDICAL_END.fullmatch(form) and not lexical.is_name(form)):
            return True
        if len(form) > _SHORTEST_MEDICINE and _MEDICINE.fullmatch(form) and not lexical.is_maybe_name(form):
            return True
    return False


def _inflected(word: str, lexical: Lexicon) -> bool:
    endings = lexical.endings
    return any(
        word.endswith(end) and len(word) - len(end) > _SHORTEST_PART and word[: -len(end)] in lexical.medical
        for end in endings
    )


def _is_closed_form(word: str, lexical: Lexicon) -> bool:
    return any(
        word.endswith(end) and len(word) - len(end) > _SHORTEST_PART and word[: -len(end)] in lexical.closed
        for end in lexical.closed_endings
    )


def _derived(word: str, lexical: Lexicon) -> bool:
    """True for a word that the language makes of a known one: refert|o, refert|ato."""
    hit = re.fullmatch(rf"(.{{{_SHORTEST_STEM},}}?){lexical.derived}", word)
    return hit is not None and any(hit[1] + base in lexical.known for base in lexical.bases)


def _latin(word: str) -> bool:
    """A word or an abbreviation of medicine that is written alike in English, and no name."""
    found = kind(word)
    if found & (Kind.NAME | Kind.BOUND):
        return False
    least = _LONGEST_NAMES if found & Kind.SHORT else _LONGEST_NAMES + 1
    return bool(found & Kind.CLINICAL) and len(word) >= least


def _prefixed(word: str, lexical: Lexicon) -> bool:
    if len(word) < 8 or lexical.is_name(word):
        return False
    for size in range(min(len(word) - _SHORTEST_PART, 11), 2, -1):
        rest = word[size:]
        head = word[:size]
        if head not in _PREFIXES and head.replace("k", "c") not in _PREFIXES:  # Mikro-
            continue
        if len(rest) == _SHORTEST_PART and lexical.is_maybe_name(word):
            continue
        if rest in lexical.known or _inflected(rest, lexical) or is_cognate(rest):
            return True
    return False


def _compound(word: str, lexical: Lexicon, depth: int) -> bool:
    """True for two or three known words, one written behind the other; one of them of reports, or all of six
    letters."""
    if len(word) < 2 * _SHORTEST_PART or lexical.is_name(word):
        return False
    for cut in range(_SHORTEST_PART, len(word) - _SHORTEST_PART + 2):
        head, tail = word[:cut], word[cut:]
        if len(tail) < 3:
            continue
        if tail in lexical.medical and kind(head) & (Kind.EPONYM | Kind.BOUND):
            return True  # Bakercyste
        if not _part(head, lexical):
            continue
        ends = tail in lexical.known or _inflected(tail, lexical) or is_cognate(tail)
        if ends and (tail in lexical.medical or _medical_head(head, lexical) or min(len(head), len(tail)) >= 5):
            return True
        if depth > 1 and _compound(tail, lexical, depth - 1):
            return True
    return False


def _part(head: str, lexical: Lexicon) -> bool:
    return any(
        (stem in lexical.known or stem in lexical.medical or _latin(stem) or is_cognate(stem))
        and not (lexical.is_name(stem) and stem not in lexical.medical)
        for stem in _stems(head, lexical)
    )


def _medical_head(head: str, lexical: Lexicon) -> bool:
    return any(stem in lexical.medical or _latin(stem) for stem in _stems(head, lexical))


def _stems(head: str, lexical: Lexicon) -> list[str]:
    joints = lexical.joints
    found = [head[: len(head) - len(j)] for j in joints if head.endswith(j) and len(head) - len(j) >= 3]
    return found + [stem + end for stem in found[:1] for end in ("e", "en")]
