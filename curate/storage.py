"""Files of a run: atomic commits, Parquet in and out, hashes.

A run's folder is a POSIX path (local disk, NFS, Lustre, a FUSE mount), where the commit is `os.replace`, which is
atomic; or a URL (`curate.places`), where a PUT is. Bytes are deterministic: the same table gives the same file, on
either. Storage loses bits: a table's pages carry a checksum that is compared when they are read, a marker one over
itself.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import io
import json
import os
import posixpath
import re
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, cast

import pyarrow as pa
import pyarrow.parquet as pq

from curate.errors import DamagedError, RecipeError, RunError
from curate.lease import leased
from curate.places import RemotePath, is_remote

OWNER = ".radsift-run.json"  # in the folder of a run: whose it is, and the sha256 of its recipe
_CHECK = "check"  # the field of a marker that holds the digest of the others
_PIECE = 1 << 24  # bytes of an object in one request
TEMPORARY = ".tmp-"  # files and folders with this in their name are never read; a killed run leaves them behind


def commit_bytes(path: Path, data: bytes) -> None:
    """Write the whole file or nothing: a reader sees the old file, the new file, or none."""
    with _committed(path) as file:
        file.write(data)


def commit_table(path: Path, tables: Iterable[pa.Table], row_group: int = 64 * 1024) -> str:
    """Commit ``tables`` (at least one), one behind the other, as `table_bytes` makes them of one; its `digest`. Of a
    path no more is held at a time than one of them and a row group."""
    with _committed(path) as file:
        _write_tables(file, tables, row_group)
        size = file.tell()
        file.seek(0)
        return _digest_of_file(file, size)


@contextmanager
def _committed(path: Path) -> Iterator[BinaryIO]:
    """What is to be the whole file at ``path``, from when the block ends well."""
    if is_remote(path):
        with io.BytesIO() as memory:
            yield memory
            path.write_bytes(memory.getvalue())
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}{TEMPORARY}{uuid.uuid4().hex[:8]}")
    try:
        with open(temporary, "w+b") as f:
            yield f
            f.flush()
            os.fsync(f.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def commit_json(path: Path, value: Mapping[str, Any]) -> None:
    """JSON with sorted keys, committed as `commit_bytes` does."""
    commit_bytes(path, (json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False) + "\n").encode())


def read_json(path: Path) -> Any:
    """The JSON value in ``path``; FileNotFoundError where there is none, DamagedError where it is no JSON."""
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        raise DamagedError(path) from None


def commit_marker(path: Path, value: Mapping[str, Any]) -> None:
    """`commit_json` of ``value`` and a digest of it, so that `read_marker` knows a damaged one."""
    commit_json(path, {**value, _CHECK: _digest_of(value)})


def read_marker(path: Path) -> dict[str, Any] | None:
    """What `commit_marker` wrote; None where there is none or it is damaged, which comes to the same: do it again."""
    try:
        value = read_json(path)
    except (FileNotFoundError, DamagedError):
        return None
    except OSError as error:
        if is_lost(path, error):
            return None
        raise
    if not isinstance(value, dict) or value.pop(_CHECK, None) != _digest_of(value):
        return None
    return value


def is_lost(path: Path, error: OSError) -> bool:
    """Whether the system says that this one file cannot be read, not that the storage as a whole does not answer."""
    return not is_remote(path) and error.errno in (errno.EIO, errno.EISDIR, errno.EACCES)


def _digest_of(value: Mapping[str, Any]) -> str:
    return digest(json.dumps(value, sort_keys=True, ensure_ascii=False))


def table_bytes(table: pa.Table, row_group: int = 64 * 1024) -> bytes:
    """The table as a Parquet file (zstd, a CRC a page), the same bytes for the same table and pyarrow version."""
    sink = io.BytesIO()
    _write_tables(sink, [table], row_group)
    return sink.getvalue()


def _write_tables(file: BinaryIO, tables: Iterable[pa.Table], row_group: int) -> None:
    tables = iter(tables)
    first = next(tables)
    rest = first.schema.empty_table()
    with pq.ParquetWriter(file, first.schema, compression="zstd", write_page_checksum=True) as writer:
        for table in chain([first], tables):
            rest = pa.concat_tables([rest, table])
            full = rest.num_rows // row_group * row_group  # the groups lie as if there were one table
            if full:
                writer.write_table(rest.slice(0, full).combine_chunks(), row_group)
            rest = rest.slice(full)
        if rest.num_rows:
            writer.write_table(rest.combine_chunks(), row_group)


def read_batches(path: Path, columns: Sequence[str], rows: int) -> Iterator[pa.Table]:
    """`read_table`, so many ``rows`` at a time; one table without rows of a file that has none."""
    with whole_or_damaged(path), path.open("rb") as file:
        parquet, found = pq.ParquetFile(file, page_checksum_verification=True), False
        for batch in parquet.iter_batches(rows, columns=list(columns)):
            found = True
            yield pa.Table.from_batches([batch])
        if not found:
            yield parquet.schema_arrow.empty_table().select(list(columns))


def read_table(path: Path, columns: Sequence[str] | None = None, filters: Any = None) -> pa.Table:
    """A Parquet file, only ``columns`` where given; ``filters`` as in pyarrow, pruned by row group. The pages that are
    read are compared with their CRCs. FileNotFoundError where there is none, DamagedError where it is not whole."""
    names = None if columns is None else list(columns)
    checked: dict[str, Any] = {"filters": filters, "partitioning": None, "page_checksum_verification": True}
    with whole_or_damaged(path):
        if is_remote(path):
            with path.open("rb") as file:  # ranges of the columns and row groups that are asked for
                return pq.read_table(file, columns=names, pre_buffer=False, **checked)
        return pq.read_table(path, columns=names, **checked)


@contextmanager
def whole_or_damaged(path: Path) -> Iterator[None]:
    """What Arrow says of a file whose bytes make no sense becomes a DamagedError; what the system says does not."""
    try:
        yield
    except pa.ArrowException as error:
        if isinstance(error, pa.ArrowKeyError | pa.ArrowNotImplementedError):
            raise
        raise DamagedError(path) from None
    except FileNotFoundError:
        raise
    except OSError as error:
        if error.errno is not None:
            raise
        raise DamagedError(path) from None


def digest(*parts: bytes | str) -> str:
    """sha256 hex over the parts, each length-prefixed."""
    h = hashlib.sha256()
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        h.update(len(raw).to_bytes(8, "big") + raw)
    return h.hexdigest()


def digest_file(path: Path) -> str:
    """`digest` of the file's bytes as one part, read in pieces."""
    with path.open("rb") as file:
        size = path.stat().st_size if is_remote(path) else os.fstat(file.fileno()).st_size
        return _digest_of_file(file, size, _PIECE if is_remote(path) else 1 << 20)


