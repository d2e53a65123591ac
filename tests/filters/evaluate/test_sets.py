"""Every layout is read, and what is wrong with it is counted or named, never a traceback."""

from __future__ import annotations

import csv
import io
import json
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate.errors import RecipeError
from filters.evaluate.data import read_set
from filters.evaluate.encode import UNDECODABLE, encode
from filters.evaluate.rules import EvaluateRules
from filters.evaluate.run import evaluate
from filters.evaluate.sets import gather, inside
from filters.towers.encoder import Filter
from tests.realdata import real


def png(level: int = 100) -> bytes:
    return cv2.imencode(".png", np.full((12, 9), level, np.uint8))[1].tobytes()


def shard(path: Path, members: dict[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def run_folder(root: Path) -> Path:
    facts = {"patient": "p1", "modality": "CT", "age": 45, "meta": {"site": "north"}}
    shard(
        root / "shards" / "test" / "000000.tar",
        {
            "b.png": png(1), "b.txt": b"Second.", "b.json": json.dumps({**facts, "modality": "MR"}).encode(),
            "a.png": png(2), "a.txt": b"First.", "a.json": json.dumps(facts).encode(),
            "c.png": png(3), "c.txt": b"  ", "d.txt": b"no picture", "e.png": b"broken", "e.txt": b"Broken.",
        },
    )  # fmt: skip
    index = {
        "key": ["a", "b"],
        "patient": ["p1", "p1"],
        "pixel_hash": ["x", "y"],
        "phash": pa.array([5, 6], pa.uint64()),
    }
    pq.write_table(pa.table(index), root / "shards" / "test" / "000000.parquet")
    return root


def test_a_runs_shards_are_read_with_their_facts_and_hashes(tmp_path: Path):
    found = read_set(run_folder(tmp_path))
    assert found.keys == ["a", "b", "e"], "sorted"
    assert found.texts[0] == ("First.",) and found.images[0]() == png(2)
    assert found.groups == ["p1", "p1", "e"] and found.known_patients
    assert found.facts == {
        "age_band": ["40-59", "40-59", None], "modality": ["CT", "MR", None], "site": ["north", "north", None],
    }  # fmt: skip
    assert found.hashes["phash"] == [5, 6, None]
    assert sum(found.skipped.values()) == 2
    assert read_set(tmp_path / "shards").keys == found.keys == read_set(tmp_path / "shards" / "test").keys


def test_an_image_that_does_not_decode_is_counted(tmp_path: Path, film_model: Filter):
    found = encode(film_model, read_set(run_folder(tmp_path)), signed=True)
    assert found.data.keys == ["a", "b"] and found.data.skipped[UNDECODABLE] == 1
    assert found.images.shape == (2, 64) and len(found.phashes) == len(found.pixel_hashes) == 2
    np.testing.assert_allclose(np.linalg.norm(found.images, axis=1), 1, atol=1e-5)


def test_no_image_that_decodes_is_an_error(tmp_path: Path, film_model: Filter):
    shard(tmp_path / "0.tar", {"a.png": b"x", "a.txt": b"text"})
    with pytest.raises(RecipeError, match="none of 1 images decodes"):
        encode(film_model, read_set(tmp_path))


def test_a_shard_cut_short_gives_what_it_still_holds(tmp_path: Path):
    whole = shard(tmp_path / "0.tar", {f"{k}.{s}": d for k in "abc" for s, d in (("png", png()), ("txt", b"text"))})
    data = whole.read_bytes()
    whole.write_bytes(data[: 2 * 2 * 1024 + 600])
    found = read_set(tmp_path)
    assert found.keys[0] == "a" and len(found) < 3 and sum(found.skipped.values()) >= 1


def table(folder: Path, rows: list[dict[str, str]], name: str = "pairs.csv") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / name).open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder / name


def test_a_table_is_read_and_no_path_leads_out_of_its_folder(tmp_path: Path):
    (tmp_path / "secret.png").write_bytes(png())
    folder = tmp_path / "set"
    (folder / "images").mkdir(parents=True)
    (folder / "images" / "a.png").write_bytes(png())
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    bad = ("../secret.png", str(tmp_path / "secret.png"), "link.png", "images/none.png", "", "images", "a\0.png")
    rows = [{"image": "images/a.png", "caption": "A film.", "patient_id": "p", "plane": "Axial", "age": "30"}]
    rows += [{"image": b, "caption": "A film.", "patient_id": "p", "plane": "", "age": ""} for b in bad]
    rows.append({"image": "images/a.png", "caption": " ", "patient_id": "p", "plane": "", "age": ""})
    found = read_set(table(folder, rows))
    assert found.keys == ["images/a.png"] and found.texts == [("A film.",)]
    assert found.facts == {"age_band": ["18-39"], "view": ["Axial"]}
    assert sum(found.skipped.values()) == len(bad) + 1
    assert read_set(folder).keys == found.keys, "a folder with one table is that table"


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_other_tables_and_their_splits(tmp_path: Path, kind: str):
    (tmp_path / "a.png").write_bytes(png())
    rows = [
        {"path": "a.png", "label": c, "split": s} for c, s in (("x_ray", "Training"), ("ct", "Testing"), ("", "test"))
    ]
    if kind == "jsonl":
        (tmp_path / "t.jsonl").write_text("\n".join([*map(json.dumps, rows), "{broken"]))
    else:
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / "t.parquet")
    found = read_set(tmp_path / f"t.{kind}")
    assert found.classes == ("ct",) and found.labels == [0]
    assert read_set(tmp_path / f"t.{kind}", "train").classes == ("x ray",)
    with pytest.raises(RecipeError, match=r"no split 'val' \(found: Testing"):
        read_set(tmp_path / f"t.{kind}", "val")


