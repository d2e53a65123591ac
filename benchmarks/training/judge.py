"""A model against the truth that the synthetic films were drawn by, on right pairs it never saw."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.filters.pool import BY_NAME, Pool
from curate.synth.faults import swap_sides
from filters.methods.two_towers import Towers
from filters.metrics import auroc, ranks
from filters.score import Needs, prepare


@dataclass(frozen=True)
class Judged:
    """What a model is worth: image-to-text R@1 and R@10, zero-shot finding AUROC, AUROC of the side."""

    r1: float
    r10: float
    zero_shot: float
    side: float


def measure(model: Towers, held: Pool) -> Judged:
    """On right pairs. A text counts as right for every film that shows the same findings on the same sides."""
    batches = list(prepare(held.records.images, held.records.texts, Needs((model.filter.side,)), 64))
    left, right = (np.concatenate(part) for part in zip(*(model.embed(b) for b in batches), strict=True))
    texts = [str(sorted(s[:2] for s in seen)) for seen in held.seen]
    first, text = np.unique(texts, return_index=True, return_inverse=True)[1:]
    rank = ranks(left, right[first], np.arange(len(left)), text)
    return Judged(
        float((rank <= 1).mean()), float((rank <= 10).mean()), _zero_shot(model, left, held), _side(model, left, held)
    )


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
