"""Checks of values by VR: each returns the value to write, or None for a value that cannot be trusted.

Every value is checked completely: a number has only digits to its last byte, a term is one of a list.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from pydicom.datadict import keyword_for_tag
from pydicom.tag import BaseTag
from pydicom.uid import UID_dictionary  # type: ignore[attr-defined]

from curate.deid.header import allowed
from curate.deid.header.iod import iod_of
from curate.deid.header.phi import Identity, folded
from curate.deid.header.values import BINARY, Bytes, Value, packed
from curate.deid.header.words import clean_text, known
from curate.deid.pseudonym import Pseudonymizer, is_time
from curate.deid.rules import HeaderRules

_DECIMAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_INTEGER = re.compile(r"[+-]?[0-9]{1,11}")
_DAY = re.compile(r"(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])")
AGE = re.compile(r"([0-9]{1,3})([DWMY])")
_TERM = re.compile(r"[A-Z0-9 _/-]{1,16}")
_UID = re.compile(r"[0-2](?:\.(?:0|[1-9][0-9]*))+")
_MIN_DIGITS = 5  # a number this long that equals an identifier of the patient is treated as the identifier
_MAX_DS_LENGTH = 16
_MIN_NEEDLE_BYTES = 4  # a binary value of so many bytes could spell a name
MAX_AGE = 90  # HIPAA Safe Harbor, 45 CFR 164.514(b)(2)(i)(C): ages over 89 are one class


@dataclass
class Context:
    """The context of all levels: rules, pseudonyms, the file's identity, and the counts of actions."""

    pseudo: Pseudonymizer
    rules: HeaderRules
    patient: str  # key of the date shift; "" if the file identifies no patient
    identity: Identity
    signed: bool = False  # PixelRepresentation of the file, which decides "US or SS"
    actions: Counter[str] = field(default_factory=Counter)
    needle: re.Pattern[bytes] | None = None

    def __post_init__(self) -> None:
        needles = sorted(
            w for w in {*self.identity.words, *self.identity.phrases} if len(w) >= _MIN_NEEDLE_BYTES and w.isascii()
        )
        if needles:
            self.needle = re.compile(b"|".join(re.escape(w.encode()) for w in needles), re.IGNORECASE)


class Step(NamedTuple):
    """The treatment of one attribute: a verb, and the parameters of its check."""

    tag: BaseTag
    keyword: str
    vrs: tuple[str, ...]
    verb: str
    max_values: int  # values (PS3.6 VM)
    type: str
    mandatory: bool
    terms: frozenset[str] | None = None


def numbers(values: list[str], step: Step, context: Context) -> str | None:
    """DS or IS: finite numbers of the right form and count, none of them an identifier of the patient."""
    if len(values) > step.max_values:
        return None
    integers = step.vrs[0] == "IS"
    form = _INTEGER if integers else _DECIMAL
    out = values
    for i, value in enumerate(values):
        if not form.fullmatch(value):
            return None
        if len(value) >= _MIN_DIGITS and _is_identifier(value, context):
            return None
        if integers:
            if len(value) > 9 and not -(2**31) <= int(value) < 2**31:
                return None
        elif len(value) > _MAX_DS_LENGTH or "e" in value or "E" in value:
            number = float(value)
            if not math.isfinite(number):
                return None
            if len(value) > _MAX_DS_LENGTH:
                out = [*out[:i], f"{number:.10g}"[:_MAX_DS_LENGTH], *out[i + 1 :]]
    return "\\".join(out)


def _is_identifier(value: str, context: Context) -> bool:
    """True for a number that is one of the file's identifiers, or a date of the last or this century."""
    whole = value.lstrip("+-0")
    digits = context.identity.digits
    if whole in digits or (
        ("." in whole) and (whole.replace(".", "") in digits or whole.rstrip("0").rstrip(".") in digits)
    ):
        return True
    return _DAY.fullmatch(whole) is not None


def binary(values: list[float], step: Step, context: Context, vr: str) -> bytes | None:
    """A binary VR: finite, not too many, none an identifier, and no name spelled by their bytes."""
    if len(values) > step.max_values:
        return None
    if vr == "AT":
        return packed(values, vr) if all(keyword_for_tag(int(v)) for v in values) else None
    if vr in ("FL", "FD") and not all(map(math.isfinite, values)):
        return None
    digits = context.identity.digits
    if digits and len(values) <= 64 and any(v >= 10000 and v == int(v) and str(int(v)) in digits for v in values):
        return None
    raw = packed(values, vr)
    return None if len(raw) >= _MIN_NEEDLE_BYTES and context.needle is not None and context.needle.search(raw) else raw


def bulk(value: Bytes, step: Step, context: Context) -> bytes | None:
    """Tables of samples: kept if they contain no name of the file, in bytes or UTF-16."""
    if step.keyword not in allowed.BULK:
        return None
    needle = context.needle
    if needle is not None and (
        needle.search(value.raw) or needle.search(value.raw[::2]) or needle.search(value.raw[1::2])
    ):
        return None
    return value.raw


def terms(values: list[str], step: Step, context: Context) -> str | None:
    """CS: terms of the attribute's own list if there is one, else words of the standard that are no name in this file.

    Other values become empty, so that the remaining ones keep their position.
    """
    valid = [_term(v, step, context) for v in values[: step.max_values]]
    while valid and not valid[-1]:
        valid.pop()
    return "\\".join(valid) if any(valid) else None


