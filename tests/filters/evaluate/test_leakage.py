"""Copies of evaluation records in the training shards, by every way in which they are known."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from filters.evaluate.encode import Encoded, encode
from filters.evaluate.leakage import KINDS, leakage
from filters.evaluate.sets import EvalSet
from filters.towers.encoder import Filter
from tests.filters.evaluate.test_sets import png, shard


def again(image: bytes) -> bytes:
    """The same picture, brighter and compressed."""
    pixels = cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_UNCHANGED)
    return cv2.imencode(".jpg", np.clip(pixels * 0.9 + 12, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 92])[
        1
    ].tobytes()


def train_shards(folder: Path, unknown: EvalSet, other: EvalSet) -> Path:
    texts = [t[0] for t in unknown.texts]
    members: dict[str, tuple[bytes, str, str]] = {
        unknown.keys[0]: (other.images[0](), "Another text, one.", "q0"),
        "pixels": (unknown.images[1](), "Another text, two.", "q1"),
        "near": (again(unknown.images[2]()), "Another text, three.", "q2"),
        "patient": (other.images[1](), "Another text, four.", unknown.groups[3]),
        "text": (other.images[2](), texts[4].upper(), "q3"),
        "blank": (png(0), "Nothing to see.", "q4"),
    }
    files = {}
    for key, (image, text, patient) in members.items():
        facts = json.dumps({"patient": patient}).encode()
        files |= {
            f"{key}.{'jpg' if key == 'near' else 'png'}": image,
            f"{key}.txt": text.encode(),
            f"{key}.json": facts,
        }
    shard(folder / "shards" / "train" / "000000.tar", files)
    return folder


def marked(found: Encoded, train: Path) -> dict[str, list[int]]:
    return {kind: np.flatnonzero(mask).tolist() for kind, mask in leakage(found, train).masks.items()}


def test_each_kind_finds_its_own(tmp_path: Path, film_model: Filter, unknown: EvalSet, known: EvalSet):
    train = train_shards(tmp_path, unknown, known)
    found = encode(film_model, unknown.take(range(8)), signed=True)
    told = marked(found, train)
    same_words = [i for i in range(8) if unknown.texts[i] == unknown.texts[4]]
    assert told["key"] == [0] and told["pixels"] == [1] and told["patient"] == [3] and told["text"] == same_words
    assert {1, 2} <= set(told["near_duplicate"]) and not {0, 3} & set(told["near_duplicate"])
    counts = leakage(found, train).counts()
    assert counts["records"] == 8 and counts["train_records"] == 6 and set(KINDS) < set(counts)
    leaked = leakage(found, train).leaked
    assert leaked[:4].all() and counts["leaked"] == leaked.sum() and not leaked[4], "a text alone is no leak"


def test_the_index_is_believed_and_no_picture_read(tmp_path: Path, film_model: Filter, unknown: EvalSet):
    found = encode(film_model, unknown.take([5]), signed=True)
    shard(tmp_path / "0.tar", {"a.png": b"not read", "a.txt": b"Words of its own."})
    row = {
        "key": ["a"], "patient": ["p"], "pixel_hash": found.pixel_hashes, "text_hash": ["0" * 32],
        "phash": pa.array([found.phashes[0] ^ 0b101], pa.uint64()),
    }  # fmt: skip
    pq.write_table(pa.table(row), tmp_path / "0.parquet")
    told = marked(found, tmp_path)
    assert told["pixels"] == [0] and told["near_duplicate"] == [0] and told["key"] == told["text"] == []


def test_records_of_nobody_share_no_patient(tmp_path: Path, film_model: Filter, unknown: EvalSet):
    chosen = unknown.take([0, 1])
    nobody = EvalSet("s", chosen.keys, chosen.images, chosen.texts, chosen.groups, known_patients=False)
    shard(
        tmp_path / "0.tar",
        {"a.png": png(), "a.txt": b"x", "a.json": json.dumps({"patient": chosen.groups[0]}).encode()},
    )
    assert marked(encode(film_model, nobody, signed=True), tmp_path)["patient"] == []
    assert marked(encode(film_model, chosen, signed=True), tmp_path)["patient"] == [0]
    numbered = EvalSet("s", chosen.keys, chosen.images, chosen.texts, ["7", "8"], known_patients=True)
    shard(tmp_path / "1.tar", {"b.png": png(), "b.txt": b"x", "b.json": json.dumps({"patient": 8}).encode()})
    assert marked(encode(film_model, numbered, signed=True), tmp_path)["patient"] == [1]


def test_a_number_is_no_key_to_know_a_record_by(tmp_path: Path, film_model: Filter, unknown: EvalSet):
    chosen = unknown.take([0, 1])
    data = EvalSet("s", ["000000012", "0f3a12"], chosen.images, chosen.texts, chosen.groups)
    shard(tmp_path / "0.tar", {f"{k}.{s}": b for k in data.keys for s, b in (("png", png()), ("txt", b"x"))})
    assert marked(encode(film_model, data, signed=True), tmp_path)["key"] == [1]
