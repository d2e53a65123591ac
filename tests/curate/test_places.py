"""A URL is a place as a path is: read, written, compared, tried again; two runs at one are told apart."""

from __future__ import annotations

import errno
import io
import itertools
import os
import pickle
import random
import tarfile
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from curate import lease as leases
from curate import places
from curate.errors import DamagedError, RecipeError, RunError
from curate.intact import damaged
from curate.lease import Lease
from curate.places import is_remote, normalised, patiently, place
from curate.sources.archives import walk_members
from curate.sources.faults import check_present, open_source
from curate.sources.member import is_there, open_file, stat_file
from curate.sources.scan import scan_file
from curate.sources.walk import walk
from curate.step import commit_part, read_parts
from curate.storage import (
    beside,
    check_own,
    claim,
    commit_bytes,
    commit_folder,
    commit_marker,
    digest,
    digest_file,
    exclusive,
    local_folder,
    name_from,
    read_marker,
    read_table,
    remove_tree,
    scratch_folder,
    table_bytes,
)
from curate.synth.archive import SynthConfig, write_archive
from tests.faultyfs import FaultyFileSystem, every, slowly


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv(places.PATIENCE, "0.001")
    FaultyFileSystem.clear()
    yield
    FaultyFileSystem.clear()


RUN = "faulty://bucket/run"


def test_a_url_is_cut_and_joined_as_a_path_is() -> None:
    run = place("s3://bucket/run")
    shard = run / "shards" / "train" / "000000.tar"
    assert is_remote(run) and not is_remote(place("/data/run")) and place("file:///data/run") == Path("/data/run")
    assert str(shard) == "s3://bucket/run/shards/train/000000.tar" and shard.name == "000000.tar"
    assert shard.relative_to(run).as_posix() == "shards/train/000000.tar" and shard.is_relative_to(run)
    assert (
        not shard.is_relative_to(Path("/data"))
        and place(str(shard)) == shard
        and pickle.loads(pickle.dumps(run)) == run
    )
    step = run / "steps" / "export-1"
    assert name_from(shard, step) == "../../shards/train/000000.tar" and beside(step, name_from(shard, step)) == shard
    assert normalised(run / ".." / "other") == "s3://bucket/other"
    with pytest.raises(TypeError):
        open(run)  # noqa: SIM115  never a folder called 's3:'


@pytest.mark.parametrize("url", ["s3://key:word@bucket/run", "nothing://bucket"])
def test_what_is_no_place_is_told(url: str) -> None:
    with pytest.raises(RecipeError) as told:
        place(url).exists()
    assert told.value.fix and "word" not in str(told.value)


def test_bytes_of_any_place_in_any_piece_are_those_of_a_file(tmp_path: Path) -> None:
    data = random.Random(3).randbytes(300_000)
    remote, local = place(f"{RUN}/a/file"), tmp_path / "file"
    for path in (remote, local):
        commit_bytes(path, data)
    assert digest_file(remote) == digest_file(local) == digest(data)
    with remote.open("rb") as far, local.open("rb") as near:
        for draw in (random.Random(seed) for seed in range(60)):
            at, size = draw.randrange(310_000), draw.choice([0, 1, 160, 70_000, -1])
            assert far.seek(at) == near.seek(at) and far.read(size) == near.read(size) and far.tell() == near.tell()
        assert far.seek(-7, 2) == near.seek(-7, 2) and far.read() == near.read()


def test_what_fails_for_a_while_is_tried_again_and_then_told_without_text() -> None:
    path = place(f"{RUN}/x.json")
    FaultyFileSystem.plan = every(2)
    for i in range(20):
        commit_marker(path, {"i": i})
        assert read_marker(path) == {"i": i}
    FaultyFileSystem.plan = every(1, errno.ESTALE)
    with pytest.raises(OSError, match="Stale") as told:
        path.read_bytes()
    assert told.value.errno == errno.ESTALE and "DOE" not in str(told.value)
    FaultyFileSystem.plan = None
    with pytest.raises(FileNotFoundError):
        place(f"{RUN}/none").read_bytes()
    with pytest.raises(TypeError):  # a bug is no fault of the storage
        patiently(lambda: len(3))  # type: ignore[arg-type]


