"""Which key is which source file: what `curate deid --crosswalk` wrote, read without what de-identifies."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from curate.deid.pseudonym import Pseudonymizer
from curate.deid.vault import read_sealed
from curate.errors import RecipeError

CROSSWALK = pa.schema(
    [
        pa.field("key", pa.string(), nullable=False),
        pa.field("path", pa.string()),  # below the source: PHI
        pa.field("patient", pa.string()),  # as DICOM PatientID in the release
        pa.field("patient_id", pa.string()),  # as in the source: PHI
        pa.field("study_uid", pa.string()),  # as in the source: PHI
    ]
)


def read_crosswalk(path: Path, pseudo: Pseudonymizer) -> pa.Table:
    """The crosswalk (CROSSWALK): identities, in memory only. RecipeError where there is none."""
    if not path.is_file():
        raise RecipeError(str(path), "does not exist", "name the file that --crosswalk wrote")
    return read_sealed(path, pseudo)
