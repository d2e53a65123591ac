"""Four judges of a pair, each fitted in closed form on pairs that are thought right.

    cca     regularised canonical correlation of image and text rows (Hotelling 1936; ridge: Vinod 1976)
    ridge   kernel ridge regression from the image to the text's row, and its cosine with the text
    images  the text against the texts of the pictures that look most like this one (nearest neighbours)
    texts   the picture against the pictures of the texts that are nearest to this one

A judge's opinion of a pair is taken less what its image usually gets from other texts, and its text from other images
(hubness; CSLS, 1710.04087; s-CLIPLoss, 2405.19547), over a bank of right pairs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from filters.judges.spaces import Rows, unit

_DIM, _SHRINK = 96, 0.1  # of the canonical correlation
_RIDGE, _WIDTH = 0.6, 2.0  # of the kernel regression; exp(_WIDTH * (cosine - 1)) is its kernel
_NEAR, _SHARP = 12, 8.0  # neighbours asked, and how much more the nearest count
_BANK = 1024  # pairs that say what is usual
_CLIP = 8.0


@dataclass(frozen=True, eq=False)
class Judges:
    """Fitted on n pairs ``images`` float32[n, d] and ``texts`` float32[n, e], unit rows, of ``weights`` float32[n];
    ``names`` are the pairs' digests, for `filters.banks`."""

    images: Rows
    texts: Rows
    weights: Rows
    image_center: Rows
    text_center: Rows
    image_turn: Rows  # float32[d, k]
    text_turn: Rows  # float32[e, k]
    answers: Rows  # float32[n, e], of the kernel regression
    names: NDArray[np.uint64]

    @classmethod
    def of(cls, images: Rows, texts: Rows, weights: Rows, names: NDArray[np.uint64]) -> Judges:
        """Fitted in O(n^3): a second for 2,000 pairs."""
        mean_image, mean_text = (np.average(rows, 0, weights).astype(np.float32) for rows in (images, texts))
        turns = _correlate(images - mean_image, texts - mean_text, weights)
        kernel = _kernel(images, images).astype(np.float64)
        kernel[np.diag_indices(len(images))] += _RIDGE / np.maximum(weights, 1e-3)
        answers = linalg.solve(kernel, (texts - mean_text).astype(np.float64), assume_a="pos").astype(np.float32)
        return cls(images, texts, weights.astype(np.float32), mean_image, mean_text, *turns, answers, names)

    def columns(self, images: Rows, texts: Rows) -> NDArray[np.float64]:
        """float64[n, 3 * judges] of the pairs of ``images`` and ``texts``: each judge's opinion less what is usual of
        both, of the image, of the text."""
        bank = self._bank()
        left, right = self._of_images(images), self._of_texts(texts)
        bank_left, bank_right = self._of_images(self.images[bank]), self._of_texts(self.texts[bank])
        found = []
        for mine, others, theirs, own in zip(left, right, bank_left, bank_right, strict=True):
            score = (mine * others).sum(1)
            by_image = _less_usual(score, mine @ own.T)
            by_text = _less_usual(score, others @ theirs.T)
            found += [(by_image + by_text) / 2, by_image, by_text]
        return np.clip(np.column_stack(found), -_CLIP, _CLIP)

    def _bank(self) -> NDArray[np.int64]:
        """Rows spread evenly over the heaviest pairs."""
        heavy = np.flatnonzero(self.weights >= np.median(self.weights))
        return heavy[np.linspace(0, len(heavy) - 1, min(_BANK, len(heavy))).astype(np.int64)]

    def _of_images(self, images: Rows) -> tuple[Rows, ...]:
        """What each judge makes of images, in whose inner product with `_of_texts` its opinion lies."""
        predicted = _kernel(images, self.images) @ self.answers
        near = images @ self.images.T
        return (
            unit((images - self.image_center) @ self.image_turn),
            unit(predicted),
            _nearest(near, self.weights) @ self.texts,
            images,
        )

    def _of_texts(self, texts: Rows) -> tuple[Rows, ...]:
        near = texts @ self.texts.T
        return (
            unit((texts - self.text_center) @ self.text_turn),
            unit(texts - self.text_center),
            texts,
            _nearest(near, self.weights) @ self.images,
        )


def _correlate(x: Rows, y: Rows, weights: Rows) -> tuple[Rows, Rows]:
    """Projections of centred rows, each direction as long as the root of its correlation."""
    root = np.sqrt(weights / weights.sum())[:, None]
    a, b = (x * root).astype(np.float64), (y * root).astype(np.float64)
    left, right = _inverse_root(a.T @ a), _inverse_root(b.T @ b)
    u, s, v = linalg.svd(left @ (a.T @ b) @ right, full_matrices=False)
    k = min(_DIM, len(s))
    size = np.sqrt(s[:k])
    return np.asarray(left @ u[:, :k] * size, np.float32), np.asarray(right @ v[:k].T * size, np.float32)


def _inverse_root(square: NDArray[np.float64]) -> NDArray[np.float64]:
    values, vectors = linalg.eigh(square + _SHRINK * np.trace(square) / len(square) * np.eye(len(square)))
    return np.asarray((vectors / np.sqrt(np.maximum(values, 1e-9))) @ vectors.T)


def _kernel(left: Rows, right: Rows) -> Rows:
    return np.asarray(np.exp(_WIDTH * (left @ right.T - 1)), np.float32)


def _nearest(near: Rows, weights: Rows) -> Rows:
    """float32[n, m], rows summing to 1: the weights of the nearest of m."""
    k = min(_NEAR, near.shape[1])
    least = np.partition(near, -k, axis=1)[:, -k][:, None]
    share = np.where(near >= least, np.exp((near - near.max(axis=1, keepdims=True)) * _SHARP), 0) * weights
    return np.asarray(share / np.maximum(share.sum(axis=1, keepdims=True), 1e-9), np.float32)


def _less_usual(score: Rows, usual: Rows) -> NDArray[np.float64]:
    return np.asarray((score - usual.mean(axis=1)) / (usual.std(axis=1) + 1e-6), np.float64)