def _digest_of_file(file: BinaryIO, size: int, piece: int = 1 << 20) -> str:
    h = hashlib.sha256(size.to_bytes(8, "big"))
    while data := file.read(piece):
        h.update(data)
    return h.hexdigest()


def stamp_of(path: Path) -> list[int | str]:
    """What changes when a file is touched: size, times and inode, or an object's size, time and ETag."""
    info: Any = path.stat()
    if is_remote(path):
        return [info.st_size, info.st_mtime_ns, info.etag]
    return [info.st_size, info.st_mtime_ns, info.st_ctime_ns, info.st_ino]


def name_from(path: Path, folder: Path) -> str:
    """The path as named from ``folder``, so that a run can be moved; `beside` finds it again."""
    return posixpath.relpath(str(path), str(folder)) if is_remote(path) else os.path.relpath(path, folder)


def beside(folder: Path, name: str) -> Path:
    """The file that ``name`` is, from ``folder``."""
    return (folder / name).resolve() if is_remote(folder) else folder / name


@contextmanager
def scratch_folder(final: Path) -> Iterator[Path]:
    """A new local folder to make ``final`` in (`commit_folder`): beside it, or where temporary files go; removed when
    the block ends."""
    if is_remote(final):
        with tempfile.TemporaryDirectory(prefix="radsift-") as apart:
            yield Path(apart)
        return
    final.parent.mkdir(parents=True, exist_ok=True)
    temporary = final.with_name(f"{final.name}{TEMPORARY}{uuid.uuid4().hex[:8]}")
    temporary.mkdir()
    try:
        yield temporary
    finally:
        remove_tree(temporary, final.parent)


def local_folder(folder: Path) -> Path:
    """``folder``, or a copy on this machine of what a URL holds: for libraries that read files alone. A copy is kept
    for this user until the objects change; other copies are none of this function's."""
    if not is_remote(folder):
        return folder
    objects = [(path, name_from(cast(Path, path), folder), info) for path, info in cast(RemotePath, folder).below()]
    if not objects:
        return folder
    named = digest(str(folder), *(f"{name}|{i.st_size}|{i.st_mtime_ns}|{i.etag}" for _, name, i in objects))
    kept = private_folder(Path(tempfile.gettempdir()) / f"radsift-{os.getuid()}") / named[:32]
    if not kept.is_dir():
        with scratch_folder(kept) as scratch:
            for path, name, _ in objects:
                target = scratch / "copy" / name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(path.read_bytes())
            commit_folder(scratch / "copy", kept)
    return kept


