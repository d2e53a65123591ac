"""What goes and what stays of a text once the tagger has said how likely each token is anybody's.

What it is sure of goes beside what is masked already; what it is all but sure is nobody's comes back. Words that a
report's meaning stands and falls with are never masked by it, and a patient's own values never come back.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from curate.deid.patterns.around import COUNTED, MEASURED, is_any_before, words_before
from curate.deid.text.closed_class import BY_TAGGER, Found
from curate.deid.text.fold import BARRIER
from curate.deid.text.tagger import LABELS, SOURCES, Tokens, label_of, source_of
from curate.deid.word_lists import word_sections, words
from curate.deid.words import context_words as roles
from curate.deid.words.vocabulary import Kind, kind

_COUNTS = COUNTED | MEASURED
_UNIT = word_sections("context")["units"]
_OLD = 90  # years: from here on an age tells who
_COUNTING = words("one two three four five six seven eight nine ten first second third single")
_OF_A_KIND = words("hospital hospitals clinic clinics ward wards department")
_EXAMS = words("ct pa ca la mi sc x xray usg ultrasound scan scans lab labs")  # that states and houses have too
_NUMBERED = ("DATE", "PHONE", "ID", "AGE")
_JOIN = re.compile(r"[^\w\n]{0,3}")
ACTS = "decision per word (acts)"
KEPT = ("known value", ACTS)  # what found a span that never comes back
_PLACE = LABELS.index("ADDRESS")
_LABEL = {name: number for number, name in enumerate(LABELS)} | {"FACILITY": _PLACE}
_JOINTS = words(", - & of and the de la on upon")  # inside a place's name
_SAINTS = words("st mt ft")  # before a full stop


def is_protected(tokens: Tokens, i: int, label: str, *, inside: bool = False) -> bool:
    """Words and numbers that the tagger adds only where it is all but sure: what counts and what it counts;
    abbreviations and departments where they are not ``inside`` what goes ("Barron Children's ED")."""
    form = tokens.forms[i]
    lower = form.lower()
    if form.isalpha():
        if lower in roles.LICENSED or (form.isupper() and kind(lower) & Kind.SHORT and not inside):
            return True
        if (
            label == "ADDRESS"
            and not inside
            and (lower in _OF_A_KIND or (lower.endswith(roles.DEPARTMENTS) and kind(lower) & Kind.KNOWN))
        ):
            return True  # "seen in Orthopedics", "our local hospital"
        return lower in _UNIT and i > 0 and tokens.forms[i - 1].isdecimal()
    if not form.isdecimal():
        return False
    if len(form) < 5 and is_any_before(words_before(tokens.text, tokens.starts[i]), _COUNTS, 2):
        return True  # "CRP 98", "strength 4/5"
    after = [*tokens.forms[i + 1 : i + 4], "\n", "\n", "\n"]
    k = 2 if after[0] == "." and after[1].isdecimal() else 0  # 3.5 cm
    k += after[k] == "-"  # 67-year-old
    return after[k].lower() in _UNIT and not (label == "AGE" and int(form) >= _OLD)


def _never_goes(tokens: Tokens, i: int, label: str) -> bool:
    """Words of the closed class and of grammar; as a name clinical words that no list of names or towns holds; as a
    place the cue of a number and examinations ("Mercy Hospital CT head", no "Hartford CT").

    Levels, heads and a list's numbers are cut out of what the tagger adds by `closed_class`, as of whatever found a
    span.
    """
    lower = tokens.forms[i].lower()
    if lower in roles.PROTECTED:
        return not (lower in _COUNTING and label in _NUMBERED)
    if label == "ADDRESS" and lower in roles.PARTS_OF_PLACES and _leads_a_number(tokens, i):
        return True  # "MAU K3", "bed 14": the cue stays
    if label == "ADDRESS":
        return lower in _EXAMS and _leads_an_exam(tokens, i)
    return label == "NAME" and _is_of_medicine(tokens.forms[i])


def _leads_an_exam(tokens: Tokens, i: int) -> bool:
    before, after = tokens.forms[i - 1].lower() if i else "", [*tokens.forms[i + 1 : i + 3], "", ""]
    if tokens.forms[i] in "Xx":
        return after[1].lower() == "ray"
    if kind(after[0].lower()) & Kind.FUNCTION and before not in roles.OF_PLACES:
        return False
    return after[0].isalpha() and (before in roles.OF_PLACES or _is_of_medicine(after[0]))


def _leads_a_number(tokens: Tokens, i: int) -> bool:
    after = [*tokens.forms[i + 1 : i + 3], "", ""]
    return after[0].isdecimal() or (len(after[0]) == 1 and after[0].isalpha() and after[1].isdecimal())


def revised(
    tokens: Tokens, masked: Sequence[Found], chances: NDArray[np.float32], limits: Mapping[str, NDArray[np.float32]]
) -> tuple[list[Found], list[int]]:
    """What goes: of ``masked`` what the tagger does not take back, and what it adds; and which words it took back.

    ``limits``: "begin" (len(LABELS),) the chance of being anybody's from which a token goes as such a label, "inside"
    (1,) that of one beside a token that goes, "sure" (2,) those from which what `is_protected` goes as well, by itself
    and beside a token that goes, "back" (len(SOURCES),) the chance of being nobody's from which what such
    a source masks comes back, "site" (2,) the chances of being of a place from which what goes is one, and from which
    what stands beside a place goes along.
    """
    spans, back = _taken_back(tokens, masked, chances[:, 0], limits["back"])
    which = 1 + chances[:, 1:].argmax(axis=1)
    masks = np.asarray(tokens.masks, np.int64)
    free = masks < 0
    own = free & (1 - chances[:, 0] >= limits["begin"][which])
    sure = 1 - chances[:, 0] >= limits["sure"][0]
    for i in map(int, np.flatnonzero(own)):
        own[i] = _may_go(tokens, i, LABELS[which[i]], sure=sure[i])
    labels = np.where(free, which, np.array([*(_LABEL.get(label_of(one), 0) for one in masked), 0])[masks])
    removed = own | ~(free | back)
    _grow(tokens, chances, free, removed, labels, limits)
    beside = np.pad(removed, 1)
    for i in map(int, np.flatnonzero(removed & free & ~beside[:-2] & ~beside[2:] & (labels == _PLACE))):
        removed[i] = not _is_of_medicine(tokens.forms[i])  # alone it is no place
    for i in map(int, np.flatnonzero(removed & free)):
        for k in _glued_numbers(tokens, i):
            if free[k] and not removed[k] and _may_go(tokens, k, LABELS[labels[i]], sure=sure[k]):
                removed[k], labels[k] = True, labels[i]  # "18.20" goes whole
    spans += _own_spans(tokens, removed & free, labels)
    words = [i for i in map(int, np.flatnonzero(back)) if tokens.forms[i][0].isalnum()]
    return sorted(spans, key=lambda one: (one.start, -one.end)), words


def _grow(
    tokens: Tokens,
    chances: NDArray[np.float32],
    free: NDArray[np.bool_],
    removed: NDArray[np.bool_],
    labels: NDArray[np.int64],
    limits: Mapping[str, NDArray[np.float32]],
) -> None:
    """Along with what goes goes what stands beside it and may be of the same; with a place what places are named by
    ("Oakmont Middle School", "Kerrville, TX"). ``removed`` and ``labels`` take it in."""
    anyone, chance, count = 1 - chances[:, 0], chances[:, _PLACE], len(tokens.forms)
    (a_place, part), surely = map(float, limits["site"]), float(limits["sure"][1])
    site = removed & ((labels == _PLACE) | (~free & (chance >= a_place)))
    level = not any(form.istitle() and len(form) > 1 for form in tokens.forms)
    for step in (1, -1):
        for last in map(int, np.flatnonzero(removed)[::step]):
            word, i = tokens.forms[last], last + step
            while 0 <= i < count and free[i] and not removed[i]:
                along = anyone[i] >= limits["inside"][0] and labels[i] == labels[last]
                along = along and _may_go(tokens, i, LABELS[labels[i]], sure=anyone[i] >= surely, beside=True)
                if not along and site[last]:
                    beside, i = i, _behind_joints(tokens, i, step)
                    named = len(word) > 2 and not word.isdecimal() and (i == beside or chance[i] >= part)
                    along = (
                        free[i] and not removed[i] and _is_part(tokens, i, chance[i] >= part, level=level, named=named)
                    )
                    labels[i] = _PLACE if along else labels[i]
                if not along:
                    break
                removed[i], site[i] = True, labels[i] == _PLACE
                last, word, i = i, tokens.forms[i] if tokens.forms[i][0].isalnum() else word, i + step


def _behind_joints(tokens: Tokens, i: int, step: int) -> int:
    """``i``, or where the next word is behind what joins the words of a place's name."""
    while 0 < i < len(tokens.forms) - 1:
        form = tokens.forms[i].lower()
        if form not in _JOINTS and not (form == "." and tokens.forms[i - 1].lower() in _SAINTS):
            break
        i += step
    return i


