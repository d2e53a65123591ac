"""Plain images in every mode and format that archives hold, and what is encoded of them."""

from __future__ import annotations

import random
import zlib
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from curate.errors import DropRecord
from curate.record import Reason
from curate.sources.image import encode_jpeg, encode_png, load_image, read_image_header, resize
from curate.sources.picture import PixelRules
from curate.sources.sniff import sniff
from tests.curate.dicomfiles import gradient
from tests.realdata import real

RULES = PixelRules()
RGB = np.random.default_rng(0).integers(0, 256, (40, 32, 3)).astype(np.uint8)
GREY = gradient(top=255, dtype="u1")


def save(path: Path, image: Image.Image, form: str, **options: object) -> Path:
    image.save(path, form, **options)
    return path


def fate(path: Path, rules: PixelRules = RULES, frame: int = 0) -> Reason | None:
    try:
        load_image(path, frame, rules)
    except DropRecord as dropped:
        assert dropped.__context__ is None
        return dropped.reason
    return None


@pytest.mark.parametrize(
    ("form", "options"), [("PNG", {}), ("TIFF", {"compression": "tiff_lzw"}), ("BMP", {}), ("WEBP", {"lossless": True})]
)
def test_lossless_formats_under_a_wrong_name(tmp_path: Path, form: str, options: dict[str, object]) -> None:
    path = save(tmp_path / "scan.dcm", Image.fromarray(RGB), form, **options)
    assert sniff(path) == "image"
    assert np.array_equal(load_image(path, 0, RULES).pixels, RGB)
    header = read_image_header(path)
    assert (header.kind, header.frames, header.rows, header.columns) == ("image", 1, 40, 32)


def test_jpeg(tmp_path: Path) -> None:
    path = save(tmp_path / "a", Image.fromarray(GREY), "JPEG", quality=95)
    assert np.abs(load_image(path, 0, RULES).pixels.astype(int) - GREY).max() < 8


def test_the_real_formats() -> None:
    folder = real("vision") / "neardup_ukbench" / "formats_images"
    fates = {path.name: fate(path) for path in sorted(folder.iterdir())}
    loaded = {Path(name).suffix for name, reason in fates.items() if reason is None}
    assert {".bmp", ".jpeg", ".png", ".tiff", ".webp"} <= loaded
    assert {reason for reason in fates.values() if reason} == {Reason.NOT_AN_IMAGE}  # GIF, PGM, PPM, PBM


def test_sixteen_bit_grey_is_windowed_not_clipped(tmp_path: Path) -> None:
    pixels = gradient(top=4095) + 100
    for form in ("PNG", "TIFF"):
        path = save(tmp_path / form, Image.fromarray(pixels.astype(np.uint16)), form)
        assert np.array_equal(load_image(path, 0, PixelRules(bits=16)).pixels, pixels)
        found = load_image(path, 0, RULES).pixels
        assert np.array_equal(found, np.floor((pixels - 100) / 4095 * 255 + 0.5))
        assert (load_image(path, 0, PixelRules(window=(1100, 200))).pixels == 255).mean() > 0.6


def test_deep_tiff_modes(tmp_path: Path) -> None:
    for dtype in (np.int32, np.float32):
        path = save(tmp_path / "a", Image.fromarray(gradient(top=100000, dtype="i4").astype(dtype)), "TIFF")
        for bits, top in ((8, 255), (16, 65535)):
            found = load_image(path, 0, PixelRules(bits=bits)).pixels
            assert (found.min(), found.max(), found.dtype.itemsize * 8) == (0, top, bits)
    holes = gradient().astype(np.float32)
    holes[3:5] = np.nan
    assert load_image(save(tmp_path / "b", Image.fromarray(holes), "TIFF"), 0, RULES).pixels[3:5].max() == 0


