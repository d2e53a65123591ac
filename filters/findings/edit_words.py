"""Replacement words for edits: the other side, another size, another vertebra."""

from __future__ import annotations

import re

from filters.findings.scan import level_name

_OTHER_SIDE = {
    "left": "right",
    "lt": "rt",
    "leftward": "rightward",
    "leftwards": "rightwards",
    "lul": "rul",
    "lll": "rll",
    "l": "r",
}
_OTHER_SIDE |= {v: k for k, v in _OTHER_SIDE.items()} | {"rml": "lul"}
_SIDE_WORD = re.compile(r"\b(?:" + "|".join(sorted(_OTHER_SIDE, key=len, reverse=True)) + r")\b", re.IGNORECASE)
_ONE_SIDED = {
    "bilateral": "{}-sided",
    "bilaterally": "on the {}",
    "bibasilar": "{} basilar",
    "bibasal": "{} basal",
    "biapical": "{} apical",
    "bihilar": "{} hilar",
    "on either side": "on the {}",
    "both sides": "the {} side",
}
_LARGER = {
    "small": "large",
    "tiny": "large",
    "trace": "large",
    "minimal": "marked",
    "mild": "severe",
    "slight": "marked",
    "subtle": "marked",
    "minor": "major",
    "minute": "large",
    "mildly": "severely",
    "slightly": "markedly",
    "minimally": "markedly",
    "punctate": "large",
    "faint": "marked",
    "low grade": "high-grade",
    "mild to moderate": "severe",
    "small to moderate": "large",
    "medium": "very large",
}
_SMALLER = {
    "large": "small",
    "marked": "slight",
    "severe": "mild",
    "massive": "small",
    "extensive": "minimal",
    "huge": "small",
    "gross": "slight",
    "markedly": "slightly",
    "severely": "mildly",
    "massively": "mildly",
    "grossly enlarged": "slightly enlarged",
    "giant": "small",
    "moderate to severe": "mild",
    "moderate to large": "small",
    "extensively": "minimally",
    "considerable": "slight",
    "widespread": "minimal",
    "high grade": "low-grade",
    "profound": "mild",
}
_BY_EXTENT = re.compile(  # findings that are small or large; others are mild or severe
    r"effusion|thorax|nodule|mass|lesion|cyst|stone|haem|collection|fluid|infarct|ascites|hernia|consolidation|shift|"
    r"opacity|calcul|tumour|fracture|abscess|fibroid|aneurysm|perito"
)
_VERTEBRAE = [f"C{i}" for i in range(1, 8)] + [f"T{i}" for i in range(1, 13)] + [f"L{i}" for i in range(1, 6)] + ["S1"]
_RANGE = re.compile(r"([cts l])(\d\d?)(\s?[-/\u2010-\u2014]\s?)?([ctsl])?(\d\d?)?", re.IGNORECASE)
_MEASURE = re.compile(r"\d+(?:\.\d+)?(?:\s?(?:mm|cm)?\s?[x\u00d7]\s?\d+(?:\.\d+)?)*\s?-?\s?(?:mm|cm)\b")


def swap_side(words: str) -> str:
    """Exchange "left" and "right" in ``words``, keeping upper and lower case."""
    return _SIDE_WORD.sub(lambda m: as_written(_OTHER_SIDE[m[0].lower()], m[0]), words)


def one_sided(words: str, side: str) -> str:
    """ "Bilateral" as one side; unknown words for both sides are unchanged."""
    form = _ONE_SIDED.get(words.lower())
    return words if form is None else as_written(form.format(side), words)


def grades(finding: str) -> tuple[str, str, str]:
    """The usual words for the three sizes of ``finding``: a large effusion, severe hydrocephalus."""
    return ("small", "moderate", "large") if _BY_EXTENT.search(finding) else ("mild", "moderate", "severe")


def change_size(words: str, finding: str, low: bool) -> str:
    """A size far from the one in ``words``; moderate becomes the smallest if ``low``, else the largest."""
    key = " ".join(words.lower().replace("-", " ").split())
    replacement = _LARGER.get(key) or _SMALLER.get(key)
    if replacement is None and key.startswith("moderate"):
        replacement = grades(finding)[0 if low else 2] + ("ly" if key == "moderately" else "")
        replacement = {"smally": "slightly", "largely": "markedly"}.get(replacement, replacement)
    return words if replacement is None else as_written(replacement, words)


def scale_numbers(sentence: str, factor: float) -> str | None:
    """Measures in mm and cm multiplied by ``factor``; None if there are none or nothing changes."""

    def scaled(match: re.Match[str]) -> str:
        return re.sub(r"\d+(?:\.\d+)?", lambda n: _number(float(n[0]) * factor, n[0]), match[0])

    result = _MEASURE.sub(scaled, sentence)
    return result if result != sentence else None


def _number(value: float, like: str) -> str:
    return f"{value:.1f}" if "." in like or value < 1.5 else str(round(value))


def shift_level(words: str, by: int) -> str | None:
    """A level of the spine ``by`` vertebrae lower, written in the same way; None beyond C1 and S1."""
    name = level_name(words.lower())
    match = _RANGE.fullmatch(words)
    if not name or match is None:
        return None
    shifted: list[str] = []
    for part in name.split("-"):
        at = _VERTEBRAE.index(part) + by if part in _VERTEBRAE else -1
        if not 0 <= at < len(_VERTEBRAE):
            return None
        shifted.append(_VERTEBRAE[at])
    if len(shifted) == 1:
        return shifted[0]
    short = not match[4] and shifted[0][0] == shifted[1][0]
    return f"{shifted[0]}{match[3]}{shifted[1][1:] if short else shifted[1]}"


def as_written(word: str, like: str) -> str:
    """``word`` in the case of ``like``: upper, capitalised or lower."""
    if like.isupper() and (len(like) > 1 or len(word) == 1):
        return word.upper()
    return word[:1].upper() + word[1:] if like[:1].isupper() else word
