"""Names of hospitals, practices, wards and firms: what stands before a word that says what they are.

From "hospital", "ward" and such leftwards: words that only say of which kind ("base", "memorial"), and the name before
or among them. In a text all in small letters or capitals a name is a word that some list of names has, or that none of
the vocabulary does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from curate.deid.patterns.prefilter import Span, rule
from curate.deid.text.text_index import TextIndex
from curate.deid.word_lists import word_sections
from curate.deid.words.context_words import COMMON, DEPARTMENTS, OF_PLACES, PLACES
from curate.deid.words.vocabulary import Kind, is_listed, kind

_HEAD = rule(
    "FACILITY",
    r"(?:hospitals?(?!-(?:acquired|associated|based|onset))|clinic|snf|infirmary|institute|healthcare|hospice|university|sanatorium|polyclinic|diagnostics"
    r"|laborator(?:y|ies)|labs|pharmacy|scans|prison|barracks|ward|lodge"
    r"|health (?:system|cent(?:er|re)|care|network|service)"
    r"|imaging(?: (?:cent(?:er|re)|associates|partners|group))?|cancer cent(?:er|re)|(?:nursing|care|rest) home"
    r"|surgery(?: cent(?:er|re))?|radiology(?: (?:associates|partners|group))?|med ctr|trauma cent(?:er|re)"
    r"|medical (?:cent(?:er|re)|college|group|practice|associates)|family (?:practice|medicine|clinic|health)"
    r"|urgent care|(?:district )?general(?= ?(?:[.,;:)\n]|$|on\b|at\b|for\b|in\b|hospital\b|was\b|\0))|aged care"
    r"|retirement (?:village|home)|residential home|maternity home|rehab(?:ilitation)?(?: cent(?:er|re))?"
    r"|physio(?:therapy)?|orthopa?edics"
    r"|minor injuries unit|open mri|(?:scan|diagnostic|research|health sciences?|eye|dental|imaging) cent(?:er|re)"
    r"|(?:diagnostics?|scans?) (?:&|and) research cent(?:er|re)|(?:bus |train |tram )?depot|grammar"
    r"(?: school)?|high school"
    r"|dispensary|practice|house(?=[.,;)]|$))\b",
)
_SAINT = rule("FACILITY", r"\b(?:st|saint)\b\.?[ ](?:[a-z]{3,}'s\b|(?-i:[A-Z][a-z]{2,}s\b))")
_FIRM = rule(
    "FACILITY",
    r"(?<![\w'])((?:[A-Z][\w'.-]*(?:,[ ]|[ ]&[ ]|[ ]and[ ]|[ ])){0,3})[A-Z][\w'-]*,?[ ](?:(?:&|and)[ ]"
    r"(?:Sons?|Daughters?|Bros|Brothers|Co|Company|Partners)|Ltd|LLC|LLP|GmbH|PLLC|PLC|Inc|Corporation|Academy|Holdings|Industries|Solutions|Technologies|Enterprises"
    r"|Logistics|Airlines|Motors|Foods|Network)\b\.?",
    cased=True,
)
_FIRM_LEVEL = rule(
    "FACILITY",
    r"(?<![\w'.-])(?P<name>[a-z][\w'-]{2,})[ ](?:logistics|textiles|mining|foods(?:[ ]ltd)?|ltd|bros|motors"
    r"|industries|(?:&|and)[ ]sons|bakery)\b",
    check=lambda hit: _is_a_firms_name(hit["name"].lower()),
)
# who employs somebody, whatever it is called: "works at Orbit", "an employee of Hale & Moss"
_EMPLOYER = rule(
    "FACILITY",
    r"\b(?i:(?:works|worked|working|job|I[ ]work)[ ](?:at|for)|employed[ ](?:at|by)|employee[ ](?:at|of))[ ]"
    r"(?:(?i:the)[ ])?(?P<name>[A-Z](?:(?!\d)[\w&'-])+(?:(?:[ ](?:of|and|&|for))?[ ][A-Z][\w&'-]*){0,4})",
    cased=True,
)
_BEHIND = re.compile(r"[ ]of(?:[ ][A-Z][\w'-]*){1,3}")
_TOKEN_BEFORE = re.compile(r"(?:([\w'&-]+)(\.?)|(\0))([ ]{1,2}|-)\Z")
_TITLED = re.compile(r"\b[A-Z][a-z]")
_OF = ("of", "the", "and", "for", "de", "la", "&")
_CUT_SHORT = ("st", "mt", "ft", "sri", "shri", "shree")
# Heads that are words of reports: only a name before them makes one of them.
_ALSO_WORDS = (
    "general",
    "practice",
    "imaging",
    "radiology",
    "surgery",
    "house",
    "lodge",
    "ward",
    "scans",
    "labs",
    "rehab",
    "rehabilitation",
    "physio",
    "physiotherapy",
    "orthopedics",
    "orthopaedics",
)
_OF_A_KIND = OF_PLACES | word_sections("context")["of a kind of house"]
_MOST = 4  # words of a name


def find_facilities(text: str, index: TextIndex) -> Iterator[Span]:
    """Every facility in folded text, overlapping ones too."""
    for one in (_SAINT, _FIRM, _FIRM_LEVEL):
        for hit in one.find(index):
            if one.check is None or one.check(hit):
                yield hit.start(), hit.end(), "FACILITY"
    for hit in _EMPLOYER.find(index):
        name = hit["name"]
        if hit[0].isupper():  # "EMPLOYED BY KESTREL NO FRACTURE"
            name = next((name[: w.start()] for w in re.finditer(r"[ ](\S+)", name) if _is_of_report(w[1])), name)
        if not all(map(_is_of_report, name.split())):
            yield hit.start("name"), hit.start("name") + len(name), "FACILITY"
    level = None
    for hit in _HEAD.find(index):
        if hit.start() and (text[hit.start() - 1].isalnum() or text[hit.start() - 1] == "'"):
            continue
        level = _TITLED.search(text) is None if level is None else level
        start = _begin(text, hit.start(), hit[0], level=level)
        if start is not None:
            behind = _BEHIND.match(text, hit.end()) if hit[0][0].isupper() and not hit[0].isupper() else None
            yield start, (behind or hit).end(), "FACILITY"


def _is_of_report(word: str) -> bool:
    return bool(kind(word.lower()) & (Kind.CLINICAL | Kind.FUNCTION))


def _is_a_firms_name(word: str) -> bool:
    """A name of the lists, or no word of English: "Nik logistics", no "data mining"."""
    bits = kind(word)
    return not bits & (Kind.FUNCTION | Kind.CLINICAL | Kind.BY_HAND) and bool(
        bits & (Kind.NAME | Kind.TOWN) or not bits & Kind.KNOWN
    )


def _begin(text: str, at: int, head: str, *, level: bool) -> int | None:
    """Where the name before a head at ``at`` begins; None if there is none."""
    start, named, found = at, 0, None
    weak = head.lower().split()[0] in _ALSO_WORDS and (level or head.islower())
    while named < _MOST:
        before = _TOKEN_BEFORE.search(text, max(0, start - 40), start)
        if before is None or (before[4] == "-" and before[1] is None):
            break
        if before[3]:  # someone, or somewhere, that went: "[NAME] Base Hospital"
            found = start if start < at or not weak else found
            break
        word, lower = before[1], before[1].lower()
        if before[2] and lower not in _CUT_SHORT and len(word) > 1:
            break  # a sentence ended
        if lower in _OF_A_KIND and (level or word[0].isupper()):
            start = before.start()
            if (lower in _CUT_SHORT and found is not None) or (found is not None and word[0].isupper() and not level):
                found = start
            continue
        if lower in _CUT_SHORT and found is not None:
            return before.start()
        if lower in _OF and found is not None and not level:
            start = before.start()
            continue
        if (
            level
            and not weak
            and not named
            and _is_plain(word)
            and _LED.search(text, max(0, before.start() - 16), before.start())
        ):
            return before.start()  # "SENT FROM KESTREL HOSPITALS"
        if not _is_name(word, lower, level=level, ward=head.lower() == "ward", weak=weak):
            break
        if not level and head == "clinic" and kind(lower) & (Kind.CLINICAL | Kind.EPONYM | Kind.BOUND):
            break  # "Hand clinic", "in a Pavlik clinic"
        named, start = named + 1, before.start()
        found = start
    if found is None and not level and head[0].isupper() and head.lower() not in _ALSO_WORDS:  # "Central Hospital"
        first = text[start:at].split(" ")[0].lower()
        return start if start < at and first not in COMMON else None
    return found


_LED = re.compile(r"\b(?:from|at|to|via|by|ref|near|of)\.?[ ]\Z", re.IGNORECASE)


def _is_plain(word: str) -> bool:
    """A word of English that reports are not made of."""
    bits = kind(word.lower())
    plain = word.lower() not in COMMON and not bits & (Kind.CLINICAL | Kind.FUNCTION | Kind.BY_HAND)
    return plain and word.isalpha() and not word.lower().endswith((*DEPARTMENTS, "ing", "ed", "al", "ic"))


def _is_name(word: str, lower: str, *, level: bool, ward: bool, weak: bool) -> bool:
    plain = lower.removesuffix("'s")
    bits = kind(plain)
    if lower in COMMON or bits & Kind.FUNCTION or any(map(str.isdigit, word)):
        return False
    if "-" in lower and any(kind(part) & Kind.CLINICAL for part in lower.split("-")):
        return False  # "Cross-sectional imaging"
    if lower.endswith(DEPARTMENTS):
        return False
    if not level and not (ward and word.islower()):
        named = bits & (Kind.NAME | Kind.TOWN) and not (weak and bits & Kind.BY_HAND)
        known = bits & (Kind.KNOWN if weak else Kind.CLINICAL) and (weak or is_listed(plain))
        return word[0].isupper() and bool(named or not known)
    if lower.endswith("'s") and bits & Kind.NAME:
        return True
    if (bits & Kind.TOWN or plain in PLACES) and not bits & Kind.BY_HAND:
        return True
    return bool(bits & Kind.NAME and not bits & Kind.CLINICAL) or not bits & (Kind.KNOWN | Kind.EPONYM)
