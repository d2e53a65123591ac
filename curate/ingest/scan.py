"""Scan the image sources: walk, then read headers only, chunk by chunk, remembering chunks already read.

A chunk's name is an HMAC over its files' paths, sizes and times, so an unchanged chunk is never read again and a
file added to a million-file archive costs the walk and one chunk. Chunks hold identities: they are sealed.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pyarrow as pa

from curate.deid.pseudonym import Pseudonymizer
from curate.deid.vault import SecretSource, read_sealed, write_sealed
from curate.engine import Crash, Engine
from curate.errors import DropRecord, RunError
from curate.record import Reason
from curate.sources.dicom import Header, read_header
from curate.sources.image import read_image_header
from curate.sources.sniff import sniff
from curate.sources.walk import Found, as_text, chunks, walk
from curate.step import Progress


@dataclass(frozen=True)
class ImageSource:
    """One root folder (or one file) of images. ``name`` is part of every key, so moving the folder keeps the keys."""

    name: str
    path: str
    follow_symlinks: bool = False
    exclude: tuple[str, ...] = ()


_VERSION = "2"  # of what a scanned chunk holds: another one is another chunk
_HEADER = {f.name: pa.int64() if f.type in ("int", int) else pa.string() for f in fields(Header)}
# a file name is bytes and need not be text: the path is kept as bytes, the relative one escaped
_FOUND = {"path": pa.binary(), "relative": pa.string(), "size": pa.int64(), "reason": pa.string()}
SCAN = pa.schema([*_FOUND.items(), *_HEADER.items()])


@dataclass(frozen=True)
class Walked:
    """A source as walked: its chunks' names in order, how many files (bad entries included), how many bytes."""

    name: str
    chunks: tuple[str, ...]
    files: int
    bytes: int


def list_chunks(source: ImageSource, folder: Path, pseudo: Pseudonymizer, write: bool = True) -> Walked:
    """Walk ``source``. With ``write``, a chunk not yet read leaves its listing to be read."""
    names: list[str] = []
    files = size = 0
    for chunk in chunks(walk(Path(source.path), source.follow_symlinks, source.exclude)):
        stamps = (part for f in chunk for part in (as_text(f.relative), str(f.size), str(f.mtime_ns), f.reason or ""))
        name = pseudo.key("chunk", _VERSION, source.name, str(Path(source.path).resolve()), *stamps)
        if write and not _headers(folder, name).exists():
            write_sealed(_listing(folder, name), _listing_table(chunk), pseudo)
        names.append(name)
        files += len(chunk)
        size += sum(f.size for f in chunk)
    return Walked(source.name, tuple(names), files, size)


def scan(names: Sequence[str], folder: Path, secret: SecretSource, engine: Engine, progress: Progress) -> None:
    """Read the headers of every chunk not read before."""
    todo = [n for n in names if not _headers(folder, n).exists()]
    progress("scan", len(names) - len(todo), len(names))
    for done, (_, outcome) in enumerate(engine.map(ScanChunk(str(folder), secret), todo), len(names) - len(todo) + 1):
        if isinstance(outcome, Crash):
            raise RunError("a process died while reading headers; run the same command again, or exclude the folder")
        progress("scan", done, len(names))


def read_scan(names: Sequence[str], folder: Path, pseudo: Pseudonymizer) -> pa.Table:
    """The scanned chunks as one SCAN table, in walk order: identities, in memory only."""
    tables = [read_sealed(_headers(folder, n), pseudo) for n in names]
    return pa.concat_tables(tables) if tables else SCAN.empty_table()


@dataclass(frozen=True)
class ScanChunk:
    """A worker's share: it is told a chunk's name, and reads the paths themselves from the sealed listing."""

    folder: str
    secret: SecretSource

    def __call__(self, name: str) -> int:
        pseudo = self.secret.pseudonymizer()
        listing = read_sealed(_listing(Path(self.folder), name), pseudo)
        rows = [scan_file(row) for row in listing.to_pylist()]
        write_sealed(_headers(Path(self.folder), name), pa.Table.from_pylist(rows, SCAN), pseudo)
        return len(rows)


def scan_file(row: dict[str, Any]) -> dict[str, Any]:
    """A listed file's row with its header's fields, or with the reason why it has none."""
    if row["reason"]:
        return {**row, **vars(Header(kind="none"))}
    path = Path(os.fsdecode(row["path"]))
    try:
        kind = sniff(path)
        if kind == "none":
            raise DropRecord(Reason.NOT_AN_IMAGE)
        header = read_header(path) if kind == "dicom" else read_image_header(path)
    except DropRecord as drop:
        return {**row, "reason": drop.reason.value, **vars(Header(kind="none"))}
    return {**row, **vars(header)}


def _listing_table(chunk: list[Found]) -> pa.Table:
    rows = [
        {"path": os.fsencode(f.path), "relative": as_text(f.relative), "size": f.size, "reason": f.reason}
        for f in chunk
    ]
    return pa.Table.from_pylist(rows, pa.schema(list(_FOUND.items())))


def _listing(folder: Path, name: str) -> Path:
    return folder / f"{name}.list"


def _headers(folder: Path, name: str) -> Path:
    return folder / f"{name}.headers"
