"""Texts with marked identifiers (`[[NAME|Ito]]`) through the scrubber: what was left and what was lost, counts alone.

    python -m benchmarks.deid.marked benchmarks/deid/frames_fifth.jsonl --out benchmarks/results/deid_fifth.json

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

from benchmarks.deid import frame_score
from benchmarks.deid.frame_people import OTHER, WORD
from benchmarks.deid.frame_table import markdown, summary
from benchmarks.deid.frames import Gold, Text
from curate.deid.words.vocabulary import Kind, kind

_MARK = re.compile(r"\[\[([A-Z]+)\|(.*?)\]\]", re.DOTALL)
_HARD = {"PLACE": "address", "DATE": "date", "AGE": "age over 89", "PHONE": "phone", "ID": "id"}


def read(path: Path) -> list[Text]:
    """A text a line: {"id", "text"}, and maybe its "style"."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return [_text(row["id"], row.get("style", "as written"), row["text"]) for row in rows]


def _text(key: str, style: str, source: str) -> Text:
    plain, gold, protected, at = "", [], [], 0
    for hit in _MARK.finditer(source):
        before = source[at : hit.start()]
        protected.append((len(plain), len(plain) + len(before)))
        plain += before
        gold.append(Gold(len(plain), len(plain) + len(hit[2]), _kind(hit[1], hit[2])))
        plain += hit[2]
        at = hit.end()
    protected.append((len(plain), len(plain) + len(source) - at))
    return Text(key, style, "", style, plain + source[at:], tuple(gold), tuple(protected), ())


def _kind(label: str, value: str) -> str:
    """Of a name, whether one of its words is a word that medicine or English knows."""
    if label != "NAME":
        return _HARD.get(label, label.lower())
    return WORD if any(kind(w.lower()) & Kind.KNOWN for w in frame_score._ANY.findall(value)) else OTHER


def main() -> None:
    """The table on the terminal, the figures in a file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("texts", type=Path)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    texts = read(given.texts)
    found = summary(texts, frame_score.run(texts))
    print(markdown(found))
    if given.out is not None:
        given.out.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
