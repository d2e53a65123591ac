"""Notes through the scrubber and through Presidio: recall of spans, notes that leak, clinical words lost, speed.

A span leaks where a token that identifies it (a word of a name, a group of digits, a month) is in the output more
often than it is in the rest of the note; a clinical token is lost where the output has it less often than the rest of
the note. Words of a kind ("Hospital", "Street", a year) identify no one. Both counts are on words of the output after
placeholders are taken out, so they need no alignment and treat every tool alike.
"""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
import time
import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.deid import peers
from benchmarks.deid.notes.generate import Note, Span, generate
from benchmarks.deid.ours import NAME, PSEUDO

PASSES = 5  # over the notes, of whose paces the median is told: a machine is never wholly quiet
_WORD = re.compile(r"\w+")
_PLACEHOLDER = re.compile(r"\[[^\[\]\n]{1,40}\]|<[A-Z_]{2,30}>")
_OF_A_KIND_WORDS = """hospital clinic center centre imaging medical general regional memorial institute university of
the and at st s street avenue road lane drive court blvd way sons logistics bakery hours am pm https portal patient
example org mail com sn th nd rd"""
_NEUTRAL_WORDS = "dr mr mrs ms md m d rn nurse npi mrn acc dob fax"  # titles and cues may go with what they announce
_NUMBERED_KINDS = "mrn acc phone pager ext serial npi url"  # two digits of a number tell no one
_OF_A_KIND, _NEUTRAL, _NUMBERED = (frozenset(w.split()) for w in (_OF_A_KIND_WORDS, _NEUTRAL_WORDS, _NUMBERED_KINDS))
_YEAR = re.compile(r"(19|20)\d\d")


def tokens(text: str) -> list[str]:
    """Case-folded words and numbers, underscores apart."""
    return _WORD.findall(unicodedata.normalize("NFC", text).casefold().replace("_", " "))


def identifying(span: Span) -> list[str]:
    """The tokens of a span by which someone could be told."""
    particles = {w for w in _WORD.findall(span.text) if w.islower()} if not span.text.islower() else set()
    found = [t for t in tokens(span.text) if t not in _OF_A_KIND and t not in particles]
    if span.kind in ("date", "dob", "monthyear"):
        return [t for t in found if not _YEAR.fullmatch(t) and len(t) > 1]
    if span.kind in _NUMBERED:
        return [t for t in found if sum(c.isdigit() for c in t) > 2]
    return [t for t in found if len(t) > 1]


def judge(note: Note, out: str) -> tuple[list[Span], int, int]:
    """The spans that leak, clinical tokens lost, clinical tokens in all."""
    rest, at = [], 0
    for span in note.spans:
        rest.append(note.text[at : span.start])
        at = span.end
    rest.append(note.text[at:])
    plain = Counter(t for part in rest for t in tokens(part))
    after = Counter(tokens(_PLACEHOLDER.sub(" ", out)))
    allowed = plain.copy()  # what of a span tells no one may stay: "12" of "12-464621" is no date's "12"
    for span in note.spans:
        allowed.update(Counter(tokens(span.text)) - Counter(identifying(span)))
    left = [s for s in note.spans if any(after[t] > allowed[t] for t in identifying(s))]
    clinical = Counter({t: n for t, n in plain.items() if t not in _NEUTRAL})
    return left, (clinical - after).total(), clinical.total()


def summarise(notes: Sequence[Note], outs: Sequence[str], cpu: float) -> dict[str, Any]:
    """Recall in all and by kind, leaking notes, clinical loss, notes per CPU-second, a few examples of each fault."""
    total, missed, lost, words, leaking = Counter(), Counter(), 0, 0, 0
    examples: list[str] = []
    taken: Counter[str] = Counter()
    for note, out in zip(notes, outs, strict=True):
        left, gone, all_ = judge(note, out)
        total.update(s.kind for s in note.spans)
        missed.update(s.kind for s in left)
        leaking += bool(left)
        lost, words = lost + gone, words + all_
        examples += [f"{s.kind}: {_around(note, s)}" for s in left]
        taken += _lost(note, out)
    spans = total.total()
    return {
        "notes": len(notes),
        "spans": spans,
        "span recall": round(1 - missed.total() / spans, 5),
        "leaking notes": leaking,
        "clinical tokens lost": round(lost / words, 5),
        "notes/cpu-s": round(len(notes) / cpu, 1) if cpu else None,
        "tokens/cpu-s": round(sum(len(n.text.split()) for n in notes) / cpu) if cpu else None,
        "missed by kind": {k: f"{n} of {total[k]}" for k, n in missed.most_common()},
        "examples missed": examples[:40],
        "words lost most": dict(taken.most_common(25)),
    }


