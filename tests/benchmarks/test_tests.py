"""`make green` counts what pytest wrote."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks.tests import count_outcomes

_SUITE = """
import pytest
def test_good(): pass
def test_bad(): assert 0
def test_away(): pytest.skip("not here")
@pytest.fixture
def broken(): raise OSError
def test_of_it(broken): pass
"""


def test_passed_failed_skipped_and_erring_tests_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(_SUITE)
    command = [sys.executable, "-m", "pytest", "-q", "--rootdir=.", "--junitxml=page.xml", "-p", "no:cacheprovider"]
    done = subprocess.run([*command, "test_it.py"], cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 1
    counts = count_outcomes((tmp_path / "page.xml").read_text())
    assert (counts["passed"], counts["skipped"]) == (1, 1)
    assert counts["failed"] == ["test_it::test_bad", "test_it::test_of_it"]
