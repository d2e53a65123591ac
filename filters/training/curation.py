"""Online active curation: joint selection from a super-batch of pairs that the learner finds hard and a reference easy.

JEST (Evans et al., 2406.17711): the learnability of a set of pairs is the learner's loss on it less the reference's.
It is a sum over pairs of pairs, so a batch is grown chunk by chunk, each chunk drawn given those before. ACID
(2411.18674) is the same with a reference stronger than the learner: selection in place of soft labels. A filter's
training embeds all pairs once by the reference (`filters.training.memory.Reference`); the final model's training runs
the reference in each process on its part of a batch (`Curator`).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch.nn.functional import interpolate

from filters.rules import TrainingRules
from filters.towers.encoder import Filter
from filters.towers.model import load_filter
from filters.training.distributed import DistributedContext
from filters.training.loader import Batch
from filters.training.objectives.losses import elementwise

Objective = Literal["clip", "siglip"]
_CHUNK = 256  # pairs encoded at once, without gradients


def select_jointly(
    learner_logits: torch.Tensor,
    reference_logits: torch.Tensor,
    n_select: int,
    n_chunks: int,
    generator: torch.Generator,
    objective: Objective = "siglip",
) -> torch.Tensor:
    """int64[n_select], distinct: the rows of a super-batch to train on, in the order they were chosen.

    Both logits are float[n, n], t * cos + b of image i and text j, pair (i, i) being right. A chunk is drawn without
    replacement with probability proportional to exp(score): for the sigmoid loss a pair's own learnability plus its
    cross terms with what is chosen (2406.17711, algorithm 1); for the softmax its learnability among the chosen.
    ValueError if shapes differ or there are fewer rows than wanted.
    """
    n = len(learner_logits)
    if learner_logits.shape != (n, n) or reference_logits.shape != (n, n):
        raise ValueError(f"logits {tuple(learner_logits.shape)} and {tuple(reference_logits.shape)}")
    if not 0 < n_select <= n or n_chunks < 1:
        raise ValueError(f"{n_select} of {n} rows in {n_chunks} chunks")
    learner, reference = learner_logits.detach().double().cpu(), reference_logits.detach().double().cpu()
    chosen = torch.zeros(0, dtype=torch.int64)
    available = torch.ones(n, dtype=torch.bool)
    for size in _sizes(n_select, n_chunks):
        score = _scores(learner, reference, chosen, objective)
        drawn = _draw(score.masked_fill(~available, float("-inf")), size, generator)
        available[drawn] = False
        chosen = torch.cat([chosen, drawn])
    return chosen


def _sizes(total: int, parts: int) -> list[int]:
    parts = min(parts, total)
    return [total // parts + (i < total % parts) for i in range(parts)]


def _scores(learner: torch.Tensor, reference: torch.Tensor, chosen: torch.Tensor, objective: str) -> torch.Tensor:
    """float64[n]: the learnability that each row would add to ``chosen``."""
    if objective == "siglip":
        learnability = elementwise(learner) - elementwise(reference)
        return learnability.diagonal() + learnability[:, chosen].sum(1) + learnability[chosen].sum(0)
    return _softmax_losses(learner, chosen) - _softmax_losses(reference, chosen)


def _softmax_losses(logits: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
    """The softmax loss of each row against ``chosen``, or against all rows if nothing is chosen yet."""
    others = chosen if len(chosen) else torch.arange(len(logits))
    own = logits.diagonal()
    losses = []
    for side in (logits, logits.T):
        rivals = side[:, others].masked_fill(others[None, :] == torch.arange(len(logits))[:, None], float("-inf"))
        losses.append(torch.logsumexp(torch.cat([rivals, own[:, None]], dim=1), dim=1) - own)
    return (losses[0] + losses[1]) / 2


def _draw(score: torch.Tensor, size: int, generator: torch.Generator) -> torch.Tensor:
    """``size`` rows without replacement, with probabilities proportional to exp(score): the Gumbel trick."""
    noise = -torch.log(
        -torch.log(torch.rand(len(score), generator=generator, dtype=torch.float64).clamp(1e-12, 1 - 1e-12))
    )
    return torch.topk(score + noise, size).indices


class Curator:
    """Selects ``1 - rules.filter_ratio`` of each batch. ``tokenizer``: the reference's, for the loader."""

    def __init__(self, rules: TrainingRules, device: str) -> None:
        self.reference = load_filter(Path(rules.reference or ""), device)
        self.reference.model.requires_grad_(False)
        self.tokenizer = self.reference.tokenizer
        self.rules = rules
        self.objective: Objective = "siglip" if rules.objective in ("siglip", "siglip2") else "clip"

    def __call__(self, batch: Batch, learner: Filter, distributed: DistributedContext) -> Batch:
        """The selected rows; the draw depends on seed, step and rank alone."""
        assert batch.reference_ids is not None
        keep = self.rules.batch // distributed.size
        seed = int(np.random.SeedSequence([self.rules.seed, 3, batch.step, distributed.rank]).generate_state(1)[0])
        own = logits_of(learner, batch.pixels, batch.ids)
        other = logits_of(self.reference, batch.pixels, batch.reference_ids)
        generator = torch.Generator().manual_seed(seed)
        rows = select_jointly(own, other, keep, self.rules.chunks, generator, self.objective).sort().values
        labels = {name: values[rows] for name, values in batch.labels.items()}
        return replace(batch, pixels=batch.pixels[rows], ids=batch.ids[rows], labels=labels, reference_ids=None)


@torch.no_grad()
def logits_of(model: Filter, pixels: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    """float32[n, n] on the CPU: t * cos + b of image i and text j, in evaluation mode. Square pixels are scaled to the
    model's side."""
    training = model.model.training
    model.model.eval()
    resized = pixels.ndim == 4 and pixels.shape[-1] != model.side
    left = []
    for part in torch.split(pixels, _CHUNK):
        shown = interpolate(part.float(), (model.side,) * 2, mode="bilinear", antialias=True) if resized else part
        left.append(model.encode_images(shown).cpu())
    right = torch.cat([model.encode_ids(part).cpu() for part in torch.split(ids, _CHUNK)])
    model.model.train(training)
    scale, bias = model.logit()
    return scale * torch.cat(left) @ right.T + bias
