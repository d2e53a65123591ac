"""The narrow columns of all records of a run, in memory, in key order: which of them a query finds, and in what order.

A query is answered by codes and masks of numpy, so a million records take milliseconds (`python -m benchmarks.browse`).
Texts are read once, in the background, and held.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from curate.export.columns import fixed_bytes
from curate.export.cut import stable_order
from curate.export.labels import Labels, findings_in
from pipelines.api import Run

FACETS = ("drop_step", "drop_reason", "split", "modality", "body_part", "finding", "view", "sex", "source")
_READ = ("key", "modality", "body_part", "view", "sex", "age", "source", "width", "height", "painted_share")
_SHOWN = ("age", "width", "height", "painted_share", "duplicate_of", "text_from", "drop_stage", "partition")
_COLUMNS = {"finding": "findings"}
_NO_SCORES = ("painted_share", "weight")
_KEY = re.compile(r"[0-9a-f]{8,32}")  # shorter ones are words: "effaced"
_TERM = re.compile(r'"([^"]+)"|(\S+)')

Rows = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Query:
    """What is asked for. ``text``: words that must all stand in a text ("in quotes" together), or a key's beginning;
    ``wanted``: values of `FACETS`, of each facet one must hold ("" where there is none); ``status``: kept or dropped;
    ``low`` <= ``column`` <= ``high``; ``among``: the name of a set of rows that was put there (`Table.put`); ``sort``:
    a score's name, its highest first where ``descending``; unset, by key, which is a fair draw."""

    text: str = ""
    wanted: tuple[tuple[str, tuple[str, ...]], ...] = ()
    status: str = ""
    column: str = ""
    low: float | None = None
    high: float | None = None
    among: tuple[str, ...] = ()
    sort: str = ""
    descending: bool = True


