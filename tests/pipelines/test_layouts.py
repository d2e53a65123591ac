"""Three layouts of the world go from their recipe to shards without a script, and every file is in the funnel."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

from benchmarks.input.layouts import hf_folder
from benchmarks.input.trees import LAYOUTS, RECIPES, run_layout
from curate.engine import Engine
from curate.errors import RecipeError
from pipelines.recipe.load import load_recipe
from pipelines.run.check import check
from pipelines.run.execute import run_pipeline
from tests.realdata import real


@pytest.mark.parametrize("name", LAYOUTS)
def test_from_the_recipe_to_shards(name: str, tmp_path: Path, secret_file: Path, inline_engine: Engine) -> None:
    outcome = run_layout(name, tmp_path, 12, secret_file, inline_engine)
    assert outcome.files == outcome.in_funnel
    assert outcome.found == outcome.expected and outcome.right
    for step in outcome.steps:
        assert step.rows_in == step.kept + sum(step.dropped.values())


def records(run: Path) -> list[dict[str, object]]:
    found = []
    for path in sorted((run / "shards").rglob("*.tar")):
        with tarfile.open(path) as tar:
            members = [tar.extractfile(m) for m in tar if m.name.endswith(".json")]
            found += [json.loads(m.read()) for m in members if m is not None]
    return found


def test_ids_of_paths_are_in_no_shard(tmp_path: Path, secret_file: Path, inline_engine: Engine) -> None:
    outcome = run_layout("mimic_cxr", tmp_path, 6, secret_file, inline_engine)
    made = records(tmp_path / "run")
    assert len(made) == outcome.found["kept"] and "5000" not in json.dumps([r["caption"] for r in made])
    studies = {(r["study"], r["patient"]) for r in made}
    assert len({s for s, _ in studies}) == len(studies)  # every view of a study: one study, one patient


def test_a_volume_as_a_montage(tmp_path: Path, secret_file: Path, inline_engine: Engine) -> None:
    run_layout("pacs_ris", tmp_path, 4, secret_file, inline_engine, "pair.per_series=montage", "pair.slices=4")
    made = [r for r in records(tmp_path / "run") if r.get("frames")]
    assert [(r["frames"], r["width"], r["height"]) for r in made] == [([1, 2, 4, 5], 96, 96)]


def test_a_text_beside_each_image(tmp_path: Path, secret_file: Path, inline_engine: Engine) -> None:
    tree = tmp_path / "tree"
    hf_folder(tree, 4)
    for path in tree.rglob("*.jpg"):
        path.with_suffix(".txt").write_text(f"No pleural effusion in picture {path.stem} of {path.parent.name}.")
    for path in tree.rglob("metadata.*"):
        path.unlink()
    places = [f"images.0.path={tree}", f"reports.0.path={tree}", "reports.0.columns={}", "images.0.key_pattern=null"]
    quick = ["deid.burned_in=trust", "filters={}", "select={}", f"secret={secret_file}"]
    recipe = load_recipe(RECIPES / "hf_folder.yaml", [*places, *quick, f"out={tmp_path / 'run'}"])
    check(recipe)
    run_pipeline(recipe, inline_engine, lambda *_: None)
    jpegs = len(list(tree.rglob("*.jpg")))
    assert len(records(tmp_path / "run")) == jpegs > 5


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ("images.0.key_pattern=s(\\d+)", "images.0.key_pattern"),
        ("images.0.key_pattern=(?P<accession>never)", "images.0.key_pattern"),
        ("split.table.image=no_such", "split.table.image"),
        ("images.0.exclude={sop_class: [NoSuchStorage]}", "images.0.exclude"),
        ("reports.0.labels={}", "reports.0.labels"),
    ],
)
def test_a_wrong_field_is_named_before_any_work(change: str, field: str, tmp_path: Path, secret_file: Path) -> None:
    made = LAYOUTS["mimic_cxr"](tmp_path / "tree", 3)
    places = [f"{name}={path}" for name, path in made.places.items()]
    with pytest.raises(RecipeError) as caught:
        check(load_recipe(RECIPES / "mimic_cxr.yaml", [*places, f"out={tmp_path}/o", f"secret={secret_file}", change]))
    assert caught.value.field.startswith(field)


def test_questions_and_answers_go_to_shards(tmp_path: Path, secret_file: Path, inline_engine: Engine) -> None:
    tree = tmp_path / "few"
    images = sorted((real("vqa_rad") / "images").glob("*.jpg"))[:6]
    (tree / "images").mkdir(parents=True)
    for image in images:
        (tree / "images" / image.name).write_bytes(image.read_bytes())
    lines = (real("vqa_rad") / "qa.csv").read_text(encoding="utf-8").splitlines()
    mine = [line for line in lines[1:] if any(image.name in line for image in images)]
    (tree / "qa.csv").write_text("\n".join([lines[0], *mine]) + "\n", encoding="utf-8")
    places = [f"images.0.path={tree / 'images'}", f"reports.0.path={tree / 'qa.csv'}", f"out={tmp_path / 'run'}"]
    recipe = load_recipe(RECIPES / "vqa_rad.yaml", [*places, f"secret={secret_file}"])
    check(recipe)
    run_pipeline(recipe, inline_engine, lambda *_: None)
    made = records(tmp_path / "run")
    assert len(made) == 6
    for record in made:
        meta = record["meta"]
        assert isinstance(meta, dict)
        true, false = meta["statement"].split("\n"), meta["denial"].split("\n")
        assert len(true) == len(false) and not set(true) & set(false)
        assert all(statement in str(record["caption"]) for statement in true)
