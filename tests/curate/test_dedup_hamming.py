"""The multi-index finds exactly what comparing all pairs finds, each pair once, whatever the plan."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.dedup import hamming
from curate.dedup.hamming import hamming_pairs, plan


def near_hashes(seed: int, n: int) -> np.ndarray:
    """A few centres, and hashes up to some ten bits away from one: many pairs on both sides of every distance."""
    rng = np.random.default_rng(seed)
    hashes = rng.integers(0, 2**64, 3, dtype=np.uint64)[rng.integers(0, 3, n)]
    for _ in range(5):
        flip = np.uint64(1) << rng.integers(0, 64, n).astype(np.uint64)
        hashes ^= np.where(rng.random(n) < 0.6, flip, np.uint64(0))
    return hashes


def brute(hashes: np.ndarray, distance: int, group: np.ndarray) -> list[tuple[int, int]]:
    i, j = np.triu_indices(len(hashes), 1)
    near = (np.bitwise_count(hashes[i] ^ hashes[j]) <= distance) & (group[i] == group[j])
    return sorted(zip(i[near].tolist(), j[near].tolist(), strict=True))


def listed(blocks: object) -> list[tuple[int, int]]:
    return sorted(tuple(p) for b in blocks for p in b.tolist())


@given(st.integers(0, 2**32), st.integers(0, 60), st.integers(0, 12))
@settings(deadline=None)
def test_equals_brute_force(seed: int, n: int, distance: int):
    hashes = near_hashes(seed, n)
    assert listed(hamming_pairs(hashes, distance)) == brute(hashes, distance, np.zeros(n))


@given(st.integers(0, 2**32), st.integers(0, 60), st.integers(0, 8), st.integers(1, 60))
@settings(deadline=None)
def test_equals_brute_force_within_groups_small_and_large(seed: int, n: int, distance: int, large: int):
    hashes = near_hashes(seed, n)
    group = np.random.default_rng(seed).integers(0, 4, n)
    before, hamming._LARGE_GROUP = hamming._LARGE_GROUP, large
    try:
        assert listed(hamming_pairs(hashes, distance, group)) == brute(hashes, distance, group)
    finally:
        hamming._LARGE_GROUP = before


@pytest.mark.parametrize(("distance", "chunks"), [(6, 3), (6, 4), (6, 5), (4, 3), (8, 4), (9, 5), (0, 1), (1, 2)])
def test_every_plan_finds_the_same(distance: int, chunks: int):
    hashes = near_hashes(distance, 120)
    cut = hamming.cut(chunks, distance)
    assert sum(c.width for c in cut) == 64 and sum(c.radius + 1 for c in cut) == distance + 1
    assert listed(hamming._search(hashes, cut, distance)) == brute(hashes, distance, np.zeros(120))


def test_a_large_archive_is_planned_with_probes_and_not_with_small_buckets():
    assert any(c.radius for c in plan(1_000_000, 6))
    assert not any(c.radius for c in plan(1000, 6))


def test_a_distance_beyond_the_hash_is_refused():
    with pytest.raises(ValueError, match="distance 64"):
        list(hamming_pairs(np.zeros(2, np.uint64), 64))
