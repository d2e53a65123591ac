"""Plain images in every mode and format that archives hold, and what is encoded of them."""

from __future__ import annotations

import io
import random
import struct
import zlib
from pathlib import Path

import cv2
import imagecodecs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from benchmarks.input.image_bad import Bad, bad
from benchmarks.input.image_files import check_bad, check_good
from benchmarks.input.image_good import Good, field, good, laid, turned
from benchmarks.input.image_writers import exif, jp2, png, tiff
from curate.errors import DropRecord
from curate.record import Reason
from curate.sources.images.encode import encode_jpeg, encode_png, resize
from curate.sources.images.read import decode, load_image, open_image, read_image_header
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
    assert not [w for w in recwarn.list if w.category is not ResourceWarning]  # those are of whatever is collected now


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


RNG = np.random.default_rng(5)


@pytest.fixture(autouse=True)
def same_draws_whatever_ran_before() -> None:
    RNG.bit_generator.state = np.random.default_rng(5).bit_generator.state


def shades(values: np.ndarray) -> np.ndarray:
    low, high = float(values.min()), float(values.max())
    return np.floor((values.astype(np.float64) - low) / (high - low) * 255 + 0.5)


def stored(path: Path, data: bytes, page: int = 0) -> np.ndarray:
    path.write_bytes(data)
    opened = open_image(path, 1 << 24)
    return decode(opened, opened.pages[page])[0]


def picture(path: Path, data: bytes, rules: PixelRules = RULES) -> np.ndarray:
    path.write_bytes(data)
    return load_image(path, 0, rules).pixels


def test_unusual_files_are_what_was_encoded(tmp_path: Path) -> None:
    files = [file for number, file in enumerate(good(0)) if number % 5 == 0]
    found = check_good(files, tmp_path / "a")
    assert found["files"] > 150 and found["deid_asked"] > 100
    assert (found["lost"], found["wrong"], found["deid_changed"]) == ({}, {}, {})


def test_contradictory_files_are_dropped(tmp_path: Path) -> None:
    found = check_bad([file for number, file in enumerate(bad(0)) if number % 7 == 0], tmp_path / "a")
    assert found["files"] > 200 and found["kept_wrong"] == {}


def test_the_two_checks_can_fail(tmp_path: Path) -> None:
    values = field(RNG, "u1")
    data = png(values, 0, 8, RNG)
    assert check_good([Good("turned", data, values[::-1])], tmp_path / "a")["wrong"] == {"turned": 1}
    assert check_good([Good("cut", data[:90], values)], tmp_path / "a")["lost"] == {"cut: truncated_pixels": 1}
    assert check_bad([Bad("whole", data)], tmp_path / "a")["kept_wrong"] == {"whole": 1}


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("dtype", ["u1", "u2", "u4", "i2", "i4", "f4", "f8"])
def test_white_is_zero(tmp_path: Path, dtype: str, order: str) -> None:
    values = field(RNG, dtype)
    found = picture(tmp_path / "a", tiff([(values, {"photometric": 0})], order)).astype(int)
    expected = 255 - values.astype(int) if dtype == "u1" else 255 - shades(values)
    assert np.abs(found - expected).max() <= (0 if dtype == "u1" else 1)
    plain = picture(tmp_path / "a", tiff([(values, {})], order)).astype(int)
    assert np.abs(plain + found - 255).max() <= 1


def test_deep_colour_and_alpha_are_scaled_as_grey(tmp_path: Path) -> None:
    grey = field(RNG, "u2", 1, 4095)
    expected = shades(grey)
    opaque = np.full_like(grey, 65535)
    for kind, values in ((0, grey), (2, np.dstack([grey] * 3)), (4, np.dstack([grey, opaque]))):
        assert np.array_equal(picture(tmp_path / "a", png(values, kind, 16, RNG)), expected)
    colour = field(RNG, "u2", 3, 4095)
    found = picture(
        tmp_path / "a",
        png(np.dstack([colour, opaque[:1, :1].repeat(colour[..., 0].size).reshape(colour.shape[:2])]), 6, 16, RNG),
    )
    assert np.array_equal(found, shades(colour))  # one range: the colours stay what they are
    assert np.array_equal(picture(tmp_path / "a", png(colour, 2, 16, RNG), PixelRules(bits=16)), colour)


