"""Neighbouring pixels as witnesses: which reading of the same bytes is a picture, where the header cannot be right.

A picture's neighbours are near each other. What is asked here is asked of contradictory files only, and answers
"neither" where the pixels do not tell: noise speaks for no reading.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

_SAMPLE = 1 << 18  # values looked at for a distance
_FEW = 16  # pairs of neighbours below which nothing is said


def nearest_stride(values: np.ndarray, strides: tuple[int, ...]) -> int | None:
    """Of flat ``values``, the stride at which they are nearest to each other; None where none stands out."""
    flat = values.reshape(-1)[:_SAMPLE].astype(np.float64)
    if flat.size <= max(strides) + _FEW:
        return None
    distances = [float(np.abs(flat[stride:] - flat[:-stride]).mean()) for stride in strides]
    best, second = sorted(distances)[:2]
    return strides[distances.index(best)] if best < 0.97 * second else None


def is_wrapped(values: np.ndarray, line: int, others: set[int]) -> bool:
    """Are flat ``values`` lines of one of ``others``' lengths, and not of ``line``?

    At the right length, and its multiples, their distance dips: it is nearer there than a little to either side. Near
    a multiple it dips, too, but less; of grain it dips little.
    """
    flat = values.reshape(-1)
    flat = flat[max(flat.size - _SAMPLE, 0) // 2 :][:_SAMPLE].astype(np.float64)  # margins say little

    def far(stride: int) -> float:
        return float(np.abs(flat[stride:] - flat[:-stride]).mean())

    def dips(stride: int, by: float = 0.8) -> bool:
        aside = max(stride // 8, 3)
        return far(stride) < by * min(far(stride - aside), far(stride + aside))

    possible = {o for o in others if _FEW <= o != line and 2 * o < flat.size}
    allowed = 0.6 if dips(line) else 0.8 if dips(line, by=0.97) else 0.9
    return any(dips(o, by=max(allowed, 0.8)) and far(o) < allowed * far(line) for o in possible)


def frames_or_strips(frames: np.ndarray) -> Literal["frames", "strips"] | None:
    """Are ``frames`` (frames, rows, columns) pictures, or strips of one, which goes on from each to the next?

    Strips' seams, two of three at least, are steps like those beside them, and far nearer than the strip before.
    Frames have no such seam, or each is like the frame before it.
    """
    wide = frames.astype(np.float64)
    across = np.abs(wide[1:, 0] - wide[:-1, -1]).mean(axis=-1)
    inside = (np.abs(wide[1:, 1] - wide[1:, 0]) + np.abs(wide[:-1, -1] - wide[:-1, -2])).mean(axis=-1) / 2
    apart = np.abs(wide[1:, 0] - wide[:-1, 0]).mean(axis=-1)
    usual = (inside / 3 <= across) & (across <= 3 * inside) & (across < apart / 3)
    if usual.mean() >= 2 / 3:
        return "strips"
    turned = np.roll(wide[1:], wide.shape[1] // 2, axis=1)
    return "frames" if not usual.any() or _apart(wide[:-1], wide[1:]) < 0.7 * _apart(wide[:-1], turned) else None


def _apart(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one.astype(np.float64) - other).mean())


def is_noise(values: np.ndarray) -> bool:
    """Are neighbours of (rows, columns[, samples]) no nearer than others are?

    Compared are steps that are 1 modulo 3, as samples in turn would be; down short ones, as planes would be below each
    other.
    """
    if min(values.shape[:2]) < _FEW:
        return False
    wide = values.astype(np.float64)
    aside = max(values.shape[1] // 9, 1) * 3 + 1
    across, down = _apart(wide[:, aside:], wide[:, :-aside]), _apart(wide[2:], wide[:-2])
    near = min(_apart(wide[:, 1:], wide[:, :-1]) / (across or np.inf), _apart(wide[1:], wide[:-1]) / (down or np.inf))
    return near >= 0.95


def is_smoother(other: np.ndarray, here: np.ndarray, samples: int) -> bool:
    """Are neighbours in ``other`` a third as far as in ``here``, both (rows, columns * samples), down and across, each
    against pixels a third of the picture apart? A few outliers say nothing."""
    return all(3 * o < h for o, h in zip(_grain(other, samples), _grain(here, samples), strict=True))


def _grain(lines: np.ndarray, samples: int) -> tuple[float, float]:
    wide = np.clip(lines.astype(np.float64), *np.percentile(lines, (1, 99)))
    down, across = max(wide.shape[0] // 3, 2), max(wide.shape[1] // samples // 3, 2) * samples
    return (
        _apart(wide[1:], wide[:-1]) / (_apart(wide[down:], wide[:-down]) or np.inf),
        _apart(wide[:, samples:], wide[:, :-samples]) / (_apart(wide[:, across:], wide[:, :-across]) or np.inf),
    )


def roughness(pixels: np.ndarray) -> float:
    """Mean distance of neighbours, down and across, of (rows, columns[, samples])."""
    wide = pixels.astype(np.float64)
    return float(np.abs(np.diff(wide, axis=0)).mean() + np.abs(np.diff(wide, axis=1)).mean())


def is_one_channel(values: np.ndarray, columns: int) -> bool:
    """Are flat ``values``, in rows of ``columns``, not three channels in turn: next ones nearer than every third, and
    the three steps in turn alike?"""
    flat = values[:_SAMPLE].astype(np.float64)
    places = np.arange(flat.size - 1)
    inside = (places + 1) % columns != 0  # the end of a row is no step
    steps = [float(np.abs(np.diff(flat)[inside & (places % 3 == k)]).mean()) for k in range(3)]
    third = float(np.abs(flat[3:] - flat[:-3]).mean())
    return sum(steps) / 3 < third and max(steps) < 2 * min(steps)


def is_continuous(values: np.ndarray, parts: np.ndarray, span: float, among: np.ndarray | None = None) -> bool:
    """Do ``values`` (rows, columns) go on where neighbours lie in different ``parts``?

    They do where such neighbours are as near as others are, and nearer than a sixteenth of ``span``, the range
    that they could differ by. ``among``: the pixels that are asked.
    """
    (across,) = seams(parts, among, values)
    if across.size < _FEW:
        return False
    (elsewhere,) = seams(parts, among, values, inside=True)
    if elsewhere.size < _FEW:
        return False
    return bool(np.median(across) <= min(4 * elsewhere.mean() + 2, span / 16))


def is_nearer(
    values: np.ndarray, others: np.ndarray, parts: np.ndarray, among: np.ndarray | None = None, by: float = 2 / 3
) -> bool:
    """Are neighbours of different ``parts`` far nearer in ``values`` than in ``others``, all (rows, columns)?

    At most ``by`` as far by mean or by median, and by neither farther: of test patterns the median tells, of
    grain the mean.
    """
    here, there = seams(parts, among, values, others)
    if here.size < _FEW:
        return False
    ratios = sorted(
        (float(np.median(here) / max(np.median(there), 1e-9)), float(here.mean() / max(there.mean(), 1e-9)))
    )
    return ratios[0] < by and ratios[1] < 1


def seams(parts: np.ndarray, among: np.ndarray | None, *values: np.ndarray, inside: bool = False) -> list[np.ndarray]:
    """Distances of neighbours that lie in different ``parts``, or ``inside`` one, in each of ``values``."""
    found: list[list[np.ndarray]] = [[] for _ in values]
    for axis in (0, 1):
        here, there = _neighbours(parts, axis)
        mask = here == there if inside else here != there
        if among is not None:
            mask &= np.logical_and(*_neighbours(among, axis))
        for distances, plane in zip(found, values, strict=True):
            one, other = (side[mask].astype(np.float64) for side in _neighbours(plane, axis))
            distances.append(np.abs(other - one))
    return [np.concatenate(distances) for distances in found]


def _neighbours(plane: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    return (plane[:-1], plane[1:]) if axis == 0 else (plane[:, :-1], plane[:, 1:])
