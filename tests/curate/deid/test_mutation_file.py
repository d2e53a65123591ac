"""Rules of the container and of the pixels switched off in turn: the verifier must notice every one."""

from __future__ import annotations

import cv2
import imagecodecs
import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence

from curate.deid.verify.dicom.findings import dicom_findings
from curate.deid.verify.dicom.part10 import parse
from curate.deid.verify.finding import Finding
from curate.deid.verify.pixels import pixel_findings
from tests.curate.deid.test_mutation_header import cleaned, copied, source, written

PICTURE = (np.arange(64 * 64).reshape(64, 64) % 251).astype(np.uint8)


def with_element(tag: int, vr: str, value: object) -> bytes:
    ds = copied(cleaned())
    ds.add_new(tag, vr, value)
    return written(ds)


def meta_with(tag: int, vr: str, value: str) -> bytes:
    """The clean file with one more element of file meta, its group length put right."""
    good = written(cleaned())
    raw = value.encode() + b"\0" * (len(value) % 2)
    more = (
        tag.to_bytes(4, "big")[1::-1]
        + tag.to_bytes(4, "big")[:1:-1]
        + vr.encode()
        + len(raw).to_bytes(2, "little")
        + raw
    )
    end = 144 + int.from_bytes(good[140:144], "little")
    return good[:140] + (end - 144 + len(more)).to_bytes(4, "little") + good[144:end] + more + good[end:]


def encapsulated(frame: bytes, syntax: str) -> bytes:
    """A clean file whose 64 x 64 picture of 8 bits is a codestream."""
    ds = copied(cleaned())
    ds.Rows = ds.Columns = 64
    ds.BitsAllocated = ds.BitsStored = 8
    ds.HighBit = 7
    ds.add_new(0x7FE00010, "OB", encapsulate([frame]))
    ds["PixelData"].is_undefined_length = True
    return written(ds, syntax=syntax)


def deflated(extra: bytes = b"") -> bytes:
    return written(cleaned(), syntax="1.2.840.10008.1.2.1.99") + extra


JPEG = cv2.imencode(".jpg", PICTURE)[1].tobytes()
J2K = imagecodecs.jpeg2k_encode(PICTURE, codecformat="j2k", reversible=True)
LS = imagecodecs.jpegls_encode(PICTURE)
BASELINE, J2K_LOSSLESS, LS_LOSSLESS = (f"1.2.840.10008.1.2.4.{n}" for n in (50, 90, 80))
SOC_SIZ = 4 + int.from_bytes(J2K[4:6], "big")
COMMENTED = J2K[:SOC_SIZ] + b"\xff\x64\x00\x0c\x00\x01SMITH JO" + J2K[SOC_SIZ:]

SOUND = {
    "native": written(cleaned()),
    "deflated": deflated(),
    "jpeg": encapsulated(JPEG, BASELINE),
    "jpeg 2000": encapsulated(J2K, J2K_LOSSLESS),
    "jpeg-ls": encapsulated(LS, LS_LOSSLESS),
}


