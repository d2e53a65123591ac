"""How far a run is, for whoever follows from elsewhere: counts and times, no record's key.

RUN/progress.jsonl    a line a change of the last command: {"time", "step", "done", "total"}; its last line says how
                      the command ended: {"time", "ended": "done" | "failed" | "stopped"}
RUN/progress.prom     the same numbers for Prometheus' textfile collector
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curate.places import is_remote
from curate.storage import commit_bytes

LOG, TEXTFILE = "progress.jsonl", "progress.prom"
_PAUSE, _PAUSE_REMOTE = 1.0, 10.0  # seconds between two lines of one step that is not at its end

Say = Callable[[str, float, int], None]


@contextmanager
def followed(run: Path, command: str, say: Say) -> Iterator[Say]:
    """``say`` that also writes down what it is told, in ``run``; at the end, how the command ended. Nothing is written
    of a command that ends before it says anything: another one may be at work there."""
    log: _Log | None = None

    def both(step: str, done: float, total: int) -> None:
        nonlocal log
        say(step, done, total)
        log = log or _Log(run, command)
        log.add(step, done, total)

    ended = "done"
    try:
        yield both
    except BaseException as error:
        ended = "failed" if isinstance(error, Exception) else "stopped"
        raise
    finally:
        if log is not None:
            log.end(ended)


class _Log:
    def __init__(self, run: Path, command: str) -> None:
        self.run, self.command = run, command
        self.numbers: dict[str, tuple[float, int]] = {}
        self.written = 0.0
        head = {"command": command, "host": socket.gethostname(), "pid": os.getpid()}
        self.lines = [self._line(head)]
        commit_bytes(run / LOG, self.lines[0].encode())

    def add(self, step: str, done: float, total: int) -> None:
        news = step not in self.numbers or done == total
        self.numbers[step] = (done, total)
        if news or time.monotonic() - self.written > (_PAUSE_REMOTE if is_remote(self.run) else _PAUSE):
            self.written = time.monotonic()
            self._append({"step": step, "done": round(done, 3), "total": total})
            self._textfile()

    def end(self, how: str) -> None:
        self._append({"ended": how})
        self._textfile()

    def _append(self, news: dict[str, Any]) -> None:
        if is_remote(self.run):  # where nothing can be appended
            self.lines.append(self._line(news))
            commit_bytes(self.run / LOG, "".join(self.lines).encode())
            return
        with (self.run / LOG).open("a", encoding="utf-8") as log:
            log.write(self._line(news))

    def _line(self, news: dict[str, Any]) -> str:
        return json.dumps({"time": round(time.time(), 3), **news}) + "\n"

    def _textfile(self) -> None:
        lines = []
        for name, place, meaning in (("done", 0, "finished"), ("total", 1, "in all")):
            lines.append(f"# HELP radsift_step_{name} parts of a step {meaning}")
            lines.append(f"# TYPE radsift_step_{name} gauge")
            lines += [f'radsift_step_{name}{{step="{step}"}} {n[place]:.15g}' for step, n in self.numbers.items()]
        lines += ["# TYPE radsift_progress_timestamp_seconds gauge"]
        lines += [f"radsift_progress_timestamp_seconds {time.time():.0f}", ""]
        commit_bytes(self.run / TEXTFILE, "\n".join(lines).encode())


@dataclass(frozen=True)
class StepProgress:
    """One step of a command: ``done`` counts parts, with shares of those at work; ``left`` is in seconds, None where
    nothing is known of its pace."""

    step: str
    done: float
    total: int
    left: float | None

    @property
    def percent(self) -> float:
        """Of its parts; of a step without parts, 100."""
        return 100.0 * self.done / self.total if self.total else 100.0


@dataclass(frozen=True)
class RunProgress:
    """The last command on a run: ``state`` is running, done, failed or stopped; ``since`` in Unix seconds."""

    command: str
    state: str
    since: float
    steps: tuple[StepProgress, ...]


def read_progress(run: Path) -> RunProgress | None:
    """What the last command has left in ``run``; None where none ever wrote there. A line cut short is left out."""
    try:
        text = (run / LOG).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    lines: list[dict[str, Any]] = []
    for line in text.splitlines():
        try:
            lines.append(json.loads(line))
        except ValueError:
            continue
    if not lines or "command" not in lines[0]:
        return None
    head, ended = lines[0], lines[-1].get("ended")
    by_step: dict[str, list[dict[str, Any]]] = {}
    for entry in lines:
        if "step" in entry:
            by_step.setdefault(entry["step"], []).append(entry)
    steps = tuple(_step(name, rows) for name, rows in by_step.items())
    state = ended or ("running" if _is_alive(head) else "stopped")
    return RunProgress(head["command"], state, head["time"], steps)


def _step(name: str, rows: list[dict[str, Any]]) -> StepProgress:
    first, last = rows[0], rows[-1]
    gone, spent = last["done"] - first["done"], last["time"] - first["time"]
    left = None
    if last["done"] == last["total"]:
        left = 0.0
    elif gone > 0 and spent > 0:
        left = max(spent / gone * (last["total"] - last["done"]) - (time.time() - last["time"]), 0.0)
    return StepProgress(name, last["done"], last["total"], left)


def _is_alive(head: dict[str, Any]) -> bool:
    """Whether the process that began is still there; one on another machine is taken for alive."""
    if head.get("host") != socket.gethostname():
        return True
    try:
        os.kill(int(head["pid"]), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
