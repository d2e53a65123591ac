"""A training's checkpoint: everything that the next step depends on. Tensors and plain values, written atomically."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import torch

from curate.errors import RunError
from curate.storage import commit_bytes

_NAME = "checkpoint.pt"
_PREVIOUS = "checkpoint-before.pt"  # the previous one, in case the last one is damaged


def write_state(folder: Path, state: dict[str, Any]) -> None:
    """Write ``state`` as the last checkpoint; the former one is kept as the previous."""
    sink = io.BytesIO()
    torch.save(state, sink)
    last = folder / _NAME
    if last.exists():
        last.replace(folder / _PREVIOUS)
    commit_bytes(last, sink.getvalue())


def read_state(folder: Path, device: str) -> dict[str, Any] | None:
    """The newest intact checkpoint; None if there is none, RunError if all are damaged."""
    existing = [p for p in (folder / _NAME, folder / _PREVIOUS) if p.exists()]
    for path in existing:
        try:
            state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
        except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, ValueError):
            continue
        return state
    if existing:
        raise RunError(f"the checkpoints in {folder} are damaged; remove the folder to begin again")
    return None


def drop_state(folder: Path) -> None:
    """Remove the checkpoints of a finished training."""
    for name in (_NAME, _PREVIOUS):
        (folder / name).unlink(missing_ok=True)
