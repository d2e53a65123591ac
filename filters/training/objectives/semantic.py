"""MedCLIP's semantic matching (2210.10163, section 3.3): another patient's report of the same finding is no negative.

Each image has the label vector of its own record's text, each text its own. The target of the match is the softmax of
their cosines (equations 3 to 6), so that images and texts need not come in pairs. A pair that is one matches fully,
whatever its text names: of a text without a known finding the label vector is zero and says nothing.
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

_LEAST, _MOST = 6, 96  # texts that must affirm a finding for it to be learned; findings learned
_READ = 20_000  # texts that the vocabulary is learned from, evenly through the set


@dataclass(frozen=True)
class ReadClaims:
    """The `Labeller`: what the texts claim on the vocabulary."""

    slots: Slots

    def __call__(self, own: Sequence[str], read: Sequence[str]) -> Labels:
        """ "image_means" and "text_means" float32[n, width]; "own" bool[n]: the text read is the image's own."""
        return {
            "image_means": read_claims(self.slots, own).label_vectors(),
            "text_means": read_claims(self.slots, read).label_vectors(),
            "own": np.array([a == b for a, b in zip(own, read, strict=True)], np.bool_),
        }


class SemanticMatch(Objective):
    """Soft targets from what texts claim."""

    def __init__(self, texts: Sequence[str]) -> None:
        """RunError where ``texts`` affirm no finding often enough."""
        super().__init__()
        slots = learn_slots(texts[:: max(1, len(texts) // _READ)], _LEAST, _MOST)
        if not slots.findings:
            problem = f"no finding is affirmed by {_LEAST} of the {len(texts)} training texts"
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
        all_rows, all_means = _gathered(*rows, distributed, True), _gathered(image, text, distributed, False)
        own = features["own"]
        of_images = soft_match(scale * rows[0] @ all_rows[1].T, _with_own(image @ all_means[1].T, own, distributed))
        of_texts = soft_match(scale * rows[1] @ all_rows[0].T, _with_own(text @ all_means[0].T, own, distributed))
        return {"loss": (of_images + of_texts) / 2}


def _gathered(
    image: torch.Tensor, text: torch.Tensor, distributed: DistributedContext, gradient: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """Of all processes, in the order of their ranks."""
    if distributed.size == 1:
        return image, text
    found: tuple[torch.Tensor, torch.Tensor] = open_clip.loss.gather_features(
        image, text, local_loss=True, gather_with_grad=gradient, rank=distributed.rank, world_size=distributed.size
    )
    return found


def _with_own(meaning: torch.Tensor, own: torch.Tensor, distributed: DistributedContext) -> torch.Tensor:
    """``meaning`` float[n, all] with 1 where a row meets what belongs to it (``own`` bool[n])."""
    place = torch.arange(len(own), device=meaning.device)
    column = place + distributed.rank * len(own)
    meaning = meaning.clone()
    meaning[place, column] = torch.where(own, 1.0, meaning[place, column])
    return meaning
