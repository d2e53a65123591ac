"""curate fetch: studies from a PACS into a folder or bucket."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from curate.errors import RecipeError
from curate.places import place
from pipelines.commands.screen import fail, near, out, progress_bars, step_progress, stoppable

if TYPE_CHECKING:
    from curate.fetch.job import Fetched


def fetch(
    target: Annotated[
        str, typer.Argument(metavar="OUT", help="folder, or s3:// URL, for the studies: new, or fetched into before")
    ],
    dicomweb: Annotated[str | None, typer.Option("--dicomweb", help="https://pacs.example/dicom-web")] = None,
    dimse: Annotated[str | None, typer.Option("--dimse", help="AET@HOST:PORT of the server")] = None,
    accessions: Annotated[Path | None, typer.Option("--accessions", help="text file, an accession a line")] = None,
    query: Annotated[
        list[str] | None, typer.Option("--query", help="KEYWORD=VALUE of study level: StudyDate=20240101-20240131")
    ] = None,
    urls: Annotated[
        Path | None, typer.Option("--urls", help="Parquet or CSV with a URL a row, fetched by img2dataset")
    ] = None,
    url_column: Annotated[str, typer.Option("--url-column", help="of --urls")] = "url",
    text_column: Annotated[str | None, typer.Option("--text-column", help="of --urls: the pictures' texts")] = None,
    user_agent: Annotated[
        str | None, typer.Option("--user-agent", help="who asks, in the servers' logs: a word and an address")
    ] = None,
    img2dataset: Annotated[
        Path | None, typer.Option("--img2dataset", help="Python of the environment that has img2dataset")
    ] = None,
    threads: Annotated[int, typer.Option("--threads", min=1, help="of --urls: requests at a time")] = 16,
    calling: Annotated[str, typer.Option("--calling", help="our AE title")] = "RADSIFT",
    move: Annotated[int | None, typer.Option("--move", help="C-MOVE to this port of ours, instead of C-GET")] = None,
    tls: Annotated[bool, typer.Option("--tls", help="DIMSE over TLS")] = False,
    ca: Annotated[Path | None, typer.Option("--ca", help="PEM of the authorities to trust")] = None,
    cert: Annotated[Path | None, typer.Option("--cert", help="PEM of our own certificate")] = None,
    key: Annotated[Path | None, typer.Option("--key", help="PEM of its key")] = None,
    token_file: Annotated[
        Path | None, typer.Option("--token-file", help="a bearer token, or a whole Authorization value")
    ] = None,
    per_second: Annotated[float, typer.Option("--per-second", min=0, help="objects at most; 0: no limit")] = 0,
    timeout: Annotated[float, typer.Option("--timeout", min=0.1, help="seconds without an answer")] = 60,
    tries: Annotated[int, typer.Option("--tries", min=1, help="for a study")] = 4,
) -> None:
    """Fetch studies from a PACS (DICOMweb or DIMSE) into OUT/dicom, or pictures from a table of URLs into OUT/images.

    All comes as it is: nothing is de-identified yet. Exit code 1 where some are missing; OUT/fetch.json counts why, and
    the same command goes on.
    """
    from curate.fetch.job import FetchRules
    from curate.record import Reason

    folder = place(target)
    if urls is not None:
        if dicomweb or dimse or accessions or query:
            raise RecipeError("--urls", "a table of URLs has no server to ask", "leave the options of a PACS out")
        from curate.fetch.urls import UrlRules, fetch_urls, read_urls

        rules = UrlRules(url_column, text_column, user_agent, threads, timeout, img2dataset)
        table = read_urls(urls, rules)
        with stoppable(), progress_bars() as bars:
            done = fetch_urls(folder, table, rules, FetchRules(per_second, tries), step_progress(bars))
        out.print(f"{done.studies:,} pictures are there, {done.objects:,} ({done.bytes / 1e6:,.1f} MB) fetched now")
        _tell(done, folder, "images", bool(done.failures[Reason.URL_FAILED]))
        return
    from curate.fetch.dicomweb import DicomWeb, DicomWebRules
    from curate.fetch.dimse import Dimse, DimseRules
    from curate.fetch.job import fetch as fetch_studies
    from curate.fetch.job import read_accessions, read_query
    from curate.fetch.server import Server

    if (dicomweb is None) == (dimse is None):
        raise RecipeError("--dicomweb", "name one server", "--dicomweb URL, or --dimse AET@HOST:PORT")
    if dicomweb is not None and not re.match(r"https?://[^/]", dicomweb):
        raise RecipeError("--dicomweb", "is no URL", "as https://pacs.example/dicom-web")
    if accessions is None and not query:
        raise RecipeError("--accessions", "nothing says what to fetch", "--accessions FILE, or --query KEYWORD=VALUE")
    for flag, path in (("--ca", ca), ("--cert", cert), ("--key", key), ("--token-file", token_file)):
        if path is not None and not path.is_file():
            raise RecipeError(flag, f"{path} does not exist", "name a file")
    wanted = [] if accessions is None else read_accessions(accessions)
    filters = read_query(query or [])
    if dicomweb is not None:
        web = DicomWebRules(dicomweb, token_file, ca, cert, key, timeout)
    else:
        title, host, port = _peer(dimse or "")
        via: Literal["get", "move"] = "get" if move is None else "move"
        peer = DimseRules(host, port, title, calling, via, move or 0, tls, ca, cert, key, timeout)

    def connect() -> Server:
        return DicomWeb(web) if dicomweb is not None else Dimse(peer)

    with stoppable(), progress_bars() as bars:
        done = fetch_studies(folder, connect, wanted, filters, FetchRules(per_second, tries), step_progress(bars))
    out.print(f"{done.studies:,} studies are whole, {done.objects:,} objects ({done.bytes / 1e6:,.1f} MB) fetched now")
    _tell(done, folder, "dicom", bool(done.failures))


def _tell(done: Fetched, folder: Path, archive: str, missing: bool) -> None:
    for reason, count in sorted(done.failures.items()):
        lines = done.lines.get(reason, [])
        shown = f", lines {', '.join(map(str, lines[:5]))}{' ...' if len(lines) > 5 else ''}" if lines else ""
        out.print(f"  {reason}={count:,}{shown}")
    out.print(f"archive, not de-identified: {near((folder / archive).resolve())}", soft_wrap=True)
    if missing:
        fail(
            1, "not all was fetched", f"{near((folder / 'fetch.json').resolve())} counts why; the same command goes on"
        )


def _peer(given: str) -> tuple[str, str, int]:
    found = re.fullmatch(r"([^@]{1,16})@(\[[^\]]+\]|[^:]+):(\d{1,5})", given)
    if found is None:
        raise RecipeError("--dimse", "is no server", "as AET@HOST:PORT: ORTHANC@pacs.example:104")
    return found[1], found[2].strip("[]"), int(found[3])
