"""The verifier on the frames of the other languages: what it notices of a scrubber with one rule off, how often it is
wrong.

    python -m benchmarks.deid.languages.verifier [--split dev|test] [--fills 3] [--languages de,es] [--right]

As `benchmarks.deid.verifier` does on English notes: each finder of the scrubber off in turn, and each kind of identity
in all of them. Right: of frames from which nothing was left, those against which it holds nothing; of the dev half also
reports.txt, as written, in capitals and in small letters. --right: that alone.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

from benchmarks.deid.frames.fillings import CASES, Gold, Text
from benchmarks.deid.frames.marked import pieces_of, text_of
from benchmarks.deid.frames.score import judge
from benchmarks.deid.languages.render import CODES, languages, render
from benchmarks.deid.languages.words import measure_of
from benchmarks.deid.notes.generate import Note, Span
from benchmarks.deid.verifier.__main__ import noticed, scrubbed
from curate.deid.rules import TextRules
from curate.deid.verify.text import findings


def measure(split: str, fills: int, codes: tuple[str, ...] = CODES, *, mutants: bool = True) -> dict[str, Any]:
    """{language: {"clean texts", "right", "wrong"} and, with ``mutants``, {"noticed", "of", "by mutant", "missed"}}"""
    return {code: _language(code, split, fills, mutants) for code in codes}


def _language(code: str, split: str, fills: int, mutants: bool) -> dict[str, Any]:
    rules = TextRules(dates="mask", max_masked=1.0, languages=("en", code))
    texts = [*render(code, split, fills), *(reports(code) if split == "dev" else ())]
    notes = [Note("p", t.text, tuple(_span(t.text, g) for g in t.gold), t.header) for t in texts]
    whole = [scrubbed(note, rules) for note in notes]
    clean = [(t, n, out) for t, n, out in zip(texts, notes, whole, strict=True)
             if out is not None and not judge(t, out, measure=measure_of(code)).leaks]  # fmt: skip
    wrong = [(f, out) for _, n, out in clean if (f := findings([out], n.header, [n.text]))]
    told: dict[str, Any] = {
        "clean texts": len(clean), "right": round(1 - len(wrong) / max(1, len(clean)), 4),
        "wrong": [f"{[x.value for x in f]}: {out}" for f, out in wrong],
    }  # fmt: skip
    if not mutants:
        return told
    found = noticed(notes, whole, rules)
    leaks, seen = (sum(m.get(k, 0) for m in found.values()) for k in ("notes", "notes noticed"))
    return {
        "noticed": seen, "of": leaks, **told,
        "by mutant": {k: f"{m.get('notes noticed', 0)}/{m['notes']}" for k, m in found.items() if m.get("notes")},
        "missed": {k: m["missed"] for k, m in found.items() if m.get("missed")},
    }  # fmt: skip


def reports(code: str) -> Iterator[Text]:
    """The marked reports of a language, in three cases."""
    lines = files("benchmarks.deid.languages").joinpath("reports.txt").read_text("utf-8").split(f"## {code}\n")[1]
    for n, line in enumerate(lines.partition("\n## ")[0].splitlines()):
        for name, case in CASES.items():
            pieces = [(label, case(piece)) for label, piece in pieces_of(line.replace("\\n", "\n"))]
            yield text_of(f"{code}{n} {name}", pieces)


def _span(text: str, gold: Gold) -> Span:
    return Span(gold.start, gold.end, gold.kind, text[gold.start : gold.end], own=False)


def main() -> None:
    """Print; texts of the dev half only."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--split", choices=("dev", "test"), default="dev")
    parser.add_argument("--fills", type=int, default=3)
    parser.add_argument("--languages", type=languages, default=CODES)
    parser.add_argument("--right", action="store_true", help="only how often it is right about clean texts")
    chosen = parser.parse_args()
    for code, told in measure(chosen.split, chosen.fills, chosen.languages, mutants=not chosen.right).items():
        if chosen.split == "test":
            told = {k: v for k, v in told.items() if k not in ("wrong", "missed")}
        print(code, json.dumps(told, indent=1, ensure_ascii=False)[:6000], flush=True)


if __name__ == "__main__":
    main()
