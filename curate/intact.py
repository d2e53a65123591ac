"""Is what a step left still as it was written? A part that is not is one that was never made.

A marker holds the sha256 of the part and of the files that the task wrote beside it (shards, a model, the sealed index)
and a digest of the inputs they were made of. Reading a terabyte at every run to compare them would be dear, so what was
compared is remembered by size, times and inode in `verified.json`: a file that nobody touched is not read again, and
what a disk changes by itself is found by the checksums of the pages when they are read (`curate.storage.read_table`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from curate.storage import beside, commit_marker, digest_file, is_lost, name_from, read_marker, stamp_of

VERIFIED = "verified.json"
_Stamps = dict[str, list[int | str]]  # file, relative to the step's folder -> `curate.storage.stamp_of`


MANIFEST = "manifest.json"


def part_path(folder: Path, partition: int) -> Path:
    """The Parquet file of one partition of a step."""
    return folder / f"part-{partition:05d}.parquet"


def marker_path(folder: Path, partition: int) -> Path:
    """The done-marker of one partition of a step."""
    return folder / f"part-{partition:05d}.json"


def part_paths(folder: Path) -> list[Path]:
    """The parts that are there, in partition order: from the hundred thousandth on names are longer."""
    return sorted(folder.glob("part-*.parquet"), key=partition_of)


def partition_of(path: Path) -> int:
    """Which partition a part or a marker is of."""
    return int(path.stem.removeprefix("part-"))


def damaged(folder: Path, partitions: int, inputs: str) -> list[int]:
    """The partitions that are not done, or not as they were written, or not made of ``inputs``; in order.

    Digests are compared in threads; nothing is removed.
    """
    known: _Stamps = read_marker(folder / VERIFIED) or {}
    fresh: _Stamps = {}
    with ThreadPoolExecutor() as pool:
        found = pool.map(lambda i: _compared(folder, i, inputs, known), range(partitions))
        bad = []
        for partition, stamps in enumerate(found):
            if stamps is None:
                bad.append(partition)
            else:
                fresh |= stamps
    if fresh and fresh != known:
        commit_marker(folder / VERIFIED, fresh)
    return bad


def remember(folder: Path, markers: Sequence[Mapping[str, Any]]) -> None:
    """All parts and their files were just written or compared: they need not be read for that again."""
    names = [n for i, marker in enumerate(markers) for n in files_of(folder, i, marker)]
    with ThreadPoolExecutor() as pool:
        stamps = list(pool.map(lambda name: stamp_of(beside(folder, name)), names))
    commit_marker(folder / VERIFIED, dict(zip(names, stamps, strict=True)))


def doubt(folder: Path) -> bool:
    """Compare everything again at the next run; False where there is no such step."""
    there = (folder / VERIFIED).exists()
    (folder / VERIFIED).unlink(missing_ok=True)
    return there


def forget(folder: Path, partitions: Iterable[int]) -> None:
    """These partitions are to be done again, and with them the step."""
    for partition in partitions:
        (folder / MANIFEST).unlink(missing_ok=True)
        marker_path(folder, partition).unlink(missing_ok=True)


def parts_with(folder: Path, reason: str) -> list[int]:
    """The partitions in which a record was dropped for ``reason``."""
    markers = {partition_of(p): read_marker(p) for p in folder.glob("part-*.json")}
    return sorted(i for i, marker in markers.items() if marker and marker["dropped"].get(reason))


def read_markers(folder: Path, partitions: int) -> list[dict[str, Any]]:
    """The markers of a step that are there, in partition order; on an object store each is a request, so in threads."""
    with ThreadPoolExecutor() as pool:
        return [m for m in pool.map(lambda i: read_marker(marker_path(folder, i)), range(partitions)) if m is not None]


def files_of(folder: Path, partition: int, marker: Mapping[str, Any]) -> dict[str, str]:
    """Name, relative to the step's folder, and sha256 of the part and of what was written beside it."""
    return {part_path(folder, partition).name: marker["sha256"], **marker["files"]}


def digests_beside(folder: Path, written: Iterable[Path]) -> dict[str, str]:
    """The sha256 of files a task wrote, named from the step's folder so that a run can be moved."""
    return {name_from(path, folder): digest_file(path) for path in written}


def _compared(folder: Path, partition: int, inputs: str, known: _Stamps) -> _Stamps | None:
    """The stamps of a partition's files, None where one is not as the marker says."""
    marker = read_marker(marker_path(folder, partition))
    if marker is None or marker["inputs"] != inputs:
        return None
    stamps = {}
    for name, sha256 in files_of(folder, partition, marker).items():
        try:
            path = beside(folder, name)
            stamps[name] = stamp_of(path)
            if known.get(name) != stamps[name] and digest_file(path) != sha256:
                return None
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            if is_lost(folder / name, error):
                return None
            raise
    return stamps
