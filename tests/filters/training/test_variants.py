from __future__ import annotations

import numpy as np
import pytest
import torch

from filters.training.augment import make_variants, mirrored


@pytest.mark.parametrize(
    ("text", "swapped"),
    [
        ("Left effusion, right pneumothorax.", "Right effusion, left pneumothorax."),
        ("LEFT-SIDED line; the Rt base is clear", "RIGHT-SIDED line; the Lt base is clear"),
        ("No acute disease.", None),
        ("Dextrocardia. Left effusion.", None),
        ("Levoscoliosis to the left", None),
        ("Midline shift from left to right", None),
        ("Opacity in the RUL. R/O pneumonia.", "Opacity in the LUL. R/O pneumonia."),
        ("A bright mass, copyright 2020", None),
    ],
)
def test_every_side_of_a_text_is_exchanged_or_none(text: str, swapped: str | None):
    assert mirrored(text) == swapped
    if swapped is not None:
        assert mirrored(swapped) == text


def _encode(texts: list[str]) -> torch.Tensor:
    return torch.tensor([[sum(map(ord, t)), len(t)] for t in texts], dtype=torch.int64).reshape(-1, 2)


def test_wrong_texts_are_drawn_from_the_pairs_own():
    texts = ["Left pleural effusion.", "Moderate right pneumothorax.", "The heart."]
    rng = np.random.default_rng(0)
    variants = make_variants(texts, ("side", "negation", "severity"), True, _encode, rng)
    assert variants.mirrorable.tolist() == [True, True, False]
    assert torch.equal(variants.mirrored[2:], _encode(["The heart."]))
    assert torch.equal(variants.mirrored[:1], _encode(["Right pleural effusion."]))
    rows = variants.draw(np.array([1, 0]), np.array([False, True]), 2, rng)
    assert 0 < len(rows) <= 4
    own = {tuple(r) for r in rows.tolist()}
    assert not own & {tuple(r) for r in _encode([texts[1], "Right pleural effusion."]).tolist()}


def test_without_kinds_there_is_no_bank():
    variants = make_variants(["Left lung."], (), True, _encode, np.random.default_rng(0))
    assert len(variants.draw(np.array([0]), np.array([True]), 3, np.random.default_rng(0))) == 0
