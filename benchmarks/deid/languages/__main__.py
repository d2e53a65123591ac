"""Figures of the frames in other languages; of the dev half, what failed."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from benchmarks.deid.frames import score, table
from benchmarks.deid.languages.render import CODES, languages, render, row
from benchmarks.deid.languages.words import measure_of


def main() -> None:
    """Print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--split", choices=("dev", "test"), default="dev")
    parser.add_argument("--fills", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--languages", type=languages, default=CODES)
    parser.add_argument("--texts", type=Path, help="a folder for what failed, a file a language (dev only)")
    parser.add_argument("--kinds", action="store_true", help="each kind of identifier apart")
    chosen = parser.parse_args()
    if chosen.split == "test" and chosen.texts:
        parser.error("texts of the test half are not shown")
    for code in chosen.languages:
        texts = list(render(code, chosen.split, chosen.fills, chosen.seed))
        start = time.process_time()
        outcomes = score.run(texts, ("en", *CODES), measure_of(code))
        found = table.summary(texts, outcomes)
        print(code, row(found), f"{time.process_time() - start:.0f} s", flush=True)
        if chosen.kinds:
            print("  ", {k: f"{v['n']}/{v['of']}" for k, v in found["left"].items() if v["n"]})
            print("  ", found["closed-class words lost, by kind"])
        if chosen.texts:
            chosen.texts.mkdir(exist_ok=True)
            table.write_failures(chosen.texts / f"{code}.txt", texts, outcomes)


if __name__ == "__main__":
    main()
