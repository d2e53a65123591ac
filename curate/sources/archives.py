"""What lies in a tar or zip archive of a source, member by member, not unpacked: WebDataset shards and the like.

Nothing is written, so no member can land elsewhere; all the same a name that leads out of its archive is no name, and
links are not followed. `samples` says which members of an archive belong together.
"""

from __future__ import annotations

import gzip
import math
import stat
import tarfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, Self, cast

import pyarrow as pa
import pyarrow.parquet as pq

from curate.places import place
from curate.record import Reason
from curate.sources.faults import stop_for_source
from curate.sources.member import GZIPPED, MAX_MEMBER, TABLES, address, read_at
from curate.sources.walk import Found, matcher, walk

_TAR, _ZIP, _PACKED = (".tar", *GZIPPED), (".zip",), (".tar.bz2", ".tar.xz", ".tar.zst")
OF_ARCHIVES = (Reason.DAMAGED_ARCHIVE, Reason.PACKED_ARCHIVE, Reason.UNSAFE_NAME, Reason.REPEATED_NAME)
_TEXTS = frozenset(("txt", "text", "json", "html", "htm", "rtf", "caption"))  # suffixes of what describes an image
_ENCRYPTED = 0x1  # general purpose bit 0 of a zip's entry (APPNOTE 4.4.4)
_DAMAGED = (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error)
_DEEPEST = 3  # dots from the end at which a sample's key may end


@dataclass(frozen=True)
class _Entry:
    """A member as its archive lists it."""

    name: str
    start: int
    size: int
    reason: Reason | None = None


def walk_members(
    root: Path, follow_symlinks: bool = False, exclude: Sequence[str] = (), tables: bool = False
) -> Iterator[Found]:
    """`walk`, with the members of an archive in its place, in the archive's order.

    An archive is told by its name (.tar, .tar.gz, .tgz, .zip) and must be one: else, and where it ends too early, it
    stands for what cannot be read as DAMAGED_ARCHIVE; packed by bzip2, xz or Zstandard it is PACKED_ARCHIVE. A
    member's ``relative`` path is as though its archive were a folder, its time is the archive's, its ``sample`` what
    it shares with those that belong to it. Absolute names and such that lead out are UNSAFE_NAME, a name that stands
    twice is REPEATED_NAME every time; links are SYMLINK. With ``tables`` a Parquet file that holds images is such an
    archive, too, whose members are called ``row/column``. Raises as `walk`.
    """
    excluded = matcher(exclude)
    for found in walk(root, follow_symlinks, exclude):
        name = found.relative.lower()
        if tables and found.reason is None and name.endswith(TABLES):
            yield from _images(found, excluded)
        elif found.reason is not None or not name.endswith((*_TAR, *_ZIP, *_PACKED)):
            yield found
        elif name.endswith(_PACKED):
            yield replace(found, reason=Reason.PACKED_ARCHIVE)
        else:
            yield from _members(found, _list_zip if name.endswith(_ZIP) else _list_tar, excluded)


def _members(
    archive: Found, listing: Callable[[Found], list[_Entry]], excluded: Callable[[str, str], bool]
) -> Iterator[Found]:
    try:
        entries = listing(archive)
    except OSError as error:
        stop_for_source(error)
        entries = [_Entry("", 0, 0, Reason.UNREADABLE_FILE)]
    names = Counter(entry.name for entry in entries)
    shared = samples([entry.name for entry in entries if entry.reason is None and names[entry.name] == 1])
    for entry in entries:
        if not entry.name:  # the archive itself, of which something cannot be read
            yield replace(archive, reason=entry.reason)
            continue
        relative, reason = f"{archive.relative}/{entry.name}", entry.reason
        if excluded(relative, entry.name.rpartition("/")[2]):
            continue
        if reason is None and names[entry.name] > 1:
            reason, relative = Reason.REPEATED_NAME, f"{relative}@{entry.start}"
        path = address(archive.path, entry.start, entry.size, entry.name)
        sample = f"{archive.relative}/{shared[entry.name]}/" if reason is None else ""
        yield Found(path, relative, entry.size, archive.mtime_ns, reason, sample)


def _images(table: Found, excluded: Callable[[str, str], bool]) -> Iterator[Found]:
    """The images of a Parquet file; the file itself where it holds none, or cannot be read."""
    from curate.sources.image_rows import list_images  # pyarrow.parquet: only where there is a table

    some = False
    try:
        with place(table.path).open("rb") as file, pq.ParquetFile(file) as opened:
            for row, name in list_images(opened):
                some, relative = True, f"{table.relative}/{name}"
                if excluded(relative, name.rpartition("/")[2]):
                    continue
                path, sample = address(table.path, row, 0, name), f"{table.relative}/{row + 1}/"
                yield Found(path, relative, 0, table.mtime_ns, None, sample)
    except OSError as error:
        stop_for_source(error)
        yield replace(table, reason=Reason.UNREADABLE_FILE)
    except pa.ArrowException:
        yield replace(table, reason=Reason.DAMAGED_ARCHIVE) if some else table
    else:
        if not some:
            yield table


class Header(tarfile.TarInfo):
    """Of a plain file's header only what is asked for, which halves the time of a listing; all else as tarfile does."""

    @classmethod
    def frombuf(cls, buf: Any, encoding: str, errors: str) -> Self:
        """As `tarfile.TarInfo.frombuf`."""
        try:
            size, checksum = int(buf[124:135], 8), int(buf[148:154], 8)
        except ValueError:
            checksum = -1
        whole = len(buf) == tarfile.BLOCKSIZE and sum(buf) - sum(buf[148:156]) + 8 * ord(" ") == checksum
        if not whole or buf[156:157] != tarfile.REGTYPE or buf[345]:  # damaged, no plain file, or a name in two parts
            return super().frombuf(buf, encoding, errors)
        header = cls(bytes(buf[:100]).partition(b"\0")[0].decode(encoding, errors))
        header.size = size
        return header


