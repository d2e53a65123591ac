"""The measure's own words of each language: what of a span tells no one, what may go along, the closed class."""

from __future__ import annotations

import re

from benchmarks.deid.frames.words import CLOSED, NEUTRAL, OF_A_KIND, Measure

# Of a span, tell no one: kinds of streets and houses, particles, what links.
_KINDS = {
    "de": """krankenhaus klinikum klinik universitätsklinikum kreiskrankenhaus kantonsspital mvz praxis radiologische
    radiologie
    gemeinschaftspraxis evangelisches straße str am an der zum zur alten bad von in dr hospital""",
    "es": """hospital universitario clínica centro salud general comarcal complejo hospitalario norte nuestra señora
    del de la
    los las calle avda avenida plaza paseo ronda camino carretera san izq dcha el""",
    "fr": """centre hospitalier chu clinique hôpital polyclinique cabinet radiologie imagerie médicale rue avenue
    boulevard
    place chemin allée impasse quai de la le les des du sur bis ter sainte saint général trois en yon val""",
    "it": """ospedale civile azienda ospedaliera policlinico casa di cura villa clinica centro diagnostico presidio
    ospedaliero maggiore via corso piazza viale largo strada vicolo del della dei san santa settembre de lo""",
    "nl": """ziekenhuis medisch centrum streekziekenhuis universitair huisartsenpraktijk zorgcentrum kliniek az sint
    anna de
    van der den ten op zoom het oude lange prins""",
    "pt": """hospital das de da do dos santa casa clínica centro hospitalar municipal distrital ubs saúde rua avenida av
    travessa largo alameda praça estrada nacional esq dto nova vila são peso""",
}
# Beside a span, may go with what they announce.
_BESIDE = {
    "de": "frau herr herrn hr fr prof med pat patient kv nr geb station zi oa mta mtra lanr uhr steuer",
    "es": "d don doña dª sr sra dra nhc cip nie dni colegiado col nº pte hab cama ss hospital el la h horas",
    "fr": "monsieur madame mme mlle pr docteur cher chère né née ipp nir rpps chambre patient au le la ans interne",
    "it": "sig signora sigg dott dottssa ssa egregio gentile ore nato nata pz letto cod paziente il la cf presso",
    "nl": "dhr mevr mw mevrouw drs pt kamer bsn agb van der de den dd uur jarige patiënt huisarts vander",
    "pt": "sra dra exmo d cara utente doente pcte leito crm cpf nº nif prof senhor senhora dia anos",
}
_LEVEL = r"\b(?:[CTLSD]|LWK |BWK |HWK )\d{1,2}(?:[-/][CTLS]?\d{1,2})?\b"
_NUMBER = r"\b\d+(?:[.,]\d+)?\ ?(?:mm|cm|ml|%)(?!\w)"
_NEGATION = {
    "de": r"kein\w*|nicht|ohne|nie|weder|ausgeschl\w*|frei\w*|steinfrei",
    "es": r"no|sin|ni|ausencia|libres?|descartad\w*",
    "fr": r"pas|sans|aucune?s?|ni|absence|non|libres?",
    "it": r"non|no|senza|né|assenza|nessun\w*|liber[oai]|alitiasica",
    "nl": r"geen|niet|zonder|vrije?",
    "pt": r"não|sem|nem|ausência|livres?|nenhum\w*",
}
_SIDE = {
    "de": r"links\w*|rechts\w*|linke\w*|rechte\w*|beidseits|bds|li|re",
    "es": r"izquierd[oa]s?|derech[oa]s?|bilateral(?:es)?|izq|dcha",
    "fr": r"gauche|droite?|bilatérale?|dte|côtés",
    "it": r"sinistr[oaie]|destr[oaie]|bilateral\w*|dx|sn",
    "nl": r"links|rechts|linker|rechter|beiderzijds|li|re",
    "pt": r"esquerd[oa]|direit[oa]|bilateral\w*|esq|dir",
}
_SEVERITY = {
    "de": r"gering\w*|leicht\w*|mäßig\w*|deutlich\w*|schwere?\w*|große\w*|akut\w*|unauff\w*|regelrecht\w*"
    r"|vergrößert\w*|suspekt\w*",
    "es": r"leve|moderad[oa]|grave|discret[oa]|agud[oa]s?|normal(?:es)?|simple|sospechosas?",
    "fr": r"minime|modérée?|sévère|discret|aiguë?|normale?s?|simple|suspecte|récente",
    "it": r"lieve|modesta|severa|acuto|normal[ei]|semplice|sospett[oe]|recenti|norma",
    "nl": r"geringe?|lichte|matige|ernstige|acute|normaal|normale|verdachte|vergrote?|recente",
    "pt": r"leve|moderada|grave|discreta|agudo|normal|normais|simples|suspeitas?|recentes",
}
_HEADS = {
    "de": "befund|beurteilung|vergleich|indikation|angaben|klinische angaben|diagnose|empfehlung|frage",
    "es": "hallazgos|conclusión|motivo|datos clínicos",
    "fr": "résultats?|conclusion|indication|motif|renseignements cliniques",
    "it": "referto|conclusioni|quesito|motivo|notizie cliniche",
    "nl": "verslag|conclusie|bevindingen|indicatie|reden|klinische gegevens",
    "pt": "relatório|conclusão|indicação|achados|motivo|dados clínicos",
}


def _any(words: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{words})\b", re.IGNORECASE)


def measure_of(code: str) -> Measure:
    """What a text in the language ``code`` is judged by."""
    closed = {
        "negation": _any(_NEGATION[code]),
        "side": _any(_SIDE[code]),
        "severity": _any(_SEVERITY[code]),
        "number and unit": re.compile(_NUMBER, re.IGNORECASE),
        "level": re.compile(_LEVEL, re.IGNORECASE),
        "heading": re.compile(rf"\b(?:{_HEADS[code]})(?=\s?:)", re.IGNORECASE),
        "list number": CLOSED["list number"],
    }
    kinds = frozenset(w.casefold() for w in _KINDS[code].split())
    return Measure(OF_A_KIND | kinds, NEUTRAL | frozenset(_BESIDE[code].split()) | kinds, closed)
