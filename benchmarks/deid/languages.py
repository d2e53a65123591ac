"""The language check: how its weights are fitted, and how often it is right.

    python -m benchmarks.deid.languages [--fit] [--data DIR]

Fitted on sentences of our own: `languages.tsv` (the half "fit") against sentences of the generated English notes, by
logistic regression with a ridge, Newton's method; the classes weigh the same. The half "held" is measured only. With
``--data``, real English reports are measured too, and real Spanish case histories.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
from collections.abc import Iterable, Iterator
from importlib.resources import files
from pathlib import Path

import numpy as np

from benchmarks.deid.notes import generate
from curate.deid.text.language import KINDS, foreign_language, word_counts

_RIDGE, _STEPS = 30.0, 60


def texts(half: str) -> list[tuple[str, str]]:
    """(language, text) of the half "fit" or "held"."""
    lines = files("benchmarks.deid").joinpath("languages.tsv").read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    return [(language, text) for language, of, text in rows if of == half]


def fit() -> tuple[np.ndarray, float]:
    """(float64[7], bias): log-odds a word of each of `KINDS` that a text is in another language."""
    rng = random.Random(0)
    english = [word_counts(_misspelt(line, rng)) for note in generate(600) for line in note.text.split(". ")]
    other = [word_counts(text) for _, text in texts("fit")]
    x = np.c_[np.array(english + other, float), np.ones(len(english) + len(other))]
    y = np.r_[np.zeros(len(english)), np.ones(len(other))]
    weight = np.where(y == 1, len(english) / len(other), 1.0)
    ridge = np.diag([_RIDGE] * len(KINDS) + [0.0])
    beta = np.zeros(len(KINDS) + 1)
    for _ in range(_STEPS):
        p = 1 / (1 + np.exp(-np.clip(x @ beta, -40, 40)))
        slope = x.T @ (weight * (y - p)) - ridge @ beta
        beta += 0.8 * np.linalg.solve((x * (weight * p * (1 - p))[:, None]).T @ x + ridge, slope)
    return beta[:-1], float(beta[-1])


def _misspelt(text: str, rng: random.Random) -> str:
    """Every tenth word with two letters exchanged: reports are typed."""
    words = text.split(" ")
    for i, word in enumerate(words):
        if len(word) > 4 and rng.random() < 0.1:
            at = rng.randrange(1, len(word) - 1)
            words[i] = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return " ".join(words)


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
    """Print the figures; with ``--fit`` the weights first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fit", action="store_true")
    parser.add_argument("--data", type=Path)
    asked = parser.parse_args()
    if asked.fit:
        weights, bias = fit()
        print("weights", dict(zip(KINDS, weights.round(2).tolist(), strict=True)), "bias", round(bias, 2), flush=True)
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