def _lost(note: Note, out: str) -> Counter[str]:
    cut = Counter(t for s in note.spans for t in tokens(s.text))
    gone = Counter(tokens(note.text)) - cut - Counter(tokens(_PLACEHOLDER.sub(" ", out)))
    return Counter({t: n for t, n in gone.items() if t not in _NEUTRAL})


def _around(note: Note, span: Span) -> str:
    return (
        note.text[max(0, span.start - 30) : span.start] + "<<" + span.text + ">>" + note.text[span.end : span.end + 15]
    )


def measure(count: int, seed: int, with_presidio: bool, cache: Path) -> dict[str, Any]:
    """Ours with the patient's own header values known and nothing known, dates masked and shifted; Presidio beside."""
    notes = generate(count, seed)
    found = {
        f"{NAME}, header known": _ours(notes, True, "mask"),
        f"{NAME}, header known, dates shifted": _ours(notes, True, "shift"),
        f"{NAME}, nothing known": _ours(notes, False, "mask"),
    }
    if with_presidio:
        found[peers.PRESIDIO.name] = presidio(notes, cache)
    return found


def _ours(notes: Sequence[Note], known: bool, dates: str) -> dict[str, Any]:
    from curate.deid.rules import TextRules
    from curate.deid.text.scrub import scrub
    from curate.errors import DropRecord

    rules = TextRules(dates=dates)
    scrub(notes[0].text, [], "warm", PSEUDO, rules)  # what is loaded once is not counted
    paces, kept, outs = [], list[Note](), list[str]()
    for _ in range(PASSES):
        kept, outs, start = [], [], time.process_time()
        for note in notes:
            try:
                outs.append(scrub(note.text, list(note.header) if known else [], note.patient_id, PSEUDO, rules))
            except DropRecord:
                continue
            kept.append(note)
        paces.append(time.process_time() - start)
    withheld = len(notes) - len(kept)
    if dates == "shift":  # a shifted date may hold any number: only whole values are looked for
        return _shifted(kept, outs)
    passes = [round(len(notes) / p, 1) for p in paces]
    return {**summarise(kept, outs, median(paces)), "withheld": withheld, "notes/cpu-s, every pass": passes}


def _shifted(notes: Sequence[Note], outs: Sequence[str]) -> dict[str, Any]:
    spans = [(s, out) for note, out in zip(notes, outs, strict=True) for s in note.spans if s.kind in ("date", "dob")]
    spans = [(s, out) for s, out in spans if len(s.text) > 5]  # "3/4" is in too much
    left = [s.text for s, out in spans if s.text in out]
    return {"dates": len(spans), "dates that survive": len(left), "examples missed": left[:20]}


def presidio(notes: Sequence[Note], cache: Path) -> dict[str, Any]:
    """Presidio's analyzer with every predefined recognizer, spans replaced; with a spaCy model where one is named."""
    why = peers.install(peers.PRESIDIO, cache)
    if why:
        return {"note": why}
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "in.jsonl", Path(folder) / "out.json"
        source.write_text("\n".join(json.dumps({"text": n.text}) for n in notes))
        python = str(peers.PRESIDIO.python(cache))
        command = [python, str(peers.DRIVERS / peers.PRESIDIO.driver), str(source), str(target)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            return {"note": f"failed: exit {done.returncode}"}
        answer = json.loads(target.read_text())
    return {**summarise(notes, answer["outs"], answer["cpu"]), "note": answer["model"]}
