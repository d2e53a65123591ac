"""Encode many rows in blocks of one fixed shape, so that no row's result depends on its neighbours."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from curate.errors import RunError

_BLOCK = {"cpu": 16, "cuda": 256}  # rows encoded at a time; 16 already reach the CPU's best rate


class Blocks:
    """Blocks of one model on one device; where one does not fit the GPU's memory it is halved and stays so.

    bfloat16 autocast on a GPU, float32 on a CPU.
    """

    def __init__(self, device: str) -> None:
        self.device = device
        self.size = _BLOCK[torch.device(device).type]

    @torch.inference_mode()
    def __call__(self, encode: Callable[[torch.Tensor], torch.Tensor], rows: torch.Tensor) -> NDArray[np.float32]:
        """float32[n, ...]: ``encode`` of ``rows``, the last block padded with its first row."""
        parts: list[torch.Tensor] = []
        done = 0
        while done < len(rows):
            part = rows[done : done + self.size]
            padding = part[:1].expand(self.size - len(part), *part.shape[1:])
            try:
                with torch.autocast("cuda", torch.bfloat16, enabled=self.device.startswith("cuda")):
                    encoded = encode(torch.cat([part, padding])).float().cpu()
            except torch.cuda.OutOfMemoryError:
                if self.size == 1:
                    raise RunError("one image does not fit the GPU's memory: device: cpu, or a smaller arch") from None
                self.size //= 2
                torch.cuda.empty_cache()
                continue
            parts.append(encoded[: len(part)])
            done += len(part)
        return np.asarray(torch.cat(parts).numpy(), np.float32)
