"""Image files through the release: pixels as they were, and nothing else."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import cv2
import imagecodecs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from benchmarks.input.image_writers import tiff
from curate.deid.pseudonym import Pseudonymizer
from curate.deid.rules import DeidRules
from curate.deid_export.codestreams.jpeg import Unparsed, clean_jpeg
from curate.deid_export.images import clean_image, encode_tiff
from curate.deid_export.rules import Outcome, ReleaseRules
from curate.record import Fate, Reason

PSEUDO = Pseudonymizer(b"images" * 6)
NAME = b"QUARTERMAINE^ALLAN"
LOOKED = ReleaseRules(deid=DeidRules("quarantine"))
FILES = ReleaseRules(deid=DeidRules("trust"))  # where the container is tested, the gate need not look


def film(rows: int = 96, columns: int = 80, dtype: str = "u1") -> np.ndarray:
    """A smooth, asymmetric picture without anything like text."""
    y, x = np.mgrid[0:rows, 0:columns]
    values = np.exp(-(((y - rows / 3) / rows) ** 2 + ((x - columns / 1.5) / columns) ** 2) * 6)
    return (values * np.iinfo(dtype).max * 0.9).astype(dtype)


def colour(rows: int = 96, columns: int = 80, dtype: str = "u1") -> np.ndarray:
    grey = film(rows, columns, dtype)
    return np.stack([grey, grey // 2, grey[::-1]], axis=-1)


def exif(orientation: int = 1) -> bytes:
    tags = Image.Exif()
    tags[0x0112], tags[0x010E], tags[0x013B] = orientation, NAME.decode(), NAME.decode()
    return tags.tobytes()


def clean(path: Path, data: bytes, rules: ReleaseRules = FILES) -> Outcome:
    path.write_bytes(data)
    return clean_image(path, rules, PSEUDO, [NAME.decode()])


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def pixels_of(outcome: Outcome) -> np.ndarray:
    assert Fate.of(outcome.reason) is Fate.CLEAN and outcome.data is not None, outcome
    return np.asarray(Image.open(io.BytesIO(outcome.data)))


def jpeg(pixels: np.ndarray, **options: object) -> bytes:
    return saved(Image.fromarray(pixels), "JPEG", exif=exif(), comment=NAME, icc_profile=NAME * 9, **options)


def scan_of(data: bytes) -> bytes:
    return data[data.rindex(b"\xff\xda") : data.rindex(b"\xff\xd9")]


@pytest.mark.parametrize("pixels", [film(), film(dtype="u2"), colour(), colour(dtype="u2")], ids=str)
def test_a_png_keeps_its_pixels_and_loses_everything_else(tmp_path: Path, pixels: np.ndarray) -> None:
    data = bytes(imagecodecs.png_encode(np.ascontiguousarray(pixels)))
    kinds = (b"tEXt", b"zTXt", b"prVt", b"iCCP")
    texts = b"".join(_chunk(kind, NAME + b"\0\0" + zlib.compress(NAME)) for kind in kinds)
    outcome = clean(tmp_path / "a.png", data[:33] + texts + data[33:] + NAME)
    assert (Fate.of(outcome.reason), outcome.suffix) == (Fate.CLEAN, ".png")
    assert outcome.data is not None and NAME not in outcome.data
    decoded = imagecodecs.png_decode(outcome.data)
    assert decoded.dtype == pixels.dtype
    assert np.array_equal(decoded, pixels)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", len(body), kind) + body + zlib.crc32(kind + body).to_bytes(4, "big")


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"optimize": True}, {"subsampling": "4:2:0"}], ids=str)
@pytest.mark.parametrize("pixels", [film(), colour()], ids=["grey", "rgb"])
def test_a_jpeg_keeps_its_coded_data(tmp_path: Path, pixels: np.ndarray, options: dict[str, object]) -> None:
    data = jpeg(pixels, quality=80, **options)
    assert NAME in data
    outcome = clean(tmp_path / "a.jpg", data + NAME)
    assert outcome.data is not None and NAME not in outcome.data
    assert np.array_equal(pixels_of(outcome), np.asarray(Image.open(io.BytesIO(data))))
    assert scan_of(outcome.data) == scan_of(data)


def test_what_hides_in_unused_tables_and_behind_the_last_block_goes(tmp_path: Path) -> None:
    data = jpeg(film(), quality=80)
    table = b"\xff\xdb" + struct.pack(">HB", 67, 3) + (NAME * 4)[:64]  # a fourth quantisation table that no one uses
    outcome = clean(tmp_path / "a.jpg", data[:2] + table + data[2:])
    assert outcome.data is not None and NAME not in outcome.data and scan_of(outcome.data) == scan_of(data)
    hidden = bytes(b ^ 0x80 for b in NAME)  # no letters to see, and no marker either
    end = data.rindex(b"\xff\xd9")
    for stowaway in (NAME, hidden):
        outcome = clean(tmp_path / "b.jpg", data[:end] + stowaway + data[end:])
        assert outcome.data is not None and stowaway not in outcome.data
        assert np.abs(pixels_of(outcome).astype(int) - film()).mean() < 2


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_broken_jpeg_is_bare_or_none_and_never_an_error(data: st.DataObject) -> None:
    whole = _JPEG
    at = data.draw(st.integers(2, len(whole) - 1))
    broken = whole[:at] + data.draw(st.binary(max_size=12)) + whole[at + data.draw(st.integers(0, 40)) :]
    try:
        bare = clean_jpeg(broken, "image")
    except Unparsed:
        return
    assert bare.startswith(b"\xff\xd8") and bare.endswith(b"\xff\xd9") and NAME not in bare


_JPEG = jpeg(film(40, 40), quality=70)


@pytest.mark.parametrize("orientation", range(2, 9))
def test_orientation_is_applied_before_it_is_dropped(tmp_path: Path, orientation: int) -> None:
    for kind, pixels in (("PNG", film()), ("TIFF", film()), ("JPEG", film()), ("PNG", colour(dtype="u2"))):
        if pixels.dtype == np.uint16:
            plain = bytes(imagecodecs.png_encode(np.ascontiguousarray(pixels)))
            body = exif(orientation).removeprefix(b"Exif\0\0")
            data = plain[:33] + _chunk(b"eXIf", body) + plain[33:]
            upright = _upright(pixels, orientation)
        else:
            data = saved(Image.fromarray(pixels), kind, exif=exif(orientation))
            upright = _upright(pixels, orientation)
        outcome = clean(tmp_path / "a.bin", data)
        assert outcome.data is not None and NAME not in outcome.data
        assert outcome.actions["turn pixels"] == 1
        got = imagecodecs.imread(outcome.data) if kind == "PNG" else pixels_of(outcome)
        assert got.shape == upright.shape
        assert np.abs(got.astype(int) - upright).max() <= (3 if kind == "JPEG" else 0)


def _upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """EXIF 2.3 table 6: where row 0 and column 0 of what is stored lie in what is shown."""
    turns = {
        2: np.fliplr,
        3: lambda a: np.rot90(a, 2),
        4: np.flipud,
        5: lambda a: a.swapaxes(0, 1),
        6: lambda a: np.rot90(a, -1),
        7: lambda a: np.rot90(a.swapaxes(0, 1), 2),
        8: np.rot90,
    }
    return turns[orientation](pixels)


def test_every_page_of_a_tiff_is_kept_with_its_depth_and_without_its_tags(tmp_path: Path) -> None:
    pages = [film(), film(dtype="u2"), colour(), film(95, 79).astype(np.float32) / 7]
    images = [Image.fromarray(page) for page in pages]
    data = saved(images[0], "TIFF", save_all=True, append_images=images[1:], description=NAME.decode(), software="x")
    assert NAME in data
    outcome = clean(tmp_path / "a.tif", data + NAME)
    assert outcome.suffix == ".tif" and outcome.data is not None and NAME not in outcome.data
    with Image.open(io.BytesIO(outcome.data)) as image:
        assert image.n_frames == len(pages)
        for i, page in enumerate(pages):
            image.seek(i)
            assert set(image.tag_v2) <= {256, 257, 258, 259, 262, 273, 277, 278, 279, 284, 339}
            assert np.array_equal(np.asarray(image), page)


def test_nothing_is_left_under_alpha_nor_in_a_palette(tmp_path: Path) -> None:
    hidden = np.dstack([film(), film(), film(), np.zeros_like(film())])
    cv2.putText(hidden, "QUARTERMAINE", (2, 40), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (255, 255, 255, 0), 1)
    hidden[..., 3] = 0
    assert not pixels_of(clean(tmp_path / "a.png", saved(Image.fromarray(hidden), "PNG"))).any()
    indexed = Image.fromarray(colour()).quantize(32)
    got = pixels_of(clean(tmp_path / "b.png", saved(indexed, "PNG")))
    assert np.array_equal(got, np.asarray(indexed.convert("RGB")))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "BMP", "WEBP"])
def test_burned_in_text_is_kept_back_on_any_page(tmp_path: Path, kind: str) -> None:
    written = film(256, 256)
    cv2.putText(written, "QUARTERMAINE ALLAN", (10, 40), cv2.FONT_HERSHEY_SIMPLEX, 0.6, 255, 1, cv2.LINE_AA)
    cv2.putText(written, "MRN 4471902", (10, 70), cv2.FONT_HERSHEY_SIMPLEX, 0.6, 255, 1, cv2.LINE_AA)
    pages = [Image.fromarray(film(256, 256)), Image.fromarray(written)]
    more = {"save_all": True, "append_images": pages[1:]} if kind == "TIFF" else {}
    data = saved(pages[0 if more else 1], kind, **more)
    outcome = clean(tmp_path / "a.bin", data, LOOKED)
    assert (outcome.reason, outcome.data) == (Reason.BURNED_IN, None)


def test_what_is_no_image_or_a_broken_or_an_enormous_one_has_its_reason(tmp_path: Path) -> None:
    png = saved(Image.fromarray(film()), "PNG")
    huge = png[:16] + struct.pack(">II", 60000, 60000) + png[24:29]
    huge += zlib.crc32(huge[12:29]).to_bytes(4, "big") + png[33:]
    cases = {b"": Reason.EMPTY_FILE, b"plain text, no image": Reason.NOT_AN_IMAGE, huge: Reason.TOO_LARGE}
    for data, reason in cases.items():
        assert clean(tmp_path / "a.png", data).reason is reason
    for data in (png[: len(png) // 2], jpeg(film())[:400], saved(Image.fromarray(film()), "TIFF")[:900], png[:40]):
        outcome = clean(tmp_path / "a.png", data)
        assert Fate.of(outcome.reason) is Fate.QUARANTINED and outcome.data is None
    assert clean_image(tmp_path / "absent.png", LOOKED, PSEUDO).reason is Reason.UNREADABLE_FILE


def test_the_same_pixels_give_the_same_bytes_whatever_surrounds_them(tmp_path: Path) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("Patient", NAME.decode())
    with_text = saved(Image.fromarray(film()), "PNG", pnginfo=info)
    one, other = (clean(tmp_path / "a.png", d) for d in (with_text, saved(Image.fromarray(film()), "PNG")))
    assert one == other
    again = clean(tmp_path / "b.png", one.data or b"")
    assert again.data == one.data


@pytest.mark.parametrize("pixels", [colour(dtype="u2"), film().astype(np.int32) * -70000], ids=["rgb16", "int32"])
def test_a_tiff_of_more_than_8_bits_keeps_every_value(tmp_path: Path, pixels: np.ndarray) -> None:
    outcome = clean(tmp_path / "a.tif", encode_tiff([pixels, pixels[::-1]]))
    assert outcome.data is not None and outcome.suffix == ".tif"
    for index, page in enumerate((pixels, pixels[::-1])):
        got = imagecodecs.tiff_decode(outcome.data, index=index)
        assert got.dtype == pixels.dtype
        assert np.array_equal(got, page)


DEEP = [
    film().astype(np.uint32) * 16_000_000,
    film(dtype="i2") - 9000,
    film().astype(np.float64) / 7,
    colour(dtype="u2"),
]


@pytest.mark.parametrize("pixels", DEEP, ids=["uint32", "int16", "float64", "rgb16"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_every_depth_of_a_tiff_is_kept(tmp_path: Path, pixels: np.ndarray, order: str) -> None:
    layout = {"compression": 5, "rows": 9} if pixels.ndim == 2 else {"planar": 2, "tile": (16, 32)}
    outcome = clean(tmp_path / "a.tif", tiff([(pixels, layout)], order))
    assert outcome.data is not None and outcome.suffix == ".tif"
    got = imagecodecs.tiff_decode(outcome.data)
    assert got.dtype == pixels.dtype and np.array_equal(got, pixels)


def test_white_is_zero_is_written_as_black_is_zero(tmp_path: Path) -> None:
    pixels = film(dtype="u2")
    outcome = clean(tmp_path / "a.tif", tiff([(65535 - pixels, {"photometric": 0})]))
    assert outcome.data is not None
    with Image.open(io.BytesIO(outcome.data)) as image:
        assert image.tag_v2[262] == 1
    assert np.array_equal(imagecodecs.tiff_decode(outcome.data), pixels)


@pytest.mark.parametrize("form", ["jpeg-ls", "jpeg 2000", "jpeg of 12 bits"])
def test_what_png_holds_is_written_as_png(tmp_path: Path, form: str) -> None:
    pixels = film(dtype="u2") >> 4
    encode = {
        "jpeg-ls": imagecodecs.jpegls_encode,
        "jpeg 2000": lambda a: imagecodecs.jpeg2k_encode(a, reversible=True, level=0),
        "jpeg of 12 bits": lambda a: imagecodecs.jpeg8_encode(a, level=98, bitspersample=12),
    }[form]
    outcome = clean(tmp_path / "a.bin", bytes(encode(pixels)))
    assert outcome.data is not None and outcome.suffix == ".png"
    got = imagecodecs.png_decode(outcome.data).astype(int)
    assert np.abs(got - pixels).max() <= (40 if form == "jpeg of 12 bits" else 0)


def test_grey_with_alpha_of_16_bits_keeps_its_values_where_it_is_opaque(tmp_path: Path) -> None:
    pixels, alpha = film(dtype="u2"), np.full((96, 80), 65535, np.uint16)
    alpha[:20] = 0
    outcome = clean(tmp_path / "a.png", bytes(imagecodecs.png_encode(np.dstack([pixels, alpha]))))
    assert outcome.data is not None
    got = imagecodecs.png_decode(outcome.data)
    assert got.dtype == np.uint16 and not got[:20].any() and np.array_equal(got[20:], pixels[20:])


def test_a_picture_whose_header_contradicts_it_is_kept_back(tmp_path: Path) -> None:
    data = jpeg(film())
    size = data.index(b"\xff\xc0") + 5
    cut = data[:size] + struct.pack(">H", 48) + data[size + 2 :]
    assert clean(tmp_path / "a.jpg", cut).reason is Reason.CONTRADICTORY
    assert clean(tmp_path / "a.jpg", data[: len(data) * 9 // 10] + b"\xff\xd9").reason is Reason.TRUNCATED
