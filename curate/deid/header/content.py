"""Clean Structured Content (PS3.15 E.3.4): the tree of a structured report, item by item.

Containers, codes, measurements, coordinates and references are kept after checks; texts and person names are removed
with everything below them, and so are items of any type about the observer or the subject.
"""

from __future__ import annotations

from collections.abc import Callable

from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

from curate.deid.header.checks import Context
from curate.deid.header.codes import code_of
from curate.deid.header.values import Element, explicit_element, first_text, header, sequence, value_of

_VALUE_TYPE, _CONCEPT_NAME, _CONTENT = BaseTag(0x0040A040), BaseTag(0x0040A043), BaseTag(0x0040A730)
_CODE = BaseTag(0x0040A168)
_TYPES = frozenset(
    "CONTAINER CODE NUM DATE DATETIME UIDREF IMAGE COMPOSITE WAVEFORM SCOORD SCOORD3D TCOORD TABLE".split()  # noqa: SIM905
)
# PS3.16 TID 1003, 1004 and 1006-1009: names, organisations and numbers of people and machines, birth date, age.
_OBSERVER_CONCEPTS = frozenset(
    str(n) for n in (*range(121008, 121018), *range(121022, 121032), 121033, 121034, 121035, 121036)
)
_PERSON_CODE = "121006"
MAX_CONTENT_DEPTH = 32

Walk = Callable[[Dataset, str, Context, int, frozenset[int]], dict[BaseTag, Element]]


def content(items: list[Dataset], context: Context, depth: int, ancestors: frozenset[int], walk: Walk) -> list[Dataset]:
    """The cleaned items of a content sequence. ``walk`` cleans one item's own elements."""
    if depth > MAX_CONTENT_DEPTH:
        context.actions["remove ContentSequence"] += 1
        return []
    cleaned = (_item(i, context, depth, ancestors, walk) for i in items if id(i) not in ancestors)
    return [item for item in cleaned if item is not None]


def _item(item: Dataset, context: Context, depth: int, ancestors: frozenset[int], walk: Walk) -> Dataset | None:
    kind = first_text(item, _VALUE_TYPE, "CS").upper()
    referenced = not kind and BaseTag(0x0040DB73) in item  # an item by reference has only the path of another item
    if kind not in _TYPES and not referenced:
        context.actions[f"remove {kind if kind in ('TEXT', 'PNAME', 'TIME') else 'unknown'} content item"] += 1
        return None
    name = _code(item, _CONCEPT_NAME, context)
    if (name is None and kind not in ("CONTAINER", "") and _CONCEPT_NAME in item) or name in _OBSERVER_CONCEPTS:
        context.actions["remove content item"] += 1
        return None
    if kind == "CODE" and _code(item, _CODE, context) in (None, _PERSON_CODE):
        context.actions["remove content item"] += 1
        return None
    out = walk(item, "ContentSequence", context, depth, ancestors)
    if kind in ("DATE", "DATETIME") and not {BaseTag(0x0040A121), BaseTag(0x0040A120)} & out.keys():
        return None
    nested = _nested(item, context, depth, ancestors, walk)
    if nested:
        out[_CONTENT] = sequence(_CONTENT, nested)
    else:
        out.pop(_CONTENT, None)
    if kind:
        out[_VALUE_TYPE] = explicit_element(_VALUE_TYPE, "CS", kind)
    return header(out)


def _nested(item: Dataset, context: Context, depth: int, ancestors: frozenset[int], walk: Walk) -> list[Dataset]:
    if _CONTENT not in item:
        return []
    nested = value_of(item, _CONTENT, "SQ")
    if not isinstance(nested, list):
        return []
    datasets = [b for b in nested if isinstance(b, Dataset)]
    return content(datasets, context, depth + 1, ancestors | {id(item)}, walk)


def _code(item: Dataset, tag: BaseTag, context: Context) -> str | None:
    """The value of the single code in a code sequence of an item, None if it cannot be kept."""
    if tag not in item:
        return None
    codes = value_of(item, tag, "SQ")
    first = codes[0] if isinstance(codes, list) and codes else None
    code = code_of(first, context.identity) if isinstance(first, Dataset) else None
    return code.value if code else None
