"""Our side of every comparison: a file through `clean_dicom`, in this process."""

from __future__ import annotations

import time
import traceback
from dataclasses import dataclass
from pathlib import Path

import pydicom

from curate.deid.header.clean import clean_header
from curate.deid.pseudonym import Pseudonymizer
from curate.deid.rules import DeidRules, HeaderRules
from curate.deid_export.dicom.clean import clean_dicom
from curate.deid_export.dicom.frames import Written
from curate.deid_export.dicom.write import to_bytes
from curate.deid_export.rules import Outcome, ReleaseRules

NAME = "curate deid"
PSEUDO = Pseudonymizer(b"a secret for benchmarks only, not for use")
DEFAULT = ReleaseRules()
TRUSTING = ReleaseRules(deid=DeidRules(burned_in="trust"))  # header work alone, as the peers do it
REPORTS_TOO = ReleaseRules(header=HeaderRules(structured_reports="clean", unknown_classes="generic"))


def header_alone(path: Path) -> bytes:
    """What a peer does and no more: the header cleaned, the pixels passed on as they lie, no verifier."""
    source = pydicom.dcmread(path)
    header = clean_header(source, PSEUDO).dataset
    pixels = Written(source.file_meta.TransferSyntaxUID, 0x7FE00010, source["PixelData"].VR, source.PixelData)
    return to_bytes(header, pixels)


@dataclass(frozen=True)
class Done:
    """One file's end: ``error`` names an exception that came out, which never should."""

    outcome: Outcome | None
    error: str | None
    cpu: float  # seconds
    where: str = ""  # file and line of the exception's last frame


def clean(path: Path, rules: ReleaseRules = DEFAULT) -> Done:
    """One file through `clean_dicom`; whatever it raises is caught and named, so that the benchmark can count it."""
    start = time.process_time()
    try:
        outcome = clean_dicom(path, rules, PSEUDO)
    except Exception as problem:  # noqa: BLE001  counted as an unhandled exception
        last = traceback.extract_tb(problem.__traceback__)[-1]
        where = f"{Path(last.filename).name}:{last.lineno}"
        return Done(None, type(problem).__name__, time.process_time() - start, where)
    return Done(outcome, None, time.process_time() - start)
