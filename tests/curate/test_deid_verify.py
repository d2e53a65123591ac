"""The second reader: it must notice everything that was left in, and be quiet where nothing was."""

from __future__ import annotations

import io
import json
import struct
import zlib

import cv2
import imagecodecs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from curate.deid.pseudonym import Pseudonymizer
from curate.deid.text import TextRules, scrub
from curate.deid.verify import leaks

PHI = ["SMITH^JOHN^A", "MRN-0012345", "19570312", "1.2.840.99.4711", "Mercy General Hospital", "MÜLLER^ZOË", "洪^吉洞"]
PICTURE = (np.arange(64 * 48).reshape(48, 64) % 251).astype(np.uint8)


@pytest.mark.parametrize(
    "text",
    ["seen by smith", "SMITH", "Smith's", "Smíth", "S M I T H", "Smi-\nth", "Smi\u200bth", "Ｓｍｉｔｈ", "john a smith",
     "MRN 0012345", "mrn0012345", "id 12345", "0 0 1 2 3 4 5", "00-12-345", "12 March 1957", "March 12th, 1957",
     "03/12/1957",
     "3/12/57", "1957-03-12", "12.3.1957", "born 19570312", "1.2.840.99.4711", "MERCY  general\nhospital",
     "Muller", "Mu\u0308ller",
     "患者 吉洞"],
)  # fmt: skip
def test_what_was_left_in_is_noticed(text):
    assert leaks([f"findings: {text}. normal."], PHI)
    assert leaks(["nothing here", f"{text}".encode()], PHI)


def test_latin1_and_utf16_bytes_are_read():
    assert leaks(["M\u00fcller".encode("latin-1")], PHI)
    assert leaks(["x Smith y".encode("utf-16-le")], PHI)
    assert leaks([b"\x01" + "Smith".encode("utf-16-be")], PHI)


@pytest.mark.parametrize(
    "text",
    ["Smithson-like artefact, blacksmith", "series 3 image 45, 123 mm", "12 March 1958", "Johnston", "1234567",
     "general hospital bed",
     "[NAME] was seen on [DATE] at [FACILITY]", "", "no acute disease"],
)  # fmt: skip
def test_clean_text_is_quiet(text):
    assert not leaks([text, text.encode()], PHI)


def test_json_of_a_record_is_read():
    assert leaks([json.dumps({"meta": {"who": "Smith"}})], PHI)
    assert not leaks([json.dumps({"modality": "CT", "date": "2019-05-02", "age": 61})], PHI)


def test_without_identities_only_containers_are_judged():
    assert not leaks(["Smith", b"Smith"], [])


@settings(max_examples=80, deadline=None)
@given(st.lists(st.sampled_from(["J. Smith", "Smith, John", "03/12/1957", "MRN 0012345", "Mercy General Hospital",
                                 "lungs clear", "Zoë Müller", "at 10:22", "1.2.840.99.4711",
                                 "Dr. Roe"]), max_size=6))  # fmt: skip
def test_scrubbed_text_passes(parts):
    text = "; ".join(parts)
    assert not leaks([scrub(text, PHI, "P1", Pseudonymizer(b"0123456789abcdef"), TextRules("mask"))], PHI)


def png(**save: object) -> bytes:
    out = io.BytesIO()
    Image.fromarray(PICTURE).save(out, "PNG", **save)
    return out.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")


def test_bare_pictures_of_our_encoders_pass():
    rgb = np.repeat(PICTURE[..., None], 3, axis=2)
    for picture in (PICTURE, rgb, PICTURE.astype(np.uint16) * 200):
        assert not leaks([cv2.imencode(".png", picture)[1].tobytes(), imagecodecs.png_encode(picture)], PHI)
    for picture in (PICTURE, rgb):
        assert not leaks([cv2.imencode(".jpg", picture)[1].tobytes(), imagecodecs.jpeg8_encode(picture)], PHI)
    assert not leaks([png()], PHI)


def test_a_png_that_holds_more_than_pixels_leaks():
    good = png()
    end = good.rindex(b"IEND") - 4
    for extra in (chunk(b"tEXt", b"Author\0x"), chunk(b"eXIf", b"x"), chunk(b"IDAT", b"hidden")):
        assert leaks([good[:end] + extra + good[end:]], [])
    assert leaks([good + b"x"], [])
    assert leaks([good[:-6]], [])
    raw = zlib.decompress(good[good.index(b"IDAT") + 4 : end - 4])
    head = good[: good.index(b"IDAT") - 4]
    assert leaks([head + chunk(b"IDAT", zlib.compress(raw + b"SMITH JOHN")) + chunk(b"IEND", b"")], [])
    assert not leaks([head + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")], [])


def test_a_jpeg_that_holds_more_than_pixels_leaks():
    good = cv2.imencode(".jpg", PICTURE)[1].tobytes()
    for marker in (b"\xff\xfe", b"\xff\xe1", b"\xff\xed"):
        assert leaks([good[:2] + marker + b"\x00\x06abcd" + good[2:]], [])
    assert leaks([good + b"SMITH"], [])
    assert leaks([good[:-2]], [])
    progressive = io.BytesIO()
    Image.fromarray(PICTURE).save(progressive, "JPEG", progressive=True)
    assert not leaks([progressive.getvalue()], [])
