"""The words of a folded text as the vocabulary gate sees them: what each is, and whether it begins a sentence."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

from curate.deid.patterns.around import MEASURED, is_any_before, words_before
from curate.deid.patterns.prefilter import Span
from curate.deid.text.fold import BARRIER
from curate.deid.words import context_words as roles
from curate.deid.words.vocabulary import Kind, kind

_TOKEN = re.compile(rf"({BARRIER}|[^\W_]+(?:['.](?=[^\W_])[^\W_]+)*)")
_PLAIN_TOKEN = re.compile(rf"({BARRIER}|[A-Za-z0-9]+(?:['.][A-Za-z0-9]+)*)")  # the same for ASCII
_BREAK = re.compile(r"[.!?:;\n()\[\]{}\"*=<>|\t]|(?:^|\s)[-+](?:\s|$)")
_ROMAN = re.compile(
    r"(?:I{2,3}|I[VX]|VI{1,3}|X{1,2}I{1,3}|XI?V|XVI{1,3}|XI?X|XX|ii|iii|iv|vi|vii|viii|ix)[A-Da-d]?"
)  # segment IVa
_BEYOND: Span = (sys.maxsize, sys.maxsize, "")
_ALPHA, _DIGITS, _DOTS = range(3)  # shapes of a token
_LONGEST_SHORT = 4  # letters of a title that is cut short, as "Dr" and "Prof" are


@dataclass(slots=True)
class Word:
    start: int
    end: int
    text: str
    lower: str
    kind: int
    first: bool  # begins a sentence, a line or a clause
    masked: bool = False
    settled: bool = False  # stays, whatever stands around it
    person: bool = False  # masked, and a name: pulls its neighbours along
    accented: bool = False  # the source writes it with letters beyond ASCII
    label: str = ""  # of a word that is masked already: what as
    likely: float = 0.0  # a name, once it is decided on


def words_of(text: str, archive: frozenset[str], taken: Sequence[Span]) -> list[Word]:
    found: list[Word] = []
    add, next_taken, last = found.append, -1, len(taken)
    begins, reached, label = 0, 0, ""
    pieces = (_PLAIN_TOKEN if text.isascii() else _TOKEN).split(text)  # what stands between the tokens, and they
    ends = list(accumulate(map(len, pieces)))
    tokens = pieces[1::2]
    for gap, token, start, end, look in zip(
        pieces[::2], tokens, ends[::2], ends[1::2], map(_look, tokens), strict=False
    ):
        while reached <= start:
            next_taken += 1
            begins, reached, label = taken[next_taken] if next_taken < last else _BEYOND
        first = gap != " " and _breaks(gap)
        if first and found and gap in (".", ". ") and found[-1].text != BARRIER:
            first = _begins_behind(found[-1])
        if begins < end:
            add(Word(start, end, BARRIER, BARRIER, 0, first, label == "NAME", True, label == "NAME", False, label))
            continue
        lower, bits, settled, shape = look
        if shape == _ALPHA:
            if archive and lower in archive and not bits & Kind.NAME:
                bits, settled = bits | Kind.KNOWN | Kind.CLINICAL, True
            add(Word(start, end, token, lower, bits, first, False, settled, False))
        elif shape == _DIGITS:
            known = is_code_known(text, start, end) or token.lower() in archive
            add(Word(start, end, token, "0", Kind.KNOWN, first, not known, True, False))
        else:
            found += _dotted(start, token, first, archive)
    if found:
        found[0].first = True
    return found


def _begins_behind(before: Word) -> bool:
    """Behind a full stop: not in "Dr. Young", nor in "J. Young"."""
    if before.lower in roles.TITLES:
        return len(before.text) > _LONGEST_SHORT
    return before.first if len(before.text) == 1 and before.text.isalpha() else True


@lru_cache(maxsize=4096)
def _breaks(gap: str) -> bool:
    return _BREAK.search(gap) is not None


def _dotted(start: int, token: str, first: bool, archive: frozenset[str]) -> Iterator[Word]:
    """ "follow.The" and "1.No" are two words, with a sentence's end between them."""
    for piece in token.split("."):
        lower, bits, settled, shape = _look(piece)
        if shape == _DIGITS:
            bits, settled = Kind.KNOWN, True
        elif lower in archive and not bits & Kind.NAME:
            bits, settled = bits | Kind.KNOWN | Kind.CLINICAL, True
        yield Word(start, start + len(piece), piece, lower, bits, first, False, settled, False)
        start, first = start + len(piece) + 1, True


