"""XML documents of reports, part by part: the one way they are parsed. One that declares entities is refused unread: of
a few lines they make gigabytes."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from typing import Any
from xml.parsers import expat

from curate.errors import DropRecord
from curate.record import Reason

_DEEPEST = 200  # elements within one another: each may be asked what it lies in
Start = Callable[[str, Mapping[str, str]], None]


def read_parts(raw: bytes, start: Start, end: Callable[[str], None], words: Callable[[str], None]) -> None:
    """Call ``start`` with the name (no prefix) and the attributes of each element, ``words`` with what stands in it,
    ``end`` with its name.

    Raises DropRecord BROKEN_ROW where it is no XML or nested too deep, TOO_LARGE where it declares entities.
    """
    parser, depth, reason = expat.ParserCreate(), 0, Reason.BROKEN_ROW

    def opened(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > _DEEPEST:
            raise ValueError
        start(name.rpartition(":")[2], attributes)

    def closed(name: str) -> None:
        nonlocal depth
        depth -= 1
        end(name.rpartition(":")[2])

    def entity(*_: object) -> None:
        nonlocal reason
        reason = Reason.TOO_LARGE
        raise ValueError

    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = opened, closed, words
    parser.EntityDeclHandler, parser.buffer_text = entity, True
    try:
        whole = bool(parser.Parse(raw, True))
    except (expat.ExpatError, ValueError, LookupError):
        whole = False
    if not whole:
        raise DropRecord(reason)


def read_openi(raw: bytes) -> tuple[str, dict[str, str]]:
    """(text with a heading for each part, what is known) of a document as Open-i publishes the Indiana collection
    (ecgen-radiology/1.xml): the uid ("CXR1") is the study, which the images' names begin with.

    Raises DropRecord as `read_parts`, and NOT_A_REPORT where it is no such document.
    """
    parts, path, known = list[tuple[str, list[str]]](), list[str](), dict[str, str]()

    def start(name: str, attributes: Mapping[str, str]) -> None:
        path.append(name)
        if name == "uId":
            known["study"] = attributes.get("id", "").strip()
        elif name == "AbstractText":
            parts.append((attributes.get("Label", "").strip(), []))

    def words(data: str) -> None:
        if "AbstractText" in path:
            parts[-1][1].append(data)

    def end(_: str) -> None:
        path.pop()

    read_parts(raw, start, end, words)
    if not known.get("study"):
        raise DropRecord(Reason.NOT_A_REPORT)
    texts = [(label, "".join(found).strip()) for label, found in parts]
    return "\n\n".join(f"{label}: {text}" if label else text for label, text in texts if text), known


def fhir_values(raw: bytes) -> list[dict[str, Any]]:
    """FHIR's resources as its JSON has them: a bundle's entries, or the one resource there is; what stands there once
    is no list. Raises DropRecord as `read_parts`."""
    tree = _FhirTree()
    read_parts(raw, tree.start, tree.end, tree.words)
    return tree.entries or [{"resource": tree.root}]


class _FhirTree:
    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []
        self.root: Any = None
        self._open: list[tuple[str, str | None, dict[str, Any]]] = []
        self._narrative: list[str] = []
        self._within = 0  # how deep in the narrative

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if self._within or name == "div":
            self._within += 1
            self._narrative.append(f"<{name}>")
        else:
            self._open.append((name, attributes.get("value"), {}))

    def words(self, data: str) -> None:
        if self._within:
            self._narrative.append(html.escape(data))

    def end(self, name: str) -> None:
        if self._within:
            self._within -= 1
            self._narrative.append(f"</{name}>")
            if not self._within:
                self._open[-1][2]["div"] = "".join(self._narrative)
                self._narrative = []
            return
        _, own, fields = self._open.pop()
        value: Any = fields if own is None else own
        if name[:1].isupper():
            fields["resourceType"] = name
        elif name in ("resource", "contained"):
            value = next((inner for inner in fields.values() if isinstance(inner, dict)), None)
        if not self._open:
            self.root = value
        elif name == "entry" and len(self._open) == 1:
            self.entries.append(fields)
        else:
            siblings = self._open[-1][2]
            before = siblings.get(name)
            siblings[name] = value if before is None else [*(before if isinstance(before, list) else [before]), value]
