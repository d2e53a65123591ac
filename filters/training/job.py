"""A training as a thing to be done: the shards, the rules, the folder it fills. The same job goes on where it stopped.

OUT/job.json                   what was asked
    checkpoint.pt              the last step's state, while it runs
    curve.csv, tensorboard/    the losses, the rate, the pace
    model/                     the finished model, written last: weights, config, tokenizer, card
"""

from __future__ import annotations

import json
import uuid
from collections import Counter
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import torch

from curate.errors import DamagedError, RecipeError, RunError, about
from curate.storage import TEMPORARY, commit_folder, commit_json, digest, exclusive, read_json, remove_tree, sweep
from filters.method import checkpoint_hash
from filters.towers.encoder import Filter
from filters.towers.layers import set_patch_dropout
from filters.towers.model import arch_of, create_filter, load_filter, pick_device, save_filter
from filters.training.curation import Curator
from filters.training.curve import WALL, Curve, Progress
from filters.training.determinism import determinism
from filters.training.distributed import DistributedContext, find_context, leave
from filters.training.feed import final_trainer, shard_steps
from filters.training.loader import Steps
from filters.training.loop import Trainer
from filters.training.objectives import SIGMOID, make_objective
from filters.training.plan import Plan, make_plan
from filters.training.rules import TrainingRules, check_training_rules, rules_from
from filters.training.shards import Shards, open_shards
from filters.training.state import drop_state, read_state, write_state
from filters.training.texts import check_texts

_PACKAGES = ("torch", "open_clip_torch", "tokenizers", "opencv-python-headless")
_TEXTS = 200_000  # of the training set, that a tokenizer and a vocabulary of findings are learned from


@dataclass(frozen=True)
class TrainingJob:
    """``only``: a Parquet file of (key, weight) where not all of the shards are trained on. ``facts`` go on the card.

    ``workers`` (processes that decode), ``window`` (steps a row of the curve) and ``every`` (steps a checkpoint,
    0: twenty in all) decide nothing of the weights.
    """

    shards: str
    out: str
    rules: TrainingRules = field(default_factory=TrainingRules)
    only: str | None = None
    workers: int = 0
    device: str = "auto"
    window: int = 10
    every: int = 0
    facts: dict[str, Any] = field(default_factory=dict)

    def write(self) -> Path:
        """OUT/job.json, which ``torchrun -m filters.training`` takes."""
        path = Path(self.out) / "job.json"
        commit_json(path, asdict(self))
        return path


def read_job(path: Path) -> TrainingJob:
    """What `TrainingJob.write` wrote; RecipeError where it is none."""
    try:
        said = read_json(path)
        return TrainingJob(**{**said, "rules": rules_from(said["rules"])})
    except (OSError, DamagedError, ValueError, KeyError, TypeError) as error:
        problem = f"{path} is no training job ({type(error).__name__})"
        raise RecipeError("job", problem, "the job.json that curate train wrote") from None


@about("train")
def run_job(job: TrainingJob, progress: Progress | None = None) -> dict[str, Any]:
    """Train, or go on training, in this process as one of the world's; returns the finished model's card.

    RecipeError or RunError where rules, shards or an earlier training in OUT do not fit; the loss's end is one too.
    """
    distributed = find_context(pick_device(job.device))
    out = Path(job.out)
    out.mkdir(parents=True, exist_ok=True)
    try:
        with exclusive(out / "lock") if distributed.first else nullcontext():
            if distributed.first:
                sweep(out)
            return _run(job, distributed, progress)
    finally:
        leave(distributed)


@about("train")
def check_job(job: TrainingJob, processes: int = 1) -> Plan:
    """What the training will see; RecipeError or RunError where it cannot be, before any process is started."""
    check_training_rules(job.rules)
    begun = {"teacher": job.rules.teacher, "reference": job.rules.reference, "checkpoint": job.rules.model.checkpoint}
    for name, path in begun.items():
        if path is not None and not Path(path).exists():
            raise RecipeError(f"train.{name}", f"{path} does not exist", "correct the path")
    if job.rules.batch % (processes * job.rules.accumulate):
        problem = f"{processes} processes of {job.rules.accumulate} micro-batches share {job.rules.batch} pairs"
        raise RecipeError("train.batch", problem, f"a multiple of {processes * job.rules.accumulate}")
    if job.rules.drawn % processes:
        problem = f"{processes} processes share the {job.rules.drawn} pairs that batches are chosen from"
        raise RecipeError("train.filter_ratio", problem, f"batch / (1 - filter_ratio) a multiple of {processes}")
    plan = make_plan(_chosen(job), job.rules)
    check_texts(plan.shards, job.rules.texts)
    return plan


