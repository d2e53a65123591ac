"""What a piece of work took in its process: the most memory, and how often it had been begun before."""

from __future__ import annotations

import re
import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PROC = Path("/proc/self")
_attempt = [0]  # of this process: it works on one item at a time


@contextmanager
def attempt(number: int) -> Iterator[None]:
    """What is done inside was begun ``number`` times before, in processes that died."""
    _attempt[0] = number
    try:
        yield
    finally:
        _attempt[0] = 0


def retries() -> int:
    """How often the item at work was begun before."""
    return _attempt[0]


def reset_peak() -> None:
    """Memory is counted anew from here, on Linux; elsewhere from the process's start."""
    with suppress(OSError):
        (_PROC / "clear_refs").write_text("5")  # proc(5): the peak resident set size becomes the current one


def peak_memory() -> int:
    """The most bytes that this process held at once since `reset_peak`."""
    with suppress(OSError):
        if peak := re.search(r"^VmHWM:\s+(\d+) kB", (_PROC / "status").read_text(), re.MULTILINE):
            return int(peak[1]) << 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
