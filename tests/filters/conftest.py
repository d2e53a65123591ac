from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from filters.rules import FilterTrainingRules, ModelRules
from filters.training.filter import train_filter
from tests.filters.shapes import pairs

SMALL = {
    "embed_dim": 64,
    "vision_cfg": {"image_size": 48, "layers": 2, "width": 64, "head_width": 32, "patch_size": 8},
    "text_cfg": {"context_length": 40, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 2},
}


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Everything here is small: a second thread costs more than it gives."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def small_arch(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A ViT small enough for tests, as a path to its open_clip config."""
    path = tmp_path_factory.mktemp("arch") / "small-vit.json"
    path.write_text(json.dumps(SMALL))
    return str(path)


@dataclass(frozen=True)
class Trained:
    folder: Path
    rules: FilterTrainingRules
    metrics: dict[str, float]
    calls: list[tuple[int, int, dict[str, float]]]


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """The tiny filter, trained for a few seconds on 160 drawn shapes."""
    folder = tmp_path_factory.mktemp("filter") / "f"
    rules = FilterTrainingRules(model=ModelRules(), epochs=12, batch=16, threads=1, holdout=0.2, device="cpu")
    calls: list[tuple[int, int, dict[str, float]]] = []
    metrics = train_filter(*pairs(160), folder, rules, lambda *call: calls.append(call))
    return Trained(folder, rules, metrics, calls)
