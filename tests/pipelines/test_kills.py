"""What dies within a run: its process before any of its writes, on a disk and on an object store, and nodes of its
cluster. What comes of it is an undisturbed run's, byte by byte."""

from __future__ import annotations

import multiprocessing
import os
import random
import re
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Any

import pytest
import yaml

from curate import lease
from curate.places import RemotePath, place
from pipelines.recipe.load import load_recipe
from pipelines.run.check import save_recipe
from pipelines.run.execute import run_pipeline
from pipelines.upkeep.verify import verify_run
from tests.inline import InlineEngine
from tests.pipelines.archive import fingerprint, make_archive, recipe_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]
ROOT = Path(__file__).parents[2]
PLAIN = {"filters": {"text_quality": {}}, "select": {"by": "text_quality", "keep": 0.5}, "truth": None}
WRITES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree")
_OWN = re.compile("-[0-9a-f]{16}$|[.]tmp-[0-9a-f]{8}$")  # of a name, what is another's in each run
REQUESTS = ("write_bytes", "create", "unlink", "remove_below")
AROUND = {"index", "ingest", "dedup", "train-text_quality", "score", "select", "plan", "export"}


def silent(name: str, done: float, total: int) -> None:
    pass


def live(recipe: Path, fatal: int, after: bool, told: Path, environment: Mapping[str, str]) -> None:
    """Run ``recipe``, and die at the ``fatal``-th time that it writes or removes below its ``out``, if it comes: before
    it, or on an object store ``after`` it; ``told``: is given a line that says where, or of a life that ended well how
    often that was."""
    os.environ.update(environment)
    read = load_recipe(recipe)
    out, writes = str(read.out), 0

    def write(path: str) -> bool:
        nonlocal writes
        if not path.startswith(f"{out}/"):
            return False
        writes += 1
        if writes == fatal:
            folder = path[len(out) + 1 :].split("/")[:2]
            told.write_text(_OWN.sub("", "/".join(folder[: 2 if folder[0] == "steps" else 1])))
        return writes == fatal

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        opened = event == "open" and isinstance(arguments[2], int) and arguments[2] & 0o3
        if (opened or event in WRITES) and write(str(arguments[0])):
            os.kill(os.getpid(), signal.SIGKILL)

    def request(real: Callable[..., Any]) -> Callable[..., Any]:
        def dying(path: RemotePath, *arguments: Any, **named: Any) -> Any:
            dies = threading.current_thread() is threading.main_thread() and write(str(path))  # not the lease's beat
            if dies and not after:
                os.kill(os.getpid(), signal.SIGKILL)
            done = real(path, *arguments, **named)
            if dies:
                os.kill(os.getpid(), signal.SIGKILL)
            return done

        return dying

    if isinstance(read.out, RemotePath):
        lease.Lease.__init__.__defaults__ = (0.2, 1.0)  # seconds: a dead run is seen sooner
        for name in REQUESTS:
            setattr(RemotePath, name, request(getattr(RemotePath, name)))
    else:
        sys.addaudithook(hook)
    save_recipe(read)
    run_pipeline(read, InlineEngine(), silent)
    told.write_text(str(writes))


@pytest.mark.parametrize(("where", "kills"), [("disk", 100), ("s3", 25)])
def test_kills_at_random_writes_lose_nothing(where: str, kills: int, tmp_path: Path, secret_file: Path) -> None:
    if where == "s3":
        pytest.importorskip("s3fs", reason="s3fs is not installed")
        pytest.importorskip("moto.server", reason="moto's server is not installed")
        from tests.s3server import s3_server

    kills = int(os.environ.get("RADSIFT_KILLS", kills))
    seed = int(os.environ.get("RADSIFT_SEED", random.randrange(2**32)))
    print(f"seed {seed}")
    chance, told = random.Random(seed), tmp_path / "told"
    archive = make_archive(tmp_path / "a", 24, side=64)
    context = multiprocessing.get_context("forkserver")  # what a life imports is imported once
    context.set_forkserver_preload([__name__])

    def lived(out: Path, fatal: int) -> bool:
        written = recipe_for(archive, tmp_path / "run", secret_file, **PLAIN)
        written.write_text(yaml.safe_dump(yaml.safe_load(written.read_text()) | {"out": str(out)}))
        environment = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
        return _ended_well(context, live, written, fatal, chance.random() < 0.5, told, environment)

    with s3_server("records") if where == "s3" else nullcontext():
        base = place("s3://records") if where == "s3" else tmp_path
        assert lived(tmp_path / "run", 0)
        want = fingerprint(tmp_path / "run")
        assert lived(base / "whole", 0)
        writes = int(told.read_text())
        assert fingerprint(base / "whole") == want
        places, whole, killed = Counter[str](), 0, True
        while places.total() < kills or killed:
            out = base / f"killed-{whole}"
            if killed := not lived(out, chance.randrange(1, writes) if places.total() < kills else 0):
                places[told.read_text()] += 1
                continue
            assert fingerprint(out) == want, f"seed {seed}"
            pseudo = load_recipe(tmp_path / "run.yaml").secret_source().pseudonymizer()
            assert not verify_run(out, pseudo).damaged, f"seed {seed}"
            whole += 1
            print(f"{places.total()} kills, {whole} whole runs", flush=True)
        print(f"{places.total()} kills, {whole} whole runs of {writes} writes; at one below: {dict(places)}")


