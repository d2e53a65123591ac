"""The losses and the time since the last row of a curve."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

import torch

from filters.training.curve import Row
from filters.training.distributed import DistributedContext

_READ = 32  # steps after which losses are read: reading one waits for the device
Losses = dict[str, torch.Tensor]
T = TypeVar("T")


class Window:
    """Of a training of ``model``. ``loss``: what is known of the loss, which is no number where one was none."""

    def __init__(self, model: torch.nn.Module, distributed: DistributedContext) -> None:
        self._model, self._world = model, distributed
        self.open()

    def open(self) -> None:
        """Begin."""
        self._held: defaultdict[str, list[torch.Tensor]] = defaultdict(list)
        self._sums: defaultdict[str, float] = defaultdict(float)
        self._counts: Counter[str] = Counter()  # a loss may begin in the middle of a window
        self._began, self._waited, self._pairs, self.loss = time.monotonic(), 0.0, 0, 0.0

    def timed(self, steps: Iterable[T]) -> Iterator[T]:
        """``steps``, with the time that they are waited for."""
        source = iter(steps)
        while True:
            asked = time.monotonic()
            step = next(source, None)
            self._waited += time.monotonic() - asked
            if step is None:
                return
            yield step

    def add(self, losses: Losses, pairs: int) -> None:
        """The losses of one step, left on the device until a few are read together. Of several processes they are read
        at the end, so that all of them find a loss that is no number together."""
        for name, value in losses.items():
            self._held[name].append(value)
        self._pairs += pairs
        if len(self._held["loss"]) >= _READ and self._world.size == 1:
            self._read()
            self.loss = self._sums["loss"]

    def _read(self) -> None:
        for name, values in self._held.items():
            self._sums[name] += sum(torch.stack(values).tolist())
            self._counts[name] += len(values)
        self._held.clear()

    def close(self) -> Row:
        """Means over the steps and the processes, the temperature, the pace."""
        self._read()
        seconds, size = max(time.monotonic() - self._began, 1e-9), self._world.size
        means = {name: self._world.total(total) / size / self._counts[name] for name, total in self._sums.items()}
        self.loss = means["loss"]
        scale: Any = getattr(self._model, "logit_scale", None)
        more = {} if scale is None else {"scale": float(scale.detach().exp())}
        pace = {"pairs/s": self._pairs / seconds, "waiting": self._waited / seconds}
        return {"pairs": self._pairs, **means, **more, **pace}