def _is_part(tokens: Tokens, i: int, likely: bool, *, level: bool, named: bool) -> bool:
    """``likely``: it may well be of a place; ``named``: it stands beside a word; of a number or a letter the cue stays
    ("MAU K3", "bed 14")."""
    form = tokens.forms[i]
    lower = form.lower()
    if (
        not form[0].isalnum()
        or (form.islower() and not level)
        or not _may_go(tokens, i, "ADDRESS", sure=False, beside=True)
    ):
        return False
    if lower in roles.PARTS_OF_PLACES:
        return named
    return likely and not _is_of_medicine(form)


def _glued_numbers(tokens: Tokens, i: int) -> list[int]:
    """The numbers that one sign joins to the number at ``i``."""
    found = []
    for sign, k in ((i - 1, i - 2), (i + 1, i + 2)):
        numbers = 0 <= k < len(tokens.forms) and tokens.forms[i].isdecimal() and tokens.forms[k].isdecimal()
        if numbers and abs(tokens.starts[k] - tokens.starts[i]) == len(tokens.forms[min(i, k)]) + 1:
            found += [k] if tokens.forms[sign] in ".:/-" else []
    return found


def _may_go(tokens: Tokens, i: int, label: str, *, sure: bool, beside: bool = False) -> bool:
    """``sure``: the tagger is all but sure of it; ``beside``: it stands beside what goes, where signs may go too."""
    form = tokens.forms[i]
    if form[0] == BARRIER or form == "\n" or not (beside or form[0].isalnum()) or _never_goes(tokens, i, label):
        return False
    return sure or not is_protected(tokens, i, label, inside=beside and label == "ADDRESS")


