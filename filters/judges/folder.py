"""A fitted panel as files: arrays in ``judges.safetensors``, words and numbers in ``judges.json``."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
from safetensors.numpy import load as load_bytes
from safetensors.numpy import load_file, save_file
from safetensors.numpy import save as save_bytes

from filters.banks import JUDGES, digests, without_rows
from filters.judges.fit import FOLDS, Panel
from filters.judges.judges import Judges
from filters.method import reading

_ARRAYS, _VALUES = JUDGES, "judges.json"


def save(panel: Panel, folder: Path) -> None:
    """Write both files; equal panels give equal bytes."""
    arrays: dict[str, np.ndarray] = {}
    values: dict[str, Any] = {}
    _pack(panel, "", arrays, values)
    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: np.ascontiguousarray(a) for name, a in arrays.items()}, folder / _ARRAYS)
    (folder / _VALUES).write_text(json.dumps(values, sort_keys=True, indent=1) + "\n", "utf-8")


def load(folder: Path) -> Panel:
    """The panel in ``folder``; RecipeError where a file is missing, damaged or of other shapes."""
    with reading(folder / _ARRAYS):
        arrays = load_file(folder / _ARRAYS)
        panel: Panel = _unpack(Panel, "", arrays, json.loads((folder / _VALUES).read_text("utf-8")))
        _check(panel)
    return panel


def without_patients(data: bytes, keys: Collection[str], patients: Collection[str]) -> bytes:
    """`filters.banks.without_rows` of the arrays, without ``patients`` among those that taught judges. The judges are
    closed forms of their rows, and solved again from those that stay; spaces, stack and calibration are as before."""
    before, arrays = load_bytes(data), load_bytes(without_rows(data, keys))
    stay = ~np.isin(arrays["known"], digests(sorted(patients)))
    arrays["known"] = arrays["known"][stay]
    changed = [n for n in before if len(before[n]) != len(arrays[n])]
    for prefix in [n.removesuffix("answers") for n in changed if n.endswith(".answers")]:
        rows = (arrays[prefix + part] for part in ("images", "texts", "weights", "names"))
        arrays |= {prefix + n: np.ascontiguousarray(a) for n, a in asdict(Judges.of(*rows)).items()}
    return save_bytes(arrays) if changed else data


def _pack(value: Any, name: str, arrays: dict[str, np.ndarray], values: dict[str, Any]) -> None:
    if isinstance(value, np.ndarray):
        arrays[name] = value
    elif is_dataclass(value):
        for part in fields(value):
            _pack(getattr(value, part.name), f"{name}.{part.name}" if name else part.name, arrays, values)
    elif isinstance(value, tuple) and value and is_dataclass(value[0]):
        for i, one in enumerate(value):
            _pack(one, f"{name}.{i}", arrays, values)
    else:
        values[name] = list(value) if isinstance(value, tuple) else value


def _unpack(kind: type, name: str, arrays: dict[str, np.ndarray], values: dict[str, Any]) -> Any:
    found: dict[str, Any] = {}
    for part, hint in get_type_hints(kind).items():
        path = f"{name}.{part}" if name else part
        if path in arrays:
            found[part] = arrays[path]
        elif path in values:
            value = values[path]
            found[part] = tuple(value) if isinstance(value, list) else hint(value)
        elif hint == tuple[Judges, ...]:
            found[part] = tuple(_unpack(Judges, f"{path}.{i}", arrays, values) for i in range(FOLDS))
        else:
            found[part] = _unpack(hint, path, arrays, values)
    return kind(**found)


def _check(panel: Panel) -> None:
    """ValueError where arrays do not fit each other, or hold what is no number."""
    dim, width = panel.image_space.turn.shape[1], panel.memory.texts.shape[1]
    for judges in panel.judges:
        n = len(judges.images)
        if judges.images.shape != (n, dim) or judges.texts.shape != (n, width) or judges.answers.shape != (n, width):
            raise ValueError("judges of other shapes")
    arrays: dict[str, np.ndarray] = {}
    _pack(panel, "", arrays, {})
    if not all(np.isfinite(a).all() for a in arrays.values()):
        raise ValueError("not finite")
