"""Is the meaning kept: what `filters.findings` reads in a report before and after scrubbing, and the words that went.

The reports are public and hold few identities (Indiana University's have had theirs taken; MedPix's texts are of
teaching cases, with a place or a name here and there), so whatever goes but dates and numbers is counted as a loss. On
the frames the comparison is with what a perfect scrubber would leave: the text with its gold spans taken, because a Dr.
Mass is no mass. A report is kept where the multiset of (finding, state, side, level) is the same. That extractor is
ours as well, so closed-class words are counted without it.

    python -m benchmarks.deid --only meaning
    python -m benchmarks.deid.public.meaning DATA [--texts FILE]     # figures, and what went of the dev halves
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.deid.frames import fillings
from benchmarks.deid.frames.fillings import Text
from benchmarks.deid.frames.score import kept
from benchmarks.deid.frames.table import share
from benchmarks.deid.frames.values.people import half
from benchmarks.deid.frames.words import CLOSED
from benchmarks.deid.ours import PSEUDO
from curate.deid.rules import TextRules
from curate.deid.text.scrub import scrub
from curate.errors import DropRecord
from filters.findings import extract

_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_NO_LOSS = re.compile(  # what the publisher took; parts of dates
    r".*xx.*|aam|(?:jan|febr)(?:uary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?", re.I | re.S)  # fmt: skip
_TITLES = ("comparison", "indication", "findings", "impression")
_CASE = ("case_history", "case_exam", "case_findings", "case_differential", "case_diagnosis")
_DRAWS = 500


@dataclass(frozen=True)
class Kept:
    """One text: withheld, claims the same, words and closed-class words lost of so many; ``gone``: which."""

    withheld: bool
    same: bool
    lost: int
    words: int
    closed_lost: int
    closed: int
    gone: tuple[str, ...]
    cpu: float


def claims(text: str) -> Counter[tuple[str, str, str, str]]:
    """What the text says, as often as it says it."""
    return Counter((c.finding, c.state, c.side, c.level) for c in extract(text))


def sets(data: Path) -> dict[str, list[tuple[str, str]]]:
    """Set -> (half, text): halves by hash of the report or, for MedPix, of the case, "dev" one may look at."""
    lines = (data / "reports" / "iu_reports.jsonl").read_text(encoding="utf-8").splitlines()
    found = {
        "IU reports": [(half(r["uid"]), _joined({t.upper(): r[t] for t in _TITLES})) for r in map(json.loads, lines)]
    }
    with (data / "radiology_pairs" / "pairs.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    columns = {"MedPix captions": "caption", "MedPix histories": "case_history", "MedPix case texts": "case"}
    for row in rows:
        row["case"] = _joined({c[5:].upper(): row[c] for c in _CASE})
    for name, column in columns.items():
        by_text = {r[column]: half(r["group_id"]) for r in rows if r[column].strip()}
        found[name] = [(side, text) for text, side in by_text.items()]
    return found


def _joined(sections: dict[str, str]) -> str:
    return "\n".join(f"{title}: {text}" for title, text in sections.items() if text)


def measure(data: Path | None, limit: int = 0) -> dict[str, Any]:
    """{set: {"all" | "dev" | "test": `summary`}}; without ``data`` the frames alone."""
    found: dict[str, Any] = {}
    for name, pairs in (sets(data) if data else {}).items():
        pairs = pairs[:: max(1, len(pairs) // limit)] if limit else pairs
        rows = [(side, judge(text)) for side, text in pairs]
        found[name] = {"all": summary([r for _, r in rows])}
        found[name] |= {side: summary([r for s, r in rows if s == side]) for side in ("dev", "test")}
        del found[name]["all"]["words lost most"], found[name]["test"]["words lost most"]  # of those only figures
    for split in ("dev", "test"):
        found[f"frames, {split}"] = {"all": of_frames(split, 2 if limit else 4)}
    return found


def judge(text: str) -> Kept:
    """One report as it is, nothing known of its patient."""
    start = time.process_time()
    try:
        out = scrub(text, [], "patient", PSEUDO, TextRules(dates="mask"))
    except DropRecord:
        return Kept(True, False, 0, 0, 0, 0, (), time.process_time() - start)
    cpu = time.process_time() - start
    stayed = kept(text, out)
    words = [m for m in _WORD.finditer(text) if not _NO_LOSS.fullmatch(m.group())]
    lost = [m.group() for m in words if not all(stayed[m.start() : m.end()])]
    closed = [(kind, m) for kind, pattern in CLOSED.items() for m in pattern.finditer(text)]
    gone = [f"{kind}: {m.group()}" for kind, m in closed if not all(stayed[m.start() : m.end()])]
    same = text == out or claims(text) == claims(out)
    return Kept(False, same, len(lost), len(words), len(gone), len(closed), (*lost, *gone), cpu)


def summary(rows: Sequence[Kept]) -> dict[str, Any]:
    """Shares with intervals: Wilson's for reports, of words by drawing reports again (percentiles of 500)."""
    read = [r for r in rows if not r.withheld]
    lost, words = (np.array([getattr(r, k) for r in read], np.int64) for k in ("lost", "words"))
    draws = np.random.default_rng(0).integers(0, len(read), (_DRAWS, len(read)))
    drawn = lost[draws].sum(1) / np.maximum(1, words[draws].sum(1))
    cpu = sum(r.cpu for r in rows)
    return {
        "texts": len(rows),
        "withheld": share(len(rows) - len(read), len(rows)),
        "meaning kept": share(sum(r.same for r in read), len(read)),
        "texts with a word lost": share(sum(r.lost > 0 for r in read), len(read)),
        "words lost": {"n": int(lost.sum()), "of": int(words.sum()), "share": round(float(lost.sum() / words.sum()), 5),
                       "interval": [round(float(v), 5) for v in np.percentile(drawn, (2.5, 97.5))]},
        "closed-class words lost": share(sum(r.closed_lost for r in read), sum(r.closed for r in read)),
        "words lost most": dict(Counter(w.casefold() for r in read for w in r.gone).most_common(25)),
        "texts/cpu-s": round(len(rows) / cpu, 1),
        "words/cpu-s": round(float(words.sum()) / cpu),
    }  # fmt: skip


