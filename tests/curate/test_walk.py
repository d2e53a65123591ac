"""The walk finds every entry once, in one order, whatever lies there; chunks change where the archive changed."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.errors import RecipeError, SourceError
from curate.record import Reason
from curate.sources.walk import Found, as_path, as_text, chunks, walk


def names(root: Path, **options) -> list[str]:
    return [f.relative for f in walk(root, **options)]


def reasons(root: Path, **options) -> dict[str, Reason | None]:
    found = list(walk(root, **options))
    assert len({f.relative for f in found}) == len(found)
    return {f.relative: f.reason for f in found}


def write(path: Path, content: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_every_file_once_in_the_order_of_its_path(tmp_path):
    for name in ["b/2.dcm", "b/10.dcm", "b.png", "a/z/deep.png", "a/.DS_Store", "DICOMDIR", "c/Thumbs.db", "ä/ö.png"]:
        write(tmp_path / name)
    (tmp_path / "empty folder").mkdir()
    assert names(tmp_path) == sorted(names(tmp_path))
    assert len(names(tmp_path)) == 8
    assert names(tmp_path) == names(tmp_path)


def test_what_is_found_says_how_it_stands(tmp_path):
    path = write(tmp_path / "sub" / "one.png", b"12345")
    os.utime(path, ns=(1, 1_700_000_000_123_456_789))
    assert list(walk(tmp_path)) == [Found(str(path), "sub/one.png", 5, path.stat().st_mtime_ns, None)]


def test_a_root_may_be_one_file(tmp_path):
    path = write(tmp_path / "one.png")
    assert [(f.path, f.relative) for f in walk(path)] == [(str(path), "one.png")]


def test_a_root_that_is_not_there_is_the_recipes_fault_at_once(tmp_path):
    with pytest.raises(RecipeError, match="cannot read the source"):
        walk(tmp_path / "nowhere")  # not even iterated


def test_an_empty_file_is_found_with_its_reason(tmp_path):
    write(tmp_path / "zero.dcm", b"")
    assert reasons(tmp_path) == {"zero.dcm": Reason.EMPTY_FILE}


def test_pipes_and_sockets_are_never_opened(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.chdir(tmp_path)  # a socket's path must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        assert reasons(tmp_path) == {"pipe": Reason.UNREADABLE_FILE, "socket": Reason.UNREADABLE_FILE}


def test_links_are_marked_unless_followed(tmp_path):
    write(tmp_path / "real" / "a.png")
    (tmp_path / "folder").symlink_to("real")
    (tmp_path / "file.png").symlink_to("real/a.png")
    assert reasons(tmp_path) == {"folder": Reason.SYMLINK, "file.png": Reason.SYMLINK, "real/a.png": None}
    assert reasons(tmp_path, follow_symlinks=True) == {"folder/a.png": None, "file.png": None, "real/a.png": None}


def test_a_loop_of_links_ends(tmp_path):
    write(tmp_path / "a" / "1.png")
    (tmp_path / "a" / "up").symlink_to("..")
    (tmp_path / "a" / "self").symlink_to("self")
    (tmp_path / "a" / "broken").symlink_to("nothing")
    got = reasons(tmp_path, follow_symlinks=True)
    assert got == {
        "a/1.png": None,
        "a/up": Reason.SYMLINK,
        "a/self": Reason.SYMLINK,
        "a/broken": Reason.UNREADABLE_FILE,
    }


def test_folders_that_link_to_each_other_do_not_multiply(tmp_path):
    n = 12  # each path through all of them would be 12! long walks
    for i in range(n):
        write(tmp_path / f"{i:02}" / "x.png")
        for j in range(n):
            if i != j:
                (tmp_path / f"{i:02}" / f"to{j:02}").symlink_to(f"../{j:02}")
    got = reasons(tmp_path, follow_symlinks=True)
    files = [name for name, reason in got.items() if reason is None]
    assert {f"{i:02}/x.png" for i in range(n)} <= set(files)
    assert len(files) <= 2 * n


def test_a_loop_that_leads_above_the_root_ends(tmp_path):
    write(tmp_path / "root" / "1.png")
    (tmp_path / "root" / "out").symlink_to(tmp_path)
    assert reasons(tmp_path / "root", follow_symlinks=True) == {"1.png": None, "out/root": Reason.SYMLINK}


def _deep(root: Path, levels: int) -> None:
    """Folders below what one path can name (PATH_MAX), which no permission opens."""
    fd = os.open(root, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("d" * 250, dir_fd=fd)
        below = os.open("d" * 250, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    os.close(os.open("too deep.png", os.O_WRONLY | os.O_CREAT, dir_fd=fd))
    os.close(fd)


def test_a_folder_too_deep_to_name_is_found_unreadable_and_the_walk_goes_on(tmp_path):
    _deep(tmp_path, 17)
    write(tmp_path / "z.png")
    assert list(reasons(tmp_path).values()) == [Reason.UNREADABLE_FOLDER, None]
    shutil.rmtree(tmp_path / ("d" * 250))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may enter any folder")
def test_a_forbidden_folder_stops_the_walk(tmp_path):
    write(tmp_path / "shut" / "a.png")
    write(tmp_path / "z.png")
    (tmp_path / "shut").chmod(0)
    try:
        with pytest.raises(SourceError):  # a permission that is missing is the archive's fault, not a file's fate
            reasons(tmp_path)
    finally:
        (tmp_path / "shut").chmod(0o700)


def test_a_name_that_is_not_utf8_is_found_and_can_be_opened_and_stored(tmp_path):
    with open(os.fsencode(tmp_path) + b"/M\xfcller.png", "wb") as f:
        f.write(b"pixels")
    (found,) = walk(tmp_path)
    stored = as_text(found.path).encode("utf-8")  # what a table holds
    assert Path(as_path(stored.decode("utf-8"))).read_bytes() == b"pixels"
    with pytest.raises(UnicodeEncodeError):
        found.path.encode("utf-8")


@given(st.binary(max_size=40).filter(lambda b: b"\0" not in b))
def test_any_path_survives_as_text(raw):
    path = os.fsdecode(raw)
    as_text(path).encode("utf-8")
    assert as_path(as_text(path)) == path


@pytest.mark.parametrize(
    ("exclude", "left"),
    [
        ([], ["a/1.png", "a/skip/2.png", "b.tmp"]),
        (["*.tmp"], ["a/1.png", "a/skip/2.png"]),
        (["skip"], ["a/1.png", "b.tmp"]),
        (["a/skip/"], ["a/1.png", "b.tmp"]),
        (["a", "b.*"], []),
    ],
)
def test_what_is_excluded_is_not_entered(tmp_path, exclude, left):
    for name in ["a/1.png", "a/skip/2.png", "b.tmp"]:
        write(tmp_path / name)
    assert names(tmp_path, exclude=exclude) == left


def entries(paths) -> list[Found]:
    return [Found(f"/r/{p}", p, 1, 1, None) for p in sorted(paths)]


@given(st.sets(st.text("abcd/", min_size=1, max_size=6), max_size=120), st.integers(1, 12))
def test_chunks_hold_everything_in_order_and_are_bounded(paths, about):
    found = entries(paths)
    cut = list(chunks(found, about))
    assert [f for chunk in cut for f in chunk] == found
    assert all(1 <= len(chunk) <= 4 * about for chunk in cut)


def test_chunks_are_about_as_long_as_asked():
    cut = list(chunks(entries(f"p{i // 50}/{i}.dcm" for i in range(50_000)), 100))
    assert 75 < 50_000 / len(cut) < 125


@settings(max_examples=30)
@given(st.integers(0, 10**6))
def test_one_file_more_changes_the_chunks_around_it_only(n):
    paths = {f"p{i:06}.dcm" for i in range(0, 10**6, 250)}
    before = [tuple(c) for c in chunks(entries(paths), 50)]
    after = [tuple(c) for c in chunks(entries(paths | {f"p{n:06}.new.dcm"}), 50)]
    assert len(set(before) - set(after)) <= 3  # one, or where a chunk had to be cut by length its neighbours
    assert len(set(after) - set(before)) <= 4


def test_most_additions_change_one_chunk():
    paths = {f"p{i:06}.dcm" for i in range(0, 10**6, 250)}
    before = {tuple(c) for c in chunks(entries(paths), 50)}
    changed = [
        len(before - {tuple(c) for c in chunks(entries(paths | {f"p{n:06}.new.dcm"}), 50)})
        for n in range(0, 10**6, 25_000)
    ]
    assert sum(c == 1 for c in changed) >= 0.9 * len(changed)


def test_about_must_be_positive():
    with pytest.raises(ValueError, match="at least 1"):
        list(chunks([], 0))