class Table:
    """All records of ``run``. ValueError, from its methods, names what a query asks for and is not there."""

    def __init__(self, run: Run) -> None:
        self._run = run
        joined = run.joined([*_READ, "drop_step", "drop_reason"])
        there = joined.collect_schema()
        columns = {f: _COLUMNS.get(f, f) for f in FACETS if _COLUMNS.get(f, f) in there}
        few = pl.col(*columns.values()).cast(pl.Categorical)
        known = [n for n in ("key", *_SHOWN) if n in there]
        scores = [n for n, kind in there.items() if kind == pl.Float32 and n not in _NO_SCORES]
        wanted = dict.fromkeys([*known, *columns.values(), *scores])
        frame = run.collected(joined.select(*wanted).with_columns(few).sort("key"))
        self.keys = fixed_bytes(frame["key"].to_arrow().cast("string"))
        self.live: Bools = frame["drop_reason"].is_null().to_numpy()
        self.facets = {facet: Labels.of(frame[column].to_arrow()) for facet, column in columns.items()}
        self.scores: dict[str, NDArray[np.float32]] = {name: frame[name].to_numpy() for name in scores}
        self._shown = frame.select(known[1:])
        self._sets: dict[str, tuple[int, Bools]] = {}
        self._version = 0
        self._find = lru_cache(16)(self._found)
        self._ordered = lru_cache(8)(self._order)
        self._text: Future[pl.Series] = ThreadPoolExecutor(1).submit(self._read_texts)

    def __len__(self) -> int:
        return len(self.keys)

    def row(self, key: str) -> int | None:
        """Where a key lies; None where no step knows it."""
        at = int(np.searchsorted(self.keys, key.encode("ascii", "replace")))
        return at if at < len(self) and self.keys[at] == key.encode("ascii", "replace") else None

    def rows(self, keys: NDArray[np.bytes_]) -> Rows:
        """Where each of ``keys`` lies; all of them are there."""
        return np.searchsorted(self.keys, keys)

    def put(self, name: str, rows: Rows) -> None:
        """Call ``rows`` by a name that queries may use, in place of what was called so."""
        mask = np.zeros(len(self), bool)
        mask[rows] = True
        self._version += 1
        self._sets[name] = self._version, mask

    def find(self, query: Query) -> Rows:
        """The rows that ``query`` finds, in its order."""
        versions = tuple(self._sets[name][0] if name in self._sets else 0 for name in query.among)
        return self._find(query, versions)

    def counts(self, rows: Rows) -> dict[str, list[tuple[str, int]]]:
        """How many of ``rows`` have each value of each facet, the most first; a finding whatever its side."""
        found = {name: self.tally(name, rows, np.zeros(len(rows), np.int32), 1) for name in self.facets}
        return {name: [(value, n) for value, (n,) in values.items()] for name, values in found.items()}

    def tally(self, facet: str, rows: Rows, state: NDArray[np.int32], states: int) -> dict[str, list[int]]:
        """How many of ``rows`` have each value of a facet in each ``state`` (below ``states``), the most first."""
        labels = self.facets[facet]
        counted = np.bincount(states * labels.codes[rows] + state, minlength=states * len(labels.names))
        by_value: dict[str, NDArray[np.int64]] = {}
        for label, n in zip(labels.names, counted.reshape(-1, states), strict=True):
            for value in values_of(facet, label):
                by_value[value] = by_value.get(value, 0) + n
        ordered = sorted(by_value, key=lambda value: (-by_value[value].sum(), value))
        return {value: by_value[value].tolist() for value in ordered if by_value[value].any()}

    def facts(self, rows: Sequence[int]) -> list[dict[str, Any]]:
        """What is known of each row, as plain values: key, kept, facets, scores and a few more; nulls left out."""
        facts = self._shown[list(rows)].to_dicts()
        scores = {name: np.round(v[list(rows)].astype(float), 6).tolist() for name, v in self.scores.items()}
        for i, (row, fact) in enumerate(zip(rows, facts, strict=True)):
            fact |= {"key": self.keys[row].decode(), "kept": bool(self.live[row])}
            fact |= {name: labels.names[labels.codes[row]] or None for name, labels in self.facets.items()}
            fact["scores"] = {name: v[i] for name, v in scores.items() if v[i] == v[i]}
        return [{k: v for k, v in fact.items() if v is not None} for fact in facts]

    def partitions(self) -> NDArray[np.int64]:
        """int64[n]: the part of ingest that each record lies in, -1 where it is in none."""
        return self._shown["partition"].fill_null(-1).cast(pl.Int64).to_numpy()

    def texts(self, rows: Sequence[int]) -> list[str | None] | None:
        """The texts of some rows, as ingest wrote them; None while they are still being read."""
        return self._text.result()[list(rows)].to_list() if self._text.done() else None

    def matching(self, facet: str, values: Sequence[str]) -> Bools:
        """bool[n]: which records have one of ``values`` ("": none) of a facet."""
        labels = self._facet(facet)
        wanted = set(values)
        return np.array([not wanted.isdisjoint(values_of(facet, label)) for label in labels.names], bool)[labels.codes]

    def _found(self, query: Query, versions: tuple[int, ...]) -> Rows:
        mask = np.ones(len(self), bool)
        if query.status:
            if query.status not in ("kept", "dropped"):
                raise ValueError(f"status: {query.status[:40]!r}; kept or dropped")
            mask &= self.live == (query.status == "kept")
        for facet, values in query.wanted:
            mask &= self.matching(facet, values)
        if query.low is not None or query.high is not None:
            score = self._score(query.column)
            mask &= score >= np.float32(-np.inf if query.low is None else query.low)
            mask &= score <= np.float32(np.inf if query.high is None else query.high)
        for name in query.among:
            if name not in self._sets:
                raise ValueError(f"among: there is no {name[:40]!r}")
            mask &= self._sets[name][1]
        if query.text.strip():
            mask = self._holds(query.text, mask)
        if not query.sort:
            return np.flatnonzero(mask)
        order = self._ordered(query.sort, query.descending)
        return order[mask[order]]

    def _order(self, column: str, descending: bool) -> Rows:
        """All rows by a score, ties by key; those without one last."""
        score = self._score(column)
        return stable_order(-score if descending else score)

    def _holds(self, text: str, among: Bools) -> Bools:
        """bool[n]: of those ``among``, the texts that hold every word of ``text``; or the keys that begin so."""
        low = text.strip().lower()
        if _KEY.fullmatch(low):
            first, last = np.searchsorted(self.keys, [low.encode(), low.encode() + b"g"])
            if last > first:
                among[:first] = among[last:] = False
                return among
        rows, texts = np.flatnonzero(among), self._text.result()
        texts = texts if len(rows) == len(self) else texts.gather(rows)
        terms = sorted((phrase or word for phrase, word in _TERM.findall(low)), key=len, reverse=True)
        for term in terms:  # the longest is the rarest: what it leaves is looked at for the others
            holds = texts.str.contains(f"(?i){re.escape(term)}").fill_null(False)
            rows, texts = rows[holds.to_numpy()], texts.filter(holds)
        mask = np.zeros(len(self), bool)
        mask[rows] = True
        return mask

    def _read_texts(self) -> pl.Series:
        rows = self._run.rows("ingest", ["key", "text"])
        if rows is None:
            return pl.Series("text", [None] * len(self), pl.String)
        texts = self._run.collected(rows)
        if "score" in self.scores:
            self._ordered("score", True)  # what is asked first, ready before it is
        at = np.full(len(self), -1, np.int64)
        at[self.rows(fixed_bytes(texts["key"].to_arrow().cast("string")))] = np.arange(texts.height)
        return texts["text"].gather(pl.Series(at).replace(-1, None))

    def _facet(self, name: str) -> Labels:
        if name not in self.facets:
            raise ValueError(f"{name[:40]!r} is no facet; there are {', '.join(self.facets)}")
        return self.facets[name]

    def _score(self, name: str) -> NDArray[np.float32]:
        if name not in self.scores:
            raise ValueError(f"{name[:40]!r} is no score; there are {', '.join(self.scores) or 'none'}")
        return self.scores[name]


def values_of(facet: str, label: str) -> list[str]:
    """What a facet's label stands for: a record has several findings."""
    return (findings_in(label) or [""]) if facet == "finding" else [label]
