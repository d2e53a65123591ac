"""How common right pairs and each fault are in a pool: what a mixture's posteriors are to be multiplied by.

A mixture is fitted on faults that were injected, as many of each as could be. Its posteriors are then of such pairs,
and where it cannot tell a fault from right, every pair that could have it is suspected.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from filters.methods.ours.mixture import RIGHT, Mixture
from filters.metrics import shares_of

Floats = NDArray[np.float64]
USUAL = "mismatch"  # the fault that the others are measured by


def factors(mixture: Mixture, rare: float, right: float | None = None) -> dict[str, float]:
    """What to multiply the mixture's posteriors by, a class each, so that they are of pairs as common as they are.

    Among the faults: a mismatch 1, another fault ``rare``, less as its AUROC on unseen pairs nears one half. ``right``
    is the share of right pairs; None leaves as many to the faults as were injected.
    """
    own = dict(zip(mixture.classes, mixture.prior, strict=True))
    usual = own.get(USUAL, max(p for name, p in own.items() if name != RIGHT))
    found = {RIGHT: 1.0}
    for name in (n for n in mixture.classes if n != RIGHT):
        found[name] = 1.0 if name == USUAL else rare * _separability(mixture, name) * usual / own[name]
    if right is None:
        return found
    injected = _injected(mixture, found)
    return {n: f * (right / injected if n == RIGHT else (1 - right) / (1 - injected)) for n, f in found.items()}


def beside(mixture: Mixture, rare: float, right: float) -> dict[str, float]:
    """`factors` of the other faults where somebody else says of each pair how likely it is a mismatch, and that
    ``right`` of the pool are none: each ``rare`` times as common as mismatches are, less as its AUROC nears one
    half."""
    own = dict(zip(mixture.classes, mixture.prior, strict=True))
    odds = (1 - right) / max(right, 0.02)
    others = {
        n: rare * _separability(mixture, n) * odds * own[RIGHT] / p for n, p in own.items() if n not in (RIGHT, USUAL)
    }
    return {RIGHT: 1.0, USUAL: 0.0, **others}


def _separability(mixture: Mixture, fault: str) -> float:
    """How far a fault is told from right: 0 by chance, 1 always."""
    return max(0.0, 2 * mixture.metrics[f"auroc_{fault}"] - 1)


def right_share(mixture: Mixture, rare: float, features: Floats) -> float:
    """The share of right pairs in a pool, by EM over its float64[n, k] ``features``
    (`filters.metrics.shares_of`). No part of the mixture may have learned from the pool: what a network was taught it
    finds right."""
    found = factors(mixture, rare)
    right = weighed(mixture, found, features)[:, mixture.classes.index(RIGHT)]
    right, fitted = np.clip(right, 1e-9, 1), _injected(mixture, found)
    ratios = (1 - right) / right * fitted / (1 - fitted)
    return float(np.clip(shares_of(ratios[:, None], np.ones((1, len(right))))[0, 0], 1e-6, 1 - 1e-6))


def weighed(mixture: Mixture, factors: Mapping[str, float], features: Floats) -> Floats:
    """float64[n, classes], rows summing to 1: posteriors among classes as common as ``factors`` make them."""
    weighted = mixture.posterior(features) * np.array([factors.get(name, 1.0) for name in mixture.classes])
    return np.asarray(weighted / weighted.sum(axis=1, keepdims=True))


def _injected(mixture: Mixture, found: Mapping[str, float]) -> float:
    """The share of right pairs where ``found`` says how common the faults are."""
    shares = {name: prior * found[name] for name, prior in zip(mixture.classes, mixture.prior, strict=True)}
    return min(shares[RIGHT] / sum(shares.values()), 1 - 1e-6)
