"""BLIP's pre-training on clean pairs: contrast (ITC), matching with hard and edited negatives (ITM), captioning (LM).

``soft``: where the right partner is in doubt, a share of the contrast's targets is what a momentum model makes of the
batch (ALBEF, 2107.07651, section 3.2, as BLIP uses it; without its queue: batches of a filter are small sets' own).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import cross_entropy

from filters.method import Progress
from filters.methods.blip.texts import Texts, trim
from filters.registry import Blip2Rules, BlipRules
from filters.training.curve import Row
from filters.training.distributed import DistributedContext
from filters.training.loop import Trainer, epoch_steps, to_device, train_epochs
from filters.training.memory import batch_size
from filters.training.objectives.protocol import DeviceBatch, Features, Objective
from filters.training.optimizers import Averaged, Course
from filters.training.plan import batches

_SMOOTHING = 0.1  # of the captioner's targets: BLIP, appendix
_SCALE = math.log(1 / 0.07)  # the contrastive temperature training begins with
_MOMENTUM = 0.995  # BLIP, appendix
_SHARPNESS = 1.0  # of the draw among wrong partners, on the contrastive logits (ALBEF, arXiv 2107.07651, section 3.2)
_NEVER = -1e4  # a logit that softmax makes nothing of, and that survives where all are so
_LEVEL = 0.6  # of the training at full rate: matching and captioning begin to learn late, they wait for the images'


Rules = BlipRules | Blip2Rules

# a batch's images, drawn anew each step, and what the net makes image tokens float32[n, t, d] of
Draw = Callable[[NDArray[np.int64], torch.Generator], torch.Tensor]
EncodeImages = Callable[[Any, torch.Tensor], torch.Tensor]  # (net, images)


def train_net(
    net: torch.nn.Module, encode_images: EncodeImages, draw: Draw, texts: Texts, rules: Rules, progress: Progress | None
) -> list[Row]:
    """Train ``net`` on n pairs; a row an epoch. RunError where texts are too few or a loss leaves the numbers."""
    device = next(net.parameters()).device
    size, rng = batch_size(texts.labels, rules.batch), np.random.default_rng(rules.seed)
    generator = torch.Generator().manual_seed(rules.seed)

    def see(index: NDArray[np.int64], done: float) -> DeviceBatch:
        where, edited = draw_edits(texts, index, rng)
        ids, edited = trim(texts.ids[torch.from_numpy(index)], edited)
        labels = {"edited": edited, "where": where, "twins": same(texts.meanings[index])}
        moved = {name: to_device(rows, device) for name, rows in labels.items()}
        return DeviceBatch(to_device(draw(index, generator), device), to_device(ids, device), moved, done)

    first = round(rules.contrast_first * rules.epochs) / max(rules.epochs, 1)
    course = Course.of(rules, level=_LEVEL, bf16=fast_bf16(device))
    momentum = Averaged(net, _MOMENTUM) if rules.soft else None
    objective = BlipObjective(encode_images, first, momentum, rules.soft, 2 / max(rules.epochs, 1))
    trainer = Trainer(net, objective, course, DistributedContext(device=str(device)))
    steps = epoch_steps(rules.epochs, lambda: batches(texts.labels, size, rng), see)
    return train_epochs(trainer, steps, rules.epochs, progress)


def last_losses(curve: list[Row]) -> dict[str, float]:
    """Of the last epoch."""
    return {name: curve[-1][name] for name in ("loss", "itc", "itm", "lm") if name in curve[-1]}


class BlipObjective(Objective):
    """The sum of ITC and, from ``first`` of the training on, ITM and LM. The heads hold the contrast's temperature.

    The softmax of ``momentum`` is ``soft`` of the contrast's targets, less before ``ramp`` of the training: two epochs.
    """

    def __init__(
        self,
        encode_images: EncodeImages,
        first: float,
        momentum: Averaged | None = None,
        soft: float = 0.0,
        ramp: float = 1.0,
    ) -> None:
        super().__init__()
        self.encode_images, self.first, self.momentum, self.soft, self.ramp = encode_images, first, momentum, soft, ramp
        self.heads.logit_scale = torch.nn.Parameter(torch.tensor(_SCALE))

    def features(self, model: Any, batch: DeviceBatch) -> Features:
        """The losses "itc", "itm" and "lm", each of the whole batch: partners are mined in it."""
        tokens, ids = self.encode_images(model, batch.pixels), batch.ids
        edited, where = batch.labels["edited"], batch.labels["where"]
        twins, scale = batch.labels["twins"], self.heads.logit_scale.exp()  # type: ignore[operator]
        images, words = model.image_vectors(tokens), model.text_vectors(torch.cat([ids, edited]))
        logits = scale * model.cosines(images, words[: len(ids)])
        own = scale * model.own_cosines(images[where], words[len(ids) :])
        share = self.soft * min(1.0, batch.done / self.ramp)
        losses = {"itc": contrast(logits, twins, own, where, self._teacher_logits(batch, scale), share)}
        if batch.done >= self.first:
            losses |= _fused(model, tokens, batch, mine(logits, twins, batch.generator))
        return losses

    @torch.no_grad()
    def _teacher_logits(self, batch: DeviceBatch, scale: torch.Tensor) -> torch.Tensor | None:
        """The momentum model's logits of the batch; None where there is none."""
        if self.momentum is None:
            return None
        model: Any = self.momentum.model
        found: torch.Tensor = model.cosines(
            model.image_vectors(self.encode_images(model, batch.pixels)), model.text_vectors(batch.ids)
        )
        return scale * found

    def update(self, model: torch.nn.Module) -> None:
        """The momentum model follows."""
        if self.momentum is not None:
            self.momentum.update(model)

    def loss(self, features: Features, model: Any, distributed: DistributedContext) -> dict[str, torch.Tensor]:
        """Their sum."""
        return {"loss": torch.stack(list(features.values())).sum(), **features}


