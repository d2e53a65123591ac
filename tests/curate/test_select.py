"""The choice on three-row tables, and that it depends on nothing but keys and columns."""

from __future__ import annotations

import dataclasses
import random
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from curate.errors import RecipeError, RunError
from curate.export.balance import quotas
from curate.export.choose import REASONS, Choice
from curate.export.columns import fixed_bytes, read_columns
from curate.export.cut import precision_threshold, ranks, stable_order
from curate.export.labels import Labels, age_bands, findings_in, rarest_finding, subgroups
from curate.export.repeat import key_words, soft_cap, uniform
from curate.export.rules import Floor, SelectRules
from curate.export.select import SelectTask, cut_of, splits_of
from curate.export.split import SPLITS, SplitRules, split_of
from curate.intact import part_path
from curate.record import DEDUP, RECORD, SELECTION, Reason, conform, drop_each
from tests.curate.choosing import choose, decide

KEYS = [f"{i:032x}" for i in range(6)]
SCORES = np.array([0.1, 0.5, 0.5, np.nan, 0.9, -0.2], np.float32)


def reasons(choice: Choice) -> list[str | None]:
    return [r and r.value for r in (REASONS[i] for i in choice.reason)]


@pytest.mark.parametrize(
    ("rules", "kept"),
    [
        (SelectRules(by="dfn"), [0, 1, 2, 3, 4, 5]),
        (SelectRules(by="dfn", top_k=2), [1, 4]),  # a tie is broken by key
        (SelectRules(by="dfn", top_k=99), [0, 1, 2, 4, 5]),
        (SelectRules(by="dfn", threshold=0.5), [1, 2, 4]),
        (SelectRules(by="dfn", keep=0.4), [1, 4]),  # of the five that have a score
        (SelectRules(by="dfn", keep=1.0), [0, 1, 2, 4, 5]),
    ],
)
def test_one_cut(rules: SelectRules, kept: list[int]) -> None:
    chosen, weight = choose({"dfn": SCORES}, KEYS, rules)
    assert np.flatnonzero(chosen).tolist() == kept and weight.tolist() == chosen.astype(float).tolist()


def test_a_threshold_is_met_by_the_float32_nearest_to_it() -> None:
    assert choose({"dfn": np.array([0.7], np.float32)}, ["a"], SelectRules(by="dfn", threshold=0.7))[0].all()


_FEW = st.sampled_from([0.0, -0.0, 0.5, -0.5, np.inf, -np.inf, np.nan, -np.nan, 1e-45, -1e-45])


@given(st.lists(_FEW | st.floats(width=32), max_size=20))
def test_the_order_of_scores_is_numpys_stable_one(values: list[float]) -> None:
    scores = np.array(values, np.float32)
    assert stable_order(scores).tolist() == np.argsort(scores, kind="stable").tolist()


def test_reasons_say_which_rule_dropped_a_record() -> None:
    columns = {
        "dfn": np.array([0.9, 0.8, 0.7, 0.6, 0.5, np.nan], np.float32),
        "text": np.array([1, 0, 1, 1, 1, 1], np.float32),
        "findings": ["normal", "normal", "normal", "", "", ""],
    }
    choice = decide(columns, KEYS, SelectRules(by="dfn", keep=0.4, all_of={"text": 0.9}, cap=1))
    assert reasons(choice) == [None, "below_another_cut", "concept_cap", None, "score_below_cut", "unscored"]


def test_a_capped_record_below_the_cut_was_dropped_by_the_cut() -> None:
    columns = {"dfn": np.array([3, 2, 1.0], np.float32), "findings": ["mass", "edema", "mass"]}
    assert reasons(decide(columns, KEYS[:3], SelectRules(by="dfn", top_k=1, cap=1)))[2] == "score_below_cut"


def test_nan_in_a_column_that_must_agree_is_unscored() -> None:
    columns = {"dfn": np.array([1, 2], np.float32), "text": np.array([np.nan, 1], np.float32)}
    agree = SelectRules(by="dfn", keep=1.0, all_of={"text": 1.0})
    assert reasons(decide(columns, KEYS[:2], agree)) == ["unscored", None]
    assert reasons(decide(columns, KEYS[:2], SelectRules(keep=1.0, by={"dfn": 1, "text": 1}))) == ["unscored", None]


