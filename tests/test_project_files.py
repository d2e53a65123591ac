"""What a project says of itself outside its code: licence, citation, security; they agree with pyproject.toml."""

from __future__ import annotations

import tomllib
from collections import Counter
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


def test_no_folder_of_the_product_has_more_than_16_modules() -> None:
    modules = [path for room in ("curate", "filters", "pipelines") for path in (ROOT / room).rglob("*.py")]
    folders = Counter(path.parent.relative_to(ROOT) for path in modules if path.name != "__init__.py")
    assert {str(folder): modules for folder, modules in folders.items() if modules > 16} == {}
