"""The verifier of files that somebody else released: without a source, a file is judged by itself alone.

Findings are attributes that PS3.15 table E.1-1 empties, removes or replaces but that still have a value, values with
the form of identifiers, and values forgotten while similar ones were replaced. Options that a file declares (PS3.16 CID
7050, in De-identification Method Code Sequence) are accepted and reported; whether a number is a pseudonym, or a date
was shifted, cannot be known. Findings are reported by place (keywords and tags), never by value.
"""

from __future__ import annotations

import io
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field

import pydicom
from pydicom.datadict import keyword_for_tag
from pydicom.dataset import Dataset
from pydicom.uid import UID_dictionary  # type: ignore[attr-defined]

from curate.deid.quiet import UNPARSEABLE, element, quiet
from curate.deid.verify.audit.text import DIGITS, PSEUDONYM, REPLACED, audit_text, is_a_name
from curate.deid.verify.dates import day_of, is_over_89
from curate.deid.verify.dicom.header import (
    BIRTHS,
    CLASS_UIDS,
    DEVICE,
    PATIENT_CHARACTERISTICS,
    TEXT,
    identifying,
    is_generic,
)
from curate.deid.verify.dicom.part10 import PIXELS, Element, Unsound, dictionary_vr, parse
from curate.deid.verify.finding import Finding
from curate.deid.verify.names import unknown_names

# Codes of CID 7050 and the option of PS3.15 E.3 that each declares, as `Audited.declared` names them.
OPTIONS = {
    "113101": "clean_pixels",
    "113102": "clean_faces",
    "113103": "clean_graphics",
    "113104": "clean_structured",
    "113105": "clean_descriptors",
    "113106": "full_dates",
    "113107": "dates",
    "113108": "patient_characteristics",
    "113109": "device_identity",
    "113110": "uids",
    "113111": "safe_private",
    "113112": "institution",
}
ALLOWED = ("dates", "uids", "device_identity", "patient_characteristics", "safe_private", "institution")
_METHODS, _CODE_VALUE = 0x00120064, 0x00080100
_DOCUMENT, _DOCUMENT_TYPE = 0x00420011, 0x00420012
_PATIENT_ID = frozenset({0x00100020, 0x00101000})
_SUBJECT = PATIENT_CHARACTERISTICS | {0x00102180, 0x001021F0}  # and occupation, religion
_INSTITUTION = re.compile(r"^Institution")
# Words of the standard, numbers and parts of a machine: no prose, and no identities.
_TECHNICAL = re.compile(
    r"^(?:Manufacturer|Software|ManufacturerModelName|Scanning|Sequence(?:Name|Variant)|ConvolutionKernel|FilterType"
    r"|Coding|ContextGroup|MappingResource|Timezone|SpecificCharacter|Photometric|LossyImage|Deidentification|Code(?:Value|Meaning)"
    r"|Content(?:Label|Creator)|DerivationDescription|FrameComments|Pixel|Rescale|PresentationLUT|Contrast|Radiopharmaceutical"
    r"|ReceiveCoil|TransmitCoil|Transducer|Reconstruction|ImplementationVersion|LongCodeValue|URNCodeValue)"
)
# UID roots of manufacturers of devices and archives (PS3.5 annex B); de-identified files have UIDs of other roots.
_MAKERS = re.compile(
    r"1\.2\.840\.113(?:619|704|845|564|681|674|663|543)\.|1\.3\.12\.2\.1107\.|1\.3\.46\.670589\.|1\.2\.392\.2000(?:36|46)\."
    r"|1\.2\.528\.1\.1001\.|1\.2\.124\.113532\.|1\.3\.51\.|1\.2\.250\.1\.59\.|1\.2\.752\.24\.|1\.2\.276\.0\.(?:26|37|50|20)\."
    r"|1\.2\.410\.200010\.|1\.2\.156\.112605\."
)
_UID_DAY = re.compile(r"(?:^|\.)((?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01]))(?:\d{4}|\d{6})?(?=\.|$)")
_WIDE_ROOTS = ("1.2.826.0.1.3680043.", "1.3.6.1.4.1.")  # roots under which organisations register


