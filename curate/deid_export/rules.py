"""The options of `curate deid` (rules of headers, pixels and text) and the folders it may be given, known before
anything is read; and the outcome of one input."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic.dataclasses import dataclass as pydantic_dataclass

from curate.deid.rules import Dates, DeidRules, HeaderRules, SecondLook, TextRules
from curate.errors import RecipeError
from curate.part import PART
from curate.record import Reason
from curate.sources.reports.text.section import Section


def _by_share(rules: DeidRules) -> DeidRules:
    if rules.second_look.least != SecondLook.least:
        raise ValueError("second_look.least has no effect on single files; leave it out, and give second_look.share")
    return rules


@pydantic_dataclass(frozen=True, config=PART)
class ReleaseRules(Dates):
    """Everything that `curate deid` can be told. ``sections``: the only sections of a report that are kept; all by
    default. ``cut``: which sentences of a report go: those that only compare with priors, and sign-offs. ``max_bytes``
    limits a decoded frame and an inflated file. Of ``deid``, its second look is a share of pictures, chosen by key."""

    header: HeaderRules = HeaderRules()
    deid: Annotated[DeidRules, AfterValidator(_by_share)] = DeidRules()
    sections: tuple[Section, ...] | None = None
    cut: tuple[Literal["priors", "signoffs"], ...] = ()
    max_bytes: Annotated[int, Field(ge=1)] = 1 << 30

    @cached_property
    def text(self) -> TextRules:
        """How report text is scrubbed."""
        return self.deid.text_rules(self.dates, self.cut)

    def warnings(self) -> list[str]:
        """Settings that are less safe than the default, to be said aloud."""
        warned = self.deid.warnings()
        if "uids" in self.header.retain:
            warned.append("header.retain: uids - instance UIDs stay, and lead back to the archive")
        if "device_identity" in self.header.retain:
            warned.append("header.retain: device_identity - serial numbers and station names stay")
        if self.header.unknown_classes == "generic":
            warned.append("header.unknown_classes: generic - objects of classes nobody has listed are let through")
        return warned


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
