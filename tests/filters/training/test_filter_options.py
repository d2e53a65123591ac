"""Each thing the rules can ask for does what it is asked for, in the loop itself."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from curate.errors import RecipeError
from filters.method import filter_hash
from filters.rules import FilterTrainingRules, ModelRules
from filters.towers.model import load_filter
from filters.training.filter import train_filter
from filters.training.memory import decode_pairs
from filters.training.objectives.heads import Agreement, Captioner
from tests.filters import shapes
from tests.filters.conftest import Trained

VIT = ModelRules("radsift-tiny-vit")
QUICK = FilterTrainingRules(epochs=1, batch=8, threads=1, holdout=0.2, device="cpu")


_WORDS = {"disc": "nodule", "square": "mass", "cross": "fracture"}


def pairs(n: int, start: int = 0) -> tuple[list[bytes], list[str], list[str]]:
    """Drawn shapes under the names of findings, so that their texts can be edited."""
    images, texts, groups = shapes.pairs(n, start)
    for shape, finding in _WORDS.items():
        texts = [text.replace(shape, finding) for text in texts]
    return images, texts, groups


def _curve(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def test_everything_at_once_trains_and_is_repeatable(tmp_path: Path, trained: Trained):
    rules = replace(QUICK, model=VIT, objective="siglip", negatives=2, mirror=0.5, caption=0.5, distill=0.5)
    rules = replace(rules, distill_after=0.0, ema=0.9, optimizer="lamb", layer_decay=0.7, patch_dropout=0.25)
    rules = replace(rules, reference=str(trained.folder), epochs=2)
    metrics = train_filter(*pairs(40), tmp_path / "a", rules)
    train_filter(*pairs(40), tmp_path / "b", rules)
    assert filter_hash(tmp_path / "a") == filter_hash(tmp_path / "b")
    rows = _curve(tmp_path / "a")
    assert [r["epoch"] for r in rows] == ["1", "2"] and all(float(r["caption"]) > 0 for r in rows)
    assert all(np.isfinite(float(v)) for r in rows for v in r.values()) and np.isfinite(metrics["loss"])
    card = json.loads((tmp_path / "a/card.json").read_text())
    assert card["rules"]["reference"] == filter_hash(trained.folder)
    assert "/" not in json.dumps(card)
    found = load_filter(tmp_path / "a", "cpu")
    assert found.logit()[1] != 0 and set(found.model.state_dict()) >= {"logit_bias"}
    assert not any("decoder" in name or "head" in name for name in found.model.state_dict())


@pytest.mark.parametrize(
    "change",
    [{"objective": "siglip"}, {"negatives": 1}, {"mirror": 0.9}, {"caption": 1.0}, {"ema": 0.5}, {"optimizer": "lamb"},
     {"layer_decay": 0.5}, {"distill": 1.0, "distill_after": 0.0},
     {"model": VIT, "masked": 1.0, "distill_after": 0.0}],
)  # fmt: skip
def test_each_rule_changes_what_is_learned(tmp_path: Path, change: dict[str, Any], plain: bytes):
    train_filter(*pairs(24), tmp_path / "f", replace(QUICK, **change))
    assert (tmp_path / "f/model.safetensors").read_bytes() != plain


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("plain")
    train_filter(*pairs(24), folder, QUICK)
    return (folder / "model.safetensors").read_bytes()


def test_the_sigmoid_loss_learns_a_probability(tmp_path: Path):
    rules = FilterTrainingRules(epochs=8, batch=16, threads=1, holdout=0.2, device="cpu", objective="siglip")
    metrics = train_filter(*pairs(144), tmp_path, rules)
    assert metrics["holdout_auroc"] > 0.8
    found = load_filter(tmp_path, "cpu")
    read = decode_pairs(found, *pairs(64, start=2000))
    with torch.no_grad():
        left, right = found.encode_images(read.pixels[:64]), found.encode_ids(read.ids)
    own, other = ((left * right.roll(k, 0)).sum(1).numpy() for k in (0, 1))
    assert found.probability(own).mean() > 2 * found.probability(other).mean()
    scale, bias = found.logit()
    assert scale != pytest.approx(10) and bias != pytest.approx(-10), "both are learned"
    assert found.probability(np.array([0.3])) == pytest.approx(1 / (1 + np.exp(-(0.3 * scale + bias))), abs=1e-6)


def _preferred(folder: Path, images: list[bytes], texts: list[str], others: list[str]) -> float:
    """How often an image is closer to its text than to the other one."""
    found = load_filter(folder, "cpu")
    read = decode_pairs(found, images, texts, texts)
    with torch.no_grad():
        left = found.encode_images(read.pixels[: len(texts)])
        right, wrong = found.encode_texts(texts), found.encode_texts(others)
    return float(((left * right).sum(1) > (left * wrong).sum(1)).float().mean())


def test_edited_negatives_teach_what_no_other_pair_does(tmp_path: Path):
    """No text of the clean set denies anything, so a plain filter hardly sees a denial (0.7 to 0.8 here)."""
    rules = FilterTrainingRules(epochs=4, batch=8, threads=1, holdout=0.0, device="cpu", negatives=1)
    train_filter(*pairs(96), tmp_path, replace(rules, negative_kinds=("negation",)))
    images, texts, _ = pairs(80, start=5000)
    denied = [text.replace("There is a", "There is no") for text in texts]
    assert _preferred(tmp_path, images, texts, denied) > 0.9


def test_mirrored_pairs_teach_the_side_that_was_never_seen(tmp_path: Path):
    columns = list(zip(*pairs(200), strict=True))
    images, texts, groups = (list(c) for c in zip(*[c for c in columns if "left" in c[1]], strict=True))
    rules = FilterTrainingRules(epochs=7, batch=8, threads=1, holdout=0.0, device="cpu", mirror=0.5)
    train_filter(images, texts, groups, tmp_path, rules)
    seen = [c for c in zip(*pairs(160, start=5000), strict=True) if "right" in c[1]]
    images, texts = [c[0] for c in seen], [c[1] for c in seen]
    assert _preferred(tmp_path, images, texts, [t.replace("right", "left") for t in texts]) > 0.75


def test_a_reference_chooses_what_is_trained_on(tmp_path: Path, trained: Trained):
    """Half the pairs have another image's text: the reference finds them unlearnable, and they are passed over."""
    from filters.towers.model import create_filter
    from filters.training.curation import logits_of, select_jointly
    from filters.training.memory import read_reference

    images, texts, groups = pairs(64, start=3000)
    texts[32:] = texts[33:] + texts[32:33]
    reference = read_reference(str(trained.folder), images, texts, groups, "cpu")
    torch.manual_seed(0)
    learner = create_filter(ModelRules(), texts, 2048, "cpu")
    read = decode_pairs(learner, images, texts, groups)
    generator = torch.Generator().manual_seed(0)
    clean = 0
    for _ in range(10):
        logits = logits_of(learner, read.pixels, read.ids), reference.logits(np.arange(64))
        chosen = select_jointly(*logits, 16, 4, generator, "clip")
        assert len(set(chosen.tolist())) == 16
        clean += int((chosen < 32).sum())
    assert clean > 0.7 * 160
    metrics = train_filter(images, texts, groups, tmp_path, replace(QUICK, reference=str(trained.folder)))
    assert np.isfinite(metrics["loss"])
    assert float(_curve(tmp_path)[0]["pairs"]) <= 32, "half of every super-batch is left out"


