"""Training steps from clean pairs in memory: batches of distinct texts, optionally mirrored, with edited texts as hard
negatives, and curated by a reference (a grey 64 px pair takes 4.6 kB)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from curate.errors import RecipeError, RunError
from filters.rules import FilterTrainingRules
from filters.towers import preprocess
from filters.towers.lit import LitModel
from filters.towers.model import Filter, load_filter
from filters.training.augment import Variants, augment, make_variants
from filters.training.curation import logits_of, select_jointly
from filters.training.loop import Step, epoch_steps, to_device
from filters.training.objectives.protocol import DeviceBatch
from filters.training.plan import batches

MIN_TEXTS = 8  # distinct texts that a training needs
_CHUNK = 32


@dataclass(frozen=True, eq=False)
class Pairs:
    """n pairs. Equal ``labels`` mark texts with equal token ids: they are no negatives of each other.

    Of frozen towers (`cached_features`) ``pixels`` are float32[n, f] and ``ids`` float32[n, g].
    """

    pixels: torch.Tensor  # uint8[n, c, side, side]
    ids: torch.Tensor  # int64[n, context_length]
    labels: NDArray[np.int64]
    groups: NDArray[np.str_]
    sentences: NDArray[np.object_] = field(default_factory=lambda: np.empty(0, object))  # the texts themselves

    def take(self, mask: NDArray[np.bool_]) -> Pairs:
        """The pairs under ``mask``."""
        rows = torch.from_numpy(mask)
        sentences = self.sentences[mask] if len(self.sentences) else self.sentences
        return Pairs(self.pixels[rows], self.ids[rows], self.labels[mask], self.groups[mask], sentences)


def decode_pairs(model: Filter, images: Sequence[bytes], texts: Sequence[str], groups: Sequence[str]) -> Pairs:
    """The pairs whose image decodes, in the form that ``model`` takes; RecipeError if none does."""
    pixels, decodable = preprocess.decode_all(images, model.side)
    ids = model.tokenizer([texts[i] for i in decodable])
    labels = np.unique(ids, axis=0, return_inverse=True)[1].reshape(-1)
    sentences = np.array([texts[i] for i in decodable], object)
    shown = torch.from_numpy(pixels).permute(0, 3, 1, 2)
    return Pairs(shown, torch.from_numpy(ids), labels, np.array([groups[i] for i in decodable]), sentences)


def embed(model: Filter, pairs: Pairs, chunk: int = 64) -> tuple[torch.Tensor, torch.Tensor]:
    """Unit rows float32[n, d] of all images, of all texts, on the CPU; no gradients."""
    with torch.inference_mode():
        left = torch.cat([model.encode_images(part).cpu() for part in torch.split(pairs.pixels, chunk)])
        right = torch.cat([model.encode_ids(part).cpu() for part in torch.split(pairs.ids, chunk)])
    return left.clone(), right.clone()


def cached_features(whole: Filter, model: LitModel, pairs: Pairs) -> Pairs:
    """``pairs`` as the frozen towers see them, which are run once; without augmentation, since each is encoded once."""
    features = torch.cat([model.image_features(whole.scaled(part)).cpu() for part in torch.split(pairs.pixels, _CHUNK)])
    return replace(pairs, pixels=features, ids=text_features(whole, model, pairs.ids))


def text_features(whole: Filter, model: LitModel, ids: torch.Tensor) -> torch.Tensor:
    """float32[n, g] of int64[n, context_length]; texts of similar length are batched together, to reduce padding."""
    lengths = (ids != model.masked_pad).sum(1)
    order = torch.argsort(lengths, stable=True)
    out = torch.zeros((len(ids), model.text_width))
    for rows in torch.split(order, _CHUNK) if len(ids) else ():
        longest = max(1, int(lengths[rows].max()))
        out[rows] = model.text_features(ids[rows, :longest].to(whole.device)).cpu()
    return out


@dataclass(frozen=True, eq=False)
class Reference:
    """A reference filter's unit rows of n pairs, images ``left`` and texts ``right``, and its t and b."""

    left: torch.Tensor
    right: torch.Tensor
    scale: float
    bias: float

    def take(self, mask: NDArray[np.bool_]) -> Reference:
        """The pairs under ``mask``."""
        selected = torch.from_numpy(mask)
        return replace(self, left=self.left[selected], right=self.right[selected])

    def logits(self, index: NDArray[np.int64]) -> torch.Tensor:
        """float32[k, k] of the pairs ``index``."""
        rows = torch.from_numpy(index)
        return self.scale * self.left[rows] @ self.right[rows].T + self.bias


