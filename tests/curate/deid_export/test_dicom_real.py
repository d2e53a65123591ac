"""Every real DICOM file at hand through `clean_dicom`: no exception, no pixel changed, nearly all of them clean."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_files
from pydicom.dataset import Dataset

from curate.deid.pseudonym import Pseudonymizer
from curate.deid.rules import DeidRules
from curate.deid_export.dicom.clean import clean_dicom
from curate.deid_export.rules import ReleaseRules
from tests.realdata import real

PSEUDO = Pseudonymizer(b"0123456789abcdef0123456789abcdef")
TRUST = ReleaseRules(deid=DeidRules("trust"))
PICTURES = ("CR", "CT", "MR", "DX", "MG")
MOST = 530_000  # bytes; the larger files are the slow test's


def files(largest: int) -> list[Path]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        bundled = [Path(p) for p in get_testdata_files("*.dcm")]
    found = [p for p in real("dicom").rglob("*") if p.is_file() and p.suffix not in (".md", ".csv")]
    return sorted(p for p in {*found, *bundled} if p.stat().st_size <= largest)


def decoded(source: Path | io.BytesIO) -> tuple[Dataset, np.ndarray] | None:
    """The file as pydicom reads it, unused bits masked; None where it does not."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ds = pydicom.dcmread(source, force=True)
            return ds, ds.pixel_array
        except Exception:  # noqa: BLE001  pydicom raises anything on a bad file
            return None


def outcomes(rules: ReleaseRules, largest: int) -> Iterator[tuple[Path, bytes | None, Dataset, np.ndarray]]:
    for path in files(largest):
        outcome = clean_dicom(path, rules, PSEUDO)
        assert (outcome.reason is None) == (outcome.data is not None)
        source = decoded(path)
        if source is not None:
            yield path, outcome.data, *source


def shares(results: list[tuple[str, bool]]) -> float:
    chosen = [clean for modality, clean in results if modality in PICTURES]
    assert len(chosen) > 20
    return sum(chosen) / len(chosen)


def test_pixels_of_real_files_are_kept_and_nearly_all_pictures_are_clean():
    results = []
    for path, data, source, before in outcomes(TRUST, MOST):
        results.append((str(source.get("Modality", "")), data is not None))
        if data is None:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            written = pydicom.dcmread(io.BytesIO(data))
            after = written.pixel_array
        assert before.shape == after.shape, path.name
        np.testing.assert_array_equal(before.astype(after.dtype, copy=False), after, err_msg=path.name)
    assert shares(results) >= 0.95


@pytest.mark.slow
@pytest.mark.timeout(2400)  # every frame is read twice, by two networks
def test_nearly_all_real_pictures_pass_the_gate():
    results = [
        (str(source.get("Modality", "")), data is not None) for _, data, source, _ in outcomes(ReleaseRules(), 1 << 30)
    ]
    assert shares(results) >= 0.95
