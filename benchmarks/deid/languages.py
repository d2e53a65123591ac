"""The language check: how often it is right.

    python -m benchmarks.deid.languages [--data DIR]

On sentences of our own in 22 languages (`languages.tsv`: the half "fit" was looked at, "held" is measured only) and
generated English notes. With ``--data``, real English reports are measured too, and real Spanish case histories.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Iterable, Iterator
from importlib.resources import files
from pathlib import Path

from benchmarks.deid.notes import generate
from curate.deid.words.language import foreign_language


def texts(half: str) -> list[tuple[str, str]]:
    """(language, text) of the half "fit" or "held"."""
    lines = files("benchmarks.deid").joinpath("languages.tsv").read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    return [(language, text) for language, of, text in rows if of == half]


def english(data: Path) -> Iterator[tuple[str, str]]:
    """(set, text) of real English reports and captions under ``data``."""
    for line in (data / "reports" / "iu_reports.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        yield "iu reports", " ".join(filter(None, (row["findings"], row["impression"])))
    for name, column in (("radiology_pairs", "caption"), ("cxr_pairs", "text")):
        with (data / name / "pairs.csv").open(encoding="utf-8", newline="") as file:
            yield from ((name, row[column]) for row in csv.DictReader(file))
    for name in ("edgecare_en", "presidio_synth_en"):
        yield from ((name, text) for text in _documents(data, name))


def _documents(data: Path, name: str) -> Iterator[str]:
    for line in (data / "deid" / "text" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines():
        yield json.loads(line)["text"]


def rates(found: Iterable[tuple[str, str]]) -> dict[str, tuple[int, int]]:
    """{set: (taken for another language, texts)}"""
    out: dict[str, tuple[int, int]] = {}
    for name, text in found:
        taken, n = out.get(name, (0, 0))
        out[name] = (taken + (foreign_language(text) is not None), n + 1)
    return out


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    asked = parser.parse_args()
    shown = {f"other languages, {half}": [("", text) for _, text in texts(half)] for half in ("fit", "held")}
    shown["our English notes (fresh seed)"] = [("", note.text) for note in generate(1000, seed=23)]
    found = {name: rates(rows)[""] for name, rows in shown.items()}
    if asked.data:
        found |= rates(english(asked.data))
        found["meddocan_es"] = rates(("", text) for text in _documents(asked.data, "meddocan_es"))[""]
    for name, (taken, n) in found.items():
        print(f"{name:34} withheld {taken:5} of {n:5} ({taken / n:.2%})")


if __name__ == "__main__":
    main()
