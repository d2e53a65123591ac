"""What the paths of an archive say of whose its pictures are: the patterns that `curate init` suggests."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

SPLITS = ("train", "training", "validation", "valid", "val", "dev", "test")


@dataclass(frozen=True)
class PathIds:
    """``key_pattern`` of the images, ``name_pattern`` of the reports; ``why``, naming nobody."""

    key_pattern: str
    name_pattern: str
    why: str


def path_ids(pictures: Sequence[str], texts: Sequence[str]) -> list[PathIds]:
    """Where text files are named as folders that hold pictures: the folder's name is a study's number, and the folder
    above, where the text lies in it, may be the patient's: with that first, then without. Paths are relative."""
    named = {PurePosixPath(text).stem: PurePosixPath(text).parent.parts for text in texts}
    parts = [PurePosixPath(picture).parts for picture in pictures]
    above, lying = 0, list[tuple[str, ...]]()
    for n in (2, 3, 4):  # places from the end: the folder of the pictures, or one above it
        found = [p for p in parts if len(p) >= n and p[-n] in named]
        if len(found) > len(lying):
            above, lying = n, found
    if 2 * len(lying) < len(parts):
        return []
    study = _group("accession", [p[-above] for p in lying])
    image = "/" + "[^/]+/" * (above - 2) + "(?P<image>[^/.]+)"
    why = f"{len(lying):,} of {len(parts):,} pictures lie in a folder that a text is named as"
    found_ids = [PathIds(study + image, rf"{study}\.txt$", why)]
    if all(len(p) > above and named[p[-above]] == p[:-above] for p in lying):
        patient = _group("patient", [p[-above - 1] for p in lying])
        both = f"{patient}/{study}"
        found_ids.insert(0, PathIds(both + image, rf"{both}\.txt$", f"{why}, in their patient's folder"))
    return found_ids


def split_pattern(pictures: Sequence[str]) -> str | None:
    """Where the folders are splits."""
    found = [[part for part in PurePosixPath(p).parts[:-1] if part in SPLITS] for p in pictures]
    if not all(found) or len({name for names in found for name in names}) < 2:
        return None
    return rf"(?:^|/)(?P<split>{'|'.join(SPLITS)})/"


def _group(name: str, values: Sequence[str]) -> str:
    """A group that finds all ``values``: the number behind letters that all begin with, else a folder's whole name."""
    heads = {re.sub(r"\d+$", "", value) for value in values}
    head = heads.pop()
    if heads or head in values:
        return f"(?P<{name}>[^/]+)"
    return rf"{re.escape(head)}(?P<{name}>\d+)"
