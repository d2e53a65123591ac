"""The loop itself: several processes are one, a step goes on from a state, losses are read now and then."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from curate.errors import RunError
from filters.rules import FilterTrainingRules
from filters.training.distributed import DistributedContext, _buckets
from filters.training.loop import Step, Trainer, epoch_steps, train_epochs
from filters.training.objectives.contrastive import Contrastive
from filters.training.objectives.protocol import DeviceBatch, Features, Objective
from filters.training.optimizers import Course
from tests.filters.training.objective_steps import make, see

PARTS = range(6), range(6, 12)
# gradients go out as they are made, but where the weights that take part change, or a step has micro-batches
KINDS = {"clip": ("clip", 1), "siglip": ("siglip", 1), "siglip2": ("siglip2", 1), "two": ("clip", 2)}
KINDS |= {"a weight without a part": ("siglip", 1)}
Found = dict[str, dict[str, torch.Tensor]]


def _train(
    name: str, folder: Path, rows: range, distributed: DistributedContext
) -> tuple[bool, dict[str, torch.Tensor]]:
    """Three steps; whether gradients went out as they were made, and the weights after them."""
    kind, parts = KINDS[name]
    learner, objective = make(kind, folder)
    if name == "a weight without a part":  # the softmax knows no bias
        objective = Contrastive("clip", learner)
    trainer = Trainer(learner.model, objective, Course(1e-3, 0.1), distributed, parts == 1)
    pieces = [[int(i) for i in piece] for piece in np.array_split(np.array(rows), parts)]
    steps = (Step([see(learner, objective, p, step / 3) for p in pieces], 1, 12, step == 2) for step in range(3))
    rows_told = list(trainer.run(steps))
    assert [row["step"] for row in rows_told] == [3]
    return trainer.overlapped, {k: v.clone() for k, v in learner.model.state_dict().items()}


def _process(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    mine = Path(folder) / str(rank)
    mine.mkdir()
    torch.save(
        {name: _train(name, mine, PARTS[rank], DistributedContext(rank, 2)) for name in KINDS},
        Path(folder) / f"{rank}.pt",
    )
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> list[dict]:
    folder = tmp_path_factory.mktemp("two")
    mp.get_context("forkserver").set_forkserver_preload(["tests.filters.training.objective_steps"])  # imported once
    mp.start_processes(_process, (str(folder),), nprocs=2, start_method="forkserver")
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(2)]


@pytest.mark.parametrize("name", KINDS)
def test_two_processes_learn_what_one_learns(tmp_path: Path, two: list[dict], name: str) -> None:
    (overlapped, first), (_, second) = (found[name] for found in two)
    assert overlapped == (name not in ("siglip2", "two"))
    _, one = _train(name, tmp_path, range(12), DistributedContext())
    assert one.keys() == first.keys()
    for key, value in one.items():
        assert torch.equal(first[key], second[key]), key
        if name != "siglip2":  # whose crops are drawn a process
            assert torch.allclose(first[key], value, rtol=0, atol=1e-4), key


class Fit(Objective):
    """A line through points, with a weight that is dropped now and then."""

    def features(self, model: torch.nn.Module, batch: DeviceBatch) -> Features:
        return {"said": model(torch.nn.functional.dropout(batch.pixels, 0.2)), "truth": batch.ids}

    def loss(
        self, features: Features, model: torch.nn.Module, distributed: DistributedContext
    ) -> dict[str, torch.Tensor]:
        return {"loss": (features["said"][:, 0] - features["truth"]).square().mean()}


def _trainer(lr: float = 0.05) -> Trainer:
    torch.manual_seed(0)
    return Trainer(torch.nn.Linear(3, 1), Fit(), Course(lr, 0.0, seed=5), DistributedContext())


def _points(epochs: int, first: int = 0) -> Iterator[Step]:
    x = torch.randn((40, 3), generator=torch.Generator().manual_seed(1))
    rows = np.arange(40).reshape(10, 4)
    steps = epoch_steps(epochs, lambda: rows, lambda i, done: DeviceBatch(x[i], x[i].sum(1), {}, done))
    return (step for number, step in enumerate(steps) if number >= first)


def test_a_line_is_learned_and_told_by_epoch() -> None:
    calls: list[tuple[int, int]] = []
    trainer = _trainer()
    curve = train_epochs(trainer, _points(20), 20, lambda e, n, row: calls.append((e, n)))
    assert [row["epoch"] for row in curve] == list(range(1, 21)) and calls == [(e, 20) for e in range(1, 21)]
    assert curve[-1]["loss"] < 0.5 * curve[0]["loss"] and curve[0]["pairs"] == 40 and curve[-1]["step"] == 200
    assert not {"pairs/s", "waiting"} & curve[0].keys(), "nothing of the clock is kept"
    assert not trainer.model.training


def test_it_goes_on_from_any_step_to_the_same_weights() -> None:
    whole, begun, again = _trainer(), _trainer(), _trainer()
    list(whole.run(_points(4)))
    list(begun.run(islice(_points(4), 10)))
    torch.rand(3)  # what else was drawn has no part in it
    again.restore(begun.state())
    list(again.run(_points(4, first=10)))
    assert again.step == whole.step == 40
    assert torch.equal(again.model.weight, whole.model.weight)


@pytest.mark.parametrize("bad", [3, 45])
def test_a_loss_that_leaves_the_numbers_ends_it_soon(bad: int) -> None:
    """In the middle of an epoch that is long, too."""
    seen = 0

    def steps() -> Iterator[Step]:
        nonlocal seen
        for seen in range(1000):
            x = torch.full((2, 3), float("nan") if seen == bad else 1.0)
            yield Step([DeviceBatch(x, torch.ones(2))], 1, 2, seen == 999)

    with pytest.raises(RunError, match=r"loss nan in epoch 1: lower lr \(now 0.05\) or raise warmup"):
        list(_trainer().run(steps()))
    assert seen < bad + 40


def test_a_course_takes_what_rules_say() -> None:
    course = Course.of(FilterTrainingRules(lr=3.0, ema=0.5), lr=1.0)
    assert (course.lr, course.ema, course.warmup, course.level, course.bf16) == (1.0, 0.5, 0.1, 0.0, True)


def test_gradients_travel_in_buckets_of_one_kind() -> None:
    big = [torch.zeros(4 << 20) for _ in range(3)]  # of 16 MB
    half = torch.zeros(3, dtype=torch.bfloat16)
    found = list(_buckets([big[0], half, *big[1:]]))
    assert [[t.dtype for t in same] for same in found] == [[torch.float32] * 2, [torch.bfloat16], [torch.float32]]
    assert sum(len(same) for same in found) == 4
