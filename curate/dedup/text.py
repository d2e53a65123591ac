"""Near-duplicate texts: MinHash-LSH proposes; critical words, their order and the exact Jaccard similarity confirm.

Two reports of sixty words may differ in one, and that one may be the side or the "no". A missed duplicate costs
little, a merged contradiction destroys a label, so similarity alone never decides:

- A signature begins with a *guard*: a hash of the critical words (side, negation, number, degree, change) in order.
  Texts of different guards are never duplicates.
- A content word exchanged for another one ("effusion", "mass"), or standing in another place of the other text
  ("effusion on the left, nodule on the right" and the reverse), makes another statement and no duplicate.

What is left to differ is a slip of the pen, a heading, an added sentence without critical words. Those are English
with the sides and negations of a few neighbours. A word outside ASCII always counts as critical, so in other scripts
only texts that normalise alike match; for other languages in plain ASCII leave ``text_near`` off.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher
from functools import lru_cache
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from curate.dedup.exact import Pairs, exact_pairs, normalise, text_hash
from curate.dedup.rules import JACCARD

MINHASH_SIZE = 64  # uint32 values: the guard, then the MinHash
GUARD_SIZE = 4  # 128 bits: guards are equal where the critical words are
_PERMUTATIONS = MINHASH_SIZE - GUARD_SIZE
_SHINGLE = 6  # bytes
_RECALL = 0.999  # what the bands must promise at the threshold
_NEIGHBOURS = 64  # of a crowded bucket, each row meets so many others


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


GUARD_WORDS = _words("""
    left right l r lt rt bilateral bilaterally both unilateral ipsilateral contralateral
    links rechts beidseits gauche droite droit izquierda izquierdo derecha derecho destra sinistra esquerdo direito
    no not non none nor never neither without absent absence negative negatives denies denied free t cannot unable
    exclude excluded rule ruled resolved resolution cleared fails failed lack lacks lacking unseen
    kein keine keinen keiner nicht ohne sans pas sin nao senza
    positive present new old possible possibly probable probably likely unlikely suspected suspicious suspicion
    questionable may might uncertain
    normal abnormal remarkable unremarkable stable unstable unchanged changed
    increase increased increasing decrease decreased decreasing larger smaller enlarged
    improved improving improvement worsened worsening worse better progressed progression regressed regression
    mild mildly moderate moderately severe severely minimal minimally small large trace massive
    acute chronic subacute benign malignant
    upper lower middle mid anterior posterior medial lateral superior inferior proximal distal apical basal
    central peripheral removed placed male female
    zero one two three four five six seven eight nine ten first second third single multiple
""")

_FUNCTION_WORDS = _words(
    "a an the of in on at to and or with within is are was were be been has have there this that as"
)


def _multipliers() -> npt.NDArray[np.uint64]:
    """uint64[60, 1], odd: multiply-shift hashing (Dietzfelbinger et al. 1997) from a fixed, published stream."""
    stream = b"".join(blake2b(b"minhash" + bytes([i]), digest_size=8).digest() for i in range(_PERMUTATIONS))
    return (np.frombuffer(stream, dtype="<u8").astype(np.uint64) | np.uint64(1)).reshape(-1, 1)


_MULTIPLIERS = _multipliers()


def shingles(text: str) -> npt.NDArray[np.uint64]:
    """uint64[m]: every run of 6 bytes of the UTF-8 of a *normalised* text between blanks, packed; with repeats."""
    data = f" {text} ".encode("utf-8", "surrogatepass")
    count = max(1, len(data) - _SHINGLE + 1)
    padded = data + bytes(8)
    packed = np.ndarray((count,), dtype="<u8", buffer=padded, strides=(1,)) & np.uint64((1 << 8 * _SHINGLE) - 1)
    return packed.astype(np.uint64)


def guard(text: str) -> bytes:
    """16 bytes over the critical words of a *normalised* text, in order: listed, with a digit or sign, not ASCII."""
    words = [w for w in text.split() if w in GUARD_WORDS or not w.isalpha() or not w.isascii()]
    return blake2b(" ".join(words).encode("utf-8", "surrogatepass"), digest_size=4 * GUARD_SIZE).digest()


def minhash(text: str) -> bytes:
    """uint32[MINHASH_SIZE], little endian: the guard, then 60 minima over the shingles of ``normalise(text)``.

    Broder 1997: two texts agree on each minimum with the probability of their shingle sets' Jaccard similarity.
    """
    plain = normalise(text)
    x = shingles(plain)
    x = (x ^ (x >> np.uint64(23))) * np.uint64(0x9E3779B97F4A7C15)
    x ^= x >> np.uint64(29)
    minima = (_MULTIPLIERS * x[None, :]).min(axis=1) >> np.uint64(32)
    packed: bytes = minima.astype("<u4").tobytes()
    return guard(plain) + packed


def jaccards(texts: Sequence[str], pairs: Pairs) -> npt.NDArray[np.float64]:
    """float64[m] in [0, 1]: the exact Jaccard similarity of the two texts' shingle sets; an empty text matches none."""

    @lru_cache(maxsize=8192)
    def of(row: int) -> frozenset[int]:
        plain = normalise(texts[row])
        return frozenset(shingles(plain).tolist()) if plain else frozenset()

    out = np.zeros(len(pairs))
    for k, (i, j) in enumerate(pairs.tolist()):
        a, b = of(i), of(j)
        common = len(a & b)
        out[k] = common / max(1, len(a) + len(b) - common)
    return out


