"""The interval of a share."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Z95 = 1.959963984540054  # 97.5 % point of the normal distribution


def wilson(hits: ArrayLike, trials: ArrayLike, z: float = Z95) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Score interval of ``hits`` of ``trials`` (Wilson 1927), 95 % by default; 0 to 1 where there were no trials.

    Shapes as given, broadcast. It holds for small numbers and never leaves 0..1.
    """
    k, n = np.asarray(hits, np.float64), np.asarray(trials, np.float64)
    safe = np.maximum(n, 1)
    rate = k / safe
    middle = (rate + z**2 / (2 * safe)) / (1 + z**2 / safe)
    half = z / (1 + z**2 / safe) * np.sqrt(rate * (1 - rate) / safe + z**2 / (4 * safe**2))
    low = np.where(n > 0, np.where(k <= 0, 0.0, middle - half), 0.0)
    high = np.where(n > 0, np.where(k >= n, 1.0, middle + half), 1.0)
    return np.clip(low, 0, 1), np.clip(high, 0, 1)
