"""The embedded engine: processes on this machine."""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from curate.engine import CRASH, PAUSE, Crash, R, T
from curate.engine.ahead import one_ahead
from curate.engine.guard import guarded
from curate.engine.resources import Resources
from curate.engine.share import read_shares, shared, write_share

_NONE = object()


class LocalEngine:
    """Processes are spawned, so a fork never copies a thread's lock, and are ended with their parent."""

    def __init__(self, resources: Resources) -> None:
        self.workers = resources.workers or os.cpu_count() or 1
        self.models = resources.actors if resources.gpus else self.workers  # a GPU's memory holds few copies of one
        self.record_seconds = resources.record_seconds
        self._processes: dict[int, ProcessPoolExecutor] = {}  # each a pool of one, by its number

    def map(
        self, fn: Callable[[T], R], items: Sequence[T], alone: bool = False, idle: Callable[[], None] | None = None
    ) -> Iterator[tuple[T, R | Crash]]:
        """As `Engine.map`."""
        return self._map(fn, items, alone, self.workers, idle)

    def _map(
        self,
        fn: Callable[[T], R],
        items: Iterable[T],
        once: bool,
        workers: int,
        idle: Callable[[], None] | None = None,
    ) -> Iterator[tuple[T, R | Crash]]:
        """An item whose process dies is tried again at the end, with nothing beside it, where there is memory; only one
        that dies then too is reported as a Crash."""
        died: list[T] = []
        for item, result in self._spread(fn, items, workers, 0, idle):
            if isinstance(result, Crash) and not once:
                died.append(item)
            else:
                yield item, result
        yield from self._spread(fn, died, 1, 1, idle)

    def map_model(
        self,
        prepare: Callable[[T], Iterable[Any]],
        model: Callable[[], Callable[[Any], R]],
        items: Sequence[T],
        working: Callable[[Mapping[T, int]], None] | None = None,
    ) -> Iterator[tuple[T, list[R]]]:
        """Each worker keeps one model, of ``actors`` where there is a GPU; decode runs in a thread beside it."""
        from curate.errors import RunError

        with tempfile.TemporaryDirectory(prefix="radsift-") as counts:

            def idle() -> None:
                if working:
                    found = read_shares(Path(counts))
                    working({item: int(found[str(item)]) for item in items if str(item) in found})

            for item, result in self._map(_ModelWork(prepare, model, counts), items, False, self.models, idle):
                if isinstance(result, Crash):
                    raise RunError("a process died while a model was scoring; the same command goes on from here")
                yield item, result

    def close(self) -> None:
        """Stop the processes; what they were doing is not committed."""
        while self._processes:
            _, pool = self._processes.popitem()
            _terminate(pool)
            # its thread is joined: one that the interpreter's end finds at work writes a traceback (cpython 83279)
            pool.shutdown(wait=True, cancel_futures=True)

    def _spread(
        self, fn: Callable[[T], R], items: Iterable[T], workers: int, retry: int, idle: Callable[[], None] | None
    ) -> Iterator[tuple[T, R | Crash]]:
        """An item a process at a time, so that one that dies takes nothing else with it and is known."""
        left, free = iter(items), list(range(workers))
        running: dict[Future[R], tuple[int, T]] = {}

        def fill() -> None:
            while free and (item := next(left, _NONE)) is not _NONE:
                number = min(free)  # one that has begun before
                free.remove(number)
                running[self._submit(number, fn, item, retry)] = number, item  # type: ignore[arg-type, assignment]

        fill()
        while running:
            finished: list[tuple[T, R | Crash]] = []
            done = wait(running, PAUSE if idle else None, FIRST_COMPLETED).done
            if idle and not done:
                idle()
            for future in done:
                number, item = running.pop(future)
                free.append(number)
                result: R | Crash = self._result(number, future)
                finished.append((item, result))
            fill()  # nobody waits for what is done with the results
            yield from finished

    def _submit(self, number: int, fn: Callable[[T], R], item: T, retry: int) -> Future[R]:
        try:
            return self._process(number).submit(guarded, fn, item, self.record_seconds, retry)
        except BrokenProcessPool:  # it died while it had nothing to do
            del self._processes[number]
            return self._process(number).submit(guarded, fn, item, self.record_seconds, retry)

    def _process(self, number: int) -> ProcessPoolExecutor:
        return self._processes.get(number) or self._processes.setdefault(number, self._start())

    def _result(self, number: int, future: Future[Any]) -> Any:
        try:
            return future.result()
        except BrokenProcessPool:
            del self._processes[number]
            return CRASH

    def _start(self) -> ProcessPoolExecutor:
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(1, mp_context=context, initializer=_start_worker, initargs=(os.getpid(),))


class _ModelWork:
    """Sent to the workers; the model is built on first use and kept in the process. ``counts``: where it is written how
    many batches of an item are done."""

    def __init__(
        self, prepare: Callable[[T], Iterable[Any]], model: Callable[[], Callable[[Any], R]], counts: str
    ) -> None:
        self.prepare, self.model, self.counts = prepare, model, counts

    def __call__(self, item: Any) -> list[Any]:
        model = _models.get(repr(self.model)) or _models.setdefault(repr(self.model), self.model())
        results = []
        with shared(Path(self.counts) / str(item)):
            for batch in one_ahead(self.prepare(item)):
                results.append(model(batch))
                write_share(len(results), 1)
        return results


_models: dict[str, Callable[[Any], Any]] = {}


def _start_worker(parent: int) -> None:
    """Ctrl-C is the parent's to handle; a worker whose parent is gone (killed) ends itself; a worker is one core's, as
    Ray's are: libraries of algebra that would start a thread a core in each are held to one."""
    for library in ("OMP", "OPENBLAS", "MKL"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")  # read by those that are loaded later
    from threadpoolctl import threadpool_limits

    threads = os.environ["OMP_NUM_THREADS"].partition(",")[0]
    threadpool_limits(int(threads) if threads.isdecimal() else 1, user_api="blas")  # of those that are loaded
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def _terminate(pool: ProcessPoolExecutor) -> None:
    for process in list((getattr(pool, "_processes", None) or {}).values()):
        process.terminate()
