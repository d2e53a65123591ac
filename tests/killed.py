"""kill -9 at a point that the code under test determines, independent of the machine's load."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
_DIE = "import os, signal, sys\ndef die():\n    os.kill(os.getpid(), signal.SIGKILL)\n"


def run_until_killed(code: str, *arguments: str | Path) -> None:
    """Run ``code`` in a new process, with ``arguments`` as sys.argv[1:], until it calls ``die()``, which it must.

    Returns when the processes it started have ended too, since they hold its output open.
    """
    ended = subprocess.run(
        [sys.executable, "-c", _DIE + code, *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip
    assert ended.returncode == -signal.SIGKILL, f"exit {ended.returncode}: {ended.stderr}"
