"""Key slices and montages: what the report names, evenly spaced ones, and every tile through the gate."""

from __future__ import annotations

import itertools
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.deid.pseudonym import Pseudonymizer
from curate.deid.rules import PixelPolicy
from curate.deid.vault import SecretSource
from curate.ingest.chain import _Picture, each_row
from curate.ingest.index import image_key
from curate.ingest.rules import IndexRules, PictureRules
from curate.ingest.slices import Mention, frames_of, mentions, named, spaced
from curate.record import INDEX
from curate.sources.pairing.rules import PairRules
from curate.sources.picture import PixelRules, compose
from curate.sources.reports.report import Report
from tests.curate.dicomfiles import write
from tests.curate.indexing import build_index
from tests.curate.test_index import file, scans

P = Pseudonymizer(b"s" * 32)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A nodule (image 42).", [(42, None)]),
        ("see series 3, image 42 and image 7", [(42, 3), (7, None)]),
        ("(se 3 im 42)", [(42, 3)]),
        ("(Series 3/Image 42)", [(42, 3)]),
        ("series/image 4/17", [(17, 4)]),
        ("img 12/84", [(12, None, 84)]),
        ("images 10, 12 and 15", [(10, None), (12, None), (15, None)]),
        ("on images 10-20 of series 2", [(10, 2), (15, 2), (20, 2)]),
        ("image 42 (series 3), image 7, series 4 image 8", [(42, 3), (7, None), (8, 4)]),
        ("Serie 2, Bild 9", [(9, 2)]),
        ("Images 2 days apart; image 1.5; image 3 cm below; slice 4 mm thick; image quality 5", []),
        ("No image is given. 42 images were taken.", []),
    ],
)
def test_what_a_report_names(text: str, expected: list[tuple[int, ...]]) -> None:
    assert mentions(text) == [Mention(*parts) for parts in expected]


def test_a_mention_of_another_series_or_count_is_not_of_this_one() -> None:
    numbers = [1, 2, 3, 4]
    assert named([Mention(3)], numbers, 5) == [2]
    assert named([Mention(3, 5), Mention(1)], numbers, 5) == [2]
    assert named([Mention(3, 6)], numbers, 5) == [] and named([Mention(9)], numbers, 5) == []
    assert named([Mention(2, None, 84)], numbers, 5) == [] and named([Mention(2, None, 4)], numbers, 5) == [1]


