"""A finished run's records in a browser."""

from __future__ import annotations

import webbrowser
from typing import Annotated

import typer

from curate.errors import RecipeError
from pipelines.commands.screen import RunFolder, out


def browse(
    folder: RunFolder,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free")] = 0,
    no_open: Annotated[bool, typer.Option("--no-open", help="print the address, open no browser")] = False,
) -> None:
    """All records of a finished run in a browser on this machine: search, filters, the cut to move."""
    from pipelines.api import open_run
    from pipelines.browse.bench import Bench
    from pipelines.browse.server import Server

    bench = Bench(open_run(folder))
    try:
        server = Server(bench, port)
    except OSError:
        raise RecipeError("--port", f"{port} is taken", "another, or none for any that is free") from None
    out.print(f"{len(bench.table):,} records: {server.address}", markup=False, soft_wrap=True)
    out.print("only this machine and who has this address can read it; Ctrl-C ends it")
    if not no_open:
        webbrowser.open(server.address)
    with server:
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            out.print("ended")
