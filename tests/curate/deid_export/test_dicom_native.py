"""Uncompressed pixel data: single bits, subsampled colour, floats; what is blanked and what is left."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from curate.deid_export.dicom.frames import BitFrames, NativeFrames, read_native
from curate.errors import DropRecord
from curate.record import Reason
from curate.sources.dicom.cells import mask
from curate.sources.dicom.file import PIXEL_DATA, DicomFile, PixelElement
from curate.sources.dicom.layout import Layout

GREY = Layout(4, 6, 1, "MONOCHROME2", 8, 8, False, 0, 1)


def native(data: bytes, *, tag: int = PIXEL_DATA, vr: str = "OW") -> DicomFile:
    element = PixelElement(tag, vr, len(data), 0)
    return DicomFile(Dataset(), ExplicitVRLittleEndian, element, io.BytesIO(data), len(data))


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 5), st.data())
def test_frames_of_single_bits_are_read_and_replaced_without_touching_others(rows, columns, frames, data):
    layout = replace(GREY, rows=rows, columns=columns, frames=frames, allocated=1, stored=1)
    size = rows * columns * frames
    bits = np.array(data.draw(st.lists(st.integers(0, 1), min_size=size, max_size=size)), np.uint8)
    packed = bytearray(np.packbits(bits, bitorder="little").tobytes())
    packed[-1] |= 0xFF << (size % 8) & 0xFF if size % 8 else 0  # bits that no pixel uses
    out = read_native(native(bytes(packed) + b"NAME"), layout)
    assert isinstance(out, NativeFrames | BitFrames)
    chosen = data.draw(st.integers(0, frames - 1))
    expected = bits.reshape(frames, rows, columns).copy()
    np.testing.assert_array_equal(np.stack([out.stored(k) for k in range(frames)]), expected)
    out.put(chosen, 1 - out.stored(chosen))
    expected[chosen] = 1 - expected[chosen]
    value = out.written().value
    assert len(value) == -(-size // 8)
    np.testing.assert_array_equal(
        np.unpackbits(np.frombuffer(value, np.uint8), bitorder="little")[:size], expected.ravel()
    )
    assert not np.unpackbits(np.frombuffer(value, np.uint8), bitorder="little")[size:].any()


def test_subsampled_colour_is_kept_to_the_byte_and_seen_as_rgb():
    layout = replace(GREY, samples=3, photometric="YBR_FULL_422")
    data = np.tile(np.array([200, 100, 128, 128], np.uint8), 12).tobytes()
    out = read_native(native(data + b"NAME"), layout)
    assert out.written().value == data and out.changes == ("drop trailing pixel bytes",)
    assert out.stored(0).shape == (4, 6, 3) and out.decoded.photometric == "RGB"
    np.testing.assert_array_equal(out.stored(0)[0, :2, 0], [200, 100])


@pytest.mark.parametrize(("tag", "kind"), [(0x7FE00008, "<f4"), (0x7FE00009, "<f8")])
def test_what_a_nan_carries_is_gone_and_every_number_kept(tag, kind):
    numbers = np.arange(24, dtype=kind) / 7
    numbers[3] = np.inf
    raw = numbers.view(f"<u{numbers.itemsize}")
    raw[5] = (1 << (8 * numbers.itemsize)) - 1 - 0xBEEF
    layout = replace(GREY, allocated=8 * numbers.itemsize, stored=8 * numbers.itemsize)
    value = np.frombuffer(read_native(native(numbers.tobytes(), tag=tag), layout).written().value, kind)
    assert value[5].tobytes() == np.dtype(kind).type(np.nan).tobytes()
    np.testing.assert_array_equal(np.delete(value, 5), np.delete(numbers, 5))


@given(st.integers(1, 16), st.booleans(), st.lists(st.integers(0, 0xFFFF), min_size=1, max_size=20))
def test_masked_values_are_those_of_the_stored_bits(stored, signed, words):
    layout = replace(GREY, allocated=16, stored=stored, signed=signed)
    out = mask(np.array(words, "<u2").view("<i2" if signed else "<u2"), layout)
    for word, value in zip(words, out.tolist(), strict=True):
        low = word & ((1 << stored) - 1)
        assert value == (low - (1 << stored) if signed and low >> (stored - 1) else low)
    np.testing.assert_array_equal(mask(out, layout), out)


def test_planes_keep_their_order_when_a_frame_is_replaced():
    layout = replace(GREY, samples=3, photometric="RGB", planar=1, frames=2)
    out = NativeFrames.empty(layout, 1 << 20)
    colour = np.arange(72, dtype=np.uint8).reshape(4, 6, 3)
    out.put(1, colour)
    np.testing.assert_array_equal(out.stored(1), colour)
    assert out.written().value[72:] == np.moveaxis(colour, 2, 0).tobytes()


def test_frames_too_large_and_too_short():
    with pytest.raises(DropRecord) as large:
        NativeFrames.empty(replace(GREY, frames=1000), 1 << 10)
    assert large.value.reason is Reason.TOO_LARGE
    with pytest.raises(DropRecord) as short:
        read_native(native(bytes(23)), GREY)
    assert short.value.reason is Reason.TRUNCATED
