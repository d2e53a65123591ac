"""The archive's faults stop the run; a file's own are its fate; a bug that one file meets is counted with its place."""

from __future__ import annotations

import builtins
import errno
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from curate.deid.pseudonym import Pseudonymizer
from curate.deid.vault import SecretSource
from curate.engine.guard import fault_of, guarded
from curate.errors import DropRecord, RecipeError, RunError, SourceError
from curate.record import Reason
from curate.sources import scan as scanning
from curate.sources.faults import check_present, out_of_reach, patiently, stop_for_source
from curate.sources.rules import ImageSource
from curate.sources.scan import ScanChunk, list_chunks, scan_file
from curate.sources.sniff import sniff
from curate.sources.third_party import call_third_party
from curate.sources.walk import walk

GONE = (errno.EIO, errno.ESTALE, errno.ENOTCONN, errno.ETIMEDOUT, errno.ENODEV, errno.EACCES, errno.EPERM)
PSEUDO = Pseudonymizer(b"a secret of the tests")


def picture(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.arange(1024, dtype=np.uint8).reshape(32, 32)).save(path)
    return path


def row(path: Path) -> dict[str, Any]:
    info = path.stat()
    found = {"path": os.fsencode(path), "relative": path.name, "size": info.st_size, "mtime_ns": info.st_mtime_ns}
    return {**found, "reason": None}


def failing(number: int, under: Path) -> Callable[..., Any]:
    """`io.open` that the system refuses below ``under``."""
    real = io.open

    def open_(file: Any, *args: Any, **kwargs: Any) -> Any:
        if str(file).startswith(str(under)):
            raise OSError(number, os.strerror(number), "/pacs/DOE^JANE")
        return real(file, *args, **kwargs)

    return open_


@pytest.mark.parametrize("number", GONE)
def test_what_the_system_says_of_the_archive_stops(number: int, tmp_path: Path, monkeypatch) -> None:
    path = picture(tmp_path / "a" / "1.png")
    listed = row(path)
    monkeypatch.setattr(io, "open", failing(number, tmp_path / "a"))
    with pytest.raises(SourceError) as told:
        scan_file(listed)
    assert told.value.number == number and "DOE" not in str(told.value)
    monkeypatch.setattr(io, "open", builtins.open)
    assert scan_file(listed)["reason"] is None


def test_a_machine_that_refuses_is_told_as_the_machine(tmp_path: Path, monkeypatch) -> None:
    path = picture(tmp_path / "a" / "1.png")
    monkeypatch.setattr(io, "open", failing(errno.EMFILE, tmp_path / "a"))
    with pytest.raises(RunError, match="too many open files"):
        guarded(sniff, path)


@pytest.mark.parametrize("number", [None, errno.ENOENT, errno.ELOOP, errno.ENAMETOOLONG, errno.EINVAL])
def test_what_is_said_of_one_file_is_that_files(number: int | None) -> None:
    stop_for_source(OSError("broken data stream") if number is None else OSError(number, "x"))


def test_a_fault_in_the_middle_of_a_file_is_not_taken_for_bad_data() -> None:
    def read() -> None:
        raise OSError(errno.EIO, "Input/output error", "/pacs/DOE^JANE")

    with pytest.raises(SourceError):
        call_third_party(Reason.UNDECODABLE, read)

    def bad() -> None:
        raise OSError("image file is truncated")

    with pytest.raises(DropRecord):
        call_third_party(Reason.UNDECODABLE, bad)


