"""A wrong recipe fails before any work, naming the field and the fix."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import yaml

from curate.errors import RecipeError
from pipelines.recipe.load import load_recipe
from pipelines.run.check import check, save_recipe

RECIPES = sorted((Path(__file__).parents[2] / "pipelines" / "recipes").glob("*.yaml"))


def write(folder: Path, **changes: object) -> Path:
    recipe = {"out": str(folder / "run"), "images": [{"path": str(folder)}], "reports": [{"path": str(folder)}]}
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe | changes))
    return path


@pytest.mark.parametrize("path", RECIPES, ids=lambda p: p.stem)
def test_every_shipped_recipe_is_valid(path: Path) -> None:
    assert load_recipe(path).name == path.stem


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"selct": {}}, ["selct", "no such field", "select"]),
        ({"images": 3}, ["images", "should be a list (got 3)", "fix: it says: Where pictures lie"]),
        ({"filters": {"dfn": {"lr": -1}}}, ["filters.dfn", "lr: -1", "fix: above 0"]),
        ({"filters": {"dfn": {"epochs": -2}}}, ["filters.dfn", "epochs: -2", "fix: at least 0"]),
        ({"select": {"by": "nosuch"}}, ["select.by", "no filter makes 'nosuch'"]),
        ({"compare": {"selections": {"a": {"by": "nosuch"}}}}, ["compare.selections.a.by", "no filter makes 'nosuch'"]),
        ({"engine": {"record_seconds": float("inf")}}, ["engine.record_seconds"]),
        ({"select": {"threshold": float("nan")}}, ["select.threshold", "finite number"]),
        ({"select": {"keep": 1.5}}, ["select.keep", "1.5"]),
        ({"select": {"keep": 0.5, "top_k": 3}}, ["select", "keep, top_k"]),
        ({"dedup": {"image_near": "everywhere"}}, ["dedup.image_near", "everywhere", "patient"]),
        ({"image": {"format": "jpeg", "bits": 16}}, ["image", "png"]),
        ({"images": [{"path": "a"}, {"path": "b"}]}, ["share a name"]),
        ({"images": []}, ["no images"]),
        ({"filters": {}, "select": {"keep": 0.2}}, ["scores nothing"]),
        ({"reports": []}, ["reports", "unpaired_images"]),
        ({"image": {"window": [40, 0]}}, ["image", "width"]),
        ({"image": {"min_side": -1}}, ["image.min_side"]),
        ({"text": {"sections": ["findigs"]}}, ["findigs", "impression"]),
        ({"split": {"val": 0.5, "test": 0.6}}, ["split", "leaves nothing to train on", "fix: hold out less"]),
        ({"filters": {"dfn": {"epochs": 0}}}, ["filters.dfn", "checkpoint"]),
        ({"select": {"by": "clip", "keep": 0.5}}, ["select.by", "clip", "ours"]),
        ({"filters": {"dfn": {}}, "select": {"precision": 0.9}}, ["select.precision", "ours"]),
        (
            {"filters": {"dfn": {}}, "select": {"by": "dfn_margin", "keep": 0.5}},
            ["select.by", "filters.dfn.margin: true"],
        ),
        ({"filters": {"dfn": {"folder": "f", "epochs": 3}}}, ["filters.dfn", "epochs", "is of training"]),
        ({"filters": {"dfn": {"folder": "f", "precision": "half"}}}, ["filters.dfn", "precision", "'f32' or 'bf16'"]),
        ({"filters": {"blip": {"folder": "f", "margin": True}}}, ["filters.blip", "margin"]),
        ({"filters": {"dfn": {"epoch": 3}}}, ["filters.dfn", "epoch", "epochs"]),
        ({"filters": {"a": {"method": "guess"}}}, ["filters.a", "guess", "findings"]),
        ({"select": {"keeep": 0.5}, "nme": "x"}, ["select.keeep", "did you mean 'keep'", "nme: no such field"]),
        ({"deid": {"second_look": {"share": 3}}}, ["deid.second_look.share"]),
        ({"deid": {"burned_in": "ignore"}}, ["deid.burned_in", "quarantine"]),
        ({"deid": {"name_threshold": 2}}, ["deid.name_threshold", "2"]),
        ({"deid": {"languages": ["klingon"]}}, ["deid.languages", "klingon", "'de'"]),
        ({"deid": {"languages": []}}, ["deid.languages"]),
        ({"pair": 3}, ["pair: Input should be a map (got 3)"]),
    ],
)
def test_a_wrong_field_is_named_with_what_is_allowed(
    changes: dict[str, object], words: list[str], tmp_path: Path
) -> None:
    with pytest.raises(RecipeError) as caught:
        load_recipe(write(tmp_path, **changes))
    for word in words:
        assert word in str(caught.value)


def test_of_a_list_with_a_wrong_item_its_length_is_no_fault(tmp_path: Path) -> None:
    with pytest.raises(RecipeError) as caught:
        load_recipe(write(tmp_path, pair={"by": ["name"]}))
    assert "pair.by.0" in str(caught.value)
    assert "at least" not in str(caught.value)


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="pathlib's resolve no longer raises")
def test_links_that_lead_to_each_other_are_no_source(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(RecipeError, match=r"images\.0\.path"):
        load_recipe(write(tmp_path, images=[{"path": str(tmp_path / "a")}]))


def test_a_bare_off_is_off(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(f"out: {tmp_path}/run\nimages: [{{path: .}}]\nreports: [{{path: .}}]\ndedup: {{image_near: off}}\n")
    assert load_recipe(path).dedup.image_near == "off"


def test_overrides_reach_nested_fields_and_lists(tmp_path: Path) -> None:
    recipe = load_recipe(write(tmp_path), ["select.keep=0.25", "images.0.name=pacs", "split.test=0.2"])
    assert (recipe.select.keep, recipe.images[0].name, recipe.split.test) == (0.25, "pacs", 0.2)
    for wrong in ("select.keep", "images.7.name=x", "name.x.y=1", "images.x=1", "images.²=1"):
        with pytest.raises(RecipeError):
            load_recipe(write(tmp_path), [wrong])


@pytest.mark.parametrize("content", ["", "- a\n", "a: [", "\x00"])
def test_what_is_no_recipe_is_refused(content: str, tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(content)
    with pytest.raises(RecipeError):
        load_recipe(path)
    with pytest.raises(RecipeError):
        load_recipe(tmp_path / "absent.yaml")


def test_check_refuses_before_any_work(tmp_path: Path, secret_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RADSIFT_SECRET", raising=False)
    archive = tmp_path / "archive"
    archive.mkdir()
    (archive / "reports.csv").write_text("accession,report\nA1,Clear lungs.\n")
    reports = [{"path": str(archive / "reports.csv"), "columns": {"text": "report", "accession": "accession"}}]
    good = {"images": [{"path": str(archive)}], "reports": reports, "secret": str(secret_file)}
    check(load_recipe(write(tmp_path, **good)))
    wrong: list[tuple[dict[str, object], str]] = [
        ({"secret": None}, "secret"),
        ({"secret": str(tmp_path / "absent")}, "secret"),
        ({"images": [{"path": str(tmp_path / "absent")}]}, "images.0.path"),
        ({"out": str(archive / "run")}, "images.0.path"),
        ({"out": "/proc/run"}, "out"),
        ({"filters": {"dfn": {"folder": str(tmp_path / "absent")}}}, "filters.dfn.folder"),
        ({"filters": {"dfn": {"arch": "nosuch"}}}, "filters.dfn.arch"),
        ({"filters": {"dfn": {"checkpoint": str(tmp_path / "absent")}}}, "filters.dfn.checkpoint"),
        ({"truth": {"path": str(archive / "reports.csv")}}, "truth.path"),
        ({"truth": {"path": str(tmp_path / "absent")}}, "truth.path"),
        (
            {"reports": [{**reports[0], "columns": {"text": "repport"}}]},
            "reports.0.columns.text: there is no column 'repport'",
        ),
    ]
    for change, field in wrong:
        with pytest.raises(RecipeError, match=field):
            check(load_recipe(write(tmp_path, **(good | change))))


def test_the_saved_recipe_loads_as_the_same(tmp_path: Path) -> None:
    recipe = load_recipe(write(tmp_path, select={"keep": 0.3}))
    recipe.out.mkdir()
    save_recipe(recipe)
    assert load_recipe(recipe.out / "recipe.yaml") == recipe


def test_what_is_less_safe_than_the_default_is_said_aloud(tmp_path: Path) -> None:
    assert load_recipe(write(tmp_path)).deid.warnings() == []
    loose = {"languages": ["en", "es"], "name_threshold": 0.5, "replace": "surrogates", "max_masked": 0.9}
    said = " ".join(load_recipe(write(tmp_path, deid=loose)).deid.warnings())
    assert all(f"deid.{field}" in said for field in loose)
    rules = load_recipe(write(tmp_path, deid=loose)).report_rules().text
    assert rules.languages == ("en", "es") and rules.name_threshold == 0.5


@pytest.mark.parametrize("probability", [None, "judges", "judges_alone"])
def test_judges_have_a_probability_and_other_columns_none(tmp_path: Path, probability: str | None) -> None:
    select = {"precision": 0.9, "probability": probability}
    assert load_recipe(write(tmp_path, filters={"judges": {}}, select=select)).select.precision == 0.9
    with pytest.raises(RecipeError, match="needs a probability"):
        load_recipe(write(tmp_path, filters={"dfn": {}}, select={**select, "probability": "dfn_alone"}))


def test_judges_without_towers_are_told_before_any_work(
    tmp_path: Path, secret_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from filters import registry
    from filters.towers import lit

    assert (lit._IMAGE[0], lit._TEXT[0]) == registry.PACKAGED_TOWERS
    monkeypatch.setattr(registry, "find_spec", lambda name: None)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.txt").write_text("clear lungs")
    sources = {"images": [{"path": str(tmp_path / "a")}], "reports": [{"path": str(tmp_path / "a")}]}
    path = write(tmp_path, secret=str(secret_file), filters={"judges": {}}, select={"keep": 0.5}, **sources)
    with pytest.raises(RecipeError, match=r"radsift\[towers\]") as told:
        check(load_recipe(path), touch=False)
    assert told.value.field == "filters.judges.encoder"


def test_an_installed_recipe_goes_by_its_name_and_a_file_of_that_name_goes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for path in RECIPES:
        assert load_recipe(Path(path.stem)) == load_recipe(path)
    (tmp_path / "demo").write_text(
        "name: mine\nout: run\nimages: [{name: a, path: b}]\npair: {unpaired_images: keep}\n"
    )
    assert load_recipe(Path("demo")).name == "mine"
    with pytest.raises(RecipeError, match=r"pacs_ris"):
        load_recipe(Path("pacs"))
