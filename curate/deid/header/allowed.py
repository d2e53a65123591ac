"""The content of a cleaned header: the allow-list of attributes and the vocabularies of their values, from
`data/allowed.toml`.

Everything not listed there is dropped, so the list is by construction tighter than the Basic Profile of DICOM PS3.15
Table E.1-1.
"""

from __future__ import annotations

import re
import tomllib
from importlib.resources import files


def _words(text: str) -> frozenset[str]:
    return frozenset(word.replace("+", " ") for word in text.split())


_DATA = tomllib.loads((files("curate.deid.header") / "data" / "allowed.toml").read_text(encoding="utf-8"))
NUMBERS, GENERAL, BULK, CORE, NEVER, CLOSED = (
    _words(_DATA[name]) for name in ("numbers", "general", "bulk", "core", "never", "closed")
)
PROTOCOL_WORDS, UNITS, NEVER_WORDS, NAME_CUES, GENERIC_WORDS = (
    _words(_DATA[name]) for name in ("protocol_words", "units", "never_words", "name_cues", "generic_words")
)
TERMS = {keyword: _words(terms) for keyword, terms in _DATA["terms"].items()}
TERM_WORDS = _words(_DATA["term_words"]) | {
    word.lower() for terms in TERMS.values() for term in terms for word in re.split(r"[ _/-]+", term)
}
TERMS["FrameType"] = TERMS["ImageType"]
BODY_PARTS = TERMS["BodyPartExamined"]
MANUFACTURERS: dict[str, str] = _DATA["manufacturers"]
CODES: dict[str, list[str]] = _DATA["codes"]
VIEW_OF_MEANING: dict[str, str] = _DATA["views"]
METHODS: dict[str, tuple[str, str]] = {name: (code, meaning) for name, (code, meaning) in _DATA["methods"].items()}
# Codes that SNOMED CT retired and headers still contain -> the current one of the context groups.
SUPERSEDED = {("51185008", "SCT"): ("816094009", "SCT"), ("T-D3000", "SRT"): ("816094009", "SCT")}  # thorax
