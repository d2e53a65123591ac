"""What a cue gives away in the languages beside English: addresses, facilities, numbers, telephones, times, ages.

A cue is a word of the language's own lists (`data/languages/<code>.txt`) or a shape of its countries. Texts all in
capitals or all in small letters have the same cues; there a name goes on as long as its words are no words of grammar.
Works on folded text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from curate.deid.word_lists import word_sections
from curate.deid.words.lexicon import Lexicon, lexicon, town_names

Span = tuple[int, int, str]
_UNIT = r"(?![\d.,]*[ ]?(?:mm|cm|ml|mg|kg|hu|%|x[ ]?\d|mhz|mgy|msv|kv|mas|ev)\b)"
LINKS = word_sections("context")["links of places, elsewhere"]
_RUN_WORD = re.compile(
    r"[ -]?(?:[ld]'[ ]?)?((?:[^\W\d_]|dr|st|ste|gen|prof|pte|sta|sto|av|bgm)\.(?=[ ]?[^\W\d_])|[^\W\d_][\w']*)",
    re.IGNORECASE,
)
_STREETS_ARE = word_sections("context")["streets are, elsewhere"]
_SAINTS = word_sections("context")["saints, elsewhere"]
_NUMBER_SIGNS = frozenset(["n", "no", "nr", "num", "numero"])
_NUMBERED = re.compile(r"[ ]?(?:\d{1,2}[ ]de[ ]\w+|[ivx]{1,5}\b[ ]\w+)", re.IGNORECASE)  # "25 de Abril", "XX Settembre"
_TO_COMMA = re.compile(r"((?:[ -]?[^\W\d_][\w']*){1,5})(?=[,;\n]|$)")  # "65 rue des trois freres,"
_HOUSE = re.compile(
    rf"[ ]?,?[ ]?s/?n\b\.?|[ ]?,?[ ]?(?:n[or]?\.?[ ]?|km\.?[ ]?|num(?:ero)?\.?[ ])?\d{{1,4}}(?!\d){_UNIT}(?:["
    rf" ]?[/-]?[ ]?[a-z]\b|[ ]?bis\b|-i{{1,3}}\b|/\d{{1,3}}\b)?"
    r"(?:,?[ ]\d{1,2}[oa.]{1,2}[ ]?(?:[a-z]{1,4}\b\.?)?)?",
    re.IGNORECASE,
)
_TOWN_TAIL = re.compile(
    r"[ ]?\([A-Z]{2}\)|[ ]?\([A-Z][\w' -]{2,30}\)|[ ]?[-/][ ]?[A-Z]{2}\b|[ ]cedex(?:[ ]\d{1,2})?", re.IGNORECASE
)
_LANES = r"\b(?:am|an der|an den|im|in der|auf der|auf dem|zum|zur|unter den|aan de|aan het|op de)"
_ADDRESS_ENDS = r"(?=[ ]*(?:[,;\n]|$|[ ](?:[a-z]{1,2}-)?\d{4,5}\b))"
_MAX_WORDS, _SHORTEST_TOWN = 5, 4
_SHORT_MONTHS = (
    "jan|ene|gen|feb|fev|fevr|mar|mrt|maa|apr|avr|abr|mai|mag|mei|may|jun|juin|giu|jul|juil|lug|aug"
    "|ago|aou|aout|sep|sept|set|okt|oct|out|ott|nov|dez|dec|dic|mae"
)
_HOUR = r"(?:[01]?\d|2[0-3])"
_NUMBERS = (
    r"\b\d{3}\.\d{3}\.\d{3}-\d{2}\b",  # CPF
    r"\b[a-z]{6}\d{2}[a-z]\d{2}[a-z]\d{3}[a-z]\b",  # codice fiscale
    r"\b[xyz]?[ -]?\d{7,8}[ -]?[a-z]\b",  # DNI, NIE
    r"\b\d{1,2}\.\d{3}\.\d{3}-?[ ]?[a-z]\b",
    r"\b[12][ ]?\d{2}[ ]?[0-9]\d[ ]?\d[\dab][ ]?\d{3}[ ]?\d{3}(?:[ ]?\d{2})?\b",  # NIR
    r"\b756\.\d{4}\.\d{4}\.\d{2}\b",  # AHV
    r"\b\d{8}[ ]\d[ ][a-z]{2}\d\b",  # Cartao de Cidadao
    r"\b\d{2}[ /]\d{6,8}[ /]\d{2}\b",  # numero de la Seguridad Social
    r"\b\d{2}[ ]\d{3}[ ]\d{3}[ ]\d{3}\b",  # Steuer-ID
    r"\b\d{4}\.\d{2}\.\d{3}\b",  # BSN
    r"\b7\d{2}[ ]\d{4}[ ]\d{4}[ ]\d{4}\b",  # CNS
    r"\b\d{1,2}/\d{1,2}/\d{4,6}\b(?<!/19\d\d)(?<!/20\d\d)",  # colegiado
)
_VALUE = (
    r"((?=(?:[ ./-]?\w){4,26}(?!\w))(?=(?:[^\W\d_]|[ ./-]){0,9}\d(?:[ ./-]?\w)*?\d)(?:[a-z]{1,6}["
    r" -]?)?\d\w*(?:[ ./-](?=\w*\d)\w{1,12}){0,6}(?:[-/][a-z]{1,2}\b)?)"
    rf"(?!\w){_UNIT}"
)
_PHONES = (
    r"(?<![\w.,/-])(?:\+|00)\d{1,3}[ ()./-]{0,3}\d(?:[ ./()-]{0,3}\d){6,12}(?!\w)",
    r"(?<![\w.,/-])\(0?\d{1,4}\)[ ]?\d{3,5}(?:[ ./-]{0,3}\d{2,5}){0,3}(?!\w)",
    r"(?<![\w.,/-])0\d{1,4}[ ]?[ /-][ ]?\d{2,8}(?:[ /-]\d{2,8}){0,4}(?![\w,])",
    r"(?<![\w.,-])(?:0\d(?:[ .]\d{2}){4}|[36789]\d{2}[ .]\d{2}[ .]?\d{2}[ .]?\d{2}|[236789]\d{1,2}[ .]\d{3}[ .]\d{3,4}"
    r"|[69][1-9]?[ ]\d{3}[ ]\d{2}[ ]\d{2})(?![\w.,-]\d)",
)
_ROOMS = (
    r"\b(?:zi|zimmer|station|bett|chambre|ch|lit|hab|habitacion|cama|planta|letto|stanza|kamer|leito|quarto"
    r"|enfermaria|sala)\b"
    rf"\.?[ ]?(?:n[o.]{{0,2}}[ ]?)?[:]?[ ]?(\d{{1,4}}[a-z]?)(?![\w/-]|[.,]\d){_UNIT}"
)
# A form's field that says where someone lives: its value goes to the end of the line.
_PLACE_FIELDS = (
    r"\b(?:domicilio|direccion|localidad|provincia|pais|municipio|poblacion|anschrift|adresse|wohnort|wohnhaft in|ville"
    r"|code postal|indirizzo|citta|residenza|adres|woonplaats|morada|endereco|localidade|cidade|codigo postal|c\.?p)"
    r"(?:[ ]?/[ ]?\w+)?[ ]?:[ ]{0,9}([^\n\0;]*[^\s\0;.])"
)


def cued_spans(text: str, lexical: Lexicon, *, level: bool) -> Iterator[Span]:
    """What goes of folded ``text`` for its cue or shape; ``level``: its capitals tell nothing."""
    for label, pattern in _patterns(lexical.code):
        for hit in pattern.finditer(text):
            group = 1 if pattern.groups else 0
            if hit.end(group) > hit.start(group):
                yield hit.start(group), hit.end(group), label
    yield from _streets(text, lexical, level)
    yield from _places(text, lexical, level)
    yield from _facilities(text, lexical, level)
    yield from _towns(text, lexical, level)


def _towns(text: str, lexical: Lexicon, level: bool) -> Iterator[Span]:
    """Towns by their names: of several words everywhere, of one where it is led to or stands apart, words that they
    are."""
    words = list(re.finditer(r"[^\W\d_][\w']*", text))
    names, at = town_names(), 0
    while at < len(words):
        size = next(
            (n for n in range(min(_MAX_WORDS, len(words) - at), 0, -1) if _is_town(text, words[at : at + n], names)), 0
        )
        if (
            size
            and (size > 1 or _stands_as_town(text, words[at], lexical, level))
            and (level or words[at][0][0].isupper())
        ):
            yield words[at].start(), words[at + size - 1].end(), "ADDRESS"
        at += max(size, 1)


def _is_town(text: str, words: list[re.Match[str]], names: frozenset[str]) -> bool:
    whole = text[words[0].start() : words[-1].end()]
    return len(whole) >= _SHORTEST_TOWN and whole.lower() in names


def _stands_as_town(text: str, word: re.Match[str], lexical: Lexicon, level: bool) -> bool:
    low = word[0].lower()
    if low in lexical.medical or low in lexical.closed or low in lexical.short:
        return False
    ahead, behind = text[max(0, word.start() - 12) : word.start()], text[word.end() : word.end() + 2]
    led = re.search(rf"(?<!\w)(?:{lexical.toward})[ ]$", ahead, re.IGNORECASE) is not None
    apart = ahead.endswith(", ") and re.match(r"[,.;\n)]|$", behind) is not None
    if level:
        strange = lexical.compounds or low not in lexical.known
        return (led or apart) and strange and re.match(r"[ ]?[,.;:\n)]|$", behind) is not None
    return led or apart


def any_of(words: frozenset[str]) -> str:
    """The alternatives of a pattern, the longest first."""
    ordered = sorted(words, key=lambda w: (-len(w), w))
    return "|".join(re.escape(word).replace(r"\-", "[ -]") for word in ordered)


def run_end(text: str, at: int, lexical: Lexicon, *, level: bool, most: int, any_word: bool = False) -> int:
    """Where the words of a name end that begins at ``at``; ``at`` if none does.

    Particles belong to it before a further word. Among capitals and small letters a word of it has a capital; where
    ``level``, it is no word of grammar, and, but for ``any_word``, unknown, a name, or a saint's.
    """
    end, taken, links, pos, saint = at, 0, 0, at, False
    while taken < most and links < 4 and (hit := _RUN_WORD.match(text, pos)) is not None:
        low = hit[1].lower().rstrip(".")
        if low in _NUMBER_SIGNS and taken:
            break
        if low in LINKS and not (
            hit[1][0].isupper()
            and not level
            and low not in ("la", "le", "el", "san", "santa", "st", "sao", "sainte", "sint", "santo")
        ):
            pos, links, saint = hit.end(), links + 1, low in _SAINTS
            continue
        plain = lexical.is_closed(low) or low in lexical.roles
        plain = plain and not (hit[1][0].isupper() and not level and taken == 0 and any_word)
        strange = saint or lexical.is_maybe_name(low) or not lexical.is_known(low)
        fits = (
            not plain and (any_word or (strange and not lexical.is_medical(low)))
            if level
            else hit[1][0].isupper() and not plain
        )
        saint = low in _SAINTS
        if not fits:
            break
        end = pos = hit.end()
        taken += 1
    return end


def _streets(text: str, lexical: Lexicon, level: bool) -> Iterator[Span]:
    if lexical.compounds:
        for hit in _germanic_street(lexical.code).finditer(text):
            start = hit.start()
            before = re.search(r"(?:(?<=\s)|(?<=^))(?:[\w.'-]+[ ]){1,2}$", text[max(0, start - 30) : start])
            for word in reversed(before[0].split()) if before else ():
                low = word.lower()
                plain = lexical.is_closed(low) and low not in _STREETS_ARE
                if low not in LINKS and (plain if level else not word[0].isupper()):
                    break
                start = text.rfind(word, 0, start)
            if start < hit.start() or hit.end(1) - hit.start(1) > 2:
                yield start, hit.end(), "ADDRESS"
        for hit in re.finditer(
            rf"{_LANES}((?:[ ][^\W\d_][\w-]+){{1,2}})[ ]\d{{1,3}}[ ]?[a-z]?\b{_ADDRESS_ENDS}", text, re.I
        ):
            words = hit[1].lower().split()
            if not any(lexical.is_medical(w) or lexical.is_closed(w) for w in words[-1:]) and (
                level or hit[1][1].isupper()
            ):
                yield hit.start(), hit.end(), "ADDRESS"
        return
    for hit in _romance_street(lexical.code).finditer(text):
        numbered = _NUMBERED.match(text, hit.end())
        end = run_end(text, hit.end(), lexical, level=level, most=4, any_word=True)
        end = max(end, numbered.end() if numbered else end)
        whole = _TO_COMMA.match(text, hit.end()) if hit["n"] and level else None
        end = max(end, whole.end(1) if whole else end)
        house = _HOUSE.match(text, end)
        if end > hit.end() and (house is not None or hit["n"]):
            yield hit.start(), house.end() if house and not hit["n"] else end, "ADDRESS"


@cache
def _germanic_street(code: str) -> re.Pattern[str]:
    kinds = any_of(lexicon(code).street)
    return re.compile(
        rf"(?<![\w-])([\w.-]*?)(?:{kinds})\b\.?[ ]?\d{{1,4}}(?!\d|[.,]\d){_UNIT}(?:[ ]?[a-z]\b|-i{{1,3}}\b)?", re.I
    )


@cache
def _romance_street(code: str) -> re.Pattern[str]:
    kinds = any_of(lexicon(code).street)
    return re.compile(
        rf"(?:(?<![\w.,/-])(?P<n>\d{{1,4}}(?:[ ]?(?:bis|ter))?)[ ]?,?[ ]+)?(?<![\w'])(?:{kinds})(?:\.[ ]?|[ ]+"
        rf"|(?<=/)[ ]?)",
        re.I,
    )


def _places(text: str, lexical: Lexicon, level: bool) -> Iterator[Span]:
    """Postal codes and the towns behind them."""
    for hit in _code(lexical.code).finditer(text):
        groups = hit.groupdict()
        sure, weak = groups.get("sure"), groups.get("weak")
        ahead = text[max(0, hit.start() - 3) : hit.start()]
        apart = not ahead.strip(" ") or ahead.rstrip(" ")[-1] in ",\n;|"
        if sure and lexical.code == "nl" and not _is_dutch_code(sure, lexical, level):
            continue
        if weak and (not apart or re.fullmatch(r"(?:19|20)\d\d", weak)):
            continue
        if not sure and level and not apart:
            continue
        most = 2 if lexical.capital_nouns else 4
        end = run_end(text, hit.end(), lexical, level=level, most=most, any_word=True)
        if end == hit.end() and not sure:
            continue
        if lexical.capital_nouns and not level:
            end = _german_town(text, hit.end(), end, lexical)
        tail = _TOWN_TAIL.match(text, end)
        road = None if level else _ROAD_BEFORE.search(text, max(0, hit.start() - 60), hit.start())
        if road is not None and not lexical.is_medical(road[1].lower()):
            yield road.start(1), hit.start(), "ADDRESS"
        yield hit.start(), max(hit.end() - 1, tail.end() if tail else end), "ADDRESS"


# "Gaspar Aguilar 90. 46017": a road without its kind before the postal code.
_ROAD_BEFORE = re.compile(
    r"(?<![\w.])([A-Z][\w']*)(?:[ ](?:de[l]?|la|los|las|di|du|des|da|do|dos|[A-Z][\w'.]*)){0,5},?[ ](?:no?\.?["
    r" ])?(?:\d{1,4}|s/?n)"
    r"(?:,?[ ]\d{0,2}[ao.]{0,2}[ ]?[A-Z]{0,3})?[,.]?[ \n-]{1,3}$"
)


def _is_dutch_code(code: str, lexical: Lexicon, level: bool) -> bool:
    """ "1162 PS", and no "2013 in"."""
    letters = re.sub(r"[\d -]", "", code)
    return "-" in code or (not lexical.is_closed(letters.lower()) and (level or letters.isupper()))


def _german_town(text: str, start: int, end: int, lexical: Lexicon) -> int:
    """Every noun has a capital in German: a second word is of the town's name if it is no word."""
    words = list(re.finditer(r"[^\W\d_]+", text[start:end]))
    for word in words[1:]:
        low = word[0].lower()
        if (
            low not in LINKS
            and lexical.is_known(low)
            and not lexical.is_maybe_name(low)
            and words[0][0].lower() not in ("bad", "st", "sankt")
        ):
            return start + word.start() - 1
    return end


