"""Shards as training reads them: what is whole is found, what is not is counted."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import webdataset

from curate.errors import RecipeError, RunError
from filters.rules import TrainingRules
from filters.training.plan import make_plan
from filters.training.shards import Shards, open_shards
from tests.filters.training.shards import write_films, write_shards

RULES = TrainingRules(batch=16, epochs=2)


def test_records_are_read_as_written(tmp_path: Path) -> None:
    records = write_films(tmp_path / "train", 50, per_shard=20)
    shards = open_shards(tmp_path)  # the folder above finds its train split
    assert shards.keys.tolist() == records.keys and not shards.skipped
    for i in (0, 19, 20, 49):
        sample = shards.read(i)
        assert (sample.key, sample.image, sample.text) == (records.keys[i], records.images[i], records.texts[i])
        assert sample.facts["sections"]["findings"] == records.texts[i]


def test_webdataset_reads_the_same(tmp_path: Path) -> None:
    write_films(tmp_path, 30, per_shard=20)
    shards = open_shards(tmp_path)
    tars = [str(p) for p in sorted(tmp_path.glob("*.tar"))]
    theirs = list(webdataset.WebDataset(tars, shardshuffle=False))
    assert [s["__key__"] for s in theirs] == shards.keys.tolist()
    assert [s["png"] for s in theirs] == [shards.read(i).image for i in range(len(shards))]


def test_what_is_broken_is_counted(tmp_path: Path) -> None:
    write_films(tmp_path, 40, per_shard=20)
    tar = tmp_path / "000001.tar"
    tar.write_bytes(tar.read_bytes()[: tar.stat().st_size // 2])
    with webdataset.TarWriter(str(tmp_path / "000002.tar")) as writer:
        writer.write({"__key__": "noimage", "txt": "No effusion."})
        writer.write({"__key__": "notext", "png": b"x", "txt": "  "})
        writer.write({"__key__": "a.b/with.dots", "png": b"x", "txt": "Small effusion."})
    (tmp_path / "000003.tar").write_bytes(b"")
    shards = open_shards(tmp_path)
    assert 20 < len(shards) < 40 and shards.keys[-1] == "a.b/with"
    assert shards.skipped["without an image"] >= 1 and shards.skipped["without a text"] >= 1
    assert shards.skipped["or more, in shards cut short"] == 2


def test_long_names_go_through_tarfile(tmp_path: Path) -> None:
    records = write_films(tmp_path / "short", 5)
    records.keys[2] = "k" * 150
    write_shards(tmp_path / "long", records)
    assert open_shards(tmp_path / "long").keys.tolist() == records.keys


def _tar(path: Path, members: dict[str, bytes]) -> None:
    with tarfile.open(path, "w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def test_keys_that_hold_dots_are_all_read(tmp_path: Path) -> None:
    names = [f"sub.dir/P{i // 4:03d}.IM{i % 4}" for i in range(24)]
    _tar(tmp_path / "0.tar", {f"{n}.{s}": n.encode() for n in names for s in ("png", "txt", "json")})
    shards = open_shards(tmp_path)
    assert shards.keys.tolist() == names and not shards.skipped
    assert [shards.text(i) for i in range(24)] == names
    assert [shards.read(i).image for i in range(24)] == [n.encode() for n in names]


def test_members_that_come_twice_are_counted(tmp_path: Path) -> None:
    views = {"a.left.png": b"l", "a.right.png": b"r", "a.txt": b"No effusion."}  # one text of two views
    masked = {"b.mask.png": b"m", "b.png": b"p", "b.txt": b"Clear."}
    _tar(tmp_path / "0.tar", views | masked)
    shards = open_shards(tmp_path)
    assert shards.keys.tolist() == ["a", "b"]
    assert [shards.read(i).image for i in range(2)] == [b"l", b"p"]
    assert dict(shards.skipped) == {"members that come twice in a record": 1, "without a text": 1}


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_a_compressed_tar_says_so(tmp_path: Path, compress: Callable[[bytes], bytes]) -> None:
    write_films(tmp_path, 4)
    tar = tmp_path / "000000.tar"
    tar.write_bytes(compress(tar.read_bytes()))
    with pytest.raises(RecipeError, match="is compressed") as raised:
        open_shards(tmp_path)
    assert "gunzip it" in str(raised.value)


def test_nothing_to_read_names_the_fix(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"holds no \.tar files"):
        open_shards(tmp_path)
    (tmp_path / "0.tar").write_bytes(b"not a tar at all" * 100)
    with pytest.raises(RecipeError, match="no record of"):
        open_shards(tmp_path)


def _shards(weights: list[float], texts: list[int], studies: list[int] | None = None) -> Shards:
    n = len(weights)
    return Shards(
        Path("nowhere"),
        ("0.tar",),
        (0,),
        np.array([f"{i:032x}" for i in range(n)]),
        np.zeros(n, np.int32),
        np.zeros((n, 3, 2), np.int64),
        np.array(texts, np.int64),
        np.array(weights, np.float32),
        np.array(studies if studies is not None else range(n), np.int64),
    )


def test_a_plan_shows_each_record_as_often_as_its_weight_says() -> None:
    n = 200
    weights = [0.0] * 20 + [0.5] * 40 + [1.0] * 100 + [3.0] * 40
    shards = _shards(weights, list(range(n)))
    plan = make_plan(shards, TrainingRules(batch=10, epochs=40))
    seen = np.bincount(np.concatenate([plan.step(s)[0] for s in range(plan.steps)]), minlength=n) / 40
    assert (seen[:20] == 0).all()
    assert abs(seen[20:60].mean() - 0.5) < 0.05
    assert abs(seen[60:160].mean() - 1) < 0.05 and abs(seen[160:].mean() - 3) < 0.15


def test_no_text_comes_twice_in_a_batch_and_a_plan_is_its_seeds() -> None:
    rng = np.random.default_rng(0)
    shards = _shards([1.0] * 300, rng.integers(0, 60, 300).tolist())
    plans = [make_plan(shards, TrainingRules(batch=16, epochs=3, seed=s)) for s in (1, 1, 2)]
    steps = [[plan.step(s)[0] for s in range(plan.steps)] for plan in plans]
    for batch in steps[0]:
        assert len(set(shards.texts[batch].tolist())) == 16
    assert np.array_equal(steps[0], steps[1])
    assert not np.array_equal(steps[0][:5], steps[2][:5])
    backwards = [plans[1].step(s)[0] for s in reversed(range(plans[1].steps))]
    assert np.array_equal(steps[0], backwards[::-1])


def test_one_image_a_study() -> None:
    shards = _shards([1.0] * 90, list(range(90)), [i // 3 for i in range(90)])
    plan = make_plan(shards, TrainingRules(batch=10, epochs=4, one_a_study=True))
    assert plan.steps == 12
    for epoch in range(4):
        rows = np.concatenate([plan.step(3 * epoch + s)[0] for s in range(3)])
        assert sorted(shards.studies[rows].tolist()) == list(range(30))


def test_samples_decide_the_length() -> None:
    shards = _shards([1.0] * 64, list(range(64)))
    assert make_plan(shards, TrainingRules(batch=16, samples=200)).steps == 13


@pytest.mark.parametrize(
    ("texts", "rules", "fits"),
    [
        (9, {}, "train.batch=8"),
        (9, {"accumulate": 8}, "train.batch=8"),
        (15, {"accumulate": 3, "batch": 18}, "train.batch=12"),
        (60, {"reference": "a", "filter_ratio": 0.8}, "train.batch=8"),
        (3, {"accumulate": 4}, None),
        (1, {}, None),
    ],
)
def test_fewer_texts_than_a_batch(texts: int, rules: dict[str, Any], fits: str | None) -> None:
    shards, chosen = _shards([1.0] * 60, [i % texts for i in range(60)]), replace(RULES, **rules)
    with pytest.raises(RunError, match=rf"do not fill a batch of {chosen.drawn}") as caught:
        make_plan(shards, chosen)
    assert str(caught.value).endswith(f": --set {fits}, or keep more" if fits else ": keep more")
    if fits:
        assert make_plan(shards, replace(chosen, batch=int(fits.partition("=")[2]))).steps > 0


def test_more_shards_than_files_may_be_open(tmp_path: Path) -> None:
    records = write_films(tmp_path, 150, per_shard=1)
    shards = open_shards(tmp_path)
    for _ in range(2):
        assert [shards.text(i) for i in range(150)] == records.texts
    opened = [str(f.readlink()) for f in Path("/proc/self/fd").iterdir() if f.exists()]
    assert 0 < sum(path.startswith(str(tmp_path)) for path in opened) <= 64


def test_a_shard_that_changed_is_not_read(tmp_path: Path) -> None:
    write_films(tmp_path, 20)
    shards = open_shards(tmp_path)
    tar = tmp_path / "000000.tar"
    tar.rename(tmp_path / "gone")
    with pytest.raises(RunError, match="gone since"):
        shards.read(0)
    tar.write_bytes((tmp_path / "gone").read_bytes() + b"\0" * 512)
    with pytest.raises(RunError, match="has changed"):
        shards.read(0)


@pytest.mark.parametrize("weight", ["a", float("nan"), -1.0, 1e12])
def test_a_weight_that_is_none(tmp_path: Path, weight: object) -> None:
    write_films(tmp_path, 3)
    index = pa.table({"key": open_shards(tmp_path).keys.tolist(), "weight": [weight] * 3})
    pq.write_table(index, tmp_path / "000000.parquet")
    with pytest.raises(RecipeError, match="weights from 0"):
        open_shards(tmp_path)


def test_odd_facts_and_keys(tmp_path: Path) -> None:
    records = write_films(tmp_path / "good", 3)
    with webdataset.TarWriter(str(tmp_path / "0.tar")) as writer:
        for key, facts in (("café-1", "[" * 100_000), ("b", "[1]"), ("c", "not json")):
            writer.write({"__key__": key, "png": records.images[0], "txt": f"No effusion {key}.", "json": facts})
    shards = open_shards(tmp_path)
    assert [shards.read(i).facts for i in range(3)] == [{}, {}, {}]
    assert make_plan(shards, TrainingRules(batch=3, epochs=1)).step(0)[0].tolist()
