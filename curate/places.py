"""Where files lie: a path of this machine, or an fsspec URL (s3://, gs://, az://, memory://) that behaves like one.

`place` makes either of a string. A `RemotePath` has the part of `pathlib.Path` that the product uses, so whoever reads
and writes a run does not ask which it is. Three things differ there and are dealt with here: a write is whole or not
there (a PUT), so nothing is renamed; there are no folders, links or modes; and a request can fail for a while, so it
is tried again, with growing pauses. What still fails is an OSError with a number and without the backend's text, which
could quote a file's name. Credentials are the backend's business: it reads them from the environment or from files.
"""

from __future__ import annotations

import errno
import fnmatch
import io
import os
import posixpath
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, NoReturn, TypeVar, cast

from curate.errors import RecipeError

T = TypeVar("T")
_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_LOCAL = ("file", "local")
_EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gs", "gcs": "gs", "az": "az", "abfs": "az", "abfss": "az"}
_BLOCK = 1 << 16  # bytes of an object that are fetched at least: a DICOM header
PATIENCE = "RADSIFT_PATIENCE"  # of the environment: seconds that what fails for a while is waited for, in all
_SHARES = (0.02, 0.04, 0.08, 0.24, 0.62)  # of them, between the tries
_NO_FAULT = (FileNotFoundError, FileExistsError, IsADirectoryError, NotADirectoryError)  # answers, not failures
_NUMBERS = ((PermissionError, errno.EACCES), (TimeoutError, errno.ETIMEDOUT), (ConnectionError, errno.ECONNREFUSED))


def place(url: str | os.PathLike[str] | RemotePath) -> Path:
    """The path, or the URL as what behaves like one. RecipeError where a URL names its credentials, or a kind of
    storage whose package is not installed."""
    if isinstance(url, Path | RemotePath):
        return cast(Path, url)
    return _placed(os.fspath(url))


@lru_cache(maxsize=16)  # a file is asked for several times in a row
def _placed(text: str) -> Path:
    if not _URL.match(text):
        return Path(text)
    protocol, _, rest = text.partition("://")
    if protocol.lower() in _LOCAL:
        return Path(rest)
    if "@" in rest.split("/", 1)[0] and protocol.lower() in ("s3", "s3a", "gs", "gcs"):
        problem = "a URL with credentials in it would be written into the run's files"
        raise RecipeError(f"{protocol}://", problem, "give them in the environment, or in the provider's own files")
    return cast(Path, RemotePath(f"{protocol.lower()}://{rest}"))


def normalised(path: Path, name: str = "") -> str:
    """The path or URL, or what is called ``name`` from there, as text, without ``..`` and without looking at any
    link."""
    if is_remote(path):
        return str((path / name).resolve())
    return os.path.normpath(os.path.join(path, name))  # noqa: PTH118  as text, in half the time


def is_remote(path: Path) -> bool:
    """Whether the path is a URL's, not one of this machine."""
    return isinstance(cast(Any, path), RemotePath)


@dataclass(frozen=True)
class RemoteStat:
    """What a store tells of an object. ``etag``: what it calls this very content; empty where it does not say."""

    st_size: int  # bytes
    st_mtime_ns: int
    etag: str

    @property
    def st_mtime(self) -> float:
        """In seconds."""
        return self.st_mtime_ns / 1e9