@dataclass
class Audited:
    """``places``: the places of each finding, without values; ``declared``: options that the file declares;
    ``removed``: whether it declares that the identity was removed (0012,0062)."""

    places: dict[Finding, set[str]] = field(default_factory=dict)
    declared: frozenset[str] = frozenset()
    removed: bool = False
    document: bytes = b""

    def put(self, finding: Finding, where: str) -> None:
        """Add a finding, once for each place."""
        self.places.setdefault(finding, set()).add(where)


def audit_header(data: bytes, allowed: Collection[str] = ()) -> Audited:
    """Findings in the header, documents and text of a whole DICOM file, without pixels.

    ``allowed``: options of `ALLOWED` that were agreed on beside those that the file declares. CONTAINER if the file is
    no sound Part 10 file, or more than that; it is then read by pydicom, as far as possible.
    """
    out = Audited()
    try:
        file = parse(data)
        meta, elements = file.meta, file.elements
        if file.preamble.strip(b"\0") and re.search(rb"[\x20-\x7e]{7,}", file.preamble):
            out.put(Finding.CONTAINER, "preamble")
    except Unsound:
        out.put(Finding.CONTAINER, "file structure")
        meta, elements = _tolerant(data)
    out.declared = frozenset(_declared(elements))
    out.removed = any(e.tag == 0x00120062 and not e.path and e.value.strip(b" \0") == b"YES" for e in elements)
    options = out.declared | set(allowed)
    own = next((e.values[0] for e in elements if e.tag == 0x00080018 and not e.path and e.values), "")
    for each in (*meta, *elements):
        for finding in _of_element(each, options, own):
            out.put(finding, place(each))
        if each.tag == _DOCUMENT:
            out.document = each.value
            out.put(Finding.UNPROVABLE, place(each))
    return out


def place(element: Element) -> str:
    """The place of an element: keywords from the outermost sequence down, or tags without a keyword."""
    return "/".join(_name(tag) for tag in (*element.path, element.tag))


def _name(tag: int) -> str:
    return keyword_for_tag(tag) or f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


def _tolerant(data: bytes) -> tuple[list[Element], list[Element]]:
    """Elements of file meta and data set as pydicom reads them, as far as it does."""
    with quiet():
        try:
            ds = pydicom.dcmread(io.BytesIO(data), force=True)
            return list(_walked(ds.file_meta, ())), list(_walked(ds, ()))
        except UNPARSEABLE:
            return [], []


def _walked(ds: Dataset, path: tuple[int, ...]) -> Iterator[Element]:
    for tag in list(ds.keys()):
        try:
            stored = ds.get_item(tag)
            vr, value = str(stored.VR or dictionary_vr(int(tag)) or "UN"), stored.value
        except UNPARSEABLE:
            continue
        if vr == "SQ" and (parsed := element(ds, tag)) is not None and len(path) < 64:
            yield Element(int(tag), vr, b"", path)
            for item in parsed.value:
                yield from _walked(item, (*path, int(tag)))
        elif isinstance(value, bytes):
            yield Element(int(tag), vr, value, path)
        elif value is not None:
            values = value if isinstance(value, list) else [value]
            yield Element(int(tag), vr, "\\".join(map(str, values)).encode("utf-8", "replace"), path)


def _declared(elements: Iterable[Element]) -> Iterator[str]:
    for each in elements:
        if each.tag == _CODE_VALUE and each.path == (_METHODS,):
            code = each.value.strip(b" \0").decode("latin-1")
            if code in OPTIONS:
                yield "dates" if code == "113106" else OPTIONS[code]
                if code == "113106":
                    yield "full_dates"