def test_a_store_that_lies_is_found_out_when_it_is_read() -> None:
    folder = place(f"{RUN}/steps/x-1")
    table = pa.table({"key": [f"{i:032x}" for i in range(400)]})
    FaultyFileSystem.lie = lambda path, data: data[: len(data) // 2] if "00001.parquet" in path else data
    for i in range(3):
        commit_part(folder, i, table, 0.0)
    assert damaged(folder, 3, "") == [1]
    with pytest.raises(DamagedError):
        read_parts(folder)
    FaultyFileSystem.lie = None
    commit_part(folder, 1, table, 0.0)
    assert damaged(folder, 3, "") == [] and read_parts(folder).num_rows == 1200


def test_tables_are_read_in_columns(tmp_path: Path) -> None:
    path = place(f"{RUN}/t.parquet")
    table = pa.table(
        {"key": [f"{i:032x}" for i in range(4000)], "image": [random.Random(i).randbytes(400) for i in range(4000)]}
    )
    commit_bytes(path, table_bytes(table, row_group=256))
    FaultyFileSystem.plan = slowly(0.0)
    assert read_table(path, ["key"]).equals(table.select(["key"]))
    some = read_table(path, filters=[("key", "in", [f"{i:032x}" for i in (0, 3999)])])
    assert some.num_rows == 2


def test_a_runs_folder_at_a_url_is_its_own() -> None:
    run = place(RUN)
    check_own(run)
    claim(run)
    check_own(run)
    commit_bytes(place("faulty://bucket/other/notes.txt"), b"mine")
    with pytest.raises(RecipeError, match="holds no run"):
        check_own(place("faulty://bucket/other"))
    commit_bytes(run / "steps" / "a" / "x", b"1")
    for path in (run, place("faulty://bucket/other"), run / ".." / "other"):
        with pytest.raises(RunError):
            remove_tree(path, run)
    remove_tree(run / "steps", run)
    remove_tree(run / "steps", run)
    assert not (run / "steps").exists() and place("faulty://bucket/other/notes.txt").read_bytes() == b"mine"


def test_a_folder_is_made_here_and_lies_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    final = place(f"{RUN}/steps/train-1/model")
    with scratch_folder(final) as scratch:
        (scratch / "made" / "deep").mkdir(parents=True)
        (scratch / "made" / "deep" / "weights").write_bytes(b"w" * 1000)
        (scratch / "made" / "card.json").write_text("{}")
        commit_folder(scratch / "made", final)
    kept = local_folder(final)
    assert (kept / "deep" / "weights").read_bytes() == b"w" * 1000 and local_folder(final) == kept
    commit_bytes(final / "card.json", b"{ }")
    assert (local_folder(final) / "card.json").read_text() == "{ }" and local_folder(tmp_path) == tmp_path


def test_an_archive_at_a_url_is_walked_in_the_order_of_a_folder(tmp_path: Path) -> None:
    names = ["b/1.dcm", "b.dcm", "a/x/1.dcm", "a/x/empty.dcm", "a.b/2.dcm", "skip/1.dcm"]
    for name in names:
        data = b"" if "empty" in name else name.encode()
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
        commit_bytes(place("faulty://bucket/archive") / name, data)
    near = list(walk(tmp_path, exclude=["skip"]))
    far = list(walk(place("faulty://bucket/archive"), exclude=["skip"]))
    assert [(f.relative, f.size, f.reason) for f in near] == [(f.relative, f.size, f.reason) for f in far]
    assert [f.relative for f in walk(place("faulty://bucket/archive/b.dcm"))] == ["b.dcm"]
    with open_source(place(far[0].path)) as file:
        assert file.read() == far[0].relative.encode()
    assert check_present(place(far[0].path)) and not check_present(place("faulty://bucket/archive/b/2.dcm"))
    with pytest.raises(RecipeError):
        walk(place("faulty://bucket/nowhere"))


def test_a_dicom_file_is_read_alike_in_a_folder_at_a_url_and_in_an_archive(tmp_path: Path) -> None:
    write_archive(tmp_path / "a", SynthConfig(studies=3, side=64))
    files = sorted((tmp_path / "a" / "dicom").rglob("*.dcm"))
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for path in files:
            tar.add(path, arcname=path.relative_to(tmp_path / "a" / "dicom").as_posix())
            commit_bytes(place("faulty://bucket/dicom") / path.relative_to(tmp_path / "a" / "dicom"), path.read_bytes())
    commit_bytes(place("faulty://bucket/packed/a.tar"), (tmp_path / "a.tar").read_bytes())
    roots = [
        tmp_path / "a" / "dicom",
        place("faulty://bucket/dicom"),
        tmp_path / "a.tar",
        place("faulty://bucket/packed"),
    ]
    seen = []
    for root in roots:
        rows = [vars(found) | {"path": os.fsencode(found.path)} for found in walk_members(root)]
        scanned = [scan_file({n: row[n] for n in ("path", "relative", "size", "mtime_ns", "reason")}) for row in rows]
        where = ("path", "relative", "mtime_ns")
        seen.append(sorted(str({n: v for n, v in row.items() if n not in where}) for row in scanned))
    assert len(seen[0]) == len(files) and "'kind': 'dicom'" in seen[0][0]
    assert seen[1] == seen[0] and seen[2] == seen[0] and seen[3] == seen[0]


def test_members_of_archives_at_a_url_are_those_of_a_folder(tmp_path: Path) -> None:
    for name, make in (("a.tar", _tar), ("b.zip", _zip)):
        make(tmp_path / name, {"x/1.png": b"one", "x/1.txt": b"text", "2.png": b"t" * 5000})
        commit_bytes(place("faulty://bucket/archive") / name, (tmp_path / name).read_bytes())
    near, far = list(walk_members(tmp_path)), list(walk_members(place("faulty://bucket/archive")))
    assert [(f.relative, f.size, f.reason) for f in near] == [(f.relative, f.size, f.reason) for f in far]
    assert len(far) == 6
    for here, there in zip(near, far, strict=True):
        with open_file(Path(here.path)) as local, open_file(place(there.path)) as remote:
            assert local.read() == remote.read()
        assert stat_file(place(there.path)).size == here.size and is_there(place(there.path))


def _tar(path: Path, members: dict[str, bytes]) -> None:
    with tarfile.open(path, "w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def _zip(path: Path, members: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w") as book:
        for name, data in members.items():
            book.writestr(name, data)


@pytest.fixture(params=["remote", "local"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return place(f"{RUN}/private/lock.lease") if request.param == "remote" else tmp_path / "lock.lease"


def lease(folder: Path, stale: float = 0.2) -> Lease:
    return Lease(folder, beat=0.02, stale=stale)


def test_a_lease_is_held_by_one_and_taken_over_from_the_dead(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = lease(folder)
    first.take()
    with pytest.raises(RunError, match="another run is at work"):
        lease(folder, 60).take()  # until the first has raised its counter
    first.check()
    first._over.set()  # killed: it neither beats nor releases
    began = time.monotonic()
    second = lease(folder)
    second.take()
    assert time.monotonic() - began >= 0.2 and second.number == first.number + 1
    second.release()
    third = lease(folder)
    with monkeypatch.context() as patched:
        patched.setattr(time, "sleep", lambda seconds: pytest.fail("it waits for a lease that is released"))
        third.take()
    third.release()


def test_who_slept_through_its_own_death_is_told(folder: Path) -> None:
    first = lease(folder)
    first.take()
    assert leases._create(first._path(2), b"{}")  # another took it over
    end = time.monotonic() + 60
    while not first._lost and time.monotonic() < end:
        time.sleep(0.01)
    with pytest.raises(RunError, match="took it over"):
        first.check()


def test_of_two_who_see_a_dead_lease_at_once_one_takes_it(folder: Path) -> None:
    dead = lease(folder)
    dead.take()
    dead._over.set()
    path = dead._path(2)
    assert [leases._create(path, b"a"), leases._create(path, b"b")] == [True, False]


def test_a_damaged_lease_is_watched_as_any(folder: Path) -> None:
    assert leases._create(folder / "000001.json", b"{trunc")
    taken = lease(folder)
    taken.take()
    assert taken.number == 2
    taken.release()


def test_a_clock_that_jumps_takes_no_lease_away_and_jams_none(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every question what time it is has an answer a year off, to one side and to the other."""
    clock, jumps, write = time.time, itertools.cycle([-3e7, 3e7]), leases._write
    monkeypatch.setattr(time, "time", lambda: clock() + next(jumps))
    monkeypatch.setattr(time, "time_ns", lambda: int(time.time() * 1e9))
    first = lease(folder, 1)
    first.take()
    with pytest.raises(RunError, match="another run is at work"):
        lease(folder, 1).take()
    failed = threading.Semaphore(0)

    def fail(path: Path, data: bytes) -> None:
        failed.release()
        raise OSError

    monkeypatch.setattr(leases, "_write", fail)  # an outage much shorter than what a holder is given
    assert failed.acquire(timeout=60) and failed.acquire(timeout=60)
    monkeypatch.setattr(leases, "_write", write)
    first.check()
    if not is_remote(folder):
        for file in folder.iterdir():
            os.utime(file, (4e9, 4e9))
    with pytest.raises(RunError, match="another run is at work"):
        lease(folder, 1).take()
    first.check()
    first._over.set()  # killed
    taken, refused = [], []

    def take() -> None:
        mine = lease(folder, 1)
        try:
            mine.take()
            taken.append(mine)
        except RunError:
            refused.append(mine)

    both = [threading.Thread(target=take) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join(5)
    assert len(taken) == len(refused) == 1 and taken[0].number == 2
    taken[0].check()
    taken[0].release()


def test_a_run_at_a_url_is_exclusive(monkeypatch: pytest.MonkeyPatch) -> None:
    lock = place(RUN) / "private" / "lock"
    with exclusive(lock) as check_held:
        check_held()
        with pytest.raises(RunError), exclusive(lock):
            pass
    with exclusive(lock):
        pass
