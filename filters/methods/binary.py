"""The binary filter: a classifier that tells clean pairs from the pool's (Fang et al., arXiv 2309.17425).

That paper's finding is the reason it is here: it learns what clean pairs look like, not whether the text is the
image's, and so filters worse than a network trained on the pairs themselves. Column "": the classifier's log-odds, on
frozen embeddings of image and text and their product.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from curate.errors import RecipeError, RunError
from filters.method import (
    Batch,
    Progress,
    Records,
    Scores,
    TrainingSet,
    checkpoint_hash,
    of_valid,
    read_card,
    write_card,
)
from filters.metrics import auroc
from filters.registry import BinaryRules as Rules
from filters.rules import FilterTrainingRules
from filters.towers import preprocess
from filters.towers.blocks import Blocks
from filters.towers.model import TOWERS, Filter, bring_towers, open_towers
from filters.towers.weights import fill, read_folder, write_state
from filters.training.curve import write_epochs
from filters.training.distributed import DistributedContext, determinism
from filters.training.filter import train_filter
from filters.training.loop import Course, Trainer, epoch_steps, train_epochs
from filters.training.objectives.protocol import DeviceBatch, Features, Objective
from filters.training.plan import hold_out

LEAST = 8  # clean and pool pairs, each, below which nothing is learned


class Classifier(torch.nn.Module):
    """float32[n, 3 d] features to log-odds float32[n]; standardised by the training set's mean and scale."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.mean, self.scale = torch.nn.Buffer(torch.zeros(width)), torch.nn.Buffer(torch.ones(width))
        first = torch.nn.Linear(width, hidden or 1)
        self.layers = torch.nn.Sequential(first, torch.nn.GELU(), torch.nn.Linear(hidden, 1)) if hidden else first

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """See the class."""
        return torch.as_tensor(self.layers((features - self.mean) * self.scale)[:, 0])


class TellApart(Objective):
    """Cross-entropy of the log-odds of rows (in place of pixels) with 1 for a clean pair, 0 for the pool's (of ids)."""

    def features(self, model: torch.nn.Module, batch: DeviceBatch) -> Features:
        """The log-odds and the truth."""
        return {"odds": model(batch.pixels), "truth": batch.ids, "weight": batch.labels["weight"]}

    def loss(
        self, features: Features, model: torch.nn.Module, distributed: DistributedContext
    ) -> dict[str, torch.Tensor]:
        """Each side weighs the same."""
        odds, truth, weight = (features[name] for name in ("odds", "truth", "weight"))
        return {"loss": torch.nn.functional.binary_cross_entropy_with_logits(odds, truth, weight)}


class Binary:
    """A `filters.method.Method`."""

    native = False
    columns: tuple[str, ...] = ("",)

    def __init__(self, towers: Filter, classifier: Classifier) -> None:
        self.towers, self.classifier = towers, classifier.to(towers.device).eval()
        self.blocks = Blocks(towers.device)
        self.sides: tuple[int, ...] = (towers.side,)

    def __call__(self, batch: Batch) -> Scores:
        """float32[n] log-odds; NaN exactly where the image did not decode."""
        return of_valid(batch, self.columns, self._score)

    def _score(self, batch: Batch) -> NDArray[np.float32]:
        found = features(self.towers, self.blocks, batch.pixels(self.towers.side), batch.texts)
        return self.blocks(lambda f: self.classifier(f.to(self.towers.device))[:, None], torch.from_numpy(found))


def features(towers: Filter, blocks: Blocks, pixels: torch.Tensor, texts: list[str]) -> NDArray[np.float32]:
    """float32[n, 3 d]: the unit vectors of image and text, and their product times d, whose mean is the cosine."""
    left = blocks(towers.encode_images, pixels)
    ids = torch.from_numpy(np.asarray(towers.tokenizer(texts), np.int64))
    lengths = towers.lengths(ids.to(towers.device)).cpu()
    right = blocks.by_length(towers.encode_ids, lengths, ids).cpu().numpy()
    return np.concatenate([left, right, left * right * left.shape[1]], axis=1)


