"""Trace the addresses a command and its children connect to and the files they write, with strace."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

_CALLS = "connect,sendto,sendmsg,sendmmsg,bind,open,openat,creat,mkdir,mkdirat,rename,renameat,renameat2,link,symlink"
_ADDRESS = re.compile(r'(?:inet_addr\(|inet_pton\(AF_INET6, )"([^"]+)"')
_LOOPBACK = re.compile(r"127\.|::1$|::ffff:127\.")
_PATH = re.compile(r'(?:AT_FDCWD|\d+)?(?:<([^>]*)>, )?"((?:[^"\\]|\\.)*)"')
_WRITES = re.compile(r"O_WRONLY|O_RDWR|O_CREAT")
_NO_FILES = ("/dev/", "/proc/", "/sys/")  # devices and the system's own; shared memory is a device


@dataclass(frozen=True)
class Observed:
    """``addresses`` other than loopback, and ``files`` written outside the allowed folders."""

    addresses: set[str]
    files: set[str]
    output: str


def observe(command: Sequence[str | Path], home: Path, *allowed: Path, **environment: str) -> Observed:
    """Run ``command`` with ``home`` as its home folder, under strace; fails the test where it ends badly.

    Files may be written below ``allowed``. Skips, saying so, where there is no strace.
    """
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed: nothing was observed")
    trace = home.with_name(f"{home.name}.trace")
    home.mkdir(exist_ok=True)
    inherited = {k: v for k, v in os.environ.items() if k in ("PATH", "PYTHONPATH", "LANG", "VIRTUAL_ENV")}
    variables = inherited | {"HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"} | environment
    strace = ["strace", "-f", "-qq", "-y", "--seccomp-bpf", "-s", "400", "-e", f"trace={_CALLS}", "-o", str(trace)]
    process = subprocess.run(
        [*strace, *map(str, command)], capture_output=True, text=True, env=variables, timeout=900, check=False
    )
    assert process.returncode == 0, process.stderr
    lines = trace.read_text("utf-8", "replace").splitlines()
    assert lines, "strace saw nothing"
    trace.unlink()
    addresses = {a for line in lines for a in _ADDRESS.findall(line) if not _LOOPBACK.match(a)}
    roots = [os.path.realpath(a) for a in allowed]
    files = {path for line in lines for path in _written(line) if not _below(path, roots)}
    return Observed(addresses, files, process.stdout + process.stderr)


def _written(line: str) -> list[str]:
    """Paths that a successful system call created or opened for writing."""
    call, _, rest = line.partition(" ")[2].lstrip().partition("(")
    arguments, _, result = rest.rpartition(" = ")
    if call in ("connect", "sendto", "sendmsg", "sendmmsg", "bind") or result.startswith("-1"):
        return []
    if call in ("open", "openat") and not _WRITES.search(arguments):
        return []
    paths = [str(Path(folder or "/") / path) for folder, path in _PATH.findall(arguments)]
    return [os.path.normpath(p) for p in (paths[-1:] if call.startswith(("rename", "link", "symlink")) else paths[:1])]


def _below(path: str, roots: Sequence[str]) -> bool:
    return path.startswith(_NO_FILES) or any(os.path.realpath(path).startswith((root + "/", root)) for root in roots)
