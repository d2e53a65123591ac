"""The records of each training step, a function of the seed and the epoch alone; patients held out. No torch here."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from curate.errors import RunError
from curate.export.repeat import Words, key_words, uniform
from filters.rules import TrainingRules
from filters.training.shards import Shards

_WINDOW = 64  # shards whose records are shuffled together: neighbouring reads are faster


@dataclass(frozen=True, eq=False)
class Plan:
    """The steps of a training over ``shards``, the same in every process."""

    shards: Shards
    words: Words
    batch: int
    steps: int
    seed: int
    one_a_study: bool
    starts: list[int] = field(default_factory=lambda: [0])  # the first step of each epoch, computed on demand

    def step(self, number: int) -> tuple[NDArray[np.int64], int]:
        """(indices int64[batch] of the records of step ``number``, its epoch)."""
        epoch, first = self._epoch_of(number)
        return _epoch(self, epoch)[number - first], epoch

    def _epoch_of(self, number: int) -> tuple[int, int]:
        while self.starts[-1] <= number:
            self.begin_next()
        epoch = bisect_right(self.starts, number) - 1
        return epoch, self.starts[epoch]

    def begin_next(self) -> None:
        """Compute the first step of one more epoch."""
        self.starts.append(self.starts[-1] + len(_epoch(self, len(self.starts) - 1)))


def make_plan(shards: Shards, rules: TrainingRules) -> Plan:
    """The plan for the rules' length. RunError if the records do not fill one batch of distinct texts."""
    weighted = shards.weights > 0
    distinct = len(np.unique(shards.texts[weighted]))
    if distinct < rules.drawn:
        problem = f"{int(weighted.sum())} pairs with {distinct} different texts do not fill a batch of {rules.drawn}"
        raise RunError(f"{problem}: {_remedy(distinct * rules.batch // rules.drawn, rules.accumulate)}")
    words = key_words(shards.keys)
    plan = Plan(shards, words, rules.drawn, 0, rules.seed, rules.one_a_study)
    if rules.samples is not None:
        steps = math.ceil(rules.samples / rules.batch)
    else:
        while len(plan.starts) <= rules.epochs:
            plan.begin_next()
        steps = plan.starts[-1]
    return replace(plan, steps=steps)


def _remedy(most: int, accumulate: int) -> str:
    """What to do where a batch of ``most`` pairs is the largest: a power of two in each micro-batch. Not done unasked,
    since what a model learns from contrast depends on its batch."""
    fits = accumulate * 2 ** ((most // accumulate).bit_length() - 1) if most >= max(accumulate, 2) else 0
    return f"--set train.batch={fits}, or keep more" if fits else "keep more"


@lru_cache(maxsize=2)
def _epoch(plan: Plan, epoch: int) -> NDArray[np.int64]:
    """int64[steps, batch]: a pass over the records, each as often as its weight, no text twice in a batch."""
    draw = uniform(plan.words, _derived_seed(plan.seed, epoch))
    times = np.floor(plan.shards.weights.astype(np.float64) + draw).astype(np.int64)
    if plan.one_a_study:
        times *= _one_of_each(plan.shards.studies, uniform(plan.words, _derived_seed(plan.seed, epoch, 1)))
    rng = np.random.default_rng([plan.seed, epoch])
    order = _shuffle_windows(plan.shards.tar, np.repeat(np.arange(len(times)), times), rng)
    batches = list(ordered_batches(plan.shards.texts[order], plan.batch, np.arange(len(order))[::-1]))
    if not batches:
        raise RunError(
            f"an epoch of {len(order)} pairs fills no batch of {plan.batch}: lower train.batch, or keep more"
        )
    return order[np.stack(batches)]


def _shuffle_windows(tars: NDArray[np.int32], rows: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """``rows`` shuffled within windows of randomly chosen shards."""
    order = rng.permutation(int(tars.max()) + 1)
    window = order[tars[rows]] // _WINDOW
    mixed = rng.permutation(len(rows))
    return rows[mixed][np.argsort(window[mixed], kind="stable")]


def _one_of_each(studies: NDArray[np.int64], draw: NDArray[np.float64]) -> NDArray[np.int64]:
    """int64[n], 1 for the record of each study with the lowest draw, else 0."""
    order = np.lexsort((draw, studies))
    first = np.r_[True, np.diff(studies[order]) != 0]
    chosen = np.zeros(len(studies), np.int64)
    chosen[order[first]] = 1
    return chosen


def _derived_seed(*parts: int) -> int:
    return int(np.random.SeedSequence(parts).generate_state(1, np.uint64)[0])


def hold_out(groups: Sequence[str], share: float, seed: int) -> NDArray[np.bool_]:
    """bool[n]: whole groups, drawn until they hold ``share`` of the pairs; never all of them, none for share 0."""
    names, owner, sizes = np.unique(np.asarray(groups), return_inverse=True, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(names))
    before = np.cumsum(sizes[order]) - sizes[order]
    chosen = order[: min(int((before < share * len(groups)).sum()), len(names) - 1)]
    return np.isin(owner, chosen)


def batches(labels: NDArray[np.int64], size: int, rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """One epoch: index arrays of exactly ``size`` pairs whose ``labels`` (texts) differ from each other.

    The same text twice in a batch would be a false negative of itself. A pair that does not fit into a batch is
    postponed to the next; pairs left over when no full batch can be made are not used in this epoch.
    """
    return ordered_batches(labels, size, rng.permutation(len(labels)))


def ordered_batches(labels: NDArray[np.int64], size: int, order: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """`batches` of the pairs in the given ``order``, taken from its end."""
    remaining = order.tolist()
    postponed: list[int] = []
    while len(remaining) + len(postponed) >= size:
        batch: list[int] = []
        repeated: list[int] = []
        batch_texts: set[int] = set()
        while (postponed or remaining) and len(batch) < size:
            i = postponed.pop() if postponed else remaining.pop()
            if labels[i] in batch_texts:
                repeated.append(i)
            else:
                batch_texts.add(int(labels[i]))
                batch.append(i)
        if len(batch) < size:
            return
        yield np.array(batch)
        postponed += repeated
