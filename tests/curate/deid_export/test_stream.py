"""Compressed streams lose what is not picture, and nothing else."""

from __future__ import annotations

import imagecodecs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.uid import (
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from curate.deid_export.codestreams.clean import clean_stream
from curate.deid_export.codestreams.jpeg import Unparsed, seems_text
from curate.sources.dicom.layout import Layout
from tests.curate.dicomfiles import encode, gradient

NAME = b"WYRZYKOWSKI^ZDZISLAWA"
PICTURE = (gradient(64, 48) % 251 + np.random.default_rng(7).integers(0, 5, (64, 48))).astype(np.uint8)
LAYOUT = Layout(64, 48, 1, "MONOCHROME2", 8, 8, False, 0, 1)
CODECS = (JPEGBaseline8Bit, JPEGLosslessSV1, JPEGLSLossless, JPEG2000Lossless)


def segment(code: int, payload: bytes) -> bytes:
    return bytes((0xFF, code)) + (len(payload) + 2).to_bytes(2, "big") + payload


def decode(syntax: str, data: bytes) -> np.ndarray:
    codecs = {
        JPEGBaseline8Bit: imagecodecs.jpeg8_decode,
        JPEGLosslessSV1: imagecodecs.ljpeg_decode,
        JPEGLSLossless: imagecodecs.jpegls_decode,
        JPEG2000Lossless: imagecodecs.jpeg2k_decode,
    }
    return codecs[syntax](data)


def rle(planes: list[np.ndarray], tail: bytes = b"") -> bytes:
    parts = [imagecodecs.packbits_encode(p) for p in planes]
    parts = [p + b"\0" * (len(p) % 2) for p in parts]
    offsets = [64 + sum(map(len, parts[:k])) for k in range(len(parts))]
    header = np.array([len(parts), *offsets, *[0] * (15 - len(parts))], "<u4").tobytes()
    return header + b"".join(parts) + tail


@pytest.mark.parametrize("syntax", CODECS, ids=lambda s: s.name)
def test_a_stream_keeps_its_pixels_and_loses_what_follows_its_end(syntax):
    stream = encode(PICTURE, syntax)
    cleaned = clean_stream(syntax, stream + NAME + b"\xff\xd9", LAYOUT)
    assert NAME not in cleaned and cleaned.endswith(b"\xff\xd9")
    np.testing.assert_array_equal(decode(syntax, cleaned), decode(syntax, stream))
    assert clean_stream(syntax, cleaned, LAYOUT) == cleaned


@pytest.mark.parametrize("syntax", CODECS[:3], ids=lambda s: s.name)
@pytest.mark.parametrize("code", [0xFE, 0xE0, 0xE1, 0xE8, 0xED, 0xEE, 0xEF])
def test_jpeg_loses_comments_and_application_segments(syntax, code):
    stream = encode(PICTURE, syntax)
    planted = stream[:2] + segment(code, NAME) + b"\xff\xff\xff" + stream[2:]
    cleaned = clean_stream(syntax, planted, LAYOUT)
    assert NAME not in cleaned
    np.testing.assert_array_equal(decode(syntax, cleaned), decode(syntax, stream))


def test_jpeg_keeps_what_says_how_colours_are_coded():
    colour = np.stack([PICTURE, 255 - PICTURE, PICTURE // 2], axis=2)
    for options in ({}, {"outcolorspace": "rgb"}):
        stream = imagecodecs.jpeg8_encode(colour, level=90, **options)
        planted = stream[:2] + segment(0xE0, b"JFXX\0\x10" + NAME) + stream[2:]
        cleaned = clean_stream(JPEGBaseline8Bit, planted, LAYOUT)
        assert NAME not in cleaned
        np.testing.assert_array_equal(imagecodecs.jpeg8_decode(cleaned), imagecodecs.jpeg8_decode(stream))


def test_a_jfif_thumbnail_and_tables_that_nobody_uses_are_gone():
    stream = encode(PICTURE, JPEGBaseline8Bit)
    thumbnail = segment(0xE0, b"JFIF\0\x01\x01\0\0\x01\0\x01\x03\x03" + NAME.ljust(27, b"X"))
    unused = segment(0xDB, b"\x03" + NAME.ljust(64, b"X"))
    start = 2 if stream[2:4] != b"\xff\xe0" else 4 + int.from_bytes(stream[4:6], "big")
    cleaned = clean_stream(JPEGBaseline8Bit, stream[:2] + thumbnail + unused + stream[start:], LAYOUT)
    assert NAME not in cleaned
    np.testing.assert_array_equal(imagecodecs.jpeg8_decode(cleaned), imagecodecs.jpeg8_decode(stream))


def test_text_where_pixels_should_be_is_not_understood():
    stream = encode(PICTURE, JPEGBaseline8Bit)
    with pytest.raises(Unparsed):
        clean_stream(JPEGBaseline8Bit, stream[:-2] + NAME + stream[-2:], LAYOUT)
    assert not seems_text(b"QQQQ" * 100)


def test_jpeg_2000_loses_comments_in_both_headers():
    stream = encode(PICTURE, JPEG2000Lossless)
    comment = segment(0x64, b"\0\x01" + NAME)
    main = stream.index(b"\xff\x90")
    data = stream.index(b"\xff\x93")
    length = int.from_bytes(stream[main + 6 : main + 10], "big")
    part = stream[main : main + 6] + (length + len(comment)).to_bytes(4, "big") + stream[main + 10 : data]
    planted = stream[:main] + comment + part + comment + stream[data:]
    np.testing.assert_array_equal(imagecodecs.jpeg2k_decode(planted), PICTURE)
    cleaned = clean_stream(JPEG2000Lossless, planted, LAYOUT)
    assert NAME not in cleaned
    np.testing.assert_array_equal(imagecodecs.jpeg2k_decode(cleaned), PICTURE)


def test_a_jp2_file_is_cut_down_to_its_codestream():
    boxed = bytes(imagecodecs.jpeg2k_encode(PICTURE, codecformat="jp2", reversible=True, level=0))
    box = (8 + 16 + len(NAME)).to_bytes(4, "big") + b"uuid" + bytes(16) + NAME
    at = boxed.index(b"jp2h") - 4
    cleaned = clean_stream(JPEG2000Lossless, boxed[:at] + box + boxed[at:], LAYOUT)
    assert cleaned.startswith(b"\xff\x4f\xff\x51") and NAME not in cleaned
    np.testing.assert_array_equal(imagecodecs.jpeg2k_decode(cleaned), PICTURE)


def test_rle_is_encoded_again():
    wide = (PICTURE.astype(np.uint16) << 4) + 3
    layout = Layout(64, 48, 1, "MONOCHROME2", 16, 12, False, 0, 1)
    planes = [(wide >> 8).astype(np.uint8), (wide & 0xFF).astype(np.uint8)]
    cleaned = clean_stream(RLELossless, rle(planes, NAME), layout)
    assert NAME not in cleaned
    decoded = np.frombuffer(imagecodecs.dicomrle_decode(cleaned, np.dtype("u2")), "<u2")
    np.testing.assert_array_equal(decoded, wide.ravel())
    with pytest.raises(Unparsed):
        clean_stream(RLELossless, rle(planes)[:-200], layout)


@pytest.mark.parametrize("syntax", (*CODECS, RLELossless), ids=lambda s: s.name)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_broken_stream_is_cleaned_or_not_understood(syntax, data):
    stream = bytearray(rle([PICTURE]) if syntax == RLELossless else encode(PICTURE, syntax))
    for at, byte in data.draw(st.lists(st.tuples(st.integers(0, len(stream) - 1), st.integers(0, 255)), max_size=6)):
        stream[at] = byte
    cut = bytes(stream[: data.draw(st.integers(0, len(stream)))]) + NAME
    try:
        cleaned = clean_stream(syntax, cut, LAYOUT)
    except Unparsed:
        return
    assert NAME not in cleaned


@given(st.binary(max_size=300))
def test_any_bytes_are_cleaned_or_not_understood(data):
    for syntax in (*CODECS, RLELossless):
        with pytest.raises(Unparsed):
            clean_stream(syntax, data, LAYOUT)
