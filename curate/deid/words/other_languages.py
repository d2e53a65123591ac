# ruff: noqa: E501  tables of words and patterns read better unbroken
"""The words and cues of the languages beside English: what goes, by the language's own `Lexicon`.

As in English, an unknown word goes, whatever it is. A known word that is a name as well goes where a title leads it, where
it stands beside a name, and where it is capitalised inside a sentence although its language writes the word small. The
closed class (negations, sides, severity, units, heads) goes only behind a title. German nouns stay when they are known
or built of known parts; a misspelt word of reports, one letter away, stays. Works on folded text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

from curate.deid.text.fold import BARRIER
from curate.deid.text.tokens import is_code_known, is_shouted
from curate.deid.words.lexicon import Lexicon, lexicon

Span = tuple[int, int, str]
_TOKEN = re.compile(rf"{BARRIER}|[^\W_]+")
_SENTENCE_END = re.compile(r"[.!?:;\n()\[\]*=<>|\t/]|(?:^|\s)-(?:\s|$)")
_CODE = re.compile(r"(?:[lbh]w[ks]?|hwk|bwk|lwk|th|cw|d|[clts])\d{1,2}(?:[-/]?[a-z]?\d{1,2})?", re.IGNORECASE)
_ELIDED = frozenset("l d s c n m j t qu un dell all nell sull dall quell jusqu lorsqu".split())  # noqa: SIM905
_SHORTEST_MISSPELT = 6
_MOST_TITLED = 5  # words of a name behind a title


@dataclass(slots=True)
class _Word:
    start: int
    end: int
    text: str
    low: str
    gap: str  # what stands before it
    first: bool
    known: bool = False
    name: bool = False
    closed: bool = False
    masked: bool = False
    cued: bool = False


def decide_words(text: str, code: str, archive: frozenset[str] = frozenset(), taken: Sequence[Span] = ()) -> list[Span]:
    """Spans of folded ``text``, which is in the language ``code``, that must go: names, numbers, addresses, facilities.

    ``archive``: folded lower-case words that stay although the lexicon lacks them. ``taken``: what is masked already,
    sorted and apart (start, end, label); a NAME there draws its neighbours along.
    """
    lexical = lexicon(code)
    cued = list(_cued_spans(text, lexical))
    words = _words(text, lexical, archive)
    level = is_shouted(text) or re.search(r"[A-Z][a-z]", text) is None
    gone = [(s, e) for s, e, _ in (*taken, *cued)]
    named = [(s, e) for s, e, label in taken if label == "NAME"]
    for word in words:
        if any(s < word.end and word.start < e for s, e in gone):
            word.masked = word.known = True
            word.cued = any(s < word.end and word.start < e for s, e in named)
    _behind_titles(words, lexical, level)
    for i, word in enumerate(words):
        if not word.masked:
            word.masked = _goes(words, i, text, lexical, level)
    _spread(words, level)
    return sorted([*cued, *_runs(words, text, gone)])


def _words(text: str, lexical: Lexicon, archive: frozenset[str]) -> list[_Word]:
    found: list[_Word] = []
    at = 0
    for hit in _TOKEN.finditer(text):
        token, gap = hit[0], text[at : hit.start()]
        at = hit.end()
        first = not found or _SENTENCE_END.search(gap) is not None
        if first and found and gap in (". ", ".") and (len(found[-1].text) == 1 or found[-1].low in lexical.titles):
            first = False
        word = _Word(hit.start(), hit.end(), token, token.lower(), gap, first)
        if token == BARRIER:
            word.known = word.cued = word.masked = True
        elif token.isalpha():
            word.closed = lexical.is_closed(word.low)
            word.name = lexical.is_name(word.low)
            word.known = word.closed or len(token) == 1 or lexical.is_known(word.low) or word.low in archive
            word.known = word.known or word.low in lexical.titles | lexical.degrees | lexical.particles | _ELIDED
        else:
            word.known = is_code_known(text, word.start, word.end) or _CODE.fullmatch(token) is not None
            word.known = word.known or word.low in archive
        found.append(word)
    return found


def _behind_titles(words: list[_Word], lexical: Lexicon, level: bool) -> None:
    """A title and the capitalised words behind it: a name, whatever they mean; a role leads one if a name follows it."""
    i = 0
    while i < len(words):
        word = words[i]
        role = word.low in lexical.roles and word.low not in lexical.titles
        titled = word.low in lexical.titles and (len(word.text) > 1 or _is_initial_title(words, i))
        if not (titled or role) or word.masked:
            i += 1
            continue
        at = i + 1
        while at < len(words) and (words[at].low in lexical.titles | lexical.degrees) and _near(words[at].gap):
            at, titled = at + 1, titled or words[at].low in lexical.titles
        taken = at
        while taken < len(words) and taken - at < _MOST_TITLED and _continues(words, taken, at, lexical, level, titled):
            taken += 1
        while taken > at and words[taken - 1].low in lexical.particles and words[taken - 1].text.islower():
            taken -= 1
        for word in words[at:taken]:
            word.masked = word.cued = True
        i = max(taken, i + 1)


def _is_initial_title(words: list[_Word], i: int) -> bool:
    """ "D. Juan", "M. Dupont": one letter is a title before its full stop and a name."""
    after = words[i + 1] if i + 1 < len(words) else None
    return after is not None and after.gap.startswith(".") and (after.name or not after.known) and after.text.istitle()


def _continues(words: list[_Word], i: int, at: int, lexical: Lexicon, level: bool, titled: bool) -> bool:
    word = words[i]
    gaps = r"[.:]?[ ]{1,3}" if i == at else r"[ ]{1,2}|[.,][ ]|[-'.]"
    if i == at and not titled:
        gaps = r"[ ]?:[ ]{0,9}|[ ]{1,2}|[ ]?\([ ]?|,[ ]"
    if re.fullmatch(gaps, word.gap) is None or not word.text.isalpha():
        return False
    if word.low in lexical.particles and i + 1 < len(words) and words[i + 1].text[0].isupper():
        return True
    capital = word.text[0].isupper()
    plainly = word.known and not word.name
    if level:
        return not plainly and not (word.closed and i > at)
    if not capital or (word.gap.startswith(",") and plainly):
        return False
    if not titled:
        return not plainly and not word.closed
    if i == at:
        return not (word.closed and word.low in _DENIALS) and not (plainly and word.low in lexical.roles)
    after_stop = word.gap.startswith(".") and len(words[i - 1].text) > 1
    return (not plainly or word.gap == "-") and not word.closed and not after_stop


_DENIALS = frozenset(
    [
        "kein",
        "keine",
        "keinen",
        "ohne",
        "nicht",
        "no",
        "sin",
        "pas",
        "sans",
        "aucun",
        "sem",
        "nao",
        "nenhum",
        "geen",
        "niet",
        "zonder",
        "non",
        "senza",
        "nessun",
    ]
)


def _goes(words: list[_Word], i: int, text: str, lexical: Lexicon, level: bool) -> bool:
    word = words[i]
    if not word.known:
        return not (word.text.isalpha() and _misspelt(word, lexical))
    if word.closed or not word.name or len(word.text) < 2 or not word.text.isalpha():
        return False
    if word.low in lexical.medical or word.low in lexical.short:
        return False
    if level or not word.text.istitle():
        return False
    return not word.first


def _misspelt(word: _Word, lexical: Lexicon) -> bool:
    """One letter away from a word of reports, and not written as a name is."""
    if len(word.text) < _SHORTEST_MISSPELT or word.name:
        return False
    if word.text.istitle() and not word.first and lexical.code != "de":
        return False
    return is_near(word.low, lexical.code)


@lru_cache(maxsize=50_000)
def is_near(word: str, code: str) -> bool:
    """True if ``word`` is one letter more, less, other or exchanged than a word of reports in the language ``code``."""
    near = _deletions(code)
    cuts = {word, *(word[:i] + word[i + 1 :] for i in range(len(word)))}
    return any(_distance_one(word, whole) for cut in cuts for whole in near.get(cut, ()))


@cache
def _deletions(code: str) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for whole in sorted(lexicon(code).medical):
        if len(whole) >= _SHORTEST_MISSPELT:
            for cut in {whole, *(whole[:i] + whole[i + 1 :] for i in range(len(whole)))}:
                found.setdefault(cut, []).append(whole)
    return {cut: tuple(wholes) for cut, wholes in found.items()}


def _distance_one(a: str, b: str) -> bool:
    if abs(len(a) - len(b)) > 1:
        return False
    head = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    rest, other = a[head:], b[head:]
    exchanged = rest[:2] == other[:2][::-1] and rest[2:] == other[2:]
    return exchanged or rest[1:] == other[1:] or rest[1:] == other or rest == other[1:]


def _spread(words: list[_Word], level: bool) -> None:
    """A name's neighbours that are names as well, and initials, go with it."""
    for order in (range(len(words)), range(len(words) - 1, -1, -1)):
        step = 1 if order.step > 0 else -1
        for i in order:
            beside = i - step
            if not 0 <= beside < len(words) or words[i].masked or not words[i].text.isalpha():
                continue
            word, other = words[i], words[beside]
            gap = word.gap if step > 0 else other.gap
            person = (
                other.masked and (other.cued or not other.known) and (other.text == BARRIER or other.text[0].isupper())
            )
            if (
                not person
                or re.fullmatch(r"[ ]{1,2}|[.,][ ]|[-'.]", gap) is None
                or (gap[0] == "." and len(word.text) > 1)
            ):
                continue
            initial = len(word.text) == 1 and word.text.isupper() and "." in (gap + _after(words, i))
            joined = gap == "-" and word.text[0].isupper() and not level and not word.closed
            if initial or joined or (word.name and not word.closed and (word.text[0].isupper() or level)):
                word.masked = word.cued = True


