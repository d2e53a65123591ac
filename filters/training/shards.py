"""A folder of shards for training: offsets of all members are read once, so that any record can be read directly.

Works with any WebDataset of ``key.png|jpg|...``, ``key.txt``, ``key.json``, this product's or img2dataset's; a Parquet
index beside a shard has each record's ``weight`` (how often to train on it) and study.
"""

from __future__ import annotations

import json
import mmap
import os
import tarfile
from collections import Counter, OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from curate.errors import RecipeError, RunError
from curate.storage import digest

_IMAGES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff")
_BLOCK = 512
_FILES = b"0\0"
_PLAIN = frozenset((*_FILES, *b"5"))  # files and folders; other types change the meaning of the next header
_MAX_WEIGHT = 10_000
TRUNCATED = "or more, in shards cut short"
REPEATED_MEMBERS = "members that come twice in a record"
_COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd")  # gzip, bzip2, xz, zstd
_MAX_TEXT_BYTES = 1 << 20  # limit of a text and of its facts
PARTS = ("image", "text", "facts")
_TEXTS = {".txt": "text", ".cls": "label"}  # suffix of what is a record's text: its name
Spans = dict[str, tuple[int, int]]


@dataclass(frozen=True)
class Sample:
    """One record as written: ``image`` encoded bytes, ``facts`` the content of its .json."""

    key: str
    image: bytes
    text: str
    facts: dict[str, Any]


@dataclass(frozen=True, eq=False)
class Shards:
    """n records. ``spans`` int64[n, 3, 2]: offset and size of image, text and facts in the tar, size 0 where absent."""

    folder: Path
    tars: tuple[str, ...]
    sizes: tuple[int, ...]  # of the tars, in bytes
    keys: NDArray[np.str_]
    tar: NDArray[np.int32]
    spans: NDArray[np.int64]
    texts: NDArray[np.int64]  # equal numbers are equal texts
    weights: NDArray[np.float32]  # how often an epoch has the record, on average
    studies: NDArray[np.int64]
    skipped: Counter[str] = field(default_factory=Counter)  # number of records left out, by reason

    def __len__(self) -> int:
        return len(self.keys)

    def take(self, index: NDArray[Any], weights: NDArray[np.float32] | None = None) -> Shards:
        """The records at ``index`` (a mask or indices); ``weights`` replace theirs."""
        columns = {n: getattr(self, n)[index] for n in ("keys", "tar", "spans", "texts", "weights", "studies")}
        if weights is not None:
            columns["weights"] = np.asarray(weights, np.float32)
        return replace(self, **columns)

    def read(self, i: int) -> Sample:
        """Record ``i``. RunError if the shard has changed since it was opened."""
        image, text, facts = (self._bytes(i, part) for part in range(len(PARTS)))
        return Sample(str(self.keys[i]), image, text.decode("utf-8", "replace"), _facts(facts))

    def text(self, i: int) -> str:
        """The text of record ``i`` alone."""
        return self._bytes(i, 1).decode("utf-8", "replace")

    def _bytes(self, i: int, part: int) -> bytes:
        """The bytes of one member. RunError if the shard has changed since it was opened."""
        start, size = self.spans[i, part].tolist()
        if not size:
            return b""
        name = self.tars[self.tar[i]]
        file, current_size = _FILES_OPEN.get(self.folder / name)
        data = os.pread(file, size, start) if current_size == self.sizes[self.tar[i]] else b""
        if len(data) != size:
            raise RunError(f"{name} has changed since it was opened; run the same command again")
        return data

    def index(self, wanted: Sequence[str]) -> dict[str, dict[str, Any]]:
        """`read_index` of all shards."""
        return {key: row for name in self.tars for key, row in read_index(self.folder / name, wanted).items()}

    @property
    def hash(self) -> str:
        """16 hex digits over keys, offsets, texts and weights: the identity of the data."""
        parts = (self.spans.tobytes(), self.texts.tobytes(), self.weights.tobytes())
        return digest("\n".join(self.keys), *(p.hex() for p in parts))[:16]


def open_shards(folder: Path) -> Shards:
    """The shards in ``folder``'s ``train``, where it has one, else `shards_in` itself."""
    return shards_in(folder / "train" if (folder / "train").is_dir() else folder)


