"""Encryption of files with identities (the index) under the run's secret.

AES-256-GCM (NIST SP 800-38D) with a random nonce for each file; the key is derived from the secret by HMAC, so that the
run's folder without the secret discloses nothing. The secret itself is never part of a task: a worker gets the place to
read it from.
"""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from curate.deid.pseudonym import Pseudonymizer, load_secret
from curate.errors import RunError
from curate.storage import commit_bytes, private_folder

_NONCE = 12


@dataclass(frozen=True)
class SecretSource:
    """Where the secret is read: a file, or the environment if ``file`` is None. Safe to send and to print."""

    file: str | None = None
    max_shift_days: int = 3650

    def pseudonymizer(self) -> Pseudonymizer:
        """The pseudonymizer under this secret; RecipeError if it cannot be read."""
        return _load(self.file, self.max_shift_days)


@lru_cache(maxsize=4)
def _load(file: str | None, max_shift_days: int) -> Pseudonymizer:
    return Pseudonymizer(load_secret(None if file is None else Path(file)), max_shift_days)


def sealed(table: pa.Table, pseudo: Pseudonymizer) -> bytes:
    """``table`` as an encrypted Parquet file."""
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    nonce = os.urandom(_NONCE)
    return nonce + AESGCM(pseudo.digest("vault")).encrypt(nonce, sink.getvalue(), None)


def write_sealed(path: Path, table: pa.Table, pseudo: Pseudonymizer) -> None:
    """Commit ``table`` as an encrypted Parquet file in a folder only its owner may enter."""
    private_folder(path.parent)
    commit_bytes(path, sealed(table, pseudo))


def is_whole(path: Path, pseudo: Pseudonymizer) -> bool:
    """True if ``path`` exists and is intact under this secret."""
    try:
        _opened(path.read_bytes(), pseudo)
    except (FileNotFoundError, InvalidTag, ValueError):
        return False
    return True


def _opened(raw: bytes, pseudo: Pseudonymizer) -> bytes:
    return AESGCM(pseudo.digest("vault")).decrypt(raw[:_NONCE], raw[_NONCE:], None)


def read_sealed(path: Path, pseudo: Pseudonymizer) -> pa.Table:
    """The table sealed in ``path``; RunError if the secret is another one or the file was altered."""
    raw = path.read_bytes()
    try:
        plain = _opened(raw, pseudo)
    except (InvalidTag, ValueError):
        raise RunError(
            f"{path.name}: sealed under another secret, or altered; of a run, delete RUN/private to index anew"
        ) from None
    # single-threaded: an Arrow thread that still holds Python bytes at interpreter exit aborts the process
    return pq.ParquetFile(pa.BufferReader(plain), pre_buffer=False).read(use_threads=False)
