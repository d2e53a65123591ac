"""`clean: {marks: RUN/review}`: what reviewers found good is what a filter learns from, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from curate.engine import Engine
from curate.errors import RecipeError
from curate.export.split import split_of
from curate.record import live
from curate.step import read_parts
from pipelines.browse.marks import Marks
from pipelines.build import Pipeline
from pipelines.recipe.load import load_recipe
from pipelines.report.drawn import summary_of
from pipelines.run.check import save_recipe
from pipelines.run.execute import run_pipeline
from pipelines.upkeep.withdrawal import withdraw
from tests.pipelines.archive import make_archive, recipe_for


def test_marks_are_a_clean_set_and_other_marks_are_another_filter(
    secret_file: Path, inline_engine: Engine, tmp_path: Path
) -> None:
    archive = make_archive(tmp_path / "archive", 24, side=64)
    path = recipe_for(archive, tmp_path / "run", secret_file, filters={"text_quality": {}}, select={})
    review = tmp_path / "review"
    changed = [f"clean.marks={review}"]
    with pytest.raises(RecipeError, match=r"folder and marks"):
        load_recipe(path, [*changed, f"clean.folder={tmp_path}"])
    recipe = load_recipe(path, changed)
    before, _ = run_pipeline(load_recipe(path), inline_engine, lambda *_: None, until="dedup")
    rows = read_parts(before.ingest.folder(before.run), ["key", "patient", "official_split"]).to_pylist()
    dedup = read_parts(before.dedup.folder(before.run))
    alive = set(dedup.filter(pa.array(live(dedup)))["key"].to_pylist())
    rules = recipe.split
    split = {r["key"]: split_of(r["patient"], rules, r["official_split"]) for r in rows if r["key"] in alive}
    train, held = (sorted(k for k, s in split.items() if (s == "train") == is_train) for is_train in (True, False))
    marks, other = Marks(review, "a"), Marks(review, "b")
    for i, key in enumerate(train[:12]):
        marks.mark(key, "bad" if i == 3 else "good", None, "random")
    other.mark(train[5], "bad", None, "shared")  # one says good, one bad
    for key in held:
        marks.mark(key, "good", None, "random")  # nothing of these may be learned from
    pipeline, _ = run_pipeline(recipe, inline_engine, lambda *_: None, until="train-filter")
    step = pipeline.train_filters["text_quality"]
    learned = read_parts(step.folder(pipeline.run))["key"].to_pylist()
    assert len(learned) >= 8 and set(learned) <= {k for i, k in enumerate(train[:12]) if i not in (3, 5)}
    assert pipeline.ingest.hash == before.ingest.hash and step.hash != before.train_filters["text_quality"].hash
    marks.mark(train[3], "good", None, "random")
    assert Pipeline(recipe, pipeline.listing).train_filters["text_quality"].hash != step.hash


def test_marks_of_nothing_are_told(secret_file: Path, inline_engine: Engine, tmp_path: Path) -> None:
    archive = make_archive(tmp_path / "archive", 6, side=64)
    Marks(tmp_path / "review", "a").mark("0" * 32, "good", None, "random")  # of another run
    changes = {"filters": {"text_quality": {}}, "select": {}, "clean": {"marks": str(tmp_path / "review")}}
    recipe = load_recipe(recipe_for(archive, tmp_path / "run", secret_file, **changes))
    with pytest.raises(RecipeError, match=r"clean\.marks: no record of the train split is marked good"):
        run_pipeline(recipe, inline_engine, lambda *_: None, until="train-filter")


@pytest.mark.slow  # a whole run, and a removal that draws its page again
def test_who_withdraws_takes_marks_along_and_the_filter_keeps_its_name(
    secret_file: Path, inline_engine: Engine, tmp_path: Path
) -> None:
    archive = make_archive(tmp_path / "archive", 24, side=64)
    plain = {"filters": {"text_quality": {}}, "select": {"by": "text_quality", "keep": 0.7}, "truth": None}
    path = recipe_for(archive, tmp_path / "run", secret_file, **plain)
    first, _ = run_pipeline(load_recipe(path), inline_engine, lambda *_: None, until="dedup")
    dedup = read_parts(first.dedup.folder(first.run))
    marks = Marks(tmp_path / "run" / "review", "a")
    for key in sorted(dedup.filter(pa.array(live(dedup)))["key"].to_pylist()):
        marks.mark(key, "good", None, "random")
    recipe = load_recipe(path, [f"clean.marks={marks.folder}"])
    save_recipe(recipe)
    pipeline, manifests = run_pipeline(recipe, inline_engine, lambda *_: None)
    summary_of(pipeline, manifests)
    name = pipeline.train_filters["text_quality"].hash
    learned = read_parts(pipeline.train_filters["text_quality"].folder(pipeline.run))["key"].to_pylist()
    for key in learned[:2]:  # one after another
        withdraw(Pipeline(recipe, pipeline.listing), [], [key], lambda *_: None)
        assert key not in marks.table()["key"].to_list()
    again = Pipeline(recipe, pipeline.listing)
    assert again.train_filters["text_quality"].hash == name
    assert all(m.reused for m in run_pipeline(recipe, inline_engine, lambda *_: None)[1])
    marks.mark(marks.good()[0], "bad", None, None)
    assert Pipeline(recipe, pipeline.listing).train_filters["text_quality"].hash != name