def test_modes_of_few_bits(tmp_path: Path) -> None:
    one = Image.fromarray(GREY > 100)
    assert np.array_equal(load_image(save(tmp_path / "1", one, "PNG"), 0, RULES).pixels, (GREY > 100) * 255)
    palette = Image.fromarray(RGB).quantize(16)
    expected = np.asarray(palette.convert("RGB"))
    assert np.array_equal(load_image(save(tmp_path / "P", palette, "PNG"), 0, RULES).pixels, expected)
    cmyk = Image.fromarray(RGB).convert("CMYK")
    assert np.array_equal(
        load_image(save(tmp_path / "C", cmyk, "TIFF"), 0, RULES).pixels, np.asarray(cmyk.convert("RGB"))
    )


def test_alpha_is_laid_over_black(tmp_path: Path) -> None:
    alpha = np.where(np.arange(40)[:, None] < 20, 255, 0).astype(np.uint8).repeat(32, axis=1)
    path = save(tmp_path / "a", Image.fromarray(np.dstack([RGB, alpha])), "PNG")
    found = load_image(path, 0, RULES).pixels
    assert np.array_equal(found[:20], RGB[:20]) and found[20:].max() == 0
    path = save(tmp_path / "b", Image.fromarray(np.dstack([GREY, alpha])), "PNG")
    found = load_image(path, 0, RULES).pixels
    assert found.ndim == 2 and np.array_equal(found[:20], GREY[:20])


def test_grey_stored_as_rgb_is_one_channel(tmp_path: Path) -> None:
    path = save(tmp_path / "a", Image.fromarray(np.dstack([GREY] * 3)), "PNG")
    assert np.array_equal(load_image(path, 0, RULES).pixels, GREY)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(tmp_path / "a", Image.fromarray(GREY), "PNG", exif=exif)
    turned = {1: GREY, 2: GREY[:, ::-1], 3: GREY[::-1, ::-1], 4: GREY[::-1], 5: GREY.T}
    turned |= {6: np.rot90(GREY, -1), 7: GREY[::-1, ::-1].T, 8: np.rot90(GREY)}
    found = load_image(path, 0, RULES).pixels
    assert np.array_equal(found, turned[orientation])
    header = read_image_header(path)
    assert (header.rows, header.columns) == found.shape


def test_pages_of_a_tiff(tmp_path: Path) -> None:
    pages = [Image.fromarray(np.roll(GREY, k, axis=1)) for k in range(3)]
    path = save(tmp_path / "a", pages[0], "TIFF", save_all=True, append_images=pages[1:])
    assert read_image_header(path).frames == 3
    for k in range(3):
        assert np.array_equal(load_image(path, k, RULES).pixels, np.roll(GREY, k, axis=1))
    assert fate(path, frame=3) == Reason.CHANGED


def test_fates(tmp_path: Path) -> None:
    path = tmp_path / "a"
    assert fate(save(path, Image.new("L", (32, 32), 9), "PNG")) == Reason.BLANK
    assert fate(save(path, Image.fromarray(GREY[:10]), "PNG")) == Reason.TOO_SMALL
    assert fate(save(path, Image.fromarray(RGB), "PNG"), PixelRules(max_bytes=3839)) == Reason.TOO_LARGE
    assert fate(save(path, Image.fromarray(RGB), "PNG"), PixelRules(max_bytes=3840)) is None
    assert fate(save(path, Image.fromarray(RGB), "GIF")) == Reason.NOT_AN_IMAGE
    assert fate(tmp_path / "absent") == Reason.UNREADABLE_FILE
    path.write_bytes(b"")
    assert fate(path) == Reason.EMPTY_FILE


