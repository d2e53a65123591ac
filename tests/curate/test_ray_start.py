"""A local Ray where the temporary folder's path is longer than a socket's may be."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from curate.engine import ray_start
from curate.errors import RecipeError


def test_how_long_a_temporary_folder_may_be() -> None:
    assert ray_start._short_enough(Path("/tmp"))
    assert ray_start._short_enough(Path("/" + "d" * 30)) and not ray_start._short_enough(Path("/" + "d" * 60))
    assert not ray_start._short_enough(Path("/" + "ü" * 25))  # bytes count, not letters


def test_the_short_folder_is_new_and_ones_own() -> None:
    folder = ray_start._short_folder()
    try:
        assert folder.stat().st_mode & 0o777 == 0o700 and folder.stat().st_uid == os.getuid()
        assert ray_start._short_enough(folder)
    finally:
        folder.rmdir()


def test_where_there_is_no_short_folder_the_error_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: str) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tempfile, "mkdtemp", refuse)
    with pytest.raises(RecipeError, match=r"(?s)TMPDIR: its path is too long.*engine\.kind: local"):
        ray_start._short_folder()


@pytest.mark.slow
@pytest.mark.ray
def test_ray_starts_under_a_long_tmpdir_and_leaves_nothing(tmp_path: Path) -> None:
    long = tmp_path / ("d" * 60) / ("e" * 40)
    long.mkdir(parents=True)
    work = "from curate.engine import Resources, start_engine; e = start_engine(Resources(kind='ray', workers=1)); "
    work += "print(e._session._folder, list(e.map(abs, [-3]))); e.close()"
    command = [sys.executable, "-c", work]
    done = subprocess.run(command, env={**os.environ, "TMPDIR": str(long)}, capture_output=True, text=True, timeout=200)
    folder, _, result = done.stdout.strip().partition(" ")
    assert (done.returncode, result, done.stderr) == (0, "[(-3, 3)]", "")
    assert folder.startswith(("/tmp/radsift-", "/var/tmp/radsift-")) and not Path(folder).exists()
