"""The results as Markdown: every number to reach, what was measured, and whether that is enough."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_RENDERED = ("generated", "bundled", "data")
Row = tuple[str, str, str, bool | None]  # what, wanted, measured, reached (None: nothing was promised)


def markdown(results: dict[str, Any]) -> str:
    """The rows of the parts that are in ``results`` as a table."""
    makers = {"dicom": _dicom, "image": _image, "render": _render, "report": _report, "trees": _trees}
    rows = [row for name, make in makers.items() if name in results for row in make(results[name])]
    lines = ["| what | wanted | measured | reached |", "|---|---|---|---|"]
    told = {True: "yes", False: "NO", None: ""}
    lines += [f"| {what} | {wanted} | {seen} | {told[good]} |" for what, wanted, seen, good in rows]
    return "\n".join([*lines, "", *_apart(results.get("render", {}))])


def _apart(render: dict[str, Any]) -> Iterator[str]:
    """Every picture that is over one shade from another renderer's, and why."""
    for part in _RENDERED:
        for name, row in render.get(part, {}).get("apart", {}).items():
            what, judge = name.rsplit(" | ", 1)
            other = "(there is none)" if row["from_another"] is None else f"{row['from_another']} shades"
            yield f"- {part}: {what}: {row['apart']} shades from {judge}, from another {other}: {row['cause']}"


def _none(what: str, count: int) -> Row:
    return what, "0", str(count), not count


def _dicom(r: dict[str, Any]) -> Iterator[Row]:
    bad, good = r["contradictory"], r["good"]
    wrong = bad.get("wrong", 0) + bad.get("exported wrong", 0)
    yield _none(f"{bad['files']:,} contradictory DICOM files: wrong pictures kept, by either command", wrong)
    yield "... shown as what the data prove; dropped under a Reason", "", f"{bad['right']}; {bad['dropped']}", None
    lost = good.get("dropped", 0) + good.get("wrong", 0) + good.get("exported wrong", 0)
    yield _none(f"{good['files']:,} good but unusual DICOM files: lost or wrong", lost)


def _image(r: dict[str, Any]) -> Iterator[Row]:
    bad, good = r["contradictory"], r["good"]
    yield _none(f"{bad['files']:,} contradictory plain images: wrong pictures kept", sum(bad["kept_wrong"].values()))
    lost = sum(good["lost"].values()) + sum(good["wrong"].values())
    yield _none(f"{good['files']:,} good but unusual plain images: lost or wrong", lost)
    yield _none(f"... {good['deid_asked']:,} of them written again: values changed", sum(good["deid_changed"].values()))


def _render(r: dict[str, Any]) -> Iterator[Row]:
    for part in _RENDERED:
        if part not in r:
            continue
        judges = ", ".join(f"{judge} {count}" for judge, count in sorted(r[part]["judged"].items()))
        share = r[part]["agreement"]
        wanted = ">= 99.5 %" if part == "generated" else ""
        reached = share is not None and share >= 0.995 if wanted else None
        yield f"shades within 1 of other renderers' ({part}: {judges})", wanted, f"{share:.2%}", reached
        most, count = r[part]["agreement_by_most_judges"], r[part]["cells"]["judged"]
        what = f"... {count} pictures: within 1 of most of the renderers that show them"
        yield what, wanted, f"{most:.2%}", most >= 0.995 if wanted else None
        one = r[part]["agreement_by_any_judge"]
        what = f"... {count} pictures: within 1 of one renderer's at least, every other distance named"
        yield what, wanted, f"{one:.2%}", one >= 0.995 if wanted else None
        yield _none(
            f"... disagreements ({len(r[part]['apart'])}) without a named cause", r[part]["causes"].get("UNNAMED", 0)
        )


def _report(r: dict[str, Any]) -> Iterator[Row]:
    what = f"{r['texts']:,} texts in {r['files']} report files"
    yield _none(f"{what}: wrong, or lost without a Reason", r["wrong"] + r["silent"])
    yield "... recovered; lost under a Reason", "", f"{r['recovered']}; {r['lost']}", None
    yield _none(f"{r['files_in_folder']} files of a mixed folder: not in the funnel", r["files_not_in_funnel"])


def _trees(r: dict[str, Any]) -> Iterator[Row]:
    for name, tree in r.items():
        seen = f"{tree['files_in_funnel']} of {tree['files']}, rows as made: {'yes' if tree['right'] else 'no'}"
        same = tree["files_in_funnel"] == tree["files"] and tree["right"]
        yield f"{name}: files in the funnel, from the recipe to shards", "all", seen, bool(same)
