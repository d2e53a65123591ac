"""Which pictures of a series a report names: "image 42", "series 3, image 42", "(se 3 im 42)", "img 12/84"."""

from __future__ import annotations

import re
from dataclasses import dataclass

_WORD = r"(?:series|serie|ser|se)"
_NUMBER = r"\.?\s*(?:\#|no\.?|nr\.?|:)?\s*"
_IMAGES = r"(?:images?|imgs?|ima|im|slices?|bild(?:er)?|schicht(?:en)?)"
_NUMBERS = r"(?P<numbers>\d{1,4}(?:\s*(?:,|&|and|und|to|bis|through|-|\u2013)\s*\d{1,4})*)"
_OF = r"(?:\s*(?:/|of|von)\s*(?P<of>\d{1,4}))?"
# what counts something else: "image 2 cm below", "images 3 days apart", "image 1.5", "image 12 %"
_NOT_AFTER = r"(?![\d.,]*\d|\s*(?:%|mm|cm|m\b|days?|weeks?|months?|years?|hours?|min|tage?|wochen?|jahren?|x\s*\d))"
_BEFORE = rf"(?:{_WORD}{_NUMBER}(?P<series>\d{{1,4}})\s*[,;/:]?\s*(?:and\s+|und\s+)?)?"
# "image 42 of series 3", "image 42 (series 3)"; in "image 7, series 4 image 8" the series is the next image's
_BEHIND = (
    rf"(?:\s*(?:,|\(|of|on|in|from|von|der|aus|\s)*\s*\b{_WORD}{_NUMBER}(?P<behind>\d{{1,4}})\b"
    rf"(?!\s*[,;/:]?\s*(?:and\s+|und\s+)?{_IMAGES}\b))?"
)
_MENTION = re.compile(rf"\b{_BEFORE}\b{_IMAGES}{_NUMBER}{_NUMBERS}{_OF}\b{_NOT_AFTER}{_BEHIND}", re.IGNORECASE)
_PAIRED = re.compile(
    rf"\b{_WORD}\s*/\s*{_IMAGES}{_NUMBER}(?P<series>\d{{1,4}})\s*/\s*(?P<numbers>\d{{1,4}})\b{_NOT_AFTER}",
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
    pairs = list(_PAIRED.finditer(text))
    rest = _PAIRED.sub(lambda m: " " * len(m[0]), text)
    found: list[tuple[int, Mention]] = []
    for match in [*pairs, *_MENTION.finditer(rest)]:
        parts = match.groupdict()
        series, of = parts.get("series") or parts.get("behind"), parts.get("of")
        made = (
            Mention(n, int(series) if series else None, int(of) if of else None) for n in _numbers(parts["numbers"])
        )
        found += [(match.start(), mention) for mention in made]
    return list(dict.fromkeys(mention for _, mention in sorted(found, key=lambda f: f[0])))


def _numbers(text: str) -> list[int]:
    out: list[int] = []
    for first, last in _RANGE.findall(text):
        a, b = int(first), int(last)
        if a <= b <= a + _MOST_OF_RANGE:
            out += [a, (a + b) // 2, b]
    return out + [int(n) for n in re.findall(r"\d+", _RANGE.sub(" ", text))]