def test_a_reference_that_is_no_filter_is_named(tmp_path: Path):
    with pytest.raises(RecipeError, match="is not a filter folder"):
        train_filter(*pairs(20), tmp_path, replace(QUICK, reference=str(tmp_path)))


def test_patch_dropout_wants_patches(tmp_path: Path):
    with pytest.raises(RecipeError, match="has no patches"):
        train_filter(*pairs(20), tmp_path, replace(QUICK, patch_dropout=0.5))


def test_a_captioner_learns_what_the_tokens_say():
    """Two images, two texts: reading the image is the only way to tell which."""
    torch.manual_seed(0)
    captioner = Captioner(16, 12, 8)
    tokens = torch.randn((2, 5, 16))
    ids = torch.tensor([[10, 3, 4, 5, 11, 0, 0, 0], [10, 6, 7, 8, 11, 0, 0, 0]])
    optimizer = torch.optim.Adam(captioner.parameters(), 3e-3)

    def mean(tokens: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        sums, counts = captioner.per_row(tokens, ids)
        return sums.sum() / counts.sum()

    for _ in range(80):
        loss = mean(tokens, ids)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert float(loss) < 0.1 < float(mean(tokens.flip(0), ids))
    padded = torch.nn.functional.pad(ids, (0, 0))
    assert float(mean(tokens, padded)) == float(mean(tokens, ids[:, :5]))


def test_agreement_moves_the_student_and_never_the_teacher():
    torch.manual_seed(0)
    agreement = Agreement(8)
    local, whole = torch.randn((4, 8), requires_grad=True), torch.randn((4, 8), requires_grad=True)
    losses, answers = agreement.per_row(local, whole)
    losses.mean().backward()
    agreement.follow(answers.mean(0))
    assert local.grad is not None and local.grad.abs().sum() > 0 and whole.grad is None
    assert agreement.centre.abs().sum() > 0
    before = [p.clone() for p in agreement.averaged.model.parameters()]
    with torch.no_grad():
        for p in agreement.head.parameters():
            p.add_(1.0)
    agreement.update()
    assert any(not torch.equal(a, b) for a, b in zip(before, agreement.averaged.model.parameters(), strict=True))
