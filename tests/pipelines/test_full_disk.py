"""A disk that is really full: a run that meets it at any point says so, and goes on where there is room again."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from curate.engine import Engine
from curate.engine.guard import withheld
from curate.errors import RunError
from pipelines.build import Pipeline
from pipelines.recipe.load import load_recipe
from pipelines.run.check import save_recipe
from pipelines.run.execute import run_pipeline
from pipelines.upkeep.verify import verify_run
from tests.pipelines.archive import fingerprint, make_archive, recipe_for

pytestmark = pytest.mark.slow
PLAIN = {"filters": {"text_quality": {}}, "select": {"by": "text_quality", "keep": 0.5}, "truth": None}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 32 MB of its own."""
    image, mounted = tmp_path / "disk.img", tmp_path / "disk"
    mounted.mkdir()
    with image.open("wb") as file:
        file.truncate(32 << 20)
    commands = (["mkfs.ext4", "-q", "-m", "0", image], ["mount", "-o", "loop", image, mounted])
    if not shutil.which("mkfs.ext4") or any(
        subprocess.run(c, capture_output=True, check=False).returncode for c in commands
    ):
        pytest.skip("needs root, ext4 and loop devices")
    try:
        yield mounted
    finally:
        subprocess.run(["umount", mounted], check=True)


def test_a_full_disk_stops_a_run_which_goes_on_when_there_is_room(
    small_disk: Path, inline_engine: Engine, tmp_path: Path, secret_file: Path
) -> None:
    archive = make_archive(tmp_path / "a", 24, side=64)
    seed = int(os.environ.get("RADSIFT_SEED", random.randrange(2**32)))
    chance, times = random.Random(seed), int(os.environ.get("RADSIFT_TIMES", 12))

    def run(out: Path) -> Pipeline:
        written = recipe_for(archive, tmp_path / "run", secret_file, **PLAIN)
        recipe = load_recipe(written, [f"out={out}"])
        save_recipe(recipe)
        return run_pipeline(recipe, inline_engine, lambda *_: None)[0]

    pipeline = run(tmp_path / "run")
    want = fingerprint(tmp_path / "run")
    needed = sum(-(-p.stat().st_size // 4096) * 4096 for p in (tmp_path / "run").rglob("*") if p.is_file())
    stopped = []
    for turn in range(times):
        out, ballast = small_disk / f"run-{turn}", small_disk / "ballast"
        room = chance.randrange(8192, needed)
        _fill(ballast, room)
        try:
            run(out)
        except (OSError, RunError) as error:
            told = error if isinstance(error, RunError) else withheld(error)
            assert "no room" in str(told), f"seed {seed}: {told}"
            steps = [p.name.rpartition("-")[0] for p in (out / "steps").glob("*")]
            stopped.append(max(steps, key=[s.name for s in pipeline.steps()].index) if steps else "before")
        ballast.unlink()
        run(out)
        assert fingerprint(out) == want, f"seed {seed}"
        assert not verify_run(out, pipeline.secret.pseudonymizer()).damaged, f"seed {seed}"
        shutil.rmtree(out)
    print(f"seed {seed}: of {times} runs stopped in {stopped}")
    assert stopped


def _fill(ballast: Path, room: int) -> None:
    """Fill the disk up to so many bytes."""
    with ballast.open("wb") as file:
        state = os.statvfs(ballast.parent)
        os.posix_fallocate(file.fileno(), 0, state.f_bavail * state.f_frsize - room)
