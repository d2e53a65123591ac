"""Is it this file that cannot be read, or the archive it lies in? The second is never a record's fate: the run stops.

A file system that was unmounted, a server that does not answer and a permission that is missing look, file by file,
like broken files; written down as such they would stay lost when the archive has come back.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TypeVar

from curate.engine.guard import clock_record, stop_clock
from curate.errors import DropRecord, SourceError
from curate.places import is_remote, pauses
from curate.record import Reason
from curate.sources.member import Stat, archive_of, is_there, may_read, open_file, stat_file

T = TypeVar("T")
# what the system says of one entry: not there, a link in a circle, no path it can take, not a file; and what seeking to
# a place that a damaged header names brings
_OF_ENTRY = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EISDIR, errno.ENXIO)
_OF_BYTES = (errno.EINVAL, errno.EOVERFLOW, errno.EFBIG, errno.EILSEQ)
_OF_MACHINE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE, errno.ENFILE, errno.ENOMEM)


def stop_for_source(error: OSError) -> None:
    """Return where ``error`` is about one file; raise SourceError where it is about the archive, and ``error`` itself
    where it is about the machine (`curate.engine.guard` says what to do)."""
    if error.errno is None or error.errno in (*_OF_ENTRY, *_OF_BYTES):
        return
    if error.errno in _OF_MACHINE:
        raise error
    raise SourceError(error.errno)


def patiently(read: Callable[[], T]) -> T:
    """``read()``, tried again where the archive, not the file, fails: a server that restarts, a mount that comes back,
    a store that asks to go slower. SourceError where it keeps failing (`curate.places.pauses`)."""
    for pause in pauses():
        try:
            return read()
        except SourceError:
            clocked = stop_clock()
            time.sleep(pause)
            if clocked:
                clock_record()
    return read()


@contextmanager
def open_source(path: Path) -> Iterator[BinaryIO]:
    """The file, or the archive's member, to read; DropRecord UNREADABLE_FILE where it, and not the source or the
    machine, fails."""
    try:
        with open_file(path) as file:
            yield file
            return
    except OSError as error:
        stop_for_source(error)
    raise DropRecord(Reason.UNREADABLE_FILE)


def stat_source(path: Path) -> Stat:
    """Its size and time; DropRecord CHANGED where it is there and cannot be asked any more."""
    try:
        return stat_file(path)
    except OSError as error:
        stop_for_source(error)
    raise DropRecord(Reason.CHANGED)


def check_present(path: Path) -> bool:
    """Whether the file, or a member's archive, is there. SourceError where its folder is gone, or holds nothing: a
    mount point without its file system is an empty folder."""
    path = archive_of(path) or path
    try:
        if is_remote(path):
            path.stat()
        else:
            path.lstat()
        return True
    except OSError as error:
        stop_for_source(error)
    if is_remote(path):
        return _has_entries(path.parent)
    try:
        with os.scandir(path.parent) as entries:
            if next(entries, None) is not None:
                return False
    except OSError as error:
        stop_for_source(error)
    raise SourceError(errno.ENOENT)


def _has_entries(folder: Path) -> bool:
    """False, as a file that is gone is; SourceError where nothing at all is left beside it."""
    try:
        if next(folder.iterdir(), None) is not None:
            return False
    except OSError as error:
        stop_for_source(error)
    raise SourceError(errno.ENOENT)


def out_of_reach(paths: Sequence[Path]) -> str:
    """How many of ``paths`` the system does not show, or let be read, at the moment, in words for a SourceError's
    detail."""
    there = [path for path in paths if is_there(path)]
    gone, closed = len(paths) - len(there), sum(not may_read(path) for path in there)
    return f" ({gone} of the {len(paths)} files that were asked for are not there, {closed} may not be read)"