@lru_cache(maxsize=100_000)
def _look(piece: str) -> tuple[str, int, bool, int]:
    """A token as it is looked up, what it is, whether it stays whatever stands around it, and its shape."""
    if any(map(str.isdigit, piece)):
        pieces = piece.split(".")
        listed = (
            len(pieces) > 1 and any(p.isdigit() for p in pieces) and any(p.isalpha() and len(p) > 1 for p in pieces)
        )
        return ("", 0, False, _DOTS) if listed else ("0", 0, False, _DIGITS)  # "1.No" is a list's number and a word
    if "." in piece:
        return "", 0, False, _DOTS
    lower = piece.lower()
    if _ROMAN.fullmatch(piece):
        return lower, Kind.KNOWN | Kind.CLINICAL, True, _ALPHA
    if lower.endswith("'s") and len(lower) > 3:
        lower = lower[:-2]
    bits = kind(lower)
    if not bits & Kind.KNOWN and "'" in lower and all(kind(p) & Kind.KNOWN for p in lower.split("'") if len(p) > 2):
        bits |= Kind.KNOWN
    if len(piece) == 1:
        return lower, bits, (piece.isascii() and not piece.isupper()) or _is_letter_kept(piece), _ALPHA
    plain = bits & Kind.KNOWN and not bits & (Kind.NAME | Kind.TOWN) and not piece.istitle()
    return lower, bits, bool(plain) or lower in roles.TITLES, _ALPHA


def _is_letter_kept(ch: str) -> bool:
    """Greek letters stand for angles and receptors; other signs are no word."""
    return "\u0391" <= ch <= "\u03c9" or not ch.isalpha() or ch in "µªº"


# Whole tokens of letters and digits that reports are made of, in lower case.
_KNOWN_CODE = re.compile(
    r"""
    # letters and one or two digits, four signs in all: a tooth (UL6), a grade (KL2), a day (POD5), a view (4CH)
    (?=[a-z\d]{2,4}$)(?:[a-z]{1,3}\d{1,2}[a-z]{0,2}|\d{1,2}[a-z]{1,3})
    | (?:mi|[pcyra]{0,2})t(?:\d|is|x)[a-d]?(?:mi)?(?:n[\dx][a-c]?(?:m[\dx][a-c]?)?)?  # stages: pT2N1M0
    | (?:mi|[pcyra]{0,2})[nm][0-3x][a-d]?\d? | (?:i{1,3}|iv)[a-d]\d?
    | g\d{1,2}p\d{1,4}(?:[al+]\d{1,2}){0,3} | p\d{1,2}(?:[al]\d{1,2}){1,3}  # births
    | (?:w|l|ww|wl|c)-?\d{2,4}(?=$) | (?:c|m|d|u)?gy\.?cm2 | mgycm
    | h2o2? | po4 | g6pd | mm[23] | cm[23] | m[23] | ao?x\d | chem\d{1,2} | (?:hr|bp|rr|bmi|gcs|sat|ef)\d{1,3}
    | [ctlsz]\d{1,2}(?:[a-z]|st|nd|rd|th)?                # levels: c3, t12, l4
    | [ctls]\d{1,2}[ctls]\d{1,2}
    | t[12]w?i?\*? | t[12](?:fs|fse|tse|space|spir|stir|flair|hi|shine)  # sequences
    | \d(?:d|t|th|st|nd|rd|f|s|v|x|h|w|m|y|k|p|g|l|r|b|c|a|q|u)
    | \d{1,4}(?:st|nd|rd|th|s)
    | \d{1,6}(?:\.\d{1,3})?(?:mm|cm|m|mms|cms|mm2|mm3|cm2|cm3|ml|mls|cc|ccs|l|dl|mg|mcg|ug|g|gm|gms|kg|kgs|lb
        |lbs|oz|hu
        |ms|msec|sec|s|min|mins|hr|hrs|h|d|w|wk|wks|mo|mos|y|yr|yrs|yo|yom|yof|yf|ym|f|fr|fg|ga|gauge|mhz|khz
        |hz|t|kv|kvp|kev|mev|ma|mas|mgy|gy|cgy
        |msv|mci|mbq|gbq|bpm|mmhg|x|mmol|meq|iu|u|units?|in|inch|ft|deg|c|k|lpm|mp|pack|ppd|py|pk|view|views|vw
        |v|vessel|phase|slice|part|level|hours?|days?|weeks?|months?|years?)|[a-z]{2,5}x\d
    | \d{1,3}(?:\.\d{1,2})?x\d{1,3}(?:\.\d{1,2})?(?:x\d{1,3}(?:\.\d{1,2})?)?(?:mm|cm|m)?  # 3x4cm
    | x\d{1,3} | \d{1,2}w\d?d?
    | \d{1,3}[mf]                                        # 45f
    | g\d{1,2}(?:p\d{1,4})?(?:a[bd]?\d)?(?:l\d)? | p\d{1,4} | a\d{1,2}
    | (?:spo|sao|pao|pco|paco|co|o|fio|h|n|no|etco)\d{1,2}
    | b\d{1,4} | k\d | q\d{1,2}h? | h\dn\d | cd\d{1,3} | il\d{1,2} | hb?a1c | a1c | ca\d{2,3} | ki67 | p53
        | her2 | egfr\d?
    | (?:f|ga|tc|in|i|tl|xe|lu|y|co|cr|fe|n|o|rb|cu|zr|ra|sm|sr|c|th|mo|cs|ir)\d{1,3}m?
    | \d{1,3}m?(?:f|ga|tc|in|i|tl|xe|lu|y|co|rb|cu|zr|fdg)
    | (?:m|d|v|a|s|e|r|b|n|w|p|u|rc|lc)\d[ab]?           # segments, branches, stages
    | (?:lr|tr|pi|br|bi|rads|birads|tirads|lirads|pirads|wbs|to|ti|csl|gr|lf|grade|stage|type|phase|level|view|im|se
        |ser|img)\d{1,3}[abc]?
    | \d[abc]?[abcx]? | (?:i|ii|iii|iv)\d?[abc] | m[1-4] | hb\d | b12 | vit\d | w\d | ac\d | ph\d | ao\d | mp\d
    | (?:covid|sars|cov)\d{0,2} | nf[12] | men[12][ab]? | hcv\d | sle\d | d[0-9]{1,2}w? | hiv\d? | hpv\d{1,2}
        | vwf\d? | adr\d
    | ti\d(?:w|fs)? | te\d{1,4} | tr\d{1,4} | kv\d{2,3}
    | \d{1,2}h\d{0,2}(?!\d)
    """,
    re.VERBOSE,
)
_UNIT_BEHIND = re.compile(
    r"[ \xa0]?(?:%|mm|cm|m\b|ml|cc|mg|mcg|ug|g\b|kg|hu\b|ms\b|msec|sec|mgy|mhz|hz|kv|kvp|mas?\b|units?|cells|/"
    r"|x|u/|iu|mmol|dl|cgy"
    r"|au\b|agatston|pixels?|voxels?|points?\b|\d{1,2}[ ]?cm\b|lb|bpm|cpm|years?|yrs?|days?|weeks?|months?"
    r"|hours?|images?|slices?|views?|per|copies|counts?|steps?"
    r"|(?:ng|pg)\b(?![ ]tube)|pack|grams"
    r"|au\b|hounsfield|feet|ft|psi|rpm|mbq|mci|ci\b|gauss|calories|kcal|meters?|metres?)",
    re.IGNORECASE,
)
_CODE_LED = re.compile(
    r"(?:image|images|img|im|series|se|ser|slice|slices|frame|frames|sequence|b|te|tr|ti|b-value|of|dlp|dose"
    r"|ctdi|level|window|width"
    r"|count|score|volume|ratio|value|platelets?|wbc|ldh|psa|ferritin|troponin|bnp|dimer|ck|suv|hu|at least"
    r"|about|approximately|[-x/=~<>]"
    r"|through|to|and|,|(?<!\d)1:)[ #:=.]{0,3}$",
    re.IGNORECASE,
)
_CODE_OF = re.compile(
    r"\b(?:cpt|hcpcs|icd|drg|loinc|snomed|ccs)(?:-?\d{1,2})?[ ]?(?:codes?)?[ :#]{1,2}\Z", re.IGNORECASE
)
_OF_A_CODE = 5  # digits of a procedure's code
_MAX_DIGITS = 4  # digits that a number without any sign of meaning may have less than


