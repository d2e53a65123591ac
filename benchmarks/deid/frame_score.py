"""The frames through the scrubber: what leaked, by kind; what was lost, closed-class words apart; is the meaning kept.

Output and input are laid on each other, so that a character is known to have stayed or gone. A span leaks where two or
more of its letters or digits stayed together, "Hospital", "Street", years and the like apart. A word is lost where
any of it went and none of it is of a span; titles and cues ("Dr", "MRN", "year old") may go with what they announce.
"""

from __future__ import annotations

import re
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.deid.frame_values import OTHER, SHORT, WORD
from benchmarks.deid.ours import PSEUDO
from curate.report.interval import wilson
from curate.deid.text.scrub import TextRules, scrub
from curate.errors import DropRecord

if TYPE_CHECKING:
    from benchmarks.deid.frames import Gold, Text

_PLACEHOLDER = re.compile(r"\[[A-Z][A-Z0-9 _+-]{0,30}\]")
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_ANY = re.compile(r"[^\W_]{2,}")
_OF_A_KIND = frozenset("""hospital clinic center centre memorial royal infirmary district general base private family practice
multispeciality nursing home medical college health imaging urgent care st saint street road ave avenue blvd drive nagar
cross marg close lane crescent ward west the of and at dot underscore https http www com org net example mail acme nhs
pacs view share yr yrs year years old yo oh am pm wc sn id""".split())
_YEAR = re.compile(r"(?:19|20)\d\d")
_SPOKEN_YEAR = re.compile(r"(?:twenty|two thousand) ?(?:\w+ ?){0,2}$")
_NEUTRAL = frozenset("""dr doctor mr mrs ms miss smt sister prof professor madam sir mam sr dear md do dnb rn np nurse mrn acc uhid
nhs chi aadhaar abha gmc reg no medicare dva urn prov provno ssn dob dt tel telephone ph phone fax mob mobile cell whatsapp
ext pager bleep bp email mail room rm bed apt unit lot station ip license lic passport pin plate claim pathway hosp number
aged age yo y yr yrs year years old m f s x s/o d/o w/o c/o r/o cc dated birthday tech rad clinic diagnostics rooms office family""".split())
CLOSED = {
    "negation": re.compile(r"\b(?:no|not|none|nil|neg|negative|without|w/o|absent|never|nor|free|excluded|denies)\b", re.I),
    "side": re.compile(r"\b(?:left|right|bilateral(?:ly)?|lt|rt|b/l|midline|both)\b", re.I),
    "severity": re.compile(r"\b(?:mild|moderate|severe|small|large|minimal|trace|marked|tiny|gross|massive|subtle|normal|abnormal|stable|unchanged)\b", re.I),
    "number and unit": re.compile(r"\b\d+(?:\.\d+)?(?: ?x ?\d+(?:\.\d+)?)* ?(?:mm|cms?|ml|mL|%|g|mg|cc|bpm|degrees|MBq|wks?)(?!\w)", re.I),
    "level": re.compile(r"\b[CTLSD]\d{1,2}(?:[-/][CTLS]?\d{1,2})?\b", re.I),
    "heading": re.compile(r"^ *(?:exam|history|findings|impression|conclusion|comparison|indication|clinical notes|imp|report)(?= ?:)", re.I | re.M),
    "list number": re.compile(r"(?:^|(?<=[.\n]))\d{1,2}[.)](?=\s?[A-Za-z])", re.M),
    "grade": re.compile(r"\b(?:grade|stage|type|category|BI-?RADS|TI-?RADS|PI-?RADS|LI-?RADS|CAD-?RADS|Lung-?RADS|O-?RADS|ASPECTS|Fazekas|Bosniak|KL grade)[ -]?(?:\d|[IVX]+)[a-z]?\b", re.I),
}  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """What became of one text. ``leaks``: spans of which something stayed; ``lost``: words that went (kind or "")."""

    out: str | None  # None: withheld
    leaks: tuple[Gold, ...]
    lost: tuple[tuple[str, str], ...]
    words: int
    closed: int
    cpu: float


