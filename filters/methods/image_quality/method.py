"""What a picture is worth by itself, without its report: is it a radiograph at all, and is there anything on it?

Columns, of all more is better: "" their sum; "blank" that it is not of one tone or of noise only; "nonradiology" that
it is like the archive's clean pictures and not like a photograph, a screen, a chart or a page; "text" that no writing
is left in it. One class against the rest (Tax and Duin 2004): plain statistics of tones, edges, frequencies and colour,
whitened, their distance to the nearest of a bank of clean pictures, and a linear judge between clean pictures and
drawn wrong ones. No picture is kept, only the statistics of some.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from curate.errors import RunError
from filters.banks import digests
from filters.method import Batch, Progress, Scores, TrainingSet, of_valid, read_card, reading, write_card
from filters.methods.image_quality.features import BLANK, NAMES, describe, text_share
from filters.methods.image_quality.negatives import draw_negative
from filters.metrics import auroc
from filters.registry import ImageQualityRules as Rules
from filters.towers import preprocess

_LEAST = 16  # clean pictures
_NEAREST = 5
_SHRINK = 0.1  # of the covariance towards its diagonal (Ledoit and Wolf 2004, with a constant)
_RIDGE = 3.0  # of the judge's squared weights
_CLIP = 6.0  # whitened values beyond this say no more
_PARTS = {"blank": 1.0, "nonradiology": 1.0, "text": 0.25}
_WORST = -6.0  # the least a part can take away, in spreads of the clean set
_TEXT_UNIT = 0.004  # share of the picture: half a short line

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Bank:
    """What clean pictures are like. ``whiten`` takes statistics less ``middle`` to equal, independent spreads."""

    middle: Array  # [d]
    whiten: Array  # [d, d]
    known: Array  # [bank, d], whitened
    judge: Array  # [1 + 2 d + 1]: constant, whitened values, their squares, the distance
    blank: Array  # [2, 2]: median and spread of the two measures
    usual: Array  # [2]: median and spread of clean pictures' judgement

    def judgement(self, described: Array) -> Array:
        """float64[n]: log-odds of a clean picture against a drawn one, from statistics float64[n, d]."""
        return self.evidence(described) @ self.judge

    def evidence(self, described: Array, leave_out: bool = False) -> Array:
        """float64[n, 2 d + 2]; ``leave_out`` ignores the nearest, for pictures that are in the bank themselves."""
        white = np.clip((described - self.middle) @ self.whiten, -_CLIP, _CLIP)
        squares = (white**2).sum(axis=1)[:, None] + (self.known**2).sum(axis=1)[None] - 2 * white @ self.known.T
        first = int(leave_out)
        nearest = np.sort(np.sqrt(np.maximum(squares, 0)), axis=1)[:, first : first + _NEAREST].mean(axis=1)
        return np.column_stack([np.ones(len(white)), white, white**2, nearest])


def train(training: TrainingSet, out: Path, rules: Rules, progress: Progress | None = None) -> dict[str, float]:
    """Learn what clean pictures are like; RunError where fewer than 16 decode."""
    rng = np.random.default_rng(rules.seed)
    clean = training.clean.at_most(rules.max_images)
    decoded = ((key, preprocess.decode(image, rules.side)) for key, image in zip(clean.keys, clean.images, strict=True))
    named = [(key, p) for key, p in decoded if p is not None]
    keys, pictures = [key for key, _ in named], [p for _, p in named]
    if len(pictures) < _LEAST:
        raise RunError(f"{len(pictures)} images of the clean set decode, image_quality needs {_LEAST}: declare more")
    described = np.array([describe(p) for p in pictures])
    drawn = np.array([describe(draw_negative(rules.side, rng)) for _ in range(rules.drawn)])
    held_out = np.arange(len(pictures)) % 5 == 4
    bank = _learn(described[~held_out], drawn[::2], rules.bank)
    bank = _with_usual(bank, described[held_out])
    found = np.r_[bank.judgement(described[held_out]), bank.judgement(drawn[1::2])]
    metrics = {
        "holdout_auroc": auroc(found, np.arange(len(found)) < held_out.sum()),
        "holdout_images": float(held_out.sum()),
        "train_images": float((~held_out).sum()),
    }
    out.mkdir(parents=True, exist_ok=True)
    arrays = {name: np.ascontiguousarray(getattr(bank, name)) for name in _ARRAYS}
    names = digests(keys)[~held_out][: rules.bank]
    save_file({**arrays, "names": names}, out / "bank.safetensors")
    write_card(out, "image_quality", rules, training, metrics, preprocessing={"side": rules.side}, statistics=NAMES)
    return metrics


_ARRAYS = ("middle", "whiten", "known", "judge", "blank", "usual")


def load(folder: Path, device: str = "auto") -> ImageQuality:
    """The filter `train` wrote; RecipeError where the folder is another's or damaged."""
    card = read_card(folder)
    with reading(folder / "bank.safetensors"):
        found = load_file(folder / "bank.safetensors")
        bank, side = Bank(**{name: found[name] for name in _ARRAYS}), int(card["rules"]["side"])
        if bank.middle.shape != (len(NAMES),):
            raise ValueError
    return ImageQuality(bank, side)


