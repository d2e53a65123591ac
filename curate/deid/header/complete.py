"""What an object must hold (PS3.5 7.4) once its identities are gone: empty where it may be, else a stand-in.

A number is never invented: a measurement that could not stay is absent, and a picture that cannot be read
without it is not released.
"""

from __future__ import annotations

from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

from curate.deid.header import allowed
from curate.deid.header.checks import Context, Step
from curate.deid.header.codes import UNKNOWN, code_item
from curate.deid.header.plan import Plan
from curate.deid.header.values import Held, made, sequence
from curate.errors import DropRecord
from curate.record import Reason

_STAND_IN = {
    "LO": "REMOVED", "SH": "REMOVED", "ST": "REMOVED", "LT": "REMOVED", "UT": "REMOVED", "UC": "REMOVED",
    "PN": "REMOVED", "AE": "REMOVED", "DA": "19000101", "DT": "19000101000000", "TM": "000000", "AS": "000D",
    "UR": "urn:removed",
}  # fmt: skip
# CS has no word for "removed" that is valid everywhere; these are terms of the attribute that claim least.
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


def complete(out: dict[BaseTag, Held], source: Dataset, plan: Plan, context: Context, top: bool) -> None:
    """Fill ``out``, an object's or an item's elements, in place.

    Of a mandatory module a type 2 attribute is always there; any other that the source held and that could not
    stay is emptied (type 2) or stood in for (type 1). DropRecord(HEADER_UNPROVEN) where the picture cannot be read.
    """
    for number, step in plan.items():
        if step.type not in ("1", "2") or step.tag in out:
            continue
        held = step.tag in source
        if step.type == "2":
            if held or (top and step.mandatory):
                out[step.tag] = sequence(number, []) if step.vrs[0] == "SQ" else made(number, step.vrs[0], b"")
        elif held:
            if top and step.keyword in allowed.CORE:
                raise DropRecord(Reason.HEADER_UNPROVEN)
            stand_in = _stand_in(step)
            if stand_in is not None:
                out[step.tag] = stand_in
                context.actions[f"replace {step.keyword}"] += 1


def _stand_in(step: Step) -> Held | None:
    vr = step.vrs[0]
    if vr == "SQ":
        return sequence(step.tag, [code_item(UNKNOWN)]) if step.verb == "code" else None
    value = _TERM.get(step.keyword, "OTHER") if vr == "CS" else _STAND_IN.get(vr)
    return made(step.tag, vr, value) if value else None


def image_type(value: str) -> str:
    """ImageType with its first two values in place, which type 1 asks for (PS3.3 C.7.6.1.1.2)."""
    values = value.split("\\")
    first = values[0] if values[0] in _FIRST_TERM else "DERIVED"
    second = values[1] if len(values) > 1 and values[1] in ("PRIMARY", "SECONDARY", "MIXED") else "SECONDARY"
    return "\\".join((first, second, *(v or "OTHER" for v in values[2:])))
