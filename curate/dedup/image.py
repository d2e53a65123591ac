"""Near-duplicate images: a perceptual hash proposes, the rank correlation of two thumbnails confirms.

Both read the *ranks* of the 32 x 32 grey levels rather than the levels: a window, a gamma or a histogram equalisation
maps grey levels by a monotone function, which leaves ranks alone (by levels, the hash missed every fifth equalised
radiograph within its distance; by ranks, none). Crops, flips and rotations are other pictures here.

The defaults are read off ``benchmarks/dedup.py``: they link no two films of different patients out of 300,000 pairs,
and no equalised, windowed or compressed copy is lost that a wider distance would find. What they cannot tell apart are
neighbouring slices of one series, which differ less than a copy and its original may.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from curate.dedup.exact import Pairs
from curate.dedup.hamming import hamming_pairs
from curate.dedup.rules import CORRELATION, DISTANCE

SIDE = 32
PIXELS = SIDE * SIDE
_SMALL_RUN = 16  # so many equal hashes are compared one with another
_MAX_LEADERS = 64
_BLOCK = 4096  # pairs confirmed at a time: some 50 MiB

# Rows 1..8 of the 32-point DCT-II in 12-bit fixed point: integers make the hash the same on every machine.
_K, _X = np.arange(1, 9)[:, None], np.arange(SIDE)[None, :]
_DCT = np.rint(np.cos(np.pi * (2 * _X + 1) * _K / (2 * SIDE)) * 4096).astype(np.int64)

Thumbs = npt.NDArray[np.uint8]


def _small(pixels: np.ndarray) -> Thumbs:
    """uint8[32, 32]: area-averaged grey, its lowest level at 0 and its highest at 255; zeros where all are one."""
    shape, native = pixels.shape, pixels.dtype.newbyteorder("=")
    if native not in (np.uint8, np.uint16) or not (len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3))):
        raise ValueError(f"want uint8 or uint16, (h, w), (h, w, 1) or (h, w, 3); got {pixels.dtype} {shape}")
    grey = np.ascontiguousarray(pixels, dtype=native)
    if len(shape) == 3:
        grey = cv2.cvtColor(grey, cv2.COLOR_RGB2GRAY) if shape[2] == 3 else grey[:, :, 0]
    small = cv2.resize(grey.astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float64)
    low, high = float(small.min()), float(small.max())
    if high - low < 1e-3:
        return np.zeros((SIDE, SIDE), dtype=np.uint8)
    return np.rint((small - low) * (255 / (high - low))).astype(np.uint8)


def ranks(thumbs: Thumbs) -> npt.NDArray[np.int64]:
    """int64[n, 1024]: twice the mid-rank of each pixel among its thumbnail's, minus the mean; ties share theirs."""
    n = len(thumbs)
    places = np.arange(n)[:, None] * 256 + thumbs
    counts = np.bincount(places.ravel(), minlength=n * 256).reshape(n, 256)
    levels = 2 * np.cumsum(counts, axis=1) - counts - PIXELS
    return np.asarray(levels.ravel()[places], dtype=np.int64)


def thumb(pixels: np.ndarray) -> bytes:
    """1024 bytes: the 32 x 32 uint8 grey copy, row-major. pixels as in `perceptual_hash`."""
    return _small(pixels).tobytes()


def perceptual_hash(pixels: np.ndarray) -> int:
    """The 64-bit DCT hash: signs of the coefficients 1..8 x 1..8 of the rank-transformed 32 x 32 grey copy.

    pixels: uint8 or uint16, (h, w), (h, w, 1) or RGB (h, w, 3); ValueError for anything else. After Zauner 2010
    (pHash), with ranks for levels and without the first row and column, which all films of one view share.
    """
    return thumb_hash(thumb(pixels))


