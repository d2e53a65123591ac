"""What follows a run from elsewhere: states, shares, times left; commands that print one JSON object."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from curate.engine import Engine
from curate.storage import OWNER, exclusive, private_folder
from pipelines.cli import main
from pipelines.run.progress import LOG, TEXTFILE, followed, read_progress
from tests.inline import curate as command
from tests.pipelines.archive import make_archive, recipe_for

PLAIN = {"filters": {"text_quality": {}}, "select": {"by": "text_quality", "keep": 0.5}, "engine": {"workers": 1}}


def silent(step: str, done: int, total: int) -> None:
    pass


def write_log(run: Path, *lines: dict[str, object], pid: int = 1, host: str | None = None) -> None:
    head = {"time": time.time() - 100, "command": "run", "host": host or socket.gethostname(), "pid": pid}
    (run / LOG).write_text("".join(json.dumps(line) + "\n" for line in (head, *lines)))


def test_a_command_that_ends_says_so_and_one_that_fails_too(tmp_path: Path) -> None:
    said: list[tuple[str, int, int]] = []
    with followed(tmp_path, "run", lambda *told: said.append(told)) as progress:
        progress("index", 0, 2)
        found = read_progress(tmp_path)
        assert found is not None and (found.state, found.command) == ("running", "run")
        progress("index", 2, 2)
    found = read_progress(tmp_path)
    assert found is not None and found.state == "done" and said == [("index", 0, 2), ("index", 2, 2)]
    assert [(s.step, s.percent) for s in found.steps] == [("index", 100.0)]
    assert 'radsift_step_done{step="index"} 2' in (tmp_path / TEXTFILE).read_text()
    for error, state in ((ValueError("x"), "failed"), (KeyboardInterrupt(), "stopped")):
        with pytest.raises(type(error)), followed(tmp_path, "run", silent) as progress:
            progress("index", 0, 2)
            raise error
        found = read_progress(tmp_path)
        assert found is not None and found.state == state


def test_a_second_run_at_once_leaves_the_firsts_progress_and_recipe_alone(tmp_path: Path, secret_file: Path) -> None:
    recipe = recipe_for(make_archive(tmp_path / "a", 6, side=64), tmp_path / "run", secret_file, **PLAIN)
    private_folder(tmp_path / "run" / "private")
    write_log(tmp_path / "run", {"time": time.time(), "step": "ingest", "done": 1, "total": 4}, pid=os.getpid())
    (tmp_path / "run" / "recipe.yaml").write_text("name: the first's")
    (tmp_path / "run" / OWNER).write_text("{}")
    with exclusive(tmp_path / "run" / "private" / "lock"):
        done = command("run", recipe, "--set", "select.keep=0.9")
    assert done.returncode == 1 and "another run is at work" in done.stderr
    found = read_progress(tmp_path / "run")
    assert found is not None and (found.state, found.steps[0].done) == ("running", 1)
    assert (tmp_path / "run" / "recipe.yaml").read_text() == "name: the first's"


def test_time_left_follows_the_pace_of_the_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_800_000_000.0
    monkeypatch.setattr("pipelines.run.progress.time.time", lambda: now)
    rows: list[dict[str, object]] = [
        {"time": now - 60, "step": "ingest", "done": 10, "total": 40},
        {"time": now, "step": "ingest", "done": 20, "total": 40},
    ]
    write_log(tmp_path, *rows)
    found = read_progress(tmp_path)
    assert found is not None
    step = found.steps[0]
    assert step.percent == 50.0
    assert step.left == 120
    write_log(tmp_path, rows[0])
    found = read_progress(tmp_path)
    assert found is not None and found.steps[0].left is None  # its pace is not known yet


def test_a_killed_command_is_stopped_and_a_line_cut_short_is_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    row: dict[str, object] = {"time": time.time(), "step": "index", "done": 0, "total": 4}
    write_log(tmp_path, row, pid=gone.pid)
    with (tmp_path / LOG).open("a") as log:
        log.write('{"time": 17')
    found = read_progress(tmp_path)
    assert found is not None and found.state == "stopped" and found.steps[0].done == 0
    row["step"] = "train-text_quality"
    write_log(tmp_path, {**row, "step": "index"}, row, pid=gone.pid)
    head, *shown = curate(capsys, monkeypatch, "status", tmp_path).splitlines()
    assert head.endswith("stopped; the same command goes on from here")
    assert len({line.index("0/4") for line in shown}) == 1 and len(shown) == 2  # columns stand below each other
    write_log(tmp_path, row, pid=gone.pid, host="another")
    found = read_progress(tmp_path)
    assert found is not None and found.state == "running"
    assert read_progress(tmp_path / "none") is None


def curate(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> str:
    """A command in this process; its standard output. What `main` would end with is no error here."""
    monkeypatch.setattr(sys, "argv", ["curate", *map(str, arguments)])
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code in (0, None)
    return capsys.readouterr().out


def test_every_command_on_a_run_speaks_json(
    tmp_path: Path,
    secret_file: Path,
    local_engine: Engine,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recipe = recipe_for(make_archive(tmp_path / "a", 16, side=64), tmp_path / "run", secret_file, **PLAIN)
    planned = json.loads(curate(capsys, monkeypatch, "plan", recipe, "--json"))
    assert planned["sources"][0]["files"] > 0 and not any(s["done"] for s in planned["steps"])
    done = json.loads(curate(capsys, monkeypatch, "run", recipe, "--json"))
    counts = {row["step"]: row for row in done["funnel"]}
    assert sum(s["records"] for s in done["shards"]) == counts["export"]["kept"]
    told = json.loads(curate(capsys, monkeypatch, "status", tmp_path / "run", "--json"))
    assert told["state"] == "done" and [r["step"] for r in told["funnel"]] == list(counts)
    assert all(s["percent"] == 100.0 for s in told["steps"])
    assert {s["step"] for s in json.loads(curate(capsys, monkeypatch, "plan", recipe, "--json"))["steps"]} >= set(
        counts
    )
    key = pq.read_table(tmp_path / "run" / "shards" / "train" / "000000.parquet")["key"][0].as_py()
    story = json.loads(curate(capsys, monkeypatch, "explain", tmp_path / "run", key[:8], "--json"))
    assert story["key"] == key and [s["step"] for s in story["steps"]][:2] == ["index", "ingest"]


def test_version_is_printed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from curate import __version__

    assert curate(capsys, monkeypatch, "--version") == f"radsift {__version__}\n"


@pytest.mark.parametrize(("typed", "offered"), [("curate ex", ["explain"]), ("curate explain --ide", ["--identify"])])
def test_a_shell_completes_commands_and_options(typed: str, offered: list[str]) -> None:
    asked = {"_CURATE_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(typed.count(" "))}
    code = "import sys; sys.argv = ['curate']; from pipelines.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code], env=os.environ | asked, capture_output=True, text=True)
    assert done.stdout.split() == offered, done.stderr
