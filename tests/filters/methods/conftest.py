from __future__ import annotations

import pytest

from filters.method import Records
from tests.filters.methods.blip_films import films


@pytest.fixture(scope="session")
def clean() -> Records:
    """64 right pairs, two a patient."""
    return films(64, seed=7)
