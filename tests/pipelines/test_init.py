"""`curate init`: the recipe that folders and tables suggest pairs them and holds no value of theirs."""

from __future__ import annotations

import csv
import sys
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.input.trees import LAYOUTS, QUICK
from curate.engine import Engine
from curate.errors import RecipeError
from pipelines.cli import main
from pipelines.recipe.load import load_recipe
from pipelines.run.check import check
from pipelines.run.execute import run_pipeline
from pipelines.survey.guess import guess
from pipelines.survey.preview import look
from tests.curate.dicomfiles import gradient, write
from tests.curate.pools import png, write_tar, write_zip
from tests.pipelines.archive import make_archive


def pictures(folder: Path, names: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for i, name in enumerate(names):
        noise = np.random.default_rng(i).integers(0, 255, (64, 64), np.uint8)
        cv2.imwrite(str(folder / name), noise)


def table(path: Path, rows: list[dict[str, str]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as f:
        written = csv.DictWriter(f, list(rows[0]))
        written.writeheader()
        written.writerows(rows)
    return path


def test_a_hospitals_archive_gets_a_recipe_that_pairs_it(tmp_path: Path) -> None:
    archive = make_archive(tmp_path / "a", 24, side=64)
    made = guess([archive / "dicom", archive / "reports"], tmp_path / "run", tmp_path / "s")
    columns = made.fields["reports"][0]["columns"]
    wanted = {"text": "report", "accession": "accession", "study": "study_uid", "patient": "patient_id"}
    assert columns == wanted | {"patient_name": "patient_name", "date": "study_date"}
    (tmp_path / "r.yaml").write_text(made.text())
    pairing = look(load_recipe(tmp_path / "r.yaml")).pairing
    assert pairing.paired > 0.8 * pairing.images
    assert made.notes[0].startswith(pairing.headline)
    with (archive / "reports" / "reports.csv").open() as f:
        values = {
            v for row in csv.DictReader(f) for k, v in row.items() if k in ("patient_name", "patient_id", "accession")
        }
    assert len(values) > 20 and not any(value in made.text() for value in values)


@pytest.mark.parametrize(
    ("rows", "columns", "questions"),
    [
        (
            [{"file": "0.png", "caption": "CT of the head", "remark": "x" * 60}],
            {"image": "file", "text": "caption"},
            None,
        ),
        (
            [{"image": "0.png", "question": "is it?", "answer": "no"}],
            {"image": "image"},
            {"question": "question", "answer": "answer"},
        ),
        (
            [{"image": "0.png", "Findings": "clear lungs", "Impression": "normal", "split": "train"}],
            {"image": "image", "split": "split", "sections": {"findings": "Findings", "impression": "Impression"}},
            None,
        ),
        ([{"image": "0.png", "remark": "a long sentence on the picture"}], {"image": "image", "text": "remark"}, None),
    ],
)
def test_tables_of_pairs(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    rows: list[dict[str, str]],
    columns: dict[str, str],
    questions: dict[str, str] | None,
) -> None:
    pictures(tmp_path / "d" / "images", ["0.png"])
    table(tmp_path / "d" / "pairs.csv", rows)
    monkeypatch.chdir(tmp_path)
    made = guess([Path("d")], tmp_path / "run", tmp_path / "s")
    assert (made.fields["images"][0]["path"], made.fields["reports"][0]["path"]) == ("d", "d/pairs.csv")
    assert made.fields["reports"][0]["columns"] == columns
    assert made.fields["reports"][0].get("questions") == questions
    assert "1 PNG" in made.why["images.0.path"]
    if questions is None:  # a question so short makes no statement, and nothing pairs
        assert made.fields["filters"] == {"text_quality": {}} and "of 1 pairs 'ours'" in made.text()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layout_of_the_world_gets_a_recipe_that_keeps_what_it_holds(
    layout: str, tmp_path: Path, secret_file: Path, inline_engine: Engine
) -> None:
    """As its writer says that it must become: MIMIC-CXR's ids in paths and its splits, a PACS and its RIS's table, a
    Hugging Face folder."""
    wanted = LAYOUTS[layout](tmp_path / "tree", 12)
    (tmp_path / "r.yaml").write_text(guess([tmp_path / "tree"], tmp_path / "run", secret_file).text())
    slices = ["pair.per_series=middle"] if layout == "pacs_ris" else []  # which of them stand for it, nobody can guess
    recipe = load_recipe(tmp_path / "r.yaml", [*QUICK, *slices])
    check(recipe)
    run_pipeline(recipe, inline_engine, lambda *_: None)
    kept = Counter({p.name: sum(pq.read_metadata(f).num_rows for f in p.glob("*.parquet")) for p in shards(tmp_path)})
    assert kept.total() == wanted.expected["kept"] and (not wanted.splits or dict(+kept) == wanted.splits)


def shards(folder: Path) -> list[Path]:
    """The splits' folders of the run in ``folder``."""
    return [path for path in (folder / "run" / "shards").iterdir() if path.is_dir()]


def test_a_folder_a_study_with_a_text_of_its_name(tmp_path: Path) -> None:
    """Ids in paths alone, without a patient's folder; letters and numbers are the study's whole name."""
    for n in range(5):
        pictures(tmp_path / "d" / f"EX{n}A" / "views", ["0.png", "1.png"])
        (tmp_path / "d" / "texts").mkdir(exist_ok=True)
        (tmp_path / "d" / "texts" / f"EX{n}A.txt").write_text(f"No pleural effusion, examination {n}.")
    made = guess([tmp_path / "d"], tmp_path / "run", tmp_path / "s")
    assert made.fields["images"][0]["key_pattern"] == "(?P<accession>[^/]+)/[^/]+/(?P<image>[^/.]+)"
    assert made.fields["reports"][0]["name_pattern"] == r"(?P<accession>[^/]+)\.txt$"
    assert made.notes[0].startswith("10 of 10")


def test_ids_without_their_prefix_are_loosened_and_it_is_said(tmp_path: Path) -> None:
    archive = make_archive(tmp_path / "a", 12, side=64)
    with (archive / "reports" / "reports.csv").open() as f:
        rows = [{"accession": row["accession"][2:], "report": row["report"]} for row in csv.DictReader(f)]
    made = guess([archive / "dicom", table(tmp_path / "r.csv", rows)], tmp_path / "run", tmp_path / "s")
    assert "ignore" in made.fields["pair"] and "# more pair so" in made.text()
    assert not made.notes[0].startswith("0 of")


@pytest.mark.parametrize(("slices", "drawn"), [(12, 2000), (12, 60), (3, 2000)])
def test_a_series_of_many_slices_is_one_picture(
    slices: int, drawn: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.survey.preview.IMAGES", drawn)
    rows = [{"accession": f"A{n}", "report": f"No mass in segment {n}. The liver is normal."} for n in range(10)]
    for n in range(10 * slices):
        ids = {"AccessionNumber": f"A{n // slices}", "SeriesInstanceUID": f"1.2.{n // slices}"}
        write(tmp_path / f"{n}.dcm", gradient(), Modality="CT", SOPInstanceUID=f"1.2.3.{n}", **ids)
    made = guess([tmp_path, table(tmp_path / "ris" / "r.csv", rows)], tmp_path / "run", tmp_path / "s")
    assert made.fields.get("pair", {}).get("per_series") == ("middle" if slices > 4 else None)


def test_a_table_that_speaks_of_the_same_studies_is_left_out_and_it_is_said(tmp_path: Path) -> None:
    archive = make_archive(tmp_path / "a", 12, side=64)
    with (archive / "reports" / "reports.csv").open() as f:
        rows = [
            {"ACCESSION": row["accession"], "remark": f"the invoice was sent on day {i}"}
            for i, row in enumerate(csv.DictReader(f))
        ]
    other = table(tmp_path / "billing.csv", rows)
    made = guess([archive / "dicom", other, archive / "reports"], tmp_path / "run", tmp_path / "s")
    assert [source["path"] for source in made.fields["reports"]] == [str(archive / "reports" / "reports.csv")]
    assert "text: report  # a report by its name" in made.text() and "prose" not in made.text()
    assert made.notes[-1] == f"left out, no more pair with it: {other}"


def test_a_read_me_beside_the_pictures_is_no_report_and_a_folder_given_twice_is_one(tmp_path: Path) -> None:
    archive = make_archive(tmp_path / "a", 6, side=64)
    (archive / "dicom" / "README.TXT").write_text("This disc was made for the patient by the hospital's viewer.")
    dicom = archive / "dicom"
    made = guess([dicom, archive / "reports", dicom / ".." / "dicom"], tmp_path / "run", tmp_path / "s")
    assert len(made.fields["images"]) == 1
    assert [source["path"] for source in made.fields["reports"]] == [str(archive / "reports" / "reports.csv")]
    assert made.notes[-1] == f"left out, no more pair with it: {made.fields['images'][0]['path']}"


def test_what_cannot_be_guessed_is_told_with_its_fix(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    for wrong, told in ((tmp_path / "none", "does not exist"), (tmp_path / "empty", "holds no picture")):
        with pytest.raises(RecipeError, match=told):
            guess([wrong], tmp_path / "run", tmp_path / "s")
    pictures(tmp_path / "i", ["1.png"])
    for name, content in (("none.csv", b""), ("head.csv", b"image,report\n"), ("junk.xlsx", b"\0\1"), ("a/t.csv", b"")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
        with pytest.raises(RecipeError, match=rf"{name.partition('/')[0]} holds no picture and no report"):
            guess([tmp_path / "i", (tmp_path / name.partition("/")[0])], tmp_path / "run", tmp_path / "s")
    (tmp_path / "ages.csv").write_text("image,age\n1.png,40\n")
    with pytest.raises(RecipeError, match="no table has a column that holds reports"):
        guess([tmp_path / "ages.csv"], tmp_path / "run", tmp_path / "s")
    made = guess([tmp_path / "i", tmp_path / "ages.csv"], tmp_path / "run", tmp_path / "s")
    assert made.notes == [f"left out, no column of it holds reports: {tmp_path / 'ages.csv'}"]
    (tmp_path / "recipe.yaml").write_text("mine")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["curate", "init", str(tmp_path / "i"), "--out", "x.yaml"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2 and "fix: --to x.yaml" in capsys.readouterr().err
    monkeypatch.setattr(sys, "argv", ["curate", "init", str(tmp_path / "i")])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2 and "nothing is overwritten" in capsys.readouterr().err
    assert (tmp_path / "recipe.yaml").read_text() == "mine" and not (tmp_path / "secret.key").exists()
    monkeypatch.setattr(sys, "argv", ["curate", "init", str(tmp_path / "i"), "--to", "new.yaml"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0 and load_recipe(tmp_path / "new.yaml").images[0].name == "archive"
    assert (tmp_path / "secret.key").stat().st_mode & 0o077 == 0


def test_pictures_and_texts_that_lie_only_in_archives_are_seen(tmp_path: Path) -> None:
    """A pool of WebDataset shards, a zip with its table, DICOM in a tar, Parquet with images."""
    pool = tmp_path / "pool"
    pool.mkdir()
    samples = [(f"{i}.png", png(i)) for i in range(6)] + [(f"{i}.txt", b"The heart is enlarged.") for i in range(5)]
    write_tar(pool / "a.tar", [*samples, ("0.json", b'{"caption": "of the shard itself", "sha256": "0"}')])
    made = guess([pool], tmp_path / "run", tmp_path / "s")
    assert made.fields["reports"] == [{"path": str(pool), "format": "txt"}]
    assert made.why["images.0.path"] == "6 PNG" and made.notes[0].startswith("5 of 6")
    rows = [{"file": f"p/{i}.png", "caption": f"CT of the head, number {i}"} for i in range(6)]
    listed = table(tmp_path / "t.csv", rows).read_bytes()
    book = write_zip(tmp_path / "b.zip", [("t.csv", listed), *((f"p/{i}.png", png(i)) for i in range(6))])
    made = guess([book], tmp_path / "run", tmp_path / "s")
    assert made.fields["reports"][0]["columns"] == {"image": "file", "text": "caption"}
    assert made.notes[0].startswith("6 of 6")
    archive = make_archive(tmp_path / "a", 12, side=64)
    files = sorted(p for p in (archive / "dicom").rglob("*") if p.is_file())
    write_tar(tmp_path / "d.tar", [(str(p.relative_to(archive)), p.read_bytes()) for p in files])
    made = guess([tmp_path / "d.tar", archive / "reports"], tmp_path / "run", tmp_path / "s")
    assert "DICOM" in made.why["images.0.path"] and not made.notes[0].startswith("0 of")
    images = pa.array([{"bytes": png(i), "path": f"{i}.png"} for i in range(6)])
    captions = pa.array([f"Radiograph of the chest, number {i}" for i in range(6)])
    (tmp_path / "hf").mkdir()
    for split in ("train", "test"):
        pq.write_table(pa.table({"scan": images, "caption": captions}), tmp_path / "hf" / f"{split}-0.parquet")
    made = guess([tmp_path / "hf"], tmp_path / "run", tmp_path / "s")
    wanted = {"path": str(tmp_path / "hf"), "format": "parquet", "columns": {"image": "scan", "text": "caption"}}
    assert made.fields["reports"] == [wanted] and made.notes[0].startswith("12 of 12")


def test_texts_without_a_picture_are_said_to_be_taken_for_reports(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "notes.txt").write_text("call the vendor about the export on Monday")
    made = guess([tmp_path / "d"], tmp_path / "run", tmp_path / "key")
    assert made.why["reports.0.path"].startswith("1 text file, a report each")
    told = "no pictures here; 1 text file taken for a report each: if they are none (notes, a README), name"
    assert made.notes[0].startswith(told) and f"# {told}" in made.text()
