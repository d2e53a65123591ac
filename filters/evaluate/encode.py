"""One pass over the images: rows of the model, and the signatures by which a copy is known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from curate.dedup.exact import pixel_hash
from curate.dedup.image import perceptual_hash
from curate.errors import RecipeError, RunError
from filters.evaluate.sets import EvalSet
from filters.towers import preprocess
from filters.towers.encoder import Filter

Rows = NDArray[np.float32]
UNDECODABLE = "with an image that does not decode"


@dataclass(frozen=True, eq=False)
class Encoded:
    """``data`` holds the records whose image decodes, ``images`` their unit rows float32[n, d]; ``pixel_hashes`` and
    ``phashes`` are of the pixels themselves, empty where they were not asked for."""

    data: EvalSet
    images: Rows
    pixel_hashes: list[str]
    phashes: list[int]

    def take(self, index: NDArray[Any]) -> Encoded:
        """The records at ``index``."""
        chosen = [int(i) for i in index]
        pixels = [self.pixel_hashes[i] for i in chosen] if self.pixel_hashes else []
        near = [self.phashes[i] for i in chosen] if self.phashes else []
        return Encoded(self.data.take(chosen), self.images[chosen], pixels, near)


def encode(model: Filter, found: EvalSet, batch: int = 64, signed: bool = False) -> Encoded:
    """Decode and encode every image once; what does not decode is counted in ``skipped``.

    RecipeError where no image decodes, RunError where the model answers NaN.
    """
    kept: list[int] = []
    rows: list[Rows] = []
    signs: list[tuple[str, int]] = []
    for chosen, pixels, marks in _batches(found, model.side, batch, signed):
        kept += chosen
        signs += marks
        rows.append(image_rows(model, pixels))
    if not kept:
        raise RecipeError("data", f"none of {len(found)} images decodes", "PNG, JPEG, WebP or TIFF images")
    left = found.take(kept)
    if len(kept) < len(found):
        left.skipped[UNDECODABLE] += len(found) - len(kept)
    return Encoded(left, np.concatenate(rows), [s for s, _ in signs], [h for _, h in signs])


def _batches(
    found: EvalSet, side: int, batch: int, signed: bool
) -> Iterator[tuple[list[int], preprocess.Pixels, list[tuple[str, int]]]]:
    """(places, uint8[k, side, side, c], signatures) of at most ``batch`` records that decode."""
    chosen: list[int] = []
    squares: list[preprocess.Pixels] = []
    marks: list[tuple[str, int]] = []
    for i, image in enumerate(found.images):
        raw = preprocess.read(image())
        if raw is None:
            continue
        chosen.append(i)
        squares.append(preprocess.square(raw, side))
        if signed:
            marks.append(signature(raw))
        if len(chosen) == batch:
            yield chosen, preprocess.stack(squares), marks
            chosen, squares, marks = [], [], []
    if chosen:
        yield chosen, preprocess.stack(squares), marks


def signature(raw: NDArray[Any]) -> tuple[str, int]:
    """(pixel hash, perceptual hash) of a picture that was `filters.towers.preprocess.read`, as an index of shards holds
    them."""
    rgb = raw if raw.ndim == 2 else np.ascontiguousarray(cv2.cvtColor(raw, cv2.COLOR_BGR2RGB))
    return pixel_hash(rgb), perceptual_hash(rgb)


@torch.inference_mode()
def image_rows(model: Filter, pixels: preprocess.Pixels) -> Rows:
    """Unit rows float32[n, d] of uint8[n, side, side, c]."""
    return _finite(model.encode_images(torch.from_numpy(pixels).permute(0, 3, 1, 2)))


@torch.inference_mode()
def text_rows(model: Filter, texts: Sequence[str], batch: int = 256) -> Rows:
    """Unit rows float32[n, d]; texts of near length are encoded together, the order is kept."""
    if not texts:
        return np.zeros((0, 0), np.float32)
    order = np.argsort([len(t) for t in texts], kind="stable")
    parts = [order[i : i + batch] for i in range(0, len(order), batch)]
    found = [_finite(model.encode_texts([texts[int(i)] for i in part])) for part in parts]
    out = np.empty((len(texts), found[0].shape[1]), np.float32)
    out[order] = np.concatenate(found)
    return out


def _finite(rows: torch.Tensor) -> Rows:
    out = rows.float().cpu().numpy()
    if not np.isfinite(out).all():
        raise RunError("the model answers NaN: its weights are damaged, or its training left the numbers")
    return np.asarray(out, np.float32)
