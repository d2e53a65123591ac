"""The verifier's detection of names: after titles and cues, before degrees, or words of no vocabulary."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from curate.deid.verify import languages
from curate.deid.verify.vocabulary import is_known, is_standard

# Bounded, and anchored at the start of a word: for what is no text ("AAAA...", base64) time must stay linear.
_WORD = r"[^\W\d_]{1,60}(?:['’-][^\W\d_]{1,60}){0,5}"
_NAME = r"(?<![^\W\d_])[A-Z][^\W\d_]{0,60}(?:['’-][^\W\d_]{1,60}){0,5}"  # in text without accents
_RUN = rf"(?:[A-Z]\.|{_NAME})(?:,?[ \t]{{1,2}}(?:[A-Z]\.|{_NAME})){{0,3}}"
_TITLED = re.compile(
    rf"\b(?:Dr|DR|Drs|Doctor|Prof|Professor|Mr|MR|Mrs|MRS|Ms|MS|Miss|Mx|Sra?|Dra|Herr|Frau|Nurse|Sister|Rev)(\.)?\s{{1,2}}({_RUN})"
)
_BY = re.compile(
    r"\b(?i:signed|dictated|transcribed|authenticated|verified|approved|attested|finali[sz]ed|interpreted|reported|read|reviewed"
    r"|performed|ordered|requested|referred|entered|prepared|supervised|examined|seen|scanned|typed)"
    rf"(?: (?i:electronically|off|out))?(?: (?i:by)|:) ?:?\s{{0,2}}({_RUN})"
)
_TOLD_TO = re.compile(
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
# Verbs of persons, not of films, findings or departments.
_ACTS = (
    r"(?i:held|called|phoned|brought|came|told|said|says|asked|asks|insisted|agreed|accompanied|helped|drove|moved?"
    r"|cried|phones|calls|will (?:bring|call|return|come)|(?:was|were|is) (?:crying|present|informed|told|notified"
    r"|called|unable|agitated|uncooperative|anxious|claustrophobic|here)|could not be|did not want|refused|declined"
    r"|wanted|wants|thinks|thought|wrote|dictated|signed|works|lives|lived|mentioned"
    r"|in \d+ (?:days?|weeks?|months?))\b"
)
_DOES = re.compile(rf"(?: {_NAME})? {_ACTS}")
_PAIR = re.compile(r" (?:[A-Z]\. )?([A-Z][a-z]{2,})\b")
_STRANGER = re.compile(r"(?<![\w'’.@/-])[A-Z][a-z]{3,}(?:['’-][A-Z]?[a-z]+)*(?![\w@/]|-\d)")
_SPEAKS = r"(?i:held the|called|phoned|brought|said|asked|told|will (?:bring|call)|insisted|mentioned|thinks|thought)\b"
_SUBJECT = re.compile(
    rf"(?<=[a-z,] )({_NAME}(?:[ ]{_NAME}){{0,2}})(?= {_ACTS})"
    rf"|(?<![^.:\n] )(?<![\w,])((?![A-Z]\w*(?:ists?|ians?|ants?)\b){_NAME}(?:[ ]{_NAME}){{0,2}})(?= {_SPEAKS})"
    rf"|(?<=\bthat )({_NAME})(?= (?:measured|described|reported|noted|saw|placed|reviewed|mentioned) )"
)
# "Frost and Rogers concur", "Roe: thank you" at the start of a line
_AGREE = re.compile(rf"(?<![\w,] )({_NAME})(?: and ({_NAME}))? (?:concurs?|disagrees?|agrees?)\b")
_SPEAKER = re.compile(r"^[ \t]*([A-Z][a-z]{2,20}):(?= \S)", re.MULTILINE)
_TOWARD = re.compile(
    rf"\b(?i:by|per|told|called|paged|notified|informed|asked|contact|helping|annotated|obtained from"
    rf"|(?:reading |ordering |referring )?physician|technologist|sonographer|resident|named|signed|attn|thanks to"
    rf"|courtesy of|care of|according to|shown to|requested by|and i,|i,) ({_RUN})"
)
_KIN = re.compile(
    rf"\b(?i:son|daughter|wife|husband|mother|father|sister|brother|aunt|uncle|niece|nephew|cousin|partner|friend|neighbou?r"
    rf"|caregiver|guardian|spouse|fianc[e]e?|grand\w+)(?: of)?,? ({_RUN})"
)
_BY_SMALL = re.compile(
    r"\b(?:[Bb]y|BY|[Pp]er|[dD]r\.?|DR\.|[mM]rs?\.?|M[RS]\.|[mM]s\.?) ([a-z]{4,})\b"
)  # no "MR images"
_SURE, _UNSURE, _NOT = 2, 1, 0
_PLURALS = ("ists", "ians", "ants", "ents", "tors", "rses", "ngs", "ves", "ues", "ters", "lts")
_CUES = (
    (_TITLED, _SURE),
    (_DEGREE, _SURE),
    *((pattern, _UNSURE) for pattern in (_BY, _TOLD_TO, _FIELD, _SUBJECT, _TOWARD, _KIN)),
)
# Words that may follow a cue and are a team, a place in the hospital, or a part of the body.
_TEAM_WORDS = """
radiology surgery medicine emergency neurology neurosurgery orthopedics orthopaedics cardiology oncology pathology
anesthesia anesthesiology urology nephrology pulmonology gastroenterology pediatrics paediatrics obstetrics gynecology
trauma nursing pharmacy ward floor unit intensive care clinic admissions internal family general primary interventional
vascular plastic thoracic critical house on-call call covering day night weekend physical occupational speech therapy
ultrasound fluoroscopy mammography nuclear report reports film films prior previous outside both either each another
some many several all most these those there what when where which while after before during since until under over
department division section institute hospital center centre university health medical administration technologists
radiologists residents attendings physicians doctors nurses teams services history physical definition convention
criteria protocol request phone telephone email mail fax letter message pager mother father parent parents guardian
family wife husband son daughter sister brother friend patients computed magnetic positron single
contrast gadolinium iodine barium percent hour day week month year milliliter kilogram minute second image slice view
"""
_TEAMS = frozenset(_TEAM_WORDS.split())
_SHORT = """
the and for are was not per his her its our out due old new mri cat pet xr all any one two six ten had has who why how
now may jan feb mar apr jun jul aug sep oct nov dec mon tue wed thu fri sat sun ivc svc aorta lad rca ent icu er or
"""
_SHORT_WORDS = frozenset(_SHORT.split())
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
    r"|imaging cent(?:er|re)|cancer cent(?:er|re)|trauma cent(?:er|re)|institute|laborator(?:y|ies)|pharmacy"
    r"|hospice|nursing home|surgery cent(?:er|re)|university|sanatorium"
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
_OF_PLACES = frozenset(["central", "national", "city", "county"])  # with a capital before a kind: "Central Clinic"
# Words after or before an eponym: "Baker cyst", "vein of Galen".
_THINGS = (
    r"sign|signs|diseases?|syndromes?|fractures?|type|classification|nodes?|nodules?|cysts?|tumou?rs?|ducts?|lines?|angles?"
    r"|space|pouch|fossa|foramen|test|reflex|score|scale|grade|stage|method|procedure|catheters?|tubes?|drains?|filters?|stents?"
    r"|clips?|ligaments?|lesions?|deformit(?:y|ies)|anomal(?:y|ies)|malformations?|triad|criteria|index|ratio|gland|bod(?:y|ies)"
    r"|cells?|canal|rods?|wires?|screws?|hernias?|disk|disc|phenomenon|contracture|arthr\w+|thyroiditis|lymphoma|sarcoma"
    r"|palsy|maneuver|position|view|aneurysms?|fistula|membrane|ring|valve|shunt|bands?|operation|repair|prosthesis|device"
    r"|syndrome|tendon|artery|vein|plane|area|layer|loop|bypass|dissection|positive|negative|virus|infection|stain"
)
_EPONYM_BEHIND = re.compile(
    rf"(?:['’]s?)?(?:[ -](?!(?:the|a|an|is|was|has|had|and|brought|in|of|for|with) ){_WORD})?[ -](?:{_THINGS})\b",
    re.IGNORECASE,
)
_EPONYM_AHEAD = re.compile(
    rf"\b(?:{_THINGS}|aqueduct|ampulla|circle|sphincter|island|triangle|fissure|crypts?|loop|body) of(?: the)? $", re.I
)


def person_names(text: str, *, unknown: bool = True) -> Iterator[tuple[int, int, bool]]:
    """(start, end, whether the word is a name everywhere) of the names in a text without accents: after a title or a
    cue, before a degree or a person's verb, or (``unknown``) in no vocabulary.

    A word that is also an ordinary one (Green, Hall) is a name only in this place.
    """
    code = languages.language(text)
    if code != "en":
        yield from _named_other_language(text, code, unknown=unknown)
        return
    names: dict[tuple[int, int], bool] = {}
    for pattern, certainty in _CUES:
        for hit in pattern.finditer(text):
            group = next((g for g in range(hit.re.groups, 0, -1) if hit[g] and len(hit[g]) > 1), 0)
            sure = certainty
            if pattern is _TITLED and hit[1] is None and hit[0][:2] in ("DR", "MR", "MS"):
                sure = _NOT  # "MR Brain", "DR chest"
            names |= {(start, end): distinct for start, end, distinct in _words_of(text, *hit.span(group), sure)}
    for hit in _AGREE.finditer(text):
        for group in (1, 2) if hit[2] else (1,):
            names |= {(s, e): distinct for s, e, distinct in _words_of(text, *hit.span(group), _UNSURE)}
    for hit in _SPEAKER.finditer(text):
        if not is_known(hit[1]):
            names[hit.span(1)] = True
    for hit in _BY_SMALL.finditer(text):
        if not is_known(hit[1]):
            names[hit.span(1)] = True
    if unknown:
        names |= dict.fromkeys(unknown_capitalised(text), True)
    for start, end in list(names):
        names |= dict.fromkeys((s for s in _beside(text, start, end) if s not in names), False)
    yield from ((start, end, distinct) for (start, end), distinct in sorted(names.items()))


def _words_of(text: str, start: int, end: int, certainty: int) -> Iterator[tuple[int, int, bool]]:
    run = text[start:end]
    for hit in re.finditer(_WORD, run):
        word = hit[0]
        low = word.lower().removesuffix("'s")
        if len(word) == 1:
            continue  # an initial, whatever it means
        if low in _NOBODY:
            break
        if len(word) < 3:
            continue
        if certainty == _UNSURE and low.endswith(_PLURALS) and is_known(low[:-1]):
            break  # "Residents called"
        place = start + hit.start(), start + hit.end()
        known = is_known(word)
        if not known or (len(word) == 3 and certainty and word[1:].islower() and low not in _SHORT_WORDS):
            yield *place, not known
        elif run.isupper() or not word[1:].islower() or certainty == _NOT:
            break
        elif certainty == _SURE or (low not in _TEAMS and not _EPONYM_BEHIND.match(text, place[1])):
            yield *place, False


def _named_other_language(text: str, code: str, *, unknown: bool) -> Iterator[tuple[int, int, bool]]:
    """`named` for a text in another language than English."""
    names: dict[tuple[int, int], bool] = {}
    text = text.upper() if text.islower() and len(text.upper()) == len(text) else text  # a title is followed by a name
    for start, end in languages.names_after_titles(text, code):
        names |= {(s, e): distinct for s, e, distinct in _other_words(text, start, end, code, sure=True)}
    for start, end in languages.names_after_roles(text, code):
        names |= {
            (s, e): distinct
            for s, e, distinct in _other_words(text, start, end, code, sure=False)
            if (s, e) not in names
        }
    if unknown and code != "de":  # every noun has a capital in German
        strange = (hit for hit in _STRANGER.finditer(text) if not _is_word(hit[0], code))
        names |= {
            hit.span(): True for hit in strange if re.search(r"[a-z,;] $", text[max(0, hit.start() - 2) : hit.start()])
        }
    yield from ((start, end, distinct) for (start, end), distinct in sorted(names.items()))


_MIN_NAME_IN_CAPITALS = 5  # letters; shorter words in capitals are abbreviations


def _other_words(text: str, start: int, end: int, code: str, *, sure: bool) -> Iterator[tuple[int, int, bool]]:
    """The words of a run after a cue: after a title all that are written like names, else those in no list."""
    shouted = text[start:end].isupper()
    words = list(re.finditer(_WORD, text[start:end]))
    if shouted and len(words) > 1 and re.match(r"[ ][A-Z0-9]", text[end:]):
        words = words[:1]  # a sentence in capitals goes on
    for hit in words:
        short = not shouted and hit[0].isupper() and len(hit[0]) < _MIN_NAME_IN_CAPITALS  # "BSN"
        if len(hit[0]) < 3 or short or not hit[0][0].isupper() or languages.is_function_word(hit[0], code):
            continue
        known = _is_word(hit[0], code)
        if known and (not sure or (shouted and hit is not words[0])):
            return
        yield start + hit.start(), start + hit.end(), not known


def _is_word(word: str, code: str) -> bool:
    return is_known(word) or languages.is_word_of(word, code) or languages.is_function_word(word, code)


def unknown_capitalised(text: str) -> Iterator[tuple[int, int]]:
    """Spans of capitalised words that are in no vocabulary of the verifier and are no eponyms.

    At the start of a sentence, where every word is capitalised, only before another such word or a person's verb; in a
    heading never.
    """
    for line in re.finditer(r"[^\n\r\x1e]+", text):
        long = re.findall(r"[^\W\d_]{4,}", re.sub(r"^[A-Z][A-Za-z ]{2,30}:", "", line[0]))[1:]
        heading = len(long) > 2 and 4 * sum(w[0].isupper() for w in long) > 3 * len(long)
        for hit in _STRANGER.finditer(text, *line.span()):
            first, hyphen, _ = hit[0].partition("-")
            if (
                is_known(hit[0])
                or (hyphen and is_standard(first.lower()))
                or re.search(rf"\b{re.escape(hit[0].lower())}\b", text)
            ):
                continue
            behind, ahead = text[hit.end() : hit.end() + 80], text[max(0, hit.start() - 40) : hit.start()]
            if _EPONYM_BEHIND.match(behind) or _EPONYM_AHEAD.search(ahead):
                continue
            inside = not heading and re.search(r"[a-z,;] $", ahead)
            if (
                inside
                or _DOES.match(behind)
                or (not heading and (pair := _PAIR.match(behind)) and not is_known(pair[1]))
            ):
                yield hit.span()


def _beside(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Capitalised words next to a name in the same sentence: "Brenda" in "Brenda Kowalska"."""
    after = re.compile(r"[ ](?:[A-Z]\.? )?([A-Z][a-z]{2,})\b").match(text, end)
    before = re.search(r"(?<=[a-z,] )([A-Z][a-z]{2,})(?: [A-Z]\.?)?[ ]$", text[max(0, start - 60) : start])
    places = [after.span(1)] if after else []
    if before:
        offset = max(0, start - 60)
        places.append((before.start(1) + offset, before.end(1) + offset))
    for first, last in places:
        low = text[first:last].lower()
        if low not in _NOBODY and low not in _TEAMS and not is_standard(low):
            yield first, last


