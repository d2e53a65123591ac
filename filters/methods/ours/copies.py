"""Copies: pairs of a pool that show nearly the same picture and claim the same.

No network: the picture's signature is the signs of 256 coefficients of a cosine transform of its grey levels' ranks, as
in `curate.dedup.image` but four times as long, so that two films of two patients, which look alike, are told apart
without their thumbnails: on 2,500 films of the synthetic pool no two different ones differ in fewer than 26 bits, and
99 % of copies of another brightness, gamma, half the size or JPEG quality 40 in 26 or fewer. `BITS` is just below.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from curate.dedup.exact import normalise
from curate.dedup.image import SIDE, ranks, thumb
from filters.banks import digests
from filters.findings import concept
from filters.method import Batch, reading
from filters.towers.preprocess import Pixels

FILE = "copies.safetensors"
BITS = 24  # of 256 that a copy may differ in
_ORDER = 16
_K, _X = np.arange(1, _ORDER + 1)[:, None], np.arange(SIDE)[None, :]
_DCT = np.rint(np.cos(np.pi * (2 * _X + 1) * _K / (2 * SIDE)) * 4096).astype(np.int64)  # integers: the same everywhere

Words = NDArray[np.uint64]


class Copies:
    """What a pool holds: of n distinct pairs ``pictures`` uint64[n, 4], ``claims`` uint64[n] (what the text affirms; of
    a text without a known finding its words) and ``own`` uint64[n], which tell a pair from its copies. Of the pairs
    given, ``names`` are their records' digests: several records may be one pair."""

    def __init__(self, pictures: Words, claims: Words, own: Words, names: Words) -> None:
        _, once = np.unique(np.column_stack([own, names]), axis=0, return_index=True)
        given = {"pictures": pictures, "claims": claims, "own": own, "names": names}
        self._given = {name: np.ascontiguousarray(rows[once]) for name, rows in given.items()}
        own, first = np.unique(own, return_index=True)
        order = np.lexsort((own, claims[first]))
        self.pictures, self.claims, self.own = pictures[first][order], claims[first][order], own[order]

    @classmethod
    def of(cls, batches: Iterable[Batch], side: int) -> Copies:
        """Of all pairs whose image decoded; later calls must come with images of the same ``side``."""
        parts = [
            [column[b.valid] for column in (*_signatures(b.images[side], b.texts), _names(b.whose, len(b.texts)))]
            for b in batches
        ]
        return cls(*(np.concatenate(column) for column in zip(*parts, strict=True)))

    def __call__(self, pixels: Pixels, texts: list[str], valid: NDArray[np.bool_]) -> NDArray[np.float32]:
        """float32[n]: 1 - 1/m, where m pairs, this one with them, are copies of each other: the chance that one drawn
        of them is not the one to keep. 0 for a pair that is alone, NaN where the image is not ``valid``."""
        out = np.full(len(texts), np.nan, np.float32)
        pictures, claims, own = _signatures(pixels, texts)
        start, stop = (np.searchsorted(self.claims, claims, side) for side in ("left", "right"))
        for i in np.flatnonzero(valid):
            near = self.pictures[start[i] : stop[i]] ^ pictures[i]
            alike = np.bitwise_count(near).sum(axis=1) <= BITS
            others = int((alike & (self.own[start[i] : stop[i]] != own[i])).sum())
            out[i] = 1 - 1 / (1 + others) if pictures[i].any() else 0.0  # a blank picture is nobody's copy
        return out

    def save(self, folder: Path) -> None:
        """`FILE` in ``folder``: 56 bytes a record, of which no picture can be made."""
        save_file(self._given, folder / FILE)

    @classmethod
    def load(cls, folder: Path) -> Copies:
        """RecipeError naming the file where it is missing or damaged."""
        path = folder / FILE
        with reading(path):
            found = load_file(path)
            pictures, claims, own, names = (found[n].astype(np.uint64) for n in ("pictures", "claims", "own", "names"))
            if pictures.shape != (len(own), _ORDER**2 // 64) or claims.shape != own.shape or own.ndim != 1:
                raise ValueError
        return cls(pictures, claims, own, names)


def _names(whose: Sequence[tuple[str, str]] | None, n: int) -> Words:
    return digests([key for key, _ in whose or [("", "")] * n])


def _signatures(pixels: Pixels, texts: list[str]) -> tuple[Words, Words, Words]:
    """(pictures, claims, own) as `Copies` holds them."""
    thumbs = [thumb(image) for image in pixels]
    levels = ranks(np.frombuffer(b"".join(thumbs), np.uint8).reshape(-1, SIDE * SIDE)).reshape(-1, SIDE, SIDE)
    bits = (_DCT @ levels @ _DCT.T).reshape(-1, _ORDER**2) > 0
    words = [normalise(text) for text in texts]
    claims = [concept(text) or word for text, word in zip(texts, words, strict=True)]
    own = [image + word.encode("utf-8", "surrogatepass") for image, word in zip(thumbs, words, strict=True)]
    hashed = _hash([c.encode("utf-8", "surrogatepass") for c in claims]), _hash(own)
    return np.packbits(bits, axis=1).view(np.uint64).reshape(-1, _ORDER**2 // 64), *hashed


def _hash(parts: list[bytes]) -> Words:
    return np.array([int.from_bytes(hashlib.sha256(p).digest()[:8], "big") for p in parts], np.uint64)
