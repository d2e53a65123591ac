"""The trees that `benchmarks.input.trees` runs on: small files of the right kinds in the right places, all made up.

Every writer says what must become of what it wrote. Pictures are smooth noise; names and numbers are nobody's.
"""

from __future__ import annotations

import csv
import gzip
import json
import random
import uuid
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid

SIDE = 48
CT, CR, DX = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.1", "1.2.840.10008.5.1.4.1.1.1.1"
CAPTURE, DOSE_SR = "1.2.840.10008.5.1.4.1.1.7", "1.2.840.10008.5.1.4.1.1.88.67"
PRESENTATION, KEY_OBJECT = "1.2.840.10008.5.1.4.1.1.11.1", "1.2.840.10008.5.1.4.1.1.88.59"
_FINDINGS = (
    "The lungs are clear. No pleural effusion or pneumothorax.",
    "There is a small left pleural effusion. The heart is enlarged.",
    "Right lower lobe consolidation. No pneumothorax.",
    "Mild pulmonary edema. The cardiac silhouette is enlarged.",
    "No focal consolidation. The mediastinum is normal.",
)
_SURNAMES = ("MUELLER", "GARCIA", "OKAFOR", "LINDQVIST", "TANAKA", "NOVAK")


@dataclass
class Made:
    """A tree: recipe field -> path; rows of the index by their end; records in shards by split, where that is given."""

    places: dict[str, Path]
    expected: dict[str, int] = field(default_factory=dict)
    splits: dict[str, int] = field(default_factory=dict)


