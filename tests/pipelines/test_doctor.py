"""`curate doctor`: a sound machine passes; what is wrong is named with its fix."""

from __future__ import annotations

from pathlib import Path

import imagecodecs
import pytest

from curate.deid.pseudonym import write_secret
from pipelines.survey.doctor import Check, examine


def found(folder: Path, secret: Path | None = None) -> dict[str, list[Check]]:
    told: dict[str, list[Check]] = {}
    for check in examine(folder, secret):
        told.setdefault(check.name, []).append(check)
    return told


def test_a_sound_machine_has_nothing_bad_and_every_fault_has_a_fix(tmp_path: Path) -> None:
    write_secret(tmp_path / "s")
    told = found(tmp_path, tmp_path / "s")
    checks = [check for group in told.values() for check in group]
    assert not [c for c in checks if c.state == "bad"]
    assert all(c.fix for c in checks if c.state != "ok")
    assert told["secret"] == [Check("secret", "ok", "256 random bits")]
    assert "torch" in told["versions"][0].says and "finds 12 of 12 lines" in told["text in pixels"][0].says


def test_a_detector_that_finds_nothing_is_bad(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("curate.deid.pixels.text_detector.detected", lambda *_: [])
    assert found(tmp_path)["text in pixels"][0].state == "bad"


def test_a_secret_that_others_read_a_passphrase_and_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = tmp_path / "s"
    secret.write_text("correct horse battery staple")
    secret.chmod(0o644)
    states = {(c.state, c.fix) for c in found(tmp_path, secret)["secret"]}
    assert ("bad", f"chmod 600 {secret}") in states and len(states) == 2
    secret.write_text("short")
    assert [c.state for c in found(tmp_path, secret)["secret"]] == ["bad"]
    monkeypatch.delenv("RADSIFT_SECRET", raising=False)
    assert [c.state for c in found(tmp_path)["secret"]] == ["note"]


def test_a_missing_decoder_and_a_place_that_is_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Absent:
        available = False

    monkeypatch.setattr(imagecodecs, "JPEGLS", Absent)
    (tmp_path / "file").write_text("")
    told = found(tmp_path / "file")
    assert told["decoders"][0].state == "bad" and "JPEG-LS" in told["decoders"][0].says
    assert told["folder"][0].state == "bad"