class RemotePath(PurePosixPath):
    """An object's or a prefix's URL. Compared, joined and cut as any pure path; ``str`` gives the URL back."""

    __slots__ = ()

    def __str__(self) -> str:
        return super().__str__().replace(":/", "://", 1)

    def __repr__(self) -> str:
        return f"RemotePath({str(self)!r})"

    def __fspath__(self) -> str:
        raise TypeError("a URL is no path of this machine")  # never a local folder called 's3:'

    def __reduce__(self) -> tuple[type[RemotePath], tuple[str]]:
        return RemotePath, (str(self),)

    @property
    def fs(self) -> Any:
        """The fsspec file system; listings are never remembered, another process may write at any time."""
        return file_system(str(self).partition("://")[0])

    @property
    def key(self) -> str:
        """The path as ``fs`` takes it."""
        return str(self.fs._strip_protocol(str(self)))

    def resolve(self, strict: bool = False) -> RemotePath:
        """Without ``..``: there are no links."""
        protocol, _, rest = str(self).partition("://")
        return RemotePath(f"{protocol}://{posixpath.normpath(rest)}")

    def absolute(self) -> RemotePath:
        """As it is."""
        return self

    def read_bytes(self) -> bytes:
        """The whole object; FileNotFoundError where there is none."""
        return bytes(patiently(lambda: self.fs.cat_file(self.key)))

    def read_text(self, encoding: str = "utf-8") -> str:
        """The whole object as text."""
        return self.read_bytes().decode(encoding)

    def write_bytes(self, data: bytes) -> None:
        """One PUT: a reader sees the old object, the new one, or none."""
        patiently(lambda: self.fs.pipe_file(self.key, data))

    def create(self, data: bytes) -> bool:
        """Write the object where there is none; False where there is one. Of two at once, one wins."""
        try:
            patiently(lambda: self.fs.pipe_file(self.key, data, mode="create"))
        except FileExistsError:
            return self.exists() and self.read_bytes() == data  # a try of ours may have been done and not answered
        return True

    def open(self, mode: str = "rb") -> BinaryIO:
        """The object, to read from and to seek in; what is read is fetched as it is asked for."""
        if mode != "rb":
            raise ValueError(f"mode {mode}: objects are written whole")
        return io.BufferedReader(_Object(self, self.stat().st_size), _BLOCK)

    def stat(self) -> RemoteStat:
        """Size, time, ETag; FileNotFoundError where there is none."""
        return _stat(patiently(lambda: self.fs.info(self.key)))

    def exists(self) -> bool:
        """Whether there is an object, or something below the prefix."""
        return bool(patiently(lambda: self.fs.exists(self.key)))

    def is_file(self) -> bool:
        """Whether there is an object."""
        return bool(patiently(lambda: self.fs.isfile(self.key)))

    def is_dir(self) -> bool:
        """Whether there is something below the prefix."""
        return bool(patiently(lambda: self.fs.isdir(self.key)))

    def is_symlink(self) -> bool:
        """Never."""
        return False

    def mkdir(self, mode: int = 0o777, parents: bool = False, exist_ok: bool = False) -> None:
        """Nothing: a prefix is there when an object is."""

    def unlink(self, missing_ok: bool = False) -> None:
        """Remove the object."""
        try:
            patiently(lambda: self.fs.rm_file(self.key))
        except FileNotFoundError:
            if not missing_ok:
                raise

    def remove_below(self) -> None:
        """Remove every object below the prefix. Only `curate.storage.remove_tree` calls this."""
        try:
            patiently(lambda: self.fs.rm(self.key, recursive=True))
        except FileNotFoundError:
            return

    def below(self) -> Iterator[tuple[RemotePath, RemoteStat]]:
        """Every object below the prefix, in the order of their names."""
        root = self.key.rstrip("/")
        found = patiently(lambda: self.fs.find(root, detail=True))
        for name in sorted(found):
            relative = name[len(root) :].strip("/")
            if relative and found[name]["type"] == "file" and not name.endswith("/"):
                yield self / relative, _stat(found[name])

    def iterdir(self) -> Iterator[RemotePath]:
        """Objects and prefixes right below."""
        entries = patiently(lambda: self.fs.ls(self.key, detail=False))
        yield from (self / name.rstrip("/").rsplit("/", 1)[-1] for name in sorted(entries) if name != self.key)

    def glob(self, pattern: str) -> Iterator[RemotePath]:
        """As `pathlib.Path.glob`, for names in one folder and folders named by a pattern each."""
        head, _, rest = pattern.partition("/")
        if not any(sign in head for sign in "*?["):
            found = [self / head]
        else:
            try:
                found = [p for p in self.iterdir() if fnmatch.fnmatchcase(p.name, head)]
            except FileNotFoundError:
                found = []
        for path in found:
            if rest:
                yield from path.glob(rest)
            elif path.exists():
                yield path

    def rglob(self, pattern: str) -> Iterator[RemotePath]:
        """Objects below, whose name the pattern fits; prefixes are none."""
        try:
            yield from (path for path, _ in self.below() if fnmatch.fnmatchcase(path.name, pattern))
        except FileNotFoundError:
            return


