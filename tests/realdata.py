"""Where real sample data lies, for the tests that want it. None of it is part of the project; absent, they skip.

Point RADSIFT_TEST_DATA at a folder holding `radiology_pairs`, `cxr_pairs`, `dicom`, `reports`, `vision`, `deid`;
without it, a `shared/data` folder beside the checkout is used where there is one.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(os.environ.get("RADSIFT_TEST_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))


def real(folder: str) -> Path:
    """The folder of real data by this name; skips the calling test, saying why, where it is absent."""
    path = ROOT / folder
    if not path.is_dir():
        pytest.skip(f"real data '{folder}' is not here; set RADSIFT_TEST_DATA to a folder that holds it")
    return path
