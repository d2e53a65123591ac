"""What a value must be to stay, VR by VR: a check returns what to write, or None where the value is not to be trusted.

Nothing is passed on that was not looked at whole: a number is digits to its last byte, a term is one of a list.
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
from curate.deid.header.rules import HeaderRules
from curate.deid.header.values import BINARY, Bytes, Value, packed
from curate.deid.header.words import clean_text, known
from curate.deid.pseudonym import Pseudonymizer, is_time

_DECIMAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_INTEGER = re.compile(r"[+-]?[0-9]{1,11}")
_DAY = re.compile(r"(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])")
_AGE = re.compile(r"([0-9]{3})([DWMY])")
_TERM = re.compile(r"[A-Z0-9 _/-]{1,16}")
_UID = re.compile(r"[0-2](?:\.(?:0|[1-9][0-9]*))+")
_FEWEST_DIGITS = 5  # a number this long that is also an identifier of the patient is taken for the identifier
_LONGEST_DS = 16
_BLOB = 4  # bytes from which on a binary value could spell a name
OLDEST = 90  # HIPAA Safe Harbor, 45 CFR 164.514(b)(2)(i)(C): ages over 89 are one class


@dataclass
class Context:
    """What every level needs: the rules, the pseudonyms, whose file it is, and the tally of what was done."""

    pseudo: Pseudonymizer
    rules: HeaderRules
    patient: str  # what the patient's dates are shifted by; "" where the file names nobody at all
    who: Identity
    signed: bool = False  # PixelRepresentation of the file: what "US or SS" means
    actions: Counter[str] = field(default_factory=Counter)
    needle: re.Pattern[bytes] | None = None

    def __post_init__(self) -> None:
        words = sorted(w for w in {*self.who.words, *self.who.phrases} if len(w) >= _BLOB and w.isascii())
        if words:
            self.needle = re.compile(b"|".join(re.escape(w.encode()) for w in words), re.IGNORECASE)


class Step(NamedTuple):
    """What to do with one attribute: a verb, and what its values are checked by."""

    tag: BaseTag
    keyword: str
    vrs: tuple[str, ...]
    verb: str
    most: int  # values (PS3.6 VM)
    type: str
    mandatory: bool
    terms: frozenset[str] | None = None


def numbers(values: list[str], step: Step, context: Context) -> str | None:
    """DS or IS: finite numbers of the right form and count, none of them an identifier of the patient."""
    if len(values) > step.most:
        return None
    integers = step.vrs[0] == "IS"
    form = _INTEGER if integers else _DECIMAL
    out = values
    for i, value in enumerate(values):
        if not form.fullmatch(value):
            return None
        if len(value) >= _FEWEST_DIGITS and _identifies(value, context):
            return None
        if integers:
            if len(value) > 9 and not -(2**31) <= int(value) < 2**31:
                return None
        elif len(value) > _LONGEST_DS or "e" in value or "E" in value:
            number = float(value)
            if not math.isfinite(number):
                return None
            if len(value) > _LONGEST_DS:
                out = [*out[:i], f"{number:.10g}"[:_LONGEST_DS], *out[i + 1 :]]
    return "\\".join(out)


def _identifies(value: str, context: Context) -> bool:
    """True for a number that is one of the file's identifiers, or a day of the last century or this."""
    whole = value.lstrip("+-0")
    digits = context.who.digits
    if whole in digits or (
        ("." in whole) and (whole.replace(".", "") in digits or whole.rstrip("0").rstrip(".") in digits)
    ):
        return True
    return _DAY.fullmatch(whole) is not None


def binary(values: list[float], step: Step, context: Context, vr: str) -> bytes | None:
    """A binary VR: finite, not too many, none an identifier, and no name spelled by their bytes."""
    if len(values) > step.most:
        return None
    if vr == "AT":
        return packed(values, vr) if all(keyword_for_tag(int(v)) for v in values) else None
    if vr in ("FL", "FD") and not all(map(math.isfinite, values)):
        return None
    digits = context.who.digits
    if digits and len(values) <= 64 and any(v >= 10000 and v == int(v) and str(int(v)) in digits for v in values):
        return None
    raw = packed(values, vr)
    return None if len(raw) >= _BLOB and context.needle is not None and context.needle.search(raw) else raw


def bulk(value: Bytes, step: Step, context: Context) -> bytes | None:
    """Tables of samples: kept where no name of the file is spelled in them, in bytes or in UTF-16."""
    if step.keyword not in allowed.BULK:
        return None
    needle = context.needle
    if needle is not None and (
        needle.search(value.raw) or needle.search(value.raw[::2]) or needle.search(value.raw[1::2])
    ):
        return None
    return value.raw


def terms(values: list[str], step: Step, context: Context) -> str | None:
    """CS: terms of the attribute's own list where there is one, else words of the standard that name nobody here.

    A value that is none is left empty, so that the others keep their place.
    """
    kept = [_term(v, step, context) for v in values[: step.most]]
    while kept and not kept[-1]:
        kept.pop()
    return "\\".join(kept) if any(kept) else None


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
    fine = all(_term_word(w, context) for w in words if w) and folded(term) not in context.who.phrases
    return term if fine and any(w.isalpha() for w in words) else ""


