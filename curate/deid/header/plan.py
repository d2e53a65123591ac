"""The plan of one information object, computed once: tag -> Step.

The allow-list is the object's own attributes (`curate.deid.header.iod`); attributes that PS3.15 Table E.1-1 removes
under the chosen options are removed (`curate.deid.header.table`); the rest is kept if its value passes the check of its
VR.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache

from pydicom.datadict import dictionary_VM, dictionary_VR, keyword_for_tag, tag_for_keyword
from pydicom.tag import BaseTag

from curate.deid.header import allowed
from curate.deid.header.checks import Step
from curate.deid.header.iod import attributes_of, is_code, items_of
from curate.deid.header.table import Treatment, treatment
from curate.deid.rules import HeaderRules

Plan = dict[int, Step]

GENERIC = "generic"  # the object of an unknown class
_UNLIMITED = 1 << 20
_ROWS = 0x00280010
_CODE_MACRO = frozenset(items_of("AnatomicRegionSequence")) - frozenset({0x00082220})
_VERB_OF_VR = {
    "DS": "number", "IS": "number", "CS": "term", "AS": "age", "DA": "shift", "DT": "shift", "TM": "shift",
    "LO": "clean", "SH": "clean", "ST": "clean", "LT": "clean", "UT": "clean", "UC": "clean", "UI": "remap",
    "US": "number", "SS": "number", "UL": "number", "SL": "number", "FL": "number", "FD": "number", "UV": "number",
    "SV": "number", "AT": "number", "OB": "bulk", "OW": "bulk", "OF": "bulk", "OD": "bulk", "OL": "bulk", "OV": "bulk",
}  # fmt: skip
_CAMERA = 0x0016  # a camera's data on itself and its location (PS3.3 C.7.6.22 to 24)
# Identifiers by keyword, which no vocabulary makes harmless. StackID is a number within its own picture.
_IDENTIFIERS = re.compile(r"(?<!^Stack)IDs?$|Issuer$|DeviceLabel$")
_CLASS_NAMES = ("SOPClassUID", "ContextUID", "TransferSyntaxUID", "CodingSchemeUID", "SOPClassesInStudy")


@lru_cache(maxsize=512)
def plan_for(iod: str, rules: HeaderRules) -> Plan:
    """The plan of an object's top level. ``iod`` as of `iod_of`, or GENERIC."""
    if iod == GENERIC:
        return _generic(rules)
    needs = attributes_of(iod)
    plan = {tag: _step(tag, need.type, need.mandatory, rules) for tag, need in needs.items()}
    if _ROWS in needs:
        plan |= {tag: _step(tag, "3", False, rules) for tag in _of_any_picture() if tag not in needs}
    return plan


@cache
def _of_any_picture() -> tuple[int, ...]:
    """Acquisition attributes that manufacturers add to classes without them (standard extended classes, PS3.2).

    For example RescaleSlope in MR, without which pixel values mean something else.
    """
    tags = (tag_for_keyword(k) for k in sorted(allowed.NUMBERS | allowed.TERMS.keys()))
    return tuple(int(t) for t in tags if t is not None)


@lru_cache(maxsize=4096)
def item_plan(sequence: str, rules: HeaderRules) -> Plan:
    """The plan of the items of a sequence; of a code sequence, without the code's own attributes."""
    code = is_code(sequence)
    return {
        tag: _step(tag, kind, False, rules)
        for tag, kind in items_of(sequence).items()
        if not (code and tag in _CODE_MACRO)
    }


def _generic(rules: HeaderRules) -> Plan:
    """The plan of an object of an unknown class: picture, acquisition and references."""
    keywords = sorted(allowed.NUMBERS | allowed.TERMS.keys() | allowed.GENERAL)
    tags = {int(BaseTag(tag)) for k in keywords if (tag := tag_for_keyword(k)) is not None}
    known = attributes_of("secondary-capture-image")
    return {t: _step(t, known[t].type if t in known else "3", t in known and known[t].mandatory, rules) for t in tags}


def _step(tag: int, kind: str, mandatory: bool, rules: HeaderRules) -> Step:
    keyword, vrs = keyword_for_tag(tag), tuple(dictionary_VR(tag).split(" or "))
    verb = _verb(tag, keyword, vrs[0], treatment(tag, rules), rules)
    last = dictionary_VM(tag).split("-")[-1]
    terms = allowed.TERMS.get(keyword)
    return Step(BaseTag(tag), keyword, vrs, verb, int(last) if last.isdigit() else _UNLIMITED, kind, mandatory, terms)


def _verb(tag: int, keyword: str, vr: str, table_action: Treatment, rules: HeaderRules) -> str:
    if keyword in _SPECIAL_VERBS:
        return _SPECIAL_VERBS[keyword]
    if keyword in allowed.NEVER or vr in ("PN", "UN", "AE", "UR") or tag >> 16 & 1 or tag >> 16 == _CAMERA:
        return "remove"
    if table_action == "remove":
        return "remove"
    if vr == "SQ":
        return "code" if is_code(keyword) else ("content" if keyword == "ContentSequence" else "recurse")
    if vr == "UI":
        return _verb_of_uid(keyword, table_action, rules)
    if table_action == "shift" or vr in ("DA", "DT", "TM"):
        return "shift" if vr in ("DA", "DT", "TM") and "dates" in rules.retain else "remove"
    if table_action == "keep" and vr in ("LO", "SH", "ST", "LT", "UT", "UC"):
        return "device"
    verb = _VERB_OF_VR.get(vr, "remove")
    return "remove" if verb in ("clean", "term") and _IDENTIFIERS.search(keyword) else verb


def _verb_of_uid(keyword: str, table_action: Treatment, rules: HeaderRules) -> str:
    if keyword.endswith(_CLASS_NAMES) or keyword == "SOPClassesInStudy":
        return "class"
    return "keep uid" if table_action == "keep" else "remap"


# Attributes with a verb of their own, instead of that of their VR.
_SPECIAL_VERBS = {
    "PatientName": "patient", "PatientID": "patient", "Manufacturer": "maker", "SOPClassUID": "class",
    "PatientIdentityRemoved": "method attribute", "DeidentificationMethod": "method attribute",
    "DeidentificationMethodCodeSequence": "method attribute",
    "LongitudinalTemporalInformationModified": "method attribute", "IssuerOfPatientID": "remove",
}  # fmt: skip
