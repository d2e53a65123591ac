"""Whose a record is and where it lies, as the sealed index has it."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from curate.deid.vault import SecretSource, write_sealed
from curate.ingest.explain import find_identity
from curate.ingest.sealed import sealed_part
from curate.record import INDEX


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        (b"/pool/a.dcm", "/pool/a.dcm"),
        (b"/pool/caf\xe9.dcm", "/pool/caf\\xe9.dcm"),
        (b"/pool/x.tar/\x00000000000001536+4711/a.dcm", "/pool/x.tar/a.dcm"),
    ],
)
def test_a_file_is_named_as_a_terminal_can_show_it(path: bytes, shown: str, secret_file: Path, tmp_path: Path) -> None:
    secret = SecretSource(str(secret_file))
    row = {"key": "0" * 32, "path": path, "patient_id": "77"}
    write_sealed(sealed_part(tmp_path, 0), pa.Table.from_pylist([row], INDEX), secret.pseudonymizer())
    found = find_identity(tmp_path, 1, "0" * 32, secret)
    assert found is not None and found["file"] == shown and found["patient_id"] == "77"
