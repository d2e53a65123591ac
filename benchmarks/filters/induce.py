"""The induced model: a CLIP from scratch on what a filter kept, at equal steps, measured on right pairs it never saw.

Every selection gets the same architecture, number of steps and batch; a smaller selection is seen more often.
"""

from __future__ import annotations

import math
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.filters.pool import BY_NAME, Pool
from curate.synth.faults import swap_sides
from filters.measure import auroc, retrieval
from filters.method import Records
from filters.methods.towers import Towers
from filters.model import load_filter
from filters.score import Needs, prepare
from filters.train import TrainRules, train_filter


@dataclass(frozen=True)
class Induced:
    """What one induced model is worth: image-to-text R@1 and R@10, zero-shot finding AUROC, AUROC of the side."""

    r1: float
    r10: float
    zero_shot: float
    side: float


def induce(kept: Records, held: Pool, samples: int, rules: TrainRules) -> Induced:
    """Train on ``kept`` for ``samples`` pairs seen and measure on ``held``, right pairs all."""
    epochs = max(1, round(samples / max(len(kept), 1)))
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "model"
        train_filter(kept.images, kept.texts, kept.groups, out, replace(rules, epochs=epochs, holdout=0.0))
        return measure(Towers(load_filter(out, rules.device), None), held)


def measure(model: Towers, held: Pool) -> Induced:
    """On right pairs. A text counts as right for every film that shows the same findings on the same sides."""
    batches = list(prepare(held.records.images, held.records.texts, Needs((model.filter.side,)), 64))
    left, right = (np.concatenate(part) for part in zip(*(model.embed(b) for b in batches), strict=True))
    found = retrieval(left, right, [str(sorted(s[:2] for s in seen)) for seen in held.seen], (1, 10))
    return Induced(found[1], found[10], _zero_shot(model, left, held), _side(model, left, held))


def _zero_shot(model: Towers, left: NDArray[np.float32], held: Pool) -> float:
    """Mean AUROC over findings of "there is" against "there is no"."""
    values = []
    for name in BY_NAME:
        shows = np.array([any(s[0] == name for s in seen) for seen in held.seen])
        prompts = [f"There is {name}.", f"No {name}."]
        yes, no = model.embed_texts(prompts)
        values.append(auroc(left @ yes - left @ no, shows))
    return float(np.mean(values))


def _side(model: Towers, left: NDArray[np.float32], held: Pool) -> float:
    """How often a film is closer to its own report than to the same report with the sides swapped."""
    rows = [i for i, seen in enumerate(held.seen) if len({s[1] for s in seen if s[1]}) == 1]
    own = [held.records.texts[i] for i in rows]
    swapped = [swap_sides(text) for text in own]
    cosine = [(left[rows] * model.embed_texts(texts)).sum(axis=1) for texts in (own, swapped)]
    better = (cosine[0] > cosine[1]).mean() + (cosine[0] == cosine[1]).mean() / 2
    return float(better) if rows else math.nan
