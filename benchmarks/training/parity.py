"""What must not differ: our losses and open_clip's, two processes and one, a training that was killed and one that was
not.

With a ViT: a ResNet's batch normalisation has the statistics of each process's own half, so that two processes are
another training than one, whatever the loss.
"""

from __future__ import annotations

import math
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import load_file

from benchmarks.filters.pool import make_pool
from benchmarks.training.shards import write_shards
from filters.rules import ModelRules, ObjectiveName, TrainingRules
from filters.towers.model import create_filter
from filters.towers.openclip import open_clip
from filters.training.curve import read_curve
from filters.training.distributed import DistributedContext
from filters.training.job import TrainingJob, run_job
from filters.training.launch import launch
from filters.training.objectives import make_objective
from filters.training.objectives.protocol import DeviceBatch

_LOSSES: dict[ObjectiveName, Callable[[], Any]] = {"clip": open_clip.loss.ClipLoss, "siglip": open_clip.loss.SigLipLoss}
_WAIT = 300.0  # seconds for the process that is to be killed to get half way


def measure(work: Path, arch: str = "radsift-tiny-vit", records: int = 256) -> dict[str, float]:
    """Each the greatest absolute difference: of losses and gradients, of the curves' losses, of final weights."""
    folder = work / "parity"
    shutil.rmtree(folder, ignore_errors=True)
    shards = write_shards(folder / "shards", make_pool(records, 2, clean=1.0, workers=1).records, per_shard=100)
    rules = TrainingRules(model=ModelRules(arch), batch=32, samples=320, threads=1, vocab=1024)
    found: dict[str, float] = {}
    for name in _LOSSES:
        loss, gradient = against_open_clip(name, arch)
        found |= {f"{name}, loss against open_clip": loss, f"{name}, gradient against open_clip": gradient}
        found[f"{name}, two processes against one"] = two_processes(shards, folder, replace(rules, objective=name))
    found["weights, killed and resumed against uninterrupted"] = killed(shards, folder, replace(rules, samples=1600))
    shutil.rmtree(folder)
    return found


def against_open_clip(objective: ObjectiveName, arch: str, pairs: int = 32) -> tuple[float, float]:
    """Of one batch: our forward pass and loss, and open_clip's whole model, full length of text, with its own loss."""
    torch.manual_seed(0)
    records = make_pool(pairs, 3, clean=1.0, workers=1).records
    learner = create_filter(ModelRules(arch), records.texts, 1024, "cpu", objective)
    rules = TrainingRules(objective=objective)
    model: Any = learner.model.eval()
    pixels = torch.randn(pairs, 3, learner.side, learner.side)
    ids = torch.from_numpy(learner.tokenizer(records.texts))
    ours = make_objective(learner, rules, records.texts)
    mine = ours.loss(ours.features(model, DeviceBatch(pixels, ids)), model, DistributedContext())["loss"]
    image, text, *rest = model(pixels, ids)
    theirs = _LOSSES[objective]()(image, text, *rest)
    gradients = [torch.autograd.grad(loss, list(model.parameters()), allow_unused=True) for loss in (mine, theirs)]
    apart = [float((a - b).abs().max()) for a, b in zip(*gradients, strict=True) if a is not None and b is not None]
    return abs(float(mine) - float(theirs)), max(apart)


def two_processes(shards: Path, folder: Path, rules: TrainingRules) -> float:
    """Losses of every window, gloo on two processes against one process."""
    curves = []
    for processes in (1, 2):
        out = folder / f"{rules.objective}-{processes}"
        launch(TrainingJob(str(shards), str(out), rules, device="cpu", window=2), processes)
        curves.append(np.array([row["loss"] for row in read_curve(out)]))
    return float(np.abs(curves[0] - curves[1]).max())


def killed(shards: Path, folder: Path, rules: TrainingRules) -> float:
    """Weights of a training that was killed (SIGKILL) in the middle of an epoch and gone on with, and of one that was
    not. NaN where the process ended before it could be killed."""
    jobs = {
        name: TrainingJob(str(shards), str(folder / name), rules, device="cpu", window=1, every=1)
        for name in ("whole", "broken")
    }
    run_job(jobs["whole"])
    broken = folder / "broken"
    running = subprocess.Popen(
        [sys.executable, "-m", "filters.training", str(jobs["broken"].write())], start_new_session=True
    )
    until = time.monotonic() + _WAIT
    half = rules.samples // rules.batch // 2 if rules.samples else 1
    saved = broken / "checkpoint.pt"
    while (
        (len(read_curve(broken)) < half or not saved.exists()) and running.poll() is None and time.monotonic() < until
    ):
        time.sleep(0.02)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    if not saved.exists() or (broken / "model").exists():
        return math.nan
    run_job(jobs["broken"])
    before, after = (load_file(folder / name / "model" / "model.safetensors") for name in jobs)
    return max(float(np.abs(before[k] - after[k]).max()) for k in before)
