"""Commands of de-identification alone: a folder to a folder, the secret, the crosswalk."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from curate.errors import RecipeError
from pipelines.commands.screen import Json, SetEngine, Workers, fail, near, out, print_json, running_engine, say

if TYPE_CHECKING:
    from curate.engine.resources import Resources


def deid(
    source: Annotated[
        Path | None, typer.Argument(metavar="SRC", help="folder of DICOM, images and reports, of any depth")
    ] = None,
    target: Annotated[Path | None, typer.Argument(metavar="DST", help="new folder for the clean copies")] = None,
    secret: Annotated[Path | None, typer.Option("--secret", help="the secret's file; else RADSIFT_SECRET")] = None,
    rules: Annotated[Path | None, typer.Option("--rules", help="YAML of rules; the defaults are the safe ones")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="override a rule: --set header.retain=[dates]")
    ] = None,
    log: Annotated[Path | None, typer.Option("--log", help="append one JSON line an input: keys and codes")] = None,
    crosswalk: Annotated[
        Path | None, typer.Option("--crosswalk", help="write which key is which file, encrypted; outside DST")
    ] = None,
    engine: SetEngine = None,
    workers: Workers = None,
    address: Annotated[str | None, typer.Option("--address", help="of a running Ray cluster")] = None,
    audit: Annotated[
        Path | None,
        typer.Option("--audit", metavar="DIR", help="read what was released there, and write nothing of it"),
    ] = None,
    allow: Annotated[
        list[str] | None, typer.Option("--allow", help="with --audit: what was agreed to stay: dates, uids, ...")
    ] = None,
    pixels: Annotated[
        float | None, typer.Option("--pixels", help="with --audit: the share of pictures that are read for text; all")
    ] = None,
    report: Annotated[
        Path | None, typer.Option("--out", help="with --audit: folder for audit.json, index.html")
    ] = None,
    json_: Json = False,
) -> None:
    """De-identify a folder into another: every input ends CLEAN, QUARANTINED or REFUSED in DST/attestation.json.

    Exit code 1 where the verifier found what the rules had left: such inputs are not in DST. With --audit DIR, which
    another tool may have released, 1 where anything in it identifies or cannot be read, 0 where it is clean.
    """
    if engine not in (None, "local", "ray"):
        raise RecipeError("--engine", f"there is no engine '{engine}'", "local or ray")
    from curate.engine.resources import Resources

    resources = Resources(kind="ray" if engine == "ray" else "local", workers=workers, address=address)
    if audit is not None:
        from pipelines.commands.audit import audit as run_audit

        others = {"SRC": source, "--secret": secret, "--rules": rules, "--set": set_, "--log": log}
        others |= {"--crosswalk": crosswalk}
        share = 1.0 if pixels is None else pixels
        sys.exit(run_audit(audit, others, tuple(allow or ()), share, report, json_, resources))
    alone = {"--allow": allow, "--pixels": pixels is not None, "--out": report}
    for name, value in alone.items():
        if value:
            raise RecipeError(name, "goes with --audit alone", "leave it out, or curate deid --audit DIR")
    if source is None or target is None:
        missing = "SRC" if source is None else "DST"
        raise RecipeError(missing, "is not given", "curate deid SRC DST, or curate deid --audit DIR")
    _release(source, target, secret, (rules, set_ or []), (log, crosswalk), resources, json_)


def _release(
    source: Path,
    target: Path,
    secret: Path | None,
    rules: tuple[Path | None, list[str]],
    beside: tuple[Path | None, Path | None],
    resources: Resources,
    json_: bool,
) -> None:
    """``rules``: a file and what overrides it; ``beside``: the log and the crosswalk."""
    from curate.deid.vault import SecretSource
    from curate.deid_export.rules import check_folders
    from pipelines.recipe.load import load_release

    log, crosswalk = beside
    loaded = load_release(*rules)
    source_of = SecretSource(None if secret is None else str(secret.resolve()), loaded.deid.max_shift_days)
    source_of.pseudonymizer()
    check_folders(source, target, {"--crosswalk": crosswalk, "--log": log, "--secret": secret})
    from curate.deid.attest import pixel_warnings, text_warnings  # decoders and word lists: once nothing is wrong
    from curate.deid_export.job import release, write_log
    from curate.report.funnel import fault_lines
    from pipelines.run.check import ocr_note

    say(loaded.warnings(), ocr_note(loaded.deid))
    with running_engine(resources) as (started, progress):
        attestation = release(source, target, loaded, source_of, started, progress, crosswalk)
    if log is not None:
        write_log(log, attestation)
    if json_:
        print_json({name: value for name, value in attestation.items() if name != "files"})
    else:
        print_attestation(attestation)
    say(
        [
            *fault_lines(Counter(attestation.get("faults", {})).elements()),
            *text_warnings(attestation),
            *pixel_warnings(attestation),
        ],
        [],
    )
    if not json_:
        out.print(f"attestation: {near(target.resolve() / 'attestation.json')}", soft_wrap=True)
    if not attestation["verification"]["passed"]:
        found = ", ".join(f"{name} {n:,}" for name, n in attestation["verification"]["findings"].items())
        kept_back = (
            f"the verifier found what the rules had left ({found}); those files, or rows of reports, are not in DST"
        )
        fail(1, "attestation failed", kept_back, json_)


def crosswalk(
    file: Annotated[Path, typer.Argument(help="the file that 'curate deid --crosswalk' wrote")],
    key: Annotated[list[str] | None, typer.Argument(help="only these keys or pseudonyms of patients")] = None,
    secret: Annotated[Path | None, typer.Option("--secret", help="the secret's file; else RADSIFT_SECRET")] = None,
) -> None:
    """Print a crosswalk as CSV: which key is which source file and patient. What it prints identifies."""
    import csv

    from curate.deid.vault import SecretSource
    from curate.deid_export.crosswalk import CROSSWALK, read_crosswalk

    table = read_crosswalk(file, SecretSource(None if secret is None else str(secret)).pseudonymizer())
    written = csv.DictWriter(sys.stdout, CROSSWALK.names)
    written.writeheader()
    written.writerows(r for r in table.to_pylist() if not key or r["key"] in key or r["patient"] in key)


def secret(path: Annotated[Path, typer.Argument(help="file to write, mode 0600")]) -> None:
    """A new random secret for pseudonyms. Keep it: the same secret gives the same pseudonyms."""
    from curate.deid.pseudonym import write_secret

    write_secret(path)
    out.print(f"secret: {path}", soft_wrap=True)


def print_attestation(attestation: dict[str, Any]) -> None:
    from rich.table import Table

    table = Table("", "inputs", box=None, pad_edge=False)
    for fate, n in attestation["fates"].items():
        table.add_row(fate, f"{n:,}")
    rows = attestation["report_rows"]
    for title, reasons in (
        ("", attestation["reasons"]),
        ("rows of reports", {n or "clean": k for n, k in rows.items()}),
    ):
        if title and reasons:
            table.add_row(title, f"{sum(reasons.values()):,}")
        for reason, n in sorted(reasons.items(), key=lambda item: (-item[1], item[0])):
            table.add_row(f"  {reason}", f"{n:,}")
    out.print(table)
