"""The text scrubber: span recall on labelled text, clinical words lost on reports, speed.

    python benchmarks/text_scrub.py DATA [--show N] [--out FILE.json]

DATA holds deid/text/*.jsonl ({text, spans: [{label, text}]} or {text, phi_values: [{label, text}]}),
reports/*.jsonl (findings, impression, ...) and */pairs.csv with captions. Everything is told with the vocabulary gate
off and on. Recall is given twice: by rules alone, and with the text's own names and numbers known, as a header would
tell them. A text that is withheld leaks nothing and is counted apart: its spans are no credit to recall.
"""

from __future__ import annotations

import argparse
import csv
import json
import platform
import re
import time
from collections import Counter
from pathlib import Path
from typing import Any

from curate.deid.pseudonym import Pseudonymizer
from curate.deid.rules import TextRules
from curate.deid.text.scrub import PLACEHOLDER, scrub
from curate.errors import DropRecord

PSEUDO = Pseudonymizer(b"a secret for benchmarks only")
HEADER = ["SMITH^JOHN^A", "MRN0012345", "19570312"]
KNOWN = {"PERSON", "ID", "PHONE", "PHONE_NUMBER", "US_SSN", "CREDIT_CARD", "IBAN_CODE", "US_DRIVER_LICENSE"}
SECTIONS = ("comparison", "indication", "findings", "impression")
CAPTIONS = ("text", "caption", "case_history", "case_exam", "case_findings", "case_diagnosis")


def documents(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def spans(doc: dict[str, Any]) -> list[tuple[str, str]]:
    """(label, text) of the annotated spans that occur in the document's text."""
    if "spans" in doc:
        return [(s["label"], s["text"]) for s in doc["spans"]]
    return [(v["label"], v["text"]) for v in doc["phi_values"] if v["text"] in doc["text"]]


def scrubbed(text: str, phi: list[str], gate: bool) -> str | None:
    """The text without PHI, or None where it is withheld."""
    try:
        return scrub(text, phi, "patient", PSEUDO, TextRules(vocabulary=gate))
    except DropRecord:
        return None


def recall(path: Path, header_known: bool, gate: bool, show: int) -> dict[str, Any]:
    """Spans masked and all, by label; documents in which one is left, and those withheld."""
    masked, total, leaking, withheld = Counter[str](), Counter[str](), 0, 0
    docs = documents(path)
    for doc in docs:
        marked = spans(doc)
        phi = [text for label, text in marked if label in KNOWN] if header_known else []
        out = scrubbed(doc["text"], phi, gate)
        if out is None:
            withheld += 1
            continue
        remaining = PLACEHOLDER.sub(" ", out).casefold()
        unmasked = [(label, text) for label, text in marked if text.casefold() in remaining]
        leaking += bool(unmasked)
        for label, _ in marked:
            total[label] += 1
        masked.update(label for label, _ in marked)
        masked.subtract(label for label, _ in unmasked)
        for label, text in unmasked[: max(0, show)]:
            print("  left:", label, repr(text), "in", repr(out[:150]))
        show -= len(unmasked)
    by_label = {label: [masked[label], n] for label, n in total.most_common()}
    share = sum(masked.values()) / total.total() if total else None
    return {
        "source": path.stem, "gate": gate, "header_known": header_known, "documents": len(docs), "withheld": withheld,
        "leaking": leaking, "recall": share, "by_label": by_label,
    }  # fmt: skip


def reports(folder: Path) -> dict[str, list[str]]:
    """The real English texts without marked PHI, by source."""
    texts = {}
    for path in sorted((folder / "reports").glob("*.jsonl")):
        texts[path.stem] = ["\n".join(doc.get(s) or "" for s in SECTIONS) for doc in documents(path)]
    for path in sorted(folder.glob("*/pairs.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            rows = ["\n".join(row.get(c) or "" for c in CAPTIONS).strip() for row in csv.DictReader(file)]
        texts[path.parent.name] = [text for text in dict.fromkeys(rows) if text]
    return texts


def words_lost(name: str, texts: list[str], gate: bool, show: int) -> dict[str, Any]:
    """Words of the source that the output lacks; with the gate on, only those that the rules alone would have kept."""
    words = lost = withheld = 0
    lost_words: Counter[str] = Counter()
    start = time.process_time()
    outs = [scrubbed(text, HEADER, gate) for text in texts]
    cpu = time.process_time() - start
    for text, out in zip(texts, outs, strict=True):
        if out is None:
            withheld += 1
            continue
        reference = scrubbed(text, HEADER, False) if gate else text
        before = Counter(re.findall(r"\w+", PLACEHOLDER.sub(" ", reference or "")))
        missing = before - Counter(re.findall(r"\w+", PLACEHOLDER.sub(" ", out)))
        missing = Counter(
            {word: n for word, n in missing.items() if "XXXX" not in word}
        )  # the source's own placeholder
        words, lost = words + before.total(), lost + missing.total()
        lost_words += missing
    print(f"  most often lost in {name}:", ", ".join(f"{w} {n}" for w, n in lost_words.most_common(show)))
    return {
        "source": name, "gate": gate, "texts": len(texts), "withheld": withheld, "words": words, "lost": lost,
        "share_lost": lost / max(words, 1), "words_per_text": words / max(len(texts), 1),
        "texts_per_cpu_s": len(texts) / cpu,
    }  # fmt: skip


def measure(data: Path, show: int) -> dict[str, Any]:
    scrub("warm up", HEADER, "patient", PSEUDO, TextRules())  # the word lists are read once a process
    results: dict[str, Any] = {"machine": platform.platform(), "recall": [], "words": []}
    for path in sorted((data / "deid" / "text").glob("*.jsonl")):
        for gate in (False, True):
            for header_known in (False, True):
                row = recall(path, header_known, gate, show if header_known and gate else 0)
                results["recall"].append(row)
                print(json.dumps(row))
    for name, texts in reports(data).items():
        for gate in (False, True):
            row = words_lost(name, texts, gate, show)
            results["words"].append(row)
            print(json.dumps(row))
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--show", type=int, default=20)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    results = measure(args.data, args.show)
    if args.out is not None:
        args.out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
