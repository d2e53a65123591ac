"""The languages beside English: how often a text's language is told, and what of frames in them is left and lost.

    python -m benchmarks.deid --only languages                # all of it
    python -m benchmarks.deid.languages.detector [--data DIR] [--witnesses]          # the language check alone

``--witnesses``: the same texts by lingua and py3langid, installed into an environment of their own.

On sentences of our own in 22 languages (`languages.tsv`: the half "fit" was looked at, "held" is measured only) and
generated English notes. With ``--data``, real English reports are measured too, and real Spanish case histories.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import re
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

from benchmarks.deid import peers
from benchmarks.deid.languages import render, verifier
from benchmarks.deid.notes.generate import generate
from curate.deid.words.language import foreign_language, language_name


def texts(half: str) -> list[tuple[str, str]]:
    """(language, text) of the half "fit" or "held"."""
    lines = files("benchmarks.deid.languages").joinpath("languages.tsv").read_text(encoding="utf-8").splitlines()
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


def measure(data: Path | None, fills: int) -> dict[str, Any]:
    """{"frames": `render.measure`, "verifier": of the test half, "told": shares of texts whose language is told}"""
    verified = verifier.measure("test", max(1, fills // 6))
    for told in verified.values():
        told.pop("wrong"), told.pop("missed")
    return {"frames": render.measure(fills), "verifier": verified, "told": told_rightly(labelled(data), language_name)}


def labelled(data: Path | None) -> list[tuple[str, str, str]]:
    """(set, language, text): sentences in 22 languages, frames of six, and real texts where there are any."""
    rows = [(f"sentences, {half}", code, text) for half in ("fit", "held") for code, text in texts(half)]
    for code in render.CODES:
        rows += [(f"frames, {s}", code, t.text) for s in ("dev", "test") for t in render.render(code, s, 1)]
    if data is None:
        return rows
    found: dict[str, list[str]] = {}
    for name, text in english(data):
        found.setdefault(name, []).append(text)
    for name, of in found.items():
        if name in ("iu reports", "radiology_pairs"):
            rows += [(name, "en", text) for text in random.Random(0).sample(of, min(500, len(of))) if text.strip()]
    pieces = (random.Random(i).choice(re.split(r"(?<=\.)\s+", t)) for i, t in enumerate(found["iu reports"][:500]))
    rows += [("sentences of iu reports", "en", text) for text in pieces if len(text.split()) > 1]
    spanish = list(_documents(data, "meddocan_es"))[:100]
    rows += [("meddocan", "es", text) for text in spanish]
    return rows + [
        ("sentences of meddocan", "es", piece)
        for text in spanish
        for piece in [p for p in re.split(r"(?<=\.)\s+|\n", text) if len(p.split()) > 3][12:18]
    ]


def told_rightly(rows: Iterable[tuple[str, str, str]], tell: Any) -> dict[str, list[int]]:
    """{set: [told rightly, of]}: one of the seven languages that are cleaned, or any other."""
    right: Counter[str] = Counter()
    of: Counter[str] = Counter()
    seven = ("en", *render.CODES)
    for name, code, text in rows:
        told = tell(text)
        right[name] += (told if told in seven else "other") == (code if code in seven else "other")
        of[name] += 1
    return {name: [right[name], n] for name, n in of.items()}


_WITNESS = """
import json, sys
import py3langid
from lingua import LanguageDetectorBuilder
lingua = LanguageDetectorBuilder.from_all_languages().build()
def by_lingua(text):
    found = lingua.detect_language_of(text)
    return found.iso_code_639_1.name.lower() if found else "other"
json.dump([[by_lingua(t), py3langid.classify(t)[0]] for t in json.load(sys.stdin)], sys.stdout)
"""


def witnesses(rows: list[tuple[str, str, str]]) -> dict[str, dict[str, list[int]]]:
    """`told_rightly` by lingua and by py3langid, which run in an environment of their own."""
    home = peers.default_cache() / "language-witnesses"
    python = home / "bin" / "python"
    if not python.exists():
        subprocess.run(["python3", "-m", "venv", str(home)], check=True)
        packages = ["lingua-language-detector==2.1.1", "py3langid==0.4.0"]
        subprocess.run([str(python), "-m", "pip", "install", "-q", *packages], check=True)
    asked = json.dumps([text for _, _, text in rows])
    answer = subprocess.run([str(python), "-c", _WITNESS], input=asked, capture_output=True, text=True, check=True)
    told = json.loads(answer.stdout)
    out = {}
    for at, name in enumerate(("lingua", "py3langid")):
        one = iter(told)
        out[name] = told_rightly(rows, lambda _, one=one, at=at: next(one)[at])
    return out


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--witnesses", action="store_true")
    asked = parser.parse_args()
    shown = {f"other languages, {half}": [("", text) for _, text in texts(half)] for half in ("fit", "held")}
    shown["our English notes (fresh seed)"] = [("", note.text) for note in generate(1000, seed=23)]
    found = {name: rates(rows)[""] for name, rows in shown.items()}
    if asked.data:
        found |= rates(english(asked.data))
        found["meddocan_es"] = rates(("", text) for text in _documents(asked.data, "meddocan_es"))[""]
    for name, (taken, n) in found.items():
        print(f"{name:34} withheld {taken:5} of {n:5} ({taken / n:.2%})")
    rows = labelled(asked.data)
    told = {"ours": told_rightly(rows, language_name)} | (witnesses(rows) if asked.witnesses else {})
    print(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
