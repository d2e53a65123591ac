"""Training steps from clean pairs in memory: batches of distinct texts, optionally mirrored, with edited texts as hard
negatives, and curated by a reference."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from curate.errors import RunError
from filters.towers.encoder import Filter
from filters.training.augment import augment
from filters.training.batches import batches
from filters.training.curation import Reference, choose
from filters.training.loop import Step, epoch_steps, to_device
from filters.training.objectives.protocol import DeviceBatch
from filters.training.pairs import Encoder, Features, Pairs
from filters.training.rules import FilterTrainingRules
from filters.training.variants import Variants, make_variants

MIN_TEXTS = 8  # distinct texts that a training needs


class Learner(Encoder, Protocol):
    """A `Filter`, or the heads of one."""

    @property
    def model(self) -> torch.nn.Module: ...

    @property
    def device(self) -> str: ...


@dataclass(frozen=True)
class Phase:
    """One set of pairs and the epochs to train on it. ``encode`` converts texts to the form of ``pairs.ids``."""

    pairs: Pairs
    epochs: int
    lr: float
    encode: Callable[[list[str]], torch.Tensor]
    reference: Reference | None = None


def batch_size(labels: NDArray[np.int64], wanted: int, left_out: float = 0.0) -> int:
    """At most ``wanted`` pairs a step with distinct texts, after ``left_out`` of a super-batch is left out.

    RunError if there are too few distinct texts.
    """
    distinct = len(np.unique(labels))
    if distinct < MIN_TEXTS:
        problem = f"the clean set's {len(labels)} training pairs hold {distinct} different texts"
        fix = "declare more (reports.columns.clean), or train none: --set filters={} --set select={}"
        raise RunError(f"{problem}, a filter needs {MIN_TEXTS}: {fix}")
    return min(wanted, max(2, math.floor(distinct * (1 - left_out))) if left_out else distinct)


class MemorySteps:
    """The steps of a phase."""

    def __init__(self, learner: Learner, phase: Phase, rules: FilterTrainingRules) -> None:
        self.learner, self.phase, self.rules = learner, phase, rules
        left_out = 0.0 if phase.reference is None else rules.filter_ratio
        self.size = batch_size(phase.pairs.labels, rules.batch, left_out)
        # size of the super-batch: 2406.17711's B = b / (1 - f)
        self.drawn = min(round(self.size / (1 - left_out)), len(np.unique(phase.pairs.labels)))
        self.rng = np.random.default_rng(rules.seed)
        self.generator = torch.Generator().manual_seed(rules.seed)
        self.variants = self._make_variants()

    def _make_variants(self) -> Variants | None:
        rules = self.rules
        if not rules.negatives and not rules.mirror:
            return None
        kinds = rules.negative_kinds if rules.negatives else ()
        rng = np.random.default_rng([rules.seed, 1])
        return make_variants(list(self.phase.pairs.sentences), kinds, bool(rules.mirror), self.phase.encode, rng)

    def __iter__(self) -> Iterator[Step]:
        return epoch_steps(self.phase.epochs, self._draw, self._make_batch)

    def _draw(self) -> Iterator[NDArray[np.int64]]:
        return batches(self.phase.pairs.labels, self.drawn, self.rng)

    def _make_batch(self, index: NDArray[np.int64], done: float) -> DeviceBatch:
        if self.phase.reference is not None:
            index = self._select(index, self.phase.reference)
        pixels, ids, labels = self._pairs(index)
        device = self.learner.device
        if isinstance(self.learner, Filter) and not isinstance(self.phase.pairs, Features):
            pixels = to_device(pixels, device)  # as bytes
            pixels = self.learner.scaled(augment(pixels, self.generator) if self.rules.augment else pixels)
        moved = {name: to_device(rows, device) for name, rows in labels.items()}
        return DeviceBatch(to_device(pixels, device), to_device(ids, device), moved, done)

    def _select(self, index: NDArray[np.int64], reference: Reference) -> NDArray[np.int64]:
        """The batch selected from a super-batch."""
        model: Any = self.learner.model
        bias = getattr(model, "logit_bias", None)
        logit = float(model.logit_scale.detach().exp()), 0.0 if bias is None else float(bias.detach())
        training = model.training
        model.eval()
        size, chunks = min(self.size, len(index)), self.rules.chunks
        pairs, kind = self.phase.pairs, self.rules.objective
        index = choose(self.learner, *logit, pairs, reference, index, size, chunks, self.generator, kind)
        model.train(training)
        return index

    def _pairs(self, index: NDArray[np.int64]) -> tuple[torch.Tensor, torch.Tensor, dict[str, torch.Tensor]]:
        """Images and texts of the step, some mirrored; labels: the edited texts, and that equal texts are blocked."""
        pixels, ids = self.phase.pairs.images(index), self.phase.pairs.texts(index)
        if self.variants is None:
            return pixels, ids, {}
        labels = {"blocked": torch.ones(0, dtype=torch.bool)}
        flipped = np.zeros(len(index), np.bool_)
        if self.rules.mirror:
            flipped = self.variants.mirrorable[index] & (self.rng.random(len(index)) < self.rules.mirror)
            mask = torch.from_numpy(flipped)
            pixels = torch.where(mask[:, None, None, None], pixels.flip(-1), pixels)
            ids = torch.where(mask.reshape(-1, *(1,) * (ids.ndim - 1)), self.variants.mirrored[index], ids)
        if self.rules.negatives:
            wrong, _ = self.variants.draw(index, flipped, self.rules.negatives, self.rng)
            labels |= {"wrong": wrong} if len(wrong) else {}
        return pixels, ids, labels
