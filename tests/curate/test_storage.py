"""What the run's files promise: only its own are removed, a damaged one is known."""

from __future__ import annotations

import random
from pathlib import Path

import pyarrow as pa
import pytest

from curate.errors import DamagedError, RecipeError, RunError
from curate.storage import (
    OWNER,
    TEMPORARY,
    check_own,
    claim,
    commit_bytes,
    commit_marker,
    digest,
    digest_file,
    is_run,
    read_json,
    read_marker,
    read_table,
    remove_tree,
    sweep,
    table_bytes,
)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def tree(folder: Path) -> Path:
    (folder / "below").mkdir(parents=True)
    (folder / "below" / "file").write_text("kept")
    return folder


def test_a_tree_is_removed_only_below_the_folder_that_is_ours(tmp_path: Path) -> None:
    run, foreign = tree(tmp_path / "run"), tree(tmp_path / "foreign")
    (run / "link").symlink_to(foreign)
    (run / "way").symlink_to(tmp_path)
    for path in (
        foreign,
        run,
        tmp_path,
        run / "link",
        run / "way" / "foreign",
        run / "below" / ".." / ".." / "foreign",
    ):
        with pytest.raises(RunError, match="it is not removed"):
            remove_tree(path, run)
    assert (foreign / "below" / "file").read_text() == "kept" and (run / "below" / "file").exists()
    remove_tree(run / "below", run)
    remove_tree(run / "absent", run)
    assert not (run / "below").exists() and (foreign / "below" / "file").exists()


def test_a_link_inside_a_tree_is_removed_and_what_it_leads_to_stays(tmp_path: Path) -> None:
    run, foreign = tree(tmp_path / "run"), tree(tmp_path / "foreign")
    (run / "below" / "link").symlink_to(foreign)
    remove_tree(run / "below", run)
    assert (foreign / "below" / "file").exists()


def test_sweep_takes_what_a_killed_commit_leaves_and_nothing_that_looks_like_it(tmp_path: Path) -> None:
    run, foreign = tree(tmp_path / "run"), tree(tmp_path / "foreign" / f"x{TEMPORARY}01234567")
    (run / f"part.parquet{TEMPORARY}0a1b2c3d").write_text("half")
    tree(run / f"model{TEMPORARY}0a1b2c3d")
    (run / f"notes{TEMPORARY}of mine").write_text("kept")
    (run / "link").symlink_to(foreign.parent)
    sweep(run)
    assert names(run) == ["below", "link", f"notes{TEMPORARY}of mine"]
    assert (foreign / "below" / "file").exists()


def test_a_folder_that_holds_something_else_is_no_place_for_a_run(tmp_path: Path) -> None:
    for place in (tree(tmp_path / "foreign"), tree(tmp_path / "other") / "below" / "file"):
        with pytest.raises(RecipeError) as told:
            claim(place)
        assert told.value.field == "out" and told.value.fix
    assert names(tmp_path / "foreign") == ["below"]
    for place in (tmp_path / "new", tmp_path / "empty"):
        place.mkdir(exist_ok=True) if place.name == "empty" else None
        claim(place)
        tree(place / "anything")
        check_own(place)


@pytest.mark.parametrize("name", ["steps", "private", "report"])
def test_a_runs_own_folder_is_no_link(name: str, tmp_path: Path) -> None:
    claim(tmp_path / "run")
    (tmp_path / "run" / name).symlink_to(tree(tmp_path / "foreign"))
    with pytest.raises(RecipeError, match="is a link"):
        check_own(tmp_path / "run")


def test_a_marker_of_which_one_bit_is_another_is_none(tmp_path: Path) -> None:
    path = tmp_path / "part-00000.json"
    commit_marker(path, {"kept": 3, "dropped": {"blank_image": 1}, "seconds": 0.5})
    whole = path.read_bytes()
    assert read_marker(path) == {"kept": 3, "dropped": {"blank_image": 1}, "seconds": 0.5}
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        assert read_marker(path) in (None, {"kept": 3, "dropped": {"blank_image": 1}, "seconds": 0.5}), place
        path.write_bytes(whole[:place])
        assert read_marker(path) is None or place == len(whole) - 1  # its last byte is a line's end
    assert read_marker(tmp_path / "absent.json") is None


def test_a_json_that_is_none_is_damaged_and_says_which(tmp_path: Path) -> None:
    (tmp_path / "card.json").write_bytes(b'{"method": "dfn"')
    with pytest.raises(DamagedError, match=rf"{tmp_path.name}/card\.json is damaged"):
        read_json(tmp_path / "card.json")


def test_pages_that_are_read_are_compared_with_their_checksums(tmp_path: Path) -> None:
    images = [random.Random(i).randbytes(400) for i in range(40)]
    table = pa.table({"key": [f"{i:032x}" for i in range(40)], "image": images})
    whole, path = table_bytes(table, row_group=8), tmp_path / "part-00000.parquet"
    start = whole.index(images[20])
    for place in range(start, start + 400, 37):
        damaged = bytearray(whole)
        damaged[place] ^= 0x10
        commit_bytes(path, bytes(damaged))
        with pytest.raises(DamagedError):
            read_table(path)
        assert read_table(path, ["key"]).equals(table.select(["key"]))  # its own pages are whole
    for length in (0, 5, len(whole) // 2, len(whole) - 1):
        commit_bytes(path, whole[:length])
        with pytest.raises(DamagedError):
            read_table(path)
    with pytest.raises(FileNotFoundError):
        read_table(tmp_path / "absent.parquet")


def test_a_files_digest_is_that_of_its_bytes(tmp_path: Path) -> None:
    for data in (b"", b"x", random.Random(1).randbytes((1 << 20) + 7)):
        (tmp_path / "f").write_bytes(data)
        assert digest_file(tmp_path / "f") == digest(data)


def test_a_run_killed_while_it_claimed_its_folder_goes_on(tmp_path: Path) -> None:
    left = tmp_path / f"{OWNER}{TEMPORARY}0123abcd"
    left.write_text("{")
    claim(tmp_path)
    assert is_run(tmp_path)
    (tmp_path / OWNER).unlink()
    (tmp_path / "mine.txt").touch()
    with pytest.raises(RecipeError, match="holds no run"):
        claim(tmp_path)
