"""A Step: a materialised phase of the run, named by the hash of everything that decides its bytes.

    RUN/steps/<name>-<hash>/part-00000.parquet   what the step made of partition 0, committed by an atomic rename
                            part-00000.json      its counts, sha256 and seconds: the partition's done-marker
                            manifest.json        the step's done-marker, written last: in = kept + dropped(reason)
                            verified.json        what was last compared with its sha256 (`curate.intact`)

The hash covers the step's configuration, its version and its inputs' hashes, never resources: not the engine, not
the number of workers. So a killed run resumes where it stopped, and gives the same bytes. A part, a file beside it or a
marker that is damaged is one that is missing: exactly that is made again, and what was made of it stays good where the
new bytes are the old ones.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa

from curate.engine import Crash, Engine
from curate.engine.share import read_shares, shared
from curate.engine.spent import peak_memory, reset_peak, retries
from curate.errors import FunnelError, RunError
from curate.intact import (
    MANIFEST,
    damaged,
    digests_beside,
    forget,
    marker_path,
    part_path,
    part_paths,
    read_markers,
    remember,
)
from curate.isolate import isolate
from curate.places import place
from curate.record import Reason
from curate.storage import commit_marker, commit_table, digest, read_marker, read_table, remove_tree
from curate.task import LeavesFiles, ModelTask, SpreadTask, Tables, Task

FINISHED = "run.json"  # in a run's folder: the step folders that its last finished run is made of
INNER = "work"  # in a spread step's folder: the run of its inner steps
Progress = Callable[[str, float, int], None]  # step name, partitions done (with shares of those at work), and in all


@dataclass(frozen=True)
class Step:
    """One phase. ``config`` must be JSON; ``inputs`` are the hashes of the steps it reads; ``on_gpu``: its task learns,
    and is given a GPU where models are."""

    name: str
    task: Task
    partitions: int
    config: Mapping[str, Any]
    inputs: Sequence[str] = ()
    version: int = 1
    on_gpu: bool = False

    @property
    def hash(self) -> str:
        """16 hex digits over name, version, configuration and inputs."""
        return digest(self.rules, *self.inputs)[:16]

    @property
    def rules(self) -> str:
        """A digest of all that decides the step's bytes but its inputs. The program's version is not in it: what makes
        other bytes raises the step's own."""
        return digest(self.name, str(self.version), json.dumps(self.config, sort_keys=True, default=str))

    def folder(self, run: Path) -> Path:
        """Where this step's output lies under the run's folder."""
        return run / "steps" / f"{self.name}-{self.hash}"

    def made_of(self, run: Path) -> str:
        """A digest of the parts, and what was left beside them, of the steps it reads, as they are now."""
        folders = (run / "steps").iterdir() if self.inputs and (run / "steps").is_dir() else ()
        named = {folder.name.rpartition("-")[2]: folder for folder in folders}
        read = [load_manifest(named[name]) for name in self.inputs if name in named]
        parts = (part for manifest in read if manifest for part in manifest.parts)
        return digest(*(f"{part['sha256']}{part.get('beside', '')}" for part in parts))


@dataclass(frozen=True)
class Manifest:
    """A finished step: what it read, kept and dropped, and the sha256 of each part; bytes that a worker held at most
    (0: not known), how often parts were begun again since a process died."""

    step: str
    hash: str
    rows_in: int
    kept: int
    dropped: Mapping[str, int]
    parts: Sequence[Mapping[str, Any]]
    seconds: float
    memory: int = field(default=0, compare=False)
    retries: int = field(default=0, compare=False)
    reused: bool = field(default=False, compare=False)

    def __post_init__(self) -> None:
        if self.rows_in != self.kept + sum(self.dropped.values()):
            raise FunnelError(f"{self.step}: {self.rows_in} in, {self.kept} kept, {sum(self.dropped.values())} dropped")


def load_manifest(folder: Path) -> Manifest | None:
    """The manifest of a finished step, None where the step is not done, or its manifest is damaged."""
    raw = read_marker(folder / MANIFEST)
    return None if raw is None else Manifest(**raw, reused=True)


