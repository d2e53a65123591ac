"""Selection, splits and shards on small tables."""

from __future__ import annotations

import io
import json
import tarfile
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.export.plan import plan_shards
from curate.export.remove import NOBODY
from curate.export.rules import SelectRules
from curate.export.select import cut_of
from curate.export.split import SPLITS, SplitRules, split_of
from curate.export.webdataset import ExportTask, count_shards, reset_shards, shard_table, write_shard
from curate.intact import part_path
from curate.record import RECORD, SELECTION, Reason, conform, drop_each, live
from curate.sources.images.encode import encode_png
from curate.storage import table_bytes

KEYS = [f"{i:032x}" for i in range(6)]
SCORES = np.array([0.1, 0.5, 0.5, np.nan, 0.9, -0.2], np.float32)


@given(st.lists(st.binary(min_size=16, max_size=16).map(bytes.hex), min_size=1), st.floats(0, 0.5), st.floats(0, 0.49))
def test_a_patient_is_in_one_split_and_stays_there_as_the_held_out_share_of_val_grows(
    patients: list[str], val: float, test: float
) -> None:
    rules = SplitRules(val, test)
    more = SplitRules(min(val + 0.1, 0.5), test)
    for patient in patients:
        if split_of(patient, rules) != "train":
            assert split_of(patient, more) == split_of(patient, rules)


def test_split_shares_are_what_was_asked_for() -> None:
    patients = [f"{(i * 0x9E3779B97F4A7C15) % 2**64:016x}{0:016x}" for i in range(20000)]
    found = [split_of(patient, SplitRules(0.1, 0.2)) for patient in patients]
    assert abs(found.count("test") / 20000 - 0.2) < 0.01 and abs(found.count("val") / 20000 - 0.1) < 0.01


def selection() -> pa.Table:
    rows = {"key": KEYS, "partition": [0, 0, 0, 1, 1, 1], "split": ["train"] * 5 + ["test"], "score": SCORES}
    table = conform(pa.table({n: rows.get(n, pa.nulls(6)) for n in SELECTION.names}), SELECTION)
    return drop_each(table, [Reason.BELOW_CUT, *[None] * 5], "select")


def test_shards_are_consecutive_and_hold_every_kept_record_once() -> None:
    plan = plan_shards(selection(), 2)
    assert plan.select(["shard", "split", "name", "key"]).to_pylist() == [
        {"shard": 0, "split": "train", "name": "000000", "key": KEYS[1]},
        {"shard": 0, "split": "train", "name": "000000", "key": KEYS[2]},
        {"shard": 1, "split": "train", "name": "000001", "key": KEYS[3]},
        {"shard": 1, "split": "train", "name": "000001", "key": KEYS[4]},
        {"shard": 2, "split": "test", "name": "000000", "key": KEYS[5]},
    ]


SPLIT = st.sampled_from(SPLITS)


