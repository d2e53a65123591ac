"""Archives are read where they lie: every entry is a file of the source, or says why not."""

from __future__ import annotations

import gzip
import io
import tarfile
import warnings
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.errors import DropRecord
from curate.record import Reason
from curate.sources.archives import Header, samples, walk_members
from curate.sources.dicom.read import load_dicom
from curate.sources.faults import check_present, open_source, stat_source
from curate.sources.member import is_there, place
from curate.sources.picture import PixelRules
from curate.sources.reports.captions import ReportColumns
from curate.sources.reports.read import read_reports
from curate.sources.scan import listed, scan_file
from curate.sources.walk import Found
from tests.curate.dicomfiles import dataset, gradient, to_bytes
from tests.curate.pools import png, write_tar, write_tgz, write_zip

LONG = "deep/" * 30 + "1.2.840.113619.2.55.3.png"  # beyond the 100 bytes of a tar's name field


def members(path: Path) -> dict[str, Found]:
    return {f.relative: f for f in walk_members(path)}


@pytest.mark.parametrize("write", [write_tar, write_tgz, write_zip])
def test_a_member_is_read_as_the_file_it_was(write, tmp_path: Path) -> None:
    entries = [("a.png", png(1)), ("b/c.png", png(2)), (LONG, png(3)), ("ä ö.png", png(4)), ("t.txt", b"x" * 5000)]
    archive = write(tmp_path / f"shard.{write.__name__[-3:]}", entries)
    found = members(tmp_path)
    assert [f"{archive.name}/{name}" for name, _ in entries] == list(found)
    for (name, data), one in zip(entries, found.values(), strict=True):
        path = Path(one.path)
        assert one.reason is None and path.name == Path(name).name and place(one.path) == f"{archive}/{name}"
        assert (one.size, one.mtime_ns) == (len(data), archive.stat().st_mtime_ns)
        assert vars(stat_source(path)) == {"size": len(data), "mtime_ns": one.mtime_ns}
        assert check_present(path) and is_there(path)
        with open_source(path) as file:
            assert file.read(7) == data[:7] and file.seek(-5, io.SEEK_END) == len(data) - 5 and file.read() == data[-5:]
            assert file.seek(10) == 10 and file.read(3) == data[10:13]
    row = scan_file(listed(found[f"{archive.name}/b/c.png"]))
    assert (row["kind"], row["rows"], row["columns"], row["reason"]) == ("image", 48, 48, None)


@pytest.mark.parametrize("write", [write_tar, write_tgz, write_zip])
def test_a_dicom_member_is_read_as_the_file_it_was(write, tmp_path: Path) -> None:
    data = to_bytes(dataset(gradient(), PatientID="77"))
    (tmp_path / "a.dcm").write_bytes(data)
    write(tmp_path / f"shard.{write.__name__[-3:]}", [("a.dcm", data)])
    alone, member = (scan_file(listed(found)) for found in members(tmp_path).values())
    assert alone["reason"] is None and alone["patient_id"] == "77"
    assert {k: v for k, v in member.items() if member[k] != alone[k]}.keys() == {
        "path",
        "relative",
        "mtime_ns",
        "sample",
    }
    pictures = [load_dicom(Path(found.path), 0, PixelRules()).pixels for found in members(tmp_path).values()]
    assert np.array_equal(*pictures)


