"""kill -9 at a moment that the work itself names, so that no load of the machine moves it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
_DIE = "import os, signal, sys\ndef die():\n    os.kill(os.getpid(), signal.SIGKILL)\n"


def run_to_its_death(code: str, *arguments: str | Path) -> None:
    """``code`` in a process of its own, with ``arguments`` as sys.argv[1:], until it calls ``die()``, which it must.

    Comes back when the processes it started are gone too: they hold its output open.
    """
    assert was_killed(code, *arguments)


def was_killed(code: str, *arguments: str | int | Path) -> bool:
    """As `run_to_its_death`; False where it came to its end."""
    ended = subprocess.run(
        [sys.executable, "-c", _DIE + code, *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip
    assert ended.returncode in (0, -signal.SIGKILL), f"exit {ended.returncode}: {ended.stderr}"
    return ended.returncode != 0
