"""The scan remembers; the index gives every file and every report exactly one fate."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from curate.deid.pseudonym import Pseudonymizer
from curate.deid.vault import SecretSource
from curate.engine import Engine
from curate.ingest.index import image_key
from curate.ingest.rules import IndexRules
from curate.record import Reason
from curate.sources.images.encode import encode_png
from curate.sources.pairing.rules import PairRules
from curate.sources.reports.captions import ReportColumns
from curate.sources.reports.read import read_reports
from curate.sources.reports.report import Report
from curate.sources.rules import ImageSource
from curate.sources.scan import SCAN, list_chunks, read_scan, scan
from tests.curate.indexing import build_index

P = Pseudonymizer(b"s" * 32)


def silent(name: str, done: int, total: int) -> None:
    pass


def file(relative: str, **fields: object) -> dict[str, object]:
    usual: dict[str, object] = {f.name: 0 if pa.types.is_integer(f.type) else "" for f in SCAN}
    usual |= {"path": b"/a/" + relative.encode(), "relative": relative, "kind": "dicom", "reason": None, "frames": 1}
    return usual | fields


def scans(*files: dict[str, object]) -> list[tuple[str, pa.Table]]:
    return [("pacs", pa.Table.from_pylist(list(files), SCAN))]


def reports(tmp_path: Path, text: str) -> list[Report]:
    path = tmp_path / "reports.csv"
    path.write_text(text)
    columns = ReportColumns(text="report", accession="acc", patient="mrn", clean="ok")
    return list(read_reports(path, columns))


def test_every_file_and_report_has_one_fate(tmp_path: Path) -> None:
    found = scans(
        file("a.dcm", accession="A1", patient_id="P1"),
        file("b.dcm", accession="A1", patient_id="P1"),
        file("c.dcm", accession="A9"),
        file("d.dcm", reason=Reason.NO_PIXELS.value),
        file("e.dcm", accession="A2", patient_id="P7"),
    )
    told = reports(tmp_path, "acc,mrn,report,ok\nA1,P1,Clear lungs.,yes\nA2,P2,Effusion.,\nA3,P3,Nodule.,\n")
    index = build_index(found, told, IndexRules(), P)
    fates = dict(zip(index["key"].to_pylist(), index["drop_reason"].to_pylist(), strict=True))
    assert len(fates) == index.num_rows
    expected = {"a.dcm": None, "b.dcm": None, "c.dcm": "image_without_report", "d.dcm": "dicom_without_pixels"}
    expected["e.dcm"] = "report_of_another_patient"
    for name, fate in expected.items():
        assert fates.pop(image_key("pacs", name, P)) == fate
    assert "report_without_image" in fates.values() and set(fates.values()) <= {"report_without_image"}
    live = [r for r in index.to_pylist() if r["drop_reason"] is None]
    assert len({r["patient"] for r in live}) == 1 and all(r["clean"] is True for r in live)
    assert index["key"].to_pylist() == sorted(index["key"].to_pylist())


def test_reports_without_images_can_be_records(tmp_path: Path) -> None:
    told = reports(tmp_path, "acc,mrn,report,ok\nA1,P1,Clear lungs.,\n")
    kept = build_index([], told, IndexRules(PairRules(unpaired_reports="keep")), P).to_pylist()
    assert [(r["kind"], r["drop_reason"], r["text"]) for r in kept] == [("none", None, "Clear lungs.")]


@pytest.mark.parametrize(("frames", "expected"), [("first", [0]), ("middle", [2]), ("all", [0, 1, 2, 3, 4])])
def test_frames(frames: str, expected: list[int], tmp_path: Path) -> None:
    told = reports(tmp_path, "acc,mrn,report,ok\nA1,P1,Cine loop.,\n")
    rules = IndexRules(PairRules(frames=frames))  # type: ignore[arg-type]
    index = build_index(scans(file("a.dcm", accession="A1", frames=5)), told, rules, P)
    assert sorted(index["frame"].to_pylist()) == expected


def test_one_slice_a_series(tmp_path: Path) -> None:
    told = reports(tmp_path, "acc,mrn,report,ok\nA1,P1,Liver lesion.,\n")
    slices = [file(f"{i}.dcm", accession="A1", series_uid="1.2", instance=i) for i in range(5)]
    index = build_index(scans(*slices), told, IndexRules(PairRules(per_series="middle")), P)
    kept = [r["key"] for r in index.to_pylist() if r["drop_reason"] is None]
    assert kept == [image_key("pacs", "2.dcm", P)]
    assert index["drop_reason"].to_pylist().count("not_the_chosen_frame_or_slice") == 4


def test_an_unknown_patient_stands_alone_and_a_group_joins(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text("file,caption,case\na.png,One.,g1\nb.png,Two.,g1\nc.png,Three.,\nd.png,Four.,\n")
    told = list(read_reports(path, ReportColumns(text="caption", image="file", group="case")))
    files = scans(*(file(f"{n}.png", kind="image") for n in "abcd"))
    index = build_index(files, told, IndexRules(pair=PairRules(by=("image",))), P)
    patients = {r["text"]: r["patient"] for r in index.to_pylist()}
    assert patients["One."] == patients["Two."] and len(set(patients.values())) == 3


def test_an_added_file_costs_one_chunk(tmp_path: Path, local_engine: Engine, secret_file: Path) -> None:
    import numpy as np

    archive, folder = tmp_path / "a", tmp_path / "private"
    archive.mkdir()
    for i in range(30):
        (archive / f"{i:02d}.png").write_bytes(encode_png(np.full((20, 20), i, np.uint8)))
    (archive / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno")
    (archive / "notes.txt").write_text("hello")
    (archive / "empty").touch()
    (archive / "loop").symlink_to(archive)
    secret = SecretSource(str(secret_file))
    source, pseudo = ImageSource(name="a", path=archive), secret.pseudonymizer()
    walked = list_chunks(source, folder, pseudo)
    names = walked.chunks
    assert walked.files == 34 and walked.bytes == sum(p.stat().st_size for p in archive.iterdir() if p.is_file())
    scan(names, folder, secret, local_engine, silent)
    table = read_scan(names, folder, pseudo)
    reasons = dict(zip(table["relative"].to_pylist(), table["reason"].to_pylist(), strict=True))
    assert sum(r is None for r in reasons.values()) == 30
    assert reasons["notes.txt"] == "not_an_image" and reasons["empty"] == "empty_file"
    assert reasons["loop"] == "symlink_not_followed" and reasons["broken.png"] is not None
    before = {p.name: p.stat().st_mtime_ns for p in folder.glob("*.headers")}
    (archive / "zz-new.png").write_bytes(encode_png(np.full((20, 20), 99, np.uint8)))
    again = list_chunks(source, folder, pseudo).chunks
    scan(again, folder, secret, local_engine, silent)
    after = {p.name: p.stat().st_mtime_ns for p in folder.glob("*.headers")}
    assert len(set(after) - set(before)) == 1 and all(after[n] == t for n, t in before.items())
    assert read_scan(again, folder, pseudo).num_rows == table.num_rows + 1
    assert all(b"notes" not in p.read_bytes() for p in folder.iterdir())
