"""PS3.15 Table E.1-1: nothing that it strikes is carried, at the top or in any sequence, whatever the object."""

from __future__ import annotations

from functools import cache

import pytest
from pydicom.datadict import dictionary_VR, keyword_for_tag
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    CTImageStorage,
    DigitalXRayImageStorageForPresentation,
    EnhancedMRImageStorage,
    RTPlanStorage,
    SegmentationStorage,
    UltrasoundImageStorage,
)

from curate.deid.header.iod import attributes_of, iod_of, is_code, items_of, kind_of, sop_classes
from curate.deid.header.table import row_of, rows, table_edition, treatment
from curate.deid.rules import HeaderRules
from tests.curate.deid.header_objects import EVERYTHING, NOTHING, carried, cleaned, ct, planted

CLASSES = (
    CTImageStorage, DigitalXRayImageStorageForPresentation, UltrasoundImageStorage, EnhancedMRImageStorage,
    SegmentationStorage, RTPlanStorage, "1.2.826.0.1.3680043.9.9999.1",
)  # fmt: skip


def struck(rules: HeaderRules) -> list[tuple[int, str]]:
    """Tag and VR of every row that keeps no value under these rules; a tag for each open-ended one."""
    found = []
    for row in rows():
        tag = int({"odd": "00091001"}.get(row.tag, row.tag.replace("x", "2")), 16)
        if tag >> 16 == 0x0002 or treatment(tag, rules) not in ("remove", "remap", "clean", "shift"):
            continue
        known = keyword_for_tag(tag)
        found.append((tag, dictionary_VR(tag) if known else "LO"))
    return found


def test_the_table_is_whole_and_says_its_edition() -> None:
    assert table_edition() == "PS3.15 2026c, 656 rows"
    assert sum(1 for r in rows() if r.tag == "odd") == 1
    assert {r.profile for r in rows()} <= {"X", "Z", "D", "U", "Z/D", "X/Z", "X/D", "X/Z/D", "X/Z/U*"}
    assert row_of(0x50143000) and row_of(0x60023000) and row_of(0x00091002) and row_of(0x00100010)
    assert row_of(0x00280010) is None and row_of(0x60020010) is None


def test_options_say_what_becomes_of_a_row() -> None:
    dates, birth, serial, sex, text, uid = 0x00080020, 0x00100030, 0x00181000, 0x00100040, 0x00081030, 0x0020000D
    assert [treatment(t, EVERYTHING) for t in (dates, birth, serial, sex, text, uid)] == [
        "shift", "remove", "keep", "clean", "clean", "keep",
    ]  # fmt: skip
    assert {treatment(t, NOTHING) for t in (dates, birth, serial, sex, text)} == {"remove"}
    assert treatment(uid, NOTHING) == "remap"


@pytest.mark.parametrize("sop_class", CLASSES)
def test_no_struck_row_is_carried_at_the_top(sop_class: str) -> None:
    every = ct(SOPClassUID=sop_class)
    for tag, vr in struck(NOTHING):
        if keyword_for_tag(tag) != "SOPInstanceUID":
            every.update(planted(tag, vr))
    assert len(every) > 600
    out = cleaned(every, NOTHING)
    assert not carried(out), [str(e.tag) for e in out if carried(one(e))]


@pytest.mark.parametrize("rules", [NOTHING, HeaderRules()], ids=["nothing", "default"])
def test_no_struck_row_is_carried_in_any_sequence_that_may_hold_it(rules: HeaderRules) -> None:
    tried = 0
    characteristic = {t for t, _ in struck(NOTHING) if "patient_characteristics" in getattr(row_of(t), "options", {})}
    rows_ = [r for r in struck(NOTHING) if rules is NOTHING or r[0] not in characteristic]
    for iod, uid in sorted({iod_of(uid): uid for uid in sop_classes() if kind_of(uid) == "object"}.items()):
        for number in attributes_of(iod or ""):
            keyword = keyword_for_tag(number)
            inside = [(t, vr) for t, vr in rows_ if t in items_of(keyword)]
            if dictionary_VR(number) != "SQ" or not inside or keyword in _seen(rules):
                continue
            _seen(rules).add(keyword)
            item = Dataset()
            for tag, vr in inside:
                item.update(planted(tag, vr))
            if is_code(keyword):
                item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "T-D3000", "SRT", "Thorax"
            ds = ct(SOPClassUID=uid, PatientID="4711-0815")
            setattr(ds, keyword, Sequence([item, nested(item)]))
            left = carried(cleaned(ds, rules))  # a time of day stays with the dates
            assert [v for v in left if v != "101112" or rules is NOTHING] == [], f"{keyword} of {iod}"
            tried += len(inside)
    assert tried > 700


@cache
def _seen(rules: HeaderRules) -> set[str]:
    return set()


def one(element: DataElement) -> Dataset:
    """A data set of this element alone."""
    ds = Dataset()
    ds.add(element)
    return ds


def nested(item: Dataset) -> Dataset:
    """The item a level further down, in a sequence that most items may not hold."""
    below = Dataset()
    below.ReferencedImageSequence = below.RequestAttributesSequence = Sequence([item])
    return below


def test_every_class_of_the_standard_has_a_kind_and_every_object_its_attributes() -> None:
    kinds = {uid: kind_of(uid) for uid in sop_classes()}
    assert {k: list(kinds.values()).count(k) for k in set(kinds.values())}["object"] > 130
    for uid, kind in kinds.items():
        iod = iod_of(uid)
        assert iod is not None
        if kind == "object":
            needs = attributes_of(iod)
            assert {0x00080016, 0x00080018, 0x0020000D}.issubset(needs) or iod.startswith("implant"), iod
