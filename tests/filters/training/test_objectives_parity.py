"""Each loss against open_clip's own on the same rows."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from filters.towers.openclip import open_clip
from filters.training.distributed import DistributedContext
from tests.filters.training.objective_steps import make, see


def _both(name: str, folder: Path, **given: float) -> tuple:
    learner, objective = make(name, folder, **given)
    learner.model.eval()
    seen = see(learner, objective, range(12))
    with torch.no_grad():
        features = objective.features(learner.model, seen)
        ours = objective.loss(features, learner.model, DistributedContext())
    return learner, seen, features, {k: float(v) for k, v in ours.items()}


@torch.no_grad()
def _rows(learner, seen) -> tuple[torch.Tensor, torch.Tensor]:
    """By open_clip's model itself, the texts of full length."""
    model = learner.model
    return model.encode_image(seen.pixels, normalize=True), model.encode_text(seen.ids, normalize=True)


def test_clip(tmp_path: Path):
    learner, seen, _, ours = _both("clip", tmp_path)
    expected = open_clip.loss.ClipLoss()(*_rows(learner, seen), learner.model.logit_scale.exp())
    assert abs(ours["loss"] - float(expected.detach())) < 1e-5


def test_siglip(tmp_path: Path):
    learner, seen, _, ours = _both("siglip", tmp_path)
    model = learner.model
    expected = open_clip.loss.SigLipLoss()(*_rows(learner, seen), model.logit_scale.exp(), model.logit_bias)
    assert abs(ours["loss"] - float(expected.detach())) < 1e-5 and model.logit_bias < -5


@pytest.mark.parametrize("weight", [1.0, 2.0])
def test_coca(tmp_path: Path, weight: float):
    learner, seen, _, ours = _both("coca", tmp_path, caption=weight)
    with torch.no_grad():
        said = learner.model(seen.pixels, seen.ids)
    contrast, caption = open_clip.CoCaLoss(caption_loss_weight=weight, clip_loss_weight=1.0)(
        said["image_features"], said["text_features"], said["logits"], said["labels"], said["logit_scale"]
    )
    assert abs(ours["contrast"] - float(contrast)) < 1e-5
    assert abs(ours["caption"] * weight - float(caption)) < 1e-5
    assert abs(ours["loss"] - float(contrast + caption)) < 1e-5


def test_distill(tmp_path: Path):
    learner, seen, features, ours = _both("distill", tmp_path, distill=0.5)
    rows = (*_rows(learner, seen), learner.model.logit_scale.exp())
    teacher = features["teacher_image"], features["teacher_text"], torch.tensor(1 / 0.07)
    contrast, distill = open_clip.DistillClipLoss()(*rows, *teacher)
    assert abs(ours["loss"] - float(contrast + 0.5 * distill)) < 1e-5
    assert abs(ours["distill"] - float(distill)) < 1e-5 and ours["contrast"] != ours["distill"]


def test_siglip2_is_the_sigmoid_and_its_parts(tmp_path: Path):
    learner, seen, features, ours = _both("siglip2", tmp_path, caption=0.5, distill=2.0, masked=3.0)
    model = learner.model
    plain = open_clip.loss.SigLipLoss()(*_rows(learner, seen), model.logit_scale.exp(), model.logit_bias)
    assert abs(ours["contrast"] - float(plain)) < 1e-5
    assert (
        abs(ours["loss"] - (ours["contrast"] + 0.5 * ours["caption"] + 2 * ours["agree"] + 3 * ours["masked"])) < 1e-5
    )
    words = (seen.ids[:, 1:] != 0).sum()
    assert float(features["tokens"].sum()) == float(words)
    assert abs(ours["caption"] - float(features["caption"].sum() / words)) < 1e-5


def test_medclip_is_the_papers_formula(tmp_path: Path):
    learner, seen, _, ours = _both("medclip", tmp_path)
    image, text = (rows.double() for rows in _rows(learner, seen))
    logits = image @ text.T / 0.07
    means = torch.nn.functional.normalize(seen.labels["image_means"].double(), dim=1)
    cosine = means @ means.T
    cosine.fill_diagonal_(1)
    wanted = torch.softmax(10 * cosine, dim=1)
    expected = -sum((wanted * torch.log_softmax(x, 1)).sum(1).mean() for x in (logits, logits.T)) / 2
    assert abs(ours["loss"] - float(expected.detach())) < 1e-5
    assert (cosine > 0.99).sum() > 12 or ((cosine > 0.2) & (cosine < 0.99)).any(), "texts that mean alike"
