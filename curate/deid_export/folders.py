"""Which folders `curate deid` may be given; known before anything is read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from curate.errors import RecipeError

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
