"""The instruments of `benchmarks.filters`, in small: they plant what they say and say what they measured."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.filters import plot, second_writer, table
from benchmarks.filters.methods import CONTENDERS, Contender, columns_of
from benchmarks.filters.planting import HOW, LEVELS, deranged
from benchmarks.filters.pool import FAULTS, Pool, shuffled
from benchmarks.filters.statements import contrasts
from benchmarks.filters.synthetic import Size, _judge, poison
from filters.findings import concept
from tests.filters.films import films

TEXT_QUALITY = next(c for c in CONTENDERS if c.name == "text quality")


@pytest.fixture(scope="module")
def pool() -> Pool:
    return films(200, 3, 0.2)


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_poison_is_as_much_as_was_said(pool: Pool, share: float) -> None:
    right = pool.take(np.flatnonzero(pool.right))
    poisoned = shuffled(right, share, seed=1)
    assert sum(f == "mismatch" for f in poisoned.fault) == round(share * len(right))
    assert sorted(poisoned.records.texts) == sorted(right.records.texts)
    same = [a == b for a, b in zip(poisoned.records.texts, right.records.texts, strict=True)]
    assert all(s for s, f in zip(same, poisoned.fault, strict=True) if f == "")


def test_a_judge_that_knows_the_truth(pool: Pool) -> None:
    knowing = _judge(pool, np.where(pool.right, 1.0, 0.0))
    assert set(knowing["auroc"].values()) == {1.0} and knowing["precision"] == pytest.approx(1.0, abs=0.2)
    unscored = _judge(pool, np.where(pool.right, np.nan, 0.5))
    assert set(unscored["auroc"].values()) == {0.0} and unscored["precision"] == 0.0


def test_columns_are_kept_and_a_filter_is_trained_once(pool: Pool, tmp_path: Path) -> None:
    clean = pool.records.take(np.flatnonzero(pool.right))
    first, cost = columns_of(TEXT_QUALITY, clean, pool.records, tmp_path / "a", 1, tmp_path)
    assert cost["train"] > 0 and {"", "boilerplate"} <= set(first) and len(first[""]) == len(pool)
    trained = (tmp_path / "filter-text-quality" / "card.json").stat().st_mtime_ns
    other, cost = columns_of(TEXT_QUALITY, clean, pool.records, tmp_path / "b", 1, tmp_path)
    assert cost["train"] == 0 and (tmp_path / "filter-text-quality" / "card.json").stat().st_mtime_ns == trained
    again, _ = columns_of(Contender("text quality", "no such method", {}), clean, pool.records, tmp_path / "a", 1)
    for name, values in first.items():
        np.testing.assert_array_equal(values, other[name])
        np.testing.assert_array_equal(values, again[name])


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("level", LEVELS)
def test_derangement_gives_no_text_twice_and_none_to_its_own_case(level: str, how: str) -> None:
    groups = [f"case{i // 3}" for i in range(120)]
    texts = [f"text {i % 97}" for i in range(120)]
    kinds = ["a" if i < 60 else "b" for i in range(120)]
    source = deranged(groups, texts, kinds, level, how, 0.5, seed=3)
    moved = source != np.arange(120)
    assert 0.4 <= moved.mean() <= 0.5
    assert all((groups[i] != groups[source[i]] and kinds[i] == kinds[source[i]]) or how == "random"
               for i in np.flatnonzero(moved))  # fmt: skip
    assert all(groups[i] != groups[source[i]] for i in np.flatnonzero(moved))
    assert len(set(source.tolist())) == 120  # each text stands once
    if level == "study":
        assert {groups[i] for i in np.flatnonzero(moved)}.isdisjoint(groups[i] for i in np.flatnonzero(~moved))


def test_from_results_to_table_and_plot() -> None:
    """Means over seeds with Student's interval: two seeds 0.1 apart have a half width of 12.706 * 0.05."""
    seeds = {str(s): {"methods": {"ours": judged(0.9 + 0.1 * (s - 1)), "random": judged(0.5)}} for s in (1, 2)}
    told = {"auroc": {"film before": 0.75}, "cpu-s": 20.0}
    results = {
        "synthetic": seeds,
        "poison": {"1": {"0": 0.5, "0.5": 0.3}},
        "second-writer": {"1": {"methods": {"ours": told}}},
        "rate": {"1": {"end to end": 457.0, "share": 0.953}},
    }  # fmt: skip
    text = table.markdown(results)
    assert "| ours | 0.950 ± 0.635 |" in text and "| 50% | 0.300 |" in text
    assert "| ours | 0.750 | 20 |" in text and "457 pairs/s end to end, 95.3%" in text
    drawn = plot.svg(results)
    assert ET.fromstring(drawn).tag.endswith("svg") and "nan" not in drawn and "0.950 ± 0.635" in drawn
    assert table.markdown({}) == "" and ET.fromstring(plot.svg({})).tag.endswith("svg")


