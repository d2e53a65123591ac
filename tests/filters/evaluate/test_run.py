"""A trained model on films: what it has learned shows, and the numbers are the same however they are asked for."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from curate.errors import RecipeError
from filters.evaluate.encode import encode
from filters.evaluate.retrieval import language
from filters.evaluate.rules import EvaluateRules, check_evaluate_rules
from filters.evaluate.run import evaluate
from filters.evaluate.sets import EvalSet, set_of
from filters.towers.encoder import Filter
from tests.filters.evaluate.test_leakage import train_shards
from tests.filters.evaluate.test_sets import png

QUICK = EvaluateRules(draws=60, shots=(1, 4), shot_draws=2, min_records=8, min_subgroup=20)


@pytest.fixture(scope="session")
def learned(film_model: Filter, known: EvalSet) -> dict[str, Any]:
    return evaluate(film_model, known, QUICK)


def test_what_was_learned_shows(learned: dict[str, Any]):
    tasks = learned["tasks"]
    assert tasks["findings"]["auroc"]["value"] > 0.6
    for way in ("image_to_text", "text_to_image"):
        found = tasks[f"retrieval/{way}"]
        assert found["r1"]["value"] <= found["r5"]["value"] <= found["r10"]["value"]
        assert found["r10"]["low"] > 2 * 10 / 150, "twice what guessing gives, whoever is drawn"
    assert tasks["language/side"]["preferred"]["value"] > 0.55
    assert tasks["linear_probe/findings"]["auroc"]["value"] > 0.55
    assert tasks["language/negation"]["preferred"]["n"] > 50


def test_every_number_has_an_interval_and_its_records(learned: dict[str, Any]):
    found = [m for metrics in learned["tasks"].values() for m in metrics.values()]
    assert len(found) > 30
    for m in found:
        assert set(m) == {"value", "low", "high", "n"} and 0 < m["n"] <= 160
        assert m["low"] <= m["high"] and np.isfinite([m["value"], m["low"], m["high"]]).all()
    json.dumps(learned, allow_nan=False)


def test_order_and_repetition_change_nothing(film_model: Filter, known: EvalSet, learned: dict[str, Any]):
    shuffled = known.take(np.random.default_rng(3).permutation(len(known)))
    assert evaluate(film_model, shuffled, QUICK) == learned


def test_subgroups_are_the_same_metrics_on_fewer(learned: dict[str, Any]):
    assert set(learned["subgroups"]) == {"sex"}, "one modality is no subgroup"
    parts = learned["subgroups"]["sex"]
    assert set(parts) == {"M", "F"}
    name = "retrieval/image_to_text: r5"
    shares = [parts[v][name]["value"] * parts[v][name]["n"] for v in ("M", "F")]
    assert sum(shares) / 160 == pytest.approx(learned["tasks"]["retrieval/image_to_text"]["r5"]["value"], abs=1e-5)


def test_the_probe_of_another_set_is_measured_on_all(film_model: Filter, known: EvalSet, unknown: EvalSet):
    rules = replace(QUICK, tasks=("linear_probe",), max_probe=150)
    found = evaluate(film_model, known, rules, probe=unknown)["tasks"]
    assert found["linear_probe/sex"]["accuracy"]["n"] == 160
    assert 0.3 < found["linear_probe/sex"]["balanced_accuracy"]["value"] < 0.7, "the sex is not in the picture"
    assert found["linear_probe/findings"]["auroc"]["value"] > 0.55


def test_what_leaked_is_told_and_left_out(tmp_path: Path, film_model: Filter, known: EvalSet, unknown: EvalSet):
    train = train_shards(tmp_path, unknown, known)
    rules = replace(QUICK, tasks=("retrieval",))
    found = evaluate(film_model, unknown.take(range(40)), rules, train)
    leaked = found["leakage"]["leaked"]
    assert 4 <= leaked < 40
    assert found["without_leaked"]["retrieval/image_to_text"]["r5"]["n"] == 40 - leaked
    assert found["tasks"]["retrieval/image_to_text"]["r5"]["n"] == 40


def test_classes_alone_have_no_text_tasks(film_model: Filter, unknown: EvalSet):
    labels = [int("effusion" in t[0].lower()) for t in unknown.texts]
    data = EvalSet(
        "c", unknown.keys, unknown.images, [()] * len(unknown), unknown.groups, labels=labels,
        classes=("no effusion", "pleural effusion"), templates=("{c}.",),
    )  # fmt: skip
    found = evaluate(film_model, data, QUICK)["tasks"]
    assert set(found) == {"zero_shot/classes", "linear_probe/classes", "few_shot/classes"}
    assert found["zero_shot/classes"]["accuracy"]["n"] == 160


def test_reading_is_half_right_where_the_text_cannot_be_seen(film_model: Filter):
    long = "The study is complete. " * 30
    keys = [str(i) for i in range(6)]
    texts = [long + "There is a left pleural effusion."] * 6
    found = language(film_model, encode(film_model, set_of("s", keys, [png()] * 6, texts, keys)), 0)
    assert float(found["language/side"]["preferred"].measure(np.ones((1, 6)))[0]) == 0.5


def test_one_record_is_no_error(film_model: Filter, unknown: EvalSet):
    found = evaluate(film_model, unknown.take([0]), QUICK)
    assert found["data"]["records"] == 1 and "retrieval/image_to_text" not in found["tasks"]


@pytest.mark.parametrize(
    "wrong",
    [{"tasks": ("zero-shot",)}, {"draws": 0}, {"probe_test": 1.0}, {"shots": (0,)}, {"max_values": 1}, {"threads": 0}],
)
def test_rules_out_of_range_name_the_field(wrong: dict[str, Any]):
    with pytest.raises(RecipeError, match=rf"evaluate\.{next(iter(wrong))}"):
        check_evaluate_rules(EvaluateRules(**wrong))
