"""A MIDI-B-style answer key: ten checks over what each attribute of each file should have become.

The checks follow the Medical Image De-Identification Benchmark (MIDI-B, MICCAI 2024): tag retained, text retained,
text not null, text removed, date shifted, UID changed, UID consistent, patient id consistent, pixels hidden, pixels
retained. The files: the synthetic archive's DICOM (`curate synth`), whose own truth says what was planted and what is
drawn in the pixels, and CT, MR, DX and MG files of this module's own with descriptors that are to stay and
descriptors that are not. Only what came out CLEAN is judged; how many did not is in the result.
"""

from __future__ import annotations

import tempfile
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pydicom
from pydicom import uid
from pydicom.dataset import Dataset

from benchmarks.deid import ours
from benchmarks.deid.header.cases.build import anatomy, base_ct, set_pixels, written
from benchmarks.deid.plant import _READ_FAILS, Ledger, decoded, pixels_of
from curate.synth.archive import SynthConfig, write_archive

# What a picture cannot do without, and what PS3.15 lets stay: it must be there with the same value.
RETAINED = ("Modality", "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation",
            "SamplesPerPixel", "PhotometricInterpretation", "SOPClassUID", "InstanceNumber", "SeriesNumber",
            "PatientSex", "BodyPartExamined", "PixelSpacing", "ImagerPixelSpacing", "SliceThickness", "RescaleSlope",
            "RescaleIntercept", "WindowCenter", "WindowWidth", "ViewPosition", "NumberOfFrames", "KVP", "ImageType",
            "ImagePositionPatient", "ImageOrientationPatient", "FrameTime", "PatientPosition")  # fmt: skip
NOT_NULL = ("PatientID", "PatientName", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "Modality",
            "SOPClassUID", "StudyDate")  # fmt: skip
DATES = ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate")
UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID")
REMOVED = ("PatientBirthDate", "PatientAddress", "PatientTelephoneNumbers", "InstitutionName", "InstitutionAddress",
           "ReferringPhysicianName", "OperatorsName", "AccessionNumber", "NameOfPhysiciansReadingStudy",
           "DeviceSerialNumber", "StationName", "PatientComments", "OtherPatientIDsSequence")  # fmt: skip
DESCRIPTORS = {"CT": ("CT THORAX WITH CONTRAST", "Lung 1.0"), "MR": ("MR BRAIN W/O CONTRAST", "AX T2 FLAIR"),
               "DX": ("XR CHEST PA AND LATERAL", "Chest PA"), "MG": ("MAMMOGRAM SCREENING", "R MLO")}  # fmt: skip


@dataclass
class Key:
    """Counts right and wrong, by check; the attributes that were wrong; the mappings that must be consistent."""

    right: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    faults: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    mapped: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    shifts: dict[str, int] = field(default_factory=dict)

    def check(self, what: str, attribute: str, good: bool) -> None:
        """One action of one attribute."""
        (self.right if good else self.wrong)[what] += 1
        if not good:
            self.faults[what][attribute] += 1

    def same(self, what: str, attribute: str, before: str, after: str) -> None:
        """The same source value must become the same value in every file, and different ones different."""
        table, back = self.mapped[what], self.mapped[f"{what} back"]
        self.check(
            what, attribute, table.setdefault(before, after) == after and back.setdefault(after, before) == before
        )


@dataclass(frozen=True)
class Planted:
    """A source file and what is known of it: strings that must go, descriptors that must stay, the burned-in text."""

    path: Path
    gone: tuple[str, ...]
    stays: tuple[tuple[str, str], ...] = ()
    drawn: bool = False


def archive(folder: Path, studies: int) -> list[Planted]:
    """The synthetic archive's DICOM files, with their truth."""
    write_archive(folder, SynthConfig(studies=studies, seed=23))
    truth = next(folder.rglob("*.parquet"))
    for candidate in sorted(folder.rglob("*.parquet")):
        if "phi_pixels" in pq.read_schema(candidate).names:
            truth = candidate
    return [
        Planted(path, tuple(p for p in row["phi"] if len(p) > 3), (), bool(row["phi_pixels"]))
        for row in pq.read_table(truth).to_pylist()
        if row["file"] and (path := folder / "dicom" / row["file"]).is_file()
    ]


def richer(folder: Path, count: int) -> list[Planted]:
    """CT, MR, DX and MG files with descriptors: half of them ordinary (to stay), half with a person in them."""
    folder.mkdir(parents=True, exist_ok=True)
    classes = {"CT": uid.CTImageStorage, "MR": uid.MRImageStorage, "DX": uid.DigitalXRayImageStorageForPresentation,
               "MG": uid.DigitalMammographyXRayImageStorageForPresentation}  # fmt: skip
    found = []
    for i in range(count):
        ledger, modality = Ledger(50_000 + i // 2), ("CT", "MR", "DX", "MG")[i % 4]
        ds = base_ct(ledger, 96)
        ds.SOPInstanceUID = ledger.uid() + f".{i % 2}"  # two images of a study share the rest
        ds.SOPClassUID, ds.Modality = classes[modality], modality
        ds.BodyPartExamined = {"MR": "BRAIN", "MG": "BREAST"}.get(modality, "CHEST")
        if modality in ("DX", "MG"):
            for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "SliceThickness", "PixelSpacing"):
                del ds[keyword]
            ds.ImagerPixelSpacing, ds.ViewPosition = [0.15, 0.15], "PA" if modality == "DX" else "MLO"
            ds.PresentationIntentType = "FOR PRESENTATION"
        if modality == "MR":  # of the CT module, not of the MR one (PS3.3 A.4.3)
            del ds.KVP, ds.RescaleSlope, ds.RescaleIntercept, ds.RescaleType
        study, series = DESCRIPTORS[modality]
        stays = (("StudyDescription", study), ("SeriesDescription", series))
        if i % 2:
            study, stays = f"{study} {ledger.name('{s} {g}').upper()}", (("SeriesDescription", series),)
        ds.StudyDescription, ds.SeriesDescription = study, series
        ds.InstitutionName = ledger.plant("Ottoline Clinic", "Ottoline")
        ds.OperatorsName, ds.AccessionNumber = ledger.name(), ledger.number("A########")
        ds.SeriesDate = ds.AcquisitionDate = ds.StudyDate
        ds.FrameOfReferenceUID = ledger.uid()
        set_pixels(ds, anatomy(96) + np.uint16(i))
        path = folder / f"rich{i:04d}.dcm"
        path.write_bytes(written(ds))
        found.append(Planted(path, tuple(s for s in ledger.strings if len(s) > 3), stays))
    return found


