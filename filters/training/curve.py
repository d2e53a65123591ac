"""What a training tells: the final model's while it runs (curve.csv, TensorBoard's file, a call for the bar), a
filter's at its end (metrics.csv)."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from curate.storage import commit_bytes

Progress = Callable[[int, int, Mapping[str, float]], None]  # steps done, steps in all, loss and pace
Row = dict[str, float]
WALL = ("pairs/s", "waiting")  # of the clock: another run has others


def read_curve(out: Path) -> list[Row]:
    """The rows of curve.csv; none where there is none."""
    try:
        text = (out / "curve.csv").read_text("utf-8")
    except FileNotFoundError:
        return []
    return [{k: float(v) for k, v in row.items() if v} for row in csv.DictReader(io.StringIO(text))]


def write_epochs(folder: Path, curve: Sequence[Row]) -> None:
    """metrics.csv in a filter's ``folder``, a row an epoch; a loss that was not yet asked for is empty."""
    first = ("epoch", "loss", "lr", "pairs")
    names = [*first, *(n for n in dict.fromkeys(n for row in curve for n in row) if n not in (*first, "step"))]
    with (folder / "metrics.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names, lineterminator="\n", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(curve)


def final_curves(run: Path) -> dict[str, list[tuple[float, float]]]:
    """Loss and rate by step of every model trained in the run, for its page."""
    found: dict[str, list[tuple[float, float]]] = {}
    for out in sorted((run / "train").glob("*")) if (run / "train").is_dir() else []:
        rows = read_curve(out)
        for what in ("loss", "lr") if rows else ():
            found[f"final model {out.name}: {what}"] = [(r["step"], r[what]) for r in rows]
    return found


class Curve:
    """The rows so far, as files in ``out``; a training that goes on from step ``since`` forgets what came after it."""

    def __init__(self, out: Path, since: int) -> None:
        self.out, self.rows = out, [row for row in read_curve(out) if row["step"] <= since]
        from tensorboardX import SummaryWriter  # with protobuf: not where curves are only read

        # what it shows of steps after ``since`` is purged
        self._board = SummaryWriter(str(out / "tensorboard"), purge_step=since + 1 if since else None)

    def add(self, row: Row) -> None:
        """One more."""
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
        """Nothing more comes."""
        self._board.close()
