"""A question and its answer as a statement and its denial: "Is there a pleural effusion?", "no" -> "There is no pleural
effusion.", "There is a pleural effusion.".

English, by rule: where a question begins with a verb, its subject's end is found by the words that begin a predicate.
A form that no rule fits gives nothing; so does what would be ambiguous when denied ("Are both lungs and the heart
normal?", no). A wrong statement is worse than none.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_YES, _NO = {"yes", "y", "true"}, {"no", "n", "false"}
_BE = {"is": "is", "are": "are", "was": "was", "were": "were", "is/are": "", "are/is": "", "was/were": "was"}
_ASKED = re.compile(r"\b(?:what|which|where|why|how|who|whom|whose|when|if|whether)\b", re.IGNORECASE)
_CLAUSES = {"is", "are", "was", "were", "does", "do"}  # a second question in the first
_SIDES = ("left", "right", "upper", "lower", "anterior", "posterior", "lateral", "medial", "superior", "inferior", "pa",
          "ap", "t1", "t2", "axial", "coronal", "sagittal", "ct", "mri", "mr", "x-ray", "male", "female", "normal",
          "abnormal", "benign", "malignant", "solid", "cystic", "unilateral", "bilateral", "hypodense", "hyperdense",
          "hypointense", "hyperintense", "focal", "diffuse", "acute", "chronic")  # fmt: skip


@dataclass(frozen=True)
class Claim:
    """What is true, and its denial where the question was a closed one. ``question``: as compared with others."""

    question: str
    statement: str
    denial: str | None = None


def claim(question: str, answer: str) -> Claim | None:
    """What question and answer state together; None where no rule says it.

    A question that begins with a verb takes yes, no or one of the two things it names; to any other the answer is put
    behind it, as it was given.
    """
    if "\t" in question.strip():  # cells run together
        return None
    query, reply = _clean(question), " ".join(answer.split()).strip(" .;,")
    word = reply.casefold()
    if not query or not reply:
        return None
    first = query.split()[0].casefold()
    if _ASKED.match(query):
        if word in _YES or word in _NO:
            return None
        return Claim(query.casefold(), f"{_capital(query)}? {_capital(reply)}.")
    if word in _YES or word in _NO:
        sides = _sides(query, affirmed=word in _YES)
    else:
        chosen = _chosen(query, reply) if first in _BE and query.split()[1:2] != ["there"] else None
        sides = _sides(chosen, affirmed=True) if chosen else None
    if sides is None:
        return None
    true, false = sides if word not in _NO else sides[::-1]
    return Claim(query.casefold(), true, false)


def _sides(query: str, affirmed: bool) -> tuple[str, str] | None:
    """(what yes states, what no states) of a question; None where no rule fits, or ``affirmed`` decides too little."""
    words = query.split()
    verb, rest = words[0].casefold(), words[1:]
    lowered = [w.casefold() for w in rest]
    if not rest or _CLAUSES & set(lowered) or NEGATIVE & set(lowered) or re.search(r"[,;?!:]|\.\s|n't\b", query):
        return None
    if _ASKED.search(" ".join(rest)) or (not affirmed and "and" in lowered):
        return None
    if verb in _BE and lowered[0] == "there":
        sides = _there(_BE[verb], rest[1:])
    elif "or" in lowered or {"both", "all"} & set(lowered[1:]):
        return None
    elif verb in _BE:
        sides = _is(_BE[verb], rest)
    elif verb in ("does", "do", "does/do", "do/does", "did"):
        sides = _does(verb, rest)
    elif verb in ("can", "could"):
        sides = _can(rest)
    elif verb in ("has", "have"):
        sides = _parted(verb, rest, {"been"})
    else:
        sides = None
    return None if sides is None else (_sentence(sides[0]), _sentence(sides[1]))


def _there(be: str, subject: list[str]) -> tuple[str, str] | None:
    """Is there X: There is X; There is no X."""
    if not subject:
        return None
    first = subject[0].casefold()
    if subject[:3] == ["the", "presence", "of"]:
        subject, first = subject[3:], subject[3].casefold() if len(subject) > 3 else ""
    be = be or ("are" if is_plural(subject) else "is")
    if first in ("anything", "something"):
        rest = " ".join(subject[1:])
        return f"there {be} something {rest}", f"there {be} nothing {rest}"
    if not first or first in ("the", "this", "that", "these", "only", "also", "still", "just"):
        return None
    x, bare = " ".join(subject), " ".join(subject[1:])
    if first in QUANTIFIERS or first[0].isdigit() or first[0] in "<>":
        return f"there {be} {x}", f"there {be} not {x}"
    if first in ("a", "an", "any", "some"):
        return (f"there {be} {bare if first == 'any' else x}", f"there {be} no {bare}") if bare else None
    return f"there {be} {x}", f"there {be} no {x}"


def _is(be: str, rest: list[str]) -> tuple[str, str] | None:
    """Is SUBJECT PREDICATE: where the predicate begins is where the subject ends."""
    if rest[0].casefold() in ("it", "you", "we", "they", "he", "she", "i", "most", "either", "each", "some"):
        return None
    at = 1 if rest[0].casefold() in ("anything", "something") else _predicate(rest)
    if at is None or at == len(rest):
        return None
    subject, predicate = rest[:at], " ".join(rest[at:])
    return _stated(subject, be or ("are" if is_plural(subject) else "is"), predicate)


def _stated(subject: list[str], verb: str, predicate: str) -> tuple[str, str] | None:
    """SUBJECT VERB PREDICATE and its denial, whose "not" goes where the subject's first word wants it."""
    first, bare, whole = subject[0].casefold(), " ".join(subject[1:]), " ".join(subject)
    if first in ("anything", "something") and not bare:
        return f"something {verb} {predicate}", f"nothing {verb} {predicate}"
    if first == "any" and bare.startswith("of "):
        return f"some {bare} {verb} {predicate}", f"none {bare} {verb} {predicate}"
    if first in ("any", "a", "an") and bare:
        return f"{bare if first == 'any' else whole} {verb} {predicate}", f"no {bare} {verb} {predicate}"
    affirmed = f"{whole} {verb} {predicate}"
    if first in ("both", "all"):
        return affirmed, f"not {affirmed}"
    no = "cannot" if verb == "can" else f"{verb} not"
    return affirmed, f"{whole} {no} {predicate}"


