"""Every number the filters promise: on the synthetic pool over seeds, poisoned training, real pairs, rates.

    python -m benchmarks.filters [--only PART ...] [--seeds N] [--quick] [--jobs N] [--data FOLDER] [--work FOLDER]
                                 [--out FILE] [--plot FILE] [--fresh]

Parts: synthetic (every method's AUROC by fault, precision among the kept), second-writer (the same films in words and
with faults that no method knows), poison, mismatches (judges beside heads and baselines, on pairs and whole
studies deranged, with a clean set and without), statements (what clinicians stated of pictures against its contrary:
denial, side, position), rate (scoring, end to end against the model alone), reselect (another cut over a million
scores). A run goes on where one stopped. What the kept pairs are worth to a model is
`benchmarks.training`'s part synthetic, which reads the scores of these same filters from --work. Rate and reselect are
timed: nothing else should run beside them. Intervals are 95 % of Student's t over seeds.
"""

from __future__ import annotations

from benchmarks.filters import plot, table
from benchmarks.filters.units import PARTS
from benchmarks.parts import options_of, run_parts


def main() -> None:
    """Run what is not done, write the JSON, print the table, draw the plot."""
    options = options_of(__doc__, PARTS, "benchmarks/results/filters.json", "docs/images/filters.svg")
    results = run_parts(
        PARTS,
        options,
        ("rate", "reselect", "mismatches", "statements"),
        ("mismatches", "statements"),
    )
    options.plot.write_text(plot.svg(results), "utf-8")
    print(table.markdown(results))


if __name__ == "__main__":
    main()