def _after(words: list[_Word], i: int) -> str:
    return words[i + 1].gap if i + 1 < len(words) else "."


def _near(gap: str) -> bool:
    return re.fullmatch(r"[.]?[ ]{0,2}", gap) is not None


def _runs(words: list[_Word], text: str, gone: Sequence[tuple[int, int]]) -> Iterator[Span]:
    for word in words:
        if word.masked and word.text != BARRIER and not any(s <= word.start and word.end <= e for s, e in gone):
            label = "NAME" if word.text.isalpha() else "ID"
            yield word.start, word.end, label


# -- what a cue gives away: addresses, facilities, numbers, telephones, ages


def _cued_spans(text: str, lexical: Lexicon) -> Iterator[Span]:
    for label, pattern in _patterns(lexical.code):
        for hit in pattern.finditer(text):
            group = 1 if pattern.groups else 0
            if hit.end(group) > hit.start(group):
                yield hit.start(group), hit.end(group), label


def _any(words: frozenset[str]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=lambda w: (-len(w), w)))


_CAP = r"(?:(?:d[ei]l?|de la|des|du|da|do|dos|della|dei|von|van(?: de[rn]?)?|la|los|las|le|les|San|St)[ ]+|d'|l')?[A-Z][\w'-]*"
_YEARS = {
    "de": r"(?:jahren?|j\.?(?=[,\s)]|$)|jaehrig\w*|jahrig\w*|lebensjahr\w*|lj\b)", "es": r"(?:anos?|a\.?(?=[,\s)]|$))", "fr": r"ans?\b",
    "it": r"(?:anni|aa\.?)\b", "nl": r"(?:jaar|jarige?|jr\b)", "pt": r"anos?\b",
}  # fmt: skip
_OLD = {
    "de": r"\w*neunzig(?:jaehrig|jahrig)?\w*|hundertjahrig\w*", "es": r"noventa(?:\s+y\s+\w+)?(?=\s+anos)|nonagenari[oa]",
    "fr": r"quatre-vingt-(?:dix(?:-\w+)?|onze|douze|treize|quatorze|quinze|seize)|nonagenaire|centenaire",
    "it": r"novant\w*|ultranovantenne|centenari[oa]", "nl": r"\w*negentig\w*|honderdjarige?", "pt": r"noventa(?:\s+e\s+\w+)?(?=\s+anos)|nonagenari[oa]",
}  # fmt: skip
_NUMBERS = (
    r"\b\d{3}\.\d{3}\.\d{3}-\d{2}\b",  # CPF
    r"\b[A-Z]{6}\d{2}[A-Z]\d{2}[A-Z]\d{3}[A-Z]\b",  # codice fiscale
    r"\b[XYZ]?\d{7,8}-?[A-Z]\b",  # NIF, NIE
    r"\b[12][ ]?\d{2}[ ]?(?:0\d|1[0-2])[ ]?\d{2}[ ]?\d{3}[ ]?\d{3}(?:[ ]?\d{2})?\b",  # NIR
    r"\b756\.\d{4}\.\d{4}\.\d{2}\b",  # AHV
)
# A form's field that says where someone lives: its value goes to the end of the line.
_PLACE_FIELDS = (
    r"\b(?:domicilio|direccion|localidad|provincia|pais|municipio|poblacion|anschrift|adresse|wohnort|wohnhaft in|ville"
    r"|code postal|indirizzo|citta|residenza|adres|woonplaats|morada|endereco|localidade|cidade|codigo postal|c\.?p)"
    r"(?:[ ]?/[ ]?\w+)?[ ]?:[ ]{0,9}([^\n\0;]*[^\s\0;.])"
)
_PHONES = (
    r"(?<![\w.,/-])(?:(?:\+|00)\d{2}[ ]?(?:\(0\))?|\(0?\d{1,4}\)[ ]?|0\d{1,4}[ /-])(?:[ ./-]?\d{2,8}){1,5}(?![\w,])"
)
_PAIRS = r"(?<![\w.,-])(?:0\d(?:[ .]\d{2}){4}|[6789]\d{2}[ .]\d{2}[ .]?\d{2}[ .]?\d{2}|[6789]\d{2}[ ]\d{3}[ ]\d{3}|9[1-9][ ]\d{3}[ ]\d{2}[ ]\d{2})(?![\w.,-]\d)"