def is_code_known(text: str, start: int, end: int) -> bool:
    """True if the token text[start:end], which holds a digit, is a number or a code that names no one.

    Numbers of up to three digits, with decimals, stay, as do levels (L4), sequences (T2), isotopes (Tc99m), gauges
    and measurements. Four digits stay beside a unit or a word that says what they count. The rest goes.
    """
    token = text[start:end]
    if re.fullmatch(r"\d{1,3}(?:\.\d{1,4}){0,2}", token):
        return True
    if token.isdigit() and len(token) == _OF_A_CODE and _CODE_OF.search(text, max(0, start - 18), start):
        return True
    if token.isdigit() or re.fullmatch(r"\d+\.\d+", token):
        whole = token.split(".")[0]
        if len(whole) <= _MAX_DIGITS or (len(whole) <= _MAX_DIGITS + 2 and _UNIT_BEHIND.match(text, end)):
            beside = text[start - 1 : start] in "/.,:" and start > 0
            return (
                bool(_UNIT_BEHIND.match(text, end))
                or beside
                or bool(_CODE_LED.search(text, max(0, start - 18), start))
                or is_any_before(words_before(text, start), MEASURED, 2)
            )
        return False
    return all(_piece(piece) for piece in token.lower().split("."))


def _piece(piece: str) -> bool:
    return not piece or (piece.isdigit() and len(piece) < _MAX_DIGITS + 1) or _KNOWN_CODE.fullmatch(piece) is not None
