"""Variants of texts: edited ones as hard negatives, and that of the mirrored image.

Both are made once, before the first step, and sampled in every step.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from filters.findings import edit
from filters.towers.tokenizer import TextTokenizer

_SIDES = re.compile(r"(?i)\b(left|right|leftward|rightward|left-sided|right-sided|lt|rt)\b")
_OTHER = {"left": "right", "leftward": "rightward", "left-sided": "right-sided", "lt": "rt"}
_OTHER |= {b: a for a, b in _OTHER.items()}
# phrases that mirroring makes untrue, or in which "right" is no side
_UNMIRRORED = re.compile(
    r"(?i)\b(dextro\w*|levo\w*|situs|right[- ](?:angle|away|handed)|(?:is|are|was|all) right\b(?! (?:-?sided|\w)))"
)
_DRAWS = 4  # edits of each kind tried for a text


def swap_sides(text: str) -> str | None:
    """The text of the mirrored image, with every side exchanged; None if it names no side or cannot be mirrored."""
    if _UNMIRRORED.search(text):
        return None
    swapped, count = _SIDES.subn(_swap, text)
    return swapped if count else None


def _swap(match: re.Match[str]) -> str:
    word = match[0]
    other = _OTHER[word.lower()]
    return other.upper() if word.isupper() else other.capitalize() if word[0].isupper() else other


@dataclass(frozen=True, eq=False)
class Variants:
    """For n pairs: the ids of each mirrored text, and a bank of edited ones.

    ``first[2 * i + m]`` to ``first[2 * i + m + 1]`` are pair i's rows of the bank, with m = 1 for its mirrored text.
    """

    mirrored: torch.Tensor  # like the pairs' ids, [n, ...]; the pair's own if it has no mirrored text
    mirrorable: NDArray[np.bool_]
    bank: torch.Tensor
    first: NDArray[np.int64]

    def draw(
        self, index: NDArray[np.int64], flipped: NDArray[np.bool_], count: int, rng: np.random.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """(ids [m, ...], owner int64[m]): at most ``count`` wrong texts for each of the pairs ``index``."""
        rows: list[int] = []
        owner: list[int] = []
        for row, slot in enumerate(2 * index + flipped):
            start, stop = int(self.first[slot]), int(self.first[slot + 1])
            chosen = rng.permutation(stop - start)[:count] + start
            rows += [int(i) for i in chosen]
            owner += [row] * len(chosen)
        return self.bank[torch.tensor(rows, dtype=torch.int64)], torch.tensor(owner, dtype=torch.int64)


def make_variants(
    sentences: Sequence[str],
    kinds: Sequence[str],
    mirror: bool,
    encode: Callable[[list[str]], torch.Tensor],
    rng: np.random.Generator,
) -> Variants:
    """The variants of ``sentences``; ``encode`` converts texts to the form of the pairs' ids. No ``kinds``: empty
    bank."""
    swapped = [swap_sides(text) if mirror else None for text in sentences]
    known: dict[str, list[str]] = {}
    texts: list[str] = []
    first = [0]
    for plain, other in zip(sentences, swapped, strict=True):
        for text in (plain, other):
            if text is not None and text not in known:
                known[text] = _edits(text, kinds, rng)
            texts += [] if text is None else known[text]
            first.append(len(texts))
    mirrored = encode([plain if other is None else other for plain, other in zip(sentences, swapped, strict=True)])
    mirrorable = np.array([other is not None for other in swapped], np.bool_)
    return Variants(mirrored, mirrorable, encode(texts), np.array(first, np.int64))


def _edits(text: str, kinds: Sequence[str], rng: np.random.Generator) -> list[str]:
    drawn = [edit(text, kind, rng) for kind in kinds for _ in range(_DRAWS)]
    return list(dict.fromkeys(edited for edited in drawn if edited is not None and edited != text))


def tokenized(tokenizer: TextTokenizer) -> Callable[[list[str]], torch.Tensor]:
    """Texts to int64[n, context_length]."""
    return lambda texts: torch.from_numpy(tokenizer(texts))
