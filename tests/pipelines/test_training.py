"""From an archive to a final model, what it is worth, and whether filtering paid: the commands on a small run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow.parquet as pq
import pytest

from curate.engine import Engine
from curate.errors import RecipeError
from curate.export.webdataset import read_index
from curate.record import Reason
from filters.training.curve import read_curve
from pipelines.build import Pipeline
from pipelines.final.compare import compare_run
from pipelines.final.evaluate import evaluate_command
from pipelines.final.train import train_final
from pipelines.recipe.load import load_recipe
from pipelines.report.drawn import funnel
from pipelines.report.summary import write_report
from pipelines.run.check import check, save_recipe
from pipelines.run.execute import run_pipeline
from tests.inline import curate
from tests.pipelines.archive import fingerprint, make_archive, recipe_for

TRAIN = {"arch": "radsift-tiny-vit", "epochs": 2, "batch": 8, "vocab": 300, "threads": 1, "loaders": 0}
COMPARE = {
    "seeds": 2,
    "samples": 32,
    "budgets": [0.5],
    "fractions": [0.3],
    "selections": {"short": {"by": "dfn", "top_k": 12}},
    "choose": True,
}


@pytest.mark.parametrize("path", ["/data/validation", "/data/held out", "validation"])
def test_no_evaluation_set_is_taken_for_the_runs_own_split(path: str) -> None:
    from pipelines.final.compare import _named

    told = _named(SimpleNamespace(evaluation=[SimpleNamespace(path=Path(path), split="test")]))  # type: ignore[arg-type]
    assert len(told) == 1 and told[0] not in ("held out", "validation")


def silent(*_: Any) -> None:
    pass


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("training")


@pytest.fixture(scope="module")
def recipe(folder: Path, secret_file: Path) -> Path:
    archive = make_archive(folder / "archive", 60, seed=7)
    changes: dict[str, Any] = {"train": {**TRAIN, "export": ["open_clip", "transformers"]}, "compare": COMPARE}
    changes |= {"split": {"val": 0.25, "test": 0.1}}
    return recipe_for(archive, folder / "run", secret_file, **changes)


@pytest.fixture(scope="module")
def finished(recipe: Path, inline_engine: Engine) -> Pipeline:
    made = load_recipe(recipe)
    check(made)
    save_recipe(made)
    return run_pipeline(made, inline_engine, silent)[0]


@pytest.fixture(scope="module")
def trained(finished: Pipeline) -> Path:
    made = finished.recipe
    return train_final(made.train, finished.shards, made.out, made.engine, finished.filter_folders)


def test_the_model_says_what_it_was_trained_on(finished: Pipeline, trained: Path) -> None:
    card = json.loads((trained / "model" / "card.json").read_text())
    index = read_index(finished.shards).to_pylist()
    assert card["data"]["records"] == sum(r["split"] == "train" for r in index)
    assert card["data"]["export"] == finished.export.hash
    assert set(card["filters"]) == {"dfn", "text_quality"}
    readme = (trained / "model" / "README.md").read_text()
    assert str(finished.run) not in readme and "Not a medical device" in readme
    assert {r["step"] for r in read_curve(trained)} and (trained / "tensorboard").is_dir()


def test_the_model_loads_in_other_libraries_unchanged(trained: Path) -> None:
    import open_clip
    from transformers import AutoModel

    model, _, _ = open_clip.create_model_and_transforms(f"local-dir:{trained / 'open_clip'}")
    tokens = open_clip.get_tokenizer(f"local-dir:{trained / 'open_clip'}")(["No effusion."])
    assert model.encode_text(tokens).shape == (1, 128)
    assert AutoModel.from_pretrained(trained / "transformers").config.projection_dim == 128


def test_the_report_page_draws_loss_and_rate(finished: Pipeline, trained: Path) -> None:
    manifests = run_pipeline(finished.recipe, _never(), silent)[1]
    write_report(finished, manifests)
    page = (finished.run / "report" / "index.html").read_text()
    assert f"final model {trained.name}: loss" in page and f"final model {trained.name}: lr" in page


def _never() -> Any:
    """An engine that has nothing to do: everything is done."""

    class Idle:
        def map(self, fn: Any, items: Any, alone: bool = False, idle: Any = None) -> Any:
            assert not list(items)
            return iter(())

        def map_model(self, prepare: Any, model: Any, items: Any, working: Any = None) -> Any:
            return self.map(model, items)

    return Idle()


def test_a_run_is_evaluated_with_its_leakage(finished: Pipeline, trained: Path, folder: Path) -> None:
    results = evaluate_command(trained, finished.run, folder / "evaluated", finished.run)
    assert results["data"]["records"] == len(
        [r for r in read_index(finished.shards).to_pylist() if r["split"] == "test"]
    )
    assert results["leakage"]["leaked"] == 0  # splits are by patient, and duplicates are gone
    assert results["tasks"]["retrieval/image_to_text"]["r1"]["low"] is not None
    assert "</html>" in (folder / "evaluated" / "index.html").read_text()


def test_what_an_evaluation_set_holds_is_kept_out(
    finished: Pipeline, recipe: Path, folder: Path, inline_engine: Engine
) -> None:
    """The run's test split given back as an evaluation set: its records and its patients go, each for a reason."""
    copied = folder / "held"
    if not copied.exists():
        shutil.copytree(finished.shards / "test", copied)
    held = pq.read_table(next(copied.glob("*.parquet")), partitioning=None).to_pylist()
    plain = ["filters={}", "select={}", "compare.selections={}"]
    made = load_recipe(recipe, [f"evaluation=[{{path: {copied}}}]", *plain])
    pipeline, manifests = run_pipeline(made, inline_engine, silent)
    counts = next(m for m in manifests if m.step == "dedup").dropped
    assert counts[Reason.IN_EVALUATION.value] >= len(held)
    left = read_index(pipeline.shards).to_pylist()
    assert not {r["patient"] for r in held} & {r["patient"] for r in left}
    assert not {r["key"] for r in held} & {r["key"] for r in left}
    assert any(Reason.IN_EVALUATION.value in dict(c.dropped) for c in funnel(manifests))


