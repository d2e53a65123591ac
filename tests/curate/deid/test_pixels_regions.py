"""Regions known to hold annotation, and painting over boxes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from curate.deid.pixels.boxes import outside
from curate.deid.pixels.found_text import TextSearch
from curate.deid.pixels.gate import gate
from curate.deid.pixels.intensity_views import coloured
from curate.deid.pixels.known_regions import rules, written_in, written_regions
from curate.deid.pixels.paint import painted
from curate.deid.rules import PixelPolicy
from curate.record import Reason
from tests.curate.deid.test_pixels import anatomy, header, write

BLANK, QUARANTINE = PixelPolicy("blank"), PixelPolicy("quarantine")
BOX = st.tuples(st.integers(-5, 40), st.integers(-5, 40), st.integers(0, 30), st.integers(0, 30))


def ultrasound(*regions: tuple[int, int, int, int]) -> Dataset:
    ds = header(Modality="US")
    items = []
    for x0, y0, x1, y1 in regions:
        item = Dataset()
        item.RegionLocationMinX0, item.RegionLocationMinY0 = x0, y0
        item.RegionLocationMaxX1, item.RegionLocationMaxY1 = x1, y1
        items.append(item)
    ds.SequenceOfUltrasoundRegions = Sequence(items)
    return ds


def test_the_table_of_machines_parses_and_every_rule_asks_for_a_machine():
    assert len(rules()) > 90
    for rule in rules():
        assert rule.boxes
        assert rule.manufacturer or rule.model or rule.also
        assert all(w > 0 and h > 0 and x >= 0 and y >= 0 for x, y, w, h in rule.boxes)


def test_a_machine_is_known_by_all_its_conditions():
    ds = header(Modality="US", Manufacturer="Philips Medical Systems", ManufacturerModelName="iU22")
    assert written_regions(ds, (480, 640)) == [(0, 0, 640, 47)]
    assert written_regions(ds, (481, 640)) == []
    ds.Modality = "CT"
    assert written_regions(ds, (480, 640)) == []
    assert written_regions(None, (480, 640)) == []


def test_a_name_must_stand_by_itself():
    gaevert = header(Modality="CT", Manufacturer="AGFA-GEVAERT", BurnedInAnnotation="YES")
    assert written_regions(gaevert, (1024, 1024)) == []
    gaevert.Manufacturer = "GE MEDICAL SYSTEMS"
    assert (0, 0, 300, 150) in written_regions(gaevert, (1024, 1024))


def test_a_plain_ct_of_a_known_maker_loses_nothing():
    for maker, model in (("GE MEDICAL SYSTEMS", "LightSpeed VCT"), ("SIEMENS", "SOMATOM Definition AS+")):
        ds = header(
            Modality="CT", Manufacturer=maker, ManufacturerModelName=model, ImageType="ORIGINAL\\PRIMARY\\AXIAL"
        )
        assert written_regions(ds, (512, 512)) == []


def test_what_lies_outside_the_ultrasound_regions_is_blanked():
    picture = write(anatomy(), "SMITH^JOHN 1957", (10, 20))
    result = gate(picture, ultrasound((0, 60, 511, 511)), BLANK)
    assert result.reason is None
    assert len(np.unique(result.pixels[:60])) == 1
    assert np.array_equal(result.pixels[60:], picture[60:])
    inside = write(picture, "SMITH^JOHN 1957", (10, 490))
    assert gate(inside, ultrasound((0, 60, 511, 511)), QUARANTINE).reason is Reason.BURNED_IN


@pytest.mark.parametrize("region", [(0, 0, 900, 500), (400, 300, 600, 400), (0, 0, 20, 20), (50, 50, 10, 10)])
def test_ultrasound_regions_that_do_not_fit_are_not_believed(region):
    assert written_regions(ultrasound(region), (512, 512)) == []
    assert gate(anatomy(), ultrasound(region), BLANK).regions == ()


def test_broken_region_items_are_not_believed():
    ds = ultrasound((0, 60, 511, 511))
    del ds.SequenceOfUltrasoundRegions[0].RegionLocationMaxX1
    assert written_regions(ds, (512, 512)) == []


@given(st.lists(BOX, max_size=4))
def test_outside_and_inside_make_the_picture(boxes):
    out, inside = np.zeros((40, 38), int), np.zeros((40, 38), int)
    for x, y, w, h in outside(boxes, (40, 38)):
        out[y : y + h, x : x + w] += 1
    for x, y, w, h in boxes:
        inside[max(0, y) : max(0, y + h), max(0, x) : max(0, x + w)] = 1
    assert np.array_equal(out, 1 - inside)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64])
@pytest.mark.parametrize("channels", [(), (3,)])
def test_every_kind_of_pixel_is_painted(dtype, channels):
    picture = np.full((40, 60, *channels), 7, dtype)
    picture[10:14, 10:30] = 100
    before = picture.copy()
    out = painted(picture, [(10, 10, 20, 4)])
    assert (out == 7).all()
    assert out.dtype == dtype
    assert np.array_equal(picture, before)


def test_boxes_at_and_beyond_the_border_and_a_whole_picture_are_painted():
    picture = np.full((20, 20), 9, np.uint8)
    picture[:4, :4] = 200
    assert (painted(picture, [(-3, -3, 7, 7), (30, 30, 5, 5)]) == 9).all()
    assert (painted(picture, [(0, 0, 20, 20)]) == 0).all()


def test_a_palette_is_filled_with_an_index_that_is_there():
    picture = np.zeros((20, 30), np.uint8)
    picture[:, 15:] = 200
    picture[8:12, 12:18] = 90
    assert set(np.unique(painted(picture, [(12, 8, 6, 4)], indices=True))) == {0, 200}


def palette(levels: np.ndarray) -> Dataset:
    ds = header(PhotometricInterpretation="PALETTE COLOR")
    for name in ("Red", "Green", "Blue"):
        setattr(ds, f"{name}PaletteColorLookupTableDescriptor", [256, 0, 16])
        setattr(ds, f"{name}PaletteColorLookupTableData", (levels.astype("<u2") * 257).tobytes())
    return ds


def test_text_between_near_indices_of_a_palette_is_seen_by_its_colours():
    ink = write(np.zeros((512, 512), np.uint8), "SMITH^JOHN 1957", (40, 60)) > 128
    indices = np.where(ink, 101, 100).astype(np.uint8)
    indices[300:400] = 250  # so wide a range of indices that one step more is nothing
    indices[420:440] = 0
    levels = np.zeros(256, int)
    levels[101] = 255
    assert coloured(indices, palette(levels)).shape == (512, 512, 3)
    assert gate(indices, palette(levels), QUARANTINE).reason is Reason.BURNED_IN


def test_only_regions_with_something_in_them_count_as_written():
    picture = np.zeros((20, 20), np.uint8)
    picture[3, 3] = 1
    assert written_in(picture, [(0, 0, 10, 10), (10, 10, 10, 10), (0, 0, 0, 5)]) == [(0, 0, 10, 10)]


def test_text_that_comes_with_a_later_frame_is_found_there():
    search, text = TextSearch(), "SMITH^JOHN 1957"
    still = write(anatomy(1), text, (10, 20))
    first = gate(still, None, PixelPolicy("blank"), search)
    moving = anatomy(2)
    moving[:40] = first.pixels[:40]
    assert gate(moving, None, PixelPolicy("blank"), search).regions == ()
    later = gate(write(moving, text, (150, 300), tone=190), None, PixelPolicy("blank"), search)
    assert [box[1] > 250 for box in later.regions] == [True]