@cache
def _patterns(code: str) -> tuple[tuple[str, re.Pattern[str]], ...]:
    """(label, pattern): the first group is the span, or all of it."""
    lexical = lexicon(code)
    months = "|".join(lexical.months)
    facility, ids, phone = _any(lexical.facility), _any(lexical.ids), _any(lexical.phone)
    street = _any(lexical.street)
    cap = rf"{_CAP}(?:[ ]{_CAP}){{0,3}}"
    if code in ("de", "nl"):
        named = (
            rf"[A-Z][\w-]*(?:[ -][A-Z][\w-]*)?(?:{street})\b\.?|(?:Am|An der|Im|Zum|Zur|Auf dem|Aan de)[ ][A-Z][\w-]+"
        )
        road = rf"(?-i:\b(?:{named}|[A-Z][\w-]+[ -](?i:{street})\.?))[ ]?\d{{1,4}}[ ]?[a-z]?\b"
    else:
        road = (
            rf"\b(?:\d{{1,4}}[ ]?(?:bis|ter)?,?[ ]+)?(?:{street})\.?[ ](?-i:{cap})(?:,?[ ](?:n[o.]{{0,2}}[ ]?|num\.?[ ]?)?\d{{1,4}}[a-z]?"
            r"(?:[ ]?[-,][ ]?\d{1,2}[oa.]{0,2}[ ]?[A-Z]?)?\b)?"
        )
    place = r"(?:\d{4}[ ]?[A-Z]{2}|\d{4}-\d{3}|\d{5}-\d{3}|(?:[A-Z]{1,2}-)?\d{4,5})[ ]+" + cap
    raw = [
        ("ADDRESS", _PLACE_FIELDS),
        ("ADDRESS", rf"{road}(?:[ ]*,[ ]*(?-i:{place}))?"),
        ("ADDRESS", rf"(?-i:(?<![\w.,/-]){place})"),
        ("FACILITY", rf"(?-i:\b(?:[A-Z][\w.'-]*[ -]){{0,2}}[A-Z][\w']*-(?i:{facility})\b(?:[ ]{cap})?)"),
        ("FACILITY", rf"(?-i:\b(?i:{facility})(?:[ ](?:General|Universit\w+|Clinico|Provincial|Regional\w*|Civile|Central\w*))*"
                     rf"[ ](?:(?:de|d'|di|des?|da|do|van|St\.?|Sankt|Saint\w*|\"|am|im|zum|der)[ ]?)?{cap})"),
        ("ID", rf"\b(?:{ids})\b\.?(?:[ ]?(?:n[or.]{{0,2}}|num\w*|nr|clinica|paciente|fiscale|clinico|social))*[ .:#=]*((?=[\w./ -]{{0,20}}\d)[A-Z0-9][\w/.-]*\d\w*)"),
        ("PHONE", rf"\b(?:{phone})\b\.?[ ]?(?:n[or.]{{0,2}})?[ .:]*(\(?\+?\d[\d ()./-]{{1,20}}\d)"),
        ("PHONE", _PHONES),
        ("PHONE", _PAIRS),
        ("AGE", rf"(?<![\w.,])(?:9\d|1[0-4]\d)(?=[ -]{{0,2}}{_YEARS[code]})"),
        ("AGE", r"\b(?:alter|edad|age|eta|leeftijd|idade)[ :]{1,3}(?:de[ ]|di[ ])?(9\d|1[0-4]\d)\b"),
        ("AGE", rf"\b(?:{_OLD[code]})\b"),
        ("DATE", rf"\b(?:(?:0?[1-9]|[12]\d|3[01])[o.]?[ ](?:de[ ])?)?(?:{months})(?:[ ](?:de[ ]|del[ ])?(?:19|20)\d\d)?\b"),
        ("DATE", rf"\b(?:{_any(lexical.days)})s?\b"),
        *(("ID", number) for number in _NUMBERS),
    ]  # fmt: skip
    return tuple((label, re.compile(pattern, re.IGNORECASE)) for label, pattern in raw)
