"""Fixtures shared by all tests: one local Ray a session (starting it takes 15-40 s on a loaded two-core machine)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from curate.engine import Engine, Resources, start_engine


@pytest.fixture(scope="session")
def ray_engine() -> Iterator[Engine]:
    engine = start_engine(Resources(kind="ray", workers=3))
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def local_engine() -> Iterator[Engine]:
    engine = start_engine(Resources(workers=2))
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def secret_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("secret") / "secret.key"
    path.write_text("5ec2e7" * 10)
    return path
