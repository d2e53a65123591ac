"""No planted string survives: any nesting, any VR, any character set, any placement, any private creator."""

from __future__ import annotations

import pydicom
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.charset import python_encoding
from pydicom.datadict import DicomDictionary, keyword_for_tag, tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import CTImageStorage, EnhancedMRImageStorage, UltrasoundImageStorage

from curate.deid.header.clean import clean_header
from curate.deid.header.iod import items_of
from curate.deid.quiet import quiet
from curate.deid.rules import HeaderRules
from curate.errors import DropRecord
from tests.curate.deid.header_objects import EVERYTHING, NOTHING, PLANT, PSEUDO, ct, raw, source, written

VRS = ["AE", "AS", "AT", "CS", "DA", "DS", "DT", "FD", "FL", "IS", "LO", "LT", "OB", "OW", "PN", "SH", "SL", "SQ", "SS",
       "ST", "TM", "UC", "UI", "UL", "UN", "UR", "US", "UT", None]  # fmt: skip
TAGS = sorted(t for t in DicomDictionary if t >> 16 not in (0, 2, 0x7FE0) and t & 0xFFFF)
SEQUENCES = sorted(k for t in TAGS if DicomDictionary[t][0] == "SQ" and items_of(k := keyword_for_tag(t)))
CHARSETS = sorted(c for c in python_encoding if c)


def survives(ds: Dataset, value: str, rules: HeaderRules) -> bool:
    try:
        with quiet():
            out = clean_header(ds, PSEUDO, rules).dataset
            text = written(out).decode("latin-1").upper() + out.to_json().upper()
    except DropRecord:
        return False
    return value.upper() in text


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(TAGS),
    st.sampled_from(VRS),
    st.text(max_size=12),
    st.lists(st.sampled_from(SEQUENCES), max_size=6),
    st.sampled_from([HeaderRules(), EVERYTHING, NOTHING]),
    st.sampled_from([CTImageStorage, EnhancedMRImageStorage, UltrasoundImageStorage]),
    st.booleans(),
)  # fmt: skip
def test_no_planted_string_survives(
    tag: int, vr: str | None, noise: str, path: list[str], rules: HeaderRules, sop_class: str, known: bool
) -> None:
    ds = Dataset()
    ds[tag] = raw(tag, vr, f"{PLANT}{noise}".encode("utf-8", "surrogatepass"))
    for name in path:
        ds = source(**{name: Sequence([ds])})
    ds.update(ct(SOPClassUID=sop_class, PatientID="4711-0815"))
    if known:
        ds.PatientName = f"{PLANT}^John"  # named in the header, as a patient's name is
    # what a retained device identity says is not searched for the names of people that the header does not know
    if known or "device_identity" not in rules.retain:
        assert not survives(ds, PLANT, rules)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(CHARSETS), st.sampled_from(["LO", "PN", "LT", "SH", "CS"]), st.binary(max_size=8))
def test_no_planted_string_survives_any_character_set(charset: str, vr: str, noise: bytes) -> None:
    ds = ct(PatientID="P", SpecificCharacterSet=charset)
    for keyword in ("StudyDescription", "ImageComments", "FilterType", "ScanOptions", "PatientName", "ImageType"):
        tag = tag_for_keyword(keyword)
        assert tag is not None
        ds[tag] = raw(tag, vr, noise + PLANT.encode() + noise)
    assert not survives(ds, PLANT, HeaderRules())


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(["GEMS_ACQU_01", "GEMS_PARM_01", "SIEMENS MR HEADER", "ELSCINT1", PLANT, "Philips Imaging DD 001"]),
    st.sampled_from([0x0019, 0x0043, 0x01F1, 0x2001, 0x0009]),
    st.integers(0, 255),
    st.sampled_from(VRS[:-1]),
    st.sampled_from([HeaderRules(), EVERYTHING]),
)  # fmt: skip
def test_no_private_string_survives_any_creator(
    creator: str, group: int, number: int, vr: str, rules: HeaderRules
) -> None:
    ds = ct(PatientID="P")
    with quiet():
        ds[group << 16 | 0x0011] = raw(group << 16 | 0x0011, "LO", creator)
        ds[group << 16 | 0x1100 | number] = raw(group << 16 | 0x1100 | number, vr, PLANT.ljust(8))
    assert not survives(ds, PLANT, rules)


def deep(levels: int, name: str = "ReferencedImageSequence") -> Dataset:
    ds = source(PatientName=PLANT, StudyDescription=PLANT)
    for _ in range(levels):
        outer = Dataset()
        setattr(outer, name, Sequence([ds]))
        ds = outer
    return ds


def test_a_sequence_a_thousand_deep_neither_crashes_nor_leaks() -> None:
    for name in (
        "ReferencedImageSequence",
        "ContentSequence",
        "EquivalentCodeSequence",
        "PurposeOfReferenceCodeSequence",
    ):
        for rules in (HeaderRules(), EVERYTHING):
            ds = deep(1000, name)
            ds.update(ct(PatientID="P"))
            assert not survives(ds, PLANT, rules)


def test_a_thousand_deep_sequence_in_a_file_is_dropped() -> None:
    data = b""
    for _ in range(1000):
        data = _item(data)
    ds = ct(PatientID="P")
    ds[0x00081140] = raw(0x00081140, "SQ", data)
    assert not survives(ds, PLANT, HeaderRules())


def _item(inside: bytes) -> bytes:
    """An item, of defined length, that holds a name and a ReferencedImageSequence with ``inside``, explicit VR."""
    name = b"\x08\x00\x50\x11UI" + b"\x08\x00" + PLANT.encode() + b"\0"
    below = b"\x08\x00\x40\x11SQ\0\0" + len(inside).to_bytes(4, "little") + inside if inside else b""
    body = below + name
    return b"\xfe\xff\x00\xe0" + len(body).to_bytes(4, "little") + body


def test_an_object_that_holds_itself_ends() -> None:
    for name in (
        "ReferencedImageSequence",
        "SourceImageSequence",
        "ContentSequence",
        "PerFrameFunctionalGroupsSequence",
    ):
        ds = ct(PatientID="P", SOPClassUID=EnhancedMRImageStorage)
        item = source(PatientName=PLANT)
        setattr(item, name, Sequence([item, item]))
        setattr(ds, name, Sequence([item, ds]))
        assert not survives(ds, PLANT, EVERYTHING)


def test_a_file_read_from_bytes_loses_what_was_planted() -> None:
    ds = ct(PatientID="P", PatientName=f"{PLANT}^A", StudyDescription=f"chest {PLANT}", Rows=4)
    for implicit, little in ((True, True), (False, True), (False, False)):
        with quiet():
            data = pydicom.filebase.DicomBytesIO(written(ds, implicit, little))
            back = pydicom.filereader.read_dataset(data, implicit, little)
        out = clean_header(back, PSEUDO).dataset
        assert (out.StudyDescription, out.Rows) == ("chest", 4)
        assert PLANT not in written(out).decode("latin-1")
