"""How much of a cluster a step keeps busy, and what the driver does for it, at 1 to 256 nodes.

    python -m benchmarks.nodes [--durations RUN] [--mean 25] [--cpus 16] [--each 40] [--driver 0.75 0.0002]
    python -m benchmarks.nodes --real 1 4 16 64 [--mean 2] [--each 12]

Items sleep as long as partitions took that were recorded (the seconds in the markers of a run's ingest; without one,
those of `RECORDED`), scaled to a mean of ``--mean`` seconds, ``--each`` of them a CPU.

Without ``--real`` the clock is simulated: `curate.engine.ray.RayEngine` itself hands the items out, to a stand-in for
Ray's calls with so many CPUs, and each item costs the driver what ``--driver`` says: ms, and ms for each item in
flight. With ``--real`` a node is a CPU of Ray on this machine, whose workers really sleep; the driver's CPU time is its
process's own, from which ``--driver`` was fitted.
"""

from __future__ import annotations

import argparse
import heapq
import itertools
import multiprocessing
import random
import resource
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import curate.engine.ray as engine_ray
from curate.engine.resources import Resources
from curate.storage import read_marker

# seconds of 105 partitions of two records each, `curate synth --studies 150 --seed 11`: every fifth, in order of length
RECORDED = (
    0.10,
    0.54,
    0.73,
    0.76,
    0.79,
    0.81,
    0.84,
    0.88,
    0.99,
    1.06,
    1.14,
    1.19,
    1.25,
    1.29,
    1.45,
    1.54,
    1.58,
    1.65,
    1.74,
    1.79,
    1.94,
)


@dataclass
class Simulated:
    """What the engine asks of Ray, answered by a clock that is moved on: ``cpus`` that each do an item at a time."""

    cpus: int
    driver: tuple[float, float]  # ms an item, and for each item that is in flight
    now: float = 0.0  # s
    busy: float = 0.0  # s of all CPUs
    spent: float = 0.0  # s of the driver
    _free: list[float] = field(default_factory=list)
    _ends: list[tuple[float, int]] = field(default_factory=list)
    _done: set[int] = field(default_factory=set)
    _numbers: Any = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self._free = [0.0] * self.cpus

    def put(self, value: Any) -> Any:
        return value

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": float(self.cpus)}

    def remote(self, **_: Any) -> Callable[[Any], Any]:
        return lambda fn: self._Task(self)

    def wait(self, references: Sequence[int], num_returns: int, timeout: float | None = None) -> Any:
        self._cost(len(references) * self.driver[1])
        if timeout is None and self._ends and not self._done:
            self.now = max(self.now, self._ends[0][0])
        while self._ends and self._ends[0][0] <= self.now:
            self._done.add(heapq.heappop(self._ends)[1])
        found = sorted(self._done)[:num_returns]
        if timeout is not None:
            self._done -= set(found)
        return found, None

    def get(self, reference: int) -> int:
        return reference

    def _cost(self, ms: float) -> None:
        self.now += ms / 1000
        self.spent += ms / 1000

    @dataclass
    class _Task:
        ray: Simulated

        def remote(self, fn: Any, seconds: float, *_: Any) -> int:
            ray, number = self.ray, next(self.ray._numbers)
            ray._cost(ray.driver[0])
            begins = max(heapq.heappop(ray._free), ray.now)
            heapq.heappush(ray._free, begins + seconds)
            heapq.heappush(ray._ends, (begins + seconds, number))
            ray.busy += seconds
            return number


def simulate(nodes: int, cpus: int, seconds: list[float], driver: tuple[float, float]) -> dict[str, float]:
    """Efficiency (busy of all CPUs until the end), and the driver's share of a core."""
    ray, real = Simulated(nodes * cpus, driver), engine_ray.ray
    engine = object.__new__(engine_ray.RayEngine)
    engine.resources = Resources(kind="ray")
    engine_ray.ray = ray  # type: ignore[assignment]
    try:
        done = sum(1 for _ in engine.map(float, seconds))
    finally:
        engine_ray.ray = real
    assert done == len(seconds)
    end = max(ray._free)
    return {"efficiency": ray.busy / (end * nodes * cpus), "driver": ray.spent / end, "s": end}


def measure(nodes: int, seconds: list[float]) -> dict[str, float]:
    """The same of Ray on this machine, a CPU a node."""
    engine = engine_ray.RayEngine(Resources(kind="ray", workers=nodes))
    try:
        list(engine.map(time.sleep, [2.0] * nodes * 2))  # all workers have begun
        cpu, began = _cpu(), time.monotonic()
        done = sum(1 for _ in engine.map(time.sleep, seconds))
        end, spent = time.monotonic() - began, _cpu() - cpu
    finally:
        engine.close()
    assert done == len(seconds)
    return {"efficiency": sum(seconds) / (end * nodes), "driver": spent / end, "s": end, "ms": spent / done * 1000}


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def durations(run: Path | None, count: int, mean: float) -> list[float]:
    """So many, drawn from those recorded, with this mean."""
    markers = [read_marker(path) for path in sorted(run.glob("steps/ingest-*/part-*.json"))] if run else []
    known = [float(marker["seconds"]) for marker in markers if marker] or list(RECORDED)
    drawn = random.Random(0).choices(known, k=count)
    return [second * mean * count / sum(drawn) for second in drawn]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--durations", type=Path)
    parser.add_argument("--mean", type=float, default=25)
    parser.add_argument("--nodes", type=int, nargs="+", default=[1, 4, 16, 64, 256])
    parser.add_argument("--cpus", type=int, default=16)
    parser.add_argument("--each", type=int, default=40)
    parser.add_argument("--driver", type=float, nargs=2, default=[0.75, 0.0002])
    parser.add_argument("--real", type=int, nargs="+")
    args = parser.parse_args()
    for nodes in args.real or args.nodes:
        cpus = 1 if args.real else args.cpus
        seconds = durations(args.durations, nodes * cpus * args.each, args.mean)
        if args.real:  # in a process of its own: Ray is started with a token once in each
            with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
                measured = process.submit(measure, nodes, seconds).result()
        else:
            measured = simulate(nodes, cpus, seconds, tuple(args.driver))
        shown = "  ".join(f"{name} {value:.3f}" for name, value in measured.items())
        print(f"{nodes} nodes of {cpus}, {len(seconds):,} items of {args.mean:g} s: {shown}", flush=True)


if __name__ == "__main__":
    main()
