"""What frozen image rows hold: a linear probe (CLIP, 2103.00020, section 3.2), on all training records or a few."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from filters.evaluate.encode import Rows
from filters.evaluate.estimate import Metric, auprc, auroc, average, classified, mean, recall
from filters.evaluate.rules import EvaluateRules
from filters.evaluate.targets import Target
from filters.training.batches import hold_out

_STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0)  # of the L2 penalty; patients held out of the training half choose
_FEW_STRENGTH = 0.1  # a few shots leave nothing to choose by
_VALIDATION = 0.25
_STEPS = 60
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Split:
    """Rows to train and to measure on: ``x`` float32[m, d] with patients ``groups``; ``test`` bool[n] of the measured
    set; ``own`` the places of the training rows in that set, empty where they are of another."""

    x: Rows
    groups: list[str]
    test: NDArray[np.bool_]
    own: NDArray[np.int64]


def split_of(images: Rows, groups: Sequence[str], rules: EvaluateRules) -> Split:
    """Whole patients of the set itself to train on, the others to measure on."""
    test = hold_out(groups, rules.probe_test, rules.seed)
    own = np.flatnonzero(~test)
    if len(own) > rules.probe_most:
        own = np.sort(np.random.default_rng(rules.seed).permutation(own)[: rules.probe_most])
    return Split(images[own], [groups[i] for i in own.tolist()], test, own)


def linear_probe(images: Rows, target: Target, split: Split, labels: NDArray[np.int64], seed: int) -> dict[str, Metric]:
    """L2 logistic regression on ``labels`` int64[m] of the training rows; {} where they hold fewer than two classes."""
    told = labels >= 0
    if len(np.unique(labels[told])) < 2:
        return {}
    truth = np.eye(len(target.classes))[labels[told]]
    fitted = _chosen(split.x[told], truth, [g for g, t in zip(split.groups, told, strict=True) if t], True, seed)
    return classified(target.labels, fitted(images), split.test)


def finding_probe(
    images: Rows, truths: dict[str, Floats], split: Split, trained: dict[str, Floats], seed: int
) -> dict[str, Metric]:
    """Macro AUROC and AUPRC of a logistic regression a finding; ``trained`` is the training rows' truth, by name."""
    usable = [f for f in truths if {0.0, 1.0} <= set(trained[f].tolist())]
    if not usable:
        return {}
    fitted = _chosen(split.x, np.stack([trained[f] for f in usable], axis=1), split.groups, False, seed)
    scores = fitted(images)
    seen = [np.where(split.test, truths[f], np.nan) for f in usable]
    return {
        "auroc": average([auroc(scores[:, k], y) for k, y in enumerate(seen)]),
        "auprc": average([auprc(scores[:, k], y) for k, y in enumerate(seen)]),
    }


def few_shot(
    images: Rows, target: Target, split: Split, labels: NDArray[np.int64], rules: EvaluateRules
) -> dict[str, Metric]:
    """accuracy@k and balanced_accuracy@k of probes on k records a class, the mean over ``shot_draws`` draws of them.

    A k that some class has too few training records for is left out. The interval is over the measured patients.
    """
    classes, base = np.unique(labels[labels >= 0]), Probe.of(split.x)
    found: dict[str, Metric] = {}
    for k in rules.shots:
        if len(classes) < 2 or min(int((labels == c).sum()) for c in classes) < k:
            continue
        hits = np.zeros(len(images))
        for draw in range(rules.shot_draws):
            rng = np.random.default_rng([rules.seed, k, draw])
            chosen = np.concatenate([rng.choice(np.flatnonzero(labels == c), k, replace=False) for c in classes])
            truth = np.eye(len(target.classes))[labels[chosen]]
            fitted = base.fit(split.x[chosen], truth, _FEW_STRENGTH, True)
            hits += fitted(images).argmax(axis=1) == target.labels
        hit = np.where(split.test & (target.labels >= 0), hits / rules.shot_draws, np.nan)
        found |= {f"accuracy@{k}": mean(hit), f"balanced_accuracy@{k}": recall(target.labels, hit)}
    return found


def _chosen(x: Rows, truth: Floats, groups: Sequence[str], one: bool, seed: int) -> Probe:
    """The probe of the strength that serves held-out patients best, fitted again on all."""
    base, held = Probe.of(x), hold_out(groups, _VALIDATION, seed + 1)
    if not held.any() or held.all():
        return base.fit(x, truth, _FEW_STRENGTH, one)
    losses = [base.fit(x[~held], truth[~held], s, one).loss(x[held], truth[held], one) for s in _STRENGTHS]
    return base.fit(x, truth, _STRENGTHS[int(np.argmin(losses))], one)


@dataclass(frozen=True, eq=False)
class Probe:
    """A linear map of standardised rows to scores float64[n, c]; log-probabilities where classes exclude each other."""

    centre: Floats
    scale: Floats
    weight: Floats
    bias: Floats
    one: bool = True

    @classmethod
    def of(cls, x: Rows) -> Probe:
        """Standardised by the rows ``x``, with nothing learned."""
        return cls(x.mean(axis=0, dtype=np.float64), x.std(axis=0, dtype=np.float64) + 1e-6, np.zeros(0), np.zeros(0))

    def __call__(self, x: Rows) -> Floats:
        scores = self._standard(x) @ self.weight + self.bias
        if not self.one:
            return np.asarray(scores)
        top = scores.max(axis=1, keepdims=True)
        return np.asarray(scores - top - np.log(np.exp(scores - top).sum(axis=1, keepdims=True)))

    def _standard(self, x: Rows) -> Floats:
        return np.asarray((x - self.centre) / self.scale)

    def fit(self, x: Rows, truth: Floats, strength: float, one: bool) -> Probe:
        """Fitted to ``truth`` float64[m, c]: one class a row (``one``), or any number, NaN where it is not known."""
        rows, wanted = torch.from_numpy(self._standard(x)), torch.from_numpy(truth)
        weight = torch.zeros(rows.shape[1], wanted.shape[1], dtype=torch.float64, requires_grad=True)
        bias = torch.zeros(wanted.shape[1], dtype=torch.float64, requires_grad=True)
        search = torch.optim.LBFGS(
            [weight, bias], max_iter=_STEPS, tolerance_grad=1e-4, tolerance_change=1e-6, line_search_fn="strong_wolfe"
        )

        def closure() -> float:
            search.zero_grad()
            loss = _loss(rows @ weight + bias, wanted, one) + strength * weight.square().sum() / 2
            loss.backward()  # type: ignore[no-untyped-call]
            return float(loss.detach())

        search.step(closure)  # type: ignore[no-untyped-call]
        return Probe(self.centre, self.scale, weight.detach().numpy(), bias.detach().numpy(), one)

    def loss(self, x: Rows, truth: Floats, one: bool) -> float:
        """The mean loss without the penalty."""
        scores = torch.from_numpy(self._standard(x) @ self.weight + self.bias)
        return float(_loss(scores, torch.from_numpy(truth), one))


def _loss(scores: torch.Tensor, truth: torch.Tensor, one: bool) -> torch.Tensor:
    if one:
        return cross_entropy(scores, truth)
    known = truth.isfinite()
    each = binary_cross_entropy_with_logits(scores, truth.nan_to_num(), reduction="none") * known
    return each.sum() / known.sum().clamp(min=1) * scores.shape[1]
