"""Names left against words lost as the threshold of the decision per word moves, on frames that may be looked at.

python -m benchmarks.deid.frames.word_curve [--split fresh] [--fills 2] [--thresholds 0.02 0.07 0.2]
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from benchmarks.deid.frames import fillings, score, table
from curate.deid.text.decide import Thresholds

_MOVED = (0.02, 0.035, Thresholds().known, 0.07, 0.14)


def row(texts: Sequence[fillings.Text], threshold: float) -> str:
    """A line of the table: the shares at one threshold."""
    found = table.summary(texts, score.run(texts, threshold=threshold))
    left, lost = found["left"], found["clinical words lost"]
    cells = [left["names that are words"], left["other names"], lost, found["closed-class words lost"]]
    return f"| {threshold:g} | " + " | ".join(f"{c['share'] or 0:.2%} ({c['n']})" for c in cells) + " |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--split", choices=("dev", "fresh"), default="fresh")
    parser.add_argument("--fills", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--thresholds", type=float, nargs="*", default=_MOVED)
    chosen = parser.parse_args()
    texts = list(fillings.render(chosen.split, chosen.fills, chosen.seed))
    print("| threshold | names that are words left | other names left | other words lost | closed class lost |")
    print("|---:|---:|---:|---:|---:|")
    for threshold in chosen.thresholds:
        print(row(texts, threshold), flush=True)


if __name__ == "__main__":
    main()
