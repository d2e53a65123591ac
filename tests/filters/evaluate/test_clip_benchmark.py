"""clip_benchmark's layout: written, read by webdataset as clip_benchmark does, and by ourselves."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import webdataset

from curate.errors import RecipeError
from filters.evaluate.clip_benchmark import write_clip_benchmark
from filters.evaluate.data import read_set
from filters.evaluate.sets import EvalSet, set_of
from tests.filters.evaluate.test_sets import png, shard

IMAGES = ("webp", "png", "jpg", "jpeg")


def classes(n: int = 5) -> EvalSet:
    keys = [f"k/{i}" for i in range(n)]
    plain = set_of("s", keys, [png(10 * i) for i in range(n)], [""] * n, keys)
    labels = [i % 3 - 1 for i in range(n)]  # -1: of no class
    return EvalSet("s", keys, plain.images, plain.texts, keys, labels=labels, classes=("no tumor", "glioma"))


def as_clip_benchmark_reads(folder: Path, told: str) -> list[tuple[np.ndarray, object]]:
    """The steps of its `build_wds_dataset`."""
    shards = int((folder / "test" / "nshards.txt").read_text())
    urls = str(folder / "test" / f"{{0..{shards - 1}}}.tar")
    found = webdataset.WebDataset(urls, nodesplitter=lambda x: x)
    found = found.decode(webdataset.autodecode.ImageHandler("rgb8", extensions=list(IMAGES)))
    return list(found.to_tuple(list(IMAGES), told))


def test_classes_are_written_as_webdataset_reads_them(tmp_path: Path):
    data = classes()
    write_clip_benchmark(data, tmp_path)
    found = as_clip_benchmark_reads(tmp_path, "cls")
    assert [label for _, label in found] == [0, 1, 0]
    assert [int(image[0, 0, 0]) for image, _ in found] == [10, 20, 40]
    assert (tmp_path / "classnames.txt").read_text().splitlines() == ["no tumor", "glioma"]
    assert all("{c}" in t for t in (tmp_path / "zeroshot_classification_templates.txt").read_text().splitlines())
    again = read_set(tmp_path)
    assert again.labels == [0, 1, 0] and again.classes == data.classes and again.images[0]() == png(10)


def test_captions_are_written_a_line_each(tmp_path: Path):
    plain = set_of("s", ["a", "b", "c"], [png(), png(), b"GIF89a"], ["One\ntwo", "x", "y"], ["a", "b", "c"])
    data = EvalSet("s", plain.keys, plain.images, [("One\n two", "three"), ("x",), ("y",)], plain.groups)
    write_clip_benchmark(data, tmp_path)
    assert [text.splitlines() for _, text in as_clip_benchmark_reads(tmp_path, "txt")] == [["One two", "three"], ["x"]]
    again = read_set(tmp_path)
    assert again.texts == [("One two", "three"), ("x",)] and again.labels is None


def test_equal_sets_give_equal_bytes(tmp_path: Path):
    for name in ("one", "two"):
        write_clip_benchmark(classes(), tmp_path / name)
    for file in (p for p in (tmp_path / "one").rglob("*") if p.is_file()):
        assert file.read_bytes() == (tmp_path / "two" / file.relative_to(tmp_path / "one")).read_bytes()


def test_webp_and_unusable_records_are_read_as_they_are(tmp_path: Path):
    webp = cv2.imencode(".webp", np.full((8, 8, 3), 90, np.uint8))[1].tobytes()
    shard(
        tmp_path / "test" / "0.tar",
        {"s0.webp": webp, "s0.cls": b"1", "s1.png": png(), "s1.cls": b"7", "s2.png": png(), "s3.cls": b"0",
         "s4.png": png(), "s4.cls": b"one", "s5.png": png(), "s5.cls": b"0"},
    )  # fmt: skip
    (tmp_path / "classnames.txt").write_text("a\nb\n")
    (tmp_path / "zeroshot_classification_templates.txt").write_text("a scan of {c}.\nno place\n")
    found = read_set(tmp_path)
    assert found.keys == ["s0", "s5"] and found.labels == [1, 0] and found.templates == ("a scan of {c}.",)
    assert sum(found.skipped.values()) == 4


def test_keys_may_hold_dots(tmp_path: Path):
    shard(
        tmp_path / "test" / "0.tar",
        {"1.2.840.1.png": png(), "1.2.840.1.cls": b"1", "1.2.840.2.png": png(), "1.2.840.2.cls": b"0"},
    )
    (tmp_path / "classnames.txt").write_text("a\nb\n")
    found = read_set(tmp_path)
    assert found.keys == ["1.2.840.1", "1.2.840.2"] and found.labels == [1, 0] and not found.skipped


def test_a_line_left_blank_moves_no_label(tmp_path: Path):
    shard(tmp_path / "test" / "0.tar", {"s0.png": png(), "s0.cls": b"2"})
    (tmp_path / "classnames.txt").write_text("a\n\nc\n\n")
    assert read_set(tmp_path).classes == ("a", "", "c")


def test_files_that_do_not_fit_name_the_fix(tmp_path: Path):
    write_clip_benchmark(classes(), tmp_path)
    (tmp_path / "test" / "nshards.txt").write_text("2")
    with pytest.raises(RecipeError, match=r"lacks 1\.tar, and nshards\.txt says 2"):
        read_set(tmp_path)
    (tmp_path / "test" / "nshards.txt").write_text("many")
    with pytest.raises(RecipeError, match="holds no number"):
        read_set(tmp_path)
    (tmp_path / "test" / "nshards.txt").write_text("1")
    (tmp_path / "dataset_type.txt").write_text("multilabel")
    with pytest.raises(RecipeError, match="says 'multilabel'"):
        read_set(tmp_path)
    (tmp_path / "dataset_type.txt").unlink()
    (tmp_path / "classnames.txt").unlink()
    with pytest.raises(RecipeError, match=r"classnames\.txt is not there"):
        read_set(tmp_path)
    with pytest.raises(RecipeError, match="neither classes nor texts"):
        write_clip_benchmark(set_of("s", ["a"], [png()], [""], ["a"]), tmp_path / "none")
