"""The embedded engine: a pool of processes on this machine."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from curate.engine import CRASH, Crash, R, Resources, T
from curate.engine.ahead import one_ahead
from curate.engine.guard import guarded

_IN_FLIGHT = 2  # items a worker: enough to keep it busy, few enough that memory stays bounded


class LocalEngine:
    """Processes are spawned, so a fork never copies a thread's lock, and are ended with their parent."""

    def __init__(self, resources: Resources) -> None:
        self.workers = resources.workers or os.cpu_count() or 1
        self.models = resources.actors if resources.gpus else self.workers  # a GPU's memory holds few copies of one
        self._pools: dict[int, ProcessPoolExecutor] = {}  # by their number of processes

    def map(self, fn: Callable[[T], R], items: Sequence[T], alone: bool = False) -> Iterator[tuple[T, R | Crash]]:
        """As `Engine.map`."""
        return self._map(fn, items, alone, self.workers)

    def _map(
        self, fn: Callable[[T], R], items: Sequence[T], alone: bool, workers: int
    ) -> Iterator[tuple[T, R | Crash]]:
        """A process that dies breaks the pool and hides whose fault it was: the items in flight are tried again
        one at a time, each in a pool of its own, and only one that dies alone is reported as a Crash."""
        suspects: list[T] = list(items) if alone else []
        if not alone:
            left = list(items)
            while left:
                broken: list[T] = []
                for item, result in self._spread(fn, left, broken, workers):
                    yield item, result
                suspects += broken
        for item in suspects:
            yield item, self._alone(fn, item)

    def map_model(
        self, prepare: Callable[[T], Iterable[Any]], model: Callable[[], Callable[[Any], R]], items: Sequence[T]
    ) -> Iterator[tuple[T, list[R]]]:
        """Each worker keeps one model, of ``actors`` where there is a GPU; decode runs in a thread beside it."""
        from curate.errors import RunError

        for item, result in self._map(_ModelWork(prepare, model), items, False, self.models):
            if isinstance(result, Crash):
                raise RunError("a process died while a model was scoring; the same command goes on from here")
            yield item, result

    def close(self) -> None:
        """Stop the processes; what they were doing is not committed."""
        while self._pools:
            _, pool = self._pools.popitem()
            _terminate(pool)
            # its thread is joined: one that the interpreter's end finds at work writes a traceback (cpython 83279)
            pool.shutdown(wait=True, cancel_futures=True)

    def _spread(self, fn: Callable[[T], R], left: list[T], broken: list[T], workers: int) -> Iterator[tuple[T, R]]:
        """Work through ``left`` (emptied as items are taken) until done or the pool breaks; the items in flight
        at that moment go to ``broken``."""
        pool = self._pools.get(workers) or self._pools.setdefault(workers, self._start(workers))
        running: dict[Future[R], T] = {}
        while left or running:
            try:
                while left and len(running) < workers * _IN_FLIGHT:
                    running[pool.submit(guarded, fn, left[0])] = left[0]
                    left.pop(0)
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    result = future.result()
                    yield running.pop(future), result
            except BrokenProcessPool:
                broken += running.values()
                del self._pools[workers]
                return

    def _alone(self, fn: Callable[[T], R], item: T) -> R | Crash:
        with self._start(1) as pool:
            try:
                return pool.submit(guarded, fn, item).result()
            except BrokenProcessPool:
                return CRASH

    def _start(self, workers: int) -> ProcessPoolExecutor:
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker, initargs=(os.getpid(),))


class _ModelWork:
    """Sent to the workers; the model is built on first use and kept in the process."""

    def __init__(self, prepare: Callable[[T], Iterable[Any]], model: Callable[[], Callable[[Any], R]]) -> None:
        self.prepare, self.model = prepare, model

    def __call__(self, item: Any) -> list[Any]:
        model = _models.get(repr(self.model)) or _models.setdefault(repr(self.model), self.model())
        return [model(batch) for batch in one_ahead(self.prepare(item))]


_models: dict[str, Callable[[Any], Any]] = {}


def _start_worker(parent: int) -> None:
    """Ctrl-C is the parent's to handle; a worker whose parent is gone (killed) ends itself; a worker is one core's, as
    Ray's are: libraries of algebra that would start a thread a core in each are held to one."""
    for library in ("OMP", "OPENBLAS", "MKL"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")  # read by those that are loaded later
    from threadpoolctl import threadpool_limits

    said = os.environ["OMP_NUM_THREADS"].partition(",")[0]
    threadpool_limits(int(said) if said.isdecimal() else 1, user_api="blas")  # of those that are loaded
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def _terminate(pool: ProcessPoolExecutor) -> None:
    for process in list((getattr(pool, "_processes", None) or {}).values()):
        process.terminate()
