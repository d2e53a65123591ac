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
    from curate.fetch.dicomweb import DicomWebRules
    from curate.fetch.dimse import DimseRules
    from curate.fetch.job import Fetched, FetchRules
    from curate.fetch.server import Server
    from curate.fetch.urls import UrlRules


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
    from curate.fetch.dicomweb import DicomWebRules
    from curate.fetch.job import FetchRules
    from curate.fetch.urls import UrlRules

    folder, pace = place(target), FetchRules(per_second, tries)
    if urls is not None:
        if dicomweb or dimse or accessions or query:
            raise RecipeError("--urls", "a table of URLs has no server to ask", "leave the options of a PACS out")
        _fetch_urls(folder, urls, UrlRules(url_column, text_column, user_agent, threads, timeout, img2dataset), pace)
        return
    _check_server(dicomweb, dimse, {"--ca": ca, "--cert": cert, "--key": key, "--token-file": token_file})
    if accessions is None and not query:
        raise RecipeError("--accessions", "nothing says what to fetch", "--accessions FILE, or --query KEYWORD=VALUE")
    trust = ca, cert, key, timeout
    server = DicomWebRules(dicomweb, token_file, *trust) if dicomweb else _peer(dimse or "", calling, move, tls, *trust)
    _fetch_studies(folder, server, accessions, query or [], pace)


def _fetch_urls(folder: Path, urls: Path, rules: UrlRules, pace: FetchRules) -> None:
    from curate.fetch.urls import fetch_urls, read_urls
    from curate.record import Reason

    table = read_urls(urls, rules)
    with stoppable(), progress_bars() as bars:
        done = fetch_urls(folder, table, rules, pace, step_progress(bars))
    out.print(f"{done.studies:,} pictures are there, {done.objects:,} ({done.bytes / 1e6:,.1f} MB) fetched now")
    _tell(done, folder, "images", bool(done.failures[Reason.URL_FAILED]))


def _check_server(dicomweb: str | None, dimse: str | None, files: dict[str, Path | None]) -> None:
    if (dicomweb is None) == (dimse is None):
        raise RecipeError("--dicomweb", "name one server", "--dicomweb URL, or --dimse AET@HOST:PORT")
    if dicomweb is not None and not re.match(r"https?://[^/]", dicomweb):
        raise RecipeError("--dicomweb", "is no URL", "as https://pacs.example/dicom-web")
    for flag, path in files.items():
        if path is not None and not path.is_file():
            raise RecipeError(flag, f"{path} does not exist", "name a file")


def _fetch_studies(
    folder: Path, server: DicomWebRules | DimseRules, accessions: Path | None, query: list[str], pace: FetchRules
) -> None:
    from curate.fetch.dicomweb import DicomWeb, DicomWebRules
    from curate.fetch.dimse import Dimse
    from curate.fetch.job import fetch, read_accessions, read_query

    wanted, filters = [] if accessions is None else read_accessions(accessions), read_query(query)

    def connect() -> Server:
        return DicomWeb(server) if isinstance(server, DicomWebRules) else Dimse(server)

    with stoppable(), progress_bars() as bars:
        done = fetch(folder, connect, wanted, filters, pace, step_progress(bars))
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


def _peer(
    given: str,
    calling: str,
    move: int | None,
    tls: bool,
    ca: Path | None,
    cert: Path | None,
    key: Path | None,
    timeout: float,
) -> DimseRules:
    from curate.fetch.dimse import DimseRules

    found = re.fullmatch(r"([^@]{1,16})@(\[[^\]]+\]|[^:]+):(\d{1,5})", given)
    if found is None:
        raise RecipeError("--dimse", "is no server", "as AET@HOST:PORT: ORTHANC@pacs.example:104")
    title, host, port = found.groups()
    via: Literal["get", "move"] = "get" if move is None else "move"
    return DimseRules(host.strip("[]"), int(port), title, calling, via, move or 0, tls, ca, cert, key, timeout)
