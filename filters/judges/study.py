"""What the other pairs of a patient say of a pair: whether its text speaks of the same things as theirs, whether
theirs are right, and whether it would be more at home with another patient.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from filters.judges.spaces import Rows

Floats = NDArray[np.float64]
Index = NDArray[np.int64]

COLUMNS = 9
_LIKENESS = 6.0  # how much more the texts of pictures count that look like this one
_DOUBTED = 0.02  # how much a pair counts that is certainly wrong
_FEW = 5  # texts of other patients that are most alike, of which the mean is taken
_CHUNK = 512


@dataclass(frozen=True, eq=False)
class Memory:
    """Pairs that are remembered: ``names`` and ``groups`` digests uint64[n], rows of images and texts, the log-odds of
    each by the judges, and its posterior of being right."""

    names: NDArray[np.uint64]
    groups: NDArray[np.uint64]
    images: Rows
    texts: Rows
    log_odds: Rows
    posterior: Rows

    def columns(
        self, names: NDArray[np.uint64], groups: NDArray[np.uint64], images: Rows, texts: Rows, log_odds: Floats
    ) -> Floats:
        """float64[n, COLUMNS] of pairs; a pair that is remembered is not held against itself."""
        out = np.zeros((len(names), COLUMNS))
        members: dict[int, list[int]] = defaultdict(list)
        for row, group in enumerate(self.groups.tolist()):
            members[group].append(row)
        for start in range(0, len(names), _CHUNK):
            part = slice(start, start + _CHUNK)
            likeness = texts[part] @ self.texts.T
            elsewhere = np.where(groups[part][:, None] == self.groups[None], -1, likeness)
            few = min(_FEW, elsewhere.shape[1])
            best = -np.sort(-np.partition(elsewhere, -few, axis=1)[:, -few:], axis=1)
            for k, i in enumerate(range(*part.indices(len(names)))):
                others = [j for j in members[int(groups[i])] if self.names[j] != names[i]]
                out[i] = self._of_one(images[i], log_odds[i], likeness[k], others, best[k])
        return out

    def _of_one(self, image: Rows, log_odds: float, likeness: Rows, others: list[int], best: Rows) -> Floats:
        if not others:
            return np.array([log_odds, 0, 0, 0, 0, best[0], best.mean(), 0, 0])
        like = likeness[others]
        weight = np.exp(_LIKENESS * (self.images[others] @ image)) * (self.posterior[others] + _DOUBTED)
        mean, most = float((like * weight).sum() / weight.sum()), float(like.max())
        about = [float(self.log_odds[others].mean()), np.log(len(others) + 1)]
        return np.array([log_odds, mean, most, *about, best[0], best.mean(), most - best[0], mean - best.mean()])
