"""A run whose sources and folder are on a real S3 server: the shards of a local run, byte by byte."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

pytest.importorskip("s3fs", reason="s3fs is not installed")
pytest.importorskip("moto.server", reason="moto's server is not installed")

from curate.engine import Resources, start_engine
from curate.errors import RecipeError, RunError
from curate.export.webdataset import read_index
from curate.lease import Lease
from curate.places import file_system, place
from curate.storage import exclusive
from pipelines.commands.screen import pipeline_of
from pipelines.recipe.load import load_recipe
from pipelines.report.told import told_of
from pipelines.run.check import check, check_local, save_recipe
from pipelines.run.execute import run_pipeline
from pipelines.upkeep.verify import verify_run
from pipelines.upkeep.withdrawal import withdraw
from tests.pipelines.archive import make_archive, recipe_for
from tests.s3server import s3_server

PLAIN = {"filters": {"text_quality": {}}, "select": {"by": "text_quality", "keep": 0.5}}


def silent(name: str, done: int, total: int) -> None:
    pass


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    with s3_server("records"):
        yield "s3://records"


def shards(run: Path) -> dict[str, bytes]:
    """What readers of the shards see; export.json names the steps, which names the sources' places."""
    files = {p.relative_to(run / "shards").as_posix(): p for p in (run / "shards").rglob("*.*")}
    return {name: path.read_bytes() for name, path in files.items() if name != "export.json"}


def test_places_and_leases_on_a_real_server(bucket: str) -> None:
    run = place(f"{bucket}/quick")
    (run / "a" / "b.json").write_bytes(b"x" * 100_000)
    assert [p.name for p in run.rglob("*")] == ["b.json"] and (run / "a" / "b.json").stat().etag
    with (run / "a" / "b.json").open("rb") as file:
        assert file.seek(99_999) and file.read(9) == b"x"
    assert [(run / "l").create(b"1"), (run / "l").create(b"2"), (run / "none").exists()] == [True, False, False]
    with exclusive(run / "private" / "lock") as check_held:
        check_held()
        held = Lease(run / "private" / "lock.lease", beat=0.2, stale=60)
        with pytest.raises(RunError, match="another run"):
            held._is_free = lambda number: False  # type: ignore[method-assign]  # watched long enough
            held.take()
    with pytest.raises(FileNotFoundError):
        (run / "none").read_bytes()


def test_what_s3_cannot_do_is_refused_before_any_work(bucket: str, tmp_path: Path, secret_file: Path) -> None:
    archive = make_archive(tmp_path / "a", 1, side=64)
    written = recipe_for(archive, tmp_path / "run", secret_file, **PLAIN)
    recipe = load_recipe(written, [f"out={bucket}/run"])
    with pytest.raises(RecipeError, match="trained in a folder"):
        check_local(recipe)
    nowhere = load_recipe(written, ["out=s3://no-such-bucket/run"])
    with pytest.raises(RecipeError, match="cannot write to s3://no-such-bucket/run"):
        check(nowhere)
    with pytest.raises(RecipeError, match="credentials"):
        load_recipe(written, ["out=s3://me:word@records/run"])


@pytest.mark.slow  # 40 CPU-seconds: two runs
def test_a_run_on_s3_makes_the_shards_of_a_local_one(bucket: str, tmp_path: Path, secret_file: Path) -> None:
    archive = make_archive(tmp_path / "a", 24, side=64)
    written = recipe_for(archive, tmp_path / "run", secret_file, truth=None, **PLAIN)
    far = yaml.safe_load(written.read_text()) | {"out": f"{bucket}/run"}
    far["images"][0]["path"], far["reports"][0]["path"] = f"{bucket}/dicom", f"{bucket}/reports/reports.csv"
    s3 = file_system("s3")
    s3.put(str(archive / "dicom"), "records/dicom", recursive=True)
    s3.put(str(archive / "reports"), "records/reports", recursive=True)
    (tmp_path / "far.yaml").write_text(yaml.safe_dump(far))
    engine = start_engine(Resources(workers=2))
    try:
        done = {}
        for path in (written, tmp_path / "far.yaml"):
            recipe = load_recipe(path)
            check(recipe)
            save_recipe(recipe)
            pipeline, manifests = run_pipeline(recipe, engine, silent)
            told_of(pipeline, manifests)
            done[path] = pipeline.run
        near, remote = map(shards, done.values())
        assert near == remote and len(near) > 6
        assert not list(Path.cwd().glob("s3*")) and not list(tmp_path.glob("s3*"))
        assert all(m.reused for m in run_pipeline(recipe, engine, silent)[1])
        damaged = remote_part(done[tmp_path / "far.yaml"])
        whole = damaged.read_bytes()
        damaged.write_bytes(whole[: len(whole) // 2])
        pseudo = recipe.secret_source().pseudonymizer()
        found = verify_run(recipe.out, pseudo)
        assert [name for name, _ in found.damaged] == [damaged.relative_to(recipe.out).as_posix()]
        redone = {m.step for m in run_pipeline(recipe, engine, silent)[1] if not m.reused}
        assert redone == {"ingest"} and damaged.read_bytes() == whole
        assert not verify_run(recipe.out, pseudo).damaged
        # a patient leaves both, and both are equal again
        key = read_index(tmp_path / "run" / "shards")["key"][0].as_py()
        for path in done:
            kept = withdraw(pipeline_of(done[path]), [], [key], silent)
            assert kept.records and not kept.found
        left, remote = map(shards, done.values())
        assert left == remote and left != near and all(key.encode() not in data for data in remote.values())
        assert all(m.reused for m in run_pipeline(recipe, engine, silent)[1])
    finally:
        engine.close()


def remote_part(run: Path) -> Path:
    return next((run / "steps").glob("ingest-*/part-00001.parquet"))
