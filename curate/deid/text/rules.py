"""Rules for what identifies in any report, whoever it is of: numbers, contacts, addresses, times, ages, initials.

A rule is a label, a guard (`curate.deid.text.prefilter`) and a pattern, side by side. It may take too much, never too
little where its cue is clear; what keeps clinical text whole is that a cue or a telling shape is always asked for.
Works on folded text (`curate.deid.text.fold`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from curate.deid.text.prefilter import CODES, Rule, Span, find_all, guard, rule
from curate.deid.text.text_index import Glance
from curate.deid.words.vocabulary import Kind, kind

_I = re.IGNORECASE
_UNIT = (
    r"(?!\s?(?:mm|cm|ml|cc|mg|mcg|g|kg|hu|ms|msec|sec|mgy|mgy\*cm|mhz|hz|kv|kvp|mas|ma|units?|cells|/u?l|/mm|x10"
    r"|%|weeks?"
    r"|days?|years?|images?|slices?|per)\b)"
)
_YEARS = r"(?:y(?:ea)?rs?|y/?o|y\.o\.|y|anos?|jahre?|jahrig\w*|jaehrig\w*|ans)\b"
_ONES = r"(?:one|two|three|four|five|six|seven|eight|nine)"
# ages over 89, in words
_OLD = (
    rf"(?:ninety(?:[\s-]{{1,3}}{_ONES})?|(?:a"
    rf"|one)[\s-]{{1,3}}hundred(?:[\s-]{{1,3}}(?:and[\s-]{{1,3}})?(?:{_ONES}|ten|eleven|twelve"
    r"|thirteen|fourteen|fifteen))?|noventa(?:\s+y\s+(?:uno?|dos|tres|cuatro|cinco|seis|siete|ocho|nueve))?"
    r"|quatre-vingt-(?:dix(?:-(?:sept|huit|neuf))?|onze|douze|treize|quatorze|quinze|seize)"
    r"|(?:ein|zwei|drei|vier|funf|sechs|sieben|acht|neun)?(?:und)?neunzig)"
)
_OVER = r"(?:9\d|1[0-4]\d)"  # ages over 89, in digits
_DOMAINS = "com|org|net|edu|gov|info|io|health|hospital|uk|ca|au|fr|nl|jp|lk|eu"
_STREETS = (
    r"(?:Street|St|Avenue|Ave|Av|Road|Rd|Lane|Ln|Drive|Dr|Boulevard|Blvd|Court|Ct|Way|Place|Pl|Terrace|Ter"
    r"|Parkway|Pkwy"
    r"|Highway|Hwy|Circle|Cir|Square|Sq|Trail|Trl|Close|Crescent|Cres|Mews|Row|Alley|Plaza|STREET|AVENUE|AVE|ROAD"
    r"|RD|LANE"
    r"|DRIVE|BLVD|BOULEVARD)\b\.?"
)
# postal codes of the United States
_STATES = "A[KLRZ]|C[AOT]|D[CE]|FL|GA|HI|I[ADLN]|K[SY]|LA|M[ADEINOST]|N[CDEHJMVY]|O[HKR]|P[AR]|RI|S[CD]|T[NX]|UT|V[AIT]"
_STATES += "|W[AIVY]"
_CITY = (
    rf"(?:\s*,?\s*(?:[A-Z][\w.'-]+\s?){{1,3}},?\s+(?:{_STATES})\b(?:\s+\d{{5}}(?:-\d{{4}})?)?"
    r"|,\s+[A-Z][a-z]+(?:\s[A-Z][a-z]+)?)?"
)

_PATH = r"(?:/(?:[^\s\0]*[^\s\0.,;:!?)])?)?"
_IDS = """mrn m medical med mr accession acc patient pat pid ssn nhs chi nhc cip nass encounter account acct visit
order exam
study req requisition policy member license licence dea npi serial s passport unit chart file case hospital
record job
document doc dictation specimen badge insurance id i"""
# whose number it is: of the patient, a case, an account
_OWNED = (
    r"mrn|m\.r\.n|medical record|med rec|accession|acc|patient id|pat id|pid|ssn|nhs|chi|medicare|ihi|dva|abha"
    r"|aadhaar|uhid"
    r"|ip no|op no|opd|ipd|hosp(?:ital)?|hn|urn|ur|nric|chart|account|acct|claim|policy|case|pathway|episode"
    r"|referral|plate"
    r"|registration|reg|slide|block|form|file|folder|card|receipt|bill|token|voucher|docket|ticket|invoice|req(?:uest)?"
)
_NUMBERED = """mrn m medical med accession acc patient pat pid ssn nhs chi medicare ihi dva abha aadhaar uhid ip op opd
ipd hosp hospital hn urn ur nric chart account acct claim policy case pathway episode referral plate
registration reg slide block form file folder card receipt bill token voucher docket ticket invoice req request"""
_CALLS = "called phoned telephoned rang told informed notified paged attended seen arrived relayed conveyed discussed"
_DIGIT_WORDS = "zero|oh|nought|one|two|three|four|five|six|seven|eight|nine|double|triple"
_AGES = r"(?<![\d.])(?:9\d|1[0-4]\d)(?!\d)"
_GAPPED = r"\d\)?[\s./-]{1,2}\d{3}"
_GAPS = " ".join(f"0{end}{one}{other}000" for end in ("", ")") for one in ("", *"./-") for other in ("", *"./-"))
_OLD_WORDS = "ninety hundred noventa quatre neunzig"
_STREET_WORDS = """street st avenue ave av road rd lane ln drive dr boulevard blvd court ct way place pl terrace ter
parkway pkwy highway hwy circle cir square sq trail trl close crescent cres mews row alley plaza"""
_WAYS = f"""{_STREET_WORDS} str gardens grove hill park green walk rise view quay wharf gate loop run pike bend
ridge heights end vale meadow meadows path crossing point landing"""
_STATE_WORDS = """ak al ar az ca co ct dc de fl ga hi ia id il in ks ky la ma md me mi mn mo ms mt nc nd ne nh nj nm nv
ny oh ok or pa pr ri sc sd tn tx ut va vi vt wa wi wv wy"""

_PAGER = """pager pagers paged beeper bleep bleeps bleeped page ext extension extn vocera spectralink ascom dect voalte
phone tel telephone
fax cell mobile ph call called dial reach reached contact contacted ring text texted hotline line"""
_NUMBER = r"\+?\(?\d[\d\s().+/-]{0,20}\d"
# Cues stay, values go.
RULES: tuple[Rule, ...] = (
    rule(
        "EMAIL",
        guard(signs="@"),
        r"(?<![\w.+'-])[\w.+'-]{1,99}\s?@\s?[\w-]{1,63}(?:\s?\.(?:\s(?-i:(?=[a-z])))?[\w-]{1,63}){1,6}",
        _I,
    ),
    # spoken: "j.doe [at] mail [dot] com"
    rule(
        "EMAIL",
        guard("dot", signs="[at] (at) [AT] (AT) [dot] (dot) [DOT] (DOT)", like=r"(?i)\bat\b.{1,80}(?:\bdot\b|\.)"),
        r"\b[\w+'-]{1,40}(?:(?:\.|[ ]dot[ ]"
        r"|[ ]?[\[(]dot[\])][ ]?)[\w+'-]{1,40}){0,3}[ ]?(?:[\[(]at[\])][ ]?[\w-]{1,40}(?:(?:\.|[ ]dot[ ]"
        r"|[ ]?[\[(]dot[\])][ ]?)[\w-]{1,40}){1,4}"
        r"|\bat[ ][\w-]{1,40}(?:(?:[ ]dot[ ]|[ ]?[\[(]dot[\])][ ]?)[\w-]{1,40}){1,4})",
        _I,
    ),
    rule("URL", guard(signs="://  www. WWW. Www."), r"\b(?:(?:https?|ftp)://|www\.)[^\s\0<>\"]*[^\s\0<>\".,;:!?)]", _I),
    rule(
        "URL",
        guard(signs=".", like=r"\.(?i:com|org|net|edu|gov|info|io|health|hospital|uk|ca|au|fr|nl|jp|lk|eu)\b"),
        rf"(?<![\w.-])(?:[a-z0-9-]{{1,63}}\.){{1,6}}(?:{_DOMAINS})\b{_PATH}",
        _I,
    ),
    rule("ID", guard(shapes="0.", also=r"\d\.\d+\.\d", led="digits"), r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?!\.?\d)"),
    rule("ID", guard(shapes="0.", also=r"\d\.\d+\.\d", led="digits"), r"(?<![\d.])[0-2](?:\.\d+){4,}"),
    rule(
        "ID", guard(shapes="0: 0-", like=r"[:-]..[:-]..[:-]..[:-]..[:-]"), r"\b(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}\b", _I
    ),
    rule("ID", guard(shapes="0-00-0", led="digits"), r"(?<![\w-])\d{3}-\d{2}-\d{4}(?![\w-])"),
    rule("ID", guard(shapes="00000000 0000-0000", led="digits"), r"(?<![\w-])(?:\d{4}[ -]){3}\d{1,7}(?![\w-])"),
    rule(
        "ID",
        guard(words=_IDS, led="words", also=r"\d"),
        r"\b(?:mrn|m\.r\.n\.|medical record|med rec|mr ?#|accession|acc(?= ?[#:n])|patient id|pat id|pid|ssn"
        r"|nhs|chi|nhc|cip|nass"
        r"|encounter|account|acct|visit|order|exam id|study id|req(?:uisition)?|policy|member|licen[cs]e|dea"
        r"|npi|serial|s/n|passport"
        r"|unit (?:no|number)|chart|file|case|hospital|record|job|document|doc|dictation|specimen|badge"
        r"|insurance|id|i\.d\.)(?![a-z])"
        r"(?:[ ]?(?:id|no|num|number|nr|record|code)\b)?\.?[ ]?(?:[#:=]|\bis\b|-(?=[ ]))*[ \t]*"
        r"((?=[\w./-]{0,32}\d)[a-z0-9][\w/-]{2,}(?:\.\d\w*)?)(?!\s?(?:mm|cm))",
        _I,
        group=1,
    ),
    # groups of digits behind what says whose number it is, or before it
    rule(
        "ID",
        guard(_NUMBERED, led="words", also=r"\d[ /-]\d|\d{4}"),
        rf"\b(?:{_OWNED})\b(?:[ ]?(?:id|no|num|number|nr|record|code|f no)\b)?\.?[ ]?(?:[#:=]|\bis\b|[ ])*"
        r"((?=(?:[ /-]?\w){4,16}(?!\w))[A-Za-z]{0,3}\d{1,8}(?:[ /-](?:\d{1,8}|[A-Z]{1,3}\b)){1,5}"
        r"|[A-Za-z]{1,3}[ -]\d{3,8}|\d{4,})"
        r"(?!\w|[.,]\d|\s?(?:mm|cm|%|years?)\b)",
        _I,
        group=1,
    ),
    rule(
        "ID",
        guard("no number nr", led="words", also=r"\d[ /-]\d|\d{4}"),
        r"\b(?:no|number|nr)\b\.?[ ]?[:#=]?[ ]?((?=(?:[ /-]?\w){5,16}(?!\w))[A-Z]{0,3}\d{1,8}(?:"
        r"[ /-]\d{1,8}){1,4}|[A-Z]?\d{5,})"
        r"(?!\w|[.,]\d|\s?(?:mm|cm|%|years?)\b)",
        _I,
        group=1,
    ),
    rule(
        "ID",
        guard(shapes="0000 0-0 0/0", led="digits", also=r"\d"),
        r"(?<![\w.,/-])\d(?:[\d -]{2,15})\d(?=[ ]?[(,]?[ ]?(?:is|was|as|=|being)?[ ]?(?:the|her|his|their)?[ ]?"
        r"(?:hospital[ ]|patient[ ])?(?:mrn|medical record|accession|nhs|chi|medicare|aadhaar|uhid|account|claim)\b)",
        _I,
    ),
    # two groups of digits, one of them long: 79-398922, 571810/23
    rule(
        "ID",
        guard(shapes="0-00000 0/00000 00000-0 00000/0", led="digits"),
        r"(?<![\w.,/-])(?:\d{1,4}[-/]\d{5,9}|\d{5,9}[-/]\d{1,4})(?![\w/-]|[.,]\d)",
    ),
    rule(
        "PHONE",
        guard(_DIGIT_WORDS.replace("|", " "), led="words"),
        rf"\b(?:(?:{_DIGIT_WORDS})[ ,-]{{1,2}}){{4,}}(?:{_DIGIT_WORDS})\b",
        _I,
    ),
    rule("ID", guard(signs="#"), r"(?<![\w#])#\s?((?=\w{0,32}\d)\w{4,})\b", group=1),
    rule("ID", CODES, r"\b(?=[A-Za-z0-9-]{0,64}[A-Za-z])(?=(?:[A-Za-z-]{0,32}\d){5})[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*\b"),
    rule("ID", guard(shapes="000000", led="digits", also=r"\d{6}"), rf"(?<![\w.,/-])\d{{6,}}(?![\w/-]|[.,]\d){_UNIT}"),
    rule(
        "PHONE",
        guard(
            "phone tel telephone fax pager beeper mobile cell ext extension call contact reached whatsapp",
            led="words",
            also=r"\d",
        ),
        r"\b(?:phone|tel(?:ephone)?|fax|pager|beeper|mobile|cell|ext(?:ension)?|call(?: back)?|contact"
        r"|reached at|whatsapp)"
        r"(?:[ ]?(?:no|number|#))?\.?\s?[:#]?\s?(\+?\(?\d[\d\s().+/-]{1,20}\d)(?!\w)(?!\s?(?:mm|cm|%))",
        _I,
        group=1,
    ),
    rule(
        "PHONE",
        guard(shapes=_GAPS, led="digits", also=_GAPPED),
        r"(?<![\w.+-])(?:\+\d{1,3}[\s.-]?|1[ .-])?(?:\(\d{2,5}\)[\s.-]?|\d{2,5}[\s.-])\d{3,4}[\s.-]\d{3,4}(?:\s?(?:x"
        r"|ext\.?)\s?\d+)?(?![\w.-])",
    ),
    rule(
        "PHONE",
        guard(signs="+ (", led="digits"),
        r"(?<![\w.+-])(?:\+\d{1,3}[\s.-]?\d[\d\s.-]{5,14}\d|\(\d{3}\)\s?\d{3}[\s.-]?\d{4})(?!\w)",
    ),
    rule("PHONE", guard(shapes="000-0000", led="digits"), r"(?<![\w.+/-])[2-9]\d{2}-\d{4}(?![\w-]|\.\d)" + _UNIT),
    rule("ID", guard(shapes="00-00", led="digits"), r"(?<![\w.-])\d{2,}(?:-\d{2,}){2,}(?![\w.-])"),
    rule(
        "TIME",
        guard(shapes="0:00", led="digits"),
        r"(?<![\w:./])(?:[01]?\d"
        r"|2[0-3]):[0-5]\d(?::[0-5]\d(?:[.,]\d+)?)?(?:\s?[ap]\.?m\b\.?)?(?:\s?(?:h(?:ou)?rs?|h|[ECMP][SD]T"
        r"|UTC|GMT|Z)\b)?"
        r"(?!\s?(?:o'?clock|position)|[:/]?\d)",
        _I,
    ),
    rule("TIME", guard("am pm m", led="digits"), r"(?<![\w.:])(?:1[0-2]|0?[1-9])\s?[ap]\.?m\b\.?(?!\w)", _I),
    rule(
        "TIME",
        guard("h hr hrs hour hours", led="digits", also=r"\d{4}"),
        r"(?<![\w.:])(?:[01]\d|2[0-3])[0-5]\d\s?(?:h(?:ou)?rs?|h)\b",
        _I,
    ),
    rule(
        "AGE",
        guard(shapes="00", led="digits", also=_AGES),
        rf"(?<![\w.])(?:9\d|1[0-4]\d)\+?(?=[\s-]{{0,2}}{_YEARS})",
        _I,
    ),
    rule("AGE", guard(_OLD_WORDS, signs="neunzig NEUNZIG Neunzig"), rf"\b{_OLD}(?=[\s-]{{0,2}}{_YEARS})", _I),
    # "92F", "93/F", "101 male", "93rd birthday"
    rule("AGE", guard(shapes="00", led="digits", also=_AGES), r"(?<![\w.])(?:9\d|1[0-4]\d)(?=\s?[MF]\b)"),
    rule(
        "AGE",
        guard(shapes="00", led="digits", also=_AGES),
        r"(?<![\w.,/-])(?:9\d|1[0-4]\d)(?=\s{0,2}[/,-]\s{0,2}(?:[mf]\b|male\b|female\b)|\s(?:fe)?male\b|\s(?:wo)?man\b"
        r"|\s(?:lady|gentleman)\b)",
        _I,
    ),
    rule(
        "AGE",
        guard(shapes="00", led="digits", also=r"(?<![\d.])(?:9\d|1[0-4]\d)(?!\d)"),
        r"(?<![\w.])(?:9\d|1[0-4]\d)(?:st|nd|rd|th)(?=[\s-]+(?:birthday|b'?day|year))",
        _I,
    ),
    # someone, and the age: "Rye (Mary), 98."
    rule(
        "AGE",
        guard(signs="\0", also=_AGES),
        rf"(?<=\0)\)?,[ ]({_OVER})(?=[.,;](?!\d)|[ ]?(?:years?|yrs?|y)\b|\n|$)",
        group=1,
    ),
    rule(
        "AGE",
        guard("eldest oldest mother father patient he she husband wife now nearly almost", led="words", also=_AGES),
        rf"\b(?:(?:eldest|oldest|mother|father|patient|he|she|husband|wife)\s(?:is|was)(?:\s(?:now|nearly"
        rf"|almost))?|now|nearly|almost)\s({_OVER})"
        r"(?=\s*(?:[.,;)](?!\d)|\n|$|and\b))",
        _I,
        group=1,
    ),
    # "F 93,", "Male/93", "turned 93"
    rule(
        "AGE",
        guard("m f male female", led="words", also=_AGES),
        rf"\b(?:[MF]|[Ff]?e?[Mm]ale|FEMALE|MALE)\s?[ /,-]\s?({_OVER})(?=\s*(?:[,;:)\n]|\.(?!\d)|$|{_YEARS}))",
        group=1,
    ),
    rule(
        "AGE",
        guard("turn turns turned turning", led="words", also=_AGES),
        rf"\bturn(?:s|ed|ing)?\s+({_OVER})(?!\w|[.,]\d|\s?(?:%|degrees?|mm|cm))",
        _I,
        group=1,
    ),
    rule(
        "AGE",
        guard("age aged edad", led="words"),
        rf"\b(?:aged?|edad)[\s:]{{1,2}}(?:(?:of|about|over|above|de)\s)?\s?({_OLD})\b(?!\s?(?:%|mm|cm))",
        _I,
        group=1,
    ),
    rule(
        "AGE",
        guard(signs="narian NARIAN Narian nari NARI"),
        r"\b(?:super-?)?(?:non?agenarian|cent(?:en|in)arian|nonagenari[oa]|centenari[oa])s?\b",
        _I,
    ),
    rule(
        "AGE",
        guard("ninetieth ninety hundredth", led="words"),
        r"\b(?:ninetieth|hundredth|ninety[\s-]{1,2}(?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth))"
        r"(?=\s+(?:birthday|year))",
        _I,
    ),
    rule(
        "AGE",
        guard("his her their patient", led="words"),
        r"\b(?:his|her|their|patient's)\s+(?:(?:very\s+)?(?:early|mid|middle|late)[\s-]+)?"
        r"(nineties|9\ds?|'?90'?s|hundreds|1[0-4]0'?s)(?!\w)",
        _I,
        group=1,
    ),
    rule(
        "AGE",
        guard("age aged edad", led="words", also=_AGES),
        r"\b(?:aged?|age:|edad:?|aged:)\s{0,2}(9\d|1[0-4]\d)\b(?!\s?(?:%|mm|cm))",
        _I,
        group=1,
    ),
    rule(
        "ADDRESS",
        guard(_STREET_WORDS, led="digits"),
        rf"\b\d{{1,5}}[A-Za-z]?[ ,]+(?:[A-Z0-9][\w.'-]*\s+){{1,4}}?{_STREETS}" + _CITY,
    ),
    rule(
        "ADDRESS",
        guard("apt apartment suite ste po p box", also=r"\d"),
        r"\b(?:Apt|Apartment|Suite|Ste|PO Box|P\.O\. Box|Box)\.?\s?#?\s?\d+\w*" + _CITY,
    ),
    rule(
        "ADDRESS",
        guard(_STATE_WORDS, also=r"\d{5}", like=r",\s+[A-Z]{2}\s+\d"),
        rf"\b(?:[A-Z][\w.'-]+\s?){{1,3}},\s+(?:{_STATES})\s+\d{{5}}(?:-\d{{4}})?\b",
    ),
    rule("ADDRESS", guard(_STATE_WORDS, led="words", also=r"\d{5}"), rf"\b(?:{_STATES})\s+\d{{5}}(?:-\d{{4}})?\b"),
)
# What goes where the vocabulary decides: less telling shapes.
STRICT_RULES: tuple[Rule, ...] = (
    rule(
        "PHONE",
        guard(_PAGER, led="words", also=r"\d"),
        r"\b(?:pagers?|paged|beeper|bleeps?|bleeped|page|ext(?:ension)?|extn|vocera|spectralink|ascom|dect"
        r"|voalte|phone|tel|telephone|fax|cell"
        r"|mobile|ph|call(?:ed)?(?: back)?(?: at| on)?|dial|reach(?:ed)?(?: at| on)|contact(?:ed)?(?: at| on)"
        r"|ring|text(?:ed)?|hotline|line)"
        rf"(?:\s(?:id|no|number|at|on|is|was|to))?\.?\s?[:#*=]?\s?({_NUMBER})(?!\w)(?!\s?(?:mm|cm|%|ml|fr\b"
        rf"|french|french|gauge|days?|hours?|months?|weeks?))",
        _I,
        group=1,
    ),
    rule("PHONE", guard("x", led="words", also=r"\d\d\d"), r"(?<![\w.])[xX]\s?-?\d{3,6}(?![\w.]|\s?(?:mm|cm|\d))"),
    rule("PHONE", guard(signs="* #", led="words"), r"(?<![\w.])[*#]\d{3,7}(?![\w.])"),
    rule(
        "PHONE",
        guard(shapes="00", led="digits", also=r"00"),
        r"(?<![\w.+])00\s?\d{1,3}(?:[\s.()/-]{0,2}\d{1,5}){2,5}(?!\w)",
    ),
    rule(
        "PHONE",
        guard(shapes="000", led="digits", also=r"(?<!\d)0\d\d"),
        r"(?<![\w.+-])\(?0\d{1,4}\)?[\s.-]\d{3,8}(?:[\s.-]\d{2,6})?(?![\w])",
    ),
    rule(
        "PHONE",
        guard(shapes=_GAPS, led="digits", also=_GAPPED),
        r"(?<![\w.+-])\(?(?:[2-9]\d{2}\)?[\s./-]{1,2}\d{3}[\s./-]{1,2}|1\d{2}[.-]\d{3}[.-])\d{4}(?:\s?(?:x|ext\.?"
        r"|extension)\s?\d+)?(?!\w)",
        _I,
    ),
    rule(
        "PHONE",
        guard(shapes="0000000 000.0000 000-0000", led="digits", also=r"\d{3}[ .-]\d{4}"),
        r"(?<![\w.+,/-])[2-9]\d{2}[ .-]\d{4}(?![\w-]|[.,]\d)(?!\s?(?:mm|cm|ml|hu|mgy|images?))",
        _I,
    ),
    rule("PHONE", guard(signs="+", led="words"), r"(?<![\w.+-])\+\d[\d\s().-]{6,18}\d(?!\w)"),
    rule("ADDRESS", CODES, r"\b(?:[A-Z]{1,2}\d[A-Z\d]?)\s?\d[ABD-HJLNP-UW-Z]{2}\b"),
    rule("ADDRESS", CODES, r"\b(?!T\dN\dM\d)[ABCEGHJ-NPRSTVXY]\d[A-Z][ -]?\d[A-Z]\d\b"),
    rule(
        "ADDRESS",
        guard(
            """room rm bed bay cubicle ward suite ste apt apartment flat floor unit bldg building house pod
