"""MedCLIP's semantic matching (2210.10163, section 3.3): another patient's report of the same finding is no negative.

Each image has the label vector of its own record's text, each text its own. The target of the match is the softmax of
their cosines (equations 3 to 6), so that images and texts need not be paired. A true pair always matches fully: the
label vector of a text without a known finding is zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from curate.errors import RunError
from filters.findings.slots import Slots, learn_slots, read_claims
from filters.towers.encoder import image_rows, text_rows
from filters.towers.openclip import open_clip
from filters.training.distributed import DistributedContext
from filters.training.objectives.losses import soft_match
from filters.training.objectives.protocol import DeviceBatch, Features, Labels, Objective

_MIN_TEXTS, _MAX_FINDINGS = 6, 96  # texts that must affirm a finding for the vocabulary; its size
_VOCABULARY_TEXTS = 20_000  # texts from which the vocabulary is learned, evenly spaced


@dataclass(frozen=True)
class ReadClaims:
    """The `Labeller`: label vectors of the texts."""

    slots: Slots

    def __call__(self, own: Sequence[str], read: Sequence[str]) -> Labels:
        """ "image_means" and "text_means" float32[n, width]; "own" bool[n]: the text read is the image's own."""
        return {
            "image_means": read_claims(self.slots, own).label_vectors(),
            "text_means": read_claims(self.slots, read).label_vectors(),
            "own": np.array([a == b for a, b in zip(own, read, strict=True)], np.bool_),
        }


class SemanticMatch(Objective):
    """Soft targets from the claims of texts."""

    def __init__(self, texts: Sequence[str]) -> None:
        """RunError if ``texts`` affirm no finding often enough."""
        super().__init__()
        slots = learn_slots(texts[:: max(1, len(texts) // _VOCABULARY_TEXTS)], _MIN_TEXTS, _MAX_FINDINGS)
        if not slots.findings:
            problem = f"no finding is affirmed by {_MIN_TEXTS} of the {len(texts)} training texts"
            raise RunError(f"{problem}: medclip learns from findings; train with objective: clip")
        self.labeller = ReadClaims(slots)

    def features(self, model: torch.nn.Module, batch: DeviceBatch) -> Features:
        """Unit rows "image" and "text" float32[n, d], and the `ReadClaims` of them."""
        rows = {"image": image_rows(model, batch.pixels), "text": text_rows(model, batch.ids)}
        return rows | {name: batch.labels[name] for name in ("image_means", "text_means", "own")}

    def loss(self, features: Features, model: Any, distributed: DistributedContext) -> dict[str, torch.Tensor]:
        """Both directions' cross-entropy to the softmax of the meanings' cosines, over this process's rows."""
        scale = model.logit_scale.exp()
        rows = features["image"], features["text"]
        image, text = (
            torch.nn.functional.normalize(features[f"{k}_means"].detach(), dim=-1) for k in ("image", "text")
        )
        all_rows, all_means = _gather(*rows, distributed, True), _gather(image, text, distributed, False)
        own = features["own"]
        of_images = soft_match(scale * rows[0] @ all_rows[1].T, _with_own(image @ all_means[1].T, own, distributed))
        of_texts = soft_match(scale * rows[1] @ all_rows[0].T, _with_own(text @ all_means[0].T, own, distributed))
        return {"loss": (of_images + of_texts) / 2}


def _gather(
    image: torch.Tensor, text: torch.Tensor, distributed: DistributedContext, gradient: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """The rows of all processes, in the order of their ranks."""
    if distributed.size == 1:
        return image, text
    gathered: tuple[torch.Tensor, torch.Tensor] = open_clip.loss.gather_features(
        image, text, local_loss=True, gather_with_grad=gradient, rank=distributed.rank, world_size=distributed.size
    )
    return gathered


def _with_own(meaning: torch.Tensor, own: torch.Tensor, distributed: DistributedContext) -> torch.Tensor:
    """``meaning`` float[n, all] with 1 for true pairs (``own`` bool[n])."""
    row = torch.arange(len(own), device=meaning.device)
    column = row + distributed.rank * len(own)
    meaning = meaning.clone()
    meaning[row, column] = torch.where(own, 1.0, meaning[row, column])
    return meaning
