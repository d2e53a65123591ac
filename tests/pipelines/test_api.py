"""A run in Python: opened without archive and secret, every record in it once, pictures that are the written ones."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import polars as pl
import pytest
import yaml

import curate
from curate.errors import RecipeError
from pipelines.api import Run
from tests.pipelines.archive import make_archive, recipe_for

PLAIN = {"filters": {"text_quality": {}}, "select": {"by": "text_quality", "keep": 0.5}, "engine": {"workers": 1}}


@pytest.fixture(scope="module")
def run(secret_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run by the API itself; then archive and secret are gone."""
    folder = tmp_path_factory.mktemp("api")
    archive = make_archive(folder / "a", 24, side=64, blank=0.1)
    secret = folder / "secret.key"
    shutil.copy(secret_file, secret)
    secret.chmod(0o600)
    recipe = recipe_for(archive, folder / "run", secret, **PLAIN)
    made = curate.run(recipe, {"split.val": 0.2}, quiet=True)
    assert made.recipe["split"]["val"] == 0.2
    shutil.rmtree(archive)
    secret.unlink()
    return curate.open(folder / "run")


def test_every_record_is_there_once_and_the_funnel_says_why(run: Run) -> None:
    table = run.records().to_polars()
    assert table["key"].is_unique().all()
    counted = {(c.step, reason): n for c in run.funnel for reason, n in c.reasons}
    dropped = table.filter(pl.col("drop_reason").is_not_null()).group_by("drop_step", "drop_reason").len()
    assert {(s, r): n for s, r, n in dropped.rows()} == counted
    assert len(run.records(kept=True)) == run.funnel[-1].kept
    assert len(table) == run.funnel[0].rows_in
    sums = run.funnel.to_polars().group_by("step").agg(pl.col("records").sum())
    assert dict(sums.rows()) == {c.step: c.rows_in for c in run.funnel}


def test_records_are_chosen_by_reason_step_split_and_columns(run: Run) -> None:
    blank = run.records(reason="blank_image")
    assert len(blank) and set(blank.to_polars()["drop_step"]) == {"ingest"}
    train = run.records(split="train", kept=True, columns=["modality", "text_quality"]).to_arrow()
    assert train.column_names == ["key", "modality", "text_quality"]
    assert set(run.records(step="index").to_polars()["drop_reason"]) <= {r for r, _ in run.funnel[0].reasons}
    with pytest.raises(ValueError, match=r"no such reason: 'blank'; those of this run: .*blank_image"):
        run.records(reason="blank")
    with pytest.raises(ValueError, match="no such reason: 3"):
        run.records(reason=3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="kept: 'yes'; True, False or None"):
        run.records(kept="yes")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"no such column: 'image'; one of key, .*modality.*to_polars\(payload=True\)"):
        run.records(columns=["modality", "image"])
    assert len(run.records(step=["ingest", "select"])) == len(run.records(step="ingest")) + len(
        run.records(step="select")
    )
    assert run.records(columns="modality").to_polars().columns == ["key", "modality"]
    with pytest.raises(ValueError, match=r"no such step: 'deid'; one of index, .*select"):
        run.records(step="deid")
    with pytest.raises(ValueError, match=r"no such split: 'valid'; one of train"):
        run.records(split="valid")
    with pytest.raises(ValueError, match="no such split: 'valid'"):
        run.shards("valid")
    assert len(run.records(step="semantic")) == 0


def test_a_record_shows_the_written_picture_and_its_whole_story(run: Run) -> None:
    table = run.records(kept=True).to_polars(payload=True)
    key, image, text = table.select("key", "image", "text").row(0)
    record = run.show(key)
    assert (record.image, record.text, record.reason) == (image, text, None)
    assert [name for name, _ in record.steps] == ["index", "ingest", "dedup", "score", "select", "plan", "export"]
    pixels = cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_UNCHANGED)
    facts = dict(record.steps)["ingest"]
    assert pixels.shape[:2] == (facts["height"], facts["width"])
    for odd in ("0" * 32, None, 3):
        with pytest.raises(KeyError, match="no step of this run knows"):
            run.show(odd)  # type: ignore[arg-type]


def test_a_notebook_draws_them_and_no_text_is_markup(run: Run) -> None:
    from dataclasses import replace

    record = run.show(run.records(kept=True).keys[0])
    drawn = replace(record, text="<script>alert(1)</script>")._repr_html_()
    assert "<script>" not in drawn and "&lt;script&gt;" in drawn and "data:image/jpeg;base64," in drawn
    assert "data:image" in run.records(kept=True)._repr_html_()
    assert "below" in repr(run.funnel) and "<td>ingest</td>" in run._repr_html_()


def test_shards_scores_and_cards(run: Run) -> None:
    assert run.shards("train") and all(p.parent.name == "train" and p.suffix == ".tar" for p in run.shards("train"))
    assert {"key", "text_quality"} <= set(run.score_table().columns)
    assert run.score_table().height == run.funnel[2].kept
    assert run.page.is_file()
    assert set(run.cards) == {"text_quality"}


def test_what_is_no_run_or_has_not_ended_is_told(run: Run, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="holds no run"):
        curate.open(tmp_path)
    with pytest.raises(RecipeError, match=f"there is {run.path}"):
        curate.open(run.path.parent)
    with pytest.raises(TypeError, match="changes"):
        curate.run("demo", ["select.keep=0.2"])  # type: ignore[arg-type]
    shutil.copy(run.path / "recipe.yaml", tmp_path)
    with pytest.raises(RecipeError, match="has not ended"):
        curate.open(tmp_path)
    with pytest.raises(RecipeError, match=r"select\.keeep"):
        curate.run(yaml.safe_load((run.path / "recipe.yaml").read_text()), {"select.keeep": 0.2})
    with pytest.raises(AttributeError):
        curate.no_such_thing  # noqa: B018
