"""DICOM headers: per SOP class an allow-list, never looser than the Basic Profile of PS3.15 Annex E with its options.

Anything not known to be harmless is not copied: private groups, curves, overlays, UN elements, attributes that the
object's class does not have, malformed ones. Copied values have passed the check of their VR
(`curate.deid.header.checks`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from pydicom.datadict import keyword_for_tag
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag

from curate.deid.header.attributes import attributes
from curate.deid.header.checks import Context, Step, check
from curate.deid.header.codes import code_of, elements_of
from curate.deid.header.complete import complete, image_type
from curate.deid.header.content import content
from curate.deid.header.method_attributes import add_method_attributes, object_of, patient_of
from curate.deid.header.phi import identifying_values, identity
from curate.deid.header.plan import Plan, item_plan, plan_for
from curate.deid.header.private import private_elements
from curate.deid.header.values import Element, explicit_element, header, read, same_vr, sequence, value_of
from curate.deid.pseudonym import Pseudonymizer
from curate.deid.quiet import quiet
from curate.deid.rules import HeaderRules

__all__ = ["Cleaned", "attributes", "clean_header", "identifying_values", "patient_of"]

_DEFAULT = HeaderRules()
MAX_DEPTH = 12  # the deepest nesting of PS3.3 is 9
_FRAMES = ("PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence")  # one item a frame, even if empty
_CODE = frozenset({0x00080100, 0x00080102, 0x00080104})  # of a code item, which is cleaned as a whole
_REFERENCED_CLASS = BaseTag(0x00081150)


@dataclass(frozen=True)
class Cleaned:
    """``dataset`` is new, explicit little endian ASCII, without pixel data. ``actions`` counts what was done by
    "action Keyword" ("remove PatientAddress", "shift StudyDate", "remove private"), nested ones too; never a value."""

    dataset: Dataset
    actions: dict[str, int]


def clean_header(ds: Dataset, pseudo: Pseudonymizer, rules: HeaderRules = _DEFAULT) -> Cleaned:
    """A valid header of the object's class with the parts of ``ds`` that identify nobody, at any depth.

    UIDs are remapped, dates shifted, ages of 90 and over set to 090Y, strings kept only if defined terms or word by
    word through a vocabulary, codes written in the standard's words. Mandatory attributes whose value was removed are
    empty or have a dummy value (PS3.5 7.4). ``ds`` is unchanged, except that pydicom parses it in place. Malformed
    elements are left out, never an error. Raises DropRecord: REFUSED_* by SOP class and ``rules``; HEADER_UNPROVEN if
    no valid header can be made of it.
    """
    with quiet():
        iod = object_of(ds, rules)
        context = Context(pseudo, rules, patient_of(ds), identity(ds), _is_signed(ds))
        out = _walk(ds, plan_for(iod, rules), context, 0, frozenset())
        if "safe_private" in rules.retain:
            out |= private_elements(ds, context)
        add_method_attributes(out, ds, context, iod)
    return Cleaned(header(dict(sorted(out.items(), key=_tag_of))), dict(sorted(context.actions.items())))


def _tag_of(element: tuple[BaseTag, Element]) -> int:
    return int(element[0])


def _is_signed(ds: Dataset) -> bool:
    tag = BaseTag(0x00280103)
    return value_of(ds, tag, "US") == [1]


def _walk(ds: Dataset, plan: Plan, context: Context, depth: int, ancestors: frozenset[int]) -> dict[BaseTag, Element]:
    """The cleaned elements of ``ds``. ``ancestors``: ids of the enclosing objects, to stop at cycles."""
    out: dict[BaseTag, Element] = {}
    actions = context.actions
    for tag, stored in list(ds.items()):  # not the Dataset itself: iterating it parses, and may raise
        number = int(tag)  # a plain int: BaseTag hashes and compares in Python, slowly
        step = plan.get(number)
        if step is None:
            if number not in _CODE:
                actions[_removal(number)] += 1
            continue
        verb = step.verb
        if verb == "remove":
            actions[f"{'empty' if step.type == '2' else 'remove'} {step.keyword}"] += 1
        elif verb != "method attribute" and verb != "patient":
            cleaned = _clean_element(ds, stored, step, context, depth, ancestors)
            if cleaned is None:
                actions[f"{'empty' if step.type == '2' else 'remove'} {step.keyword}"] += 1
            else:
                out[tag] = cleaned
    complete(out, ds, plan, context, depth == 0)
    return out


@lru_cache(maxsize=8192)
def _removal(tag: int) -> str:
    return "remove private" if tag >> 16 & 1 else f"remove {keyword_for_tag(tag) or 'unknown'}"


def _clean_element(
    ds: Dataset, stored: Element, step: Step, context: Context, depth: int, ancestors: frozenset[int]
) -> Element | None:
    tag = step.tag
    vr = same_vr(stored.VR, step.vrs, context.signed)
    if vr is None:
        return None
    if not stored.value and stored.value != 0:
        empty = b"" if step.type in ("2", "2C", "3") else None
        return None if empty is None else sequence(tag, []) if vr == "SQ" else explicit_element(tag, vr, empty)
    value = read(ds, tag, stored, vr)
    if value is None:
        return None
    if vr == "SQ":
        items = _items([v for v in value if isinstance(v, Dataset)], step, context, depth, ancestors | {id(ds)})
        return sequence(tag, items) if items else None
    checked = check(value, step, context, vr)
    if checked is None:
        return None
    if step.keyword in ("ImageType", "FrameType") and isinstance(checked, str):
        checked = image_type(checked)
    _count_change(step, context, stored, checked)
    return explicit_element(tag, vr, checked)


def _count_change(step: Step, context: Context, stored: Element, checked: str | bytes) -> None:
    """Count an attribute whose value was changed."""
    if isinstance(checked, bytes):
        return  # checked binary values are unchanged
    before = stored.value
    same = before.strip(b" \0") == checked.encode() if isinstance(before, bytes) else _spelled(before) == checked
    if not same:
        verb = {"remap": "remap", "keep uid": "remap", "shift": "shift"}.get(step.verb, "clean")
        context.actions[f"{verb} {step.keyword}"] += 1


def _spelled(value: object) -> str:
    return "\\".join(map(str, value)) if isinstance(value, MultiValue) else str(value)


def _items(items: list[Dataset], step: Step, context: Context, depth: int, ancestors: frozenset[int]) -> list[Dataset]:
    """The cleaned items of a sequence; none below the depth that the standard has."""
    if depth >= MAX_DEPTH:
        return []
    if step.verb == "content":
        return content(items, context, depth + 1, ancestors, _content_item) if depth == 0 else []
    plan = item_plan(step.keyword, context.rules)
    cleaned_items = []
    for item in items:
        if id(item) in ancestors:
            continue
        code = code_of(item, context.identity) if step.verb == "code" else None
        if step.verb == "code" and code is None:
            continue
        out = _walk(item, plan, context, depth + 1, ancestors)
        if code is not None:
            out |= elements_of(code)
        dangling = _REFERENCED_CLASS in item and _REFERENCED_CLASS not in out
        if (out and not dangling) or step.keyword in _FRAMES:
            cleaned_items.append(header(out))
    return cleaned_items


def _content_item(
    item: Dataset, keyword: str, context: Context, depth: int, ancestors: frozenset[int]
) -> dict[BaseTag, Element]:
    """An item of a content tree, its own elements only: content trees may be deeper than other sequences."""
    return _walk(item, item_plan(keyword, context.rules), context, 1, ancestors | {id(item)})