def test_weights_over_columns_are_means_of_ranks() -> None:
    columns = {"dfn": np.array([1, 2, 3], np.float32), "text": np.array([300, 100, 200], np.float32)}
    assert choose(columns, KEYS[:3], SelectRules(top_k=1, by={"dfn": 1, "text": 3}))[0].tolist() == [True, False, False]
    assert choose(columns, KEYS[:3], SelectRules(top_k=1, by={"dfn": 3, "text": 1}))[0].tolist() == [False, False, True]


@given(st.lists(st.integers(0, 4) | st.none(), min_size=1, max_size=12), st.data())
def test_a_rank_is_the_share_below_and_half_of_the_ties(values: list[int | None], data: Any) -> None:
    among = np.array(data.draw(st.lists(st.booleans(), min_size=len(values), max_size=len(values))))
    scores = np.array([np.nan if v is None else v for v in values], np.float32)
    known = [v for v, a in zip(values, among, strict=True) if a and v is not None]
    for got, v in zip(ranks(scores, among), values, strict=True):
        if v is None:
            assert np.isnan(got)
        else:
            assert got == pytest.approx(sum((k < v) + (k == v) / 2 for k in known) / max(len(known), 1))


# -- precision ------------------------------------------------------------------------------------------------------


def test_precision_cuts_at_the_smallest_score_that_reaches_it() -> None:
    columns = {"ours": np.array([0.9, 0.8, 0.4, 0.1], np.float32)}
    rules = SelectRules(by="ours", precision=0.7)
    assert choose(columns, KEYS[:4], rules)[0].tolist() == [True, True, True, False]  # 0.7 = mean of 0.9, 0.8, 0.4
    with pytest.raises(RecipeError, match=r"out of reach.*0\.900"):
        choose(columns, KEYS[:4], SelectRules(by="ours", precision=0.95))
    with pytest.raises(RecipeError, match="no column of probabilities"):
        choose({"dfn": SCORES}, KEYS, SelectRules(by="dfn", precision=0.5))
    assert not choose({"ours": np.full(2, np.nan, np.float32)}, KEYS[:2], rules)[0].any()


def test_precision_by_another_columns_probability() -> None:
    columns = {"dfn": np.array([3, 2, 1], np.float32), "ours": np.array([0.2, 1.0, 0.0], np.float32)}
    rules = SelectRules(by="dfn", precision=0.6, probability="ours")
    assert choose(columns, KEYS[:3], rules)[0].tolist() == [True, True, False]


@given(st.lists(st.tuples(st.integers(0, 5), st.floats(0, 1, width=16)), min_size=1, max_size=10), st.floats(0, 1))
def test_the_precision_threshold_is_the_smallest_there_is(rows: list[tuple[int, float]], wanted: float) -> None:
    scores, p = (np.array(c, float) for c in zip(*rows, strict=True))
    means = {s: float(p[scores >= s].mean()) for s in set(scores)}
    got, best = precision_threshold(scores, p, wanted)
    assert best == pytest.approx(max(means.values()))
    close = [s for s, m in means.items() if abs(m - wanted) < 1e-5]  # either side is right there
    assert got == min((s for s, m in means.items() if m >= wanted), default=None) or got in close or close


# -- concepts and subgroups -----------------------------------------------------------------------------------------


def test_findings_and_ages() -> None:
    assert findings_in("effusion@left;effusion@right;mass") == ["effusion", "mass"] and findings_in("") == []
    bands = age_bands(pa.array([0, 17, 18, 59, 79, 80, 90, None], pa.int16()))
    assert [bands.names[c] for c in bands.codes] == ["0-17", "0-17", "18-39", "40-59", "60-79", "80+", "80+", ""]
    groups = subgroups("finding", {"findings": ["b@left;a", "", "b"]})
    rows, members = groups.expand(np.array([2, 0, 1]))
    assert [(r, groups.names[m]) for r, m in zip(rows.tolist(), members.tolist(), strict=True)] == [
        (2, "b"),
        (0, "a"),
        (0, "b"),
    ]


