"""The same maps on Ray: the only module of the product that imports it.

CPU steps run fused, one Ray task a partition. Where CPU decode feeds a model, Ray Data carries the prepared
batches, one Arrow row a batch, from decode tasks to a pool of model actors; a row is exactly one model batch, so
however Ray cuts its blocks the model sees the batches the local engine gives it.
"""

from __future__ import annotations

import pickle
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import ray
import ray.data
from ray.exceptions import NodeDiedError, OutOfMemoryError, RayError, RayTaskError, WorkerCrashedError

from curate.engine import CRASH, PAUSE, Crash, R, T
from curate.engine.guard import check_code, code_digest, guarded
from curate.engine.ray_start import Session
from curate.engine.resources import Resources
from curate.errors import RadsiftError, RecipeError, RunError

pa.table({}).to_pandas()  # undoes `curate.lean`: Ray Data hands Arrow what is pandas'
_RETRIES = 2  # of a task whose worker died: enough for a lost node, few enough that a poison record ends
_IN_FLIGHT = 2


class RayEngine:
    """Joins the cluster at ``address``, or starts a local one; leaves a cluster it found already joined running."""

    def __init__(self, resources: Resources) -> None:
        self.resources = resources
        self._session = None if ray.is_initialized() else Session(resources)

    def map(
        self, fn: Callable[[T], R], items: Sequence[T], alone: bool = False, idle: Callable[[], None] | None = None
    ) -> Iterator[tuple[T, R | Crash]]:
        """One Ray task an item, a bounded number in flight; Ray retries a task whose worker died ``_RETRIES`` times.
        One that dies then too is tried when the others are done, with a node to itself, where there is memory. What
        says that it is ``on_gpu`` has as much of one as a model."""
        died: list[T] = []
        retries, gpus = 0 if alone else _RETRIES, self.resources.gpus if getattr(fn, "on_gpu", False) else 0
        if gpus:
            _check_gpus(self.resources)
        task: Any = ray.remote(num_cpus=1, num_gpus=gpus, max_retries=retries)(_guarded)
        for item, result in self._spread(task, fn, items, _slots, 0, idle):
            if isinstance(result, Crash) and not alone:
                died.append(item)
            else:
                yield item, result
        if died:
            most = min(_nodes(), default=1.0)
            whole = ray.remote(num_cpus=most, num_gpus=gpus, max_retries=0, scheduling_strategy="SPREAD")
            yield from self._spread(whole(_guarded), fn, died, lambda: len(_nodes()), retries + 1, idle)

    def _spread(
        self,
        task: Any,
        fn: Callable[[T], R],
        items: Sequence[T],
        window: Callable[[], int],
        before: int,
        idle: Callable[[], None] | None,
    ) -> Iterator[tuple[T, R | Crash]]:
        shared, left = ray.put(fn), list(reversed(items))
        running: dict[Any, T] = {}
        while left or running:
            most = max(window(), 1)  # as nodes come and go
            while left and len(running) < most:
                item = left.pop()
                running[task.remote(shared, item, self.resources.record_seconds, before, code_digest())] = item
            while not ray.wait(list(running), num_returns=1, timeout=PAUSE if idle else None)[0]:
                if idle:
                    idle()
            # the others that are done by now are taken with it: a look at a wide window is dear
            for one in ray.wait(list(running), num_returns=len(running), timeout=0)[0]:
                yield running.pop(one), _result(one)

    def map_model(
        self,
        prepare: Callable[[T], Iterable[Any]],
        model: Callable[[], Callable[[Any], R]],
        items: Sequence[T],
        working: Callable[[Mapping[T, int]], None] | None = None,
    ) -> Iterator[tuple[T, list[R]]]:
        """Ray Data: decode tasks -> a pool of model actors. An item is yielded when its last batch came back."""
        if not items:
            return
        _check_room(self.resources)
        rows = [{"item": i} for i in range(len(items))]
        source = ray.data.from_items(rows, override_num_blocks=len(rows))
        decoded = source.map_batches(
            _Prepare(prepare, list(items), code_digest()),
            batch_size=1,
            batch_format="pyarrow",
            zero_copy_batch=True,
            num_cpus=1,
        )
        # `max_errored_blocks` stays 0: Ray drops the rows of an errored block without a word
        scored = decoded.map_batches(
            _ModelActor,
            fn_constructor_args=(model, code_digest()),
            batch_size=1,
            batch_format="pyarrow",
            zero_copy_batch=True,
            compute=ray.data.ActorPoolStrategy(
                min_size=1, max_size=self.resources.actors, initial_size=_fitting(self.resources)
            ),
            num_cpus=0 if self.resources.gpus else 1,
            num_gpus=self.resources.gpus or None,
        )
        parts: dict[int, dict[int, Any]] = defaultdict(dict)
        lengths: dict[int, int] = {}
        shown = time.monotonic()
        for row in _whole(scored.iter_rows()):
            item, place, result = int(row["item"]), int(row["place"]), _loaded(row["result"])
            parts[item][place] = result
            if result is _End:
                lengths[item] = place
            if len(parts[item]) == lengths.get(item, -1) + 1:
                done = parts.pop(item)
                yield items[item], [done[i] for i in range(lengths[item])]
            if working and time.monotonic() - shown > PAUSE:
                shown = time.monotonic()
                working({items[i]: len(done) for i, done in parts.items()})
        if parts:
            raise RunError(
                f"Ray Data returned incomplete batches for {len(parts)} partitions; run the same command again"
            )

    def close(self) -> None:
        """Leave the cluster; a local one is stopped."""
        if self._session is not None:
            self._session.close()


