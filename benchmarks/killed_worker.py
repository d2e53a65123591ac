"""Wall time of a step when one of four workers is killed, beside the same step undisturbed.

    python -m benchmarks.killed_worker [--items 60] [--seconds 2] [--engines local ray]

The work sleeps, so that four workers fit on fewer cores; a killed one dies as by kill -9, once, in the middle. What a
new process imports is real: the modules of ingest.
"""

from __future__ import annotations

import argparse
import os
import signal
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from curate.engine import Crash, Engine, start_engine
from curate.engine.resources import Resources


@dataclass(frozen=True)
class Sleep:
    """The work per item. The process of item ``kill`` dies the first time, after creating the file ``note``."""

    seconds: float
    kill: int
    note: str

    def __call__(self, item: int) -> int:
        import curate.ingest.chain  # noqa: F401  what a worker of ingest loads first

        time.sleep(self.seconds / 2)
        if item == self.kill and not Path(self.note).exists():
            Path(self.note).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(self.seconds / 2)
        return item


def wall(engine: Engine, items: int, seconds: float, kill: int) -> float:
    """Seconds of all items on an engine's workers; RuntimeError where one is lost."""
    with tempfile.TemporaryDirectory() as folder:
        work = Sleep(seconds, kill, str(Path(folder) / "killed"))
        list(engine.map(Sleep(0.1, -1, ""), range(8)))  # all workers have started
        start = time.monotonic()
        results = [result for _, result in engine.map(work, range(items)) if not isinstance(result, Crash)]
        if sorted(results) != list(range(items)):
            raise RuntimeError(f"{items - len(results)} of {items} items were lost")
        return time.monotonic() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=60)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--engines", nargs="+", default=["local", "ray"])
    args = parser.parse_args()
    for kind in args.engines:
        engine = start_engine(Resources(kind=kind, workers=4))
        quiet, killed = (wall(engine, args.items, args.seconds, kill) for kill in (-1, args.items // 2))
        engine.close()
        print(f"{kind}: undisturbed {quiet:.1f} s, one of four killed {killed:.1f} s: {killed / quiet:.2f}", flush=True)


if __name__ == "__main__":
    main()
