"""No identity leaves a worker in an exception: its text could quote a header value, a path or a report."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import resource
import signal
import traceback
from collections.abc import Callable
from functools import cache
from pathlib import Path

from curate.engine import R, T
from curate.engine.spent import attempt
from curate.errors import RadsiftError, RunError

_ROOT = Path(__file__).parents[2]  # frames of the product's own say where to look
_FULL = "no room where the run's folder or the temporary one (TMPDIR) is: free some, or move it to another"
_SHUT = (
    "a folder of the run, or the temporary one, may not be read or written: see who owns it and how it is mounted, of "
    "a bucket its policy"
)
_SILENT = "the storage of the run's folder does not answer: see that it is mounted, or reached with these credentials"
_MACHINE = {  # what is no bug of ours: what to do about it
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EROFS: _SHUT,
    errno.EACCES: _SHUT,
    errno.EPERM: _SHUT,
    **dict.fromkeys((errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.ECONNREFUSED, errno.ENOTCONN), _SILENT),
    errno.EMFILE: "too many open files: raise the limit (`ulimit -n 4096`) or take fewer --workers",
    errno.ENOMEM: "no memory left: take fewer --workers",
}


@cache
def no_core_dumps() -> None:
    """A process that dies leaves no image of its memory: that would hold whatever it was reading."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


@cache
def code_digest() -> str:
    """Of the product's source files, as they are installed where this is asked."""
    folders = (_ROOT / name for name in ("curate", "filters", "pipelines"))
    found = hashlib.sha256()
    for path in sorted(path for folder in folders for path in folder.rglob("*.py")):
        found.update(f"{path.relative_to(_ROOT)}\0".encode() + path.read_bytes())
    return found.hexdigest()


def check_code(driver: str) -> None:
    """RunError where this process does not run the driver's program (its `code_digest`): it would make other bytes."""
    if driver != code_digest():
        fix = "install the same on every node and restart Ray there; the same command goes on"
        raise RunError(f"a worker has another version of radsift than the driver: {fix}")


def guarded(fn: Callable[[T], R], item: T, record_seconds: float = 0.0, retry: int = 0) -> R:
    """``fn(item)``; an unforeseen exception goes on as a RunError that names only its type and where it arose.
    ``record_seconds``: what `clock_record` gives a record; 0: no limit, as in a process that is not a worker's.
    ``retry``: how often its process died before."""
    no_core_dumps()
    _seconds[0] = record_seconds
    try:
        with attempt(retry):
            return fn(item)
    except RadsiftError:
        raise
    except Exception as error:  # noqa: BLE001  a bug: reported without its text, never swallowed
        raise withheld(error) from None
    finally:
        stop_clock()
        _seconds[0] = 0.0


_seconds = [0.0]  # of this process: it works on one item at a time


def clock_record() -> None:
    """A record begins: where it takes too long the system ends the process, whatever code it is in, and what hangs is
    found as what crashes is (`curate.isolate`)."""
    if _seconds[0]:
        signal.setitimer(signal.ITIMER_REAL, _seconds[0])


def stop_clock() -> bool:
    """No record is at work, or it waits for its source; whether there was one."""
    return bool(_seconds[0]) and signal.setitimer(signal.ITIMER_REAL, 0)[0] > 0


def withheld(error: Exception) -> RunError:
    """What to do where the machine refused; else the type of the exception and where it arose, never its text."""
    refused = _errno(error)
    if refused in _MACHINE:
        return RunError(f"{_MACHINE[refused]}; the same command then goes on ({os.strerror(refused)})")
    where = " <- ".join(_places(error)[:4])
    code = f" ({os.strerror(refused)})" if refused else ""
    return RunError(f"{type(error).__name__}{code} at {where}; the text is withheld, it may quote a patient")


def fault_of(error: Exception) -> str:
    """Where in the code an exception that nobody foresaw arose, for the record at hand to carry: never its text.

    Raised again where it is no record's: what is meant for people, what the machine or the installation refuses.
    """
    if isinstance(error, RadsiftError | MemoryError | ImportError) or _errno(error):
        raise error
    return f"{_places(error)[0]} ({type(error).__name__})"


def _places(error: Exception) -> list[str]:
    """ "file:line function" of the product's frames, innermost first; of all where none is the product's."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename != __file__]
    ours = [f for f in frames if _ROOT in Path(f.filename).parents and "site-packages" not in f.filename]
    return [f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in reversed(ours or frames)] or ["an unknown place"]


def _errno(error: Exception) -> int:
    """What the system said, 0 where it was not asked; libraries written in Rust say it at their text's end."""
    if isinstance(error, MemoryError):
        return errno.ENOMEM
    if isinstance(error, OSError):
        return error.errno or 0
    named = re.search(r"\(os error (\d{1,3})\)\s*$", str(error))
    return int(named[1]) if named else 0
