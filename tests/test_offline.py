"""Nothing leaves the machine, and nothing is written but where the user said: seen from the system's side."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from curate.deid.pixels import text_reader
from tests.observe import Observed, observe
from tests.pipelines.archive import make_archive, recipe_for

_LIBRARIES = """
import sys, time
from curate.engine import start_engine
from curate.engine.resources import Resources
import numpy
from curate.deid.pixels import text_reader
if text_reader.available():
    text_reader.read(numpy.eye(64, dtype=numpy.uint8) * 200, (0, 0, 64, 64))
    time.sleep(2)  # its telemetry begins in a thread
engine = start_engine(Resources(kind="ray", workers=1))
assert list(engine.map(abs, [-3])) == [(-3, 3)]
engine.close()
"""


def quiet(seen: Observed) -> None:
    assert seen.addresses == set()
    assert seen.files == set()


@pytest.fixture
def places(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """A home folder, which nothing may touch, and a folder for temporary files, its path short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="t") as temporary:
        yield tmp_path / "home", Path(temporary)


def test_what_is_switched_off_is_off_before_any_library_is_imported() -> None:
    told = "import curate.record, os; print(os.environ['ORT_DISABLE_TELEMETRY'], os.environ['HF_HUB_OFFLINE'])"
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "TRANSFORMERS_", "RADSIFT_", "ORT_"))}
    ours = subprocess.run([sys.executable, "-c", told], env=clean, capture_output=True, text=True, check=True)
    assert ours.stdout.split() == ["1", "1"]


def test_the_hub_is_open_to_what_is_allow_hub_for_unless_the_user_shut_it() -> None:
    asked = "from filters.towers.hub import _allow_hub\nfrom huggingface_hub import constants\n"
    asked += "print(constants.HF_HUB_OFFLINE)\n"
    asked += "with _allow_hub(): print(constants.HF_HUB_OFFLINE)\nprint(constants.HF_HUB_OFFLINE)"
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "TRANSFORMERS_", "RADSIFT_"))}
    for more, inside in (({}, "False"), ({"HF_HUB_OFFLINE": "1"}, "True")):
        done = subprocess.run([sys.executable, "-c", asked], env=clean | more, capture_output=True, text=True)
        assert done.stdout.split() == ["True", inside, "True"], done.stderr


@pytest.mark.ray
def test_onnxruntime_and_ray_stay_at_home(places: tuple[Path, Path]) -> None:
    home, temporary = places
    quiet(observe([sys.executable, "-c", _LIBRARIES], home, temporary, TMPDIR=str(temporary)))
    assert not any(home.iterdir())


@pytest.mark.slow
@pytest.mark.ray
def test_the_main_commands_stay_at_home(places: tuple[Path, Path], tmp_path: Path, secret_file: Path) -> None:
    """run with the gate, on both engines; deid; train; evaluate."""
    home, temporary = places
    archive = make_archive(tmp_path / "a", 60)
    train = {"samples": 16, "batch": 8}
    recipes = {name: recipe_for(archive, tmp_path / name, secret_file, train=train) for name in ("local", "ray")}

    def curate(*arguments: str | Path, to: Path) -> str:
        command = [sys.executable, "-m", "pipelines.cli", *arguments]
        seen = observe(command, home, temporary, to, TMPDIR=str(temporary))
        quiet(seen)
        return seen.output

    said = curate("run", recipes["local"], to=tmp_path / "local")
    assert text_reader.available() != ("no OCR package" in said)
    curate("run", recipes["ray"], "--engine", "ray", "--workers", "2", to=tmp_path / "ray")
    curate("train", recipes["local"], to=tmp_path / "local")
    model = next((tmp_path / "local" / "train").glob("*/model"))
    curate("evaluate", model, tmp_path / "local", "--to", tmp_path / "e", "--set", "draws=20", to=tmp_path / "e")
    curate("deid", archive / "dicom", tmp_path / "clean", "--secret", secret_file, to=tmp_path / "clean")
    assert not any(home.iterdir())