def _guarded(fn: Callable[[T], R], item: T, record_seconds: float, before: int, code: str) -> R:
    """In a worker: `guarded`, told how often Ray has begun this task before, which it says nowhere else, and ``before``
    that. ``code``: as `check_code`."""
    check_code(code)
    worker: Any = ray._private.worker.global_worker
    return guarded(fn, item, record_seconds, before + worker.core_worker.get_current_task_attempt_number())


class _End:
    """Sent, as a class, in the place of a batch and of its result: the item has no more."""


_ROW = pa.schema(
    {"item": pa.int64(), "place": pa.int64(), "batch": pa.large_binary(), "arrays": pa.list_(pa.large_binary())}
)


class _Prepare:
    """item -> its batches, a row each as they are made, and a row without one that ends them.

    Pixels travel as they lie in memory, in Arrow buffers that the actor reads in place from the object store; pickled
    is what is around them.
    """

    def __init__(self, prepare: Callable[[Any], Iterable[Any]], items: list[Any], code: str) -> None:
        self.prepare, self.items, self.code = prepare, items, code

    def __call__(self, rows: pa.Table) -> Iterator[pa.Table]:
        item = rows["item"][0].as_py()
        source = _outcome(lambda i: iter(self.prepare(i)), self.items[item], self.code)
        place = 0
        while not isinstance(source, RadsiftError):
            batch = _outcome(lambda batches: next(batches, _End), source)
            yield _row(item, place, batch)
            if batch is _End or isinstance(batch, RadsiftError):
                return
            place += 1
        yield _row(item, place, source)


def _row(item: int, place: int, batch: Any) -> pa.Table:
    arrays: list[pickle.PickleBuffer] = []
    around = pickle.dumps(batch, protocol=5, buffer_callback=arrays.append)
    buffers = [array.raw() for array in arrays]
    row = [[item], [place], [around], [buffers]]
    return pa.table([pa.array(value, kind) for value, kind in zip(row, _ROW.types, strict=True)], schema=_ROW)


class _ModelActor:
    """Holds the model; called with one row, which is one batch."""

    def __init__(self, model: Callable[[], Callable[[Any], Any]], code: str) -> None:
        self.model = _outcome(lambda build: build(), model, code)

    def __call__(self, row: pa.Table) -> pa.Table:
        arrays = [array.as_buffer() for array in row["arrays"][0].values]
        batch = pickle.loads(row["batch"][0].as_buffer(), buffers=arrays)  # noqa: S301  our own, of the same run
        result = pickle.dumps(self._scored(batch))
        return row.select(["item", "place"]).append_column("result", pa.array([result], pa.large_binary()))

    def _scored(self, batch: Any) -> Any:
        if batch is _End or isinstance(batch, RadsiftError):
            return batch
        return self.model if isinstance(self.model, RadsiftError) else _outcome(self.model, batch)


def _outcome(fn: Callable[[T], R], item: T, code: str = "") -> R | RadsiftError:
    """``fn(item)``, or the error it ended in, as a value: of an exception in an actor's construction Ray Data brings
    back a text only, and it prints the others with their traceback."""
    try:
        if code:
            check_code(code)
        return guarded(fn, item)
    except RadsiftError as error:
        return error


def _loaded(raw: bytes) -> Any:
    """The result an actor sent; an error it sent is raised here."""
    result = pickle.loads(raw)  # noqa: S301  bytes of our own actor, same run
    if isinstance(result, RadsiftError):
        raise result
    return result


def _whole(rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """``rows``; RunError where Ray lost a process it could not replace."""
    try:
        yield from rows
    except RayError as error:
        died = f"a process died while a model was scoring ({type(error).__name__})"
        raise RunError(f"{died}; the same command goes on from here") from None


def _result(reference: Any) -> Any:
    try:
        return ray.get(reference)
    except (WorkerCrashedError, OutOfMemoryError, NodeDiedError):
        return CRASH
    except RayTaskError as error:
        cause = error.cause
        if isinstance(cause, RadsiftError):
            raise cause from None
        raise RunError(f"a Ray task failed with {type(cause).__name__}") from None


def _cluster() -> dict[str, float]:
    return dict(ray.cluster_resources())  # type: ignore[no-untyped-call]


def _cpus() -> int:
    return int(_cluster().get("CPU", 0))


def _slots() -> int:
    return _cpus() * _IN_FLIGHT


def _nodes() -> list[float]:
    """The CPUs of each node that has any."""
    nodes = (node["Resources"].get("CPU", 0.0) for node in ray.nodes() if node["Alive"])  # type: ignore[no-untyped-call]
    return [cpus for cpus in nodes if cpus]


def _check_room(resources: Resources) -> None:
    """Actors that take every CPU starve the decode tasks and Ray Data waits for ever: refuse before starting."""
    cpus = _cpus()
    if not resources.gpus and resources.actors >= cpus:
        raise RecipeError(
            "engine.actors",
            f"{resources.actors} CPU actors leave no CPU of {cpus} to decode",
            "fewer actors or more workers",
        )
    _check_gpus(resources)


def _check_gpus(resources: Resources) -> None:
    if resources.gpus > _cluster().get("GPU", 0.0):
        raise RecipeError("engine.gpus", "a model wants more GPUs than the cluster has", "engine.gpus: 0")


def _fitting(resources: Resources) -> int:
    """The model actors that there is room for now; the others come with their nodes."""
    return min(resources.actors, int(_cluster().get("GPU", 0.0) / resources.gpus) if resources.gpus else _cpus())