def train(data_: TrainingSet, out: Path, rules: Rules, progress: Progress | None = None) -> dict[str, float]:
    """Train the classifier, clean against pool, and write the filter's folder, its towers included.

    RunError where either side has fewer than eight pairs or the loss leaves the numbers; RecipeError where no image
    decodes or the encoder is no filter.
    """
    if min(len(data_.clean), len(data_.pool)) < LEAST:
        found = f"{len(data_.clean)} clean and {len(data_.pool)} pool pairs"
        raise RunError(f"{found}: the binary filter tells one from the other and needs {LEAST} of each")
    out.mkdir(parents=True, exist_ok=True)
    clean, pool = data_.clean.sorted(), data_.pool.at_most(round(rules.share * len(data_.clean)))
    towers = _encoder(rules, clean, pool, out)
    with determinism(rules.seed, rules.threads):
        rows = [_rows(towers, records) for records in (clean, pool)]
        classifier = Classifier(rows[0][0].shape[1], rules.hidden)
        metrics = _fit(classifier, rows, rules, out, progress)
    write_state(classifier.state_dict(), out / "model.safetensors")
    public = replace(rules, encoder=checkpoint_hash(rules.encoder))
    write_card(out, "binary", public, data_, metrics, preprocessing=towers.preprocessing)
    return metrics


def load(folder: Path, device: str = "auto") -> Binary:
    """The filter in ``folder``; RecipeError naming the file where one is missing, damaged or of another shape."""
    hidden = read_card(folder).get("rules", {}).get("hidden")
    if not isinstance(hidden, int):
        raise RecipeError("filter", f"{folder.name}/card.json says no rules.hidden", "train the filter again")
    towers = open_towers(folder, device)
    width = 3 * int(towers.config["embed_dim"])
    classifier = Classifier(width, hidden)
    fill(classifier, read_folder(folder), f"{folder.name}/model.safetensors")
    return Binary(towers, classifier)


def _encoder(rules: Rules, clean: Records, pool: Records, out: Path) -> Filter:
    """The towers, copied into the filter's folder, or trained there."""
    if rules.encoder is not None:
        read_card(Path(rules.encoder))
        bring_towers(Path(rules.encoder), out)
    else:
        how = FilterTrainingRules(seed=rules.seed, threads=rules.threads, device=rules.device)
        both = (clean.images + pool.images, clean.texts + pool.texts, clean.groups + pool.groups)
        train_filter(*both, out / TOWERS, how)
    return open_towers(out, rules.device)


def _rows(towers: Filter, records: Records) -> tuple[torch.Tensor, list[str]]:
    pixels, good = preprocess.decode_all(records.images, towers.side)
    kept = records.take(good)
    shown = torch.from_numpy(pixels).permute(0, 3, 1, 2)
    return torch.from_numpy(features(towers, Blocks(towers.device), shown, kept.texts)), kept.groups


def _fit(
    classifier: Classifier,
    rows: list[tuple[torch.Tensor, list[str]]],
    rules: Rules,
    out: Path,
    progress: Progress | None,
) -> dict[str, float]:
    """Cross-entropy with both sides weighing the same; measured on held-out patients."""
    x = torch.cat([r for r, _ in rows])
    y = torch.cat([torch.full((len(r),), float(i == 0)) for i, (r, _) in enumerate(rows)])
    held_out = torch.from_numpy(hold_out([g for _, groups in rows for g in groups], rules.holdout, rules.seed))
    train_x, train_y = x[~held_out], y[~held_out]
    classifier.mean.copy_(train_x.mean(0))
    classifier.scale.copy_(1 / train_x.std(0).clamp(min=1e-3))
    weight = torch.where(train_y > 0, 0.5 / train_y.mean(), 0.5 / (1 - train_y.mean()))
    rng = np.random.default_rng(rules.seed)

    def draw() -> list[NDArray[np.int64]]:
        order = rng.permutation(len(train_x))
        return [order[start : start + rules.batch] for start in range(0, len(order), rules.batch)]

    def see(index: NDArray[np.int64], done: float) -> DeviceBatch:
        return DeviceBatch(train_x[index], train_y[index], {"weight": weight[index]}, done)

    trainer = Trainer(classifier, TellApart(), Course.of(rules), DistributedContext())
    curve = train_epochs(trainer, epoch_steps(rules.epochs, draw, see), rules.epochs, progress)
    write_epochs(out, curve)
    with torch.no_grad():
        found = classifier(x[held_out]).numpy()
    measured = {"loss": curve[-1]["loss"], "train_pairs": float(len(train_x)), "holdout_pairs": float(held_out.sum())}
    return measured | {"holdout_auroc_clean_against_pool": auroc(found, y[held_out].numpy() > 0)}