def test_a_folder_a_class(tmp_path: Path):
    for part in ("training/glioma_tumor", "testing/glioma_tumor", "testing/no_tumor"):
        (tmp_path / part).mkdir(parents=True)
        (tmp_path / part / "1.png").write_bytes(png())
        (tmp_path / part / "notes.txt").write_text("no image")
    found = read_set(tmp_path)
    assert found.keys == ["glioma_tumor/1.png", "no_tumor/1.png"] and found.labels == [0, 1]
    assert found.classes == ("glioma tumor", "no tumor") and not found.known_patients
    assert read_set(tmp_path / "training").labels == [0]


def test_what_is_no_data_names_the_fix(tmp_path: Path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "model.bin").write_bytes(b"x")
    shard(tmp_path / "val_only" / "val" / "0.tar", {"a.png": png(), "a.txt": b"t"})
    shard(tmp_path / "hollow" / "0.tar", {"a.png": png()})
    two = [table(tmp_path / "two", [{"image": "a", "text": "b"}], n) for n in ("a.csv", "b.csv")]
    bare = table(tmp_path / "bare", [{"image": "a", "note": "b"}])
    cases = {
        tmp_path / "nowhere": "does not exist", tmp_path / "empty": "holds nothing that is known",
        tmp_path / "model.bin": "is no table", tmp_path / "val_only": "no split 'test' .found: val.",
        tmp_path / "hollow": "has an image and a text", two[0].parent: "holds 2 tables",
        bare: "has the columns image, note", two[0]: "holds no record to evaluate on .1 with an image that is not",
    }  # fmt: skip
    for path, problem in cases.items():
        with pytest.raises(RecipeError, match=problem):
            read_set(path)


def test_facts_are_short_words():
    rows = [{"a": " x  y ", "b": "z" * 100, "c": {"d": 1}, "age": "061Y"}, {"a": None, "age": "unknown"}, {"a": "nan"}]
    assert gather(rows) == {"a": ["x y", None, None], "age_band": ["60-79", None, None]}


def test_inside_a_folder_and_not_beside_it(tmp_path: Path):
    (tmp_path / "a").mkdir()
    (tmp_path / "ab").write_bytes(b"x")
    assert inside(tmp_path, "ab") == tmp_path / "ab" and inside(tmp_path / "a", "../ab") is None


def test_real_sets_are_read():
    pairs = read_set(real("radiology_pairs"))
    assert len(pairs) > 1000 and pairs.known_patients and {"modality", "view", "body_part", "sex"} <= set(pairs.facts)
    slices = read_set(real("vision") / "brain_tumor_mri", "test")
    assert slices.classes == ("glioma tumor", "meningioma tumor", "no tumor", "pituitary tumor") and len(slices) == 394
    folders = read_set(real("vision") / "brain_tumor_mri" / "Testing")
    assert folders.classes == slices.classes and sorted(folders.labels or []) == sorted(slices.labels or [])


def test_letters_that_no_tokenizer_takes_are_replaced(tmp_path: Path, film_model: Filter):
    shard(tmp_path / "shards" / "0.tar", {"k.png": png(), "k.txt": b"A \xff film.", "k.json": b'{"view": "\\udfff"}'})
    shard(tmp_path / "clip" / "test" / "0.tar", {"k\udcff.png": png(), "k\udcff.txt": b"A \xff film."})
    (tmp_path / "clip" / "dataset_type.txt").write_text("retrieval")
    for layout in ("shards", "clip"):
        found = read_set(tmp_path / layout)
        assert found.keys == ["k" if layout == "shards" else "k?"] and found.texts == [("A \ufffd film.",)]
        assert found.facts == ({"view": ["?"]} if layout == "shards" else {})
        evaluate(film_model, found, EvaluateRules(draws=2))
    (tmp_path / "a.png").write_bytes(png())
    lines = ['{"image": "a.png", "text": "Left \\ud800 effusion."}', '{"image": "a.png", "text": "Left effusion."}']
    (tmp_path / "t.jsonl").write_text("\n".join(lines))
    table = read_set(tmp_path / "t.jsonl")
    assert table.texts == [("Left effusion.",)] and sum(table.skipped.values()) == 1


def test_any_bytes_in_a_shard_are_data_or_a_named_error(tmp_path: Path):
    whole = run_folder(tmp_path / "run") / "shards" / "test" / "000000.tar"
    data = whole.read_bytes()
    rng = np.random.default_rng(0)
    for layout in ("shards", "clip"):
        for _ in range(60):
            broken = bytearray(data[: int(rng.integers(1, len(data)))])
            for place in rng.integers(0, len(broken), 20):
                broken[place] = int(rng.integers(256))
            folder = tmp_path / layout
            (folder / "test").mkdir(parents=True, exist_ok=True)
            (folder / "test" / "0.tar").write_bytes(bytes(broken))
            if layout == "clip":
                (folder / "dataset_type.txt").write_text("retrieval")
            try:
                assert len(read_set(folder)) > 0
            except RecipeError as error:
                assert str(folder) in str(error)
