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

from filters.method import Batch, Records, Scores, of_valid
from filters.metrics import against_others, auroc, auroc_with_interval
from filters.towers.blocks import Blocks
from filters.towers.preprocess import Pixels
from filters.towers.tokenizer import WordPiece

PAD = 0  # of our WordPiece and of BERT's
_IGNORED = -100  # a label cross_entropy leaves out
_LENGTHS = (16, 32, 64, 128)  # texts are cut to the first of these that holds them: few shapes, little waste
_SHUFFLES = 4  # wrong texts a held-out image is measured against
Rows = NDArray[np.float32]


class Matcher:
    """A `filters.method.Method` over a ``net`` that matches, contrasts and, where it has a captioner, writes."""

    native = False

    def __init__(self, net: Any, tokenizer: WordPiece, side: int, device: str) -> None:
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
        return of_valid(batch, self.columns, lambda b: self.run(self._score, b.texts, b.pixels(self.sides[0])))

    def run(self, function: Callable[..., torch.Tensor], texts: Sequence[str], pixels: torch.Tensor) -> Rows:
        """float32[n, ...]: ``function(pixels, ids)`` of n pairs, in blocks."""
        ids = torch.from_numpy(np.asarray(self.tokenizer(texts), np.int64))
        used = (ids != PAD).sum(1)
        widths = torch.full_like(used, ids.shape[1])
        for length in sorted(_LENGTHS, reverse=True):
            widths = torch.where((used <= length) & (widths > length), length, widths)

        def of_rows(index: torch.Tensor) -> torch.Tensor:
            cut = int(widths[index[0]])
            return function(pixels[index].to(self.device), ids[index, :cut].to(self.device))

        return self.blocks.by_length(of_rows, widths, torch.arange(len(ids))).cpu().numpy()

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

    def measure(self, pixels: Pixels, pairs: Records, index: NDArray[np.int64], seed: int) -> dict[str, float]:
        """AUROC of each column: the pairs ``index``, of held-out patients, against the same images with other such
        texts."""
        if len(index) < 2:
            return {"holdout_pairs": float(len(index))}
        texts, groups = np.array(pairs.texts, dtype=object), np.array(pairs.groups)
        owner, partner = against_others(index, texts, groups, _SHUFFLES)
        shown = {self.sides[0]: pixels[owner]}
        scores = self(Batch(shown, [str(t) for t in texts[partner]], np.ones(len(owner), dtype=bool)))
        right = owner == partner
        measured = {f"holdout_auroc_{name}": auroc(values, right) for name, values in scores.items() if name}
        measured |= auroc_with_interval("holdout_auroc", scores[""], right, [str(g) for g in groups[owner]], seed)
        return {"holdout_pairs": float(len(index)), **measured}


def log_odds(logits: torch.Tensor) -> torch.Tensor:
    """float32[n] of the matching head's float32[n, 2] (wrong, right)."""
    return logits[:, 1] - logits[:, 0]


def mean_log_probability(logits: torch.Tensor, ids: torch.Tensor, smoothing: float) -> torch.Tensor:
    """float32[n]: of each token of int64[n, k] ``ids`` but the first, under float32[n, k - 1, words] ``logits``."""
    wanted = torch.where(ids[:, 1:] == PAD, _IGNORED, ids[:, 1:])
    each = cross_entropy(logits.float().mT, wanted, reduction="none", ignore_index=_IGNORED, label_smoothing=smoothing)
    return -each.sum(1) / (wanted != _IGNORED).sum(1).clamp(min=1)
