"""No identity leaves a worker in an exception: its text could quote a header value, a path or a report."""

from __future__ import annotations

import os
import resource
import traceback
from collections.abc import Callable
from functools import cache
from pathlib import Path

from curate.engine import R, T
from curate.errors import RadsiftError, RunError

_ROOT = Path(__file__).parents[2]  # frames of the product's own say where to look


@cache
def no_core_dumps() -> None:
    """A process that dies leaves no image of its memory: that would hold whatever it was reading."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def guarded(fn: Callable[[T], R], item: T) -> R:
    """``fn(item)``; an unforeseen exception goes on as a RunError that names only its type and where it arose."""
    no_core_dumps()
    try:
        return fn(item)
    except RadsiftError:
        raise
    except Exception as error:  # noqa: BLE001  a bug: reported without its text, never swallowed
        raise withheld(error) from None


def withheld(error: Exception) -> RunError:
    """The type of an unforeseen exception and where it arose, without its text."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [f for f in frames if _ROOT in Path(f.filename).parents]
    where = " <- ".join(f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in reversed((ours or frames)[-4:]))
    code = f" ({os.strerror(error.errno)})" if isinstance(error, OSError) and error.errno else ""
    return RunError(f"{type(error).__name__}{code} at {where}; the text is withheld, it may quote a patient")