def judged(value: float) -> dict[str, Any]:
    return {"auroc": dict.fromkeys(FAULTS, value), "precision": value, "cpu-s": {"train": 2.0, "score": 1.0}}


@pytest.mark.slow
def test_noise_in_its_training_set_makes_a_worse_filter() -> None:
    found = poison(1, Size(pool=400, clean=240), (0.0, 0.9))
    assert found["0"] > found["0.9"]


def test_a_statement_and_its_contrary_are_of_what_was_answered(tmp_path: Path) -> None:
    (tmp_path / "vqa_rad").mkdir()
    rows = [
        ("a.jpg", "Is there a mass in the left lung?", "yes"),
        ("a.jpg", "Is there a pneumothorax on the right?", "no"),  # on the left there may be none either
        ("a.jpg", "Is the heart enlarged?", "yes"),
        ("a.jpg", "Is the heart enlarged?", "no"),  # answered both ways
        ("b.jpg", "Where is the mass?", "Upper left lobe, CT"),
        ("b.jpg", "Is there a shift from left to right?", "yes"),  # names both
    ]
    lines = ["image,question,answer", *(f'{i},{q},"{a}"' for i, q, a in rows)]
    (tmp_path / "vqa_rad" / "qa.csv").write_text("\n".join(lines) + "\n", "utf-8")
    found = {(c.image, c.kind, c.right): c.wrong for c in contrasts(tmp_path)}
    assert found == {
        ("a.jpg", "denial", "There is a mass in the left lung."): "There is no mass in the left lung.",
        ("a.jpg", "side", "There is a mass in the left lung."): "There is a mass in the right lung.",
        ("a.jpg", "denial", "There is no pneumothorax on the right."): "There is a pneumothorax on the right.",
        ("b.jpg", "side", "Where is the mass? Upper left lobe, CT."): "Where is the mass? Upper right lobe, CT.",
        ("b.jpg", "position", "Where is the mass? Upper left lobe, CT."): "Where is the mass? Lower left lobe, CT.",
        ("b.jpg", "denial", "There is a shift from left to right."): "There is no shift from left to right.",
    }


def test_the_second_writer_has_words_and_faults_of_its_own(tmp_path: Path) -> None:
    pool = second_writer.make(100, 5, 0.3)
    assert set(pool.fault) == {"", *second_writer.FAULTS} and 0.15 < np.mean([f == "" for f in pool.fault]) < 0.45
    assert not any(concept(text) for text in pool.records.texts), "the lexicon reads nothing of it"
    assert len(set(pool.records.texts)) > 95
    for text, fault, seen in zip(pool.records.texts, pool.fault, pool.seen, strict=True):
        again = second_writer.text(seen, np.random.default_rng(0))
        assert ("now gone" in text) == (fault == "film before") and again != text
    found = second_writer.measure(5, Size(60, 40), tmp_path, ("text quality",))
    assert found["unread"] == 1.0 and set(found["methods"]["text quality"]["auroc"]) == set(second_writer.FAULTS)
