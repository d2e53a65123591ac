"""Initials, and names that are spelled letter by letter."""

from __future__ import annotations

import re
from functools import partial

from curate.deid.patterns.prefilter import Rule, cued, rule
from curate.deid.word_lists import word_sections, words
from curate.deid.words.context_words import POSTS_SHORT
from curate.deid.words.vocabulary import Kind, kind

_rule, _cued = partial(rule, "NAME"), partial(cued, "NAME")
_DOTTED = word_sections("context")["dotted"]
_SHORTEST = 4  # letters from which letters in a row are a name that nothing announces


def _is_someone(hit: re.Match[str]) -> bool:
    return hit[0].replace(" ", "").upper() not in _DOTTED


def _is_no_small_word(hit: re.Match[str]) -> bool:
    """Behind who typed or signed: any letters that are no word of grammar; where capitals tell nothing, none known."""
    initials = hit[1]
    bits = kind(initials.lower())
    if initials.isupper() and not hit.string.isupper():
        return not bits & Kind.FUNCTION
    return len(initials) > len(re.sub(r"[^A-Za-z]", "", initials)) or not bits & Kind.KNOWN


_LAST = words("nad nfa nkda nka dnr dnar wnl tbc tbd tba rtc stat asap prn fyi eom fin nil n/a tci tto ttos pto otd")


def _is_no_abbreviation(hit: re.Match[str]) -> bool:
    """Letters that stand where initials do, and that are no abbreviation or word that reports have."""
    initials = hit[1]
    letters = re.sub(r"[^A-Za-z]", "", initials)
    if initials.isupper() and hit.string[max(0, hit.start(1) - 1) : hit.start(1)] == "\n" and not hit.string.isupper():
        return initials.lower() not in _LAST and not kind(initials.lower()) & Kind.FUNCTION  # a line of its own
    if letters != initials:  # "K.D.", "M S"
        return (".".join(letters.upper()) + ".") not in _DOTTED and " ".join(letters.upper()) not in ("A P", "P A")
    return (
        not kind(initials.lower()) & Kind.KNOWN
        and initials.lower() not in _LAST
        and (initials.isupper() or not re.search("[aeiouy]", initials.lower()))
    )


def _is_of_a_department(hit: re.Match[str]) -> bool:
    """ "Om (ortho)", but no "ED (resus)" and no "him (ortho)"."""
    who, post = hit[1].lower(), hit["post"].lower()
    if who in POSTS_SHORT or kind(who) & Kind.FUNCTION:
        return False
    return post in POSTS_SHORT or bool(kind(post) & Kind.CLINICAL)


def _is_spelled(hit: re.Match[str]) -> bool:
    """Not "m r c p", which are an abbreviation."""
    word = re.sub(r"[^a-z]", "", hit[0].lower())
    return len(word) >= _SHORTEST and not kind(word) & Kind.KNOWN


# initials: "K.D.", "KD", "K D", "K.D"
_LETTERS = r"(?:[A-Z]{2,3}|[A-Z](?:\.[ ]?[A-Z]){1,2}\.?|[A-Z](?:[ ][A-Z]){1,2})"
_DONE_BY = """initials|typed by|typed|transcribed by|transcribed|tech|rad|signed|initialled|initialed
|initialled by|dictated|dictated by
|checked|checked by|screened|screened by|verified|verified by|vetted|vetted by|typist|ref by|coded by|entered by"""
_DONE_WEAKLY = """seen|seen by|reviewed by|rv by|reported by|read by|rpt by|per|plan|pt|patient|by|radiographer
|operator|baby|twin
|case of|re|closed|closed by|done by|d/w|told|informed|paged|mr|mrs|ms|miss|nurse|rn|sr|sister|not read
|b/o|mother of|father of|parents of"""
_SPELLED = "spelled|spelt|spelling|spells|that is|that's|surname|first name|last name|name"
# a letter as it is spelled: "n", "n as in nancy", "double n"
_ONE_LETTER = r"(?:double[ ])?[a-z](?:\.|[ ](?:as[ ]in|for|like)[ ][a-z]+|(?![\w']))"
SURE: tuple[Rule, ...] = ()
STRICT: tuple[Rule, ...] = (
    _rule(r"(?<![\w.])(?:(?:[A-Z]\.[ -]?){2,4}|(?:[a-z]\.){2,4})(?![\w])", check=_is_someone, cased=True),
    _rule(r"(?<![\w/:])[A-Z]{2,4}\s?[/:]\s?[a-z]{2,4}(?=\s*(?:(?m:$)|[\n.;]))", cased=True),
    _cued(
        _DONE_BY,
        rf"(?:[A-Z]{{2,4}}|{_LETTERS})(?![\w'-]|[ ][A-Z]\b)",
        joint=r"(?:[ ]are)?\s?:?\s",
        check=_is_no_small_word,
    ),
    # "Ms K. agrees"
    _cued("mr|mrs|ms|miss|master|baby of|kum|smt|shri", r"[A-Z](?=\.(?:\s|$)|[,;)])", joint=r"\.?[ ]"),
    _cued(_DONE_WEAKLY, rf"{_LETTERS}(?![\w'-]|[ ][A-Z]\b)", joint=r"[,:]?[ ]", check=_is_no_abbreviation),
    # who signs last, on a line of its own or behind a sign
    _rule(
        rf"(?:(?<=[.;:,)\0][ ])|(?<=\n)|(?<=[-/][ ])|(?<=[\[(]))({_LETTERS})(?=\)?\.?\s*\Z)",
        check=_is_no_abbreviation,
        where="end",
    ),
    # in brackets behind someone, "[NAME] (KDJ)", and of two at the end, "RTM/SD"
    _rule(rf"(?<=\0[ ]\()({_LETTERS})(?=\))", check=_is_no_abbreviation),
    _rule(
        r"(?<![\w/:])(?P<one>[A-Z]{2,3})[/:](?P<other>[A-Z]{2,3})(?=\s*\Z)",
        check=lambda hit: not all(kind(each.lower()) & Kind.KNOWN for each in hit.groups()),
        cased=True,
    ),
    # by a department in brackets behind: "INFORMED TO OM (ORTHO)"
    _cued(
        "informed|told|d/w|discussed|called|paged|phoned|notified|seen|read|handed|spoke",
        r"[a-z]{2,3}(?=[ ]\((?P<post>[a-z]{2,12})\))",
        joint=r"(?:[ ]over)?(?:[ ](?:to|with|by))?[ ]",
        check=_is_of_a_department,
    ),
    # before an age: "RHJ, 24F", "2) K.D. - 5Y F"
    _rule(
        rf"(?:(?<!.)|(?<=[.:;)\0-][ ]))({_LETTERS})(?=,?[ ](?:- ?|\()?\d{{1,3}}(?:/12|/52)?[ ]?-?(?:y|yo|yr|yrs|f|m"
        rf"|mo|male|female|year)\b)",
        check=_is_no_abbreviation,
    ),
    _cued(
        _SPELLED,
        rf"(?:{_ONE_LETTER})(?:[, -]{{1,2}}(?:and[ ])?(?:{_ONE_LETTER})(?![\w'])){{2,}}",
        joint=r"(?:[ ](?:is|as))?[ :]{1,2}",
    ),
    _rule(
        r"(?<![\w'.-])[A-Za-z](?:(?P<joint>[ -])[A-Za-z](?:(?P=joint)[A-Za-z])+)(?![\w'-])",
        check=_is_spelled,
        cased=True,
    ),
)
