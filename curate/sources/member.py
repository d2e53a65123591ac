"""A file inside an archive is opened where it lies: the one seam through which everything that reads a source goes.

A member has an address that is a path: the archive's own, a component of NUL, where its bytes begin and how many they
are, its name (``/pool/shard-0.tar/<NUL>000000000001536+4711/case.png``). No file system has such a path, so none is
mistaken for one, and ``name``, ``suffix`` and ``parent`` mean what they mean elsewhere. `place` is the same without
that component: where the member would lie were the archive a folder, which is how pairing and keys know it.
"""

from __future__ import annotations

import errno
import gzip
import io
import os
import tarfile
import zipfile
import zlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, cast

import pyarrow as pa

from curate import places

TABLES = (".parquet", ".pq")
GZIPPED = (".tar.gz", ".tgz")
MAX_MEMBER = 1 << 30  # bytes that a compressed member may inflate to
_SMALL = 1 << 16  # bytes of a tar's member that are read at once: cheaper than reading them piece by piece
_MARK = "/\0"
_BLOCK = 512  # of tar (POSIX pax, "ustar Interchange Format")


@dataclass(frozen=True)
class Stat:
    """Bytes, and the modification time in ns: of a member its archive's, since its own is what the packer liked.
    The size of an image in a table is 0: nobody knows it before it is read."""

    size: int
    mtime_ns: int


def address(archive: str, start: int, size: int, name: str) -> str:
    """The path of a member; ``start`` is where its bytes begin in a tar (inflated), its header in a zip, its row in a
    table."""
    return f"{archive}{_MARK}{start:015d}+{size}/{name}"


def place(path: str) -> str:
    """``path``, of a member as though its archive were a folder."""
    archive, mark, rest = path.partition(_MARK)
    return f"{archive}/{rest.partition('/')[2]}" if mark else path


def archive_of(path: Path) -> Path | None:
    """The archive that a member lies in; None of a file."""
    archive, mark, _ = str(path).partition(_MARK)
    return places.place(archive) if mark else None


def open_file(path: Path) -> BinaryIO:
    """A file or a member to read and to seek in. OSError as `open` says it; EINVAL where a zip, .tar.gz or table does
    not hold what it held, EFBIG where a member would inflate beyond `MAX_MEMBER`. Whether a tar is still the one
    that was listed `stat_file` says."""
    archive, mark, rest = str(path).partition(_MARK)
    if not mark:
        return path.open("rb")
    extent, _, name = rest.partition("/")
    start, size = map(int, extent.split("+"))
    if archive.lower().endswith(".zip"):
        return _open_in_zip(archive, start)
    if archive.lower().endswith(TABLES):
        return _open_in_table(archive, start, name)
    if archive.lower().endswith(GZIPPED):
        return io.BufferedReader(_Whole(_in_gzipped(archive, start)))
    path = places.place(archive)
    file = path.open("rb") if places.is_remote(path) else cast(BinaryIO, open(archive, "rb", buffering=0))  # noqa: SIM115  closed with what is returned
    if size <= _SMALL:
        with file:
            return io.BufferedReader(_Whole(read_at(file, size, start)))
    return io.BufferedReader(_Part(file, start, size))


def stat_file(path: Path) -> Stat:
    """Size and time of a file or a member. OSError as `open_file`."""
    archive, mark, rest = str(path).partition(_MARK)
    info = places.place(archive).stat()
    if not mark:
        return Stat(info.st_size, info.st_mtime_ns)
    start = int(rest.partition("+")[0])
    if archive.lower().endswith(".zip"):
        return Stat(_in_zip(archive, start)[1].file_size, info.st_mtime_ns)
    if archive.lower().endswith(TABLES):
        return Stat(0, info.st_mtime_ns)
    if archive.lower().endswith(GZIPPED):
        return Stat(len(_in_gzipped(archive, start)), info.st_mtime_ns)
    with places.place(archive).open("rb") as file:
        return Stat(_size_in_tar(file, start), info.st_mtime_ns)


def is_there(path: Path) -> bool:
    """Whether the system shows the file, or the archive that it lies in; a broken link is there."""
    there = archive_of(path) or path
    return there.exists() if places.is_remote(there) else os.path.lexists(there)


