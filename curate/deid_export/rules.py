"""The options of `curate deid` (rules of headers, pixels and text) and the folders it may be given, known before
anything is read; and the outcome of one input."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from curate.deid.rules import HeaderRules, PixelPolicy, TextRules
from curate.errors import RecipeError
from curate.record import Reason


@dataclass(frozen=True)
class ReleaseRules:
    """``sections`` keeps only those sections of a report (None: all of it). A word that the vocabulary does not know is
    kept if it occurs with at least ``k_patients`` patients. ``second_look``: the share of pictures that the verifier
    reads whatever the gate said of them, chosen by key. ``max_bytes`` limits a decoded frame and an inflated file.
    """

    header: HeaderRules = field(default_factory=HeaderRules)
    pixels: PixelPolicy = PixelPolicy()
    text: TextRules = TextRules()
    sections: tuple[str, ...] | None = None
    k_patients: int = 8
    second_look: float = 0.01
    max_bytes: int = 1 << 30


@dataclass(frozen=True)
class Outcome:
    """The outcome of one file. Without PHI: ``data`` is the clean file, there exactly if ``reason`` is None.

    ``actions`` counts what was done, by "action attribute" ("remove PatientAddress", "blank pixels",
    "mask NAME"); ``findings`` are the verifier's codes, never values. ``rows`` of a report file counts its
    rows by reason, "" being the clean ones.
    """

    reason: Reason | None
    data: bytes | None = None
    suffix: str = ""
    actions: Mapping[str, int] = field(default_factory=dict)
    findings: tuple[str, ...] = ()
    rows: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if (self.reason is None) != (self.data is not None):
            raise ValueError("a clean outcome has data, any other has a reason and none")


WORK = ".work"  # in the target, while it runs


def check_folders(source: Path, target: Path, outside: Mapping[str, Path | None]) -> None:
    """RecipeError where the folders cannot be meant: no source, one inside the other, a target that holds something
    else, or a file (``outside``: flag -> path) that would lie in the release or in the source."""
    if not source.exists():
        raise RecipeError("SRC", f"{source} does not exist", "name the folder that holds the files")
    here, there = source.resolve(), target.resolve()
    if there == here or there.is_relative_to(here):
        raise RecipeError("DST", "lies inside SRC; a second run would read the first one's output", "move DST")
    if here.is_relative_to(there):
        raise RecipeError("SRC", "lies inside DST; identities would lie beside clean files", "move DST")
    for flag, path in outside.items():
        if path is not None and path.resolve().is_relative_to(there):
            raise RecipeError(flag, "lies inside DST, which is what is handed out", "name a file elsewhere")
        if path is not None and path.resolve().is_relative_to(here):
            raise RecipeError(flag, "lies inside SRC, and would be read as an input", "name a file elsewhere")
        if path is not None and path.is_dir():
            raise RecipeError(flag, f"{path} is a folder", "name a file")
        if path is not None and not path.resolve().parent.is_dir():
            raise RecipeError(flag, f"{path.parent} is not a folder", "name a file in a folder there is")
    if target.exists() and not target.is_dir():
        raise RecipeError("DST", f"{target} is not a folder", "name a new folder")
    if target.is_dir() and any(target.iterdir()) and not (target / WORK / "job.json").is_file():
        raise RecipeError("DST", f"{target} is not empty", "name a new folder; nothing is overwritten")
