"""A training's checkpoint: everything the next step depends on. Tensors and plain values, written whole."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import torch

from curate.errors import RunError
from curate.storage import commit_bytes

_NAME = "checkpoint.pt"
_BEFORE = "checkpoint-before.pt"  # the one before: should a disk lose the last


def write_state(folder: Path, state: dict[str, Any]) -> None:
    """Put ``state`` in place of the last, which is kept as the one before."""
    sink = io.BytesIO()
    torch.save(state, sink)
    last = folder / _NAME
    if last.exists():
        last.replace(folder / _BEFORE)
    commit_bytes(last, sink.getvalue())


def read_state(folder: Path, device: str) -> dict[str, Any] | None:
    """The newest checkpoint that is whole; None where there is none, RunError where all that there are are damaged."""
    found = [p for p in (folder / _NAME, folder / _BEFORE) if p.exists()]
    for path in found:
        try:
            state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
        except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, ValueError):
            continue
        return state
    if found:
        raise RunError(f"the checkpoints in {folder} are damaged; remove the folder to begin again")
    return None


def drop_state(folder: Path) -> None:
    """A finished training needs none."""
    for name in (_NAME, _BEFORE):
        (folder / name).unlink(missing_ok=True)
