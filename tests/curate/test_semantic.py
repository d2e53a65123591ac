"""Semantic duplicates: one look and one claim go, one look and another finding stay; as comparing all pairs says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.dedup.rules import SemanticRules
from curate.dedup.semantic import NOTHING, drop_duplicates, nearest_better, threshold_for
from curate.dedup.semantic_task import SemanticTask
from curate.errors import RecipeError
from curate.export.rules import SelectRules
from curate.export.select import SelectTask
from curate.export.split import SplitRules
from curate.record import DEDUP, RECORD, SEMANTIC, Reason, conform
from curate.step import commit_part

pytest.importorskip("faiss")
ANY = SemanticRules("f")


def unit(rng: np.random.Generator, n: int, d: int = 16) -> np.ndarray:
    x = rng.normal(size=(n, d))
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float16)


def brute(x: np.ndarray, claim: np.ndarray, patient: np.ndarray, scope: str) -> np.ndarray:
    found = np.round(x.astype(np.float32) @ x.astype(np.float32).T, 4)
    ok = np.tril(claim[:, None] == claim, -1)
    if scope != "archive":
        ok &= (patient[:, None] == patient) == (scope == "patient")
    return np.where(ok, found, NOTHING).max(axis=1, initial=NOTHING)


@given(st.integers(0, 2**32), st.integers(0, 60), st.sampled_from(["archive", "patient", "other_patients"]))
@settings(max_examples=30, deadline=None)
def test_small_pools_equal_comparing_all_pairs(seed: int, n: int, scope: str) -> None:
    rng = np.random.default_rng(seed)
    x, claim, patient = unit(rng, n, 3), rng.integers(0, 3, n), rng.integers(0, 4, n)
    similarity, nearest = nearest_better(x, claim, patient, SemanticRules("f", scope=scope))  # type: ignore[arg-type]
    assert np.allclose(similarity, brute(x, claim, patient, scope), atol=2e-4)
    has = np.flatnonzero(nearest >= 0)
    assert (nearest[has] < has).all() and (claim[nearest[has]] == claim[has]).all()
    parent, cosine = drop_duplicates(x, similarity, nearest, 0.95)
    gone = np.flatnonzero(parent != np.arange(n))
    assert (parent[parent] == parent).all() and (cosine[gone] >= np.float32(0.95)).all()
    exact = (x[gone].astype(np.float32) * x[parent[gone]].astype(np.float32)).sum(axis=1)
    assert np.allclose(exact, cosine[gone], atol=2e-4)  # each resembles its own representative


def test_clusters_find_what_comparing_all_pairs_finds() -> None:
    rng = np.random.default_rng(0)
    x = unit(rng, 3000, 24)
    copies = np.sort(rng.permutation(np.arange(1500, 3000))[:600])
    near = x[rng.integers(0, 1500, 600)].astype(np.float32) + 0.04 * rng.normal(size=(600, 24))
    x[copies] = near / np.linalg.norm(near, axis=1, keepdims=True)
    zero = np.zeros(3000, np.int64)
    similarity, _ = nearest_better(x, zero, zero, ANY, clusters=40)
    want = brute(x, zero, zero, "archive") >= 0.95
    assert want.sum() > 500 and (similarity[want] >= 0.95).mean() > 0.95
    assert not (similarity[~want] >= 0.95).any()


def test_a_million_blanks_in_small_have_one_leader() -> None:
    """Equal vectors cannot be clustered apart: they are compared with their leader, not with one another."""
    x = np.repeat(unit(np.random.default_rng(1), 1), 20_000, axis=0)
    zero = np.zeros(len(x), np.int64)
    similarity, nearest = nearest_better(x, zero, zero, ANY, clusters=1)
    parent, _ = drop_duplicates(x, similarity, nearest, 0.95)
    assert parent.max() == 0 and similarity[1:].min() > 0.99


def test_a_chain_does_not_swallow_itself() -> None:
    angles = np.deg2rad(np.arange(0, 80, 10.0))
    x = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float16)
    zero = np.zeros(len(x), np.int64)
    parent, _ = drop_duplicates(x, *nearest_better(x, zero, zero, ANY), 0.98)
    assert parent.tolist() == [0, 0, 2, 2, 4, 4, 6, 6]


def test_the_threshold_follows_from_the_share_that_is_to_stay() -> None:
    similarity = np.array([NOTHING, 0.9, 0.99, NOTHING, 0.5, 0.7], np.float32)
    assert threshold_for(similarity, 1) > 1
    assert threshold_for(similarity, 0.5) == pytest.approx(0.7)
    assert threshold_for(similarity, 0) > NOTHING  # what nothing resembles never goes


def steps(tmp_path: Path, rows: Sequence[tuple[str, str, str, float, Sequence[float] | None]]) -> SemanticTask:
    """(patient, findings, text hash, score, embedding) of each record, as the three steps before wrote them."""
    n = len(rows)
    keys = [f"{i:032x}" for i in range(n)]
    told = {"key": keys, "patient": [r[0] for r in rows], "text_hash": [r[2] for r in rows]}
    commit_part(tmp_path / "ingest", 0, conform(pa.table(told), RECORD), 0)
    kept = {"key": keys, "partition": [0] * n, "cluster": keys}
    commit_part(tmp_path / "dedup", 0, conform(pa.table(kept), DEDUP), 0)
    scored = {
        "key": keys,
        "findings": pa.array([r[1] or None for r in rows], pa.string()),
        "f": pa.array([r[3] for r in rows], pa.float32()),
        "f_image_embedding": pa.array([r[4] for r in rows], pa.list_(pa.float16(), 2)),
    }
    commit_part(tmp_path / "score", 0, pa.table(scored), 0)
    return SemanticTask(*(str(tmp_path / s) for s in ("ingest", "dedup", "score")), 1, ANY, SplitRules(0, 0))


P, Q = "a" * 32, "b" * 32
SAME, OTHER = [np.float16(1), np.float16(0)], [np.float16(0), np.float16(1)]


def test_the_best_scored_of_one_look_and_one_claim_stays(tmp_path: Path) -> None:
    task = steps(
        tmp_path,
        [
            (P, "effusion@left", "t0", 0.2, SAME),  # goes for 1, which is better
            (Q, "effusion@left", "t1", 0.9, SAME),
            (P, "effusion@right", "t2", 0.1, SAME),  # same look, other side
            (P, "effusion@left", "t3", 0.1, OTHER),  # same claim, other look
            (P, "", "t4", 0.5, SAME),  # nothing known: by its words
            (Q, "", "t4", 0.4, SAME),
            (Q, "", "t5", 0.3, SAME),
            (Q, "effusion@left", "t0", 0.0, None),  # no picture: stays
        ],
    )
    table = task.run(0)
    assert table.schema.remove_metadata() == SEMANTIC and float(table.schema.metadata[b"radsift.semantic"]) == 0.95
    assert table["key"].to_pylist() == [f"{i:032x}" for i in range(8)]
    told = {r["key"][-1]: r["duplicate_of"][-1] for r in table.to_pylist() if r["drop_reason"]}
    assert told == {"0": "1", "5": "4"}
    assert set(table["drop_reason"].to_pylist()) == {None, Reason.SEMANTIC_DUPLICATE.value}
    commit_part(tmp_path / "semantic", 0, table, 0)
    folders = str(tmp_path / "ingest"), str(tmp_path / "semantic"), str(tmp_path / "score")
    chosen = pa.concat_tables(SelectTask(*folders, SelectRules(by="dfn"), SplitRules(0, 0)).run(0))
    assert [k[-1] for k in chosen["key"].to_pylist()] == ["1", "2", "3", "4", "6", "7"]


def test_held_out_records_stay_and_nothing_goes_for_one(tmp_path: Path) -> None:
    held, trained = "0" * 32, "f" * 32
    task = steps(tmp_path, [(held, "normal", "t", 0.9, SAME), (trained, "normal", "t", 0.1, SAME)])
    whole = SemanticTask(task.ingest, task.dedup, task.scores, 1, ANY, SplitRules(0, 0.5)).run(0)
    assert whole["drop_reason"].null_count == 2


def test_patients_in_their_scope(tmp_path: Path) -> None:
    rows = [(P, "normal", "t", 0.9, SAME), (P, "normal", "t", 0.8, SAME), (Q, "normal", "t", 0.7, SAME)]
    for scope, gone in (("archive", "12"), ("patient", "1"), ("other_patients", "2")):
        task = steps(tmp_path / scope, rows)
        rules = SemanticRules("f", scope=scope)  # type: ignore[arg-type]
        told = SemanticTask(task.ingest, task.dedup, task.scores, 1, rules, task.splits).run(0).to_pylist()
        assert "".join(r["key"][-1] for r in told if r["drop_reason"]) == gone


def test_a_filter_without_embeddings_is_named(tmp_path: Path) -> None:
    task = steps(tmp_path, [(P, "normal", "t", 0.9, SAME)])
    with pytest.raises(RecipeError, match=r"semantic\.by.*'g' gives no embeddings"):
        SemanticTask(task.ingest, task.dedup, task.scores, 1, SemanticRules("g"), task.splits).run(0)
