"""The judges fitted as a whole: with a declared clean set, or on a pool of which nobody knows what is right.

A patient's pairs are judged by judges that have not seen that patient: `FOLDS` sets of them, each fitted without a
quarter of the patients. Without a clean set the pool teaches the judges, and pairs that they score high in each
other's folds count more in the next round. How common each fault is is estimated from the pool, without a label.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from curate.errors import RunError
from filters.banks import digests
from filters.judges.faults import FAULTS, ON_CLEAN, ON_POOL, Faults, exchange, holdout_error
from filters.judges.judges import Judges
from filters.judges.spaces import ImageSpace, Rows, TextSpace
from filters.judges.stack import Floats, Index, Posterior, wrong_texts
from filters.judges.study import COLUMNS, Memory
from filters.linear import Linear

FOLDS = 4
MIN_PAIRS, MIN_GROUPS = 40, 8
_FORGET = 0.2  # weight below which a pair teaches no judge
_PENALTY = 0.03
_RIGHT, _FAR, _NEAR = 0, 1, 2
# above which a probability is not called calibrated, chosen on development cases (DECISIONS.md): the standard error of
# the share of right pairs over the pool's patients; what it is off by on injected pools of patients that were held out;
# and how much righter the pool's wrong pairs look than injected ones, in standard deviations
_MAX_ERROR, _MAX_HOLDOUT, _MAX_UNLIKE = 0.03, 0.1, 0.2


@dataclass(frozen=True, eq=False)
class PairFeatures:
    """n pairs as frozen towers see them: unit rows, the texts themselves, and whose they are."""

    names: list[str]
    groups: list[str]
    images: Rows
    sentences: Rows
    texts: list[str]

    def __len__(self) -> int:
        return len(self.names)

    def take(self, index: NDArray[np.int64] | NDArray[np.bool_]) -> PairFeatures:
        """The pairs ``index``, rows or a mask."""
        rows = np.arange(len(self))[index]
        return PairFeatures(
            [self.names[i] for i in rows],
            [self.groups[i] for i in rows],
            self.images[rows],
            self.sentences[rows],
            [self.texts[i] for i in rows],
        )


@dataclass(frozen=True, eq=False)
class Panel:
    """Fitted judges. ``known``: digests of the patients that taught them, each of one fold."""

    image_space: ImageSpace
    text_space: TextSpace
    judges: tuple[Judges, ...]
    stack: Linear
    known: NDArray[np.uint64]
    posterior: Posterior  # by a pair's log-odds alone, among the pool's
    faults: Faults  # of a pair among its patient's others
    memory: Memory

    def rows(self, images: Rows, sentences: Rows, texts: Sequence[str]) -> tuple[Rows, Rows]:
        """The judges' unit rows of towers' features."""
        return self.image_space(images), self.text_space(sentences, texts)

    def log_odds(self, images: Rows, texts: Rows, groups: NDArray[np.uint64]) -> Floats:
        """float64[n]: by the judges that do not know the patient; by all of them where none does."""
        own, known = fold_of(groups), np.isin(groups, self.known)
        out = np.zeros(len(images))
        for fold, judges in enumerate(self.judges):
            queried = ~known | (own == fold)
            if queried.any():
                out[queried] += self.stack(judges.columns(images[queried], texts[queried]))
        return np.where(known, out, out / len(self.judges))

    def probability(
        self, names: NDArray[np.uint64], groups: NDArray[np.uint64], images: Rows, texts: Rows
    ) -> tuple[Floats, Floats]:
        """The probability that a pair is right, float64[n]: with what the patient's other pairs say, and by the pair
        alone."""
        alone = self.log_odds(images, texts, groups)
        columns = self.memory.columns(names, groups, images, texts, alone)
        return self.faults(columns), self.posterior(alone)


def uncalibrated(metrics: Mapping[str, float]) -> str | None:
    """Why the probability of judges with these `fit` metrics cannot be trusted as one; None where it can."""
    if "right_error" not in metrics:
        return "no clean set says what right pairs look like, so how many there are cannot be checked"
    if not metrics["unlike"] <= _MAX_UNLIKE:  # of no number, too
        return (
            "the wrong pairs it finds look righter by themselves than exchanged ones do "
            f"(by {metrics['unlike']:.2f} standard deviations): there are more of them than it says"
        )
    if not metrics["right_error"] <= _MAX_HOLDOUT:
        return (
            "on held-out patients with known faults the share of right pairs was off by "
            f"{metrics['right_error']:.2f}, and {_MAX_HOLDOUT} is the most: a larger clean set"
        )
    if not metrics["share_error"] <= _MAX_ERROR:
        return (
            f"the share of right pairs has a standard error of {metrics['share_error']:.3f}, and {_MAX_ERROR} is the "
            "most: single and whole studies exchanged cannot be told apart in so few patients"
        )
    return None


def fold_of(groups: NDArray[np.uint64]) -> Index:
    """int64[n]: the fold of each patient, by its digest."""
    return np.asarray(groups % np.uint64(FOLDS), np.int64)


def fit(
    reference: PairFeatures, pool: PairFeatures, clean: bool, seed: int, rounds: int
) -> tuple[Panel, dict[str, float]]:
    """Fit the judges to ``reference``, right pairs where ``clean``, else the pool itself, in ``rounds`` more; and the
    probability to ``pool``. RunError where there are too few pairs or patients to judge by.

    The metrics: AUROC of pairs as they are against exchanged ones that no judge has seen (``holdout_auroc``; of look-
    alikes ``holdout_auroc_near``), the pool's share of right pairs (``right_in_pool``) and of each of `FAULTS`; with a
    clean set what that share is off by (``right_error`` on injected pools: `filters.judges.faults.holdout_error`;
    ``share_error`` over the pool's patients: `Faults.standard_error`), and how far the pool's wrong pairs are
    ``unlike`` exchanged ones (`Faults.unlike`).
    """
    names, groups = digests(reference.names), digests(reference.groups)
    if len(reference) < MIN_PAIRS or len(np.unique(groups)) < MIN_GROUPS:
        found = f"{len(reference)} pairs of {len(np.unique(groups))} patients"
        raise RunError(
            f"judges have {found} to learn from and need {MIN_PAIRS} of {MIN_GROUPS}: give more, or no such filter"
        )
    image_space = ImageSpace.of(reference.images)
    text_space = TextSpace.of(reference.sentences, reference.texts, reference.groups)
    x, u = image_space(reference.images), text_space(reference.sentences, reference.texts)
    fold, rng = fold_of(groups), np.random.default_rng([seed, 1])
    weights = np.ones(len(x), np.float32)
    metrics: dict[str, float] = {}
    for _ in range(1 if clean else rounds + 1):
        judges = tuple(_judges(x, u, weights, names, fold != k) for k in range(FOLDS))
        stack, scored = _stack(judges, x, u, reference.groups, fold, weights, rng)
        metrics = metrics or scored  # of the first round: weights carry word of a fold to the others
        odds = _unseen(judges, stack, x, u, fold)
        low, high = np.quantile(odds, [0.05, 0.95])
        weights = np.maximum(np.clip((odds - low) / (high - low + 1e-9), 0, 1) ** 1.5, 1e-3).astype(np.float32)
    nothing = _memory(np.zeros(0, np.uint64), groups[:0], x[:0], u[:0], odds[:0], odds[:0])
    panel = Panel(image_space, text_space, judges, stack, np.unique(groups), _NONE, _UNFITTED, nothing)
    return _of_pool(panel, reference, pool if len(pool) else reference, clean, seed, metrics)


_NONE = Posterior(0.5, 0.0, 1.0, 0.0, 0.0, 0.0)
_UNFITTED = Faults.of(np.zeros((1, COLUMNS)), np.zeros(1, np.int64))


def _judges(x: Rows, u: Rows, weights: Rows, names: NDArray[np.uint64], allowed: NDArray[np.bool_]) -> Judges:
    kept = allowed & (weights > _FORGET)
    if kept.sum() < MIN_PAIRS // 4:
        kept = allowed
    return Judges.of(x[kept], u[kept], weights[kept], names[kept])


def _unseen(judges: Sequence[Judges], stack: Linear, x: Rows, u: Rows, fold: Index) -> Floats:
    out = np.zeros(len(x))
    for k, some in enumerate(judges):
        mine = fold == k
        if mine.any():
            out[mine] = stack(some.columns(x[mine], u[mine]))
    return out


def _stack(
    judges: Sequence[Judges],
    x: Rows,
    u: Rows,
    groups: Sequence[str],
    fold: Index,
    weights: Rows,
    rng: np.random.Generator,
) -> tuple[Linear, dict[str, float]]:
    """Log-odds of the judges' columns, from pairs as they are, weighed, against exchanged ones."""
    columns, kinds, of, weight = [], [], [], []
    for k, some in enumerate(judges):
        mine = np.flatnonzero(fold == k)
        rows, others = wrong_texts(x[mine], u[mine], [groups[int(i)] for i in mine], rng)
        rows, others = np.append(np.arange(len(mine)), rows), np.append(np.arange(len(mine)), others)
        if len(mine):
            columns.append(some.columns(x[mine][rows], u[mine][others]))
        half = (len(rows) - len(mine)) // 2
        kinds.append(np.repeat([_RIGHT, _FAR, _NEAR], [len(mine), half, half]))
        of.append(np.full(len(rows), k))
        weight.append(np.append(weights[mine], np.ones(2 * half)))
    queried, kind, from_fold, each = (np.concatenate(part) for part in (columns, kinds, of, weight))
    if not (kind != _RIGHT).any():
        raise RunError("every text of the clean set says the same: there is nothing to tell a wrong pair by")
    for value, share in ((_RIGHT, 1.0), (_FAR, 0.5), (_NEAR, 0.5)):
        each[kind == value] *= share / each[kind == value].sum()
    unseen = np.zeros(len(kind))  # by a stack that has not seen the fold: it flatters what it was fitted on
    for k in np.unique(from_fold):
        others = from_fold != k
        model = Linear.of(queried[others], kind[others] == _RIGHT, each[others], _PENALTY)
        unseen[~others] = model(queried[~others])
    metrics = {"holdout_auroc": _auroc(unseen, kind, _FAR), "holdout_auroc_near": _auroc(unseen, kind, _NEAR)}
    return Linear.of(queried, kind == _RIGHT, each, _PENALTY), metrics


def _auroc(scores: Floats, kind: Index, wrong: int) -> float:
    some = (kind == _RIGHT) | (kind == wrong)
    return float(roc_auc_score(kind[some] == _RIGHT, scores[some]))


def _posterior(panel: Panel, pairs: PairFeatures, seed: int) -> Posterior:
    """What a score of ``pairs`` is worth, all of its texts being exchanged for comparison."""
    groups = digests(pairs.groups)
    x, u = panel.rows(pairs.images, pairs.sentences, pairs.texts)
    wrong = []
    for k in range(2):
        rng = np.random.default_rng([seed, 2, k])
        source, fault = exchange(pairs.groups, fold_of(groups), rng, 1.0, 0.0)
        wrong.append(panel.log_odds(x, u[source], groups)[fault > 0])
    return Posterior.of(panel.log_odds(x, u, groups), np.concatenate(wrong))


@dataclass(frozen=True, eq=False)
class _Injected:
    """Columns float64[n, k] of pairs as they are and of injected ones; which ``fault``; of which injected ``pool``;
    and in which ``half`` of the patients."""

    columns: Floats
    fault: Index
    pool: Index
    half: NDArray[np.bool_]


def _injected(panel: Panel, pairs: PairFeatures, clean: bool, size: int, seed: int) -> _Injected:
    """As many patients at a time as make a pool of ``size``: among more texts the most alike is more alike."""
    names, groups = digests(pairs.names), digests(pairs.groups)
    x, u = panel.rows(pairs.images, pairs.sentences, pairs.texts)
    fold = fold_of(groups)
    patients = np.unique(groups)
    several = max(MIN_GROUPS, round(len(patients) * min(1.0, size / len(x))))
    columns, faults, pools, halves = [], [], [], []
    for k, shares in enumerate(ON_CLEAN if clean else ON_POOL):
        rng = np.random.default_rng([seed, 3, k])
        some = np.flatnonzero(np.isin(groups, rng.permutation(patients)[:several]))
        source, fault = exchange([pairs.groups[i] for i in some], fold[some], rng, *shares)
        queried = names[some], groups[some], x[some], u[some[source]]
        odds = panel.log_odds(*queried[2:], queried[1])
        columns.append(_memory(*queried, odds, panel.posterior(odds)).columns(*queried, odds))
        faults.append(fault)
        pools.append(np.full(len(some), k))
        halves.append(groups[some] // np.uint64(FOLDS) % np.uint64(2) == 0)
    return _Injected(np.concatenate(columns), np.concatenate(faults), np.concatenate(pools), np.concatenate(halves))


def _of_pool(
    panel: Panel, reference: PairFeatures, pool: PairFeatures, clean: bool, seed: int, metrics: dict[str, float]
) -> tuple[Panel, dict[str, float]]:
    """The panel that remembers the pool, and whose probabilities are this pool's."""
    queried = digests(pool.names), digests(pool.groups), *panel.rows(pool.images, pool.sentences, pool.texts)
    odds = panel.log_odds(*queried[2:], queried[1])
    panel = replace(panel, posterior=_posterior(panel, pool if len(pool) >= MIN_PAIRS else reference, seed))
    memory = _memory(*queried, odds, panel.posterior(odds))
    columns = memory.columns(*queried, odds)
    injected = _injected(panel, reference, clean, len(pool), seed)
    faults = Faults.of(injected.columns, injected.fault)
    if clean:
        faults = faults.of_pool(columns)
        few = len(np.unique(queried[1])) < MIN_GROUPS  # one patient drawn again is always the same
        metrics = {
            **metrics,
            "share_error": 1.0 if few else faults.standard_error(columns, queried[1], seed),
            "right_error": holdout_error(injected.columns, injected.fault, injected.half, injected.pool),
            "unlike": faults.unlike(injected.columns, injected.fault, columns),
        }
    else:
        faults = faults.of_mixture(injected.columns, injected.fault, columns, panel.posterior.share)
    posterior = replace(panel.posterior, share=float(np.clip(faults.right, 0.02, 0.98)))
    panel = replace(panel, memory=memory, faults=faults, posterior=posterior)
    shares = dict(zip(FAULTS, map(float, faults.shares), strict=True))
    return panel, {**metrics, "right_in_pool": faults.right, **shares}


def _memory(
    names: NDArray[np.uint64], groups: NDArray[np.uint64], x: Rows, u: Rows, odds: Floats, posterior: Floats
) -> Memory:
    return Memory(names, groups, x, u, odds.astype(np.float32), posterior.astype(np.float32))
