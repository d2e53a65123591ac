"""Sentences that say nothing of the picture: comparisons with studies that nobody has, and sign-offs.

A sentence goes only where every word of it belongs in such a sentence: a comparison that names a finding ("Compared to
the prior study the effusion has grown", "Unchanged 5 mm nodule") stays whole, and with it its negation. What goes is
counted. It is looked for in scrubbed text, so names and dates in it are placeholders.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from curate.deid.rules import PLACEHOLDER, Cut

# A sentence or the rest of a line, with the number of a list's item before it; "Dr. [NAME]" and "5.2" are not its end.
_SENTENCE = re.compile(
    r"[ \t]*(?:\d{1,2}[.)][ \t]+)?[^\s](?:[^.!?\n]|[.!?](?!\s|$)|(?<=\bDr)\.|(?<=\bM\.D)\.|(?<=\bvs)\.)*"
    r"(?:[.!?]+|(?=\n)|$)",
    re.MULTILINE,
)
_ITEM = re.compile(r"^\s*\d{1,2}[.)]\s")
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*|\d+(?:\.\d+)?")
_STUDIES = """
study studies exam exams examination examinations film films radiograph radiographs image images imaging scan scans ct
mri mr ultrasound sonogram x-ray x-rays xray xrays mammogram mammograms pa ap lateral frontal portable two one view
views chest
"""
_PRIOR_WORDS = """
compared compare comparing comparison comparisons with to the a an of from is are was were made no none not there has
have been in on as any and or for this that these current present prior priors previous previously earlier old older
last most recent outside available time interval change changes changed unchanged significant significantly
substantial substantially appreciable appreciably essentially stable similar same appearance overall since dated date
reviewed obtained performed at made correlation direct
"""
_SIGN_WORDS = """
electronically signed by dr doctor md m.d do dictated transcribed authenticated verified approved attested finalized
finalised interpreted reported reviewed read report final end of on at date time signature radiologist radiologists
physician attending resident fellow staff teaching consultant i have has been personally the images image and agree
agreed concur with above as findings interpretation dictation this study exam was were is thank thanks you for
referring referral referred patient kind your allowing us me to participate in care a an but not please feel free
contact any questions if sincerely regards yours truly department
"""
_PRIORS = frozenset([*_PRIOR_WORDS.split(), *_STUDIES.split()])
_SIGNS = frozenset(_SIGN_WORDS.split())
_PRIOR_CUE = re.compile(r"\b(?:compar\w+|priors?|previous(?:ly)?|unchanged|interval|earlier|no\b.*\bchanges?)\b", re.I)
_SIGN_CUE = re.compile(
    r"\b(?:electronically|signed|dictated|transcribed|authenticated|attested|finali[sz]ed|signature|thank(?:s| you)"
    r"|sincerely|personally (?:reviewed|interpreted)|end of (?:report|dictation)|teaching physician"
    r"|(?:reviewed|read|verified|approved) by|feel free to contact)\b",
    re.I,
)
_KINDS: tuple[tuple[Cut, re.Pattern[str], frozenset[str]], ...] = (
    ("priors", _PRIOR_CUE, _PRIORS),
    ("signoffs", _SIGN_CUE, _SIGNS),
)


def cut_spans(text: str, kinds: Sequence[str]) -> list[tuple[int, int, str]]:
    """(start, end, kind) of the sentences of scrubbed ``text`` that are nothing but one of ``kinds``."""
    found = []
    for hit in _SENTENCE.finditer(text) if kinds else ():
        kind = sentence_kind(hit[0])
        if kind in kinds:
            found.append((hit.start(), hit.end(), str(kind)))
    return found


def sentence_kind(sentence: str) -> Cut | None:
    """What a sentence is and nothing else; None for one of the report's own."""
    plain = _ITEM.sub("", PLACEHOLDER.sub(" ", sentence))
    for kind, cue, words in _KINDS:
        if cue.search(plain) and all(w.lower() in words for w in _WORD.findall(plain)):
            return kind
    return None


def without(text: str, spans: Sequence[tuple[int, int, str]]) -> str:
    """``text`` less these spans."""
    out, at = [], 0
    for start, end, _ in spans:
        out.append(text[at:start])
        at = end
    return "".join([*out, text[at:]]).strip() if spans else text


def counted(spans: Sequence[tuple[int, int, str]]) -> Counter[str]:
    """How many sentences of each kind were cut, as they stand among a record's actions."""
    return Counter(f"cut {kind.upper()}" for *_, kind in spans)
