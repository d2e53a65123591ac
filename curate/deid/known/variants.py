"""The patient's name as others get it wrong: inflected, misspelled by a letter, cut in two, by a nickname or
initials.

Looks at whole words of folded text; the name as the header writes it is `curate.deid.known.person`'s.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache

from curate.deid.patterns.prefilter import Span
from curate.deid.text.text_index import Glance
from curate.deid.words.vocabulary import Kind, kind

_SHORTEST = 5  # letters of a part that a neighbour of one letter's difference, or two halves, may stand for
_ORDINARY: set[str] = set()  # words that turned out to be of the vocabulary: most words of most texts
_HALVES = re.compile(r"([^\W\d_]+)[ \xa0'-]{1,2}(?:\n)?(?=([^\W\d_]+))|([^\W\d_]+)\n(?=([^\W\d_]+))")
_DOTTED = re.compile(r"(?<![\w.])(?:[A-Z]\.[ -]?){2,4}(?!\w)")
_DOTS = re.compile(r"\.[ -]?[A-Z]\.")  # quicker to look for

# A line a name: the long forms of one and what people make of it.
_NICKNAMES = """
alexander alex al sandy sasha alec xander | alexandra alex sandra sandy lexi | abigail abby gail | albert al
bert bertie | alfred al fred alfie
andrew andy drew | anthony tony | antonio tony toni | arthur art artie | barbara barb babs barbie | benjamin
ben benny benji | bernard bernie
bradley brad | caroline carrie carol | catherine cathy kate katie cat kitty | charles charlie chuck chas |
charlotte charlie lottie
christine chris chrissy tina | christina chris chrissy tina | christopher chris kit topher | cynthia cindy |
daniel dan danny | david dave davy
deborah deb debbie | dolores lola | donald don donny | dorothy dot dotty dottie dolly | douglas doug | edward
ed eddie ted teddy ned
eleanor ellie nell nora | elizabeth liz lizzie beth betty betsy eliza lisa libby | emily em emmy | eugene
gene | florence flo florrie
frances fran frannie francie | francis frank fran | francisco paco pancho frank | franklin frank | frederick
fred freddie rick | gabriel gabe
gabriella gabby | gerald gerry jerry | geoffrey geoff jeff | gertrude trudy gertie | gregory greg | guillermo
memo bill | harold harry hal
helen nell ellie | henry hank harry hal | isabella bella izzy | jacob jake | jacqueline jackie | james jim
jimmy jamie | janet jan
jeffrey jeff | jennifer jen jenny | jessica jess jessie | jesus chuy | joan joanie | john johnny jack jon |
jonathan jon jonny | jose pepe
joseph joe joey jo | josephine jo josie | joshua josh | judith judy judie | katherine kathy kate katie kat
kit | kathleen kathy kath kate
kenneth ken kenny | kimberly kim | lawrence larry | laurence larry | leonard len lenny leo | lillian lily lil
| louis lou louie | louise lou
lucille lucy | madeline maddie | manuel manny manolo | margaret maggie meg peggy marge margie greta daisy
rita | martha marty patty | martin marty
mary molly polly mae may | matthew matt matty | megan meg | melissa mel missy | michael mike mick mickey
mikey | michelle shelly mich
mildred millie | mitchell mitch | mohammed mo mohamed | muhammad mo | nancy nan | natalie nat | nathan nate
nat | nathaniel nate nat
nicholas nick nicky | nicole nicky nikki | oliver ollie | olivia liv livvy | pamela pam | patricia pat patty
trish tricia | patrick pat paddy rick
peter pete | philip phil pip | phillip phil | phyllis phyl | rachel rae | raymond ray | rebecca becky becca |
richard rick dick rich ricky richie
robert bob bobby rob robbie bert | roberto bob beto | roger rog | ronald ron ronnie | rosemary rose rosie |
russell russ | ruth ruthie
samantha sam sammy | samuel sam sammy | sarah sally sadie | sophia sophie | stanley stan | stephen steve
stevie | steven steve stevie
stephanie steph stevie | susan sue susie suzy | sylvia syl | terence terry | teresa terry tess tessa |
theodore ted teddy theo | theresa terry tess
thomas tom tommy | timothy tim timmy | valerie val | veronica ronnie vera | victor vic | victoria vicky tori
| vincent vince vinny | virginia ginny
walter walt wally | wilhelm willi bill | william bill billy will willie liam wills | winifred winnie |
zachary zach zack | ignacio nacho
ekaterina katya | dmitry dima | vladimir vova volodya | mikhail misha | natalia natasha | yevgeny zhenya |
sergei seryozha
"""


@cache
def _nicknames() -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for entry in re.split(r"[|\n]", _NICKNAMES):
        if entry.split():
            long, *short = entry.split()
            found[long] = frozenset(short)
    return found


def variant_spans(glance: Glance, parts: Iterable[str]) -> Iterator[Span]:
    """Spans of a folded text that stand for one of a name's ``parts`` (folded words of any case)."""
    lowered = dict.fromkeys(part.lower() for part in parts if len(part) > 2)
    long = [part for part in lowered if len(part) >= _SHORTEST and part.isalpha()]
    called = {nick for part in lowered for nick in _nicknames().get(part, ())}
    endings = {part + ending for part in lowered for ending in ("s", "es")}
    for word in sorted(glance.words & (called | endings)):
        if word not in lowered:
            check = _named if word in called else _inflected
            yield from (
                (at, at + len(word), "NAME") for at in glance.places(word) if check(glance.text, at, kind(word))
            )
    for word in sorted(_unknown(glance.words)) if long else ():
        if word not in lowered and any(_near(word, part) for part in long):
            yield from ((at, at + len(word), "NAME") for at in glance.places(word))
    cut = [part for part in long if part not in glance.words and part in glance.squashed]
    yield from _halves(glance.text, frozenset(cut))


