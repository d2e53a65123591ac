"""The command. `curate --help` is its reference; exit codes: 0 done, 1 the run failed, 2 recipe or arguments wrong,
130 stopped by Ctrl-C (the same command resumes)."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import typer

from curate.engine.guard import no_core_dumps, withheld
from curate.errors import RadsiftError, RecipeError
from pipelines.commands import learning, release, runs
from pipelines.commands.screen import fail

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
_COMMANDS: tuple[Callable[..., None], ...] = (
    runs.run,
    runs.plan,
    runs.status,
    runs.explain,
    runs.report,
    learning.train_filter,
    learning.train,
    learning.evaluate,
    learning.compare,
    runs.synth,
    release.deid,
    release.crosswalk,
    release.secret,
)
for command in _COMMANDS:
    app.command(command.__name__.replace("_", "-"))(command)


def main() -> None:
    """The `curate` command: errors of ours become one message and an exit code, never a traceback."""
    no_core_dumps()
    warnings.filterwarnings("ignore")  # libraries quote values in warnings: no identity may reach a terminal
    try:
        app(standalone_mode=True)
    except RecipeError as error:
        fail(2, "error", str(error))
    except RadsiftError as error:
        fail(1, "run failed", str(error))
    except Exception as error:  # noqa: BLE001  a bug, or a full disk: no traceback, it could quote a patient
        fail(1, "run failed", str(withheld(error)))


if __name__ == "__main__":
    main()
