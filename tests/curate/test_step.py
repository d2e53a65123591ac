"""Steps on both engines: same bytes, resume, a record that kills its process, a bug."""

from __future__ import annotations

import fcntl
import os
import signal
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from curate.engine import CRASH, Engine, start_engine
from curate.engine.guard import clock_record, guarded, stop_clock
from curate.engine.local import LocalEngine
from curate.engine.resources import Resources
from curate.engine.share import write_share
from curate.errors import FunnelError, RecipeError, RunError
from curate.intact import part_path, part_paths, partition_of
from curate.record import FATE, Reason, drop_each, live
from curate.step import Manifest, Step, load_manifest, mark_poison, read_parts, run_model_step, run_step
from curate.task import Unit
from tests.inline import InlineEngine

ROWS = 8


@dataclass(frozen=True)
class Numbers:
    """Rows p*ROWS .. p*ROWS+7; a row in ``deadly`` kills the process that touches it, one in ``bad`` is dropped."""

    deadly: tuple[int, ...] = ()
    bad: tuple[int, ...] = ()
    broken: Exception | None = None

    def rows(self, partition: int) -> int:
        return ROWS

    def run(self, partition: int, only: range | None = None, poison: Collection[int] = ()) -> pa.Table:
        if self.broken:
            raise self.broken
        reasons: list[Reason | None] = []
        for row in only or range(ROWS):
            if partition * ROWS + row in self.deadly and row not in poison:
                os._exit(9)
            reasons.append(Reason.BLANK if partition * ROWS + row in self.bad else None)
        keys = [f"{partition * ROWS + r:032x}" for r in only or range(ROWS)]
        table = pa.table({n: keys if n == "key" else pa.nulls(len(keys), pa.string()) for n in FATE.names})
        return drop_each(table, reasons if only else mark_poison(reasons, poison), "numbers")

    def prepare(self, partition: int) -> list[list[int]]:
        return [[partition * ROWS + r for r in range(s, s + 3) if r < ROWS] for s in range(0, ROWS, 3)]

    def batches(self, partition: int) -> int:
        return len(self.prepare(partition))

    def model(self) -> Tripler:
        return Tripler()

    def assemble(self, partition: int, results: list[list[int]]) -> pa.Table:
        return pa.table({"key": [f"{n:032x}" for batch in results for n in batch]})


class Tripler:
    def __call__(self, batch: list[int]) -> list[int]:
        return [3 * n for n in batch]


@pytest.fixture(params=["local_engine", pytest.param("ray_engine", marks=pytest.mark.ray)])
def engine(request: pytest.FixtureRequest) -> Engine:
    return request.getfixturevalue(request.param)


def test_counts_and_bytes_are_the_same_on_every_engine(engine: Engine, tmp_path: Path) -> None:
    step = Step("numbers", Numbers(bad=(3, 9, 10)), 3, {})
    manifest = run_step(step, tmp_path, engine)
    assert (manifest.rows_in, manifest.kept, manifest.dropped) == (24, 21, {"blank_image": 3})
    # the digests a run in this very process gives
    direct = [step.task.run(i) for i in range(3)]
    assert read_parts(step.folder(tmp_path)).equals(pa.concat_tables(direct))
    assert run_step(step, tmp_path, engine).reused


def test_a_deadly_record_is_found_dropped_and_nothing_else_is_lost(engine: Engine, tmp_path: Path) -> None:
    # each costs Ray some five workers, which begin in seconds
    deadly = (5, 17) if isinstance(engine, LocalEngine) else (17,)
    step = Step("numbers", Numbers(deadly=deadly), 3, {})
    manifest = run_step(step, tmp_path, engine)
    assert (manifest.rows_in, manifest.kept) == (24, 24 - len(deadly))
    assert manifest.dropped == {Reason.CRASHED.value: len(deadly)}
    table = read_parts(step.folder(tmp_path))
    assert [i for i, alive in enumerate(live(table)) if not alive] == list(deadly)


