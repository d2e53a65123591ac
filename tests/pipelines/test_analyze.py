"""`curate analyze`: an archive as counts and shares, held against what was written into it; no value of it."""

from __future__ import annotations

import csv
import json
import zipfile
from collections import Counter
from contextlib import closing
from pathlib import Path

import pydicom
import pytest

from curate.engine import Engine
from curate.engine.local import LocalEngine
from curate.engine.resources import Resources
from pipelines.survey.analyze import analyze
from tests.inline import curate
from tests.pipelines.archive import make_archive


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_archive(tmp_path_factory.mktemp("analyze") / "archive", 8)


def test_the_page_tells_what_was_written_and_no_value_of_it(archive: Path, tmp_path: Path) -> None:
    table = archive / "reports" / "reports.csv"
    shown = curate("analyze", archive / "dicom", table, "--out", tmp_path / "told")
    assert shown.returncode == 0, shown.stderr
    found, page = json.loads((tmp_path / "told" / "analysis.json").read_text()), (tmp_path / "told" / "index.html")
    headers = []
    for path in sorted((archive / "dicom").rglob("*")):
        if path.is_file():
            try:
                headers.append(pydicom.dcmread(path, stop_before_pixels=True))
            except pydicom.errors.InvalidDicomError:
                continue
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert found["pictures"]["modalities"] == dict(
        sorted(Counter(h.Modality for h in headers).items(), key=lambda item: (-item[1], item[0]))
    )
    assert found["pictures"]["patients"] == len({h.PatientID for h in headers})
    assert found["files"]["seen"] == len([p for p in (archive / "dicom").rglob("*") if p.is_file()])
    told = {row["accession"] for row in rows} - {""}
    assert found["keys"]["shared"]["accession"] == [sum(h.AccessionNumber in told for h in headers), len(headers)]
    assert found["reports"]["texts"] == sum(bool(row["report"].strip()) for row in rows)
    assert found["reports"]["languages"] == {"en": found["reports"]["texts"]}
    k, n = found["text_in_pictures"]["share"]
    assert 0 <= found["text_in_pictures"]["low"] <= k / n <= found["text_in_pictures"]["high"] <= 1
    identities = {str(v) for h in headers for v in (h.PatientID, h.PatientName, h.AccessionNumber, h.StudyInstanceUID)}
    identities |= {row[name] for row in rows for name in ("patient_id", "patient_name", "accession")}
    everything = page.read_text() + json.dumps(found) + shown.stdout + shown.stderr
    assert not [value for value in identities if len(value) > 3 and value in everything]


def test_a_copied_file_counts_and_a_modality_that_is_no_code_is_not_shown(
    archive: Path, tmp_path: Path, inline_engine: Engine
) -> None:
    source = next(p for p in sorted((archive / "dicom").rglob("*.dcm")) if p.stat().st_size > 10_000)
    (tmp_path / "in").mkdir()
    for name in ("a.dcm", "b.dcm"):
        (tmp_path / "in" / name).write_bytes(source.read_bytes())
    header = pydicom.dcmread(source)
    header.Modality, header.SOPInstanceUID = "DOE JOHN", "1.2.3"
    header.save_as(tmp_path / "in" / "c.dcm")
    found = analyze([tmp_path / "in"], inline_engine)
    assert found["duplicates"] == {"same_bytes": [1, 3], "same_instance": [1, 3]}
    assert found["pictures"]["modalities"].get("other") == 1 and "DOE" not in json.dumps(found)
    assert found["reports"] is None and found["pairing"] is None


def test_files_of_an_archive_are_compared_as_others_are(archive: Path, tmp_path: Path, inline_engine: Engine) -> None:
    source = next(p for p in sorted((archive / "dicom").rglob("*.dcm")) if p.stat().st_size > 10_000)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.dcm").write_bytes(source.read_bytes())
    with zipfile.ZipFile(tmp_path / "in" / "study.zip", "w") as packed:
        packed.write(source, "b.dcm")
    assert analyze([tmp_path / "in"], inline_engine)["duplicates"]["same_bytes"] == [1, 2]


def test_what_it_reads_is_not_written_into_and_an_empty_place_is_an_error(archive: Path, tmp_path: Path) -> None:
    inside = curate("analyze", archive, "--out", archive / "told")
    assert inside.returncode == 2 and "--out" in inside.stderr and not (archive / "told").exists()
    (tmp_path / "empty").mkdir()
    assert curate("analyze", tmp_path / "empty", "--out", tmp_path / "o").returncode == 2


def test_a_picture_that_ends_its_process_is_counted(archive: Path, tmp_path: Path) -> None:
    source = next(p for p in sorted((archive / "dicom").rglob("*.dcm")) if p.stat().st_size > 10_000)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.dcm").write_bytes(source.read_bytes())
    with closing(LocalEngine(Resources(workers=1, record_seconds=1e-4))) as engine:  # no picture is read so fast
        found = analyze([tmp_path / "in"], engine)["text_in_pictures"]
    assert found["share"] == [0, 0] and found["reasons"] == {"crashed_its_process": 1}
