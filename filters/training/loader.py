"""The final model's training data: batches of shards, decoded, augmented and tokenised in worker processes,
reproducible from any step on; and steps of micro-batches on the device, curated if configured.

Randomness of a record depends on the seed, the epoch and the record's key, not on the process, the worker or the
position in the batch. So two processes see the halves of what one would see.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from curate.errors import RecipeError, RunError
from filters.rules import TrainingRules
from filters.towers import preprocess
from filters.towers.encoder import Filter
from filters.towers.preprocess import Pixels
from filters.towers.tokenizer import TextTokenizer
from filters.training.augment import BRIGHTNESS, CONTRAST, SHIFT, ZOOM
from filters.training.distributed import DistributedContext
from filters.training.loop import Step, to_device
from filters.training.objectives.protocol import DeviceBatch, Labeller
from filters.training.plan import Plan
from filters.training.shards import Sample, Shards

if TYPE_CHECKING:
    from filters.training.curation import Curator

CAPTION = "caption"  # the whole text of the record
_SAMPLE = 200  # records looked at for the texts that there are
_MAX_TRIES = 8  # records tried in place of one that does not decode


@dataclass(frozen=True, eq=False)
class Batch:
    """This process's part of a step, n pairs."""

    step: int
    epoch: int
    pixels: torch.Tensor  # uint8[n, c, side, side], c 1 (all grey) or 3
    ids: torch.Tensor  # int64[n, context_length]
    labels: dict[str, torch.Tensor]
    reference_ids: torch.Tensor | None  # the same texts by the reference's tokenizer, if there is one
    skipped: Counter[str]  # replaced records, by reason

    def pin_memory(self) -> Batch:
        """Pinned tensors, which a GPU copies asynchronously; called by torch's loader."""
        labels = {name: values.pin_memory() for name, values in self.labels.items()}
        other = None if self.reference_ids is None else self.reference_ids.pin_memory()
        pinned = self.pixels.pin_memory(), self.ids.pin_memory()
        return replace(self, pixels=pinned[0], ids=pinned[1], labels=labels, reference_ids=other)


class Steps(Dataset[Batch]):
    """Item i is this process's part of step ``first + i`` of the plan. Picklable."""

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
        own_rows = rows[part]
        records = [self._record(int(row), epoch, skipped) for row in own_rows]
        own = [drawn[int(rng.integers(len(drawn)))] if len(drawn) > 1 else drawn[0] for _, drawn, rng in records]
        paired = self._unpaired_texts(own, own_rows, step) if self.rules.unpaired else own
        labels = self.labeller(own, paired) if self.labeller is not None else {}
        return Batch(
            step,
            epoch,
            torch.from_numpy(preprocess.stack([pixels for pixels, _, _ in records])).permute(0, 3, 1, 2),
            torch.from_numpy(self.tokenizer(paired)),
            {name: torch.from_numpy(np.ascontiguousarray(rows)) for name, rows in labels.items()},
            torch.from_numpy(self.reference(paired)) if self.reference is not None else None,
            skipped,
        )

    def _record(self, row: int, epoch: int, skipped: Counter[str]) -> tuple[Pixels, list[str], np.random.Generator]:
        """The record at ``row``, or if it does not decode the next one in the shards that does."""
        for index in range(row, row + _MAX_TRIES):
            sample = self.plan.shards.read(index % len(self.plan.shards))
            rng = self._rng_for(index % len(self.plan.shards), epoch)
            pixels = self._pixels(sample, rng)
            if pixels is not None:
                return pixels, choices(sample.text, sample.facts, self.rules.texts), rng
            skipped["undecodable image"] += 1
        raise RunError(f"{_MAX_TRIES} records in a row have images that do not decode; the shards are damaged")

    def _rng_for(self, index: int, epoch: int) -> np.random.Generator:
        return np.random.default_rng([self.rules.seed, epoch, *(int(w) for w in self.plan.words[index])])

    def _pixels(self, sample: Sample, rng: np.random.Generator) -> Pixels | None:
        if not self.rules.augment:
            return preprocess.decode(sample.image, self.side)
        image = preprocess.read(sample.image)
        return None if image is None else augment_image(preprocess.square(image, self.side), rng)

    def _unpaired_texts(self, own: Sequence[str], rows: NDArray[np.int64], step: int) -> list[str]:
        """Replace some texts by another record's; the labels say how well they match (2210.10163, section 3.3)."""
        rng = np.random.default_rng([self.rules.seed, 2, step, self.distributed.rank])
        exchanged = rng.random(len(own)) < self.rules.unpaired
        others = rng.integers(0, len(self.plan.shards), len(own))
        return [self.plan.shards.text(int(o)) if a else t for t, a, o in zip(own, exchanged, others, strict=True)]


