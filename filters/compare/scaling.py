"""How error falls with compute: E = a * C^b through several trainings (Cherti et al., 2212.07143, section 3)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from curate.errors import RunError

_MIN_SIZES = 3  # sizes below which a law cannot be fitted
_DRAWS = 1000


@dataclass(frozen=True)
class PowerLaw:
    """E = ``a`` * C^``b`` with 95 % bootstrap intervals; ``reach`` is the range of C it was fitted on."""

    a: float
    b: float
    b_low: float
    b_high: float
    reach: tuple[float, float]
    draws: tuple[tuple[float, float], ...] = ()

    def at(self, compute: float) -> tuple[float, float, float]:
        """(E, low, high) at ``compute``. Far beyond `reach` this is extrapolation: three sizes cannot show
        curvature."""
        predictions = [a * compute**b for a, b in self.draws]
        low, high = np.quantile(predictions, [0.025, 0.975]) if predictions else (math.nan, math.nan)
        return self.a * compute**self.b, float(low), float(high)


def fit(compute: Sequence[float], error: Sequence[float], seed: int = 0) -> PowerLaw:
    """Fit by least squares on logarithms; the bootstrap resamples trainings within each size.

    ``compute`` > 0 in any unit, ``error`` in (0, 1]; RunError with fewer than three different sizes.
    """
    log_compute, log_error = np.asarray(compute, np.float64), np.asarray(error, np.float64)
    valid = np.isfinite(log_compute) & np.isfinite(log_error) & (log_compute > 0) & (log_error > 0)
    log_compute, log_error = np.log(log_compute[valid]), np.log(log_error[valid])
    sizes = np.unique(log_compute)
    if len(sizes) < _MIN_SIZES:
        raise RunError(f"{len(sizes)} sizes of training: a scaling law needs {_MIN_SIZES} or more")
    slope, intercept = np.polyfit(log_compute, log_error, 1)
    rng = np.random.default_rng(seed)
    draws = []
    for _ in range(_DRAWS):
        rows = np.concatenate(
            [rng.choice(np.flatnonzero(log_compute == s), int((log_compute == s).sum())) for s in sizes]
        )
        b, a = np.polyfit(log_compute[rows], log_error[rows], 1)
        draws.append((math.exp(a), float(b)))
    low, high = np.quantile([b for _, b in draws], [0.025, 0.975])
    reach = (math.exp(sizes[0]), math.exp(sizes[-1]))
    return PowerLaw(math.exp(intercept), float(slope), float(low), float(high), reach, tuple(draws))