@cache
def _code(code: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w.,/-])(?:{lexicon(code).postal_codes})(?!\w)(?:[ ]+|(?=[,\n.;]|$))", re.IGNORECASE)


_ADJECTIVES = (
    r"(?:general|universit\w+|clinico|provincial|regional\w*|civile|central\w*|comarcal|municipal"
    r"|distrital|maggiore|hospital\w+|medisch|academisch|intercommunal|diagnostico|de salud|de"
    r" saude|di cura|de misericordia|das clinicas|d'imagerie|medicale|ospedalier[oa])"
)


def _facilities(text: str, lexical: Lexicon, level: bool) -> Iterator[Span]:
    for hit in _facility(lexical.code).finditer(text):
        end = run_end(text, hit.end(), lexical, level=level, most=3)
        if lexical.capital_nouns and not level and end > hit.end():
            first = re.match(r"[ -]*(?:[\"]|in[ ]|am[ ])?([^\W\d_]+)", text[hit.end() : end])
            low = first[1].lower() if first else ""
            if low not in LINKS and lexical.is_known(low) and not lexical.is_maybe_name(low):
                end = hit.end()
        own = re.sub(r"[\s.\"-]+", "", hit["own"] or "").lower()
        named = len(own) > 2 and (not lexical.is_known(own) or lexical.is_name(own) or "-" in (hit["own"] or ""))
        if end > hit.end() or named:
            yield hit.start(), end if end > hit.end() else hit.start("kind") + len(hit["kind"]), "FACILITY"


