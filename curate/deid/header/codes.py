"""Coded concepts: in the standard's words if it has the code, else a checked code with checked words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from pydicom.dataset import Dataset
from pydicom.sr._concepts_dict import concepts
from pydicom.sr._snomed_dict import mapping
from pydicom.sr.coding import Code
from pydicom.tag import BaseTag

from curate.deid.header import allowed
from curate.deid.header.phi import Identity
from curate.deid.header.values import Element, explicit_element, first_text, header
from curate.deid.header.words import clean_text

_VALUE, _SCHEME, _MEANING, _LONG = (BaseTag(t) for t in (0x00080100, 0x00080102, 0x00080104, 0x00080119))
UNKNOWN = Code("261665006", "SCT", "Unknown")  # in place of a mandatory code that cannot be kept
_MAX_MEANING = 64


def _verhoeff(number: str) -> bool:
    """The check digit of SNOMED CT identifiers (Verhoeff 1969): nine of ten arbitrary numbers fail."""
    check = 0
    for position, digit in enumerate(reversed(number)):
        check = _dihedral(check, _permuted(int(digit), position))
    return check == 0


def _dihedral(a: int, b: int) -> int:
    """The product of two elements of the dihedral group of order ten, rotations 0-4 and reflections 5-9."""
    if a < 5:
        return (a + b) % 5 if b < 5 else 5 + (a + b) % 5
    return 5 + (a - b) % 5 if b < 5 else (a - b) % 5


def _permuted(digit: int, position: int) -> int:
    for _ in range(position % 8):
        digit = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)[digit]
    return digit


def _loinc(code: str) -> bool:
    """The check digit of LOINC codes: modulus ten, doubling every other digit from the right."""
    number, _, check = code.partition("-")
    total = sum(sum(divmod(int(d) * (2 - i % 2), 10)) for i, d in enumerate(reversed(number)))
    return (10 - total % 10) % 10 == int(check)


# Schemes of PS3.16 Table 8-1: the form of their codes, and the check digit if there is one.
_FORMS: dict[str, tuple[re.Pattern[str], Callable[[str], bool] | None]] = {
    "SCT": (re.compile(r"[1-9][0-9]{5,17}"), _verhoeff),
    "LN": (re.compile(r"[0-9]{1,6}-[0-9]"), _loinc),
    "DCM": (re.compile(r"1[0-9]{5}|[A-Z]{2,16}"), None),
    "SRT": (re.compile(r"[A-Z][0-9A-F]?-[0-9A-F]{4,5}"), None),
    "SNM3": (re.compile(r"[A-Z][0-9A-F]?-[0-9A-F]{4,5}"), None),
    "99SDM": (re.compile(r"[A-Z][0-9A-F]?-[0-9A-F]{4,5}"), None),
    "RADLEX": (re.compile(r"RID[0-9]{1,6}"), None),
    "UMLS": (re.compile(r"C[0-9]{7}"), None),
    "UCUM": (re.compile(r"[A-Za-z0-9./*^%{}\[\]'_()+-]{1,16}"), None),
    "I10": (re.compile(r"[A-Z][0-9][0-9A-Z](\.[0-9A-Z]{1,4})?"), None),
    "I10P": (re.compile(r"[0-9A-HJ-NP-Z]{7}"), None),
    "I9C": (re.compile(r"[0-9VE][0-9]{2}(\.[0-9]{1,2})?"), None),
    "C4": (re.compile(r"[0-9]{5}"), None),
}


@lru_cache(maxsize=8192)
def standard(value: str, scheme: str, meaning: str = "") -> Code | None:
    """The code in the standard's words (PS3.16, from pydicom), retired SNOMED-RT codes by their SNOMED CT code.

    Of several meanings the one equal to ``meaning``, else the one that most context groups use.
    """
    if scheme in ("SRT", "SNM3", "99SDM"):
        value, scheme = mapping["SRT"].get(value, ""), "SCT"
    if scheme == "SCT":
        value, _ = allowed.SUPERSEDED.get((value, scheme), (value, scheme))
    meanings = _meanings().get((scheme, value), ())
    spelled = [m for m in meanings if m.casefold() == meaning.casefold()]
    return Code(value, scheme, (spelled or meanings)[0]) if meanings else None


@lru_cache(maxsize=1)
def _meanings() -> dict[tuple[str, str], list[str]]:
    """(scheme, value) -> meanings, those of most context groups first."""
    uses: dict[tuple[str, str], dict[str, int]] = {}
    tables: Any = concepts
    for scheme, names in tables.items():
        for codes in names.values():
            for value, (meaning, groups) in codes.items():
                uses.setdefault((scheme, value), {})[str(meaning)] = len(groups)
    return {key: sorted(counts, key=lambda m: (-counts[m], m)) for key, counts in uses.items()}


def checked(value: str, scheme: str, meaning: str, identity: Identity) -> Code | None:
    """The code to write for a file's code; None if neither the standard nor the vocabulary confirms it.

    A code of a standard scheme needs its scheme's form and check digit; a local one (99... or L) must consist of
    harmless words. Both need a meaning of which some words are harmless. The local scheme's name, which may be a
    hospital's, is not written.
    """
    known = standard(value, scheme, meaning)
    if known is not None:
        return known
    words = clean_text(meaning, identity)[:_MAX_MEANING].strip()
    if not words or value.lstrip("0") in identity.digits or value.lower() in identity.words:
        return None
    form = _FORMS.get(scheme)
    if form is not None:
        fits = form[0].fullmatch(value) is not None and (form[1] is None or form[1](value))
        return Code(value, scheme, words) if fits else None
    if re.fullmatch(r"99[A-Z0-9_ -]{0,14}|L", scheme, re.IGNORECASE) is None or words.lower() != meaning.lower():
        return None
    return (
        Code(value, "99LOCAL", words) if value and clean_text(value, identity) == value and len(value) <= 16 else None
    )


def code_of(item: Dataset, identity: Identity) -> Code | None:
    """The code of a code-sequence item, checked. Call it inside `quiet`."""
    value = first_text(item, _VALUE, "SH") or first_text(item, _LONG, "UC")
    scheme, meaning = first_text(item, _SCHEME, "SH"), first_text(item, _MEANING, "LO")
    return checked(value, scheme, meaning, identity) if value else None


def elements_of(code: Code) -> dict[BaseTag, Element]:
    """The elements of a code item."""
    value, vr = (_VALUE, "SH") if len(code.value) <= 16 else (_LONG, "UC")
    meaning = plain(code.meaning)[:_MAX_MEANING].strip()
    triple = ((value, vr, code.value), (_SCHEME, "SH", code.scheme_designator), (_MEANING, "LO", meaning))
    return {tag: explicit_element(tag, vr, text) for tag, vr, text in sorted(triple)}


def plain(meaning: str) -> str:
    """A meaning in ASCII: Greek letters and accents as their nearest letters."""
    if meaning.isascii():
        return meaning
    apart = unicodedata.normalize("NFKD", meaning).replace("\u03bc", "u")
    return apart.encode("ascii", "ignore").decode()


def code_item(code: Code) -> Dataset:
    """A code as an item of a code sequence."""
    return header(elements_of(code))
