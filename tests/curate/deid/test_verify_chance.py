"""Names in pixel data: those that stand there as text are found, those met by chance are not, and the bound holds."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import RLELossless

from curate.deid.header.clean import clean_header
from curate.deid.rules import HeaderRules
from curate.deid.verify.dicom.byte_search import (
    FALSE_ALARMS,
    alone_bits,
    chance_bits,
    found_in_pixels,
    holds_any,
    needed_bits,
)
from curate.deid.verify.dicom.findings import dicom_findings
from curate.deid.verify.dicom.header import byte_forms
from curate.deid.verify.finding import Finding
from tests.curate.deid.test_mutation_header import PSEUDO, source, written

NAMES = ("Vrba", "Quorvik", "Zwyxel", "Dworzakowna", "QUORVIK^ILVANE")
SIDE = 256


def with_pixels(ds: Dataset, data: bytes, cell: int) -> Dataset:
    """``ds`` with a native picture of SIDE x SIDE samples of ``cell`` bytes."""
    ds.Rows = ds.Columns = SIDE
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PixelRepresentation = 1, "MONOCHROME2", 0
    ds.BitsAllocated = ds.BitsStored = 8 * cell
    ds.HighBit = ds.BitsAllocated - 1
    ds.PixelData = data
    ds["PixelData"].VR = "OW" if cell == 2 else "OB"
    return ds


def planted(cell: int, raw: bytes, background: int, at: int) -> bytes:
    """A flat picture with ``raw`` in it, at a whole sample."""
    data = bytearray(np.full(SIDE * SIDE, background, f"<u{cell}").tobytes())
    data[at * cell : at * cell + len(raw)] = raw
    return bytes(data)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("cell", [1, 2])
@pytest.mark.parametrize("encoding", ["ascii", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("around", ["", "Name: {} ."])
@pytest.mark.parametrize("background", [0, 200])
def test_a_name_that_stands_as_text_among_pixels_is_found(name, cell, encoding, around, background):
    raw = (around.format(name) if around else name).encode(encoding)
    sought = dict.fromkeys(byte_forms(name))
    if len(name.encode(encoding)) < 7:
        return  # shorter strings are not searched in pixels
    if cell == 2 and encoding == "utf-16-be" and background == 200:
        background = 2000  # its letters are 256 times as bright
    for at in (0, 5000, SIDE * SIDE - len(raw) // cell):
        assert found_in_pixels(planted(cell, raw, background, at), sought, cell), at


@pytest.mark.parametrize("where", ["pixels", "tail", "private", "text", "behind"])
def test_a_planted_name_is_found_wherever_in_the_file(where):
    ds = source()
    ds.PatientName = "Quorvik^Ilvane"
    cleaned = with_pixels(clean_header(ds, PSEUDO, HeaderRules()).dataset, bytes(SIDE * SIDE * 2), 2)
    ds = with_pixels(ds, bytes(SIDE * SIDE * 2), 2)
    assert dicom_findings(written(cleaned), ds, retain=HeaderRules().retain) == ()
    if where == "pixels":
        cleaned.PixelData = planted(2, "Quorvik".encode("utf-16-le"), 0, 77)
    elif where == "tail":
        cleaned.DataSetTrailingPadding = b"\0\0Quorvik\0"
    elif where == "private":
        block = cleaned.private_block(0x0011, "MAKER", create=True)
        block.add_new(1, "LO", "quorvik")
    elif where == "text":
        cleaned.ImageComments = "seen: QUORVIK"
    data = written(cleaned) + (b"Quorvik\0" if where == "behind" else b"")
    found = set(dicom_findings(data, ds, retain=HeaderRules().retain))
    assert found & ({Finding.CONTAINER} if where == "behind" else {Finding.NAME})


@pytest.mark.parametrize("mean,spread", [(108, 7), (80, 7), (100, 20)])
def test_chance_hits_in_noise_like_letters_do_not_count(mean, spread):
    rng = np.random.default_rng(9)
    letters = "abcdefghiklmnoprstu"
    names = ["".join(rng.choice(list(letters), 4)) for _ in range(800)]
    data = np.clip(rng.normal(mean, spread, 1 << 20), 0, 255).astype("<u2").tobytes()
    sought = {raw: name for name in names for raw in byte_forms(name)}
    assert len(holds_any(data, sought)) > 3  # what a search without a bound would call leaks
    assert found_in_pixels(data, sought, 2) == []


def test_the_bound_is_ten_of_a_million_images_whatever_their_sizes():
    for size in (1 << 10, 1 << 19, 1 << 25):
        for count in (1, 60, 1000):
            bits = needed_bits(size, count)
            assert size * count * 2**-bits == pytest.approx(FALSE_ALARMS)
    assert FALSE_ALARMS * 1_000_000 <= 10


@given(st.integers(1, 8), st.integers(2, 2000))
def test_standing_alone_is_as_rare_as_it_says(k, n):
    exact = math.prod((j + 1) / (n + j) for j in range(1, k + 1))
    assert 2 ** -alone_bits(k, n) == pytest.approx(exact)
    assert alone_bits(k + 1, n) > alone_bits(k, n)


@given(st.text("abcdefgh", min_size=4, max_size=20), st.sampled_from([1, 2]))
def test_a_longer_name_of_the_same_letters_is_never_likelier(name, cell):
    raw = name.encode("utf-16-le" if cell == 2 else "ascii")
    assert chance_bits(raw + raw, cell) >= chance_bits(raw, cell) - 1e-6
    assert chance_bits(raw, 0) == 8 * len(raw)


def test_samples_of_one_value_prove_nothing():
    assert chance_bits(b"aaaaaaaaaa", 1) == 0
    assert found_in_pixels(b"\x61" * 4096, {b"aaaaaaaa": None}, 1) == []


def test_run_length_coded_pixels_are_searched_as_bytes():
    ds = source()
    ds.PatientName = "Quorvik^Ilvane"
    picture = np.zeros((SIDE, SIDE), np.uint8)
    picture[100, 20:27] = np.frombuffer(b"Quorvik", np.uint8)
    cleaned = with_pixels(clean_header(ds, PSEUDO, HeaderRules()).dataset, picture.tobytes(), 1)
    whole = dcmread(io.BytesIO(written(cleaned)))
    whole.compress(RLELossless, generate_instance_uid=False)
    out = io.BytesIO()
    whole.save_as(out, enforce_file_format=True)
    assert Finding.NAME in dicom_findings(out.getvalue(), ds, retain=HeaderRules().retain)
