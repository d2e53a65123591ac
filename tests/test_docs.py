"""The documentation: every page is led to and says first what the reader gets, every link leads somewhere, the notebook
runs; `make docs` builds it strictly, anchors too."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from curate.engine import Engine
from pipelines.build import ORDER

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted((ROOT / "docs").glob("*.md"))
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)\s]*)?\)")
_ROOMS = ("curate", "filters", "pipelines", "benchmarks")
_GONE = ("second reader", "claim_shards", "least_words", "most_pairs")  # words of ours for what the field has words for


def _named(nav: Any) -> list[str]:
    """The files of a site's navigation, in order."""
    if isinstance(nav, str):
        return [nav]
    return [name for part in (nav if isinstance(nav, list) else nav.values()) for name in _named(part)]


def test_the_site_leads_to_every_page() -> None:
    site = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    assert sorted(_named(site["nav"])) == [page.name for page in PAGES]
    assert site["theme"]["font"] is False  # a page loads nothing from elsewhere
    index = (ROOT / "docs" / "index.md").read_text()
    assert {page.name for page in PAGES} - {"index.md"} <= set(_LINK.findall(index))


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_a_page_says_first_what_the_reader_gets(page: Path) -> None:
    title, _, first = page.read_text().splitlines()[:3]
    assert re.fullmatch(r"# \S.+", title) and re.match(r"For (who|the person who) ", first)
    assert not [word for word in _GONE if word in page.read_text().lower()]


@pytest.mark.parametrize("page", [*PAGES, ROOT / "README.md", ROOT / "CONTRIBUTING.md"], ids=lambda page: page.name)
def test_links_lead_to_files(page: Path) -> None:
    links = [link for link in _LINK.findall(page.read_text()) if not link.startswith(("http:", "https:"))]
    assert not [link for link in links if not (page.parent / link).exists()]


def test_modules_that_are_named_exist() -> None:
    """Named by path, or by what `python -m` is given: in pages, decisions, pyproject.toml, docstrings and comments."""
    named = re.compile(rf"(?<![\w/.-])(?:{'|'.join(_ROOMS)})(?:/\w+)+\.py\b|python -m ((?:{'|'.join(_ROOMS)})[.\w]*\w)")
    files = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "DECISIONS.md", "pyproject.toml")]
    files += [*PAGES, *(path for room in _ROOMS for path in (ROOT / room).rglob("*.py"))]
    assert not [
        f"{file.relative_to(ROOT)}: {found[0]}"
        for file in files
        for found in named.finditer(file.read_text("utf-8"))
        if not _is_module(ROOT / (found[1].replace(".", "/") if found[1] else found[0]))
    ]


def _is_module(path: Path) -> bool:
    return path.with_suffix(".py").is_file() or (path / "__main__.py").is_file()


def test_the_readme_is_one_screen() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 60


def test_the_readmes_picture_of_the_way_is_the_steps_in_order() -> None:
    told = (ROOT / "README.md").read_text()
    drawn = re.findall(r"[\w-]*[a-z]", next(line for line in told.splitlines() if "──>" in line))
    beside = ("evaluation", "capfilt", "semantic")  # only where a recipe asks for them
    assert drawn == [step for step in ORDER if step not in beside] and "`capfilt`" in told and "`semantic`" in told


def test_commands_are_all_in_their_page() -> None:
    source = (ROOT / "pipelines" / "cli.py").read_text()
    commands = [name.replace("_", "-") for name in re.findall(r"^        \w+\.(\w+),$", source, re.M)]
    told = (ROOT / "docs" / "commands.md").read_text()
    assert len(commands) > 20 and not [name for name in commands if not re.search(rf"\b{name}\b", told)]
    recipes = [path.stem for path in (ROOT / "pipelines" / "recipes").glob("*.yaml")]
    assert not [name for name in recipes if f"`{name}`" not in told]


def test_the_notebook_runs(tmp_path: Path, inline_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("curate.engine.start_engine", lambda resources: inline_engine)  # no processes to import again
    # splits and ties follow the secret: a fixed one, in the place of the new one that the notebook writes
    monkeypatch.setattr("curate.deid.pseudonym.write_secret", lambda path: path.write_text("5e" * 32 + "\n"))
    book = json.loads((ROOT / "docs" / "notebook.ipynb").read_text())
    space: dict[str, Any] = {}
    shown = {}
    for cell in book["cells"]:
        if cell["cell_type"] != "code":
            continue
        tree = ast.parse("".join(cell["source"]))
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, cell["id"], "exec"), space)
        shown[cell["id"]] = last and eval(compile(ast.Expression(last.value), cell["id"], "eval"), space)
    drawn = [value._repr_html_() for value in shown.values() if hasattr(value, "_repr_html_")]
    assert len(drawn) >= 4 and any("data:image/" in html for html in drawn)
    before, after = next(v for v in shown.values() if isinstance(v, tuple) and isinstance(v[0], int))
    assert before > after > 0
    (size, text) = next(v for v in shown.values() if isinstance(v, tuple) and isinstance(v[1], str))
    assert min(size) > 0 and text
