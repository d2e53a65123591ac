"""A Ray cluster that changes: a node that comes late, one that goes, memory that is not there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.ray]  # clusters of their own, each in a process of its own
ROOT = Path(__file__).parents[2]

_NODES = """
import os, sys, time
import ray
from ray.cluster_utils import Cluster
from curate.engine import start_engine
from curate.engine.resources import Resources

def where(item):
    time.sleep(0.5)
    return ray.get_runtime_context().get_node_id()

if __name__ == "__main__":
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    second = cluster.add_node(num_cpus=1) if sys.argv[1] == "goes" else None
    engine = start_engine(Resources(kind="ray", address=cluster.address))
    found = {}
    for item, node in engine.map(where, range(40)):
        found[item] = node
        if len(found) == 4 and second is None:
            second = cluster.add_node(num_cpus=3)
        elif len(found) == 8 and sys.argv[1] == "goes":
            cluster.remove_node(second, allow_graceful=False)
    counts = sorted(list(found.values()).count(node) for node in set(found.values()))
    print("ITEMS", len(found), "NODES", *counts)
    engine.close()
    cluster.shutdown()
"""

_LEARNING = """
import os
from dataclasses import dataclass
import ray
from ray.cluster_utils import Cluster
from curate.engine import start_engine
from curate.engine.resources import Resources
from curate.errors import RecipeError

@dataclass(frozen=True)
class Work:
    on_gpu: bool

    def __call__(self, item):
        return len(ray.get_gpu_ids()), os.environ.get("CUDA_VISIBLE_DEVICES", "")

if __name__ == "__main__":
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "num_gpus": 0, "include_dashboard": False})
    engine = start_engine(Resources(kind="ray", address=cluster.address, gpus=1))
    try:
        list(engine.map(Work(True), range(2)))
    except RecipeError as error:
        refused = error.field
    cluster.add_node(num_cpus=1, num_gpus=1)
    learnt = [told for _, told in engine.map(Work(True), range(2))]
    other = [count for _, (count, _) in engine.map(Work(False), range(2))]
    print("GPUS", refused, *(f"{count}:{shown}" for count, shown in learnt), *other)
    engine.close()
    cluster.shutdown()
"""

_MEMORY = """
from curate.engine import CRASH, Crash, start_engine
from curate.engine.resources import Resources
import time

def hold(item):
    held = bytearray(200 << 20)
    time.sleep(3)
    return item

if __name__ == "__main__":
    engine = start_engine(Resources(kind="ray", workers=2))
    print("CRASHES", sum(isinstance(end, Crash) for _, end in engine.map(hold, range(2))))
    engine.close()
"""


def said(tmp_path: Path, script: str, word: str, *arguments: str, **environment: str) -> list[str]:
    """What the script said after ``word``. In a file, so that workers find its functions."""
    (tmp_path / "script.py").write_text(script)
    done = subprocess.run(
        [sys.executable, str(tmp_path / "script.py"), *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    lines = [line.split() for line in done.stdout.splitlines() if line.startswith(word)]
    assert done.returncode == 0 and lines, done.stderr[-2000:]
    return lines[-1]


def test_a_node_that_comes_late_gets_its_share(tmp_path: Path) -> None:
    _, items, _, *counts = said(tmp_path, _NODES, "ITEMS", "comes")
    assert items == "40" and len(counts) == 2 and int(counts[1]) > 20, "three of four CPUs came late"


def test_what_a_lost_node_had_is_done_by_the_others(tmp_path: Path) -> None:
    _, items, _, *_ = said(tmp_path, _NODES, "ITEMS", "goes")
    assert items == "40"


def test_what_learns_is_given_a_gpu_and_nothing_else_is(tmp_path: Path) -> None:
    """A GPU that Ray only counts: enough to see who is given it."""
    assert said(tmp_path, _LEARNING, "GPUS")[1:] == ["engine.gpus", "1:0", "1:0", "0", "0"]


def test_work_that_never_finds_memory_ends(tmp_path: Path) -> None:
    """Ray itself would begin it again for ever: its monitor kills all above 1 % of the machine's memory here."""
    environment = {"RAY_memory_usage_threshold": "0.01", "RAY_memory_monitor_refresh_ms": "100"}
    assert said(tmp_path, _MEMORY, "CRASHES", **environment)[1] == "2"