def test_names_that_lead_out_links_and_repeats_are_counted(tmp_path: Path) -> None:
    names = ["../up.png", "/abs.png", "a/../../b.png", "C:\\x.png", "./k.png", "k.png", "k.txt", "fine.png"]
    entries = [*((name, png(n)) for n, name in enumerate(names)), ("none.png", b"")]
    write_tar(tmp_path / "s.tar", entries, links=["link.png"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile warns of the second k.png
        write_zip(tmp_path / "s.zip", entries)
    found = list(walk_members(tmp_path))
    assert len({f.relative for f in found}) == len(found) == 2 * len(entries) + 1
    counts = Counter(f.reason for f in found)
    # zipfile takes a leading slash away as it writes
    assert counts[Reason.UNSAFE_NAME] in (7, 8) and counts[Reason.REPEATED_NAME] == 4 and counts[Reason.SYMLINK] == 1
    assert counts[Reason.EMPTY_FILE] == 2
    assert {f.relative.rpartition("/")[2] for f in found if f.reason is None} >= {"fine.png", "k.txt"}


def test_an_archive_that_is_none_or_ends_early_says_so(tmp_path: Path) -> None:
    whole = write_tar(tmp_path / "whole.tar", [(f"{i}.png", png(i)) for i in range(4)]).read_bytes()
    (tmp_path / "cut.tar").write_bytes(whole[: len(whole) // 2])
    middle = bytearray(whole)
    second = whole.index(b"1.png")
    middle[second : second + 600] = b"\xff" * 600  # a header that makes no sense, at which tarfile ends in silence
    (tmp_path / "torn.tar").write_bytes(middle)
    (tmp_path / "text.tar").write_bytes(b"no archive at all " * 100)
    (tmp_path / "text.zip").write_bytes(b"PK\x03\x04 and no more")
    (tmp_path / "packed.tar.xz").write_bytes(b"\xfd7zXZ")
    packed = gzip.compress(whole)
    (tmp_path / "none.tar.gz").write_bytes(b"no gzip at all")
    (tmp_path / "short.tgz").write_bytes(packed[: len(packed) // 2])
    (tmp_path / "bits.tgz").write_bytes(packed[:-8] + b"wrong...")  # a checksum that is not the data's
    found = list(walk_members(tmp_path))
    by = {
        name: [f for f in found if f.relative.split("/")[0] == name]
        for name in {f.relative.split("/")[0] for f in found}
    }
    assert [f.reason for f in by["whole.tar"]] == [None] * 4
    assert [f.reason for f in by["torn.tar"]] == [None, Reason.DAMAGED_ARCHIVE]
    assert by["cut.tar"][-1].reason is Reason.DAMAGED_ARCHIVE and by["cut.tar"][0].reason is None
    assert [f.reason for f in by["text.tar"]] == [f.reason for f in by["text.zip"]] == [Reason.DAMAGED_ARCHIVE]
    assert [f.reason for f in by["packed.tar.xz"]] == [Reason.PACKED_ARCHIVE]
    assert [f.reason for f in by["none.tar.gz"]] == [Reason.DAMAGED_ARCHIVE]
    assert by["short.tgz"][-1].reason is Reason.DAMAGED_ARCHIVE and by["short.tgz"][0].reason is None
    assert [f.reason for f in by["bits.tgz"]] == [None] * 4 + [Reason.DAMAGED_ARCHIVE]
    with open_source(Path(by["short.tgz"][0].path)) as file:
        assert file.read() == png(0)
    with pytest.raises(DropRecord) as caught, open_source(Path(by["short.tgz"][-2].path)) as file:
        file.read()
    assert caught.value.reason is Reason.UNREADABLE_FILE


def test_a_packed_archive_is_read_in_any_order_and_no_bomb_of_it_is_inflated(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "s.tar.gz", [(f"{n}.png", png(n)) for n in range(5)])
    found = members(tmp_path)
    for n in (3, 1, 4, 0, 2):
        with open_source(Path(found[f"s.tar.gz/{n}.png"].path)) as file:
            assert file.read() == png(n)
    info = tarfile.TarInfo("big.png")
    info.size = 1 << 40
    path.write_bytes(gzip.compress(info.tobuf() + bytes(5000)))
    assert [f.reason for f in walk_members(tmp_path)] == [Reason.TOO_LARGE, Reason.DAMAGED_ARCHIVE]


def test_a_bomb_and_a_wrong_checksum_are_reasons_and_inflate_nothing(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "z.zip", [("ok.txt", b"a" * 9), ("big.txt", b"b" * 9)])
    raw = bytearray(path.read_bytes())
    listing = raw.rindex(b"PK\x01\x02")
    raw[listing + 24 : listing + 28] = (2**31).to_bytes(4, "little")  # what it declares to inflate to
    path.write_bytes(raw)
    found = members(tmp_path)
    assert found["z.zip/big.txt"].reason is Reason.TOO_LARGE
    raw[listing + 24 : listing + 28] = (5).to_bytes(4, "little")  # or less than it holds
    path.write_bytes(raw)
    lies = members(tmp_path)["z.zip/big.txt"]
    with pytest.raises(DropRecord) as caught, open_source(Path(lies.path)) as file:
        file.read()
    assert caught.value.reason is Reason.UNREADABLE_FILE


def test_an_archive_that_changed_is_changed(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "s.tar", [("a.png", png(1)), ("b.png", png(2))])
    one = members(tmp_path)["s.tar/b.png"]
    path.write_bytes(b"\0" * 600)
    with pytest.raises(DropRecord) as caught:
        stat_source(Path(one.path))
    assert caught.value.reason is Reason.CHANGED
    path.unlink()
    (tmp_path / "other").touch()
    assert not check_present(Path(one.path)) and not is_there(Path(one.path))


@pytest.mark.parametrize(
    ("names", "keys"),
    [
        (["a.png", "a.txt", "b.png", "b.txt"], "aabb"),
        (["a.0.png", "a.1.png", "a.txt", "b.0.png", "b.txt"], "aaabb"),  # several images a key
        (["1.2.png", "1.2.txt", "1.3.png", "1.3.txt", "1.4.png"], ["1.2", "1.2", "1.3", "1.3", "1.4"]),  # dots
        (["1.2.i.png", "1.2.c.txt", "1.3.i.png", "1.3.c.txt"], ["1.2", "1.2", "1.3", "1.3"]),
        (["x/a.png", "x/a.json", "y/a.png", "y/a.json"], ["x/a", "x/a", "y/a", "y/a"]),
        (["a.l.png", "a.r.png", "b.png"], "aab"),  # no texts
        ([".png", "a"], [".png", "a"]),
    ],
)  # fmt: skip
def test_what_belongs_together(names: list[str], keys: list[str]) -> None:
    assert [samples(names)[name] for name in names] == list(keys)


NAMES = st.text("ab.01/", min_size=1, max_size=8)


@given(st.lists(NAMES, unique=True, max_size=12))
def test_samples_do_not_depend_on_order(names: list[str]) -> None:
    assert samples(names) == samples(names[::-1])


def test_texts_of_a_shard_name_the_sample_of_their_image(tmp_path: Path) -> None:
    entries = [("a.0.png", png(1)), ("a.1.png", png(2)), ("a.txt", b"No effusion."), ("b.png", png(3)),
               ("b.txt", b"Cardiomegaly.")]  # fmt: skip
    write_tar(tmp_path / "s.tar", entries)
    told = [r for r in read_reports(tmp_path, ReportColumns()) if r.reason is None]
    assert {r.text: r.image for r in told} == {"No effusion.": "s.tar/a/", "Cardiomegaly.": "s.tar/b/"}
    assert {f.relative: f.sample for f in walk_members(tmp_path)}["s.tar/a.1.png"] == "s.tar/a/"


@given(
    form=st.sampled_from([tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]),
    name=st.sampled_from(["a.png", "x" * 99, "x" * 100, "deep/" * 25 + "b.txt", "ümlaut.txt", "sp ace.txt", LONG]),
    size=st.integers(0, 2000),
    kind=st.sampled_from([tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE]),
    flip=st.none() | st.tuples(st.integers(0, 511), st.integers(0, 7)),
)
def test_headers_are_read_as_tarfile_reads_them(
    form: int, name: str, size: int, kind: bytes, flip: tuple[int, int] | None
) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname = size if kind == tarfile.REGTYPE else 0, kind, "elsewhere"
    memory = io.BytesIO()
    with tarfile.open(fileobj=memory, mode="w", format=form) as tar:
        tar.addfile(info, io.BytesIO(bytes(info.size)))
        tar.addfile(tarfile.TarInfo("last.txt"))
    data = bytearray(memory.getvalue())
    if flip is not None:
        data[flip[0]] ^= 1 << flip[1]

    def listing(header: type[tarfile.TarInfo]) -> list[object]:
        try:
            with tarfile.open(fileobj=io.BytesIO(data), mode="r:", tarinfo=header, errors="surrogateescape") as tar:
                return [(m.name, m.size, m.type, m.offset_data, m.isreg(), m.issparse()) for m in tar]
        except (tarfile.TarError, ValueError, EOFError) as error:
            return [type(error)]

    assert listing(Header) == listing(tarfile.TarInfo)


def test_a_tar_of_another_writer_is_read(tmp_path: Path) -> None:
    for form in (tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT):
        with tarfile.open(tmp_path / f"{form}.tar", "w", format=form) as tar:
            (tmp_path / "f.png").write_bytes(png(form))
            tar.add(tmp_path / "f.png", arcname="deep/" * (30 if form == tarfile.GNU_FORMAT else 10) + "f.png")
        one = next(f for f in walk_members(tmp_path / f"{form}.tar"))
        with open_source(Path(one.path)) as file:
            assert file.read() == png(form)
    with zipfile.ZipFile(tmp_path / "stored.zip", "w", zipfile.ZIP_STORED) as book:
        book.writestr("f.png", png(9))
    with open_source(Path(next(iter(walk_members(tmp_path / "stored.zip"))).path)) as file:
        assert file.read() == png(9)
