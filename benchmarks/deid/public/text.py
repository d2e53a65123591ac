"""Recall on public labelled text: every span of every document that the scrubber takes, honestly, label by label.

The sets (`deid/text/*.jsonl`: {text, spans: [{label, text}]} or {text, phi_values: [...]}) are not all of radiology,
not all English and not written with this scrubber in mind. A document the scrubber refuses (a language it knows too
little of) is counted as withheld and its spans as not leaking, and the recall of what it passed is given beside. A
span is taken where it is nowhere in the output as a whole; of "nothing left" no two characters stayed together,
years and words of a kind ("Road") apart.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.deid.frames.score import kept, tells
from benchmarks.deid.frames.values.people import half
from benchmarks.deid.ours import PSEUDO
from curate.deid.rules import TextRules
from curate.deid.text.scrub import scrub
from curate.errors import DropRecord


def measure(data: Path, limit: int = 0) -> dict[str, Any]:
    """{set: {"documents", "withheld", "spans", "recall of what passed", "nothing left", "recall", "by label"}}"""
    found = {}
    for path in sorted((data / "deid" / "text").glob("*.jsonl")):
        documents = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        found[path.stem] = _set(documents[:limit] if limit else documents)
        if path.stem == _SPANISH:  # half of it was looked at while the Spanish lists were made
            other = [d for d in documents if half(d["id"]) == "test"]
            found[f"{path.stem}, Spanish cleaned, half not looked at"] = _set(other[:limit] if limit else other, "es")
    return found


_SPANISH = "meddocan_es"
# What the sets label and HIPAA does not list: ages under 90 (all but a few of the sets'), "last week", "Mr.", sexes,
# relatives ("his brother"), trades, countries.
NO_IDENTIFIERS = frozenset(
    [
        *("AGE", "TIMESTAMPS", "TITLE", "EDAD_SUJETO_ASISTENCIA", "SEXO_SUJETO_ASISTENCIA"),
        *("FAMILIARES_SUJETO_ASISTENCIA", "PROFESION", "PAIS"),
    ]
)


def _share(total: Counter[str], masked: Counter[str]) -> float | None:
    """The recall of what passed, without labels of `NO_IDENTIFIERS`."""
    labels = [label for label in total if label not in NO_IDENTIFIERS]
    passed = sum(total[label] for label in labels)
    return round(sum(masked[label] for label in labels) / passed, 4) if passed else None


def _set(documents: list[dict[str, Any]], *also: str) -> dict[str, Any]:
    rules = TextRules(dates="mask", languages=("en", *also))
    total, masked, spans, withheld, cpu, clean = Counter[str](), Counter[str](), 0, 0, 0.0, 0
    for document in documents:
        wanted = [(s["label"], s["text"]) for s in document.get("spans", ())]
        values = [v for v in document.get("phi_values", ()) if v["text"] in document["text"]]
        wanted += [(v["label"], v["text"]) for v in values]
        spans += len(wanted)
        start = time.process_time()
        try:
            out = scrub(document["text"], [], "patient", PSEUDO, rules)
        except DropRecord:
            withheld += 1
            continue
        finally:
            cpu += time.process_time() - start
        stayed, low = kept(document["text"], out), out.casefold()
        for label, text in wanted:
            total[label] += 1
            masked[label] += text.casefold() not in low
        for span in document.get("spans", ()):
            within = zip(
                document["text"][span["start"] : span["end"]], stayed[span["start"] : span["end"]], strict=True
            )
            clean += not tells("".join(c if s else " " for c, s in within).casefold())
    passed, gone = total.total(), masked.total()
    return {
        "documents": len(documents),
        "withheld": withheld,
        "spans": spans,
        "recall of what passed": round(gone / passed, 4) if passed else None,
        "recall of identifiers": _share(total, masked),
        "nothing left": round(clean / passed, 4) if passed else None,
        "recall": round((gone + spans - passed) / spans, 4) if spans else None,
        "documents/cpu-s": round(len(documents) / cpu, 1) if cpu else None,
        "by label": {label: f"{masked[label]} of {n}" for label, n in total.most_common()},
    }