def shards_in(inside: Path, text: str = ".txt", names: Sequence[str] | None = None) -> Shards:
    """The shards directly in a folder, all or those of ``names``. RecipeError if there is no readable one, or one is
    compressed.

    ``text``: the suffix of what is a record's text. Incomplete records and truncated shards are counted in ``skipped``.
    """
    paths = sorted(p for p in inside.glob("*.tar") if p.is_file() and (names is None or p.name in names))
    if not paths:
        fix = "the 'shards' folder of a run, or a folder of .tar files"
        raise RecipeError("shards", f"{inside} holds no .tar files", fix)
    skipped: Counter[str] = Counter()
    tables = [_read_tar(path, number, skipped, text) for number, path in enumerate(paths)]
    joined = {name: np.concatenate([part[name] for part in tables]) for name in tables[0]}
    if not len(joined["keys"]):
        problems = ", ".join(f"{n} {reason}" for reason, n in sorted(skipped.items())) or "they are empty"
        raise RecipeError(
            "shards", f"no record of {inside} has an image and a {_TEXTS[text]} ({problems})", "write the shards again"
        )
    sizes = tuple(p.stat().st_size for p in paths)
    return Shards(inside, tuple(p.name for p in paths), sizes, skipped=skipped, **joined)


def _read_tar(path: Path, number: int, skipped: Counter[str], suffix: str) -> dict[str, NDArray[Any]]:
    keys: list[str] = []
    spans: list[list[tuple[int, int]]] = []
    texts: list[int] = []
    with _mapped(path) as data:
        if data[:6].startswith(_COMPRESSED):
            raise RecipeError("shards", f"{path} is compressed", "gunzip it: records are read by their place in a tar")
        for key, members in _samples(path, data, skipped, suffix):
            start, length = members.get("text", (0, 0))
            text = bytes(data[start : start + length]).strip()
            problem = "without an image" if "image" not in members else "" if text else f"without a {_TEXTS[suffix]}"
            if problem or length > _MAX_TEXT_BYTES:
                skipped[problem or f"with a {_TEXTS[suffix]} of over a megabyte"] += 1
                continue
            keys.append(key)
            spans.append([members.get(part, (0, 0)) for part in PARTS])
            texts.append(_number(text))
    index = _index(path, keys)
    return {
        "keys": np.array(keys, np.str_),
        "tar": np.full(len(keys), number, np.int32),
        "spans": np.array(spans, np.int64).reshape(-1, len(PARTS), 2),
        "texts": np.array(texts, np.int64),
        **index,
    }


@contextmanager
def _mapped(path: Path) -> Iterator[Any]:
    """The bytes of a file, without reading them."""
    with path.open("rb") as file:
        yield mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if os.fstat(file.fileno()).st_size else b""


def _samples(path: Path, data: Any, skipped: Counter[str], text: str) -> Iterator[tuple[str, Spans]]:
    """Records in the tar's order: consecutive members with the same stem, which as in WebDataset ends at the name's
    first dot. If a record would have a part twice, its keys may contain dots: see `_split_by_last_dot`."""
    for stem, run in groupby(_members(path, data, skipped), key=lambda member: _stem(member[0])):
        parts = [(name, part, (start, size)) for name, start, size in run if (part := _part(name, text)) is not None]
        if len({part for _, part, _ in parts}) < len(parts):
            yield from _split_by_last_dot(stem, parts, skipped)
        elif parts:
            yield stem, {part: span for _, part, span in parts}


def _split_by_last_dot(
    stem: str, parts: list[tuple[str, str, tuple[int, int]]], skipped: Counter[str]
) -> Iterator[Any]:
    """The records of members in which a part occurs twice: split by the last dot (P000.IM0.png) if that gives a record
    with image and text, else one record of the first of each part. Unused members are counted."""
    by_last: dict[str, Spans] = {}
    for name, part, span in parts:
        by_last.setdefault(name.rpartition(".")[0], {}).setdefault(part, span)
    if not any({"image", "text"} <= members.keys() for members in by_last.values()):
        by_last = {stem: {part: span for _, part, span in reversed(parts)}}
    if leftover := len(parts) - sum(len(members) for members in by_last.values()):
        skipped[REPEATED_MEMBERS] += leftover
    yield from by_last.items()


def _stem(name: str) -> str:
    folder, slash, base = name.rpartition("/")
    return folder + slash + base.partition(".")[0]


def _part(name: str, text: str) -> str | None:
    last = "." + name.rpartition(".")[2].lower()
    return "image" if last in _IMAGES else {text: "text", ".json": "facts"}.get(last)


