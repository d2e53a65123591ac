"""A compiled training is the same training: the same losses, weights of the same names."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from filters.rules import ModelRules, TrainingRules
from filters.towers.model import load_filter
from filters.training.curve import read_curve
from filters.training.job import TrainingJob, run_job
from tests.filters.training.shards import write_films


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch compiles for the CPU with a C++ compiler")
def test_compiled_towers_learn_the_same(tmp_path: Path, small_arch: str) -> None:
    write_films(tmp_path / "shards", 64)
    rules = TrainingRules(model=ModelRules(small_arch), batch=16, samples=64, threads=1, vocab=300)
    for name, fast in (("plain", False), ("compiled", True)):
        run_job(TrainingJob(str(tmp_path / "shards"), str(tmp_path / name), replace(rules, compile=fast), window=1))
    plain, compiled = ([row["loss"] for row in read_curve(tmp_path / n)] for n in ("plain", "compiled"))
    assert len(compiled) == 4 and np.abs(np.array(plain) - compiled).max() < 1e-3
    weights = [load_file(tmp_path / n / "model" / "model.safetensors") for n in ("plain", "compiled")]
    assert weights[0].keys() == weights[1].keys()
    assert load_filter(tmp_path / "compiled" / "model", "cpu").encode_texts(["No effusion."]).shape == (1, 64)
