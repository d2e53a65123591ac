"""Training the findings verifier: labels from the texts of right pairs; unpaired pictures and texts by their meaning.

As MedCLIP learns (Wang et al., arXiv 2210.10163, section 3.3): pictures and texts need not come in pairs. The
similarity of what they show and say is the target of the match, softly: another patient's report of the same finding is
no negative. Pictures of the pool have no labels, so they take those that the network, averaged over its last steps,
gives them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from filters.findings.slots import Claims, Slots
from filters.findings.verifier.network import FindingsNet
from filters.method import Progress
from filters.registry import FindingsRules
from filters.towers.preprocess import Pixels
from filters.training.augment import augment
from filters.training.curve import Row
from filters.training.distributed import DistributedContext
from filters.training.loop import Course, Trainer, epoch_steps, to_device, train_epochs
from filters.training.objectives.losses import soft_match
from filters.training.objectives.protocol import DeviceBatch, Features, Objective
from filters.training.optimizers import Averaged

_AVERAGE = 0.98  # of the network that labels the pool, and that is kept
_WARMUP = 0.1
_BEGIN_POOL = 0.4  # of the steps: before, its labels are worth nothing
_SURE = 0.2  # a label of the pool counts where it is at least this far from one half

Source = tuple[Pixels, Claims]
Rows = dict[str, torch.Tensor]


def fit(
    net: FindingsNet,
    slots: Slots,
    clean: Source,
    pool: Source,
    rules: FindingsRules,
    device: str,
    report: Progress | None,
) -> list[Row]:
    """Train ``net`` in place on pairs that are right and on pictures and texts of the pool; a row an epoch. RunError
    where the loss leaves the numbers."""
    rng, generator = np.random.default_rng(rules.seed), torch.Generator().manual_seed(rules.seed)
    mirror = torch.from_numpy(slots.mirrored())
    size = min(rules.batch, len(clean[0]))
    epochs = max(rules.epochs, math.ceil(rules.min_steps / (len(clean[0]) // size)))

    def draw() -> Iterator[NDArray[np.int64]]:
        order = rng.permutation(len(clean[0]))
        return (order[start : start + size] for start in range(0, len(order) - size + 1, size))

    def see(index: NDArray[np.int64], done: float) -> DeviceBatch:
        found = _rows(clean, index, generator, rng, mirror)
        if len(pool[0]) and done >= _BEGIN_POOL:
            free = _rows(pool, rng.integers(0, len(pool[0]), max(1, size // 2)), generator, rng, mirror)
            found |= {f"free_{name}": free[name] for name in ("pixels", "said", "shown")}
        moved = {name: to_device(rows, device) for name, rows in found.items()}
        return DeviceBatch(moved.pop("pixels"), moved["said"], moved, done)

    objective = MatchClaims(net, rules.match, rules.unlabelled)
    trainer = Trainer(net, objective, Course.of(rules, warmup=_WARMUP), DistributedContext(device=device))
    curve = train_epochs(trainer, epoch_steps(epochs, draw, see), epochs, report)
    objective.teacher.copy_to(net)
    return curve


def _rows(
    source: Source,
    index: NDArray[np.int64],
    generator: torch.Generator,
    rng: np.random.Generator,
    mirror: torch.Tensor,
) -> Rows:
    """Changed a little each time; every other one mirrored, and its left and right with it."""
    pixels = augment(torch.from_numpy(source[0][index]).permute(0, 3, 1, 2), generator)
    turned = torch.from_numpy(rng.random(len(index)) < 0.5)
    claims = source[1].take(index)
    told = {"truth": claims.truth, "weight": claims.weight, "said": claims.said, "shown": claims.shown()}
    rows = {name: torch.from_numpy(values) for name, values in told.items()}
    rows = {name: torch.where(turned[:, None], values[:, mirror], values) for name, values in rows.items()}
    return {"pixels": torch.where(turned[:, None, None, None], pixels.flip(-1), pixels), **rows}


class MatchClaims(Objective):
    """Labels of right pairs, labels that the network's average gives the pool, and the match of what is shown and said.

    The labels of a `DeviceBatch`: "truth", "weight", "said" and "shown" of n pairs, "free_pixels", "free_said" and
    "free_shown" of m of the pool where it is seen.
    """

    def __init__(self, net: FindingsNet, match: float, pool: float) -> None:
        super().__init__()
        self.teacher, self.match, self.pool = Averaged(net, _AVERAGE), match, pool

    def features(self, model: Any, batch: DeviceBatch) -> Features:
        """What the network sees, float32[n + m, ...]; of the pool what its average sees; and the labels."""
        free = batch.labels.get("free_pixels")
        logits, images = model(batch.pixels if free is None else torch.cat([batch.pixels, free]))
        found = {"logits": logits, "images": images, **batch.labels}
        if free is not None:
            with torch.no_grad():
                found["pseudo_labels"] = torch.sigmoid(self.teacher.model(free)[0])
        return found

    def loss(self, features: Features, model: Any, distributed: DistributedContext) -> dict[str, torch.Tensor]:
        """The labels' cross-entropy, the pool's and the match, weighed."""
        n, logits = len(features["truth"]), features["logits"]
        loss = _labels_loss(logits[:n], features["truth"], features["weight"])
        shown, said, spoken = features["shown"], features["said"], features["shown"]
        if "pseudo_labels" in features:
            pseudo_labels = features["pseudo_labels"]
            sure = ((pseudo_labels - 0.5).abs() >= _SURE).float()
            loss = loss + self.pool * _labels_loss(logits[n:], pseudo_labels, sure)
            guessed = pseudo_labels * (pseudo_labels >= 0.5 + _SURE)
            guessed[:, 0] = 1 - pseudo_labels[:, 0]
            shown = torch.cat([shown, guessed])
            said = torch.cat([said, features["free_said"]])
            spoken = torch.cat([spoken, features["free_shown"]])
        return {"loss": loss + self.match * _match_loss(model, features["images"], shown, said, spoken)}

    def update(self, model: torch.nn.Module) -> None:
        """The average follows."""
        self.teacher.update(model)


def _labels_loss(logits: torch.Tensor, truth: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    each = torch.nn.functional.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    return (each * weight).sum() / weight.sum().clamp(min=1.0)


def _match_loss(
    net: FindingsNet, images: torch.Tensor, shown: torch.Tensor, said: torch.Tensor, spoken: torch.Tensor
) -> torch.Tensor:
    """Cross entropy of both directions against the softmax of the meanings' cosines (equations 3 to 6)."""
    scale = net.temperature.exp().clamp(max=50.0)
    meaning = torch.nn.functional.normalize(shown, dim=-1) @ torch.nn.functional.normalize(spoken, dim=-1).T
    likeness = images @ net.embed_claims(said).T * scale
    return (soft_match(likeness, meaning) + soft_match(likeness.T, meaning.T)) / 2
