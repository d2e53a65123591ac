"""Reports as Open-i publishes the Indiana University collection: an XML document each (ecgen-radiology/1.xml).

The uid ("CXR1") is the study, which the images' names begin with; each part of the abstract is a section. A document
that declares entities is refused unread: of a few lines they make gigabytes.
"""

from __future__ import annotations

from xml.parsers import expat

from curate.errors import DropRecord
from curate.record import Reason


def read_openi(raw: bytes) -> tuple[str, dict[str, str]]:
    """(text with a heading for each part, what is known). DropRecord: BROKEN_ROW where it is no XML, TOO_LARGE where it
    declares entities, NOT_A_REPORT where it is no such document."""
    parser, parts, known = expat.ParserCreate(), list[tuple[str, list[str]]](), dict[str, str]()
    inside = False
    refused: list[Reason] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal inside
        if name == "uId":
            known["study"] = attributes.get("id", "").strip()
        elif name == "AbstractText":
            parts.append((attributes.get("Label", "").strip(), []))
            inside = True

    def end(name: str) -> None:
        nonlocal inside
        inside = inside and name != "AbstractText"

    def words(data: str) -> None:
        if inside:
            parts[-1][1].append(data)

    def entity(*_: object) -> None:
        refused.append(Reason.TOO_LARGE)
        raise ValueError

    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, words
    parser.EntityDeclHandler = entity
    parser.buffer_text = True
    try:
        parser.Parse(raw, True)
    except (expat.ExpatError, ValueError, LookupError):
        refused.append(Reason.BROKEN_ROW)
    if not refused and not known.get("study"):
        refused.append(Reason.NOT_A_REPORT)
    if refused:
        raise DropRecord(refused[0])
    texts = [(label, "".join(found).strip()) for label, found in parts]
    return "\n\n".join(f"{label}: {text}" if label else text for label, text in texts if text), known
