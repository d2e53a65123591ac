"""What the verifier finds of what a scrubber with one rule switched off leaves, and how often it is wrong.

    python -m benchmarks.deid.verifier [--notes 300] [--seed 61] [--data FOLDER] [--out FILE] [--examples]

Each finder of the scrubber is switched off in turn, and each kind of identity in all finders at once; the notes are
scrubbed, and what the whole scrubber would have taken and this one left is a leak. It is noticed where the verifier
finds anything. Leaks are counted by note, and by sentence: each sentence with a leak is also shown to the verifier
alone, so that one loud leak hides no silent one.

Wrong: what it finds in notes wholly scrubbed in which nothing was left, and in public texts without identities that
came out of the scrubber: those have nobody to find. Notes are made by `notes.generate`, which no rule quotes.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import re
import time
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.deid.notes.generate import Note, Span, generate
from benchmarks.deid.notes.recall import identifying, tokens
from benchmarks.deid.ours import PSEUDO
from curate.deid.rules import LABELS, PLACEHOLDER, TextRules
from curate.deid.text import scrub as scrubber
from curate.deid.text.scrub import scrub
from curate.deid.verify.text import findings
from curate.errors import DropRecord

_BESIDE = Path(__file__).resolve().parents[4] / "shared" / "data"
FINDERS = ("phi_spans", "find_dates", "find_spans", "find_names", "find_vague", "name_spans", "decide_words")
_RULES = TextRules(dates="mask", max_masked=1.0)


@contextmanager
def switched_off(finder: str | None = None, label: str | None = None) -> Iterator[None]:
    """The scrubber without one finder, or without one kind of identity in all of them."""
    names = [n for n in FINDERS if hasattr(scrubber, n) and (finder is None or n == finder)]
    before = {n: getattr(scrubber, n) for n in names}
    try:
        for name, real in before.items():
            setattr(scrubber, name, _nothing if label is None else _without(real, label))
        yield
    finally:
        for name, real in before.items():
            setattr(scrubber, name, real)


def _nothing(*_: object, **__: object) -> Iterator[Any]:
    return iter(())


def _without(real: Callable[..., Any], label: str) -> Callable[..., Any]:
    def found(*args: object, **kwargs: object) -> Iterator[Any]:
        for start, end, kind in real(*args, **kwargs):
            if kind != label and not (label == "DATE" and not isinstance(kind, str)):
                yield start, end, kind

    return found


def scrubbed(note: Note, rules: TextRules = _RULES) -> str | None:
    """The note through the scrubber, its patient's header known; None where it is withheld."""
    try:
        return scrub(note.text, list(note.header), note.patient_id, PSEUDO, rules)
    except DropRecord:
        return None


def left(note: Note, out: str) -> list[Span]:
    """The spans of which a token that tells someone is in ``out`` more often than beside them in the note."""
    after = Counter(tokens(PLACEHOLDER.sub(" ", out)))
    rest = Counter(tokens(note.text))
    for span in note.spans:
        rest -= Counter(identifying(span))
    return [s for s in note.spans if any(after[t] > rest[t] for t in identifying(s))]


def sentence(note: Note, span: Span) -> tuple[int, int]:
    """Where the line and sentence of the note that hold a span begin and end."""
    start = max(note.text.rfind(mark, 0, span.start) + len(mark) for mark in (". ", "\n"))
    ends = [at for mark in (". ", "\n") if (at := note.text.find(mark, span.end)) >= 0]
    return (start if start > 1 else 0), min(ends, default=len(note.text))


def alone(note: Note, span: Span) -> Note:
    """The sentence with a span as a note of its own."""
    start, end = sentence(note, span)
    spans = [s for s in note.spans if start <= s.start and s.end <= end]
    moved = tuple(Span(s.start - start, s.end - start, s.kind, s.text, s.own) for s in spans)
    return Note(note.patient_id, note.text[start:end], moved, note.header)


def mutants() -> Iterator[tuple[str, dict[str, str]]]:
    """Each finder off, then each kind off everywhere."""
    yield from ((f"without {n}", {"finder": n}) for n in FINDERS if hasattr(scrubber, n))
    yield from ((f"without {label}", {"label": label}) for label in LABELS)
    yield "without anything", {"label": "", "finder": ""}


def noticed(notes: Sequence[Note], whole: Sequence[str | None], rules: TextRules = _RULES) -> dict[str, Any]:
    """By mutant: notes with leaks and how many were noticed; single sentences, and those; the kinds missed."""
    told: dict[str, Any] = {}
    for name, off in mutants():
        counts: Counter[str] = Counter()
        missed: Counter[str] = Counter()
        examples: list[str] = []
        for note, clean in zip(notes, whole, strict=True):
            if clean is None:
                continue
            with switched_off(off.get("finder") or None, off.get("label") or None):
                out = scrubbed(note, rules)
            fresh = [s for s in left(note, out) if s not in left(note, clean)] if out is not None else []
            if out is None or not fresh:
                continue
            counts["notes"] += 1
            counts["notes noticed"] += bool(findings([out], note.header, [note.text]))
            for small in {sentence(note, s): alone(note, s) for s in fresh}.values():
                with switched_off(off.get("finder") or None, off.get("label") or None):
                    part = scrubbed(small, rules)
                lost = left(small, part) if part is not None else []
                if not lost or part is None:
                    continue
                counts["sentences"] += 1
                if findings([part], small.header, [small.text]):
                    counts["sentences noticed"] += 1
                else:
                    missed.update(s.kind for s in lost)
                    examples += [f"{s.kind} {s.text!r}: {part!r}" for s in lost[:1]]
        told[name] = {**counts, "missed": dict(missed.most_common()), "examples": examples[:30]}
    return told