def read_parts(folder: Path, columns: Sequence[str] | None = None, empty: pa.Schema | None = None) -> pa.Table:
    """All parts of a finished step as one table, in partition order; ``empty`` is the schema of a step whose input
    was empty, so that it has no parts."""
    parts = part_paths(folder)
    if not parts and empty is not None:
        table = empty.empty_table()
        return table.select(columns) if columns else table
    return pa.concat_tables([read_table(p, columns) for p in parts])


def run_step(step: Step, run: Path, engine: Engine, progress: Progress | None = None) -> Manifest:
    """Do what is not done of ``step`` on ``engine`` and write its manifest. A finished step returns at once."""
    folder, inputs = step.folder(run), step.made_of(run)
    todo = damaged(folder, step.partitions, inputs)
    if not todo and (done := load_manifest(folder)) is not None:
        return done
    started = time.monotonic()
    forget(folder, todo)
    say, finished = progress or (lambda name, n, of: None), step.partitions - len(todo)
    say(step.name, finished, step.partitions)
    crashed: list[int] = []
    shown = float(finished)
    with tempfile.TemporaryDirectory(prefix="radsift-") as shares:

        def idle() -> None:
            nonlocal shown
            now = finished + sum(read_shares(Path(shares)).values())
            if now > shown:
                shown = now
                say(step.name, shown, step.partitions)

        work = PartitionWork(step.task, str(folder), step.name, inputs, shares, step.on_gpu)
        for partition, outcome in engine.map(work, todo, idle=idle):
            if isinstance(outcome, Crash):
                crashed.append(partition)  # looked at when all others are done, so that nobody waits for it
            else:
                finished += 1
                say(step.name, finished, step.partitions)
    if crashed:
        isolate(work, crashed, engine)
        say(step.name, step.partitions, step.partitions)
    return finish(step, run, time.monotonic() - started)


def run_model_step(
    step: Step, task: ModelTask, run: Path, engine: Engine, progress: Progress | None = None
) -> Manifest:
    """`run_step` for a model's work: the driver commits the narrow tables, the engine keeps the models busy."""
    folder, inputs = step.folder(run), step.made_of(run)
    todo = damaged(folder, step.partitions, inputs)
    if not todo and (done := load_manifest(folder)) is not None:
        return done
    started = last = time.monotonic()
    forget(folder, todo)
    say, batches = progress or (lambda name, n, of: None), cache(task.batches)
    finished = step.partitions - len(todo)
    say(step.name, finished, step.partitions)

    def working(done: Mapping[int, int]) -> None:
        shares = (min(n / max(batches(partition), 1), 1.0) for partition, n in done.items())
        say(step.name, finished + sum(shares), step.partitions)

    for partition, results in engine.map_model(task.prepare, task.model, todo, working):
        now = time.monotonic()
        commit_part(folder, partition, task.assemble(partition, results), now - last, inputs)
        last = now
        finished += 1
        say(step.name, finished, step.partitions)
    return finish(step, run, time.monotonic() - started)


def run_spread_step(
    step: Step, task: SpreadTask, run: Path, engine: Engine, progress: Progress | None = None
) -> Manifest:
    """`run_step` for work on all records: its inner steps lie below the step's folder, are gone on with where a run was
    killed, and are removed when the step is done."""
    folder, inputs = step.folder(run), step.made_of(run)
    work, last = folder / INNER, step.task

    def inner(name: str, task: Task, partitions: int) -> str:
        part = Step(f"{step.name}-{name}", task, partitions, {}, [inputs])
        run_step(part, work, engine, progress)
        return str(part.folder(work))

    if damaged(folder, step.partitions, inputs) or load_manifest(folder) is None:
        last = task.spread(inner)
    manifest = run_step(replace(step, task=last), run, engine, progress)
    forget_inner(step, run)
    return manifest


def forget_inner(step: Step, run: Path) -> None:
    """Remove what `run_spread_step` has made on the way."""
    if (work := step.folder(run) / INNER).is_dir():
        remove_tree(work, run / "steps")


