"""The instruments of `benchmarks.training`, in small: what they count is right, and they run from end to end."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from benchmarks import frozen
from benchmarks.filters.pool import Pool
from benchmarks.filters.synthetic import distinct, top
from benchmarks.gpu import training as gpu
from benchmarks.peaks import peak
from benchmarks.training import induced, loader, parity, plot, power, synthetic, table
from benchmarks.training.answers import enough, gap
from benchmarks.training.selections import Ground, cells, done
from benchmarks.training.shards import as_jpeg, write_shards
from benchmarks.training.table import SYNTHETIC
from filters.compare.runs import EvaluationTask
from filters.evaluate.data import read_set
from filters.evaluate.estimate import mean
from filters.evaluate.rules import EvaluateRules
from filters.judges.fit import PairFeatures
from filters.rules import ModelRules, TrainingRules
from filters.towers.lit import LitModel
from filters.towers.model import create_filter
from filters.training.distributed import DistributedContext
from filters.training.loader import Steps
from filters.training.plan import make_plan
from filters.training.shards import open_shards
from tests.filters.films import films

WIDTH, SIDE, PATCH, LAYERS, TOKENS, TEXT, EMBED = 64, 48, 8, 2, 40, 32, 16
TINY = {
    "embed_dim": EMBED,
    "vision_cfg": {"image_size": SIDE, "layers": LAYERS, "width": WIDTH, "head_width": 32, "patch_size": PATCH},
    "text_cfg": {"context_length": TOKENS, "vocab_size": 500, "width": TEXT, "heads": 2, "layers": 1},
}


@pytest.fixture(scope="module")
def arch(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("arch") / "tiny.json"
    path.write_text(json.dumps(TINY))
    return str(path)


@pytest.fixture(scope="module")
def pool() -> Pool:
    return films(120, 3, 0.5)


@pytest.fixture(scope="module")
def shards(pool: Pool, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shards(tmp_path_factory.mktemp("pool") / "shards", pool.records, per_shard=50)


def blocks(n: int, width: int, layers: int) -> float:
    """FLOPs of a transformer's forward pass: 12 width^2 weights a token and layer, and attention of all to all."""
    return layers * (2 * 12 * n * width**2 + 4 * n**2 * width)


