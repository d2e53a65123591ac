"""Every field of a recipe is documented, and the page and the schema say what the models do."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from pipelines.recipe.load import load_recipe
from pipelines.recipe.reference import reference, schema, undocumented

ROOT = Path(__file__).resolve().parents[2]
RECIPES = sorted((ROOT / "pipelines" / "recipes").glob("*.yaml"))


def test_every_field_has_a_description() -> None:
    assert undocumented() == []


def test_the_page_is_the_models_own() -> None:
    told = "write it anew: python -m pipelines.recipe.reference docs/recipe.md"
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