def judge(key: Key, planted: Planted, data: bytes) -> None:
    """All ten checks of one clean file."""
    source, out = pydicom.dcmread(planted.path, force=True), pydicom.dcmread(BytesIO(data))
    for keyword in RETAINED:
        if (value := _value(source, keyword)) not in (None, ""):
            key.check("tag retained", keyword, _alike(value, _value(out, keyword)))
    for keyword, text in planted.stays:
        key.check("text retained", keyword, _value(out, keyword) == text)
    for keyword in NOT_NULL:
        if _value(source, keyword):
            key.check("text not null", keyword, bool(_value(out, keyword)))
    text, low = decoded(data), data.lower()
    for string in planted.gone:
        key.check("text removed", "a planted string", string.lower() not in text and string.lower().encode() not in low)
    for keyword in REMOVED:
        if (value := _value(source, keyword)) not in (None, "") and keyword in source:
            key.check("text removed", keyword, _value(out, keyword) in (None, "") or _value(out, keyword) != value)
    _identity(key, source, out)
    _pixels(key, planted, data, source)


def _identity(key: Key, source: Dataset, out: Dataset) -> None:
    patient = _value(source, "PatientID") or ""
    for keyword in DATES:
        before, after = _value(source, keyword), _value(out, keyword)
        if before and patient and len(before) == 8 and before.isdigit():
            days = _days(before, after)
            good = bool(days) and key.shifts.setdefault(patient, days or 0) == days
            key.check("date shifted", keyword, good)
    for keyword in UIDS:
        if (before := _value(source, keyword)) and (after := _value(out, keyword)) is not None:
            key.check("UID changed", keyword, before != after and len(after) <= 64)
            key.same("UID consistent", keyword, before, after)
    meta = str(out.file_meta.MediaStorageSOPInstanceUID)
    key.check("UID consistent", "MediaStorageSOPInstanceUID", meta == str(out.SOPInstanceUID))
    if patient:
        key.same("patient id consistent", "PatientID", patient.strip(), str(_value(out, "PatientID")))


def _pixels(key: Key, planted: Planted, data: bytes, source: Dataset) -> None:
    before, after = pixels_of(planted.path.read_bytes()), pixels_of(data)
    if before is None:
        return
    equal = after is not None and before.shape == after.shape and np.array_equal(before, after)
    if planted.drawn:
        key.check("pixels hidden", str(source.get("Modality")), not equal)
    else:
        key.check("pixels retained", str(source.get("Modality")), equal)


def _value(ds: Dataset, keyword: str) -> str | None:
    try:
        value = ds.get(keyword)
        return None if value is None else str(value).strip()
    except _READ_FAILS:
        return None


def _alike(before: str, after: str | None) -> bool:
    if after is None:
        return False
    try:
        numbers = [[float(v) for v in text.strip("[]").split(",")] for text in (before, after)]
        return bool(np.allclose(*numbers))
    except ValueError:
        return before == after


def _days(before: str, after: str | None) -> int | None:
    try:
        a, b = (np.datetime64(f"{d[:4]}-{d[4:6]}-{d[6:8]}") for d in (before, after or ""))
        return int((b - a).astype(int))
    except ValueError:
        return None


def measure(studies: int, own: int) -> dict[str, Any]:
    """Correct actions in all and by check, the attributes that failed, and what was withheld and why."""
    key, fates = Key(), Counter[str]()
    with tempfile.TemporaryDirectory() as folder:
        files = archive(Path(folder) / "archive", studies) + richer(Path(folder) / "rich", own)
        for planted in files:
            done = ours.clean(planted.path)
            if done.outcome is None:
                fates[f"EXCEPTION {done.error} {done.where}"] += 1
                continue
            if done.outcome.data is None:
                name = str(done.outcome.reason) + (" (text in the pixels)" if planted.drawn else "")
                fates[" ".join([name, *map(str, done.outcome.findings)])] += 1
                if planted.drawn:
                    key.check("pixels hidden", "withheld", True)
                continue
            fates["clean"] += 1
            judge(key, planted, done.outcome.data)
    right, wrong = key.right.total(), key.wrong.total()
    return {
        "files": sum(fates.values()),
        "fates": dict(fates.most_common()),
        "actions": right + wrong,
        "correct": round(right / (right + wrong), 6) if right + wrong else None,
        "checks": {c: f"{key.right[c]} of {key.right[c] + key.wrong[c]}" for c in sorted({*key.right, *key.wrong})},
        "failed": {c: dict(f.most_common(12)) for c, f in key.faults.items()},
    }
