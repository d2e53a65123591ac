"""What BLIP and BLIP-2 are as filters: the matching head's log-odds, the contrast's cosine, the captioner's likelihood.

Pairs go through a model in blocks of one fixed shape (`filters.towers.blocks`), each text cut by its own length alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import cross_entropy

from filters.method import Batch, Scores
from filters.towers.blocks import Blocks
from filters.towers.tokenizer import TextTokenizer

PAD = 0  # of our WordPiece and of BERT's
_IGNORED = -100  # a label cross_entropy leaves out
LENGTHS = (16, 32, 64, 128)  # texts are cut to the first of these that holds them: few shapes, little waste
Rows = NDArray[np.float32]


class Matcher:
    """A `filters.method.Method` over a ``net`` that matches, contrasts and, where it has a captioner, writes."""

    native = False

    def __init__(self, net: Any, tokenizer: TextTokenizer, side: int, device: str) -> None:
        self.net, self.tokenizer = net.to(device).eval(), tokenizer
        self.device = torch.device(device)
        self.blocks = Blocks(device)
        self.sides: tuple[int, ...] = (side,)
        self.columns: tuple[str, ...] = ("", "itc") if net.captioner is None else ("", "itc", "caption")
        self._blank: torch.Tensor | None = None

    def image_tokens(self, pixels: torch.Tensor) -> torch.Tensor:
        """float32[n, t, d] of uint8[n, c, side, side]: what the judge attends to."""
        raise NotImplementedError

    def caption_tokens(self, pixels: torch.Tensor, image_tokens: torch.Tensor | None = None) -> torch.Tensor:
        """The same for the captioner: ``image_tokens``, where the judge's are its own."""
        return self.image_tokens(pixels) if image_tokens is None else image_tokens

    def __call__(self, batch: Batch) -> Scores:
        """float32[n] a column; NaN exactly where the image did not decode."""
        out = {name: np.full(len(batch.texts), np.nan, np.float32) for name in self.columns}
        if batch.valid.any():
            texts = [t for t, valid in zip(batch.texts, batch.valid, strict=True) if valid]
            pixels = batch.pixels(self.sides[0])[torch.from_numpy(batch.valid)]
            found = self.run(self._score, texts, pixels)
            for i, name in enumerate(self.columns):
                out[name][batch.valid] = found[:, i]
        return out

    def run(self, function: Callable[..., torch.Tensor], texts: Sequence[str], pixels: torch.Tensor) -> Rows:
        """float32[n, ...]: ``function(pixels, ids)`` of n pairs, in blocks."""
        ids = torch.from_numpy(np.asarray(self.tokenizer(texts), np.int64))
        with torch.inference_mode():
            return by_length(self.blocks, function, ids, pixels)

    def _score(self, pixels: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        """float32[n, columns]; the image is encoded once for all of them."""
        net, tokens = self.net, self.image_tokens(pixels)
        cosine = net.own_cosines(net.image_vectors(tokens), net.text_vectors(ids))
        columns = [log_odds(net.match(tokens, ids)), cosine]
        if net.captioner is not None:
            written = net.started(ids)
            blank = self._black().expand(len(ids), -1, -1)
            given = net.log_likelihood(self.caption_tokens(pixels, tokens), written)
            columns.append(given - net.log_likelihood(blank, written))
        return torch.stack([c.float() for c in columns], dim=1)

    def _black(self) -> torch.Tensor:
        """float32[1, t, d]: what the captioner sees of a black image, encoded once."""
        if self._blank is None:
            side = self.sides[0]
            self._blank = self.caption_tokens(torch.zeros((1, 1, side, side), device=self.device))
        return self._blank


def log_odds(logits: torch.Tensor) -> torch.Tensor:
    """float32[n] of the matching head's float32[n, 2] (wrong, right)."""
    return logits[:, 1] - logits[:, 0]


def mean_log_probability(logits: torch.Tensor, ids: torch.Tensor, smoothing: float) -> torch.Tensor:
    """float32[n]: of each token of int64[n, k] ``ids`` but the first, under float32[n, k - 1, words] ``logits``."""
    wanted = torch.where(ids[:, 1:] == PAD, _IGNORED, ids[:, 1:])
    each = cross_entropy(logits.float().mT, wanted, reduction="none", ignore_index=_IGNORED, label_smoothing=smoothing)
    return -each.sum(1) / (wanted != _IGNORED).sum(1).clamp(min=1)


def by_length(
    blocks: Blocks, function: Callable[..., torch.Tensor], ids: torch.Tensor, *columns: torch.Tensor
) -> NDArray[np.float32]:
    """float32[n, ...]: ``function(*rows, rows of ids)`` of n rows, on the blocks' device; ids are padded with 0.

    A row's result depends on the row alone: neither on its neighbours' texts nor on how many they are.
    """
    used = (ids != 0).sum(1)
    width = torch.full_like(used, ids.shape[1])
    for length in sorted(LENGTHS, reverse=True):
        width = torch.where((used <= length) & (width > length), length, width)
    out: NDArray[np.float32] | None = None
    for length in torch.unique(width).tolist():
        mine = torch.nonzero(width == length)[:, 0]

        def run(index: torch.Tensor, length: int = length) -> torch.Tensor:
            rows = [c[index].to(blocks.device) for c in columns]
            return function(*rows, ids[index, :length].to(blocks.device))

        found = blocks(run, mine)
        out = np.empty((len(ids), *found.shape[1:]), np.float32) if out is None else out
        out[mine.numpy()] = found
    if out is None:
        raise ValueError("no rows")
    return out
