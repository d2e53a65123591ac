"""Every number the filters promise: on the synthetic pool over seeds, induced models, poisoned training, real pairs.

    python -m benchmarks.filters [--only PART ...] [--seeds N] [--quick] [--jobs N] [--data FOLDER] [--out FILE]

Parts: synthetic (every method's AUROC by fault, precision among the kept), induced (a CLIP trained on what each kept),
poison, real (--data holds radiology_pairs), rate (scoring, end to end against the model alone), reselect (another cut
over a million scores). Every unit (a part and a seed) is written as it ends, and a run goes on where one stopped.
Intervals are 95 % of Student's t over seeds.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from concurrent.futures import ProcessPoolExecutor, as_completed
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path

from benchmarks.filters import plot, table
from benchmarks.filters.synthetic import Size
from benchmarks.filters.units import ONCE, PARTS, QUICK, unit

_BESIDE = Path(__file__).resolve().parents[3] / "shared" / "data"


def main() -> None:
    """Run what is not done, write the JSON, print the table, draw the plot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", choices=PARTS, default=list(PARTS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="a pool of 2,500: a few minutes a seed")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--data", type=Path, default=_BESIDE if _BESIDE.is_dir() else None)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/filters.json"))
    parser.add_argument("--plot", type=Path, default=Path("docs/images/filters.svg"))
    parser.add_argument("--fresh", action="store_true", help="forget the units that are done")
    options = parser.parse_args()
    size = QUICK if options.quick else Size()
    results = {} if options.fresh or not options.out.exists() else json.loads(options.out.read_text("utf-8"))
    results["machine"] = {"cpu": platform.processor() or platform.machine(), "torch": version("torch")}
    results["size"] = vars(size)
    todo = [
        (part, seed)
        for part in options.only
        for seed in range(1, 2 if part in ONCE else options.seeds + 1)
        if str(seed) not in results.get(part, {}) and (part != "real" or options.data is not None)
    ]
    with ProcessPoolExecutor(options.jobs, get_context("spawn"), max_tasks_per_child=1) as pool:
        waiting = [pool.submit(unit, part, seed, size, options.data) for part, seed in todo]
        for done in as_completed(waiting):
            part, seed, found, seconds = done.result()
            results.setdefault(part, {})[str(seed)] = found
            options.out.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n", "utf-8")
            print(f"{part} {seed}: {seconds:.0f} s", flush=True)
    options.plot.write_text(plot.svg(results), "utf-8")
    print(table.markdown(results))


if __name__ == "__main__":
    main()
