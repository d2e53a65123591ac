"""In a run, too, the verifier reads the header by its own means: what the cleaner's list lacks, it still finds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pydicom
import pytest

from curate.deid.attest import SECOND_LOOK
from curate.deid.pixels.gate import Gate
from curate.deid.rules import PixelPolicy, TextRules
from curate.deid.vault import SecretSource
from curate.errors import DropRecord
from curate.ingest import chain
from curate.ingest.chain import _Picture, _Verify
from curate.ingest.rules import PictureRules
from curate.record import INDEX, Reason
from curate.sources.dicom.read import identity_of
from tests.curate.dicomfiles import gradient, write

RULES = PictureRules(policy=PixelPolicy("trust"))


def row_of(path: Path, text: str) -> dict:
    """A row of the index, as of a list of identities that lacks everything."""
    nothing = {**dict.fromkeys(INDEX.names), **chain._EMPTY}
    identity = "\\".join(identity_of(pydicom.dcmread(path)))
    of_file = {"kind": "dicom", "path": bytes(path), "size": path.stat().st_size, "frame": 0, "identity": identity}
    return nothing | of_file | {"key": "0" * 32, "source": "pacs", "text": text, "raw": text, "patient_id": "MRN42"}


def judged(row: dict, rules: PictureRules) -> tuple[list[str] | None, Reason | None]:
    """What the verifier found, and why it kept the row back."""
    try:
        return _Verify(rules, TextRules())(row)["findings"], None
    except DropRecord as dropped:
        return row["findings"], dropped.reason


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("No fracture.", None),
        ("Seen with young today.", ["name"]),  # a name that is a word, in small letters
        ("Ordered at willowbrenn trust.", ["name"]),
        ("Slide X4471920 shows no change.", ["id"]),
    ],
)
def test_what_the_cleaner_does_not_list_is_found(text, found, tmp_path, secret_file, monkeypatch):
    path = tmp_path / "a.dcm"
    header = {"PatientName": "Young^Brook", "PatientID": "X4471920", "InstitutionName": "Willowbrenn Trust"}
    write(path, gradient(), **header)
    monkeypatch.setattr(chain, "identifying_values", lambda _: ())
    row = _Picture(RULES, SecretSource(str(secret_file)))(row_of(path, text))
    assert not row["phi"]
    said, reason = judged({**row, "raw": None}, RULES)
    assert (reason is None) == (found is None)
    assert said is None or set(found) <= set(said)


def test_the_rules_can_be_changed_without_the_header(tmp_path, secret_file):
    """A record without a DICOM header has no list of the verifier's own, and is judged all the same."""
    nothing = {**dict.fromkeys(INDEX.names), **chain._EMPTY}
    row = nothing | {"key": "0" * 32, "text": "Seen with Mr. Quill.", "raw": "Mr. Quill"}
    assert judged(row, replace(RULES))[1] is not None


@pytest.mark.parametrize("drawn", [False, True])
def test_text_that_the_gate_missed_is_read_in_the_sample(drawn, tmp_path, secret_file, monkeypatch):
    pytest.importorskip("rapidocr")
    pixels = gradient(256, 256, top=900)
    if drawn:
        strokes = cv2.putText(np.zeros((256, 256), np.uint8), "YOUNG BROOK", (16, 120), 0, 0.9, 255, 2, cv2.LINE_AA)
        pixels = np.maximum(pixels, strokes.astype(np.uint16) * 15)
    path = tmp_path / "a.dcm"
    write(path, pixels, PatientName="Young^Brook", WindowCenter=2048, WindowWidth=4096)
    monkeypatch.setattr(chain, "gate", lambda pixels, *_: Gate(pixels, None, ()))
    row = row_of(path, "No fracture.") | {"second_look": True}
    row = _Picture(PictureRules(), SecretSource(str(secret_file)))(row)
    assert dict(row["actions"]) == {SECOND_LOOK: 1}
    said, reason = judged({**row, "raw": None}, PictureRules())
    assert (said or []) == (["name", "pixel_text"] if drawn else []) and (reason is not None) == drawn
