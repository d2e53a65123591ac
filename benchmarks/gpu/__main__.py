"""The figures of one GPU as JSON, part by part, with the card's name; see `benchmarks/gpu.sh`.

    sh benchmarks/gpu.sh [--cpu] [--parts scoring training parity kmeans detector] [--out FILE] [--work FOLDER]

On a GPU each part is a process of its own with a limit of time, so that one that fails leaves the others' figures;
what it said last is in its place. With --cpu everything runs in this process, in tiny: that the script works.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.gpu.roof import gemm_peak, name_of
from benchmarks.gpu.sizes import FULL, TINY, Size, tiny_arch
from benchmarks.peaks import peak as data_sheet

_CORES = os.cpu_count() or 1
_LIMIT = {"scoring": 200, "training": 170, "parity": 60, "kmeans": 60, "detector": 40}  # s; 530 in all


def scoring(size: Size, device: str, work: Path, peak: float) -> list[dict[str, Any]]:
    """(a) Each architecture through the score step, bf16, compiled on a GPU."""
    from benchmarks.gpu.scoring import measure, write_pool

    pool = write_pool(work / "scoring", size.records, size.partitions, size.side, size.drawers)
    how = {"precision": "bf16", "compile": device != "cpu"}
    return [
        measure(arch, pool, work / f"filter-{i}", device, n, size.workers, size.seconds, peak, **how)
        for i, (arch, n) in enumerate(size.score.items())
    ]


def training(size: Size, device: str, work: Path, peak: float) -> dict[str, Any]:
    """(b) Steps of CLIP and SigLIP through the trainer, and a job that is stopped and gone on with."""
    from benchmarks.gpu.training import measure, resumed
    from benchmarks.training.loader import film_shards
    from filters.rules import ModelRules, TrainingRules

    def rules(arch: str, batch: int, steps: int, **more: Any) -> TrainingRules:
        bf16 = "bf16" if device != "cpu" else "float32"
        return TrainingRules(ModelRules(arch), batch=batch, samples=batch * steps, precision=bf16, vocab=1000, **more)

    shards = film_shards(work, size.records, "jpeg", size.drawers)
    compiled = device != "cpu"
    steps = [
        measure(
            shards,
            rules(arch, n, size.steps, objective=objective, compile=compiled),
            0 if device == "cpu" else size.workers,
            device,
            peak,
            max(1, size.steps // 6),
        )
        for arch, n in size.train.items()
        for objective in ("clip", "siglip")
    ]
    arch, n = next(iter(size.train.items()))
    again = rules(arch, n, size.resume, lr=3e-4)
    return {"steps": steps, "resume": resumed(shards, work / "job", again, 0 if device == "cpu" else 8, device)}


def parity(size: Size, device: str, work: Path, peak: float) -> dict[str, Any]:
    """(c) The model that `training` left, float32 on the CPU against bfloat16 on the GPU."""
    from benchmarks.gpu.parity import measure
    from benchmarks.gpu.scoring import write_pool

    pool = write_pool(work / "parity", size.parity, 1, size.side, size.drawers)
    return measure(work / "job" / "whole" / "model", pool, device, max(size.score.values()))


def kmeans(size: Size, device: str, work: Path, peak: float) -> dict[str, Any]:
    """(d) The clustering of semantic dedup."""
    from benchmarks.gpu.kmeans import measure

    return measure(device, *size.kmeans)


def detector(size: Size, device: str, work: Path, peak: float) -> dict[str, Any]:
    """(e) The detector of text in pixels."""
    from benchmarks.gpu.detector import measure

    return measure(*size.detector)


PARTS: dict[str, Callable[[Size, str, Path, float], Any]] = {
    "scoring": scoring,
    "training": training,
    "parity": parity,
    "kmeans": kmeans,
    "detector": detector,
}


def run(parts: Sequence[str], cpu: bool, work: Path) -> dict[str, Any]:
    """The figures of ``parts`` in this process."""
    device = "cpu" if cpu else "cuda"
    size = TINY if cpu else FULL
    if cpu:
        size = size.of(tiny_arch(work))
        torch.set_num_threads(1)
    peak = gemm_peak(device, size.gemm)
    found: dict[str, Any] = {"device": name_of(device), "torch": torch.__version__, "cores": _CORES}
    sheet = data_sheet(found["device"])
    found |= {"GEMM peak, TFLOP/s": peak / 1e12, "data sheet, TFLOP/s": None if sheet is None else sheet / 1e12}
    for part in parts:
        began = time.perf_counter()
        found[part] = {"figures": PARTS[part](size, device, work, peak), "s": time.perf_counter() - began}
    return found


def apart(parts: Sequence[str], work: Path, write: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """The same, each part a process of its own; ``write`` is called with what there is so far."""
    found: dict[str, Any] = {}
    for part in parts:
        told = work / f"{part}.json"
        command = [sys.executable, "-m", "benchmarks.gpu", "--here", "--parts", part, "--work", str(work)]
        try:
            done = subprocess.run(
                [*command, "--out", str(told)], timeout=_LIMIT[part], capture_output=True, text=True, check=False
            )
            said = done.stderr.strip().splitlines()[-3:] if done.returncode else []
        except subprocess.TimeoutExpired:
            said = [f"not done in {_LIMIT[part]} s"]
        found |= {part: {"failed": said}} if said else json.loads(told.read_text("utf-8"))
        write(found)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures as JSON; 1 where a part failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cpu", action="store_true", help="everything in tiny, without a GPU")
    parser.add_argument("--parts", nargs="*", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--out", type=Path, help="write the figures here, too")
    parser.add_argument("--work", type=Path, help="for shards and models; a folder that goes with the run, if none")
    parser.add_argument("--here", action="store_true", help="in this process")
    options = parser.parse_args(arguments)
    if not options.cpu and not torch.cuda.is_available():
        print("torch sees no GPU here: nothing is measured; --cpu tries the script in tiny", file=sys.stderr)
        return 1
    logging.getLogger().setLevel(logging.ERROR)  # open_clip's news of random weights

    def write(found: dict[str, Any]) -> None:
        if options.out is not None:
            options.out.write_text(json.dumps(found, indent=1) + "\n", "utf-8")

    with tempfile.TemporaryDirectory() as folder:
        work = options.work or Path(folder)
        work.mkdir(parents=True, exist_ok=True)
        here = options.cpu or options.here
        found = run(options.parts, options.cpu, work) if here else apart(options.parts, work, write)
        write(found)
    print(json.dumps(found, indent=1))
    return int(any(isinstance(part, dict) and "failed" in part for part in found.values()))


if __name__ == "__main__":
    sys.exit(main())