class RangeStream(io.RawIOBase):
    """``size`` bytes as a file that can be sought; what reads them is told where: ``read(start, length)`` gives bytes,
    fewer at the end."""

    name = ""  # pydicom asks a buffered reader for it

    def __init__(self, size: int, read: Callable[[int, int], bytes]) -> None:
        self._size, self._read, self._at = size, read, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if at < 0:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        self._at = at
        return at

    def readinto(self, buffer: Any) -> int:
        length = min(len(buffer), max(self._size - self._at, 0))
        data = self._read(self._at, length) if length else b""
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


class _Object(RangeStream):
    """An object's bytes, each read a request for a range; retried, as a stream of the backend's own could not be."""

    def __init__(self, path: RemotePath, size: int) -> None:
        fs, key = path.fs, path.key
        super().__init__(size, lambda at, length: patiently(lambda: fs.cat_file(key, start=at, end=at + length)))


def pauses() -> tuple[float, ...]:
    """Seconds between the tries of what may fail for a while: 13 in all unless `PATIENCE` says otherwise."""
    try:
        patience = float(os.environ.get(PATIENCE, "13"))
    except ValueError:
        raise RecipeError(PATIENCE, "is no number of seconds", f"{PATIENCE}=13") from None
    return tuple(share * patience for share in _SHARES) if patience > 0 else ()


def file_system(protocol: str) -> Any:
    """fsspec's file system of a protocol; RecipeError where there is none, with what to install."""
    import fsspec

    try:
        return fsspec.filesystem(protocol, use_listings_cache=False)
    except ValueError:
        raise RecipeError(
            f"{protocol}://", "is no storage that fsspec knows", "s3://, gs://, az:// or a path"
        ) from None
    except ImportError:
        extra = _EXTRAS.get(protocol)
        fix = f"pip install 'radsift[{extra}]'" if extra else f"install fsspec's package for {protocol}"
        raise RecipeError(f"{protocol}://", "the package that reads it is not installed", fix) from None


def patiently(request: Callable[[], T]) -> T:
    """What ``request`` gives; tried again where it fails, `pauses` apart. What is simply not there is an answer.

    OSError with an errno and no text where it keeps failing: EACCES, ETIMEDOUT, ECONNREFUSED, what the backend said,
    or EIO.
    """
    for pause in (*pauses(), None):
        try:
            return request()
        except _NO_FAULT:
            raise
        except Exception as error:
            if isinstance(error, TypeError | AttributeError | NotImplementedError | ImportError | RecipeError):
                raise  # a bug, or a backend that cannot do this
            if pause is None:
                _fail(error)
        time.sleep(pause)
    raise AssertionError("the last pause is None")


def _fail(error: Exception) -> NoReturn:
    number = errno.ENOSPC if _is_full(error) else next((n for kind, n in _NUMBERS if isinstance(error, kind)), None)
    number = number or (error.errno if isinstance(error, OSError) else None) or errno.EIO
    raise OSError(number, f"{os.strerror(number)} ({type(error).__name__})") from None


def _is_full(error: Exception) -> bool:
    """Whether a store says that it, or a quota, is full (S3 has no code of its own for it)."""
    answer = getattr(error.__cause__ or error, "response", None)
    if not isinstance(answer, dict):
        return False
    code = str(answer.get("Error", {}).get("Code"))
    return "Quota" in code or "StorageFull" in code or answer.get("ResponseMetadata", {}).get("HTTPStatusCode") == 507


def _stat(info: dict[str, Any]) -> RemoteStat:
    changed = next(
        (info[n] for n in ("LastModified", "last_modified", "mtime", "updated", "created") if info.get(n)), 0
    )
    if isinstance(changed, str):
        changed = datetime.fromisoformat(changed)
    seconds = changed.timestamp() if isinstance(changed, datetime) else float(changed)
    etag = str(info.get("ETag") or info.get("etag") or info.get("md5Hash") or "").strip('"')
    return RemoteStat(int(info.get("size") or 0), round(seconds * 1e9), etag)
