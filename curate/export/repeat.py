"""Sampling with repeats: a better pair is repeated more often, up to a cap, or at a penalty that each time costs (soft
cap sampling, Shechter & Carmon 2025, arXiv 2503.08805).

Each record is drawn by itself: its expected number is rounded up or down by a hash of seed and key. So the result does
not depend on the order of the table, and has less noise than independent draws with the same expectation.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]

_LOWEST = -400.0  # smaller exponents mean never; the bound keeps sums above zero


def key_words(keys: Any) -> Words:
    """uint64[n, w]: keys (strings, UTF-8) as big-endian words, zero-padded, so that words sort as the keys do."""
    try:
        raw = np.asarray(keys if isinstance(keys, np.ndarray) else list(keys), dtype=np.bytes_)
    except UnicodeEncodeError:  # not ASCII: keys of another product
        raw = np.asarray([str(key).encode("utf-8", "surrogatepass") for key in keys], dtype=np.bytes_)
    width = max(8, -(-raw.dtype.itemsize // 8) * 8)
    wide = np.ascontiguousarray(raw.astype(f"S{width}"))
    return wide.view(">u8").reshape(len(raw), width // 8).astype(np.uint64)


def uniform(words: Words, seed: int) -> NDArray[np.float64]:
    """float64[n] in [0, 1), one a key, the same for a key and a seed everywhere (splitmix64, Steele et al. 2014)."""
    state = np.full(len(words), np.uint64(seed % 2**64))
    for column in words.T:
        state = _mix(state ^ column)
    return (state >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _mix(z: NDArray[np.uint64]) -> NDArray[np.uint64]:
    z = z + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def soft_cap(
    scores: NDArray[Any],
    chance: NDArray[np.float64],
    repeats: int,
    temperature: float | None = None,
    penalty: float = 0.0,
) -> NDArray[np.int64]:
    """int64[n]: how often each record is drawn, 0 to ``repeats``, about n in all.

    ``scores`` float[n] without NaN, ``chance`` float64[n] as `uniform` gives it. A record is drawn in proportion to
    exp(score / ``temperature``) until it is at the cap, and each time it was this exponent falls by ``penalty``.
    ``temperature`` None is the scores' standard deviation.
    """
    values = np.asarray(scores, dtype=np.float64)
    if not len(values):
        return np.zeros(0, dtype=np.int64)
    scale = temperature if temperature is not None else float(values.std())
    below = np.maximum((values - values.max()) / scale, _LOWEST) if scale > 0 else np.zeros(len(values))
    expected = _penalised(below, repeats, penalty) if penalty else _capped_shares(np.exp(below), len(values), repeats)
    return np.minimum(np.floor(expected + chance), repeats).astype(np.int64)


def _penalised(exponent: NDArray[np.float64], cap: int, penalty: float) -> NDArray[np.float64]:
    """float64[n]: the numbers that drawing one at a time tends to, n in all (or all at the cap).

    A record of number c is drawn at the rate exp(exponent - penalty c), so after the time t c = log(1 + penalty t
    exp(exponent)) / penalty. The t at which n are drawn is searched for.
    """
    from scipy.optimize import brentq

    def drawn(log_time: float) -> NDArray[np.float64]:
        return np.asarray(np.minimum(cap, np.logaddexp(0, exponent + log_time + np.log(penalty)) / penalty))

    latest = -_LOWEST + penalty * cap + max(0.0, -float(np.log(penalty)))  # all are at the cap
    return drawn(brentq(lambda log_time: drawn(log_time).sum() - len(exponent), 0, latest, xtol=1e-9))


def _capped_shares(odds: NDArray[np.float64], total: int, cap: int) -> NDArray[np.float64]:
    """float64[n] = min(cap, c * odds) with c such that they sum to ``total`` (or all at the cap)."""
    falling = np.sort(odds)[::-1]
    rest = np.cumsum(falling[::-1])[::-1]
    c = (total - cap * np.arange(len(falling))) / rest  # if the first 0, 1, 2... of them are at the cap
    first = np.flatnonzero(c * falling <= cap * (1 + 1e-9))[0]  # the last always fits, since total <= cap * n
    return np.asarray(np.minimum(cap, c[first] * odds))
