"""Names that say what a value is: DESIGN, "Words". A room is added to ROOMS when its names are done."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROOMS = (
    "benchmarks/*.py",
    "curate/*.py",
    "curate/dedup/**/*.py",
    "curate/deid/*.py",
    "curate/deid/header/**/*.py",
    "curate/deid/known/**/*.py",
    "curate/deid/patterns/**/*.py",
    "curate/deid/pixels/**/*.py",
    "curate/deid/replace/**/*.py",
    "curate/deid/text/**/*.py",
    "curate/deid/verify/**/*.py",
    "curate/deid/words/**/*.py",
    "curate/deid_export/**/*.py",
    "curate/engine/**/*.py",
    "curate/export/**/*.py",
    "curate/fetch/**/*.py",
    "curate/ingest/**/*.py",
    "curate/report/**/*.py",
    "curate/sources/*.py",
    "curate/sources/pairing/**/*.py",
    "curate/sources/reports/**/*.py",
    "curate/synth/**/*.py",
    "filters/*.py",
    "filters/compare/**/*.py",
    "filters/evaluate/**/*.py",
    "filters/findings/**/*.py",
    "filters/judges/**/*.py",
    "filters/methods/**/*.py",
    "filters/towers/**/*.py",
    "filters/training/**/*.py",
    "pipelines/*.py",
    "pipelines/browse/**/*.py",
    "pipelines/commands/**/*.py",
    "pipelines/final/**/*.py",
    "pipelines/recipe/**/*.py",
    "pipelines/report/**/*.py",
    "pipelines/run/**/*.py",
    "pipelines/survey/**/*.py",
    "pipelines/upkeep/**/*.py",
    "tests/inline.py",
    "tests/killed.py",
    "tests/observe.py",
)
PRIVATE = {
    *("Begun", "Cell", "Exam", "Held", "Said", "Seen", "Told", "World"),
    *("asked", "begun", "foreign", "goes", "held", "made", "narrow", "plant", "said", "seen", "shut", "spoken"),
    *("strike", "told", "what"),
}
LIBRARY = {"most_common"}  # of collections.Counter


def _names(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name) | ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.arg(arg=name):
            yield name
        case ast.keyword(arg=str(name)):
            yield name
        case ast.ImportFrom(names=aliases):
            yield from (alias.asname or alias.name for alias in aliases)


def _is_private(name: str) -> bool:
    bare = name.lstrip("_")
    return bare in PRIVATE or (bare.lower().startswith(("least_", "most_")) and name not in LIBRARY)


def _offences(source: str) -> set[str]:
    return {name for node in ast.walk(ast.parse(source)) for name in _names(node) if _is_private(name)}


def test_finished_rooms_use_the_words_of_the_field() -> None:
    files = {path for room in ROOMS for path in ROOT.glob(room)}
    assert all(any(ROOT.glob(room)) for room in ROOMS)
    offences = {str(path.relative_to(ROOT)): _offences(path.read_text("utf-8")) for path in sorted(files)}
    assert {path: names for path, names in offences.items() if names} == {}


def test_a_private_word_is_seen_wherever_it_names_something() -> None:
    source = "class Told:\n    def _said(self, asked, least_n=1): return strike(held=asked.begun).most_common()\n"
    assert _offences(source) == {"Told", "_said", "asked", "least_n", "strike", "held", "begun"}
