"""One pass over the images: embeddings of the model, and signatures by which copies are found."""

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
    ``phashes`` are of the pixels, empty unless requested."""

    data: EvalSet
    images: Rows
    pixel_hashes: list[str]
    phashes: list[int]


def encode(model: Filter, data: EvalSet, batch: int = 64, signed: bool = False) -> Encoded:
    """Decode and encode every image once; images that do not decode are counted in ``skipped``.

    RecipeError if no image decodes, RunError if the model returns NaN.
    """
    decoded: list[int] = []
    rows: list[Rows] = []
    signatures: list[tuple[str, int]] = []
    for chosen, pixels, batch_signatures in _batches(data, model.side, batch, signed):
        decoded += chosen
        signatures += batch_signatures
        rows.append(image_rows(model, pixels))
    if not decoded:
        raise RecipeError("data", f"none of {len(data)} images decodes", "PNG, JPEG, WebP or TIFF images")
    remaining = data.take(decoded)
    if len(decoded) < len(data):
        remaining.skipped[UNDECODABLE] += len(data) - len(decoded)
    return Encoded(remaining, np.concatenate(rows), [s for s, _ in signatures], [h for _, h in signatures])


def _batches(
    data: EvalSet, side: int, batch: int, signed: bool
) -> Iterator[tuple[list[int], preprocess.Pixels, list[tuple[str, int]]]]:
    """(indices, uint8[k, side, side, c], signatures) of at most ``batch`` records that decode."""
    chosen: list[int] = []
    squares: list[preprocess.Pixels] = []
    signatures: list[tuple[str, int]] = []
    for i, image in enumerate(data.images):
        raw = preprocess.read(image())
        if raw is None:
            continue
        chosen.append(i)
        squares.append(preprocess.square(raw, side))
        if signed:
            signatures.append(signature(raw))
        if len(chosen) == batch:
            yield chosen, preprocess.stack(squares), signatures
            chosen, squares, signatures = [], [], []
    if chosen:
        yield chosen, preprocess.stack(squares), signatures


def signature(raw: NDArray[Any]) -> tuple[str, int]:
    """(pixel hash, perceptual hash) of a picture from `filters.towers.preprocess.read`, as in the shards' index."""
    rgb = raw if raw.ndim == 2 else np.ascontiguousarray(cv2.cvtColor(raw, cv2.COLOR_BGR2RGB))
    return pixel_hash(rgb), perceptual_hash(rgb)


@torch.inference_mode()
def image_rows(model: Filter, pixels: preprocess.Pixels) -> Rows:
    """Unit rows float32[n, d] of uint8[n, side, side, c]."""
    return _finite(model.encode_images(torch.from_numpy(pixels).permute(0, 3, 1, 2)))


@torch.inference_mode()
def text_rows(model: Filter, texts: Sequence[str], batch: int = 256) -> Rows:
    """Unit rows float32[n, d] in the order of ``texts``; texts of similar length are encoded together."""
    if not texts:
        return np.zeros((0, 0), np.float32)
    order = np.argsort([len(t) for t in texts], kind="stable")
    parts = [order[i : i + batch] for i in range(0, len(order), batch)]
    encoded = [_finite(model.encode_texts([texts[int(i)] for i in part])) for part in parts]
    out = np.empty((len(texts), encoded[0].shape[1]), np.float32)
    out[order] = np.concatenate(encoded)
    return out


def _finite(rows: torch.Tensor) -> Rows:
    out = rows.float().cpu().numpy()
    if not np.isfinite(out).all():
        raise RunError("the model answers NaN: its weights are damaged, or its training left the numbers")
    return np.asarray(out, np.float32)
