"""Features of frozen towers as unit rows in which near is alike: images, and texts with their words beside."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import CountVectorizer

Rows = NDArray[np.float32]

_IMAGE_DIM, _WORD_DIM = 256, 160
_MIN_GROUPS = 4  # patients in whose texts a word must stand to be known: nothing that is one patient's is kept
_WORD = re.compile(r"[^\W\d_]+|\d+")
_ENDINGS = ("ations", "ation", "ings", "ing", "ies", "ed", "es", "s", "al", "ly")


def unit(rows: NDArray[np.floating]) -> Rows:
    """Rows of length 1; a row of zeros stays."""
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-6), np.float32)


def words_of(text: str) -> list[str]:
    """The words of a text without their endings, and every two that follow each other."""
    words = [_stem(word) for word in _WORD.findall(text.lower())]
    return words + [f"{a}_{b}" for a, b in pairwise(words)]


def _stem(word: str) -> str:
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            return word[: -len(ending)]
    return word


@dataclass(frozen=True, eq=False)
class ImageSpace:
    """float32[n, f] -> unit float32[n, d]: standardised, turned to the main directions, half whitened."""

    center: Rows  # float32[f]
    turn: Rows  # float32[f, d], scaled

    def __call__(self, features: Rows) -> Rows:
        return unit((features - self.center) @ self.turn)

    @classmethod
    def of(cls, features: Rows) -> ImageSpace:
        """Fitted to the pictures alone."""
        spread = features.std(0) + 1e-3 * features.std() + 1e-6
        known = PCA(_dims(features, _IMAGE_DIM), svd_solver="randomized", random_state=0)
        known.fit((features - features.mean(0)) / spread)
        half = np.power(known.explained_variance_ + 1e-9, 0.25)
        return cls(features.mean(0), np.asarray(known.components_.T / spread[:, None] / half, np.float32))


@dataclass(frozen=True, eq=False)
class TextSpace:
    """Sentence rows float32[n, f] and texts -> unit float32[n, d + f]: half words, half sense."""

    vocabulary: tuple[str, ...]
    idf: Rows
    center: Rows  # float32[v], of words
    turn: Rows  # float32[v, d]
    mean: Rows  # float32[f], of sentence rows of length 1

    def __call__(self, rows: Rows, texts: Sequence[str]) -> Rows:
        words = (self._weigh(texts) - self.center) @ self.turn if len(self.vocabulary) else np.zeros((len(texts), 1))
        return unit(np.concatenate([unit(words), unit(unit(rows) - self.mean)], axis=1))

    def _weigh(self, texts: Sequence[str]) -> Rows:
        counts = _counter(self.vocabulary).transform(texts)
        counts.data = 1 + np.log(counts.data)
        return unit(counts.toarray().astype(np.float32) * self.idf)

    @classmethod
    def of(cls, rows: Rows, texts: Sequence[str], groups: Sequence[str]) -> TextSpace:
        """Fitted to the texts alone, ``groups`` being their patients."""
        words: dict[str, set[str]] = defaultdict(set)
        for text, group in zip(texts, groups, strict=True):
            words[group].update(words_of(text))
        counts = Counter(word for those in words.values() for word in those)
        vocabulary = tuple(sorted(word for word, n in counts.items() if n >= _MIN_GROUPS))
        idf = np.array([np.log(len(words) / counts[word]) for word in vocabulary], np.float32)
        mean = np.asarray(unit(rows).mean(0), np.float32)
        if len(vocabulary) < 2:
            return cls((), idf[:0], np.zeros(0, np.float32), np.zeros((0, 1), np.float32), mean)
        weighed = cls(vocabulary, idf, idf, idf, mean)._weigh(texts)
        known = PCA(_dims(weighed, _WORD_DIM), svd_solver="randomized", random_state=0).fit(weighed)
        return cls(
            vocabulary, idf, known.mean_.astype(np.float32), np.ascontiguousarray(known.components_.T, np.float32), mean
        )


def _counter(vocabulary: Sequence[str]) -> CountVectorizer:
    return CountVectorizer(analyzer=words_of, vocabulary=list(vocabulary), dtype=np.float32)


def _dims(rows: Rows, most: int) -> int:
    return max(1, min(most, len(rows) - 1, int(rows.shape[1])))
