"""The engine and the command line in the test's own process, since starting processes costs more than most tests.
The tests of engines, kills and signals show that separate processes give the same results."""

from __future__ import annotations

import contextlib
import io
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curate.engine.guard import guarded


class InlineEngine:
    """An `Engine` that maps in this process, one item after another."""

    def map(
        self, fn: Callable[[Any], Any], items: Sequence[Any], alone: bool = False, idle: Any = None
    ) -> Iterator[tuple[Any, Any]]:
        for item in items:
            yield item, guarded(fn, item)

    def map_model(
        self,
        prepare: Callable[[Any], Iterable[Any]],
        model: Callable[[], Callable[[Any], Any]],
        items: Sequence[Any],
        working: Any = None,
    ) -> Iterator[tuple[Any, list[Any]]]:
        infer = model() if items else None
        for item in items:
            assert infer is not None
            yield item, [infer(batch) for batch in prepare(item)]

    def close(self) -> None:
        """Nothing was started."""


@dataclass(frozen=True)
class Done:
    """Result of a command, like `subprocess.run`'s."""

    returncode: int
    stdout: str
    stderr: str


def curate(*arguments: str | Path, cwd: Path | None = None) -> Done:
    """Run the command line as `python -m pipelines.cli` does, in this process."""
    from pipelines.cli import main

    before, code = sys.argv, 0
    with contextlib.ExitStack() as stack:
        out = stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
        err = stack.enter_context(contextlib.redirect_stderr(io.StringIO()))
        stack.enter_context(warnings.catch_warnings())
        stack.enter_context(contextlib.chdir(cwd or Path.cwd()))
        stack.callback(setattr, sys, "argv", before)
        sys.argv = ["curate", *map(str, arguments)]
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
    return Done(code, out.getvalue(), err.getvalue())