class ImageQuality:
    """The trained filter, a `filters.method.Method` of pictures alone."""

    native = False
    columns = ("", *_PARTS)

    def __init__(self, bank: Bank, side: int) -> None:
        self.bank = bank
        self.sides: tuple[int, ...] = (side,)

    def __call__(self, batch: Batch) -> Scores:
        """float32[n] a column, in spreads of the clean set around its median; NaN where the image did not decode."""
        return of_valid(batch, self.columns, self._score)

    def _score(self, batch: Batch) -> Array:
        parts = self._parts([_grey_if_grey(picture) for picture in batch.images[self.sides[0]]])
        return np.column_stack([np.clip(parts, _WORST, 1.0) @ np.array(list(_PARTS.values())), parts])

    def _parts(self, pictures: Sequence[preprocess.Pixels]) -> Array:
        described = np.array([describe(p) for p in pictures])
        like = (self.bank.judgement(described) - self.bank.usual[0]) / self.bank.usual[1]
        blank = ((described[:, BLANK] - self.bank.blank[:, 0]) / self.bank.blank[:, 1]).min(axis=1)
        text = np.array([-np.log1p(text_share(p) / _TEXT_UNIT) for p in pictures])
        return np.column_stack([blank, like, text])


def _grey_if_grey(picture: preprocess.Pixels) -> preprocess.Pixels:
    """A grey picture that was given three channels for its neighbours' sake is grey again."""
    if picture.shape[2] == 3 and (picture[..., :1] == picture).all():
        return picture[..., :1]
    return picture


def _learn(clean: Array, drawn: Array, size: int) -> Bank:
    middle = np.median(clean, axis=0)
    covariance = np.cov(clean, rowvar=False)
    covariance = (1 - _SHRINK) * covariance + _SHRINK * np.diag(np.diag(covariance)) + 1e-4 * np.eye(len(middle))
    values, vectors = np.linalg.eigh(covariance)
    whiten = (vectors / np.sqrt(values)) @ vectors.T
    known = np.clip((clean - middle) @ whiten, -_CLIP, _CLIP)[:size]
    empty = np.zeros(0)
    bank = Bank(middle, whiten, known, empty, empty, empty)
    x = np.r_[bank.evidence(clean, leave_out=True), bank.evidence(drawn)]
    judge = _separate(x, np.arange(len(x)) < len(clean))
    return Bank(middle, whiten, known, judge, empty, empty)


def _separate(x: Array, clean: NDArray[np.bool_]) -> Array:
    """Ridge logistic regression, both classes of equal weight; the first column is the constant."""
    from sklearn.linear_model import LogisticRegression  # where a bank is learned alone

    judge = LogisticRegression(C=1 / _RIDGE, class_weight="balanced", solver="newton-cholesky", tol=1e-8)
    judge.fit(x[:, 1:], clean)
    return np.asarray(np.r_[judge.intercept_, judge.coef_[0]])


def _with_usual(bank: Bank, held_out: Array) -> Bank:
    blank = np.array([_scale(column) for column in held_out[:, BLANK].T])
    usual = np.array(_scale(bank.judgement(held_out)))
    return Bank(bank.middle, bank.whiten, bank.known, bank.judge, blank, usual)


def _scale(values: Array) -> tuple[float, float]:
    """Median and robust spread."""
    middle = float(np.median(values))
    return middle, max(float(np.median(np.abs(values - middle))) * 1.4826, 0.1)
