"""How English and medicine build words: stems of an inflected word, and words that are all Greek and Latin pieces."""

from __future__ import annotations

from collections.abc import Iterator

from curate.deid.word_lists import word_sections

# (ending, what stands in its place in the stem)
_ENDINGS = (
    ("s", ("",)), ("es", ("", "is", "e")), ("ies", ("y",)), ("ed", ("", "e")), ("ied", ("y",)), ("ing", ("", "e")),
    ("er", ("", "e")), ("est", ("", "e")), ("ier", ("y",)), ("iest", ("y",)), ("ly", ("", "le")), ("ily", ("y",)),
    ("ally", ("al", "")), ("ness", ("",)), ("iness", ("y",)), ("less", ("",)), ("able", ("", "e")), ("ment", ("",)),
    ("ful", ("",)), ("ize", ("", "y")), ("ized", ("", "y")), ("izing", ("", "y")), ("ised", ("", "y", "ize")),
    ("ise", ("ize",)), ("ising", ("ize",)), ("isation", ("ize",)), ("ization", ("ize",)), ("ae", ("a",)),
    ("aemia", ("emia",)), ("our", ("or",)), ("ours", ("or",)), ("re", ("er",)), ("res", ("er",)), ("oid", ("",)),
    ("al", ("", "e")), ("ic", ("", "y", "e")), ("ically", ("ic",)), ("ation", ("e", "ate", "")), ("like", ("",)),
    ("or", ("e", "")), ("ability", ("able",)), ("ibility", ("ible",)), ("ata", ("a",)), ("omas", ("oma",)),
)  # fmt: skip
_DOUBLED = frozenset("bdfgklmnprstvz")
_BY_LETTER = {last: [row for row in _ENDINGS if row[0][-1] == last] for last in {ending[-1] for ending, _ in _ENDINGS}}


def stems(word: str) -> Iterator[str]:
    """What ``word`` (lower case) may be an inflection of, without asking whether it is a word: opacities -> opacity."""
    for ending, forms in _BY_LETTER.get(word[-1:], ()):
        if word.endswith(ending) and len(word) > len(ending) + 2:
            stem = word[: -len(ending)]
            for form in forms:
                yield stem + form
            if ending in ("ed", "ing", "er", "est") and stem[-1] == stem[-2] and stem[-1] in _DOUBLED:
                yield stem[:-1]


# Prefixes and combining forms that stand before a word of medicine or of English.
PREFIXES = word_sections("prefixes")["english"]
