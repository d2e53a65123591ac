"""The second reader's idea of who is named: behind titles and cues, before degrees, or by no vocabulary known."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from curate.deid.verify.words import is_known, is_standard

# Bounded, and begun at a word's begin: what is no text ("AAAA...", base64) must not cost the square of its length.
_WORD = r"[^\W\d_]{1,60}(?:['’-][^\W\d_]{1,60}){0,5}"
_NAME = r"(?<![^\W\d_])[A-Z][^\W\d_]{0,60}(?:['’-][^\W\d_]{1,60}){0,5}"  # in text without accents
_RUN = rf"{_NAME}\.?(?:,?[ \t]{{1,2}}{_NAME}\.?){{0,3}}"
_TITLED = re.compile(
    rf"\b(?:Dr|DR|Drs|Doctor|Prof|Professor|Mr|MR|Mrs|MRS|Ms|MS|Miss|Mx|Sra?|Dra|Herr|Frau|Nurse|Sister|Rev)(\.)?\s{{1,2}}({_RUN})"
)
_BY = re.compile(
    r"\b(?i:signed|dictated|transcribed|authenticated|verified|approved|attested|finali[sz]ed|interpreted|reported|read|reviewed"
    r"|performed|ordered|requested|referred|entered|prepared|supervised|examined|seen|scanned|typed)"
    rf"(?: (?i:electronically|off|out))?(?: (?i:by)|:) ?:?\s{{0,2}}({_RUN})"
)
_TOLD = re.compile(
    r"\b(?i:discussed|communicated|conveyed|relayed|spoken?|speaking|called|paged|telephoned|faxed|notified|informed|contacted)"
    rf"(?: \w{{1,60}}){{0,5}}? (?i:with|to) ({_RUN})|\b(?i:notified|informed|contacted|attn:?|dear|cc:?|named) ({_RUN})"
)
_FIELD = re.compile(
    r"\b(?i:patient(?:'s)? name|surname|(?:first|last|full) name|(?:referring|ordering|attending|requesting|reading"
    r"|interpreting)"
    r" (?:physician|doctor|provider|radiologist|md)|physician|radiologist|technologist|resident"
    rf"|transcriptionist|consultant|sonographer|name)\s?[:=]\s{{0,4}}({_RUN})"
)
_DEGREE = re.compile(
    rf"({_NAME}\.?(?:[ ]{_NAME}\.?){{0,3}}),? (?:M\.?D\.?|D\.O\.|MBBS|MBChB|Ph\.?D\.?"
    r"|R\.N\.|RN|PA-C|NP|FRCR|FACR|DDS)(?!\w)"
)
_NO_NAMES = """
the a an and or on at in by to of for with from as is was this that per not no patient radiologist resident
attending physician doctor nurse technologist team staff service department date time dr mr mrs ms prof md do phd rn
np electronically he she they his her findings impression indication comparison technique history exam examination
study report chest head brain spine abdomen pelvis knee ct mri mr us xr pet right left bilateral none unknown normal
angiography imaging medical
"""
_NOBODY = frozenset(_NO_NAMES.split())
_KIND = (
    r"(?:hospitals?|medical cent(?:er|re)|clinic|infirmary|health (?:system|cent(?:er|re)|care|network)|healthcare"
    r"|imaging cent(?:er|re)|cancer cent(?:er|re)|hospice|nursing home|surgery cent(?:er|re)|university|sanatorium"
    r"|radiology associates|medical group)"
)
_FACILITY = re.compile(
    rf"((?:(?<!\w)[A-Z][\w'.&-]{{0,60}}(?:,? (?:of|the|and|for|de|la|del) | )){{1,6}}?)(?i:{_KIND})\b(?: of ({_RUN}))?"
)
_GENERIC_WORDS = """
the this that an a our outside local referring emergency prior previous other another same general community
university regional day home outpatient inpatient acute during per chest medical hospital clinic patient to from at
in and of for transferred admitted discharged st saint memorial center health surgery cancer imaging teaching county
city state national academic children childrens veterans military his her no private public rehabilitation
psychiatric
"""
_GENERIC = frozenset(_GENERIC_WORDS.split())
# What follows or leads an eponym: "Baker cyst", "vein of Galen".
_THINGS = (
    r"sign|signs|diseases?|syndromes?|fractures?|type|classification|nodes?|nodules?|cysts?|tumou?rs?|ducts?|lines?|angles?"
    r"|space|pouch|fossa|foramen|test|reflex|score|scale|grade|stage|method|procedure|catheters?|tubes?|drains?|filters?|stents?"
    r"|clips?|ligaments?|lesions?|deformit(?:y|ies)|anomal(?:y|ies)|malformations?|triad|criteria|index|ratio|gland|bod(?:y|ies)"
    r"|cells?|canal|rods?|wires?|screws?|hernias?|disk|disc|phenomenon|contracture|arthr\w+|thyroiditis|lymphoma|sarcoma"
    r"|palsy|maneuver|position|view|aneurysms?|fistula|membrane|ring|valve|shunt|bands?|operation|repair|prosthesis|device"
    r"|syndrome|tendon|artery|vein|plane|area|layer|loop|bypass|dissection|positive|negative|virus|infection|stain"
)
_EPONYM_BEHIND = re.compile(rf"(?:['’]s?)?(?:[ -]{_WORD})?[ -](?:{_THINGS})\b", re.IGNORECASE)
_EPONYM_AHEAD = re.compile(
    rf"\b(?:{_THINGS}|aqueduct|ampulla|circle|sphincter|island|triangle|fissure|crypts?|loop|body) of(?: the)? $", re.I
)


def people(text: str) -> Iterator[tuple[str, bool]]:
    """(word, whether it is a name alone): each word of a name that a title, a cue or a degree gives away."""
    for pattern in (_TITLED, _BY, _TOLD, _FIELD, _DEGREE):
        for hit in pattern.finditer(text):
            run = next((g for g in hit.groups()[::-1] if g and len(g) > 1), "")
            sure = pattern is _TITLED or pattern is _DEGREE
            if pattern is _TITLED and hit[1] is None and hit[0][:2] in ("DR", "MR", "MS"):
                sure = False  # "MR Brain", "DR chest"
            yield from _words_of(run, sure)


def _words_of(run: str, sure: bool) -> Iterator[tuple[str, bool]]:
    for word in re.findall(_WORD, run):
        low = word.lower()
        if low in _NOBODY:
            break
        if len(word) < 3:
            continue
        if not is_known(word):
            yield word, True
        elif sure and len(word) > 3 and not run.isupper() and word[1:].islower():
            yield word, False
        elif not sure:
            break


def strangers(text: str) -> Iterator[str]:
    """Capitalised words inside sentences that no vocabulary of the second reader knows and that are no eponym."""
    for line in re.split(r"[\n\r\x1e]+", text):
        long = re.findall(r"[^\W\d_]{4,}", line)
        if not long or 2 * sum(w[0].isupper() for w in long) > len(long) + 1:
            continue  # a heading, a table, or capitals throughout
        for hit in re.finditer(r"(?<=[a-z,;] )[A-Z][a-z]{3,}(?:['’-][A-Z]?[a-z]+)?(?![\w])", line):
            word = hit[0]
            behind, ahead = line[hit.end() :], line[: hit.start()]
            if is_known(word) or re.search(rf"\b{re.escape(word.lower())}\b", text):
                continue
            if not _EPONYM_BEHIND.match(behind) and not _EPONYM_AHEAD.search(ahead):
                yield word


def unknown_names(text: str) -> set[str]:
    """Words of a short value, in lower case, that no vocabulary knows and that stand as names do.

    A word with a capital before small letters, two unknown words side by side, or one behind a title or "for", "by",
    "pt": not "LightSpeed", nor a single abbreviation in capitals.
    """
    found: set[str] = set()
    for value in text.split("\x1e"):
        words = list(re.finditer(r"[^\W\d_]{4,}", value))
        strange = [w for w in words if not is_known(w[0])]
        for w in strange:
            behind = value[: w.start()]
            if re.fullmatch(r"[A-Z][a-z]+", w[0]) or re.search(
                r"\b(?:dr|mr|mrs|ms|for|by|pt|patient)\b[.:^ ]{1,3}$", behind, re.I
            ):
                found.add(w[0].lower())
        for a, b in pairwise(words):
            if a in strange and b in strange and re.fullmatch(r"[\s,^._-]{1,2}", value[a.end() : b.start()]):
                found |= {a[0].lower(), b[0].lower()}
    return found


def facilities(text: str) -> Iterator[str]:
    """Names of hospitals and the like, as far as they are names: with the kind's word, and a strange word alone."""
    for hit in _FACILITY.finditer(text):
        words = [w.strip(".,'").lower() for w in hit[1].split()]
        while words and words[0] in _GENERIC and words[0] not in ("st", "saint"):
            words.pop(0)
        kind = hit[0][len(hit[1]) :].split(" of ")[0]
        named = [w for w in words if w not in _GENERIC and len(w) > 2]
        if any(not is_known(w) for w in named) or (kind[0].isupper() and any(not is_standard(w) for w in named)):
            yield f"{' '.join(words)} {kind}"
            yield from (w for w in words if len(w) > 3 and not is_known(w))