@cache
def _facility(code: str) -> re.Pattern[str]:
    kinds = any_of(lexicon(code).facility)
    own = r"(?P<own>(?:(?:st|sankt|sint|st\.)[ .-]{1,2})?[\w'.-]*?)" if lexicon(code).compounds else r"(?P<own>)"
    return re.compile(
        rf"(?<![\w'-]){own}(?P<kind>(?:{kinds})(?:[ ]{_ADJECTIVES})*)(?:[ ](?:\"|n\.?[ ]?s(?:ra)?\.?[ ])|(?=["
        rf" \n,.;:)-]|$))",
        re.I,
    )


@cache
def _patterns(code: str) -> tuple[tuple[str, re.Pattern[str]], ...]:
    """(label, pattern): the first group is the span, or all of it."""
    lexical = lexicon(code)
    months, days = "|".join(lexical.months), any_of(lexical.days)
    ids, phone = any_of(lexical.ids), any_of(lexical.phone)
    number = r"(?:n[or]?\.?o?|num(?:ero)?\.?|nummer|nr|nro|numero|cod(?:igo|ice)?\.?)"
    day = r"(?:0?[1-9]|[12]\d|3[01])"
    raw = [
        ("ADDRESS", _PLACE_FIELDS),
        ("ADDRESS", _ROOMS),
        ("ID", rf"\b(?:{ids})\b\.?(?:[ ]?(?:{number}|clinica|paciente|fiscale|clinico|social|de|del|di|do|da"
            rf"|code|id))*[ .:#=-]*{_VALUE}"),
        ("ID", rf"(?<!\w){number}[ ](?:d[eiao]l?[ ])?(?:[a-z]+\.?[ ]?){{1,3}}[ .:#=]+{_VALUE}"),
        ("PHONE", rf"\b(?:{phone})\b\.?[ ]?(?:n[or.]{{0,2}})?[ .:]*(\(?\+?\d[\d ()./-]{{1,20}}\d)"),
        *(("PHONE", shape) for shape in _PHONES),
        ("AGE", rf"(?<![\w.,])(?:9\d|1[0-4]\d)(?=[ -]{{0,2}}{lexical.years})"),
        ("AGE", rf"\b(?:{lexical.aged})[ :]{{1,3}}(9\d|1[0-4]\d)\b{_UNIT}"),
        ("AGE", rf"\b(?:{lexical.old})\b"),
        ("DATE", rf"\b(?:{day}(?:[o.]|er)?[ ](?:de[ ])?)?(?:{months})(?:[ ](?:de[ ]|del[ ])?(?:19|20)\d\d)?\b"),
        ("DATE", rf"\b{day}(?:[o.]|er)?[ ](?:de[ ])?(?:{_SHORT_MONTHS})\b\.?(?:[ ](?:de[ ]|del[ ])?(?:19|20)\d\d)?"),
        ("DATE", rf"(?<![\w.,/-]){day}\.(?:0[1-9]|1[0-2])\.(?![\w]|[ ]?(?:19|20)\d\d)"),
        ("DATE", rf"\b(?:{lexical.on})[ ]{{1,2}}({day}(?:[/-](?:0?[1-9]|1[0-2])|\.(?:0?[1-9]"
            rf"|1[0-2])\.))(?![\w/-]|[.,]\d){_UNIT}"),
        ("DATE", rf"\b(?:{days})s?\b"),
        ("TIME", rf"\b(?:{lexical.at})[ ]{{1,2}}({_HOUR}[.:h][0-5]\d)(?![\d/-]|[.,]\d){_UNIT}"),
        ("TIME", rf"(?<![\w.,:/-]){_HOUR}(?:[.:][0-5]\d)?[ ]?(?:uhr|uur|hs?|hrs|horas?|heures?|ore)\b(?:["
            rf" ]?[0-5]\d\b)?"),
        ("TIME", r"(?<![\w.,:/-])(?:[01]\d|2[0-3])[.][0-5]\d(?=\s*(?:$|\n|[.),;](?:\s|$)))"),
        *(("ID", shape) for shape in _NUMBERS),
    ]  # fmt: skip
    return tuple((label, re.compile(pattern, re.IGNORECASE)) for label, pattern in raw)
