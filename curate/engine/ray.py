"""The same maps on Ray: the only module of the product that imports it.

CPU steps run fused, one Ray task a partition. Where CPU decode feeds a model, Ray Data carries the prepared
batches, one Arrow row a batch, from decode tasks to a pool of model actors; a row is exactly one model batch, so
however Ray cuts its blocks the model sees the batches the local engine gives it.
"""

from __future__ import annotations

import pickle
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import ray
import ray.data
from ray.exceptions import NodeDiedError, OutOfMemoryError, RayError, RayTaskError, WorkerCrashedError

from curate.engine import CRASH, Crash, R, Resources, T
from curate.engine.guard import guarded
from curate.engine.ray_start import Session
from curate.errors import RadsiftError, RecipeError, RunError

pa.table({}).to_pandas()  # undoes `curate.lean`: Ray Data hands Arrow what is pandas'
_RETRIES = 2  # of a task whose worker died: enough for a lost node, few enough that a poison record ends
_IN_FLIGHT = 2


class RayEngine:
    """Joins the cluster at ``address``, or starts a local one; leaves a cluster it found already joined running."""

    def __init__(self, resources: Resources) -> None:
        self.resources = resources
        self._session = None if ray.is_initialized() else Session(resources)

    def map(self, fn: Callable[[T], R], items: Sequence[T], alone: bool = False) -> Iterator[tuple[T, R | Crash]]:
        """One Ray task an item, a bounded number in flight; Ray retries a task whose worker died ``_RETRIES`` times."""
        task: Any = ray.remote(num_cpus=1, max_retries=0 if alone else _RETRIES)(guarded)
        window = 1 if alone else max(_cpus(), 1) * _IN_FLIGHT
        shared, left = ray.put(fn), list(reversed(items))
        running: dict[Any, T] = {}
        while left or running:
            while left and len(running) < window:
                item = left.pop()
                running[task.remote(shared, item)] = item
            done, _ = ray.wait(list(running), num_returns=1)
            yield running.pop(done[0]), _result(done[0])

    def map_model(
        self, prepare: Callable[[T], Iterable[Any]], model: Callable[[], Callable[[Any], R]], items: Sequence[T]
    ) -> Iterator[tuple[T, list[R]]]:
        """Ray Data: decode tasks -> a pool of model actors. An item is yielded when its last batch came back."""
        if not items:
            return
        _check_room(self.resources)
        rows = [{"item": i} for i in range(len(items))]
        source = ray.data.from_items(rows, override_num_blocks=len(rows))
        decoded = source.flat_map(_Prepare(prepare, list(items)), num_cpus=1)
        # `max_errored_blocks` stays 0: Ray drops the rows of an errored block without a word
        scored = decoded.map_batches(
            _ModelActor,
            fn_constructor_args=(model,),
            batch_size=1,
            compute=ray.data.ActorPoolStrategy(size=self.resources.actors),
            num_cpus=0 if self.resources.gpus else 1,
            num_gpus=self.resources.gpus or None,
        )
        parts: dict[int, dict[int, Any]] = defaultdict(dict)
        for row in _whole(scored.iter_rows()):
            done = parts[int(row["item"])]
            done[int(row["place"])] = _loaded(row["result"])
            if len(done) == int(row["of"]):
                results = parts.pop(int(row["item"]))
                yield items[int(row["item"])], [results[i] for i in range(len(results)) if results[i] is not None]
        if parts:
            raise RunError(
                f"Ray Data returned incomplete batches for {len(parts)} partitions; run the same command again"
            )

    def close(self) -> None:
        """Leave the cluster; a local one is stopped."""
        if self._session is not None:
            self._session.close()


class _Prepare:
    """item -> its batches as rows; an item without batches still sends one empty row, so that it is accounted for."""

    def __init__(self, prepare: Callable[[Any], Iterable[Any]], items: list[Any]) -> None:
        self.prepare, self.items = prepare, items

    def __call__(self, row: dict[str, Any]) -> list[dict[str, Any]]:
        batches = _told(lambda item: list(self.prepare(item)), self.items[int(row["item"])])
        if isinstance(batches, RadsiftError):
            batches = [batches]
        if not batches:
            return [{"item": row["item"], "place": 0, "of": 1, "batch": b""}]
        return [
            {"item": row["item"], "place": i, "of": len(batches), "batch": pickle.dumps(b)}
            for i, b in enumerate(batches)
        ]


class _ModelActor:
    """Holds the model; called with one row, which is one batch."""

    def __init__(self, model: Callable[[], Callable[[Any], Any]]) -> None:
        self.model = _told(lambda build: build(), model)

    def __call__(self, block: dict[str, np.ndarray]) -> dict[str, Any]:
        raw = block["batch"][0]
        result = self._scored(pickle.loads(raw)) if raw else None  # noqa: S301  our own batch, same run
        keep = {name: block[name] for name in ("item", "place", "of")}
        return {**keep, "result": np.array([pickle.dumps(result)], dtype=object)}

    def _scored(self, batch: Any) -> Any:
        if isinstance(batch, RadsiftError):
            return batch
        return self.model if isinstance(self.model, RadsiftError) else _told(self.model, batch)


def _told(fn: Callable[[T], R], item: T) -> R | RadsiftError:
    """``fn(item)``, or the error it ended in, as a value: of an exception in an actor's construction Ray Data brings
    back a text only, and it prints the others with their traceback."""
    try:
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


def _check_room(resources: Resources) -> None:
    """Actors that take every CPU starve the decode tasks and Ray Data waits for ever: refuse before starting."""
    cpus = _cpus()
    if not resources.gpus and resources.actors >= cpus:
        raise RecipeError(
            "engine.actors",
            f"{resources.actors} CPU actors leave no CPU of {cpus} to decode",
            "fewer actors or more workers",
        )
    gpus = _cluster().get("GPU", 0.0)
    if resources.gpus * resources.actors > gpus:
        raise RecipeError(
            "engine.gpus", f"{resources.actors} actors want more than the cluster's {gpus:g} GPUs", "engine.gpus: 0"
        )
