from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from curate.errors import RecipeError
from filters.method import Records, TrainingSet
from filters.methods.blip import method
from filters.methods.blip.capfilt import CAPFILT, CapfiltTask, capfilt, choose, provenance_of
from filters.methods.blip.captioner import _draw
from filters.methods.blip.texts import count_seen, readable
from filters.registry import CapfiltRules, Shape
from filters.task import Pool
from tests.filters.methods.blip_films import batch

FREE = CapfiltRules(min_groups=0, longest=24, threshold=-100.0)


@pytest.fixture(scope="module")
def folder(clean: Records, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BLIP trained until its sentences read like the reports'."""
    rules = method.Rules(
        shape=Shape(side=32, width=64, vision_layers=1, text_layers=1), vocab=400, context=32, epochs=16, batch=16,
        contrast_first=0.1, findings=False, threads=1, holdout=0.1, device="cpu",
    )  # fmt: skip
    out = tmp_path_factory.mktemp("capfilt") / "f"
    method.train(TrainingSet(clean), out, rules)
    return out


@pytest.fixture(scope="module")
def loaded(folder: Path) -> method.Blip:
    return method.load(folder, "cpu")


def test_a_row_is_the_records_own(loaded: method.Blip, clean: Records):
    part = clean.take(range(20))
    whole = capfilt(loaded, part.keys, batch(part, 32), FREE)
    assert whole.schema == CAPFILT and whole.num_rows == 20
    order = np.random.default_rng(0).permutation(20)[:7]
    some = part.take(order)
    again = capfilt(loaded, some.keys, batch(some, 32), FREE).to_pylist()
    for row, i in zip(again, order, strict=True):
        expected = whole.slice(int(i), 1).to_pylist()[0]
        assert row["synthetic"] == expected["synthetic"] and row["chosen"] == expected["chosen"]
        assert row["itm_synthetic"] == pytest.approx(expected["itm_synthetic"], abs=1e-5)
    seeded = capfilt(loaded, part.keys, batch(part, 32), CapfiltRules(seed=1, min_groups=0, longest=24))
    assert seeded["synthetic"].to_pylist() != whole["synthetic"].to_pylist()


def test_proposals_read_like_the_reports(loaded: method.Blip, clean: Records):
    table = capfilt(loaded, clean.keys[:20], batch(clean.take(range(20)), 32), FREE)
    known = {w.strip(".,;").lower() for t in clean.texts for w in t.split()}
    words = [w.strip(".,;").lower() for t in table["synthetic"].to_pylist() for w in str(t).split()]
    assert np.mean([w in known for w in words]) > 0.7
    assert all(t[0].isupper() or not t[0].isalpha() for t in table["synthetic"].to_pylist())


def test_both_texts_are_judged_by_the_matching_head(loaded: method.Blip, clean: Records):
    part = clean.take(range(6))
    seen = batch(part, 32)
    rows = capfilt(loaded, part.keys, seen, FREE)
    assert np.abs(rows["itm_original"].to_numpy() - loaded(seen)[""]).max() < 1e-5
    judged = loaded.judge(seen.pixels(32), rows["synthetic"].to_pylist())
    assert np.abs(rows["itm_synthetic"].to_numpy() - judged).max() < 1e-5


def test_rare_sentences_are_withheld(loaded: method.Blip, clean: Records):
    part = clean.take(range(12))
    free = capfilt(loaded, part.keys, batch(part, 32), FREE)["synthetic"].to_pylist()
    kept = loaded.sentence_counts
    try:
        loaded.sentence_counts = count_seen([free[0]] * 7 + [free[1]] * 8, [f"p{i}" for i in range(15)])
        rules = CapfiltRules(min_groups=8, longest=24, threshold=-100.0)
        rows = capfilt(loaded, part.keys, batch(part, 32), rules).to_pylist()
    finally:
        loaded.sentence_counts = kept
    assert rows[0]["synthetic"] is None and rows[0]["withheld"] == "rare" and rows[0]["itm_synthetic"] is None
    assert rows[1]["synthetic"] == free[1] and rows[1]["withheld"] is None


def test_what_does_not_decode_is_chosen_as_nothing(loaded: method.Blip, clean: Records):
    part = clean.take(range(2))
    part.images[0] = b""
    row = capfilt(loaded, part.keys, batch(part, 32), FREE).to_pylist()[0]
    assert row["chosen"] == "none" and row["withheld"] == "undecodable" and row["itm_original"] is None


def test_a_judge_alone_cannot_propose(loaded: method.Blip, clean: Records):
    captioner, loaded.net.captioner = loaded.net.captioner, None
    try:
        with pytest.raises(RecipeError, match="has no captioner"):
            capfilt(loaded, clean.keys[:1], batch(clean.take([0]), 32), FREE)
    finally:
        loaded.net.captioner = captioner


def test_the_step_writes_every_pair_with_its_provenance(folder: Path, tmp_path: Path, clean: Records):
    part = clean.take(range(10))
    ingest, dedup = tmp_path / "ingest", tmp_path / "dedup"
    for path in (ingest, dedup):
        path.mkdir()
    hashes = [None if i == 4 else "h" for i in range(10)]  # the fifth has no picture
    table = pa.table(
        {"key": part.keys, "image": part.images, "text": part.texts, "patient": part.groups, "pixel_hash": hashes}
    )
    reasons = pa.array([None] * 9 + ["x"], pa.string())
    pa.parquet.write_table(table, ingest / "part-00000.parquet")
    kept = pa.table({"key": part.keys, "partition": pa.array([0] * 10, pa.int32()), "drop_reason": reasons})
    pa.parquet.write_table(kept, dedup / "part-00000.parquet")
    task = CapfiltTask(Pool(str(ingest), 1, str(dedup)), {}, 4, captioner=str(folder), rules=FREE)
    rows = task.run(0)
    assert rows["key"].to_pylist() == [*part.keys[:4], *part.keys[5:9]] and task.rows(0) == 9
    said = json.loads(rows["provenance"][0].as_py())
    assert said["method"] == "capfilt" and said["rules"]["top_p"] == 0.9 and len(said["filter"]) == 64
    assert rows["provenance"][0].as_py() == provenance_of(folder, FREE)


def test_the_choice():
    own = np.array([1, -1, -1, np.nan, 1], np.float32)
    made = np.array([9, 1, -1, np.nan, np.nan], np.float32)
    assert choose(own, made, CapfiltRules()) == ["original", "synthetic", "none", "none", "original"]
    assert choose(own, made, CapfiltRules(margin=5.0))[0] == "synthetic"
    assert choose(own, made, CapfiltRules(margin=9.0))[0] == "original"


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=12), st.floats(0, 1, exclude_max=True), st.floats(0.05, 1))
def test_a_draw_is_of_the_nucleus(logits: list[float], at: float, top_p: float):
    chance = torch.tensor([logits]).softmax(-1)
    drawn = int(_draw(chance, torch.tensor([at], dtype=torch.float64), top_p))
    before = chance[0][chance[0] > chance[0, drawn]].sum()
    assert float(before) < top_p + 1e-6
    assert int(_draw(chance, torch.tensor([0.0], dtype=torch.float64), top_p)) == int(chance.argmax())


def test_drawing_follows_the_chances():
    chance = torch.tensor([[0.1, 0.6, 0.3]]).expand(3000, 3)
    at = torch.from_numpy(np.random.default_rng(0).random(3000))
    drawn = _draw(chance, at, 1.0).bincount(minlength=3) / 3000
    assert (drawn - chance[0]).abs().max() < 0.03
    assert _draw(chance, at, 0.85).max() == 2 and 0 not in _draw(chance, at, 0.85), "0.9 is passed by two tokens"


def test_tokens_become_sentences():
    assert readable("no effusion . the heart ( 1 2 mm ) is large , l 5 - s 1") == (
        "No effusion. The heart (12 mm) is large, l 5-s 1"
    )
    assert readable("ratio above 0 . 5 .") == "Ratio above 0.5."
