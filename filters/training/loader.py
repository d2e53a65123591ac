"""Batches of a training: decoded, augmented, tokenised in processes beside the model's, the same from any step on.

What is drawn for a record is drawn by the seed, the epoch and the record's key: not by the process, the worker or the
place in the batch. So two processes see the halves of what one would see.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from curate.errors import RunError
from filters.towers import preprocess
from filters.towers.preprocess import Pixels
from filters.towers.tokenizer import TextTokenizer
from filters.training import texts
from filters.training.distributed import DistributedContext
from filters.training.objectives.protocol import Labeller
from filters.training.plan import Plan
from filters.training.rules import TrainingRules
from filters.training.shards import Sample

_ZOOM = 0.12  # of the side; the picture is seen from 12 % nearer to 12 % farther
_SHIFT, _CONTRAST, _BRIGHTNESS = 0.06, 0.2, 25.0
_TRIES = 8  # records that are asked in place of one that does not decode


@dataclass(frozen=True, eq=False)
class Batch:
    """This process's part of a step, n pairs."""

    step: int
    epoch: int
    pixels: torch.Tensor  # uint8[n, c, side, side], c 1 (all grey) or 3
    ids: torch.Tensor  # int64[n, context_length]
    labels: dict[str, torch.Tensor]
    reference_ids: torch.Tensor | None  # the same texts as a reference's tokenizer has them, where there is one
    skipped: Counter[str]  # records that others had to stand in for, by reason

    def pin_memory(self) -> Batch:
        """In memory that a GPU copies from while it computes; torch's loader asks for it."""
        labels = {name: values.pin_memory() for name, values in self.labels.items()}
        other = None if self.reference_ids is None else self.reference_ids.pin_memory()
        pinned = self.pixels.pin_memory(), self.ids.pin_memory()
        return replace(self, pixels=pinned[0], ids=pinned[1], labels=labels, reference_ids=other)


class Steps(Dataset[Batch]):
    """Item i is step ``first + i`` of the plan, as the process ``distributed`` sees it. Picklable."""

    def __init__(
        self,
        plan: Plan,
        rules: TrainingRules,
        side: int,
        tokenizer: TextTokenizer,
        distributed: DistributedContext,
        labeller: Labeller | None = None,
        first: int = 0,
        reference: TextTokenizer | None = None,
    ) -> None:
        self.plan, self.rules, self.side, self.tokenizer = plan, rules, side, tokenizer
        self.distributed, self.labeller, self.first, self.reference = distributed, labeller, first, reference

    def __len__(self) -> int:
        return self.plan.steps - self.first

    def __getitem__(self, i: int) -> Batch:
        cv2.setNumThreads(1)
        step = self.first + i
        rows, epoch = self.plan.step(step)
        part = slice(
            self.distributed.rank * len(rows) // self.distributed.size,
            (self.distributed.rank + 1) * len(rows) // self.distributed.size,
        )
        skipped: Counter[str] = Counter()
        mine = rows[part]
        seen = [self._record(int(row), epoch, skipped) for row in mine]
        own = [texts.draw(found, rng) for _, found, rng in seen]
        read = self._exchanged(own, mine, step) if self.rules.unpaired else own
        labels = self.labeller(own, read) if self.labeller is not None else {}
        return Batch(
            step,
            epoch,
            torch.from_numpy(preprocess.stack([pixels for pixels, _, _ in seen])).permute(0, 3, 1, 2),
            torch.from_numpy(self.tokenizer(read)),
            {name: torch.from_numpy(np.ascontiguousarray(rows)) for name, rows in labels.items()},
            torch.from_numpy(self.reference(read)) if self.reference is not None else None,
            skipped,
        )

    def _record(self, row: int, epoch: int, skipped: Counter[str]) -> tuple[Pixels, list[str], np.random.Generator]:
        """The record at ``row``; where it does not decode, the next ones in the shards stand in, first come."""
        for place in range(row, row + _TRIES):
            sample = self.plan.shards.read(place % len(self.plan.shards))
            rng = self._drawn_by(place % len(self.plan.shards), epoch)
            pixels = self._pixels(sample, rng)
            if pixels is not None:
                return pixels, texts.choices(sample.text, sample.facts, self.rules.texts), rng
            skipped["undecodable image"] += 1
        raise RunError(f"{_TRIES} records in a row have images that do not decode; the shards are damaged")

    def _drawn_by(self, place: int, epoch: int) -> np.random.Generator:
        return np.random.default_rng([self.rules.seed, epoch, *(int(w) for w in self.plan.words[place])])

    def _pixels(self, sample: Sample, rng: np.random.Generator) -> Pixels | None:
        if not self.rules.augment:
            return preprocess.decode(sample.image, self.side)
        image = preprocess.read(sample.image)
        return None if image is None else augmented(preprocess.square(image, self.side), rng)

    def _exchanged(self, own: Sequence[str], rows: NDArray[np.int64], step: int) -> list[str]:
        """Some images get another record's text; how right it is the labels say (2210.10163, section 3.3)."""
        rng = np.random.default_rng([self.rules.seed, 2, step, self.distributed.rank])
        away = rng.random(len(own)) < self.rules.unpaired
        others = rng.integers(0, len(self.plan.shards), len(own))
        return [self.plan.shards.text(int(o)) if a else t for t, a, o in zip(own, away, others, strict=True)]


def augmented(image: Pixels, rng: np.random.Generator) -> Pixels:
    """uint8[side, side, c] zoomed, shifted and relit a little; never flipped, for reports state sides."""
    side = image.shape[0]
    zoom = 1 + _ZOOM * rng.uniform(-1, 1)
    wide = zoom * (1 + _ZOOM / 3 * rng.uniform(-1, 1))
    gain, light = 1 + _CONTRAST * rng.uniform(-1, 1), _BRIGHTNESS * rng.uniform(-1, 1)
    middle, shift = (side - 1) / 2, _SHIFT * side * rng.uniform(-1, 1, 2)
    matrix = np.array([[wide, 0, middle * (1 - wide) + shift[0]], [0, zoom, middle * (1 - zoom) + shift[1]]])
    moved: NDArray[Any] = cv2.warpAffine(image, matrix, (side, side), flags=cv2.INTER_LINEAR)
    table = np.clip(np.arange(256) * gain + light, 0, 255)
    table[0] = 0  # what is black was outside the picture
    return np.asarray(cv2.LUT(moved, np.rint(table).astype(np.uint8)), np.uint8).reshape(side, side, image.shape[2])


def load(steps: Steps, workers: int) -> Iterator[Batch]:
    """The steps in order, made by ``workers`` processes ahead of the model; by this one where there are none."""
    loader = DataLoader(
        steps,
        batch_size=None,
        num_workers=workers,
        prefetch_factor=4 if workers else None,
        pin_memory=steps.distributed.device.startswith("cuda"),
        multiprocessing_context="forkserver" if workers else None,
    )
    try:
        yield from loader
    except RunError as error:  # of a worker: torch puts the worker's whole traceback into the text
        said = str(error).strip().splitlines()[-1]
        raise RunError(said.rpartition("RunError: ")[2]) from None
