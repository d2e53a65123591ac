"""What a gate makes of pictures, in a process of its own, so that another version of the project can be asked too.

python judge.py IN OUT      with PYTHONPATH at the tree whose `curate` is asked
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np


@dataclass(frozen=True)
class Judged:
    """``reason``: why the picture was kept back, "" if it was not; ``pixels`` as they would go out; ``painted``:
    bool[H, W]; ``seconds`` of CPU."""

    reason: str
    pixels: np.ndarray
    painted: np.ndarray
    seconds: float


def judged(pictures: Sequence[tuple[np.ndarray, str]], tree: Path, workers: int = 1) -> list[Judged]:
    """The gate of ``tree`` asked about (pixels, modality), policy "blank", by so many processes of one thread each."""
    if workers > 1:
        with ThreadPoolExecutor(workers) as pool:
            told = list(pool.map(lambda k: judged(pictures[k::workers], tree), range(workers)))
        return [told[k % workers][k // workers] for k in range(len(pictures))]
    if not pictures:
        return []
    with tempfile.TemporaryDirectory() as folder:
        asked, answered = Path(folder) / "in", Path(folder) / "out"
        asked.write_bytes(pickle.dumps(list(pictures)))
        one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "ORT_DISABLE_TELEMETRY"), "1")
        env = {**os.environ, **one, "PYTHONPATH": str(tree)}
        subprocess.run([sys.executable, str(Path(__file__)), str(asked), str(answered)], check=True, env=env, cwd=tree)
        answers = pickle.loads(answered.read_bytes())
    shapes = [pixels.shape[:2] for pixels, _ in pictures]
    return [
        Judged(reason, pixels, np.unpackbits(mask, count=h * w).reshape(h, w).astype(bool), seconds)
        for (reason, pixels, mask, seconds), (h, w) in zip(answers, shapes, strict=True)
    ]


def _answer(pixels: np.ndarray, modality: str) -> tuple[Any, ...]:
    from pydicom.dataset import Dataset

    from curate.deid.pixels import gate as room  # names as every tree has them
    from curate.deid.pixels import paint

    header = Dataset()
    header.Modality = modality if modality in ("CR", "CT", "DX", "MG", "MR", "US") else "OT"
    start = time.process_time()
    result = room.gate(pixels, header, room.PixelPolicy("blank"))
    seconds = time.process_time() - start
    mask = np.zeros(pixels.shape[:2], bool)
    for x, y, w, h in result.regions:
        if hasattr(paint, "_widened"):  # versions that widened what they named while they painted it
            x, y, right, down = paint._widened((x, y, w, h), 0.5, pixels.shape)
            w, h = right - x, down - y
        mask[max(0, y) : y + h, max(0, x) : x + w] = True
    return "" if result.reason is None else result.reason.value, result.pixels, np.packbits(mask), seconds


if __name__ == "__main__":
    cv2.setNumThreads(1)
    pairs = pickle.loads(Path(sys.argv[1]).read_bytes())
    Path(sys.argv[2]).write_bytes(pickle.dumps([_answer(*pair) for pair in pairs]))
