"""What the header cleaner keeps by rule, the verifier lets pass: else a file would be withheld for nothing."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import UID

from curate.deid.header.clean import clean_header
from curate.deid.header.iod import items_of
from curate.deid.header.plan import Plan, item_plan, plan_for
from curate.deid.header.table import data_lines
from curate.deid.rules import HeaderRules
from curate.deid.verify.dicom.findings import dicom_findings
from curate.deid.verify.dicom.header import identifying
from tests.curate.deid.test_mutation_header import PSEUDO, source, written

RULES = HeaderRules()


def plans() -> list[Plan]:
    """Of every object, and of every sequence's items."""
    objects = [plan_for(line.split(":")[0], RULES) for line in data_lines("iods.txt")]
    names = {line.split(":")[0] for line in data_lines("items.txt")}
    return objects + [item_plan(name, RULES) for name in sorted(names) if items_of(name)]


def test_no_text_is_kept_of_what_the_verifier_takes_for_an_identity() -> None:
    kept = {
        step.keyword
        for plan in plans()
        for tag, step in plan.items()
        if step.verb in ("clean", "term", "device") and (identifying(tag) or tag >> 16 == 0x16)
    }
    assert kept == {"QualityControlSubject"}  # YES or NO


@pytest.mark.parametrize(
    ("keyword", "value", "stays"),
    [
        ("Occupation", "nurse", False),
        ("ServiceEpisodeDescription", "trauma", False),
        ("PatientSpeciesDescription", "human", False),
        ("StudyDescription", "CT chest", True),
        ("PatientState", "normal", True),
    ],
)
def test_a_harmless_word_does_not_hold_the_file_back(keyword: str, value: str, stays: bool) -> None:
    ds = source()
    setattr(ds, keyword, value)
    cleaned = clean_header(ds, PSEUDO, RULES).dataset
    assert cleaned.get(keyword, "") == (value if stays else "")
    assert dicom_findings(written(cleaned), ds, retain=RULES.retain) == ()


def test_a_radiopharmaceutical_route_is_no_identity() -> None:
    ds, item = source(), Dataset()
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = UID("1.2.840.10008.5.1.4.1.1.128")
    ds.Modality, item.RadiopharmaceuticalRoute = "PT", "Intravenous"
    ds.RadiopharmaceuticalInformationSequence = [item]
    cleaned = clean_header(ds, PSEUDO, RULES).dataset
    assert cleaned.RadiopharmaceuticalInformationSequence[0].RadiopharmaceuticalRoute == "Intravenous"
    assert dicom_findings(written(cleaned), ds, retain=RULES.retain) == ()
