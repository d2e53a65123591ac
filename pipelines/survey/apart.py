"""A process in which an archive's pictures are tried before a run: what crashes or hangs a decoder ends only that."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from curate.engine import Engine
from curate.engine.local import LocalEngine
from curate.engine.resources import Resources

_HANGS = 60.0  # seconds after which a picture's process is ended


@contextmanager
def apart(engine: Engine | None) -> Iterator[Engine]:
    """``engine``, or one process of this machine: what it is sent goes through memory and is not logged."""
    if engine is not None:
        yield engine
        return
    with closing(LocalEngine(Resources(workers=1, record_seconds=_HANGS))) as own:
        yield own
