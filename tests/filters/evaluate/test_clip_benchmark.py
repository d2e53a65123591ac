"""clip_benchmark's layout, as webdataset writes and reads it, read by ourselves."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from curate.errors import RecipeError
from filters.evaluate.data import read_set
from filters.evaluate.sets import EvalSet, set_of
from tests.filters.evaluate.clip_benchmark_layout import write_clip_benchmark
from tests.filters.evaluate.test_sets import png, shard


def classes(n: int = 5) -> EvalSet:
    keys = [f"k/{i}" for i in range(n)]
    plain = set_of("s", keys, [png(10 * i) for i in range(n)], [""] * n, keys)
    labels = [i % 3 - 1 for i in range(n)]  # -1: of no class
    return EvalSet("s", keys, plain.images, plain.texts, keys, labels=labels, classes=("no tumor", "glioma"))


def test_classes_are_read_as_webdataset_wrote_them(tmp_path: Path):
    data = classes()
    write_clip_benchmark(data, tmp_path)
    found = read_set(tmp_path)
    assert found.labels == [0, 1, 0] and found.classes == data.classes
    assert [image() for image in found.images] == [png(10), png(20), png(40)]
    assert found.templates == ("{c}", "an image of {c}")


def test_captions_are_read_a_line_each(tmp_path: Path):
    plain = set_of("s", ["a", "b"], [png(), png()], ["x", "y"], ["a", "b"])
    write_clip_benchmark(EvalSet("s", plain.keys, plain.images, [("One two", "three"), ("x",)], plain.groups), tmp_path)
    found = read_set(tmp_path)
    assert found.texts == [("One two", "three"), ("x",)] and found.labels is None


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
    outside = "with a label that classnames.txt does not have"
    assert found.skipped == {"without a label": 1, "without an image": 1, outside: 2}


def test_the_shards_are_those_that_the_set_counts(tmp_path: Path):
    write_clip_benchmark(classes(), tmp_path)
    shard(tmp_path / "test" / "1.tar", {"old.png": png(), "old.cls": b"1"})
    assert len(read_set(tmp_path)) == 3
    (tmp_path / "test" / "nshards.txt").write_text("0")
    with pytest.raises(RecipeError, match=r"^data: .*holds no \.tar"):
        read_set(tmp_path)


def test_a_set_without_labels_says_so(tmp_path: Path):
    shard(tmp_path / "test" / "0.tar", {"s0.png": png(), "s1.png": png()})
    (tmp_path / "classnames.txt").write_text("a\nb\n")
    with pytest.raises(RecipeError, match=r"^data: .* an image and a label \(2 without a label\)"):
        read_set(tmp_path)


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
