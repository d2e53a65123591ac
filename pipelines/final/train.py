"""From a finished run's shards to the final model: train, write its card, export it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from curate.engine.resources import Resources
from curate.errors import about
from curate.export.webdataset import shard_table
from curate.storage import TEMPORARY, commit_folder, digest, read_json, remove_tree
from filters.method import filter_hash
from filters.towers.model import create_filter
from filters.training.curve import Progress
from filters.training.export.card import CardFacts, write_card
from filters.training.export.open_clip import check_open_clip, export_open_clip
from filters.training.export.transformers import check_transformers, export_transformers
from filters.training.job import TrainingJob
from filters.training.launch import launch, launch_on
from filters.training.objectives import SIGMOID
from pipelines.final.tracking import tracked
from pipelines.recipe.training import Train


def train_folder(run: Path, shards: Path, train: Train) -> Path:
    """Where the model of these rules on these shards goes."""
    rules = json.dumps(asdict(train.rules()), sort_keys=True)
    return run / "train" / digest(rules, shards_hash(shards))[:12]


def shards_hash(shards: Path) -> str:
    """The export that wrote the shards; of shards from elsewhere the names and sizes."""
    marker = shards / "export.json"
    if marker.is_file():
        return str(read_json(marker)["hash"])
    return digest(*(f"{p.relative_to(shards)}|{p.stat().st_size}" for p in sorted(shards.rglob("*.tar"))))[:16]


def train_final(
    train: Train,
    shards: Path,
    run: Path,
    resources: Resources,
    filters: dict[str, Path],
    progress: Progress | None = None,
    warn: Callable[[str], None] = lambda _: None,
) -> Path:
    """Train on ``shards``, or go on; card and exports beside the model. Returns the training's folder. ``warn`` is told
    what does not stop a training."""
    out = train_folder(run, shards, train)
    _check_exports(train)
    facts = {"export": shards_hash(shards), "shards": str(len(list(shards.rglob("*.tar"))))}
    job = TrainingJob(
        str(shards), str(out), train.rules(), workers=train.loaders, every=train.checkpoint_every, facts=facts
    )
    with tracked(train.mlflow, out, progress, warn) as reported:
        if resources.kind == "ray":
            from curate.engine.ray_train import run_ranks

            def on_ray(fn: Any, argument: Any) -> None:
                run_ranks(fn, argument, train.processes, resources, out / "ray")

            launch_on(on_ray, job, train.processes, reported)
        else:
            launch(job, train.processes, reported)
    sizes = [{k: s[k] for k in ("split", "records")} for s in shard_table(shards)]
    counts = {split: sum(s["records"] for s in sizes if s["split"] == split) for split in {s["split"] for s in sizes}}
    hashes = {name: filter_hash(folder) for name, folder in filters.items() if folder.is_dir()}
    write_card(
        out / "model",
        CardFacts(
            curated=(shards / "export.json").is_file(),
            licence=train.licence,
            data=dict(sorted(counts.items())),
            filters=hashes,
        ),
    )
    for name in train.export:
        _export(out, name)
    return out


@about("train")
def _check_exports(train: Train) -> None:
    """RecipeError, before hours of training, where a layout has no place for the architecture."""
    rules = train.rules()
    if not train.export:
        return
    texts = [f"{word} {number}" for word in ("no effusion", "small nodule") for number in range(8)]
    built = create_filter(rules.model, texts, rules.vocab, "cpu", "siglip" if rules.objective in SIGMOID else "clip")
    for name in train.export:
        {"open_clip": check_open_clip, "transformers": check_transformers}[name](built)


def _export(out: Path, name: str) -> None:
    """OUT/<name>, whole or not at all."""
    final = out / name
    remove_tree(final, out)  # its card may say other things now
    temporary = out / f"{name}{TEMPORARY}"
    remove_tree(temporary, out)
    {"open_clip": export_open_clip, "transformers": export_transformers}[name](out / "model", temporary)
    commit_folder(temporary, final)
