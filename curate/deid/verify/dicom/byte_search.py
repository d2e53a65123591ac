"""Search of many byte strings in a large buffer in one pass, and the probability of chance hits in pixels."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np

_MIN_BYTES = 7  # bytes; a string this long always covers an aligned word of four
_MIX = np.uint32(0x9E3779B1)

FALSE_ALARMS = 1e-5  # expected in one file's pixels: ten in an archive of a million images
_GAUSSIAN = math.sqrt(2 * math.pi * math.e)  # 1 / (s * this): the geometric mean of a Gaussian's density, spread s
_CODED_BITS = 8.0  # information of a byte of an entropy-coded stream
_NEIGHBOURHOODS = tuple(
    1 << p for p in range(8, 16)
)  # numbers of neighbouring samples among which a short value must stand out
_MAX_RUN = 1 << 12  # samples of text around a value; a longer run of possible letters is a dark picture
_MAX_POSITIONS = 4096  # of one short value that are examined in one picture


def holds_any(data: bytes, needles: Mapping[bytes, object]) -> list[bytes]:
    """The ``needles`` (of 7 bytes and more; shorter ones are ignored) that are in ``data``, in their own order.

    The aligned words of ``data`` are looked up in a hash table of the needles' words; a needle is compared only at
    hits. A buffer of 0.5 MB takes half a millisecond, however many needles there are.
    """
    long = [needle for needle in needles if len(needle) >= _MIN_BYTES]
    whole = len(data) // 4 * 4
    if not long or whole < 4:
        return [needle for needle in long if needle in data]
    words = np.frombuffer(data, np.uint32, whole // 4)
    wanted = _words(long)
    table = np.zeros(1 << 16, np.bool_)
    table[_hash(wanted)] = True
    positions = np.flatnonzero(table.take(_hash(words)))
    found = {needle for needle in long if needle in data[max(0, whole - len(needle) - 4) :]}
    order = np.argsort(wanted, kind="stable")
    in_order = wanted[order]
    low, high = (np.searchsorted(in_order, words[positions], side) for side in ("left", "right"))
    met = np.flatnonzero(high > low)
    for position, first, last in zip(positions[met].tolist(), low[met].tolist(), high[met].tolist(), strict=True):
        for k in order[first:last].tolist():
            needle, start = long[k // 4], 4 * position - k % 4
            if needle not in found and start >= 0 and data.startswith(needle, start):
                found.add(needle)
    return [needle for needle in long if needle in found]


def found_in_pixels(data: bytes, needles: Mapping[bytes, object], cell: int) -> list[bytes]:
    """The ``needles`` in pixel data that are too improbable to be chance hits: see `needed_bits`.

    ``cell``: bytes a sample, 1 or 2; 0 for an entropy-coded stream, whose bytes are practically random. A needle counts
    if its `chance_bits` suffice, or if one of its positions stands out (`alone_bits`): all its samples are darker or
    brighter than all neighbours beyond the text that it may be part of.
    """
    found = holds_any(data, needles)
    needed = needed_bits(len(data), len(needles)) if found else 0.0
    return [raw for raw in found if chance_bits(raw, cell) >= needed or _stands_alone(data, raw, cell, needed)]


def needed_bits(size: int, needles: int) -> float:
    """The required improbability of a needle, in bits, at one position of ``size`` bytes, so that at most
    `FALSE_ALARMS` are expected for all ``needles`` together: log2(size * needles / FALSE_ALARMS).

    The bound holds for a file, so that at most 10 are expected in an archive of a million images of any size: 43 bits
    for a CT slice of 0.5 MB and 60 spellings, 49 bits for a mammogram of 30 MB.
    """
    return math.log2(max(1, size) * max(1, needles) / FALSE_ALARMS)


def chance_bits(needle: bytes, cell: int) -> float:
    """The improbability of ``needle``, in bits, at one position of the least favourable picture of noise.

    The model: samples are independent and Gaussian, with mean and spread of the needle's own samples, as if every part
    of every picture were made to look like this name. Its k whole samples of spread s then have
    probability (s * sqrt(2 pi e)) ** -k: 4.6 bits for a small letter in a sample of its own (UTF-16 among 16-bit
    pixels, ASCII among 8-bit ones), 13 for two letters in one sample. The minimum over the
    alignments of the needle with samples is taken. ``cell`` 0: eight bits a byte.
    """
    if not cell:
        return _CODED_BITS * len(needle)
    return max(0.0, min(_bits(_samples(needle, at, cell)) for at in range(cell)))


def _samples(data: bytes, at: int, cell: int) -> np.ndarray:
    """The whole samples of ``data`` from the byte ``at`` on; little endian, since both orders have equal
    information."""
    return np.frombuffer(data, f"<u{cell}", (len(data) - at) // cell, at)


def _bits(samples: np.ndarray) -> float:
    spread = float(samples.std(dtype=np.float64)) if samples.size else 0.0
    return samples.size * math.log2(spread * _GAUSSIAN) if spread * _GAUSSIAN > 1 else 0.0


def alone_bits(k: int, n: int) -> float:
    """The improbability, in bits, that each of ``k`` samples is outside the range of ``n`` others of their
    distribution.

    The share of a distribution that lies outside the range of n samples is Beta(2, n - 1), so the probability is its
    k-th moment, the product of (j + 1) / (n + j) for j from 1 to k, whatever the distribution.
    """
    return math.fsum(math.log2((n + j) / (j + 1)) for j in range(1, k + 1))


def _stands_alone(data: bytes, needle: bytes, cell: int, needed: float) -> bool:
    if not cell:
        return False
    values = _samples(data, 0, cell)
    min_neighbours = next(
        (n for n in _NEIGHBOURHOODS if alone_bits(len(needle) // cell, n) >= needed), _NEIGHBOURHOODS[-1]
    )
    for at in _positions(data, needle):
        first, last = at // cell, min(-(-(at + len(needle)) // cell), values.size)
        neighbours = _neighbours(values, first, last, min_neighbours // 2)
        if neighbours.size and alone_bits(last - first, neighbours.size) >= needed:
            own = values[first:last]
            if bool(((own > neighbours.max()) | (own < neighbours.min())).all()):
                return True
    return False


def _positions(data: bytes, needle: bytes) -> Iterator[int]:
    at = data.find(needle)
    for _ in range(_MAX_POSITIONS):
        if at < 0:
            return
        yield at
        at = data.find(needle, at + 1)


def _neighbours(values: np.ndarray, first: int, last: int, reach: int) -> np.ndarray:
    """``reach`` samples on either side of values[first:last], beyond the text that it is part of; none if that text has
    no end nearby, as in a picture whose samples could all be letters."""
    sides, far = [], reach + _MAX_RUN
    for side in (values[max(0, first - far) : first][::-1], values[last : last + far]):
        ends = np.flatnonzero(~_is_printable(side))
        start = int(ends[0]) if ends.size else side.size
        if start >= _MAX_RUN:
            return values[:0]
        sides.append(side[start : start + reach])
    return np.concatenate(sides)


def _is_printable(samples: np.ndarray) -> np.ndarray:
    """bool[n]: samples that could be a letter, or if of two bytes two letters, or one in either byte order."""
    low, high = samples & 0xFF, samples >> 8
    first, second = ((part >= 0x20) & (part <= 0x7E) for part in (low, high))
    printable: np.ndarray = (first & (second | (high == 0))) | (second & (low == 0))
    return printable


def _hash(words: np.ndarray) -> np.ndarray:
    mixed: np.ndarray = words * _MIX >> np.uint32(16)  # Fibonacci hashing: text and pixels are alike in their low bits
    return mixed


def _words(needles: list[bytes]) -> np.ndarray:
    """The words of each needle at its offsets 0 to 3: the k-th is of needle k // 4, at its byte k % 4."""
    return np.frombuffer(b"".join(n[k : k + 4] for n in needles for k in range(4)), np.uint32)
