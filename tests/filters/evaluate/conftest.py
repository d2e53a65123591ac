from __future__ import annotations

from pathlib import Path

import pytest

from filters.evaluate.sets import EvalSet, set_of
from filters.method import Records
from filters.rules import FilterTrainingRules, ModelRules
from filters.towers.encoder import Filter
from filters.towers.model import load_filter
from filters.training.filter import train_filter
from tests.filters.films import films

N = 160


@pytest.fixture(scope="session")
def records() -> Records:
    """Chest films with right reports."""
    return films(2 * N, 5, 1.0).records


@pytest.fixture(scope="session")
def known(records: Records) -> EvalSet:
    """The films the model was trained on, with facts: what it says of them it has learned."""
    return film_set(records.take(range(N)))


@pytest.fixture(scope="session")
def unknown(records: Records) -> EvalSet:
    """Films of other patients."""
    return film_set(records.take(range(N, 2 * N)))


def film_set(chosen: Records) -> EvalSet:
    facts = {"sex": ["M" if i % 2 else "F" for i in range(len(chosen))], "modality": ["DX"] * len(chosen)}
    return set_of("films", chosen.keys, chosen.images, chosen.texts, chosen.groups, facts)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def film_folder(records: Records, small_arch: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small CLIP that knows `known` nearly by heart."""
    folder = tmp_path_factory.mktemp("film") / "model"
    rules = FilterTrainingRules(
        model=ModelRules(arch=small_arch), epochs=24, lr=2e-3, batch=32, threads=1, holdout=0.0, augment=False,
        vocab=1024, device="cpu",
    )  # fmt: skip
    chosen = records.take(range(N))
    train_filter(chosen.images, chosen.texts, chosen.groups, folder, rules)
    return folder


@pytest.fixture(scope="session")
def film_model(film_folder: Path) -> Filter:
    return load_filter(film_folder, "cpu")
