"""Clean Descriptors (PS3.15 E.3.5): which words of a header's free text may stay.

A text is taken apart; a word stays where a vocabulary of medicine and of DICOM's own terms knows it and nobody in this
file is called so, a number where it is short and measures something or is a part of a protocol's name ("T2", "1.5 mm").
What stays is written in ASCII, accents folded, so that no character set is needed to read it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

from curate.deid.header.allowed import BODY_PARTS
from curate.deid.header.phi import Identity, folded
from curate.deid.words.technical import technical_words
from curate.deid.words.vocabulary import Kind, is_given_name, is_medical, is_surname, kind

# Words of protocols that are in no dictionary, and the units numbers stand with.
_PROTOCOL = frozenset(
    """ap pa lat obl ll rl lao rao lpo rpo cc ml mlo lm rt lt bil sag cor ax axial tra trans fs fse tse se gre ge epi
    dwi adc flair stir dixon haste vibe tof mra mrv mrcp cta ctpa hrct cect nect iv wo w con post pre venous arterial
    portal delayed recon mpr mip minip vr vrt lung bone soft std standard sharp smooth kernel scout topogram localizer
    surview survey screening tomo combo thins thin thick low high dose asl swi svs csi gad gd fgd fdg psma dotatate
    nac ac osem tfe ffe bffe fiesta fgre lava cube space mprage spgr bravo flash trufi tirm spair fatsat fat sat dyn
    chest abd abdo pelv ext routine single multi phase frame left right both upper lower all image images series
    port portable view views with without no not non and or of the in on to from by for wwo""".split()  # noqa: SIM905
) | {w.lower() for term in BODY_PARTS for w in term.split()}
_WITHOUT = frozenset({"w/o", "w/wo", "wo/w", "w/", "w/c"})  # half of it would say the opposite
_UNITS = frozenset(
    """mm cm um nm kv kvp mas ma ms s sec ml cc deg mgy gy mbq mci hz khz mhz hu t mg kg ml/s fps phase phases views
    view""".split()  # noqa: SIM905
)
# Single letters that say something alone: sides, planes, weightings, with and without, by.
_LETTERS = frozenset("lrtwxbk")
_LEAD = frozenset("tlcsbik")  # a letter before a number: T2, L4, C7, S1, B30, I31f, K
# In every vocabulary, and what a name or a date is made with.
_NEVER = frozenset(
    """january february march april may june july august september october november december jan feb mar apr jun jul
    aug sep sept oct nov dec monday tuesday wednesday thursday friday saturday sunday mon tue wed thu fri sat sun
    mr mrs ms miss dr prof sir born dob patient name physician doctor operator mrn""".split()  # noqa: SIM905
)
_CUES = frozenset(
    """dr drs mr mrs ms miss mx prof sir doctor physician patient pt name named operator tech technologist nurse wife
    husband son daughter mother father brother sister for by attn cc""".split()  # noqa: SIM905
)
_DATE_LIKE = re.compile(
    r"\d+[-/.:]\d+[-/.:]\d+|\d+[-/:]\d+|\d{4,}|\d{1,2}[-./ ]?(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"
)
# 45 CFR 164.514(b)(2)(i)(C): an age over 89 is not told, in whatever words
_OLD = re.compile(
    r"(?<![\w.])(?:9\d|1[0-4]\d)[\s-]{0,2}(?:y(?:ea)?rs?|y\.?\s?/?o\.?|y)(?:[\s-]{1,2}old)?\b"
    r"|\bage[d:]?\s{0,2}(?:9\d|1[0-4]\d)\b|(?<![\w.])(?:9\d|1[0-4]\d)\s?[MF]\b",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W_]+")
_MOST_DIGITS = 3
_LONGEST_TEXT = 1024


def clean_text(text: str, who: Identity) -> str:
    """The words and numbers of ``text`` that may stay, in their order; "" where none does."""
    return _cleaned(text[:_LONGEST_TEXT], who.words, who.phrases, who.digits)


@lru_cache(maxsize=1024)
def _cleaned(text: str, words: frozenset[str], phrases: tuple[str, ...], digits: frozenset[str]) -> str:
    """The same, once for all files of a series, which name the same people and say the same."""
    who = Identity((), words, phrases, digits)
    plain = _OLD.sub(" ", _without_phrases(_unaccented(text), who))
    tokens = plain.split()
    kept = [chunk for chunk in _in_context(tokens, [_token(token, who) for token in tokens]) if chunk]
    result = " ".join(" ".join(_measured(kept)).split())
    return "" if not re.search(r"[A-Za-z]", result) or holds_phrase(result, who) else result


def _unaccented(text: str) -> str:
    """ASCII as it is; other letters without their accents."""
    if text.isascii():
        return text
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))


def _without_phrases(text: str, who: Identity) -> str:
    """Without the identifying values that are in it whole: of an institution's name each word alone may stay."""
    lowered = folded(text)
    for phrase in who.phrases:
        if phrase in lowered:
            text = re.sub(re.escape(phrase), " ", text, flags=re.IGNORECASE)
    return text