def test_labels_know_nulls_and_sort_their_names() -> None:
    labels = Labels.of(["b", None, "a", ""])
    assert labels.names == ("", "a", "b") and labels.codes.tolist() == [2, 0, 1, 0]
    assert Labels.of(pa.array(["b", None], pa.string()).dictionary_encode()).names == ("", "b")
    assert Labels.of([]).names == ()


def test_the_rarest_finding_is_the_stratum() -> None:
    labels = Labels.of(["mass;normal", "normal", "normal", "", "mass;edema"])
    strata = rarest_finding(labels, np.arange(5))
    assert [strata.names[c] for c in strata.codes] == ["mass", "normal", "normal", "", "edema"]


def test_balance_brings_a_rare_finding_back() -> None:
    findings = ["normal"] * 8 + ["nodule"] * 2
    columns = {"dfn": np.arange(10, 0, -1).astype(np.float32), "findings": findings}
    keys = [f"{i:032x}" for i in range(10)]
    kept = {b: choose(columns, keys, SelectRules(by="dfn", top_k=4, balance=b))[0] for b in (0.0, 0.5, 1.0)}
    assert [int(k[8:].sum()) for k in kept.values()] == [0, 1, 2]
    assert kept[1.0].tolist() == [True, True, *[False] * 6, True, True]
    assert all(k.sum() == 4 for k in kept.values())


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=8), st.floats(0, 1))
def test_quotas_keep_the_sum_and_never_ask_for_more_than_there_is(rows: list[tuple[int, int]], b: float) -> None:
    plain, there = np.array([r[0] for r in rows]), np.array([sum(r) for r in rows])
    got = quotas(plain, there, b)
    assert got.sum() == plain.sum() and (got >= 0).all() and (got <= there).all()
    if b == 0:
        assert got.tolist() == plain.tolist()


def test_a_floor_takes_the_place_of_the_worst() -> None:
    columns = {
        "dfn": np.array([6, 5, 4, 3, 2, 1], np.float32),
        "sex": ["M", "M", "M", "F", "F", "F"],
        "age": [1, 2, None, 4, 5, 6],
    }
    choice = decide(columns, KEYS, SelectRules(by="dfn", top_k=3, floor=Floor("sex", 0.3)))
    assert choice.kept.tolist() == [True, True, False, True, False, False]
    assert reasons(choice) == [None, None, "made_room_for_floor", None, "score_below_cut", "score_below_cut"]
    above = decide(columns, KEYS, SelectRules(by="dfn", threshold=4, floor=Floor("sex", 0.3)))
    assert above.kept.tolist() == [True, True, True, True, False, False]


def test_a_floor_asks_first_those_that_no_other_rule_shuts_out() -> None:
    columns = {
        "dfn": np.array([9, 3, 2, 1], np.float32),
        "text": np.array([9, 0, 8, 7], np.float32),
        "view": ["PA", "LL", "LL", None],
    }
    choice = decide(columns, KEYS[:4], SelectRules(by="dfn", top_k=1, all_of={"text": 0.75}, floor=Floor("view", 0.5)))
    assert choice.kept.tolist() == [True, False, True, True]  # one of each view, the unknown one as well


# -- sampling -------------------------------------------------------------------------------------------------------


def test_repeats_are_capped_and_keep_the_size() -> None:
    words = key_words([f"{i * 7919:032x}" for i in range(4000)])
    scores = np.random.default_rng(0).normal(size=4000)
    for temperature in (0.3, 1.0, 30.0, None):
        drawn = soft_cap(scores, uniform(words, 0), 3, temperature)
        assert drawn.max() <= 3 and abs(int(drawn.sum()) - 4000) < 120
    hot, cold = soft_cap(scores, uniform(words, 0), 3, 1e6), soft_cap(scores, uniform(words, 0), 3, 1e-6)
    assert (hot == 1).mean() > 0.99 and set(cold.tolist()) <= {0, 1, 2, 3} and scores[cold == 3].min() > 0
    odds = [
        drawn[scores > 1].mean() / drawn[scores < 0].mean()
        for drawn in (soft_cap(scores, uniform(words, 0), 3, 0.5), hot)
    ]
    assert odds[0] > 3 > 1.1 > odds[1]


def test_expected_draws_follow_the_odds_below_the_cap() -> None:
    scores = np.repeat([0.0, np.log(2.0)], 6000)
    drawn = soft_cap(scores, uniform(key_words([f"{i:032x}" for i in range(12000)]), 0), 9, 1.0)
    assert drawn[6000:].mean() / drawn[:6000].mean() == pytest.approx(2.0, rel=0.06)


