"""CPU work that feeds a model: the same batches in the same order on both engines, their arrays moved, not pickled."""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from curate.engine import Engine
from curate.engine.local import LocalEngine
from curate.engine.resources import Resources


@dataclass(frozen=True)
class Fed:
    """Item n has n batches, each of words, an array, and arrays of no common shape."""

    def prepare(self, item: int) -> Iterator[Any]:
        for place in range(item):
            ragged = [None, np.full((place + 1, 3), place, np.uint8), np.zeros((0, 2), np.float16)]
            yield {"words": [f"{item}.{place}", "ü"], "array": np.arange(item * 5, dtype=np.int64), "ragged": ragged}

    def model(self) -> Callable[[Any], Any]:
        return told


def told(batch: Any) -> tuple[str, int, list[Any]]:
    ragged = [None if a is None else (a.shape, str(a.dtype), int(a.sum())) for a in batch["ragged"]]
    return batch["words"][0] + batch["words"][1], int(batch["array"].sum()), ragged


@pytest.mark.parametrize("engine", ["local_engine", pytest.param("ray_engine", marks=pytest.mark.ray)])
def test_every_item_comes_back_with_its_batches_in_order(engine: str, request: pytest.FixtureRequest) -> None:
    running: Engine = request.getfixturevalue(engine)
    fed, items = Fed(), [0, 1, 3, 7, 0]
    found = sorted(running.map_model(fed.prepare, fed.model, items), key=lambda done: done[0])
    assert found == [(n, [told(batch) for batch in fed.prepare(n)]) for n in sorted(items)]


@dataclass(frozen=True)
class Watched:
    """A model that goes on to the next batch when it was heard in the driver that this one is done."""

    folder: Path

    def prepare(self, item: int) -> Iterator[int]:
        return iter(range(3))

    def model(self) -> Callable[[int], int]:
        return self.wait

    def wait(self, batch: int) -> int:
        for _ in range(2000):
            if batch == 0 or (self.folder / str(batch)).exists():
                return batch
            time.sleep(0.01)
        raise AssertionError("nothing was said of a batch that is done")


def test_how_far_a_model_is_is_heard_while_an_item_is_at_work(
    local_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("curate.engine.local.PAUSE", 0.02)
    watched = Watched(tmp_path)

    def working(done: Mapping[int, int]) -> None:
        for n in done.values():
            (tmp_path / str(n)).touch()

    assert list(local_engine.map_model(watched.prepare, watched.model, [7], working)) == [(7, [0, 1, 2])]


@pytest.mark.ray
def test_how_far_a_model_is_is_heard_on_ray(ray_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("curate.engine.ray.PAUSE", -1.0)
    fed, heard = Fed(), list[int]()
    found = list(ray_engine.map_model(fed.prepare, fed.model, [3], lambda done: heard.extend(done.values())))
    assert found == [(3, [told(batch) for batch in fed.prepare(3)])] and heard == [1, 2, 3]


@pytest.mark.ray
def test_arrays_travel_beside_what_is_pickled() -> None:
    from curate.engine.ray import _row

    pixels = np.random.default_rng(0).integers(0, 256, (64, 50, 50, 1), dtype=np.uint8)
    row = _row(3, 1, {"pixels": pixels, "texts": ["a", "b"]})
    assert len(row["batch"][0].as_buffer()) < 1000
    (held,) = (array.as_buffer() for array in row["arrays"][0].values)
    back = pickle.loads(row["batch"][0].as_buffer(), buffers=[held])
    np.testing.assert_array_equal(back["pixels"], pixels)
    assert back["pixels"].ctypes.data == held.address, "read where it lies"


def test_a_gpu_holds_as_many_models_as_there_are_actors() -> None:
    assert LocalEngine(Resources(workers=8)).models == 8
    assert LocalEngine(Resources(workers=8, gpus=1.0, actors=2)).models == 2


def blas_threads(_: int) -> list[int]:
    np.linalg.eigh(np.eye(8))
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


def test_a_worker_is_one_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    for library in ("OMP", "OPENBLAS", "MKL"):
        monkeypatch.delenv(f"{library}_NUM_THREADS", raising=False)
    engine = LocalEngine(Resources(workers=1))
    try:
        (_, found), *_ = engine.map(blas_threads, [0])
    finally:
        engine.close()
    assert found and set(found) == {1}
