"""`curate deid --audit`: exit codes, what is printed, what is written where, on both engines."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from curate.deid_export.audit import AuditRules, audit_folder
from curate.engine import Engine
from tests.curate.deid.test_audit import private, released
from tests.curate.dicomfiles import to_bytes


def curate(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pipelines.cli", "deid", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def folder_of(tmp_path: Path, n: int = 40) -> Path:
    """``n`` released slices, the last of which kept a private element."""
    folder = tmp_path / "released"
    folder.mkdir()
    for i in range(n):
        ds = released()
        ds.InstanceNumber = i + 1
        if i == n - 1:
            private(ds)
        (folder / f"{i:04d}.dcm").write_bytes(to_bytes(ds))
    return folder


def test_findings_are_told_by_key_and_nothing_is_written_beside_them(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, 3)
    before = {p.name: p.stat().st_mtime_ns for p in folder.iterdir()}
    done = curate("--audit", folder, "--pixels", "0", "--out", tmp_path / "out", "--workers", "1")
    assert done.returncode == 1, done.stderr
    assert "private_data" in done.stdout and "not clean" in done.stdout and "4471123" not in done.stdout + done.stderr
    audit = json.loads((tmp_path / "out" / "audit.json").read_text())
    assert (audit["files"], len(audit["with_findings"]), audit["passed"]) == (3, 1, False)
    page = (tmp_path / "out" / "index.html").read_text()
    assert audit["with_findings"][0]["key"] in page and "4471123" not in page and str(folder) not in page
    assert {p.name: p.stat().st_mtime_ns for p in folder.iterdir()} == before
    (folder / "0002.dcm").unlink()
    clean = curate("--audit", folder, "--pixels", "0", "--json", "--workers", "1")
    assert clean.returncode == 0 and json.loads(clean.stdout)["passed"] is True


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--audit", "{tmp}/nowhere"], "--audit"),
        (["--audit", "{tmp}", "--allow", "everything"], "--allow"),
        (["--audit", "{tmp}", "--pixels", "2"], "--pixels"),
        (["--audit", "{tmp}", "--out", "{tmp}/inside"], "--out"),
        (["--audit", "{tmp}", "{tmp}"], "SRC"),
        (["{tmp}"], "DST"),
        (["{tmp}", "{tmp}/b", "--allow", "dates"], "--allow"),
    ],
)
def test_arguments_that_cannot_be_meant_are_refused(
    arguments: list[str],
    named: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from pipelines import cli

    (tmp_path / "a.txt").write_text("No effusion.")
    monkeypatch.setattr(sys, "argv", ["curate", "deid", *(a.format(tmp=tmp_path) for a in arguments)])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 2 and named in capsys.readouterr().err


@pytest.mark.ray
def test_both_engines_give_the_same_audit(tmp_path: Path, local_engine: Engine, ray_engine: Engine) -> None:
    folder, said = folder_of(tmp_path), []
    audits = [
        audit_folder(folder, AuditRules(pixels=0), engine, lambda *told: said.append(told))
        for engine in (local_engine, ray_engine)
    ]
    assert audits[0] == audits[1] and audits[0]["files"] == 40 and len(audits[0]["with_findings"]) == 1
    assert said[0] == ("audit", 0, 40) and said[-1] == ("audit", 40, 40)
