"""Training curves: the final model's while it trains (curve.csv, TensorBoard, progress calls), a filter's at its end
(metrics.csv); and the losses and times since the last row."""

from __future__ import annotations

import csv
import io
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from curate.storage import commit_bytes

if TYPE_CHECKING:  # pages read curves without torch
    import torch

    from filters.training.distributed import DistributedContext

Progress = Callable[[int, int, Mapping[str, float]], None]  # steps done, steps in all, loss and pace
Row = dict[str, float]
T = TypeVar("T")
WALL = ("pairs/s", "waiting")  # wall-clock values, which differ from run to run
_READ_EVERY = 32  # steps after which losses are read, because reading synchronises with the device


def read_curve(out: Path, name: str = "curve.csv") -> list[Row]:
    """The rows of curve.csv, or of the file ``name``; none if there is no file."""
    try:
        text = (out / name).read_text("utf-8")
    except FileNotFoundError:
        return []
    return [{k: float(v) for k, v in row.items() if v} for row in csv.DictReader(io.StringIO(text))]


def write_epochs(folder: Path, curve: Sequence[Row]) -> None:
    """metrics.csv in a filter's ``folder``, a row an epoch; a loss that is not used yet is empty."""
    first = ("epoch", "loss", "lr", "pairs")
    names = [*first, *(n for n in dict.fromkeys(n for row in curve for n in row) if n not in (*first, "step"))]
    with (folder / "metrics.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names, lineterminator="\n", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(curve)


def final_curves(run: Path) -> dict[str, list[tuple[float, float]]]:
    """Loss and rate by step of every model trained in the run, for its page."""
    curves: dict[str, list[tuple[float, float]]] = {}
    for out in sorted((run / "train").glob("*")) if (run / "train").is_dir() else []:
        rows = read_curve(out)
        for column in ("loss", "lr") if rows else ():
            curves[f"final model {out.name}: {column}"] = [(r["step"], r[column]) for r in rows]
    return curves


class Curve:
    """The rows so far, written to ``out``; when resuming from step ``since``, later rows are dropped."""

    def __init__(self, out: Path, since: int) -> None:
        self.out, self.rows = out, [row for row in read_curve(out) if row["step"] <= since]
        from tensorboardX import SummaryWriter  # imports protobuf, which reading curves does not need

        # its entries of steps after ``since`` are purged
        self._board = SummaryWriter(str(out / "tensorboard"), purge_step=since + 1 if since else None)

    def add(self, row: Row) -> None:
        """Add a row and write the files."""
        self.rows.append(row)
        for name, value in row.items():
            if name not in ("step", "steps"):
                self._board.add_scalar(f"train/{name}", value, int(row["step"]))
        names = list(dict.fromkeys(name for r in self.rows for name in r))
        sink = io.StringIO(newline="")
        writer = csv.DictWriter(sink, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows({k: f"{v:.10g}" for k, v in r.items()} for r in self.rows)
        commit_bytes(self.out / "curve.csv", sink.getvalue().encode())

    def close(self) -> None:
        """Close TensorBoard's file."""
        self._board.close()


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

    def add(self, losses: Mapping[str, torch.Tensor], pairs: int) -> None:
        """Add the losses of one step, which stay on the device until some are read together. With several processes
        they are read at the window's end, so that all processes notice a loss that is not finite at the same step."""
        for name, value in losses.items():
            self._pending[name].append(value)
        self._pairs += pairs
        if len(self._pending["loss"]) >= _READ_EVERY and self._distributed.size == 1:
            self._read()
            self.loss = self._sums["loss"]

    def _read(self) -> None:
        import torch

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
