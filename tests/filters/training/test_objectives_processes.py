"""Two processes (gloo) against one, every objective: the same losses, the same averaged gradients and heads."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from filters.training.distributed import DistributedContext
from tests.filters.training.objective_steps import NAMES, backward, gradients, make, see

PARTS = range(6), range(6, 12)
Found = dict[str, dict[str, torch.Tensor]]


def _step(name: str, folder: Path, parts: tuple[range, ...], distributed: DistributedContext) -> dict:
    learner, objective = make(name, folder)
    micro = [see(learner, objective, part, shift=5 * (name == "medclip")) for part in parts]
    losses = backward(learner, objective, micro, distributed)
    found = gradients(learner, objective)
    distributed.average(found.values())
    objective.update(learner.model)
    return {"losses": losses, "gradients": found, "heads": objective.heads.state_dict()}


def _process(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    places = [Path(folder) / name for name in NAMES]
    mine = Path(folder) / str(rank)
    mine.mkdir()
    found = {place.name: _step(place.name, mine, (PARTS[rank],), DistributedContext(rank, 2)) for place in places}
    torch.save(found, Path(folder) / f"{rank}.pt")
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> list[dict]:
    folder = tmp_path_factory.mktemp("two")
    mp.get_context("forkserver").set_forkserver_preload(["tests.filters.training.objective_steps"])  # imported once
    mp.start_processes(_process, (str(folder),), nprocs=2, start_method="forkserver")
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(2)]


@pytest.mark.parametrize("name", NAMES)
def test_two_processes_are_one(tmp_path: Path, two: list[dict], name: str):
    one = _step(name, tmp_path, PARTS, DistributedContext())
    first, second = (found[name] for found in two)
    assert first["losses"].keys() == one["losses"].keys()
    for part, value in one["losses"].items():
        assert abs((first["losses"][part] + second["losses"][part]) / 2 - value) < 1e-5, part
    for kind in ("gradients", "heads"):
        assert one[kind].keys() == first[kind].keys()
        for key, value in one[kind].items():
            assert torch.equal(first[kind][key], second[kind][key])
            assert torch.allclose(first[kind][key], value, rtol=0, atol=1e-5), key
    assert ("heads.agreement.head.0.weight" in one["gradients"]) == (name == "siglip2")