def augment_image(image: Pixels, rng: np.random.Generator) -> Pixels:
    """uint8[side, side, c] slightly zoomed, shifted and changed in brightness; never flipped: reports state sides.
    `filters.training.augment.augment` of one picture, by OpenCV: a seventh of the time on a CPU."""
    side = image.shape[0]
    zoom = 1 + ZOOM * rng.uniform(-1, 1)
    wide = zoom * (1 + ZOOM / 3 * rng.uniform(-1, 1))
    gain, light = 1 + CONTRAST * rng.uniform(-1, 1), BRIGHTNESS * rng.uniform(-1, 1)
    middle, shift = (side - 1) / 2, SHIFT * side * rng.uniform(-1, 1, 2)
    matrix = np.array([[wide, 0, middle * (1 - wide) + shift[0]], [0, zoom, middle * (1 - zoom) + shift[1]]])
    moved: NDArray[Any] = cv2.warpAffine(image, matrix, (side, side), flags=cv2.INTER_LINEAR)
    table = np.clip(np.arange(256) * gain + light, 0, 255)
    table[0] = 0  # black is outside of the picture
    return np.asarray(cv2.LUT(moved, np.rint(table).astype(np.uint8)), np.uint8).reshape(side, side, image.shape[2])


def load(steps: Steps, workers: int) -> Iterator[Batch]:
    """The steps in order, prefetched by ``workers`` processes, or made in this process if there are none."""
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
    except RunError as error:  # of a worker: torch's message contains the worker's traceback
        message = str(error).strip().splitlines()[-1]
        raise RunError(message.rpartition("RunError: ")[2]) from None


def choices(text: str, facts: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    """The record's texts among ``names``: caption, sections of the report, or fields of its facts (``synthetic``).

    The whole text if it has none of them.
    """
    fields = _text_fields(text, facts)
    usable = [fields[n] for n in names if isinstance(fields.get(n), str) and fields[n].strip()]
    return usable or [text]


def check_texts(shards: Shards, names: Sequence[str]) -> None:
    """RecipeError if no record of an even sample has any of the ``names``: they are misspelt or missing."""
    samples = [shards.read(int(i)) for i in np.linspace(0, len(shards) - 1, min(len(shards), _SAMPLE))]
    if CAPTION in names or any(_text_fields(s.text, s.facts).get(n) for s in samples for n in names):
        return
    sections = {key for s in samples for key in _text_fields(s.text, s.facts)["sections"]}
    problem = f"none of {len(samples)} records looked at has {' or '.join(names)}"
    raise RecipeError("train.texts", problem, ", ".join([CAPTION, *sorted(sections)]))


def _text_fields(text: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    sections = facts.get("sections")
    inside = sections if isinstance(sections, dict) else {}
    return {**facts, **inside, CAPTION: text, "sections": inside}


def shard_steps(
    steps: Steps, workers: int, window: int, learner: Filter, skipped: Counter[str], curator: Curator | None = None
) -> Iterator[Step]:
    """The remaining steps of the plan, with a row every ``window`` steps. ``skipped`` counts replaced records."""
    total, rules = steps.plan.steps, steps.rules
    for number, batch in enumerate(load(steps, workers), steps.first + 1):
        skipped.update(batch.skipped)
        chosen = batch if curator is None else curator(batch, learner, steps.distributed)
        parts = _micro_batches(chosen, learner, rules.accumulate, (number - 1) / total)
        yield Step(parts, batch.epoch + 1, rules.batch, number % window == 0 or number == total)


def _micro_batches(batch: Batch, learner: Filter, parts: int, done: float) -> list[DeviceBatch]:
    """The micro-batches; pixels are transferred as bytes and scaled on the device."""
    batches = []
    for piece in np.array_split(np.arange(len(batch.ids)), parts):
        rows = slice(int(piece[0]), int(piece[-1]) + 1)
        labels = {name: to_device(values[rows], learner.device) for name, values in batch.labels.items()}
        pixels = learner.scaled(to_device(batch.pixels[rows], learner.device))
        batches.append(DeviceBatch(pixels, to_device(batch.ids[rows], learner.device), labels, done))
    return batches