def run(texts: Sequence[Text]) -> list[Outcome]:
    """Every text through `scrub`, its own patient's header given where it names one."""
    rules = TextRules(dates="mask", max_masked=1.0)  # a frame of 5 words is no report: what share is masked says nothing
    scrub(texts[0].text, [], "warm", PSEUDO, rules)
    return [_one(text, rules) for text in texts]


def _one(text: Text, rules: TextRules) -> Outcome:
    start = time.process_time()
    try:
        out = scrub(text.text, list(text.header), "patient", PSEUDO, rules)
    except DropRecord:
        return Outcome(None, (), (), 0, 0, time.process_time() - start)
    cpu = time.process_time() - start
    stayed = kept(text.text, out)
    leaks = tuple(g for g in text.gold if _left(text.text, g, stayed))
    closed = closed_words(text)
    lost, words = [], 0
    for a, b in text.protected:
        for word in _WORD.finditer(text.text, a, b):
            if word.group().casefold() in _NEUTRAL:
                continue
            words += 1
            if not all(stayed[word.start() : word.end()]) and not any(s <= word.start() < e for s, e, _ in closed):
                lost.append(("", word.group()))
    lost += [(kind, text.text[s:e]) for s, e, kind in closed if not all(stayed[s:e])]
    return Outcome(out, leaks, tuple(lost), words, len(closed), cpu)


def closed_words(text: Text) -> list[tuple[int, int, str]]:
    """Where words of the closed class lie, wholly in what must stay: (start, end, kind)."""
    found = [(m.start(), m.end(), kind) for kind, pattern in CLOSED.items() for m in pattern.finditer(text.text)]
    wife = {g.start for g in text.gold}  # "w/o Asha" is her husband's way of writing "wife of"
    found = [f for f in found if not (text.text[f[0] : f[1]].lower() == "w/o" and f[1] + 1 in wife)]
    return [(s, e, k) for s, e, k in found if any(a <= s and e <= b for a, b in text.protected)]


def kept(text: str, out: str) -> list[bool]:
    """For every character of ``text``: is it in ``out`` still? Placeholders stand for what went."""
    pieces = _PLACEHOLDER.split(out)
    stayed, at = [False] * len(text), 0
    for i, piece in enumerate(pieces):
        if i == len(pieces) - 1 and i:
            found = len(text) - len(piece) if text.endswith(piece) and len(text) - len(piece) >= at else -1
        elif i == 0:
            found = 0 if text.startswith(piece) else -1
        else:
            found = text.find(piece, at + 1)
        if found < 0:
            return _by_words(text, out)
        stayed[found : found + len(piece)] = [True] * len(piece)
        at = found + len(piece)
    return stayed if len(pieces) > 1 or text == out else _by_words(text, out)


def _by_words(text: str, out: str) -> list[bool]:
    """`kept` where more than placeholders changed (an age became 90, spaces were closed up): word by word."""
    before = list(re.finditer(r"\w+|[^\w\s]", text))
    after = [m.group() for m in re.finditer(r"\w+|[^\w\s]", _PLACEHOLDER.sub("\0", out).replace("\0", " ¤ "))]
    stayed = [c.isspace() for c in text]
    for block in SequenceMatcher(None, [m.group() for m in before], after, autojunk=False).get_matching_blocks():
        for m in before[block.a : block.a + block.size]:
            stayed[m.start() : m.end()] = [True] * (m.end() - m.start())
    return stayed


def _left(text: str, gold: Gold, stayed: Sequence[bool]) -> bool:
    shown = "".join(c if s else " " for c, s in zip(text[gold.start : gold.end], stayed[gold.start : gold.end], strict=True)).casefold()
    if gold.kind.startswith(("name that", "other name", "name of")):
        return bool(_ANY.search(shown))
    if gold.kind == "name, spelled":
        return sum(map(str.isalpha, shown)) > 1
    if gold.kind.startswith(("date", "month", "time")):
        shown = _SPOKEN_YEAR.sub("", _YEAR.sub(" ", shown).strip())
    if gold.kind.startswith("age"):
        shown = re.sub(r"\b(?:90|ninety)\b", " ", shown)  # which says "90 and over"
    return any(t not in _OF_A_KIND for t in _ANY.findall(shown))


