"""What makes two spellings one identity: of a patient, an accession number, a study. The one place that says so.

`curate run` and `curate deid` derive pseudonyms, date shifts and links from `canonical_id`, and pairing compares by it:
one patient under one secret is one pseudonym, however a header, a worklist or a spreadsheet wrote the number.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

# DICOM pads with NUL and spaces (PS3.5 6.2), web pages with NBSP, editors with a byte-order mark and other format signs
PADDING = " \t\r\n\v\f\0\u00a0"
_INVISIBLE = re.compile("[\\s\0-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2064\ufeff]+")
_DELETED = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]+")
# as word processors set one: 12–345 is 12-345
_DASHES = dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d"), "-")
# HL7 CX (v2 2.A.14): id, check digit, its scheme, assigning authority; the three fields behind the id are no part of it
_ISSUER = re.compile(r"([^~^]*[^~^\s][^~^]*)\^[^~^]*\^[^~^]*\^[^~]*")
_IDENTIFIER_TYPES = ("mr", "pi", "pt")
_FORMULA = re.compile(r'="([^"]*)"')  # how exports keep a spreadsheet from reading a number
_APOSTROPHE = re.compile(r"'(\d+)")
# A whole number that was a float. Three zeros could be thousands; beyond 2^53 the digits are not the source's.
_FLOAT = re.compile(r"(\d{1,15})[.,]0{1,2}")
SCIENTIFIC = re.compile(r"\d(?:[.,]\d+)?e\+?\d{1,3}", re.IGNORECASE)
# one whose digits are all written, so that nothing was rounded: of 12 digits and more a spreadsheet shows no others
_EXACT = re.compile(r"(\d)[.,](\d{8,14})e\+?(\d{1,2})")
_AND = re.compile(r"(?<=\d)\s+(?:and|und|et)\s+(?=\S*\d)", re.IGNORECASE)
_DIGIT = re.compile(r"\d")
_STRONG, _WEAK = ";|~\\", ",/&+ \t\r\n"
_ANONYMOUS_WORDS = """
none null unknown anonymous anonymized anonymised anonymize anon deidentified removed withheld patient name test unnamed
nothing empty default na nan nil xxx xxxx tbd id no number dummy phantom qa
"""
_NO_ID_WORDS = """
temp temporary tmp tba tbc blank missing invalid undefined unassigned unavailable unspecified not available applicable
assigned known given recorded yet pending error value ref div accession study mrn see report x xx nd
unbekannt keine keiner kein ohne leer fehlt nummer inconnu aucun aucune sans desconocido ninguno sin numero
onbekend geen without
"""
_ANONYMOUS = frozenset(_ANONYMOUS_WORDS.split())
_NO_ID = _ANONYMOUS | frozenset(_NO_ID_WORDS.split())
_LONGEST = 1000  # digits
_REPEATED = 4  # times that a digit stands alone in a placeholder
_WRAPPED = " \t\r\n\0\u00a0[](){}'\""


def canonical_id(value: str) -> str:
    """What ``value`` is compared by and a pseudonym is derived from; "" where it says nothing. Idempotent.

    Equal are: letter case, Unicode's width and compatibility forms (NFKC), dashes of any kind, padding of any kind, an
    issuer in HL7's form (``12345^^^HOSPITAL``), a float made of a whole number (``12345.0``, or ``1.23451678901E+11``
    with all of its digits), a spreadsheet's ``="12345"`` and ``'12345``.
    Of a value that a backslash splits, the first counts, as of DICOM's multiple values (PS3.5 6.4); of an HL7 list of
    identifiers with their types (PID-3), the medical record number (``MR``), else the patient's internal one (``PI``,
    ``PT``), else the first (v2 table 0203). Not equal are leading zeros, for 00123 and 123 can be two people, and
    whatever scientific notation has rounded.
    """
    if not value or _is_plain(value):
        return value.lower()
    text = next((part for part in folded(value).split("\\") if part.strip()), "").strip()
    if "~" in text and "^" in text:
        text = _best_repetition(text)
    while True:
        bare = _without_wrapping(text)
        if bare == text:
            return text
        text = bare


def _is_plain(value: str) -> bool:
    """True for ASCII letters and digits alone, and for a UID: nothing to fold or to take off, and no list."""
    return value.isascii() and (value.isalnum() or (value.count(".") > 1 and value.replace(".", "").isalnum()))


def _best_repetition(text: str) -> str:
    """Of repetitions of an HL7 CX, whose fifth component is the identifier's type, the one that names the patient."""
    parts = [part.split("^") for part in text.split("~") if part.split("^")[0].strip()]
    rank = {kind: i for i, kind in enumerate(_IDENTIFIER_TYPES)}
    best = min(parts, key=lambda c: rank.get("".join(c[4:5]).strip(), len(rank)), default=[""])
    return best[0].strip()


def _without_wrapping(text: str) -> str:
    for form in (_ISSUER, _FORMULA, _APOSTROPHE, _FLOAT):
        if found := form.fullmatch(text):
            return found[1].strip()
    if (exact := _EXACT.fullmatch(text)) and len(exact[2]) == int(exact[3]):
        return exact[1] + exact[2]
    return text


def folded(value: str) -> str:
    """Unicode's compatibility form without case, invisible characters gone, every dash "-", white space one space, ends
    stripped."""
    if value.isascii():
        return _INVISIBLE.sub(" ", value).strip().lower()
    while True:  # of one pass the result need not be stable: folding makes characters that compose again
        text = unicodedata.normalize("NFKC", _DELETED.sub("", value)).casefold()
        text = _INVISIBLE.sub(" ", unicodedata.normalize("NFKC", text).translate(_DASHES)).strip()
        if text == value:
            return text
        value = text


