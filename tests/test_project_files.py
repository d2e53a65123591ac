"""What a project says of itself outside its code: licence, citation, security; they agree with pyproject.toml."""

from __future__ import annotations

import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_the_licence_is_the_one_that_pyproject_names() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert PROJECT["license"]["text"] == "Apache-2.0"
    assert "Apache License" in text and "Version 2.0, January 2004" in text and "END OF TERMS AND CONDITIONS" in text


def test_the_citation_is_of_this_version() -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert (cited["title"], cited["version"]) == (PROJECT["name"], PROJECT["version"])
    assert cited["license"] == PROJECT["license"]["text"] and cited["cff-version"] == "1.2.0"
    assert cited["authors"] == [{"name": "radsift developers"}] and cited["message"]


def test_whoever_finds_a_leak_is_told_where_to_and_not_to_send_data() -> None:
    told = (ROOT / "SECURITY.md").read_text()
    assert "How to report" in told and "never with real data" in told
    assert (ROOT / "docs" / "deidentification.md").is_file()
