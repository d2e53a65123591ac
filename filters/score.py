"""Score pairs: the cosine of image and text under a filter, the number the whole product turns on.

`prepare` is the CPU half, numpy only, so that it runs beside the data and its batches travel as Arrow; `Scorer` is
the half with the model, loaded once a process. A record's score depends on the record and the filter alone: rows are
encoded in blocks of one fixed shape, padded, and each text by its own length, so its neighbours do not matter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from curate.errors import RunError
from filters import data
from filters.model import Filter, load_filter

_BLOCK = {"cpu": 16, "cuda": 256}  # rows encoded at a time; 16 already reach the CPU's best rate
DECIMALS = 5  # of a score: above the noise of float32 sums (about 1e-7) by far


@dataclass(frozen=True, eq=False)
class Batch:
    """``images`` uint8[n, side, side, c], c 1 (grey) or 3 (RGB); ``texts`` n strings; ``valid`` bool[n]: decoded."""

    images: data.Pixels
    texts: list[str]
    valid: NDArray[np.bool_]


def prepare(images: Sequence[bytes | None], texts: Sequence[str], side: int, batch: int) -> Iterator[Batch]:
    """Decode, window and resize (`filters.data.decode`): batches of at most ``batch`` rows, in order, none left out.

    An image that is None or does not decode becomes a black one with ``valid`` False; its score will be NaN.
    """
    if len(images) != len(texts):
        raise ValueError(f"{len(images)} images, {len(texts)} texts")
    black = np.zeros((side, side, 1), np.uint8)
    for start in range(0, len(images), batch):
        decoded = [data.decode(image, side) for image in images[start : start + batch]]
        pixels = data.stack([black if d is None else d for d in decoded])
        yield Batch(pixels, list(texts[start : start + batch]), np.array([d is not None for d in decoded]))


class Scorer:
    """A filter loaded once and called with batches; bfloat16 autocast on a GPU, float32 on a CPU.

    ``threads`` are torch's, for the process. Where a block does not fit the GPU's memory it is halved and stays so.
    """

    def __init__(self, folder: str, device: str = "auto", threads: int = 1) -> None:
        torch.set_num_threads(threads)
        self.filter: Filter = load_filter(Path(folder), device)
        self.block = _BLOCK[torch.device(self.filter.device).type]

    @property
    def side(self) -> int:
        """The side in pixels `prepare` must be given."""
        return self.filter.side

    @torch.inference_mode()
    def __call__(self, batch: Batch) -> NDArray[np.float32]:
        """float32[n] cosines in -1..1, rounded to `DECIMALS`; NaN exactly where ``valid`` is False.

        RunError where the model answers NaN for a valid record.
        """
        scores = np.full(len(batch.texts), np.nan, np.float32)
        if not batch.valid.any():
            return scores
        images = torch.from_numpy(batch.images[batch.valid]).permute(0, 3, 1, 2)
        texts = [text for text, valid in zip(batch.texts, batch.valid, strict=True) if valid]
        cosine = (self.embed_images(images) * self.embed_texts(texts)).sum(axis=1)
        if np.isnan(cosine).any():
            raise RunError(f"the filter scores {int(np.isnan(cosine).sum())} of {len(texts)} pairs NaN: train it again")
        scores[batch.valid] = np.round(np.clip(cosine, -1, 1), DECIMALS)
        return scores

    def embed_images(self, pixels: torch.Tensor) -> NDArray[np.float32]:
        """Unit rows float32[n, d] of uint8[n, c, side, side]."""
        return self._blocks(self.filter.encode_images, pixels)

    def embed_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit rows float32[n, d]; texts of one length are encoded together, so that each is cut by its own."""
        ids = torch.from_numpy(self.filter.tokenizer(texts))
        lengths = self.filter.lengths(ids)
        out: NDArray[np.float32] | None = None
        for length in torch.unique(lengths):
            mine = lengths == length
            rows = self._blocks(self.filter.encode_ids, ids[mine])
            out = np.empty((len(ids), rows.shape[1]), np.float32) if out is None else out
            out[mine.numpy()] = rows
        return np.empty((0, 0), np.float32) if out is None else out

    def _blocks(self, encode: Callable[[torch.Tensor], torch.Tensor], rows: torch.Tensor) -> NDArray[np.float32]:
        """``encode`` on blocks of one shape, the last padded with its first row; halved when memory is out."""
        parts: list[torch.Tensor] = []
        done = 0
        while done < len(rows):
            part = rows[done : done + self.block]
            padding = part[:1].expand(self.block - len(part), *part.shape[1:])
            try:
                with torch.autocast("cuda", torch.bfloat16, enabled=self.filter.device.startswith("cuda")):
                    encoded = encode(torch.cat([part, padding])).cpu()
            except torch.cuda.OutOfMemoryError:
                if self.block == 1:
                    raise RunError("one image does not fit the GPU's memory: device: cpu, or a smaller arch") from None
                self.block //= 2
                torch.cuda.empty_cache()
                continue
            parts.append(encoded[: len(part)])
            done += len(part)
        joined: Any = torch.cat(parts).numpy()
        return np.asarray(joined, np.float32)
