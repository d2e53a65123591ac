"""A finished run's records in a browser."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Annotated, Any

import typer

from curate.errors import RecipeError
from pipelines.commands.screen import RunFolder, near, out, step_bar


def browse(
    folder: RunFolder,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free")] = 0,
    reviewer: Annotated[str | None, typer.Option(help="whose marks are set: a name or pseudonym")] = None,
    marks: Annotated[bool, typer.Option("--marks", help="only print what the marks say so far")] = False,
    map_: Annotated[
        bool, typer.Option("--map", help="first place records by how alike their pictures are, once")
    ] = False,
    good: Annotated[Path | None, typer.Option(help="only write what is marked good as shards into this folder")] = None,
    static: Annotated[Path | None, typer.Option(help="only write page and data as files into this folder")] = None,
    no_open: Annotated[bool, typer.Option("--no-open", help="print the address, open no browser")] = False,
) -> None:
    """All records of a finished run in a browser on this machine: search, filters, the cut to move, marks."""
    from pipelines.api import open_run

    run = open_run(folder)
    from pipelines.browse.bench import Bench  # the server and its tables: once there is a run
    from pipelines.browse.good import write_good
    from pipelines.browse.server import Server
    from pipelines.browse.static import write_static

    if map_:
        from pipelines.browse.map import make_map

        with step_bar("map") as progress:
            points = make_map(run, progress)
        out.print(f"{points:,} records on the map")
    bench = Bench(run, reviewer)
    if marks:
        _say_marks(bench.review.summary())
        return
    if good is not None:
        out.print(f"{write_good(run, bench.marks.table(), good):,} records marked good: {near(good)}", soft_wrap=True)
        return
    if static is not None:
        from curate.report.words import size

        with step_bar("static") as progress:
            written = write_static(bench, static, progress)
        amounts = f"{written.records:,} records ({size(written.data_bytes)}), {written.pictures:,} pictures"
        out.print(f"{amounts} ({size(written.picture_bytes)}): {near(static / 'index.html')}", soft_wrap=True)
        return
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


def _say_marks(sums: dict[str, Any]) -> None:
    for row in sums["marks"]:
        out.print(f"  {row['reviewer']:24} {row['verdict']:8} {row['records']:,}", markup=False)
    for pair in sums["agreement"]:
        kappa = "not defined" if pair["kappa"] is None else f"{pair['kappa']:.3f}"
        both = f"{' and '.join(pair['reviewers'])}: {pair['records']:,} records of both"
        out.print(f"  {both}, {100 * pair['agree']:.0f} % alike, kappa {kappa}", markup=False)
    for name, found in {"precision of what is kept": sums["precision"], **sums["groups"]}.items():
        if found["records"]:
            interval = f"{found['share']:.3f} [{found['low']:.3f}, {found['high']:.3f}]"
            out.print(f"  {name:26} {interval} of {found['records']:,}", markup=False)
    for why, n in sums["why"]:
        out.print(f"  bad: {why:24} {n:,}", markup=False)
    if not sums["marks"]:
        out.print("no marks yet: curate browse RUN --reviewer NAME")
