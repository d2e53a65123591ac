"""What a filter may learn beside the contrast: to caption, and to agree with itself (SigLIP 2, 2502.14786, section 2).

Both bring heads that only training knows; they are no part of the filter.
"""

from __future__ import annotations

import torch
from torch.nn.functional import cross_entropy, log_softmax, normalize, softmax

from filters.optimizers import Averaged

_WIDTH, _LAYERS, _HEADS = 128, 2, 4  # of the captioner: the image tower is to learn, not it
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

    def forward(self, tokens: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        """The mean cross-entropy, in nats a token, of the texts int64[n, length] given tokens float[n, m, width].

        Padding is neither read nor predicted: nothing follows the end of a text.
        """
        longest = max(2, int((ids != self.pad).sum(1).max()))
        ids = ids[:, :longest].to(tokens.device)
        given, wanted = ids[:, :-1], ids[:, 1:]
        length = given.shape[1]
        mask = torch.triu(torch.full((length, length), float("-inf"), device=ids.device), diagonal=1)
        x = self.embedding(given) + self.position[:length]
        x = self.decoder(x, self.read(tokens.float()), tgt_mask=mask, tgt_is_causal=True)
        logits = x @ self.embedding.weight.T
        return cross_entropy(logits.flatten(0, 1).float(), wanted.flatten(), ignore_index=self.pad)


class Agreement(torch.nn.Module):
    """Local-to-global consistency: the student sees a part of the image and is to say what the teacher says of all.

    The teacher is the student's moving average, its answers are centred and sharpened so that they do not collapse
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

    def forward(self, local: torch.Tensor, whole: torch.Tensor) -> torch.Tensor:
        """The cross-entropy of the student's rows ``local`` to the teacher's ``whole``, both float[n, d]."""
        with torch.no_grad():
            answers = self.averaged.model(normalize(whole.detach().float(), dim=-1))
            target = softmax((answers - self.centre) / _TEACHER_HEAT, dim=-1)
            self.centre.lerp_(answers.mean(0), 1 - _CENTRE)
        said = log_softmax(self.head(normalize(local.float(), dim=-1)) / _STUDENT_HEAT, dim=-1)
        return -(target * said).sum(-1).mean()

    def update(self) -> None:
        """After a step: the teacher's head follows."""
        self.averaged.update(self.head)
