"""What the page asks and what it is told: a run's table, its cut and its payloads behind a few plain questions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from curate.report.words import MAP
from pipelines.api import Run
from pipelines.browse.cut import Cut
from pipelines.browse.map import read_map
from pipelines.browse.marks import WHYS, Marks
from pipelines.browse.records import Payloads
from pipelines.browse.review import MODES, Review
from pipelines.browse.table import FACETS, Query, Table
from pipelines.recipe.load import load_recipe

_SIZES = range(1, 101)
_BLIND = ("key", "text", "sections", "modality", "body_part", "view", "width", "height", "painted", "painted_share")
_KEY = re.compile(r"[0-9a-f]{32}")


class Bench:
    """A finished run, to ask. Questions are plain strings, as an address holds them; ValueError says what is wrong with
    one, KeyError that there is no such record. Answers are JSON."""

    def __init__(self, run: Run, reviewer: str | None = None) -> None:
        self.run = run
        self.marks = Marks(run.path / "review", reviewer)
        recipe = load_recipe(run.path / "recipe.yaml", [f"out={run.path.resolve()}"])
        self.table = Table(run)
        self.cut = Cut(run, recipe, self.table)
        self.payloads = Payloads(run, self.table)
        self.review = Review(self.table, self.cut, self.marks)
        self.start = cache(self._start)

    def _start(self) -> dict[str, Any]:
        """What the page begins with: name, counts, facets with their values, scores with their ends, the cut."""
        every = self.table.find(Query())
        return {
            "name": self.run.recipe["name"],
            "records": len(self.table),
            "kept": int(self.table.live.sum()),
            "funnel": [[c.step, c.rows_in, c.kept] for c in self.run.funnel],
            "facets": self.table.counts(every),
            "scores": list(self.table.scores),
            "cut": self.cut.start(),
            "reviewer": self.marks.reviewer,
            "modes": list(MODES),
            "whys": list(WHYS),
        }

    def records(self, parameters: Mapping[str, str]) -> dict[str, Any]:
        """One page of what a query finds, and on its first page how many of it each facet's values have."""
        size, page = _whole(parameters, "size", 24), _whole(parameters, "page", 0)
        if size not in _SIZES or page < 0:
            raise ValueError("size: 1 to 100; page: from 0")
        rows = self.table.find(query_of(parameters))
        shown = rows[page * size : (page + 1) * size].tolist()
        out = {"found": len(rows), "page": page, "size": size, "records": self.payloads.listed(shown)}
        return out if page else out | {"facets": self.table.counts(rows)}

    def record(self, parameters: Mapping[str, str]) -> dict[str, Any]:
        """One record, and beside a duplicate the record kept in its place."""
        row = self._row(parameters.get("key", ""))
        record = self.payloads.described([row])[0]
        other = record.get("duplicate_of") or "/"  # one of an earlier run is RUN/KEY
        return {
            "record": record,
            "kept_instead": None if "/" in other else self.payloads.described([self._row(other)])[0],
        }

    def picture(self, key: str, side: int) -> bytes | None:
        """A JPEG of at most ``side`` px; None where the record has no picture."""
        return self.payloads.picture(self._row(key), side)

    def cut_moved(self, parameters: Mapping[str, str]) -> dict[str, Any]:
        """What another cut would change (`Cut.effect`)."""
        value = _number(parameters, "value")
        if value is None:
            raise ValueError("value: a number")
        return self.cut.effect(parameters.get("kind", ""), value)

    def map(self) -> dict[str, Any]:
        """The points of `curate browse --map` (`read_map`); {} where none is made."""
        return read_map(self.run.path / "report" / MAP, self.table) or {}

    def draw(self, parameters: Mapping[str, str]) -> dict[str, Any]:
        """The record to mark next, without what the run thinks of it; and how many this reviewer has marked."""
        row, drawn = self.review.draw(parameters.get("mode", "mixed"))
        facts = {} if row is None else self.payloads.described([row])[0]
        record = {k: v for k, v in facts.items() if k in _BLIND} | {"scores": {}} if facts else None
        return {"record": record, "drawn": drawn, "done": len(self.marks.mine())}

    def mark(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Keep a mark: key, verdict, why, drawn."""
        row = self._row(str(body.get("key", "")))
        why, drawn = body.get("why"), str(body.get("drawn", ""))
        if drawn not in (*MODES, ""):
            raise ValueError(f"drawn: {drawn[:40]!r}; one of {', '.join(MODES)}")
        given = None if why is None else str(why)
        self.marks.mark(self.table.keys[row].decode(), str(body.get("verdict", "")), given, drawn or None)
        self.review.refresh()
        return {"done": len(self.marks.mine())}

    def _row(self, key: str) -> int:
        row = self.table.row(key) if _KEY.fullmatch(key) else None
        if row is None:
            raise KeyError(f"no step of this run knows {key[:40]!r}")
        return row


def query_of(parameters: Mapping[str, str]) -> Query:
    """The query that an address holds: q, status, column, low, high, among, sort, order, and every facet, its values
    behind one another with "|" between them."""
    wanted = tuple((name, tuple(parameters[name].split("|"))) for name in FACETS if name in parameters)
    return Query(
        text=parameters.get("q", "")[:500],
        wanted=wanted,
        status=parameters.get("status", ""),
        column=parameters.get("column", ""),
        low=_number(parameters, "low"),
        high=_number(parameters, "high"),
        among=tuple(n for n in parameters.get("among", "").split("|") if n),
        sort=parameters.get("sort", ""),
        descending=parameters.get("order", "down") != "up",
    )


def _number(parameters: Mapping[str, str], name: str) -> float | None:
    try:
        return float(parameters[name]) if parameters.get(name) else None
    except ValueError:
        raise ValueError(f"{name}: {parameters[name][:40]!r} is no number") from None


def _whole(parameters: Mapping[str, str], name: str, usual: int) -> int:
    try:
        return int(parameters.get(name, usual))
    except ValueError:
        raise ValueError(f"{name}: {parameters[name][:40]!r} is no whole number") from None
