"""Pairs of features with a common cause: what frozen towers would make of pictures and texts that belong together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from filters.judges.fit import PairFeatures
from filters.judges.spaces import unit

SUBJECTS = 12


def given(n: int, seed: int, wrong: float = 0.0, each: int = 3) -> tuple[PairFeatures, NDArray[np.bool_]]:
    """``n`` pairs, ``each`` a patient, of which the share ``wrong`` has another's text; bool[n]: it is wrong."""
    rng, world = np.random.default_rng(seed), np.random.default_rng(7)
    left, right = world.standard_normal((SUBJECTS, 24)), world.standard_normal((SUBJECTS, 16))
    of_patient = rng.integers(0, SUBJECTS, n // each + 1)
    about = np.repeat(of_patient, each)[:n]
    images = unit(left[about] + 1.2 * rng.standard_normal((n, 24)))
    sentences = unit(right[about] + 1.2 * rng.standard_normal((n, 16)))
    texts = [f"subject{a} shows finding{a % 3} word{int(rng.integers(40))}" for a in about]
    source = np.arange(n)
    chosen = rng.permutation(n)[: round(wrong * n)]
    source[chosen] = np.roll(chosen, 1)
    is_wrong = about[source] != about
    names = [f"pair{seed}-{i:04d}" for i in range(n)]
    groups = [f"patient{seed}-{i // each:04d}" for i in range(n)]
    return PairFeatures(names, groups, images, sentences[source], [texts[i] for i in source]), is_wrong