def _list_tar(archive: Found) -> list[_Entry]:
    """The members; last, without a name, what says that there is more which cannot be read."""
    entries: list[_Entry] = []
    whole = False
    packed = archive.relative.lower().endswith(GZIPPED)
    with place(archive.path).open("rb") as opened:
        file = cast(BinaryIO, gzip.GzipFile(fileobj=opened)) if packed else opened
        try:
            with tarfile.open(fileobj=file, mode="r:", tarinfo=Header, errors="surrogateescape") as tar:
                for info in tar:
                    tar.members.clear()  # type: ignore[attr-defined]  # else it keeps them all
                    if not info.isdir():
                        entries.append(_tar_entry(info, math.inf if packed else archive.size))
                end = read_at(file, tarfile.BLOCKSIZE, tar.offset)
                whole = not any(end)  # tarfile ends in silence where a header makes no sense
                while packed and file.read(1 << 20):  # to the checksum of all that was inflated
                    pass
        except (*_DAMAGED, ValueError, OverflowError, RecursionError):
            whole = False
    return entries if whole else [*entries, _Entry("", 0, 0, Reason.DAMAGED_ARCHIVE)]


def _tar_entry(info: tarfile.TarInfo, length: float) -> _Entry:
    name, safe = _clean(info.name)
    reason = None
    if not safe:
        reason = Reason.UNSAFE_NAME
    elif info.issym() or info.islnk():
        reason = Reason.SYMLINK
    elif not info.isreg() or info.issparse():
        reason = Reason.UNREADABLE_FILE
    elif info.offset_data + info.size > length:
        reason = Reason.DAMAGED_ARCHIVE
    elif length == math.inf and info.size > MAX_MEMBER:
        reason = Reason.TOO_LARGE
    elif info.size == 0:
        reason = Reason.EMPTY_FILE
    return _Entry(name, info.offset_data, info.size, reason)


def _list_zip(archive: Found) -> list[_Entry]:
    try:
        with place(archive.path).open("rb") as file, zipfile.ZipFile(file) as book:
            return [_zip_entry(info) for info in book.infolist() if not info.is_dir()]
    except (zipfile.BadZipFile, EOFError, ValueError, NotImplementedError):
        return [_Entry("", 0, 0, Reason.DAMAGED_ARCHIVE)]


def _zip_entry(info: zipfile.ZipInfo) -> _Entry:
    name, safe = _clean(info.filename)
    reason = None
    if not safe:
        reason = Reason.UNSAFE_NAME
    elif stat.S_ISLNK(info.external_attr >> 16):
        reason = Reason.SYMLINK
    elif info.flag_bits & _ENCRYPTED:
        reason = Reason.UNREADABLE_FILE
    elif info.file_size > MAX_MEMBER:
        reason = Reason.TOO_LARGE
    elif info.file_size == 0:
        reason = Reason.EMPTY_FILE
    return _Entry(name, info.header_offset, info.file_size, reason)


def _clean(name: str) -> tuple[str, bool]:
    """(the name without "./", whether it stays below its archive): never empty, and without NUL."""
    parts = [part for part in name.replace("\0", "?").split("/") if part not in ("", ".")]
    windows = "\\" in name or name[1:2] == ":"
    return "/".join(parts) or "?", bool(parts) and ".." not in parts and not name.startswith("/") and not windows


def samples(names: Iterable[str]) -> dict[str, str]:
    """Member -> the key of its sample, by how the archive's own members fit together.

    A key is the name up to its last dot, as a file and the text beside it are called; or, as WebDataset has it, up to
    the first dot of the bare name (so that ``a.0.png``, ``a.1.png`` and ``a.txt`` are one); or up to the second or
    third dot from the end (``1.2.840.image.png`` and ``1.2.840.caption.txt``): whichever gives the most samples of
    images with exactly one text of each kind; of equals the first. Keys with dots are thereby no trap.
    """
    listed = list(names)
    pictures = sum(not _is_text(name) for name in listed)
    if pictures == len(listed):
        return {name: _first_dot(name) for name in listed}
    ways: list[Callable[[str], str]] = [_last_dot, _first_dot]
    ways += [lambda name, n=n: _last_dot(name, n) for n in range(2, _DEEPEST + 1)]  # type: ignore[misc]
    best, most = ways[0], -1
    for way in ways:
        if most < pictures and (whole := _whole_samples(listed, way)) > most:  # as many as images: no other has more
            best, most = way, whole
    return {name: best(name) for name in listed}


def _last_dot(name: str, dots: int = 1) -> str:
    folder, slash, bare = name.rpartition("/")
    parts = bare.rsplit(".", dots)
    return folder + slash + (parts[0] or bare)


def _first_dot(name: str) -> str:
    folder, slash, bare = name.rpartition("/")
    return folder + slash + (bare.partition(".")[0] or bare)


def _is_text(name: str) -> bool:
    return name.rpartition(".")[2].lower() in _TEXTS


def _whole_samples(names: Sequence[str], way: Callable[[str], str]) -> int:
    """How many keys have an image, and of texts one of each kind."""
    texts: Counter[tuple[str, str]] = Counter()
    images: set[str] = set()
    for name in names:
        if _is_text(name):
            texts[way(name), name.rpartition(".")[2].lower()] += 1
        else:
            images.add(way(name))
    several = {key for (key, _), count in texts.items() if count > 1}
    return len(({key for key, _ in texts} & images) - several)


def is_archive(name: str) -> bool:
    """Whether a file by this name is looked into."""
    return name.lower().endswith((*_TAR, *_ZIP))
