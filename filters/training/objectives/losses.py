"""Contrastive losses: softmax (CLIP) and sigmoid (SigLIP), with additional texts that are negatives of every image.

Without additional texts they are open_clip's own: each process has the rows of its own images and texts against all
others', whose features are gathered (CLIP) or exchanged in chunks (SigLIP), with gradients. ``blocked`` removes false
negatives.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.functional import cross_entropy, logsigmoid

from filters.towers.openclip import open_clip
from filters.training.distributed import DistributedContext
from filters.training.objectives.protocol import Features

_MATCH_SCALE = 10.0  # of the label vectors' cosines: texts of equal findings share the target, others get almost none


def contrast(kind: str, features: Features, model: Any, distributed: DistributedContext) -> torch.Tensor:
    """The `contrastive` loss of the unit rows "image" and "text", with "wrong" and "blocked" if present."""
    rows = (features.get(name) for name in ("image", "text", "wrong", "blocked"))
    left, right, wrong, blocked = rows
    assert left is not None and right is not None
    bias = getattr(model, "logit_bias", None)
    return contrastive(kind, left, right, model.logit_scale.exp(), bias, wrong, blocked, distributed)


def contrastive(
    objective: str,
    left: torch.Tensor,
    right: torch.Tensor,
    scale: torch.Tensor,
    bias: torch.Tensor | None,
    extra: torch.Tensor | None = None,
    blocked: torch.Tensor | None = None,
    distributed: DistributedContext | None = None,
) -> torch.Tensor:
    """The loss of n images ``left`` and texts ``right``, unit rows float[n, d], pair i being right.

    ``scale`` is t itself, not its logarithm. ``extra`` float[m, d] are wrong texts: additional columns of the
    images' softmax (Yuksekgonul et al., 2210.01936), additional negatives of the sigmoid. ``blocked`` bool[n, n + m]
    marks pairs that count neither as positive nor as negative; never its diagonal. Both for a single process only.
    """
    if extra is None and blocked is None:
        where = {} if distributed is None else {"rank": distributed.rank, "world_size": distributed.size}
        if objective == "siglip":
            loss: torch.Tensor = open_clip.loss.SigLipLoss(**where)(left, right, scale, bias)
        else:
            loss = open_clip.loss.ClipLoss(local_loss=True, gather_with_grad=True, **where)(left, right, scale)
        return loss
    texts = right if extra is None else torch.cat([right, extra])
    logits = scale * left @ texts.T
    logits = logits if bias is None else logits + bias
    return _sigmoid(logits, blocked) if objective == "siglip" else _softmax(logits, blocked)


def _softmax(logits: torch.Tensor, blocked: torch.Tensor | None) -> torch.Tensor:
    """Images against all texts, and the right texts against all images: an edited text has no image."""
    n = len(logits)
    logits = logits if blocked is None else logits.masked_fill(blocked, float("-inf"))
    own = torch.arange(n, device=logits.device)
    return (cross_entropy(logits, own) + cross_entropy(logits[:, :n].T, own)) / 2


def _sigmoid(logits: torch.Tensor, blocked: torch.Tensor | None) -> torch.Tensor:
    return elementwise(logits).masked_fill(_none(logits) if blocked is None else blocked, 0).sum() / len(logits)


def elementwise(logits: torch.Tensor) -> torch.Tensor:
    """float[n, m]: the sigmoid loss of every pair, pair (i, i) being right and all others wrong."""
    sign = 2 * torch.eye(*logits.shape, device=logits.device, dtype=logits.dtype) - 1
    return -logsigmoid(sign * logits)


def soft_match(logits: torch.Tensor, meaning: torch.Tensor) -> torch.Tensor:
    """MedCLIP's semantic matching, one way (2210.10163, equations 3 to 6): the mean cross-entropy of ``logits`` to the
    softmax of ``meaning``, the cosines of the label vectors; both float[n, m]."""
    targets = torch.softmax(meaning * _MATCH_SCALE, dim=1)
    return -(targets * torch.log_softmax(logits, dim=1)).sum(dim=1).mean()


def _none(logits: torch.Tensor) -> torch.Tensor:
    return torch.zeros_like(logits, dtype=torch.bool)


def same_text(ids: torch.Tensor, extra: torch.Tensor | None = None) -> torch.Tensor:
    """bool[n, n + m]: other texts that are equal to an image's own; ``ids`` int64[n, length]."""
    texts = ids if extra is None else torch.cat([ids, extra])
    same = (ids[:, None, :] == texts[None, :, :]).all(-1)
    same[:, : len(ids)].fill_diagonal_(False)
    return same


def mean_of_tokens(features: Features, distributed: DistributedContext) -> torch.Tensor:
    """The mean cross-entropy a token from "caption" float32[n] and "tokens" float32[n], scaled such that its mean over
    processes is the whole batch's. Does not synchronise with the device."""
    total = distributed.summed(features["tokens"].detach().sum().double())
    return features["caption"].sum() * (distributed.size / total.clamp(min=1.0)).float()
