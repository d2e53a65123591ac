"""An evaluation set: images with texts, classes or both."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from curate.export.labels import age_bands

MAX_TEXT_BYTES = 1 << 20  # larger texts are left out
MAX_IMAGE_BYTES = 1 << 28  # larger encoded images are left out
_MAX_FACT_CHARS = 64  # longer values are texts and no facts
FACTS = ("modality", "body_part", "view", "laterality", "sex", "source")
SYNONYMS = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}  # names of splits in public sets
Facts = dict[str, list[str | None]]


@dataclass(frozen=True)
class Lazy:
    """An encoded image, read on demand: a set need not fit in memory."""

    read: Callable[[], bytes]

    def __call__(self) -> bytes:
        """The file's bytes; b"" if it cannot be read, which then does not decode."""
        try:
            return self.read()
        except OSError:
            return b""


@dataclass(frozen=True, eq=False)
class EvalSet:
    """n records, parallel lists.

    ``texts``: the captions of each record, () for none; ``groups``: patients, or the record's key if unknown
    (``known_patients`` False); ``labels``: indices into ``classes``, -1 for none; ``templates`` contain ``{c}`` for a
    class's name. ``hashes``: pixel_hash and phash from the data's own index, None if missing. ``skipped``: number of
    records left out, by reason.
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
        """Sorted by key, so that no result depends on the order in which records were read."""
        return self.take(sorted(range(len(self)), key=self.keys.__getitem__))


def set_of(
    name: str,
    keys: Sequence[str],
    images: Sequence[bytes],
    texts: Sequence[str],
    groups: Sequence[str],
    facts: Facts | None = None,
) -> EvalSet:
    """A set of encoded ``images`` in memory, each with a text ("": none), of the patients ``groups``."""
    lazy = [Lazy(partial(_same, image)) for image in images]
    return EvalSet(name, list(keys), lazy, [(t,) if t else () for t in texts], list(groups), facts or {})


def _same(image: bytes) -> bytes:
    return image


def file_image(path: Path) -> Lazy:
    """The image in the file ``path``."""
    return Lazy(partial(_of_file, path))


def _of_file(path: Path) -> bytes:
    return path.read_bytes() if path.stat().st_size <= MAX_IMAGE_BYTES else b""


def inside(folder: Path, name: str) -> Path | None:
    """The file ``name`` below ``folder``; None if there is none or it lies outside of the folder."""
    if not name or "\0" in name:
        return None
    try:
        path, root = (folder / name).resolve(), folder.resolve()
        return path if path.is_relative_to(root) and path.is_file() else None
    except (OSError, RuntimeError):
        return None


def plain(text: str) -> str:
    """``text`` with "?" for lone surrogates, which file names and JSON may contain and tokenizers reject."""
    return text.encode("utf-8", "replace").decode("utf-8")


def unique(keys: list[str]) -> list[str]:
    """``keys`` made unique by a number after repeated ones: shards written separately may share keys."""
    counts: Counter[str] = Counter()
    out = []
    for key in map(plain, keys):
        counts[key] += 1
        out.append(key if counts[key] == 1 else f"{key}#{counts[key]}")
    return out


def gather(rows: Sequence[Mapping[str, Any]]) -> Facts:
    """Facts of rows ``{name: value}`` as columns, sorted by name: blanks become None, ``age`` in years ``age_band``."""
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
    """A short value as text; None for long or nested ones, which are no facts."""
    if value is None or isinstance(value, dict | list):
        return None
    text = " ".join(plain(str(value)).split())
    return text if 0 < len(text) <= _MAX_FACT_CHARS and text != "nan" else None


def _years(value: str | None) -> float:
    """Years of "73", "73.0", "073Y"; NaN for anything else."""
    try:
        return float((value or "nan").upper().removesuffix("Y"))
    except ValueError:
        return float("nan")


def split_names(split: str) -> tuple[str, ...]:
    """The names that the split may have, in lower case."""
    return SYNONYMS.get(split.lower(), (split.lower(),))


def matches(value: str | None, split: str) -> bool:
    """Does the name of a folder or the value of a column mean ``split``?"""
    return value is not None and value.strip().lower() in split_names(split)
