"""Which pairs of a drawn batch are trained on: those the model finds hard and a reference easy (JEST, 2406.17711;
with a stronger reference ACID, 2411.18674). Each process chooses among its own part of the batch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import interpolate

from filters.curate_batch import Objective, select_jointly
from filters.encoder import Filter
from filters.model import load_filter
from filters.training.loader import Batch
from filters.training.rules import TrainingRules
from filters.training.world import World

_CHUNK = 256  # pairs encoded at once, without gradients


class Curator:
    """Chooses ``1 - rules.filter_ratio`` of each batch. ``tokenizer`` is the reference's: the loader asks it."""

    def __init__(self, rules: TrainingRules, device: str) -> None:
        self.reference = load_filter(Path(rules.reference or ""), device)
        self.reference.model.requires_grad_(False)
        self.tokenizer = self.reference.tokenizer
        self.rules = rules
        self.objective: Objective = "siglip" if rules.objective in ("siglip", "siglip2") else "clip"

    def __call__(self, batch: Batch, learner: Filter, world: World) -> Batch:
        """The chosen rows; drawn by the seed, the step and the process alone."""
        assert batch.reference_ids is not None
        keep = self.rules.batch // world.size
        seed = int(np.random.SeedSequence([self.rules.seed, 3, batch.step, world.rank]).generate_state(1)[0])
        training = learner.model.training
        learner.model.eval()
        own = _logits(learner, batch.pixels, batch.ids)
        theirs = _logits(self.reference, batch.pixels, batch.reference_ids)
        learner.model.train(training)
        generator = torch.Generator().manual_seed(seed)
        rows = select_jointly(own, theirs, keep, self.rules.chunks, generator, self.objective).sort().values
        labels = {name: values[rows] for name, values in batch.labels.items()}
        return replace(batch, pixels=batch.pixels[rows], ids=batch.ids[rows], labels=labels, reference_ids=None)


@torch.no_grad()
def _logits(found: Filter, pixels: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    """float32[n, n] on the CPU: t * cos + b of image i and text j."""
    left = torch.cat([found.encode_images(_at_side(p, found.side)).cpu() for p in torch.split(pixels, _CHUNK)])
    right = torch.cat([found.encode_ids(part).cpu() for part in torch.split(ids, _CHUNK)])
    scale, bias = found.logit()
    return scale * left @ right.T + bias


def _at_side(pixels: torch.Tensor, side: int) -> torch.Tensor:
    """Square pixels at another model's side, still in 0..255."""
    if pixels.shape[-1] == side:
        return pixels
    return interpolate(pixels.float(), (side, side), mode="bilinear", antialias=True)