def _fused(model: Any, tokens: torch.Tensor, batch: DeviceBatch, wrong: tuple[torch.Tensor, torch.Tensor]) -> Features:
    """Matching of right pairs, mined ones and edited ones; and captioning of the right ones."""
    ids, (wrong_text, wrong_image) = batch.ids, wrong
    images = torch.cat([tokens, tokens, tokens[wrong_image], tokens[batch.labels["where"]]])
    words = torch.cat([ids, ids[wrong_text], ids, batch.labels["edited"]])
    target = torch.zeros(len(words), dtype=torch.int64, device=ids.device)
    target[: len(ids)] = 1
    even = torch.tensor([1.0, (len(words) - len(ids)) / len(ids)], device=ids.device)  # right pairs are the fewer
    losses = {"itm": cross_entropy(model.match(images, words).float(), target, even)}
    if model.captioner is not None:
        losses["lm"] = -model.log_likelihood(tokens, model.started(ids), _SMOOTHING).mean()
    return losses


def fast_bf16(device: torch.device) -> bool:
    """Whether bfloat16 products pay: on a GPU, and on a CPU with instructions for them (three times as fast here)."""
    supported: Callable[[], bool] = torch.ops.mkldnn._is_mkldnn_bf16_supported
    return device.type == "cuda" or supported()


def same(meanings: NDArray[np.int64]) -> torch.Tensor:
    """bool[n, n]: other pairs of the batch whose text says the same; they are nobody's negatives."""
    found = torch.from_numpy(meanings[:, None] == meanings[None, :])
    return found.fill_diagonal_(False)


def mine(logits: torch.Tensor, twins: torch.Tensor, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """For each of n pairs a wrong text of its image and a wrong image of its text, drawn by softmax similarity.

    ``logits`` float32[n, n], images by texts, pairs on the diagonal; ``twins`` bool[n, n] is `same`'s. Returns
    int64[n] twice; where every other pair is a twin, any of them.
    """
    wrong = _SHARPNESS * logits.detach().float().cpu()
    wrong = wrong.masked_fill(twins.cpu(), _NEVER).fill_diagonal_(-math.inf)
    texts = torch.multinomial(wrong.softmax(1), 1, generator=generator)[:, 0]
    images = torch.multinomial(wrong.T.softmax(1), 1, generator=generator)[:, 0]
    return texts.to(logits.device), images.to(logits.device)


def contrast(
    logits: torch.Tensor,
    twins: torch.Tensor,
    own: torch.Tensor,
    where: torch.Tensor,
    teacher_logits: torch.Tensor | None = None,
    share: float = 0.0,
) -> torch.Tensor:
    """InfoNCE both ways over float32[n, n] logits, twins left out, the image's side also against its own text's edits.

    ``own`` float32[k]: the logits of the edited texts with the images ``where`` int64[k] they are edited for.
    ``teacher_logits`` float32[n, n]: a momentum model's logits, whose softmax is ``share`` of the targets (ALBEF,
    2107.07651, equation 6; no edited text has a part in it).
    """
    logits = logits.float().masked_fill(twins, _NEVER)
    edited = torch.full((len(logits),), _NEVER, device=logits.device).index_put((where,), own.float())
    wide = torch.cat([logits, edited[:, None]], dim=1)
    if teacher_logits is None or not share:
        target = torch.arange(len(logits), device=logits.device)
        return (cross_entropy(wide, target) + cross_entropy(logits.T, target)) / 2
    teacher_logits = teacher_logits.detach().float().masked_fill(twins, _NEVER)
    right = (1 - share) * torch.eye(len(logits), device=logits.device)
    to_text = torch.nn.functional.pad(right + share * teacher_logits.softmax(1), (0, 1))
    to_image = right + share * teacher_logits.T.softmax(1)
    return (cross_entropy(wide, to_text) + cross_entropy(logits.T, to_image)) / 2


def draw_edits(texts: Texts, index: NDArray[np.int64], rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """One edited version of each text that has any: int64[k] places in the batch, int64[k, context] its tokens."""
    where, rows = [], []
    for place, label in enumerate(texts.labels[index]):
        choices = texts.edits[label]
        if len(choices):
            where.append(place)
            rows.append(choices[int(rng.integers(len(choices)))])
    empty = torch.zeros((0, texts.ids.shape[1]), dtype=torch.int64)
    return torch.tensor(where, dtype=torch.int64), torch.stack(rows) if rows else empty
