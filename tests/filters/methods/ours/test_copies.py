"""Copies of a picture with the same claims are found, whoever is in the batch; look-alikes are not copies."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from curate.errors import RecipeError
from filters.method import Batch
from filters.methods.ours.copies import FILE, Copies
from filters.metrics import auroc
from filters.score import Needs, prepare
from tests.filters.films import films


def batches(images: list[bytes], texts: list[str]) -> list[Batch]:
    return list(prepare(images, texts, Needs((64,)), 32))


def ask(copies: Copies, images: list[bytes], texts: list[str]) -> np.ndarray:
    return np.concatenate([copies(b.images[64], b.texts, b.valid) for b in batches(images, texts)])


def altered(image: bytes, how: str) -> bytes:
    grey = cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_GRAYSCALE)
    if how == "jpeg":
        return cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, 60])[1].tobytes()
    made = {"gamma": 255 * (grey / 255.0) ** 1.5, "equalised": cv2.equalizeHist(grey), "mirrored": grey[:, ::-1]}[how]
    return cv2.imencode(".png", np.asarray(made, np.uint8))[1].tobytes()


@pytest.fixture(scope="module")
def copies() -> Copies:
    pool = films(400, 71, 0.3).records
    return Copies.of(batches(pool.images, pool.texts), 64)


def test_planted_duplicates_are_told_from_all_that_was_never_copied(copies: Copies):
    pool = films(400, 71, 0.3)
    told, fault = ask(copies, pool.records.images, pool.records.texts), np.array(pool.fault)
    copied = np.isin(
        pool.records.groups, [g for g, f in zip(pool.records.groups, fault, strict=True) if f == "duplicate"]
    )
    assert (told[fault == "duplicate"] >= 0.5).all() and (told[copied & (fault == "")] >= 0.5).all()
    assert (told[~copied] == 0).all(), "look-alikes of other patients"
    some = (fault == "") | (fault == "duplicate")
    assert auroc(told[some], fault[some] == "duplicate") > 0.8  # a copy and its original look the same to it


@pytest.mark.parametrize("how", ["jpeg", "gamma", "equalised"])
def test_an_altered_copy_that_says_the_same_is_one_and_one_that_says_something_else_is_not(copies: Copies, how: str):
    pool = films(400, 71, 0.3)
    chosen = [i for i, f in enumerate(pool.fault) if f == ""][:30]
    images = [altered(pool.records.images[i], how) for i in chosen]
    texts = [pool.records.texts[i] for i in chosen]
    assert (ask(copies, images, texts) >= 0.5).mean() > 0.9
    assert (ask(copies, images, ["Pneumoperitoneum."] * len(images)) == 0).all()
    mirrored = [altered(pool.records.images[i], "mirrored") for i in chosen]
    assert (ask(copies, mirrored, texts) == 0).all()


def test_a_pair_is_judged_alone_and_blank_or_broken_ones_are_nobodys_copy(copies: Copies):
    pool = films(400, 71, 0.3).records
    whole = ask(copies, pool.images[:40], pool.texts[:40])
    colour = cv2.imencode(".png", np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8))[1].tobytes()
    mixed = ask(copies, [*pool.images[:40], colour, b""], [*pool.texts[:40], "x", "y"])
    np.testing.assert_array_equal(mixed[:40], whole)
    assert mixed[40] == 0 and np.isnan(mixed[41])
    black = cv2.imencode(".png", np.zeros((64, 64), np.uint8))[1].tobytes()
    blanks = Copies.of(batches([black] * 3, ["A.", "A.", "A. "]), 64)
    assert ask(blanks, [black], ["A."]).tolist() == [0]


def test_it_is_the_same_from_its_file_and_in_any_order(copies: Copies, tmp_path: Path):
    pool = films(400, 71, 0.3).records
    copies.save(tmp_path)
    again = Copies.of(batches(pool.images[::-1], pool.texts[::-1]), 64)
    (tmp_path / "other").mkdir()
    again.save(tmp_path / "other")
    assert (tmp_path / FILE).read_bytes() == (tmp_path / "other" / FILE).read_bytes()
    loaded = Copies.load(tmp_path)
    np.testing.assert_array_equal(ask(loaded, pool.images, pool.texts), ask(copies, pool.images, pool.texts))


@pytest.mark.parametrize("content", [None, b"", b"no safetensors"])
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes | None):
    if content is not None:
        (tmp_path / FILE).write_bytes(content)
    with pytest.raises(RecipeError, match=r"(?s)copies\.safetensors.*train the filter again"):
        Copies.load(tmp_path)
