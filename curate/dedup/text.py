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

from collections.abc import Callable, Iterator, Sequence
from difflib import SequenceMatcher
from functools import lru_cache
from hashlib import blake2b
from operator import eq
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from curate.dedup.exact import Pairs, exact_pairs, normalise, plain_hash
from curate.dedup.leaders import by_bucket, link_to_leaders, mix
from curate.dedup.rules import JACCARD

MINHASH_SIZE = 64  # uint32 values: the guard, then the MinHash
GUARD_SIZE = 4  # 128 bits: guards are equal where the critical words are
_PERMUTATIONS = MINHASH_SIZE - GUARD_SIZE
_RECALL = 0.999  # what the bands must promise at the threshold
_NEIGHBOURS = 64  # of a crowded bucket, each row meets so many others
_LEADERS = 8  # of a hot one
_READ = 1 << 12  # texts whose words are held, 8 kB each
_VOCABULARY = 1 << 17  # words of which something is remembered
T = TypeVar("T")


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


class _ByWord(dict[str, T]):
    """What is said of a word, made once; begun anew where there are too many."""

    def __init__(self, make: Callable[[str], T]) -> None:
        self._make = make

    def __missing__(self, word: str) -> T:
        if len(self) >= _VOCABULARY:
            self.clear()
        value = self[word] = self._make(word)
        return value


def _hashed(text: str, size: int) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=size).digest()


_WORD_HASHES = _ByWord(lambda word: int.from_bytes(_hashed(word, 8), "little"))


# A long critical word with two neighbours swapped means what it meant; none of these is another word.
_SWAPPED = {
    word[:k] + word[k + 1] + word[k] + word[k + 2 :]: word
    for word in GUARD_WORDS
    if len(word) >= 6
    for k in range(1, len(word) - 1)
    if word[k] != word[k + 1]
}


def _critical(word: str) -> str:
    """The critical word that this one is, "" where it is none."""
    word = _SWAPPED.get(word, word)
    return word if word in GUARD_WORDS or not word.isalpha() or not word.isascii() else ""


_CRITICAL = _ByWord(_critical)


def _guard(words: Sequence[str]) -> bytes:
    """16 bytes over the critical words among a text's, in order: listed, with a digit or sign, not ASCII."""
    return _hashed(" ".join(filter(None, map(_CRITICAL.__getitem__, words))), 4 * GUARD_SIZE)


def text_signature(text: str) -> tuple[str, bytes]:
    """(`curate.dedup.exact.text_hash`, uint32[MINHASH_SIZE], little endian: the guard, then 60 minima over the words).

    Broder 1997: two texts agree on each minimum with the probability of their word sets' Jaccard similarity. The text
    is normalised once for both.
    """
    plain = normalise(text)
    return plain_hash(plain), _minhash(plain)


def _minhash(plain: str) -> bytes:
    words = plain.split() or [""]
    hashes = np.fromiter(map(_WORD_HASHES.__getitem__, words), dtype=np.uint64, count=len(words))
    minima = (_MULTIPLIERS * hashes).min(axis=1) >> np.uint64(32)
    packed: bytes = minima.astype("<u4").tobytes()
    return _guard(words) + packed


