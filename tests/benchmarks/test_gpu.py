"""`benchmarks/gpu.sh` in tiny on the CPU: every part runs through the product, and the JSON says what it should."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.gpu.__main__ import PARTS
from benchmarks.gpu.kmeans import blobs, spherical_kmeans
from benchmarks.gpu.parity import spearman
from benchmarks.gpu.roof import gemm_peak

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_whole_script_in_tiny(tmp_path: Path) -> None:
    command = ["sh", "benchmarks/gpu.sh", "--cpu", "--out", str(tmp_path / "gpu.json")]
    told = {**os.environ, "PYTHON": sys.executable}
    done = subprocess.run(command, cwd=ROOT, env=told, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    said = json.loads((tmp_path / "gpu.json").read_text())
    assert json.loads(done.stdout) == said and said["device"] and said["GEMM peak, TFLOP/s"] > 0
    figures = {part: said[part]["figures"] for part in PARTS}
    (scored,) = figures["scoring"]
    assert scored["precision"] == "bf16" and 0 < scored["share waiting"] < 1 and 0 < scored["share of peak"] < 1
    assert min(scored[f"pairs/s{way}"] for way in ("", ", model alone", ", preparing alone")) > 0
    assert [s["objective"] for s in figures["training"]["steps"]] == ["clip", "siglip"]
    assert figures["training"]["resume"]["gone on with"] == 3 and figures["training"]["resume"]["weights apart"] == 0
    assert figures["parity"]["pairs"] == 24 and figures["parity"]["spearman"] > 0.9
    assert figures["kmeans"]["torch"]["cosine"] > 0.5 and figures["detector"]["CPU-s a picture"] > 0


def test_a_machine_without_a_gpu_is_told_so() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    command = [sys.executable, "-m", "benchmarks.gpu"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 1 and "no GPU" in done.stderr and done.stdout == ""


def test_k_means_finds_what_is_apart() -> None:
    rows = torch.nn.functional.normalize(torch.eye(4).repeat_interleave(25, 0) + 0.01 * blobs(100, 4, 4, "cpu"), dim=1)
    best = max((spherical_kmeans(rows, 4, 5, seed) for seed in range(8)), key=lambda found: _nearness(rows, *found))
    assert len({tuple(best[1][i * 25 : (i + 1) * 25].unique().tolist()) for i in range(4)}) == 4
    assert _nearness(rows, *best) > 0.999
    torch.testing.assert_close(best[0].norm(dim=1), torch.ones(4))


def _nearness(rows: torch.Tensor, centres: torch.Tensor, labels: torch.Tensor) -> float:
    return float((rows * centres[labels]).sum(1).mean())


def test_instruments() -> None:
    values = np.random.default_rng(0).random(50).astype(np.float32)
    assert spearman(values, np.exp(values)) == pytest.approx(1) and spearman(values, -values) == pytest.approx(-1)
    assert gemm_peak("cpu", 64, 2) > 0
