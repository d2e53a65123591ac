"""A streaming walk of an archive: every entry is found once, in one order, and a bad one carries its Reason.

Memory is bounded by the folders on the way from the root to where the walk is, never by the archive, so a million
files stream. The order is that of the sorted relative paths, so two walks can be merged, and `chunks` cuts the stream
where the paths themselves say, so that a file added or removed changes the chunk it lies in and not all that follow.
"""

from __future__ import annotations

import errno
import fnmatch
import hashlib
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

from curate.errors import RecipeError, SourceError
from curate.places import RemotePath, RemoteStat, is_remote
from curate.record import Reason
from curate.sources.faults import patiently, stop_for_source

_Identity = tuple[int, int]  # (st_dev, st_ino)
_ESCAPED = re.compile("[\udc80-\udcff]")
_ESCAPE = re.compile("\x00([0-9a-f]{2})")


@dataclass(frozen=True)
class Found:
    """One entry of the archive: a file, or a folder or link that is not entered and says why.

    Paths are as Python's `os` gives them: bytes that are not UTF-8 are lone surrogates (PEP 383), which `open` takes
    and which no table or UTF-8 file does; `as_text` makes them storable.
    """

    path: str  # absolute
    relative: str  # posix, to the source's root
    size: int  # bytes; 0 where it could not be asked
    mtime_ns: int  # modification time in ns; 0 where it could not be asked
    reason: Reason | None  # UNREADABLE_FOLDER, UNREADABLE_FILE, SYMLINK, EMPTY_FILE, or None for a file to look into
    sample: str = ""  # of an archive's member, what those share that belong together (`curate.sources.archives`)


@dataclass(frozen=True)
class _Folder:
    """A folder being listed: what is left of its entries (last first), and which folder it is."""

    relative: str
    entries: list[os.DirEntry[str]]
    identity: _Identity | None


def walk(root: Path, follow_symlinks: bool = False, exclude: Sequence[str] = ()) -> Iterator[Found]:
    """Every entry under ``root``, depth first in sorted order; ``root`` may be a single file.

    ``exclude`` holds shell patterns over the relative path or the bare name; an excluded folder is not entered.
    Links are Found with SYMLINK unless ``follow_symlinks``; then a folder is entered through a link at most once and
    never inside itself, by (st_dev, st_ino), and a link refused for that is a SYMLINK too. Sockets, pipes, devices and
    entries that cannot be asked are UNREADABLE_FILE. Files are not opened: permission is the reader's to find out.
    Raises RecipeError at once where ``root`` does not exist; SourceError where a folder may not be listed, or the
    archive does not answer. Of a URL everything below its prefix is found, in the same order; what it holds for a
    folder, a name that ends in a slash, is none.
    """
    if is_remote(root):
        return _objects(cast(RemotePath, root), matcher(exclude))
    base = Path(os.path.abspath(root))  # noqa: PTH100 - Path.resolve would follow links and Path.absolute keeps ".."
    try:
        info = base.stat()
    except OSError as error:
        raise RecipeError("path", f"cannot read the source ({error.strerror})", "name one that exists") from None
    if not stat.S_ISDIR(info.st_mode):
        return iter([_file(str(base), base.name, info)])
    return _walk(str(base), (info.st_dev, info.st_ino), follow_symlinks, matcher(exclude))


def _objects(root: RemotePath, excluded: Callable[[str, str], bool]) -> Iterator[Found]:
    try:
        if root.is_file():
            return iter([_object(root, root.name, root.stat())])
        if not root.is_dir():
            raise RecipeError("path", "there is nothing at this URL", "name one that exists")
    except OSError as error:
        raise SourceError(error.errno or errno.EIO) from None
    return _below(root, excluded)


def _below(root: RemotePath, excluded: Callable[[str, str], bool]) -> Iterator[Found]:
    try:
        found = list(root.below())
    except OSError as error:
        raise SourceError(error.errno or errno.EIO) from None
    for path, info in found:
        relative = path.relative_to(root).as_posix()
        parts = relative.split("/")
        if not any(excluded("/".join(parts[: i + 1]), part) for i, part in enumerate(parts)):
            yield _object(path, relative, info)


def _object(path: RemotePath, relative: str, info: RemoteStat) -> Found:
    return Found(str(path), relative, info.st_size, info.st_mtime_ns, None if info.st_size else Reason.EMPTY_FILE)


def _walk(base: str, identity: _Identity, follow: bool, excluded: Callable[[str, str], bool]) -> Iterator[Found]:
    linked: set[_Identity] = set()  # folders entered through a link
    folder, bad = patiently(lambda: _list(base, "", identity, follow))
    if bad:
        yield bad
    stack = [folder]
    while stack:
        if not stack[-1].entries:
            stack.pop()
            continue
        entry = stack[-1].entries.pop()
        relative = f"{stack[-1].relative}/{entry.name}" if stack[-1].relative else entry.name
        if excluded(relative, entry.name):
            continue
        found = patiently(partial(_look, entry, relative, follow))
        if isinstance(found, Found):
            yield found
            continue
        here = (found.st_dev, found.st_ino)
        is_link = follow and entry.is_symlink()
        if follow and (any(f.identity == here for f in stack) or (is_link and here in linked)):
            yield Found(entry.path, relative, 0, found.st_mtime_ns, Reason.SYMLINK)
            continue
        if is_link:
            linked.add(here)
        folder, bad = patiently(partial(_list, entry.path, relative, here, follow))
        if bad:
            yield bad
        stack.append(folder)


