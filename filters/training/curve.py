"""Training curves: the final model's while it trains (curve.csv, TensorBoard, progress calls), a filter's at its end
(metrics.csv)."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from curate.storage import commit_bytes

Progress = Callable[[int, int, Mapping[str, float]], None]  # steps done, steps in all, loss and pace
Row = dict[str, float]
WALL = ("pairs/s", "waiting")  # wall-clock values, which differ from run to run


def read_curve(out: Path) -> list[Row]:
    """The rows of curve.csv; none if there is no file."""
    try:
        text = (out / "curve.csv").read_text("utf-8")
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
