"""Initials, and names that are spelled letter by letter."""

from __future__ import annotations

import re

from curate.deid.patterns.prefilter import Rule, cued, guard, rule
from curate.deid.words.context_words import POSTS_SHORT, words
from curate.deid.words.vocabulary import Kind, kind

_DOTTED = words(
    """
    A.P. P.A. I.V. U.S. M.D. D.O. P.O. N.P.O. B.I.D. T.I.D. Q.D. P.R.N. A.M. P.M. C.T. M.R. M.R.I. R.N. U.K. I.D. E.G.
    I.E. A.C. P.C. O.R. E.R. E.D. I.C.U. C.S.F. B.P. H.R. T.B. D.V.T. P.E. U.T.I. S.O.B. L.A. R.A. L.V. R.V.
    """
)
_SHORTEST = 4  # letters from which letters in a row are a name that nothing announces


def _is_someone(hit: re.Match[str]) -> bool:
    return hit[0].replace(" ", "").upper() not in _DOTTED


def _is_in_a_department(hit: re.Match[str]) -> bool:
    """ "Om (ortho)", but no "ED (resus)"."""
    return hit[1].lower() not in POSTS_SHORT and (
        hit[2].lower() in POSTS_SHORT or bool(kind(hit[2].lower()) & Kind.CLINICAL)
    )


def _is_spelled(hit: re.Match[str]) -> bool:
    """Not "m r c p", which are an abbreviation."""
    word = re.sub(r"[^a-z]", "", hit[0].lower())
    return len(word) >= _SHORTEST and not kind(word) & Kind.KNOWN


SURE: tuple[Rule, ...] = ()
STRICT: tuple[Rule, ...] = (
    rule(
        "NAME", guard(signs=".", like=r"\.[ -]?[A-Z]\."), r"(?<![\w.])(?:[A-Z]\.[ -]?){2,4}(?![\w])", check=_is_someone
    ),
    rule(
        "NAME",
        guard(signs="/ :", like=r"[/:]\s?[a-z]{2,4}\s*(?:$|[\n.;])"),
        r"(?<![\w/:])[A-Z]{2,4}\s?[/:]\s?[a-z]{2,4}(?=\s*(?:$|[\n.;]))",
        re.MULTILINE,
    ),
    cued(
        "NAME",
        "initials|typed by|transcribed by|tech|rad|signed|initialled|initialed",
        r"(?-i:[A-Z]{2,4})(?![\w-])",
        joint=r"\s?:?\s",
        also="",
    ),
    # two letters that are somebody's, by the department in brackets behind: "INFORMED TO OM (ORTHO)"
    rule(
        "NAME",
        guard(
            "informed intimated told d discussed called paged phoned notified seen read handed spoke",
            led="words",
            like=r" \(",
        ),
        r"\b(?:informed|intimated|told|d/w|discussed|called|paged|phoned|notified|seen|read|handed"
        r"|spoke)(?:[ ]over)?(?:[ ](?:to|with|by))?"
        r"[ ]([a-z]{2,3})(?=[ ]\(([a-z]{2,12})\))",
        re.IGNORECASE,
        group=1,
        check=_is_in_a_department,
    ),
    cued(
        "NAME",
        "spelled|spelt|spelling|spells|that is|that's|surname|first name|last name",
        r"[a-z](?:(?:[ ]|-|,[ ])[a-z]\b){2,}",
        joint=r"(?:[ ](?:is|as))?[ :]{1,2}",
        also="",
    ),
    rule(
        "NAME",
        guard(" ".join("abcdefghijklmnopqrstuvwxyz"), led="words", like=r"(?<!\w)[A-Za-z](?:[ -][A-Za-z]){3}(?!\w)"),
        r"(?<![\w'.-])[A-Za-z](?:([ -])[A-Za-z](?:\1[A-Za-z])+)(?![\w'-])",
        check=_is_spelled,
    ),
)
