"""CapFilt as a step of a run: the shards hold the text that was chosen and say where it is from; payloads stay."""

from __future__ import annotations

import itertools
import json
import shutil
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from curate.dedup.exact import text_hash
from curate.engine import Engine
from curate.errors import RecipeError
from curate.export.webdataset import read_index
from curate.record import live
from curate.step import Manifest, read_parts
from pipelines.build import Pipeline
from pipelines.recipe.load import load_recipe
from pipelines.report.drawn import funnel
from pipelines.report.story import story
from pipelines.report.summary import write_report
from pipelines.run.check import check, save_recipe
from pipelines.run.execute import run_pipeline
from tests.pipelines.archive import fingerprint, make_archive, recipe_for

TINY = {"shape": {"side": 32, "width": 32, "vision_layers": 1, "text_layers": 1}, "vocab": 300, "context": 24}
FILTERS = {"judge": {"method": "blip", **TINY, "epochs": 8, "batch": 8, "findings": False}, "text_quality": {}}
CAPFILT = {"filter": "judge", "min_groups": 0, "longest": 16}


def silent(name: str, done: int, total: int) -> None:
    pass


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory, secret_file: Path, inline_engine: Engine) -> Path:
    folder = tmp_path_factory.mktemp("capfilt")
    archive = make_archive(folder / "archive", 60, seed=5)
    changes: dict[str, Any] = {"filters": FILTERS, "select": {"by": "judge", "keep": 0.8, "force": True}}
    all_believed = {**CAPFILT, "threshold": -100.0}
    first = load_recipe(recipe_for(archive, folder / "run", secret_file, capfilt=all_believed, **changes))
    pipeline, _ = run_pipeline(first, inline_engine, silent, until="capfilt")
    assert pipeline.capfilt is not None
    chosen = {**CAPFILT, "threshold": telling_threshold(rows_of(pipeline).values())}
    shutil.rmtree(pipeline.capfilt.folder(pipeline.run))
    return recipe_for(archive, folder / "run", secret_file, capfilt=chosen, **changes)


def telling_threshold(rows: Iterable[dict[str, Any]]) -> float:
    """Where originals, synthetic texts and neither are all chosen often: a judge of eight epochs believes little, and
    how little hangs on the last bits of its training, so no fixed number would do on every CPU."""
    pairs = [(r["itm_original"], r["itm_synthetic"]) for r in rows if r["itm_synthetic"] is not None]
    edges = sorted({value for pair in pairs for value in pair})

    def rarest(at: float) -> int:
        return min(
            sum(own >= at for own, _ in pairs),
            sum(own < at <= made for own, made in pairs),
            sum(own < at and made < at for own, made in pairs),
        )

    return max(((low + high) / 2 for low, high in itertools.pairwise(edges)), key=rarest)


@pytest.fixture(scope="module")
def finished(recipe: Path, inline_engine: Engine) -> tuple[Pipeline, list[Manifest]]:
    made = load_recipe(recipe)
    check(made)
    save_recipe(made)
    return run_pipeline(made, inline_engine, silent)


def rows_of(pipeline: Pipeline) -> dict[str, dict[str, Any]]:
    assert pipeline.capfilt is not None
    return {r["key"]: r for r in read_parts(pipeline.capfilt.folder(pipeline.run)).to_pylist()}


def samples(pipeline: Pipeline) -> dict[str, tuple[str, dict[str, Any]]]:
    found: dict[str, dict[str, bytes]] = {}
    for path in pipeline.shards.rglob("*.tar"):
        with tarfile.open(path) as tar:
            for member in tar:
                key, suffix = member.name.split(".")
                found.setdefault(key, {})[suffix] = tar.extractfile(member).read()  # type: ignore[union-attr]
    return {k: (m["txt"].decode(), json.loads(m["json"])) for k, m in found.items()}


def test_every_record_goes_out_with_the_text_that_was_believed(finished: tuple[Pipeline, list[Manifest]]) -> None:
    pipeline = finished[0]
    assert pipeline.recipe.capfilt is not None
    threshold = pipeline.recipe.capfilt.rules().threshold
    proposed, ingested = rows_of(pipeline), read_parts(pipeline.ingest.folder(pipeline.run), ["key", "text"])
    own = dict(zip(ingested["key"].to_pylist(), ingested["text"].to_pylist(), strict=True))
    selection = {r["key"]: r for r in read_parts(pipeline.select.folder(pipeline.run)).to_pylist()}
    index = {r["key"]: r for r in read_index(pipeline.shards).to_pylist()}
    seen = set()
    for key, (text, facts) in samples(pipeline).items():
        row, where = proposed[key], selection[key]["text_from"]
        assert where == (row["chosen"] if index[key]["split"] == "train" else None)
        seen.add(where)
        assert (
            text == facts["caption"] == index[key]["text"] == (row["synthetic"] if where == "synthetic" else own[key])
        )
        assert facts.get("caption_original") == (own[key] if where == "synthetic" else None)
        assert index[key]["text_hash"] == text_hash(text)
        if where == "synthetic":
            assert facts["provenance"]["method"] == "capfilt" and facts["itm_synthetic"] >= threshold
            assert threshold > facts["itm_original"]
            assert facts["score"] == pytest.approx(row["synthetic_judge"], abs=1e-5)
            assert row["synthetic_judge"] == pytest.approx(row["itm_synthetic"], abs=2e-5)
    assert seen == {"original", "synthetic", None}, "the archive must show every case"