def _ended_well(context: BaseContext, life: Callable[..., None], *arguments: Any) -> bool:
    """Whether ``life`` ended by itself, in a process of its own; False where it was killed."""
    process: Any = context.Process(target=life, args=arguments)  # type: ignore[attr-defined]
    process.start()
    process.join(600)
    if process.exitcode is None:
        process.kill()
    assert process.exitcode in (0, -signal.SIGKILL), f"a life ended with {process.exitcode}"
    return bool(process.exitcode == 0)


@dataclass(frozen=True)
class _TakesItsNode:
    """``work`` of a step; who does a piece of it first kills the Ray node that it runs on."""

    work: Callable[..., Any]
    marks: Path
    name: str

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        try:
            (self.marks / self.name).touch(exist_ok=False)
        except FileExistsError:
            return self.work(*arguments, **named)
        assert Path(f"/proc/{os.getppid()}/comm").read_text().strip() == "raylet"
        os.kill(os.getppid(), signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True)
class _LosesNodes:
    """A Ray engine on which each step loses the first node that works for it."""

    engine: Any
    marks: Path
    step: list[str]  # the one at work

    def map(self, fn: Any, items: Any, alone: bool = False, idle: Any = None) -> Iterator[Any]:
        return self.engine.map(_TakesItsNode(fn, self.marks, getattr(fn, "name", "scan")), items, alone, idle)

    def map_model(self, prepare: Any, model: Any, items: Any, working: Any = None) -> Iterator[Any]:
        return self.engine.map_model(_TakesItsNode(prepare, self.marks, self.step[0]), model, items, working)


def lose_nodes(recipe: Path, marks: Path) -> None:
    """Run ``recipe`` on a Ray cluster of a head that does no work and two nodes; a new one comes for each that dies."""
    os.environ["PYTHONPATH"] = str(ROOT)
    import ray
    from ray.cluster_utils import Cluster

    from curate.engine import start_engine
    from curate.engine.resources import Resources

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    for _ in range(2):
        cluster.add_node(num_cpus=1)
    engine, step = start_engine(Resources(kind="ray", address=cluster.address)), [""]

    def at_work(name: str, done: float, total: int) -> None:
        step[0] = name

    def run() -> None:
        read = load_recipe(recipe)
        save_recipe(read)
        run_pipeline(read, _LosesNodes(engine, marks, step), at_work)  # type: ignore[arg-type]
        step[0] = "done"

    running = threading.Thread(target=run, daemon=True)
    running.start()
    while running.is_alive():  # nodes are added by a process's first thread alone
        if sum(node["Alive"] for node in ray.nodes()) < 3:
            cluster.add_node(num_cpus=1)
        running.join(1)
    assert step[0] == "done"
    engine.close()
    cluster.shutdown()


@pytest.mark.ray  # a cluster of its own, in a process of its own
def test_a_node_lost_in_each_step_changes_no_byte(tmp_path: Path, secret_file: Path) -> None:
    archive = make_archive(tmp_path / "a", 24, side=64)
    recipe = load_recipe(recipe_for(archive, tmp_path / "run", secret_file, **PLAIN))
    save_recipe(recipe)
    run_pipeline(recipe, InlineEngine(), silent)
    (marks := tmp_path / "marks").mkdir()
    lossy = recipe_for(archive, tmp_path / "lossy", secret_file, **PLAIN)
    assert _ended_well(multiprocessing.get_context("spawn"), lose_nodes, lossy, marks)
    lost = {path.name for path in marks.iterdir()}
    assert lost >= AROUND, f"no node was lost in {AROUND - lost}"
    assert fingerprint(tmp_path / "lossy") == fingerprint(tmp_path / "run")
    assert not verify_run(tmp_path / "lossy", recipe.secret_source().pseudonymizer()).damaged
    print(f"nodes lost in {sorted(lost)}")