def _is_of_medicine(form: str) -> bool:
    """A clinical word that no list of names or towns holds: "Lipomas" on a line of its own."""
    return kind(form.lower()) & (Kind.CLINICAL | Kind.NAME | Kind.TOWN) == Kind.CLINICAL


def _taken_back(
    tokens: Tokens, masked: Sequence[Found], nobody: NDArray[np.float32], limits: NDArray[np.float32]
) -> tuple[list[Found], NDArray[np.bool_]]:
    """What of ``masked`` stays masked, and which tokens come back: at its ends what is all but surely nobody's."""
    back, spans = np.zeros(len(tokens.forms), bool), list(masked)
    for mask, same in groupby(range(len(tokens.forms)), tokens.masks.__getitem__):
        if mask < 0 or masked[mask].by.startswith(KEPT) or masked[mask].placeholder == "[TIME]":
            continue
        one, inside = masked[mask], [*same]
        limit = limits[SOURCES.index(source_of(one.by))]
        stay = [i for i in inside if tokens.forms[i][0].isalnum() and nobody[i] < limit]
        first, last = (stay[0], stay[-1]) if stay else (inside[-1] + 1, inside[-1])
        while stay and first > inside[0] and tokens.ends[first - 1] == tokens.starts[first]:
            first -= 1  # "16.20" goes whole
        while stay and last < inside[-1] and tokens.ends[last] == tokens.starts[last + 1]:
            last += 1
        back[inside[0] : first] = back[last + 1 : inside[-1] + 1] = True
        if (first, last) != (inside[0], inside[-1]):
            spans[mask] = one._replace(start=tokens.starts[first], end=tokens.ends[last]) if stay else _NOTHING
    return [one for one in spans if one is not _NOTHING], back


_NOTHING = Found(0, 0, "", "")


def _own_spans(tokens: Tokens, own: NDArray[np.bool_], labels: NDArray[np.int64]) -> list[Found]:
    found: list[Found] = []
    for i in map(int, np.flatnonzero(own)):
        if not tokens.forms[i][0].isalnum():
            continue  # a sign goes between two words that go
        start, end, placeholder = tokens.starts[i], tokens.ends[i], f"[{LABELS[labels[i]]}]"
        if found and found[-1].placeholder == placeholder and _JOIN.fullmatch(tokens.text, found[-1].end, start):
            found[-1] = Found(found[-1].start, end, placeholder, BY_TAGGER)
        else:
            found.append(Found(start, end, placeholder, BY_TAGGER))
    return found
