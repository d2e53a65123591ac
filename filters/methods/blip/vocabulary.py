"""Token ids back to words: what the captioner may write, and how its rows read."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer

_DIGITS = re.compile(r"(?<=\d) (?=\d)")  # our tokenizer writes numbers digit by digit
_BEFORE = re.compile(r" (?=[.,;:!?%)\]])")
_AFTER = re.compile(r"(?<=[(\[]) ")
_TIGHT = re.compile(r"(?<=\w) ([-/'’]) (?=\w)|(?<=\d)([.,]) (?=\d)")
_SENTENCE = re.compile(r"(^|[.!?] )([a-z])")


class Vocabulary:
    """The pieces of a WordPiece by id, and which of them are marks of its own (padding, unknown, placeholders)."""

    def __init__(self, pieces: dict[int, str], special: frozenset[int]) -> None:
        self.pieces, self.special = pieces, special

    @classmethod
    def read(cls, path: Path) -> Vocabulary:
        """Of a tokenizer.json that `filters.towers.tokenizer.WordPiece.load` has accepted."""
        found = Tokenizer.from_file(str(path))
        special = frozenset(i for i, token in found.get_added_tokens_decoder().items() if token.special)
        return cls({i: piece for piece, i in found.get_vocab().items()}, special)

    def banned(self, end: int, size: int) -> torch.Tensor:
        """bool[size]: ids a captioner must not write: marks other than ``end``, and ids no piece has."""
        return torch.tensor([i != end and (i in self.special or i not in self.pieces) for i in range(size)])

    def text(self, row: NDArray[np.int64]) -> str:
        """The words of a row of ids, marks left out, as they are written."""
        words: list[str] = []
        for i in row.tolist():
            piece = "" if i in self.special else self.pieces.get(i, "")
            if piece.startswith("##") and words:
                words[-1] += piece[2:]
            elif piece:
                words.append(piece)
        return readable(" ".join(words))


def readable(text: str) -> str:
    """Words and marks joined by spaces to a text as it is written: marks closed up, sentences begun with a capital."""
    text = _AFTER.sub("", _BEFORE.sub("", _DIGITS.sub("", text)))
    text = _TIGHT.sub(lambda m: m[1] or m[2], text)
    return _SENTENCE.sub(lambda m: m[1] + m[2].upper(), text).strip()
