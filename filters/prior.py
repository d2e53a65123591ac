"""How common right pairs and each fault are in a pool: what a mixture's posteriors are to be multiplied by.

A mixture is fitted on faults that were planted, as many of each as could be. Its posteriors are then of such pairs, and
where it cannot tell a fault from right, every pair that could have it is suspected.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from filters.mixture import RIGHT, Mixture

Floats = NDArray[np.float64]
USUAL = "mismatch"  # the fault that the others are measured by
_ROUNDS = 50  # of EM


def factors(mixture: Mixture, features: Floats | None, rare: float) -> dict[str, float]:
    """What to multiply the mixture's posteriors by, a class each, so that they are of pairs as common as they are.

    Among the faults: a mismatch 1, another fault ``rare``, less as its AUROC on unseen pairs nears one half. Of right
    pairs as many as the pool has, by EM over its ``features``; without them as many to the faults as were planted.
    """
    own = dict(zip(mixture.classes, mixture.prior, strict=True))
    usual = own.get(USUAL, max(p for name, p in own.items() if name != RIGHT))
    found = {RIGHT: 1.0}
    for name in (n for n in mixture.classes if n != RIGHT):
        told = max(0.0, 2 * mixture.metrics[f"auroc_{name}"] - 1)
        found[name] = 1.0 if name == USUAL else rare * told * usual / own[name]
    if features is None:
        return found
    planted = min(own[RIGHT] / sum(own[name] * factor for name, factor in found.items()), 1 - 1e-6)
    right = weighed(mixture, found, features)[:, mixture.classes.index(RIGHT)]
    share = planted
    for _ in range(_ROUNDS):
        is_right, is_not = right * share / planted, (1 - right) * (1 - share) / (1 - planted)
        share = float((is_right / (is_right + is_not)).mean())
    return {n: f * (share / planted if n == RIGHT else (1 - share) / (1 - planted)) for n, f in found.items()}


def weighed(mixture: Mixture, factors: Mapping[str, float], features: Floats) -> Floats:
    """float64[n, classes], rows summing to 1: posteriors among classes as common as ``factors`` make them."""
    weighted = mixture.posterior(features) * np.array([factors.get(name, 1.0) for name in mixture.classes])
    return np.asarray(weighted / weighted.sum(axis=1, keepdims=True))