def _list(path: str, relative: str, identity: _Identity, follow: bool) -> tuple[_Folder, Found | None]:
    """The folder's entries in reverse order; where listing failed, what was read before and a Found that says so."""
    entries: list[os.DirEntry[str]] = []
    bad = None
    try:
        with os.scandir(path) as listing:
            entries.extend(listing)  # extend keeps what came before an error
    except OSError as error:
        stop_for_source(error)
        if not relative:  # the archive itself went away
            raise SourceError(error.errno or errno.EIO) from None
        bad = Found(path, relative, 0, 0, Reason.UNREADABLE_FOLDER)
    entries.sort(key=lambda e: e.name + "/" if _is_dir(e, follow) else e.name, reverse=True)
    return _Folder(relative, entries, identity), bad


def _is_dir(entry: os.DirEntry[str], follow: bool) -> bool:
    try:
        return entry.is_dir(follow_symlinks=follow)
    except OSError:  # a link that leads round in a circle
        return False


def _look(entry: os.DirEntry[str], relative: str, follow: bool) -> Found | os.stat_result:
    """What the entry is: the stat of a folder to enter, or a Found."""
    try:
        is_link = entry.is_symlink()
        info = entry.stat(follow_symlinks=follow)
    except OSError as error:
        stop_for_source(error)
        if error.errno == errno.ELOOP:  # a link that leads to itself
            return Found(entry.path, relative, 0, 0, Reason.SYMLINK)
        reason = Reason.UNREADABLE_FOLDER if _is_dir(entry, False) else Reason.UNREADABLE_FILE
        return Found(entry.path, relative, 0, 0, reason)
    if is_link and not follow:
        return Found(entry.path, relative, 0, info.st_mtime_ns, Reason.SYMLINK)
    return info if stat.S_ISDIR(info.st_mode) else _file(entry.path, relative, info)


def _file(path: str, relative: str, info: os.stat_result) -> Found:
    if not stat.S_ISREG(info.st_mode):
        return Found(path, relative, 0, info.st_mtime_ns, Reason.UNREADABLE_FILE)
    reason = Reason.EMPTY_FILE if info.st_size == 0 else None
    return Found(path, relative, info.st_size, info.st_mtime_ns, reason)


def matcher(patterns: Sequence[str]) -> Callable[[str, str], bool]:
    """Whether a (relative path, bare name) fits one of the shell ``patterns``."""
    if not patterns:
        return lambda relative, name: False
    match = re.compile("|".join(fnmatch.translate(p.rstrip("/")) for p in patterns)).match
    return lambda relative, name: match(relative) is not None or match(name) is not None


def chunks(found: Iterable[Found], about: int = 1000) -> Iterator[list[Found]]:
    """The stream cut into lists of ``about`` entries in the mean and at most ``4 * about``, at content-defined places.

    A chunk ends after an entry whose BLAKE2b path hash is 0 modulo ``about``, so where one ends depends on that entry
    alone. A run of ``4 * about`` without such an entry is cut after the smallest hash of its second half, which
    inserting an entry elsewhere seldom moves either. Raises ValueError for ``about`` below 1.
    """
    if about < 1:
        raise ValueError(f"about must be at least 1, not {about}")
    waiting: list[Found] = []
    hashes: list[int] = []
    for one in found:
        waiting.append(one)
        hashes.append(_path_hash(one.relative))
        if hashes[-1] % about == 0:
            yield waiting
            waiting, hashes = [], []
        elif len(waiting) == 4 * about:
            cut = min(range(2 * about, 4 * about), key=hashes.__getitem__) + 1
            yield waiting[:cut]
            waiting, hashes = waiting[cut:], hashes[cut:]
    if waiting:
        yield waiting


def _path_hash(relative: str) -> int:
    return int.from_bytes(hashlib.blake2b(os.fsencode(relative), digest_size=8).digest(), "big")


def as_text(path: str) -> str:
    """``path`` as a string that UTF-8 can hold: each byte that was not UTF-8 becomes NUL and two hex digits.

    No path holds a NUL, so nothing else looks like that and `as_path` gives the path back exactly.
    """
    return _ESCAPED.sub(lambda m: f"\x00{ord(m[0]) - 0xDC00:02x}", path)


def as_path(text: str) -> str:
    """The path that `as_text` wrote, fit for `open`."""
    return _ESCAPE.sub(lambda m: chr(0xDC00 + int(m[1], 16)), text)