def test_what_nobody_believes_is_dropped_for_a_reason_of_its_own(finished: tuple[Pipeline, list[Manifest]]) -> None:
    pipeline, manifests = finished
    proposed = rows_of(pipeline)
    selection = read_parts(pipeline.select.folder(pipeline.run)).to_pylist()
    gone = {r["key"] for r in selection if r["drop_reason"] == "neither_text_believed"}
    assert gone and gone == {
        r["key"] for r in selection if r["split"] == "train" and proposed[r["key"]]["chosen"] == "none"
    }
    counts = {c.step: c for c in funnel(manifests)}
    assert counts["select"].dropped["neither_text_believed"] == len(gone)
    assert counts["dedup"].kept == counts["select"].rows_in and counts["select"].kept == counts["export"].rows_in


def test_the_page_counts_texts_and_shows_the_one_chosen(finished: tuple[Pipeline, list[Manifest]]) -> None:
    pipeline, manifests = finished
    report = write_report(pipeline, manifests)
    told = {value: (seen, kept) for value, seen, kept in report.breakdown["text believed (CapFilt)"]}
    train = [r for r in read_parts(pipeline.select.folder(pipeline.run)).to_pylist() if r["split"] == "train"]
    assert sum(n for n, _ in told.values()) == len(train) and told["none"][1] == 0
    shown = {s.key: s.text for s in report.kept if s.facts.get("text") == "synthetic"}
    assert all(shown[k] == rows_of(pipeline)[k]["synthetic"] for k in shown)
    assert "text believed (CapFilt)" in (pipeline.run / "report" / "index.html").read_text()
    replaced = next(k for k, (_, facts) in samples(pipeline).items() if facts.get("text_from") == "synthetic")
    assert dict(story(pipeline, replaced))["capfilt"]["chosen"] == "synthetic"


def test_a_stopped_run_goes_on_to_the_same_bytes_and_keeping_the_unbelieved_asks_no_model(
    finished: tuple[Pipeline, list[Manifest]], recipe: Path, inline_engine: Engine, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(finished[0].run, tmp_path / "run"))
    (step,) = (run / "steps").glob("capfilt-*")
    for name in ("manifest.json", "part-00001.json", "part-00001.parquet"):
        (step / name).unlink()
    for late in ("select-*", "export-*"):
        shutil.rmtree(next((run / "steps").glob(late)))
    run_pipeline(load_recipe(recipe, [f"out={run}"]), inline_engine, silent)
    assert fingerprint(run) == fingerprint(finished[0].run)
    everything = [f"out={run}", "capfilt.unbelieved=keep", "select.keep=1.0"]  # else their scores may drop all of them
    kept, manifests = run_pipeline(load_recipe(recipe, everything), inline_engine, silent)
    assert {m.step for m in manifests if not m.reused} == {"select", "plan", "export"}
    selection = read_parts(kept.select.folder(run))
    assert "unbelieved" in selection.filter(pa.array(live(selection)))["text_from"].to_pylist()


@pytest.mark.slow
@pytest.mark.ray
def test_ray_writes_the_same_bytes(
    finished: tuple[Pipeline, list[Manifest]], recipe: Path, ray_engine: Engine, tmp_path: Path
) -> None:
    made = load_recipe(recipe, [f"out={tmp_path / 'ray'}"])
    run_pipeline(made, ray_engine, silent)
    assert fingerprint(made.out) == fingerprint(finished[0].run)


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("capfilt.filter=text_quality", r"'text_quality' is no blip filter of the recipe, of judge"),
        ("capfilt.filter=nobody", r"'nobody' is no blip filter"),
        ("capfilt.longest=4", r"shortest: 5 tokens, but longest is 4"),
        ("capfilt.unbelieved=maybe", r"unbelieved"),
    ],
)
def test_a_wrong_capfilt_names_the_field(recipe: Path, said: str, problem: str) -> None:
    with pytest.raises(RecipeError, match=problem):
        load_recipe(recipe, [said])


def test_a_brought_filter_must_be_a_blip_that_writes(
    finished: tuple[Pipeline, list[Manifest]], recipe: Path, tmp_path: Path
) -> None:
    folders = finished[0].filter_folders
    with pytest.raises(RecipeError, match=r"capfilt\.filter.*method text_quality"):
        check(load_recipe(recipe, [f"capfilt.filter={folders['text_quality']}"]))
    with pytest.raises(RecipeError, match=r"capfilt\.filter.*does not exist"):
        check(load_recipe(recipe, [f"capfilt.filter={tmp_path}/nowhere"]))
    check(load_recipe(recipe, [f"capfilt.filter={folders['judge']}", f"out={tmp_path / 'other'}"]))
