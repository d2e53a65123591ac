"""`make bench` runs: the floor and the main job on a small archive."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.pipeline import measure_floor, measure_run
from curate.synth.archive import SynthConfig, write_archive


@pytest.mark.slow
def test_the_floor_and_the_job_take_the_same_archive(tmp_path: Path) -> None:
    write_archive(tmp_path / "archive", SynthConfig(studies=8, seed=11, side=128))
    (tmp_path / "secret").write_text("ab" * 32)
    floor, run = measure_floor(tmp_path), measure_run(tmp_path, "local", 1)
    assert floor["images"] > 4 and floor["images/s"] > 0
    assert run["what"] == "curate run, local, 1 worker" and run["images"] >= floor["images"] - 3
    assert (tmp_path / "local1blank" / "shards").is_dir()
