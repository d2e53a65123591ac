"""A patient leaves a finished run: everything of theirs is gone, nothing of the others' has changed."""

from __future__ import annotations

import io
import shutil
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import load, load_file

from curate.engine import Engine
from curate.errors import RecipeError
from curate.export.plan import plan_shards
from curate.export.remove import NOBODY, without_planned, without_records
from curate.record import DEDUP, SELECTION, Reason
from curate.step import load_manifest, read_parts
from curate.storage import read_marker
from filters.methods.image_quality.features import describe
from filters.towers.preprocess import decode
from pipelines.browse.marks import Marks
from pipelines.build import Pipeline
from pipelines.recipe.load import load_recipe
from pipelines.report.drawn import summary_of
from pipelines.run.check import save_recipe
from pipelines.run.execute import run_pipeline
from pipelines.upkeep.proof import is_signed
from pipelines.upkeep.verify import verify_run
from pipelines.upkeep.withdrawal import withdraw
from tests.pipelines.archive import fingerprint, make_archive, recipe_for

ANY = {"by": "dfn", "keep": 0.7, "force": True}
PLAIN = {"filters": {"text_quality": {}}, "select": {"by": "text_quality", "keep": 0.7}}


def silent(name: str, done: int, total: int) -> None:
    pass


def planned(table: pa.Table) -> dict[int, list[str]]:
    rows = table.to_pylist()
    return {n: [r["key"] for r in rows if r["shard"] == n] for n in dict.fromkeys(r["shard"] for r in rows)}


