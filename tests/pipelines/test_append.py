"""`export.append`: where an archive grew, shards of what is unchanged keep their bytes; without it a run is one from
nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from curate.engine import Engine
from curate.errors import RunError
from curate.export import webdataset
from curate.export.webdataset import read_index
from pipelines.build import Pipeline
from pipelines.recipe.load import load_recipe
from pipelines.run.check import save_recipe
from pipelines.run.execute import run_pipeline
from pipelines.upkeep.withdrawal import withdraw
from tests.pipelines.archive import fingerprint


def silent(name: str, done: int, total: int) -> None:
    pass


def run(
    folder: Path, name: str, reports: dict[int, str], secret: Path, engine: Engine, append: bool = True
) -> Pipeline:
    """A run of reports alone, a file each, four to a shard; all in train."""
    source = folder / "reports"
    source.mkdir(exist_ok=True)
    for path in source.iterdir():
        path.unlink()
    for number, text in reports.items():
        said = {"uid": f"77{number:03}", "patient": f"P{number:03}", "findings": text}
        (source / f"{number:03}.jsonl").write_text(json.dumps(said))
    columns = {"sections": {"findings": "findings"}, "accession": "uid", "patient": "patient"}
    recipe = {
        "out": str(folder / name),
        "secret": str(secret),
        "reports": [{"path": str(source), "format": "jsonl", "columns": columns}],
        "pair": {"unpaired_reports": "keep"},
        "text": {"sections": ["findings"], "min_words": 2},
        "filters": {},
        "split": {"val": 0, "test": 0},
        "export": {"records_per_shard": 4, "append": append},
        "records_per_partition": 5,
    }
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(recipe))
    return run_pipeline(load_recipe(path), engine, silent)[0]


def shards(pipeline: Pipeline) -> dict[str, tuple[bytes, int]]:
    return {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in (pipeline.run / "shards/train").glob("*.tar")}


def texts(pipeline: Pipeline) -> list[str]:
    return sorted(read_index(pipeline.shards, ["text"])["text"].to_pylist())


def test_what_grew_goes_into_new_shards(
    secret_file: Path, inline_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = {i: f"There is a nodule of {i + 2} mm in the left lung." for i in range(14)}
    some = {i: said[i] for i in range(10)}
    one = run(tmp_path, "run", some, secret_file, inline_engine)
    first = shards(one)
    assert len(first) == 3 and one.continued is None
    assert run(tmp_path, "run", some, secret_file, inline_engine).plan.hash == one.plan.hash and shards(one) == first

    written: list[str] = []
    with monkeypatch.context() as patched:
        real = webdataset.write_shard
        patched.setattr(webdataset, "write_shard", lambda *task: (written.append(task[1]), real(*task)))
        two = run(tmp_path, "run", said, secret_file, inline_engine)
    second = shards(two)
    assert written == ["000003"], "a shard of the same is neither read nor made again"
    assert {name: second[name] for name in first} == first and len(second) == 4  # not even written again
    again = run(tmp_path, "run", said, secret_file, inline_engine)
    assert again.plan.hash == two.plan.hash and shards(again) == second

    left = {i: text for i, text in said.items() if i != 3}  # one goes: its shard alone is another
    three = run(tmp_path, "run", left, secret_file, inline_engine)
    assert sum(second[name] != shard for name, shard in shards(three).items()) == 1 and len(shards(three)) == 4

    whole = run(tmp_path, "run", said, secret_file, inline_engine, append=False)
    fresh = run(tmp_path, "fresh", said, secret_file, inline_engine, append=False)
    ours, theirs = fingerprint(whole.run), fingerprint(fresh.run)
    assert {n: h for n, h in ours.items() if "/train/" in n} == {n: h for n, h in theirs.items() if "/train/" in n}


@pytest.mark.slow  # a removal draws the page again
def test_who_was_removed_stays_out_of_what_is_appended(
    secret_file: Path, inline_engine: Engine, tmp_path: Path
) -> None:
    said = {i: f"There is a nodule of {i + 2} mm in the left lung." for i in range(14)}
    run(tmp_path, "run", {i: said[i] for i in range(7)}, secret_file, inline_engine)
    two = run(tmp_path, "run", {i: said[i] for i in range(10)}, secret_file, inline_engine)
    before = shards(two)
    save_recipe(two.recipe)
    withdraw(two, ["P003"], [], silent)
    removed = shards(two)
    assert sum(removed[name] != shard for name, shard in before.items()) == 1
    assert shards(run(tmp_path, "run", {i: said[i] for i in range(10)}, secret_file, inline_engine)) == removed
    three = run(tmp_path, "run", said, secret_file, inline_engine)  # the archive still has P003
    now = shards(three)
    assert {name: now[name] for name in removed} == removed and len(now) == len(removed) + 1
    assert texts(three) == sorted(text for i, text in said.items() if i != 3)


@pytest.mark.parametrize("damaged", [False, True])
def test_a_plan_whose_forerunner_went_is_whole_until_it_is_damaged(
    secret_file: Path, inline_engine: Engine, tmp_path: Path, damaged: bool
) -> None:
    said = {i: f"There is a nodule of {i + 2} mm in the left lung." for i in range(6)}
    run(tmp_path, "run", {0: said[0]}, secret_file, inline_engine)
    two = run(tmp_path, "run", said, secret_file, inline_engine)
    before = shards(two)
    for path in (two.run / "steps" / str(two.continued)).iterdir():
        path.unlink()
    if damaged:
        next(two.plan.folder(two.run).glob("*.parquet")).write_bytes(b"PAR1")
        with pytest.raises(RunError, match=r"export\.append=false plans all shards anew"):
            run(tmp_path, "run", said, secret_file, inline_engine)
    else:
        assert shards(run(tmp_path, "run", said, secret_file, inline_engine)) == before