class _Words:
    """The words of the texts that are asked for, each text normalised once."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = texts
        self.of = lru_cache(maxsize=_READ)(self._read)

    def _read(self, row: int) -> tuple[tuple[str, ...], frozenset[str]]:
        words = tuple(normalise(self.texts[row]).split())
        return words, frozenset(words)

    def jaccard(self, i: int, j: int) -> float:
        """Of two rows."""
        a, b = self.of(i)[1], self.of(j)[1]
        common = len(a & b)
        return common / max(1, len(a) + len(b) - common)

    def near(self, pairs: Pairs, jaccard: float) -> npt.NDArray[np.bool_]:
        """bool[m]: which pairs are so similar, and no content word is another."""
        near = (
            self.jaccard(i, j) >= jaccard and not _restated(self.of(i)[0], self.of(j)[0]) for i, j in pairs.tolist()
        )
        return np.fromiter(near, np.bool_, len(pairs))


def _slip(one: str, other: str) -> bool:
    """Whether two words are one keystroke apart: a letter more, less or other, or two neighbours in the wrong order."""
    start = next((k for k, (x, y) in enumerate(zip(one, other, strict=False)) if x != y), min(len(one), len(other)))
    one, other = one[start:], other[start:]
    while one and other and one[-1] == other[-1]:
        one, other = one[:-1], other[:-1]
    return max(len(one), len(other)) <= 1 or (len(one) == 2 and one == other[::-1])


def _restated(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether a content word is exchanged for another that is no slip of it, or has moved to another place."""
    start = _shared(one, other)  # most of two near duplicates is the same from both ends
    one, other = one[start:], other[start:]
    end = _shared(one[::-1], other[::-1])
    a, b = ([w for w in t[: len(t) - end] if w not in _FUNCTION_WORDS] for t in (one, other))
    if not a or not b:
        return False
    gone: set[str] = set()
    come: set[str] = set()
    for kind, low, high, begin, stop in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if kind == "equal":
            continue
        old, new = a[low:high], b[begin:stop]
        if kind == "replace" and not (len(old) == len(new) and all(map(_slip, old, new))):
            return True
        gone.update(old)
        come.update(new)
    return not gone.isdisjoint(come)


def _shared(one: Sequence[str], other: Sequence[str]) -> int:
    """How many words the two have in common at their beginning."""
    common = list(map(eq, one, other))
    return common.index(False) if False in common else len(common)


def near_texts(
    signatures: npt.NDArray[np.uint32], texts: Sequence[str], pairs: Pairs, jaccard: float = JACCARD
) -> npt.NDArray[np.bool_]:
    """bool[m]: which pairs of rows are near duplicates by all three tests, the cheapest first.

    signatures: uint32[n, MINHASH_SIZE]; only their guards are read.
    """
    guards = signatures[:, :GUARD_SIZE]
    out = (guards[pairs[:, 0]] == guards[pairs[:, 1]]).all(axis=1)
    out[out] = _Words(texts).near(pairs[out], jaccard)
    return np.asarray(out, dtype=np.bool_)


