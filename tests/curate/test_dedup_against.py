"""What an earlier run exported does not come again: by key, picture and text, in one process and in buckets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, given, settings

from curate.dedup.against import Release
from curate.dedup.job import DedupJob
from curate.dedup.rules import DedupRules
from curate.record import DEDUP, RECORD, SELECTION, conform
from curate.step import commit_part
from tests.curate.deduplicating import resolve
from tests.curate.test_dedup_job import ingested, spread
from tests.curate.test_dedup_resolve import ALL, ROWS, RULES, table
from tests.inline import InlineEngine


def released(folder: Path, made: pa.Table, per_partition: int, cut: Sequence[str] = ()) -> Release:
    """An earlier run that ingested ``made`` and exported all of it but ``cut``."""
    parts = ingested(folder / "ingest", made, per_partition, dropped=10**6)
    rows = conform(made, RECORD).slice(1)  # `ingested` drops the first
    why = [("below_cut" if key in cut else None) for key in rows["key"].to_pylist()]
    at = pa.array((np.arange(rows.num_rows) + 1) // per_partition, pa.int32())
    selection = pa.table({"key": rows["key"], "partition": at, "drop_reason": pa.array(why, pa.string())})
    commit_part(folder / "select", 0, conform(selection, SELECTION), 0)
    return Release(folder.name, str(folder / "ingest"), str(folder / "select"), parts, per_partition)


def fates(run: Path, made: pa.Table, rules: DedupRules, *against: Release, per_bucket: int = 1000) -> dict[str, str]:
    """{dropped key: 'reason representative'} of a run that ingested ``made`` whole."""
    first = table("0 - - - n")  # the one that `ingested` drops
    parts = ingested(run / "ingest", pa.concat_tables([first, made]), 2, dropped=10**6)
    job = DedupJob(str(run / "ingest"), parts, 2, rules, against=against, per_bucket=per_bucket)
    found = spread(InlineEngine(), run, job)
    assert found["key"].equals(made["key"]) and found.schema == DEDUP
    return {r["key"]: f"{r['drop_reason']} {r['duplicate_of']}" for r in found.to_pylist() if r["drop_reason"]}


@pytest.mark.parametrize("per_bucket", [1000, 4])
def test_a_record_or_a_duplicate_of_one_goes_and_names_the_run(tmp_path: Path, per_bucket: int):
    first = table("0 - - - n", "1 p s a r", "2 q t b n", "3 q u c s", "4 x v d n")
    before = released(tmp_path / "first", first, 2, cut=["3"])
    now = table("1 p s a r", "5 p y a' n", "6 z w b s", "7 q u c s", "8 m k d r", "9 n l - n")
    found = fates(tmp_path / "now", now, DedupRules(), before, per_bucket=per_bucket)
    assert found == {
        "1": "in_earlier_release first/1",  # the very record
        "5": "in_earlier_release first/1",  # nearly the picture, of one patient
        "6": "in_earlier_release first/2",  # the picture, of another patient
        "8": "in_earlier_release first/4",
    }  # 7 is what the first run's cut left; 9's text is not asked
    texts = fates(tmp_path / "texts", now, ALL, before, per_bucket=per_bucket)
    assert texts == {**found, "9": "in_earlier_release first/2"}


def test_a_key_is_known_whatever_is_compared(tmp_path: Path):
    before = released(tmp_path / "first", table("0 - - - n", "1 p s a r"), 2)
    off = DedupRules(image_exact="off", image_near="off")
    assert fates(tmp_path / "now", table("1 p s d n", "2 p s a r"), off, before) == {"1": "in_earlier_release first/1"}


def test_what_stood_behind_one_that_goes_points_on(tmp_path: Path):
    """Near picture 2 stands behind 1, which is in the release: nothing of the cluster stays."""
    before = released(tmp_path / "first", table("0 - - - n", "k q t a n"), 2)
    found = fates(tmp_path / "now", table("1 p s a r", "2 p u a' n"), DedupRules(), before)
    assert found == {"1": "in_earlier_release first/k", "2": "in_earlier_release first/k"}


@pytest.mark.parametrize("per_bucket", [1000, 6])
def test_every_released_record_counts_though_they_are_duplicates_of_one_another(tmp_path: Path, per_bucket: int):
    """2 is in the release beside 1, of the same picture; what only says what 2 says goes all the same."""
    first = released(tmp_path / "first", table("0 - - - n", "1 p s a r", "2 p t a s"), 2)
    second = released(tmp_path / "second", table("0 - - - n", "1 p s a n", "3 q t b s"), 2)
    now = table("7 q v c s", "8 z w b r")
    found = fates(tmp_path / "now", now, ALL, first, per_bucket=per_bucket)
    assert found == {"7": "in_earlier_release first/2", "8": "in_earlier_release first/1"}
    both = fates(tmp_path / "both", now, ALL, first, second, per_bucket=per_bucket)
    assert both["8"] == "in_earlier_release second/3" and set(both) == {"7", "8"}


@given(ROWS, ROWS, RULES)
@settings(deadline=None, max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_buckets_give_what_one_process_gives(tmp_path_factory: pytest.TempPathFactory, old, new, rules: DedupRules):
    run = tmp_path_factory.mktemp("run")
    rows = [
        [f"{kind}{i:02} {p} {p + s} {picture} {text or '.'}" for i, (p, s, picture, text) in enumerate(each)]
        for kind, each in (("o", old), ("n", new))
    ]
    before = released(run / "first", table("0 - - - n", *rows[0]), 3)
    one = fates(run / "one", table(*rows[1]), rules, before)
    assert one == fates(run / "many", table(*rows[1]), rules, before, per_bucket=6)
    alone = resolve(table(*rows[1]), rules)
    gone = set(alone.filter(pc.is_valid(alone["drop_reason"]))["key"].to_pylist())
    assert len(one) >= len(gone)  # more go, never fewer


def test_signatures_of_another_version_are_seen(tmp_path: Path):
    made = table("0 - - - n", "1 p s a r", "2 - t b n")
    assert released(tmp_path / "as_now", made, 2).is_comparable()
    for name, other in (("text_hash", "0" * 32), ("phash", 1)):
        column = pa.array([other] * made.num_rows, made.schema.field(name).type)
        changed = made.set_column(made.column_names.index(name), name, column)
        assert not released(tmp_path / name, changed, 2).is_comparable()


def test_two_runs_of_one_name_are_refused():
    with pytest.raises(ValueError, match="folders of one name"):
        DedupRules(against=(Path("a/run"), Path("b/run")))
