"""SigLIP 2's masked prediction (2502.14786, section 2.3; TIPS, 2410.16512; iBOT, 2111.07832).

Half of an image's embedded patches are replaced by a learned token, and the student is to say, in their places, what
the teacher that sees all of it says there. The loss is that of the agreement of a part with the whole, a patch at a
time; teacher and student see the same image.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import torch

from curate.errors import RecipeError
from filters.towers.layers import image_tokens

SHARE = 0.5  # of the patches, as there


class Agreement(Protocol):
    """Rows of a student and of a teacher to the student's cross-entropy, a row at a time."""

    def each(self, local: torch.Tensor, whole: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]: ...


class MaskedPrediction(torch.nn.Module):
    """The learned token; ``agreement`` is of the width of the tower's tokens, and another than that of whole images."""

    def __init__(self, model: torch.nn.Module, x: torch.Tensor, agreement: torch.nn.Module) -> None:
        """``x``: normalised float[n, 3, side, side], from which widths are read. RecipeError without patches."""
        super().__init__()
        self.patches = _count(model, x)
        self.token = torch.nn.Parameter(torch.zeros(_embedded(model, x).shape[-1]))
        self.agreement: Any = agreement
        torch.nn.init.normal_(self.token, std=0.02)

    def draw(self, n: int, generator: torch.Generator) -> torch.Tensor:
        """bool[n, patches], the same number of each image's."""
        hidden = round(SHARE * self.patches)
        order = torch.rand(n, self.patches, generator=generator).argsort(1)
        return order.argsort(1) < hidden

    def each(
        self, model: torch.nn.Module, teacher: torch.nn.Module, x: torch.Tensor, mask: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Means over each image's masked patches: the cross-entropy float[n], the teacher's answers float[n, d]."""
        mask = mask.to(x.device)
        with torch.no_grad():
            whole = self._tokens(teacher, x)[mask]
        with _masked(model, mask, self.token):
            said = self._tokens(model, x)[mask]
        each, answers = self.agreement.each(said, whole)
        return each.reshape(len(x), -1).mean(1), answers.reshape(len(x), -1, answers.shape[-1]).mean(1)

    def _tokens(self, model: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
        """float[n, patches, width]: a class token, which comes first, is left out."""
        return image_tokens(model, x)[1][:, -self.patches :]


@contextmanager
def _masked(model: torch.nn.Module, mask: torch.Tensor, token: torch.Tensor) -> Iterator[None]:
    """The model with the patches of ``mask`` bool[n, patches] replaced where they have been embedded, before positions
    are added: the token knows where it stands and not what was there."""

    def replace(_: torch.nn.Module, __: Any, out: torch.Tensor) -> torch.Tensor:
        if out.ndim == 4:  # a convolution's float[n, width, rows, columns]
            where = mask.reshape(len(mask), 1, *out.shape[2:])
            return torch.where(where, token.to(out.dtype).reshape(1, -1, 1, 1), out)
        return torch.where(mask[:, :, None], token.to(out.dtype), out)

    handle = _embedding(model).register_forward_hook(replace)
    try:
        yield
    finally:
        handle.remove()


def _embedding(model: Any) -> torch.nn.Module:
    """The module that makes patches vectors, in open_clip's ViT, timm's and transformers'."""
    visual = getattr(model, "visual", None)
    for owner, name in (
        (getattr(visual, "trunk", None), "patch_embed"),
        (visual, "conv1"),
        (getattr(getattr(getattr(model, "inner", None), "vision_model", None), "embeddings", None), "patch_embedding"),
    ):
        found = getattr(owner, name, None)
        if isinstance(found, torch.nn.Module) and not hasattr(owner, "layer1"):  # a ResNet's first of three
            return found
    raise RecipeError("train.masked", "this image tower has no patches to mask", "0, or a ViT")


def _embedded(model: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
    """float[n, patches, width] as they are embedded."""
    kept: list[torch.Tensor] = []
    handle = _embedding(model).register_forward_hook(lambda _, __, out: kept.append(out))
    try:
        with torch.no_grad():
            image_tokens(model, x[:1])
    finally:
        handle.remove()
    return kept[0].flatten(2).mT if kept[0].ndim == 4 else kept[0]


def _count(model: torch.nn.Module, x: torch.Tensor) -> int:
    return int(_embedded(model, x).shape[1])