def may_read(path: Path) -> bool:
    """Whether this process may read the file, or the archive that it lies in; of one on another machine: True."""
    there = archive_of(path) or path
    return places.is_remote(there) or os.access(there, os.R_OK, effective_ids=True)


def read_at(file: BinaryIO, length: int, start: int) -> bytes:
    """``length`` bytes from ``start``, fewer at the end; of a file of this machine without moving its position."""
    if isinstance(getattr(file, "raw", file), io.FileIO):
        return os.pread(file.fileno(), length, start)
    file.seek(start)
    return file.read(length)


class _Whole(io.BytesIO):
    """A member in memory."""

    name = ""  # pydicom asks a buffered reader for it


class _Part(places.RangeStream):
    """``size`` bytes of ``file`` from ``start``, as a file of their own; closing it closes ``file``."""

    def __init__(self, file: BinaryIO, start: int, size: int) -> None:
        self._file = file
        super().__init__(size, lambda at, length: read_at(file, length, start + at))

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()


def _size_in_tar(file: BinaryIO, start: int) -> int:
    """By the header right before the bytes, which must still be one."""
    header = read_at(file, _BLOCK, start - _BLOCK)
    try:
        return tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape").size
    except tarfile.HeaderError:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL)) from None


def _open_in_zip(archive: str, start: int) -> BinaryIO:
    """In memory: an inflated stream cannot be sought in. Its length and checksum are compared with what is declared."""
    book, info = _in_zip(archive, start)
    if info.file_size > MAX_MEMBER:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
    try:
        data = book.read(info)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError):
        data = None  # another header, another checksum, encrypted, or packed by what nobody reads
    if data is None:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    return io.BufferedReader(_Whole(data))


def _open_in_table(archive: str, row: int, name: str) -> BinaryIO:
    from curate.sources.image_rows import read_image  # pyarrow.parquet: only where there is a table

    try:
        data = read_image(archive, row, name)
    except (pa.ArrowException, KeyError):
        data = None
    if data is None:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    return io.BufferedReader(_Whole(data))


def _in_gzipped(archive: str, start: int) -> bytes:
    info = places.place(archive).stat()
    return _inflated(archive, info.st_size, info.st_mtime_ns, os.getpid(), start)


@lru_cache(maxsize=1)  # who asks for a member's size opens it next
def _inflated(archive: str, size: int, mtime_ns: int, process: int, start: int) -> bytes:
    """A member's bytes, by the header before them: quick in the archive's order, from its beginning for one before."""
    tar = _gzipped(archive, size, mtime_ns, process)
    data = None
    try:
        length = _size_in_tar(cast(BinaryIO, tar), start)
        if length <= MAX_MEMBER:
            data = tar.read(length)
    except (gzip.BadGzipFile, EOFError, zlib.error):
        length = -1
    finally:
        if data is None:
            _gzipped.cache_clear()  # where it stands nobody knows
    if data is None or len(data) < length:
        number = errno.EFBIG if length > MAX_MEMBER else errno.EINVAL
        raise OSError(number, os.strerror(number))
    return data


@lru_cache(maxsize=4)
def _gzipped(archive: str, size: int, mtime_ns: int, process: int) -> gzip.GzipFile:
    return gzip.GzipFile(fileobj=places.place(archive).open("rb"))


def _in_zip(archive: str, start: int) -> tuple[zipfile.ZipFile, zipfile.ZipInfo]:
    info = places.place(archive).stat()
    try:
        book, members = _zip(archive, info.st_size, info.st_mtime_ns, os.getpid())
        return book, members[start]
    except (zipfile.BadZipFile, KeyError):
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL)) from None


@lru_cache(maxsize=4)
def _zip(archive: str, size: int, mtime_ns: int, process: int) -> tuple[zipfile.ZipFile, dict[int, zipfile.ZipInfo]]:
    """An archive's directory, read once as long as the archive is the same; a process has its own."""
    book = zipfile.ZipFile(places.place(archive).open("rb"))
    return book, {info.header_offset: info for info in book.infolist()}