def private_folder(path: Path) -> Path:
    """The folder, made if need be, readable by its owner alone (0700). On an object store the bucket's policy says who
    reads; what is written there is sealed in any case."""
    if is_remote(path):
        return path
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.chmod(0o700)
    return path


def commit_folder(temporary: Path, final: Path) -> None:
    """Move a finished folder into place; one already there (another attempt's same bytes) is kept. On an object store
    file by file: the marker that comes after says that all are there."""
    if is_remote(final):
        for path in sorted(p for p in temporary.rglob("*") if p.is_file()):
            commit_bytes(final / path.relative_to(temporary).as_posix(), path.read_bytes())
        return
    if final.exists():
        remove_tree(temporary, temporary.parent)
        return
    final.parent.mkdir(parents=True, exist_ok=True)
    temporary.replace(final)


@contextmanager
def exclusive(lock: Path) -> Iterator[Callable[[], None]]:
    """Hold ``lock`` alone, for as long as this process lives at most; RunError where another process holds it. What is
    given raises RunError where it is no longer held.

    A lock of the operating system, which the death of its holder ends at once; where there is none (an object store, a
    mount without locks), a lease (`curate.lease`).
    """
    locked = None if is_remote(lock) else _flock(lock)
    if locked is None:
        with leased(lock.with_name(f"{lock.name}.lease")) as lease:
            yield lease.check
        return
    with locked:
        yield lambda: None


def _flock(lock: Path) -> Any | None:
    """The locked file; None where the file system has no locks."""
    locked = open(lock, "a")  # noqa: SIM115  the caller closes it
    try:
        fcntl.flock(locked, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        locked.close()
        where = lock.parent.parent if lock.parent.name == "private" else lock.parent
        raise RunError(f"another run is at work on {where}; wait for it, or give another 'out'") from None
    except OSError as error:
        locked.close()
        if error.errno not in (errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK):
            raise
        return None
    return locked


def remove_tree(path: Path, inside: Path) -> None:
    """Remove ``path`` and what is below it, where it is there. ``inside`` is a folder of the product's own.

    Every tree that the product removes, it removes here. RunError, and nothing is touched, where ``path`` is a link or
    does not lie below ``inside`` when all links on the way are followed.
    """
    if is_remote(path):
        if path == inside or not path.resolve().is_relative_to(inside.resolve()):
            raise RunError(f"{path.name} lies elsewhere: it is not removed")
        cast(RemotePath, path).remove_below()
        return
    if path.is_symlink() or not path.resolve().is_relative_to(inside.resolve()) or path.resolve() == inside.resolve():
        raise RunError(f"{path.name} is a link, or lies elsewhere: it is not removed; put a folder of the run there")
    if path.is_dir():
        shutil.rmtree(path)


def check_own(run: Path) -> None:
    """RecipeError where ``run`` is neither new, nor empty, nor a folder that `claim` made a run's."""
    claimed = f"{OWNER}{TEMPORARY}"  # of a run that was killed while it made the folder its own
    if run.is_dir() and any(not path.name.startswith(claimed) for path in run.iterdir()) and not is_run(run):
        raise RecipeError("out", f"{run} is not empty and holds no run", "name a new folder; nothing is overwritten")
    if run.exists() and not run.is_dir():
        raise RecipeError("out", f"{run} is a file", "name a folder")
    for name in ("steps", "private", "report"):
        if (run / name).is_symlink():
            problem = f"{run / name} is a link, and what it leads to might not be the run's"
            raise RecipeError("out", problem, "make 'out' itself lie there, or link 'out'")


def claim(run: Path, recipe: bytes | None = None) -> None:
    """Make ``run`` a run's folder, marked as such and with ``recipe``'s digest. Raises as `check_own`."""
    check_own(run)
    run.mkdir(parents=True, exist_ok=True)
    if recipe is not None or not (run / OWNER).exists():
        commit_marker(run / OWNER, {"made_by": "radsift", **({"recipe": digest(recipe)} if recipe is not None else {})})


def is_run(run: Path) -> bool:
    """Whether the folder is a run's."""
    return (run / OWNER).is_file() or (run / "private" / "lock").is_file()  # the latter alone until there was a marker


def sweep(folder: Path) -> None:
    """Remove what a killed run left half written below ``folder``: names that `TEMPORARY` and 8 hex digits end.

    Links are not followed. An object store has none.
    """
    if is_remote(folder):
        return
    for parent, folders, files in os.walk(folder):
        for name in [n for n in folders if _HALF_WRITTEN.search(n)]:
            folders.remove(name)
            remove_tree(Path(parent, name), folder)
        for name in filter(_HALF_WRITTEN.search, files):
            Path(parent, name).unlink(missing_ok=True)


_HALF_WRITTEN = re.compile(re.escape(TEMPORARY) + "[0-9a-f]{8}$")
