"""Scan the image sources: walk, then read headers only, chunk by chunk, remembering chunks already read.

A chunk's name is an HMAC over its files' paths, sizes and times, so an unchanged chunk is never read again and a
file added to a million-file archive costs the walk and one chunk. Chunks hold identities: they are sealed.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from curate.deid.pseudonym import Pseudonymizer
from curate.deid.vault import SecretSource, is_whole, read_sealed, write_sealed
from curate.engine import Crash, Engine
from curate.engine.guard import fault_of
from curate.errors import DropRecord, RunError, SourceError
from curate.memory import remembering
from curate.places import place
from curate.record import Reason
from curate.sources.archives import walk_members
from curate.sources.faults import check_present, out_of_reach, patiently
from curate.sources.picture import Header
from curate.sources.rules import ImageSource
from curate.sources.walk import Found, as_text, chunks
from curate.step import Progress

_VERSION = "5"  # of what a scanned chunk holds: another one is another chunk
_HEADER = {f.name: pa.int64() if f.type in ("int", int) else pa.string() for f in fields(Header)}
# a file name is bytes and need not be text: the path is kept as bytes, the relative one escaped
_FOUND = {"path": pa.binary(), "relative": pa.string(), "size": pa.int64(), "mtime_ns": pa.int64()}
LISTING = pa.schema([*_FOUND.items(), ("reason", pa.string()), ("sample", pa.string())])
_READ = {"identity": pa.string(), "fault": pa.string()}  # as in `curate.record.INDEX`
SCAN = pa.schema([*LISTING, *_HEADER.items(), *_READ.items()])
_SOURCE = b"source"  # metadata of a listing: the recipe's name


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
    for chunk in chunks(_entries(source)):
        name = chunk_name(chunk, pseudo, "chunk", _VERSION, source.name, str(source.path))
        if write and not is_whole(_headers(folder, name), pseudo):
            write_listing(chunk, folder, name, pseudo, source.name)
        names.append(name)
        files += len(chunk)
        size += sum(f.size for f in chunk)
    return Walked(source.name, tuple(names), files, size)


def chunk_name(chunk: Sequence[Found], pseudo: Pseudonymizer, *of: str) -> str:
    """The name of a chunk of whatever ``of`` says: by its files' paths, sizes and times."""
    stamps = (part for f in chunk for part in (as_text(f.relative), str(f.size), str(f.mtime_ns), f.reason or ""))
    return pseudo.key(*of, *stamps)


def write_listing(chunk: Sequence[Found], folder: Path, name: str, pseudo: Pseudonymizer, source: str = "") -> None:
    """Seal the chunk's entries (LISTING) for `read_listing`; ``source`` is where they are from."""
    rows = [listed(found) for found in chunk]
    table = pa.Table.from_pylist(rows, LISTING).replace_schema_metadata({_SOURCE: source})
    write_sealed(folder / f"{name}.list", table, pseudo)


def listed(found: Found) -> dict[str, Any]:
    """An entry as a row of LISTING."""
    named = {name: as_text(getattr(found, name)) for name in ("relative", "sample")}
    return {**vars(found), "path": os.fsencode(found.path), **named}


def read_listing(folder: Path, name: str, pseudo: Pseudonymizer) -> pa.Table:
    """The entries of a listed chunk (LISTING): paths, in memory only."""
    return read_sealed(folder / f"{name}.list", pseudo)


def _entries(source: ImageSource) -> Iterator[Found]:
    try:
        yield from walk_members(source.path, source.follow_symlinks, source.exclude.path, tables=True)
    except SourceError as error:
        raise SourceError(error.number, source.name) from None


def scan(names: Sequence[str], folder: Path, secret: SecretSource, engine: Engine, progress: Progress) -> None:
    """Read the headers of every chunk not read before, or damaged since. SourceError where the archive goes away."""
    pseudo = secret.pseudonymizer()
    todo = [n for n in names if not is_whole(_headers(folder, n), pseudo)]
    read_chunks(ScanChunk(str(folder), secret), todo, len(names), engine, progress, "scan", "exclude the folder")


