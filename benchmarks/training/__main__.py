"""What training the final model promises, measured.

    python -m benchmarks.training [--only PART ...] [--seeds N] [--quick] [--jobs N] [--data FOLDER] [--work FOLDER]
                                  [--out FILE] [--plot FILE] [--fresh]

Parts: loader (against webdataset), steps (how long a training waits for data), parity (losses, processes, a kill),
synthetic (models from selections of a pool, over seeds) and real (heads on frozen towers, of --data's radiology_pairs,
cxr_pairs and vqa_rad). A run goes on where one stopped; shards, filters' scores and models are kept in --work,
which may be removed. Loader and steps are timed: nothing else should run beside them. On a GPU: `benchmarks/gpu.sh`.
"""

from __future__ import annotations

from benchmarks.parts import options_of, run_parts
from benchmarks.training import plot, table
from benchmarks.training.units import PARTS


def main() -> None:
    """Run what is not done, write the JSON, print the tables, draw the plot."""
    options = options_of(__doc__, PARTS, "benchmarks/results/training.json", "docs/images/train.svg")
    results = run_parts(PARTS, options, ("loader", "steps", "parity", "real"), ("real",))
    options.plot.write_text(plot.svg(results), "utf-8")
    print(table.markdown(results))


if __name__ == "__main__":
    main()