def _term(value: str, step: Step, context: Context) -> str:
    term = value.upper()
    if step.terms is not None:
        if term in step.terms:
            return term
        if step.keyword in allowed.CLOSED:
            return ""
    if not _TERM.fullmatch(term):
        return ""
    words = re.split(r"[ _/-]+", term)
    known_words = all(_term_word(w, context) for w in words if w) and folded(term) not in context.identity.phrases
    return term if known_words and any(w.isalpha() for w in words) else ""


def _term_word(word: str, context: Context) -> bool:
    low = word.lower()
    if low in context.identity.words:
        return False
    if word.isdigit():
        return len(word) <= 2
    if len(low) <= 1 or low in allowed.TERM_WORDS:
        return True
    return known(re.sub(r"[0-9]{1,2}$", "", low), context.identity)


def remap(values: list[str], step: Step, context: Context) -> str | None:
    """UI: UIDs of the standard's registry are kept, every other one becomes its pseudonym; retained (PS3.15 E.3.9) only
    what is no UID or contains an identifier does."""
    stays = _may_stay if step.verb == "keep uid" else _named
    uids = [
        v if stays(v, context) else context.pseudo.uid(v, context.rules.uid_root)
        for v in values[: step.max_values]
        if v
    ]
    return "\\".join(uids) or None


def _may_stay(uid: str, context: Context) -> bool:
    return len(uid) <= 64 and _UID.fullmatch(uid) is not None and context.identity.digits.isdisjoint(uid.split("."))


def registered(values: list[str], step: Step, context: Context) -> str | None:
    """UI of a class of the standard: kept if the registry (PS3.6 Annex A) has it, else dropped."""
    return "\\".join(values) if len(values) <= step.max_values and all(_named(v, context) for v in values) else None


def _named(uid: str, context: Context) -> bool:
    """True for UIDs of the standard, as opposed to instances."""
    return uid in UID_dictionary or iod_of(uid) is not None


def shifted(values: list[str], step: Step, context: Context) -> str | None:
    """DA, DT and TM: dates shifted by the patient's shift, times unchanged; one invalid value drops all."""
    if not context.patient or len(values) > step.max_values:
        return None
    vr = step.vrs[0]
    if vr == "TM":
        return "\\".join(v.replace(":", "") for v in values) if all(map(is_time, values)) else None
    move = context.pseudo.shift_da if vr == "DA" else context.pseudo.shift_dt
    moved = [move(context.patient, v) for v in values]
    return "\\".join(m for m in moved if m) if all(moved) else None


def age(values: list[str], step: Step, context: Context) -> str | None:
    """AS, with ages of 90 years and over in any unit as 090Y."""
    match = AGE.fullmatch(values[0].upper().zfill(4))
    if match is None:
        return None
    return "090Y" if years(match) >= MAX_AGE else match[0]


def years(match: re.Match[str]) -> int:
    """Whole years of a matched AS: its number and its unit."""
    return int(int(match[1]) / {"Y": 1, "M": 12, "W": 52.18, "D": 365.25}[match[2]])


def text(values: list[str], step: Step, context: Context) -> str | None:
    """Free text through the vocabulary, value by value."""
    if context.rules.descriptors == "remove":
        return None
    cleaned = [_limited(clean_text(v, context.identity), step.vrs[0]) for v in values[: step.max_values]]
    while cleaned and not cleaned[-1]:
        cleaned.pop()
    return "\\".join(cleaned) or None


def _limited(value: str, vr: str) -> str:
    limit = {"SH": 16, "LO": 64, "ST": 1024}.get(vr, 1024)
    return value if len(value) <= limit else value[: limit + 1].rpartition(" ")[0]


def device(values: list[str], step: Step, context: Context) -> str | None:
    """A device's name or number, retained (PS3.15 E.3.8) unless it contains a name of this file."""
    printable = [v for v in values[: step.max_values] if v.isascii() and v.isprintable() and len(v) <= 64]
    words = {w for v in printable for w in re.findall(r"[a-z0-9]+", v.lower())}
    return "\\".join(printable) if len(printable) == len(values) and words.isdisjoint(context.identity.words) else None


def maker(values: list[str], step: Step, context: Context) -> str | None:
    """Manufacturer: the canonical name from the list; None for any other."""
    spelled = " ".join(re.findall(r"[a-z]+", values[0].lower())) + " "
    return next((name for start, name in allowed.MANUFACTURERS.items() if spelled.startswith(start)), None)


def check(value: Value, step: Step, context: Context, vr: str) -> str | bytes | None:
    """The value to write for one that is no sequence, by the step's verb."""
    if isinstance(value, Bytes):
        return bulk(value, step, context)
    if vr in BINARY or vr == "AT":
        return binary(value, step, context, vr)  # type: ignore[arg-type]  # of a binary VR are numbers
    return _BY_VERB[step.verb](value, step, context)  # type: ignore[arg-type]  # of any other are texts


_BY_VERB = {
    "number": numbers, "term": terms, "remap": remap, "keep uid": remap, "class": registered, "shift": shifted,
    "age": age, "clean": text, "device": device, "maker": maker,
}  # fmt: skip