def _slip(one: str, other: str) -> bool:
    """Whether two words are one keystroke apart: a letter more, less or other, or two neighbours in the wrong order."""
    start = next((k for k, (x, y) in enumerate(zip(one, other, strict=False)) if x != y), min(len(one), len(other)))
    one, other = one[start:], other[start:]
    while one and other and one[-1] == other[-1]:
        one, other = one[:-1], other[:-1]
    return max(len(one), len(other)) <= 1 or (len(one) == 2 and one == other[::-1])


def _restated(one: str, other: str) -> bool:
    """Whether a content word is exchanged for another that is no slip of it, or has moved to another place."""
    a, b = ([w for w in normalise(t).split() if w not in _FUNCTION_WORDS] for t in (one, other))
    gone: set[str] = set()
    come: set[str] = set()
    for kind, low, high, start, end in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if kind == "equal":
            continue
        old, new = a[low:high], b[start:end]
        if kind == "replace" and not (len(old) == len(new) and all(map(_slip, old, new))):
            return True
        gone.update(old)
        come.update(new)
    return not gone.isdisjoint(come)


def near_texts(
    signatures: npt.NDArray[np.uint32], texts: Sequence[str], pairs: Pairs, jaccard: float = JACCARD
) -> npt.NDArray[np.bool_]:
    """bool[m]: which pairs of rows are near duplicates by all three tests, the cheapest first.

    signatures: uint32[n, MINHASH_SIZE]; only their guards are read.
    """
    guards = signatures[:, :GUARD_SIZE]
    left = np.flatnonzero((guards[pairs[:, 0]] == guards[pairs[:, 1]]).all(axis=1))
    left = left[jaccards(texts, pairs[left]) >= jaccard]
    out = np.zeros(len(pairs), dtype=np.bool_)
    out[left] = [not _restated(texts[i], texts[j]) for i, j in pairs[left].tolist()]
    return out


def near_text_pairs(
    signatures: npt.NDArray[np.uint32],
    texts: Sequence[str],
    jaccard: float = JACCARD,
    group: npt.NDArray[np.int64] | None = None,
) -> Pairs:
    """int64[m, 2], i < j, sorted: pairs of near duplicates, shingles' Jaccard at least ``jaccard``.

    signatures: uint32[n, MINHASH_SIZE], rows of `minhash`; group: int64[n], where given only pairs of one group count.
    A pair at the threshold is proposed with probability 0.999. Texts that normalise alike are linked to the first of
    them, and only that one is compared with others; in a bucket of more than 64 a row meets its 64 neighbours and
    the first.
    """
    if signatures.shape != (len(texts), MINHASH_SIZE):
        raise ValueError(f"want signatures of shape ({len(texts)}, {MINHASH_SIZE}), got {signatures.shape}")
    hashes = np.array([text_hash(t) for t in texts], dtype="U32")
    ids = np.unique(hashes, return_inverse=True)[1].astype(np.int64)
    ids[hashes == text_hash("")] = -1
    same = exact_pairs(ids, group)
    single = ids >= 0
    single[same[:, 1]] = False
    rows = np.flatnonzero(single)
    found = rows[_propose(signatures[rows], jaccard, None if group is None else group[rows])]
    found = np.concatenate([same, found[near_texts(signatures, texts, found, jaccard)]])
    return found[np.lexsort((found[:, 1], found[:, 0]))]


def rows_per_band(jaccard: float) -> int:
    """The longest bands of 60 minima that still propose a pair at ``jaccard`` with probability 0.999."""
    widths = (1, 2, 3, 4, 5, 6, 10, 12)  # divisors of 60
    return max((r for r in widths if (1 - jaccard**r) ** (_PERMUTATIONS // r) <= 1 - _RECALL), default=1)


def _propose(signatures: npt.NDArray[np.uint32], jaccard: float, group: npt.NDArray[np.int64] | None) -> Pairs:
    """int64[m, 2], i < j: rows that share the guard, the group and one band."""
    n = len(signatures)
    base = np.zeros(n, dtype=np.uint64) if group is None else group.astype(np.uint64)
    for k in range(GUARD_SIZE):
        base = _mix(base, signatures[:, k])
    width = rows_per_band(jaccard)
    codes: list[npt.NDArray[np.int64]] = [np.empty(0, dtype=np.int64)]
    for band in range(GUARD_SIZE, MINHASH_SIZE, width):
        key = base
        for k in range(band, band + width):
            key = _mix(key, signatures[:, k])
        codes += [left * n + right for left, right in _bucket_pairs(key)]
    code = np.unique(np.concatenate(codes))
    pairs = np.stack(np.divmod(code, max(n, 1)), axis=1)
    if group is not None:  # the key is a hash: two groups may share one
        pairs = pairs[group[pairs[:, 0]] == group[pairs[:, 1]]]
    return pairs


def _mix(state: npt.NDArray[np.uint64], value: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint64]:
    mixed = (state ^ value) * np.uint64(0x9E3779B97F4A7C15)
    return np.asarray(mixed ^ (mixed >> np.uint64(32)), dtype=np.uint64)


def _bucket_pairs(key: npt.NDArray[np.uint64]) -> list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """Pairs (lower row, higher row) of equal key: each with its 64 next, and every one with its bucket's first."""
    order = np.argsort(key, kind="stable")
    ordered = key[order]
    fresh = np.ones(len(order), dtype=bool)
    fresh[1:] = ordered[1:] != ordered[:-1]
    start = np.flatnonzero(fresh)[np.cumsum(fresh) - 1] if len(order) else np.empty(0, dtype=np.int64)
    far = np.flatnonzero(np.arange(len(order)) - start > _NEIGHBOURS)
    out = [(order[start[far]], order[far])]
    here = np.arange(len(order))
    for step in range(1, _NEIGHBOURS + 1):
        here = here[here + step < len(order)]
        here = here[start[here] == start[here + step]]
        if len(here) == 0:
            break
        out.append((order[here], order[here + step]))
    return out