@pytest.mark.parametrize("dtype", ["u2", "i4", "f4"])
def test_a_few_pixels_far_away_do_not_take_the_range(tmp_path: Path, dtype: str) -> None:
    values = field(RNG, "u2", 1, 4095).astype(dtype)
    values[0, :3] = 60000
    data = tiff([(values, {})])
    ends = np.sort(values.ravel().astype(float))[[int(np.ceil(values.size * share)) - 1 for share in (0.005, 0.995)]]
    expected = np.floor(np.clip((values - ends[0]) / (ends[1] - ends[0]), 0, 1) * 255 + 0.5)
    assert np.array_equal(picture(tmp_path / "a", data), expected)
    assert np.array_equal(picture(tmp_path / "a", data, PixelRules(window="full")), shades(values))


def test_huge_and_missing_numbers(tmp_path: Path) -> None:
    values = field(RNG, "f8") * 5e304
    values[0, 0], values[1, 1], values[2, 2] = np.nan, np.inf, -np.inf
    found = picture(tmp_path / "a", tiff([(values, {})]))
    assert (found[0, 0], found[1, 1], found[2, 2]) == (0, 255, 0) and 60 < found.mean() < 200
    assert fate(tmp_path / "a") is None
    (tmp_path / "a").write_bytes(tiff([(np.full((40, 40), np.nan, "f4"), {})]))
    assert fate(tmp_path / "a") == Reason.BLANK


def test_smaller_copies_and_masks_are_no_pages(tmp_path: Path) -> None:
    values = field(RNG, "u2")
    small = np.ascontiguousarray(values[::2, ::2])
    path = tmp_path / "a"
    data = tiff([(small, {"subfile": 1}), (values, {}), (values > 99, {"subfile": 4, "photometric": 4}), (values, {})])
    assert np.array_equal(stored(path, data, 0), values)
    assert read_image_header(path).frames == 2 and fate(path, frame=2) == Reason.CHANGED
    assert np.array_equal(stored(path, tiff([(small, {"subfile": 1})])), small)  # there is nothing else


def test_transparency_of_each_kind_is_black(tmp_path: Path) -> None:
    values = field(RNG, "u2", 3)
    hole = (b"tRNS", struct.pack(">3H", *values[4, 5].tolist()))
    found = stored(tmp_path / "a", png(values, 2, 16, RNG, [hole]))
    assert not found[4, 5].any() and np.array_equal(np.delete(found, 4, 0), np.delete(values, 4, 0))
    grey = field(RNG, "u1", 1, 3)
    found = stored(tmp_path / "a", png(grey, 0, 2, RNG, [(b"tRNS", b"\0\3")]))
    assert np.array_equal(found, np.where(grey == 3, 0, grey * 85))
    both = field(RNG, "u2", 2)
    for extra, expected in ((0, both[..., 0]), (1, both[..., 0]), (2, laid(both[..., 0], both[..., 1], 65535))):
        assert np.abs(stored(tmp_path / "a", tiff([(both, {"extra": extra})])).astype(int) - expected).max() <= 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_of_every_format(tmp_path: Path, orientation: int) -> None:
    values = field(RNG, "u2")
    expected = turned(values, orientation)
    block = (b"eXIf", exif(orientation, ">"))
    assert np.array_equal(stored(tmp_path / "a", png(values, 0, 16, RNG, after=[block])), expected)
    assert np.array_equal(stored(tmp_path / "a", tiff([(values, {"orientation": orientation})], ">")), expected)
    eight = (values >> 8).astype(np.uint8)
    for form, options in (("JPEG", {"quality": 97}), ("WEBP", {"lossless": True})):
        path = save(tmp_path / "a", Image.fromarray(eight), form, exif=b"Exif\0\0" + exif(orientation), **options)
        found = load_image(path, 0, RULES).pixels
        assert found.shape == expected.shape and read_image_header(path).rows == len(expected)
        assert np.abs(found.astype(int) - turned(eight, orientation)).max() < 20


