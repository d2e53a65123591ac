"""How far the items at work are: a number each, in a folder of the driver's machine that its own workers write in.

Numbers alone: no identity. A worker on another machine finds no such folder; what it does counts when it is done.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_file: list[Path | None] = [None]  # of this process: it works on one item at a time


@contextmanager
def shared(file: Path | None) -> Iterator[None]:
    """`write_share` writes to ``file`` inside (None: nowhere); in the end it is taken away."""
    _file[0] = file
    try:
        yield
    finally:
        _file[0] = None
        if file is not None:
            with suppress(OSError):
                file.unlink()


def write_share(done: int, total: int) -> None:
    """Of the item at work so much is done."""
    if _file[0] is not None and total:
        with suppress(OSError):  # another machine's, or no room: nothing but the progress shown hangs on it
            _file[0].write_text(f"{done / total:.3f}")


def read_shares(folder: Path) -> dict[str, float]:
    """What the workers at work have done, by the files' names."""
    found = {}
    for file in folder.iterdir():
        with suppress(OSError, ValueError):  # taken away, or half written
            found[file.name] = float(file.read_text())
    return found
