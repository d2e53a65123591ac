"""SigLIP 2's masked prediction (2502.14786, section 2.3; TIPS, 2410.16512; iBOT, 2111.07832).

Half of an image's embedded patches are replaced by a learned token, and the student predicts, at their positions, the
outputs of the teacher, which sees the whole image. The loss is that of `Agreement` for each patch; teacher and student
see the same image.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import torch

from curate.errors import RecipeError
from filters.towers.layers import image_tokens

SHARE = 0.5  # of the patches, as in SigLIP 2


class Agreement(Protocol):
    """The student's cross-entropy to the teacher, for each row."""

    def per_row(self, local: torch.Tensor, whole: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]: ...


class MaskedPrediction(torch.nn.Module):
    """The mask token and the loss; ``agreement`` has the width of the tower's tokens, unlike that of whole images."""

    def __init__(self, model: torch.nn.Module, x: torch.Tensor, agreement: torch.nn.Module) -> None:
        """``x``: normalised float[n, 3, side, side], to infer widths from. RecipeError for a tower without patches."""
        super().__init__()
        self.patches = _count(model, x)
        self.token = torch.nn.Parameter(torch.zeros(_embedded(model, x).shape[-1]))
        self.agreement: Any = agreement
        torch.nn.init.normal_(self.token, std=0.02)

    def draw(self, n: int, generator: torch.Generator) -> torch.Tensor:
        """bool[n, patches]: a random mask with the same number of patches for each image."""
        hidden = round(SHARE * self.patches)
        order = torch.rand(n, self.patches, generator=generator).argsort(1)
        return order.argsort(1) < hidden

    def per_row(
        self, model: torch.nn.Module, teacher: torch.nn.Module, x: torch.Tensor, mask: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Means over each image's masked patches: the cross-entropy float[n], the teacher's outputs float[n, d]."""
        mask = mask.to(x.device)
        with torch.no_grad():
            whole = self._tokens(teacher, x)[mask]
        with _masked(model, mask, self.token):
            predicted = self._tokens(model, x)[mask]
        losses, answers = self.agreement.per_row(predicted, whole)
        return losses.reshape(len(x), -1).mean(1), answers.reshape(len(x), -1, answers.shape[-1]).mean(1)

    def _tokens(self, model: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
        """float[n, patches, width], without the class token."""
        return image_tokens(model, x)[1][:, -self.patches :]


@contextmanager
def _masked(model: torch.nn.Module, mask: torch.Tensor, token: torch.Tensor) -> Iterator[None]:
    """The model with the embedded patches of ``mask`` bool[n, patches] replaced by ``token``, before positions are
    added."""

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
    """The patch-embedding module of open_clip's, timm's and transformers' ViTs."""
    visual = getattr(model, "visual", None)
    for owner, name in (
        (getattr(visual, "trunk", None), "patch_embed"),
        (visual, "conv1"),
        (getattr(getattr(getattr(model, "inner", None), "vision_model", None), "embeddings", None), "patch_embedding"),
    ):
        module = getattr(owner, name, None)
        if isinstance(module, torch.nn.Module) and not hasattr(owner, "layer1"):  # a ResNet's first of three
            return module
    raise RecipeError("train.masked", "this image tower has no patches to mask", "0, or a ViT")


def _embedded(model: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
    """float[n, patches, width]: the embedded patches."""
    outputs: list[torch.Tensor] = []
    handle = _embedding(model).register_forward_hook(lambda _, __, out: outputs.append(out))
    try:
        with torch.no_grad():
            image_tokens(model, x[:1])
    finally:
        handle.remove()
    return outputs[0].flatten(2).mT if outputs[0].ndim == 4 else outputs[0]


def _count(model: torch.nn.Module, x: torch.Tensor) -> int:
    return int(_embedded(model, x).shape[1])
