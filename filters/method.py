"""What every filter is: trained or loaded, a folder, then a function of a batch to named score columns.

A method is a module of `filters.methods` with ``train`` (a `TrainingSet` to a folder, by its rules of
`filters.registry`) and ``load`` (a folder to a `Method`). Its folder holds safetensors and ``card.json``: what
it was trained on and how, its metrics, its calibration. A score depends on the record and the folder alone. Torch
comes in with the methods: not here, where cards are read.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError

from curate.errors import RecipeError, RunError
from filters.registry import TowersRules, registered

if TYPE_CHECKING:
    import torch

    from filters.towers import preprocess

ON_CARD = "planted_auroc_"  # and a fault: on a card, the AUROC of right pairs against it, planted in unseen ones
LEFT_OUT = "left_out"  # on a card: the parts of a mixture that had nothing to learn from, and why
UNCALIBRATED = "uncalibrated"  # on a card: why the filter's probability is none to cut by; null where it is one

WEIGHTS = ("checkpoint", "captioner", "encoder", "reference", "teacher")  # fields of rules that are paths of weights

Progress = Callable[[int, int, dict[str, float]], None]
Scores = dict[str, NDArray[np.float32]]

_PACKAGES = ("torch", "open_clip_torch", "transformers", "tokenizers", "opencv-python-headless")


class NothingToLearn(RunError):
    """There are pairs enough, and nothing in them that the method reads: texts of another language, say."""


@dataclass(frozen=True, eq=False)
class Records:
    """Parallel lists, a row a pair: ``images`` encoded PNG or JPEG bytes, ``groups`` the patients."""

    keys: list[str]
    images: list[bytes]
    texts: list[str]
    groups: list[str]

    def __len__(self) -> int:
        return len(self.keys)

    def take(self, index: Sequence[int] | NDArray[Any]) -> Records:
        """The rows ``index``, in its order."""
        chosen = [int(i) for i in index]
        return Records(*([column[i] for i in chosen] for column in self._columns()))

    def at_most(self, n: int) -> Records:
        """``n`` of them, or all if there are no more: those whose keys have the lowest digests, by key."""
        drawn = sorted(range(len(self)), key=lambda i: hashlib.sha256(self.keys[i].encode()).digest())
        return self.take(sorted(drawn[:n], key=self.keys.__getitem__))

    def sorted(self) -> Records:
        """By key: training must not depend on the order in which records came."""
        return self.take(sorted(range(len(self)), key=self.keys.__getitem__))

    def _columns(self) -> tuple[list[Any], ...]:
        return self.keys, self.images, self.texts, self.groups


NO_RECORDS = Records([], [], [], [])


def pair_digest(image: bytes, text: str, group: str) -> bytes:
    """SHA-256 of one pair, each part length-prefixed: the order of training and the data hash are made of these."""
    parts = (image, text.encode("utf-8", "surrogatepass"), group.encode("utf-8", "surrogatepass"))
    return hashlib.sha256(b"".join(len(p).to_bytes(8, "big") + p for p in parts)).digest()


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """``clean``: pairs taken for right. ``pool``: unlabelled pairs of the same archive, never of evaluation splits.
    ``declared``: somebody said that the clean pairs are right; else they are those of the pool that look best."""

    clean: Records
    pool: Records = NO_RECORDS
    declared: bool = True

    def sha256(self) -> str:
        """A digest of all pairs, whatever their order."""
        total = hashlib.sha256()
        for records in (self.clean, self.pool):
            rows = zip(records.images, records.texts, records.groups, strict=True)
            total.update(hashlib.sha256(b"".join(sorted(pair_digest(*row) for row in rows))).digest())
        return total.hexdigest()


@dataclass(frozen=True, eq=False)
class Batch:
    """n pairs ready for the models. ``images``: uint8[n, side, side, c] by side, letterboxed, c 1 (grey) or 3 (RGB);
    ``native``: uint8[h, w, c] of their own aspect where a method asks; ``valid`` bool[n]: the image decoded;
    ``rows``: how many the run's full batches have, 0 where that is not known; ``whose``: each pair's key and patient,
    None where nobody knows."""

    images: dict[int, preprocess.Pixels]
    texts: list[str]
    valid: NDArray[np.bool_]
    native: list[preprocess.Pixels | None] | None = None
    rows: int = 0
    whose: list[tuple[str, str]] | None = None

    def take(self, rows: NDArray[np.int64], texts: list[str] | None = None) -> Batch:
        """The pairs ``rows``, with other ``texts`` where they are given."""
        images = {side: pixels[rows] for side, pixels in self.images.items()}
        native = None if self.native is None else [self.native[i] for i in rows]
        whose = None if self.whose is None else [self.whose[i] for i in rows]
        own = [self.texts[i] for i in rows] if texts is None else texts
        return Batch(images, own, self.valid[rows], native, self.rows, whose)

    def pixels(self, side: int) -> torch.Tensor:
        """uint8[n, c, side, side]; an image that did not decode is black."""
        import torch  # where a model reads them

        writable = np.require(self.images[side], requirements="W")  # what Ray's object store holds is not
        return torch.from_numpy(writable).permute(0, 3, 1, 2)


def of_valid(batch: Batch, columns: Sequence[str], score: Callable[[Batch], NDArray[Any]]) -> Scores:
    """float32[n] a column: what ``score`` says, float[k, columns], of the k pairs whose image decoded, else NaN."""
    out, rows = np.full((len(batch.texts), len(columns)), np.nan, np.float32), np.flatnonzero(batch.valid)
    if len(rows):
        out[rows] = score(batch.take(rows))
    return {name: out[:, k] for k, name in enumerate(columns)}


class Method(Protocol):
    """A filter loaded once a process and called with batches. Of every column, higher is more likely a right pair.

    ``columns[0]`` is "", the score itself; others are suffixes. ``sides`` are the image sides it reads, none for a
    filter of texts alone. Values are float32[n], NaN exactly where the method cannot say (no decodable image).
    """

    sides: tuple[int, ...]
    native: bool
    columns: tuple[str, ...]

    def __call__(self, batch: Batch) -> Scores: ...


def module_of(method: str) -> Any:
    """The module of a method, imported when first asked for; RecipeError where there is none of that name."""
    return importlib.import_module(registered(method).module)


def load_method(folder: Path, device: str = "auto", scoring: Mapping[str, Any] | None = None) -> Method:
    """The filter in ``folder``, whatever its method, scoring as its card says but for ``scoring``
    (`filters.registry.SCORING`); RecipeError, naming folder and file, where it cannot be read."""
    try:
        method = method_of(read_card(folder))
        if scoring and registered(method).rules is not TowersRules:
            raise RecipeError(next(iter(scoring)), f"a {method} filter has no such choice", "leave it out")
        loaded: Method = module_of(method).load(folder, device, **(scoring or {}))
    except RecipeError as error:
        problem = error.problem if str(folder) in f"{error.field} {error.problem}" else f"{error.problem} (in {folder})"
        raise RecipeError(error.field, problem, error.fix or "train the filter again") from None
    return loaded


def method_of(card: Mapping[str, Any]) -> str:
    """The method a card names; that of plain towers, which are trained by themselves, is "dfn"."""
    return str(card.get("method", "dfn"))


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """RecipeError, in place of what is raised meanwhile, where ``path`` is missing, damaged, or no filter's."""
    try:
        yield
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        problem = f"cannot be read ({type(error).__name__})"
        raise RecipeError(str(path), problem, "train the filter again") from None


