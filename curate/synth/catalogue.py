"""The catalogue (`catalogue.toml`): names, kinds of pictures, the possible findings of each, radiologists' phrases."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any


@dataclass(frozen=True)
class Finding:
    """One finding: its name in ground truth, whether it has a side, and sentences that state or deny it."""

    name: str
    sided: bool
    present: tuple[str, ...]
    summary: tuple[str, ...]
    absent: tuple[str, ...]


@dataclass(frozen=True)
class Scene:
    """One kind of picture; ``weight`` is its share of the archive."""

    name: str
    modality: str
    body_part: str
    weight: float
    title: str
    techniques: tuple[str, ...]
    indications: tuple[str, ...]
    normal: tuple[str, ...]
    other_side: tuple[str, ...]  # sentences about the healthy other side
    findings: tuple[Finding, ...]


def _finding(name: str, sided: bool, present: list[str], absent: list[str], summary: Sequence[str] = ()) -> Finding:
    usual = [f"{name.capitalize()}.", f"{{Grade}} {name}."]
    if sided:
        usual = [f"{{Size}} {{side}} {name}.", f"{{Side}} {name}, {{size}}.", f"{{Side}}-sided {name}."]
    return Finding(name, sided, tuple(present), (*usual, *summary), tuple(absent))


def _scene(findings: list[str], **given: Any) -> Scene:
    lists: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
    return Scene(findings=tuple(FINDINGS[name] for name in findings), **lists)


_DATA = tomllib.loads((files("curate.synth") / "catalogue.toml").read_text(encoding="utf-8"))
NAMES: dict[str, list[Any]] = _DATA["names"]
FINDINGS = {name: _finding(**given) for name, given in _DATA["finding"].items()}
SCENES = tuple(_scene(**given) for given in _DATA["scene"])
