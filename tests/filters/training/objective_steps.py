"""Learners on drawn chest films, and a step of any objective, in one piece or in micro-batches (GradCache)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from filters.rules import ModelRules, TrainingRules
from filters.towers import preprocess
from filters.towers.encoder import Filter
from filters.towers.model import create_filter, save_filter
from filters.training.distributed import DistributedContext
from filters.training.objectives import SIGMOID, make_objective
from filters.training.objectives.protocol import DeviceBatch, Objective
from tests.filters.films import films

NAMES = ("clip", "siglip", "coca", "siglip2", "medclip", "distill")
VIT = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 8},
    "text_cfg": {"context_length": 32, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
}
COCA: dict[str, Any] = {
    **VIT,
    "vision_cfg": VIT["vision_cfg"] | {"attentional_pool": True, "attn_pooler_queries": 8, "attn_pooler_heads": 2},
    "multimodal_cfg": {"context_length": 32, "width": 32, "heads": 2, "layers": 1},
    "custom_text": True,
}
COCA["vision_cfg"]["output_tokens"] = True
COCA["text_cfg"] = VIT["text_cfg"] | {"embed_cls": True, "output_tokens": True}


def texts() -> list[str]:
    """Of 64 right pairs."""
    return films(64, 3, 1.0).records.texts


def make(name: str, folder: Path, **given: Any) -> tuple[Filter, Objective]:
    """A small learner and its objective, the same each time; ``folder`` takes the architecture and the teacher."""
    config = folder / f"{'coca' if name == 'coca' else 'vit'}.json"
    config.write_text(json.dumps(COCA if name == "coca" else VIT))
    torch.manual_seed(7)
    rules = ModelRules(arch=str(config))
    learner = create_filter(rules, texts(), 400, "cpu", "siglip" if name in SIGMOID else "clip")
    if name == "distill" and "teacher" not in given:
        given["teacher"] = str(make_teacher(folder))
    more = {"distill_after": 0.5} | ({"masked": 0.5} if name == "siglip2" else {}) | given
    objective = make_objective(learner, TrainingRules(model=rules, objective=name, **more), texts())
    learner.model.train()
    return learner, objective


def make_teacher(folder: Path) -> Path:
    """A model with another side, other pixel statistics and its own few words."""
    config = folder / "teacher.json"
    vision = VIT["vision_cfg"] | {"image_size": 48}
    config.write_text(json.dumps({"model_cfg": VIT | {"vision_cfg": vision}, "preprocess_cfg": _PIXELS}))
    teacher = create_filter(ModelRules(arch=str(config)), texts()[:20], 250, "cpu")
    save_filter(teacher, folder / "teacher", {"arch": "teacher", "tokenizer": "wordpiece"})
    return folder / "teacher"


_PIXELS = {"mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]}


def see(learner: Filter, objective: Objective, rows: Sequence[int], done: float = 1.0, shift: int = 0) -> DeviceBatch:
    """The films ``rows`` as a micro-batch; ``shift``: some read the text of another film."""
    records = films(64, 3, 1.0).records
    decoded = [preprocess.decode(records.images[i], learner.side) for i in rows]
    own = [records.texts[i] for i in rows]
    read = [records.texts[(i + shift * (i % 3 == 0)) % 64] for i in rows]
    labels = {} if objective.labeller is None else objective.labeller(own, read)
    pixels = torch.from_numpy(preprocess.stack([d for d in decoded if d is not None])).permute(0, 3, 1, 2)
    return DeviceBatch(
        learner.scaled(pixels),
        torch.from_numpy(learner.tokenizer(read)),
        {k: torch.from_numpy(np.asarray(v)) for k, v in labels.items()},
        done,
        torch.Generator().manual_seed(100 + rows[0]),
    )


def backward(
    learner: Filter, objective: Objective, micro: Sequence[DeviceBatch], distributed: DistributedContext | None = None
) -> dict:
    """Gradients of the whole batch, the loss's parts returned: features first, then each micro-batch again."""
    distributed = distributed or DistributedContext()
    with torch.no_grad():
        found = [objective.features(learner.model, seen) for seen in micro]
    joined = {name: torch.cat([f[name] for f in found]) for name in found[0]}
    leaves = {n: f.detach().requires_grad_(f.is_floating_point()) for n, f in joined.items()}
    losses = objective.loss(leaves, learner.model, distributed)
    losses["loss"].backward()
    start = 0
    for seen in micro:
        again = objective.features(learner.model, seen)
        place = slice(start, start + len(seen.pixels))
        kept = [n for n, f in again.items() if f.requires_grad]
        torch.autograd.backward([again[n] for n in kept], [leaves[n].grad[place] for n in kept])
        start = place.stop
    return {name: float(value.detach()) for name, value in losses.items()}


def gradients(learner: Filter, objective: Objective) -> dict[str, torch.Tensor]:
    """By name, of the model's parameters and the heads'."""
    both = (*learner.model.named_parameters(), *objective.heads.named_parameters(prefix="heads"))
    return {name: p.grad.clone() for name, p in both if p.grad is not None}