def holds_phrase(text: str, who: Identity) -> bool:
    """True where an identifying value of the file is in ``text`` as a whole, though each of its words may stay."""
    lowered = folded(text)
    spelled = f" {' '.join(_WORD.findall(lowered))} "
    return any(p in lowered or f" {p} " in spelled for p in who.phrases)


def known(word: str, who: Identity) -> bool:
    """True for a word of the vocabularies that is nobody's name in this file."""
    low = folded(word)
    return low not in who.words and _known(low)


@lru_cache(maxsize=65536)
def _known(word: str) -> bool:
    if word in _NEVER or not word.isascii():
        return False
    if word in _PROTOCOL:
        return True
    what = kind(word)
    if what & Kind.NAME and (not what & Kind.BY_HAND or what & (Kind.EPONYM | Kind.BOUND)):
        return False  # an eponym, or a rare word, that is also somebody's name
    if len(word) > 1 and is_medical(word):
        return True
    return word in technical_words() and not is_surname(word) and not is_given_name(word)


def _is_name(token: str) -> bool:
    """A kept token that holds a word which is a name, too: a stone, a hill, something gray."""
    words = (w.lower() for w in re.findall(r"[A-Za-z]{2,}", token))
    return any(w not in _PROTOCOL and kind(w) & Kind.NAME for w in words)


def _in_context(tokens: list[str], kept: list[str]) -> list[str]:
    """``kept`` without the words that are names where they stand: behind a cue, beside a word that had to go."""
    gone = [not k and bool(re.search(r"[^\W\d_]{3,}", t)) for t, k in zip(tokens, kept, strict=True)]
    cue = [folded(t).strip(".,;:()[]") in _CUES for t in tokens]
    again = True
    while again:
        again = False
        for i, token in enumerate(kept):
            beside = any(0 <= j < len(kept) and gone[j] and not cue[j] for j in (i - 1, i + 1))
            if (
                token
                and _is_name(token)
                and (beside or (i > 0 and cue[i - 1]) or (i > 1 and cue[i - 2] and gone[i - 1]))
            ):
                kept[i], gone[i], again = "", True, True
    return kept


def _token(token: str, who: Identity) -> str:
    """What stays of one blank-separated token, punctuation between its kept parts included."""
    if token.lower() in _WITHOUT:
        return token
    if folded(token).strip(".,;:()[]") in who.words or _DATE_LIKE.match(token.lower()):
        return ""
    if not token.isascii() and not (token := re.sub(r"[^\x00-\x7f]", "", token)):
        return ""
    out: list[str] = []
    for joined in re.findall(r"[A-Za-z0-9.]+|[^A-Za-z0-9.]+", token):
        if joined[0].isalnum() or joined[0] == ".":
            out.append(_joined(joined, who))
        else:
            out.append(joined if joined in ("/", "-", "+", "_", "&", ",", "(", ")", "*", "x", "%", " ") else " ")
    return re.sub(r"^[\W_]+|[\W_]+$", "", "".join(out)) if any(re.search(r"[A-Za-z0-9]", o) for o in out) else ""


def _joined(part: str, who: Identity) -> str:
    """A run of letters and digits: kept whole or not at all ("T2W", "1.5mm", "Chest.")."""
    part = part.strip(".")
    runs = re.findall(r"[A-Za-z]+|\d+(?:\.\d+)?", part)
    if not runs or "".join(runs) != part.replace("..", "") or len(runs) > 4 or folded(part) in who.words:
        return _words_of(part, who)
    if len(runs) == 1:
        return part if _run(part, who, True) else ""
    return part if all(_run(r, who, i == 0) for i, r in enumerate(runs)) and not _is_number_of(part, who) else ""


def _words_of(part: str, who: Identity) -> str:
    """Words with dots between them, each by itself."""
    return " ".join(w for w in part.split(".") if w.isalpha() and known(w, who))


def _run(run: str, who: Identity, first: bool) -> bool:
    if run[0].isdigit():
        return len(run.replace(".", "")) <= _MOST_DIGITS + ("." in run)
    low = run.lower()
    if len(low) == 1:
        return low in _LETTERS or (first and low in _LEAD) or (not first and low in "dfhst")
    return low in _UNITS or known(run, who)


def _is_number_of(part: str, who: Identity) -> bool:
    return re.sub(r"[^0-9]", "", part) in who.digits


def _measured(tokens: list[str]) -> Iterator[str]:
    """Without the bare numbers that nothing says the use of: of two digits and more, or at the end of a run."""
    for i, token in enumerate(tokens):
        if re.fullmatch(r"\d{1,3}", token) and len(token) > 1:
            after = tokens[i + 1].lower() if i + 1 < len(tokens) else ""
            if after not in _UNITS:
                continue
        yield token
