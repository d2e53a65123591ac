"""However a batch is cut, its loss and its gradients are the same; a batch that is seen again is seen alike."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from filters.training.distributed import DistributedContext
from tests.filters.training.objective_steps import NAMES, backward, gradients, make, see


@pytest.mark.parametrize("name", NAMES)
def test_micro_batches_have_the_gradient_of_the_whole(tmp_path: Path, name: str):
    found = []
    for _ in range(2):
        learner, objective = make(name, tmp_path, distill_after=1.0)  # crops are drawn a micro-batch: not yet
        found.append((learner, objective))
    rows = [range(12)], [range(5), range(5, 6), range(6, 12)]
    losses = [
        backward(*pair, [see(*pair, part, done=0.9, shift=7 * (name == "medclip")) for part in parts])
        for pair, parts in zip(found, rows, strict=True)
    ]
    assert losses[0].keys() == losses[1].keys()
    assert all(abs(losses[0][k] - losses[1][k]) < 1e-5 for k in losses[0])
    whole, cut = (gradients(*pair) for pair in found)
    assert whole.keys() == cut.keys() and len(whole) > 20
    assert max(float((whole[k] - cut[k]).abs().max()) for k in whole) < 1e-5


@pytest.mark.parametrize("name", NAMES)
def test_the_scheme_has_the_gradient_of_plain_backward(tmp_path: Path, name: str):
    plain, cached = make(name, tmp_path), make(name, tmp_path)
    seen = see(*plain, range(8))
    plain[1].loss(plain[1].features(plain[0].model, seen), plain[0].model, DistributedContext())["loss"].backward()
    losses = backward(*cached, [see(*cached, range(8))])
    assert ("agree" in losses) == ("masked" in losses) == (name == "siglip2")
    one, two = gradients(*plain), gradients(*cached)
    assert one.keys() == two.keys() and any(k.startswith("heads") for k in one) == (name == "siglip2")
    assert max(float((one[k] - two[k]).abs().max()) for k in one) < 1e-5


def test_what_is_frozen_gets_no_gradient(tmp_path: Path):
    learner, objective = make("siglip2", tmp_path)
    backward(learner, objective, [see(learner, objective, range(6))])
    got = {name for name, p in objective.heads.named_parameters() if p.grad is not None}
    assert got and all(
        name.startswith(("captioner.", "agreement.head.", "masked.token", "masked.agreement.head.")) for name in got
    )
    assert not any(p.requires_grad for n, p in objective.heads.named_parameters() if n not in got)


@torch.no_grad()
def _agree(learner, objective) -> torch.Tensor:
    return objective.features(learner.model, see(learner, objective, range(6)))["agree"]


def test_siglip2_goes_on_from_its_state(tmp_path: Path):
    """Teacher, centre and the averages' age are in the heads' state; the features change nothing."""
    learner, objective = make("siglip2", tmp_path)
    before = _agree(learner, objective)
    assert torch.equal(before, _agree(learner, objective))
    for _ in range(3):
        backward(learner, objective, [see(learner, objective, range(6))])
        with torch.no_grad():
            for p in learner.model.parameters():
                p -= 0.5 * p.grad if p.grad is not None else 0
        objective.update(learner.model)
    after = _agree(learner, objective)
    assert not torch.allclose(before, after)
    other, resumed = make("siglip2", tmp_path)
    assert not torch.equal(_agree(other, resumed), after)
    other.model.load_state_dict(learner.model.state_dict())
    resumed.heads.load_state_dict(objective.heads.state_dict())
    assert torch.equal(_agree(other, resumed), after)
    for pair in ((learner, objective), (other, resumed)):
        backward(*pair, [see(*pair, range(6))])
        pair[1].update(pair[0].model)
    assert torch.equal(_agree(other, resumed), _agree(learner, objective))


@pytest.mark.parametrize("name", NAMES)
def test_half_precision_goes_no_further_than_the_towers(tmp_path: Path, name: str):
    learner, objective = make(name, tmp_path)
    seen = see(learner, objective, range(8))
    with torch.no_grad():
        exact = objective.loss(objective.features(learner.model, seen), learner.model, DistributedContext())
    with torch.autocast("cpu", torch.bfloat16):
        features = objective.features(learner.model, seen)
    assert {f.dtype for f in features.values() if f.is_floating_point()} == {torch.float32}
    losses = objective.loss(features, learner.model, DistributedContext())
    losses["loss"].backward()
    objective.update(learner.model)
    assert all(abs(float(losses[k].detach() - exact[k])) < 0.05 * abs(float(exact[k])) for k in exact)
    assert all(g.isfinite().all() for g in gradients(learner, objective).values())