def unknown_names(text: str) -> set[str]:
    """Words of a short value, in lower case, that are in no vocabulary and written like names.

    A capitalised word, two unknown words side by side, or one after a title or "for", "by", "pt": not "LightSpeed", nor
    a single abbreviation in capitals.
    """
    names: set[str] = set()
    for value in text.split("\x1e"):
        words = list(re.finditer(r"[^\W\d_]{4,}", value))
        strange = [w for w in words if not is_known(w[0])]
        for w in strange:
            behind = value[: w.start()]
            if re.fullmatch(r"[A-Z][a-z]+", w[0]) or re.search(
                r"\b(?:dr|mr|mrs|ms|for|by|pt|patient)\b[.:^ ]{1,3}$", behind, re.I
            ):
                names.add(w[0].lower())
        for a, b in pairwise(words):
            if a in strange and b in strange and re.fullmatch(r"[\s,^._-]{1,2}", value[a.end() : b.start()]):
                names |= {a[0].lower(), b[0].lower()}
    return names


def facilities(text: str) -> Iterator[str]:
    """Names of facilities: with the word for their kind, and each unknown word alone."""
    code = languages.language(text)
    if code != "en":
        for start, end in languages.facility_spans(text, code):
            words = [w.lower() for w in re.findall(r"[^\W\d_]{4,}", text[start:end])]
            yield from (w for w in words if not is_known(w) and not languages.is_word_of(w, code))
        return
    for hit in _FACILITY.finditer(text):
        yield from (w.lower() for w in re.findall(r"[^\W\d_]{4,}", hit[2] or "") if not is_known(w))
        words = [w.strip(".,'").lower() for w in hit[1].split()]
        while words and words[0] in _GENERIC and words[0] not in ("st", "saint", *_OF_PLACES):
            words.pop(0)
        kind = hit[0][len(hit[1]) :].split(" of ")[0]
        proper = [w for w in words if w not in _GENERIC and len(w) > 2]
        of_places = kind[0].isupper() and words and words[0] in _OF_PLACES
        if (
            of_places
            or any(not is_known(w) for w in proper)
            or (kind[0].isupper() and any(not is_standard(w) for w in proper))
        ):
            yield f"{' '.join(words)} {kind}"
            yield from (w for w in words if len(w) > 3 and not is_known(w))