def _run(job: TrainingJob, distributed: DistributedContext, progress: Progress | None) -> dict[str, Any]:
    plan = check_job(job, distributed.size)
    out, shards = Path(job.out), plan.shards
    identity = digest(json.dumps(asdict(job.rules), sort_keys=True), shards.hash, *_begun_with(job.rules))[:16]
    _claim(out, identity, distributed)
    if (out / "model" / "card.json").is_file():
        return dict(read_json(out / "model" / "card.json"))
    with determinism(job.rules.seed, job.rules.threads):
        sample = [shards.text(int(i)) for i in np.linspace(0, len(shards) - 1, min(len(shards), _TEXTS))]
        kind = "siglip" if job.rules.objective in SIGMOID else "clip"
        learner = create_filter(job.rules.model, sample, job.rules.vocab, distributed.device, kind)
        torch.manual_seed(job.rules.seed)  # what was drawn so far depends on the weights that were given
        trainer = final_trainer(learner, make_objective(learner, job.rules, sample), job.rules, distributed)
        state = read_state(out, distributed.device)
        if state is not None:
            trainer.restore(state)
        skipped = Counter(state["skipped"]) if state else Counter(shards.skipped)
        last = _train(job, learner, trainer, plan, progress, skipped)
        trainer.finish()
        set_patch_dropout(learner.model, 0.0)
        if distributed.first:
            _save(job, learner, plan, last, skipped, identity)
        distributed.barrier()
    return dict(read_json(out / "model" / "card.json"))


def _train(
    job: TrainingJob,
    learner: Filter,
    trainer: Trainer,
    plan: Plan,
    progress: Progress | None,
    skipped: Counter[str],
) -> dict[str, float]:
    """The rest of the steps, the curve and the checkpoints; the last row. ``skipped`` takes in what is found."""
    out, distributed, rules = Path(job.out), trainer.distributed, job.rules
    curator = None if rules.reference is None else Curator(rules, learner.device)
    reference = None if curator is None else curator.tokenizer
    labeller = trainer.objective.labeller
    steps = Steps(plan, rules, learner.side, learner.tokenizer, distributed, labeller, trainer.step, reference)
    every = job.every or max(1, plan.steps // 20)
    every = -(-every // job.window) * job.window
    curve = Curve(out, trainer.step) if distributed.first else None
    last: dict[str, float] = {}
    found: Counter[str] = Counter()
    for row in trainer.run(shard_steps(steps, job.workers, job.window, learner, found, curator)):
        last = {"step": row["step"], "steps": plan.steps, **row, "pairs": row["step"] * rules.batch}
        for reason, n in found.items():
            skipped[reason] += round(distributed.total(n)) if distributed.size > 1 else n
        found.clear()
        if curve is not None:
            curve.add(last)
            if progress is not None:
                progress(trainer.step, plan.steps, last)
        if trainer.step % every == 0 and trainer.step < plan.steps and distributed.first:
            write_state(out, {**trainer.state(), "skipped": dict(skipped)})
    if curve is not None:
        last = last or curve.rows[-1]
        curve.close()
    return last


def _save(
    job: TrainingJob, learner: Filter, plan: Plan, last: dict[str, float], skipped: Counter[str], identity: str
) -> None:
    """The model's folder, whole or not at all; then the checkpoints go."""
    out = Path(job.out)
    card = {
        "format": 1,
        "method": "clip",
        "kind": "final model",
        "arch": arch_of(job.rules.model, learner),
        "tokenizer": job.rules.model.tokenizer,
        "objective": job.rules.objective,
        "rules": {**asdict(job.rules), "model": _no_paths(job.rules)},
        "data": {
            "sha256": plan.shards.hash,
            "records": len(plan.shards),
            "shown": int((plan.shards.weights > 0).sum()),
            "pairs seen": plan.steps * job.rules.batch,
            "skipped": dict(sorted(skipped.items())),
            **job.facts,
        },
        "training": identity,
        "preprocessing": learner.preprocessing,
        "metrics": {k: v for k, v in last.items() if k not in WALL},
        "versions": {name: version(name) for name in _PACKAGES},
    }
    temporary = out / f"model{TEMPORARY}{uuid.uuid4().hex[:8]}"
    try:
        save_filter(learner, temporary, card)
        commit_folder(temporary, out / "model")
    finally:
        remove_tree(temporary, out)
    drop_state(out)


def _chosen(job: TrainingJob) -> Shards:
    """The shards' records, or those that ``only`` names, as often as it says."""
    shards = open_shards(Path(job.shards))
    if job.only is None:
        return shards
    wanted = pq.read_table(job.only, columns=["key", "weight"], partitioning=None)
    weights = dict(zip(wanted["key"].to_pylist(), wanted["weight"].to_pylist(), strict=True))
    told = np.array([weights.get(str(key), 0.0) for key in shards.keys], np.float32)
    if not (told > 0).any():
        raise RecipeError("shards", f"none of the {len(weights)} keys chosen is in {job.shards}", "shards of one run")
    return shards.take(told > 0, told[told > 0])


def _claim(out: Path, identity: str, distributed: DistributedContext) -> None:
    """OUT is this training's or nobody's; RunError where it is another's."""
    marker = out / "training.json"
    try:
        found = read_json(marker)["training"]
    except FileNotFoundError:
        distributed.barrier()
        if distributed.first:
            commit_json(marker, {"training": identity})
        return
    if found != identity:
        raise RunError(f"{out} holds a training by other rules or on other shards; name another folder, or remove it")


def _begun_with(rules: TrainingRules) -> list[str]:
    """Hashes of the weights that training begins with, and of its teacher."""
    paths = (rules.model.checkpoint, rules.teacher, rules.reference)
    return [checkpoint_hash(path) or "" for path in paths]


def _no_paths(rules: TrainingRules) -> dict[str, Any]:
    """A card names weights by hash: where they lay is nobody's business."""
    return {**asdict(rules.model), "checkpoint": checkpoint_hash(rules.model.checkpoint)}


def trained_model(out: Path, device: str = "auto") -> Filter:
    """The finished model of a training's folder."""
    return load_filter(out / "model", device)