@pytest.mark.parametrize("penalty", [0.15, 0.6, 3.0])
def test_a_penalty_gives_what_drawing_one_at_a_time_would(penalty: float) -> None:
    rng = np.random.default_rng(2)
    scores = rng.normal(size=60)
    times = np.zeros((200, 60), int)  # 200 repetitions of the paper's loop, one draw a round, to 60 draws
    for row in times:
        for _ in range(60):
            odds = np.exp(scores - penalty * row)
            row[rng.choice(60, p=odds / odds.sum())] += 1
    words = key_words([f"{i:032x}" for i in range(60)])
    drawn = np.mean([soft_cap(scores, uniform(words, seed), 60, 1.0, penalty) for seed in range(400)], axis=0)
    assert np.abs(drawn - times.mean(0)).max() < 0.2 and np.corrcoef(drawn, times.mean(0))[0, 1] > 0.98
    assert drawn.sum() == pytest.approx(60, abs=1)
    assert soft_cap(scores, uniform(words, 0), 2, 1.0, penalty).max() <= 2
    plain = soft_cap(scores, uniform(words, 0), 60, 1.0).max()
    assert soft_cap(scores, uniform(words, 0), 60, 1.0, 1e-9).max() == plain > drawn.max(), "the best are repeated less"


def test_uniform_numbers_are_uniform_and_those_of_their_key() -> None:
    words = key_words([f"{i:032x}" for i in range(20000)])
    u = uniform(words, 5)
    counts = np.histogram(u, bins=10, range=(0, 1))[0]
    assert counts.sum() == 20000 and counts.min() > 1800
    assert uniform(words[::-1], 5).tolist() == u[::-1].tolist() and uniform(words, 6).tolist() != u.tolist()


def test_what_was_not_drawn_says_so() -> None:
    keys = [f"{i * 7919:032x}" for i in range(300)]
    columns = {"dfn": np.linspace(0, 1, 300, dtype=np.float32), "sex": ["F"] * 20 + ["M"] * 280}
    choice = decide(columns, keys, SelectRules(by="dfn", keep=1.0, repeats=4, temperature=0.1))
    assert choice.weight.max() == 4 and "not_drawn" in reasons(choice) and (choice.kept == (choice.weight > 0)).all()
    held = decide(columns, keys, SelectRules(by="dfn", keep=1.0, repeats=4, temperature=0.1, floor=Floor("sex", 0.5)))
    assert held.kept[:20].sum() >= 10 > choice.kept[:20].sum()


# -- all of it ------------------------------------------------------------------------------------------------------

RULES = st.builds(
    SelectRules,
    keep=st.floats(0, 1, exclude_min=True),
    by=st.sampled_from(["dfn", {"dfn": 1.0, "text": 2.0}]),
    all_of=st.sampled_from([{}, {"text": 0.7}]),
    cap=st.none() | st.integers(1, 3),
    balance=st.sampled_from([0.0, 0.5, 1.0]),
    floor=st.none()
    | st.builds(Floor, st.sampled_from(["sex", "finding", "age_band", ("sex", "finding")]), st.floats(0, 1)),
    repeats=st.sampled_from([1, 3]),
    seed=st.integers(0, 3),
)
ROW = st.tuples(
    st.none() | st.integers(0, 5),
    st.none() | st.integers(0, 5),
    st.sampled_from(["", "normal", "mass@left", "mass@left;edema", "edema"]),
    st.sampled_from([None, "F", "M"]),
    st.sampled_from([5.0, 44.0, 91.0, np.nan]),
)


def table_of(rows: list[Any]) -> dict[str, Any]:
    number = [np.array([np.nan if r[i] is None else r[i] for r in rows], np.float32) for i in (0, 1)]
    findings, sex, age = ([r[i] for r in rows] for i in (2, 3, 4))
    return {"dfn": number[0], "text": number[1], "findings": findings, "sex": sex, "age": np.array(age)}


