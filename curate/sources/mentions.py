"""Which pictures of a series a report names: "image 42", "series 3, image 42", "(se 3 im 42)", "img 12/84"."""

from __future__ import annotations

import re
from dataclasses import dataclass

_SERIES = r"(?:series|serie|ser|se)\.?\s*(?:\#|no\.?|nr\.?|:)?\s*(?P<series>\d{1,4})"
_IMAGE = r"(?:images?|imgs?|ima|im|slices?|bild(?:er)?|schicht(?:en)?)\.?\s*(?:\#|no\.?|nr\.?|:)?\s*"
_NUMBERS = r"(?P<numbers>\d{1,4}(?:\s*(?:,|&|and|und|to|bis|through|-|\u2013)\s*\d{1,4})*)"
_OF = r"(?:\s*(?:/|of|von)\s*(?P<of>\d{1,4}))?"
# what counts something else: "image 2 cm below", "images 3 days apart", "image 1.5", "image 12 %"
_NOT_AFTER = r"(?![\d.,]*\d|\s*(?:%|mm|cm|m\b|days?|weeks?|months?|years?|hours?|min|tage?|wochen?|jahren?|x\s*\d))"
_MENTION = re.compile(
    rf"\b(?:{_SERIES}\s*[,;/:]?\s*(?:and\s+|und\s+)?)?\b{_IMAGE}{_NUMBERS}{_OF}\b{_NOT_AFTER}", re.IGNORECASE
)
_PAIRED = re.compile(
    rf"\b(?:series|serie|ser|se)\s*/\s*(?:images?|img|im)\.?\s*:?\s*(?P<series>\d{{1,4}})\s*/\s*(?P<numbers>\d{{1,4}})\b{_NOT_AFTER}",
    re.IGNORECASE,
)
_RANGE = re.compile(r"(\d+)\s*(?:to|bis|through|-|\u2013)\s*(\d+)")
_MOST_OF_RANGE = 50


@dataclass(frozen=True)
class Mention:
    """One picture that the text names. ``series``: its number, None where the text does not say; ``of``: how many
    pictures the text says there are ("12/84"), or None."""

    image: int
    series: int | None = None
    of: int | None = None


def mentions(text: str) -> list[Mention]:
    """Every picture that ``text`` names, in its order, each once. Numbers are those of the viewer: from 1. Of a range
    its two ends and its middle are named."""
    found: list[Mention] = []
    for match in [*_MENTION.finditer(text), *_PAIRED.finditer(text)]:
        parts = match.groupdict()
        series = int(parts["series"]) if parts.get("series") else None
        of = int(parts["of"]) if parts.get("of") else None
        found += [Mention(number, series, of) for number in _numbers(parts["numbers"])]
    return list(dict.fromkeys(found))


def _numbers(text: str) -> list[int]:
    out: list[int] = []
    for first, last in _RANGE.findall(text):
        a, b = int(first), int(last)
        if a <= b <= a + _MOST_OF_RANGE:
            out += [a, (a + b) // 2, b]
    return out + [int(n) for n in re.findall(r"\d+", _RANGE.sub(" ", text))]
