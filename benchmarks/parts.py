"""A benchmark in parts, each measured over seeds. Every unit (a part and a seed) runs in its own process, and its
result is written when it ends, so that an interrupted run can resume."""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Collection, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Protocol

_SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


class Measure(Protocol):
    """What a part does for one seed: results that JSON can hold. ``data`` holds real sets, ``work`` is to be kept."""

    def __call__(self, seed: int, quick: bool, data: Path | None, work: Path) -> Any: ...


def options_of(doc: str | None, parts: Collection[str], out: str, plot: str) -> argparse.Namespace:
    """The options that both benchmarks have."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", choices=list(parts), default=list(parts))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="small sizes, that show it works and nothing else")
    parser.add_argument("--jobs", type=int, default=1, help="units at a time, a core each")
    parser.add_argument("--data", type=Path, default=_SHARED_DATA if _SHARED_DATA.is_dir() else None)
    parser.add_argument("--work", type=Path, default=Path("build/benchmarks"), help="scores and models, to be reused")
    parser.add_argument("--out", type=Path, default=Path(out))
    parser.add_argument("--plot", type=Path, default=Path(plot))
    parser.add_argument("--fresh", action="store_true", help="forget the units that are done")
    return parser.parse_args()


def run_parts(
    parts: Mapping[str, Measure], options: argparse.Namespace, once: Collection[str], need_data: Collection[str]
) -> dict[str, Any]:
    """part -> seed -> result, of all units done so far. Parts in ``once`` run with one seed; those in ``need_data`` are
    skipped without data."""
    out: Path = options.out
    results: dict[str, Any] = {} if options.fresh or not out.exists() else json.loads(out.read_text("utf-8"))
    results["machine"] = {"cpu": platform.processor() or platform.machine(), "torch": version("torch")}
    todo = [
        (part, seed)
        for part in options.only
        for seed in range(1, 2 if part in once else options.seeds + 1)
        if str(seed) not in results.get(part, {}) and (part not in need_data or options.data is not None)
    ]
    options.work.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(options.jobs, get_context("spawn"), max_tasks_per_child=1) as pool:
        arguments = (options.quick, options.data, options.work)
        pending = {pool.submit(_unit, parts[part], seed, *arguments): (part, seed) for part, seed in todo}
        for future in as_completed(pending):
            part, seed = pending[future]
            result, seconds = future.result()
            results.setdefault(part, {})[str(seed)] = result
            out.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n", "utf-8")
            print(f"{part} {seed}: {seconds:.0f} s", flush=True)
    return results


def _unit(measure: Measure, seed: int, quick: bool, data: Path | None, work: Path) -> tuple[Any, float]:
    start = time.monotonic()
    return measure(seed, quick, data, work), time.monotonic() - start
