"""Complete a cleaned object with its mandatory attributes (PS3.5 7.4): empty if allowed, else a dummy value.

A number is never invented: a measurement that could not be kept is absent, and a picture that cannot be read without it
is dropped.
"""

from __future__ import annotations

from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

from curate.deid.header import allowed
from curate.deid.header.checks import Context, Step
from curate.deid.header.codes import UNKNOWN, code_item
from curate.deid.header.plan import Plan
from curate.deid.header.values import Element, explicit_element, sequence
from curate.errors import DropRecord
from curate.record import Reason

_STAND_IN = {
    "LO": "REMOVED", "SH": "REMOVED", "ST": "REMOVED", "LT": "REMOVED", "UT": "REMOVED", "UC": "REMOVED",
    "PN": "REMOVED", "AE": "REMOVED", "DA": "19000101", "DT": "19000101000000", "TM": "000000", "AS": "000D",
    "UR": "urn:removed",
}  # fmt: skip
# No CS term means "removed" for every attribute; these are the least specific terms.
_TERM = {
    "Modality": "OT", "ImageType": "DERIVED\\SECONDARY", "FrameType": "DERIVED\\SECONDARY\\OTHER\\NONE",
    "ConversionType": "WSD", "PresentationIntentType": "FOR PRESENTATION", "PositionerType": "NONE",
    "PixelIntensityRelationship": "LIN", "PresentationLUTShape": "IDENTITY", "VolumetricProperties": "MIXED",
    "VolumeBasedCalculationTechnique": "NONE", "ContentLabel": "REMOVED", "BurnedInAnnotation": "YES",
    "LossyImageCompression": "01", "ImageLaterality": "U", "FrameLaterality": "U", "Laterality": "U",
    "PatientOrientation": "", "VerificationFlag": "UNVERIFIED", "CompletionFlag": "PARTIAL",
    "ApprovalStatus": "UNAPPROVED", "RTImagePlane": "NON_NORMAL", "StructureSetLabel": "REMOVED",
}  # fmt: skip
_FIRST_TERM = ("ORIGINAL", "DERIVED", "MIXED")


def complete(out: dict[BaseTag, Element], source: Dataset, plan: Plan, context: Context, top: bool) -> None:
    """Fill ``out``, an object's or an item's elements, in place.

    Type 2 attributes of mandatory modules are always added; any other attribute of the source that could not be kept
    is emptied (type 2) or gets a dummy value (type 1). DropRecord(HEADER_UNPROVEN) if the picture cannot be read.
    """
    for number, step in plan.items():
        if step.type not in ("1", "2") or step.tag in out:
            continue
        in_source = step.tag in source
        if step.type == "2":
            if in_source or (top and step.mandatory):
                out[step.tag] = (
                    sequence(number, []) if step.vrs[0] == "SQ" else explicit_element(number, step.vrs[0], b"")
                )
        elif in_source:
            if top and step.keyword in allowed.CORE:
                raise DropRecord(Reason.HEADER_UNPROVEN)
            stand_in = _stand_in(step)
            if stand_in is not None:
                out[step.tag] = stand_in
                context.actions[f"replace {step.keyword}"] += 1


def _stand_in(step: Step) -> Element | None:
    vr = step.vrs[0]
    if vr == "SQ":
        return sequence(step.tag, [code_item(UNKNOWN)]) if step.verb == "code" else None
    value = _TERM.get(step.keyword, "OTHER") if vr == "CS" else _STAND_IN.get(vr)
    return explicit_element(step.tag, vr, value) if value else None


def image_type(value: str) -> str:
    """ImageType with valid first two values, which type 1 requires (PS3.3 C.7.6.1.1.2)."""
    values = value.split("\\")
    first = values[0] if values[0] in _FIRST_TERM else "DERIVED"
    second = values[1] if len(values) > 1 and values[1] in ("PRIMARY", "SECONDARY", "MIXED") else "SECONDARY"
    return "\\".join((first, second, *(v or "OTHER" for v in values[2:])))
