"""The report page of a run, and its machine-readable twin (`curate.report.render` draws it)."""

from __future__ import annotations

import dataclasses
import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import Any

from curate.errors import RunError
from curate.report import plot
from curate.report.fairness import Fairness, KeepRate
from curate.report.funnel import QUARANTINE, StepCount, funnel_gaps
from curate.report.render import render
from curate.report.trust import Drift, Reliability

MAX_CARDS = 120  # samples drawn in one section
MAX_ROWS = 400  # rows of one listing
MAX_VALUES = 14  # values of one breakdown; the others are summed in one row
_MAX_FLOW = 40  # steps drawn as a funnel; beyond, the table alone


@dataclass(frozen=True)
class Sample:
    """One record to show. ``step`` and ``reason``: what dropped it, "" if kept; ``thumb``: a small PNG or JPEG, or b"".

    Raises RunError where a quarantined record comes with its text or picture: those must not be written.
    """

    key: str
    split: str
    step: str
    reason: str
    score: float | None
    text: str
    thumb: bytes
    facts: dict[str, str]

    def __post_init__(self) -> None:
        if self.reason in QUARANTINE and (self.text or self.thumb):
            raise RunError(f"record {self.key} is quarantined ({self.reason}); its payload must not reach the report")


@dataclass(frozen=True)
class DuplicatePair:
    """A dropped record beside the one kept in its place."""

    kept: Sample
    dropped: Sample
    reason: str


@dataclass(frozen=True)
class Histogram:
    """Counts of a score: n + 1 rising finite ``edges``, n counts kept and dropped; ``cut``: the score to reach.

    All three lists empty say that there were no scores. Raises ValueError where the lengths or edges do not fit.
    """

    name: str
    edges: list[float]
    kept: list[int]
    dropped: list[int]
    cut: float | None

    def __post_init__(self) -> None:
        fits = len(self.kept) == len(self.dropped) == max(0, len(self.edges) - 1) and len(self.edges) != 1
        if not fits or not all(map(math.isfinite, self.edges)) or sorted(self.edges) != list(self.edges):
            raise ValueError(f"histogram {self.name}: it takes n + 1 rising finite edges, n counts kept and n dropped")


@dataclass(frozen=True)
class Measure:
    """One measured value with its interval, such as an AUROC with 95 % bounds; ``note`` says on what and how."""

    name: str
    value: float
    low: float | None
    high: float | None
    note: str


@dataclass(frozen=True)
class Painting:
    """What blanking text cost the pictures that went on: how many there are, of how many some is painted, the largest
    and the mean share of a picture that is (0 to 1, of those), how many were withheld since it would have been too
    much, and the ``worst`` to look at."""

    pictures: int
    painted: int
    largest: float
    mean: float
    withheld: int
    worst: list[Sample]


@dataclass(frozen=True)
class RunReport:
    """All that the page shows. ``breakdown``: a column -> (value, rows in, rows kept); ``curves``: a name -> (x, y).

    ``shards``: one dict a shard with split, name, records, bytes. ``warnings``: settings and events to be loud about.
    ``patients``: distinct patients among the kept records, where known. ``attestation``: of the de-identification.
    ``fairness``: keep rates of the cut by score; ``reliability`` and ``drift``: of the filters' probabilities.
    ``painting``: what blanking text took from the pictures. ``uncut``: splits that the cut is not over, with their
    records.
    """

    title: str
    recipe_yaml: str
    versions: dict[str, str]
    counts: list[StepCount]
    histograms: list[Histogram]
    measures: list[Measure]
    kept: list[Sample]
    dropped: list[Sample]
    duplicates: list[DuplicatePair]
    shards: list[dict[str, Any]]
    breakdown: dict[str, list[tuple[str, int, int]]]
    curves: dict[str, list[tuple[float, float]]]
    warnings: list[str]
    patients: int | None = None
    attestation: Mapping[str, Any] | None = None
    fairness: Fairness | None = None
    reliability: Sequence[Reliability] = ()
    drift: Sequence[Drift] = ()
    painting: Painting | None = None
    uncut: Mapping[str, int] = field(default_factory=dict)


