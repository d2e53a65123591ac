"""The rules of `curate deid`, as a file or as ``--set``: what a recipe says of de-identification, and of headers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from curate.deid.rules import DeidRules, HeaderRules
from curate.deid_export.rules import ReleaseRules
from curate.ingest.rules import Section
from curate.part import Part


class ReleaseRecipe(Part):
    """Everything that `curate deid` can be told. ``dates``: in report text, moved as the header's are, or masked.
    ``sections``: the only sections of a report that are kept; all by default. ``cut``: which sentences of a report go:
    those that only compare with priors, and sign-offs."""

    header: HeaderRules = HeaderRules()
    deid: DeidRules = DeidRules()
    dates: Literal["mask", "shift"] = "shift"
    sections: tuple[Section, ...] | None = None
    cut: tuple[Literal["priors", "signoffs"], ...] = ()
    max_bytes: Annotated[int, Field(ge=1)] = 1 << 30

    def rules(self) -> ReleaseRules:
        """The engine room's form of it."""
        return ReleaseRules(
            header=self.header,
            pixels=self.deid.pixel_policy(),
            text=self.deid.text_rules(self.dates, self.cut),
            sections=self.sections,
            k_patients=self.deid.k_patients,
            second_look=self.deid.second_look.share,
            max_bytes=self.max_bytes,
        )

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
