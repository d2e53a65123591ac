"""What letterheads and signature blocks are known by: the patterns and words of `curate.sources.reports.letterhead`.

Signs of the United States, Canada, the United Kingdom, Ireland, Australia, New Zealand, India; English only.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files


def words() -> frozenset[str]:
    """Words that may stand in a letterhead, in lower case."""
    return _lists()[0]


def notice_words() -> frozenset[str]:
    """Words of medicine that may stand in a notice."""
    return _lists()[1]


@cache
def _lists() -> tuple[frozenset[str], frozenset[str]]:
    text = files("curate.sources.reports").joinpath("letterhead.txt").read_text(encoding="utf-8")
    plain, _, notices = text.partition("\n## notices")
    lines = [line for line in plain.splitlines() if not line.startswith("#")]
    return frozenset(" ".join(lines).split()), frozenset(notices.split("\n", 1)[1].split())


def _any(*alternatives: str) -> str:
    return f"(?:{'|'.join(alternatives)})"


_VERB = _any(
    "dictated|transcribed|typed|reported|interpreted|read|e?-?signed|verified|approved|authenticated|reviewed",
    "finali[sz]ed|authori[sz]ed|validated|checked|prepared|released|attested|co-?signed|edited|created|printed"
    "|referred",
)
_DUTY = (
    "reporting|consultant|attending|staff|interpreting|interventional|chief|supervising|responsible|duty|on[- ]call|"
    "referring|ordering|requesting|primary care"
)
_ROLE = (
    rf"(?:(?:{_DUTY}) )?"
    r"(?:radiologist|radiographer|sonographer|physician|provider|clinician|doctor|practitioner|resident|registrar"
    r"|fellow|gp)"
)
_NO = r"(?: ?(?:no\.?|number|id|#))?"
_IDENTITY = _any(
    r"(?:patient(?:'s)? )?(?:name|surname|forename|id|details|address)|patient|pt|d\.? ?o\.? ?b\.?"
    r"|(?:date of )?birth|born|sex|gender",
    rf"age(?: ?/ ?sex)?|(?:mrn|medical record|nhs|hospital|unit|accession|acc|account|acct|visit|chi|ur|urn|uhid"
    rf"|nhi|medicare|health card){_NO}",
    r"ward|location|clinic|site|facility|date(?: of (?:exam|examination|study|service|report|scan|dictation))?",
    r"(?:exam|study|report|scan|dictation|transcription|print|printed) (?:date|time)|time|attention|attn|(?:our"
    r"|your) ref",
    rf"(?:ref|reference|reg|registration|licen[cs]e|job|document|gmc|ahpra|npi|abn)\.?{_NO}|ref\.? by|id|d|t|dd|dt"
    rf"|td",
)
_CONTACT = (
    r"tel|telephone|phone|ph|fax|facsimile|e-?mail|web(?:site)?|pager|bleep|ext|switchboard|direct(?: line)?"
    r"|mobile|abn|www"
)
_STREET = (
    "street|st|road|rd|avenue|ave|lane|ln|drive|drv|boulevard|blvd|court|crescent|cres|close|square|parade|pde|terrace"
    "|highway|hwy|parkway|pkwy|way|place|suite|floor|level|building|bldg|box|gardens|plaza|mews|row|hill|grove|walk"
    "|green|gate|quay|wharf|rise|vale|view|park|bridge|circle|cir|trail|pike|turnpike|alley|causeway|extension|estate"
    "|marg|nagar|colony|chowk|sector"
)
# of the United Kingdom, the United States, Australia, Canada
_POSTCODE = (
    r"(?-i:\b[A-Z]{1,2}\d[A-Z\d]{0,2} \d[A-Z]{2}\b|\b[A-Z]{2} \d{5}(?:-\d{4})?\b|\b(?:NSW|VIC|QLD|SA|WA|TAS|ACT"
    r"|NT),? \d{4}\b|\b[A-Z]\d[A-Z] ?\d[A-Z]\d\b)"
)
_HOUSE = rf"\b\d+[a-z]?,? (?:[a-z'.-]+ ){{1,3}}(?:{_STREET})\b"
_DATE = (
    r"(?:\d{1,4}[./-]\d{1,2}[./-]\d{1,4}|\d{1,2}(?:st|nd|rd|th)?[ -]?[a-z]{3,9}\.?,?[ -]?\d{2,4}"
    r"|[a-z]{3,9}\.? \d{1,2},? \d{4})"
)
_CLOCK = r"\d{1,2}[:.h]\d\d(?:[:.]\d\d)? ?(?:am|pm|hrs?|h)?(?: ?[a-z]{2,3}t)?"
_PHONE = r"\+?\(?\d[\d() .-]{6,24}\d(?:x\d+)?"
_INITIALS = r"(?-i:\b[A-Z]{2,3} ?[/:] ?[a-z]{2,3}\b)"
_THIS = r"(?:this (?:report|document|study|exam(?:ination)?) (?:has been|was|is) )?"

# What a unit of a letterhead begins with.
START = re.compile(
    r"\W*"
    + _any(
        rf"{_THIS}(?:electronically|digitally) {_VERB}\b",
        rf"{_THIS}{_VERB}(?: ?(?:and|&|/) ?{_VERB})*(?: (?:electronically|digitally))? ?(?:by\b|on\b|at\b|date"
        rf"|but not read|:)",
        r"(?:e-?)?signature\b|sgd\b|signed\b",
        r"(?:kind|kindest|best|warm|with (?:kind|best)) (?:regards|wishes)|regards\W*$|yours (?:sincerely"
        r"|faithfully|truly)|sincerely\b",
        r"(?:many )?thank(?:s|\ you)(?: (?:very much|kindly))? for (?:referring|(?:your|the"
        r"|this) (?:kind )?referral|sending|asking us|allowing us)",
        r"dear\b|re ?: |to ?: |from ?: |attn\b|(?:cc|c\.c\.|bcc|copy to|copies to|distribution|copies) ?:|copy to\b",
        r"(?:(?:radiology|radiological|x-?ray|diagnostic|medical|imaging|final|preliminary"
        r"|consultation) )+report\W*$",
        r"page \d+|\d+ of \d+\W*$|end of (?:the )?(?:(?:diagnostic|radiology|imaging|final) )*(?:report|document"
        r"|dictation|addendum)",
        rf"{_ROLE} ?:|{_IDENTITY} ?[:#]|(?:{_CONTACT})\b[ .:#]",
        r"(?:dr|doctor|prof|professor|mr|mrs|ms|miss)\b\.? (?-i:[A-Z])",
    ),
    re.IGNORECASE,
)
# ... and what one may hold: degrees, institutions, addresses, numbers to call.
ANYWHERE = re.compile(
    _any(
        r",? (?-i:MD|M\.D\.|DO|D\.O\.|MBBS|MBChB|MB BCh|FRCR|FRANZCR|FRCPC|FACR|FFRRCSI|MRCP|PhD|DMRD|DNB|DABR"
        r"|RT\(R\)|PA-C|NP)(?!\w)",
        r"\b(?:hospitals?|infirmary|clinics?|medical (?:cent(?:er|re)|group|imaging)|health (?:service|system"
        r"|network|board|centre|center))\b",
        r"\b(?:healthcare|nhs (?:foundation )?trust|institute of (?:medical|radiology)|diagnostics? (?:&|and"
        r"|cent(?:er|re)))",
        r"\bradiology (?:department|associates|group|partners|services|practice)\b",
        r"\b(?:department|dept|division|section)\.? of (?:diagnostic |medical )?(?:radiology|radiodiagnosis"
        r"|imaging|nuclear medicine)\b",
        r"\bimaging (?:department|cent(?:er|re)|associates|services)\b",
        rf"{_HOUSE}|\bp\.? ?o\.? box \d|{_POSTCODE}|(?<!\S)\S+@\S+\.\w|\bwww\.|https?://",
        rf"\b(?:{_CONTACT})\b\W*{_PHONE}",
        rf"\b{_IDENTITY} ?[:#] ?\S",
    ),
    re.IGNORECASE,
)
# A date, time or number alone, or who dictated and who typed.
STAMP = re.compile(
    rf"\W*(?:{_DATE}|{_PHONE}|{_INITIALS})(?:[ ,;/|@-]*(?:at|on)?[ ,]*(?:{_DATE}|{_CLOCK}))*\W*$", re.IGNORECASE
)
# A disclaimer, or a statement of who read it: plain English may stand in it, words of anatomy and disease not.
NOTICE = re.compile(
    r"\W*"
    + _any(
        r"(?:confidential(?:ity)?|privileged|disclaimer|important notice|warning: this)\b",
        r"(?:this|the) (?:report|document|e-?mail|message|communication|fax|facsimile|transmission|dictation|note"
        r"|information|transcription)\b"
        r".*\b(?:confidential|privileged|intended|recipient|(?:voice|speech)[- ]recognition|dictat\w+|transcri\w+"
        r"|signed|authenticated|valid|"
        r"electronically|computer|software|generated|copyright|disclos\w+|property)\b",
        r"(?:portions|parts|sections) of this (?:report|document|note)\b|if you (?:have received"
        r"|are not the intended)\b",
        r"(?:i|we)(?:, [^,]+,)? (?:have )?(?:personally )?(?:reviewed|viewed|examined|interpreted"
        r"|supervised) (?:the )?"
        r"(?:images?|films?|study|examination|case)\b.*\b(?:agree|concur|report|interpretation|edited)\b",
        r"(?:if you|should you|for|any)\b.*\b(?:questions|queries)\b.*\b(?:contact|call|telephone|radiology"
        r"|report)\b",
        r"unauthori[sz]ed\b|dictated but not read|not valid (?:unless|without|for)\b|thanks for (?:the"
        r"|your) referral",
    ),
    re.IGNORECASE,
)

LINE = re.compile(r"\n+| \| ")
SPLIT = re.compile(r"(?<=[.!?])[ \t]+(?=[A-Z(*\[\"-])")
ABBREVIATED = re.compile(
    r"(?:^|[\s.(])(?:[A-Za-z]|dr|mr|mrs|ms|prof|st|rd|ave|dept|div|tel|ph|ext|no|ref|reg|jr|sr|inc|approx|vs|fig"
    r"|m\.d|d\.o|c\.c)\.$",
    re.IGNORECASE,
)
# A sign in the middle of a line begins a unit too: a report flattened to one line.
INSIDE = re.compile(
    r"(?<=[\w.!?)])(?<!lly)(?<!\bwas)(?<!been)(?<!\band)(?<!\bis)[ \t]+(?="
    + _any(
        rf"{_THIS}(?:electronically|digitally) {_VERB}|{_VERB} by\b ?:?",
        rf"(?:kind|best|warm) regards|yours (?:sincerely|faithfully)|cc ?: |page \d+ of \d+\b|{_ROLE} ?:|dear dr\b",
        r"[-* ]*end of (?:\w+ )?report|confidential(?:ity notice)?:|not valid for |dictated but not read"
        r"|thanks for the referral",
        r"many thanks for referring|thank you for (?:referring|your)",
    )
    + ")",
    re.IGNORECASE,
)
HALF_ROLE = re.compile(rf"\b(?:{_DUTY})$", re.IGNORECASE)  # "Consultant", before "Radiologist:"
# The value of a field that says whom a report is about ends a unit.
FIELD = re.compile(
    rf"\b(?:{_IDENTITY}|{_CONTACT})\W{{0,3}}(?:{_DATE}|{_PHONE}|\d[\d/-]{{3,}})([ \t]+)(?=[A-Z])", re.IGNORECASE
)
VALUE = re.compile(rf"\s*(?:{_DATE}|{_PHONE}|\d[\d/-]{{3,}})[ \t]+(?=[A-Z])", re.IGNORECASE)  # ... after its heading
PERSON = re.compile(
    r"\b(?i:by|dr|doctor|prof|professor|mr|mrs|ms|miss|dear|radiologist|physician|resident|name|patient|re)\b[.:,]* *"
    r"((?:[A-Z][\w'’-]*\.?,? ?){1,4})"
)
# A line of an address: a number, a name, and what the street is called.
HOUSE = re.compile(
    r"(?:(?:Flat|Unit|Apt\.?|Studio|Suite|Level) \w+,? )?\d+\w?(?:/\d+)?,? ([A-Z][\w'-]+) [A-Z][\w'-]+"
    r"(?:,? [A-Z][\w'-]+){0,2}$"
)
# What no word of is looked at.
ADDRESS = re.compile(
    rf"{_INITIALS}|{_HOUSE}|{_POSTCODE}|\b(?:flat|unit|apt|apartment|studio|suite|level|floor"
    rf"|h\.no\.) ?\d+[a-z]?\b|(?<!\S)\S*(?:@|://|www\.)\S*"
    rf"|(?-i:\b\d+(?:/\d+)? [A-Z][\w'-]+ [A-Z][\w'-]+)(?=.*(?:{_POSTCODE}|{_PHONE}))",
    re.IGNORECASE,
)
