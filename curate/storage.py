"""Files of a run: atomic commits, Parquet in and out, hashes.

A run's folder is a POSIX path (local disk, NFS, Lustre, a FUSE mount): the commit is `os.replace`, which is atomic
there. Bytes are deterministic: the same table gives the same file.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from curate.errors import RunError

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
    """The JSON value in ``path``; FileNotFoundError where there is none."""
    return json.loads(path.read_bytes())


def table_bytes(table: pa.Table, row_group: int = 64 * 1024) -> bytes:
    """The table as a Parquet file (zstd), the same bytes for the same table and pyarrow version."""
    sink = io.BytesIO()
    pq.write_table(table.combine_chunks(), sink, compression="zstd", row_group_size=row_group)
    return sink.getvalue()


def read_table(path: Path, columns: Sequence[str] | None = None, filters: Any = None) -> pa.Table:
    """A Parquet file, only ``columns`` where given; ``filters`` as in pyarrow, pruned by row group."""
    return pq.read_table(path, columns=None if columns is None else list(columns), filters=filters, partitioning=None)


def digest(*parts: bytes | str) -> str:
    """sha256 hex over the parts, each length-prefixed."""
    h = hashlib.sha256()
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        h.update(len(raw).to_bytes(8, "big") + raw)
    return h.hexdigest()


def private_folder(path: Path) -> Path:
    """The folder, made if need be, readable by its owner alone (0700)."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.chmod(0o700)
    return path


def commit_folder(temporary: Path, final: Path) -> None:
    """Move a finished folder into place; one already there (another attempt's same bytes) is kept."""
    if final.exists():
        shutil.rmtree(temporary)
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


def sweep(folder: Path) -> None:
    """Remove what a killed run left half written below ``folder``."""
    for leftover in folder.rglob(f"*{TEMPORARY}*"):
        if leftover.is_dir():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink(missing_ok=True)