@settings(max_examples=150, deadline=None)
@given(st.lists(ROW, min_size=1, max_size=20), RULES, st.randoms(use_true_random=False))
def test_the_choice_is_independent_of_order_and_keeps_its_word(
    rows: list[Any], rules: SelectRules, random: Any
) -> None:
    keys = [f"{i * 37 % 101:03x}" for i in range(len(rows))]
    columns = table_of(rows)
    choice = decide(columns, keys, rules)
    order = list(range(len(rows)))
    random.shuffle(order)
    again = decide(table_of([rows[i] for i in order]), [keys[i] for i in order], rules)
    assert again.kept.tolist() == choice.kept[order].tolist() and again.weight.tolist() == choice.weight[order].tolist()
    assert again.reason.tolist() == choice.reason[order].tolist()
    unscored = np.isnan(columns["dfn"]) | (np.isnan(columns["text"]) & (len(rules.score_columns) > 1))
    assert not choice.kept[unscored].any() and (choice.kept == (choice.reason == 0)).all()
    assert (choice.weight[~choice.kept] == 0).all() and choice.weight.max() <= rules.repeats
    if rules.floor and rules.repeats == 1:
        for name in rules.floor.names:
            groups = subgroups(name, columns)
            at, group = groups.expand(np.flatnonzero(~unscored))
            for g in range(len(groups.names)):
                mine = at[group == g]
                assert choice.kept[mine].sum() >= rules.floor.keep * len(mine) - 1e-6
    if rules.floor is None and rules.repeats == 1:
        assert choice.kept.sum() <= round((rules.keep or 0) * int((~unscored).sum()))
    if rules.cap and rules.floor is None:
        kept = [f for f, k in zip(columns["findings"], choice.kept, strict=True) if k and f]
        assert all(kept.count(f) <= rules.cap for f in kept)