def test_flops_by_hand(arch: str) -> None:
    patches = (SIDE // PATCH) ** 2
    patching = 2 * patches * WIDTH * 3 * PATCH**2
    forward = blocks(patches + 1, WIDTH, LAYERS) + 2 * WIDTH * EMBED + blocks(TOKENS, TEXT, 1) + 2 * TEXT * EMBED
    # backward is twice forward, but no gradient flows into the pixels
    assert gpu.flops(arch) == pytest.approx(3 * forward + 2 * patching, rel=1e-6)
    assert gpu.flops(arch, pairs=5) == gpu.flops(arch)
    shorter = 3 * (blocks(TOKENS, TEXT, 1) - blocks(16, TEXT, 1))
    assert gpu.flops(arch) - gpu.flops(arch, context=16) == pytest.approx(shorter, rel=1e-6)


def test_pace_from_memory_is_of_the_same_loop(arch: str, shards: Path) -> None:
    rules = TrainingRules(model=ModelRules(arch), batch=8, samples=32, threads=1, vocab=300)
    found = gpu.measure(shards, rules, 0, "cpu", most=1e12)
    for way, rate in found["pairs/s"].items():
        assert rate > 0 and found["share of peak"][way] == pytest.approx(rate * found["GFLOP/pair"] / 1000)
    assert peak("NVIDIA H200") == 989e12 and peak("something else") is None
    learner = create_filter(rules.model, ["an effusion"], 300, "cpu")
    plan = make_plan(open_shards(shards), rules)
    steps = gpu.Resident(Steps(plan, rules, learner.side, learner.tokenizer, DistributedContext()))
    assert steps[0] is steps[3] and len(steps) == 4


def test_both_loaders_read_the_same(tmp_path: Path) -> None:
    found = loader.measure(tmp_path, records=128, repeats=1, kinds=("jpeg",), most=0)["jpeg, 0 workers"]
    assert found["ratio"] == found["ours"][0] / found["webdataset"][0] > 0
    folder = loader.film_shards(tmp_path, 128, "jpeg")
    words = _Words()
    (ours, theirs) = (next(iter(make(folder, words, 0))) for make in (loader._ours, loader._theirs))  # type: ignore[arg-type]
    assert ours.pixels.shape == theirs[0].shape == (64, 1, 224, 224) and ours.ids.shape == theirs[1].shape
    assert len({p.name for p in folder.glob("*.tar")}) == 2


class _Words:
    context_length, vocab_size = 8, 100

    def __call__(self, texts: Any) -> Any:
        return np.array([([len(w) for w in t.split()] + [0] * 8)[:8] for t in texts], np.int64)


@pytest.mark.parametrize("objective", ["clip", "siglip"])
def test_losses_are_open_clips(arch: str, objective: Any) -> None:
    loss, gradient = parity.against_open_clip(objective, arch, pairs=8)
    assert loss < 1e-5 and gradient < 1e-5


def test_shards_hold_what_was_written(pool: Pool, tmp_path: Path) -> None:
    some = pool.records.take(np.arange(10))
    facts = [{"modality": "CT" if i % 2 else "MR"} for i in range(10)]
    folder = write_shards(tmp_path / "some", some, facts, per_shard=4)
    found = read_set(folder)
    assert found.keys == sorted(some.keys) and found.facts["modality"].count("CT") == 5 and found.known_patients
    assert as_jpeg(some.images[0]).startswith(b"\xff\xd8")
    before = folder.stat().st_mtime_ns
    assert write_shards(folder, some) == folder and folder.stat().st_mtime_ns == before


def test_the_best_are_chosen_and_what_has_no_score_is_last(pool: Pool) -> None:
    values = np.array([0.1, np.nan, 0.9, 0.5, 0.8], np.float32)
    assert top(values, 0.6).tolist() == [2, 3, 4]
    assert 1 not in top(values, 0.8)


def test_dedup_leaves_one_of_a_film_and_its_copies(pool: Pool) -> None:
    left, fault = distinct(pool.records), np.array(pool.fault)
    assert (fault == "duplicate").any() and not left[fault == "duplicate"].any()
    assert left[pool.right].all() and left[fault == "mismatch"].all()


def test_towers_are_asked_once(tmp_path: Path) -> None:
    asked: list[int] = []

    def ask(model: Any, rows: torch.Tensor) -> torch.Tensor:
        asked.append(len(rows))
        return rows.float().sum(dim=1, keepdim=True)

    memory: dict[str, torch.Tensor] = {}
    answer = frozen._cached(ask, memory, lambda row: row[row != 0])
    rows = torch.tensor([[1, 2, 0], [3, 0, 0]])
    assert answer(None, rows).tolist() == [[3.0], [3.0]] and asked == [2]  # type: ignore[arg-type]
    assert answer(None, torch.tensor([[3, 0], [4, 5]])).tolist() == [[3.0], [9.0]]  # type: ignore[arg-type]
    assert asked == [2, 1]
    before = LitModel.image_features
    save_file(memory, tmp_path / "kept")
    with frozen.cached_features(tmp_path / "kept"):
        assert LitModel.image_features is not before
        features: Any = LitModel.text_features
        assert features(None, torch.tensor([[3, 0], [1, 2]])).tolist() == [[3.0], [3.0]], "of an earlier process"
    assert LitModel.image_features is before


def test_from_selections_to_table_and_plot(pool: Pool, shards: Path, arch: str, tmp_path: Path) -> None:
    """Selections by the truth, trained for a moment: what is drawn and said of them is what was measured."""
    results: dict[str, Any] = {"synthetic": {}, "loader": {"1": {"png, 0 workers": {"ratio": 1.25}}}}
    for seed in (1, 2):
        ground = Ground(tmp_path / str(seed), shards, pool.records.keys, pool.right, seed)
        chosen = {"all": np.arange(120), "ours": np.flatnonzero(pool.right)[:40], "oracle": np.flatnonzero(pool.right)}
        rules = TrainingRules(model=ModelRules(arch), batch=16, samples=32, threads=1, vocab=300)
        asked = EvaluateRules(tasks=("retrieval",), draws=1)
        made = cells(ground, chosen, rules, (EvaluationTask("held out", str(shards)),), asked, {"ours": (0.5,)})
        assert [(c.selection, c.budget) for c in made] == [("all", 1), ("ours", 1), ("ours", 0.5), ("oracle", 1)]
        told = [synthetic._with_findings(cell, pool) if seed == 1 else done(cell) for cell in made]
        for cell, found in zip(made, told, strict=True):
            found["tasks"][synthetic.SAME] = told_by(cell.selection, cell.budget, seed)
        results["synthetic"][str(seed)] = {"cells": told}
        assert told[1]["right"] == 1.0 and told[0]["right"] == pytest.approx(pool.right.mean())
    every = [c for s in results["synthetic"].values() for c in s["cells"]]
    assert gap(every, SYNTHETIC["R@10"]).value == pytest.approx(0.9)
    assert enough(every, SYNTHETIC["R@10"]) == 0.5
    text = table.markdown(results)
    assert "| synthetic pool, ours on the way from all to oracle, R@10 | ≥ 0.95 | 0.90 [0.90, 0.90] | no |" in text
    assert "| loader against webdataset, png, 0 workers | ≥ 0.95 | 1.25 | yes |" in text
    assert "| synthetic pool, samples with which ours equals all, R@10 | ≤ 25% | 50% | no |" in text
    assert "nan" not in text.lower()
    drawn = plot.svg(results)
    assert ET.fromstring(drawn).tag.endswith("svg") and "nan" not in drawn
    assert ET.fromstring(plot.svg({})).tag.endswith("svg") and table.markdown({}) == ""


def told_by(selection: str, budget: float, seed: int) -> dict[str, Any]:
    r10 = {"all": 0.2, "ours": 0.2 + 0.36 * (budget - 0.5) / 0.5 if budget < 1 else 0.56, "oracle": 0.6}[selection]
    value = r10 + 0.01 * seed
    return {
        "retrieval": {"r1": value / 2, "r10": value},
        "findings": {"auroc": value},
        "side": {"preferred": value},
    }


def test_power_counts_patients_and_pairs_models_by_seed() -> None:
    groups = [f"p{i // 3}" for i in range(60)]
    chosen = power.drawn_patients(groups, 25, np.random.default_rng(0))
    assert 25 <= chosen.sum() < 28 and len({g for g, c in zip(groups, chosen, strict=True) if c}) * 3 == chosen.sum()
    weights = power.weights_of(chosen, groups)
    assert weights.shape == (201, 60) and (weights[0] == chosen).all() and not weights[:, ~chosen].any()
    assert (weights.sum(axis=1) == chosen.sum()).all()  # whole patients of three pairs each
    better = [mean(np.arange(60) % 2 + 0.5 + seed) for seed in (0, 1, 2)]
    worse = [mean(np.arange(60) % 2 + seed) for seed in (0, 1, 2)]
    found = power.gain(better, worse, np.array([0, 2]), weights)
    assert found.value == pytest.approx(0.5) and found.n == 2 and found.certain


def features_of(n: int, seed: int) -> PairFeatures:
    """Pairs of pictures and texts that follow from each other, three a case."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(n, 6))
    images, texts = ((hidden @ rng.normal(size=(6, 20))).astype(np.float32) for _ in range(2))
    unit = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (images, texts)]
    return PairFeatures(
        [f"k{i}" for i in range(n)], [f"c{i // 3}" for i in range(n)], *unit, [f"t{i}" for i in range(n)]
    )


def test_induced_models_learn_from_right_pairs_and_less_from_wrong_ones() -> None:
    whole = features_of(240, 0)
    held, pool = whole.take(np.arange(60)), whole.take(np.arange(60, 240))
    wrong = replace(pool, sentences=pool.sentences[::-1].copy(), texts=pool.texts[::-1])
    good, bad = (
        np.mean(list(induced._examined(induced.induced(p, 0), held, None)[induced.PRIMARY].values()))
        for p in (pool, wrong)
    )
    assert good > 0.85 and bad < 0.65
    asked = induced.Contraries(
        held.groups, np.array(["denial"] * 60), held.images, held.sentences, held.sentences[::-1].copy()
    )
    told = induced._examined(induced.induced(pool, 0), held, asked)["denial told from its contrary"]
    assert np.mean(list(told.values())) > 0.8 and len(told) == 20


def test_prototypes_leave_outliers_for_last() -> None:
    rng = np.random.default_rng(0)
    rows = torch.from_numpy(rng.normal(size=(64, 4)).astype(np.float32)) * 0.1 + torch.tensor([1.0, 0, 0, 0])
    rows[7] = torch.tensor([0.0, 9.0, 0, 0])
    rows[8:24] = rows[8]  # the same picture sixteen times
    kept = induced.curated(rows, torch.tensor([[1.0, 0, 0, 0]]), 32)
    assert len(set(kept.tolist())) == 32 and 7 not in kept and len(set(kept.tolist()) & set(range(8, 24))) < 8


def test_a_gain_is_certain_where_seeds_and_cases_agree() -> None:
    rng = np.random.default_rng(1)
    told = []
    for _ in range(8):
        cases = {f"c{i}": float(rng.normal(0.6, 0.1)) for i in range(40)}
        noisy = {c: v + rng.normal(0, 0.1) for c, v in cases.items()}
        told.append({"set": {
            induced.ALL: {induced.PRIMARY: cases}, induced.RANDOM: {induced.PRIMARY: noisy},
            "judges": {induced.PRIMARY: {c: v + 0.05 for c, v in cases.items()}},
            induced.ORACLE: {induced.PRIMARY: {c: v + 0.1 for c, v in cases.items()}},
        }})  # fmt: skip
    row = induced.summary(told)[induced.POOLED][induced.PRIMARY]
    assert row["judges"]["low"] > 0 and row["judges"]["of the oracle's"][0] == pytest.approx(0.5)
    assert row[induced.RANDOM]["low"] < 0 < row[induced.RANDOM]["high"]


def test_what_a_selection_keeps_of_a_pool() -> None:
    pool, rng = features_of(90, 2), np.random.default_rng(3)
    scores = {"judges": rng.random(90)}
    chosen = induced.selections(scores, pool, np.arange(90) % 3 == 0, "image 60%", 1)
    assert {name: len(rows) for name, rows in chosen.items() if "drawn" not in name} == {
        induced.ALL: 90, induced.RANDOM: 36, "judges": 36, induced.ORACLE: 60,
    }  # fmt: skip
    assert scores["judges"][chosen["judges"]].min() >= np.sort(scores["judges"])[-36]
    for name in induced.DRAWN:
        assert 80 < len(chosen[name]) < 100 and np.bincount(chosen[name]).max() <= 4
