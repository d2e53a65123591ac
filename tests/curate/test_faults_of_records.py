"""Inside the chain: an exception in one record is its Reason with the place in the code; many are a bug that stops."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from curate.deid.vault import SecretSource, write_sealed
from curate.engine import Engine, start_engine
from curate.engine.resources import Resources
from curate.engine.share import read_shares, shared
from curate.errors import RecipeError, RunError, SourceError
from curate.ingest.chain import IngestTask
from curate.ingest.sealed import sealed_part
from curate.record import INDEX, RECORD, Reason, conform
from curate.report.funnel import fault_lines
from curate.step import Step, read_parts, run_step

ROWS = 20


def index_rows() -> pa.Table:
    rows = [{"key": f"{i:032x}", "source": "pacs", "kind": "none", "text": "Clear lungs."} for i in range(ROWS)]
    return pa.Table.from_pylist(rows, INDEX)


def stumble(row: dict[str, Any], bad: tuple[int, ...] = (), error: Exception | None = None) -> dict[str, Any]:
    """A stage's function with a bug that the records ``bad`` meet."""
    if int(row["key"], 16) in bad:
        raise error or ValueError("DOE^JANE")
    return {**row, "text": "clear lungs"}


def task(folder: Path, secret_file: Path, bad: tuple[int, ...], error: Exception | None = None) -> IngestTask:
    secret = SecretSource(str(secret_file))
    write_sealed(sealed_part(folder, 0), index_rows(), secret.pseudonymizer())
    fn = partial(stumble, bad=bad, error=error)
    return IngestTask(str(folder), {"report": fn}, secret)


@pytest.mark.parametrize("engine", ["local_engine", pytest.param("ray_engine", marks=pytest.mark.ray)])
def test_one_record_that_meets_a_bug_is_counted_and_the_rest_is_kept(
    engine: str, secret_file: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    step = Step("ingest", task(tmp_path / "i", secret_file, (3, 7)), 1, {})
    manifest = run_step(step, tmp_path, request.getfixturevalue(engine))
    assert (manifest.kept, manifest.dropped) == (ROWS - 2, {"unforeseen_failure": 2})
    table = read_parts(step.folder(tmp_path))
    assert table.schema.equals(RECORD)
    place = table["fault"].to_pylist()[3]
    assert place.startswith("test_faults_of_records.py:") and place.endswith(" stumble (ValueError)")
    assert [i for i, f in enumerate(table["fault"].to_pylist()) if f] == [3, 7]
    assert table["text"].to_pylist()[3] is None and table["text"].to_pylist()[4] == "clear lungs"
    assert "DOE" not in str(table.to_pylist())
    assert fault_lines(table["fault"].to_pylist()) == [
        f"2 records ended in a fault of the program at {place}, dropped as 'unforeseen_failure': please report it"
    ]


def test_a_partition_says_after_each_batch_how_far_it_is(secret_file: Path, tmp_path: Path) -> None:
    work, said = task(tmp_path / "index", secret_file, ()), list[float]()
    (tmp_path / "shares").mkdir()

    def look(row: dict[str, Any]) -> dict[str, Any]:
        said.append(sum(read_shares(tmp_path / "shares").values()))
        return row

    with shared(tmp_path / "shares" / "0"):
        replace(work, parts={"look": look, **work.parts}, batch=8).run(0)
    assert said == [0] * 8 + [0.4] * 8 + [0.8] * 4 and read_shares(tmp_path / "shares") == {}


def test_most_records_that_meet_a_bug_stop_the_run(secret_file: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"15 of 20 records of a partition failed at .* stumble \(ValueError\)"):
        task(tmp_path, secret_file, tuple(range(15))).run(0)
    assert task(tmp_path, secret_file, tuple(range(9))).run(0).num_rows == ROWS


@pytest.mark.parametrize("error", [MemoryError(), OSError(28, "No space left on device"), RecipeError("a", "b")])
def test_the_machines_faults_are_no_records(error: Exception, secret_file: Path, tmp_path: Path) -> None:
    with pytest.raises(type(error)):
        task(tmp_path, secret_file, (3,), error).run(0)


def test_files_that_go_away_stop_the_partition_before_it_is_committed(secret_file: Path, tmp_path: Path) -> None:
    """A few are changes of the archive; a quarter of a partition is not."""
    from curate.ingest.chain import _stop_if_many

    files = [tmp_path / f"{i}.dcm" for i in range(ROWS)]
    for path in files:
        path.write_bytes(b"x")
    paths = [os.fsencode(p) for p in files]
    table = index_rows().set_column(INDEX.get_field_index("path"), "path", pa.array(paths, pa.binary()))

    def records(changed: int) -> pa.Table:
        reasons = [Reason.CHANGED.value] * changed + [None] * (ROWS - changed)
        named = table.set_column(INDEX.get_field_index("drop_reason"), "drop_reason", pa.array(reasons, pa.string()))
        return conform(named, RECORD)

    _stop_if_many(table, records(10))  # all of them are there, and others than were indexed
    for path in files[:6]:
        path.unlink()
    _stop_if_many(table, records(5))
    with pytest.raises(SourceError, match=r"source 'pacs'.*\(6 of the 20 files"):
        _stop_if_many(table, records(6))


class Broken:
    """Where a model that is being loaded, or is at work, or is being fed, fails."""

    def __init__(self, at: str) -> None:
        self.at = at

    def prepare(self, item: int) -> list[int]:
        return [self._fail("prepare", item)]

    def model(self) -> Any:
        return partial(self._fail, "batch", self._fail("model", 0))

    def _fail(self, here: str, *values: int) -> int:
        if here == self.at:
            raise RecipeError("filters.dfn.checkpoint", "is of another architecture", "name its own")
        return values[-1]


@pytest.mark.parametrize("at", ["prepare", "model", "batch"])
@pytest.mark.parametrize("engine", ["local_engine", pytest.param("ray_engine", marks=pytest.mark.ray)])
def test_what_a_model_says_of_its_loading_comes_back_whole(
    engine: str, at: str, request: pytest.FixtureRequest, capfd: pytest.CaptureFixture[str]
) -> None:
    broken, running = Broken(at), request.getfixturevalue(engine)
    with pytest.raises(RecipeError) as told:
        list(running.map_model(broken.prepare, broken.model, [1, 2]))
    assert told.value.field == "filters.dfn.checkpoint" and told.value.fix == "name its own"
    assert "Traceback" not in capfd.readouterr().err


def test_a_pool_that_is_closed_leaves_no_thread_behind() -> None:
    before = set(threading.enumerate())
    engine: Engine = start_engine(Resources(workers=2))
    assert sorted(engine.map(abs, [-1, -2, -3])) == [(-3, 3), (-2, 2), (-1, 1)]
    engine.close()
    assert not [t for t in set(threading.enumerate()) - before if "Executor" in type(t).__name__]
