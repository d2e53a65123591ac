"""Words of medicine that are the same Greek and Latin in every language: artrodesi, artrodese, Arthrodese, arthrodesis.

A word is brought to the root that its spellings share: th is t, ph is f, k and z are c, y is i, doubled letters are
one,
and what languages end words in (-al, -ale, -ique, -isch, -ción, -zione, -tie) goes. It is known where an English word
of medicine has the same root. What is on a list of names is never looked up here (`curate.deid.words.lexicon`).
"""

from __future__ import annotations

import re
from functools import cache, lru_cache

from curate.deid.words.vocabulary import is_given_name, is_surname, medical_words

_SHORTEST = 6  # letters of a root: shorter ones are met by chance
_SHORTEST_WORD = 7
_SPELLINGS = (
    ("ph", "f"), ("th", "t"), ("rh", "r"), ("sch", "sc"), ("ch", "c"), ("ck", "c"), ("qu", "c"), ("k", "c"), ("z", "c"),
    ("y", "i"), ("j", "i"), ("ae", "e"), ("oe", "e"), ("eu", "e"), ("w", "v"), ("x", "s"), ("olar", "ular"),
)  # fmt: skip
_DOUBLED = re.compile(r"(.)\1")
_BEGINNINGS = re.compile(r"^(?:e(?=s[ptc])|h|p(?=[nst])|(?<=^)g(?=n))")
# What medicine's words begin or end with, in any of the languages, and names seldom do.
BEGINNINGS = (
    r"(?:card|kard|pneum|neum|pulmo|hepat|epat|nephr|nefr|gastr|enter|kolo|chol|cole|oste|arthr|artr|chondr"
    r"|condr|myo|mio"
    r"|neur|encephal|encefal|enzephal|mening|crani|krani|cerebr|zerebr|spondyl|espondil|spondil|vertebr|cost"
    r"|stern|thora"
    r"|tora|pleur|bronch|bronqu|bronc|trache|traqu|lary|farin|phary|derma|angi|arteri|veno|phleb|fleb|lymph|linf|splen"
    r"|pancrea|pankrea|thyr|tiro|tireo|adren|ovar|hyster|hister|mamm|mast|prostat|cyst|zyst|cist|ureter|urethr"
    r"|uretr|hemat"
    r"|haem|emat|hemo|hamo|leuk|leuc|thromb|tromb|fibr|lipo|calci|kalzi|carcin|karzin|sark|sarc|aden|melan|tuber|tendin"
    r"|fasci|faszi|radio|sono|tomo|electro|elektro|elettro|hidro|hydro|idro|hiper|hyper|iper|hipo|hypo|ipo"
    r"|intra|retro|peri"
    r"|endo|epi|supra|infra|sub|para|post|pre|prae|anti|poly|poli|hemi|emi|dys|dis|micro|mikro|macro|makro|mega)"
)
_TELLING = re.compile(
    rf"{BEGINNINGS}.*|.*(?:oid(?:e[nrs]?|[aoi]s?)?|isch(?:e[nrsm]?)?|i[cqk](?:a|o|i|e|he|hi|al|ue)?s?|al(?:e|i|es|en|er|em)?|ais|aux"
    rf"|ar(?:e|i|es|io|ia|ios|ias|er|en)?"
    r"|aires?|it(?:is|e|es|iden)|[ao]s(?:is|en?|es|i)|oma|omas|ome|omes|omi|[ts]ions?|[cs]ion(?:es)?|zion[ei]"
    r"|[cs]a[ot]|[cs]oes|tionen"
    r"|at?ties?|[ae]nti?[ez]|[ae]n[cz][ie]?a?s?|mente?|logi(?:e|a|o|sch)s?|ektomie|ectomi[ae]|e?mi[ae]|lysis"
    r"|lise|patia|pathie)"
)
# (ending, what it is in all languages); the longest first
_ENDINGS = tuple(
    sorted(
        (
            (ending, common)
            for common, endings in {
                "ti": "tion tions cion ciones cione cioni cao coes tie ties tionen tioni ation",
                "si": "sion sions siones sione sioni sao soes sie sies sionen",
                "nc": "ntie nties ncia ncias nca ncas nce nces nci ncie nc ncen nci",
                "": """ic icus icum ica ico icas icos ici ice ices ical ically icer icen isc isce iscen iscer isces
                iscem ice
                al ale ali ales ais aus aal alen aler alem ar are ari ares air aire aires ario aria arias arios aren
                arer ari
                os osa oso osi ose osas osos osus ous es ese eses
                is iti ite ites itis itiden id oid oide oides oida oido oidi oiden oide
                ia ie ias ies ien i io ios iu ium us um a o as e en er em s ei ea eo eas eos eus eum
                at ato ata ati ate atas atos ado ada ados adas iert ierte ierten ierter iertes ed ee ees eert eerde eerd
                mente ment ement lic lice licen iel iele ielen ieles ieler ielem el ele elen eles eler elem oria orio
                orie orias orios orisc orisce oire oires or ors idad ita itat iteit ite""",
            }.items()
            for ending in endings.split()
        ),
        key=lambda row: -len(row[0]),
    )
)


@lru_cache(maxsize=200_000)
def root(word: str) -> str:
    """The root of a folded word in small letters; up to two endings go while six letters are left."""
    for spelling, common in _SPELLINGS:
        word = word.replace(spelling, common)
    word = _BEGINNINGS.sub("", _DOUBLED.sub(r"\1", word))
    for _ in range(2):
        for ending, common in _ENDINGS:
            if word.endswith(ending) and len(word) - len(ending) + len(common) >= _SHORTEST:
                word = word[: len(word) - len(ending)] + common
                break
    return word


def is_cognate(word: str) -> bool:
    """True for a folded word in small letters that has the root of an English word of medicine."""
    if len(word) >= _SHORTEST_DISEASE and _DISEASE.fullmatch(word) and _short_root(word) in _diseases():
        return True
    return len(word) >= _SHORTEST_WORD and _TELLING.fullmatch(word) is not None and root(word) in _roots()


_SHORTEST_DISEASE = 6
_DISEASE = re.compile(
    r".{3,}(?:os[ei]s?|osen|itis|ites?|iti|iden|omas?|om[ei]s?|em(?:ia|ie)s?|ul(?:air|ar)(?:es?|i|en|er)?"
    r"|ul[oi]s?|ules?)"
)


@cache
def _diseases() -> frozenset[str]:
    """Shorter roots of English words that end as diseases do: gliosis, lipoma, nodular."""
    ends = re.compile(r".{3,}(?:osis|itis|oma|emia|ular|ule|ulus)")
    words = (w for w in medical_words() if ends.fullmatch(w) and not is_surname(w) and not is_given_name(w))
    return frozenset(found for word in words if len(found := _short_root(word)) >= _SHORTEST_DISEASE - 2)


@lru_cache(maxsize=50_000)
def _short_root(word: str) -> str:
    for spelling, common in _SPELLINGS:
        word = word.replace(spelling, common)
    word = _BEGINNINGS.sub("", _DOUBLED.sub(r"\1", word))
    return re.sub(r"(?:[aeiou]+[sn]?|us|air(?:es?)?|ar(?:es?|i|en|er)?|is|itiden|iden|omas|omes)$", "", word)


@cache
def _roots() -> frozenset[str]:
    """The roots of medicine's words that are no names."""
    named = (word for word in medical_words() if len(word) >= _SHORTEST_WORD - 1)
    words = (word for word in named if not is_surname(word) and not is_given_name(word))
    return frozenset(found for word in words if len(found := root(word)) >= _SHORTEST)
