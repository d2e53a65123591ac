"""Which records each step of the training sees: a function of the seed and the epoch alone."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from curate.errors import RunError
from curate.export.repeat import Words, key_words, uniform
from filters.training.batches import ordered_batches
from filters.training.rules import TrainingRules
from filters.training.shards import Shards

_WINDOW = 64  # shards whose records are mixed with each other: disks and caches read near things faster


@dataclass(frozen=True, eq=False)
class Plan:
    """The steps of a training over ``shards``; every process makes the same one."""

    shards: Shards
    words: Words
    batch: int
    steps: int
    seed: int
    one_a_study: bool
    starts: list[int] = field(
        default_factory=lambda: [0]
    )  # the first step of each epoch, as far as they were asked for

    @property
    def samples(self) -> int:
        """Pairs seen in all."""
        return self.steps * self.batch

    def step(self, number: int) -> tuple[NDArray[np.int64], int]:
        """(places int64[batch] of the records of step ``number``, the epoch it is of)."""
        epoch, first = self._epoch_of(number)
        return _epoch(self, epoch)[number - first], epoch

    def _epoch_of(self, number: int) -> tuple[int, int]:
        while self.starts[-1] <= number:
            self.begin_next()
        epoch = bisect_right(self.starts, number) - 1
        return epoch, self.starts[epoch]

    def begin_next(self) -> None:
        """Find where one more epoch begins."""
        self.starts.append(self.starts[-1] + len(_epoch(self, len(self.starts) - 1)))


def make_plan(shards: Shards, rules: TrainingRules) -> Plan:
    """As long as the rules say. RunError where the records do not fill one batch of differing texts."""
    shown = shards.weights > 0
    distinct = len(np.unique(shards.texts[shown]))
    if distinct < rules.drawn:
        found = f"{int(shown.sum())} pairs with {distinct} different texts"
        raise RunError(f"{found} do not fill a batch of {rules.drawn}: lower train.batch, or keep more")
    words = key_words(shards.keys)
    plan = Plan(shards, words, rules.drawn, 0, rules.seed, rules.one_a_study)
    if rules.samples is not None:
        steps = math.ceil(rules.samples / rules.batch)
    else:
        while len(plan.starts) <= rules.epochs:
            plan.begin_next()
        steps = plan.starts[-1]
    return replace(plan, steps=steps)


@lru_cache(maxsize=2)
def _epoch(plan: Plan, epoch: int) -> NDArray[np.int64]:
    """int64[steps, batch]: a pass over the records, each as often as its weight says, no text twice in a batch."""
    draw = uniform(plan.words, _mixed(plan.seed, epoch))
    times = np.floor(plan.shards.weights.astype(np.float64) + draw).astype(np.int64)
    if plan.one_a_study:
        times *= _one_of_each(plan.shards.studies, uniform(plan.words, _mixed(plan.seed, epoch, 1)))
    rng = np.random.default_rng([plan.seed, epoch])
    order = _near(plan.shards.tar, np.repeat(np.arange(len(times)), times), rng)
    found = list(ordered_batches(plan.shards.texts[order], plan.batch, np.arange(len(order))[::-1]))
    if not found:
        raise RunError(f"an epoch of {len(order)} pairs fills no batch of {plan.batch}: lower train.batch")
    return order[np.stack(found)]


def _near(tars: NDArray[np.int32], rows: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """``rows`` in random order, but those of a window of shards together; the shards of a window are drawn too."""
    place = rng.permutation(int(tars.max()) + 1)
    window = place[tars[rows]] // _WINDOW
    mixed = rng.permutation(len(rows))
    return rows[mixed][np.argsort(window[mixed], kind="stable")]


def _one_of_each(studies: NDArray[np.int64], draw: NDArray[np.float64]) -> NDArray[np.int64]:
    """int64[n], 1 for the record of each study with the lowest draw, else 0."""
    order = np.lexsort((draw, studies))
    first = np.r_[True, np.diff(studies[order]) != 0]
    chosen = np.zeros(len(studies), np.int64)
    chosen[order[first]] = 1
    return chosen


def _mixed(*parts: int) -> int:
    return int(np.random.SeedSequence(parts).generate_state(1, np.uint64)[0])
