"""Whether a GPU in bfloat16 orders pairs as a CPU in float32 does: the same trained model, the same records."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from filters.task import Pool, ScoreTask

_CPU_BATCH = 64


def measure(folder: Path, pool: Pool, device: str, batch: int) -> dict[str, Any]:
    """Spearman's rank correlation of the two scores and their greatest difference."""
    began = time.perf_counter()
    exact = _scores(ScoreTask(pool, {"s": str(folder)}, _CPU_BATCH, "cpu", {"s": {"precision": "f32"}}))
    seconds = time.perf_counter() - began
    fast = _scores(ScoreTask(pool, {"s": str(folder)}, batch, device, {"s": {"precision": "bf16"}}))
    return {
        "pairs": len(exact),
        "spearman": spearman(exact, fast),
        "apart": float(np.abs(exact - fast).max()),
        "spread of scores": float(exact.std()),
        "CPU s": seconds,
    }


def _scores(task: ScoreTask) -> NDArray[np.float32]:
    tables = [task.run(i) for i in range(task.pool.partitions)]
    return np.concatenate([table["s"].to_numpy() for table in tables])


def spearman(left: NDArray[np.float32], right: NDArray[np.float32]) -> float:
    """Of values without ties to speak of."""
    ranks = [np.argsort(np.argsort(values, kind="stable"), kind="stable") for values in (left, right)]
    return float(np.corrcoef(*ranks)[0, 1])
