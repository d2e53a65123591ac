"""The verifier's detection of names of people and facilities: runs of capitalised words, judged by what is around them.

One rule for all languages: a word of no vocabulary inside a sentence is a name; a word that is also an ordinary one is
a name behind a title, an office or a kinship, or before a degree or a verb of persons.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from curate.deid.verify.normalise import in_capitals
from curate.deid.verify.vocabulary import is_borne, is_function_word, is_known, is_standard, is_word_of, language
from curate.deid.word_lists import word_sections, words

# Bounded, and anchored at the start of a word: for what is no text ("AAAA...", base64) time must stay linear.
_WORD = re.compile(r"[^\W\d_]{1,60}(?:['’-][^\W\d_]{1,60}){0,5}")
_NAME = r"(?<![^\W\d_])[A-Z][^\W\d_]{0,60}(?:['’-][^\W\d_]{1,60}){0,5}"  # in text without accents
_PARTICLE = "van von vom de der den del della dei di da do dos das du des la le el zu ter ten bin"
_PARTICLES = rf"(?:(?i:{_PARTICLE.replace(' ', '|')})[ ]){{0,3}}"
_RUN = re.compile(rf"(?:[A-Z]\.|{_NAME})(?:,?[ \t]{{1,2}}{_PARTICLES}(?:[A-Z]\.|{_NAME})){{0,15}}")
_BEFORE = re.compile(rf"([^\W\d_]+)(?:\s?([.:=,])[ \t]{{0,4}}\n?[ \t]{{0,4}}|[ \t]{{1,3}}){_PARTICLES}$")
_LETTERS = re.compile(r"[^\W\d_]+")
_AHEAD = 40  # characters that are looked at before a name


_LISTS = word_sections("words", "verify/data")
_PARTICLE_WORDS = words(_PARTICLE)
_TITLES = _LISTS["titles"]
_TECHNIQUES = words("DR MR MS FR HR SR")  # in capitals and without a full stop: "MR Brain", "Dose SR"
_OFFICES = _LISTS["offices"]
_AGENTS = _LISTS["agents"]  # in other languages: by whom
_SHORTENED = _LISTS["shortened"]  # written with a full stop
_KIN, _PERSONS = _LISTS["kin"], _LISTS["persons"]
_CUES = _TITLES | words("d m") | _AGENTS | _OFFICES
_IN_A_RUN = _LISTS["in a run"]
_DEGREES = words("MD RN NP DO MBBS FRCR FACR DDS RDMS")
_DEGREE = re.compile(
    r"\.?,? (?:M\.?D\.?|D\.O\.|MBBS|MBChB|Ph\.?D\.?|R\.N\.|RN|PA-C|NP|FRCR|FACR|FRANZCR|DDS|RDMS)(?!\w)"
)
# Verbs of persons, not of films, findings or departments; the first ones also at the beginning of a sentence.
_SPEAKS = (
    r"held the|called|phoned|brought|said|asked|told|will (?:bring|call)|insisted|mentioned|thinks|thought"
    r"|concurs?|agrees"
)
_ACTS = re.compile(
    rf"(?: and (?:\[NAME\]|[A-Z]\w+))? (?:(?P<speaks>{_SPEAKS})|held|came|says|asks|agreed|accompanied|helped|drove"
    r"|cried|disagree[sd]?|moved?|phones|calls|will (?:return|come)|(?:was|were|is) (?:crying|present|informed|told"
    r"|called|notified|unable|agitated|uncooperative|anxious|claustrophobic|here)|could not be|did not want|refused"
    r"|declined|wanted|wants|wrote|dictated|signed|works|lives|lived|in \d+ (?:days?|weeks?|months?)"
    r"|(?P<did>measured|described|reported|noted|saw|placed|reviewed))\b",
    re.IGNORECASE,
)
# of a cue: a title in short, in other languages ("Dra."); a title; an office that says by whom, in other languages; an
# office or verb; a technique like a title
_NAMED, _SURE, _LIKELY, _UNSURE, _WEAK, _NONE = 5, 4, 3, 2, 1, 0
_SHORT = 3  # letters of such a title
_PLURALS = ("ists", "ians", "ants", "ents", "tors", "rses", "ngs", "ves", "ues", "ters", "lts")
_STRANGER = re.compile(r"(?<![\w'’.@/-])[A-Z][a-z]{3,}(?:['’-][A-Z]?[a-z]+)*(?![\w@/]|-\d)")
_PAIR = re.compile(r" (?:[A-Z]\. )?([A-Z][a-z]{2,})\b")
_SPEAKER = re.compile(r"^[ \t]*([A-Z][a-z]{2,20}):(?= \S)", re.MULTILINE)  # "Roe: thank you"
_BY_SMALL = re.compile(
    r"\b(?:[Bb]y|BY|[Pp]er|[dD]r\.?|DR\.|[mM]rs?\.?|M[RS]\.|[mM]s\.?) ([a-z]{4,})\b"
)  # no "MR images"
_NOBODY = _LISTS["nobody"]
# Words after an eponym: "Baker cyst".
_THINGS = (
    r"sign|signs|diseases?|syndromes?|fractures?|type|classification|nodes?|nodules?|cysts?|tumou?rs?|ducts?|lines?|angles?"
    r"|space|pouch|fossa|foramen|test|reflex|score|scale|grade|stage|method|procedure|catheters?|tubes?|drains?|filters?|stents?"
    r"|clips?|ligaments?|lesions?|deformit(?:y|ies)|anomal(?:y|ies)|malformations?|triad|criteria|index|ratio|gland|bod(?:y|ies)"
    r"|cells?|canal|rods?|wires?|screws?|hernias?|disk|disc|phenomenon|contracture|arthr\w+|thyroiditis|lymphoma|sarcoma"
    r"|palsy|maneuver|position|view|aneurysms?|fistula|membrane|ring|valve|shunt|bands?|operation|repair|prosthesis|device"
    r"|syndrome|tendon|artery|vein|plane|area|layer|loop|bypass|dissection|positive|negative|virus|infection|stain"
)
_EPONYM_BEHIND = re.compile(
    rf"(?:['’]s?)?(?:[ -](?!(?:the|a|an|is|was|has|had|and|brought|in|of|for|with) ){_WORD.pattern})?"
    rf"[ -](?:{_THINGS})\b",
    re.IGNORECASE,
)
_KIND = (
    r"(?:hospitals?|medical cent(?:er|re)|clinic|infirmary|health (?:system|cent(?:er|re)|care|network)|healthcare"
    r"|imaging cent(?:er|re)|cancer cent(?:er|re)|trauma cent(?:er|re)|institute|laborator(?:y|ies)|pharmacy"
    r"|hospice|nursing home|surgery cent(?:er|re)|university|sanatorium"
    r"|radiology associates|medical group)"
)
_KIND_ELSEWHERE = (
    r"(?:[\w.-]*(?:krankenhaus|klinikum|spital|klinik|praxis|mvz|ziekenhuis|kliniek)|hopital|(?:poly)?clinique"
    r"|centre hospitalier|chu|cabinet|hospital|clinica|centro (?:de salud|hospitalar|de saude|diagnostico)"
    r"|complejo hospitalario|ospedale|policlinico|azienda ospedaliera|casa di cura|presidio|medisch centrum"
    r"|zorgcentrum|santa casa|ubs|az)"
)
_FACILITY = re.compile(
    rf"((?:(?<!\w)[A-Z][\w'.&-]{{0,60}}(?:,? (?:of|the|and|for|de|la|del) | )){{1,6}}?)(?i:{_KIND})\b"
    rf"(?: of ((?:[A-Z]\.|{_NAME})(?:,?[ \t]{{1,2}}(?:[A-Z]\.|{_NAME})){{0,3}}))?"
)
_FACILITY_ELSEWHERE = re.compile(
    rf"(?<!\w)(?:(?i:{_KIND_ELSEWHERE})(?:[ ]{_PARTICLES}(?i:of|sint|san|santa|sao|sainte?|universit\w+|general"
    rf"|civile|regional|clinicas|misericordia))*[ -]{_PARTICLES}(?P<behind>[A-Z][\w'-]{{2,}})"
    r"|(?P<ahead>(?:[A-Z][\w'-]+ ){1,2})(?i:ziekenhuis|krankenhaus|klinikum|spital)\b)"
)
_GENERIC = _LISTS["generic"]
_OF_PLACES = frozenset(["central", "national", "city", "county"])  # with a capital before a kind: "Central Clinic"


def person_names(text: str, *, unknown: bool = True) -> Iterator[tuple[int, int, bool]]:
    """(start, end, whether the word is a name everywhere) of the names in a text without accents: after a title or a
    cue, before a degree or a person's verb, or (``unknown``) in no vocabulary.

    A word that is also an ordinary one (Green, Hall) is a name only in this place.
    """
    code = language(text)
    text = text if code == "en" else in_capitals(text)
    names: dict[tuple[int, int], bool] = {}
    for run in _RUN.finditer(text):
        names |= {(start, end): distinct for start, end, distinct in _in_run(text, *run.span(), code)}
    for pattern in (_SPEAKER, _BY_SMALL) if code == "en" else ():
        names |= {hit.span(1): True for hit in pattern.finditer(text) if not is_known(hit[1])}
    if unknown:
        names |= dict.fromkeys(unknown_capitalised(text), True)
    if code == "en":
        for start, end in list(names):
            names |= dict.fromkeys((s for s in _beside(text, start, end) if s not in names), False)
    yield from ((start, end, distinct) for (start, end), distinct in sorted(names.items()))


def _in_run(text: str, start: int, end: int, code: str) -> Iterator[tuple[int, int, bool]]:
    """The names in a run of capitalised words."""
    words = list(_WORD.finditer(text, start, end))
    degree = next((n for n, hit in enumerate(words) if n and code == "en" and hit[0] in _DEGREES), 0)
    words = words[:degree] if degree else words
    behind = _SURE if degree else _cue_behind(text, start, end)
    before, first = _cue_before(text, start, code), True
    shouted = text[start:end].isupper()
    for n, hit in enumerate(words):
        word, low = hit[0], hit[0].lower().removesuffix("'s")
        cue = max(before, behind if n >= len(words) - 3 else _NONE)
        if _is_title(low, code) and hit.end() < len(text):
            before, first = _title(word, text[hit.end()], code), True
        elif code != "en" and before >= _LIKELY and low in _PARTICLE_WORDS:
            continue
        elif code != "en" and low in _KIN:
            before, first = _LIKELY, True
        elif low in _IN_A_RUN or (code != "en" and low in _OFFICES):
            before = _UNSURE
        elif code != "en" and low in _AGENTS:
            before = _LIKELY if n and words[n - 1][0].lower() in _OFFICES else _NONE
        elif low in _NOBODY or (code != "en" and is_function_word(low, code)):
            before = _NONE  # "DR EN CHIRURGIE"
        elif len(word) > 2 and cue:
            known = _is_word(word, code)
            short = len(word) == 3 and cue != _WEAK and word[1:].islower() and not is_function_word(low, "en")
            if (not known and not (code != "en" and _is_nobody(word, code, cue))) or (short and code == "en"):
                yield *hit.span(), not known
            elif _is_someone(text, hit, cue, code, plain=not shouted and word[1:].islower(), first=first):
                yield *hit.span(), False
            else:
                before = behind = _NONE
            first = False
            if code != "en" and (shouted or text[hit.end() : hit.end() + 1] == ","):
                before = _NONE


def _is_someone(text: str, hit: re.Match[str], cue: int, code: str, *, plain: bool, first: bool) -> bool:
    """True if a word that is also an ordinary one names someone behind this cue."""
    if code != "en":
        called = cue == _NAMED or is_borne(hit[0]) or (cue == _SURE and plain)
        return cue >= _LIKELY and first and called and not _is_nobody(hit[0], code, cue)
    if cue == _SURE:
        return plain or first
    if not plain or cue == _WEAK:
        return False
    low = hit[0].lower()
    return not (low.endswith(_PLURALS) and is_known(low[:-1])) and not _EPONYM_BEHIND.match(text, hit.end())


def _cue_before(text: str, start: int, code: str) -> int:
    ahead = text[max(0, start - _AHEAD) : start]
    if _CUES.isdisjoint(_LETTERS.findall(ahead.lower())):
        return _NONE
    hit = _BEFORE.search(ahead)
    if hit is not None:
        low, mark = hit[1].lower(), hit[2] or ""
        if _is_title(low, code) and mark in ("", ".") and (len(low) > 1 or mark):
            return _title(hit[1], "" if "\n" in hit[0] else mark, code)  # "fat saturated MR."
        if low in _AGENTS and (office := _BEFORE.search(ahead[: hit.start(1)])):
            low, mark = office[1].lower(), ":"
        if low in _OFFICES and (mark != "." or low in _SHORTENED):
            by_whom = (
                mark or ahead.split()[-1].lower() in _AGENTS or (code != "de" and text[start : start + 2].istitle())
            )
            return _LIKELY if code != "en" and (by_whom or low in _KIN) else _UNSURE
    return _NONE


def _is_title(low: str, code: str) -> bool:
    return low in _TITLES or (code in ("es", "fr", "pt") and low in ("d", "m"))


def _title(word: str, behind: str, code: str) -> int:
    if word in _TECHNIQUES and behind != "." and (code == "en" or word not in ("DR", "SR")):
        return _WEAK
    return _NAMED if code != "en" and (behind == "." or len(word) <= _SHORT) else _SURE


def _cue_behind(text: str, start: int, end: int) -> int:
    if _DEGREE.match(text, end):
        return _SURE
    acts = _ACTS.match(text, end)
    inside = start > 1 and text[start - 1] == " " and (text[start - 2].islower() or text[start - 2] == ",")
    if acts is None or (acts["did"] and not text[:start].endswith(" that ")):
        return _NONE
    return _UNSURE if inside or acts["speaks"] else _NONE


def _is_nobody(word: str, code: str, cue: int = _NONE) -> bool:
    """True for a word that follows a cue in ordinary prose: of grammar, of an office, or, but behind a title ("Dr.
    Mann"), for a person by sex."""
    low = word.lower()
    doctor = code == "de" and low.endswith(("arzt", "arztin"))  # Chefarzt, Oberarzt
    listed = low in _OFFICES or low in _NOBODY or low in _AGENTS or (low in _PERSONS and cue < _SURE)
    return doctor or listed or is_function_word(low, code)


def _is_word(word: str, code: str) -> bool:
    return is_known(word) or (code != "en" and is_word_of(word, code))


def unknown_capitalised(text: str) -> Iterator[tuple[int, int]]:
    """Spans of capitalised words that are in no vocabulary of the verifier and are no eponyms.

    At the start of a sentence, where every word is capitalised, only before another such word or a person's verb; in a
    heading never, nor in German, where every noun is capitalised.
    """
    code = language(text)
    if code == "de":
        return
    small = {word for word in _WORD.findall(text) if word[0].islower()}
    for line in re.finditer(r"[^\n\r\x1e]+", text):
        long = re.findall(r"[^\W\d_]{4,}", re.sub(r"^[A-Z][A-Za-z ]{2,30}:", "", line[0]))[1:]
        heading = len(long) > 2 and 4 * sum(w[0].isupper() for w in long) > 3 * len(long)
        for hit in _STRANGER.finditer(text, *line.span()):
            first, hyphen, _ = hit[0].partition("-")
            if _is_word(hit[0], code) or (hyphen and is_standard(first.lower())) or hit[0].lower() in small:
                continue
            behind, ahead = text[hit.end() : hit.end() + 80], text[max(0, hit.start() - 40) : hit.start()]
            if _EPONYM_BEHIND.match(behind):
                continue
            inside = not heading and re.search(r"[a-z,;] $", ahead)
            if (
                inside
                or _ACTS.match(behind)
                or (code == "en" and not heading and (pair := _PAIR.match(behind)) and not is_standard(pair[1].lower()))
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
        if low not in _NOBODY and not is_standard(low):
            yield first, last


_IN_PART = re.compile(r"\[[A-Z]+\]-(?P<behind>[A-Z][a-z]{3,})\b|\b(?P<ahead>[A-Z][a-z]{3,})-\[NAME\]")


def names_in_part(text: str) -> Iterator[str]:
    """Words of a scrubbed text that a hyphen joins to a placeholder, and that are no terms: "[NAME]-Strnad"."""
    for hit in _IN_PART.finditer(text):
        word = hit["behind"] or hit["ahead"]
        if not is_standard(word.lower()) and not _EPONYM_BEHIND.match(text, hit.end()):
            yield word


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


def _may_name_a_house(word: str, code: str, capitals_tell: bool) -> bool:
    """True for a known word beside the kind of a house that is no kind itself: not "Cabinet de Radiologie"."""
    return not _is_nobody(word, code) and (is_borne(word) or (capitals_tell and not is_standard(word)))


def facilities(text: str) -> Iterator[str]:
    """Names of facilities: with the word for their kind, and each unknown word alone."""
    code = language(text)
    if code != "en":
        capitals_tell = not (text.islower() or text.isupper())
        text = in_capitals(text)
        for hit in _FACILITY_ELSEWHERE.finditer(text):
            words = [w.lower() for w in re.findall(r"[^\W\d_]{3,}", hit["behind"] or hit["ahead"])]
            unknown = [w for w in words if not _is_word(w, code)]
            if unknown or any(_may_name_a_house(w, code, capitals_tell) for w in words):
                yield hit[0]
            yield from (w for w in unknown if len(w) > 3)
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
