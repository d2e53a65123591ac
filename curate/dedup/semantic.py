"""Semantic duplicates: pairs whose pictures a filter's tower sees alike and whose texts claim the same (SemDeDup,
Abbas et al. 2023, arXiv 2303.09540).

    k-means on a sample -> every record to its clusters -> of each record the nearest better one there -> a threshold

What a record is compared with is bounded: by its two nearest clusters, and in a large cluster by its leaders, the
records that are near no better one. So the work grows as n·sqrt(n), and a million blank pictures cost no more than
others. Two pictures of one look and different claims are no duplicates: they are what a model has to tell apart.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from curate.dedup.rules import SemanticRules

Vectors = npt.NDArray[np.float16] | npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

PROBES = 2  # clusters that a record is looked for in
_SAMPLE = 64  # vectors a cluster that k-means learns from
_BLOCK = 2048  # rows compared at a time
_LEADS = 0.99  # a record that is so near a better one is not compared with others for them
_LEADERS = 16_384  # of a cluster
_PART = 65_536  # vectors assigned at a time
NOTHING = np.float32(-1)  # of a record without a better one beside it


def cluster_count(n: int) -> int:
    """How many clusters for n records: about 1.5 sqrt(n), so that finding a record's clusters and searching them cost
    alike."""
    return max(1, round(1.5 * n**0.5)) if n > _BLOCK else 1


def nearest_better(
    vectors: Vectors, claim: Rows, patient: Rows, rules: SemanticRules, clusters: int | None = None
) -> tuple[Floats, Rows]:
    """(float32[n] cosine, int64[n] row) of the nearest better record that says the same; `NOTHING` and -1 where there
    is none.

    vectors: float[n, d] of length one, best record first; claim: int64[n], equal where two texts claim the same;
    patient: int64[n]. float32 sums: equal to 4 decimals whatever the machine.
    """
    n = len(vectors)
    similarity, nearest = np.full(n, NOTHING), np.full(n, -1, dtype=np.int64)
    for rows in _clusters(vectors, cluster_count(n) if clusters is None else clusters, rules.seed):
        for block, against in _blocks(vectors, rows, similarity):
            found = vectors[block].astype(np.float32) @ vectors[against].astype(np.float32).T
            allowed = (claim[block, None] == claim[against]) & (against < block[:, None])
            if rules.scope != "archive":
                allowed &= (patient[block, None] == patient[against]) == (rules.scope == "patient")
            found[~allowed] = NOTHING
            best = found.argmax(axis=1)
            cosine = np.round(found[np.arange(len(block)), best], 4)
            nearer = cosine > similarity[block]
            similarity[block[nearer]], nearest[block[nearer]] = cosine[nearer], against[best[nearer]]
    return similarity, nearest


def _blocks(vectors: Vectors, rows: Rows, similarity: Floats) -> Iterator[tuple[Rows, Rows]]:
    """(rows, what they are to be compared with): a cluster block by block, best first, against itself and the leaders
    of the blocks before."""
    leaders = rows[:0]
    for at in range(0, len(rows), _BLOCK):
        block = rows[at : at + _BLOCK]
        yield block, np.concatenate([leaders, block])
        leaders = np.concatenate([leaders, block[similarity[block] < _LEADS]])[:_LEADERS]


def _clusters(vectors: Vectors, k: int, seed: int) -> Iterator[Rows]:
    """Rows of each cluster, rising; a row is in its `PROBES` nearest ones."""
    n, width = vectors.shape
    if k <= 1 or n <= k:
        yield np.arange(n)
        return
    import faiss  # an extra: only where this is asked for

    sample = np.sort(np.random.default_rng(seed).permutation(n)[: _SAMPLE * k])
    means = faiss.Kmeans(width, k, niter=10, spherical=True, seed=seed + 1, max_points_per_centroid=_SAMPLE)
    means.train(vectors[sample].astype(np.float32))
    home = np.empty((n, PROBES), dtype=np.int32)
    for at in range(0, n, _PART):
        home[at : at + _PART] = means.index.search(vectors[at : at + _PART].astype(np.float32), PROBES)[1]
    order = np.argsort(home.ravel(), kind="stable")
    ends = np.searchsorted(home.ravel()[order], np.arange(k + 1))
    for start, stop in zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True):
        yield np.sort(order[start:stop] // PROBES)


def threshold_for(similarity: Floats, keep: float) -> float:
    """The cosine from which on records go so that the share ``keep`` of them stays; 2 where all do."""
    going = round((1 - keep) * len(similarity))
    falling = np.sort(similarity)[::-1]
    line = float(falling[going - 1]) if going else 2.0
    return max(line, float(np.nextafter(NOTHING, np.float32(1))))  # what has no better record beside it never goes


def drop_duplicates(vectors: Vectors, similarity: Floats, nearest: Rows, threshold: float) -> tuple[Rows, Floats]:
    """(int64[n] each row's representative, itself where it is kept; float32[n] the cosine to it, `NOTHING` there).

    A row goes for its nearest better one, or for the one that this goes for, where it is itself that near to it: so
    nothing goes for a picture that it does not resemble.
    """
    n = len(similarity)
    parent, cosine = np.arange(n), np.full(n, NOTHING)
    for row in np.flatnonzero(similarity >= np.float32(threshold)).tolist():  # best first: what is better is settled
        other = int(nearest[row])
        stands = int(parent[other])
        near = similarity[row]
        if stands != other:
            near = np.round(np.float32(vectors[row].astype(np.float32) @ vectors[stands].astype(np.float32)), 4)
        if near >= np.float32(threshold):
            parent[row], cosine[row] = stands, near
    return parent, cosine
