"""British and American spelling, singular and plural: the tables have one form, the others are derived."""

from __future__ import annotations

import re

_AMERICAN = (  # British part of a word, its American form
    ("haem", "hem"),
    ("oedema", "edema"),
    ("oesoph", "esoph"),
    ("tumour", "tumor"),
    ("goitre", "goiter"),
    ("caec", "cec"),
    ("ischaem", "ischem"),
    ("calibre", "caliber"),
    ("faec", "fec"),
    ("grey", "gray"),
    ("dilatation", "dilation"),
    ("isation", "ization"),
    ("ised", "ized"),
    ("foet", "fet"),
    ("paed", "ped"),
    ("coele", "cele"),
    ("phaeo", "pheo"),
    ("leuko", "leuco"),
    ("favour", "favor"),
)
_DISC = re.compile(r"\bdisc\b")
_NO_NOUN = re.compile(r"(?:ed|ic|al|ar|ing|ous|ent|s|ae|i|ary|less|oid|itis|osis|emia)$")


def spellings(phrase: str) -> tuple[str, ...]:
    """``phrase`` as written, and in American spelling."""
    american = phrase
    for british, other in _AMERICAN:
        american = american.replace(british, other)
    forms = (phrase, american, _DISC.sub("disk", phrase), _DISC.sub("disk", american))
    return tuple(dict.fromkeys(forms))


def plurals(phrase: str) -> tuple[str, ...]:
    """``phrase`` and its plural, if its head noun (before "of" or "in", else the last word) is singular."""
    head, link, rest = phrase, "", ""
    for joint in (" of ", " in ", " to ", " from ", " within "):
        if joint in phrase:
            head, link, rest = (*phrase.partition(joint),)
            break
    if head.endswith("sis"):
        return (phrase, f"{head[:-2]}es{link}{rest}")
    if head.endswith("oma"):
        return (phrase, f"{head}s{link}{rest}", f"{head}ta{link}{rest}")
    if _NO_NOUN.search(head):
        return (phrase,)
    if head.endswith("y") and head[-2:-1] not in tuple("aeiou"):
        return (phrase, f"{head[:-1]}ies{link}{rest}")
    if head.endswith(("x", "ch", "sh")):
        return (phrase, f"{head}es{link}{rest}")
    return (phrase, f"{head}s{link}{rest}")
