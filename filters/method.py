"""What every filter is: trained or loaded, a folder, then a function of a batch to named score columns.

A method is a module of `filters.methods` with ``Rules`` (a frozen dataclass of plain values), ``train`` (a
`TrainingSet` to a folder) and ``load`` (a folder to a `Method`). Its folder holds safetensors and ``card.json``: what
it was trained on and how, its metrics, its calibration. A score depends on the record and the folder alone.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, is_dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol, get_type_hints

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from curate.errors import RecipeError
from filters import data

Progress = Callable[[int, int, dict[str, float]], None]
Scores = dict[str, NDArray[np.float32]]

# the recipe's word for a method -> its module; imported only where it is used
METHODS: Mapping[str, str] = {
    "clip": "filters.methods.towers",
    "dfn": "filters.methods.towers",
    "eva": "filters.methods.towers",
    "siglip": "filters.methods.towers",
    "siglip2": "filters.methods.towers",
    "binary": "filters.methods.binary",
    "blip": "filters.methods.blip",
    "blip2": "filters.methods.blip2",
    "medclip": "filters.methods.medclip",
    "text_quality": "filters.methods.text_quality",
    "image_quality": "filters.methods.image_quality",
    "ours": "filters.methods.ours",
}
_PACKAGES = ("torch", "open_clip_torch", "transformers", "tokenizers", "opencv-python-headless")


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

    def sorted(self) -> Records:
        """By key: training must not depend on the order in which records came."""
        return self.take(sorted(range(len(self)), key=self.keys.__getitem__))

    def _columns(self) -> tuple[list[Any], ...]:
        return self.keys, self.images, self.texts, self.groups


NO_RECORDS = Records([], [], [], [])


@dataclass(frozen=True, eq=False)
class TrainingSet:
    """``clean``: pairs believed right. ``pool``: unlabelled pairs of the same archive, never of evaluation splits."""

    clean: Records
    pool: Records = NO_RECORDS

    def sha256(self) -> str:
        """A digest of all pairs, whatever their order."""
        total = hashlib.sha256()
        for records in (self.clean, self.pool):
            rows = zip(records.images, records.texts, records.groups, strict=True)
            total.update(hashlib.sha256(b"".join(sorted(data.digest(*row) for row in rows))).digest())
        return total.hexdigest()


@dataclass(frozen=True, eq=False)
class Batch:
    """n pairs ready for the models. ``images``: uint8[n, side, side, c] by side, letterboxed, c 1 (grey) or 3 (RGB);
    ``native``: uint8[h, w, c] of their own aspect where a method asks; ``valid`` bool[n]: the image decoded."""

    images: dict[int, data.Pixels]
    texts: list[str]
    valid: NDArray[np.bool_]
    native: list[data.Pixels | None] | None = None

    def pixels(self, side: int) -> torch.Tensor:
        """uint8[n, c, side, side]; an image that did not decode is black."""
        return torch.from_numpy(self.images[side]).permute(0, 3, 1, 2)


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
    """The module of a method; RecipeError where there is none of that name."""
    if method not in METHODS:
        raise RecipeError("filters", f"there is no method {method!r}", ", ".join(METHODS))
    return importlib.import_module(METHODS[method])


def load_method(folder: Path, device: str = "auto") -> Method:
    """The filter in ``folder``, whatever its method; RecipeError, naming folder and file, where it cannot be read."""
    try:
        loaded: Method = module_of(method_of(read_card(folder))).load(folder, device)
    except RecipeError as error:
        said = error.problem if str(folder) in f"{error.field} {error.problem}" else f"{error.problem} (in {folder})"
        raise RecipeError(error.field, said, error.fix or "train the filter again") from None
    return loaded


def make_rules(method: str, given: Mapping[str, Any]) -> Any:
    """The method's ``Rules`` from flat fields of a recipe, over its presets; fields of nested rules are named without
    their path. ValueError names a field that is unknown or of a wrong type."""
    module = module_of(method)
    presets = getattr(module, "PRESETS", {}).get(method, {})
    return fill_rules(method, module.Rules, {**presets, **given})


def fill_rules(name: str, rules: type, given: Mapping[str, Any]) -> Any:
    """A dataclass of rules from flat fields, as `make_rules` does; ``name`` is what errors call it."""
    known = field_names(rules)
    if unknown := sorted(set(given) - set(known)):
        raise ValueError(f"{name} has no field '{unknown[0]}'; the fields are {', '.join(known)}")
    return _filled(rules, given)


def field_names(rules: type) -> list[str]:
    """Every flat field of a dataclass of rules, nested ones opened."""
    found: list[str] = []
    for part in fields(rules):
        inner: Any = part.default_factory
        found += field_names(inner) if isinstance(inner, type) and is_dataclass(inner) else [part.name]
    return found


def _filled(rules: type, given: Mapping[str, Any]) -> Any:
    values: dict[str, Any] = {}
    hints = get_type_hints(rules)
    for part in fields(rules):
        inner: Any = part.default_factory
        if isinstance(inner, type) and is_dataclass(inner):
            values[part.name] = _filled(inner, given)
        elif part.name in given:
            try:
                values[part.name] = TypeAdapter(hints[part.name]).validate_python(given[part.name])
            except ValidationError as error:
                raise ValueError(f"{part.name}: {error.errors()[0]['msg']}") from None
    return rules(**values)


def method_of(card: Mapping[str, Any]) -> str:
    """The method a card names; cards of plain towers written before there were methods are "dfn"."""
    return str(card.get("method", "dfn"))


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
        "rules": asdict(rules),
        "data": {"sha256": trained_on.sha256(), "pairs": len(trained_on.clean), "pool": len(trained_on.pool)},
        "metrics": {k: v if math.isfinite(v) else None for k, v in metrics.items()},
        "versions": {name: version(name) for name in _PACKAGES},
        **more,
    }
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder, card)


def add_to_card(folder: Path, **more: Any) -> None:
    """Write ``more`` on the card in ``folder``, beside what it says."""
    _write(folder, {**read_card(folder), **more})


def _write(folder: Path, card: Mapping[str, Any]) -> None:
    text = json.dumps(card, indent=1, sort_keys=True, allow_nan=False) + "\n"
    (folder / "card.json").write_text(text, "utf-8")


@contextmanager
def determinism(seed: int, threads: int) -> Iterator[None]:
    """Torch's global state set for a repeatable training, and put back."""
    before = (
        torch.get_num_threads(),
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # a debugging aid that costs 7 % here
        try:
            yield
        finally:
            torch.set_num_threads(before[0])
            torch.use_deterministic_algorithms(before[1], warn_only=before[2])