def read_chunks(
    work: Callable[[str], int], todo: Sequence[str], of: int, engine: Engine, progress: Progress, step: str, fix: str
) -> None:
    """``work`` on the chunks ``todo``, all that is left to do ``of`` so many; RunError, with ``fix``, where a process
    dies."""
    progress(step, of - len(todo), of)
    for done, (_, outcome) in enumerate(engine.map(work, todo), of - len(todo) + 1):
        if isinstance(outcome, Crash):
            raise RunError(f"a process died while reading headers; run the same command again, or {fix}")
        progress(step, done, of)


def read_scan(names: Sequence[str], folder: Path, pseudo: Pseudonymizer) -> pa.Table:
    """The scanned chunks as one SCAN table, in walk order: identities, in memory only."""
    tables = [read_sealed(_headers(folder, n), pseudo) for n in names]
    return pa.concat_tables(tables) if tables else SCAN.empty_table()


def forget_scanned(folder: Path, patients: Collection[str], paths: Collection[bytes], pseudo: Pseudonymizer) -> None:
    """Take what was read of the files of withdrawn ``patients`` (pseudonyms), and of ``paths``, out of all scanned
    chunks: what stays of each is its entry in the listing, which the next walk would find again."""
    nothing = vars(Header(kind="none"))
    for path in sorted(folder.glob("*.headers")):
        rows = read_sealed(path, pseudo).to_pylist()
        mine = [r["path"] in paths or pseudo.key("patient", r["patient_id"] or "") in patients for r in rows]
        if any(mine):
            withdrawn = {**nothing, "identity": None, "fault": None, "reason": Reason.WITHDRAWN.value}
            rows = [{**row, **withdrawn} if gone else row for row, gone in zip(rows, mine, strict=True)]
            write_sealed(path, pa.Table.from_pylist(rows, SCAN), pseudo)


def forget_dropped(folder: Path, names: Sequence[str], reasons: Collection[Reason], pseudo: Pseudonymizer) -> None:
    """Of the scanned chunks ``names``, those with a file that has one of ``reasons`` against it are read again."""
    wanted = {reason.value for reason in reasons}
    for name in names:
        path = _headers(folder, name)
        if is_whole(path, pseudo) and wanted & set(read_sealed(path, pseudo)["reason"].to_pylist()):
            path.unlink()


@dataclass(frozen=True)
class ScanChunk:
    """A worker's share: it is told a chunk's name, and reads the paths themselves from the sealed listing."""

    folder: str
    secret: SecretSource

    def __call__(self, name: str) -> int:
        pseudo = self.secret.pseudonymizer()
        listing = read_listing(place(self.folder), name, pseudo)
        rows = listing.to_pylist()
        try:
            with remembering():
                rows = [patiently(partial(scan_file, row)) for row in rows]
        except SourceError as error:  # nothing is remembered: what could not be reached is no fate
            paths = [place(os.fsdecode(row["path"])) for row in rows]
            source = (listing.schema.metadata or {}).get(_SOURCE, b"").decode()
            raise SourceError(error.number, source, out_of_reach(paths)) from None
        write_sealed(_headers(place(self.folder), name), pa.Table.from_pylist(rows, SCAN), pseudo)
        return len(rows)


def scan_file(row: dict[str, Any]) -> dict[str, Any]:
    """A listed file's row with its header's fields, or with the reason why it has none.

    SourceError where it cannot be reached: it was there when it was listed.
    """
    if row["reason"]:
        return {**row, **vars(Header(kind="none"))}
    path, fault = place(os.fsdecode(row["path"])), None
    try:
        header = _read_header(path)
        identity = f"{header.sop_uid}\\{header.patient_id}" if header.kind == "dicom" else None
        return {**row, **vars(header), "identity": identity}
    except DropRecord as drop:
        reason = drop.reason
    except Exception as error:  # noqa: BLE001  a bug that one file meets is that file's fate
        reason, fault = Reason.FAILED, fault_of(error)
    if reason is Reason.UNREADABLE_FILE and not check_present(path):
        raise SourceError(errno.ENOENT)
    return {**row, "reason": reason.value, "fault": fault, **vars(Header(kind="none"))}


def _read_header(path: Path) -> Header:
    from curate.sources.dicom.read import read_header  # decoders: only where a file is read
    from curate.sources.images.read import read_image_header
    from curate.sources.sniff import sniff

    kind = sniff(path)
    if kind == "none":
        raise DropRecord(Reason.NOT_AN_IMAGE)
    return read_header(path) if kind == "dicom" else read_image_header(path)


def _headers(folder: Path, name: str) -> Path:
    return folder / f"{name}.headers"