def test_a_folder_that_may_not_be_listed_stops_the_walk(tmp_path: Path, monkeypatch) -> None:
    picture(tmp_path / "shut" / "1.png")
    picture(tmp_path / "z.png")
    real = os.scandir

    def refuse(path: Any) -> Any:
        if str(path).endswith("shut"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(SourceError) as told:
        list(walk(tmp_path))
    assert "shut" not in str(told.value)
    with pytest.raises(SourceError, match="source 'pacs' cannot be read: Permission denied"):
        list_chunks(ImageSource(name="pacs", path=tmp_path), tmp_path / "scan", PSEUDO)


def test_a_file_is_gone_and_its_folder_too_or_is_empty(tmp_path: Path) -> None:
    here, there = picture(tmp_path / "a" / "1.png"), picture(tmp_path / "a" / "2.png")
    assert check_present(here)
    here.unlink()
    assert not check_present(here)
    there.unlink()
    for _ in range(2):  # an empty folder, then none
        with pytest.raises(SourceError):
            check_present(here)
        if there.parent.exists():
            there.parent.rmdir()


def test_a_chunk_with_a_fault_of_the_source_is_not_remembered(tmp_path: Path, secret_file: Path, monkeypatch) -> None:
    secret = SecretSource(str(secret_file))
    for name in ("1.png", "2.png", "3.png"):
        picture(tmp_path / "a" / name)
    source, folder = ImageSource(name="pacs", path=tmp_path / "a"), tmp_path / "scan"
    (chunk,) = list_chunks(source, folder, secret.pseudonymizer()).chunks
    with monkeypatch.context() as broken:
        broken.setattr(io, "open", failing(errno.ESTALE, tmp_path / "a" / "2.png"))
        with pytest.raises(SourceError, match=r"source 'pacs' cannot be read: Stale file handle .0 of the 3 files"):
            ScanChunk(str(folder), secret)(chunk)
    assert not list(folder.glob("*.headers"))
    (tmp_path / "a" / "2.png").rename(tmp_path / "2.png")
    with pytest.raises(SourceError, match=r"No such file or directory .1 of the 3 files"):
        ScanChunk(str(folder), secret)(chunk)
    (tmp_path / "2.png").rename(tmp_path / "a" / "2.png")
    assert ScanChunk(str(folder), secret)(chunk) == 3
    rows = scanning.read_scan([chunk], folder, secret.pseudonymizer()).to_pylist()
    assert [r["reason"] for r in rows] == [None] * 3 and [r["mtime_ns"] for r in rows] == [
        (tmp_path / "a" / f"{i}.png").stat().st_mtime_ns for i in (1, 2, 3)
    ]


def test_an_exception_nobody_foresaw_is_one_files_fate_with_its_place(tmp_path: Path, monkeypatch) -> None:
    def stumble(path: Path) -> None:
        raise KeyError("DOE^JANE")

    monkeypatch.setattr("curate.sources.images.read.read_image_header", stumble)
    found = scan_file(row(picture(tmp_path / "1.png")))
    assert found["reason"] == Reason.FAILED.value and found["kind"] == "none"
    assert found["fault"].endswith("stumble (KeyError)") and "DOE" not in found["fault"]


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "x"), MemoryError(), ImportError("x"), SourceError(errno.EIO), RunError("x")]
)
def test_what_is_no_records_fault_goes_on(error: Exception) -> None:
    with pytest.raises(type(error)):
        fault_of(error)


def test_what_fails_for_a_while_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mount that comes back, a server that restarts: no run stops for it, and nothing is a file's fate."""
    path = picture(tmp_path / "a" / "1.png")
    listed, failed = row(path), []
    real = io.open

    def at_first(file: Any, *args: Any, **kwargs: Any) -> Any:
        if str(file).startswith(str(tmp_path)) and len(failed) < 3:
            failed.append(file)
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), "/pacs/DOE^JANE")
        return real(file, *args, **kwargs)

    monkeypatch.setenv("RADSIFT_PATIENCE", "0.01")
    monkeypatch.setattr(io, "open", at_first)
    assert patiently(lambda: scan_file(listed))["reason"] is None and len(failed) == 3
    monkeypatch.setattr(io, "open", failing(errno.ESTALE, tmp_path))
    with pytest.raises(SourceError):
        patiently(lambda: scan_file(listed))
    monkeypatch.setenv("RADSIFT_PATIENCE", "long")
    with pytest.raises(RecipeError, match="no number of seconds"):
        patiently(lambda: None)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another account and come back")
def test_files_that_this_account_may_not_read_are_counted_and_the_fix_finds_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    tmp_path.chmod(0o755)
    for name, mode in (("DOE^JANE.png", 0o600), ("b.png", 0o644)):
        (tmp_path / name).write_bytes(b"\x89PNG")
        (tmp_path / name).chmod(mode)
    os.seteuid(65534)
    try:
        detail = out_of_reach([Path("DOE^JANE.png"), Path("b.png"), Path("gone.png")])
    finally:
        os.seteuid(0)
    said = str(SourceError(errno.EACCES, "archive", detail))
    assert "(1 of the 3 files that were asked for are not there, 1 may not be read)" in said
    assert "fix: `find FOLDER ! -readable`" in said and "DOE" not in said
    assert "is mounted" in str(SourceError(errno.EIO))