@dataclass(frozen=True)
class Followed(Numbers):
    """Is at a quarter, and goes on when that was seen."""

    seen: Path = Path()

    def run(self, partition: int, only: range | None = None, poison: Collection[int] = ()) -> pa.Table:
        write_share(2, ROWS)
        end = time.monotonic() + 60
        while not self.seen.exists() and time.monotonic() < end:
            time.sleep(0.01)
        return super().run(partition, only, poison)


def test_a_step_says_how_far_its_parts_are_before_one_is_done(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{type(engine).__module__}.PAUSE", 0.05)
    seen, said = tmp_path / "seen", list[float]()

    def progress(name: str, done: float, total: int) -> None:
        said.append(done)
        if done % 1:
            seen.touch()

    run_step(Step("numbers", Followed(seen=seen), 1, {}), tmp_path / "run", engine, progress)
    assert said == [0, 0.25, 1]


@dataclass(frozen=True)
class Crowded:
    """Two rows: the second takes the memory there is for a while and then its process's life, the first finds none
    beside it. ``folder``: where the memory is a lock."""

    folder: str

    def rows(self, partition: int) -> int:
        return 2

    def run(self, partition: int, only: range | None = None, poison: Collection[int] = ()) -> pa.Table:
        begun = Path(self.folder) / "begun"
        if only is None and not poison:
            os._exit(9)
        with (Path(self.folder) / "memory").open("w") as memory:
            if only == range(1):
                while not begun.exists():
                    time.sleep(0.01)
            try:
                fcntl.flock(memory, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os._exit(9)
            if only == range(1, 2):
                begun.touch()
                time.sleep(0.5)
                os._exit(9)
        table = pa.table({n: ["a", "b"] if n == "key" else pa.nulls(2, pa.string()) for n in FATE.names})
        return drop_each(table, mark_poison([None, None], poison), "crowded")


def test_a_record_that_lacked_memory_beside_a_deadly_one_is_kept(local_engine: Engine, tmp_path: Path) -> None:
    step = Step("crowded", Crowded(str(tmp_path)), 1, {})
    assert local_engine.workers > 1  # type: ignore[attr-defined]
    manifest = run_step(step, tmp_path, local_engine)
    assert (manifest.kept, manifest.dropped) == (1, {Reason.CRASHED.value: 1})
    assert live(read_parts(step.folder(tmp_path))).tolist() == [True, False]


def test_an_unforeseen_exception_stops_the_run_without_its_text(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(RunError) as caught:
        run_step(Step("numbers", Numbers(broken=KeyError("DOE^JANE")), 1, {}), tmp_path, engine)
    assert "KeyError" in str(caught.value) and "DOE" not in str(caught.value)


def test_an_error_meant_for_people_comes_back_whole(engine: Engine, tmp_path: Path) -> None:
    wrong = RecipeError("filter.batch", "64, but 53 pairs", "a batch of 2 to 39")
    with pytest.raises(RecipeError) as caught:
        run_step(Step("numbers", Numbers(broken=wrong), 1, {}), tmp_path, engine)
    assert str(caught.value) == str(wrong) and caught.value.field == "filter.batch"


def test_resume_does_only_what_is_not_done(engine: Engine, tmp_path: Path) -> None:
    step = Step("numbers", Numbers(), 3, {})
    run_step(step, tmp_path, engine)
    folder = step.folder(tmp_path)
    (folder / "manifest.json").unlink()
    (folder / "part-00001.json").unlink()
    kept = part_path(folder, 0).stat().st_mtime_ns
    assert run_step(step, tmp_path, engine).rows_in == 24
    assert part_path(folder, 0).stat().st_mtime_ns == kept


def test_model_batches_are_the_same_on_every_engine(engine: Engine, tmp_path: Path) -> None:
    task = Numbers()
    step = Step("triple", task, 4, {})
    run_model_step(step, task, tmp_path, engine)
    assert read_parts(step.folder(tmp_path))["key"].to_pylist() == [f"{3 * n:032x}" for n in range(4 * ROWS)]


@dataclass(frozen=True)
class Fitted(Unit):
    """A part of keys, and beside it a model that says ``said``; ``outside``: not in the step's own folder."""

    out: str
    said: str

    def run(self, partition: int, only: range | None = None, poison: Collection[int] = ()) -> pa.Table:
        Path(self.out).parent.mkdir(parents=True, exist_ok=True)
        Path(self.out).write_text(self.said)
        return pa.table({"key": ["a"]})

    def beside(self, partition: int) -> list[Path]:
        return [Path(self.out)]


@pytest.mark.parametrize("inside", [True, False])
def test_what_was_made_of_a_model_that_is_another_now_is_made_again(tmp_path: Path, inside: bool) -> None:
    """The part beside the retrained model is the same, its bytes are others. A sealed file elsewhere always is."""
    engine, folder = InlineEngine(), Step("fit", Fitted("", ""), 1, {}).folder(tmp_path)
    out = str((folder if inside else tmp_path / "private") / "model" / "weights")
    first, second = (Step("fit", Fitted(out, said), 1, {}) for said in ("one", "two"))
    use = Step("use", Numbers(), 1, {}, [first.hash])
    run_step(first, tmp_path, engine)
    run_step(use, tmp_path, engine)
    assert run_step(use, tmp_path, engine).reused
    Path(out).write_text("damaged")
    run_step(second, tmp_path, engine)
    assert Path(out).read_text() == "two" and first.hash == second.hash
    assert run_step(use, tmp_path, engine).reused is not inside


def test_the_hash_covers_what_decides_the_bytes_and_nothing_else() -> None:
    base = Step("a", Numbers(), 1, {"x": 1}, ["i"])
    assert base.hash == Step("a", Numbers(), 7, {"x": 1}, ["i"]).hash
    others = [Step("b", Numbers(), 1, {"x": 1}, ["i"]), Step("a", Numbers(), 1, {"x": 2}, ["i"])]
    others += [Step("a", Numbers(), 1, {"x": 1}, ["j"]), Step("a", Numbers(), 1, {"x": 1}, ["i"], version=2)]
    assert len({base.hash, *(s.hash for s in others)}) == 5


def test_a_manifest_that_does_not_add_up_is_refused() -> None:
    with pytest.raises(FunnelError):
        Manifest("s", "h", 10, 8, {"blank_image": 1}, [], 0.0)


def test_no_manifest_is_no_finished_step(tmp_path: Path) -> None:
    assert load_manifest(tmp_path) is None


@dataclass(frozen=True)
class Hanging(Numbers):
    """Row 5 hangs where no signal's handler of Python would be run: its process sleeps with all signals but the
    clock's at their default."""

    def run(self, partition: int, only: range | None = None, poison: Collection[int] = ()) -> pa.Table:
        for row in only or range(ROWS):
            clock_record()
            if row == 5 and row not in poison:
                time.sleep(600)
        stop_clock()
        time.sleep(0.01)
        return super().run(partition, only, poison)


@pytest.mark.slow  # a process ends and begins for each half that holds the row
@pytest.mark.parametrize("kind", ["local", pytest.param("ray", marks=pytest.mark.ray)])
def test_a_record_that_hangs_is_found_as_one_that_crashes(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    resources = Resources(kind="ray" if kind == "ray" else "local", workers=2, record_seconds=0.3)
    if kind == "ray":
        request.getfixturevalue("ray_engine")  # Ray is there; an engine of other resources joins it
    running = start_engine(resources)
    try:
        step = Step("numbers", Hanging(), 1, {})
        manifest = run_step(step, tmp_path, running)
    finally:
        running.close()
    assert (manifest.kept, manifest.dropped) == (7, {Reason.CRASHED.value: 1})
    assert [i for i, alive in enumerate(live(read_parts(step.folder(tmp_path)))) if not alive] == [5]


def test_a_clock_runs_only_where_a_worker_was_given_one() -> None:
    def left(_: int) -> float:
        clock_record()
        return signal.getitimer(signal.ITIMER_REAL)[0]

    before = signal.getitimer(signal.ITIMER_REAL)[0]
    assert abs(guarded(left, 0) - before) < 5  # whoever else's clock it is


def test_a_hundred_thousand_parts_are_in_order(tmp_path: Path) -> None:
    for number in (9, 99_999, 100_000, 100_001):
        part_path(tmp_path, number).touch()
    assert [partition_of(path) for path in part_paths(tmp_path)] == [9, 99_999, 100_000, 100_001]


@dataclass(frozen=True)
class Yields(Numbers):
    """`Numbers`, a table at a time."""

    def run(self, partition: int, only: range | None = None, poison: Collection[int] = ()) -> Iterator[pa.Table]:
        yield super().run(partition, only, poison)


def test_a_record_that_ends_its_process_is_found_among_rows_made_as_they_are_written(
    local_engine: Engine, tmp_path: Path
) -> None:
    manifest = run_step(Step("numbers", Yields(deadly=(2,)), 1, {}), tmp_path, local_engine)
    assert (manifest.rows_in, manifest.kept, dict(manifest.dropped)) == (8, 7, {Reason.CRASHED.value: 1})


@dataclass(frozen=True)
class DiesOnce(Numbers):
    """Its first process is killed, as by the system where memory is short; the next one holds 256 MB for a while, as
    its rows are asked for."""

    folder: str = ""

    def run(self, partition: int, only: range | None = None, poison: Collection[int] = ()) -> Iterator[pa.Table]:
        begun = Path(self.folder) / "begun"
        if not begun.exists():
            begun.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        assert len(b"x" * (256 << 20))
        yield super().run(partition, only, poison)


@pytest.mark.parametrize("kind", ["local", pytest.param("ray", marks=pytest.mark.ray)])
def test_what_a_step_took_is_in_its_manifest(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    engine = request.getfixturevalue(f"{kind}_engine")
    manifest = run_step(Step("numbers", DiesOnce(folder=str(tmp_path)), 1, {}), tmp_path, engine)
    assert manifest.retries == 1 and manifest.kept == 8
    assert 256 << 20 < manifest.memory < 8 << 30


class DiesFirst(InlineEngine):
    """One whose first work ends its process; ``on_gpu``: of each map, whether it was to be given one."""

    def __init__(self) -> None:
        self.on_gpu: list[bool] = []

    def map(self, fn: Any, items: Any, alone: bool = False, idle: Any = None) -> Iterator[tuple[Any, Any]]:
        self.on_gpu.append(getattr(fn, "on_gpu", False))
        yield from ((item, CRASH) for item in items) if len(self.on_gpu) == 1 else super().map(fn, items)


@pytest.mark.parametrize("on_gpu", [False, True])
def test_what_learns_has_its_gpu_too_where_it_is_tried_again(on_gpu: bool, tmp_path: Path) -> None:
    engine = DiesFirst()
    assert run_step(Step("numbers", Numbers(), 1, {}, on_gpu=on_gpu), tmp_path, engine).kept == ROWS
    assert engine.on_gpu == [on_gpu] * 3  # as a whole, its halves, and as a whole again


@pytest.mark.ray
def test_ray_workers_of_another_version_stop_the_run(
    tmp_path: Path, ray_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("curate.engine.ray.code_digest", lambda: "0" * 64)  # the driver's
    step = Step("numbers", Numbers(), 3, {})
    with pytest.raises(RunError, match="another version of radsift"):
        run_step(step, tmp_path, ray_engine)
    with pytest.raises(RunError, match="another version of radsift"):
        run_model_step(step, Numbers(), tmp_path, ray_engine)
    assert not list(step.folder(tmp_path).glob("part-*"))
