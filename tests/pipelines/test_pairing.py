"""Where nothing or little pairs, a run and its plan say so, with the field to change; no value of anyone's is shown."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
import yaml

from curate.engine import Engine
from curate.errors import RecipeError, RunError
from curate.record import Reason
from curate.report.page import render_page
from curate.sources.pairing.outcome import Pairing
from curate.step import read_parts
from pipelines.recipe.load import load_recipe
from pipelines.recipe.recipe import Recipe
from pipelines.report.summary import collect
from pipelines.run.execute import run_pipeline
from pipelines.survey.preview import look
from tests.curate.dicomfiles import gradient, write
from tests.inline import curate

REPORTS = [f"FINDINGS: The lungs are clear. There is a nodule of {i + 2} mm in the left lung." for i in range(5)]
ID = "00778{}99"  # of the images


def silent(name: str, done: int, total: int) -> None:
    pass


def archive(folder: Path, secret: Path, accessions: list[str], more: dict[str, Any] | None = None) -> Path:
    """Five images, reports under ``accessions``; the recipe's path."""
    (folder / "img").mkdir()
    for i in range(5):
        known = {"AccessionNumber": ID.format(i), "PatientID": f"P{i}", "StudyInstanceUID": f"1.2.{i}.7"}
        write(folder / "img" / f"{i}.dcm", gradient() + i, SOPInstanceUID=f"1.2.{i}.7.1", **known)
    with (folder / "reports.csv").open("w", newline="") as f:
        csv.writer(f).writerows([("accession", "report"), *zip(accessions, REPORTS, strict=False)])
    recipe: dict[str, Any] = {
        "name": "few",
        "out": str(folder / "run"),
        "secret": str(secret),
        "images": [{"path": str(folder / "img")}],
        "reports": [{"path": str(folder / "reports.csv"), "columns": {"text": "report", "accession": "accession"}}],
        "filters": {},
        "dedup": {"image_near": "off"},
        "select": {},
        "deid": {"burned_in": "trust"},
    }
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe | (more or {})))
    return path


def indexed(path: Path, engine: Engine) -> Recipe:
    recipe = load_recipe(path)
    run_pipeline(recipe, engine, silent, until="index")
    return recipe


def test_where_nothing_pairs_the_run_stops_and_names_the_field(
    secret_file: Path, inline_engine: Engine, tmp_path: Path
) -> None:
    path = archive(tmp_path, secret_file, [str(int(ID.format(i))) for i in range(5)])
    with pytest.raises(RunError, match="nothing pairs: 0 of 5 images found a report among 5") as stopped:
        indexed(path, inline_engine)
    told = str(stopped.value)
    assert "accession: 5 of 5 images have one (#{8}), 5 of 5 reports have one (#{6})" in told
    assert "5 of 5 images would pair if leading zeros were ignored: pair.ignore: [leading_zeros]" in told
    assert "index: 10 in, 0 kept  image_without_report=5  report_without_image=5" in told
    assert "778" not in told and not (tmp_path / "run" / "shards").exists()
    with pytest.raises(RunError, match="nothing pairs"):  # the index is done: it is told again, not forgotten
        indexed(path, inline_engine)
    made = load_recipe(path, ["pair.ignore=[leading_zeros]"])
    assert run_pipeline(made, inline_engine, silent, until="index")[1][-1].kept == 5
    kept = load_recipe(path, ["pair.unpaired_reports=keep"])
    assert run_pipeline(kept, inline_engine, silent, until="index")[1][-1].kept == 5


def test_ids_of_several_patients_and_of_none_are_told_with_the_field_to_change(
    secret_file: Path, inline_engine: Engine, tmp_path: Path
) -> None:
    """Of five images two share an accession number, one has none: most pair, and the others are told all the same."""
    path = archive(tmp_path, secret_file, [ID.format(i) for i in range(3)] + ["TEMP"])
    for i, accession in ((3, ID.format(0)), (4, "temp")):
        known = {"AccessionNumber": accession, "PatientID": f"P{i}", "StudyInstanceUID": f"1.2.{i}.7"}
        write(tmp_path / "img" / f"{i}.dcm", gradient() + i, SOPInstanceUID=f"1.2.{i}.7.1", **known)
    recipe = load_recipe(path)
    pipeline, manifests = run_pipeline(recipe, inline_engine, silent, until="index")
    reasons = {"id_of_several_patients": 2, "image_without_report": 1, "report_without_image": 2}
    assert (manifests[-1].rows_in, manifests[-1].kept, manifests[-1].dropped) == (7, 2, reasons)
    first, *told = pipeline.pairing.warnings
    assert first == "2 of 5 images found a report among 4" and told == look(recipe).pairing.warnings[1:]
    assert told[0].startswith("accession: 1 of 5 images hold a{4}, 1 of 4 reports hold A{4}, which stands for no id")
    assert told[1].startswith("2 images share an id with another patient's") and "columns.patient" in told[1]
    assert not any("require_same_patient" in line for line in told)