def summary(texts: Sequence[Text], outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Shares with 95 % intervals: leaks by kind, by group and by case, words lost, closed-class words lost, withheld."""
    spans, leaks = Counter[str](), Counter[str]()
    for text, outcome in zip(texts, outcomes, strict=True):
        if outcome.out is None:
            continue
        for counter, found in ((spans, text.gold), (leaks, outcome.leaks)):
            for gold in found:
                cued = gold.kind.endswith(", cued")
                group = _group(gold.kind)
                names = [f"{group}: {'cued' if cued else 'uncued'}"] if group != HARD else [f"hard: {gold.kind}"]
                counter.update([group, f"{group}; {text.case}", f"{group}; {text.style}", *names])
    words, lost, by_kind, closed = 0, 0, Counter[str](), 0
    by_case: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for text, outcome in zip(texts, outcomes, strict=True):
        words, closed = words + outcome.words, closed + outcome.closed
        gone = sum(kind == "" for kind, _ in outcome.lost)
        lost += gone
        by_case[text.case][0] += gone
        by_case[text.case][1] += outcome.words
        by_kind.update(kind for kind, _ in outcome.lost if kind)
    cpu = sum(o.cpu for o in outcomes)
    return {
        "texts": len(texts),
        "frames": len({t.frame for t in texts}),
        "names": len({t.text[g.start : g.end].casefold() for t in texts for g in t.gold if "name" in g.kind}),
        "withheld": sum(o.out is None for o in outcomes),
        "left": {k: share(leaks[k], n) for k, n in sorted(spans.items(), key=lambda kn: kn[0])},
        "clinical words lost": share(lost, words),
        "clinical words lost, by case": {k: share(*v) for k, v in by_case.items()},
        "closed-class words lost": share(by_kind.total(), closed),
        "closed-class words lost, by kind": dict(by_kind.most_common()),
        "texts/cpu-s": round(len(texts) / cpu, 1),
        "tokens/cpu-s": round(sum(len(t.text.split()) for t in texts) / cpu),
    }


HARD = "hard identifiers"


def _group(kind: str) -> str:
    base = kind.removesuffix(", cued")
    return {WORD: "names that are words", OTHER: "other names", SHORT: "names of two letters"}.get(base, HARD)


def share(n: int, of: int) -> dict[str, Any]:
    """{"n", "of", "share", "interval"}: a share with its 95 % Wilson interval."""
    low, high = (float(v) for v in wilson(n, of))
    return {"n": n, "of": of, "share": round(n / of, 5) if of else None, "interval": [round(low, 5), round(high, 5)]}


def markdown(found: dict[str, Any]) -> str:
    """The summary as a table."""
    lines = ["| what | n | of | share | 95 % |", "|---|---:|---:|---:|---|"]
    for name, s in [(f"left: {k}", v) for k, v in found["left"].items()] + [
        ("clinical words lost", found["clinical words lost"]),
        *((f"... {k}", v) for k, v in found["clinical words lost, by case"].items()),
        ("closed-class words lost", found["closed-class words lost"]),
    ]:
        low, high = s["interval"]
        lines.append(f"| {name} | {s['n']} | {s['of']} | {s['share'] or 0:.2%} | {low:.2%} - {high:.2%} |")
    by_kind = ", ".join(f"{k} {n}" for k, n in found["closed-class words lost, by kind"].items())
    lines.append(f"\nclosed class lost: {by_kind or 'none'}; withheld {found['withheld']}; texts/cpu-s {found['texts/cpu-s']}, tokens/cpu-s {found['tokens/cpu-s']}")
    return "\n".join(lines)


def write_failures(path: Path, texts: Sequence[Text], outcomes: Sequence[Outcome]) -> int:
    """What leaked and what was lost, with the text before and after; returns how many texts failed."""
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for text, outcome in zip(texts, outcomes, strict=True):
            if outcome.out is not None and not outcome.leaks and not outcome.lost:
                continue
            count += 1
            file.write(f"## {text.frame} {text.style} {text.modality}, {text.case}\nIN  {text.text!r}\nOUT {outcome.out!r}\n")
            file.writelines(f"LEFT {g.kind}: {text.text[g.start : g.end]!r}\n" for g in outcome.leaks)
            file.writelines(f"LOST {kind or 'word'}: {word!r}\n" for kind, word in outcome.lost)
    return count