def canonical_ids(column: str) -> pl.Expr:
    """`canonical_id` of a string column; null is ""."""
    import polars as pl  # only where there is a table

    return pl.col(column).map_batches(_each_once, pl.String)


def _each_once(values: pl.Series) -> pl.Series:
    import polars as pl

    known = values.unique().to_list()
    ids = [canonical_id(value or "") for value in known]
    return values.cast(pl.String).replace_strict(known, ids, return_dtype=pl.String) if known else values


def first_id(values: Iterable[str]) -> str:
    """The first of ``values`` that says something: whose file it is, from PatientID down to its own UID.

    Words that stand where an id should ("ANONYMOUS", "n/a") and zeros say nothing: an archive that was anonymised by
    overwriting every PatientID with one word is not one patient's.
    """
    return next((value for value in values if not _says_nothing(canonical_id(value))), "")


def _says_nothing(value: str) -> bool:
    if _DIGIT.search(value):
        return not value.strip("0")
    return not value or _all_of(re.findall(r"[^\W_]+", value), _NO_ID)


def no_one(value: str) -> bool:
    """True for what stands where a value should: "ANONYMOUS", "000", "n/a"."""
    words = re.findall(r"[^\W_]+", value.casefold())
    return len(set("".join(words))) < 2 or _all_of(words, _ANONYMOUS)


def _all_of(words: list[str], known: frozenset[str]) -> bool:
    return "".join(words) in known or all(word in known for word in words)


def placeholders(ids: Iterable[str]) -> set[str]:
    """Those of ``ids``, canonical ones of one archive, that stand where an id should: words ("n/a", "temp", "unknown"),
    signs alone, zeros, and one other digit four times or more ("99999"). A number whose neighbour is an id as well is
    one of a numbering: of 0, 1, 2 the 0."""
    known = {value for value in ids if value}
    return {value for value in known if _stands_for_none(value, known)}


def telling_ids(ids: Iterable[str]) -> set[str]:
    """Those of ``ids`` that decide what `placeholders` finds: of parts of an archive, all these together say as much as
    all ids do."""
    return {value for value in ids if value and _is_telling(value)}


def _is_telling(value: str) -> bool:
    if not _is_number(value):
        return is_wordless_id(value)
    if len(set(value[1:-1])) > 1:  # neither of one digit alone nor beside such a one
        return False
    beside = (str(int(value) + step) for step in (-1, 0, 1))
    return any(len(set(number.zfill(len(value)))) == 1 or len(set(number)) == 1 for number in beside)


def _is_number(value: str) -> bool:
    """True for digits that `int` reads: those of every script, but no circled ones, and not as many as it refuses."""
    return value.isdecimal() and len(value) <= _LONGEST


def is_wordless_id(value: str) -> bool:
    """True for words ("n/a", "temp") and signs that stand where an id should, whatever other ids there are."""
    return not _is_number(value) and _stands_for_none(value, set())


def _stands_for_none(value: str, known: set[str]) -> bool:
    if not _is_number(value):
        words = re.findall(r"[^\W_]+", value)
        return not any(c.isdigit() for c in value) and (not words or _all_of(words, _NO_ID))
    if len(set(value)) > 1 or (value.strip("0") and len(value) < _REPEATED):
        return False
    return not known & {str(int(value) + step).zfill(len(value)) for step in (1, -1)}


def listed(value: str, separators: str = _STRONG) -> list[str]:
    """The values of a cell that holds several, each as written; [value] where it holds one.

    Brackets and quotes around a list are taken off. Every part must hold a digit; a separator that prose and numbers
    use as well (comma, slash, blank) counts only between parts of one form: "A1/A2", not "CT 2024/1".
    """
    if _is_plain(value):
        return [value]
    if "," in separators:
        value = _AND.sub(", ", value)
    strong = [c for c in separators if c in _STRONG]
    parts = [part for piece in _split(value, strong) for part in _split_weakly(piece, separators)]
    if len(parts) > 1 and all(re.search(r"\d", part) for part in parts):
        return parts
    return parts if len(parts) == 1 and value.strip(PADDING).startswith("[") else [value]


def _split(value: str, separators: Iterable[str]) -> list[str]:
    pieces = re.split("|".join(map(re.escape, separators)) or r"(?!)", value)
    return [part for piece in pieces if (part := piece.strip(_WRAPPED))]


def _split_weakly(piece: str, separators: str) -> list[str]:
    parts = _split(piece, [c for c in separators if c in _WEAK])
    forms = {re.sub(r"\{\d+\}", "", shape(part)) for part in parts}
    return parts if len(forms) == 1 and canonical_id(piece) == folded(piece) else [piece]


def separators(known: str = "") -> str:
    """The characters that may separate ids, those of ``known`` left out: what stands inside an archive's own ids."""
    return "".join(c for c in _STRONG + _WEAK if c not in known)


def spellings(value: str) -> Iterator[str]:
    """``value`` as written, each of the ids it lists, and each without issuer and the like: what to search text for."""
    yield value
    for part in listed(value, separators()):
        bare = canonical_id(part)
        at = part.lower().find(bare) if part.isascii() else -1
        yield from (v for v in (part, part[at : at + len(bare)] if at >= 0 else bare) if len(v) > 2)


def shape(value: str) -> str:
    """The form of ``value`` and none of its letters or digits: "Ab-0012" is ``Aa-#{4}``; "" for nothing."""
    kinds = (
        "#" if c.isdigit() else "A" if c.isupper() else "a" if c.isalpha() else c if c in "-._/^ \\;,|+&~:" else "?"
        for c in value.strip(PADDING)
    )
    return re.sub(r"([Aa#?])\1+", lambda run: f"{run[1]}{{{len(run[0])}}}", "".join(kinds))
