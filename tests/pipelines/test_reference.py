"""Every field of a recipe is documented, and the page and the schema say what the models do."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.recipe.load import load_recipe, validated
from pipelines.recipe.recipe import Recipe
from pipelines.recipe.reference import config_all, reference, schema
from tests.inline import curate

ROOT = Path(__file__).resolve().parents[2]
RECIPES = sorted((ROOT / "pipelines" / "recipes").glob("*.yaml"))


def test_every_field_has_a_description() -> None:
    whole = schema()
    parts = {"Recipe": whole, **whole["$defs"]}
    assert not [
        f"{n}.{f}" for n, part in parts.items() for f, p in part.get("properties", {}).items() if "description" not in p
    ]


def test_the_page_is_the_models_own() -> None:
    told = "write it anew: python -m pipelines.recipe.reference docs"
    assert (ROOT / "docs" / "recipe.md").read_text("utf-8") == reference(), told


def test_every_field_stands_on_the_page_with_its_path() -> None:
    page = reference()
    for path in (
        "deid.second_look.share",
        "images.0.include.modality",
        "select.floor.by",
        "compare.headline",
        "split.table.path",
    ):
        assert f"| `{path}` |" in page


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda p: p.stem)
def test_the_schema_takes_the_recipes_that_ship(recipe: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    raw = yaml.safe_load(recipe.read_text("utf-8"))
    load_recipe(recipe)
    named = {name: {"method": name, **(value or {})} for name, value in (raw.get("filters") or {}).items()}
    raw = {**raw, **({"filters": named} if named else {})}  # a filter's name may be its method
    jsonschema.Draft202012Validator(schema()).validate(raw)
    with pytest.raises(jsonschema.ValidationError, match="keeep"):
        jsonschema.Draft202012Validator(schema()).validate({**raw, "keeep": 1})


def test_a_filters_and_a_trainings_fields_are_in_the_schema() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    checked = jsonschema.Draft202012Validator(schema())

    def wrong(filters: object, train: object = None) -> str:
        raw = {"name": "a", "out": "o", "secret": "s", "filters": filters, "train": train or {}}
        return "; ".join(error.message for error in checked.iter_errors(raw) if error.path)

    assert not wrong({"a": {"method": "dfn", "batch": 8, "arch": "lit"}, "b": {"method": "blip", "shape": {"side": 9}}})
    for field, value, told in (("epoch", 3, "epoch"), ("epochs", -1, "-1"), ("hidden", 3, "hidden")):
        assert told in wrong({"a": {"method": "dfn", field: value}})
    assert "sampels" in wrong({}, {"sampels": 3}) and not wrong({}, {"samples": 3})


def test_the_recipe_with_every_field_loads_as_it_stands_and_holds_what_the_page_names(tmp_path: Path) -> None:
    text = config_all()
    told = "write it anew: python -m pipelines.recipe.reference docs"
    assert (ROOT / "docs" / "config_all.yaml").read_text("utf-8") == text, told
    assert curate("schema", "--yaml").stdout == text
    (tmp_path / "all.yaml").write_text(text)
    few = {"name": "everything", "out": "runs/everything", "secret": "secret.key"}
    few |= {"images": [{"name": "archive", "path": "/pacs"}], "reports": [{"path": "/ris.csv"}]}
    few["reports"][0]["columns"] = {"text": "report"}  # type: ignore[index]
    assert load_recipe(tmp_path / "all.yaml") == validated(few, [], Recipe)
    whole = yaml.safe_load(re.sub(r"^( *)#(?! )", r"\1", text, flags=re.M))
    own, _, of_filters = reference().partition("## The fields of each filter")
    paths = [path.split(".") for path in re.findall(r"^\| `([\w.]+)` \|", own, re.M) if ".NAME" not in path]
    assert len(paths) > 150
    for path in paths:
        value: Any = whole
        for name in path:
            value = value[0] if name == "0" else value[name]
    fields = set(re.findall(r"^\| `(?!train\.)(\w+)` \|", of_filters, re.M))
    assert fields == {name for method in whole["filters"].values() for name in method} - {"method", "folder"}
    del whole["filters"], whole["train"]["export"]
    assert "batch" in whole["train"]