def test_a_bomb_is_refused_by_its_declared_size(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    small = save(tmp_path / "small", Image.fromarray(GREY), "PNG").read_bytes()
    size = b"IHDR" + (40000).to_bytes(4, "big") * 2 + small[24:29]
    path = tmp_path / "a"
    path.write_bytes(small[:12] + size + zlib.crc32(size).to_bytes(4, "big") + small[33:])
    assert fate(path) == Reason.TOO_LARGE
    assert read_image_header(path).rows == 40000
    assert not recwarn.list


@pytest.mark.parametrize("form", ["PNG", "JPEG", "TIFF", "BMP", "WEBP"])
def test_a_cut_file_is_truncated(tmp_path: Path, form: str) -> None:
    raw = save(tmp_path / "whole", Image.fromarray(np.tile(RGB, (8, 8, 1))), form).read_bytes()
    # Pillow writes a TIFF's directory first and the strips after it
    (tmp_path / "cut").write_bytes(raw[: len(raw) * 7 // 10])
    assert fate(tmp_path / "cut") == Reason.TRUNCATED


@pytest.mark.parametrize("form", ["PNG", "JPEG", "TIFF", "BMP", "WEBP"])
def test_broken_bytes_raise_nothing_but_drop_record(tmp_path: Path, form: str) -> None:
    rng = random.Random(form)
    raw = save(tmp_path / "whole", Image.fromarray(RGB), form).read_bytes()
    path = tmp_path / "a"
    for _ in range(60):
        broken = bytearray(raw[: rng.randrange(1, len(raw))] if rng.random() < 0.3 else raw)
        for _ in range(rng.choice([1, 2, 5, 20])):
            broken[rng.randrange(min(len(broken), rng.choice([40, 400, 100000])))] = rng.choice(
                [0, 255, rng.randrange(256)]
            )
        path.write_bytes(broken)
        fate(path, PixelRules(max_bytes=1 << 24))
        try:
            read_image_header(path)
        except DropRecord as dropped:
            assert dropped.__context__ is None


PIXELS = hnp.arrays(
    st.sampled_from([np.uint8, np.uint16]),
    st.one_of(
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=20),
        st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3)),
    ),
)


@given(PIXELS)
def test_png_is_lossless_and_says_nothing_else(pixels: np.ndarray) -> None:
    encoded = encode_png(pixels)
    assert encoded == encode_png(pixels.copy())
    assert np.array_equal(imagecodecs.png_decode(encoded).reshape(pixels.shape), pixels)
    chunks, at = [], 8
    while at < len(encoded):
        chunks.append(encoded[at + 4 : at + 8])
        at += 12 + int.from_bytes(encoded[at : at + 4], "big")
    assert set(chunks) == {b"IHDR", b"IDAT", b"IEND"}


def test_jpeg_keeps_channels_and_colour() -> None:
    for pixels in (GREY, np.kron(RGB[:5, :4], np.ones((8, 8, 1), np.uint8))):
        decoded = imagecodecs.jpeg8_decode(encode_jpeg(pixels, 95))
        assert decoded.shape == pixels.shape and np.abs(decoded.astype(int) - pixels).mean() < 3
    assert len(encode_jpeg(GREY, 50)) < len(encode_jpeg(GREY, 95))


@given(PIXELS, st.integers(1, 30))
def test_resize_bounds_the_longer_side(pixels: np.ndarray, side: int) -> None:
    found = resize(pixels, side)
    assert found.dtype == pixels.dtype and found.ndim == pixels.ndim
    assert max(found.shape[:2]) == min(side, max(pixels.shape[:2]))
    assert pixels.min() <= found.min() and found.max() <= pixels.max()


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\x08\x00\x05\x00CS\x0a\x00ISO_IR 100", "dicom"),  # explicit little endian
        (b"\x08\x00\x05\x00\x0a\x00\x00\x00ISO_IR 100", "dicom"),  # implicit
        (b"\x00\x08\x00\x05CS\x00\x0aISO_IR 100", "dicom"),  # explicit big endian
        (b"\x02\x00\x00\x00UL\x04\x00\x3a\x00\x00\x00", "dicom"),  # file meta without preamble
        (b"II*\0" + bytes(124) + b"DICM", "dicom"),  # dual personality
        (b"BM and other words that start like a bitmap", "none"),
        (b"RIFF\x24\x00\x00\x00WAVEfmt ", "none"),
        (b"%PDF-1.7", "none"),
        (b"\x08\x00", "none"),
        (b"\x08\x00\x00\x00\xff\xff\xff\xff\xff\xff", "none"),
    ],
)
def test_sniff(tmp_path: Path, head: bytes, kind: str) -> None:
    (tmp_path / "a").write_bytes(head)
    assert sniff(tmp_path / "a") == kind
