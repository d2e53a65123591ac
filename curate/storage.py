"""Files of a run: atomic commits, Parquet in and out, hashes.

A run's folder is a POSIX path (local disk, NFS, Lustre, a FUSE mount): the commit is `os.replace`, which is atomic
there. Bytes are deterministic: the same table gives the same file. Disks lose bits: a table's pages carry a checksum
that is compared when they are read, a marker one over itself.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import os
import re
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from curate.errors import DamagedError, RecipeError, RunError

_RUN = ".radsift-run.json"  # in the folder of a run
_CHECK = "check"  # the field of a marker that holds the digest of the others
TEMPORARY = ".tmp-"  # files and folders with this in their name are never read; a killed run leaves them behind


def commit_bytes(path: Path, data: bytes) -> None:
    """Write the whole file or nothing: a reader sees the old file, the new file, or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}{TEMPORARY}{uuid.uuid4().hex[:8]}")
    try:
        with open(temporary, "wb") as f:
            f.write(data)
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
    if not isinstance(value, dict) or value.pop(_CHECK, None) != _digest_of(value):
        return None
    return value


def _digest_of(value: Mapping[str, Any]) -> str:
    return digest(json.dumps(value, sort_keys=True, ensure_ascii=False))


def table_bytes(table: pa.Table, row_group: int = 64 * 1024) -> bytes:
    """The table as a Parquet file (zstd, a CRC a page), the same bytes for the same table and pyarrow version."""
    sink = io.BytesIO()
    whole = table.combine_chunks()
    pq.write_table(whole, sink, compression="zstd", row_group_size=row_group, write_page_checksum=True)
    return sink.getvalue()


def read_table(path: Path, columns: Sequence[str] | None = None, filters: Any = None) -> pa.Table:
    """A Parquet file, only ``columns`` where given; ``filters`` as in pyarrow, pruned by row group. The pages that are
    read are compared with their CRCs. FileNotFoundError where there is none, DamagedError where it is not whole."""
    names = None if columns is None else list(columns)
    with whole_or_damaged(path):
        return pq.read_table(path, columns=names, filters=filters, partitioning=None, page_checksum_verification=True)


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
        h = hashlib.sha256(os.fstat(file.fileno()).st_size.to_bytes(8, "big"))
        while piece := file.read(1 << 20):
            h.update(piece)
    return h.hexdigest()


def private_folder(path: Path) -> Path:
    """The folder, made if need be, readable by its owner alone (0700)."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.chmod(0o700)
    return path


def commit_folder(temporary: Path, final: Path) -> None:
    """Move a finished folder into place; one already there (another attempt's same bytes) is kept."""
    if final.exists():
        remove_tree(temporary, temporary.parent)
        return
    final.parent.mkdir(parents=True, exist_ok=True)
    temporary.replace(final)


@contextmanager
def exclusive(lock: Path) -> Iterator[None]:
    """Hold ``lock`` alone, for as long as this process lives at most; RunError where another process holds it."""
    with open(lock, "a") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            where = lock.parent.parent if lock.parent.name == "private" else lock.parent
            raise RunError(f"another run is at work on {where}; wait for it, or give another 'out'") from None
        yield


def remove_tree(path: Path, inside: Path) -> None:
    """Remove ``path`` and what is below it, where it is there. ``inside`` is a folder of the product's own.

    Every tree that the product removes, it removes here. RunError, and nothing is touched, where ``path`` is a link or
    does not lie below ``inside`` when all links on the way are followed.
    """
    if path.is_symlink() or not path.resolve().is_relative_to(inside.resolve()) or path.resolve() == inside.resolve():
        raise RunError(f"{path.name} is a link, or lies elsewhere: it is not removed; put a folder of the run there")
    if path.is_dir():
        shutil.rmtree(path)


def check_own(run: Path) -> None:
    """RecipeError where ``run`` is neither new, nor empty, nor a folder that `claim` made a run's."""
    if run.is_dir() and any(run.iterdir()) and not _is_run(run):
        raise RecipeError("out", f"{run} is not empty and holds no run", "name a new folder; nothing is overwritten")
    if run.exists() and not run.is_dir():
        raise RecipeError("out", f"{run} is a file", "name a folder")
    for name in ("steps", "private", "report"):
        if (run / name).is_symlink():
            problem = f"{run / name} is a link, and what it leads to might not be the run's"
            raise RecipeError("out", problem, "make 'out' itself lie there, or link 'out'")


def claim(run: Path) -> None:
    """Make ``run`` a run's folder, marked as such. Raises as `check_own`."""
    check_own(run)
    run.mkdir(parents=True, exist_ok=True)
    if not (run / _RUN).exists():
        commit_json(run / _RUN, {"made_by": "radsift"})


def _is_run(run: Path) -> bool:
    return (run / _RUN).is_file() or (run / "private" / "lock").is_file()  # the latter alone until there was a marker


def sweep(folder: Path) -> None:
    """Remove what a killed run left half written below ``folder``: names that `TEMPORARY` and 8 hex digits end.

    Links are not followed.
    """
    for parent, folders, files in os.walk(folder):
        for name in [n for n in folders if _HALF_WRITTEN.search(n)]:
            folders.remove(name)
            remove_tree(Path(parent, name), folder)
        for name in filter(_HALF_WRITTEN.search, files):
            Path(parent, name).unlink(missing_ok=True)


_HALF_WRITTEN = re.compile(re.escape(TEMPORARY) + "[0-9a-f]{8}$")
