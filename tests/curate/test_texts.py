"""Which text goes out, on three-row tables: chosen by the step, cut by the scores it has, carried into the shards."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate.dedup.exact import text_hash
from curate.export.labels import Labels
from curate.export.rules import SelectRules
from curate.export.select import SelectTask
from curate.export.split import SplitRules
from curate.export.texts import Texts, carry, read_texts
from curate.export.webdataset import write_shard
from curate.intact import part_path
from curate.record import DEDUP, RECORD, conform

KEYS = [f"{i:032x}" for i in range(4)]
CHOSEN = ["original", "synthetic", "none"]


def archive(folder: Path, **more: Any) -> SelectTask:
    """Four records of the train split; the last, a text alone, was proposed nothing."""
    record = conform(pa.table({"key": KEYS, "patient": [f"{i:032x}" for i in range(4)]}), RECORD)
    dedup = conform(pa.table({"key": KEYS, "partition": pa.array([0] * 4, pa.int32())}), DEDUP)
    scored = pa.table({"key": KEYS[:3], "findings": ["a", "b", "c"], "f": pa.array([0.5, 0.1, 0.9], pa.float32())})
    proposed = pa.table(
        {
            "key": KEYS[:3],
            "synthetic": ["One.", "Two.", None],
            "believed": [True, True, False],
            "chosen": CHOSEN,
            "provenance": ['{"method": "capfilt"}'] * 2 + [None],
            "itm_original": pa.array([2, -1, -1], pa.float32()),
            "itm_synthetic": pa.array([1, 3, None], pa.float32()),
            "synthetic_f": pa.array([None, 0.7, None], pa.float32()),
            "synthetic_findings": [None, "d", None],
        }
    )
    for name, table in (("ingest", record), ("dedup", dedup), ("score", scored), ("texts", proposed)):
        (folder / name).mkdir()
        pq.write_table(table, part_path(folder / name, 0))
    where = (str(folder / "ingest"), str(folder / "dedup"), str(folder / "score"))
    rules = more.pop("rules", SelectRules(by="f", top_k=1))
    return SelectTask(*where, rules, more.pop("splits", SplitRules(0, 0)), str(folder / "texts"), **more)


def fates(table: pa.Table) -> list[str]:
    return [r or "kept" for r in table["drop_reason"].to_pylist()]


def test_a_replaced_text_is_cut_by_the_score_it_has_and_what_nobody_believes_goes(tmp_path: Path) -> None:
    table = pa.concat_tables(archive(tmp_path).run(0))
    assert table["text_from"].to_pylist() == ["original", "synthetic", "unbelieved", None]
    np.testing.assert_allclose(table["score"].to_pylist()[:3], [0.5, 0.7, 0.9], rtol=1e-6)
    assert fates(table) == ["score_below_cut", "kept", "neither_text_believed", "unscored"]
    assert table["weight"].to_pylist() == [0, 1, 0, 0]


def test_a_recipe_may_keep_what_is_not_believed(tmp_path: Path) -> None:
    table = pa.concat_tables(archive(tmp_path, unbelieved="keep").run(0))
    assert fates(table) == ["score_below_cut", "score_below_cut", "kept", "unscored"]


def test_without_a_cut_only_the_unbelieved_go(tmp_path: Path) -> None:
    assert fates(pa.concat_tables(archive(tmp_path, rules=SelectRules(by="f")).run(0))) == [
        "kept",
        "kept",
        "neither_text_believed",
        "kept",
    ]


def test_a_concept_is_that_of_the_text_chosen(tmp_path: Path) -> None:
    said = read_texts(str(archive(tmp_path).texts), pa.array(KEYS), range(1), np.ones(4, bool))
    found = said.rescored({"findings": Labels.of(["a", "b", "c", ""])})["findings"]
    assert [found.names[c] for c in found.codes] == ["a", "d", "c", ""]


def test_held_out_splits_keep_the_texts_that_people_wrote(tmp_path: Path) -> None:
    table = pa.concat_tables(archive(tmp_path, splits=SplitRules(0.0, 0.999)).run(0))
    assert table["text_from"].to_pylist() == [None] * 4 and fates(table) == ["kept"] * 4


def test_no_step_proposes_nothing() -> None:
    said = read_texts(None, pa.array(KEYS), range(1), np.ones(4, bool))
    assert isinstance(said, Texts) and set(said.chosen.tolist()) == {-1} and not said.none_accepted.any()


@pytest.mark.parametrize("from_", ["original", "synthetic", "unbelieved", None])
def test_the_shard_says_which_text_it_holds_and_where_from(tmp_path: Path, from_: str | None) -> None:
    row = {"key": KEYS[0], "patient": "p", "text": "Own text.", "sections": [("findings", "Own text.")]}
    row |= {"text_hash": text_hash("Own text.")}
    table = conform(pa.Table.from_pylist([row], RECORD), RECORD)
    for name, value in (("split", "train"), ("score", 0.25), ("weight", 1.0), ("text_from", from_)):
        table = table.append_column(name, pa.array([value], pa.float32() if isinstance(value, float) else pa.string()))
    proposed = {"synthetic": "Two.", "believed": True, "provenance": '{"a": 1}', "itm_original": -1.0}
    write_shard(tmp_path, "000000", table, {KEYS[0]: {**proposed, "itm_synthetic": 3.0}})
    with tarfile.open(fileobj=io.BytesIO((tmp_path / "000000.tar").read_bytes())) as tar:
        members = {m.name.split(".")[1]: tar.extractfile(m).read() for m in tar.getmembers()}  # type: ignore[union-attr]
    facts, index = json.loads(members["json"]), pq.read_table(tmp_path / "000000.parquet").to_pylist()[0]
    text = "Two." if from_ == "synthetic" else "Own text."
    assert members["txt"].decode() == facts["caption"] == index["text"] == text
    assert index["text_hash"] == text_hash(text) and index["text_from"] == facts.get("text_from") == from_
    assert facts.get("caption_original") == index["caption_original"] == ("Own text." if from_ == "synthetic" else None)
    assert (facts["sections"] == {}) == (from_ == "synthetic")
    said = None if from_ is None else "Two."
    assert facts.get("synthetic") == index["synthetic"] == said
    assert facts.get("provenance") == (None if from_ is None else {"a": 1})
    assert facts.get("itm_original") == index["itm_original"] == (None if from_ is None else -1.0)


def test_a_text_that_is_not_believed_is_in_no_shard() -> None:
    row = {"key": "k", "text": "Own.", "text_from": "original"}
    proposed = {"synthetic": "Two.", "believed": False, "provenance": "{}", "itm_original": 1.0, "itm_synthetic": -1.0}
    carried = carry(row, proposed)
    assert carried["synthetic"] is None and carried["provenance"] is None and carried["itm_synthetic"] == -1.0
