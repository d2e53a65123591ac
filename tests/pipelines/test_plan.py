"""`curate plan`: what a run will cost, by doing some of its records in memory, held against the run itself."""

from __future__ import annotations

import errno
import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from curate.engine import Engine
from curate.engine.local import LocalEngine
from curate.engine.resources import Resources
from curate.errors import SourceError
from curate.record import Reason
from curate.step import read_parts
from pipelines.recipe.load import load_recipe
from pipelines.run.check import save_recipe
from pipelines.run.execute import run_pipeline
from pipelines.survey.preview import look
from pipelines.survey.probe import probe
from tests.inline import curate
from tests.pipelines.archive import make_archive, recipe_for


@pytest.fixture(scope="module")
def recipe_file(secret_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plan")
    archive = make_archive(folder / "archive", 10)
    return recipe_for(archive, folder / "run", secret_file)


def test_a_source_that_cannot_be_read_is_named(recipe_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_path: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", "/pacs/DOE^JANE")

    monkeypatch.setattr("curate.sources.faults.open_file", refused)
    recipe = load_recipe(recipe_file)
    with pytest.raises(SourceError, match=f"source '{recipe.images[0].name}' cannot be read: Perm") as told:
        look(recipe)
    assert "DOE" not in str(told.value)


def test_an_estimate_by_all_records_is_what_the_run_then_makes(recipe_file: Path, inline_engine: Engine) -> None:
    recipe = load_recipe(recipe_file)
    found = probe(recipe, look(recipe), 100, inline_engine)
    assert found is not None and not recipe.out.exists()
    recipe.out.mkdir()
    save_recipe(recipe)
    pipeline, manifests = run_pipeline(recipe, inline_engine, lambda *_: None, until="ingest")
    rows = read_parts(pipeline.ingest.folder(pipeline.run), ["image", "text", "drop_reason", "painted"]).to_pylist()
    written = sum(len(r["image"]) + len((r["text"] or "").encode()) for r in rows if r["image"])
    assert found.records == found.probed == manifests[1].rows_in
    assert found.payload == pytest.approx(written, rel=0.05)  # words that patients share are not known before
    too_much = Reason.TOO_MUCH_PAINTED.value
    assert found.painted == sum(bool(r["painted"]) or r["drop_reason"] == too_much for r in rows) / len(rows)
    assert found.withheld == sum(r["drop_reason"] is not None for r in rows) / len(rows)
    assert found.looked == 2 and found.painted <= found.read <= found.painted + 2 / found.records
    assert found.ingest > found.second_look >= 0 and found.index > 0
    grown = replace(found, index=1800.0, ingest=2 * 360_000.0)
    assert "(0.500 and 200 CPU-hours)" in grown.lines[0] and grown.cpu_hours == 200.5


def test_the_command_says_it_and_writes_nothing(recipe_file: Path, tmp_path: Path) -> None:
    arguments = ("plan", recipe_file, "--set", f"out={tmp_path / 'other'}", "--set", "deid.burned_in=trust")
    told = json.loads(curate(*arguments, "--probe", "2", "--json").stdout)["estimate"]
    assert told["probed"] == 2 and told["read"] == 0.0 and told["looked"] == 0 and told["payload"] > 0
    assert told["cpu_hours"] == pytest.approx((told["index"] + told["ingest"]) / 3600)
    assert json.loads(curate(*arguments, "--probe", "0", "--json").stdout)["estimate"] is None
    shown = curate(*arguments, "--probe", "1", "--set", "engine.gpus=1").stdout
    assert "(1 tried)" in shown and "not in it: training and scoring of dfn" in shown
    assert "GPU-hours: not known" in shown
    assert not (tmp_path / "other").exists()


@pytest.mark.slow
def test_records_that_end_their_process_are_lost_and_the_plan_goes_on(recipe_file: Path) -> None:
    recipe = load_recipe(recipe_file)
    with closing(LocalEngine(Resources(workers=1, record_seconds=1e-4))) as engine:
        found = probe(recipe, look(recipe), 2, engine)
    assert found is not None and (found.probed, found.withheld, found.payload) == (2, 1.0, 0)