def _unknown(words: frozenset[str]) -> list[str]:
    found = [w for w in words - _ORDINARY if len(w) >= _SHORTEST - 1]
    strange = [w for w in found if not kind(w) & (Kind.KNOWN | Kind.EPONYM)]
    _ORDINARY.update(set(found).difference(strange))
    return strange


def _inflected(text: str, at: int, what: int) -> bool:
    """ "Smiths", but "marks" only where it is capitalised."""
    return not what & (Kind.KNOWN | Kind.EPONYM) or text[at].isupper()


def _named(text: str, at: int, what: int) -> bool:
    """A nickname that is a word besides must be capitalised, one that is a word of reports inside a sentence."""
    if not what & Kind.KNOWN or (not what & (Kind.BY_HAND | Kind.FUNCTION) and text[at].isupper()):
        return True
    before = text[:at].rstrip()
    return text[at].isupper() and bool(before) and before[-1] not in ".!?:;\0"


def _halves(text: str, long: frozenset[str]) -> Iterator[Span]:
    if not long:
        return
    for hit in _HALVES.finditer(text):
        one, other = (hit[1], hit[2]) if hit[1] else (hit[3], hit[4])
        if (one + other).lower() in long and len(one) > 1 and (one[0].isupper() or other[0].isupper()):
            yield hit.start(), hit.end() + len(other), "NAME"


def _near(word: str, part: str) -> bool:
    """True at one letter's difference: another, one more, one less, or two in the other order."""
    size = len(word) - len(part)
    if abs(size) > 1 or (word[0] != part[0] and word[-1] != part[-1]):
        return False
    at = 0
    while at < min(len(word), len(part)) and word[at] == part[at]:
        at += 1
    if size == 0:
        swapped = word[at : at + 2] == part[at : at + 2][::-1] and word[at + 2 :] == part[at + 2 :]
        return word[at + 1 :] == part[at + 1 :] or swapped
    return word[at + 1 :] == part[at:] if size > 0 else word[at:] == part[at + 1 :]


def initials_spans(text: str, initials: Iterable[str]) -> Iterator[Span]:
    """ "W.T.A." of the patient's own letters."""
    own = frozenset(initials)
    if len(own) < 2 or _DOTS.search(text) is None:
        return
    for hit in _DOTTED.finditer(text):
        if own.issuperset(c for c in hit[0] if c.isalpha()):
            yield hit.start(), hit.end(), "NAME"
