"""Data sets made for the header tests: planted values, and full objects of a class."""

from __future__ import annotations

from io import BytesIO

from pydicom.datadict import dictionary_VM, dictionary_VR, keyword_for_tag
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.filewriter import dcmwrite
from pydicom.sequence import Sequence
from pydicom.tag import Tag
from pydicom.uid import CTImageStorage

from curate.deid.header.clean import clean_header
from curate.deid.header.iod import attributes_of
from curate.deid.pseudonym import Pseudonymizer
from curate.deid.quiet import quiet
from curate.deid.rules import HeaderRules

PSEUDO = Pseudonymizer(b"a secret of enough bytes, for tests")
PLANT = "Zqxjkwv"
PLANTED_DATE = "19570312"
CARRIED = [PLANT, PLANTED_DATE, "101112", "097Y", "1.2.826.777.424242", "424242", "42424"]
BY_VR: dict[str, object] = {
    "DA": PLANTED_DATE, "DT": PLANTED_DATE + "101112.131415", "TM": "101112.131415", "AS": "097Y",
    "UI": "1.2.826.777.424242", "DS": "424242.25", "IS": "424242", "FD": 424242.25, "FL": 424242.25, "US": 42424,
    "SS": 4242, "UL": 424242, "SL": 424242, "UV": 424242, "SV": 424242,
}  # fmt: skip
EVERYTHING = HeaderRules(
    retain=("dates", "uids", "patient_characteristics", "device_identity", "safe_private"),
    structured_reports="clean",
    unknown_classes="generic",
)
DEFAULT = HeaderRules()
NOTHING = HeaderRules(retain=(), descriptors="remove", unknown_classes="generic")


def source(**values: object) -> Dataset:
    """A data set of these attributes, whatever pydicom thinks of their values."""
    ds = Dataset()
    with quiet():
        for keyword, value in values.items():
            setattr(ds, keyword, value)
    return ds


def ct(**values: object) -> Dataset:
    """A CT object with the attributes that name it."""
    named = {"SOPClassUID": CTImageStorage, "SOPInstanceUID": "1.2.3.4", "StudyInstanceUID": "1.2.3"}
    return source(**{**named, "SeriesInstanceUID": "1.2.3.1", **values})


def cleaned(ds: Dataset, rules: HeaderRules = DEFAULT) -> Dataset:
    return clean_header(ds, PSEUDO, rules).dataset


def written(ds: Dataset, implicit: bool = False, little: bool = True) -> bytes:
    """The bytes of a data set, without file meta."""
    out = BytesIO()
    with quiet():
        dcmwrite(out, ds, implicit_vr=implicit, little_endian=little)
    return out.getvalue()


def raw(tag: int, vr: str | None, value: str | bytes) -> RawDataElement:
    """An element as read from a file, bytes that need not fit its VR."""
    data = value if isinstance(value, bytes) else value.encode()
    return RawDataElement(Tag(tag), vr, len(data), data, 0, vr is None, True)


def planted(tag: int, vr: str) -> Dataset:
    """A dataset with one attribute of this tag holding a value that cannot be met by chance."""
    vr = vr.split(" or ")[0]
    ds = Dataset()
    with quiet():
        if vr == "SQ":
            ds.add_new(tag, vr, Sequence([source(PatientName=f"{PLANT}^X", CodeMeaning=PLANT, TextValue=PLANT)]))
        elif vr in ("OB", "OW", "OF", "OD", "UN"):
            ds.add_new(tag, vr, PLANT.encode() + b" ")
        else:
            ds.add_new(tag, vr, BY_VR.get(vr, PLANT.upper() if vr == "CS" else PLANT))
    return ds


def carried(ds: Dataset) -> list[str]:
    """Which of the planted values are anywhere in the bytes or the text of a data set."""
    text = (written(ds).decode("latin-1") + ds.to_json()).upper()
    return [v for v in CARRIED if v.upper() in text]


_SOME: dict[str, object] = {
    "DA": "20240301", "DT": "20240301101500", "TM": "101500", "AS": "045Y", "DS": "1.5", "IS": "2", "FD": 1.5,
    "FL": 1.5, "US": 8, "SS": 8, "UL": 8, "SL": 8, "PN": f"{PLANT}^John", "UI": "1.2.3.99", "AT": 0x00280010,
}  # fmt: skip
_TERM_OF = {
    "Modality": "CT", "PhotometricInterpretation": "MONOCHROME2", "PatientSex": "F", "ImageType": "ORIGINAL\\PRIMARY",
    "PresentationLUTShape": "IDENTITY", "LossyImageCompression": "00", "PresentationIntentType": "FOR PROCESSING",
}  # fmt: skip


def full_object(sop_class: str, iod: str, identifying: bool) -> Dataset:
    """An object with every attribute of its modules at the top level but sequences and bulk data.

    ``identifying``: texts and terms hold a planted name, else words that may stay.
    """
    ds = Dataset()
    with quiet():
        for tag in sorted(attributes_of(iod)):
            keyword, vr = keyword_for_tag(tag), dictionary_VR(tag).split(" or ")[0]
            if vr in ("SQ", "OB", "OW", "OF", "OD", "OL", "OV", "UN"):
                continue
            text = PLANT if identifying else "Chest"
            value = _SOME.get(vr, text)
            if vr == "CS":
                value = _TERM_OF.get(keyword, PLANT.upper() if identifying else "NONE")
            least = dictionary_VM(tag).split("-")[0]
            if vr in ("DS", "IS", "US", "FL", "FD", "SS", "UL", "SL") and least.isdigit() and int(least) > 1:
                value = [value] * int(least)
            ds.add_new(tag, vr, value)
        ds.SOPClassUID = sop_class
    return ds
