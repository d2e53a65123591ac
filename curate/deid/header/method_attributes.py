"""The object's class and patient, and the attributes of a cleaned header that describe its de-identification."""

from __future__ import annotations

from pydicom.dataset import Dataset
from pydicom.sr.coding import Code
from pydicom.tag import BaseTag
from pydicom.uid import SecondaryCaptureImageStorage

from curate.deid.header import allowed
from curate.deid.header.checks import Context
from curate.deid.header.codes import code_item
from curate.deid.header.iod import iod_of, kind_of
from curate.deid.header.plan import GENERIC
from curate.deid.header.values import Element, explicit_element, first_text, sequence
from curate.deid.rules import HeaderRules
from curate.errors import DropRecord
from curate.record import Reason
from curate.sources.dicom.file import text
from curate.sources.identity import canonical_id, first_id

_SOP_CLASS, _SOP_INSTANCE = BaseTag(0x00080016), BaseTag(0x00080018)
_CONVERSION = BaseTag(0x00080064)
_STUDY, _SERIES = BaseTag(0x0020000D), BaseTag(0x0020000E)
_PATIENT_NAME, _PATIENT_ID = BaseTag(0x00100010), BaseTag(0x00100020)
_VERIFICATION, _VERIFIER = BaseTag(0x0040A493), BaseTag(0x0040A073)
_PATIENT_KEYWORDS = ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
# Attributes that distinguish objects of a series without SOP Instance UIDs.
_DISTINGUISHING = (
    (_STUDY, "UI"), (_SERIES, "UI"), (_PATIENT_ID, "LO"), (0x00080020, "DA"), (0x00080033, "TM"), (0x00080032, "TM"),
    (0x00080030, "TM"), (0x00200011, "IS"), (0x00200013, "IS"), (0x00080013, "TM"), (0x00181012, "DA"),
    (0x00181014, "TM"),
)  # fmt: skip
_REFUSALS = {
    "directory": Reason.REFUSED_DIRECTORY,
    "document": Reason.REFUSED_DOCUMENT,
    "structured": Reason.REFUSED_STRUCTURED,
    "unknown": Reason.REFUSED_CLASS,
}


def object_of(ds: Dataset, rules: HeaderRules) -> str:
    """The information object of ``ds`` by its SOP class, from the data set or else the file meta (PS3.10 7.1).

    Raises DropRecord(REFUSED_*) if ``rules`` refuse such objects. If the two places have different classes, neither is
    accepted.
    """
    meta = getattr(ds, "file_meta", None)
    within, outside = first_text(ds, _SOP_CLASS, "UI"), first_text(meta, 0x00020002, "UI")
    kinds = {kind_of(c) for c in (within, outside) if c} or {"unknown"}
    for kind, reason in _REFUSALS.items():
        if kind not in kinds:
            continue
        if kind == "structured" and rules.structured_reports == "clean" and kinds == {"structured"}:
            break
        if kind == "unknown" and rules.unknown_classes == "generic":
            return GENERIC
        raise DropRecord(reason)
    iod = iod_of(within or outside)
    if iod is None or (within and outside and iod_of(outside) != iod):
        if rules.unknown_classes == "generic" and kinds == {"object"}:
            return GENERIC
        raise DropRecord(Reason.REFUSED_CLASS)
    return iod


def patient_of(ds: Dataset) -> str:
    """The file's patient, from which pseudonym and date shift are derived. Call it inside `quiet`.

    The PatientID; without one the study's, series' or instance's UID, so that intervals within a study are kept and two
    patients without an id are not merged, as an empty PatientID or a name would do. "" if there is none of them.
    """
    return first_id(text(ds, keyword) for keyword in _PATIENT_KEYWORDS)


def add_method_attributes(out: dict[BaseTag, Element], ds: Dataset, context: Context, iod: str) -> None:
    """Write into ``out`` the class, the UIDs, the pseudonym, and the de-identification method (PS3.15 E.1.1, CID
    7050)."""
    _identify(out, ds, context)
    if (
        iod == GENERIC and _SOP_CLASS not in out
    ):  # a private class identifies the manufacturer, and no reader supports it
        out[_SOP_CLASS] = explicit_element(_SOP_CLASS, "UI", SecondaryCaptureImageStorage)
        out.setdefault(_CONVERSION, explicit_element(_CONVERSION, "CS", "WSD"))
    patient = context.pseudo.key("patient", context.patient) if context.patient else ""
    dates = "dates" in context.rules.retain and bool(context.patient)
    for tag, vr, value in (
        (_PATIENT_NAME, "PN", patient),
        (_PATIENT_ID, "LO", patient),
        (0x00120062, "CS", "YES"),
        (0x00120063, "LO", "PS3.15 E Basic Profile, allow-list by SOP class"),
        (0x00280303, "CS", "MODIFIED" if dates else "REMOVED"),
    ):
        out[BaseTag(tag)] = explicit_element(tag, vr, value)
    for tag, keyword in ((_PATIENT_NAME, "PatientName"), (_PATIENT_ID, "PatientID")):
        if tag in ds:
            context.actions[f"replace {keyword}"] += 1
    out[BaseTag(0x00120064)] = sequence(0x00120064, [code_item(Code(v, "DCM", m)) for v, m in methods(context.rules)])
    if (
        _VERIFICATION in out and _VERIFIER not in out
    ):  # without the verifier's name the report is unverified (PS3.3 C.17.2)
        out[_VERIFICATION] = explicit_element(_VERIFICATION, "CS", "UNVERIFIED")


def _identify(out: dict[BaseTag, Element], ds: Dataset, context: Context) -> None:
    """Set the class and the three UIDs that every object has, derived from one another if the source lacked one."""
    meta = getattr(ds, "file_meta", None)
    root = context.rules.uid_root
    if _SOP_CLASS not in out and (name := first_text(meta, 0x00020002, "UI")) and kind_of(name) != "unknown":
        out[_SOP_CLASS] = explicit_element(_SOP_CLASS, "UI", name)
    instance = first_text(ds, _SOP_INSTANCE, "UI") or first_text(meta, 0x00020003, "UI")
    if not instance:
        instance = "\\".join(first_text(ds, tag, vr) for tag, vr in _DISTINGUISHING).strip("\\")
    if not instance:
        raise DropRecord(Reason.HEADER_UNPROVEN)
    if _SOP_INSTANCE not in out:
        out[_SOP_INSTANCE] = explicit_element(_SOP_INSTANCE, "UI", context.pseudo.uid(instance, root))
    for tag, name in ((_STUDY, "study"), (_SERIES, "series")):
        if tag not in out:
            out[tag] = explicit_element(
                tag, "UI", context.pseudo.uid(f"{name} of {canonical_id(context.patient) or instance}", root)
            )


def methods(rules: HeaderRules) -> list[tuple[str, str]]:
    """The codes of CID 7050 for these rules, in code order."""
    names = ["basic", *rules.retain]
    if rules.descriptors == "clean":
        names.append("descriptors")
    if rules.structured_reports == "clean":
        names.append("structured")
    return sorted(allowed.METHODS[name] for name in set(names))