@given(st.integers(1, 500), st.integers(1, 64))
def test_spaced_places_are_in_order_inside_and_even(count: int, slices: int) -> None:
    places = spaced(count, slices)
    assert len(set(places)) == len(places) == min(count, slices) and places == sorted(places)
    assert places[0] >= 0 and places[-1] < count and spaced(count, 1) == [count // 2]
    gaps = {b - a for a, b in itertools.pairwise(places)}
    assert not gaps or max(gaps) - min(gaps) <= 1


def test_frames() -> None:
    assert frames_of(9, "key", 3, "see image 8", 1) == [7] and frames_of(9, "key", 3, "nothing named", 1) == [1, 4, 7]
    assert frames_of(9, "middle", 3, "see image 8", 1) == [4] and frames_of(1, "montage", 9, None, 0) == [0]


def volume(**facts: object) -> list[dict[str, object]]:
    usual = {"accession": "A1", "series_uid": "1.2", "series": 3, "study_uid": "1"}
    return [file(f"{i}.dcm", instance=i, **{**usual, **facts}) for i in range(1, 10)]


def kept(rules: IndexRules, text: str, *files: dict[str, object]) -> list[str]:
    index = build_index(scans(*files), [Report("r", text, accession="A1")], rules, P)
    names = {image_key("pacs", str(f["relative"]), P): str(f["relative"]) for f in files}
    assert index.num_rows == len(files)  # every file has one row, whatever is chosen
    return sorted(names[r["key"]] for r in index.to_pylist() if r["drop_reason"] is None)


def test_key_slices_are_those_that_the_report_names_else_evenly_spaced() -> None:
    rules = IndexRules(PairRules(per_series="key", slices=3))
    assert kept(rules, "Nodule on series 3, image 7 and image 2.", *volume()) == ["7.dcm"]
    assert kept(rules, "Nodule on images 7 and 2.", *volume()) == ["2.dcm", "7.dcm"]
    assert kept(rules, "Nodule on series 4, image 7.", *volume()) == ["2.dcm", "5.dcm", "8.dcm"]
    single = file("cr.dcm", accession="A1", series_uid="1.3", study_uid="1")
    assert kept(rules, "Nodule on image 7.", *volume(), single) == ["7.dcm", "cr.dcm"]


def test_order_is_that_of_numbers_else_of_places_in_space() -> None:
    rules = IndexRules(PairRules(per_series="middle"))
    turned = [{**f, "instance": 10 - i} for i, f in enumerate(volume()[:4])]
    assert kept(rules, "t", *turned) == ["2.dcm"]
    unnumbered = [{**f, "instance": 0, "position": p} for f, p in zip(volume()[:3], (5, 9, 7), strict=True)]
    assert kept(rules, "t", *unnumbered) == ["3.dcm"]


def test_a_montage_is_one_record_that_lists_its_frames() -> None:
    index = build_index(
        scans(*volume()), [Report("r", "t", accession="A1")], IndexRules(PairRules(per_series="montage", slices=4)), P
    )
    (row,) = (r for r in index.to_pylist() if r["drop_reason"] is None)
    assert [t["path"] for t in row["tiles"]] == [b"/a/2.dcm", b"/a/4.dcm", b"/a/6.dcm", b"/a/8.dcm"]
    assert row["frames"] == [2, 4, 6, 8] and row["key"] == image_key("pacs", "6.dcm", P)
    reasons = index["drop_reason"].to_pylist()
    assert reasons.count("shown_in_a_montage") == 3 and reasons.count("not_the_chosen_frame_or_slice") == 5


def test_a_multi_frame_file_can_be_a_montage() -> None:
    loop = file("a.dcm", accession="A1", frames=30)
    rules = IndexRules(PairRules(frames="montage", slices=2))
    (row,) = build_index(scans(loop), [Report("r", "t", accession="A1")], rules, P).to_pylist()
    assert [t["frame"] for t in row["tiles"]] == [7, 22] and row["frames"] == [8, 23]


def test_all_views_of_a_study_are_one_study_and_one_patient() -> None:
    told = [Report("r1", "One.", study="S1", image="a.png"), Report("r2", "Two.", study="S1", image="b.png")]
    files = [file("a.png", kind="image"), file("b.png", kind="image"), file("c.png", kind="image")]
    rows = build_index(scans(*files), told, IndexRules(PairRules(by=("image",))), P).to_pylist()
    live = [r for r in rows if r["drop_reason"] is None]
    assert len(live) == 2 and len({r["study"] for r in live}) == 1 and len({r["patient"] for r in live}) == 1
    views = [file(f"{v}.dcm", accession="A1", study_uid="1.9", series_uid=v) for v in ("PA", "LAT")]
    rows = build_index(scans(*views), [Report("r", "t", accession="A1")], IndexRules(), P).to_pylist()
    assert len({(r["study"], r["patient"]) for r in rows}) == 1


def test_tiles_stand_on_the_squarest_grid() -> None:
    tiles = [np.full((4, 6), 10 * (i + 1), np.uint8) for i in range(5)]
    sheet = compose(tiles)
    assert (
        sheet.shape == (8, 18) and sheet[0, 0] == 10 and sheet[0, 17] == 30 and sheet[7, 11] == 50 and sheet[7, 17] == 0
    )
    assert compose(tiles[:1]) is tiles[0]
    mixed = compose([np.full((4, 4), 255, np.uint8), np.full((2, 2, 3), 65535, np.uint16)])
    assert mixed.dtype == np.uint16 and mixed.shape == (4, 8, 3) and (mixed == 65535).all()


def _row(*paths: Path) -> pa.Table:
    known = {"identity": "1.2.3.4.5\\MRN42", "frame": 0}
    tiles = [{"path": str(p).encode(), "size": p.stat().st_size, **known} for p in paths]
    made = {"key": "0" * 32, "kind": "dicom", **tiles[0], "tiles": tiles, "patient_id": "P", "phi": ["P"]}
    return pa.Table.from_pylist([made], INDEX)


def test_every_tile_is_gated_alone_and_the_montage_shows_all(tmp_path: Path, secret_file: Path) -> None:
    rng = np.random.default_rng(5)
    smooth = [
        cv2.resize(rng.integers(40, 160, (6, 6)).astype(np.uint8), (256, 256), interpolation=cv2.INTER_CUBIC)
        for _ in range(4)
    ]
    clean = [write(tmp_path / f"{i}.dcm", picture, BitsStored=8) for i, picture in enumerate(smooth)]
    rules = PictureRules(PixelRules(window=(127.5, 255)), PixelPolicy("quarantine"))
    parts = {"picture": _Picture(rules, SecretSource(str(secret_file)))}
    (row,) = each_row(_row(*clean), parts).to_pylist()
    assert row["drop_reason"] is None and (row["height"], row["width"]) == (512, 512)
    image = cv2.imdecode(np.frombuffer(row["image"], np.uint8), cv2.IMREAD_UNCHANGED)
    for i, picture in enumerate(smooth):
        cell = image[256 * (i // 2) :, 256 * (i % 2) :][:256, :256]
        assert np.abs(cell.astype(int) - picture).max() <= 1
    written = cv2.putText(smooth[3].copy(), "MUELLER ANNA 12.03.1954", (4, 40), cv2.FONT_HERSHEY_SIMPLEX, 0.6, 255, 1)
    bad = write(tmp_path / "bad.dcm", written, BitsStored=8)
    (row,) = each_row(_row(*clean[:3], bad), parts).to_pylist()
    assert row["drop_reason"] == "quarantine_burned_in_text"
    other = write(tmp_path / "other.dcm", smooth[3], BitsStored=8, PatientID="MRN43")
    (row,) = each_row(_row(*clean[:3], other), parts).to_pylist()
    assert row["drop_reason"] == "file_changed_since_index"  # a tile of another patient holds back the whole
