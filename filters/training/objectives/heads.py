"""What a filter may learn beside the contrast: to caption, and to agree with itself (SigLIP 2, 2502.14786, section 2).

Both bring heads that only training knows; they are no part of the filter.
"""

from __future__ import annotations

import torch
from torch.nn.functional import cross_entropy, log_softmax, normalize, softmax

from filters.training.optimizers import Averaged

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
        logits, wanted = self._logits(tokens, ids)
        return cross_entropy(logits.flatten(0, 1), wanted.flatten(), ignore_index=self.pad)

    def each(self, tokens: torch.Tensor, ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """As `forward`, a text at a time: the cross-entropy summed over its tokens, their number; both float32[n]."""
        return token_sums(*self._logits(tokens, ids), self.pad)

    def _logits(self, tokens: torch.Tensor, ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits float32[n, length - 1, vocab], and the ids they are to predict."""
        longest = max(2, int((ids != self.pad).sum(1).max()))
        ids = ids[:, :longest].to(tokens.device)
        given, wanted = ids[:, :-1], ids[:, 1:]
        length = given.shape[1]
        mask = torch.triu(torch.full((length, length), float("-inf"), device=ids.device), diagonal=1)
        x = self.embedding(given) + self.position[:length]
        x = self.decoder(x, self.read(tokens.float()), tgt_mask=mask, tgt_is_causal=True)
        return (x @ self.embedding.weight.T).float(), wanted


def token_sums(logits: torch.Tensor, wanted: torch.Tensor, pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Cross-entropy summed over each row's tokens, and their number, both float32[n]; padding counts for nothing.

    ``logits`` float[n, length, vocab], ``wanted`` int64[n, length].
    """
    each = cross_entropy(logits.float().mT, wanted, ignore_index=pad, reduction="none")
    return each.sum(1), (wanted != pad).sum(1).float()


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
        """The mean cross-entropy of the student's rows ``local`` to the teacher's ``whole``, both float[n, d]."""
        each, answers = self.each(local, whole)
        self.follow(answers.mean(0))
        return each.mean()

    def each(self, local: torch.Tensor, whole: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """As `forward`, float[n] a row at a time, with the teacher's answers float[n, prototypes]; changes nothing."""
        with torch.no_grad():
            answers = self.averaged.model(normalize(whole.detach().float(), dim=-1)).float()  # of autocast's half
            target = softmax((answers - self.centre) / _TEACHER_HEAT, dim=-1)
        said = log_softmax(self.head(normalize(local.float(), dim=-1)).float() / _STUDENT_HEAT, dim=-1)
        return -(target * said).sum(-1), answers

    @torch.no_grad()
    def follow(self, answers: torch.Tensor) -> None:
        """The centre moves towards the mean ``answers`` float[prototypes] of a batch."""
        self.centre.lerp_(answers, 1 - _CENTRE)

    def update(self) -> None:
        """After a step: the teacher's head follows."""
        self.averaged.update(self.head)