def thumb_hash(small: bytes) -> int:
    """`perceptual_hash` of the picture whose `thumb` this is."""
    grey = ranks(np.frombuffer(small, dtype=np.uint8).reshape(1, PIXELS)).reshape(SIDE, SIDE)
    bits = (_DCT @ grey @ _DCT.T).ravel() > 0
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def correlations(thumbs: Thumbs, pairs: Pairs) -> npt.NDArray[np.float64]:
    """float64[m] in [-1, 1]: Spearman's rank correlation of the thumbnails (uint8[n, 1024]) of each pair of rows.

    Two equal thumbnails correlate 1 even where they are constant; a constant one with any other, 0.
    """
    out = np.empty(len(pairs))
    for at in range(0, len(pairs), _BLOCK):
        block = pairs[at : at + _BLOCK]
        rows, place = np.unique(block, return_inverse=True)
        unit = ranks(thumbs[rows]).astype(np.float32)
        unit /= np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1)
        left, right = place.reshape(-1, 2).T
        out[at : at + _BLOCK] = np.einsum("ij,ij->i", unit[left], unit[right])
        out[at : at + _BLOCK][(thumbs[rows[left]] == thumbs[rows[right]]).all(axis=1)] = 1.0
    return out


def near_image_pairs(
    phash: npt.NDArray[np.uint64],
    thumbs: Thumbs,
    distance: int = DISTANCE,
    correlation: float = CORRELATION,
    group: npt.NDArray[np.int64] | None = None,
) -> Pairs:
    """int64[m, 2], i < j, sorted: pairs within ``distance`` bits whose thumbnails correlate at least ``correlation``.

    phash: uint64[n]; thumbs: uint8[n, 1024]; group: int64[n] >= 0, where given only pairs of one group count.
    Every such pair is found but one kind: of more than 16 rows with one hash (blank pictures, a test pattern) those
    that match an earlier one are linked to that one only, so a bucket of n rows yields about n links, not n²/2.
    """
    thumbs = np.asarray(thumbs, dtype=np.uint8).reshape(len(phash), PIXELS)
    links, rows = _collapse(phash, thumbs, correlation, group)
    among = None if group is None else group[rows]
    for block in hamming_pairs(phash[rows], distance, among):
        pairs = rows[block]
        links.append(pairs[correlations(thumbs, pairs) >= correlation])
    found = np.concatenate([np.empty((0, 2), dtype=np.int64), *links])
    return found[np.lexsort((found[:, 1], found[:, 0]))]


def _collapse(
    phash: npt.NDArray[np.uint64], thumbs: Thumbs, correlation: float, group: npt.NDArray[np.int64] | None
) -> tuple[list[Pairs], npt.NDArray[np.int64]]:
    """Links inside large runs of one hash (and group), and the rows that still have to be compared with others."""
    where = np.zeros(len(phash), dtype=np.int64) if group is None else group
    order = np.lexsort((np.arange(len(phash)), phash, where))
    fresh = np.ones(len(order), dtype=bool)
    fresh[1:] = (phash[order[1:]] != phash[order[:-1]]) | (where[order[1:]] != where[order[:-1]])
    start = np.flatnonzero(fresh)
    size = np.diff(np.append(start, len(order)))
    keep = np.ones(len(phash), dtype=bool)
    links: list[Pairs] = []
    for at, n in zip(start[size > _SMALL_RUN], size[size > _SMALL_RUN], strict=True):
        run = order[at : at + n]
        keep[run] = False
        leaders, inside = _lead(run, thumbs, correlation)
        keep[leaders] = True
        links += inside
    return links, np.flatnonzero(keep)


def _lead(run: npt.NDArray[np.int64], thumbs: Thumbs, correlation: float) -> tuple[list[int], list[Pairs]]:
    """Link each row of one hash to the first that it matches; past 64 such leaders, to the row before it."""
    leaders: list[int] = []
    links: list[Pairs] = []
    while len(run) and len(leaders) < _MAX_LEADERS:
        pairs = np.stack([np.full(len(run) - 1, run[0]), run[1:]], axis=1)
        match = correlations(thumbs, pairs) >= correlation
        leaders.append(int(run[0]))
        links.append(pairs[match])
        run = run[1:][~match]
    chain = np.stack([run[:-1], run[1:]], axis=1)
    links.append(chain[correlations(thumbs, chain) >= correlation])
    return leaders, links
