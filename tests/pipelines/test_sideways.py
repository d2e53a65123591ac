"""Nothing leaks sideways: everything a run leaves behind, Ray's session folder included, is searched for what was
planted in its archive."""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.pipelines.archive import hits, make_archive, recipe_for

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_archive(tmp_path_factory.mktemp("sideways") / "archive", studies=24, seed=11)


def planted(archive: Path) -> list[str]:
    """Every planted string of five and more characters; shorter ones are met by chance in logs."""
    rows = pq.read_table(archive / "truth" / "truth.parquet", columns=["phi"]).to_pylist()
    found = sorted({p for r in rows for p in r["phi"] if len(p) > 4})
    assert len(found) > 100
    return found


def everything(folder: Path) -> dict[str, bytes]:
    """Every file below, its name with it, and what is packed in it unpacked: Parquet, gzip, zlib."""
    found: dict[str, bytes] = {}
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.is_symlink():
            continue
        data = path.read_bytes()
        found[str(path)] = str(path.relative_to(folder)).encode() + b"\n" + data
        if data[:4] == b"PAR1":
            found[f"{path}!rows"] = str(pq.read_table(io.BytesIO(data)).to_pylist()).encode()
        if data[:2] == b"\x1f\x8b":
            found[f"{path}!unzipped"] = gzip.decompress(data)
        elif data[:1] == b"\x78":
            found[f"{path}!inflated"] = inflated(data)
    return found


def inflated(data: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(data, 1 << 26)
    except zlib.error:
        return b""


def run(home: Path, *arguments: str | Path) -> bytes:
    """The command with every folder that a process may write to below ``home``; what it printed."""
    places = {name: home / name for name in ("tmp", "ray", "home", "cache")}
    for place in places.values():
        place.mkdir(parents=True, exist_ok=True)
    where = {
        "TMPDIR": places["tmp"], "RAY_TMPDIR": places["ray"], "HOME": places["home"], "XDG_CACHE_HOME": places["cache"],
        "PYTHONPATH": ROOT,
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.cli", *map(str, arguments)],
        cwd=home, env=os.environ | {k: str(v) for k, v in where.items()}, capture_output=True, timeout=500, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout + done.stderr


def assert_silent(home: Path, said: bytes, archive: Path) -> None:
    left = everything(home) | {"what it printed": said}
    assert sum(map(len, left.values())) > 10_000
    found = hits(left, planted(archive))
    assert not found, sorted(found)[:5]


@pytest.fixture(scope="module")
def short() -> Iterator[Path]:
    """Ray's sockets want short paths."""
    with tempfile.TemporaryDirectory(prefix="sw", dir="/tmp") as folder:
        yield Path(folder)


@pytest.mark.parametrize("engine", ["local", pytest.param("ray", marks=[pytest.mark.ray, pytest.mark.slow])])
def test_a_release_leaves_no_identity_behind(archive: Path, secret_file: Path, short: Path, engine: str) -> None:
    home = short / f"d{engine}"
    home.mkdir()
    arguments = ("--secret", secret_file, "--log", home / "log.jsonl", "--engine", engine, "--workers", "1")
    said = run(home, "deid", archive, home / "out", "--crosswalk", home / "crosswalk", *arguments)
    assert_silent(home, said, archive)


@pytest.mark.parametrize("engine", ["local", pytest.param("ray", marks=[pytest.mark.ray, pytest.mark.slow])])
def test_a_run_leaves_no_identity_behind(archive: Path, secret_file: Path, short: Path, engine: str) -> None:
    home = short / f"r{engine}"
    home.mkdir()
    recipe = recipe_for(archive, home / "run", secret_file)
    workers = "3" if engine == "ray" else "1"
    changes = ("--set", "filters={}", "--set", "select={}", "--engine", engine, "--workers", workers)
    said = run(home, "run", recipe, *changes)
    assert_silent(home, said, archive)


def test_a_process_that_dies_leaves_no_image_of_its_memory(tmp_path: Path) -> None:
    code = "import os, resource\nfrom curate.engine.guard import guarded\n"
    code += "guarded(abs, 1)\nassert resource.getrlimit(resource.RLIMIT_CORE) == (0, 0)\nos.abort()"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=False
    )
    assert done.returncode == -6 and not list(tmp_path.iterdir())