def test_files_that_are_not_read_and_names_with_more_in_them_are_told(
    secret_file: Path, inline_engine: Engine, tmp_path: Path
) -> None:
    path = archive(tmp_path, secret_file, [])
    told = tmp_path / "told"
    told.mkdir()
    for i in range(5):
        (told / f"{ID.format(i)}_report.txt").write_text(REPORTS[i])
    (told / "batch.txt").write_text("MSH|^~\\&|RIS\rPID|1||P0\r")
    where = [f"reports.0.path={told}", "reports.0.columns={}"]
    with pytest.raises(RunError) as stopped:
        run_pipeline(load_recipe(path, where), inline_engine, silent, until="index")
    fix = "a part of the reports' accession were the image's accession: reports[].name_pattern, group accession"
    assert f"5 of 5 images would pair if {fix}" in str(stopped.value)
    assert (
        "1 files beside the reports: each holds HL7 messages; name it .hl7; what is read are the texts of OBX-5"
        in str(stopped.value)
    )
    made = load_recipe(path, [*where, r"reports.0.name_pattern=(?P<accession>\d+)_"])
    assert run_pipeline(made, inline_engine, silent, until="index")[1][-1].kept == 5


def test_where_few_pair_the_run_goes_on_and_the_page_says_it(
    secret_file: Path, inline_engine: Engine, tmp_path: Path
) -> None:
    told = [ID.format(0), *(str(int(ID.format(i))) for i in range(1, 5))]
    recipe = load_recipe(archive(tmp_path, secret_file, told))
    from pipelines.run.check import save_recipe

    (tmp_path / "run").mkdir()
    save_recipe(recipe)
    pipeline, manifests = run_pipeline(recipe, inline_engine, silent)
    page = render_page(collect(pipeline, manifests))
    assert "pairing: 1 of 5 images found a report among 5" in page and "pair.ignore: [leading_zeros]" in page
    assert "pairs found" not in page and read_parts(pipeline.index.folder(pipeline.run)).num_rows == 9


def test_a_plan_says_it_before_and_writes_nothing(secret_file: Path, tmp_path: Path) -> None:
    path = archive(tmp_path, secret_file, [str(int(ID.format(i))) for i in range(5)])
    before = sorted(tmp_path.rglob("*"))
    done = curate("plan", path)
    found = "0 of 5 images found a report among 5 (looked at 5 of 5 files and all 5 reports)"
    assert done.returncode == 0 and found in done.stdout, done.stderr
    assert "pair.ignore: [leading_zeros]" in done.stderr and ID.format(0)[2:] not in done.stdout + done.stderr
    assert sorted(tmp_path.rglob("*")) == before
    assert look(load_recipe(path, ["pair.ignore=[leading_zeros]"])).pairing == Pairing(5, 5, 5)


def test_a_plan_looks_at_a_part_of_a_large_archive(
    secret_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = load_recipe(archive(tmp_path, secret_file, [ID.format(i) for i in range(5)]))
    monkeypatch.setattr("pipelines.survey.preview.IMAGES", 3)
    monkeypatch.setattr("pipelines.survey.preview.REPORTS", 4)
    looked = look(recipe)
    assert looked.extent == "3 of 5 files and the first 4 reports"
    assert looked.pairing.images == 3 and looked.pairing.paired >= 2
    assert (look(recipe).pairing, look(recipe).extent) == (looked.pairing, looked.extent)


def test_a_rule_that_needs_an_order_says_so(secret_file: Path, tmp_path: Path) -> None:
    path = archive(tmp_path, secret_file, [])
    with pytest.raises(RecipeError, match=r"columns\.order"):
        load_recipe(path, ["reports.0.several=latest"])
    with pytest.raises(RecipeError, match=r"pair\.ignore"):
        load_recipe(path, ["pair.ignore=[zeros]"])


def test_the_final_report_goes_out_with_its_addendum(secret_file: Path, inline_engine: Engine, tmp_path: Path) -> None:
    path = archive(tmp_path, secret_file, [])
    rows = [("accession", "report", "state", "seen")]
    for i in range(5):
        rows += [
            (ID.format(i), "FINDINGS: Possible fracture.", "P", "2024-03-01 08:00"),
            (
                ID.format(i),
                "FINDINGS: The nodule is old.\nElectronically signed by: nobody",
                "ADDENDUM",
                "2024-03-02 08:00",
            ),
            (ID.format(i), REPORTS[i], "F", "2024-03-01 10:00"),
        ]
    with (tmp_path / "reports.csv").open("w", newline="") as f:
        csv.writer(f).writerows(rows)
    columns = {"text": "report", "accession": "accession", "status": "state", "order": "seen"}
    recipe = load_recipe(path, [f"reports.0.columns={columns}"])
    pipeline, manifests = run_pipeline(recipe, inline_engine, silent, until="ingest")
    assert dict(manifests[0].dropped) == {Reason.SUPERSEDED.value: 5} and manifests[0].kept == 5
    texts = sorted(read_parts(pipeline.ingest.folder(pipeline.run), ["text"])["text"].to_pylist())
    assert texts == [f"{said.removeprefix('FINDINGS: ')} The nodule is old." for said in sorted(REPORTS)]
