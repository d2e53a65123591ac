"""The vocabulary gate: a word stays only if it is known, and where it is also a name, only if its place allows it.

What no rule and no header can know are the names of third parties without a cue. Here the question is turned round: not
"is this a name" but "is this a word of reports". Unknown words go, whatever they are. A known word that could be a name
(Young, Grant, Stone) goes where it is capitalised inside a sentence, stands beside a name or does what people do; an
eponym stays before its noun. Works on folded text (`curate.deid.text.fold`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from string import ascii_lowercase, ascii_uppercase

from curate.deid.text.codes import is_code_known
from curate.deid.text.fold import BARRIER
from curate.deid.text.rules import Span
from curate.deid.text.vocabulary import Kind, kind

_TOKEN = re.compile(rf"{BARRIER}|[^\W_]+(?:['.](?=[^\W_])[^\W_]+)*")
_BREAK = re.compile(r"[.!?:;\n()\[\]{}\"*=<>|\t]|(?:^|\s)[-+](?:\s|$)")
_BESIDE = re.compile(r"[ \xa0]{1,2}|[ ]?[,&^_/-][ ]?|'|\.[ ]?|\n")
_PLAIN_GAPS = frozenset((" ", ", ", "-", "/", " '"))
_ALPHA, _DIGITS, _DOTS = range(3)  # shapes of a token
_SMALL, _LARGE = ascii_lowercase.encode(), ascii_uppercase.encode()
_SHOUTED = 9  # as many capitals for each small letter

_TITLES = frozenset("dr drs mr mrs ms miss mx prof professor doctor nurse sister rev fr sir madam dame rn".split())
_ACTS = frozenset(
    """saw sees agree agrees agreed call calls called notified aware state states stated say says said inform informed page paged
    confirm confirms confirmed acknowledge acknowledges acknowledged verbalized requested requests ordered orders ask asks
    asked performed reviewed read signed dictated interpreted concur concurs concurred discussed spoke attended
    accompanied visited brought told telephoned phoned wrote recommends recommended thinks felt wants wanted drove
    acknowledging assisted supervised reported verified approved consented declined mentioned answered arrived
    """.split()
)
_STATES = frozenset(
    """aware notified called informed present contacted paged told advised consulted available updated reached asked
    phoned unavailable happy satisfied unable able sure away off covering scrubbed here there made given seen by follow arrange call review discuss see contact inform notify order request
    speak sign email dictate attend
    """.split()
)
_IS = frozenset("is was were has had will and be been are from at who also then to wants".split())
# Of these, only people are the subject: "Stone asked", though a stone may be "reported".
_SURELY = _ACTS - frozenset(
    """read performed reviewed reported discussed requested ordered confirmed confirms approved verified supervised felt
    state states acknowledged call calls page paged signed notified dictated attended wrote interpreted
    """.split()
)
# Cities that are words of reports, masked wherever they are capitalised inside a sentence.
_PLACES = frozenset(
    """mobile reading bath orange cork nice split buffalo phoenix boulder aurora surprise independence champaign flint
    deal sandwich rugby hull derby bend concord salem media normal nome erie troy mesa corona buckeye defiance union
    enterprise paradise eden plains rapids falls hot springs poole rhyl crewe ware wells cupar ayr perth lima fargo
    """.split()
)
_OF_PLACES = frozenset(
    """general united memorial regional community royal university central national county district city valley northern
    southern eastern western north south east west sacred heart trust college infirmary institute centre center group
    partners associates clinic hospital practice surgery imaging radiology diagnostics medical health care foundation
    """.split()
)
_TOLD = frozenset(
    """discussed spoke spoken called paged reviewed reported communicated relayed conveyed faxed signed read dictated
    ordered requested performed interpreted told phoned verified approved seen examined referred accompanied sent given
    conferred consulted asked attended supervised assisted brought notified texted emailed
    """.split()
)
_LINKS = frozenset("with to by per from for via cc attn and of".split())
_KIN = frozenset("mother father wife husband son daughter brother sister spouse partner aunt uncle friend".split())


@dataclass(slots=True)
class _Word:
    start: int
    end: int
    text: str
    lower: str
    kind: int
    first: bool  # begins a sentence, a line or a clause
    masked: bool = False
    settled: bool = False  # stays, whatever stands around it
    person: bool = False  # masked, and a name: pulls its neighbours along


def gate_spans(text: str, archive: frozenset[str] = frozenset(), taken: Sequence[Span] = ()) -> Iterator[Span]:
    """Spans of folded ``text`` that must go; runs of words side by side are one span.

    ``archive``: folded lower-case words that stay although the vocabulary lacks them. ``taken``: what is masked already
    or will be, sorted and apart (start, end, label); a NAME there draws its neighbours along.
    """
    words = _words(text, archive, taken)
    shouted = is_shouted(text)
    for i, word in enumerate(words):
        if not word.settled:
            word.masked = word.person = _goes(words, i, text, shouted)
    _spread(words, text)
    yield from _runs(words, text)


def is_shouted(text: str) -> bool:
    """True for a text all in capitals."""
    plain = text.encode("ascii", "ignore")
    small = len(plain) - len(plain.translate(None, _SMALL))
    return len(plain) - len(plain.translate(None, _LARGE)) > _SHOUTED * small


def _words(text: str, archive: frozenset[str], taken: Sequence[Span]) -> list[_Word]:
    found: list[_Word] = []
    at, next_taken, last = 0, 0, len(taken)
    for hit in _TOKEN.finditer(text):
        start, end = hit.span()
        token = hit[0]
        while next_taken < last and taken[next_taken][1] <= start:
            next_taken += 1
        gap = text[at:start]
        first = at == 0 or (gap not in _PLAIN_GAPS and _BREAK.search(gap) is not None)
        if first and found and gap in (".", ". ") and (len(found[-1].text) == 1 or found[-1].lower in _TITLES):
            first = found[-1].first and found[-1].lower not in _TITLES  # "Dr. Young", "J. Young"
        at = end
        if next_taken < last and taken[next_taken][0] < end:
            person = taken[next_taken][2] == "NAME"
            found.append(_Word(start, end, BARRIER, BARRIER, 0, first, person, True, person))
            continue
        lower, what, settled, shape = _look(token)
        if shape == _ALPHA:
            if archive and lower in archive and not what & Kind.NAME:
                what, settled = what | Kind.KNOWN | Kind.CLINICAL, True
            found.append(_Word(start, end, token, lower, what, first, False, settled, False))
        elif shape == _DIGITS:
            known = is_code_known(text, start, end) or token.lower() in archive
            found.append(_Word(start, end, token, "0", Kind.KNOWN, first, not known, True, False))
        else:
            found += _dotted(start, token, first, archive)
    return found


def _dotted(start: int, token: str, first: bool, archive: frozenset[str]) -> Iterator[_Word]:
    """ "follow.The" is two words, with a sentence's end between them."""
    for piece in token.split("."):
        lower, what, settled, _ = _look(piece)
        if lower in archive and not what & Kind.NAME:
            what, settled = what | Kind.KNOWN | Kind.CLINICAL, True
        yield _Word(start, start + len(piece), piece, lower, what, first, False, settled, False)
        start, first = start + len(piece) + 1, True


