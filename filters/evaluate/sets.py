"""A set of images, with texts, classes or both, to measure a model on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from curate.export.labels import age_bands

MOST_TEXT = 1 << 20  # bytes of a text that is read
MOST_IMAGE = 1 << 28  # bytes of an encoded image
_MOST_WORD = 64  # characters of a fact; what is longer is a text
FACTS = ("modality", "body_part", "view", "laterality", "sex", "source")
SYNONYMS = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}  # what public sets call a split
Facts = dict[str, list[str | None]]


@dataclass(frozen=True)
class Lazy:
    """An encoded image, read when it is asked for: a set need not fit in memory."""

    read: Callable[[], bytes]

    def __call__(self) -> bytes:
        """The file's bytes; b"" where it cannot be read any more, which then decodes to nothing."""
        try:
            return self.read()
        except OSError:
            return b""


@dataclass(frozen=True, eq=False)
class EvalSet:
    """n records, parallel lists.

    ``texts``: the captions of each, () where there is none; ``groups``: patients, the record's key where unknown
    (``known_patients`` False); ``labels``: of ``classes``, -1 without; ``templates`` hold ``{c}`` for a class's name.
    ``hashes``: pixel_hash, phash as the data itself tells them, None where it does not. ``skipped``: why records were
    left out, and how many.
    """

    name: str
    keys: list[str]
    images: list[Lazy]
    texts: list[tuple[str, ...]]
    groups: list[str]
    facts: Facts = field(default_factory=dict)
    known_patients: bool = True
    labels: list[int] | None = None
    classes: tuple[str, ...] = ()
    templates: tuple[str, ...] = ()
    hashes: dict[str, list[Any]] = field(default_factory=dict)
    skipped: Counter[str] = field(default_factory=Counter)

    def __len__(self) -> int:
        return len(self.keys)

    def take(self, index: Sequence[int] | NDArray[Any]) -> EvalSet:
        """The records at ``index``, in its order."""
        chosen = [int(i) for i in index]

        def of(column: list[Any]) -> list[Any]:
            return [column[i] for i in chosen]

        return EvalSet(
            self.name, of(self.keys), of(self.images), of(self.texts), of(self.groups),
            {name: of(column) for name, column in self.facts.items()}, self.known_patients,
            None if self.labels is None else of(self.labels), self.classes, self.templates,
            {name: of(column) for name, column in self.hashes.items()}, Counter(self.skipped),
        )  # fmt: skip

    def sorted(self) -> EvalSet:
        """By key: no result depends on the order in which records were read."""
        return self.take(sorted(range(len(self)), key=self.keys.__getitem__))


def set_of(
    name: str,
    keys: Sequence[str],
    images: Sequence[bytes],
    texts: Sequence[str],
    groups: Sequence[str],
    facts: Facts | None = None,
) -> EvalSet:
    """A set of encoded ``images`` that are in memory, a text each ("": none), with the patients ``groups``."""
    lazy = [Lazy(partial(_same, image)) for image in images]
    return EvalSet(name, list(keys), lazy, [(t,) if t else () for t in texts], list(groups), facts or {})


def _same(image: bytes) -> bytes:
    return image


def file_image(path: Path) -> Lazy:
    """The image in ``path``."""
    return Lazy(partial(_of_file, path))


def _of_file(path: Path) -> bytes:
    return path.read_bytes() if path.stat().st_size <= MOST_IMAGE else b""


def inside(folder: Path, name: str) -> Path | None:
    """The file ``name`` of ``folder``; None where there is none, or it leads out of the folder."""
    if not name or "\0" in name:
        return None
    try:
        path, root = (folder / name).resolve(), folder.resolve()
        return path if path.is_relative_to(root) and path.is_file() else None
    except (OSError, RuntimeError):
        return None


def plain(text: str) -> str:
    """``text`` with "?" for lone surrogates, which names of files and JSON may hold and no tokenizer takes."""
    return text.encode("utf-8", "replace").decode("utf-8")


def unique(keys: list[str]) -> list[str]:
    """``keys`` with a number after each that came before: shards written apart may hold the same."""
    seen: Counter[str] = Counter()
    out = []
    for key in map(plain, keys):
        seen[key] += 1
        out.append(key if seen[key] == 1 else f"{key}#{seen[key]}")
    return out


def gather(rows: Sequence[Mapping[str, Any]]) -> Facts:
    """Facts of rows ``{name: value}`` as columns: blank ones None, ``age`` in years as ``age_band``; names sorted."""
    names = sorted({name for row in rows for name in row})
    facts: Facts = {}
    for name in names:
        values = [_word(row.get(name)) for row in rows]
        if name == "age" and "age_band" not in names:
            bands = age_bands([_years(v) for v in values])
            facts["age_band"] = [bands.names[code] or None for code in bands.codes]
        elif any(v is not None for v in values):
            facts[name] = values
    return facts


def _word(value: Any) -> str | None:
    """A short value as text; what is long or made of parts is no fact."""
    if value is None or isinstance(value, dict | list):
        return None
    text = " ".join(plain(str(value)).split())
    return text if 0 < len(text) <= _MOST_WORD and text != "nan" else None


def _years(value: str | None) -> float:
    """Years of "73", "73.0", "073Y"; NaN where it is none."""
    try:
        return float((value or "nan").upper().removesuffix("Y"))
    except ValueError:
        return float("nan")


def split_names(split: str) -> tuple[str, ...]:
    """What the split may be called, lower-cased."""
    return SYNONYMS.get(split.lower(), (split.lower(),))


def matches(value: str | None, split: str) -> bool:
    """Whether a table's or a folder's word means ``split``."""
    return value is not None and value.strip().lower() in split_names(split)
