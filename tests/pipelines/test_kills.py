"""kill -9 before any write of a run, again and again: what comes of it is an undisturbed run's, byte by byte."""

from __future__ import annotations

import multiprocessing
import os
import random
import re
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from pipelines.recipe.load import load_recipe
from pipelines.run.check import save_recipe
from pipelines.run.execute import run_pipeline
from pipelines.upkeep.verify import verify_run
from tests.inline import InlineEngine
from tests.pipelines.archive import fingerprint, make_archive, recipe_for

PLAIN = {"filters": {"text_quality": {}}, "select": {"by": "text_quality", "keep": 0.5}, "truth": None}
WRITES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree")


def live(recipe: Path, out: Path, fatal: int, told: Path) -> None:
    """Run ``recipe``, and die before the ``fatal``-th time that Python writes, renames or removes below ``out``, if it
    comes; ``told``: is given a line that says where, or of a life that ended well how often that was."""
    writes = 0

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal writes
        if event not in WRITES and not (event == "open" and isinstance(arguments[2], int) and arguments[2] & 0o3):
            return
        if str(arguments[0]).startswith(f"{out}/"):
            writes += 1
            if writes == fatal:
                folder = str(arguments[0])[len(str(out)) + 1 :].split("/")[:2]
                told.write_text(re.sub("-[0-9a-f]{16}$", "", "/".join(folder[: 2 if folder[0] == "steps" else 1])))
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    read = load_recipe(recipe)
    save_recipe(read)
    run_pipeline(read, InlineEngine(), lambda *_: None)
    told.write_text(str(writes))


@pytest.mark.slow  # 100 processes that die, and the runs they come to
@pytest.mark.timeout(3600)
def test_kills_at_random_writes_lose_nothing(tmp_path: Path, secret_file: Path) -> None:
    kills = int(os.environ.get("RADSIFT_KILLS", "100"))
    seed = int(os.environ.get("RADSIFT_SEED", random.randrange(2**32)))
    print(f"seed {seed}")
    chance, told = random.Random(seed), tmp_path / "told"
    archive = make_archive(tmp_path / "a", 24, side=64)
    context = multiprocessing.get_context("forkserver")  # what a life imports is imported once
    context.set_forkserver_preload([__name__])

    def lived(out: Path, fatal: int) -> bool:
        arguments = (recipe_for(archive, out, secret_file, **PLAIN), out, fatal, told)
        process = context.Process(target=live, args=arguments)
        process.start()
        process.join(300)
        assert process.exitcode in (0, -signal.SIGKILL), f"seed {seed}: a life ended with {process.exitcode}"
        return process.exitcode == 0

    assert lived(tmp_path / "run", 0)
    want, writes = fingerprint(tmp_path / "run"), int(told.read_text())
    places, whole, killed = Counter[str](), 0, True
    while places.total() < kills or killed:
        out = tmp_path / f"killed-{whole}"
        if killed := not lived(out, chance.randrange(1, writes) if places.total() < kills else 0):
            places[told.read_text()] += 1
            continue
        assert fingerprint(out) == want, f"seed {seed}"
        pseudo = load_recipe(out.with_suffix(".yaml")).secret_source().pseudonymizer()
        assert not verify_run(out, pseudo).damaged, f"seed {seed}"
        whole += 1
        print(f"{places.total()} kills, {whole} whole runs", flush=True)
    print(f"{places.total()} kills, {whole} whole runs of {writes} writes; before a write below: {dict(places)}")
