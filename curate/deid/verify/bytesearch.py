"""Many byte strings searched in a large buffer in one pass, and what of that pixels may hold by chance alone."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np

_LEAST = 7  # bytes: any place of a string this long covers a whole aligned word of four
_MIX = np.uint32(0x9E3779B1)

FALSE_ALARMS = 1e-5  # expected in one file's pixels at most: ten in an archive of a million images
_GAUSSIAN = math.sqrt(2 * math.pi * math.e)  # 1 / (s * this): the geometric mean of a Gaussian's density, spread s
_CODED_BITS = 8.0  # a byte of an entropy-coded stream tells as much as it can
_AROUND = tuple(1 << p for p in range(8, 16))  # samples among which a short value must stand alone
_LONGEST_RUN = 1 << 12  # samples of text about a value; a longer run of what could be letters is a dark picture
_MOST_PLACES = 4096  # of one short value in one picture, that are looked at


def holds_any(data: bytes, needles: Mapping[bytes, object]) -> list[bytes]:
    """Which of ``needles`` (of 7 bytes and more; shorter ones are passed over) are in ``data``, in their own order.

    The aligned words of ``data`` are looked up in a table of those that begin or lie within a needle; only where one is
    met is the needle compared. A buffer of 0.5 MB takes half a millisecond, however many needles there are.
    """
    long = [needle for needle in needles if len(needle) >= _LEAST]
    whole = len(data) // 4 * 4
    if not long or whole < 4:
        return [needle for needle in long if needle in data]
    words = np.frombuffer(data, np.uint32, whole // 4)
    wanted = _words(long)
    table = np.zeros(1 << 16, np.bool_)
    table[_hash(wanted)] = True
    places = np.flatnonzero(table.take(_hash(words)))
    found = {needle for needle in long if needle in data[max(0, whole - len(needle) - 4) :]}
    order = np.argsort(wanted, kind="stable")
    in_order = wanted[order]
    low, high = (np.searchsorted(in_order, words[places], side) for side in ("left", "right"))
    met = np.flatnonzero(high > low)
    for place, first, last in zip(places[met].tolist(), low[met].tolist(), high[met].tolist(), strict=True):
        for k in order[first:last].tolist():
            needle, start = long[k // 4], 4 * place - k % 4
            if needle not in found and start >= 0 and data.startswith(needle, start):
                found.add(needle)
    return [needle for needle in long if needle in found]


def held_in_pixels(data: bytes, needles: Mapping[bytes, object], cell: int) -> list[bytes]:
    """Which of ``needles`` are in pixel data, of those that are not there by chance: see `needed_bits`.

    ``cell``: bytes a sample, 1 or 2; 0 for an entropy-coded stream, of which all bytes are as good as random. A needle
    counts by itself where `chance_bits` of it suffice, else where one of its places stands alone (`alone_bits`): all
    its samples are darker or brighter than any about it, beyond the text that it may be a part of.
    """
    found = holds_any(data, needles)
    needed = needed_bits(len(data), len(needles)) if found else 0.0
    return [raw for raw in found if chance_bits(raw, cell) >= needed or _stands_alone(data, raw, cell, needed)]


def needed_bits(size: int, needles: int) -> float:
    """How improbable, in bits, a needle must be at one place of ``size`` bytes, so that of all ``needles`` together not
    more than `FALSE_ALARMS` are expected: log2(size * needles / FALSE_ALARMS).

    The bound is a file's, so that of an archive of a million images 10 are expected at most, whatever their sizes: 43
    bits for a CT slice of 0.5 MB of which 60 spellings are sought, 49 bits for a mammogram of 30 MB.
    """
    return math.log2(max(1, size) * max(1, needles) / FALSE_ALARMS)


def chance_bits(needle: bytes, cell: int) -> float:
    """How improbable, in bits, ``needle`` is at one place of a picture of noise, the least favourable one.

    The model: samples are independent and Gaussian, of a mean and a spread that are those of the needle's own samples,
    as if every part of every picture were made to look like this name. Its k whole samples of spread s then have
    probability (s * sqrt(2 pi e)) ** -k: 4.6 bits for a small letter in a sample of its own (UTF-16 among 16-bit
    pixels, ASCII among 8-bit ones), 13 for two letters in one sample. The least of the ways the needle may lie on
    samples is taken. ``cell`` 0: eight bits a byte.
    """
    if not cell:
        return _CODED_BITS * len(needle)
    return max(0.0, min(_bits(_samples(needle, at, cell)) for at in range(cell)))


def _samples(data: bytes, at: int, cell: int) -> np.ndarray:
    """The whole samples of ``data`` from the byte ``at`` on; little-endian, which tells as much as the other order."""
    return np.frombuffer(data, f"<u{cell}", (len(data) - at) // cell, at)


def _bits(samples: np.ndarray) -> float:
    spread = float(samples.std(dtype=np.float64)) if samples.size else 0.0
    return samples.size * math.log2(spread * _GAUSSIAN) if spread * _GAUSSIAN > 1 else 0.0


def alone_bits(k: int, n: int) -> float:
    """How improbable, in bits, it is that each of ``k`` samples is outside the range of ``n`` others of their kind.

    The share of a distribution that lies outside the range of n samples is Beta(2, n - 1), so the probability is its
    k-th moment, the product of (j + 1) / (n + j) for j from 1 to k, whatever the distribution.
    """
    return math.fsum(math.log2((n + j) / (j + 1)) for j in range(1, k + 1))


def _stands_alone(data: bytes, needle: bytes, cell: int, needed: float) -> bool:
    if not cell:
        return False
    values = _samples(data, 0, cell)
    fewest = next((n for n in _AROUND if alone_bits(len(needle) // cell, n) >= needed), _AROUND[-1])
    for at in _places(data, needle):
        first, last = at // cell, min(-(-(at + len(needle)) // cell), values.size)
        others = _around(values, first, last, fewest // 2)
        if others.size and alone_bits(last - first, others.size) >= needed:
            own = values[first:last]
            if bool(((own > others.max()) | (own < others.min())).all()):
                return True
    return False


def _places(data: bytes, needle: bytes) -> Iterator[int]:
    at = data.find(needle)
    for _ in range(_MOST_PLACES):
        if at < 0:
            return
        yield at
        at = data.find(needle, at + 1)


def _around(values: np.ndarray, first: int, last: int, reach: int) -> np.ndarray:
    """``reach`` samples on either side of values[first:last], beyond the text it is a part of; none where that has no
    end nearby: a picture whose samples could all be letters."""
    sides, far = [], reach + _LONGEST_RUN
    for side in (values[max(0, first - far) : first][::-1], values[last : last + far]):
        ends = np.flatnonzero(~_is_printable(side))
        start = int(ends[0]) if ends.size else side.size
        if start >= _LONGEST_RUN:
            return values[:0]
        sides.append(side[start : start + reach])
    return np.concatenate(sides)


def _is_printable(samples: np.ndarray) -> np.ndarray:
    """Of samples, which are a letter or, of two bytes, two, or one of either byte order."""
    low, high = samples & 0xFF, samples >> 8
    first, second = ((part >= 0x20) & (part <= 0x7E) for part in (low, high))
    printable: np.ndarray = (first & (second | (high == 0))) | (second & (low == 0))
    return printable


def _hash(words: np.ndarray) -> np.ndarray:
    mixed: np.ndarray = words * _MIX >> np.uint32(16)  # Fibonacci hashing: text and pixels are alike in their low bits
    return mixed


def _words(needles: list[bytes]) -> np.ndarray:
    """The first four words of each needle, at its offsets 0 to 3: the k-th is of needle k // 4, at its byte k % 4."""
    return np.frombuffer(b"".join(n[k : k + 4] for n in needles for k in range(4)), np.uint32)
