"""What leaves a worker when the machine, not the data, is at fault: what to do, and no word of a patient."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from safetensors import SafetensorError

from curate.engine.guard import guarded
from curate.errors import RunError


@pytest.mark.parametrize(
    ("raised", "fix"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/pacs/DOE^JANE"), "free some"),
        (OSError(errno.EROFS, "Read-only file system", "/pacs/DOE^JANE"), "how it is mounted"),
        (PermissionError(errno.EACCES, "Permission denied", "/pacs/DOE^JANE"), "who owns it"),
        (OSError(errno.EMFILE, "Too many open files", "/pacs/DOE^JANE"), "ulimit -n"),
        (SafetensorError("DOE^JANE: I/O error: No space left on device (os error 28)"), "free some"),
    ],
)
def test_a_machine_that_refuses_is_named_with_its_fix(raised, fix):
    def refuse(item: object) -> None:
        raise raised

    with pytest.raises(RunError) as told:
        guarded(refuse, None)
    assert fix in str(told.value) and "the same command then goes on" in str(told.value)
    assert "DOE" not in str(told.value)


def test_a_bug_is_named_by_type_and_place():
    def stumble(item: object) -> None:
        raise ValueError("DOE^JANE (os error 999) is no date")

    with pytest.raises(RunError) as told:
        guarded(stumble, None)
    assert "ValueError at" in str(told.value) and "DOE" not in str(told.value)


def test_a_disk_that_is_full_says_so(tmp_path: Path):
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full here")
    with pytest.raises(RunError, match="no room where"):
        guarded(lambda path: path.write_bytes(b"x"), full)
