"""The page of `curate browse` as files: for a reader without Python, by double click or from any static server.

    index.html, page.js, ...         the page; it may load only what lies in its folder (Content-Security-Policy)
    data/start.js                    counts, the values of facets, the names of scores, the first keys of files
    data/column-NAME.js              one column of all records in key order: codes of a facet, float32 of a score
    data/records-00000.js            a thousand records: facts, texts, boxes
    data/map.js                      the map, where one was made
    pictures/ab/KEY.jpg              de-identified pictures, as they were written but smaller

A page that is a file may load scripts and nothing else: so data are scripts of one call each, gzip in base64, and none
of it is ever read as code or markup.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curate.errors import RecipeError
from curate.storage import commit_bytes
from pipelines.browse.bench import Bench
from pipelines.browse.table import values_of
from pipelines.report.summary import thumbnail

RECORDS_PER_FILE = 1000
_SIDE = 320  # px, of the longest side
_POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'"
_ASSETS = ("page.js", "static.js", "page.css", "icon.svg", "style.css")


@dataclass
class Written:
    """``records`` and ``pictures``: how many; ``data_bytes``, ``picture_bytes``: what they take."""

    records: int
    pictures: int = 0
    data_bytes: int = 0
    picture_bytes: int = 0


def write_static(bench: Bench, folder: Path, progress: Callable[[int, int, dict[str, float]], None]) -> Written:
    """The page and all that it shows, into a new ``folder``. RecipeError where that is not empty."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RecipeError("--static", f"{folder} is not empty", "name a new folder; nothing is overwritten")
    table = bench.table
    written = Written(len(table))

    def put(name: str, data: bytes) -> None:
        packed = base64.b64encode(gzip.compress(data, 6, mtime=0)).decode()
        script = f'local.put("{name}", "{packed}");\n'.encode()
        written.data_bytes += len(script)
        commit_bytes(folder / "data" / f"{name}.js", script)

    values = {facet: [values_of(facet, label) for label in labels.names] for facet, labels in table.facets.items()}
    placed = bench.map()
    firsts = [key.decode() for key in table.keys[::RECORDS_PER_FILE]]
    here: dict[str, Any] = {"cut": {"scored": 0}, "reviewer": None, "values": values, "map": bool(placed)}
    here |= {"size": RECORDS_PER_FILE, "firsts": firsts}
    put("start", _json(bench.start() | here))
    if placed:
        put("map", _json(placed))
    put("column-kept", table.live.astype(np.uint8).tobytes())
    for facet, labels in table.facets.items():
        put(f"column-{facet}", labels.codes.astype("<i4").tobytes())
    for name, scores in table.scores.items():
        put(f"column-{name}", scores.astype("<f4").tobytes())
    lines = [b""] * len(table)
    done = 0
    for rows in _by_partition(bench):
        facts = bench.payloads.described(rows)
        for row, fact in zip(rows, facts, strict=True):
            lines[row] = _json(fact)
        pictured = [(f["key"], f["partition"]) for f in facts if {"partition", "width"} <= f.keys()]
        written.picture_bytes += sum(pictures := _write_pictures(bench, pictured, folder / "pictures"))
        written.pictures += len(pictures)
        done += len(rows)
        progress(done, len(table), {})
    for i in range(0, len(lines), RECORDS_PER_FILE):
        put(f"records-{i // RECORDS_PER_FILE:05d}", b"[" + b",".join(lines[i : i + RECORDS_PER_FILE]) + b"]")
    for name in _ASSETS:
        where = "curate.report" if name == "style.css" else "pipelines.browse"
        commit_bytes(folder / name, (files(where) / name).read_bytes())
    commit_bytes(folder / "index.html", _page().encode())  # last: with it the folder is whole
    return written


def _by_partition(bench: Bench) -> list[list[int]]:
    """All rows, those of one part together, so that each part is read once."""
    partition = bench.table.partitions()
    order = np.argsort(partition, kind="stable")
    edges: NDArray[np.int64] = np.flatnonzero(np.diff(partition[order])) + 1
    return [rows.tolist() for rows in np.split(order, edges) if len(rows)]


def _write_pictures(bench: Bench, placed: list[tuple[str, int]], folder: Path) -> list[int]:
    """The pictures of some records of one part, by (key, partition); the bytes of each."""
    sizes = []
    for key, found in bench.run.payloads(placed, ["image"]).items():
        if found["image"]:
            picture = thumbnail(found["image"], _SIDE)
            commit_bytes(folder / key[:2] / f"{key}.jpg", picture)
            sizes.append(len(picture))
    return sizes


def _page() -> str:
    """page.html with relative names, the policy that a server would send, and what answers in the server's place."""
    page = (files("pipelines.browse") / "page.html").read_text("utf-8")
    policy = f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    page = page.replace('<meta charset="utf-8">', f'<meta charset="utf-8">\n{policy}', 1)
    page = page.replace('<script src="/page.js"', '<script src="/static.js" defer></script>\n<script src="/page.js"', 1)
    return page.replace('="/', '="')


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
