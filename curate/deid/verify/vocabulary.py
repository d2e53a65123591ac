"""The verifier's vocabulary of words that are no names: English, the standard's terms, medical words by ending, and the
frequent words of six other languages; and in which of these languages a text is.

An unknown word is not necessarily a name; but if it is capitalised in a source and occurs in the output again, it has
not been proven to be none.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

from pydicom.datadict import DicomDictionary  # type: ignore[attr-defined]
from pydicom.sr.codedict import codes

from curate.deid.verify.normalise import plain
from curate.deid.word_lists import read_word_list, word_sections

# Endings of words of anatomy, disease, procedures, drugs and chemistry.
_MEDICAL = re.compile(
    r".{2,}(?:itis|itid(?:es|al)|os[ie]s|otic|ectom(?:y|ies)|ostom(?:y|ies)|otom(?:y|ies)|plast(?:y|ies|ic)|graph(?:y|ic|ies|ically)?"
    r"|gram(?:s|me)?|grams?|scop(?:y|ic|ies|e)|oma(?:s|ta|tous)?|ology|ological(?:ly)?|ologic|ologists?|path(?:y|ic|ies)|emi[ac]"
    r"|uri[ac]|algi[ac]|penia|plasi[ac]|plastic|troph(?:y|ic|ied|ies)|ectas(?:is|es)|ectatic|cele|edema|stenos[ei]s|stenotic|megaly|megalic"
    r"|plegi[ac]|pleural|cardia[cl]?|pulmonary|vascular|vertebr(?:a|ae|al)|lumbar|sacral|thora(?:x|cic)|cost(?:al|o\w+)"
    r"|phren\w+|cranial|cephal(?:ic|y|us)|ventric\w+|arter(?:y|ies|ial)|ven(?:ous|ography)|arthr\w+|chondr\w+|osseous|oste\w+|genic"
    r"|genesis|trop(?:ic|y)|lysis|lytic|listhesis|lithiasis|phyt(?:e|es|ic)|lucen(?:cy|cies)|desis|pexy|rrh[ao]g(?:e|ic|es)|rrhea|pnea|phagi[ac]|phasi[ac]|opi[ac]"
    r"|ation(?:al|s)?|[st]ions?|itic|isms?|abl[ey]|ibl[ey]|ally|edly|ous(?:ly)?|ness|ized?|ised?|like|oid(?:al|s)?|ular(?:ity|ly)?"
    r"|ferous|form|mab|nib|statin|olol|pril|sartan|azole|mycin|cillin|oxacin|azepam|cycline|vir|prazole|parin|caine|ide|ine|ium|ase)"
)  # fmt: skip
_STARTS = re.compile(
    r"(?:sub|supra|infra|peri|para|retro|inter|intra|trans|hyper|hypo|multi|bi|tri|uni|non|pre|post|anti|pseudo|pneumo|cardio"
    r"|broncho|cholecyst|hepato|nephro|neuro|osteo|spondyl|thoraco|gastro|entero|angio|cyst|chole|micro|macro|hemi|poly|para"
    r"|mid|over|under|un|re|de|dis|extra|electro|echo|radio|ultra|endo|epi|mammo|mal|fluoro|tomo|ortho|out|hemo|hydro"
    r"|myelo|costo|acromio|glen|tibio|femoro|humero|ulno|radio|sterno|clav|atelect|tortu|calc|emphys|pneum)\w{3,}"
)


@cache
def known_words() -> frozenset[str]:
    """English words of four and more letters, those of the standard's attributes and codes, and jargon; lower case."""
    jargon = (files("curate.deid.verify") / "data" / "jargon.txt").read_text(encoding="utf-8").splitlines()
    by_hand = {word for line in jargon if not line.startswith("#") for word in line.split()}
    return frozenset({*read_word_list("verify/data", "english")} | standard_words() | by_hand)


@cache
def standard_words() -> frozenset[str]:
    """The words of the standard's attribute names and code meanings (PS3.6, PS3.16)."""
    text = " ".join(str(entry[2]) for entry in DicomDictionary.values())
    for scheme in ("SCT", "DCM", "UCUM", "FMA", "UMLS", "NEU", "LN"):
        dictionary: Any = getattr(codes, scheme)
        text += " " + " ".join(re.findall(r"[A-Z]?[a-z]{2,}|[A-Z]{2,}", " ".join(dictionary.dir())))
    return frozenset(word.lower() for word in re.findall(r"[A-Za-z]{3,}", text))


