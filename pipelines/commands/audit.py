"""`curate deid --audit DIR`: what a folder that somebody else released still says of people. It is only read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curate.errors import RecipeError
from pipelines.commands.screen import near, out, running_engine

if TYPE_CHECKING:
    from curate.engine.resources import Resources

_AGREED = {"date": "dates", "uid": "uids"}  # finding -> the option by which it may stay


def audit(
    folder: Path,
    others: Mapping[str, object],
    allowed: tuple[str, ...],
    pixels: float,
    target: Path | None,
    as_json: bool,
    resources: Resources,
) -> int:
    """The audit, printed; ``target`` takes audit.json and index.html. 0 where nothing was found, else 1.

    ``others``: what else the command was given, which an audit has no use for: RecipeError.
    """
    given = [name for name, value in others.items() if value]
    if given:
        raise RecipeError(given[0], "has no meaning with --audit, which writes nothing of the folder", "leave it out")
    if target is not None and target.resolve().is_relative_to(folder.resolve()):
        raise RecipeError("--out", "lies inside the folder that is audited, which is only read", "name another folder")
    if target is not None and target.exists() and not target.is_dir():
        raise RecipeError("--out", f"{target} is not a folder", "name a folder")
    from curate.deid_export.audit import AuditRules, audit_bytes, audit_folder
    from curate.report.render import render
    from curate.storage import commit_bytes

    rules = AuditRules(allowed, pixels)
    with running_engine(resources) as (started, progress):
        found = audit_folder(folder, rules, started, progress)
    if target is not None:
        commit_bytes(target / "audit.json", audit_bytes(found))
        commit_bytes(target / "index.html", render("audit.html.j2", a=found).encode())
    if as_json:
        print(audit_bytes(found).decode(), end="")
    else:
        _print(found)
        if target is not None:
            out.print(f"audit: {near((target / 'index.html').resolve())}", soft_wrap=True)
    return 0 if found["passed"] else 1


def _print(found: Mapping[str, Any]) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table("", "files", box=None, pad_edge=False)
    table.add_row("all", f"{found['files']:,}")
    for code, places in found["places"].items():
        table.add_row(code, f"{found['findings'][code]:,}")
        for place, n in sorted(places.items(), key=lambda item: (-item[1], item[0]))[:5]:
            table.add_row(f"  {escape(place)}", f"{n:,}")
    out.print(table)
    read = found["pixels"]
    out.print(f"pictures read for text: {read.get('read', 0):,}, not read: {read.get('unread', 0):,}")
    out.print("clean: nothing was found" if found["passed"] else "not clean")
    for code, option in _AGREED.items():
        if code in found["places"] and option not in found["allowed"]:
            out.print(f"{code}: if it was agreed that they stay (shifted, remapped), --allow {option}")