@lru_cache(maxsize=100_000)
def _look(piece: str) -> tuple[str, int, bool, int]:
    """A token as it is looked up, what it is, whether that settles it, and its shape."""
    if any(map(str.isdigit, piece)):
        return "0", 0, False, _DIGITS
    if "." in piece:
        return "", 0, False, _DOTS
    lower = piece.lower()
    if lower.endswith("'s") and len(lower) > 3:
        lower = lower[:-2]
    what = kind(lower)
    if not what & Kind.KNOWN and "'" in lower and all(kind(p) & Kind.KNOWN for p in lower.split("'") if len(p) > 2):
        what |= Kind.KNOWN
    if len(piece) == 1:
        return lower, what, piece.isascii() or _is_letter_kept(piece), _ALPHA
    known = bool(what & Kind.KNOWN)
    plain = known and not what & Kind.FREQUENT and piece.islower()
    clinical = known and what & Kind.CLINICAL and not what & (Kind.NAME | Kind.BOUND) and lower not in _PLACES
    return lower, what, bool(plain or clinical or what & Kind.FUNCTION), _ALPHA


def _goes(words: list[_Word], i: int, text: str, shouted: bool) -> bool:
    word = words[i]
    what, form = word.kind, word.text
    if len(form) == 1:
        return True  # of another script
    if what & Kind.EPONYM and not (what & Kind.FREQUENT and _titled(words, i)):
        return False
    if not what & Kind.KNOWN:
        return not (what & Kind.BOUND and _before_noun(words, i, text))
    if what & Kind.FUNCTION or not what & (Kind.NAME | Kind.BOUND) and form.islower():
        return False
    if what & Kind.BOUND and _before_noun(words, i, text):
        return False
    frequent = bool(what & Kind.FREQUENT)
    if shouted or form.islower():
        return frequent and _acts_as_person(words, i, text, plain=True)
    if form.isupper():
        return not what & Kind.CLINICAL and bool(what & Kind.NAME) and not word.first and _among_small(words, i)
    if what & Kind.SHORT:  # "Li", "Ng": as abbreviations they are all in capitals
        return bool(what & Kind.NAME)
    if word.first:
        rare = frequent and not what & Kind.BY_HAND
        return frequent and (rare or _enclosed(words, i, text) or _acts_as_person(words, i, text, plain=False))
    if word.lower in _PLACES:
        return True
    if word.lower in _COUNTED and i + 1 < len(words) and words[i + 1].lower == "0":
        return False
    if what & Kind.CLINICAL or word.lower in _CAPITALS:
        return frequent and (_titled(words, i) or _alone(words, i) or _told(words, i))
    return not _in_heading(words, i, text)


