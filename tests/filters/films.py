"""Chest films of the synthetic pool, drawn once a session and shared by the tests that need real findings."""

from __future__ import annotations

from functools import cache

from benchmarks.filters.pool import Pool, make_pool


@cache
def films(n: int, seed: int, clean: float) -> Pool:
    """``n`` pairs of 64 px, the share ``clean`` of them right."""
    return make_pool(n, seed, clean, workers=1)
