"""What is common counts, what cannot be told does not, and the share of right pairs is the pool's own."""

from __future__ import annotations

import numpy as np
import pytest

from filters.methods.ours.mixture import Mixture, fit
from filters.methods.ours.prior import factors, right_share, weighed
from filters.metrics import auroc

NAMES = ("cosine", "text", "named")


def pairs(n: int, seed: int, right: float = 0.25) -> tuple[np.ndarray, np.ndarray]:
    """A mismatch has a low cosine, boilerplate an odd text; a wrong side shows nowhere, but only a text that names a
    side (half of them) can have one."""
    rng = np.random.default_rng(seed)
    wrong = (1 - right) / 3
    kinds = rng.choice(["right", "mismatch", "side", "boilerplate"], n, p=[right, wrong, wrong, wrong])
    x = rng.normal(size=(n, 3))
    x[kinds == "mismatch", 0] -= 2
    x[kinds == "boilerplate", 1] += 4
    x[:, 2] = rng.random(n) < np.where(kinds == "side", 1.0, 0.5)
    return x, kinds


@pytest.fixture(scope="module")
def mixture() -> Mixture:
    x, kinds = pairs(1600, 0)
    return fit(x, NAMES, kinds.tolist(), [f"p{i // 4}" for i in range(len(x))], seed=0)


def test_what_is_rare_or_cannot_be_told_counts_less(mixture: Mixture) -> None:
    found = factors(mixture, rare=0.2)
    own = dict(zip(mixture.classes, mixture.prior, strict=True))
    assert found["right"] == found["mismatch"] == 1.0
    common = {name: found[name] * own[name] / own["mismatch"] for name in own}
    assert common["boilerplate"] == pytest.approx(0.2, rel=0.1) and common["side"] < 0.5 * common["boilerplate"]
    assert factors(mixture, rare=0.0)["boilerplate"] == 0.0


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_the_share_of_right_pairs_is_the_pools(mixture: Mixture, share: float) -> None:
    """Of a pool with mismatches alone."""
    x, kinds = pairs(6000, 1, share)
    some = (kinds == "right") | (kinds == "mismatch")
    truth = (kinds[some] == "right").mean()
    estimated = right_share(mixture, 0.2, x[some])
    told = weighed(mixture, factors(mixture, 0.2, estimated), x[some])[:, mixture.classes.index("right")]
    assert estimated == pytest.approx(truth, abs=0.08)
    assert told.mean() == pytest.approx(estimated, abs=1e-4)


def test_a_suspicion_that_nothing_bears_out_does_not_rank(mixture: Mixture) -> None:
    """Mismatches against right pairs: as well as the cosine alone, though half of the texts could have a wrong side."""
    x, kinds = pairs(4000, 2)
    some = (kinds == "right") | (kinds == "mismatch")
    at = mixture.classes.index("right")
    plain = auroc(mixture.probability(x[some]), kinds[some] == "right")
    better = auroc(weighed(mixture, factors(mixture, 0.2), x[some])[:, at], kinds[some] == "right")
    assert better > plain and better == pytest.approx(auroc(x[some, 0], kinds[some] == "right"), abs=0.01)


def test_how_many_are_right_changes_no_order(mixture: Mixture) -> None:
    x, _ = pairs(500, 3)
    at = mixture.classes.index("right")
    orders = [
        np.argsort(weighed(mixture, factors(mixture, 0.2, share), x)[:, at], kind="stable")
        for share in (None, 0.9, 0.1)
    ]
    assert (orders[0] == orders[1]).all() and (orders[0] == orders[2]).all()


def test_rows_are_probabilities(mixture: Mixture) -> None:
    x, _ = pairs(100, 6)
    np.testing.assert_allclose(weighed(mixture, factors(mixture, 0.2, 0.7), x).sum(axis=1), 1.0)


def test_a_pool_without_a_single_wrong_pair_keeps_its_order(mixture: Mixture) -> None:
    """The share stays short of 1: else all pairs would be equally sure."""
    x = pairs(400, 7, 1.0)[0]
    x[:, 0] += 6
    share = right_share(mixture, 0.2, x)
    told = weighed(mixture, factors(mixture, 0.2, share), x)[:, mixture.classes.index("right")]
    assert 0.99 < share < 1 and len(set(told)) > 300