def near_text_pairs(
    signatures: npt.NDArray[np.uint32],
    texts: Sequence[str],
    ids: npt.NDArray[np.int64],
    jaccard: float = JACCARD,
    group: npt.NDArray[np.int64] | None = None,
) -> Pairs:
    """int64[m, 2], i < j, sorted: pairs of near duplicates, Jaccard of their words at least ``jaccard``.

    signatures: uint32[n, MINHASH_SIZE], as `text_signature` gives them; ids: int64[n], equal where texts normalise
    alike, negative where nothing is left; group: int64[n], where given only pairs of one group count. A pair at the
    threshold is proposed with probability 0.999. Texts that normalise alike are linked to the first of them, and only
    that one is compared with others. In a bucket of more than `leaders.HOT` what matches one of the first is linked to
    that alone; of the rest a row meets its 64 neighbours and the first.
    """
    if signatures.shape != (len(texts), MINHASH_SIZE):
        raise ValueError(f"want signatures of shape ({len(texts)}, {MINHASH_SIZE}), got {signatures.shape}")
    same, single = exact_pairs(ids, group), ids >= 0
    single[same[:, 1]] = False
    rows = np.flatnonzero(single)
    words, where = _Words(texts), None if group is None else group[rows]

    def confirm(left: npt.NDArray[np.int64], right: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        both = rows[np.stack([left, right], axis=1)]
        out = _agree(signatures, both, jaccard)
        out[out] = words.near(both[out], jaccard)
        return out

    links, free = [same], np.ones(len(rows), dtype=bool)
    for key in _bands(signatures, rows, jaccard, where):
        led = link_to_leaders(np.flatnonzero(free), key, confirm, _LEADERS)
        free[led[:, 1]] = False
        links.append(rows[led])
    rows = rows[free]
    found = _propose(signatures, rows, jaccard, None if where is None else where[free])
    found = np.concatenate([*links, found[words.near(found, jaccard)]])
    return found[np.lexsort((found[:, 1], found[:, 0]))]


_PIECE = 1 << 14  # pairs whose minima are compared at once


def _agree(signatures: npt.NDArray[np.uint32], pairs: Pairs, jaccard: float) -> npt.NDArray[np.bool_]:
    """bool[m]: whether so many of the 60 minima agree that the similarity may be ``jaccard``, within five standard
    errors. Of a hundred thousand texts, chance proposes more pairs than there are duplicates."""
    floor = jaccard - 5 * (jaccard * (1 - jaccard) / _PERMUTATIONS) ** 0.5
    out = np.zeros(len(pairs), dtype=np.bool_)
    for at in range(0, len(pairs), _PIECE):
        left, right = signatures[pairs[at : at + _PIECE].T, GUARD_SIZE:]
        out[at : at + _PIECE] = (left == right).mean(axis=1) >= floor
    return out


def rows_per_band(jaccard: float) -> int:
    """The longest bands of 60 minima that still propose a pair at ``jaccard`` with probability 0.999."""
    widths = (1, 2, 3, 4, 5, 6, 10, 12)  # divisors of 60
    return max((r for r in widths if (1 - jaccard**r) ** (_PERMUTATIONS // r) <= 1 - _RECALL), default=1)


def _bands(
    signatures: npt.NDArray[np.uint32],
    rows: npt.NDArray[np.int64],
    jaccard: float,
    group: npt.NDArray[np.int64] | None,
) -> Iterator[npt.NDArray[np.uint64]]:
    """uint64[n] a band, of ``rows`` alone: equal where guard, group and the band are, but for a chance of 64 bits."""
    base = np.zeros(len(rows), dtype=np.uint64) if group is None else group.astype(np.uint64)
    for k in range(GUARD_SIZE):
        base = mix(base, signatures[rows, k])
    width = rows_per_band(jaccard)
    for band in range(GUARD_SIZE, MINHASH_SIZE, width):
        key = base
        for k in range(band, band + width):
            key = mix(key, signatures[rows, k])
        yield key


def _propose(
    signatures: npt.NDArray[np.uint32],
    rows: npt.NDArray[np.int64],
    jaccard: float,
    group: npt.NDArray[np.int64] | None,
) -> Pairs:
    """int64[m, 2], i < j, sorted: those of ``rows`` that share a band and `_agree`."""
    n, codes = max(len(signatures), 1), [np.empty(0, dtype=np.int64)]
    for key in _bands(signatures, rows, jaccard, group):
        for left, right in _bucket_pairs(key):
            pairs = np.stack([rows[left], rows[right]], axis=1)
            codes.append(pairs[_agree(signatures, pairs, jaccard)] @ np.array([n, 1]))
    return np.stack(np.divmod(np.unique(np.concatenate(codes)), n), axis=1)


def _bucket_pairs(key: npt.NDArray[np.uint64]) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """Pairs (lower row, higher row) of equal key: each with its 64 next, and every one with its bucket's first."""
    order, bucket = by_bucket(key)
    start = np.searchsorted(bucket, bucket)
    far = np.flatnonzero(np.arange(len(order)) - start > _NEIGHBOURS)
    yield order[start[far]], order[far]
    here = np.arange(len(order))
    for step in range(1, _NEIGHBOURS + 1):
        here = here[here + step < len(order)]
        here = here[bucket[here] == bucket[here + step]]
        if len(here) == 0:
            break
        yield order[here], order[here + step]
