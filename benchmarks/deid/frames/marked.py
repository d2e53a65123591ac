"""Texts with marked identifiers (`[[NAME|Ito]]`) through the scrubber: what was left and what was lost, counts alone.

    python -m benchmarks.deid.frames.marked benchmarks/deid/frames/fifth.jsonl --out benchmarks/results/deid_fifth.json

The fifth set (200 texts, 1,010 marks, odd kinds of them) was written on 2026-11-28, the sixth (320 ordinary reports in
eight styles, 1,598 marks) on 2026-11-29, each by a hand that had seen neither rules nor other sets, and read by no one
who builds: whoever looks at what fails there has used it up. No header is given: nothing is known of the patient but
what the text says.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

from benchmarks.deid.frames import score
from benchmarks.deid.frames.fillings import Gold, Text
from benchmarks.deid.frames.table import markdown, summary
from benchmarks.deid.frames.values.people import OTHER, WORD
from curate.deid.words.vocabulary import Kind, kind

_MARK = re.compile(r"\[\[([A-Z]+)\|(.*?)\]\]", re.DOTALL)
_HARD = {"PLACE": "address", "ADDRESS": "address", "DATE": "date", "AGE": "age over 89", "PHONE": "phone", "ID": "id"}

Pieces = list[tuple[str, str]]  # (label, text); label "" is of no one


def read(path: Path) -> list[Text]:
    """A text a line: {"id", "text"}, and maybe its "style"."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return [text_of(row["id"], pieces_of(row["text"]), row.get("style", "as written")) for row in rows]


def pieces_of(source: str) -> Pieces:
    """ "by [[NAME|Ito]]." -> [("", "by "), ("NAME", "Ito"), ("", ".")]"""
    found, at = Pieces(), 0
    for hit in _MARK.finditer(source):
        found += [("", source[at : hit.start()]), (hit[1], hit[2])]
        at = hit.end()
    return [(label, piece) for label, piece in [*found, ("", source[at:])] if piece]


def text_of(key: str, some: Pieces, style: str = "as written") -> Text:
    """What must go and what must stay of a text in pieces."""
    gold, protected, at = list[Gold](), list[tuple[int, int]](), 0
    for label, piece in some:
        if label:
            gold.append(Gold(at, at + len(piece), _kind(label, piece)))
        else:
            protected.append((at, at + len(piece)))
        at += len(piece)
    return Text(key, style, "", style, "".join(piece for _, piece in some), tuple(gold), tuple(protected), ())


def _kind(label: str, value: str) -> str:
    """Of a name, whether one of its words is a word that medicine or English knows."""
    if label != "NAME":
        return _HARD.get(label, label.lower())
    return WORD if any(kind(w.lower()) & Kind.KNOWN for w in score._ANY.findall(value)) else OTHER


def main() -> None:
    """The table on the terminal, the figures in a file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("texts", type=Path)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    texts = read(given.texts)
    found = summary(texts, score.run(texts))
    print(markdown(found))
    if given.out is not None:
        given.out.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
