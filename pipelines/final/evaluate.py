"""`curate evaluate`: a model's folder and a set of data to results.json and a page beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate.errors import RecipeError, about
from curate.storage import commit_bytes
from filters.evaluate.rules import EvaluateRules, check_evaluate_rules
from filters.method import Progress, filter_hash
from filters.rules import AUTO, ModelRules

if TYPE_CHECKING:
    from filters.towers.encoder import Filter

RESULTS, PAGE = "results.json", "index.html"


def evaluate_command(
    model: Path,
    data: Path,
    out: Path | None = None,
    train: Path | None = None,
    rules: EvaluateRules = EvaluateRules(),  # noqa: B008  frozen
    split: str = "test",
    probe: Path | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Evaluate ``model`` on the ``split`` of ``data`` and write ``out``/results.json and ``out``/index.html.

    ``model`` is what training wrote (or its ``model`` inside), a filter's folder, or one in open_clip's or SigLIP's
    layout. ``train``: the shards it was trained on, searched for copies. ``probe``: data whose ``train`` split probes
    are fitted to. Returns the results. RecipeError, before anything is written, where an argument is wrong.
    """
    check_evaluate_rules(rules)
    folder = model_folder(model)
    if train is not None and not train.is_dir():
        raise RecipeError("train", f"{train} is no folder", "the run or the shards the model was trained on")
    from filters.evaluate.data import read_set

    found = read_set(data, split)
    fitted = None if probe is None else read_set(probe, "train")
    from filters.evaluate.run import evaluate  # torch and scikit-learn: once nothing is wrong with what is given

    results = evaluate(load_model(folder, rules.device), found, rules, train, fitted, progress)
    results["model"]["sha256"] = filter_hash(folder)
    if out is not None:
        write_results(results, out)
    return results


def model_folder(model: Path) -> Path:
    """Where the weights lie: ``model``, or the ``model`` inside a training's folder."""
    inside = model / "model"
    if not (model / "card.json").is_file() and inside.is_dir():
        return inside
    if not model.is_dir():
        raise RecipeError("model", f"{model} is no folder", "a folder `curate train` or `curate train-filter` wrote")
    return model


@about("model")
def load_model(folder: Path, device: str = "auto") -> Filter:
    """Ours by its card; another by its own layout."""
    from filters.towers.model import create_filter, load_filter

    if (folder / "card.json").is_file():
        return load_filter(folder, device)
    return create_filter(ModelRules(AUTO, str(folder), "open_clip"), [], 0, device)


def write_results(results: dict[str, Any], out: Path) -> None:
    """results.json and index.html; equal results give equal bytes."""
    from filters.evaluate.page import render

    text = json.dumps(results, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    commit_bytes(out / RESULTS, text.encode("utf-8", "replace"))
    commit_bytes(out / PAGE, render(results).encode("utf-8", "replace"))