def _predicate(rest: list[str]) -> int | None:
    """Where in SUBJECT PREDICATE the predicate begins; None where that cannot be told."""
    words = [w.casefold() for w in rest]
    if words[0] in ("this", "these", "that") and len(words) > 1 and _follows(words):
        return 1
    starts = 1 if words[0] not in DETERMINERS else 2
    found = [i for i in range(starts, len(words)) if _begins(words, i, starts)]
    if found:
        # "the bubbles of air seen normal": what comes first may belong to the subject
        ends = found[-1] == len(words) - 1 and words[-1] in ADJECTIVES and words[found[0]] in RELATIVE
        at = found[-1] if ends else found[0]
        return _with_adverbs(words, at, starts)
    # "in the lung" ends what is said only where it ends in a place: "in the lung calcified nodules" would not
    places = [i for i in range(starts, len(words)) if words[i] in PREPOSITIONS]
    if places and words[-1] in PLACES and "of" not in words[: places[0]] and words[places[0] - 1] not in ADJECTIVES:
        return _with_adverbs(words, places[0], starts)
    return None


def _follows(words: list[str]) -> bool:
    """Whether the predicate begins behind a "this" that stands alone."""
    joins = words[1] in DETERMINERS | PREPOSITIONS | LINKS
    return joins or (words[1] in ADJECTIVES | PARTICIPLES and _ends(words, 1))


def _with_adverbs(words: list[str], at: int, starts: int) -> int:
    """The predicate with the adverbs before it: "clearly visible"."""
    while at > starts and is_adverb(words[at - 1]):
        at -= 1
    return at


def _begins(words: list[str], i: int, starts: int) -> bool:
    """Whether a predicate can begin at word i: an adjective or participle behind a noun that ends there, or an article
    behind one."""
    before = words[_with_adverbs(words, i, starts) - 1]
    if before in ADJECTIVES | DETERMINERS | PREPOSITIONS | {"of", "and", "than", "to"} or is_adverb(before):
        return False
    if before.endswith(("'s", "s'")):
        return False
    if words[i] in ("a", "an", "the"):
        ended = before not in PARTICIPLES | {"half", "twice"} and not before.endswith(("ing", "ed"))
        return ended and i + 1 < len(words)
    if words[i + 1 : i + 2] and words[i].endswith("ing") and words[i + 1] in DETERMINERS:
        return True  # "the mass compressing the brain"
    if words[i] in ("less", "more", "greater", "fewer"):
        return words[i + 1 : i + 2] == ["than"]
    if words[i] in LINKS:
        return i + 1 < len(words)
    return words[i] in ADJECTIVES | PARTICIPLES and _ends(words, i)


def _ends(words: list[str], i: int) -> bool:
    """Whether the adjective or participle at i stands alone: nothing that it could be an attribute of follows."""
    if words[i] in ("given", "lying"):
        return True
    return i + 1 == len(words) or words[i + 1] in PREPOSITIONS | LINKS | DETERMINERS | {
        "and", "of", "to", "than", "enough", "by", "from", "with", "for", "as", "due", "using", "bilaterally", "well",
        "here", "today", "throughout", "primarily", "only", "size", "ap", "pa",
    }  # fmt: skip