def wrong(texts: Sequence[str], known: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Scrubbed texts in which nobody is left, and how many the verifier holds something against."""
    codes: Counter[str] = Counter()
    examples: list[str] = []
    kept = flagged = 0
    seconds = 0.0
    for text, phi in zip(texts, known, strict=True):
        try:
            out = scrub(text, list(phi), "p", PSEUDO, TextRules())
        except DropRecord:
            continue
        kept += 1
        start = time.process_time()
        found = findings([out], phi, [text])
        seconds += time.process_time() - start
        flagged += bool(found)
        codes.update(f.value for f in found)
        if found:
            examples.append(f"{[f.value for f in found]}: {out[:300]!r}")
    right = round(1 - flagged / kept, 5) if kept else None
    pace = round(kept / seconds, 1) if seconds else None
    return {"texts": kept, "flagged": flagged, "right": right, "texts/cpu-s": pace, "codes": dict(codes),
            "examples": examples[:30]}  # fmt: skip


def public(data: Path) -> dict[str, list[str]]:
    """Reports and captions that hold no identities, by where they are from."""
    found: dict[str, list[str]] = {}
    path = data / "reports" / "iu_reports.jsonl"
    if path.is_file():
        docs = map(json.loads, path.read_text(encoding="utf-8").splitlines())
        parts = ("comparison", "indication", "findings", "impression")
        found["reports"] = ["\n".join(d.get(s) or "" for s in parts) for d in docs]
    captions: list[str] = []
    for path in sorted((data / "radiology_pairs").glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as lines:
            captions += [row.get("caption") or "" for row in csv.DictReader(lines)]
    if captions:
        found["captions"] = [c for c in dict.fromkeys(captions) if c]
    return found


def labelled(data: Path, limit: int) -> list[Note]:
    """Public documents with labelled identities (presidio-research's and edgecare's), of which no rule was written."""
    notes: list[Note] = []
    for name in ("presidio_synth_en", "edgecare_en"):
        path = data / "deid" / "text" / f"{name}.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines()[:limit] if path.is_file() else []
        for doc in map(json.loads, filter(str.strip, lines)):
            told = [*doc.get("spans", ()), *doc.get("phi_values", ())]
            places = {(at, str(s["text"])): str(s["label"]) for s in told if (at := doc["text"].find(s["text"])) >= 0}
            spans = [Span(at, at + len(t), label, t, own=False) for (at, t), label in sorted(places.items())]
            notes.append(Note("", doc["text"], tuple(spans), ()))
    return notes


def people(count: int, seed: int) -> list[tuple[str, ...]]:
    """Headers of patients that no public text is about; half of their surnames are words too."""
    headers = [note.header for note in generate(count, seed)]
    words = ("YOUNG", "LONG", "BROWN", "HEAD", "WALKER", "GREEN", "HILL", "PARK", "COLE", "STILL")
    rng = random.Random(seed)
    return [h if i % 2 else (f"{rng.choice(words)}^{h[0].partition('^')[2]}", *h[1:]) for i, h in enumerate(headers)]


def measure(data: Path | None, count: int, seed: int) -> dict[str, Any]:
    """Both parts."""
    notes = generate(count, seed)
    whole = [scrubbed(note) for note in notes]
    clean = [(n, out) for n, out in zip(notes, whole, strict=True) if out is not None and not left(n, out)]
    result: dict[str, Any] = {"notes": len(notes), "mutants": noticed(notes, whole)}
    rows = result["mutants"].values()
    for unit in ("notes", "sentences"):
        leaks = sum(r.get(unit, 0) for r in rows)
        result[f"{unit} noticed"] = round(sum(r.get(f"{unit} noticed", 0) for r in rows) / max(1, leaks), 4)
    if data and (documents := labelled(data, count)):
        found = noticed(documents, [scrubbed(note) for note in documents])
        result["public documents"] = {name: each for name, each in found.items() if each.get("notes")}
        leaks = sum(each.get("notes", 0) for each in found.values())
        seen = sum(each.get("notes noticed", 0) for each in found.values())
        result["public documents noticed"] = round(seen / max(1, leaks), 4)
    result["clean notes"] = wrong([n.text for n, _ in clean], [n.header for n, _ in clean])
    for name, texts in (public(data) if data else {}).items():
        result[f"{name}, nobody known"] = wrong(texts, [()] * len(texts))
        headers = people(min(len(texts), 200), seed)
        result[f"{name}, somebody known"] = wrong(texts, [headers[i % len(headers)] for i in range(len(texts))])
    return result


def main() -> None:
    """Print, and write as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=_BESIDE if _BESIDE.is_dir() else None)
    parser.add_argument("--notes", type=int, default=300)
    parser.add_argument("--seed", type=int, default=61)
    parser.add_argument("--examples", action="store_true")
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    result = measure(chosen.data, chosen.notes, chosen.seed)
    text = json.dumps(result, indent=1, ensure_ascii=False)
    print(text if chosen.examples else re.sub(r',\s*"examples": \[[^\]]*\]', "", text))
    if chosen.out:
        chosen.out.write_text(unicodedata.normalize("NFC", text) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