def read_reference(
    folder: str, images: list[bytes], texts: list[str], groups: list[str], device: str = "auto"
) -> Reference:
    """The reference filter's embeddings of every pair. Pairs that do not decode are left out, as in `decode_pairs`.
    RecipeError if ``folder`` is no filter."""
    reference = load_filter(Path(folder), device)
    left, right = embed(reference, decode_pairs(reference, images, texts, groups))
    if not (left.isfinite().all() and right.isfinite().all()):
        raise RecipeError("filter.reference", f"{folder} answers NaN", "another reference")
    return Reference(left, right, *reference.logit())


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
    """The steps of a training on ``pairs``; with a ``reference`` each batch is chosen from a larger one."""

    def __init__(
        self, learner: Filter, pairs: Pairs, rules: FilterTrainingRules, reference: Reference | None = None
    ) -> None:
        self.learner, self.pairs, self.rules, self.reference = learner, pairs, rules, reference
        left_out = 0.0 if reference is None else rules.filter_ratio
        self.size = batch_size(pairs.labels, rules.batch, left_out)
        # size of the super-batch: 2406.17711's B = b / (1 - f)
        self.drawn = min(round(self.size / (1 - left_out)), len(np.unique(pairs.labels)))
        self.rng = np.random.default_rng(rules.seed)
        self.generator = torch.Generator().manual_seed(rules.seed)
        self.variants: Variants | None = None
        if rules.negatives or rules.mirror:
            kinds = rules.negative_kinds if rules.negatives else ()
            rng = np.random.default_rng([rules.seed, 1])
            self.variants = make_variants(list(pairs.sentences), kinds, bool(rules.mirror), self._encode, rng)

    def __iter__(self) -> Iterator[Step]:
        labels = self.pairs.labels
        return epoch_steps(self.rules.epochs, lambda: batches(labels, self.drawn, self.rng), self._make_batch)

    def _encode(self, texts: list[str]) -> torch.Tensor:
        """``texts`` in the form of the pairs' ids."""
        ids, model = torch.from_numpy(self.learner.tokenizer(texts)), self.learner.model
        return text_features(self.learner, model, ids) if isinstance(model, LitModel) else ids

    def _make_batch(self, index: NDArray[np.int64], done: float) -> DeviceBatch:
        if self.reference is not None:
            index = self._select(index, self.reference)
        pixels, ids, labels = self._rows(index)
        pixels = to_device(pixels, self.learner.device)  # as bytes
        if self.rules.augment and pixels.ndim == 4:
            pixels = augment(pixels, self.generator)
        moved = {name: to_device(rows, self.learner.device) for name, rows in labels.items()}
        return DeviceBatch(self.learner.scaled(pixels), to_device(ids, self.learner.device), moved, done)

    def _select(self, index: NDArray[np.int64], reference: Reference) -> NDArray[np.int64]:
        """The batch selected from a super-batch."""
        rows = torch.from_numpy(index)
        own = logits_of(self.learner, self.pairs.pixels[rows], self.pairs.ids[rows])
        size, chunks = min(self.size, len(index)), self.rules.chunks
        kind: Any = self.rules.objective
        chosen = select_jointly(own, reference.logits(index), size, chunks, self.generator, kind)
        return np.asarray(index[chosen.numpy()])

    def _rows(self, index: NDArray[np.int64]) -> tuple[torch.Tensor, torch.Tensor, dict[str, torch.Tensor]]:
        """Images and texts of the step, some mirrored; labels: the edited texts, and that equal texts are blocked."""
        rows = torch.from_numpy(index)
        pixels, ids = self.pairs.pixels[rows], self.pairs.ids[rows]
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
            wrong = self.variants.draw(index, flipped, self.rules.negatives, self.rng)
            labels |= {"wrong": wrong} if len(wrong) else {}
        return pixels, ids, labels
