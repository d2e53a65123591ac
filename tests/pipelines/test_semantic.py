"""Semantic deduplication in a whole run: its row of the funnel, its reason with the representative, and its recipe."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

from curate.engine import Engine
from curate.errors import RecipeError
from curate.export.webdataset import read_index
from curate.record import Reason
from curate.report.words import MAP
from curate.step import read_parts
from pipelines.api import open_run
from pipelines.browse.bench import Bench
from pipelines.browse.map import _encoded, _kept, _towers_of, make_map
from pipelines.recipe.load import load_recipe
from pipelines.report.story import story
from pipelines.report.summary import collect
from pipelines.run.check import save_recipe
from pipelines.run.execute import run_pipeline
from tests.pipelines.archive import make_archive, recipe_for


@pytest.mark.parametrize(
    ("filters", "semantic", "said"),
    [
        ({"text_quality": {}}, {}, "fix: there is none yet: add one"),
        ({"dfn": {}, "siglip": {}}, {}, "there are dfn, siglip"),
        ({"dfn": {}}, {"by": "ours"}, "'ours' is no filter with towers"),
        ({"dfn": {}}, {"similarity": 0.9, "keep": 0.5}, "give one of them"),
        ({"dfn": {}}, {"similarity": 1.5}, "semantic.similarity"),
    ],
)
def test_a_wrong_recipe_names_its_field(
    filters: dict, semantic: dict, said: str, secret_file: Path, tmp_path: Path
) -> None:
    path = recipe_for(tmp_path, tmp_path / "run", secret_file, filters=filters, semantic=semantic, select={})
    with pytest.raises(RecipeError) as error:
        load_recipe(path, [])
    assert said in str(error.value)


@pytest.mark.slow
def test_a_run_drops_what_looks_and_says_the_same(secret_file: Path, tmp_path: Path, inline_engine: Engine) -> None:
    pytest.importorskip("faiss")
    archive = make_archive(tmp_path / "archive", 40)
    changes = {"filters": {"dfn": {"epochs": 2, "batch": 8, "vocab": 512}}, "deid": {"burned_in": "trust"}}
    recipe = load_recipe(
        recipe_for(archive, tmp_path / "run", secret_file, **changes, semantic={"keep": 0.8}, select={}), []
    )
    pipeline, manifests = run_pipeline(recipe, inline_engine, lambda *_: None)
    counts = {m.step: m for m in manifests}
    semantic = counts["semantic"]
    assert semantic.rows_in == counts["dedup"].kept and counts["select"].rows_in == semantic.kept
    assert set(semantic.dropped) == {Reason.SEMANTIC_DUPLICATE.value} and sum(semantic.dropped.values()) >= 1
    assert pipeline.semantic is not None
    rows = read_parts(pipeline.semantic.folder(pipeline.run)).to_pylist()
    gone = [r for r in rows if r["drop_reason"]]
    exported = set(read_index(pipeline.shards)["key"].to_pylist())
    assert all(r["duplicate_of"] in exported and r["key"] not in exported for r in gone)
    assert dict(story(pipeline, gone[0]["key"]))["semantic"]["duplicate_of"] == gone[0]["duplicate_of"]
    save_recipe(recipe)
    report = collect(pipeline, manifests)
    assert "semantic" in [c.step for c in report.counts]
    assert Reason.SEMANTIC_DUPLICATE.value in {pair.reason for pair in report.duplicates}
    opened = open_run(pipeline.run)
    told = opened.records(step="semantic").to_polars()
    assert dict(told.select("key", "duplicate_of").rows()) == {r["key"]: r["duplicate_of"] for r in gone}
    assert make_map(opened) == len(opened.score_table().drop_nulls("dfn_image_embedding")) >= 20
    made = (pipeline.run / "report" / MAP).stat().st_mtime_ns
    assert make_map(opened) and (pipeline.run / "report" / MAP).stat().st_mtime_ns == made  # once
    bench = Bench(opened)
    drawn = bench.map()
    assert [r["key"] for r in drawn["records"]] == sorted(opened.score_table()["key"])
    assert max(map(abs, [*drawn["x"], *drawn["y"]])) == 1 and drawn["colours"][-1] == "scores"
    near = np.hypot(*(np.subtract.outer(np.array(drawn[axis]), drawn[axis]) for axis in "xy"))
    vectors = np.stack(opened.score_table().sort("key")["dfn_image_embedding"].to_list()).astype(np.float32)
    alike = (vectors @ vectors.T) / np.outer(*2 * [np.linalg.norm(vectors, axis=1)])
    off = ~np.eye(len(near), dtype=bool)
    assert spearmanr(near[off], alike[off]).statistic < -0.3  # alike pictures lie near each other
    kept, of = _kept(opened, "dfn_image_embedding", [r["key"] for r in drawn["records"]])
    assert _kept(opened, "dfn_image_embedding", ["0" * 32])[0] == []  # none of the draw has one
    folder = _towers_of(opened)
    assert folder == opened.filters["dfn"]
    keys, encoded = _encoded(opened, folder, kept, lambda *_: None)  # of pictures that were read again
    order = np.argsort(keys)
    assert [keys[i] for i in order] == kept and np.abs(encoded[order] - of).max() < 2e-3
    cut = bench.cut
    assert len(cut.rows) == len(opened.records(split="train")) and cut.kept.all()
    again = run_pipeline(recipe, inline_engine, lambda *_: None)[1]
    assert all(m.reused for m in again)
