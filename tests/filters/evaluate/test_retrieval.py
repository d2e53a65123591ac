"""Ranks of images and texts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from filters import metrics as module
from filters.evaluate.estimate import estimates
from filters.evaluate.retrieval import captions, distinct, of_rows
from filters.metrics import ranks


def unit(n: int, d: int, seed: int) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(n, d))
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def told(images: np.ndarray, texts: np.ndarray, owner: list[int], number: list[int]) -> dict[str, dict[str, float]]:
    found = of_rows(images, texts, np.array(owner), np.array(number))
    groups = [str(i) for i in range(len(images))]
    return {t: {n: m["value"] for n, m in estimates(metrics, groups, 1, 0).items()} for t, metrics in found.items()}


@settings(deadline=None, max_examples=20)
@given(st.integers(2, 40), st.integers(0, 10_000))
def test_perfect_rows_are_found_first_and_opposite_ones_last(n: int, seed: int):
    rows = unit(n, 32, seed)
    pairs = list(range(n))
    for found in told(rows, rows, pairs, pairs).values():
        assert found["r1"] == 1 and found["median_rank"] == 1
    assert (ranks(rows, -rows, np.arange(n), np.arange(n)) == n).all()


@settings(deadline=None, max_examples=20)
@given(st.integers(3, 40), st.integers(0, 10_000))
def test_the_order_of_records_does_not_matter(n: int, seed: int):
    rng = np.random.default_rng(seed)
    images, texts, number = unit(n, 8, seed), unit(n, 8, seed + 1), rng.integers(0, n, n)
    texts, number = texts[np.unique(number)], np.unique(number, return_inverse=True)[1]
    order = rng.permutation(n)
    assert told(images, texts, list(range(n)), number.tolist()) == told(
        images[order], texts, list(range(n)), number[order].tolist()
    )


def test_a_copy_of_the_right_text_is_right_both_ways():
    images, texts = np.eye(3, dtype=np.float32)[[0, 1, 2]], np.eye(3, dtype=np.float32)[[0, 2]]
    found = told(images, texts, [0, 1, 2], [0, 0, 1])  # images 0 and 1 have the same text
    assert found["retrieval/text_to_image"]["r1"] == 1
    assert ranks(texts, images, np.array([0, 0, 1]), np.array([0, 1, 2])).tolist() == [1, 1]


def test_auroc_is_scikit_learns_of_every_query():
    images, texts = unit(30, 6, 1), unit(12, 6, 2)
    number = np.random.default_rng(3).permutation(np.arange(30) % 12)
    near, right = images @ texts.T, number[:, None] == np.arange(12)
    found = told(images, texts, list(range(30)), number.tolist())
    by_image = np.mean([roc_auc_score(r, n) for r, n in zip(right, near, strict=True)])
    assert found["retrieval/image_to_text"]["auroc"] == pytest.approx(by_image, abs=1e-6)
    nearest = [max(n[r]) for r, n in zip(right.T, near.T, strict=True)]  # of a text's images the nearest stands for all
    by_text = [(n[~r] < best).mean() for r, n, best in zip(right.T, near.T, nearest, strict=True)]
    assert found["retrieval/text_to_image"]["auroc"] == pytest.approx(np.mean(np.array(by_text)[number]), abs=1e-6)


def test_a_collapsed_model_finds_nothing():
    same = np.tile(unit(1, 4, 0), (20, 1))
    pairs = list(range(20))
    for found in told(same, same, pairs, pairs).values():
        assert found["r10"] == 0 and found["median_rank"] == 20


def test_any_of_several_captions_is_right_and_each_is_asked():
    owner, number = captions([("One.", "two"), ("THREE",), (), ("three.",)])
    assert owner.tolist() == [0, 0, 1, 3] and number[2] == number[3] and len(set(number.tolist())) == 3
    assert sorted(distinct([("One.", "two"), ("THREE",), (), ("three.",)], number)) == ["One.", "THREE", "two"]
    images = np.eye(4, dtype=np.float32)[[0, 1, 3]]
    texts = np.eye(4, dtype=np.float32)[[2, 0, 1]]
    assert ranks(images, texts, np.array([0, 0, 1]), np.array([0, 1, 2]))[:2].tolist() == [1, 1]
    assert np.isnan(ranks(images, texts, np.array([0, 0, 1]), np.array([0, 1, 2]))[2])


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch):
    left, right = unit(50, 8, 1), unit(30, 8, 2)
    pairs = np.random.default_rng(0).integers(0, 30, 50)
    whole = ranks(left, right, np.arange(50), pairs)
    monkeypatch.setattr(module, "_CHUNK", 100)
    assert (ranks(left, right, np.arange(50), pairs) == whole).all()
    near = left @ right.T
    plain = [(near[i] >= near[i, pairs[i]]).sum() for i in range(50)]
    assert whole.tolist() == plain
