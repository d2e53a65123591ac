"""Letterheads and signature blocks at the edges of a report's text: hospital, address, whom it is about and who signed.

They say nothing of the picture, and scrubbed they would be `[NAME] [ADDRESS] [DATE]` in every caption. A text is read
in units: lines, and the sentences and fields of a line. Only units at its two edges go, only those of which every word
belongs in a letterhead or is a name, and only as far as one with a plain sign: "Electronically signed by", a title
before a name, a telephone number. The first unit that says anything else ends it, so no clinical sentence can be lost.
Signs of the United States, Canada, the United Kingdom, Ireland, Australia, New Zealand, India; English only.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from enum import IntEnum
from functools import cache, lru_cache
from importlib.resources import files

from curate.deid.text.fold import fold_value
from curate.deid.text.text_index import is_shouted
from curate.deid.word_lists import word_sections
from curate.deid.words.vocabulary import Kind, kind
from curate.sources.reports.text.section import parse_sections

_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_LONGEST = 600  # characters of a unit
_FEWEST = 3  # words of a sentence beside a field, which else is its value


@cache
def _list(name: str) -> frozenset[str]:
    """One of the lists in letterhead.txt, words in lower case; "words" are the fields and signs too."""
    text = files("curate.sources.reports.text").joinpath("letterhead.txt").read_text(encoding="utf-8")
    parts = {part.split("\n", 1)[0].partition(":")[0]: part.split("\n", 1)[1].split() for part in text.split("## ")[1:]}
    parts["fields"] += parts["signs"]
    return frozenset(parts["words"] + parts["fields"] if name == "words" else parts[name])


def _any(*alternatives: str) -> str:
    return f"(?:{'|'.join(alternatives)})"


# of the United Kingdom, the United States, Australia, Canada
_POSTCODE = (
    r"(?-i:\b[A-Z]{1,2}\d[A-Z\d]{0,2} \d[A-Z]{2}\b|\b[A-Z]{2} \d{5}(?:-\d{4})?\b|\b(?:NSW|VIC|QLD|SA|WA|TAS|ACT"
    r"|NT),? \d{4}\b|\b[A-Z]\d[A-Z] ?\d[A-Z]\d\b)"
)
_STREET = (
    "street|st|road|rd|avenue|ave|lane|ln|drive|drv|boulevard|blvd|court|crescent|cres|close|square|parade|pde|terrace"
    "|highway|hwy|parkway|pkwy|way|place|suite|floor|level|building|bldg|box|gardens|plaza|mews|row|hill|grove|walk"
    "|green|gate|quay|wharf|rise|vale|view|park|bridge|circle|cir|trail|pike|turnpike|alley|causeway|extension|estate"
    "|marg|nagar|colony|chowk|sector"
)
_HOUSE = rf"\b\d+[a-z]?,? (?:[a-z'.-]+ ){{1,3}}(?:{_STREET})\b"
_DATE = (
    r"(?:\d{1,4}[./-]\d{1,2}[./-]\d{1,4}|\d{1,2}(?:st|nd|rd|th)?[ -]?[a-z]{3,9}\.?,?[ -]?\d{2,4}"
    r"|[a-z]{3,9}\.? \d{1,2},? \d{4})"
)
_PHONE = r"\+?\(?\d[\d() .-]{6,24}\d(?:x\d+)?"
_CLOCK = r"\d{1,2}[:.h]\d\d(?:[:.]\d\d)? ?(?:am|pm|hrs?|h)?(?: ?[a-z]{2,3}t)?"
_INITIALS = r"(?-i:\b[A-Z]{2,3} ?[/:] ?[a-z]{2,3}\b)"  # who dictated and who typed
_WEB = r"(?<!\S)(?:\S+@\S+|\S*(?:://|www\.)\S*)"
_VERB = (
    "dictated|transcribed|typed|reported|interpreted|read|e?-?signed|verified|approved|authenticated|reviewed|checked"
    "|finali[sz]ed|authori[sz]ed|validated|prepared|released|attested|co-?signed|edited|created|printed|referred"
)
# Signs that are no words of a list: who did something to the report, an address.
_SIGN = re.compile(
    rf"\b(?:{_VERB})(?: ?(?:and|&|/) ?(?:{_VERB}))* (?:by\b|(?:on|at) \d)|{_POSTCODE}|{_HOUSE}|{_WEB}|\bbox \d"
    r"|\b(?:department|dept)\.? of\b",
    re.IGNORECASE,
)
# What makes a unit certain whose words may all stand in a letterhead: a date or a number alone, or a field's name.
_STAMP = re.compile(
    rf"\W*(?:{_DATE}|{_PHONE}|{_INITIALS})(?:[ ,;/|@-]*(?:at|on)?[ ,]*(?:{_DATE}|{_CLOCK}))*\W*$|.*\bpage \d|.*\d of \d"
    r"|.*\bend of\b|.*\b[MD]\.[DO]\b|\W*(?:dr|doctor|prof|professor|mr|mrs|ms|miss)\b\.? (?-i:[A-Z])|.*\breport\W*$",
    re.IGNORECASE,
)
_FIELD_NAME = re.compile(r"([\w.-]+) ?[:#]")
_FEWEST_OF_NOTICE = 6  # words

_LINE = re.compile(r"\n+| \| ")
_SPLIT = re.compile(r"(?<=[.!?])[ \t]+(?=[A-Z(*\[\"-])")
_ABBREVIATED = re.compile(
    r"(?:^|[\s.(])(?:[A-Za-z]|dr|mr|mrs|ms|prof|st|rd|ave|dept|div|tel|ph|ext|no|ref|reg|jr|sr|inc|approx|vs|fig"
    r"|m\.d|d\.o|c\.c)\.$",
    re.IGNORECASE,
)
# A sign in the middle of a line begins a unit too: a report flattened to one line.
_DUTY = (
    "reporting|consultant|attending|staff|interpreting|interventional|chief|supervising|responsible|duty|on[- ]call|"
    "referring|ordering|requesting|primary care"
)
_INSIDE = re.compile(
    r"(?<=[\w.!?)])(?<!lly)(?<!\bwas)(?<!been)(?<!\band)(?<!\bis)[ \t]+(?="
    + _any(
        r"(?:this (?:report|document|study|exam(?:ination)?) (?:has been|was|is) )?"
        rf"(?:electronically|digitally) (?:{_VERB})|(?:{_VERB}) by\b ?:?",
        r"(?:kind|best|warm) regards|yours (?:sincerely|faithfully)|cc ?: |page \d+ of \d+\b|dear dr\b",
        rf"(?:(?:{_DUTY}) )?(?:radiologist|radiographer|sonographer|physician|provider|clinician|doctor|practitioner"
        r"|resident|registrar|fellow|gp) ?:",
        r"[-* ]*end of (?:\w+ )?report|confidential(?:ity notice)?:|not valid for |dictated but not read"
        r"|thanks for the referral|many thanks for referring|thank you for (?:referring|your)",
    )
    + ")",
    re.IGNORECASE,
)
_HALF_ROLE = re.compile(rf"\b(?:{_DUTY})$", re.IGNORECASE)  # "Consultant", before "Radiologist:"
# The value of a field that says whom a report is about ends a unit.
_NUMBER = rf"(?:{_DATE}|{_PHONE}|\d[\d/-]{{3,}})"
_NAMED = "|".join(map(re.escape, sorted(_list("signs"))))
_FIELD = re.compile(rf"(?:[:#]|\b(?:{_NAMED})\b\.?)[^\w\n]{{0,3}}{_NUMBER}([ \t]+)(?=[A-Z])", re.IGNORECASE)
_VALUE = re.compile(rf"\s*{_NUMBER}[ \t]+(?=[A-Z])", re.IGNORECASE)  # ... after its heading
_PERSON = re.compile(
    r"\b(?i:by|dr|doctor|prof|professor|mr|mrs|ms|miss|dear|radiologist|physician|resident|name|patient|re)\b[.:,]* *"
    r"((?:[A-Z][\w'’-]*\.?,? ?){1,4})"
)
# A line of an address: a number, a name, and what the street is called.
_HOUSE_LINE = re.compile(
    r"(?:(?:Flat|Unit|Apt\.?|Studio|Suite|Level) \w+,? )?\d+\w?(?:/\d+)?,? ([A-Z][\w'-]+) [A-Z][\w'-]+"
    r"(?:,? [A-Z][\w'-]+){0,2}$"
)
# What no word of is looked at.
_ADDRESS = re.compile(
    rf"{_INITIALS}|{_HOUSE}|{_POSTCODE}|{_WEB}|\b(?:flat|unit|apt|apartment|studio|suite|level|floor"
    rf"|h\.no\.) ?\d+[a-z]?\b"
    rf"|(?-i:\b\d+(?:/\d+)? [A-Z][\w'-]+ [A-Z][\w'-]+)(?=.*(?:{_POSTCODE}|{_PHONE}))",
    re.IGNORECASE,
)


class Unit(IntEnum):
    """What a line or sentence is: of the report, possibly of a letterhead, certainly of one."""

    REPORT = 0
    NEUTRAL = 1
    LETTERHEAD = 2


def caption_sections(text: str, wanted: Sequence[str]) -> tuple[dict[str, str], Counter[str]]:
    """The ``wanted`` sections of a report (`parse_sections`) without letterhead and signature, and what was cut of it.

    A field of the letterhead ("MRN: 123") or a signature that has a heading of its own is cut there; sentences of the
    report that stand on its line, as in a report flattened to one, are body.
    """
    found = parse_sections(text)
    cut: Counter[str] = Counter()
    for name, label in (("other", "LETTERHEAD"), ("signature", "SIGNATURE")):
        if name in found and name not in wanted:
            lines = found.pop(name).split("\n")
            cut[label] += len(lines)
            rest = [sentences for line in lines if (sentences := _sentences(line))]
            if rest:
                found["body"] = "\n".join([*([found["body"]] if "body" in found else []), *rest])
    kept = {}
    for name in (n for n in found if n in wanted):
        kept[name], edges = cut_letterhead(found[name])
        cut += edges
    kept = {name: part for name, part in kept.items() if part}
    body = kept.get("body", "")
    if body and len(kept) > 1 and cut["LETTERHEAD"] and text.lstrip().startswith(body):  # above fields that went
        above = _units(body)
        if all(unit_kind(body[start:end]) is not Unit.REPORT for start, end in above):
            cut["LETTERHEAD"] += len(above)
            del kept["body"]
    return kept, +cut


def cut_letterhead(text: str) -> tuple[str, Counter[str]]:
    """``text`` without the letterhead at its top and the signature block at its end, and how many units of
    "LETTERHEAD" and of "SIGNATURE" were cut; white space between the units that stay is as it was."""
    units = _units(text)
    top = _reach(text, units)
    bottom = _reach(text, units[top:][::-1])
    cut = Counter({name: n for name, n in (("LETTERHEAD", top), ("SIGNATURE", bottom)) if n})
    if not cut:
        return text, cut
    kept = units[top : len(units) - bottom]
    return (text[kept[0][0] : kept[-1][1]].strip() if kept else ""), cut


def _sentences(line: str) -> str:
    """What of a field's line is the report's: from its first sentence on, if any speaks of anatomy or disease."""
    value = _VALUE.match(line)
    line = line[value.end() :] if value else line
    first, medical = None, False
    for start, end in _units(line):
        unit = line[start:end].rstrip()
        words = _WORD.findall(unit)
        says = len(words) > 1 and any(_is_medical(w.lower()) for w in words)  # "No pneumothorax." is of two
        if (says or len(words) >= _FEWEST) and unit.endswith((".", "!", "?")) and unit_kind(unit) is Unit.REPORT:
            first = start if first is None else first
            medical = medical or says
    return cut_letterhead(line[first:])[0] if first is not None and medical else ""


def _reach(text: str, units: Sequence[tuple[int, int]]) -> int:
    """How many units go from this edge: as far as the last certain one before the first of the report."""
    reach = 0
    for i, (start, end) in enumerate(units, 1):
        each = unit_kind(text[start:end])
        if each is Unit.REPORT:
            break
        reach = i if each is Unit.LETTERHEAD else reach
    return reach


def _units(text: str) -> list[tuple[int, int]]:
    """(start, end) of every line, and of the sentences and fields in it; "Dr. A. Baker" is not three of them."""
    cuts = [
        m.span() for m in _SPLIT.finditer(text) if not _ABBREVIATED.search(text[max(0, m.start() - 12) : m.start()])
    ]
    cuts += [m.span() for m in _LINE.finditer(text)]
    cuts += [
        m.span() for m in _INSIDE.finditer(text) if not _HALF_ROLE.search(text[max(0, m.start() - 16) : m.start()])
    ]
    cuts += [m.span(1) for m in _FIELD.finditer(text)]
    units, at = [], 0
    for start, end in [*sorted(cuts), (len(text), len(text))]:
        if start >= at:
            if text[at:start].strip():
                units.append((at, start))
            at = end
    return units


def unit_kind(unit: str) -> Unit:
    """Whether a line or sentence is of a letterhead; what is longer than one has ever been is none."""
    if len(unit) > _LONGEST:
        return Unit.REPORT
    plain = " ".join(fold_value(unit).split())
    words = {w.lower() for w in _WORD.findall(plain)}
    if (
        len(words) >= _FEWEST_OF_NOTICE
        and len(words & _list("notices")) > 1
        and not any(map(_is_medical, words - _list("pictures")))
    ):
        return Unit.LETTERHEAD
    signed = not _list("signs").isdisjoint(words) or _SIGN.search(plain) is not None
    if _says_anything(plain, signed):
        return Unit.REPORT
    names = (name[1].lower() for name in _FIELD_NAME.finditer(plain))
    certain = signed or _STAMP.match(plain) is not None or any(name in _list("fields") for name in names)
    return Unit.LETTERHEAD if certain else Unit.NEUTRAL


def _says_anything(unit: str, signed: bool) -> bool:
    """Does a word of the unit belong in no letterhead? Names do not count, nor what follows a title; in a unit with a
    sign no capitalised word counts that is not of medicine ("Kochi District Hospital")."""
    house = _HOUSE_LINE.match(unit)
    if house and _is_name(house[1].lower()) and not _is_medical(house[1].lower()):
        return False
    rest = _PERSON.sub(_without_name, _ADDRESS.sub(" ", unit))
    shouted = is_shouted(unit)
    for word in _WORD.findall(rest):
        low = word.lower()
        if len(low) < 2 or low in _list("words") or low.removesuffix("'s") in _list("words"):
            continue
        if word[0].islower():
            return True
        if _is_medical(low) or not (_is_name(low) or (signed and not shouted) or (not shouted and _is_rare(low))):
            return True
    return False


def _without_name(title: re.Match[str]) -> str:
    """A title without the name after it: up to three words, of which none is of medicine and nobody's name."""
    words = title[1].split()
    name = [w.lower().strip(".,") for w in words[:3]]
    named = next((i for i, w in enumerate(name) if _is_medical(w) and not kind(w) & Kind.NAME), len(name))
    return f"{title[0][: title.start(1) - title.start()]} {' '.join(words[named:])} "


@cache
def _medical() -> frozenset[str]:
    return word_sections("radiology")["medical"] - _list("words")


@lru_cache(maxsize=50_000)
def _is_medical(word: str) -> bool:
    """A word of anatomy, disease or imaging that no letterhead holds."""
    return word in _medical() or (word.endswith("s") and word[:-1] in _medical())


@lru_cache(maxsize=50_000)
def _is_name(word: str) -> bool:
    """A surname or given name, or a word that nobody knows."""
    return bool(kind(word) & Kind.NAME) or not kind(word) & Kind.KNOWN


@lru_cache(maxsize=50_000)
def _is_rare(word: str) -> bool:
    """A word that no report is made of ("Riverside")."""
    return not kind(word) & (Kind.CLINICAL | Kind.BY_HAND)