def read_card(folder: Path) -> dict[str, Any]:
    """card.json of a filter's folder; RecipeError where there is none or it is damaged."""
    try:
        card = json.loads((folder / "card.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        problem = f"{folder} is not a filter folder (card.json: {type(error).__name__})"
        raise RecipeError("filter", problem, "a folder `curate train-filter` wrote") from None
    if not isinstance(card, dict):
        raise RecipeError("filter", f"{folder}/card.json is no object", "a folder `curate train-filter` wrote")
    return card


def write_card(
    folder: Path, method: str, rules: Any, trained_on: TrainingSet, metrics: Mapping[str, float], **more: Any
) -> None:
    """card.json of a trained filter. No path and no time: the same filter has the same card wherever it was trained."""
    card = {
        "format": 1,
        "method": method,
        "rules": public_rules(rules),
        "data": {"sha256": trained_on.sha256(), "pairs": len(trained_on.clean), "pool": len(trained_on.pool)},
        "metrics": {k: v if math.isfinite(v) else None for k, v in metrics.items()},
        "versions": versions(),
        **more,
    }
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder, card)


def public_rules(rules: Any) -> dict[str, Any]:
    """``rules`` as a card says them: what a training begins with (`WEIGHTS`) by its hash, for a path may name a place
    or a person."""
    return dict(_without_paths(asdict(rules)))


def _without_paths(value: Any, name: str = "") -> Any:
    if isinstance(value, Mapping):
        return {k: _without_paths(v, k) for k, v in value.items()}
    if name in WEIGHTS and isinstance(value, str):
        return checkpoint_hash(value)
    return Path(value).stem if name == "arch" and str(value).endswith(".json") else value


def versions() -> dict[str, str]:
    """Of the packages that decide what a model computes."""
    return {name: version(name) for name in _PACKAGES}


def add_to_card(folder: Path, **more: Any) -> None:
    """Write ``more`` on the card in ``folder``, beside what it says."""
    _write(folder, {**read_card(folder), **more})


def _write(folder: Path, card: Mapping[str, Any]) -> None:
    text = json.dumps(card, indent=1, sort_keys=True, allow_nan=False) + "\n"
    (folder / "card.json").write_text(text, "utf-8")


def filter_hash(folder: Path) -> str:
    """SHA-256, 64 hex digits, over names and bytes of the files in and below the folder in the order of their names."""
    total = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        total.update(f"{path.relative_to(folder).as_posix()}\0{path.stat().st_size}\0".encode())
        with path.open("rb") as file:
            total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()


def checkpoint_hash(checkpoint: str | None) -> str | None:
    """SHA-256 of what training begins with, a filter's folder or a weights file; None where it begins at random."""
    if checkpoint is None:
        return None
    path = Path(checkpoint)
    if path.is_dir():
        return filter_hash(path)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