def _of_element(each: Element, options: Collection[str], own: str) -> Iterator[Finding]:
    tag, vr = each.tag, each.vr
    group = tag >> 16
    if (tag in PIXELS and not each.path) or (group in (0x0002,) and tag & 0xFFFF <= 0x0013) or not tag & 0xFFFF:
        return
    if group & 1:
        if not 0x10 <= tag & 0xFFFF <= 0xFF and "safe_private" not in options:
            yield Finding.PRIVATE
        elif "safe_private" in options:
            yield from _kept_private(each)
        return
    if not each.value.strip(b" \0"):
        return
    if group in (0x0016,) or (group & 0xFF00 in (0x5000, 0x6000) and tag & 0xFFFF == 0x3000) or group in (0xFFFA,):
        yield Finding.ATTRIBUTE
    elif group == 0x7FE0 and each.path:
        yield Finding.ATTRIBUTE  # an icon: the picture before de-identification of its pixels
    elif vr == "UI":
        yield from _uid(each, options, own)
    elif vr == "PN":
        if any(is_a_name(v) for v in each.values):
            yield Finding.NAME
    elif tag in BIRTHS:
        if any(day is not None and (day.month, day.day) != (1, 1) for day in map(day_of, each.values)):
            yield Finding.BIRTH
    elif vr in ("DA", "DT"):
        if "dates" not in options and any(day_of(v) for v in each.values):
            yield Finding.DATE
    elif vr == "AS":
        if any(is_over_89(v) for v in each.values):
            yield Finding.AGE
        elif "patient_characteristics" not in options:
            yield Finding.ATTRIBUTE
    elif tag in _SUBJECT:
        if "patient_characteristics" not in options:
            yield Finding.ATTRIBUTE
    else:
        yield from _words(each, options)


def _kept_private(each: Element) -> Iterator[Finding]:
    """Findings in a private element that is declared safe: names, and text with the form of identifiers."""
    if each.vr == "PN" and any(is_a_name(v) for v in each.values):
        yield Finding.NAME
    elif each.vr in TEXT:
        yield from audit_text(each.text)


def _words(each: Element, options: Collection[str]) -> Iterator[Finding]:
    keyword = each.keyword
    values = [v for v in each.values if not is_generic(v) and not PSEUDONYM.fullmatch(v)]
    if each.tag in _PATIENT_ID:
        yield from (Finding.ID for v in values if DIGITS.fullmatch(v))
    elif each.vr in ("AE", "UR"):
        yield from (Finding.ATTRIBUTE for v in values if not REPLACED.search(v))
    elif identifying(each.tag) and each.vr in (*TEXT, "IS"):
        excused = (DEVICE, "device_identity"), (_INSTITUTION, "institution")
        if not any(pattern.search(keyword) and option in options for pattern, option in excused):
            yield from (Finding.ATTRIBUTE for v in values if not REPLACED.search(v))
    if each.vr in TEXT and each.vr not in ("AE", "UR") and not _TECHNICAL.match(keyword) and values:
        text = each.text
        yield from audit_text(text)
        if each.vr in ("LO", "SH") and each.tag not in _PATIENT_ID and unknown_names(text):
            yield Finding.WORD


def _uid(each: Element, options: Collection[str], own: str) -> Iterator[Finding]:
    """UIDs with a manufacturer's root, with a date in them, or with another root than the file's new one."""
    if "uids" in options or each.tag in CLASS_UIDS:
        return
    for uid in each.values:
        if not uid or uid in UID_dictionary or uid.startswith("1.2.840.10008."):
            continue
        if (
            _MAKERS.match(uid)
            or (not uid.startswith("2.25.") and _UID_DAY.search(uid))
            or _root(uid) != _root(own or uid)
        ):
            yield Finding.UID


def _root(uid: str) -> str:
    """The root of a UID: its first arcs."""
    if uid.startswith("2.25."):
        return "2.25"
    arcs = uid.split(".")
    return ".".join(arcs[: 8 if uid.startswith(_WIDE_ROOTS[0]) else 7 if uid.startswith(_WIDE_ROOTS[1]) else 3])