def finish(step: Step, run: Path, seconds: float) -> Manifest:
    """Add the partitions' counts up and write the manifest, last of all."""
    folder = step.folder(run)
    parts = read_markers(folder, step.partitions)
    if len(parts) != step.partitions:
        raise RunError(f"{step.name}: {step.partitions - len(parts)} markers are gone; run the same command again")
    dropped: Counter[str] = Counter()
    for part in parts:
        dropped.update(part["dropped"])
    manifest = Manifest(
        step=step.name,
        hash=step.hash,
        rows_in=sum(p["rows_in"] for p in parts),
        kept=sum(p["kept"] for p in parts),
        dropped=dict(sorted(dropped.items())),
        parts=[{"sha256": p["sha256"], "rows": p["rows_in"], **_own_files(p["files"])} for p in parts],
        seconds=round(seconds, 3),
        memory=max((p.get("memory", 0) for p in parts), default=0),
        retries=sum(p.get("retries", 0) for p in parts),
    )
    fields = {k: v for k, v in vars(manifest).items() if k != "reused"}
    remember(folder, parts)
    commit_marker(folder / MANIFEST, fields)
    return manifest


def _own_files(files: Mapping[str, str]) -> dict[str, str]:
    """A digest of a part's files below the step's folder: a model, which is not its part's keys. Files elsewhere (the
    sealed index, shards) are other bytes whenever they are written, or nobody's input."""
    own = {name: sha256 for name, sha256 in files.items() if not name.startswith("..")}
    return {"beside": digest(json.dumps(own, sort_keys=True))} if own else {}


def commit_part(
    folder: Path,
    partition: int,
    tables: Tables,
    seconds: float,
    inputs: str = "",
    beside: Iterable[Path] = (),
    cost: Callable[[], Mapping[str, float]] = dict,
) -> int:
    """Write one partition's rows, how many is returned, then its marker; a partition without a marker is done again.
    ``inputs``: what it was made of (`Step.made_of`); ``beside``: what else was written for it; ``cost``: what its
    worker took, asked once the rows are written, for many are made as they are."""
    rows, dropped = 0, Counter[str]()

    def counted(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
        nonlocal rows
        for table in tables:
            rows += table.num_rows
            if "drop_reason" in table.column_names:
                counts = table["drop_reason"].drop_null().value_counts()
                dropped.update({count["values"]: count["counts"] for count in counts.to_pylist()})
            yield table

    several = iter([tables] if isinstance(tables, pa.Table) else tables)
    first = next(several)
    sha256 = commit_table(part_path(folder, partition), counted(chain([first], several)), _row_group(first))
    marker = {
        "rows_in": rows,
        "kept": rows - dropped.total(),
        "dropped": dict(sorted(dropped.items())),
        "sha256": sha256,
        "files": digests_beside(folder, beside),
        "inputs": inputs,
        "seconds": round(seconds, 3),
        **cost(),
    }
    commit_marker(marker_path(folder, partition), marker)
    return rows


def _row_group(table: pa.Table) -> int:
    """Rows that are read together: few where they are pictures, or where one bucket of many is asked for."""
    return 256 if "image" in table.column_names else 1024 if "bucket" in table.column_names else 64 * 1024


@dataclass(frozen=True)
class PartitionWork:
    """What a worker does for one partition: run the task, commit the part. Sent to workers, so it holds no data."""

    task: Task
    folder: str
    name: str
    inputs: str
    shares: str  # folder of `curate.engine.share`
    on_gpu: bool = False

    def __call__(self, partition: int, poison: Collection[int] = ()) -> int:
        started = time.monotonic()
        reset_peak()
        with shared(Path(self.shares) / str(partition)):
            tables = self.task.run(partition, poison=poison)
        beside = self.task.beside(partition) if isinstance(self.task, LeavesFiles) else ()

        def cost() -> dict[str, float]:
            seconds = round(time.monotonic() - started, 3)
            return {"seconds": seconds, "memory": peak_memory(), "retries": retries() + bool(poison)}

        return commit_part(place(self.folder), partition, tables, 0, self.inputs, beside, cost)


def mark_poison(reasons: list[Reason | None], poison: Collection[int]) -> list[Reason | None]:
    """``reasons`` with CRASHED at the poisoned rows that have none yet."""
    return [Reason.CRASHED if r is None and i in poison else r for i, r in enumerate(reasons)]
