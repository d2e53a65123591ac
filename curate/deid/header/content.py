"""Clean Structured Content (PS3.15 E.3.4): the tree of a structured report, item by item.

Containers, codes, measurements, coordinates and references stay, each checked; texts and names of people go, and with
them whatever hangs below. What says who observed or who was observed goes whatever its type.
"""

from __future__ import annotations

from collections.abc import Callable

from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

from curate.deid.header.checks import Context
from curate.deid.header.codes import code_of
from curate.deid.header.values import Held, header, made, sequence, value_of

_VALUE_TYPE, _CONCEPT_NAME, _CONTENT = BaseTag(0x0040A040), BaseTag(0x0040A043), BaseTag(0x0040A730)
_CODE = BaseTag(0x0040A168)
_TYPES = frozenset(
    "CONTAINER CODE NUM DATE DATETIME UIDREF IMAGE COMPOSITE WAVEFORM SCOORD SCOORD3D TCOORD TABLE".split()  # noqa: SIM905
)
# PS3.16 TID 1003, 1004 and 1006-1009: names, organisations and numbers of people and machines, birth date, age.
_WHO = frozenset(str(n) for n in (*range(121008, 121018), *range(121022, 121032), 121033, 121034, 121035, 121036))
_PERSON = "121006"
MAX_CONTENT_DEPTH = 32

Walk = Callable[[Dataset, str, Context, int, frozenset[int]], dict[BaseTag, Held]]


def content(items: list[Dataset], context: Context, depth: int, above: frozenset[int], walk: Walk) -> list[Dataset]:
    """The items of a content sequence that may stay. ``walk`` cleans one item's own elements."""
    if depth > MAX_CONTENT_DEPTH:
        context.actions["remove ContentSequence"] += 1
        return []
    cleaned = (_item(i, context, depth, above, walk) for i in items if id(i) not in above)
    return [item for item in cleaned if item is not None]


def _item(item: Dataset, context: Context, depth: int, above: frozenset[int], walk: Walk) -> Dataset | None:
    kind = _first(item, _VALUE_TYPE)
    referenced = not kind and BaseTag(0x0040DB73) in item  # by reference: only the path of another item
    if kind not in _TYPES and not referenced:
        context.actions[f"remove {kind if kind in ('TEXT', 'PNAME', 'TIME') else 'unknown'} content item"] += 1
        return None
    name = _code(item, _CONCEPT_NAME, context)
    if (name is None and kind not in ("CONTAINER", "") and _CONCEPT_NAME in item) or name in _WHO:
        context.actions["remove content item"] += 1
        return None
    if kind == "CODE" and _code(item, _CODE, context) in (None, _PERSON):
        context.actions["remove content item"] += 1
        return None
    out = walk(item, "ContentSequence", context, depth, above)
    if kind in ("DATE", "DATETIME") and not {BaseTag(0x0040A121), BaseTag(0x0040A120)} & out.keys():
        return None
    nested = _nested(item, context, depth, above, walk)
    if nested:
        out[_CONTENT] = sequence(_CONTENT, nested)
    else:
        out.pop(_CONTENT, None)
    if kind:
        out[_VALUE_TYPE] = made(_VALUE_TYPE, "CS", kind)
    return header(out)


def _nested(item: Dataset, context: Context, depth: int, above: frozenset[int], walk: Walk) -> list[Dataset]:
    if _CONTENT not in item:
        return []
    below = value_of(item, _CONTENT, "SQ")
    if not isinstance(below, list):
        return []
    datasets = [b for b in below if isinstance(b, Dataset)]
    return content(datasets, context, depth + 1, above | {id(item)}, walk)


def _code(item: Dataset, tag: BaseTag, context: Context) -> str | None:
    """The value of the one code of a code sequence of an item, None where it may not stay."""
    if tag not in item:
        return None
    codes = value_of(item, tag, "SQ")
    first = codes[0] if isinstance(codes, list) and codes else None
    code = code_of(first, context.who) if isinstance(first, Dataset) else None
    return code.value if code else None


def _first(item: Dataset, tag: BaseTag) -> str:
    value = value_of(item, tag, "CS")
    return str(value[0]).upper() if isinstance(value, list) and value else ""