@pytest.mark.parametrize(
    ("rules", "field"),
    [
        ({"keep": 0.2, "top_k": 3}, "keep, top_k are given; give one of keep, threshold, top_k, precision"),
        ({"keep": 1.5}, "keep"),
        ({"balance": 0.5}, "balance"),
        ({"balance": 0.5, "threshold": 0.1}, "balance"),
        ({"cap": 0}, "cap"),
        ({"temperature": 0.0}, "temperature"),
        ({"penalty": 0.5}, "penalty"),
        ({"penalty": -1.0, "repeats": 4}, "penalty"),
        ({"by": {}}, "by"),
        ({"by": {"dfn": -1}}, "by"),
        ({"all_of": {"dfn": 2}}, "all_of.dfn"),
        ({"floor": {"by": "shoe", "keep": 0.1}}, "floor"),
        ({"floor": {"by": "sex"}}, "floor.keep"),
    ],
)
def test_rules_that_do_not_fit_name_their_field(rules: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as error:
        SelectRules(**rules)
    fault = error.value.errors()[0]
    named = ".".join(map(str, fault["loc"])) or fault["msg"].removeprefix("Value error, ").partition(":")[0]
    assert named == field


def test_rules_come_back_from_their_own_values() -> None:
    rules = SelectRules(by="dfn", keep=0.2, floor=Floor(("sex", "view"), 0.1))
    assert SelectRules(**dataclasses.asdict(rules)) == rules


# -- from disk ------------------------------------------------------------------------------------------------------


def archive(folder: Path, n: int = 60, parts: int = 3, **scores: Any) -> SelectTask:
    rng = np.random.default_rng(0)
    keys = sorted(rng.bytes(16).hex() for _ in range(n))
    patients = [rng.bytes(16).hex() for _ in range(n)]
    rows = {"key": keys, "patient": patients, "sex": ["F", "M", None] * (n // 3), "age": [None, 50, 91] * (n // 3)}
    record = conform(pa.table(rows), RECORD)
    per = -(-n // parts)
    dedup = conform(pa.table({"key": keys, "partition": pa.array(np.arange(n) // per, pa.int32())}), DEDUP)
    dedup = drop_each(dedup, [Reason.DUPLICATE_IMAGE if i == 4 else None for i in range(n)], "dedup")
    for name in ("ingest", "dedup", "score"):
        (folder / name).mkdir(parents=True)
    pq.write_table(dedup, part_path(folder / "dedup", 0))
    scored = pa.table({"key": keys, **scores})
    for i in range(parts):
        pq.write_table(record.slice(i * per, per), part_path(folder / "ingest", i))
        # the score table has rows in another order, and lacks one record
        mine = scored.slice(i * per, per)
        mine = mine.take(pa.array([j for j in reversed(range(mine.num_rows)) if (i, j) != (0, 5)]))
        pq.write_table(mine, part_path(folder / "score", i))
    where = [str(folder / name) for name in ("ingest", "dedup", "score")]
    return SelectTask(where[0], where[1], where[2], SelectRules(by="dfn", keep=0.5), SplitRules(0.2, 0.2))


def rows_of(task: SelectTask) -> pa.Table:
    return pa.concat_tables(task.run(0))


def numbers(n: int = 60, seed: int = 1) -> pa.Array:
    return pa.array(np.random.default_rng(seed).normal(size=n), pa.float32())


def test_records_out_of_the_order_of_their_keys_stop_the_cut(tmp_path: Path) -> None:
    task = archive(tmp_path, dfn=numbers())
    part = part_path(tmp_path / "dedup", 0)
    table = pq.read_table(part)
    order = [*range(20), 21, 20, *range(22, table.num_rows)]
    pq.write_table(table.take(order), part)
    with pytest.raises(RunError, match="not in the order of its keys"):
        rows_of(task)


def test_the_task_cuts_train_and_leaves_the_held_out_splits(tmp_path: Path) -> None:
    table = rows_of(archive(tmp_path, dfn=numbers()))
    assert table.schema.equals(SELECTION) and table.num_rows == 59
    rows = table.to_pylist()
    train = [r for r in rows if r["split"] == "train"]
    assert all(r["drop_reason"] is None and r["weight"] == 1 for r in rows if r["split"] != "train")
    scored = sorted((r["score"] for r in train if r["score"] is not None), reverse=True)
    kept = [r["score"] for r in train if r["drop_reason"] is None]
    assert sorted(kept, reverse=True) == scored[: round(len(scored) / 2)]
    assert {r["drop_step"] for r in train if r["drop_reason"]} == {"select"}
    (lost,) = [r for r in rows if r["score"] is None]
    assert lost["drop_reason"] in ("unscored", None) and (lost["drop_reason"] is None) == (lost["split"] != "train")
    assert cut_of(table, SelectRules(by="dfn", keep=0.5)) == min(kept)


def test_splits_of_all_are_the_splits_of_each() -> None:
    patients = [random.Random(i).randbytes(16).hex() for i in range(300)] + ["0" * 32, "f" * 32]
    rules = SplitRules(0.25, 0.25)
    got = [SPLITS[i] for i in splits_of(pa.array(patients), rules)]
    assert got == [split_of(p, rules) for p in patients]
    assert [SPLITS[i] for i in splits_of(pa.array(["ab", "f" * 32]), rules)] == [split_of("ab", rules), "train"]
    assert len(splits_of(pa.array([], pa.string()), rules)) == 0


def test_many_parts_and_few_make_the_same_selection(tmp_path: Path) -> None:
    made = {}
    for parts in (2, 10):
        task = archive(tmp_path / str(parts), parts=parts, dfn=numbers(), findings=pa.array(["mass", "normal"] * 30))
        rules = SelectRules(by="dfn", keep=0.5, balance=0.7, floor=Floor(("sex", "age_band"), 0.4), repeats=2)
        task = dataclasses.replace(task, rules=rules)
        first, second = rows_of(task), rows_of(task)
        assert first.equals(second) and first.num_rows == 59
        made[parts] = first.drop_columns(["score"]), first["score"].to_pylist()
    assert made[2][1].count(None) == 1 == made[10][1].count(None)


@pytest.mark.parametrize("seed", range(16))
def test_a_selection_by_slices_is_the_one_by_hand(tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(seed)
    sizes = [0 if seed % 4 == 1 else 9, *rng.integers(0, 30, 5).tolist()]
    n, partition = sum(sizes), np.repeat(np.arange(6), sizes)
    gone = (rng.random(n) < 0.2) | np.isin(partition, [(), (0,), (0, 1), (2, 5), range(6)][seed % 5])
    scores = {name: np.where(rng.random(n) < 0.1, np.nan, rng.integers(0, 6, n) / 5).tolist() for name in ("dfn", "b")}
    columns = {"key": sorted(rng.bytes(16).hex() for _ in range(n)), "patient": [rng.bytes(16).hex() for _ in range(n)]}
    columns |= {**scores, "findings": rng.choice(["mass", "edema", ""], n).tolist(), "sex": ["F"] * n}
    columns |= {"chosen": rng.choice(["original", "synthetic", "none"], n).tolist(), "synthetic_dfn": [0.5] * n}
    table = pa.table(
        columns, pa.schema([(c, pa.float64() if type(v[0]) is float else pa.string()) for c, v in columns.items()])
    )
    for name in ("ingest", "dedup", "score", "texts"):
        (tmp_path / name).mkdir()
    for i in range(6):
        here, kept = table.filter(pa.array(partition == i)), table.filter(pa.array((partition == i) & ~gone))
        pq.write_table(conform(here.select(["key", "patient", "sex"]), RECORD), part_path(tmp_path / "ingest", i))
        pq.write_table(kept.select(["key", "dfn", "b", "findings"]), part_path(tmp_path / "score", i))
        pq.write_table(kept.select(["key", "chosen", "synthetic_dfn"]), part_path(tmp_path / "texts", i))
    dedup = conform(pa.table({"key": table["key"], "partition": pa.array(partition, pa.int32())}), DEDUP)
    pq.write_table(
        drop_each(dedup, [Reason.DUPLICATE_IMAGE if g else None for g in gone], "dedup"),
        part_path(tmp_path / "dedup", 0),
    )
    cut: dict[str, Any] = [{"keep": 0.5}, {"top_k": 20}, {"threshold": 0.4}][seed % 3]
    more: dict[str, Any] = [{}, {"cap": 5}, {"all_of": {"b": 0.6}}, {"cap": 3, "all_of": {"b": 0.8}}][seed % 4]
    rules = SelectRules(by="dfn", filter_eval=seed % 7 == 0, **cut, **more)
    where = [str(tmp_path / name) for name in ("ingest", "dedup", "score", "texts")]
    texts = where[3] if seed % 2 else None
    task = SelectTask(where[0], where[1], where[2], rules, SplitRules(0.2, 0.2), texts)
    whole = rows_of(task)
    monkeypatch.setattr("curate.export.columns.SLICE", 1 + 20 * (seed % 3 == 0))
    assert rows_of(task).equals(whole) and whole.num_rows == n - gone.sum()
    rows = [row for row, out in zip(table.to_pylist(), gone, strict=True) if not out]
    rest = [r for r in rows if not rules.filter_eval and split_of(r["patient"], task.splits) != "train"]
    chosen = by_hand([r for r in rows if r not in rest], rules, texts is not None)
    kept_keys = whole.filter(whole["drop_reason"].is_null())["key"].to_pylist()
    assert kept_keys == sorted(r["key"] for r in rest + chosen)


def by_hand(rows: list[dict[str, Any]], rules: SelectRules, texts: bool) -> list[dict[str, Any]]:
    """The rows that ``rules`` keep, by sorting lists."""
    if texts:
        rows = [r | ({"dfn": 0.5} if r["chosen"] == "synthetic" else {}) for r in rows if r["chosen"] != "none"]

    def best(name: str) -> list[dict[str, Any]]:
        return sorted((r for r in rows if r[name] == r[name]), key=lambda r: (-r[name], r["key"]))

    scored = [r for r in best("dfn") if all(r[name] == r[name] for name in rules.all_of)]
    left = scored
    for name, share in rules.all_of.items():
        left = [r for r in left if r in best(name)[: round(share * len(best(name)))]]
    if rules.cap is not None:
        seen = [r["findings"] for r in left]
        left = [r for i, r in enumerate(left) if not r["findings"] or seen[:i].count(r["findings"]) < rules.cap]
    if rules.threshold is not None:
        return [r for r in left if r["dfn"] >= rules.threshold - 1e-6]
    return left[: rules.top_k if rules.top_k is not None else round((rules.keep or 0) * len(scored))]


def test_where_every_record_is_a_duplicate_nothing_is_selected(tmp_path: Path) -> None:
    task = archive(tmp_path, dfn=numbers(), findings=pa.array(["mass", "normal"] * 30))
    path = part_path(tmp_path / "dedup", 0)
    pq.write_table(drop_each(pq.read_table(path), [Reason.DUPLICATE_IMAGE] * 60, "dedup"), path)
    task = dataclasses.replace(task, rules=SelectRules(by="dfn", keep=0.5, floor=Floor(("finding",), 0.4)))
    assert rows_of(task).num_rows == 0


def test_a_part_written_anew_is_seen(tmp_path: Path) -> None:
    task = archive(tmp_path, parts=10, dfn=numbers())
    before = rows_of(task)["score"].to_pylist()
    part = part_path(tmp_path / "score", 3)
    held = pq.read_table(part)
    pq.write_table(held.set_column(1, "dfn", pa.array([9.0] * held.num_rows, pa.float32())), part)
    after = rows_of(task)["score"].to_pylist()
    assert after != before and after.count(9.0) == held.num_rows


def test_two_columns_and_the_floors(tmp_path: Path) -> None:
    task = archive(tmp_path, dfn=numbers(), ours=numbers(seed=2))
    rules = SelectRules(top_k=6, by={"dfn": 1, "ours": 1}, floor=Floor("sex", 0.3), all_of={"ours": 0.6})
    table = rows_of(dataclasses.replace(task, rules=rules))
    scores = [s for s in table["score"].to_pylist() if s is not None]
    assert min(scores) > 0 and max(scores) < 1
    without = rows_of(dataclasses.replace(task, rules=dataclasses.replace(rules, floor=None)))
    assert table["drop_reason"].null_count > without["drop_reason"].null_count


@pytest.mark.parametrize(
    ("rules", "field", "said"),
    [
        (SelectRules(keep=0.5, by="ours"), "select.by", "'ours'; there are dfn"),
        (SelectRules(by="dfn", keep=0.5, all_of={"text": 0.5}), "select.all_of", "'text'; there are dfn"),
        (SelectRules(by="dfn", keep=0.5, cap=3), "select.cap, balance or floor", "'findings'"),
    ],
)
def test_a_column_that_is_not_there_is_refused_by_name(
    tmp_path: Path, rules: SelectRules, field: str, said: str
) -> None:
    task = dataclasses.replace(archive(tmp_path, dfn=numbers()), rules=rules)
    with pytest.raises(RecipeError) as told:
        task.run(0)
    assert told.value.field == field and said in told.value.problem


def test_without_scores_everything_stays_and_an_empty_run_is_empty(tmp_path: Path) -> None:
    task = archive(tmp_path, dfn=numbers())
    table = rows_of(dataclasses.replace(task, scores=None, rules=SelectRules(by="dfn")))
    assert table["drop_reason"].null_count == 59 and table["score"].null_count == 59
    for name in ("none", "nothing", "empty"):
        (tmp_path / name).mkdir()
    pq.write_table(DEDUP.empty_table(), part_path(tmp_path / "none", 0))
    where = {n: str(tmp_path / f) for n, f in (("ingest", "nothing"), ("dedup", "none"), ("scores", "empty"))}
    assert rows_of(dataclasses.replace(task, **where)).num_rows == 0
    with pytest.raises(RunError, match="59 records that ingest does not have"):
        rows_of(dataclasses.replace(task, ingest=shifted(tmp_path)))


def shifted(folder: Path) -> str:
    """Ingest parts that hold other keys."""
    (folder / "others").mkdir()
    other = conform(pa.table({"key": ["0" * 32], "patient": ["0" * 32]}), RECORD)
    pq.write_table(other, part_path(folder / "others", 0))
    return str(folder / "others")


def test_keys_as_bytes_at_once_or_one_by_one(tmp_path: Path) -> None:
    assert fixed_bytes(pa.array(KEYS)).tolist() == [k.encode() for k in KEYS]
    assert fixed_bytes(pa.array(KEYS).slice(2, 3)).tolist() == [k.encode() for k in KEYS[2:5]]
    assert fixed_bytes(pa.array(["a", "bcd"])).tolist() == [b"a", b"bcd"]
    assert read_columns(tmp_path / "missing", ["key"]).num_rows == 0


def test_the_score_schema_is_what_the_task_reads(tmp_path: Path) -> None:
    task = archive(tmp_path, dfn=numbers())
    assert pq.read_schema(part_path(Path(task.scores or ""), 0)).names == ["key", "dfn"]
