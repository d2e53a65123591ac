"""The clean set: who is in it, and that nothing of an evaluation split ever is."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate.errors import RecipeError
from filters.clean import clean_keys, seen_in_evaluation, shard_records
from filters.method import Records
from filters.registry import CleanRules
from tests.filters.training.shards import write_shards


def row(key: str, **more: Any) -> dict[str, Any]:
    usual = {"patient": key, "clean": None, "text": "one two three four five", "text_hash": key, "pixel_hash": key}
    return {"key": key, "phash": None, **usual, **more}


def test_declared_records_are_the_clean_set_and_rules_only_where_none_is_declared():
    rows = [row("a", clean=True), row("b", clean=False), row("c", clean=None)]
    assert clean_keys(rows, CleanRules()) == ["a"]
    rows = [row("a"), row("b", text="too short"), row("c", text_hash="x"), row("d", text_hash="x")]
    assert clean_keys(rows, CleanRules()) == ["a"]
    assert clean_keys([row(k) for k in "cdefghijba"], CleanRules(max_pairs=8)) == list("abcdefgh")


def test_what_is_or_nearly_is_in_evaluation_is_found_by_key_hash_and_picture():
    held = [row("v", phash=0b1111), row("w")]
    rows = [row("a", pixel_hash="v"), row("b", phash=0b1110), row("c", phash=0b1 << 40), row("w", pixel_hash="z")]
    assert seen_in_evaluation(rows, held) == {"a", "b", "w"}


def test_a_folder_of_shards_is_read_with_its_patients(tmp_path: Path):
    members = {"k1.png": b"png", "k1.txt": b"text one", "k2.png": b"png2", "k2.txt": b"text two", "k3.txt": b"alone"}
    with tarfile.open(tmp_path / "000000.tar", "w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    pq.write_table(pa.table({"key": ["k1", "k2"], "patient": ["p", "q"]}), tmp_path / "000000.parquet")
    found = shard_records(tmp_path)
    assert (found.keys, found.images) == (["k1", "k2"], [b"png", b"png2"])
    assert (found.texts, found.groups) == (["text one", "text two"], ["p", "q"])


def test_shards_beside_a_folder_called_train_are_read_once(tmp_path: Path):
    records = Records(["a", "b"], [b"1", b"2"], ["one", "two"], ["a", "b"])
    write_shards(tmp_path, records.take(np.array([0])))
    write_shards(tmp_path / "train", records.take(np.array([1])))
    assert shard_records(tmp_path).keys == ["a", "b"]


def test_no_shards_and_a_broken_one_name_the_folder(tmp_path: Path):
    with pytest.raises(RecipeError, match="holds no shards"):
        shard_records(tmp_path)
    (tmp_path / "000000.tar").write_bytes(b"no tar at all")
    with pytest.raises(RecipeError, match="no record of"):
        shard_records(tmp_path)
    write_shards(tmp_path, Records(["a", "b"], [b"1" * 2000] * 2, ["one", "two"], ["a", "b"]))
    tar = tmp_path / "000000.tar"
    tar.write_bytes(tar.read_bytes()[:5000])
    with pytest.raises(RecipeError, match="cut short"):
        shard_records(tmp_path)
