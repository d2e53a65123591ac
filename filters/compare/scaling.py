"""How error falls with compute: E = a * C^b through several trainings (Cherti et al., 2212.07143, section 3)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from curate.errors import RunError

_LEAST = 3  # sizes below which a line says nothing
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
        """(E, low, high) at ``compute``. Far beyond `reach` it is a guess: a law of three sizes knows no bend."""
        predicted = [a * compute**b for a, b in self.draws]
        low, high = np.quantile(predicted, [0.025, 0.975]) if predicted else (math.nan, math.nan)
        return self.a * compute**self.b, float(low), float(high)

    def beyond(self, compute: float) -> float:
        """How many times farther than the largest training seen."""
        return compute / self.reach[1]


def fit(compute: Sequence[float], error: Sequence[float], seed: int = 0) -> PowerLaw:
    """Least squares on logarithms, the draws resampling trainings within each size.

    ``compute`` > 0 in any unit, ``error`` in (0, 1]; RunError with fewer than three different sizes.
    """
    c, e = np.asarray(compute, np.float64), np.asarray(error, np.float64)
    good = np.isfinite(c) & np.isfinite(e) & (c > 0) & (e > 0)
    c, e = np.log(c[good]), np.log(e[good])
    sizes = np.unique(c)
    if len(sizes) < _LEAST:
        raise RunError(f"{len(sizes)} sizes of training: a scaling law needs {_LEAST} or more")
    slope, start = np.polyfit(c, e, 1)
    rng = np.random.default_rng(seed)
    draws = []
    for _ in range(_DRAWS):
        rows = np.concatenate([rng.choice(np.flatnonzero(c == s), int((c == s).sum())) for s in sizes])
        b, a = np.polyfit(c[rows], e[rows], 1)
        draws.append((math.exp(a), float(b)))
    low, high = np.quantile([b for _, b in draws], [0.025, 0.975])
    reach = (math.exp(sizes[0]), math.exp(sizes[-1]))
    return PowerLaw(math.exp(start), float(slope), float(low), float(high), reach, tuple(draws))