def mimic_cxr(root: Path, studies: int) -> Made:
    """MIMIC-CXR: files/p10/p10000032/s50414267/<id>.dcm and s50414267.txt; ids in paths alone; splits in a table.

    Every tenth study has no report and every eleventh report no images; one patient is in train and in test; what a
    mirror leaves (index.html) lies in every patient's folder.
    """
    draw, ends, splits, rows = random.Random(11), Counter[str](), Counter[str](), []
    for n in range(studies):
        person, study = 10_000_000 + 37 * (n // 2), 50_000_000 + 911 * n
        home = root / "files" / f"p{person // 1_000_000}" / f"p{person}"
        official = "test" if person % 7 == 3 else "validate" if person % 7 == 5 else "train"
        if n // 2 == 0:  # the first patient: a study in train, one in test
            official = "train" if n == 0 else "test"
        if not (home / "index.html").exists():
            _write(home / "index.html", "<html><body><a href='../'>../</a></body></html>")
            ends["read_as_a_report"] += 1  # HTML is a text that is read; its name says no study
            ends["report_without_image"] += 1
        views = 1 + n % 3 if n % 11 != 10 else 0
        if n % 10 != 9:
            _write(home / f"s{study}.txt", _report(draw))
            ends["read_as_a_report"] += 1
            ends["report_without_image"] += not views
        uid = generate_uid(entropy_srcs=[f"mimic{study}"])
        for view in range(views):
            name = str(uuid.UUID(int=draw.getrandbits(128)))
            facts = {"PatientID": str(person), "PatientName": "", "AccessionNumber": "", "StudyInstanceUID": uid}
            facts |= {"Modality": "DX", "SOPClassUID": DX, "ViewPosition": "PA" if view == 0 else "LL"}
            _dicom(home / f"s{study}" / f"{name}.dcm", facts, draw)
            rows.append({"dicom_id": name, "study_id": study, "subject_id": person, "split": official})
            if n == 0:
                ends["patient_in_another_official_split"] += 1
            elif n % 10 == 9:
                ends["image_without_report"] += 1
            else:
                ends["kept"] += 1
                splits[{"validate": "val"}.get(official, official)] += 1
    table = root / "mimic-cxr-2.0.0-split.csv.gz"
    with gzip.open(table, "wt", newline="") as file:
        _csv(file, rows)
    with gzip.open(root / "mimic-cxr-2.0.0-metadata.csv.gz", "wt", newline="") as file:
        _csv(file, [{"dicom_id": r["dicom_id"], "Rows": SIDE, "Columns": SIDE} for r in rows])
    places = {"images.0.path": root / "files", "reports.0.path": root / "files", "split.table.path": table}
    return Made(places, +ends, dict(splits))


def pacs_ris(root: Path, studies: int) -> Made:
    """A PACS export: files without suffix in numbered folders, every fourth study a CT with a localizer, a dose screen,
    a dose report, a presentation state and a key object; a DICOMDIR; a burner's leftovers. The RIS's table has
    semicolons, Windows-1252, dates with dots, preliminary and final versions, addenda, and accession numbers in another
    case.
    """
    draw, ends, rows = random.Random(12), Counter[str](), []
    for n in range(studies):
        person, accession = f"PAT{1000 + n // 2}", f"Acc{2024000 + n}"
        name = f"{_SURNAMES[n // 2 % len(_SURNAMES)]}^{'ANNA' if n // 2 % 2 else 'PETER'}"
        home = root / "export" / "DICOM" / f"PA{n // 2:06d}" / f"ST{n:06d}"
        facts = {
            "PatientID": person,
            "PatientName": name,
            "AccessionNumber": accession,
            "StudyDate": f"202401{n % 28 + 1:02d}",
        }
        facts["StudyInstanceUID"] = generate_uid(entropy_srcs=[f"pacs{n}"])
        ends += _ct(home, facts, draw) if n % 4 == 3 else _radiographs(home, facts, draw)
        rows += _worklist(n, accession, person, name, draw)
    rows.append({**rows[-1], "accession": "ACC1", "status": "final", "report": "No images of this one."})
    ends["report_without_image"] += 1
    ends["superseded_report"] += sum(r["status"] == "preliminary" for r in rows)
    _write(root / "export" / "README.TXT", "Burned by the archive.")
    _write(root / "export" / "AUTORUN.INF", "[autorun]\nopen=viewer.exe")
    (root / "export" / "viewer.exe").write_bytes(b"MZ" + bytes(300))
    _dicomdir(root / "export" / "DICOMDIR")
    ends["not_an_image"] += 3
    ends["dicom_without_pixels"] += 1
    table = root / "ris" / "reports.csv"
    table.parent.mkdir(parents=True)
    with table.open("w", encoding="cp1252", newline="") as file:
        _csv(file, rows, ";")
    return Made({"images.0.path": root / "export", "reports.0.path": table}, +ends, {})


def hf_folder(root: Path, studies: int) -> Made:
    """A Hugging Face folder: train with metadata.jsonl and a folder below, validation and test with metadata.csv; one
    file name in every split; an image that no row names, a row without its image, a dataset card."""
    draw, ends, splits = random.Random(13), Counter[str](), Counter[str]()
    for split, share, suffix in (
        ("train", studies, "jpg"),
        ("validation", studies // 4, "png"),
        ("test", studies // 4, "jpg"),
    ):
        rows = []
        for n in range(share):
            name = f"{n:04d}.{suffix}" if n % 5 or split != "train" else f"more/{n:04d}.{suffix}"
            _picture(root / split / name, draw)
            rows.append({"file_name": name, "text": f"{_FINDINGS[n % len(_FINDINGS)]} Image {split} {n}."})
            ends["kept"] += 1
            splits["val" if split == "validation" else split] += 1
        _picture(root / split / f"unnamed.{suffix}", draw)
        rows.append({"file_name": f"gone.{suffix}", "text": "The image of this row is not there."})
        ends["image_without_report"] += 1
        ends["report_without_image"] += 1
        ends["read_as_a_report"] += 1
        if split == "train":
            _write(root / split / "metadata.jsonl", "".join(json.dumps(r) + "\n" for r in rows))
        else:
            with (root / split / "metadata.csv").open("w", encoding="utf-8", newline="") as file:
                _csv(file, rows)
    _write(root / "README.md", "---\nlicense: cc0-1.0\n---\n# A made-up set\n")
    _write(root / ".gitattributes", "*.jpg filter=lfs\n")
    ends["not_an_image"] += 2
    return Made({"images.0.path": root, "reports.0.path": root}, +ends, dict(splits))


def _radiographs(home: Path, facts: dict[str, Any], draw: random.Random) -> Counter[str]:
    """Two views, each a series."""
    for view in ("PA", "LL"):
        series = {"SeriesInstanceUID": generate_uid(entropy_srcs=[str(home) + view]), "ViewPosition": view}
        _dicom(home / f"SE{view}" / "IM000001", {**facts, **series, "Modality": "CR", "SOPClassUID": CR}, draw)
    return Counter(kept=2)


def _ct(home: Path, facts: dict[str, Any], draw: random.Random) -> Counter[str]:
    """A localizer, five slices, and what a workstation adds."""

    def add(folder: str, number: int, **more: Any) -> None:
        series = {"SeriesInstanceUID": generate_uid(entropy_srcs=[str(home) + folder]), "InstanceNumber": number}
        _dicom(home / folder / f"IM{number:06d}", {**facts, "Modality": "CT", **series, **more}, draw)

    add("SE000001", 1, SOPClassUID=CT, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    for number in range(1, 6):
        place = [0, 0, 2.5 * number]
        axial = {"ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"], "ImageOrientationPatient": [1, 0, 0, 0, 1, 0]}
        add("SE000002", number, SOPClassUID=CT, ImagePositionPatient=place, **axial)
    add("SE000501", 1, SOPClassUID=CAPTURE, ImageType=["DERIVED", "SECONDARY", "SCREEN SAVE"], ConversionType="WSD")
    add("SE000502", 1, SOPClassUID=CAPTURE, ImageType=["DERIVED", "SECONDARY"], ConversionType="WSD")
    add("SE000997", 1, SOPClassUID=DOSE_SR, Modality="SR", pixels=False)
    add("SE000998", 1, SOPClassUID=PRESENTATION, Modality="PR", pixels=False)
    add("SE000999", 1, SOPClassUID=KEY_OBJECT, Modality="KO", pixels=False)
    sheets = {"screen_or_document": 1, "secondary_capture": 1, "dicom_without_pixels": 3}
    return Counter({"kept": 1, "not_the_chosen_frame_or_slice": 4, "localizer": 1, **sheets})


def _worklist(n: int, accession: str, person: str, name: str, draw: random.Random) -> list[dict[str, str]]:
    """The rows of one study: a final report; every third also has a preliminary one, every fifth an addendum."""
    day = f"{n % 28 + 1:02d}.01.2024"
    row = {
        "accession": accession.upper(),
        "patient_id": person,
        "patient_name": name.replace("^", ", "),
        "study_date": day,
    }
    text = _report(draw)
    rows = [{**row, "status": "final", "reported_at": f"{day} 11:00", "report": text}]
    if n % 3 == 0:
        early = "PRELIMINARY REPORT\nFINDINGS: Limited first read; a final report follows."
        rows.insert(0, {**row, "status": "preliminary", "reported_at": f"{day} 09:00", "report": early})
    if n % 5 == 0:
        late = "Comparison with the prior study was made; there is no change."
        rows.append({**row, "status": "addendum", "reported_at": f"{day} 15:00", "report": late})
    return rows


def _report(draw: random.Random) -> str:
    found = draw.choice(_FINDINGS)
    told = f"FINDINGS: {found}\n\nIMPRESSION: As above, {draw.randint(2, 900)} mL.\n"
    return f"EXAMINATION: CHEST\n\nINDICATION: Cough.\n\n{told}"


def _pixels(draw: random.Random, side: int = SIDE) -> np.ndarray:
    """uint8[side, side]: smooth noise, no two alike."""
    coarse = np.random.default_rng(draw.getrandbits(32)).integers(10, 245, (5, 5)).astype(np.uint8)
    return np.asarray(cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC))


def _dicom(path: Path, facts: dict[str, Any], draw: random.Random) -> None:
    """A file of Explicit VR Little Endian with these elements; ``pixels`` False leaves out the picture."""
    ds, uid = Dataset(), generate_uid(entropy_srcs=[str(path)])
    ds.SOPInstanceUID, ds.SeriesInstanceUID = uid, generate_uid(entropy_srcs=[str(path.parent)])
    for keyword, value in facts.items():
        if keyword != "pixels":
            setattr(ds, keyword, value)
    if facts.get("pixels", True):
        ds.Rows = ds.Columns = SIDE
        ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PixelRepresentation = 1, "MONOCHROME2", 0
        ds.BitsAllocated = ds.BitsStored = 8
        ds.HighBit = 7
        ds.PixelData = _pixels(draw).tobytes()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID, ds.file_meta.MediaStorageSOPInstanceUID = UID(str(ds.SOPClassUID)), uid
    path.parent.mkdir(parents=True, exist_ok=True)
    ds.save_as(path, enforce_file_format=True)


def _dicomdir(path: Path) -> None:
    """A media directory without records (PS3.3 F.3)."""
    ds = Dataset()
    ds.FileSetID, ds.DirectoryRecordSequence = "EXPORT", []
    ds.OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity = 0
    ds.OffsetOfTheLastDirectoryRecordOfTheRootDirectoryEntity = 0
    ds.FileSetConsistencyFlag = 0
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = UID("1.2.840.10008.1.3.10")
    ds.file_meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=["dicomdir"])
    ds.save_as(path, enforce_file_format=True)


def _picture(path: Path, draw: random.Random) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), _pixels(draw))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _csv(file: Any, rows: Iterable[dict[str, Any]], delimiter: str = ",") -> None:
    listed = list(rows)
    writer = csv.DictWriter(file, list(listed[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(listed)
