"""With --json a command prints one JSON object on standard output and nothing else, also where it fails."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.inline import curate
from tests.pipelines.archive import make_archive, recipe_for

COMMANDS = {  # arguments that are well formed and lead to nothing
    "run": ("none.yaml",), "plan": ("none.yaml",), "train": ("none.yaml",), "compare": ("none.yaml",),
    "status": ("none",), "explain": ("none", "0" * 32), "deid": ("none", "clean"), "evaluate": ("none", "none"),
}  # fmt: skip


def error_of(code: int, *arguments: str | Path, cwd: Path | None = None) -> dict[str, Any]:
    """What a command that ends with ``code`` says on standard output, which must be one line."""
    done = curate(*arguments, "--json", cwd=cwd)
    (line,) = done.stdout.splitlines()
    (found,) = json.loads(line).values()
    assert done.returncode == code == found["exit_code"], done.stderr
    assert found["message"].split("\n")[0] in done.stderr and "Traceback" not in done.stderr
    return dict(found)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("wrong", ["nothing there", "no such option", "no arguments", "no such value"])
def test_wrong_arguments(command: str, wrong: str, tmp_path: Path) -> None:
    arguments: dict[str, tuple[str, ...]] = {
        "nothing there": COMMANDS[command],
        "no such option": (*COMMANDS[command], "--nonsense"),
        "no arguments": (),
        "no such value": (*COMMANDS[command], "--workers", "none"),
    }
    assert error_of(2, command, *arguments[wrong], cwd=tmp_path)["kind"] == "error"


def test_a_run_that_fails(tmp_path: Path, secret_file: Path) -> None:
    """Exit code 1: nothing pairs; and what no one foresaw, a folder that is a file."""
    archive = make_archive(tmp_path / "a", 6, side=64)
    recipe = recipe_for(archive, tmp_path / "run", secret_file, filters={}, select={})
    fields = yaml.safe_load(recipe.read_text())
    fields["reports"][0]["columns"] = {"text": "report", "accession": "study_uid"}
    recipe.write_text(yaml.safe_dump(fields))
    assert "nothing pairs" in error_of(1, "run", recipe)["message"]
    assert error_of(2, "compare", recipe)["kind"] == "error"  # no cut to compare
    assert error_of(2, "explain", tmp_path / "run", "0" * 32)["kind"] == "error"
    (tmp_path / "steps").write_text("")
    assert error_of(1, "run", recipe, "--set", f"out={tmp_path / 'steps' / 'run'}")["kind"] == "run failed"


def test_an_archive_that_is_not_clean(tmp_path: Path, secret_file: Path) -> None:
    """An audit's object stands alone; its exit code says how it went."""
    (tmp_path / "released").mkdir()
    (tmp_path / "released" / "report.txt").write_text("FINDINGS: Seen by Dr. Kowalczyk on 12.03.2021. Phone 555-0182.")
    done = curate("deid", "--audit", tmp_path / "released", "--workers", "1", "--json")
    assert done.returncode == 1 and not json.loads(done.stdout)["passed"]
