"""Auxiliary heads beside the contrast: captioning and self-distillation (SigLIP 2, 2502.14786, section 2).

They exist in training only and are no part of the filter.
"""

from __future__ import annotations

import torch
from torch.nn.functional import cross_entropy, log_softmax, normalize, softmax

from filters.training.optimizers import Averaged

_WIDTH, _LAYERS, _HEADS = 128, 2, 4  # a small captioner, so that the image tower learns
_PROTOTYPES, _HIDDEN = 256, 256
_STUDENT_HEAT, _TEACHER_HEAT, _CENTRE = 0.1, 0.04, 0.9  # DINO, 2104.14294, section 3.1
_HEAD_DECAY = 0.99


class Captioner(torch.nn.Module):
    """A small causal decoder that reads the image's tokens and predicts the text's (LocCa, 2403.19596; CoCa)."""

    def __init__(self, tokens_width: int, vocab: int, context_length: int, pad: int = 0) -> None:
        super().__init__()
        self.pad = pad
        self.read = torch.nn.Linear(tokens_width, _WIDTH)
        self.embedding = torch.nn.Embedding(vocab, _WIDTH)
        self.position = torch.nn.Parameter(torch.zeros(context_length, _WIDTH))
        layer = torch.nn.TransformerDecoderLayer(
            _WIDTH, _HEADS, 4 * _WIDTH, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.decoder = torch.nn.TransformerDecoder(layer, _LAYERS, torch.nn.LayerNorm(_WIDTH))
        torch.nn.init.normal_(self.embedding.weight, std=0.02)
        torch.nn.init.normal_(self.position, std=0.02)

    def per_row(self, tokens: torch.Tensor, ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The cross-entropy, in nats, summed over the tokens of each text int64[n, length] given tokens float[n, m,
        width], and their number, both float32[n]. Padding is neither an input nor a target."""
        longest = max(2, int((ids != self.pad).sum(1).max()))
        ids = ids[:, :longest].to(tokens.device)
        inputs, targets = ids[:, :-1], ids[:, 1:]
        length = inputs.shape[1]
        mask = torch.triu(torch.full((length, length), float("-inf"), device=ids.device), diagonal=1)
        x = self.embedding(inputs) + self.position[:length]
        x = self.decoder(x, self.read(tokens.float()), tgt_mask=mask, tgt_is_causal=True)
        return token_sums(x @ self.embedding.weight.T, targets, self.pad)


def token_sums(logits: torch.Tensor, targets: torch.Tensor, pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Cross-entropy summed over each row's tokens, and their number, both float32[n]; padding is ignored.

    ``logits`` float[n, length, vocab], ``targets`` int64[n, length].
    """
    per_token = cross_entropy(logits.float().mT, targets, ignore_index=pad, reduction="none")
    return per_token.sum(1), (targets != pad).sum(1).float()


class Agreement(torch.nn.Module):
    """Local-to-global consistency: the student predicts, from a crop, the teacher's output for the whole image.

    The teacher is the student's moving average; its outputs are centred and sharpened to avoid collapse
    (SILC, 2310.13355, section 3.2, as SigLIP 2 uses it).
    """

    centre: torch.Tensor

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.head = torch.nn.Sequential(
            torch.nn.Linear(dim, _HIDDEN), torch.nn.GELU(), torch.nn.Linear(_HIDDEN, _PROTOTYPES)
        )
        self.averaged = Averaged(self.head, _HEAD_DECAY)
        self.register_buffer("centre", torch.zeros(_PROTOTYPES))

    def per_row(self, local: torch.Tensor, whole: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The cross-entropy float[n] of the student's rows ``local`` to the teacher's ``whole``, both float[n, d], and
        the teacher's outputs float[n, prototypes]; without side effects."""
        with torch.no_grad():
            answers = self.averaged.model(normalize(whole.detach().float(), dim=-1)).float()  # of autocast's half
            target = softmax((answers - self.centre) / _TEACHER_HEAT, dim=-1)
        log_probabilities = log_softmax(self.head(normalize(local.float(), dim=-1)).float() / _STUDENT_HEAT, dim=-1)
        return -(target * log_probabilities).sum(-1), answers

    @torch.no_grad()
    def follow(self, answers: torch.Tensor) -> None:
        """Move the centre towards the mean ``answers`` float[prototypes] of a batch."""
        self.centre.lerp_(answers, 1 - _CENTRE)

    def update(self) -> None:
        """Update the teacher's head after a step."""
        self.averaged.update(self.head)
