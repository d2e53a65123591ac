"""The binary filter: a classifier that tells clean pairs from the pool's (Fang et al., arXiv 2309.17425).

That paper's finding is the reason it is here: it learns what clean pairs look like, not whether the text is the
image's, and so filters worse than a network trained on the pairs themselves. Column "": the log-odds of a logistic
regression on frozen embeddings of image and text and their product.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from curate.errors import RunError
from filters.linear import Linear
from filters.method import (
    Batch,
    Progress,
    Records,
    Scores,
    TrainingSet,
    of_valid,
    reading,
    write_card,
)
from filters.methods.two_towers import Towers
from filters.metrics import auroc
from filters.registry import BinaryRules as Rules
from filters.score import Needs, prepare
from filters.towers.model import open_towers
from filters.training.distributed import determinism
from filters.training.filter import own_towers
from filters.training.plan import hold_out

_PENALTY = 0.1  # a pair, of half the squared weights of standardised features
_ARRAYS = ("center", "scale", "weights")
LEAST = 8  # clean and pool pairs, each, below which nothing is learned


class Binary:
    """A `filters.method.Method`."""

    columns: tuple[str, ...] = ("",)

    def __init__(self, towers: Towers, classifier: Linear) -> None:
        self.towers, self.classifier, self.native = towers, classifier, towers.native
        self.sides: tuple[int, ...] = towers.sides

    def __call__(self, batch: Batch) -> Scores:
        """float32[n] log-odds; NaN exactly where the image did not decode."""
        return of_valid(batch, self.columns, lambda b: self.classifier(features(*self.towers.embed(b)))[:, None])


def features(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.float64]:
    """float64[n, 3 d]: the unit rows of images and texts, and their product times d, whose mean is the cosine."""
    return np.hstack([left, right, left * right * left.shape[1]]).astype(np.float64)


def train(data_: TrainingSet, out: Path, rules: Rules, progress: Progress | None = None) -> dict[str, float]:
    """Train the classifier, clean against pool, and write the filter's folder, its towers included.

    RunError where either side has fewer than eight pairs; RecipeError where the encoder is no filter.
    """
    if min(len(data_.clean), len(data_.pool)) < LEAST:
        found = f"{len(data_.clean)} clean and {len(data_.pool)} pool pairs"
        raise RunError(f"{found}: the binary filter tells one from the other and needs {LEAST} of each")
    out.mkdir(parents=True, exist_ok=True)
    clean, pool = data_.clean.sorted(), data_.pool.at_most(round(rules.share * len(data_.clean)))
    both = clean.images + pool.images, clean.texts + pool.texts, clean.groups + pool.groups
    towers = Towers(own_towers(rules, *both, out), None)
    with determinism(rules.seed, rules.threads):
        rows = [_rows(towers, records) for records in (clean, pool)]
        if min(len(r) for r, _ in rows) < LEAST:
            raise RunError(f"of the clean or the pool's pairs fewer than {LEAST} have an image that decodes")
        classifier, metrics = _fit(rows, rules)
    if progress is not None:
        progress(1, 1, metrics)
    arrays = {name: getattr(classifier, name) for name in _ARRAYS} | {"intercept": np.array([classifier.intercept])}
    save_file(arrays, out / "model.safetensors")
    about = {**towers.filter.preprocessing, "native": towers.native}
    write_card(out, "binary", rules, data_, metrics, preprocessing=about)
    return metrics


def load(folder: Path, device: str = "auto") -> Binary:
    """The filter in ``folder``; RecipeError naming the file where one is missing, damaged or of another shape."""
    towers = Towers(open_towers(folder, device), None)
    with reading(folder / "model.safetensors"):
        found = load_file(folder / "model.safetensors")
        (center, scale, weights), width = (found[n] for n in _ARRAYS), 3 * int(towers.filter.config["embed_dim"])
        if any(rows.shape != (width,) for rows in (center, scale, weights)) or found["intercept"].shape != (1,):
            raise ValueError
        classifier = Linear(center, scale, weights, float(found["intercept"][0]))
    return Binary(towers, classifier)


def _rows(towers: Towers, records: Records) -> tuple[NDArray[np.float64], list[str]]:
    """Features of the pairs whose image decodes, and their patients."""
    batches = prepare(records.images, records.texts, Needs(towers.sides, towers.native), 64)
    rows = np.concatenate([features(*towers.embed(batch)) for batch in batches])
    valid = np.isfinite(rows[:, 0])
    return rows[valid], [group for group, v in zip(records.groups, valid, strict=True) if v]


def _fit(rows: list[tuple[NDArray[np.float64], list[str]]], rules: Rules) -> tuple[Linear, dict[str, float]]:
    """Logistic regression with both sides weighing the same; measured on held-out patients."""
    x = np.concatenate([r for r, _ in rows])
    clean = np.repeat([True, False], [len(r) for r, _ in rows])
    held_out = hold_out([g for _, groups in rows for g in groups], rules.holdout, rules.seed)
    taught = clean[~held_out]
    if taught.all() or not taught.any():
        raise RunError("all clean pairs, or all of the pool's, are of patients held out: give pairs of more patients")
    classifier = Linear.of(x[~held_out], taught, np.where(taught, 1 / taught.sum(), 1 / (~taught).sum()), _PENALTY)
    found = classifier(x[held_out])
    measured = {"train_pairs": float((~held_out).sum()), "holdout_pairs": float(held_out.sum())}
    return classifier, measured | {"holdout_auroc_clean_against_pool": auroc(found, clean[held_out])}