def of_frames(split: str, fills: int) -> dict[str, Any]:
    """What the frames of a split claim, beside what a perfect scrubber would leave of it."""
    texts, rules, same, read = list(fillings.render(split, fills)), TextRules(dates="mask", max_masked=1.0), 0, 0
    for text in texts:
        try:
            out = scrub(text.text, list(text.header), "patient", PSEUDO, rules)
        except DropRecord:
            continue
        read += 1
        same += claims(ideal(text)) == claims(out)
    return {"texts": len(texts), "withheld": share(len(texts) - read, len(texts)), "meaning kept": share(same, read)}


def ideal(text: Text) -> str:
    """The text as a perfect scrubber leaves it."""
    out, at = [], 0
    for gold in text.gold:
        out += [text.text[at : gold.start], "[NAME]" if "name" in gold.kind else "[ID]"]
        at = gold.end
    return "".join([*out, text.text[at:]])


def main() -> None:
    """Print the figures of the dev halves; write what failed there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--texts", type=Path, help="write what went and what changed meaning here")
    chosen = parser.parse_args()
    lines = []
    for name, pairs in sets(chosen.data).items():
        texts = [text for side, text in pairs if side == "dev"]
        rows = [judge(text) for text in texts]
        found = summary(rows)
        print(f"{name}, dev: {figures(found)}")
        for text, row in zip(texts, rows, strict=True):
            if row.gone or not row.same:
                end = " WITHHELD" if row.withheld else "" if row.same else " MEANING"
                lines.append(f"## {name}{end}\n{text}\nGONE {', '.join(row.gone)}\n")
    if chosen.texts:
        chosen.texts.write_text("\n".join(lines), encoding="utf-8")


def figures(found: dict[str, Any]) -> str:
    """A summary in one line."""
    shown = ("withheld", "meaning kept", "words lost", "closed-class words lost")
    shares = [f"{k} {found[k]['n']} of {found[k]['of']} ({found[k]['share']:.3%})" for k in shown]
    return "; ".join([*shares, f"{found['texts/cpu-s']} texts/cpu-s"])


if __name__ == "__main__":
    main()
