"""Every exception the product raises on purpose.

    RadsiftError
    ├── RecipeError        the recipe or the arguments are wrong: exit code 2, names the field and the fix
    ├── RunError           the run cannot go on (disk full, engine gone, a bug in a stage): exit code 1
    │   ├── FunnelError    rows were lost or doubled: in != kept + dropped(reason)
    │   ├── DamagedError   a file of the run is not as it was written
    │   └── SourceError    an archive that went away, or that refuses: its fault is no record's
    └── DropRecord         one record cannot go on; carries a Reason, never reaches the user as an exception

Messages are written for people and never carry a source path's PHI, a header value or report text.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from curate.record import Reason


class RadsiftError(Exception):
    """Base of all; catching it catches nothing but what this product raises."""


class RecipeError(RadsiftError):
    """A wrong recipe or argument. ``field`` is the dotted recipe field or the flag; ``fix`` says what to write."""

    def __init__(self, field: str, problem: str, fix: str = "") -> None:
        super().__init__(field, problem, fix)  # as given, so that it survives the way back from a worker
        self.field, self.problem, self.fix = field, problem, fix

    def __str__(self) -> str:
        return f"{self.field}: {self.problem}" + (f"\n  fix: {self.fix}" if self.fix else "")


@contextmanager
def about(field: str) -> Iterator[None]:
    """What a model's own code calls ``filter`` or ``filter.x`` is told of as ``field`` or ``field.x``: code that
    loads a model does not know which of the recipe's it is."""
    try:
        yield
    except RecipeError as error:
        head, dot, rest = error.field.partition(".")
        if head != "filter":
            raise
        raise RecipeError(field + dot + rest, error.problem, error.fix) from None


class RunError(RadsiftError):
    """The run stopped; what is committed stays committed and the same command goes on from there."""


class FunnelError(RunError):
    """A step broke in = kept + dropped(reason)."""


class DamagedError(RunError):
    """A file of the run that was damaged on its disk; the next run makes it anew."""

    def __init__(self, path: Path | str) -> None:
        from curate.places import place  # which raises RecipeError

        super().__init__(str(path))
        self.path = place(str(path))

    def __str__(self) -> str:
        where = "/".join(self.path.parts[-2:])  # files of a run have no one's name
        return f"{where} is damaged; if a run wrote it, the same 'curate run' makes it anew, else bring a whole one"


class SourceError(RunError):
    """The archive, not a file of it, cannot be read: unmounted, stale, refused. ``number`` is the system's errno.

    ``name`` is the recipe's of the source and ``detail`` says how much of it; neither holds a path.
    """

    def __init__(self, number: int, name: str = "", detail: str = "") -> None:
        super().__init__(number, name, detail)
        self.number, self.name, self.detail = number, name, detail

    def __str__(self) -> str:
        of = f"source '{self.name}'" if self.name else "a source"
        message = f"{of} cannot be read: {os.strerror(self.number)}{self.detail}"
        fix = "check that it is mounted and may be read"
        if self.number in (errno.EACCES, errno.EPERM):
            fix = "`find FOLDER ! -readable` lists what this account may not read, a bucket's policy says it: "
            fix += "give it access, or 'exclude' that"
        return f"{message}\n  fix: {fix}; then the same command goes on"


class DropRecord(RadsiftError):
    """Raised inside a stage for one record. Only the Reason goes on; nothing of the cause's text does."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason
