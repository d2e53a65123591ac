"""The command. `curate --help` is its reference; exit codes: 0 done, 1 the run failed, 2 recipe or arguments wrong,
130 stopped by Ctrl-C (the same command resumes)."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable

from curate.engine.guard import no_core_dumps, withheld
from curate.errors import RadsiftError, RecipeError


def run_command() -> None:
    """The commands as one program. They are imported here and not above: this module is every worker's main module,
    and a worker has no use for them."""
    import typer

    from pipelines.commands import begin, browsing, explaining, fetch, learning, planning, release, runs, upkeep
    from pipelines.commands.screen import fail, version_option, wants_json

    commands: tuple[Callable[..., None], ...] = (
        begin.analyze,
        begin.init,
        runs.run,
        planning.plan,
        runs.status,
        explaining.explain,
        runs.report,
        browsing.browse,
        begin.doctor,
        begin.schema,
        upkeep.verify,
        upkeep.prune,
        upkeep.remove,
        learning.train_filter,
        learning.train,
        learning.evaluate,
        learning.compare,
        begin.synth,
        fetch.fetch,
        release.deid,
        release.crosswalk,
        release.secret,
    )
    app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)
    app.callback()(version_option)
    for command in commands:
        app.command(command.__name__.replace("_", "-"))(command)
    try:
        code = app(standalone_mode=not wants_json())
    except Exception as error:
        explained = getattr(error, "format_message", None)  # of wrong arguments, whose class is no public name of typer
        if explained is None:
            raise
        fail(2, "error", explained())
    sys.exit(code)


def main() -> None:
    """The `curate` command: errors of ours become one message and an exit code, never a traceback."""
    no_core_dumps()
    warnings.filterwarnings("ignore")  # libraries quote values in warnings: no identity may reach a terminal
    try:
        run_command()
    except RecipeError as error:
        _fail(2, "error", str(error))
    except RadsiftError as error:
        _fail(1, "run failed", str(error))
    except Exception as error:  # noqa: BLE001  a bug, or a full disk: no traceback, it could quote a patient
        _fail(1, "run failed", str(withheld(error)))


def _fail(code: int, title: str, message: str) -> None:
    from pipelines.commands.screen import fail

    fail(code, title, message)


if __name__ == "__main__":
    main()
