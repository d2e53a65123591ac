"""Languages other than English for the verifier: detection, vocabulary, names and places.

A language is detected by its function words, words are known by frequency (`data/others.words`), names by titles and
agents. Nothing is shared with the cleaning.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache, lru_cache

from curate.deid.verify.normalise import plain
from curate.deid.word_lists import read_word_list


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


CODES = ("de", "es", "fr", "it", "nl", "pt")
_BUILDERS = {
    "en": "the of and with is are was there from this that not has been seen without by which were",
    "de": "der die das und mit ist sind kein keine keinen nicht im den dem des von bei zur zum nach ein eine"
    " wurde ohne auf vom befund "
    "herr herrn frau geb gez links rechts beidseits jahre uhr verdacht",
    "es": "el la los las del en con no se sin por un una al que y paciente fdo informado derecho derecha izquierdo"
    " izquierda hallazgos dra sra",
    "fr": "le la les des du et en avec pas sans une un au est par aux il ce dans sur ne droit droite gauche mme"
    " mlle monsieur madame",
    "it": "il la lo gli non no di della con nel al alla sono un una senza dal dalla referto paziente sinistro sinistra"
    " destro destra dott sig",
    "nl": "het een van en met geen op bij zijn niet voor naar door werd aan dat links rechts verslag conclusie"
    " uur dhr mevr",
    "pt": "os da dos nao as pelo pela paciente anos das em com sem na um uma por ao se ha foi direito direita esquerdo"
    " esquerda laudo exame"
    " dra sra utente doente",
}
_BUILDS = {code: frozenset(plain(words).split()) for code, words in _BUILDERS.items()}
_WORD = re.compile(r"[^\W\d_]+")
_MIN_MARGIN = 1  # function words more than English ones, for a text to be in another language


@lru_cache(maxsize=64)
def language(text: str) -> str:
    """The language code by a text's function words: "en" unless another language has more of them."""
    words = Counter(_WORD.findall(plain(text).lower()))
    votes = {code: sum(n for w, n in words.items() if w in builds) for code, builds in _BUILDS.items()}
    best = max(CODES, key=lambda code: votes[code])
    return best if votes[best] >= votes["en"] + _MIN_MARGIN else "en"


@cache
def _frequent() -> dict[str, frozenset[str]]:
    listed = "\n".join(read_word_list("verify/data", "others"))
    parts = re.split(r"^## (\w\w)\n", listed, flags=re.MULTILINE)[1:]
    return {code: frozenset(plain(body).split()) for code, body in zip(parts[::2], parts[1::2], strict=True)}


# Endings of medical words in these languages.
_MEDICAL = re.compile(
    r".{2,}(?:itis|ite|iti|itide[ns]?|os[ei]n?|osis|omas?|ome[ns]?|omi|ektomi?en?|ectomi[ae]s?|tomi[ae]s?"
    r"|gra[fp]h?i[aekc]\w{0,4}|gramm?[aeo]?s?|skop\w{2,5}"
    r"|scopi\w{1,3}|pathi?\w{1,4}|pati[ae]s?|[ae]mi[ae]s?|uri[ae]s?|algi[ae]s?|plasi[ae]s?|trophi?[ae]s?"
    r"|trofi[ae]s?|stenos?[ei]s?|ektasi\w{1,2}|ectasi\w{1,2}"
    r"|ic[oai]s?|iche|iques?|isch\w{0,2}|ales?|ali|aux|aires?|ar(?:e|i|es)?|os[oai]s?|cion(?:es)?|zion[ei]"
    r"|sion[ei]?s?|[cs]ao|[cs]oes|tions?|ti?es?"
    r"|mente?|ung(?:en)?|keit|heit|ado|ada|ados|adas|ato|ata|ati|ate|ees?|ido|ida|uto|uta|ante?s?|ente?s?|enti"
    r"|ancia|encia|enza|anza|ance|ence|eerd|ingen|ing)"
)


def is_word_of(word: str, code: str) -> bool:
    """True for a frequent word of the language ``code``, its plural, or one of medicine by its form."""
    low = word.lower()
    known = _frequent().get(code, frozenset())
    if low in known or low.rstrip("snaeio") in known or _MEDICAL.fullmatch(low) is not None:
        return True
    return "-" in low and all(len(part) < 4 or is_word_of(part, code) for part in low.split("-"))


