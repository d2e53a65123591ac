"""Launch a training in one process, in several on this machine, or on a Ray cluster.

Separate processes report errors in OUT/ended-<rank>.json, and progress is read from rank 0's curve.csv.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from curate.errors import DamagedError, RadsiftError, RecipeError, RunError
from curate.storage import commit_json, read_json
from filters.training.curve import Progress, read_curve
from filters.training.distributed import find_context
from filters.training.job import TrainingJob, check_job, run_job

_POLL_SECONDS = 1.0  # between two reads of the curve
_DIED = "a process of the training ended without a word (killed, or out of memory)"


def launch(job: TrainingJob, processes: int = 1, progress: Progress | None = None) -> dict[str, Any]:
    """Train in this process, or in ``processes`` new ones on this machine; returns the model's card."""
    if processes == 1:
        return run_job(job, progress)
    check_job(job, processes)
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        run_id=Path(job.out).name,
        rdzv_backend="c10d",
        rdzv_endpoint="127.0.0.1:0",
        max_restarts=0,
        start_method="spawn",
    )
    with _following_curve(job, progress):
        try:
            elastic_launch(config, rank_main)(job)
        except ChildFailedError:
            raise _reason(Path(job.out)) from None
    return dict(read_json(Path(job.out) / "model" / "card.json"))


def launch_on(
    run_ranks: Callable[[Callable[[Any], None], Any], None],
    job: TrainingJob,
    processes: int,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Train where ``run_ranks(function, job)`` calls the function in each of a group's ``processes``
    (`curate.engine.ray_train`)."""
    check_job(job, processes)
    with _following_curve(job, progress):
        try:
            run_ranks(rank_main, job)
        except RunError:
            raise _reason(Path(job.out)) from None
    return dict(read_json(Path(job.out) / "model" / "card.json"))


def rank_main(job: TrainingJob) -> None:
    """One process of several. An error is written to a file for the launching process, then raised."""
    try:
        run_job(job)
    except RadsiftError as error:
        kind = "recipe" if isinstance(error, RecipeError) else "run"
        parts = [error.field, error.problem, error.fix] if isinstance(error, RecipeError) else [str(error)]
        commit_json(Path(job.out) / f"ended-{find_context('cpu').rank}.json", {"kind": kind, "parts": parts})
        raise


def _reason(out: Path) -> RadsiftError:
    """The error that a process of the group reported."""
    for path in sorted(out.glob("ended-*.json")):
        with contextlib.suppress(OSError, DamagedError, KeyError, TypeError):
            ended = read_json(path)
            return RecipeError(*ended["parts"]) if ended["kind"] == "recipe" else RunError(*ended["parts"])
    return RunError(f"{_DIED}; the same command goes on from the last checkpoint")


@contextmanager
def _following_curve(job: TrainingJob, progress: Progress | None) -> Iterator[None]:
    """Write the job, and report progress from the curve while other processes train."""
    job.write()
    out = Path(job.out)
    for path in out.glob("ended-*.json"):
        path.unlink()
    done = threading.Event()
    watcher = threading.Thread(target=_follow, args=(out, progress, done), daemon=True)
    if progress is not None:
        watcher.start()
    try:
        yield
    finally:
        done.set()
        if progress is not None:
            watcher.join()


def _follow(out: Path, progress: Progress, done: threading.Event) -> None:
    while not done.wait(_POLL_SECONDS):
        rows = read_curve(out)
        if rows:
            progress(int(rows[-1]["step"]), int(rows[-1]["steps"]), rows[-1])