def mutants() -> dict[str, bytes]:
    """What each rule of the container, switched off, leaves in a file."""
    good = written(cleaned())
    icon = Dataset()
    icon.Rows = icon.Columns = 2
    icon.add_new(0x7FE00010, "OB", b"abcd")
    private = copied(cleaned())
    private.private_block(0x0029, "SIEMENS CSA HEADER", create=True).add_new(0x10, "LO", "VANDERBEEK")
    hidden = bytearray(bytes(b & (0x0F if i % 2 else 0xFF) for i, b in enumerate(bytes(range(16)) * 2)))
    hidden[5] |= 0x40
    longer = copied(cleaned())
    longer.add_new(0x7FE00010, "OW", bytes(32) + b"hidden behind the pixels")
    bits = copied(cleaned())
    bits.add_new(0x7FE00010, "OW", bytes(hidden))
    return {
        "preamble kept": written(cleaned(), preamble=b"II*\0" + b"Vanderbeek" * 12 + bytes(4)),
        "trailing bytes kept": good + b"VANDERBEEK",
        "data set trailing padding kept": with_element(0xFFFCFFFC, "OB", b"VANDERBEEK"),
        "file meta: private information kept": meta_with(0x00020102, "OB", "x"),
        "file meta: source AE title kept": meta_with(0x00020016, "AE", "MERCY_CT1"),
        "private kept": written(private),
        "overlay kept": with_element(0x60003000, "OW", b"\x01\0" * 8),
        "overlay label kept": with_element(0x60001500, "LO", "outline"),
        "curve kept": with_element(0x50003000, "OW", b"\x01\0" * 8),
        "icon image kept": with_element(0x00880200, "SQ", Sequence([icon])),
        "digital signature kept": with_element(0xFFFAFFFA, "SQ", Sequence([Dataset()])),
        "original attributes kept": with_element(0x04000561, "SQ", Sequence([Dataset()])),
        "encrypted attributes kept": with_element(0x04000500, "SQ", Sequence([Dataset()])),
        "UN kept": with_element(0x00181400, "UN", b"VANDERBEEK"),
        "bits above BitsStored kept": written(bits),
        "bytes behind the pixels kept": written(longer),
        "PatientIdentityRemoved unset": with_element(0x00120062, "CS", "NO"),
        "age over 90 kept": with_element(0x00101010, "AS", "094Y"),
        "pseudonym for a name off": with_element(0x00100010, "PN", "ANOTHER^PERSON"),
        "UID remapping off": with_element(0x0020000D, "UI", "1.2.826.0.1.3680043.9.7241.2"),
        "descriptor in UTF-16": with_element(0x00081030, "LO", "VANDERBEEK".encode("utf-16-le").decode("latin-1")),
        "jpeg comment kept": encapsulated(JPEG[:2] + b"\xff\xfe\x00\x07SMITH" + JPEG[2:], BASELINE),
        "jpeg application data kept": encapsulated(JPEG[:2] + b"\xff\xe1\x00\x07SMITH" + JPEG[2:], BASELINE),
        "bytes behind a jpeg kept": encapsulated(JPEG + b"SMITH JOHN", BASELINE),
        "jpeg 2000 comment kept": encapsulated(COMMENTED, J2K_LOSSLESS),
        "jpeg 2000 boxes kept": encapsulated(imagecodecs.jpeg2k_encode(PICTURE, codecformat="jp2"), J2K_LOSSLESS),
        "bytes behind a jpeg 2000 kept": encapsulated(J2K + b"SMITH JOHN", J2K_LOSSLESS),
        "bytes behind a jpeg-ls kept": encapsulated(LS + b"SMITH JOHN", LS_LOSSLESS),
        "bytes behind a deflated file kept": deflated(b"SMITH JOHN"),
    }  # fmt: skip


@pytest.mark.parametrize("kind", SOUND)
def test_sound_files_are_quiet(kind):
    assert dicom_findings(SOUND[kind], source()) == ()


def test_every_rule_of_the_container_switched_off_is_noticed(capsys):
    made = mutants()
    survived = [name for name, data in made.items() if not set(dicom_findings(data, source())) - {Finding.UNPROVABLE}]
    with capsys.disabled():
        print(f"\ncontainer mutants: {len(made) - len(survived)} of {len(made)} noticed")
    assert survived == []


def test_bytes_of_a_known_value_in_the_pixels_are_noticed():
    ds = copied(cleaned())
    ds.Rows = ds.Columns = 16
    ds.BitsAllocated = ds.BitsStored = 8
    ds.HighBit = 7
    for name in ("VANDERBEEK", "vanderbeek", "ACC7741902"):
        for raw in (name.encode(), name.encode("utf-16-be")):
            pixels = bytearray(256)
            pixels[33 : 33 + len(raw)] = raw
            ds.add_new(0x7FE00010, "OB", bytes(pixels))
            assert dicom_findings(written(ds), source()), raw


def test_the_parser_reads_what_pydicom_wrote():
    file = parse(written(cleaned()))
    assert [e.tag for e in file.elements if not e.path] == [int(tag) for tag in sorted([*cleaned().keys(), 0x7FE00010])]


def drawn(text: str, turned: bool = False, value: int = 255) -> np.ndarray:
    picture = np.full((256, 256), 90, np.uint8)
    cv2.putText(picture, text, (12, 120), cv2.FONT_HERSHEY_SIMPLEX, 0.8, value, 2, cv2.LINE_AA)
    return np.ascontiguousarray(np.rot90(picture)) if turned else picture


def test_painting_switched_off_is_noticed():
    pytest.importorskip("rapidocr")
    assert Finding.PIXEL_TEXT in pixel_findings([drawn("SMITH JOHN")], [])
    assert Finding.NAME in pixel_findings([drawn("SMITH JOHN", value=0).astype(np.uint16) * 16], ["SMITH^JOHN"])
    assert Finding.PIXEL_TEXT in pixel_findings([drawn("MRN 4471203", turned=True)], [])


def test_marks_of_side_and_view_are_harmless():
    pytest.importorskip("rapidocr")
    assert pixel_findings([drawn("L  AP"), np.full((64, 64), 7, np.uint8)], ["SMITH^JOHN"]) == ()
