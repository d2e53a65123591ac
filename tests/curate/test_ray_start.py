"""A local Ray where the temporary folder's path is longer than a socket's may be."""

from __future__ import annotations

import os
import signal
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


class Starts:
    """In place of `ray.init`: fails with each of ``errors`` in turn, then starts."""

    def __init__(self, *errors: Exception) -> None:
        self.errors, self.tried = list(errors), 0

    def __call__(self, **_: object) -> None:
        self.tried += 1
        if self.errors:
            raise self.errors.pop(0)


@pytest.mark.parametrize("error", [Exception("The current node timed out during startup."), ConnectionError("refused")])
def test_a_ray_that_does_not_come_up_is_started_once_more_and_then_told(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    slow, dead = Starts(error), Starts(error, error)
    monkeypatch.setattr(ray_start.ray, "shutdown", lambda: None)  # other tests' Ray is to live on
    monkeypatch.setattr(ray_start.ray, "init", slow)
    ray_start._init({"address": "local"})
    monkeypatch.setattr(ray_start.ray, "init", dead)
    with pytest.raises(RecipeError, match=rf"(?s)engine\.address: cannot reach a local Ray \({type(error).__name__}\)"):
        ray_start._init({"address": "local"})
    assert (slow.tried, dead.tried) == (2, 2)


def test_a_polite_stop_is_still_ours_after_ray_has_started(monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(ray_start.ray, "init", lambda **_: signal.signal(signal.SIGTERM, signal.SIG_IGN))  # as Ray does
    try:
        ray_start._init({"address": "local"})
        assert signal.getsignal(signal.SIGTERM) is before
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_fault_that_is_no_late_start_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = Starts(ValueError("num_cpus"))
    monkeypatch.setattr(ray_start.ray, "shutdown", lambda: None)
    monkeypatch.setattr(ray_start.ray, "init", wrong)
    with pytest.raises(ValueError, match="num_cpus"):
        ray_start._init({"address": "local"})
    assert wrong.tried == 1


@pytest.mark.slow
@pytest.mark.ray
def test_ray_starts_under_a_long_tmpdir_and_leaves_nothing(tmp_path: Path) -> None:
    long = tmp_path / ("d" * 60) / ("e" * 40)
    long.mkdir(parents=True)
    work = "from curate.engine import start_engine; from curate.engine.resources import Resources; "
    work += "e = start_engine(Resources(kind='ray', workers=1)); "
    work += "print(e._session._folder, list(e.map(abs, [-3]))); e.close()"
    command = [sys.executable, "-c", work]
    done = subprocess.run(command, env={**os.environ, "TMPDIR": str(long)}, capture_output=True, text=True, timeout=200)
    folder, _, result = done.stdout.strip().partition(" ")
    assert (done.returncode, result, done.stderr) == (0, "[(-3, 3)]", "")
    assert folder.startswith(("/tmp/radsift-", "/var/tmp/radsift-")) and not Path(folder).exists()
