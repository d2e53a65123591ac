"""The direct identifiers of a source header, extracted by the verifier's own code. They live in memory only."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from functools import cache, lru_cache
from itertools import islice
from typing import Any

from pydicom.charset import convert_encodings, decode_bytes
from pydicom.datadict import DicomDictionary, keyword_for_tag  # type: ignore[attr-defined]
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag
from pydicom.uid import UID_dictionary  # type: ignore[attr-defined]

from curate.deid.quiet import UNPARSEABLE, element, quiet
from curate.deid.verify.dates import day_of
from curate.deid.verify.dicom.part10 import dictionary_vr
from curate.deid.verify.finding import Finding
from curate.deid.verify.vocabulary import is_known

TEXT = frozenset(["LO", "SH", "ST", "LT", "UT", "UC", "UR", "AE", "PN"])
_STRING_VRS = TEXT | {"CS", "IS", "UN", "OB"}
_MAX_DEPTH = 64
_MAX_ELEMENTS = 200_000
_MAX_CACHED = 64  # bytes; shorter elements, which the files of a series share, are cached
_MAX_VALUE = 256  # longer byte strings are tables or pictures, no values
_IDENTIFYING = re.compile(
    r"^PatientName|Address|Telephone|Telecom|Institution|Department|Station|Serial|Accession|^PatientID|OtherPatient|Issuer"
    r"|Admission|ServiceEpisode|Location|Residence|Insurance|Locator|Occupation|Mother|Owner|Contact|Religious|Ethnic|Region"
    r"|Country|IDs?$|OrderNumber|AETitle|Person|Organization|UDI|DeviceLabel|LotNumber|Author|Requesting|Referring|Reviewer"
    r"|Physician|Operator|Performer|Crew|Courier|Custodial|Site|Sponsor|Protocol(?:ID|Name)|Subject|Bulk|Zone|Itinerary"
    r"|Flight|Route|Port|Vehicle|Container(?:ID|Desc)|Passenger|Assignee|Arbitrary|TextString"
    r"|TextComments|Narrative|Signature|Certificate|MAC$|Encrypted|Military|Rank|Branch|Uniform|InstanceOrigin|ReasonForTheAttribute|Breed|Species|Pet"
)
_HARMLESS = re.compile(
    r"^StackID$|^Manufacturer|ManufacturerModelName|CodingScheme|ContextGroup|MappingResource|^Bits|PixelSpac|CodeMeaning|CodeValue"
    r"|BodyPart|FrameLabel|Dimension|ParametersSequence|Photometric|ViewPosition|ProtocolName|SequenceName|Relationship"
    r"|PixelData|Filter|Kernel|Contrast(?!.*ID)|ScanOptions|PresentationLUT|Supported|Organ(?:Exposed)?$|RegionOf|Regional"
    r"|^Region(?:Spatial|Data|Flags|Location|Pixel)|Transport|ReportedValues|Import|Segment|MeasurementUnits|Software"
    r"|RadiopharmaceuticalRoute|TimeOfFlight|BulkMotion|NonUniform|Polarization|ImmersionMedia|SpatialLocations"
    r"|TissueLocation|TreatmentSite|SensingRegion|SourceLocation|ContactMethod"
    r"|^Tracking|UltrasoundRegions|LateralityCode|ScheduledStepAttributes|Procedure(?:Step)?(?:Description|Type)|Window|Modality"
)
BIRTHS = frozenset({0x00100030, 0x00100032, 0x00100033, 0x00100034})
# Sex, size, weight, ethnic group, smoking, pregnancy, allergies, alerts, and what says the same of animals.
PATIENT_CHARACTERISTICS = frozenset(
    0x00100000 + number
    for number in (
        *(0x22, 0x35, 0x40, 0x1010, 0x1020, 0x1021, 0x1022, 0x1030, 0x2000, 0x2110, 0x2160, 0x21A0, 0x21C0),
        *(0x2201, 0x2202, 0x2203, 0x2292, 0x2293, 0x2294, 0x2295),
    )
)
DEVICE = re.compile(
    r"Station|Serial|Device(?!Sequence)|Gantry|Detector|Plate|Cassette|Generator|Scheduled(?!.*Physician)|UDI|Label|Lot"
)
# UIDs of classes, syntaxes and coding schemes, not of instances (PS3.6); private ones identify nobody either.
CLASS_UIDS = frozenset(
    {
        *(0x00020002, 0x00020010, 0x00020012, 0x00041510, 0x00041512, 0x00080016, 0x0008001A, 0x0008001B, 0x00080062),
        *(0x0008010C, 0x00080117, 0x00080118, 0x00081150, 0x0008115A, 0x00189004, 0x04000010, 0x04000510),
    }
)
_GENERIC_WORDS = """
none null unknown anonymous anonymized anonymised deidentified removed withheld patient name test unnamed nothing
empty default other yes no not available xxx xxxx male female unspecified radiology hospital clinic department
imaging physician doctor operator tech technologist admin user guest system scanner station console server local
localhost any pacs dicom ris his general university center centre medical true false ct mr us cr dx mg xa rf nm pt
siemens philips toshiba canon hitachi fujifilm agfa kodak carestream hologic samsung ge na issuer phantom modality
lut
"""
_GENERIC = frozenset(_GENERIC_WORDS.split())


@dataclass(slots=True)
class SourceIdentifiers:
    """The values of a source header that must not be in its output."""

    people: list[str] = field(default_factory=list)  # PN values, whole
    values: dict[str, Finding] = field(default_factory=dict)  # other direct identifiers
    same: set[tuple[int, str]] = field(default_factory=set)  # (tag, value) of identifying attributes
    free: dict[int, list[str]] = field(default_factory=dict)  # free text by tag
    uids: set[str] = field(default_factory=set)
    days: dict[tuple[int, ...], set[date]] = field(default_factory=dict)  # by path and tag
    times: set[tuple[int, str]] = field(default_factory=set)
    births: set[date] = field(default_factory=set)


def source_identifiers(source: Dataset, spared: re.Pattern[str] | None = None) -> SourceIdentifiers:
    """The direct identifiers of ``source`` and its file meta, at any depth, without attributes whose keyword matches
    ``spared``. Never raises for malformed elements."""
    identifiers = SourceIdentifiers()
    with quiet():
        for part in (getattr(source, "file_meta", None), source):
            if part is not None:
                for tag, taken, path in islice(_walk(part, ["iso8859"], ()), _MAX_ELEMENTS):
                    if taken and (spared is None or not spared.search(keyword_for_tag(tag))):
                        _put(identifiers, tag, taken, path)
    return identifiers


def search_values(known: SourceIdentifiers, *, days: bool = True) -> tuple[list[str], list[str]]:
    """Person names, to be searched in parts, and other identifiers, searched whole; with ``days`` every date, else only
    those of birth."""
    days_to_search = sorted(known.births) + [day for each in known.days.values() if days for day in sorted(each)]
    values = [v for v in known.values if not is_generic(v) and len(v) > 2 and not _common(v)]
    people = [_without_generic(name) for name in known.people if not is_generic(name)]
    return people, list(dict.fromkeys([*values, *(day.strftime("%Y%m%d") for day in days_to_search)]))


def _without_generic(name: str) -> str:
    return re.sub(r"[^\W_]+", lambda word: "" if is_generic(word[0]) and len(word[0]) > 2 else word[0], name)


def _common(value: str) -> bool:
    """True for a value of common words alone: "Radiology" as a department may occur in a description as well."""
    words = re.findall(r"[^\W_]+", value)
    return not re.search(r"\d", value) and all(is_known(w) for w in words) and len(words) < 3


def _put(identifiers: SourceIdentifiers, tag: int, values: ElementValues, path: tuple[int, ...]) -> None:
    for kind, value in values:
        if isinstance(kind, Finding):
            identifiers.values.setdefault(value, kind)
        elif kind == "same":
            identifiers.same.add((tag, value))
        elif kind == "free":
            identifiers.free.setdefault(tag, []).append(value)
        elif kind == "person":
            identifiers.people.append(value)
        elif kind == "day":
            identifiers.days.setdefault((*path, tag), set()).add(value)
        elif kind == "birth":
            identifiers.births.add(value)
        elif kind == "uid":
            identifiers.uids.add(value)
        else:
            identifiers.times.add((tag, value))


# Identifying values of an element: (field of `SourceIdentifiers` or finding code, text or date).
ElementValues = tuple[tuple[str | Finding, Any], ...]


def _walk(
    ds: Dataset, encodings: list[str], path: tuple[int, ...]
) -> Iterator[tuple[int, ElementValues, tuple[int, ...]]]:
    encodings = _encodings(ds, encodings)
    for tag, stored in list(ds.items()):  # not the Dataset itself: iterating it parses, and may raise
        number = int(tag)
        if number >> 16 in (0x7FE0, 0xFFFC):
            continue
        if isinstance(stored, RawDataElement) and isinstance(stored.value, bytes) and len(stored.value) <= _MAX_CACHED:
            vr = stored.VR or dictionary_vr(number) or "UN"
            if vr not in ("SQ", "UN") and stored.value.isascii() and b"\x1b" not in stored.value:
                if values := _of_ascii(number, vr, stored.value):
                    yield number, values, path
                continue
        vr, value = _raw(ds, tag)
        if vr == "SQ" or (vr == "UN" and isinstance(value, bytes) and value[:4] == b"\xfe\xff\x00\xe0"):
            parsed = element(ds, tag)
            items = parsed.value if parsed is not None and parsed.VR == "SQ" else None
            if items is not None and len(path) < _MAX_DEPTH:
                yield number, (), path
                for item in items:
                    yield from _walk(item, encodings, (*path, number))
                continue
            vr = "UN"
        yield number, tuple(_element_values(number, vr, _strings(vr, value, encodings))), path


@lru_cache(maxsize=16384)
def _of_ascii(tag: int, vr: str, value: bytes) -> ElementValues:
    """The identifying values of a short element in ASCII, cached."""
    return tuple(_element_values(tag, vr, _strings(vr, value, [])))


def _raw(ds: Dataset, tag: BaseTag) -> tuple[str, object]:
    """VR and value of an element as stored, without parsing it."""
    try:
        stored: Any = ds.get_item(tag)
        return str(stored.VR or dictionary_vr(int(tag)) or "UN"), stored.value
    except UNPARSEABLE:
        return "UN", b""


def _encodings(ds: Dataset, outer: list[str]) -> list[str]:
    if 0x00080005 not in ds:
        return outer
    try:
        return convert_encodings(ds[0x00080005].value)
    except UNPARSEABLE:
        return outer


def _strings(vr: str, value: object, encodings: list[str]) -> list[str]:
    """The values of an element as text, stripped; none for numbers and for long bytes that are no text."""
    if value is None or isinstance(value, int | float):
        return [str(value)] if vr == "IS" and value is not None else []
    if isinstance(value, bytes):
        if vr in ("OB", "OW", "OF", "OD", "OL", "OV", "US", "SS", "UL", "SL", "FL", "FD", "AT", "UV", "SV"):
            return _printable(value) if vr == "OB" else []
        text = _decoded(value, encodings) if vr != "UN" else "\\".join(_printable(value))
        return [v.strip(" \0\t\r\n") for v in (text.split("\\") if vr not in ("ST", "LT", "UT") else [text])]
    values = list(value) if isinstance(value, (MultiValue, list, tuple)) else [value]
    return [
        each
        for v in values
        if v is not None
        for each in ([str(v).strip(" \0")] if not isinstance(v, bytes) else _printable(v))
    ]


def _decoded(value: bytes, encodings: list[str]) -> str:
    if value.isascii() and b"\x1b" not in value:
        return value.decode("ascii")
    try:
        return decode_bytes(value, encodings, set())
    except UNPARSEABLE:
        return value.decode("latin-1")


def _printable(value: bytes) -> list[str]:
    text = value[: _MAX_VALUE + 1].decode("latin-1").strip(" \0")
    return text.split("\\") if 2 < len(text) <= _MAX_VALUE and text.isprintable() else []


def _element_values(tag: int, vr: str, values: list[str]) -> Iterator[tuple[str | Finding, Any]]:
    private = bool(tag >> 16 & 1)
    for value in values:
        if not value:
            continue
        if vr == "PN":
            yield "person", value
            yield "same", value
        elif vr == "UI":
            if value not in UID_dictionary and tag not in CLASS_UIDS:
                yield "uid", value
        elif vr in ("DA", "DT"):
            day = day_of(value)
            if day is not None:
                yield "birth" if tag in BIRTHS else "day", day
        elif vr == "TM":
            yield "time", value
        elif private or vr in _STRING_VRS:
            yield from _text_values(tag, vr, value, private)
        elif vr in ("AS", "DS"):
            yield "same", value


def _text_values(tag: int, vr: str, value: str, private: bool) -> Iterator[tuple[str | Finding, Any]]:
    yield "same", value
    if private or vr in ("UN", "OB"):
        if tag & 0xFFFF > 0xFF and len(value) <= _MAX_VALUE and _strange(value):
            yield Finding.PRIVATE if private else Finding.ATTRIBUTE, value
        return
    if identifying(tag) and vr != "CS" and not is_generic(value):
        yield Finding.ID if any(map(str.isdigit, value)) else Finding.ATTRIBUTE, value
    if vr in TEXT:
        yield "free", value


def _strange(value: str) -> bool:
    """True for a private string that could identify someone: a long number, an e-mail, a name, only unknown words."""
    if re.fullmatch(r"[-+.\dEe\s]*", value) and not re.fullmatch(r"\d{6,}", value):
        return False
    if any(ch in value for ch in "{}<>=") or "1.2.840.10008" in value:
        return False
    if re.search(r"\w\^\w|@", value):
        return True
    words = re.findall(r"[^\W\d_]{4,}", value)
    if words:
        return not any(is_known(w) for w in words)
    return re.fullmatch(r"[A-Za-z]{0,4}\d{6,16}[A-Za-z]?", value) is not None


def is_generic(value: str) -> bool:
    """True for values that identify nobody: generic words, one character repeated, one or two characters."""
    return (_is_generic if len(value) <= _MAX_CACHED else _is_generic.__wrapped__)(value)


@lru_cache(maxsize=8192)
def _is_generic(value: str) -> bool:
    words = re.findall(r"[^\W_]+", value.casefold())
    return not words or all(w in _GENERIC for w in words) or len(set("".join(words))) == 1 or len("".join(words)) < 3


@cache
def identifying(tag: int) -> bool:
    """True for an attribute that identifies a person, a place, a device or a document, by its keyword in PS3.6."""
    entry = DicomDictionary.get(tag)
    return entry is not None and bool(_IDENTIFYING.search(entry[4])) and not _HARMLESS.search(entry[4])


@lru_cache(maxsize=2048)
def byte_forms(value: str) -> tuple[bytes, ...]:
    """A value's bytes in all encodings and cases in which a file could contain it: 6 bytes and more."""
    return tuple(dict.fromkeys(_encoded(value)))


def _encoded(value: str) -> Iterator[bytes]:
    for spelled in dict.fromkeys((value, value.upper(), value.lower(), value.title())):
        encodings = ("ascii", "utf-16-le") if spelled.isascii() else _ENCODINGS
        for encoding in encodings:
            try:
                raw = spelled.encode(encoding)
            except UnicodeEncodeError:
                continue
            raw = raw.rstrip(b"\0") if encoding == "utf-16-le" else raw  # so that it also matches big endian
            if len(raw) >= 6 and len(set(raw)) > 2:
                yield raw


_ENCODINGS = (
    "utf-8", "latin-1", "utf-16-le", "utf-16-be", "iso2022_jp_2", "shift_jis", "euc_kr", "gb18030", "big5", "iso8859_2",
    "iso8859_5", "iso8859_6", "iso8859_7", "iso8859_8", "iso8859_9", "koi8_r", "cp1251", "tis_620",
)  # fmt: skip