def render_page(report: RunReport) -> str:
    """The report as one self-contained HTML document; characters that UTF-8 cannot hold come out as U+FFFD."""
    return render(
        "run.html.j2",
        report=report,
        head=headline(report.counts),
        funnel=_funnel(report.counts),
        gaps=funnel_gaps(report.counts),
        quarantine=quarantined(report.counts),
        breakdown={name: breakdown_of(rows) for name, rows in report.breakdown.items() if rows},
        curves={name: _finite(points) for name, points in report.curves.items()},
        reasons=sorted(Counter(s.reason for s in report.dropped).items(), key=lambda item: (-item[1], item[0])),
        splits=_splits(report.shards),
        total_bytes=sum(int(s.get("bytes", 0)) for s in report.shards),
        shown_rates=_shown_rates,
        MAX_CARDS=MAX_CARDS,
        MAX_ROWS=MAX_ROWS,
    )


def report_json(report: RunReport) -> str:
    """The report as JSON: sorted keys, ASCII, no thumbnails; a number that is not finite comes out as null."""
    return json.dumps(_plain(report), sort_keys=True, indent=1, ensure_ascii=True, allow_nan=False) + "\n"


def _shown_rates(rates: Sequence[KeepRate]) -> list[KeepRate]:
    """The largest subgroups, and every one that lags behind, up to the rows of a listing."""
    return [r for i, r in enumerate(rates) if i < MAX_VALUES or r.behind][:MAX_ROWS]


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value) if f.name != "thumb"}
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, Integral):  # numpy's numbers are registered with these two
        return int(value)
    if isinstance(value, Real):
        return float(value) if math.isfinite(value) else None
    raise TypeError(f"a report holds a {type(value).__name__}, which JSON cannot")


def headline(counts: Sequence[StepCount]) -> dict[str, int]:
    """Records in, kept, dropped, quarantined, and dropped otherwise."""
    rows_in, kept = (counts[0].rows_in, counts[-1].kept) if counts else (0, 0)
    quarantined, lost = sum(c.quarantined for c in counts), sum(c.lost for c in counts)
    return {"in": rows_in, "kept": kept, "dropped": lost, "quarantined": quarantined, "other": lost - quarantined}


def _funnel(counts: Sequence[StepCount]) -> list[dict[str, Any]]:
    """A row a step: its bar (kept, dropped, quarantined, on the scale of the largest step) and the flow below it."""
    if len(counts) > _MAX_FLOW:
        return []
    widest = max((c.rows_in for c in counts), default=0) or 1
    rows = []
    for c in counts:
        lost = [("dropped", (c.lost - c.quarantined) / widest), ("quarantine", c.quarantined / widest)]
        label = (
            f"{c.step}: {c.rows_in:,} in, {c.kept:,} kept, {c.lost:,} dropped, {c.quarantined:,} of them quarantined"
        )
        kept = c.kept / widest
        rows.append({"count": c, "bar": plot.bar([("kept", kept), *lost], label), "flow": plot.flow(kept, lost)})
    return rows


def quarantined(counts: Sequence[StepCount]) -> list[tuple[str, str, int]]:
    """(step, reason, rows) of all that could not be proven clean."""
    return [(c.step, reason, n) for c in counts for reason, n in c.reasons if reason in QUARANTINE]


def breakdown_of(rows: Sequence[tuple[str, int, int]]) -> list[tuple[str, int, int]]:
    """Largest first; what comes after the first few is summed in one row."""
    ranked = sorted(rows, key=lambda row: (-row[1], row[0]))
    if len(ranked) <= MAX_VALUES:
        return ranked
    rest = ranked[MAX_VALUES - 1 :]
    others = (f"{len(rest):,} other values", sum(r[1] for r in rest), sum(r[2] for r in rest))
    return [*ranked[: MAX_VALUES - 1], others]


def _finite(points: Sequence[tuple[float, float]]) -> tuple[list[tuple[float, float]], int]:
    """The points that can be drawn, and how many cannot (a loss that became NaN is worth a word)."""
    good = [(x, y) for x, y in points if math.isfinite(x) and math.isfinite(y)]
    return good, len(points) - len(good)


def _splits(shards: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row a split: shards, records, bytes, in the order the splits first appear."""
    rows: dict[str, dict[str, Any]] = {}
    for shard in shards:
        name = str(shard.get("split", ""))
        row = rows.setdefault(name, {"split": name, "shards": 0, "records": 0, "bytes": 0})
        row["shards"] += 1
        row["records"] += int(shard.get("records", 0))
        row["bytes"] += int(shard.get("bytes", 0))
    return list(rows.values())
