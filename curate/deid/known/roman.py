"""Names as other alphabets and habits write them: Cyrillic and Greek in Latin letters, umlauts as two letters.

Looks at folded words (`curate.deid.text.fold`), in which й is и and accents are gone. Alternatives follow what
passports (ICAO 9303), BGN/PCGN, ISO 9, ELOT 743 and English, German and French habit write.
"""

from __future__ import annotations

import re
from functools import lru_cache

_CYRILLIC = """
а a б b в v|w|ff|f г g|h|gh д d е e|ye|ie|je|yo|io|jo|o ж zh|j|z|g|sh з z|s и i|y|j|ii|ee к k|c л l м m н n о o п p
р r с s|ss|c т t у u|ou|oo|w|y ф f|ph х kh|h|ch|x ц ts|tz|cz|c|z ч ch|tch|tsch|tsh|cz|c ш sh|sch|ch|sz|s
щ shch|sch|sht|stch|schtsch|shh|sc|s ъ |a|u ы y|i ь |y|i э e ю yu|iu|ju|u я ya|ia|ja|a і i|y є ye|ie|je|e ґ g
ј j|y љ lj|l њ nj|n ђ dj|d ћ c|ch|tj џ dz|dj|j ии y|i|iy|ii|ij|yi|ji|yy|ey ыи y|yy|iy|yi|yj|i кс ks|x
"""
_GREEK = """
α a β v|b γ g|y|gh|j δ d|dh ε e ζ z η i|e|y|h θ th|t ι i|y|j κ k|c λ l μ m ν n ξ x|ks ο o π p ρ r|rh σ s ς s τ t
υ y|u|i|v|f φ f|ph χ ch|h|kh|x ψ ps ω o ου ou|u αυ av|af|au ευ ev|ef|eu μπ b|mp|mb ντ d|nt|nd γκ g|gk|ng|gg γγ ng|gg
γχ nch|nh αι ai|e|ae οι oi|i|e|oe ει ei|i τζ tz|j
"""


def _table(rows: str) -> dict[str, tuple[str, ...]]:
    letters = rows.strip().replace("\n", " ").split(" ")
    return {native: tuple(latin.split("|")) for native, latin in zip(letters[::2], letters[1::2], strict=True)}


ROMAN = _table(_CYRILLIC) | _table(_GREEK)
# The plainest way of each letter, for text that writes in Cyrillic or Greek what the header writes in Latin letters.
PLAINEST = {k: v[0] for k, v in ROMAN.items() if len(k) == 1}
PLAINEST |= {k.upper(): v.capitalize() for k, v in PLAINEST.items() if k != "ς"}
# A word broken by a line end, a hyphen, a no-break space; tidied text has no zero-width characters left.
BREAK = r"(?:-?[^\S\n]*\n\s*|[-\xa0'.])?"
_SOFT = {"a": "[ae]", "o": "e", "u": "e"}


@lru_cache(maxsize=512)
def letters(word: str) -> tuple[tuple[str, ...], ...] | None:
    """Per sound of a Cyrillic or Greek word, its ways in Latin letters; None for any other word."""
    lower = word.lower()
    if lower.isascii() or not all(c in ROMAN or c.isascii() for c in lower):
        return None
    found: list[tuple[str, ...]] = []
    at = 0
    while at < len(lower):
        size = 2 if lower[at : at + 2] in ROMAN else 1
        found.append(ROMAN.get(lower[at : at + size], (lower[at],)))
        at += size
    return tuple(found)


def romanised(sounds: tuple[tuple[str, ...], ...]) -> str:
    """The pattern of every Latin spelling of these sounds."""
    return BREAK.join(f"(?:{'|'.join(map(re.escape, ways))})" for ways in sounds if any(map(str.isalnum, ways)))


def collapsed(text: str) -> str:
    """Lower-case text in which ae and aa are a, oe is o, ue is u, whichever of them was meant."""
    return text.lower().replace("ae", "a").replace("aa", "a").replace("oe", "o").replace("ue", "u")


def is_soft(part: str) -> bool:
    """True for a part long enough that Mueller and Muller are one: shorter, "Doe" would be "do" and "Loew" "low"."""
    return part.isascii() and len(part) > 4 and len(collapsed(part)) > 3


def spelled(part: str) -> str:
    """The pattern of a Latin part: broken by a line end or hyphen anywhere, letter-spaced, its umlauts either way."""
    soft = is_soft(part)
    broken, loose = "", False
    for c in collapsed(part) if soft else part:
        if not c.isalnum():
            loose = True
            continue
        joint = (r"[\W_]{0,2}" if loose else BREAK) if broken else ""
        broken += joint + re.escape(c) + (f"(?:{BREAK}{_SOFT[c]}){{0,3}}" if soft and c in _SOFT else "")
        loose = False
    plain = [re.escape(c) for c in part if c.isalnum()]
    spaced = r"[ .]{1,2}".join(plain)
    return f"{broken}|{spaced}" if len(plain) > 3 else broken
