"""Images in Parquet tables: found by row, read forwards and back, none without bytes."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curate.errors import DropRecord
from curate.record import Reason
from curate.sources.archives import walk_members
from curate.sources.faults import open_source
from curate.sources.reports.captions import ReportColumns
from curate.sources.reports.read import read_reports
from tests.curate.pools import png

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def table(path: Path, **columns: object) -> Path:
    pq.write_table(pa.table(columns), path, row_group_size=3)
    return path


def read(path: str) -> bytes:
    with open_source(Path(path)) as file:
        return file.read()


@pytest.mark.parametrize("kind", [IMAGE, pa.binary(), pa.large_binary(), pa.list_(IMAGE)])
def test_every_image_of_a_table_is_a_member(kind: pa.DataType, tmp_path: Path) -> None:
    data = [png(n) for n in range(10)]
    held = [{"bytes": d, "path": f"{n}.png"} for n, d in enumerate(data)]
    values = {IMAGE: held, pa.list_(IMAGE): [held[:4], [], None, held[4:]]}.get(kind, data)
    table(tmp_path / "t.parquet", image=pa.array(values, kind), text=["x"] * len(values))
    found = list(walk_members(tmp_path, tables=True))
    names = [f"{n + 1}/image" for n in range(10)]
    if kind == pa.list_(IMAGE):
        names = [*(f"1/image.{n}" for n in range(4)), *(f"4/image.{n}" for n in range(6))]
    assert [f.relative for f in found] == [f"t.parquet/{name}" for name in names]
    assert [f.sample for f in found] == [f"t.parquet/{name.split('/')[0]}/" for name in names]
    assert [read(f.path) for f in found] == data
    assert [read(found[i].path) for i in (9, 3, 4, 0, 8)] == [data[i] for i in (9, 3, 4, 0, 8)]


def test_rows_without_bytes_name_a_file_and_tables_of_words_are_no_archive(tmp_path: Path) -> None:
    (tmp_path / "b.png").write_bytes(png(1))
    mixed = pa.array([{"bytes": png(2), "path": "a.png"}, {"bytes": None, "path": "b.png"}, None], IMAGE)
    table(tmp_path / "mixed.parquet", image=mixed, text=["one", "two", "three"])
    table(tmp_path / "words.parquet", image=["x.png"], text=["four"], raw=pa.array([b"no image"], pa.binary()))
    found = [f.relative for f in walk_members(tmp_path, tables=True)]
    assert found == ["b.png", "mixed.parquet/1/image", "words.parquet"]
    columns = ReportColumns(text="text", image="image")
    told = {r.text: r.image for r in read_reports(tmp_path, columns) if r.reason is None}
    assert told == {"one": "mixed.parquet/1/", "two": "b.png", "three": "mixed.parquet/3/", "four": "x.png"}


def test_a_damaged_table_is_a_reason_and_one_that_changed_too(tmp_path: Path) -> None:
    path = table(tmp_path / "t.parquet", image=pa.array([{"bytes": png(n), "path": ""} for n in range(6)], IMAGE))
    found = list(walk_members(tmp_path, tables=True))
    raw = bytearray(path.read_bytes())
    raw[200:20_000] = b"\xff" * 19_800
    path.write_bytes(raw)
    with pytest.raises(DropRecord) as caught:
        read(found[5].path.replace("6/image", "6/other"))
    assert caught.value.reason is Reason.UNREADABLE_FILE
    for one in found:
        with pytest.raises(DropRecord) as caught:
            read(one.path)
        assert caught.value.reason is Reason.UNREADABLE_FILE
    path.write_bytes(b"PAR1" + b"\xff" * 100)
    assert [f.relative for f in walk_members(tmp_path, tables=True)] == ["t.parquet"]  # which then is not an image
