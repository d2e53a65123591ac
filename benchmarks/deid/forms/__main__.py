"""What leaks of forms of identifiers, and what is lost of sentences that look like them.

    python -m benchmarks.deid.forms [--set dev|fresh|families] [--show]

A line of each file is a style, a tab and a sentence: `{a|b}` is each of these in turn, `[[...]]` must
go, `((...))` may; all else stays. Under a heading "# kind-" nothing is to go. Each sentence is asked as written, in
capitals and in small letters. `dev.txt` was looked at while the rules were written; `fresh.txt` was written before they
were and has been counted only: --show is refused for it. `families.txt` are the forms that exist of each kind where
English is written, with their look-alikes.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

from benchmarks.deid.frames import score
from benchmarks.deid.frames.fillings import CASES, Gold, Text
from benchmarks.deid.frames.table import share

_MARK = re.compile(r"(\[\[.*?\]\]|\(\(.*?\)\))", re.DOTALL)


def expand(line: str) -> Iterator[str]:
    """A line with the first of its choices, the second, and so on; shorter lists begin again."""
    choices = [part.split("|") if i % 2 else [part] for i, part in enumerate(re.split(r"\{([^{}]*)\}", line))]
    for i in range(max(map(len, choices))):
        yield "".join(each[i % len(each)] for each in choices).replace("\\n", "\n")


def texts(name: str) -> Iterator[Text]:
    """Every sentence of a set, in every case; its kind stands as the text's modality."""
    kind = ""
    lines = files("benchmarks.deid.forms").joinpath(f"{name}.txt").read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        if line.startswith("# "):
            kind = line[2:]
        style, _, sentence = line.partition("\t")
        for one in expand(sentence) if sentence else ():
            yield from _marked(one, f"{name}:{number}", style, kind)


def _marked(sentence: str, key: str, style: str, kind: str) -> Iterator[Text]:
    plain, gold, kept, at = list[str](), list[Gold](), list[tuple[int, int]](), 0
    for part in _MARK.split(sentence):
        words = part[2:-2] if part[:2] in ("[[", "((") else part
        if part.startswith("[["):
            gold.append(Gold(at, at + len(words), kind))
        elif words == part:
            kept.append((at, at + len(words)))
        plain.append(words)
        at += len(words)
    for case, change in CASES.items():
        yield Text(key, style, kind, case, change("".join(plain)), tuple(gold), tuple(kept), ())


def measure(name: str, *, show: bool = False) -> dict[str, Any]:
    """{kind: {"left", "lost"}} and both over all, each a `table.share`; "withheld"."""
    sentences = list(texts(name))
    outcomes = score.run(sentences)
    counts: dict[str, list[int]] = {}
    for text, outcome in zip(sentences, outcomes, strict=True):
        for key in (text.modality, "all"):
            row = counts.setdefault(key, [0, 0, 0, 0])
            if outcome.out is not None:
                row[0] += len(outcome.leaks)
                row[1] += len(text.gold)
                row[2] += len(outcome.lost)
                row[3] += outcome.words
        if show and (outcome.leaks or outcome.lost):
            print("LEFT" if outcome.leaks else "lost", [w for _, w in outcome.lost], repr(text.text), "->", outcome.out)
    told: dict[str, Any] = {k: {"left": share(a, b), "lost": share(c, d)} for k, (a, b, c, d) in counts.items()}
    return {"sentences": len(sentences), "withheld": sum(o.out is None for o in outcomes), **told}


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", choices=("dev", "fresh", "families"), default="dev")
    parser.add_argument("--show", action="store_true", help="the sentences that failed (not of fresh)")
    chosen = parser.parse_args()
    if chosen.show and chosen.set == "fresh":
        parser.error("sentences of the fresh set are not shown")
    print(json.dumps(measure(chosen.set, show=chosen.show), indent=1))


if __name__ == "__main__":
    main()