def test_shards_after_one_who_left_are_cut_where_they_were() -> None:
    rows = [{"key": k, "partition": i // 4, "split": "train", "weight": 1.0} for i, k in enumerate("abcdefgh")]
    plan = plan_shards(pa.Table.from_pylist(rows, SELECTION), 3)
    assert planned(plan) == {0: list("abc"), 1: list("def"), 2: list("gh")}
    once = without_planned(plan, {"b", "e"})
    assert planned(once) == {0: list("ac"), 1: list("df"), 2: list("gh")}
    twice = without_planned(once, {"a", "c", "g", "h"})
    assert planned(twice) == {0: [NOBODY], 1: list("df"), 2: [NOBODY]}  # empty shards are shards
    assert [r["name"] for r in twice.to_pylist()] == ["000000", "000001", "000001", "000002"]
    assert planned(without_planned(twice, {"d", "f"})) == {0: [NOBODY], 1: [NOBODY], 2: [NOBODY]}
    assert plan.schema == twice.schema


def test_rows_that_name_one_who_left_no_longer_do() -> None:
    rows: list[dict[str, Any]] = [
        {"key": "a", "partition": 0, "cluster": "a"},
        {"key": "b", "partition": 0, "cluster": "a", "duplicate_of": "a", "drop_step": "dedup", "drop_reason": "x"},
        {"key": "c", "partition": 0, "cluster": "c"},
    ]
    left = without_records(pa.Table.from_pylist(rows, DEDUP), {"a"}).to_pylist()
    assert [(r["key"], r["cluster"], r["duplicate_of"]) for r in left] == [("b", "b", None), ("c", "c", None)]


@pytest.fixture(scope="module")
def finished(
    secret_file: Path, local_engine: Engine, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Pipeline, Path]:
    archive = make_archive(tmp_path_factory.mktemp("archive") / "a", 16, side=64)
    recipe = load_recipe(recipe_for(archive, tmp_path_factory.mktemp("runs") / "run", secret_file, **PLAIN))
    save_recipe(recipe)
    pipeline, manifests = run_pipeline(recipe, local_engine, silent)
    summary_of(pipeline, manifests)
    return pipeline, archive


def opened(run: Path) -> dict[str, bytes]:
    """Every file's bytes, and a table's values: what somebody searches who does not trust the command."""
    found = {}
    for path in (p for p in run.rglob("*") if p.is_file() and "private" not in p.parts):
        found[str(path.relative_to(run))] = path.read_bytes()
        if path.suffix == ".parquet":
            found[f"{path.relative_to(run)}*"] = repr(pq.read_table(path).to_pylist()).encode()
    return found


@pytest.mark.slow  # 20 CPU-seconds; a shorter one is in test_damage.py
def test_a_patient_leaves_and_nothing_else_does(
    finished: tuple[Pipeline, Path], local_engine: Engine, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(finished[0].run, tmp_path / "run"))
    recipe = finished[0].recipe.model_copy(update={"out": run})
    save_recipe(recipe)
    summary_of(*run_pipeline(recipe, local_engine, silent))
    pipeline = Pipeline(recipe, run_pipeline(recipe, local_engine, silent)[0].listing)
    exported = pq.read_table(next((run / "shards" / "train").glob("000000.parquet"))).to_pylist()
    patient, key = exported[0]["patient"], exported[0]["key"]
    truth = pq.read_table(finished[1] / "truth" / "truth.parquet").to_pylist()
    pseudo = recipe.secret_source().pseudonymizer()
    (raw,) = {r["patient_id"] for r in truth if pseudo.key("patient", r["patient_id"]) == patient}
    held = {r["key"] for r in read_parts(pipeline.index.folder(run)).to_pylist() if r["patient"] == patient}
    images = [
        r["image"] for r in read_parts(pipeline.ingest.folder(run)).to_pylist() if r["key"] in held and r["image"]
    ]
    others = [k for k in read_parts(pipeline.ingest.folder(run), ["key"])["key"].to_pylist() if k not in held]
    for marked in (key, others[0]):
        Marks(run / "review", "anna").mark(marked, "good", None, None)
    before, counts = opened(run), {s.name: load_manifest(s.folder(run)) for s in pipeline.steps()}
    assert any(key.encode() in data for data in before.values()) and images

    done = withdraw(pipeline, [raw], [], silent)

    assert done.records == len(held) and not done.found and done.searched > 40
    assert Marks(run / "review").table()["key"].to_list() == others[:1]
    after = opened(run)
    needles = [*(k.encode() for k in held), patient.encode(), raw.encode(), *(i[len(i) // 2 :][:40] for i in images)]
    assert not [(n, name) for n in needles for name, data in after.items() if n in data]
    for name, data in before.items():
        if name.startswith("shards/") and name.count("/") == 2 and not name.endswith("*"):
            index = before[f"{name.split('.')[0].removesuffix('_stats')}.parquet*"]
            assert (after[name] == data) == (not any(k.encode() in index for k in held)), name
    with tarfile.open(fileobj=io.BytesIO(after["shards/train/000000.tar"])) as tar:
        members = list(dict.fromkeys(m.name.split(".")[0] for m in tar))
    assert members == [r["key"] for r in exported if r["key"] not in held]
    assert any("text_quality" in name for name in done.models)
    proof = read_marker(run / done.proof)
    assert proof is not None and is_signed(proof, pseudo) and not is_signed({**proof, "records": 0}, pseudo)
    assert raw not in (run / done.proof).read_text() and patient not in (run / done.proof).read_text()
    for step in pipeline.steps():
        now, then = load_manifest(step.folder(run)), counts[step.name]
        assert now is not None and then is not None and now.rows_in <= then.rows_in
    assert not verify_run(run, pseudo).damaged
    # the same recipe has nothing to do, and what is damaged now is made again without the patient
    assert all(m.reused for m in run_pipeline(recipe, local_engine, silent)[1])
    left = fingerprint(run)
    for kind in ("shards/train/000000.tar", "steps/ingest-*/part-00000.parquet", "steps/score-*/part-00000.parquet"):
        next(run.glob(kind)).write_bytes(b"")
        run_pipeline(recipe, local_engine, silent)
        assert fingerprint(run) == left
    # nor does a new index take the patient in again
    shutil.rmtree(next(run.glob("steps/index-*")))
    again, manifests = run_pipeline(recipe, local_engine, silent)
    assert manifests[0].dropped[Reason.WITHDRAWN.value] >= len(held)  # their reports are counted by themselves now
    assert not [n for n in needles[:-1] for name, data in opened(run).items() if n in data and "report" not in name]
    with pytest.raises(RecipeError, match="no record of 1 of 1 patients"):
        withdraw(again, ["nobody of this archive"], [], silent)


@pytest.mark.slow
def test_a_removal_that_was_killed_goes_on(
    finished: tuple[Pipeline, Path], local_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Path(shutil.copytree(finished[0].run, tmp_path / "run"))
    recipe = finished[0].recipe.model_copy(update={"out": run})
    pipeline = run_pipeline(recipe, local_engine, silent)[0]
    key = pq.read_table(run / "shards" / "train" / "000000.parquet")["key"][0].as_py()
    patient = {r["key"]: r["patient"] for r in read_parts(pipeline.index.folder(run)).to_pylist()}[key]

    def kill(name: str, done: int, total: int) -> None:
        if name == "remove" and done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        withdraw(pipeline, [], [key], kill)
    truth = pq.read_table(finished[1] / "truth" / "truth.parquet").to_pylist()
    pseudo = recipe.secret_source().pseudonymizer()
    (raw,) = {r["patient_id"] for r in truth if pseudo.key("patient", r["patient_id"]) == patient}
    done = withdraw(Pipeline(recipe, pipeline.listing), [raw], [], silent)
    assert not done.found and not [n for n, data in opened(run).items() if key.encode() in data]
    assert not (run / "private" / "removing.sealed").exists()
    assert all(m.reused for m in run_pipeline(recipe, local_engine, silent)[1])


@pytest.mark.slow  # 10 CPU-seconds; shorter ones are in tests/filters/test_banks.py
def test_rows_that_filters_keep_of_a_patient_go_and_their_weights_are_named(
    inline_engine: Engine, secret_file: Path, tmp_path: Path
) -> None:
    archive = make_archive(tmp_path / "a", 32, side=64)
    rules = {"filters": {"dfn": {"epochs": 1, "batch": 8, "vocab": 256}, "image_quality": {"side": 32, "drawn": 40}}}
    recipe = load_recipe(recipe_for(archive, tmp_path / "run", secret_file, **PLAIN | rules | {"select": ANY}))
    save_recipe(recipe)
    pipeline, manifests = run_pipeline(recipe, inline_engine, silent)
    summary_of(pipeline, manifests)
    run, steps = pipeline.run, pipeline.train_filters
    clean = read_parts(steps["dfn"].folder(run))["key"].to_pylist()
    fates = read_parts(pipeline.index.folder(run)).to_pylist()
    patient = {r["key"]: r["patient"] for r in fates}[clean[0]]
    mine = [r["key"] for r in fates if r["patient"] == patient]
    payload = read_parts(pipeline.ingest.folder(run)).to_pylist()
    pictures = [decode(r["image"], 32) for r in payload if r["key"] in mine and r["key"] in clean]
    files = {p: p.read_bytes() for step in steps.values() for p in step.folder(run).glob("model/*")}

    done = withdraw(pipeline, [], clean[:1], silent)

    two, quality = (steps[name].folder(run) / "model" / "bank.safetensors" for name in ("dfn", "image_quality"))
    assert {p for p, data in files.items() if p.read_bytes() != data} == {two, quality}
    before, after = load(files[two]), load_file(two)  # its rows are the clean pairs that decode, in order of their keys
    stay = [key not in mine for key in sorted(clean)]
    assert not all(stay) and len(before["images"]) == len(stay)
    assert all((after[side] == before[side][stay]).all() for side in ("images", "texts"))
    before, after = load(files[quality]), load_file(quality)
    white = [np.clip((describe(p) - before["middle"]) @ before["whiten"], -6, 6) for p in pictures if p is not None]
    held = {i for i, row in enumerate(before["known"]) if any(np.allclose(row, w) for w in white)}
    assert held and (after["known"] == np.delete(before["known"], sorted(held), axis=0)).all()
    assert all((after[n] == before[n]).all() for n in ("middle", "whiten", "judge", "blank", "usual"))
    proof = read_marker(run / done.proof)
    assert proof is not None and all(str(p.relative_to(run)) in proof["changed"] for p in (two, quality))
    told = proof["learned_from"][f"steps/{steps['dfn'].folder(run).name}"]
    assert "in its clean set" in told and told.endswith("the rows in model/bank.safetensors are out")
    assert not verify_run(run, recipe.secret_source().pseudonymizer()).damaged
    assert all(m.reused for m in run_pipeline(recipe, inline_engine, silent)[1])
