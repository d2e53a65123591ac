"""A folder to a folder: every input has an end, a killed run goes on to the same bytes, both engines give the same."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pydicom
import pytest
from PIL import Image
from pydantic import TypeAdapter

from curate.deid.vault import SecretSource
from curate.deid_export.crosswalk import read_crosswalk
from curate.deid_export.job import check_folders, release
from curate.deid_export.rules import ReleaseRules
from curate.deid_export.task import file_key
from curate.engine import Engine
from curate.errors import RecipeError
from tests.killed import run_until_killed
from tests.pipelines.archive import make_archive


def silent(name: str, done: int, total: int) -> None:
    pass


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small synthetic archive, and one file of every unwelcome kind."""
    folder = make_archive(tmp_path_factory.mktemp("job") / "archive", studies=12, seed=5)
    shutil.rmtree(folder / "truth")
    (folder / "broken.dcm").write_bytes(next((folder / "dicom").rglob("*.dcm")).read_bytes()[:900])
    (folder / "empty.dcm").touch()
    (folder / "program.exe").write_bytes(b"MZ" + bytes(100))
    (folder / "link.dcm").symlink_to(folder / "broken.dcm")
    Image.fromarray(np.add.outer(np.arange(64), np.arange(64)).astype(np.uint8)).save(folder / "SMITH_JOHN.png")
    return folder


@pytest.fixture(scope="module")
def secret(secret_file: Path) -> SecretSource:
    return SecretSource(str(secret_file))


@pytest.fixture(scope="module")
def done(
    source: Path, secret: SecretSource, inline_engine: Engine, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, object]]:
    target = tmp_path_factory.mktemp("out") / "clean"
    attestation = release(source, target, ReleaseRules(), secret, inline_engine, silent, target.parent / "crosswalk")
    return target, json.loads(json.dumps(attestation, default=list))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_every_input_has_one_end_and_the_folder_holds_what_the_attestation_names(source, done) -> None:
    target, told = done
    inputs = [p for p in source.rglob("*") if p.is_file() or p.is_symlink()]
    assert told["inputs"] == len(inputs) == len(told["files"]) == sum(told["fates"].values())
    assert told == json.loads((target / "attestation.json").read_text())
    named = {out for f in told["files"] if f["fate"] == "CLEAN" for out in f["out"]}
    assert set(contents(target)) == named | {"attestation.json", "index.html"} and len(named) > 10
    assert all(Path(out).stem == f["key"] for f in told["files"] for out in f.get("out", ()))
    assert not any("out" in f for f in told["files"] if f["fate"] != "CLEAN")


def test_the_attestation_says_the_rules_but_not_how_far_days_moved(done) -> None:
    options = done[1]["options"]
    assert options["deid"]["second_look"] == {"share": ReleaseRules().deid.second_look.share}
    assert "max_shift_days" not in options["deid"]
    assert TypeAdapter(ReleaseRules).validate_python(options) == ReleaseRules()


def test_unwelcome_inputs_end_by_their_reasons(source, secret, done) -> None:
    _, told = done
    ends = {f["key"]: (f["fate"], f.get("reason")) for f in told["files"]}
    pseudo = secret.pseudonymizer()
    assert ends[file_key("program.exe", pseudo)] == ("REFUSED", "refused_kind_of_file")
    assert ends[file_key("empty.dcm", pseudo)] == ("QUARANTINED", "empty_file")
    assert ends[file_key("link.dcm", pseudo)] == ("QUARANTINED", "symlink_not_followed")
    assert ends[file_key("broken.dcm", pseudo)][0] == "QUARANTINED"
    assert ends[file_key("SMITH_JOHN.png", pseudo)] == ("CLEAN", None)


def test_the_release_is_dicom_that_says_what_was_done(done) -> None:
    target, told = done
    files = [pydicom.dcmread(p) for p in (target / "dicom").rglob("*.dcm")]
    assert files and told["kinds"]["dicom"] >= len(files)
    assert {f.PatientIdentityRemoved for f in files} == {"YES"}
    assert all(f.file_meta.MediaStorageSOPInstanceUID == f.SOPInstanceUID for f in files)


