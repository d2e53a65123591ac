"""A training job: shards, rules and output folder. The same job resumes where it stopped.

OUT/job.json                   the job
    checkpoint.pt              the last step's state, while it runs
    curve.csv, tensorboard/    the losses, the rate, the pace
    model/                     the finished model, written last: weights, config, tokenizer, card
"""

from __future__ import annotations

import io
import json
import pickle
import uuid
from collections import Counter
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import torch

from curate.errors import DamagedError, RecipeError, RunError, about
from curate.storage import (
    TEMPORARY,
    commit_bytes,
    commit_folder,
    commit_json,
    digest,
    exclusive,
    read_json,
    remove_tree,
    sweep,
)
from filters.method import checkpoint_hash, public_rules, versions
from filters.rules import TrainingRules, check_training_rules, rules_from
from filters.towers.blocks import compile_towers
from filters.towers.encoder import Filter
from filters.towers.layers import set_patch_dropout
from filters.towers.model import arch_of, create_filter, pick_device, save_filter
from filters.training.curation import Curator
from filters.training.curve import WALL, Curve, Progress
from filters.training.distributed import DistributedContext, determinism, find_context, leave
from filters.training.loader import Steps, check_texts, shard_steps
from filters.training.loop import Trainer
from filters.training.objectives import SIGMOID, make_objective
from filters.training.objectives.protocol import Objective
from filters.training.optimizers import Course
from filters.training.plan import Plan, make_plan
from filters.training.shards import Shards, open_shards

_CHECKPOINT = "checkpoint.pt"
_PREVIOUS = "checkpoint-before.pt"  # the previous one, in case the last one is damaged
_TEXTS = 200_000  # of the training set, from which a tokenizer and a vocabulary of findings are learned


@dataclass(frozen=True)
class TrainingJob:
    """``only``: a Parquet file of (key, weight) to train on a selection of the shards. ``facts`` go on the card.

    ``workers`` (processes that decode), ``window`` (steps a row of the curve) and ``every`` (steps a checkpoint,
    0: twenty in all) do not influence the weights.
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
        """Write OUT/job.json for ``torchrun -m filters.training``; its path."""
        path = Path(self.out) / "job.json"
        commit_json(path, asdict(self))
        return path


def read_job(path: Path) -> TrainingJob:
    """Read what `TrainingJob.write` wrote; RecipeError if it is no job."""
    try:
        recorded = read_json(path)
        return TrainingJob(**{**recorded, "rules": rules_from(recorded["rules"])})
    except (OSError, DamagedError, ValueError, KeyError, TypeError) as error:
        problem = f"{path} is no training job ({type(error).__name__})"
        raise RecipeError("job", problem, "the job.json that curate train wrote") from None


@about("train")
def run_job(job: TrainingJob, progress: Progress | None = None) -> dict[str, Any]:
    """Train or resume, in this process as one of the group's; returns the finished model's card.

    RecipeError or RunError if rules, shards or an earlier training in OUT do not fit, or the loss is not finite.
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
    """The plan of the training; RecipeError or RunError if it is impossible, before any process is started."""
    check_training_rules(job.rules)
    inputs = {"teacher": job.rules.teacher, "reference": job.rules.reference, "checkpoint": job.rules.model.checkpoint}
    for name, path in inputs.items():
        if path is not None and not Path(path).exists():
            raise RecipeError(f"train.{name}", f"{path} does not exist", "correct the path")
    if job.rules.batch % (processes * job.rules.accumulate):
        problem = f"{processes} processes of {job.rules.accumulate} micro-batches share {job.rules.batch} pairs"
        raise RecipeError("train.batch", problem, f"a multiple of {processes * job.rules.accumulate}")
    if job.rules.drawn % processes:
        problem = f"{processes} processes share the {job.rules.drawn} pairs that batches are chosen from"
        raise RecipeError("train.filter_ratio", problem, f"batch / (1 - filter_ratio) a multiple of {processes}")
    plan = make_plan(_selected_shards(job), job.rules)
    check_texts(plan.shards, job.rules.texts)
    return plan


def _run(job: TrainingJob, distributed: DistributedContext, progress: Progress | None) -> dict[str, Any]:
    plan = check_job(job, distributed.size)
    out, shards = Path(job.out), plan.shards
    identity = digest(json.dumps(asdict(job.rules), sort_keys=True), shards.hash, *_initial_weights(job.rules))[:16]
    _claim(out, identity, distributed)
    if (out / "model" / "card.json").is_file():
        return dict(read_json(out / "model" / "card.json"))
    with determinism(job.rules.seed, job.rules.threads):
        sample = [shards.text(int(i)) for i in np.linspace(0, len(shards) - 1, min(len(shards), _TEXTS))]
        kind = "siglip" if job.rules.objective in SIGMOID else "clip"
        learner = create_filter(job.rules.model, sample, job.rules.vocab, distributed.device, kind)
        torch.manual_seed(job.rules.seed)  # the state so far depends on whether weights were given
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