station theatre clinic
        zip postcode plz""",
            led="words",
            also=r"\d",
        ),
        r"\b(?:room|rm|bed|bay|cubicle|ward|suite|ste|apt|apartment|flat|floor|unit|bldg|building|house|pod"
        r"|station|theatre|clinic|zip|postcode|plz)"
        r"\.?\s?(?:code|no\.?|number|#)?:?\s?(#?(?:\d{1,5}[A-Za-z]?"
        r"|[A-Z]-?\d{1,4}[A-Za-z]?)(?:[-/]\d{1,3}[A-Za-z]?)?)(?!\w|\.\d)(?!\s?(?:mm|cm|ml|of)\b)",
        _I,
        group=1,
    ),
    rule(
        "ADDRESS",
        guard(_WAYS, led="digits"),
        r"\b\d{1,5}[A-Za-z]?,?\s+(?:[A-Z][\w'.-]*\s+){0,3}[A-Z][\w'.-]*\s+(?i:street|str|st|avenue|ave|road"
        r"|rd|lane|ln|drive|dr|boulevard|blvd|court|ct"
        r"|way|place|pl|terrace|parkway|pkwy|highway|hwy|circle|square|sq|trail|close|crescent|mews|row|alley"
        r"|plaza|gardens|grove|hill|park|green"
        r"|walk|rise|view|quay|wharf|gate|loop|run|pike|bend|ridge|heights|end|vale|meadows?|path|crossing"
        r"|point|landing)\b\.?",
    ),
    rule(
        "ADDRESS",
        guard("pin zip postcode postal plz", led="words", also=r"\d"),
        r"\b(?:pin|zip|post(?:al)?[ ]?code|plz)(?:[ ]?(?:code|no))?\.?[ ]?[:#=-]?[ ]?(\d{3}[ -]?\d{2,3}"
        r"|\d{4,6})(?!\w|[.,]\d)",
        _I,
        group=1,
    ),
    rule(
        "ADDRESS",
        guard("street avenue road lane drive boulevard crescent terrace", led="before", reach=5, also=r"\d"),
        r"(?<![\w.,/-])\d{1,5}[a-z]?,?[ ](?:[a-z][\w'-]*[ ]|\0[ ]?){1,3}?(?:street|avenue|road|lane|drive"
        r"|boulevard|crescent|terrace)\b",
        _I,
    ),
    rule(
        "TIME",
        guard(_CALLS, led="words", also=r"\d\d\.\d\d|\d{4}"),
        rf"\b(?:{_CALLS.replace(' ', '|')})\b[^.\n]{{0,60}}[,(][ ]?((?:[01]\d"
        rf"|2[0-3])[.:]?[0-5]\d)(?=\s*(?:[.;,)]?\s*(?:$|\n|[A-Z])|[.;,)]\D|[.;,)]$))",
        _I,
        group=1,
    ),
    rule("TIME", guard(signs="("), r"(?<=\()(?:[01]\d|2[0-3])\.[0-5]\d(?=\))"),
    rule("TIME", guard("h", led="digits"), r"(?<![\w.:/])(?:[01]?\d|2[0-3])\s?h\s?[0-5]\d(?:\s?(?:min|m))?(?!\w)", _I),
    rule(
        "TIME",
        guard(
            "at around by approximately about time since until till from to before after",
            signs="@",
            led="words",
            also=r"\d\d[.:]?\d\d",
        ),
        r"\b(?:at|@|time|(?:around|by|approximately|about|since|until|till|from|to|before|after)(?![ ](?:199\d"
        r"|20[0-4]\d)(?![ ]?h)))"
        r"[ :]{1,2}((?:[01]\d|2[0-3])[.:]?[0-5]\d)(?![\w/-]|[.,]\d)(?!\s?(?:mm|cm|ml|mg|hu"
        r"|mgy|images?|%))",
        _I,
        group=1,
    ),
    rule(
        "TIME",
        guard("am pm m hr hrs hours h uhr z", led="digits", also=r"\d[.:]\d"),
        r"(?<![\w.:])(?:[01]?\d|2[0-3])[.:][0-5]\d\s?(?:[ap]\.?m\b\.?|hrs?\b|hours\b|h\b|uhr\b"
        r"|z\b)",
        _I,
    ),
    rule(
        "TIME",
        guard("quarter half ten five twenty", led="words"),
        r"\b(?:quarter|half|ten|five|twenty)\s(?:past|to|after|before)\s(?:one|two|three|four"
        r"|five|six|seven|eight|nine|ten|eleven|twelve|\d{1,2})\b",
        _I,
    ),
    rule("NAME", guard(signs=".", like=r"\.[ -]?[A-Z]\."), r"(?<![\w.])(?:[A-Z]\.[ -]?){2,4}(?![\w])"),
    rule(
        "NAME",
        guard(signs="/ :", like=r"[/:]\s?[a-z]{2,4}\s*(?:$|[\n.;])"),
        r"(?<![\w/:])[A-Z]{2,4}\s?[/:]\s?[a-z]{2,4}(?=\s*(?:$|[\n.;]))",
        re.MULTILINE,
    ),
    rule(
        "NAME",
        guard("initial initials typed transcribed tech rad signed initialled initialed", led="words"),
        r"\b(?:initials?|typed by|transcribed by|tech|rad|signed|initialled"
        r"|initialed)\s?:?\s([A-Z]{2,4})(?![\w-])",
        group=1,
    ),
    rule(
        "AGE",
        guard(shapes="00", led="digits", also=_AGES),
        r"(?<![\w.,/-])(?:9\d|1[01]\d)(?=\s?(?:-|\s)?(?:y\.?/?o\.?|yr|year|yom|yof|ym|yf)s?\b)",
        _I,
    ),
    rule(
        "ID",
        guard(
            "serial s sn lot model ref udi device batch asset implant pin badge employee license room",
            led="words",
            also=r"\d",
        ),
        r"\b(?:serial|s/?n|lot|model|ref|udi|device|batch|asset|implant|pin|badge|employee|license"
        r"|room)(?![a-z])\s?(?:no|num|number|id|#)?\.?\s?[:#=]?\s?((?=[\w/-]*\d)[A-Za-z0-9][\w/-]{3,})",
        _I,
        group=1,
    ),
    rule(
        "ID", CODES, r"(?<![\w/-])(?=[A-Za-z/_-]*\d)(?=[\d/_-]*[A-Za-z])[A-Za-z0-9]{2,}(?:[-/_][A-Za-z0-9]{2,}){2,}\b"
    ),
    rule(
        "ID",
        CODES,
        r"\b(?:[A-Z]{1,5}[-_]?\d{4,}[A-Z]?|\d{2,}[-_][A-Z]{1,4}[-_]?\d{2,}"
        r"|[A-Z]{2,5}[-_]\d{2,}(?:[-_]\d+)*)\b",
    ),
)
_DOTTED = frozenset(
    [
        "A.P.",
        "P.A.",
        "I.V.",
        "U.S.",
        "M.D.",
        "D.O.",
        "P.O.",
        "N.P.O.",
        "B.I.D.",
        "T.I.D.",
        "Q.D.",
        "P.R.N.",
        "A.M.",
        "P.M.",
        "C.T.",
        "M.R.",
        "M.R.I.",
        "R.N.",
        "U.K.",
        "I.D.",
    ]
)
_LEVELS = re.compile(
    r"(?:LR|TR|BI|PI|TI|CAD|RADS|T|L|C|S|SEG|IM|SE|COVID|SARS|HBA|CA|CD|IL|PD|KI|HPV|CO|B|DD|RCC"
    r"|EBV)[-_ ]?\d{1,3}(?:[-_/]\d{1,2})?[A-C]?"
)


def find_spans(text: str, glance: Glance | None = None, *, strict: bool = True) -> Iterator[Span]:
    """Every span the rules find in folded text, overlapping ones too; dates and names have their own.

    ``strict``: also the rules that go with the vocabulary gate.
    """
    glance = Glance(text) if glance is None else glance
    yield from find_all(RULES, glance)
    if strict:
        yield from (span for span in find_all(STRICT_RULES, glance) if not _harmless(span[2], text[span[0] : span[1]]))


def _harmless(label: str, found: str) -> bool:
    """ "P.A.", "L4-5", "65-year-old": of the shape, and no one's."""
    if label == "NAME":
        return found.replace(" ", "").upper() in _DOTTED
    if label != "ID":
        return False
    if _LEVELS.fullmatch(found.upper()):
        return True
    pieces = re.split(r"[-/_]", found.lower())
    numbers = [piece for piece in pieces if any(map(str.isdigit, piece))]
    words = [piece for piece in pieces if piece not in numbers]
    return bool(words) and all(kind(w) & Kind.KNOWN for w in words) and all(len(n) < 4 for n in numbers)