def test_other_decoders_see_the_same(tmp_path: Path) -> None:
    for dtype, depth in (("u1", 8), ("u2", 16)):
        grey, colour = field(RNG, dtype), field(RNG, dtype, 3)
        for kind, values in ((0, grey), (2, colour)):
            data = png(values, kind, depth, RNG)
            theirs = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
            assert np.array_equal(stored(tmp_path / "a", data), theirs if kind == 0 else theirs[..., ::-1])
            data = tiff([(values, {"compression": 5, "rows": 7})], ">")
            theirs = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
            assert np.array_equal(stored(tmp_path / "a", data), theirs if kind == 0 else theirs[..., ::-1])
            stream = bytes(imagecodecs.jpeg2k_encode(values, codecformat="jp2", reversible=True, level=0))
            theirs = cv2.imdecode(np.frombuffer(stream, np.uint8), cv2.IMREAD_UNCHANGED)
            assert np.array_equal(stored(tmp_path / "a", stream), theirs if kind == 0 else theirs[..., ::-1])
    inks = save(tmp_path / "k", Image.fromarray(field(RNG, "u1", 4), "CMYK"), "JPEG", quality=95)
    with Image.open(inks) as image:
        assert np.array_equal(load_image(inks, 0, RULES).pixels, np.asarray(image.convert("RGB")))