_CAPITALS = frozenset(
    """impression findings finding indication indications technique comparison clinical history exam examination study
    report image images series figure table grade stage type department emergency room intensive care unit operating
    service radiologist physician attending resident surgeon nurse patient reason information recommendation
    recommendations conclusion addendum procedure protocol contrast dose view views section page note order diagnosis
    result results part parts name date time sign signs score classification category level class left right upper lower
    middle anterior posterior lateral medial superior inferior frontal portable single two three normal none unchanged
    stable mild moderate severe small large acute chronic old new prior current total north south none male female
    """.split()
)
# Before a number these are no one: "Day 9".
_COUNTED = frozenset("day days group phase figure fig chem film week level point part panel case point zone row".split())


def _is_letter_kept(ch: str) -> bool:
    """Greek letters stand for angles and receptors; other signs are no word."""
    return "\u0391" <= ch <= "\u03c9" or not ch.isalpha() or ch in "µªº"


def _titled(words: list[_Word], i: int) -> bool:
    return i > 0 and words[i - 1].lower in _TITLES


def _told(words: list[_Word], i: int) -> bool:
    """Behind "discussed with", "seen by": someone."""
    return i > 1 and words[i - 1].lower in _LINKS and words[i - 2].lower in _TOLD


def _enclosed(words: list[_Word], i: int, text: str) -> bool:
    """Alone in quotes or parentheses."""
    before, after = text[: words[i].start][-1:], text[words[i].end : words[i].end + 1]
    return (before, after) in (("(", ")"), ('"', '"'), ("'", "'"))


def _before_noun(words: list[_Word], i: int, text: str) -> bool:
    """An eponym's noun within the next three words ("Baker cyst", "Hill-Sachs lesion", "Swan-Ganz line tip")."""
    if _titled(words, i):
        return False
    after = words[i + 1] if i + 1 < len(words) else None
    if after is not None and after.kind & Kind.EPONYM and text[words[i].end : after.start] == "-":
        return True
    for word in words[i + 1 : i + 4]:
        if word.kind & Kind.NOUN and not word.text[:1].isupper():
            return True
        if word.kind & Kind.NOUN and word.lower not in ("line", "stone", "ring", "law", "bag"):
            return True
        if not word.kind & (Kind.BOUND | Kind.EPONYM) and word.lower not in ("and", "de", "type", "0", "s"):
            return False
    return False


