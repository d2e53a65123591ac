"""The crosswalk: which key stands for which source file and patient. Encrypted, and never inside the release."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa

from curate.deid.pseudonym import Pseudonymizer
from curate.deid.vault import read_sealed, sealed
from curate.errors import DropRecord, RecipeError
from curate.storage import commit_bytes

CROSSWALK = pa.schema(
    [
        pa.field("key", pa.string(), nullable=False),
        pa.field("path", pa.string()),  # below the source: PHI
        pa.field("patient", pa.string()),  # as DICOM PatientID in the release
        pa.field("patient_id", pa.string()),  # as in the source: PHI
        pa.field("study_uid", pa.string()),  # as in the source: PHI
    ]
)


def write_crosswalk(path: Path, listings: Iterable[pa.Table], pseudo: Pseudonymizer) -> int:
    """Seal the crosswalk of all listed files into ``path`` under the run's secret; the number of rows."""
    rows = [_row(row, pseudo) for table in listings for row in table.to_pylist()]
    commit_bytes(path, sealed(pa.Table.from_pylist(rows, CROSSWALK), pseudo))
    path.chmod(0o600)
    return len(rows)


def read_crosswalk(path: Path, pseudo: Pseudonymizer) -> pa.Table:
    """The crosswalk (CROSSWALK): identities, in memory only. RecipeError where there is none."""
    if not path.is_file():
        raise RecipeError(str(path), "does not exist", "name the file that --crosswalk wrote")
    return read_sealed(path, pseudo)


def _row(listed: dict[str, Any], pseudo: Pseudonymizer) -> dict[str, str | None]:
    from curate.deid_export.task import file_key  # what reads files: only where a crosswalk is written
    from curate.sources.dicom.read import read_header
    from curate.sources.identity import first_id
    from curate.sources.sniff import sniff

    path, relative = Path(os.fsdecode(listed["path"])), listed["relative"]
    row: dict[str, str | None] = {"key": file_key(relative, pseudo), "path": relative}
    try:
        # what the walk refused (a link, a pipe) is not opened here, either
        if not listed["reason"] and sniff(path) == "dicom":
            header = read_header(path)
            identity = first_id((header.patient_id, header.study_uid, header.series_uid, header.sop_uid))
            row |= {"patient_id": header.patient_id, "study_uid": header.study_uid}
            row["patient"] = pseudo.key("patient", identity) if identity else None
    except DropRecord:
        pass  # an unreadable header names no patient: the row has the path alone
    return row
