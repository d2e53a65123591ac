"""Rows in blocks of one shape: each block whole, every row where it was, weights lowered where that changes little."""

from __future__ import annotations

import numpy as np
import torch

from filters.towers.blocks import Blocks, lower, to_device


def test_every_block_has_its_full_size_and_padding_is_cut_off() -> None:
    shapes: list[tuple[int, ...]] = []

    def double(rows: torch.Tensor) -> torch.Tensor:
        shapes.append(tuple(rows.shape))
        return rows * 2

    rows = torch.arange(20).reshape(10, 2)
    found = Blocks("cpu").encoded(double, rows, 4)
    assert shapes == [(4, 2)] * 3 and torch.equal(found, rows.float() * 2)
    np.testing.assert_array_equal(Blocks("cpu")(double, rows), rows.numpy() * 2)
    assert shapes[3:] == [(16, 2)], "the usual block"
    Blocks("cpu").encoded(double, rows, 5)
    assert shapes[4:] == [(5, 2)] * 2, "nothing is padded where the rows fill the blocks"


def test_bf16_lowers_matrices_alone_and_is_the_callers_choice() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.LayerNorm(64), torch.nn.Linear(64, 8))
    rows = torch.randn(16, 64)
    exact = Blocks("cpu", "f32")(model, rows)
    lower(model)
    kinds = [p.dtype for p in model.parameters()]
    assert kinds == [torch.bfloat16, *[torch.float32] * 3, torch.bfloat16, torch.float32]
    near = Blocks("cpu", "bf16")(model, rows)
    assert near.dtype == np.float32 and 0 < np.abs(near - exact).max() < 0.05


def test_what_goes_to_a_device_lies_in_plain_order() -> None:
    pixels = torch.zeros(2, 4, 4, 3, dtype=torch.uint8).permute(0, 3, 1, 2)
    assert not pixels.is_contiguous() and to_device(pixels, "cpu").is_contiguous()
