from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from filters.towers.openclip import open_clip
from filters.training.objectives.losses import contrastive, elementwise, same_text


def _rows(n: int, seed: int) -> torch.Tensor:
    rows = torch.randn((n, 16), generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.normalize(rows, dim=-1)


LEFT, RIGHT, EXTRA = _rows(6, 0), _rows(6, 1), _rows(4, 2)
SCALE, BIAS = torch.tensor(12.0), torch.tensor(-3.0)


def test_the_softmax_loss_is_open_clips_and_the_formula_of_the_paper():
    logits = 12 * LEFT.double().numpy() @ RIGHT.double().numpy().T
    rows = np.log(np.exp(logits).sum(1)) - logits.diagonal()
    columns = np.log(np.exp(logits).sum(0)) - logits.diagonal()
    expected = (rows.mean() + columns.mean()) / 2
    ours = contrastive("clip", LEFT, RIGHT, SCALE, None)
    assert abs(float(ours) - expected) < 1e-5
    assert abs(float(ours) - float(open_clip.loss.ClipLoss()(LEFT, RIGHT, SCALE))) < 1e-5


def test_the_sigmoid_loss_is_open_clips_and_the_formula_of_the_paper():
    logits = 12 * LEFT.double().numpy() @ RIGHT.double().numpy().T - 3
    sign = 2 * np.eye(6) - 1
    expected = np.log1p(np.exp(-sign * logits)).sum() / 6
    ours = contrastive("siglip", LEFT, RIGHT, SCALE, BIAS)
    assert abs(float(ours) - expected) < 1e-5
    assert abs(float(ours) - float(open_clip.loss.SigLipLoss()(LEFT, RIGHT, SCALE, BIAS))) < 1e-5


@pytest.mark.parametrize("objective", ["clip", "siglip"])
def test_nothing_blocked_and_nothing_extra_is_the_plain_loss(objective: str):
    none = torch.zeros((6, 6), dtype=torch.bool)
    plain = contrastive(objective, LEFT, RIGHT, SCALE, BIAS)
    assert abs(float(plain) - float(contrastive(objective, LEFT, RIGHT, SCALE, BIAS, None, none))) < 1e-5


def test_wrong_texts_are_columns_of_the_images_softmax_alone():
    logits = 12 * LEFT.double().numpy() @ torch.cat([RIGHT, EXTRA]).double().numpy().T
    rows = np.log(np.exp(logits).sum(1)) - logits.diagonal()
    columns = np.log(np.exp(logits[:, :6]).sum(0)) - logits.diagonal()
    ours = contrastive("clip", LEFT, RIGHT, SCALE, None, EXTRA)
    assert abs(float(ours) - (rows.mean() + columns.mean()) / 2) < 1e-5


def test_wrong_texts_are_negatives_of_the_sigmoid():
    logits = 12 * LEFT.double().numpy() @ torch.cat([RIGHT, EXTRA]).double().numpy().T - 3
    sign = 2 * np.eye(6, 10) - 1
    ours = contrastive("siglip", LEFT, RIGHT, SCALE, BIAS, EXTRA)
    assert abs(float(ours) - np.log1p(np.exp(-sign * logits)).sum() / 6) < 1e-5


@pytest.mark.parametrize("objective", ["clip", "siglip"])
def test_a_blocked_pair_has_no_gradient(objective: str):
    left, extra = LEFT.clone().requires_grad_(), EXTRA.clone().requires_grad_()
    blocked = torch.zeros((6, 10), dtype=torch.bool)
    blocked[:, 7] = True
    contrastive(objective, left, RIGHT, SCALE, BIAS, extra, blocked).backward()
    assert extra.grad is not None and left.grad is not None
    assert torch.equal(extra.grad[1], torch.zeros(16)) and extra.grad[0].abs().sum() > 0
    assert left.grad.isfinite().all()


def test_the_same_text_is_found_wherever_it_stands():
    ids = torch.tensor([[1, 2], [3, 4], [1, 2]])
    same = same_text(ids, torch.tensor([[3, 4], [5, 6]]))
    assert same.nonzero().tolist() == [[0, 2], [1, 3], [2, 0]]


def test_the_elementwise_sigmoid_loss_at_zero_is_ln_2():
    assert torch.allclose(elementwise(torch.zeros(3, 5)), torch.full((3, 5), math.log(2)))