_OFFICES = _words(
    """
    dott dottssa ssa dottor dottore dottoressa prof profssa sig sigra sigg signor signora herr herrn frau
    dres doktor kollege kollegin oberarzt chefarzt facharzt arzt arztin radiologe radiologin mtra mta
    patient patientin ehefrau ehemann doctor doctora medico medica medecin radiologo radiologa radiologista
    radiologue radioloog tecnico tecnica chirurg chirurgo chirurgien cirurgiao cirujano docteur professeur
    monsieur madame mademoiselle mlle confrere interne senhor senhora dona dhr mevr mevrouw drs collega
    laborant huisarts arts paciente paziente utente doente pcte sra srta exmo exma nombre name nome naam nom
    service servicio servizio servico afdeling abteilung klinik radiologie radiologia imagiologia
    versichertennummer uhr hospital schreibkraft assistenz firmato firmado signe getekend assinado gez
    unfallchirurg orthopade internist telefone telefono telefon telefoon
    """
)


def is_function_word(word: str, code: str) -> bool:
    """True for function words of the language ``code``, titles and offices."""
    return word.lower() in _BUILDS[code] or word.lower() in _OFFICES


_NAME = r"[A-Z][^\W\d_]{1,60}(?:['’-][^\W\d_]{1,60}){0,4}"
_LINK = r"(?:(?:van|von|vom|de|der|den|del|della|dei|di|da|do|dos|das|du|des|la|le|el|zu|ter|ten)[ ]){0,3}"
RUN = rf"{_LINK}(?:[A-Z]\.[ ]?|{_NAME})(?:,?[ ]{_LINK}(?:[A-Z]\.|{_NAME})){{0,3}}"
_UNBROKEN = RUN.replace(",?[ ]", "[ ]")  # behind a title no comma is inside a name
_TITLES = {
    "de": r"Herrn?|Frau|Hr\.|Fr\.|Dr\.|Dres\.|Prof\.|OA|OA|CA|HERRN?|FRAU|DR\.|PROF\.",
    "es": r"Don|Dona|Dna\.|D\.|D[aa]\.?|Sr\.|Sra\.|Srta\.|Dr\.?|Dra\.?|DR\.?|DRA\.?|SR\.|SRA\.",
    "fr": r"Monsieur|Madame|Mademoiselle|M\.|MM\.|Mme|Mlle|Dr|Docteur|Pr|Professeur|DR|MME|M\.|DOCTEUR|MONSIEUR|MADAME",
    "it": r"Sig\.(?:ra|na)?|Sigg\.|Signora?|Dott\.(?:ssa)?|Dr\.?|Prof\.(?:ssa)?|SIG\.(?:RA)?|DOTT\.(?:SSA)?"
    r"|DR\.?|PROF\.",
    "nl": r"Dhr\.|Mevr\.?|Mevrouw|mevrouw|mevr\.|dhr\.|Mw\.|De heer|Dr\.|dr\.|Drs\.|drs\.|Prof\.|collega|DR\."
    r"|DRS\.|DHR\.|MEVR\.",
    "pt": r"Sr\.a?|Sra\.|Senhora?|Dr\.a?|Dra\.|D\.|Prof\.a?|Exmo\. Sr\.|DR\.|DRA\.|SR\.|SRA\.",
}
_AGENTS = {
    "de": r"(?i:befundet|diktiert|erstellt|unterschrieben|freigegeben|gez\.?|gezeichnet|untersucher|zuweiser"
    r"|hausarzt|schreibkraft|assistenz|patient(?:in)?"
    r"|befunder|mutter|vater|tochter|sohn|arzt|arztin|name)",
    "es": r"(?i:informado|firmado|realizado|transcrito|validado|remitido|revisado|fdo\.?|tecnico|tecnico|medico"
    r"|medico|paciente|pte\.?|hija|hijo|madre|padre|guardia)",
    "fr": r"(?i:etabli|etabli|signe|signe|realise|realise|valide|dactylographie|manipulateur|medecin|medecin"
    r"|patiente?|pt|mere|fille|fils|pere|garde|correspondant)",
    "it": r"(?i:refertato|firmato|eseguito|trascritto|validato|tecnico|medico|paziente|pz\.?|figlia|figlio"
    r"|madre|padre|guardia|curante)",
    "nl": r"(?i:verslaglegging|uitgevoerd|getekend|get\.|opgesteld|uitgewerkt|laborant|aanvrager|arts"
    r"|pati[ee]nte?|pt\.?|moeder|vader|dochter|zoon|partner|huisarts)",
    "pt": r"(?i:laudado|assinado|realizado|digitado|liberado|ass\.?|tecnico|tecnico|medico|medico|paciente|pcte"
    r"|utente|doente|filha|filho|mae|pai|plantao)",
}
_HOUSES = {
    "de": r"[\w.-]*(?:krankenhaus|klinikum|hospital|spital|klinik|praxis"
        r"|mvz)", "fr": r"hopital|hopital|clinique|polyclinique|centre hospitalier|chu|cabinet",
    "es": r"hospital|clinica|clinica|centro de salud|complejo"
        r" hospitalario", "it": r"ospedale|clinica|policlinico|azienda ospedaliera|casa di cura|presidio",
    "nl": r"ziekenhuis|kliniek|medisch centrum|zorgcentrum"
        r"|\w*ziekenhuis", "pt": r"hospital|clinica|clinica|centro hospitalar|centro de saude|santa casa|ubs",
}  # fmt: skip
_ROADS = (
    r"(?:\b\d{1,4}(?: bis| ter)?,? )?\b(?:rue|avenue|boulevard|place|chemin|quai|impasse|allee|calle|c/|avda\.?"
    r"|avenida|plaza|paseo|ronda|via|viale|corso|piazza|largo"
    r"|vicolo|rua|travessa|praca|praca|alameda|estrada)\.? (?:(?:de|del|della|dei|des|du|da|do|das|dos|la|los"
    r"|las|le|les|l'|d')[ ]?){0,3}[^\W\d_][\w'.]*"
    r"(?: [^\W\d_][\w'.]*){0,3}?,? (?:n[ºo.°]*\.? ?)?\d{1,4}\b(?!\s?(?:mm|cm|%))",
    r"\b\d{1,4}(?: bis| ter)?,? (?:rue|avenue|boulevard|place|chemin|quai|impasse|allee) [^\n,;0-9]{3,40}(?=,|\n|$)",
    r"\b[\w.-]{2,}(?:stra(?:ss|ß)e|str\.|weg|platz|allee|gasse|ring|straat|laan|plein|gracht|kade|singel)"
    r" \d{1,4}[a-z]?\b(?!\s?(?:mm|cm|%))",
    r"(?<![\w.,/-])(?:[A-Z]{1,2}-\d{4,5}|\d{5}|\d{4} ?[A-Z]{2}|\d{4}-\d{3}|\d{5}-\d{3}) [A-Z][\w'-]{2,}",
)


