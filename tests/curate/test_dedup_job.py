"""The dedup step in buckets, on workers, gives what one process gives that holds all records."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, given, settings

from curate.dedup.held import HELD
from curate.dedup.job import DedupJob
from curate.dedup.rules import DedupRules
from curate.engine import Engine
from curate.record import DEDUP, RECORD, conform
from curate.step import Step, commit_part, finish, read_parts, run_spread_step
from tests.curate.deduplicating import resolve
from tests.curate.test_dedup_resolve import ALL, PIXELS, ROWS, RULES, TEXTS, changed, table
from tests.inline import InlineEngine


def ingested(folder: Path, made: pa.Table, per_partition: int, dropped: int = 3) -> int:
    """Parts as ingest leaves them, every ``dropped``-th row dropped; how many."""
    why = pa.array([None if i % dropped else "blank" for i in range(made.num_rows)], pa.string())
    record = conform(made.append_column("drop_reason", why), RECORD)
    starts = range(0, record.num_rows, per_partition)
    for i, start in enumerate(starts):
        commit_part(folder, i, record.slice(start, per_partition), 0)
    return len(starts)


def spread(engine: Engine, run: Path, job: DedupJob) -> pa.Table:
    step = Step("dedup", job, 1, {})  # type: ignore[arg-type]
    run_spread_step(step, job, run, engine)
    folder = step.folder(run)
    assert sorted(p.suffix for p in folder.iterdir()) == [".json", ".json", ".json", ".parquet"]  # nothing else stays
    return read_parts(folder)


@given(ROWS, RULES)
@settings(deadline=None, max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_buckets_give_what_one_process_gives(tmp_path_factory: pytest.TempPathFactory, rows, rules: DedupRules):
    run = tmp_path_factory.mktemp("run")
    made = table(*(f"k{i:02} {p} {p + s} {picture} {text or '.'}" for i, (p, s, picture, text) in enumerate(rows)))
    parts = ingested(run / "ingest", made, 2)
    found = spread(InlineEngine(), run, DedupJob(str(run / "ingest"), parts, 2, rules, per_bucket=4))
    alive = np.arange(made.num_rows) % 3 > 0
    want = resolve(made.filter(pa.array(alive)), rules)
    assert found["partition"].to_pylist() == (np.flatnonzero(alive) // 2).tolist()
    assert found.drop(["partition"]).equals(
        conform(want, DEDUP).drop(["partition"]).cast(found.drop(["partition"]).schema)
    )


class Stops(InlineEngine):
    """An engine that is stopped at its ``n``-th item."""

    def __init__(self, n: int) -> None:
        self.left = n

    def map(self, fn, items, alone=False, idle=None):
        for item in items:
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt
            yield from super().map(fn, [item])


def many(seed: int, n: int) -> pa.Table:
    rng = np.random.default_rng(seed)
    rows = [
        f"k{i:03} p{rng.integers(6)} s{rng.integers(9)} {rng.choice([*PIXELS])} {rng.choice([*TEXTS]) or '.'}"
        for i in range(n)
    ]
    return table(*rows)


@pytest.mark.parametrize("stop", [1, 6, 9])
def test_a_run_that_was_stopped_goes_on_to_the_same_table(tmp_path: Path, stop: int):
    made = many(stop, 40)
    job = DedupJob(str(tmp_path / "ingest"), ingested(tmp_path / "ingest", made, 7), 7, ALL, per_bucket=14)
    with pytest.raises(KeyboardInterrupt):
        spread(Stops(stop), tmp_path, job)
    found = spread(InlineEngine(), tmp_path, job)
    want = resolve(made.filter(pa.array(np.arange(40) % 3 > 0)), ALL)
    assert found["drop_reason"].to_pylist() == want["drop_reason"].to_pylist()
    assert found["cluster"].to_pylist() == want["cluster"].to_pylist()


def test_what_an_evaluation_set_holds_goes_first_and_is_nobodys_duplicate(tmp_path: Path):
    made = table("1 p s a r", "2 q t a n", "3 p u b n", "4 r v c n", "5 r w c r")
    parts = ingested(tmp_path / "ingest", made, 2, dropped=99)
    step = Step("evaluation", None, 1, {})  # type: ignore[arg-type]
    held = conform(made.slice(3, 1).set_column(0, "key", pa.array(["x"])), HELD)
    held = held.set_column(held.column_names.index("patient"), "patient", pa.array(["p"]))
    commit_part(step.folder(tmp_path), 0, held, 0)
    finish(step, tmp_path, 0)
    job = DedupJob(str(tmp_path / "ingest"), parts, 2, DedupRules(), str(step.folder(tmp_path)), per_bucket=2)
    found = spread(InlineEngine(), tmp_path, job).filter(pc.field("key") != "1")
    assert found["drop_reason"].to_pylist() == [None, "patient_in_evaluation_set", *["in_evaluation_set"] * 2]
    assert found["duplicate_of"].null_count == 4 and found["cluster"].equals(found["key"])


def test_nothing_ingested_gives_an_empty_table(tmp_path: Path):
    for rules in (DedupRules(), changed(ALL, image_near="patient")):
        run = tmp_path / rules.text_near
        assert spread(InlineEngine(), run, DedupJob(str(run / "ingest"), 0, 5, rules)).num_rows == 0


@pytest.mark.ray
def test_on_ray(ray_engine: Engine, tmp_path: Path):
    made = many(1, 60)
    parts = ingested(tmp_path / "ingest", made, 10)
    job = DedupJob(str(tmp_path / "ingest"), parts, 10, ALL, per_bucket=20)
    want = resolve(made.filter(pa.array(np.arange(60) % 3 > 0)), ALL)
    assert spread(ray_engine, tmp_path, job)["cluster"].to_pylist() == want["cluster"].to_pylist()