def _term_word(word: str, context: Context) -> bool:
    low = word.lower()
    if low in context.who.words:
        return False
    if word.isdigit():
        return len(word) <= 2
    if len(low) <= 1 or low in allowed.TERM_WORDS:
        return True
    return known(re.sub(r"[0-9]{1,2}$", "", low), context.who)


def remap(values: list[str], step: Step, context: Context) -> str | None:
    """UI: names of the standard's registry stay, every other UID becomes the pseudonym it always becomes."""
    root = context.rules.uid_root
    done = [v if _named(v) else context.pseudo.uid(v, root) for v in values[: step.most] if v]
    return "\\".join(done) or None


def keep_uids(values: list[str], step: Step, context: Context) -> str | None:
    """UI retained (PS3.15 E.3.9): as it is where it is a UID, remapped where it is none or spells an identifier."""
    done = [
        v if _may_stay(v, context) else context.pseudo.uid(v, context.rules.uid_root) for v in values[: step.most] if v
    ]
    return "\\".join(done) or None


def _may_stay(uid: str, context: Context) -> bool:
    return len(uid) <= 64 and _UID.fullmatch(uid) is not None and context.who.digits.isdisjoint(uid.split("."))


def registered(values: list[str], step: Step, context: Context) -> str | None:
    """UI that names a class of the standard: kept where the registry (PS3.6 Annex A) has it, else dropped."""
    return "\\".join(values) if len(values) <= step.most and all(map(_named, values)) else None


def _named(uid: str) -> bool:
    """True for UIDs that name something of the standard, not of an archive."""
    return uid in UID_dictionary or iod_of(uid) is not None


def shifted(values: list[str], step: Step, context: Context) -> str | None:
    """DA, DT and TM: days moved by the patient's shift, times as they are; one that is no date drops all."""
    if not context.patient or len(values) > step.most:
        return None
    vr = step.vrs[0]
    if vr == "TM":
        return "\\".join(v.replace(":", "") for v in values) if all(map(is_time, values)) else None
    move = context.pseudo.shift_da if vr == "DA" else context.pseudo.shift_dt
    moved = [move(context.patient, v) for v in values]
    return "\\".join(m for m in moved if m) if all(moved) else None


def age(values: list[str], step: Step, context: Context) -> str | None:
    """AS with ages of 90 years and over as 090Y, whatever unit they came in."""
    match = _AGE.fullmatch(values[0].upper().zfill(4))
    if match is None:
        return None
    return "090Y" if years(match) >= OLDEST else match[0]


def years(match: re.Match[str]) -> int:
    """Whole years of a matched AS: its number and its unit."""
    return int(int(match[1]) / {"Y": 1, "M": 12, "W": 52.18, "D": 365.25}[match[2]])


def text(values: list[str], step: Step, context: Context) -> str | None:
    """A descriptor through the vocabulary, each value by itself."""
    if context.rules.descriptors == "remove":
        return None
    kept = [_limited(clean_text(v, context.who), step.vrs[0]) for v in values[: step.most]]
    while kept and not kept[-1]:
        kept.pop()
    return "\\".join(kept) or None


def _limited(value: str, vr: str) -> str:
    limit = {"SH": 16, "LO": 64, "ST": 1024}.get(vr, 1024)
    return value if len(value) <= limit else value[: limit + 1].rpartition(" ")[0]


def device(values: list[str], step: Step, context: Context) -> str | None:
    """A device's name or number, retained (PS3.15 E.3.8): as it is, unless a person of this file is named in it."""
    kept = [v for v in values[: step.most] if v.isascii() and v.isprintable() and len(v) <= 64]
    words = {w for v in kept for w in re.findall(r"[a-z0-9]+", v.lower())}
    return "\\".join(kept) if len(kept) == len(values) and words.isdisjoint(context.who.words) else None


def maker(values: list[str], step: Step, context: Context) -> str | None:
    """Manufacturer: the maker's name in one spelling, from the list; None for any other."""
    spelled = " ".join(re.findall(r"[a-z]+", values[0].lower())) + " "
    return next((name for start, name in allowed.MANUFACTURERS if spelled.startswith(start)), None)


def check(value: Value, step: Step, context: Context, vr: str) -> str | bytes | None:
    """What to write of a value that is no sequence, by the step's verb."""
    if isinstance(value, Bytes):
        return bulk(value, step, context)
    if vr in BINARY or vr == "AT":
        return binary(value, step, context, vr)  # type: ignore[arg-type]  # of a binary VR are numbers
    return _BY_VERB[step.verb](value, step, context)  # type: ignore[arg-type]  # of any other are texts


_BY_VERB = {
    "number": numbers, "term": terms, "remap": remap, "keep uid": keep_uids, "class": registered, "shift": shifted,
    "age": age, "clean": text, "device": device, "maker": maker,
}  # fmt: skip
