"""A second release beside an earlier one: what the first exported does not come again, under the same secret or not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

import curate as api
from curate.engine import Engine
from curate.record import Reason
from curate.step import read_parts
from pipelines.recipe.load import load_recipe
from pipelines.report.story import story
from pipelines.run.check import notes
from pipelines.run.execute import run_pipeline
from tests.inline import curate

SAID = ["The lungs are clear in both fields.", "There is a nodule of 4 mm.", "The heart is enlarged.", "No effusion."]


def silent(name: str, done: int, total: int) -> None:
    pass


def release(folder: Path, name: str, texts: list[str], secret: Path, **dedup: Any) -> Path:
    """A recipe for reports, numbered in their order; its path."""
    reports = folder / f"{name}-data" / "reports.jsonl"  # whose name and row are the key
    reports.parent.mkdir(exist_ok=True)
    lines = [json.dumps({"uid": f"77{i}", "findings": text}) for i, text in enumerate(texts)]
    reports.write_text("\n".join(lines))
    columns = {"sections": {"findings": "findings"}, "accession": "uid"}
    recipe = {
        "out": str(folder / name),
        "secret": str(secret),
        "reports": [{"path": str(reports), "format": "jsonl", "columns": columns}],
        "pair": {"unpaired_reports": "keep"},
        "text": {"sections": ["findings"], "min_words": 2},
        "dedup": dedup,
        "filters": {},
        "records_per_partition": 2,
    }
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(recipe))
    return path


def test_a_second_release_holds_what_is_new(secret_file: Path, inline_engine: Engine, tmp_path: Path):
    first = tmp_path / "first"
    assert curate("run", release(tmp_path, "first", SAID[:3], secret_file)).returncode == 0
    other = tmp_path / "other.key"
    other.write_text("0ddba11" * 9)
    grown = [*SAID, SAID[1]]  # four records of before, and one more that says what the second did
    for secret, scope, gone in (
        (secret_file, "archive", 4),
        (other, "off", 0),
        (other, "archive", 4),
    ):
        name = f"{secret.stem}_{scope}"
        made = load_recipe(release(tmp_path, name, grown, secret, text_exact=scope, against=[str(first)]))
        pipeline, manifests = run_pipeline(made, inline_engine, silent)
        told = next(m for m in manifests if m.step == "dedup")
        assert told.dropped == ({Reason.RELEASED.value: gone} if gone else {})
        rows = read_parts(pipeline.dedup.folder(made.out)).to_pylist()
        before = set(api.open(first).records().to_arrow()["key"].to_pylist())
        assert {r["duplicate_of"].removeprefix("first/") for r in rows if r["duplicate_of"]} <= before
        assert all(("under this secret" in said) == (secret is other) for said in notes(made))
        assert len(notes(made)) == (secret is other)
    gone_key = next(r["key"] for r in rows if r["duplicate_of"])
    told = dict(story(pipeline, gone_key))["dedup"]
    assert told["drop_reason"] == "in_earlier_release" and told["duplicate_of"].startswith("first/")


def test_what_is_no_finished_run_is_said_before_any_work(secret_file: Path, tmp_path: Path):
    for name, against, said in (
        ("none", "nowhere", "is no finished run"),
        ("self", "self", "is this run itself"),
    ):
        recipe = release(tmp_path, name, SAID, secret_file, against=[str(tmp_path / against)])
        done = curate("run", recipe)
        assert done.returncode == 2 and "dedup.against.0" in done.stderr and said in " ".join(done.stderr.split())


def test_another_release_of_the_earlier_run_is_other_work(secret_file: Path, inline_engine: Engine, tmp_path: Path):
    recipe = release(tmp_path, "first", SAID[:2], secret_file)
    run_pipeline(load_recipe(recipe), inline_engine, silent)
    second = load_recipe(release(tmp_path, "second", SAID, secret_file, against=[str(tmp_path / "first")]))
    one, _ = run_pipeline(second, inline_engine, silent)
    again, manifests = run_pipeline(second, inline_engine, silent)
    assert again.dedup.hash == one.dedup.hash and all(m.reused for m in manifests)
    run_pipeline(load_recipe(release(tmp_path, "first", SAID[:3], secret_file)), inline_engine, silent)
    two, manifests = run_pipeline(second, inline_engine, silent)
    assert two.dedup.hash != one.dedup.hash
    assert next(m for m in manifests if m.step == "dedup").dropped == {Reason.RELEASED.value: 3}


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
