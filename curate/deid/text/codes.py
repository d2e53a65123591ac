"""Numbers and codes: a measurement, a level, a sequence or an isotope stays; what could number someone goes."""

from __future__ import annotations

import re

# Whole tokens of letters and digits that reports are made of, in lower case.
_KNOWN = re.compile(
    r"""
    [pcyr]{0,2}t(?:\d|is|x)[a-d]?n[\dx][a-c]?(?:m[\dx][a-c]?)?  # stages: pT2N1M0
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
        |v|vessel|phase|slice|part|level|hour|day|week|month|year)
    | \d{1,3}(?:\.\d{1,2})?x\d{1,3}(?:\.\d{1,2})?(?:x\d{1,3}(?:\.\d{1,2})?)?(?:mm|cm|m)?  # 3x4cm
    | x\d{1,3} | \d{1,2}w\d?d?
    | \d{1,3}[mf]                                        # 45f
    | g\d{1,2}(?:p\d{1,2})?(?:a[bd]?\d)?(?:l\d)? | p\d{1,4} | a\d{1,2}
    | (?:spo|sao|pao|pco|paco|co|o|fio|h|n|no|etco)\d{1,2}
    | b\d{1,4} | k\d | q\d{1,2}h? | h\dn\d | cd\d{1,3} | il\d{1,2} | hb?a1c | a1c | ca\d{2,3} | ki67 | p53
        | her2 | egfr\d?
    | (?:f|ga|tc|in|i|tl|xe|lu|y|co|cr|fe|n|o|rb|cu|zr|ra|sm|sr|c|th|mo|cs|ir)\d{1,3}m?
    | \d{1,3}m?(?:f|ga|tc|in|i|tl|xe|lu|y|co|rb|cu|zr|fdg)
    | (?:m|d|v|a|s|e|r|b|n|w|p|u|rc|lc)\d[ab]?           # segments, branches, stages
    | (?:lr|tr|pi|br|bi|rads|birads|tirads|lirads|pirads|wbs|to|ti|csl|grade|stage|type|phase|level|view|im|se
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
    r"|x|u/|iu|mmol|dl"
    r"|lb|bpm|cpm|years?|yrs?|days?|weeks?|months?|hours?|images?|slices?|views?|per|copies|counts?|ng|pg|pack|steps?"
    r"|feet|ft|psi|rpm|mbq|mci|ci\b|gauss|calories|kcal|meters?|metres?)",
    re.IGNORECASE,
)
_LED = re.compile(
    r"(?:image|images|img|im|series|se|ser|slice|slices|frame|frames|sequence|b|te|tr|ti|b-value|of|dlp|dose"
    r"|ctdi|level|window|width"
    r"|count|score|volume|ratio|value|platelets?|wbc|ldh|psa|ferritin|troponin|bnp|dimer|ck|suv|hu|at least"
    r"|about|approximately|[-x/=~<>]"
    r"|through|to|and|,)[ #:=.]{0,3}$",
    re.IGNORECASE,
)
_MOST = 4  # digits that a number without any sign of meaning may have less than


def is_code_known(text: str, start: int, end: int) -> bool:
    """True if the token text[start:end], which holds a digit, is a number or a code that names no one.

    Numbers of up to three digits, with decimals, stay, as do levels (L4), sequences (T2), isotopes (Tc99m), gauges
    and measurements. Four digits stay beside a unit or a word that says what they count. The rest goes.
    """
    token = text[start:end]
    if re.fullmatch(r"\d{1,3}(?:\.\d{1,4}){0,2}", token):
        return True
    if token.isdigit() or re.fullmatch(r"\d+\.\d+", token):
        whole = token.split(".")[0]
        if len(whole) <= _MOST or (len(whole) <= _MOST + 2 and _UNIT_BEHIND.match(text, end)):
            beside = text[start - 1 : start] in "/.," and start > 0
            return bool(_UNIT_BEHIND.match(text, end)) or beside or bool(_LED.search(text, max(0, start - 18), start))
        return False
    return all(_piece(piece) for piece in token.lower().split("."))


def _piece(piece: str) -> bool:
    return not piece or (piece.isdigit() and len(piece) < _MOST + 1) or _KNOWN.fullmatch(piece) is not None