def _acts_as_person(words: list[_Word], i: int, text: str, *, plain: bool) -> bool:
    """By what stands around it: a title before, a verb of people behind; ``plain`` where capitals tell nothing."""
    word = words[i]
    before = words[i - 1] if i else None
    after = words[i + 1] if i + 1 < len(words) else None
    clinical = bool(word.kind & Kind.CLINICAL)
    if before is not None and (before.lower in _TITLES or (before.lower in _KIN and not plain)):
        led = i > 1 and words[i - 2].lower in _LINKS  # "BY DR STONE", where "DR CHEST" is an examination
        return not clinical or not plain or led
    if plain and before is not None:
        noun = after is not None and bool(after.kind & Kind.CLINICAL) and not after.kind & Kind.FUNCTION
        if _told(words, i):
            return not clinical and not (noun and after is not None and _beside(text, word, after))
        if before.lower == "per" and (after is None or text[word.end : word.end + 1] in ",.:;"):
            return not clinical
    if after is None or after.first:
        return False
    if after.lower in _SURELY and (not plain or word.first) and text[word.end : after.start].isspace():
        return True
    if clinical:
        return False
    if word.text.endswith("'s") and not plain:
        return True
    if after.lower in _ACTS and (not plain or word.first):
        return True
    later = words[i + 2] if i + 2 < len(words) else None
    if later is not None and after.lower in _IS and later.lower in _STATES and (not plain or word.first):
        return True
    gap = text[word.end : after.start]
    if not plain and gap == ", " and len(after.text) == 1 and text[after.end : after.end + 1] == ".":
        return True  # "Hill, J."
    name = bool(after.kind & Kind.NAME) and not after.kind & Kind.CLINICAL and after.text[:1].isupper()
    return not plain and name and _beside(text, word, after)


def _among_small(words: list[_Word], i: int) -> bool:
    around = [w for w in (*words[max(0, i - 1) : i], *words[i + 1 : i + 2]) if w.text != BARRIER]
    return any(w.text.islower() for w in around)


def _alone(words: list[_Word], i: int) -> bool:
    """A capital among small words: "seen with Stone in clinic"; "Right Lower Lobe" is not."""
    before = words[i - 1] if i else None
    after = words[i + 1] if i + 1 < len(words) else None
    if words[i].lower in _CAPITALS or before is None or not before.text.islower():
        return False
    return after is None or after.first or after.text.islower() or after.text == BARRIER


def _in_heading(words: list[_Word], i: int, text: str) -> bool:
    """Inside "Reason for Visit:", a short run of known words that begins a line and ends in a colon."""
    end = i
    while end + 1 < len(words) and not words[end + 1].first and end - i < 4:
        end += 1
    if text[words[end].end : words[end].end + 2].lstrip()[:1] != ":":
        return False
    start = i
    while start > 0 and not words[start].first and i - start < 5:
        start -= 1
    own = words[start : end + 1]
    return words[start].first and all(w.kind & Kind.KNOWN and not (w.kind & Kind.FREQUENT) or w is words[start] for w in own)


def _beside(text: str, one: _Word, other: _Word) -> bool:
    return _BESIDE.fullmatch(text, one.end, other.start) is not None


def _spread(words: list[_Word], text: str) -> None:
    """A name's neighbours: initials, and capitalised words that may be its other half."""
    for step in (1, -1):
        order = range(len(words)) if step == 1 else range(len(words) - 1, -1, -1)
        for i in order:
            j = i - step
            if words[i].masked or not 0 <= j < len(words) or not words[j].person:
                continue
            one, other = (words[j], words[i]) if step == 1 else (words[i], words[j])
            if _beside(text, one, other) and _goes_along(words[i], words[j], text[one.end : other.start]):
                words[i].masked = words[i].person = True


def _goes_along(word: _Word, name: _Word, gap: str) -> bool:
    if word.text == BARRIER or word.kind & Kind.FUNCTION or not word.text[:1].isupper():
        return False
    if len(word.text) == 1:
        return gap.strip(" \xa0.,") == "" and word.text.isalpha()
    if "." in gap or "\n" in gap or gap.strip() in ("/", "&") or word.kind & Kind.EPONYM:
        return False
    if name.text != BARRIER and name.text.islower():
        return False
    if word.lower in _OF_PLACES and not word.first and gap in (" ", "\xa0", "-"):
        return True
    return bool(word.kind & Kind.NAME) and (not word.kind & Kind.CLINICAL or bool(word.kind & Kind.FREQUENT))


def _runs(words: list[_Word], text: str) -> Iterator[Span]:
    run: list[_Word] = []
    for word in [w for w in words if w.text != BARRIER]:
        if run and not (word.masked and run[-1].person == word.person and _beside(text, run[-1], word)):
            yield run[0].start, run[-1].end, "NAME" if run[0].person else "ID"
            run = []
        if word.masked:
            run.append(word)
    if run:
        yield run[0].start, run[-1].end, "NAME" if run[0].person else "ID"
