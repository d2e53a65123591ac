"""Every objective lowers its loss on real films, on the architectures that ship."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from curate.errors import RecipeError, RunError
from filters.rules import ModelRules, TrainingRules
from filters.towers.model import create_filter, load_filter, save_filter
from filters.training.distributed import DistributedContext
from filters.training.objectives import make_objective
from filters.training.optimizers import Averaged
from tests.filters.training.objective_steps import NAMES, backward, make, see, texts


@pytest.mark.parametrize("name", NAMES)
def test_it_learns(tmp_path: Path, name: str):
    learner, objective = make(name, tmp_path)
    parameters = [p for m in (learner.model, objective.heads) for p in m.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=3e-3)
    losses: list[dict[str, float]] = []
    for step in range(24):
        optimizer.zero_grad()
        half = 16 * (step % 2)
        losses.append(backward(learner, objective, [see(learner, objective, range(half, half + 16))]))
        optimizer.step()
        objective.update(learner.model)
    for part in losses[0]:
        first, last = (np.mean([row[part] for row in rows]) for rows in (losses[:4], losses[-4:]))
        if part not in ("agree", "masked"):  # their targets move: centres and teacher are only beginning
            assert last < 0.97 * first, (part, first, last)
    assert all(np.isfinite(row["loss"]) for row in losses)


def test_the_tiny_coca_trains_saves_and_loads(tmp_path: Path):
    torch.manual_seed(0)
    learner = create_filter(ModelRules(arch="radsift-tiny-coca"), texts(), 400, "cpu")
    objective = make_objective(learner, TrainingRules(objective="coca"), texts())
    optimizer = torch.optim.AdamW(learner.model.parameters(), lr=1e-3)
    learner.model.train()
    seen = see(learner, objective, range(8))
    losses = []
    for _ in range(4):
        optimizer.zero_grad()
        found = objective.loss(objective.features(learner.model, seen), learner.model, DistributedContext())
        found["loss"].backward()
        optimizer.step()
        losses.append(float(found["loss"].detach()))
    assert 4 < losses[0] < 12, "about ln 400 + ln 8 at the beginning"
    assert losses[-1] < losses[0]
    save_filter(learner, tmp_path, {"arch": "radsift-tiny-coca", "tokenizer": "wordpiece"})
    learner.model.eval()
    again = load_filter(tmp_path, "cpu")
    with torch.no_grad():
        assert torch.equal(again.encode_texts(texts()[:4]), learner.encode_texts(texts()[:4]))


def test_the_tiny_coca_begins_the_same_each_time():
    """open_clip leaves a projection of its decoder uninitialised."""
    states = []
    for _ in range(2):
        torch.manual_seed(1)
        states.append(create_filter(ModelRules(arch="radsift-tiny-coca"), texts(), 400, "cpu").model.state_dict())
        torch.full((400, 128), float("nan"))  # what the memory may hold the next time
    assert all(torch.equal(a, b) for a, b in zip(*(s.values() for s in states), strict=True))
    assert float(states[0]["text_decoder.text_projection"].std()) == pytest.approx(128**-0.5, rel=0.05)


@pytest.mark.parametrize(("name", "arch_of"), [("coca", "clip"), ("siglip", "clip"), ("siglip2", "clip")])
def test_a_model_of_another_kind_is_refused(tmp_path: Path, name: str, arch_of: str):
    learner, _ = make(arch_of, tmp_path)
    with pytest.raises(RecipeError, match="objective"):
        make_objective(learner, TrainingRules(objective=name), texts())


@pytest.mark.parametrize("fault", ["no folder", "no filter", "damaged"])
def test_a_wrong_teacher_is_refused(tmp_path: Path, fault: str):
    learner, _ = make("distill", tmp_path)
    folder = tmp_path / "teacher"
    if fault == "no folder":
        folder = tmp_path / "elsewhere"
    elif fault == "no filter":
        (folder / "card.json").write_text('{"method": "medclip"}')
    else:
        (folder / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(RecipeError, match=r"(?s)train\.teacher.*fix: a trained model's folder"):
        make_objective(learner, TrainingRules(objective="distill", teacher=str(folder)), texts())


def test_the_teacher_reads_what_it_would_by_itself(tmp_path: Path):
    """Another side, other statistics, another vocabulary, from the loader's process."""
    learner, objective = make("distill", tmp_path)
    teacher = load_filter(tmp_path / "teacher", "cpu")
    labeller = pickle.loads(pickle.dumps(objective.labeller))
    ids = labeller(texts()[:5], texts()[:5])["teacher_ids"]
    assert np.array_equal(ids, teacher.tokenizer(texts()[:5]))
    level = torch.full((5, 1, 32, 32), 77, dtype=torch.uint8)  # of one grey: resizing changes nothing
    seen = see(learner, objective, range(5))
    features = objective.features(learner.model, type(seen)(learner.scaled(level), seen.ids, seen.labels))
    with torch.no_grad():
        images = teacher.encode_images(torch.full((5, 1, 48, 48), 77, dtype=torch.uint8))
        rows = teacher.encode_texts(texts()[:5])
    assert float((features["teacher_image"] - images).abs().max()) < 1e-5
    assert float((features["teacher_text"] - rows).abs().max()) < 1e-5
    assert not features["teacher_image"].requires_grad


def test_medclips_labels(tmp_path: Path):
    _, objective = make("medclip", tmp_path)
    labeller = pickle.loads(pickle.dumps(objective.labeller))
    one, other = "Small left pleural effusion.", "There is a small left pleural effusion. The heart is of normal size."
    labels = labeller([one, one, one], [one, other, "The heart is enlarged."])
    means = [v / np.linalg.norm(v) for v in labels["text_means"]]
    assert labels["own"].tolist() == [True, False, False]
    assert means[0] @ means[1] > 0.9 > 0.8 > means[0] @ means[2]
    assert np.array_equal(labels["image_means"][2], labels["text_means"][0])


def test_medclip_needs_findings():
    with pytest.raises(RunError, match="no finding is affirmed"):
        make_objective(None, TrainingRules(objective="medclip"), ["a text"] * 9)  # type: ignore[arg-type]


def test_the_average_is_never_in_training():
    averaged = Averaged(torch.nn.Sequential(torch.nn.Dropout(0.5)), 0.9)
    torch.nn.ModuleDict({"a": averaged}).train()
    assert not averaged.model.training
    averaged.update(torch.nn.Sequential(torch.nn.Dropout(0.5)))
    assert int(averaged.state_dict()["steps"]) == 1