def _members(path: Path, data: Any, skipped: Counter[str]) -> Iterator[tuple[str, int, int]]:
    """(name, offset, size) of every complete file. Headers are parsed directly, fifty times faster than by tarfile;
    a tar with long names or other extensions is read by tarfile."""
    at = 0
    while at + _BLOCK <= len(data):
        head = data[at : at + _BLOCK]
        if head[0] == 0:
            return
        try:
            size = int(head[124:136].strip(b" \0") or b"0", 8)
        except ValueError:
            size = -1
        if head[156] not in _PLAIN or size < 0 or not _has_valid_checksum(head):
            yield from _members_by_tarfile(path, at, skipped)
            return
        if at + _BLOCK + size > len(data):
            break
        if head[156] in _FILES:
            prefix = head[345:500].rstrip(b"\0") if head[257:262] == b"ustar" and head[263:265] == b"00" else b""
            name = (prefix + b"/" if prefix else b"") + head[:100].rstrip(b"\0")
            yield name.decode("utf-8", "replace"), at + _BLOCK, size
        at += _BLOCK + -(-size // _BLOCK) * _BLOCK
    skipped[TRUNCATED] += 1  # a complete tar ends with a block of zeros


def _has_valid_checksum(head: bytes) -> bool:
    """Is the header's checksum right? If not, the bytes are no header."""
    checksum = head[148:156].strip(b" \0")
    return checksum.isdigit() and int(checksum, 8) == sum(head) - sum(head[148:156]) + 8 * 32


def _members_by_tarfile(path: Path, after: int, skipped: Counter[str]) -> Iterator[tuple[str, int, int]]:
    size = path.stat().st_size
    try:
        with tarfile.open(path, "r:") as tar:
            for member in tar:
                if member.offset >= after and member.isfile() and member.offset_data + member.size <= size:
                    name = member.name.encode("utf-8", "replace").decode("utf-8")
                    yield name, member.offset_data, member.size
    except (tarfile.TarError, OSError, EOFError):
        skipped[TRUNCATED] += 1


def read_index(tar: Path, wanted: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The columns ``wanted`` (those that there are) of the Parquet index beside ``tar``, by key; {} if there is none.
    RecipeError if it cannot be read."""
    path = tar.with_suffix(".parquet")
    if not path.is_file():
        return {}
    try:
        names = [n for n in ("key", *wanted) if n in pq.read_schema(path).names]
        rows = pq.read_table(path, columns=names, partitioning=None).to_pylist() if "key" in names else []
    except (OSError, pa.ArrowException) as error:
        problem = f"{path} cannot be read ({type(error).__name__})"
        raise RecipeError("shards", problem, "write the shards again, or remove the index") from None
    return {str(row["key"]): row for row in rows}


def _index(path: Path, keys: list[str]) -> dict[str, NDArray[Any]]:
    """Weights and studies from the Parquet index beside the tar; weight 1 and a study a record if there is none."""
    rows = read_index(path, ("weight", "study"))
    entries = [rows.get(key, {}) for key in keys]
    studies = [str(row.get("study") or key) for key, row in zip(keys, entries, strict=True)]
    return {
        "weights": np.array([_weight(row.get("weight"), path.with_suffix(".parquet")) for row in entries], np.float32),
        "studies": np.array([_number(study) for study in studies], np.int64),
    }


def _weight(value: Any, index: Path) -> float:
    """A record's weight; 1 if the index has none."""
    if value is None:
        return 1.0
    if not isinstance(value, int | float) or not 0 <= value <= _MAX_WEIGHT:
        fix = f"weights from 0 to {_MAX_WEIGHT:,}"
        raise RecipeError("shards", f"{index} gives a record the weight {str(value)[:20]!r}", fix)
    return float(value)


def _number(value: bytes | str) -> int:
    """60 bits of a digest: equal values have equal numbers."""
    return int(digest(value)[:15], 16)


def _facts(data: bytes) -> dict[str, Any]:
    try:
        facts = json.loads(data) if len(data) <= _MAX_TEXT_BYTES else {}
    except (ValueError, RecursionError):
        return {}
    return facts if isinstance(facts, dict) else {}


class _OpenFiles:
    """Open files of this process, least recently used ones closed: there may be more shards than file descriptors."""

    def __init__(self, limit: int) -> None:
        self._limit, self._files = limit, OrderedDict[Path, tuple[int, tuple[int, int]]]()
        os.register_at_fork(after_in_child=self._files.clear)

    def get(self, path: Path) -> tuple[int, int]:
        """(descriptor, current size of the file); for pread only, since a forked process shares the file's position."""
        try:
            status = path.stat()
            opened = self._files.get(path)
            if opened is None or opened[1] != (status.st_ino, status.st_mtime_ns):
                self._drop(path)
                self._files[path] = os.open(path, os.O_RDONLY | os.O_CLOEXEC), (status.st_ino, status.st_mtime_ns)
        except FileNotFoundError:
            raise RunError(f"{path.name} is gone since it was opened; run the same command again") from None
        self._files.move_to_end(path)
        if len(self._files) > self._limit:
            self._drop(next(iter(self._files)))
        return self._files[path][0], status.st_size

    def _drop(self, path: Path) -> None:
        if path in self._files:
            os.close(self._files.pop(path)[0])


_FILES_OPEN = _OpenFiles(64)
