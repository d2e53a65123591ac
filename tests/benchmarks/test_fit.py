"""Fitting the text rules' networks: the same bytes each time, limits that are chosen, texts that are nobody's test."""

from __future__ import annotations

import random
import re
from importlib.resources import files

import numpy as np
import pytest

from benchmarks.deid.fit.made_sentences import Maker, Names
from benchmarks.deid.fit.texts import FOLDS, FRESH, PLAIN, WRITERS, Drawer, marked, written
from curate.deid.text import tagger
from curate.deid.words import looks

HELD_OUT = ("test", "third", "fourth", "fifth", "sixth")
NAMES = Names(["rose", "young"], ["ito", "abara"], ["mary"], ["okonkwo", "szymborska"])


def runs(text: str, size: int = 8) -> set[tuple[str, ...]]:
    """All runs of so many words."""
    words = re.findall(r"[a-z]+", re.sub(r"\[\[[A-Z]+\||\]\]|\{\w+\}", " ", text).lower())
    return {tuple(words[i : i + size]) for i in range(len(words) - size + 1)}


def texts(name: str) -> list[str]:
    lines = files("benchmarks.deid").joinpath(f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return re.findall(r'"text": "((?:[^"\\]|\\.)*)"', "\n".join(lines))


def test_every_writer_is_left_out_once():
    assert sorted(name for fold in FOLDS for name in fold) == sorted([*WRITERS, FRESH])


def test_no_text_that_is_fitted_to_repeats_one_that_is_counted_on():
    counted = {
        run: (name, at) for name in HELD_OUT for at, text in enumerate(texts(f"frames/{name}")) for run in runs(text)
    }
    for writer in (*WRITERS, PLAIN):
        for text in texts(f"fit/train_{writer}"):
            own = runs(text)
            same = [counted[run] for run in own if run in counted]
            assert len(same) <= max(4, len(own) // 4), f"a text of train_{writer} is half one that is held out"


def test_a_text_drawn_anew_keeps_its_marks_and_everything_else():
    drawer = Drawer(Maker(NAMES, 1), random.Random(1))
    for one in written("m")[:20]:
        new = drawer.vary(one)
        assert [label for label, _ in new] == [label for label, _ in one.pieces]
    assert marked("by [[NAME|Ito]] of [[PLACE|Fernhill]].")[1::2] == [("NAME", "Ito"), ("ADDRESS", "Fernhill")]
    assert marked("in [[PLACE|Ward 5A, bed 9]]") == [
        ("", "in "), ("", "Ward "), ("ADDRESS", "5A"), ("", ", bed "), ("ADDRESS", "9")
    ]  # fmt: skip


def test_a_fit_writes_the_same_bytes_again_and_its_limits_cost_no_more_than_where_they_began(monkeypatch):
    torch = pytest.importorskip("torch")
    from benchmarks.deid.fit import tagger_net

    monkeypatch.setattr(tagger_net, "EPOCHS", 1)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        some = [tagger_net.example(one) for one in written("m")[:30]]
        one, other = tagger_net.fit(some), tagger_net.fit(some)
    finally:
        torch.set_num_threads(threads)
    assert all(one[name].tobytes() == other[name].tobytes() for name in one)
    numbers = {name: value.astype(np.float32) for name, value in one.items()}
    seen = {row for each in some for form in each.tokens.forms for row in tagger.rows(form)}
    told = np.flatnonzero(one["forms"].any(axis=1))  # of letters that were never seen nothing is said
    assert {*told[told >= len(tagger.FIXED)]} <= seen and told[-1] >= len(tagger.FIXED)
    held = [tagger_net.Held.of(each, numbers) for each in some[:12]]
    limits = tagger_net.choose(held)
    found, start = tagger_net.total(held, limits), tagger_net.total(held, tagger_net.START)
    last = tagger_net.PRICES[-1]  # what is dearest keeps most words
    keeps = found["words"] <= tagger_net.ALLOWED * tagger_net.total(held, None)["words"]
    assert keeps or tagger_net.cost(found, last) <= tagger_net.cost(start, last)
    assert {name: len(value) for name, value in limits.items()} == {
        name: len(value) for name, value in tagger_net.START.items()
    }
    assert len(limits["begin"]) == len(tagger.LABELS)


def test_large_tables_are_written_in_steps_and_read_back_to_half_a_step(tmp_path, monkeypatch):
    pytest.importorskip("torch")
    from benchmarks.deid.fit import __main__ as fit

    r = np.random.default_rng(1)
    large, small = r.normal(0, [1, 5], (4000, 2)), np.array([0.25, 0.94], np.float32)
    (tmp_path / "data").mkdir()
    fit.write(tmp_path / "data" / "some.npz", {"large": large, "small": small})
    monkeypatch.setattr(looks, "files", lambda _: tmp_path)
    found = looks.read_weights("some")
    assert found.keys() == {"large", "small"} and (found["small"] == small).all()
    assert (np.abs(found["large"] - large) <= 0.51 * np.abs(large).max(axis=0) / fit.STEPS).all()