def test_compare_trains_every_cell_once_and_writes_the_page(finished: Pipeline, inline_engine: Engine) -> None:
    before = fingerprint(finished.run)
    found = compare_run(finished, inline_engine, silent)
    names = {s["selection"] for s in found["selections"]}
    assert names == {"all", "random", "recipe", "recipe, 30% kept", "top by text_quality", "short", "oracle"}
    assert len(found["cells"]) == 2 * (7 + 2)
    share = {s["selection"]: s["right"] for s in found["selections"]}
    assert share["oracle"] == 1.0 and share["all"] < 1.0
    (seen,) = {s["samples"] for s in found["selections"] if s["budget"] == 1}
    assert 32 <= seen < 32 + TRAIN["batch"]  # whole batches, of the size that the smallest selection fills
    sizes = {s["selection"]: s["pairs"] for s in found["selections"]}
    assert sizes["short"] == 12 and sizes["recipe"] == sizes["random"] < sizes["all"]
    page = (found["folder"] / "index.html").read_text()
    assert "Did filtering pay?" in page and "too few" in page and "the models chose" in page
    assert {found["choice"][k] for k in ("selection", "second")} <= {"recipe", "top by text_quality", "short"}
    assert "validation" not in found["headline"]
    again = compare_run(finished, _never(), silent)
    assert again["cells"] == found["cells"]
    assert {k: v for k, v in fingerprint(finished.run).items() if k in before} == before  # nothing of the run changed


def test_commands(finished: Pipeline, trained: Path, recipe: Path, folder: Path) -> None:
    done = curate("train", recipe, "--to", folder / "copied")
    assert done.returncode == 0, done.stderr
    assert (folder / "copied" / "model.safetensors").read_bytes() == (
        trained / "model" / "model.safetensors"
    ).read_bytes()
    done = curate("evaluate", folder / "copied", finished.run, "--to", folder / "results", "--set", "draws=50")
    assert done.returncode == 0, done.stderr
    assert "retrieval/image_to_text" in done.stdout
    for arguments, wanted in (
        (("train", recipe), "metrics"),
        (("evaluate", folder / "copied", finished.run, "--to", folder / "results", "--set", "draws=50"), "tasks"),
        (("compare", recipe), "headline"),
    ):
        done = curate(*arguments, "--json")
        assert done.returncode == 0 and wanted in json.loads(done.stdout), done.stderr
    done = curate("train", recipe, "--set", "train.batch=5000", "--json")
    assert done.returncode == 1 and "do not fill a batch" in json.loads(done.stdout)["error"]["message"]
    done = curate("train", recipe, "--set", "train.lrr=1")
    assert done.returncode == 2 and "train has no field 'lrr'" in done.stderr and "Traceback" not in done.stderr
    done = curate("train", recipe, "--set", "train.batch=5000")
    assert done.returncode == 1 and "do not fill a batch of 5000" in done.stderr


@pytest.mark.parametrize(
    ("override", "wanted"),
    [
        ("train.warmup=3", "at most 1"),
        ("train.processes=0", "greater than or equal to 1"),
        ("compare.selections={all: {}}", "always there"),
        ("compare.train={foo: 1}", "no field 'foo'"),
        ("compare.train={seed: 1}", "compare.seeds"),
        ("compare.evaluate={drawz: 1}", "no field 'drawz'"),
        ("compare.evaluate={draws: 0}", r"compare\.evaluate: draws: 0"),
        ("compare.train={lr: 0}", r"compare\.train: lr: 0"),
    ],
)
def test_wrong_fields_are_told_before_any_work(recipe: Path, override: str, wanted: str) -> None:
    with pytest.raises(RecipeError, match=wanted):
        load_recipe(recipe, [override])


def test_what_is_wrong_with_data_and_models_is_told(finished: Pipeline, trained: Path, folder: Path) -> None:
    with pytest.raises(RecipeError, match="nowhere"):
        evaluate_command(folder / "nowhere", finished.run)
    with pytest.raises(RecipeError, match="nowhere"):
        evaluate_command(trained, folder / "nowhere")
    made = finished.recipe
    with pytest.raises(RecipeError, match="nowhere"):
        train_final(made.train, folder / "nowhere", made.out, made.engine, {})
    unknown = type(made.train).model_validate({**TRAIN, "arch": "nosuch"})
    with pytest.raises(RecipeError, match=r"^train\.arch: no architecture 'nosuch'"):
        train_final(unknown, finished.shards, made.out, made.engine, {})
    unfit = type(made.train).model_validate({**TRAIN, "arch": "radsift-tiny", "export": ["transformers"]})
    with pytest.raises(RecipeError, match="not in transformers' layout"):
        train_final(unfit, finished.shards, made.out, made.engine, {})


def test_a_comparison_needs_a_cut(finished: Pipeline, recipe: Path, inline_engine: Engine) -> None:
    made = load_recipe(recipe, ["select={}"])
    with pytest.raises(RecipeError, match="keeps"):
        compare_run(Pipeline(made, finished.listing), inline_engine, silent)
