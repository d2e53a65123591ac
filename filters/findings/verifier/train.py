"""Training of the findings verifier: labels from the texts of right pairs, and semantic matching of unpaired data.

As in MedCLIP (Wang et al., arXiv 2210.10163, section 3.3), pictures and texts need not come in pairs. The similarity of
their labels is a soft target of the match: another patient's report of the same finding is no negative. Pictures of the
pool get pseudo-labels from the network's moving average.
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
from filters.training.loop import Trainer, epoch_steps, to_device, train_epochs
from filters.training.objectives.losses import soft_match
from filters.training.objectives.protocol import DeviceBatch, Features, Objective
from filters.training.optimizers import Averaged, Course

_AVERAGE = 0.98  # decay of the averaged network, which labels the pool and is saved
_WARMUP = 0.1
_BEGIN_POOL = 0.4  # share of steps before pseudo-labels are used
_SURE = 0.2  # a pseudo-label counts if it is at least this far from one half

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
    if the loss is not finite."""
    rng, generator = np.random.default_rng(rules.seed), torch.Generator().manual_seed(rules.seed)
    mirror = torch.from_numpy(slots.mirrored())
    size = min(rules.batch, len(clean[0]))
    epochs = max(rules.epochs, math.ceil(rules.min_steps / (len(clean[0]) // size)))

    def draw() -> Iterator[NDArray[np.int64]]:
        order = rng.permutation(len(clean[0]))
        return (order[start : start + size] for start in range(0, len(order) - size + 1, size))

    def make_batch(index: NDArray[np.int64], done: float) -> DeviceBatch:
        rows = _rows(clean, index, generator, rng, mirror)
        if len(pool[0]) and done >= _BEGIN_POOL:
            unlabelled = _rows(pool, rng.integers(0, len(pool[0]), max(1, size // 2)), generator, rng, mirror)
            rows |= {f"free_{name}": unlabelled[name] for name in ("pixels", "polarity", "label_vectors")}
        moved = {name: to_device(moved_rows, device) for name, moved_rows in rows.items()}
        return DeviceBatch(moved.pop("pixels"), moved["polarity"], moved, done)

    objective = MatchClaims(net, rules.match, rules.unlabelled)
    trainer = Trainer(net, objective, Course.of(rules, warmup=_WARMUP), DistributedContext(device=device))
    curve = train_epochs(trainer, epoch_steps(epochs, draw, make_batch), epochs, report)
    objective.teacher.copy_to(net)
    return curve


def _rows(
    source: Source,
    index: NDArray[np.int64],
    generator: torch.Generator,
    rng: np.random.Generator,
    mirror: torch.Tensor,
) -> Rows:
    """An augmented batch: half of the pictures are mirrored, with left and right of their labels exchanged."""
    pixels = augment(torch.from_numpy(source[0][index]).permute(0, 3, 1, 2), generator)
    mirrored = torch.from_numpy(rng.random(len(index)) < 0.5)
    claims = source[1].take(index)
    arrays = {
        "truth": claims.truth,
        "weight": claims.weight,
        "polarity": claims.polarity,
        "label_vectors": claims.label_vectors(),
    }
    rows = {name: torch.from_numpy(values) for name, values in arrays.items()}
    rows = {name: torch.where(mirrored[:, None], values[:, mirror], values) for name, values in rows.items()}
    return {"pixels": torch.where(mirrored[:, None, None, None], pixels.flip(-1), pixels), **rows}


class MatchClaims(Objective):
    """Labels of right pairs, pseudo-labels of the pool, and the semantic match of pictures and texts.

    The labels of a `DeviceBatch`: "truth", "weight", "polarity" and "label_vectors" of n pairs; "free_pixels",
    "free_polarity" and "free_label_vectors" of m of the pool, once it is used.
    """

    def __init__(self, net: FindingsNet, match: float, pool: float) -> None:
        super().__init__()
        self.teacher, self.match, self.pool = Averaged(net, _AVERAGE), match, pool

    def features(self, model: Any, batch: DeviceBatch) -> Features:
        """The network's outputs, float32[n + m, ...]; pseudo-labels of the pool by its average; and the labels."""
        unlabelled = batch.labels.get("free_pixels")
        logits, images = model(batch.pixels if unlabelled is None else torch.cat([batch.pixels, unlabelled]))
        out = {"logits": logits, "images": images, **batch.labels}
        if unlabelled is not None:
            with torch.no_grad():
                out["pseudo_labels"] = torch.sigmoid(self.teacher.model(unlabelled)[0])
        return out

    def loss(self, features: Features, model: Any, distributed: DistributedContext) -> dict[str, torch.Tensor]:
        """The weighted sum of the labels' cross-entropy, the pool's, and the match."""
        n, logits = len(features["truth"]), features["logits"]
        loss = _labels_loss(logits[:n], features["truth"], features["weight"])
        image_labels, polarity, text_labels = features["label_vectors"], features["polarity"], features["label_vectors"]
        if "pseudo_labels" in features:
            pseudo_labels = features["pseudo_labels"]
            sure = ((pseudo_labels - 0.5).abs() >= _SURE).float()
            loss = loss + self.pool * _labels_loss(logits[n:], pseudo_labels, sure)
            guesses = pseudo_labels * (pseudo_labels >= 0.5 + _SURE)
            guesses[:, 0] = 1 - pseudo_labels[:, 0]
            image_labels = torch.cat([image_labels, guesses])
            polarity = torch.cat([polarity, features["free_polarity"]])
            text_labels = torch.cat([text_labels, features["free_label_vectors"]])
        return {"loss": loss + self.match * _match_loss(model, features["images"], image_labels, polarity, text_labels)}

    def update(self, model: torch.nn.Module) -> None:
        """Update the moving average."""
        self.teacher.update(model)


def _labels_loss(logits: torch.Tensor, truth: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    each = torch.nn.functional.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    return (each * weight).sum() / weight.sum().clamp(min=1.0)


def _match_loss(
    net: FindingsNet,
    images: torch.Tensor,
    image_labels: torch.Tensor,
    polarity: torch.Tensor,
    text_labels: torch.Tensor,
) -> torch.Tensor:
    """Cross entropy of both directions against the softmax of the label vectors' cosines (equations 3 to 6)."""
    scale = net.temperature.exp().clamp(max=50.0)
    meaning = torch.nn.functional.normalize(image_labels, dim=-1) @ torch.nn.functional.normalize(text_labels, dim=-1).T
    likeness = images @ net.embed_claims(polarity).T * scale
    return (soft_match(likeness, meaning) + soft_match(likeness.T, meaning.T)) / 2
