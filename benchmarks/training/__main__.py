"""What training the final model promises, measured.

    python -m benchmarks.training [--only PART ...] [--seeds N] [--quick] [--jobs N] [--data FOLDER] [--work FOLDER]
                                  [--out FILE] [--plot FILE] [--fresh]

Parts: loader (against webdataset), steps (how long a training waits for data), parity (losses, processes, a kill), gpu
(FLOPs; pairs/s where there is one), synthetic and real (models from selections of a pool, over seeds; --data holds
radiology_pairs and, for data of another kind, vision/brain_tumor_mri). Every unit (a part and a seed) is written as it
ends, and a run goes on where one stopped; shards, filters' scores and models are kept in --work, which may be removed.
Loader and steps are timed: nothing else should run beside them.
"""

from __future__ import annotations

import argparse
import json
import platform
from concurrent.futures import ProcessPoolExecutor, as_completed
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path

from benchmarks.training import plot, table
from benchmarks.training.units import ONCE, PARTS, QUICK, Size, unit

_BESIDE = Path(__file__).resolve().parents[3] / "shared" / "data"


def main() -> None:
    """Run what is not done, write the JSON, print the tables, draw the plot."""
    options = _options()
    size = QUICK if options.quick else Size()
    results = {} if options.fresh or not options.out.exists() else json.loads(options.out.read_text("utf-8"))
    results["machine"] = {"cpu": platform.processor() or platform.machine(), "torch": version("torch")}
    todo = [
        (part, seed)
        for part in options.only
        for seed in range(1, 2 if part in ONCE else options.seeds + 1)
        if str(seed) not in results.get(part, {}) and (part != "real" or options.data is not None)
    ]
    options.work.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(options.jobs, get_context("spawn"), max_tasks_per_child=1) as pool:
        waiting = [pool.submit(unit, part, seed, size, options.data, options.work) for part, seed in todo]
        for done in as_completed(waiting):
            part, seed, found, seconds = done.result()
            results.setdefault(part, {})[str(seed)] = found
            options.out.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n", "utf-8")
            print(f"{part} {seed}: {seconds:.0f} s", flush=True)
    options.plot.write_text(plot.svg(results), "utf-8")
    print(table.markdown(results))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", choices=PARTS, default=list(PARTS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="small sizes, that show it works and nothing else")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--data", type=Path, default=_BESIDE if _BESIDE.is_dir() else None)
    parser.add_argument("--work", type=Path, default=Path("build/bench-training"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/training.json"))
    parser.add_argument("--plot", type=Path, default=Path("docs/images/train.svg"))
    parser.add_argument("--fresh", action="store_true", help="forget the units that are done")
    return parser.parse_args()


if __name__ == "__main__":
    main()
