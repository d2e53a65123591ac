"""Losses and times since the last row of a curve."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

import torch

from filters.training.curve import Row
from filters.training.distributed import DistributedContext

_READ_EVERY = 32  # steps after which losses are read, because reading synchronises with the device
Losses = dict[str, torch.Tensor]
T = TypeVar("T")


class Window:
    """The current window of a training of ``model``. ``loss``: the sum read so far, not finite if any loss was not."""

    def __init__(self, model: torch.nn.Module, distributed: DistributedContext) -> None:
        self._model, self._distributed = model, distributed
        self.open()

    def open(self) -> None:
        """Begin a window."""
        self._pending: defaultdict[str, list[torch.Tensor]] = defaultdict(list)
        self._sums: defaultdict[str, float] = defaultdict(float)
        self._counts: Counter[str] = Counter()  # a loss may begin in the middle of a window
        self._started, self._waited, self._pairs, self.loss = time.monotonic(), 0.0, 0, 0.0

    def timed(self, steps: Iterable[T]) -> Iterator[T]:
        """``steps``, measuring the time spent waiting for them."""
        source = iter(steps)
        while True:
            waiting_since = time.monotonic()
            step = next(source, None)
            self._waited += time.monotonic() - waiting_since
            if step is None:
                return
            yield step

    def add(self, losses: Losses, pairs: int) -> None:
        """Add the losses of one step, which stay on the device until some are read together. With several processes
        they are read at the window's end, so that all processes notice a loss that is not finite at the same step."""
        for name, value in losses.items():
            self._pending[name].append(value)
        self._pairs += pairs
        if len(self._pending["loss"]) >= _READ_EVERY and self._distributed.size == 1:
            self._read()
            self.loss = self._sums["loss"]

    def _read(self) -> None:
        for name, values in self._pending.items():
            self._sums[name] += sum(torch.stack(values).tolist())
            self._counts[name] += len(values)
        self._pending.clear()

    def close(self) -> Row:
        """The row: means over steps and processes, temperature, pace."""
        self._read()
        seconds, size = max(time.monotonic() - self._started, 1e-9), self._distributed.size
        means = {name: self._distributed.total(total) / size / self._counts[name] for name, total in self._sums.items()}
        self.loss = means["loss"]
        scale: Any = getattr(self._model, "logit_scale", None)
        more = {} if scale is None else {"scale": float(scale.detach().exp())}
        pace = {"pairs/s": self._pairs / seconds, "waiting": self._waited / seconds}
        return {"pairs": self._pairs, **means, **more, **pace}
