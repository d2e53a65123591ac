"""Options of header cleaning beyond the Basic Profile of PS3.15."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from curate.part import PART

Retain = Literal["dates", "uids", "patient_characteristics", "device_identity", "safe_private"]


@dataclass(frozen=True, config=PART)
class HeaderRules:
    """What of a DICOM header is kept beyond PS3.15's Basic Profile, and what becomes of kinds that are refused.

    ``retain``: PS3.15 E.3.6 (dates, moved by the patient's shift), E.3.9 (uids), E.3.7, E.3.8, E.3.10.
    ``descriptors``: E.3.5, free text kept only through a vocabulary. ``structured_reports``: refused, or cleaned item
    by item (E.3.4). ``unknown_classes``: refused, or cleaned by a small general allow-list. DICOMDIR and documents are
    refused. New UIDs begin with ``uid_root``: 2.25 (PS3.5 B.2) or an organisation's own."""

    retain: tuple[Retain, ...] = ("dates", "patient_characteristics")
    descriptors: Literal["clean", "remove"] = "clean"
    structured_reports: Literal["refuse", "clean"] = "refuse"
    unknown_classes: Literal["refuse", "generic"] = "refuse"
    uid_root: Annotated[str, Field(pattern=r"^(0|[1-9]\d*)(\.(0|[1-9]\d*)){1,11}$", max_length=43)] = "2.25"