def jpeg_of(values: np.ndarray, **options: object) -> bytes:
    out = io.BytesIO()
    Image.fromarray(values).save(out, "JPEG", quality=90, **options)
    return out.getvalue()


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 3}], ids=str)
@pytest.mark.parametrize("samples", [1, 3])
def test_coded_data_are_held_against_the_frame_header(tmp_path: Path, samples: int, options: dict[str, object]) -> None:
    data = jpeg_of(field(RNG, "u1", samples), subsampling=0, **options)
    size = data.index(b"\xff\xc2" if "progressive" in options else b"\xff\xc0") + 5
    rows = int.from_bytes(data[size : size + 2], "big")
    path = tmp_path / "a"
    for other, reason in ((rows + 16, Reason.TRUNCATED), (rows - 16, Reason.CONTRADICTORY)):
        path.write_bytes(data[:size] + struct.pack(">H", other) + data[size + 2 :])
        assert fate(path) == reason
    path.write_bytes(data[: len(data) * 9 // 10] + b"\xff\xd9")  # cut, and closed as if it were whole
    assert fate(path) in (Reason.TRUNCATED, Reason.UNDECODABLE)  # as far as the decoder came
    path.write_bytes(data[:-2])  # whole, and not closed
    assert fate(path) is None


def test_a_flat_end_is_not_taken_for_a_missing_one(tmp_path: Path) -> None:
    for shade in (0, 128, 255):
        values = GREY.copy()
        values[9:] = shade
        for options in ({}, {"progressive": True}):
            (tmp_path / "a").write_bytes(jpeg_of(values, **options))
            assert fate(tmp_path / "a") is None


def test_inks_without_a_signature_and_kinds_not_read_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a"
    out = io.BytesIO()
    Image.fromarray(field(RNG, "u1", 4), "CMYK").save(out, "JPEG")
    values = field(RNG, "u1", 3)
    stream = bytes(imagecodecs.jpeg2k_encode(values, codecformat="j2k", reversible=True, level=0))
    for data in (
        out.getvalue().replace(b"Adobe", b"Nobod", 1),
        struct.pack(">I", 24) + b"ftypheic\0\0\0\0mif1heic" + bytes(200),
        bytes(imagecodecs.jpegxl_encode(values)),
        bytes(imagecodecs.avif_encode(values)),
        tiff([(values, {"photometric": 8})]),
        jp2(stream, *values.shape[:2], 3, 8, 12),
        png(values, 2, 8, RNG, [(b"CgBI", b"\0\0\0\0")]),
    ):
        path.write_bytes(data)
        assert sniff(path) == "image" and fate(path) == Reason.UNSUPPORTED_IMAGE


def test_bombs_of_every_format(tmp_path: Path) -> None:
    values = field(RNG, "u1")
    stream = bytes(imagecodecs.jpeg2k_encode(values, codecformat="j2k", reversible=True, level=0))
    big = {256: (4, [1 << 17]), 257: (4, [1 << 17])}
    for data in (
        tiff([(values, {"tags": big})]),
        stream[:8] + struct.pack(">II", 1 << 20, 1 << 20) + stream[16:],
        jpeg_of(values).replace(struct.pack(">HH", *values.shape), b"\xff\xf0\xff\xf0", 1),
        png(values, 0, 8, RNG, header={"rows": 1 << 20, "columns": 1 << 20}),
    ):
        (tmp_path / "a").write_bytes(data)
        assert fate(tmp_path / "a") == Reason.TOO_LARGE
    (tmp_path / "a").write_bytes(
        tiff([(values, {"tile": (16, 16), "tags": {322: (4, [1 << 20]), 323: (4, [1 << 20])}})])
    )
    assert fate(tmp_path / "a") == Reason.BAD_HEADER
    hollow = png(values, 0, 8, RNG, body=zlib.compress(bytes(1 << 27)))  # 128 MB of zeros behind a small header
    (tmp_path / "a").write_bytes(hollow)
    assert fate(tmp_path / "a") == Reason.CONTRADICTORY


def test_damaged_fax_lines_are_not_made_up(tmp_path: Path) -> None:
    values = field(RNG, "u1") > 120
    data = bytearray(save(tmp_path / "a", Image.fromarray(values), "TIFF", compression="group4").read_bytes())
    assert fate(tmp_path / "a") is None
    with Image.open(tmp_path / "a") as image:
        at = image.tag_v2[273][0]
    data[at + 9 : at + 12] = b"\xff\x5a\x3c"
    (tmp_path / "a").write_bytes(data)
    assert fate(tmp_path / "a") == Reason.UNDECODABLE


@given(st.data())
def test_any_png_is_its_samples(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    kind, depth = data.draw(st.sampled_from([(0, 1), (0, 2), (0, 4), (0, 8), (0, 16), (2, 8), (2, 16)]))
    shape = (data.draw(st.integers(1, 19)), data.draw(st.integers(1, 19)), *((3,) if kind == 2 else ()))
    values = data.draw(hnp.arrays(np.uint16, shape, elements=st.integers(0, (1 << depth) - 1)))
    interlaced = data.draw(st.booleans())
    made = png(values if depth == 16 else values.astype(np.uint8), kind, depth, RNG, interlaced=interlaced)
    found = stored(tmp_path_factory.mktemp("png") / "a", made)
    expected = values if depth == 16 else values * (255 // ((1 << depth) - 1))
    assert np.array_equal(np.dstack([found] * 3) if found.ndim < values.ndim else found, expected)


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


def test_a_reduced_copy_is_not_the_picture_of_its_subifds(tmp_path: Path) -> None:
    values = np.arange(600, dtype="u2").reshape(20, 30)
    path = tmp_path / "a.tif"
    path.write_bytes(tiff([(values, {"subfile": 1, "tags": {330: (4, [8])}})]))
    with pytest.raises(DropRecord) as dropped:
        load_image(path, 0, PixelRules())
    assert dropped.value.reason is Reason.UNSUPPORTED_IMAGE


@pytest.mark.parametrize("layout", [{}, {"rows": 16}, {"tile": (16, 32)}], ids=str)
@pytest.mark.parametrize(("dtype", "samples"), [("u1", 1), ("u2", 1), ("i2", 1), ("u1", 3), ("u2", 3)])
def test_jpeg_2000_inside_tiff(tmp_path: Path, dtype: str, samples: int, layout: dict[str, object]) -> None:
    values = field(RNG, dtype, samples)
    path = tmp_path / "a"
    path.write_bytes(tiff([(values, {"compression": 34712, **layout})], ">"))
    opened = open_image(path, 1 << 30)
    assert np.array_equal(decode(opened, opened.pages[0])[0], values)


def test_jpeg_2000_against_the_tags_of_its_tiff(tmp_path: Path) -> None:
    values, path = field(RNG, "u1", 3), tmp_path / "a"
    for other, reason in (
        ({258: (3, [16] * 3)}, Reason.CONTRADICTORY),  # the stream has 8 bits
        ({257: (4, [len(values) - 8])}, Reason.CONTRADICTORY),
        ({262: (3, [6])}, Reason.UNSUPPORTED_IMAGE),  # its own colours, or those of JPEG 2000, nobody knows
    ):
        path.write_bytes(tiff([(values, {"compression": 34712, "tags": other})]))
        assert fate(path) is reason
    path.write_bytes(data := tiff([(values, {"compression": 34712})]))
    at, end = data.index(b"\xff\x93"), data.index(b"\xff\xd9", len(data) // 2)
    half = (at + end) // 2
    path.write_bytes(data[:half] + bytes(end - half) + data[end:])
    assert fate(path) is Reason.TRUNCATED
    soft = np.asarray(Image.fromarray(values).resize((8, 8)).resize((64, 64), Image.Resampling.BICUBIC))
    ycc = np.asarray(Image.fromarray(soft).convert("YCbCr"))
    stream = bytes(imagecodecs.jpeg2k_encode(ycc, codecformat="j2k", reversible=True, level=0, mct=False))
    plain = tiff([(ycc, {})])  # Aperio's: YCbCr, whatever the tag says
    at = plain.index(ycc.tobytes())
    aperio = tiff([(ycc, {"tags": {259: (3, [33003]), 279: (4, [len(stream)])}})])
    path.write_bytes(aperio[:at] + stream.ljust(ycc.nbytes, b"\0") + aperio[at + ycc.nbytes :])
    assert np.abs(load_image(path, 0, RULES).pixels.astype(int) - soft).max() <= 3


def test_zeros_in_place_of_coded_data(tmp_path: Path) -> None:
    path = tmp_path / "a"
    for options in ({}, {"optimize": True}, {"progressive": True}):
        flat = GREY.copy()
        flat[20:] = 0  # under tables of its own its codes are zeros, too
        path.write_bytes(jpeg_of(flat, **options))
        assert fate(path) is None
        data = jpeg_of(field(RNG, "u1"), **options)
        for cut in (len(data) // 2, len(data) * 4 // 5):
            path.write_bytes(data[:cut] + bytes(len(data) - cut))  # a copy broken off, of the whole's size
            assert fate(path) is not None


@pytest.mark.parametrize("options", [{}, {"tile_size": (32, 32)}, {"precinct_size": (32, 32)}], ids=str)
def test_zeros_in_place_of_packets(tmp_path: Path, options: dict[str, object]) -> None:
    path, flat, rough = tmp_path / "a", field(RNG, "u1", 3), field(RNG, "u1", 3)
    flat[10:] = 0  # whose packets are zeros, too
    for values in (flat, rough):
        layers = {"quality_mode": "rates", "quality_layers": [20, 10, 5, 1]}
        save(path, Image.fromarray(values), "JPEG2000", no_jp2=True, irreversible=False, **layers, **options)
        assert np.array_equal(load_image(path, 0, RULES).pixels, values)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 3].ljust(len(data) - 2, b"\0") + b"\xff\xd9")
    assert fate(path) in (Reason.TRUNCATED, Reason.UNDECODABLE)