@cache
def _cues(code: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    titles = (
        rf"(?<![\w.])(?:{_TITLES[code]})(?: ?(?:med\.|Dr\.|Prof\.|dr\.|Kollegin|Kollege|colega"
        rf"|confrere))*[ ]{{1,2}}({_UNBROKEN})"
    )
    agents = rf"(?<![\w]){_AGENTS[code]}(?:[ ](?:por|par|da|door|von|durch|dal))?[ ]?[:,]?[ ]{{1,3}}({RUN})"
    return re.compile(titles), re.compile(agents)


def names_after_titles(text: str, code: str) -> Iterator[tuple[int, int]]:
    """Spans of names after a title."""
    yield from (hit.span(1) for hit in _cues(code)[0].finditer(text))


def names_after_roles(text: str, code: str) -> Iterator[tuple[int, int]]:
    """Spans of capitalised words after a word for who signs, requests or is examined."""
    yield from (hit.span(1) for hit in _cues(code)[1].finditer(text))


def facility_spans(text: str, code: str) -> Iterator[tuple[int, int]]:
    """Spans of facilities with their names."""
    kinds = _HOUSES[code]
    pattern = (
        rf"(?<!\w)(?i:{kinds})(?:[ ](?:de|do|da|di|van|of|Sint|San|Santa|Sao|Sainte?|Universit\w+|General"
        rf"|Civile|Regional))*[ -]{_LINK}[A-Z][\w'-]{{2,}}"
    )
    yield from (hit.span() for hit in re.finditer(pattern, text))


def street_spans(text: str) -> Iterator[tuple[int, int]]:
    """Spans of streets with numbers and of postal codes with towns."""
    for pattern in _ROADS:
        for hit in re.finditer(pattern, text, 0 if pattern == _ROADS[3] else re.IGNORECASE):
            if not re.match(r"(?:19|20)\d\d ?[A-Z]{2} ", hit[0]):  # "2013 IN ..."
                yield hit.span()
