"""Encode many rows in blocks of one fixed shape, so that no row's result depends on its neighbours.

How a sum over a matrix is cut up, and so its last bits (in bfloat16: its third digit), changes with the shape of what
is multiplied. A block always has its full number of rows, the last one padded: that is the whole price of scores that
do not depend on how records were batched. It is lowest where the batch is a multiple of the block.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from curate.errors import RunError

Precision = Literal["f32", "bf16"]

_USUAL = {"cpu": 16, "cuda": 64}  # rows at a time; 16 already reach the CPU's best rate
_MOST = {"cpu": 16, "cuda": 1024}


class Blocks:
    """Blocks of one model on one device, at most ``size`` rows each: one that does not fit the GPU's memory is halved,
    and all after it.

    ``precision`` bf16 is autocast, over weights that `lower` made half as wide; None: bf16 on a GPU, f32 on a CPU.
    """

    def __init__(self, device: str, precision: Precision | None = None) -> None:
        self.device, self.kind = device, torch.device(device).type
        self.size = _MOST[self.kind]
        self._bf16 = precision == "bf16" or (precision is None and self.kind == "cuda")
        if precision == "f32":
            torch.backends.cudnn.allow_tf32 = False  # a convolution's ten bits of mantissa are not float32

    def __call__(self, encode: Callable[[torch.Tensor], torch.Tensor], rows: torch.Tensor) -> NDArray[np.float32]:
        """float32[n, ...]: ``encode`` of ``rows``, the last block padded with its first row."""
        return np.asarray(self.encoded(encode, rows).cpu().numpy(), np.float32)

    @torch.inference_mode()
    def encoded(
        self, encode: Callable[[torch.Tensor], torch.Tensor], rows: torch.Tensor, size: int | None = None
    ) -> torch.Tensor:
        """The same on the device, not waited for: a GPU computes while the caller prepares what comes next.

        ``size``: rows of a block. It must follow from the run's configuration, never from how many ``rows`` there are.
        """
        parts: list[torch.Tensor] = []
        done = 0
        while done < len(rows):
            fitting = min(size or _USUAL[self.kind], self.size)
            part = rows[done : done + fitting]
            padding = part[:1].expand(fitting - len(part), *part.shape[1:])
            try:
                with self.autocast():
                    encoded = encode(torch.cat([part, padding]) if len(padding) else part).float()
            except torch.cuda.OutOfMemoryError:
                if fitting == 1:
                    raise RunError("one image does not fit the GPU's memory: device: cpu, or a smaller arch") from None
                self.size = fitting // 2
                torch.cuda.empty_cache()
                continue
            parts.append(encoded[: len(part)])
            done += len(part)
        return torch.cat(parts)

    def by_length(
        self,
        encode: Callable[[torch.Tensor], torch.Tensor],
        lengths: torch.Tensor,
        rows: torch.Tensor,
        size: int | None = None,
    ) -> torch.Tensor:
        """`encoded`, of n ``rows`` of which texts of one length (``lengths`` int64[n]) go together, so that each is cut
        by its own and no row's result depends on its neighbours' texts."""
        parts, places = [], []
        for length in torch.unique(lengths):
            mine = torch.nonzero(lengths == length)[:, 0]
            parts.append(self.encoded(encode, rows[mine], size))
            places.append(mine)
        return torch.cat(parts)[torch.argsort(torch.cat(places)).to(self.device)]

    def autocast(self) -> torch.autocast:
        """The context its blocks are encoded in."""
        return torch.autocast(self.kind, torch.bfloat16, enabled=self._bf16)


def to_device(rows: torch.Tensor, device: str | torch.device) -> torch.Tensor:
    """``rows`` in plain order on ``device``; to a GPU from pinned memory, beside what it computes."""
    if rows.device.type == "cpu" and torch.device(device).type == "cuda" and not rows.is_pinned():
        rows = rows.pin_memory()
    return rows.to(device, non_blocking=True).contiguous()


def lower(model: torch.nn.Module) -> None:
    """The model's matrices in bfloat16, for autocast: with inference it would cast them anew in every call, which on
    a CPU takes four times as long as the multiplication. Norms, biases and the temperature stay float32."""
    for weights in model.parameters():
        if weights.ndim > 1:
            weights.data = weights.data.to(torch.bfloat16)


def compile_towers(model: torch.nn.Module) -> None:
    """Each tower compiled in place, where it has open_clip's names; a block's few shapes are compiled one by one."""
    for name in ("visual", "transformer", "text"):
        tower = getattr(model, name, None)
        if isinstance(tower, torch.nn.Module):
            tower.compile(dynamic=False)
