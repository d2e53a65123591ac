"""Every recipe of an objective trains in the tiny form that its first lines name."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from curate.errors import RecipeError
from filters.training.curve import read_curve
from pipelines.final.train import train_final
from pipelines.recipe.load import load_recipe
from pipelines.run.check import check
from tests.filters.training.shards import write_films

RECIPES = sorted((Path(__file__).parents[2] / "pipelines" / "recipes" / "train").glob("*.yaml"))


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shards")
    write_films(folder / "train", 80)
    return folder


@pytest.fixture(scope="module")
def teacher(shards: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(next(p for p in RECIPES if p.stem == "clip"), shards, tmp_path_factory.mktemp("teacher"), {})


def tiny_form(path: Path) -> list[str]:
    """The overrides of the command in the recipe's first lines."""
    lines = [line[1:].strip().removesuffix("\\") for line in path.read_text().splitlines() if line.startswith("#")]
    words = shlex.split(" ".join(lines[lines.index(next(x for x in lines if x.startswith("curate train"))) :]))
    assert words[:3] == ["curate", "train", path.stem] and load_recipe(Path(path.stem)) == load_recipe(path)
    return [words[i + 1] for i, word in enumerate(words) if word == "--set"]


def trained(path: Path, shards: Path, out: Path, given: dict[str, str]) -> Path:
    said = [re.sub("=(MODEL)$", lambda m: f"={given[m[1]]}", s) for s in tiny_form(path)]
    assert "train.shards=demo/run/shards" in said
    made = load_recipe(path, [*said, f"train.shards={json.dumps(str(shards))}", f"out={out}", "train.samples=96"])
    return train_final(made.train, shards, out, made.engine, {})


def test_there_is_one_for_each_objective() -> None:
    objectives = {load_recipe(p).train.rules().objective for p in RECIPES}
    assert objectives == {"clip", "siglip", "coca", "siglip2", "medclip", "distill"}


@pytest.mark.parametrize("path", RECIPES, ids=lambda p: p.stem)
def test_it_trains(path: Path, shards: Path, teacher: Path, tmp_path: Path) -> None:
    out = teacher if path.stem == "clip" else trained(path, shards, tmp_path, {"MODEL": str(teacher / "model")})
    assert read_curve(out)[-1]["pairs"] == 96
    card = json.loads((out / "model" / "card.json").read_text())
    assert card["objective"] == load_recipe(path).train.rules().objective


def test_a_recipe_without_an_archive_only_trains() -> None:
    with pytest.raises(RecipeError, match="shards alone"):
        check(load_recipe(RECIPES[0]))
