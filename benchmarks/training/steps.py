"""Does a training wait for its data? The share of its time in which it did, with two loader workers, on the CPU."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.training.loader import film_shards
from filters.rules import ModelRules, TrainingRules
from filters.training.curve import read_curve
from filters.training.job import TrainingJob, run_job

WORKERS = 2
# architecture, pairs a step, steps, steps a window of the curve: a large model takes seconds a step
_CASES = (("radsift-tiny", 64, 40, 5), ("ViT-B-32", 8, 6, 2))


def measure(work: Path, records: int = 2048, cases: tuple[tuple[str, int, int, int], ...] = _CASES) -> dict[str, Any]:
    """architecture -> mean share of waiting after the first window, in which workers start, and pairs/s."""
    folder, found = film_shards(work, records), {}
    for arch, batch, steps, window in cases:
        out = work / f"steps-{Path(arch).stem}"
        shutil.rmtree(out, ignore_errors=True)
        rules = TrainingRules(model=ModelRules(arch), batch=batch, samples=batch * steps, threads=1)
        run_job(TrainingJob(str(folder), str(out), rules, workers=WORKERS, device="cpu", window=window))
        rows = read_curve(out)[1:]
        found[arch] = {k: float(np.mean([row[k] for row in rows])) for k in ("waiting", "pairs/s")} | {"batch": batch}
        shutil.rmtree(out)
    return found
