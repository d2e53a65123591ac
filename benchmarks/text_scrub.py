"""What the text scrubber takes and what it leaves: span recall on labelled text, clinical words lost on reports, speed.

    python benchmarks/text_scrub.py DATA [--show N]

DATA holds deid/text/*.jsonl ({text, spans: [{label, text}]}) and reports/*.jsonl (findings, impression, ...).
Recall is given twice: by rules alone, and with the text's own names and numbers known, as a header would tell them.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections import Counter
from pathlib import Path

from curate.deid.pseudonym import Pseudonymizer
from curate.deid.text.scrub import PLACEHOLDER, TextRules, scrub
from curate.deid.verify.leaks import leaks

PSEUDO = Pseudonymizer(b"a secret for benchmarks only")
KNOWN = {"PERSON", "ID", "PHONE", "PHONE_NUMBER", "US_SSN", "CREDIT_CARD", "IBAN_CODE", "US_DRIVER_LICENSE"}
SECTIONS = ("comparison", "indication", "findings", "impression")


def documents(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def recall(path: Path, known: bool, show: int) -> tuple[dict[str, str], int]:
    """Per label "masked/all": a span is masked where its text is no longer in the output; and the leaking documents."""
    masked, total, leaking = Counter(), Counter(), 0
    for doc in documents(path):
        phi = [s["text"] for s in doc["spans"] if s["label"] in KNOWN] if known else []
        out = scrub(doc["text"], phi, "patient", PSEUDO, TextRules())
        leaking += leaks([out], phi)
        for span in doc["spans"]:
            total[span["label"]] += 1
            gone = span["text"].casefold() not in out.casefold()
            masked[span["label"]] += gone
            if not gone and show > 0 and known:
                show -= 1
                print("  left:", span["label"], repr(span["text"]), "in", repr(out[:150]))
    return {label: f"{masked[label]}/{n}" for label, n in total.most_common()} | {
        "all": f"{sum(masked.values())}/{sum(total.values())} = {sum(masked.values()) / sum(total.values()):.3f}"
    }, leaking


def words_lost(path: Path, show: int) -> None:
    words = lost = notes = 0
    taken: Counter[str] = Counter()
    texts = ["\n".join(doc.get(s) or "" for s in SECTIONS) for doc in documents(path)]
    start = time.process_time()
    outs = [scrub(text, ["SMITH^JOHN^A", "MRN0012345", "19570312"], "patient", PSEUDO, TextRules()) for text in texts]
    cpu = time.process_time() - start
    for text, out in zip(texts, outs, strict=True):
        before, after = Counter(re.findall(r"\w+", text)), Counter(re.findall(r"\w+", PLACEHOLDER.sub(" ", out)))
        gone = before - after
        words, lost, notes = words + before.total(), lost + gone.total(), notes + bool(gone)
        taken += gone
    print(f"{path.name}: {words} words, lost {lost} = {lost / words:.4%}, in {notes} of {len(texts)} reports; "
          f"{len(texts) / cpu:.0f} reports per CPU-second")  # fmt: skip
    print("  most often lost:", ", ".join(f"{w} {n}" for w, n in taken.most_common(show)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--show", type=int, default=20)
    args = parser.parse_args()
    for path in sorted((args.data / "deid" / "text").glob("*_en.jsonl")):
        for known in (False, True):
            found, leaking = recall(path, known, args.show)
            print(path.name, "header known" if known else "rules alone", found, f"verify: {leaking} documents leak")
    for path in sorted((args.data / "reports").glob("*.jsonl")):
        words_lost(path, args.show)


if __name__ == "__main__":
    main()