@given(st.lists(st.tuples(SPLIT, st.booleans(), st.booleans()), min_size=1, max_size=40), st.integers(1, 5))
def test_a_continued_plan_moves_nothing_and_adds_behind(rows: list[tuple[str, bool, bool]], per_shard: int) -> None:
    """Each row: its split, whether it was chosen before, whether it is now."""

    def chosen(now: int) -> pa.Table:
        told = {
            "key": [f"{i:032x}" for i in range(len(rows))],
            "partition": [i // 5 for i in range(len(rows))],
            "split": [split for split, *_ in rows],
            "drop_reason": [None if row[1 + now] else Reason.BELOW_CUT.value for row in rows],
        }
        empty = [None] * len(rows)
        return conform(pa.table({f.name: pa.array(told.get(f.name, empty), f.type) for f in SELECTION}), SELECTION)

    first = plan_shards(chosen(0), per_shard)
    found = plan_shards(chosen(1), per_shard, first).to_pylist()
    before = {r["key"]: (r["split"], r["name"]) for r in first.to_pylist()}
    now = {r["key"]: (r["split"], r["name"]) for r in found if r["key"] != NOBODY}
    assert set(now) == set(plan_shards(chosen(1), per_shard)["key"].to_pylist())
    assert all(now[key] == shard for key, shard in before.items() if key in now)
    assert set(before.values()) <= {(r["split"], r["name"]) for r in found}  # an emptied one keeps its name
    assert not set(before.values()) & {shard for key, shard in now.items() if key not in before}
    assert [r["shard"] for r in found] == sorted(r["shard"] for r in found)
    shards = {(r["split"], r["name"]): r["shard"] for r in found}
    assert sorted(shards.values()) == list(range(len(shards)))
    for split, name in shards:
        keys = [r["key"] for r in found if (r["split"], r["name"]) == (split, name)]
        assert keys == sorted(keys) and (NOBODY not in keys or keys == [NOBODY])
        numbers = sorted(int(n) for s, n in shards if s == split)
        assert numbers == list(range(len(numbers)))  # no gap: they are read by a range
    assert plan_shards(chosen(0), per_shard, first).equals(first)


@given(st.lists(st.tuples(SPLIT, st.booleans()), max_size=40), st.integers(1, 7))
def test_a_plan_is_split_by_split_in_order_and_a_slice_of_it_is_a_shard(
    rows: list[tuple[str, bool]], per_shard: int
) -> None:
    n = len(rows)
    told = {
        "key": [f"{i:032x}" for i in range(n)],
        "partition": [i // 5 for i in range(n)],
        "split": [split for split, _ in rows],
        "drop_reason": [None if kept else Reason.BELOW_CUT.value for _, kept in rows],
    }
    table = conform(pa.table({f.name: pa.array(told.get(f.name, [None] * n), f.type) for f in SELECTION}), SELECTION)
    plan = plan_shards(table, per_shard)
    wanted = []  # one split after the other, cut by hand
    for split in SPLITS:
        keys = [key for key, (s, kept) in zip(told["key"], rows, strict=True) if kept and s == split]
        wanted += [keys[i : i + per_shard] for i in range(0, len(keys), per_shard)]
    found = plan.to_pylist()
    assert [[r["key"] for r in found if r["shard"] == i] for i in range(len(wanted))] == wanted
    with tempfile.TemporaryDirectory() as folder:
        part_path(Path(folder), 0).write_bytes(table_bytes(plan, row_group=3))
        assert count_shards(Path(folder)) == len(wanted)
        task = ExportTask("", folder, "out")
        assert [task.rows(i) for i in range(len(wanted))] == [len(keys) for keys in wanted]


def test_the_cut_is_the_lowest_kept_train_score() -> None:
    assert cut_of(selection(), SelectRules(by="dfn", top_k=4)) is not None
    assert cut_of(selection(), SelectRules(by="dfn")) is None
    assert cut_of(selection(), SelectRules(by="dfn", threshold=0.3)) == 0.3


def records() -> pa.Table:
    image = encode_png(np.arange(600, dtype=np.uint8).reshape(20, 30))
    row = {"key": KEYS[0], "patient": "p", "text": "Müde – clear.", "image": image, "image_format": "png", "age": 90}
    row |= {"sections": [("findings", "clear")], "meta": [("plane", "axial")], "modality": "CT"}
    row |= {"width": 30, "height": 20}
    text_only = {"key": KEYS[1], "patient": "q", "text": "No image."}
    table = conform(pa.Table.from_pylist([row, text_only], RECORD), RECORD)
    table = table.append_column("split", pa.array(["train", "train"]))
    table = table.append_column("score", pa.array([0.25, None], pa.float32()))
    return table.append_column("weight", pa.array([1, 1], pa.float32()))


def test_a_shard_round_trips_and_is_the_same_bytes_again(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        write_shard(tmp_path / folder / "train", "000000", records())
    data = (tmp_path / "a/train/000000.tar").read_bytes()
    assert data == (tmp_path / "b/train/000000.tar").read_bytes()
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        members = {m.name: tar.extractfile(m).read() for m in tar.getmembers()}  # type: ignore[union-attr]
    assert list(members) == [f"{KEYS[0]}.png", f"{KEYS[0]}.txt", f"{KEYS[0]}.json", f"{KEYS[1]}.txt", f"{KEYS[1]}.json"]
    assert members[f"{KEYS[0]}.png"] == records()["image"][0].as_py()
    facts = json.loads(members[f"{KEYS[0]}.json"])
    assert facts["meta"] == {"plane": "axial"} and facts["score"] == 0.25 and facts["age"] == 90
    index = pq.read_table(tmp_path / "a/train/000000.parquet")
    assert index["text"].to_pylist() == ["Müde – clear.", "No image."]
    assert shard_table(tmp_path / "a")[0]["records"] == 2


def test_shards_of_another_selection_are_removed_first(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    assert reset_shards(folder, "one", "records", whole=False)
    write_shard(folder / "train", "000000", records())
    assert not reset_shards(folder, "one", "records", whole=False) and shard_table(folder)
    assert reset_shards(folder, "one", "other records", whole=False) and not shard_table(folder)
    write_shard(folder / "train", "000000", records())
    assert reset_shards(folder, "two", "records", whole=False) and not shard_table(folder)


@pytest.mark.parametrize("files", [(), ("train", "val")])
def test_a_run_killed_as_it_takes_or_empties_the_folder_goes_on(tmp_path: Path, files: tuple[str, ...]) -> None:
    """In the first write of the marker; and halfway through the removal of another selection's shards."""
    folder = tmp_path / "s"
    folder.mkdir()
    if files:
        reset_shards(folder, "one", "records", whole=False)
        for split in files:
            write_shard(folder / split, "000000", records())
        (folder / "train" / "000000.tar").unlink()
    else:
        (folder / "export.json.tmp-01234567").write_bytes(b"{")
    assert reset_shards(folder, "two", "records", whole=False)
    assert [path.name for path in folder.rglob("*") if path.is_file()] == ["export.json"]


def test_a_dropped_row_never_counts_as_live() -> None:
    assert live(selection()).tolist() == [False, True, True, True, True, True]