def test_the_same_patient_is_the_same_in_images_and_reports(source, secret, done) -> None:
    target, _ = done
    in_dicom = {str(pydicom.dcmread(p).PatientID) for p in (target / "dicom").rglob("*.dcm")}
    reports = "".join(p.read_text() for p in (target / "report").rglob("*.csv"))
    assert in_dicom and sum(patient in reports for patient in in_dicom) > len(in_dicom) / 2


def test_the_crosswalk_leads_back_and_needs_the_secret(source, secret, done, tmp_path) -> None:
    target, told = done
    path = target.parent / "crosswalk"
    table = read_crosswalk(path, secret.pseudonymizer())
    assert table.num_rows == told["inputs"] and path.stat().st_mode & 0o77 == 0
    rows = {r["path"]: r for r in table.to_pylist()}
    assert rows["SMITH_JOHN.png"]["key"] == file_key("SMITH_JOHN.png", secret.pseudonymizer())
    assert b"SMITH" not in path.read_bytes()
    released = {str(pydicom.dcmread(p).PatientID) for p in (target / "dicom").rglob("*.dcm")}
    assert released <= {r["patient"] for r in table.to_pylist()}


@pytest.mark.ray
def test_ray_gives_the_same_bytes(source, secret, done, ray_engine: Engine, tmp_path: Path) -> None:
    release(source, tmp_path / "out", ReleaseRules(), secret, ray_engine, silent)
    assert contents(tmp_path / "out") == contents(done[0])


_DIES = """
from pathlib import Path
from curate.deid.vault import SecretSource
from curate.deid_export.job import release
from curate.deid_export.rules import ReleaseRules
from curate.engine import start_engine
from curate.engine.resources import Resources

source, target, secret = sys.argv[1:]

def progress(name, done, total):
    if any((Path(target) / "dicom").rglob("*.dcm")):
        die()

engine = start_engine(Resources(workers=1))
release(Path(source), Path(target), ReleaseRules(), SecretSource(secret), engine, progress)
"""


def test_a_killed_release_goes_on_to_the_same_bytes(source, secret, done, local_engine: Engine, tmp_path: Path) -> None:
    target = tmp_path / "out"
    run_until_killed(_DIES, source, target, secret.file)
    assert not (target / "attestation.json").exists()
    release(source, target, ReleaseRules(), secret, local_engine, silent)
    assert contents(target) == contents(done[0])


def test_folders_that_cannot_be_meant_are_told_with_the_fix(source: Path, tmp_path: Path) -> None:
    full = tmp_path / "full"
    full.mkdir()
    (full / "mine").touch()
    for here, there, field in (
        (tmp_path / "absent", tmp_path / "new", "SRC"),
        (source, source / "out", "DST"),
        (source, source, "DST"),
        (source, source.parent, "SRC"),
        (source, full, "DST"),
        (source, full / "mine", "DST"),
    ):
        with pytest.raises(RecipeError) as caught:
            check_folders(here, there, {})
        assert caught.value.field == field and caught.value.fix
    with pytest.raises(RecipeError, match="--crosswalk"):
        check_folders(source, tmp_path / "new", {"--crosswalk": tmp_path / "new" / "x"})


def test_another_job_is_not_continued(source, secret, inline_engine: Engine, tmp_path: Path) -> None:
    work = tmp_path / "out" / ".work"
    work.mkdir(parents=True)
    (work / "job.json").write_text('{"job": "another"}')
    with pytest.raises(RecipeError, match="unfinished"):
        release(source, tmp_path / "out", ReleaseRules(), secret, inline_engine, silent)


def test_counts_of_actions_and_reasons_hold_no_value(source, done) -> None:
    _, told = done
    text = json.dumps(told)
    headers = (pydicom.dcmread(p, stop_before_pixels=True, force=True) for p in (source / "dicom").rglob("*.dcm"))
    names = Counter(str(header.get("PatientID", "")) for header in headers)
    assert len(names) > 3 and not any(name in text for name in names if name)
    assert told["actions"] and pa.array(list(told["actions"].values())).type == pa.int64()