def _does(verb: str, rest: list[str]) -> tuple[str, str] | None:
    """Does SUBJECT VERB ...: The base verb ends the subject."""
    words = [w.casefold() for w in rest]
    if words[:2] == ["you", "see"] and len(words) > 2:
        return _visible(rest[2:], "be seen")
    at = next((i for i in range(1, len(words)) if words[i] in VERBS), None)
    if at is None or words[0] in ("you", "we", "they", "it", "i", "both", "all", "most", "either", "any", "a", "an"):
        return None
    if words[at - 1] in DETERMINERS - {"this", "that", "these"} | ADJECTIVES | PREPOSITIONS:
        return None
    subject, base, tail = " ".join(rest[:at]), rest[at], rest[at + 1 :]
    helper = verb if "/" not in verb else ("do" if is_plural(rest[:at]) else "does")
    does = {"does": third_person(base), "do": base, "did": f"did {base}"}[helper]
    affirmed = tail[1:] if tail and tail[0].casefold() == "any" else tail
    return " ".join([subject, does, *affirmed]), " ".join([subject, helper, "not", base, *tail])


def _can(rest: list[str]) -> tuple[str, str] | None:
    """Can you see X; can X be seen."""
    words = [w.casefold() for w in rest]
    if words[:1] == ["you"]:
        sees = words[1:2] in (["see"], ["identify"], ["visualize"]) and rest[2:]
        return _visible(rest[2:], "be seen") if sees else None
    return _parted("can", rest, {"be"})


def _parted(verb: str, rest: list[str], ends: set[str]) -> tuple[str, str] | None:
    """VERB SUBJECT be|been ...: that word ends the subject."""
    at = next((i for i in range(1, len(rest)) if rest[i].casefold() in ends), None)
    if at is None or rest[0].casefold() in ("it", "you", "we", "either", "most"):
        return None
    return _stated(rest[:at], verb, " ".join(rest[at:]))


def _visible(subject: list[str], predicate: str) -> tuple[str, str] | None:
    if subject[0].casefold() in ("that", "from", "to", "both", "all", "most", "either"):
        return None
    return _stated(subject, "can", predicate)


def _chosen(query: str, reply: str) -> str | None:
    """The question with only the option that ``reply`` names: "Is it on the left or right?", "left" -> "... left".

    Only where it is certain what the two options are: the second ends the question, or both are single words of a kind
    that is asked for ("PA or AP film").
    """
    words = query.split()
    lowered = [w.casefold() for w in words]
    if lowered.count("or") != 1 or "and" in lowered:
        return None
    at = lowered.index("or")
    answer = _bare(reply.casefold().split())
    left, right = lowered[:at], _bare(lowered[at + 1 :])
    skipped = len(words) - at - 1 - len(right)
    second = words[at + 1 + skipped :]
    if not answer or not right:
        return None
    if right[0] in _SIDES and left[-1] in _SIDES and right[0] != left[-1]:
        rest = right[1:]
        for option, kept in ((left[-1], words[:at]), (right[0], [*words[: at - 1], second[0]])):
            if answer in ([option], [option, *rest]):
                return " ".join([*kept, *second[1:]])
        return None
    if len(right) > 3 or set(right) & PREPOSITIONS:
        return None
    if answer == left[-len(answer) :] and len(answer) == len(right) and len(answer) < at:
        return " ".join(words[:at])
    if answer == right and len(right) < at - 1 and left[-len(right) - 1] in DETERMINERS | PREPOSITIONS | LINKS:
        return " ".join([*words[: at - len(right)], *second])
    return None


def _bare(words: list[str]) -> list[str]:
    return words[1:] if words[:1] in (["a"], ["an"], ["the"]) else words


def _clean(question: str) -> str:
    text = " ".join(question.split()).replace("\u2019", "'").rstrip(" ?.")
    text = re.sub(r"\s*[-(]\s*yes\s*/\s*no\)?$", "", text, flags=re.IGNORECASE).rstrip(" ?.")
    return re.sub(r"\b(the|a|an|is|are) \1\b", r"\1", text, flags=re.IGNORECASE)


def _sentence(text: str) -> str:
    text = re.sub(r"\b(?:a|an) (?=[A-Za-z])", lambda m: _article(text[m.end() :]), " ".join(text.split()))
    return _capital(text) + "."


def _article(following: str) -> str:
    """ "a " or "an ", by how the next word begins; of capitals, by how the first is spoken."""
    word = following.split()[0]
    vowels = "AEFHILMNORSX" if len(word) > 1 and word[:2].isupper() else "AEIOUaeiou"
    return "an " if word[0] in vowels and not word.casefold().startswith(("uni", "one", "use", "ure")) else "a "


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


# -- English words by what they do in a closed question ----------------------------------------------------------------


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


