from __future__ import annotations

import json

import numpy as np
import pytest

from curate.errors import RunError
from filters.methods.ours.mixture import Mixture, fit
from filters.metrics import auroc

NAMES = ("cosine", "margin", "text", "same")


def injected(n: int = 900, seed: int = 0) -> tuple[np.ndarray, list[str], list[str]]:
    """Cosine falls for a mismatch, margin for a wrong side, text is odd for boilerplate."""
    rng = np.random.default_rng(seed)
    kinds = rng.choice(["right", "mismatch", "side", "boilerplate"], n, p=[0.4, 0.2, 0.2, 0.2])
    x = rng.normal(size=(n, 4)) * 0.7
    x[kinds == "mismatch", 0] -= 2
    x[kinds == "side", 1] -= 2
    x[kinds == "boilerplate", 2] += 2.5
    x[:, 3] = 0.25
    x[rng.random(n) < 0.1, 1] = np.nan
    return x, kinds.tolist(), [f"p{i // 4}" for i in range(n)]


@pytest.fixture(scope="module")
def mixture() -> Mixture:
    return fit(*[injected()[0], NAMES, *injected()[1:]], seed=0)


def test_right_pairs_score_above_every_fault_and_each_fault_is_told_from_the_others(mixture):
    x, labels, _ = injected(2000, 1)
    kinds, p, posterior = np.array(labels), mixture.probability(x), mixture.posterior(x)
    for fault, expected in (("mismatch", 0.9), ("side", 0.85), ("boilerplate", 0.85)):
        some = (kinds == "right") | (kinds == fault)
        assert auroc(p[some], kinds[some] == "right") > expected
        wrong = kinds != "right"
        assert auroc(posterior[wrong, mixture.classes.index(fault)], kinds[wrong] == fault) > 0.9


def test_probabilities_sum_to_one_are_calibrated_and_told_of_unseen_pairs(mixture):
    x, labels, _ = injected(2000, 1)
    right = np.array(labels) == "right"
    p = mixture.probability(x)
    np.testing.assert_allclose(mixture.posterior(x).sum(axis=1), 1, atol=1e-9)
    np.testing.assert_allclose(mixture.posterior(x)[:, mixture.classes.index("right")], p)
    for low, high in ((0.0, 0.3), (0.3, 0.7), (0.7, 1.01)):
        some = (p >= low) & (p < high)
        assert right[some].mean() == pytest.approx(p[some].mean(), abs=0.06)
    assert mixture.metrics["auroc"] == pytest.approx(auroc(p, right), abs=0.03)
    assert mixture.prior[mixture.classes.index("right")] == pytest.approx(0.4, abs=0.05)


def test_the_same_bytes_again_whatever_the_order_of_rows_and_back_from_json(mixture):
    x, labels, groups = injected()
    said = json.dumps(mixture.to_json(), sort_keys=True)
    assert json.dumps(fit(x, NAMES, labels, groups, 0).to_json(), sort_keys=True) == said
    again = Mixture.from_json(json.loads(said))
    assert np.array_equal(again.posterior(x), mixture.posterior(x))
    order = np.random.default_rng(3).permutation(len(x))
    turned = fit(x[order], NAMES, [labels[i] for i in order], [groups[i] for i in order], 0)
    np.testing.assert_allclose(turned.posterior(x), mixture.posterior(x), atol=2e-3)


def test_a_missing_column_is_no_reason_to_say_nothing(mixture):
    x = np.array([[2.0, 2.0, 0.0, 0.25], [2.0, np.nan, 0.0, 0.25], [-2.0, np.nan, 0.0, 0.25], [np.nan] * 4])
    p = mixture.probability(x)
    assert np.isfinite(p).all() and p[0] > p[1] > p[2]


def test_noise_alone_is_worth_half():
    rng = np.random.default_rng(0)
    labels = [("right", "mismatch")[i % 2] for i in range(400)]
    made = fit(rng.normal(size=(400, 3)), ("a", "b", "c"), labels, [f"p{i}" for i in range(400)], 0)
    assert made.metrics["auroc"] < 0.6
    assert np.abs(made.probability(rng.normal(size=(200, 3))) - 0.5).mean() < 0.12


def test_folds_never_part_a_group():
    """Each patient's rows are one point with one label: only a fold that saw the patient could know it."""
    rng = np.random.default_rng(0)
    points, kinds = rng.normal(size=(60, 3)), rng.choice(["right", "side"], 60)
    rows = np.repeat(np.arange(60), 8)
    made = fit(points[rows], ("a", "b", "c"), kinds[rows].tolist(), [f"p{i}" for i in rows], 0)
    assert made.metrics["auroc"] < 0.7


def test_what_cannot_be_fitted_or_read_is_refused(mixture):
    x, labels, groups = injected(40)
    with pytest.raises(RunError, match="needs right pairs and wrong ones"):
        fit(x, NAMES, ["right"] * 40, groups, 0)
    with pytest.raises(RunError, match="two patients"):
        fit(x, NAMES, labels, ["p"] * 40, 0)
    with pytest.raises(RunError, match="'margin' is infinite for 1 pairs"):
        mixture.probability([[0, np.inf, 0, 0]])
    with pytest.raises(ValueError, match="for 4 columns"):
        mixture.probability([[0, 0, 0]])
    said = mixture.to_json()
    with pytest.raises(ValueError, match="weights"):
        Mixture.from_json(said | {"weights": said["weights"][:-1]})
    with pytest.raises(ValueError, match="do not fit"):
        Mixture.from_json(said | {"classes": ["a", "b"]})
