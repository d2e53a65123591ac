"""What the page says of how far a filter can be trusted: is its probability one, is this archive like its pool."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ReliabilityBin:
    """``n`` pairs whose probabilities lie in ``low`` to ``high``: ``predicted`` their mean, ``observed`` the share that
    is right, ``lower`` to ``upper`` its interval."""

    low: float
    high: float
    n: int
    predicted: float
    observed: float
    lower: float
    upper: float


@dataclass(frozen=True)
class Reliability:
    """A reliability diagram: rising bins, the expected calibration error and the Brier score; ``note`` says on what."""

    name: str
    bins: tuple[ReliabilityBin, ...]
    ece: float
    brier: float
    note: str = ""


@dataclass(frozen=True)
class Drift:
    """How far ``name`` has moved from the pool a filter was trained on. ``level``: none, watch or warn; ``measure``
    says what ``value`` is; ``expected`` and ``found`` are shares by bin where there are bins; ``message`` is for
    people and names the fix where one is due."""

    name: str
    measure: str
    value: float
    level: str
    message: str
    expected: tuple[float, ...] = ()
    found: tuple[float, ...] = ()