DETERMINERS = _words("a an the this that these those any both all his her their its some")
PREPOSITIONS = _words(
    "in on at within under above below near outside inside behind beneath beyond between along over around across "
    "with without near/in in/on from throughout via"
)
LINKS = _words("consistent compatible indicative suggestive suspicious concerning likely due related secondary able")
NEGATIVE = _words("not no never neither nor none cannot nothing")
QUANTIFIERS = _words("more less fewer at one two three four multiple several many much both all enough most")
PARTICIPLES = _words(
    "seen shown found identified visualized visualised viewed observed imaged noted appreciated demonstrated "
    "depicted located situated positioned centered used given administered taken done performed obtained captured "
    "involved affected displayed detected exhibited present visible pictured weighted shifted deviated displaced "
    "seated placed rotated tilted scanned included evident given lying confined limited preserved filled "
    "highlighted differentiated recognizable identifiable"
)
ADJECTIVES = _words(
    "normal abnormal enlarged clear absent intact midline symmetric symmetrical asymmetric asymmetrical dilated "
    "elevated depressed blunted sharp hyperinflated large larger small smaller big bigger wide wider narrow thick "
    "thicker thin high higher low lower bright brighter dark darker hyperdense hypodense isodense hyperintense "
    "hypointense isointense radiolucent radiopaque calcified cystic solid heterogeneous heterogenous homogeneous "
    "homogenous irregular regular smooth focal diffuse unilateral bilateral acute chronic benign malignant "
    "cavitary patent round oval lobulated multilobulated circular spiculated well-circumscribed circumscribed "
    "male female fractured broken compressed collapsed flattened inflated distended thickened narrowed widened "
    "increased decreased prominent obscured unremarkable adequate sufficient appropriate complete incomplete air- "
    "filled fluid-filled full empty old new young healthy visible present enhancing enhanced contrast-enhanced "
    "opacified hydropic edematous swollen inflamed infiltrated perforated obstructed tortuous straight curved "
    "uniform localized localised loculated aligned even equal hyperlucent opaque dense herniated ruptured effaced "
    "infarcted displaced deviated shifted elongated enhancing-ring ring-enhancing consolidated atrophied "
    "scoliotic kyphotic hyperexpanded expanded discrete distinct continuous single solitary pathologic "
    "pathological physiologic common hyperattenuated hypoattenuated attenuated hyperattenuating hypoattenuating "
    "well-defined ill-defined defined flat open closed engorged ischemic necrotic hemorrhagic cirrhotic intubated "
    "underexposed overexposed exposed complex wedge-shaped supine prone upright hyperechoic hypoechoic anechoic "
    "reversible mobile"
)
VERBS = _words(
    "have show appear demonstrate look contain involve extend cross suggest indicate exhibit represent include "
    "reveal seem enhance displace use depict illustrate lie occupy compress invade surround touch reach fill"
)
PLACES = _words(
    "lung lungs lobe lobes side sides image images view picture film scan abdomen chest thorax pelvis brain head "
    "neck hemisphere hemispheres ventricle ventricles liver kidney kidneys spleen pancreas colon bowel bowels "
    "stomach gallbladder lumen cavity space hemithorax base bases apex apices region area field fields zone zones "
    "plane position level section cut slice vasculature phase quadrant cortex cerebellum bone muscle skin line "
    "midline contrast center centre middle patient range limits"
)
RELATIVE = _words(
    "seen noted shown located visualized visualised found identified imaged depicted demonstrated present"
)
_ADVERBS = _words("well best too very more most only much less so quite still also ring hyper hypo iso")
_SINGULAR = ("ss", "us", "is", "ascites", "diabetes", "pancreas", "biceps", "lens", "series", "meniscus", "atlas")


def is_plural(phrase: Sequence[str]) -> bool:
    """Whether the noun that heads ``phrase`` is plural: the last word before a preposition or participle."""
    head: list[str] = []
    for word in (w.casefold() for w in phrase):
        if head and (word in PREPOSITIONS or word in PARTICIPLES or word in ("of", "that", "to")):
            break
        if word == "and":
            return True
        if word not in DETERMINERS:
            head.append(word)
    return bool(head) and head[-1].endswith("s") and not head[-1].endswith(_SINGULAR)


def third_person(verb: str) -> str:
    """have -> has, show -> shows, cross -> crosses, occupy -> occupies."""
    if verb.casefold() == "have":
        return "has"
    if verb.endswith(("ss", "sh", "ch", "x")):
        return verb + "es"
    return verb[:-1] + "ies" if verb.endswith("y") and verb[-2:-1] not in "aeiou" else verb + "s"


def is_adverb(word: str) -> bool:
    """Whether it belongs to the adjective behind it: "well", "abnormally"."""
    return word in _ADVERBS or (word.endswith("ly") and len(word) > 4 and not word.endswith(("galy", "maly", "mily")))
