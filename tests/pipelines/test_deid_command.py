"""`curate deid` as a user types it: what it prints, its exit codes, its log, the way back by the crosswalk."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from curate.errors import RecipeError
from curate.report.render import render
from pipelines.recipe.load import load_release
from tests.inline import curate


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("named") / "GRABOWSKI_JOHN"
    folder.mkdir()
    told = PngInfo()
    told.add_text("Patient", "GRABOWSKI^JOHN")
    slope = np.add.outer(np.arange(80), np.arange(80)).astype(np.uint8)
    Image.fromarray(slope).save(folder / "GRABOWSKI.png", pnginfo=told)
    text = "FINDINGS: The lungs are clear. GRABOWSKI was told. No effusion is seen on this study."
    (folder / "r.jsonl").write_text(json.dumps({"patient_name": "GRABOWSKI^JOHN", "report": text}) + "\n")
    return folder


def test_a_folder_to_a_folder_its_log_and_the_way_back(source: Path, secret_file: Path, tmp_path: Path) -> None:
    target, log, walk = tmp_path / "out", tmp_path / "log.jsonl", tmp_path / "walk"
    done = curate("deid", source, target, "--secret", secret_file, "--workers", "1", "--log", log, "--crosswalk", walk)
    assert done.returncode == 0, done.stderr
    assert "CLEAN" in done.stdout and "attestation" in done.stdout
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["event"] for line in lines] == ["input", "input", "attested"] and lines[-1]["verification"]["passed"]
    written = [p for p in target.rglob("*") if p.is_file()]
    assert len(written) == 4 and not any(b"GRABOWSKI" in p.read_bytes() or "GRABOWSKI" in p.name for p in written)
    assert "GRABOWSKI" not in log.read_text() + done.stderr
    (report,) = (p for p in written if p.suffix == ".jsonl")
    assert "lungs are clear" in report.read_text()
    back = curate("crosswalk", walk, "--secret", secret_file)
    assert back.returncode == 0 and "GRABOWSKI.png" in back.stdout and next(iter(report.stem.split("-"))) in back.stdout
    again = curate("deid", source, target, "--secret", secret_file)
    assert again.returncode == 2 and "not empty" in again.stderr and "fix" in again.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--set", "deid.burnt_in=trust"), "no such field"),
        (("--set", "header.retain=[everything]"), "header.retain"),
        (("--set", "header.uid_root=abc"), "uid_root"),
        (("--rules", "absent.yaml"), "absent.yaml"),
        (("--engine", "spark"), "spark"),
        (("--log", "absent/folder/log"), "--log"),
    ],
)
def test_wrong_arguments_exit_2_with_the_fix(
    arguments: tuple[str, ...], said: str, source: Path, secret_file: Path, tmp_path: Path
) -> None:
    done = curate("deid", source, tmp_path / "out", "--secret", secret_file, *arguments)
    assert done.returncode == 2 and said in done.stderr and "Traceback" not in done.stderr


def test_a_short_secret_is_refused(source: Path, tmp_path: Path) -> None:
    (tmp_path / "short").write_text("0123456789")
    done = curate("deid", source, tmp_path / "out", "--secret", tmp_path / "short")
    assert done.returncode == 2 and "at least 16" in done.stderr and not (tmp_path / "out").exists()


def test_less_safe_rules_are_said_aloud() -> None:
    safe = load_release(None)
    assert safe.warnings() == []
    loose = ["deid.burned_in=trust", "deid.vocabulary=false", "header.retain=[uids, device_identity]"]
    assert len(load_release(None, [*loose, "header.unknown_classes=generic"]).warnings()) == 5
    assert load_release(None, ["header.retain=[uids]"]).header.retain == ("uids",)
    with pytest.raises(RecipeError, match="findings"):
        load_release(None, ["sections=[nonsense]"])
    with pytest.raises(RecipeError, match=r"least has no effect on single files\n  fix: .*second_look\.share"):
        load_release(None, ["deid.second_look.least=50"])


def test_the_page_says_what_the_attestation_says_and_escapes_it() -> None:
    told = {
        "product": {"radsift": "1"}, "table": "PS3.15 <b>", "options": {"a": "<script>"}, "secret": "s", "inputs": 3,
        "fates": {"CLEAN": 1, "QUARANTINED": 1, "REFUSED": 1}, "kinds": {"dicom": 3}, "reasons": {"blank_image": 1},
        "report_rows": {"": 2}, "actions": {"remove PatientAddress": 4}, "files": [],
        "verification": {"passed": False, "ocr": False, "findings": {"name": 1}},
    }  # fmt: skip
    page = render("attestation.html.j2", a=told)
    assert "Failed" in page and "remove PatientAddress" in page and "clean" in page
    assert "<script>" not in page and "<b>" not in page
    assert "Passed" in render(
        "attestation.html.j2", a=told | {"verification": {"passed": True, "ocr": True, "findings": {}}}
    )