def is_standard(word: str) -> bool:
    """True for a word of the standard's own vocabulary, or of medicine by its form; ``word`` in lower case."""
    return word in standard_words() or _MEDICAL.fullmatch(word) is not None


@lru_cache(maxsize=65536)
def is_known(word: str) -> bool:
    """True for a word of at most three letters, a known one, its plural or possessive, a compound of known words, or a
    medical one by its form. ``word`` in any case, of letters, hyphens and apostrophes."""
    plain = word.lower().replace("’", "'")
    for ending in ("'s", "'"):
        plain = plain.removesuffix(ending)
    if "-" in plain or "'" in plain:
        return all(is_known(part) for part in re.split(r"[-']", plain))
    if len(plain) < 4 or plain in known_words() or _MEDICAL.fullmatch(plain):
        return True
    stems = (
        plain.removesuffix(s) for s in ("s", "es", "ed", "ing", "ly", "al", "ic", "d", "r", "er", "ies", "ae", "x")
    )
    if any(
        len(stem) > 3 and stem != plain and (stem in known_words() or f"{stem}e" in known_words()) for stem in stems
    ):
        return True
    return _STARTS.fullmatch(plain) is not None and any(plain[n:] in known_words() for n in range(2, len(plain) - 3))


CODES = ("de", "es", "fr", "it", "nl", "pt")
_FUNCTION = {
    code: frozenset(map(plain, word_sections("words", "verify/data")[f"function {code}"])) for code in ("en", *CODES)
}


_MIN_WORDS = 3  # words of four and more letters that tell a language without its function words


@lru_cache(maxsize=64)
def language(text: str) -> str:
    """The language code by a text's function words: "en" unless another language has more of them; by frequent words
    where it has none of any and English knows less than half of it, or half where the other language knows all."""
    words = Counter(re.findall(r"[^\W\d_]+", plain(text).lower()))
    votes = {code: sum(n for w, n in words.items() if w in own) for code, own in _FUNCTION.items()}
    if not any(votes.values()):
        long = [w for w in words if len(w) > 3]
        votes["en"] = sum(w in known_words() for w in long)
        least = len(long) if 2 * votes["en"] == len(long) else 0
        if 2 * votes["en"] <= len(long) > _MIN_WORDS:
            counts = {code: sum(w in frequent for w in long) for code, frequent in _frequent().items()}
            votes |= {code: n for code, n in counts.items() if n >= least}
    best = max(CODES, key=lambda code: votes[code])
    return best if votes[best] > votes["en"] else "en"


@cache
def _frequent() -> dict[str, frozenset[str]]:
    listed = "\n".join(read_word_list("verify/data", "others"))
    parts = re.split(r"^## (\w\w)\n", listed, flags=re.MULTILINE)[1:]
    return {code: frozenset(plain(body).split()) for code, body in zip(parts[::2], parts[1::2], strict=True)}


@cache
def _borne() -> frozenset[str]:
    return frozenset(read_word_list("verify/data", "names"))


def is_borne(word: str) -> bool:
    """True for a frequent word of these languages that people or towns are called by as well (Wolf, Petit, Essen)."""
    return not _borne().isdisjoint(plain(word.lower()).split("-"))


# Endings of medical words in these languages.
_MEDICAL_ELSEWHERE = re.compile(
    r".{2,}(?:olog(?:en?|in|[oai]s?|ues?|ist[ae]s?|i[ae]|isch\w{0,2})|oloog|irurg\w{0,4}|itis|ite|iti|itide[ns]?|os[ei]n?|osis|omas?|ome[ns]?|omi|ektomi?en?|ectomi[ae]s?|tomi[ae]s?"
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
    if low in known or low.rstrip("snaeio") in known or _MEDICAL_ELSEWHERE.fullmatch(low) is not None:
        return True
    return "-" in low and all(len(part) < 4 or is_word_of(part, code) for part in low.split("-"))


def is_function_word(word: str, code: str) -> bool:
    """True for a function word of the language ``code``; ``word`` in lower case."""
    return word in _FUNCTION[code]
