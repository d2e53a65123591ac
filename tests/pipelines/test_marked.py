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
from pipelines.run.execute import run_pipeline
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
    rules = recipe.split_rules()
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
