"""Fixtures shared by all tests. pytest-xdist gives a module to one worker, and all modules of Ray to the same one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis.internal.conjecture import providers
from xdist.scheduler import LoadFileScheduling

from curate.engine import Engine, start_engine
from curate.engine.resources import Resources
from tests.inline import InlineEngine

os.environ.setdefault("RADSIFT_PATIENCE", "0")  # what fails here fails for good

# The same examples every time, so that a green commit stays green; `make test-all` looks for new ones.
settings.register_profile("fixed", derandomize=True, database=None, deadline=None)
settings.register_profile("free", deadline=None, print_blob=True)
settings.load_profile("fixed")

# The modules that take longest, first: two workers that share the rest end together.
LONGEST = ("pipelines/test_run.py", "methods/test_bad_input.py", "pipelines/test_real.py", "training/test_training.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Modules of `LONGEST` come before the others, which keep their order."""
    places = {name: i for i, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get("/".join(item.path.parts[-2:]), len(places)))


class OneRay(LoadFileScheduling):
    """A module to a worker, and the modules with the fixture `ray_engine` to the same one: Ray starts once in all."""

    def _split_scope(self, nodeid: str) -> str:
        module: str = super()._split_scope(nodeid)
        return "ray" if "ray_engine" in _source(module) else module


@cache
def _source(module: str) -> str:
    return (Path(__file__).parents[1] / module).read_text()


@pytest.hookimpl(tryfirst=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> OneRay | None:
    return OneRay(config, log) if config.getoption("dist") == "loadfile" else None


def _is_drawn_from(path: str, is_local: Callable[[str], bool] = providers.is_local_module_file) -> bool:
    return not settings.default.derandomize and is_local(path)


# Hypothesis draws constants from the modules of this tree that happen to be loaded, so even derandomized examples would
# depend on which tests a worker ran before. It has no setting for that.
providers.is_local_module_file = _is_drawn_from


@pytest.fixture(scope="session")
def ray_engine() -> Iterator[Engine]:
    engine = start_engine(Resources(kind="ray", workers=2))
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def local_engine() -> Iterator[Engine]:
    engine = start_engine(Resources(workers=2))
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def inline_engine() -> Engine:
    """For pipelines whose processes are not the subject."""
    return InlineEngine()


@pytest.fixture(scope="session")
def secret_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("secret") / "secret.key"
    path.write_text("5ec2e7" * 10)
    return path
