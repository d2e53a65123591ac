"""One study: its files as bytes, its report rows, its truth; a function of the shares and (seed, index)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from curate.synth.case import Purpose, rng_for
from curate.synth.faults import BROKEN_FILES, TEXT_FAULTS, Plan, SynthConfig, file_fault, make_plan
from curate.synth.files import ImageFile, make_file
from curate.synth.identities import Ledger, Patient, Visit, make_patient, make_visit, write_date
from curate.synth.reports import Author, write_report

COLUMNS = ("accession", "patient_id", "patient_name", "study_uid", "study_date", "report", "reviewed")
# ground truth, in a folder of its own: a row for each image file and each orphaned report
TRUTH = pa.schema(
    [
        pa.field("file", pa.string()),  # posix, relative to OUT/dicom; null for an orphaned report
        pa.field("study", pa.int64(), nullable=False),  # index of the study
        pa.field("accession", pa.string(), nullable=False),
        pa.field("patient_id", pa.string(), nullable=False),
        pa.field("fault", pa.string(), nullable=False),  # the primary one, or none
        pa.field("faults", pa.list_(pa.string()), nullable=False),
        pa.field("duplicate_of", pa.string()),  # relative file
        pa.field(
            "pair_is_right", pa.bool_(), nullable=False
        ),  # exactly one report, which describes what the file shows
        pa.field("reviewed", pa.bool_(), nullable=False),
        pa.field("modality", pa.string(), nullable=False),
        pa.field("body_part", pa.string(), nullable=False),
        pa.field("finding", pa.string(), nullable=False),  # what the picture shows; "" for nothing
        pa.field("side", pa.string(), nullable=False),  # left | right | ""
        pa.field("transfer_syntax", pa.string(), nullable=False),
        pa.field(
            "phi", pa.list_(pa.string()), nullable=False
        ),  # every identifying string of file and report, as written
        pa.field("phi_pixels", pa.list_(pa.string()), nullable=False),  # those of them drawn into the picture
    ]
)
_EXTENSIONS = (".dcm", "", ".ima", ".bin", ".jpg")


@dataclass(frozen=True)
class Study:
    """Files as (posix path under the image folder, bytes), rows of the report table, rows of `TRUTH`."""

    files: tuple[tuple[str, bytes], ...]
    reports: tuple[tuple[str, ...], ...]
    truth: tuple[dict[str, Any], ...]


def make_study(config: SynthConfig, index: int) -> Study:
    """Study ``index`` of the archive that ``config`` describes, independent of the number of studies."""
    plan = make_plan(config, index)
    patient, visit = make_patient(config.seed, (plan.source or plan.case).patient), make_visit(config.seed, index)
    words = Ledger()
    author = Author(patient, visit, words, config.seed)
    reports = () if plan.fault == "orphan_image" else _write_rows(config, plan, author)
    if plan.fault == "orphan_report":
        return Study((), reports, (_truth(plan, patient, visit, None, words),))
    files, truth = [], []
    for n in range((plan.source or plan.case).images):
        path, image_file = file_path(config, plan, patient, visit, n), make_file(config, plan, patient, visit, n)
        files.append((path, image_file.data))
        row = _truth(plan, patient, visit, image_file, words, n)
        row["file"], row["duplicate_of"] = path, _source_path(config, plan, n) if plan.source else None
        truth.append(row)
    return Study(tuple(files), reports, tuple(truth))


def _write_rows(config: SynthConfig, plan: Plan, author: Author) -> tuple[tuple[str, ...], ...]:
    """The study's rows of the report table; two if its accession is ambiguous."""
    case = plan.source or plan.case
    cases = {"mismatch": [plan.wrong], "ambiguous": [case, plan.wrong]}.get(plan.fault, [case])
    rows = []
    for part, described in enumerate(cases):
        assert described is not None
        rng = rng_for(config.seed, Purpose.WORDS, case.index, part)
        text = write_report(described, case.scene.title, plan.fault, author, rng)
        note, visit = author.ledger.note, author.visit
        name = author.patient.name("comma", author.ledger)
        ids = note(visit.accession), note(author.patient.mrn), name, note(visit.study_uid)
        rows.append((*ids, write_date(visit.date, "da", author.ledger), text, "yes" if plan.reviewed else ""))
    return tuple(rows)


def file_path(config: SynthConfig, plan: Plan, patient: Patient, visit: Visit, number: int) -> str:
    """Posix path under the image folder: patient, study, number; the extension is not always one of DICOM's."""
    kind = float(rng_for(config.seed, Purpose.TAGS, plan.index, 64 + number).random())
    right = file_fault(plan, number) in BROKEN_FILES or kind >= 0.15
    extension = ".dcm" if right else _EXTENSIONS[1 + int(kind / 0.15 * 4)]
    return f"{patient.mrn}/{visit.accession}/{number + 1:04d}{extension}"


def _source_path(config: SynthConfig, plan: Plan, number: int) -> str:
    assert plan.source is not None
    source = make_plan(config, plan.source.index)
    patient, visit = make_patient(config.seed, plan.source.patient), make_visit(config.seed, plan.source.index)
    return file_path(config, source, patient, visit, number)


def _truth(
    plan: Plan, patient: Patient, visit: Visit, image_file: ImageFile | None, words: Ledger, number: int = 0
) -> dict[str, Any]:
    """The row of one file, or of a report without a file; the caller fills in file name and source."""
    case = plan.source or plan.case
    fault = plan.fault if image_file is None else file_fault(plan, number)
    wrong = (*TEXT_FAULTS, *BROKEN_FILES, "blank", "orphan_image", "orphan_report", "ambiguous")
    faults = plan.faults if fault == plan.fault else []
    strings = {**(image_file.ledger.strings if image_file else {}), **words.strings}
    return {
        "file": None,
        "study": plan.index,
        "accession": visit.accession,
        "patient_id": patient.mrn,
        "fault": fault,
        "faults": faults,
        "duplicate_of": None,
        "pair_is_right": fault not in wrong,
        "reviewed": plan.reviewed,
        "modality": case.scene.modality,
        "body_part": case.scene.body_part,
        "finding": case.finding_name,
        "side": case.side,
        "transfer_syntax": image_file.syntax or "" if image_file else "",
        "phi": list(strings),
        "phi_pixels": list(image_file.ledger.pixels) if image_file else [],
    }