def final_trainer(
    learner: Filter, objective: Objective, rules: TrainingRules, distributed: DistributedContext
) -> Trainer:
    """The trainer by the rules: patch dropout, gradient checkpointing, compiled towers."""
    model: Any = learner.model
    set_patch_dropout(model, rules.patch_dropout)
    if rules.grad_checkpointing:
        model.set_grad_checkpointing()
    if rules.compile:
        torch.use_deterministic_algorithms(True, warn_only=True)  # the only setting that the compiler reads
        compile_towers(model)
    bf16 = rules.precision == "bf16" or (rules.precision == "auto" and distributed.device.startswith("cuda"))
    course = Course.of(rules, bf16=bf16, part="train.")
    return Trainer(model, objective, course, distributed, rules.accumulate == 1)


def _train(
    job: TrainingJob,
    learner: Filter,
    trainer: Trainer,
    plan: Plan,
    progress: Progress | None,
    skipped: Counter[str],
) -> dict[str, float]:
    """Train the remaining steps, with curve and checkpoints; the last row. ``skipped`` counts skipped records."""
    out, distributed, rules = Path(job.out), trainer.distributed, job.rules
    curator = None if rules.reference is None else Curator(rules, learner.device)
    reference = None if curator is None else curator.tokenizer
    labeller = trainer.objective.labeller
    steps = Steps(plan, rules, learner.side, learner.tokenizer, distributed, labeller, trainer.step, reference)
    every = job.every or max(1, plan.steps // 20)
    every = -(-every // job.window) * job.window
    curve = Curve(out, trainer.step) if distributed.first else None
    last: dict[str, float] = {}
    newly_skipped: Counter[str] = Counter()
    for row in trainer.run(shard_steps(steps, job.workers, job.window, learner, newly_skipped, curator)):
        last = {"step": row["step"], "steps": plan.steps, **row, "pairs": row["step"] * rules.batch}
        for reason, n in newly_skipped.items():
            skipped[reason] += round(distributed.total(n)) if distributed.size > 1 else n
        newly_skipped.clear()
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
    """Write the model's folder atomically, then remove the checkpoints."""
    out = Path(job.out)
    card = {
        "format": 1,
        "method": "clip",
        "kind": "final model",
        "arch": arch_of(job.rules.model, learner),
        "tokenizer": job.rules.model.tokenizer,
        "objective": job.rules.objective,
        "rules": public_rules(job.rules),
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
        "versions": versions(),
    }
    temporary = out / f"model{TEMPORARY}{uuid.uuid4().hex[:8]}"
    try:
        save_filter(learner, temporary, card)
        commit_folder(temporary, out / "model")
    finally:
        remove_tree(temporary, out)
    drop_state(out)


def _selected_shards(job: TrainingJob) -> Shards:
    """The shards' records, or those of ``only`` with its weights."""
    shards = open_shards(Path(job.shards))
    if job.only is None:
        return shards
    wanted = pq.read_table(job.only, columns=["key", "weight"], partitioning=None)
    weights = dict(zip(wanted["key"].to_pylist(), wanted["weight"].to_pylist(), strict=True))
    chosen_weights = np.array([weights.get(str(key), 0.0) for key in shards.keys], np.float32)
    if not (chosen_weights > 0).any():
        raise RecipeError("shards", f"none of the {len(weights)} keys chosen is in {job.shards}", "shards of one run")
    return shards.take(chosen_weights > 0, chosen_weights[chosen_weights > 0])


def _claim(out: Path, identity: str, distributed: DistributedContext) -> None:
    """Mark OUT as this training's; RunError if it is another one's."""
    marker = out / "training.json"
    try:
        owner = read_json(marker)["training"]
    except FileNotFoundError:
        distributed.barrier()
        if distributed.first:
            commit_json(marker, {"training": identity})
        return
    if owner != identity:
        raise RunError(f"{out} holds a training by other rules or on other shards; name another folder, or remove it")


def _initial_weights(rules: TrainingRules) -> list[str]:
    """Hashes of the initial weights, of the teacher and of the reference."""
    paths = (rules.model.checkpoint, rules.teacher, rules.reference)
    return [checkpoint_hash(path) or "" for path in paths]


def write_state(folder: Path, state: dict[str, Any]) -> None:
    """Write ``state`` as the last checkpoint; the former one is kept as the previous."""
    sink = io.BytesIO()
    torch.save(state, sink)
    last = folder / _CHECKPOINT
    if last.exists():
        last.replace(folder / _PREVIOUS)
    commit_bytes(last, sink.getvalue())


def read_state(folder: Path, device: str) -> dict[str, Any] | None:
    """The newest intact checkpoint; None if there is none, RunError if all are damaged."""
    existing = [p for p in (folder / _CHECKPOINT, folder / _PREVIOUS) if p.exists()]
    for path in existing:
        try:
            state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
        except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, ValueError):
            continue
        return state
    if existing:
        raise RunError(f"the checkpoints in {folder} are damaged; remove the folder to begin again")
    return None


def drop_state(folder: Path) -> None:
    """Remove the checkpoints of a finished training."""
    for name in (_CHECKPOINT, _PREVIOUS):
        (folder / name).unlink(missing_ok=True)
