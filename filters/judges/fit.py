"""The judges fitted as a whole: with a declared clean set, or on a pool of which nobody knows what is right.

A patient's pairs are judged by judges that have not seen that patient: `FOLDS` sets of them, each fitted without a
quarter of the patients. Without a clean set the pool teaches the judges, and what they believe of each other's folds
counts more in the next round. That a pair is right is believed as far as exchanged pairs do not explain its score.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from curate.errors import RunError
from filters.judges.belief import Belief
from filters.judges.faults import SINGLE, SINGLE_MORE, WHOLE, WHOLE_MORE, Faults, exchange, largest_share
from filters.judges.judges import Judges
from filters.judges.spaces import ImageSpace, Rows, TextSpace
from filters.judges.stack import Floats, Index, Linear, wrong_texts
from filters.judges.study import Memory
from filters.judges.towers import digests

FOLDS = 4
LEAST_PAIRS, LEAST_GROUPS = 40, 8
_FORGET = 0.2  # belief below which a pair teaches no judge
_HOLD_PAIR, _HOLD_STUDY = 0.03, 0.005
_RIGHT, _FAR, _NEAR = 0, 1, 2


@dataclass(frozen=True, eq=False)
class Given:
    """n pairs as frozen towers see them: unit rows, the texts themselves, and whose they are."""

    names: list[str]
    groups: list[str]
    images: Rows
    sentences: Rows
    texts: list[str]

    def __len__(self) -> int:
        return len(self.names)

    def take(self, index: NDArray[np.int64] | NDArray[np.bool_]) -> Given:
        """The pairs ``index``, rows or a mask."""
        rows = np.arange(len(self))[index]
        return Given(
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
    belief: Belief  # of a pair's log-odds, among the pool's
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
            asked = ~known | (own == fold)
            if asked.any():
                out[asked] += self.stack(judges.columns(images[asked], texts[asked]))
        return np.where(known, out, out / len(self.judges))

    def probability(
        self, names: NDArray[np.uint64], groups: NDArray[np.uint64], images: Rows, texts: Rows
    ) -> tuple[Floats, Floats]:
        """The probability that a pair is right, float64[n]: with what the patient's other pairs say, and by the pair
        alone."""
        alone = self.log_odds(images, texts, groups)
        columns = self.memory.columns(names, groups, images, texts, alone)
        return self.faults(columns), self.belief(alone)


def fold_of(groups: NDArray[np.uint64]) -> Index:
    """int64[n]: the fold of each patient, by its digest."""
    return np.asarray(groups % np.uint64(FOLDS), np.int64)


def fit(reference: Given, pool: Given, clean: bool, seed: int, rounds: int) -> tuple[Panel, dict[str, float]]:
    """Fit the judges to ``reference``, right pairs where ``clean``, else the pool itself, in ``rounds`` more; and the
    probability to ``pool``. RunError where there are too few pairs or patients to judge by.

    The metrics: AUROC of pairs as they are against exchanged ones that no judge has seen (``holdout_auroc``; of look-
    alikes ``holdout_auroc_near``), and the pool's share of right pairs (``right_in_pool``).
    """
    groups = digests(reference.groups)
    if len(reference) < LEAST_PAIRS or len(np.unique(groups)) < LEAST_GROUPS:
        told = f"{len(reference)} pairs of {len(np.unique(groups))} patients"
        raise RunError(
            f"judges have {told} to learn from and need {LEAST_PAIRS} of {LEAST_GROUPS}: give more, or no such filter"
        )
    image_space = ImageSpace.of(reference.images)
    text_space = TextSpace.of(reference.sentences, reference.texts, reference.groups)
    x, u = image_space(reference.images), text_space(reference.sentences, reference.texts)
    fold, rng = fold_of(groups), np.random.default_rng([seed, 1])
    weights = np.ones(len(x), np.float32)
    metrics: dict[str, float] = {}
    for _ in range(1 if clean else rounds + 1):
        judges = tuple(_judges(x, u, weights, fold != k) for k in range(FOLDS))
        stack, scored = _stack(judges, x, u, reference.groups, fold, weights, rng)
        metrics = metrics or scored  # of the first round: belief carries word of a fold to the others
        odds = _unseen(judges, stack, x, u, fold)
        low, high = np.quantile(odds, [0.05, 0.95])
        weights = np.maximum(np.clip((odds - low) / (high - low + 1e-9), 0, 1) ** 1.5, 1e-3).astype(np.float32)
    nothing = _memory(np.zeros(0, np.uint64), groups[:0], x[:0], u[:0], odds[:0], odds[:0])
    panel = Panel(image_space, text_space, judges, stack, np.unique(groups), _NONE, Faults(_ZERO, _ZERO), nothing)
    panel = replace(panel, belief=_belief(panel, reference, seed))
    panel = replace(panel, faults=_faults(panel, x, u, reference, clean, seed))
    return _of_pool(panel, pool if len(pool) else reference, clean, seed, metrics)


_NONE = Belief(0.5, 0.0, 1.0, 0.0, 0.0, 0.0)
_ZERO = Linear(np.zeros(1), np.ones(1), np.zeros(1), 0.0)


def _judges(x: Rows, u: Rows, weights: Rows, allowed: NDArray[np.bool_]) -> Judges:
    heard = allowed & (weights > _FORGET)
    if heard.sum() < LEAST_PAIRS // 4:
        heard = allowed
    return Judges.of(x[heard], u[heard], weights[heard])


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
    asked, kind, from_fold, each = (np.concatenate(part) for part in (columns, kinds, of, weight))
    if not (kind != _RIGHT).any():
        raise RunError("every text of the clean set says the same: there is nothing to tell a wrong pair by")
    for value, share in ((_RIGHT, 1.0), (_FAR, 0.5), (_NEAR, 0.5)):
        each[kind == value] *= share / each[kind == value].sum()
    unseen = np.zeros(len(kind))  # by a stack that has not seen the fold: it flatters what it was fitted on
    for k in np.unique(from_fold):
        others = from_fold != k
        told = Linear.of(asked[others], kind[others] == _RIGHT, each[others], _HOLD_PAIR, squares=False)
        unseen[~others] = told(asked[~others])
    metrics = {"holdout_auroc": _auroc(unseen, kind, _FAR), "holdout_auroc_near": _auroc(unseen, kind, _NEAR)}
    return Linear.of(asked, kind == _RIGHT, each, _HOLD_PAIR, squares=False), metrics


def _auroc(scores: Floats, kind: Index, wrong: int) -> float:
    some = (kind == _RIGHT) | (kind == wrong)
    return float(roc_auc_score(kind[some] == _RIGHT, scores[some]))


def _belief(panel: Panel, given: Given, seed: int) -> Belief:
    """What a score of ``given`` is worth, all of its texts being exchanged for comparison."""
    groups = digests(given.groups)
    x, u = panel.rows(given.images, given.sentences, given.texts)
    wrong = []
    for k in range(2):
        source, is_wrong, _ = exchange(given.groups, fold_of(groups), np.random.default_rng([seed, 2, k]), 1.0, 0.0)
        wrong.append(panel.log_odds(x, u[source], groups)[is_wrong])
    return Belief.of(panel.log_odds(x, u, groups), np.concatenate(wrong))


def _faults(panel: Panel, x: Rows, u: Rows, given: Given, clean: bool, seed: int) -> Faults:
    """Each fault against pairs as they are, learned where it was planted. A clean set is spoiled by more and more, for
    nobody knows how bad the pool will be; a pool of which nobody knows is bad enough already, and spoiled a little."""
    names, groups = digests(given.names), digests(given.groups)
    fold = fold_of(groups)
    models: list[Linear] = []
    shares: list[float] = []
    for kind, mixes in enumerate((SINGLE, WHOLE) if clean else (SINGLE_MORE, WHOLE_MORE)):
        columns, right = [], []
        for k, mix in enumerate(mixes):
            rng = np.random.default_rng([seed, 3, kind, k])
            source, wrong, whole = exchange(given.groups, fold, rng, *mix)
            odds = panel.log_odds(x, u[source], groups)
            memory = _memory(names, groups, x, u[source], odds, panel.belief(odds))
            some = ~wrong | (wrong & (whole if kind else ~whole))
            columns.append(memory.columns(names, groups, x, u[source], odds)[some])
            right.append(~wrong[some])
        asked, is_right = np.concatenate(columns), np.concatenate(right)
        models.append(Linear.balanced(asked, is_right, _HOLD_STUDY))
        shares.append(1e-4 if is_right.all() else largest_share(models[-1], asked[~is_right]))
    return Faults(models[0], models[1], (shares[0], shares[1]))


def _of_pool(
    panel: Panel, pool: Given, clean: bool, seed: int, metrics: dict[str, float]
) -> tuple[Panel, dict[str, float]]:
    """The panel that remembers the pool, and whose probabilities are this pool's."""
    names, groups = digests(pool.names), digests(pool.groups)
    x, u = panel.rows(pool.images, pool.sentences, pool.texts)
    odds = panel.log_odds(x, u, groups)
    if len(pool) >= LEAST_PAIRS:
        panel = replace(panel, belief=_belief(panel, pool, seed))
    memory = _memory(names, groups, x, u, odds, panel.belief(odds))
    columns = memory.columns(names, groups, x, u, odds)
    faults = panel.faults.of_pool(columns) if clean else panel.faults.of_mixture(columns, panel.belief.share)
    panel = replace(panel, memory=memory, faults=faults, belief=replace(panel.belief, share=faults.right))
    return panel, {**metrics, "right_in_pool": faults.right, "single": faults.shares[0], "whole": faults.shares[1]}


def _memory(
    names: NDArray[np.uint64], groups: NDArray[np.uint64], x: Rows, u: Rows, odds: Floats, belief: Floats
) -> Memory:
    return Memory(names, groups, x, u, odds.astype(np.float32), belief.astype(np.float32))
