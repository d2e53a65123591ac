"""Hard negatives for image-text matching: the likeliest wrong partners of a batch, and texts edited to be wrong."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import cross_entropy

from filters.methods.blip.texts import Texts

_SHARPNESS = 1.0  # of the draw among wrong partners, on the contrastive logits (ALBEF, arXiv 2107.07651, section 3.2)
_NEVER = -1e4  # a logit that softmax makes nothing of, and that survives where all are so


def same(meanings: NDArray[np.int64]) -> torch.Tensor:
    """bool[n, n]: other pairs of the batch whose text says the same; they are nobody's negatives."""
    found = torch.from_numpy(meanings[:, None] == meanings[None, :])
    return found.fill_diagonal_(False)


def mine(logits: torch.Tensor, twins: torch.Tensor, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """For each of n pairs a wrong text of its image and a wrong image of its text, drawn by softmax similarity.

    ``logits`` float32[n, n], images by texts, pairs on the diagonal; ``twins`` bool[n, n] is `same`'s. Returns
    int64[n] twice; where every other pair is a twin, any of them.
    """
    wrong = _SHARPNESS * logits.detach().float().cpu()
    wrong = wrong.masked_fill(twins.cpu(), _NEVER).fill_diagonal_(-math.inf)
    texts = torch.multinomial(wrong.softmax(1), 1, generator=generator)[:, 0]
    images = torch.multinomial(wrong.T.softmax(1), 1, generator=generator)[:, 0]
    return texts.to(logits.device), images.to(logits.device)


def contrast(
    logits: torch.Tensor,
    twins: torch.Tensor,
    own: torch.Tensor,
    where: torch.Tensor,
    teacher_logits: torch.Tensor | None = None,
    share: float = 0.0,
) -> torch.Tensor:
    """InfoNCE both ways over float32[n, n] logits, twins left out, the image's side also against its own text's edits.

    ``own`` float32[k]: the logits of the edited texts with the images ``where`` int64[k] they are edited for.
    ``teacher_logits`` float32[n, n]: a momentum model's logits, whose softmax is ``share`` of the targets (ALBEF,
    2107.07651, equation 6; no edited text has a part in it).
    """
    logits = logits.float().masked_fill(twins, _NEVER)
    edited = torch.full((len(logits),), _NEVER, device=logits.device).index_put((where,), own.float())
    wide = torch.cat([logits, edited[:, None]], dim=1)
    if teacher_logits is None or not share:
        target = torch.arange(len(logits), device=logits.device)
        return (cross_entropy(wide, target) + cross_entropy(logits.T, target)) / 2
    teacher_logits = teacher_logits.detach().float().masked_fill(twins, _NEVER)
    right = (1 - share) * torch.eye(len(logits), device=logits.device)
    to_text = torch.nn.functional.pad(right + share * teacher_logits.softmax(1), (0, 1))
    to_image = right + share * teacher_logits.T.softmax(1)
    return (cross_entropy(wide, to_text) + cross_entropy(logits.T, to_image)) / 2


def draw_edits(texts: Texts, index: NDArray[np.int64], rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """One edited version of each text that has any: int64[k] places in the batch, int64[k, context] its tokens."""
    where, rows = [], []
    for place, label in enumerate(texts.labels[index]):
        choices = texts.edits[label]
        if len(choices):
            where.append(place)
            rows.append(choices[int(rng.integers(len(choices)))])
    empty = torch.zeros((0, texts.ids.shape[1]), dtype=torch.int64)
    return torch.tensor(where, dtype=torch.int64), torch.stack(rows) if rows else empty
