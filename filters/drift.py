"""Is a new archive like the pool a filter was trained on? By its scores' PSI.

The reference is small and goes on the filter's card as JSON. A warning is not a verdict on the archive: it says that
thresholds and probabilities read from the old pool no longer mean what they did.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from curate.errors import RunError
from curate.report.trust import Drift

WATCH, WARN = 0.1, 0.2  # the customary levels of the PSI (Siddiqi 2006)
FEWEST = 20  # values below which nothing is said
_BINS = 10
_FIX = (
    "train the filter again on this archive (leave out filter.folder), or cut by keep or top_k, which do not rest on "
    "the old pool's scores"
)


@dataclass(frozen=True)
class ScoreReference:
    """A pool's scores: inner ``edges`` of bins that held about equal numbers, their ``shares``, and how many."""

    edges: tuple[float, ...]
    shares: tuple[float, ...]
    n: int

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return {"edges": list(self.edges), "shares": list(self.shares), "n": self.n}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ScoreReference:
        """Of `to_json`'s values; KeyError, TypeError or ValueError where they are not."""
        edges, shares = (tuple(float(v) for v in value[name]) for name in ("edges", "shares"))
        if len(shares) != len(edges) + 1 or list(edges) != sorted(edges):
            raise ValueError("a score reference takes rising edges and one share more")
        return cls(edges, shares, int(value["n"]))


def score_reference(scores: ArrayLike, bins: int = _BINS) -> ScoreReference:
    """Of a pool's float[n] scores, NaN left out; fewer ``bins`` where scores tie. RunError where none is left."""
    s = _finite(scores)
    edges = np.unique(np.quantile(s, np.linspace(0, 1, bins + 1)[1:-1], method="inverted_cdf"))
    edges = edges[edges < s.max()]  # edges are scores, each of its own bin, and none is the highest: no bin is empty
    shares = _shares(s, edges)
    return ScoreReference(tuple(edges.tolist()), tuple(shares.tolist()), len(s))


def score_drift(reference: ScoreReference, scores: ArrayLike, name: str = "score") -> Drift:
    """The population stability index of ``scores`` float[n] (NaN left out) against the reference.

    PSI = sum((q - p) ln(q / p)) over bins; below 0.1 none, to 0.2 watch, above warn. Half a record is added to every
    bin, so that an empty one does not make it infinite. Two samples of one population differ as well: a level is only
    given where the PSI is above the 95 % point of what such samples show (chi-square; Yurdakul & Naranjo 2020).
    """
    from scipy.stats import chi2  # where drift is looked for alone

    s = np.asarray(scores, np.float64).ravel()
    s = s[~np.isnan(s)]
    if len(s) < FEWEST:
        return Drift(
            name, "PSI", float("nan"), "none", f"{len(s)} scores of '{name}' are too few to tell a drift from."
        )
    edges, bins = np.array(reference.edges), len(reference.shares)
    p = _smoothed(np.array(reference.shares), reference.n, bins)
    found = _shares(s, edges)
    q = _smoothed(found, len(s), bins)
    value = float(((q - p) * np.log(q / p)).sum())
    usual = float(chi2.ppf(0.95, bins - 1)) if bins > 1 else 0.0
    noise = usual * (1 / max(reference.n, 1) + 1 / len(s))
    level = _level(value) if value > noise else "none"
    return Drift(
        name, "PSI", value, level, _sentence(name, "PSI", value, level), reference.shares, tuple(found.tolist())
    )


def _level(value: float) -> str:
    return "none" if value < WATCH else "watch" if value <= WARN else "warn"


def _sentence(name: str, measure: str, value: float, level: str) -> str:
    sentence = f"{measure} of '{name}' against the pool its filter was trained on: {value:.2f}"
    if level == "none":
        return f"{sentence}. No drift."
    if level == "watch":
        return f"{sentence}. Some drift: look at the histogram; if it grows, {_FIX}."
    return f"{sentence}. This archive is unlike that pool, and thresholds and probabilities do not carry over: {_FIX}."


def _shares(s: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """float64[edges + 1]: share of ``s`` up to each edge (with it) and above the last."""
    return np.bincount(np.searchsorted(edges, s, side="left"), minlength=len(edges) + 1) / len(s)


def _smoothed(shares: NDArray[np.float64], n: int, bins: int) -> NDArray[np.float64]:
    return np.asarray((shares * n + 0.5) / (n + 0.5 * bins))


def _finite(scores: ArrayLike) -> NDArray[np.float64]:
    s = np.asarray(scores, np.float64).ravel()
    s = s[np.isfinite(s)]
    if not len(s):
        raise RunError("there are no scores to make a reference of")
    return s
