"""What a run will cost, from doing some of its records in memory: CPU time, bytes, pictures that a network must read.

The ingest chain itself is run on a sample, de-identification and verification with it, and nothing is kept. What
filters cost is not in it: a training's and a scorer's time is not a record's.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from curate.deid.vault import write_sealed
from curate.engine import Crash, Engine
from curate.ingest.chain import RowFunction, each_row, ingest_parts
from curate.ingest.files import with_column
from curate.ingest.sealed import NAMES, WORDS
from curate.memory import remembering
from curate.record import Reason, live
from curate.report.words import duration as in_words
from curate.report.words import size
from pipelines.recipe.recipe import Recipe
from pipelines.survey.apart import apart
from pipelines.survey.preview import Looked, with_texts

RECORDS = 16  # that are tried
_LOOKED = 3  # of them that the verifier reads a second time, to know what that costs
_TEXT = (Reason.TOO_MUCH_PAINTED.value, Reason.BURNED_IN.value)
_SECONDS = 20.0  # of CPU, after which no further record is begun


@dataclass(frozen=True)
class Estimate:
    """``records``: pairs expected of ``files`` files, at most where one is chosen of a series; ``probed`` of them were
    tried. CPU-seconds: ``index``, ``ingest`` (with ``second_look`` of ``looked`` pictures in it). ``payload``: bytes
    that ingest writes, and the shards again of what is kept. Shares of 1: ``painted`` pictures with text found,
    ``withheld`` records, ``read`` pictures that the text recognition reads. ``workers`` processes share the work."""

    files: int
    records: int
    probed: int
    index: float
    ingest: float
    second_look: float
    looked: int
    payload: int
    painted: float
    withheld: float
    read: float
    workers: int

    @property
    def seconds(self) -> float:
        """Wall time of index and ingest where every worker has a core."""
        return (self.index + self.ingest) / self.workers

    @property
    def lines(self) -> list[str]:
        """The same in sentences."""
        wall, index, ingest = (in_words(s) for s in (self.seconds, self.index, self.ingest))
        hours = " and ".join(f"{s / 3600:,.{0 if s >= 360_000 else 3}f}" for s in (self.index, self.ingest))
        most = f"at most {self.records:,} records of {self.files:,} files ({self.probed} tried)"
        return [
            f"{most}: index {index} and ingest {ingest} of CPU ({hours} CPU-hours), about {wall} with "
            f"{self.workers} workers",
            f"{size(self.payload)} written by ingest, and the shards of what is kept again",
            f"text recognition reads {self.read:.0%} of the pictures: text found in {self.painted:.0%}, and a sample "
            f"of {self.looked:,} ({in_words(self.second_look)} of CPU); {self.withheld:.0%} of records lost at ingest",
        ]

    @property
    def cpu_hours(self) -> float:
        """Of index and ingest."""
        return (self.index + self.ingest) / 3600


def probe(recipe: Recipe, looked: Looked, most: int = RECORDS, engine: Engine | None = None) -> Estimate | None:
    """The estimate by at most ``most`` of the records that `look` found, tried in a process of ``engine`` (None: one of
    its own); None where it found none."""
    rows = looked.rows(recipe)
    rows = rows.filter(pa.array(live(rows)))
    if not rows.num_rows:
        return None
    drawn = rows.take(np.linspace(0, rows.num_rows - 1, min(most, rows.num_rows)).astype(np.int64))
    drawn = with_texts(recipe, drawn)
    if not drawn.num_rows:
        return None
    records = round(rows.num_rows / max(looked.examined, 1) * looked.files) if looked.examined else rows.num_rows
    pictures = records if recipe.images else 0
    wanted = recipe.deid.second_look
    trusts = recipe.deid.burned_in == "trust"
    sample = 0 if trusts else min(pictures, max(wanted.least, round(wanted.share * pictures)))
    tried = _try(recipe, drawn, engine)
    painted = _mean(one.painted for one in tried) if pictures else 0.0
    second = sample * (1 - painted) * _mean(one.look for one in tried if one.look is not None)
    return Estimate(
        files=looked.files,
        records=records,
        probed=len(tried),
        index=looked.header_seconds * looked.files,
        ingest=_mean(one.seconds for one in tried if one.seconds) * records + second,
        second_look=second,
        looked=sample,
        payload=round(_mean(one.bytes for one in tried) * records),
        painted=painted,
        withheld=_mean(one.lost for one in tried),
        read=0.0 if trusts or not pictures else min(painted + sample / pictures, 1.0),
        workers=recipe.engine.workers or os.cpu_count() or 1,
    )


@dataclass(frozen=True)
class _Tried:
    """A record: CPU-seconds, bytes written, whether it was painted, whether it was lost; ``look``: CPU-seconds that the
    verifier's second look adds, None where that was not tried."""

    seconds: float
    bytes: int
    painted: bool
    lost: bool
    look: float | None


def _try(recipe: Recipe, rows: pa.Table, engine: Engine | None) -> list[_Tried]:
    """The chain on each of ``rows`` alone; one that ends its process is lost and has no time."""
    tried: list[_Tried] = []
    with tempfile.TemporaryDirectory() as folder, apart(engine) as workers:
        pseudo = recipe.secret_source().pseudonymizer()
        for name in (WORDS, NAMES):  # of an index that is not made yet: no word is shared
            write_sealed(Path(folder) / name, pa.table({"word": pa.array([], pa.string())}), pseudo)
        for _, outcome in workers.map(_Trial(recipe, rows, folder), range(rows.num_rows), alone=True):
            tried.append(_Tried(0.0, 0, False, True, None) if isinstance(outcome, Crash) else outcome)
            if sum(one.seconds for one in tried) > _SECONDS:
                break
    return tried


@dataclass(frozen=True)
class _Trial:
    """In a worker of this machine, the chain on one row, the process's first one twice, since it loads networks and
    word lists; ``folder`` holds the index's sealed words."""

    recipe: Recipe
    rows: pa.Table
    folder: str

    def __call__(self, i: int) -> _Tried:
        row = self.rows.slice(i, 1)
        plain, looked = (with_column(row, "second_look", pa.array([v])) for v in (False, True))
        parts = _warm.get(self.folder)
        if parts is None:
            _warm.clear()
            rules = self.recipe.picture_rules(), self.recipe.report_rules(), self.recipe.secret_source(), self.folder
            parts = _warm[self.folder] = ingest_parts(*rules)
            for first in (looked, plain):
                _timed(first, parts)
        seconds, ingested = _timed(plain, parts)
        painted = _shows_text(ingested)
        look = None if painted or i >= _LOOKED else max(_timed(looked, parts)[0] - seconds, 0.0)
        return _Tried(seconds, _bytes(ingested), painted, not live(ingested).all(), look)


_warm: dict[str, Mapping[str, RowFunction]] = {}  # a process's parts of the chain, of the folder at hand


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values) or [0.0]))


def _timed(row: pa.Table, parts: Mapping[str, RowFunction]) -> tuple[float, pa.Table]:
    before = time.process_time()
    with remembering():
        ingested = each_row(row, parts)
    return time.process_time() - before, ingested


def _shows_text(ingested: pa.Table) -> bool:
    """Whether text was found in the one picture, so that it is read again whatever comes of it."""
    return "blank pixels" in dict(ingested["actions"][0].as_py() or ()) or ingested["drop_reason"][0].as_py() in _TEXT


def _bytes(ingested: pa.Table) -> int:
    """What of the one record is written."""
    if not live(ingested).all():
        return 0
    (row,) = ingested.select(["image", "text"]).to_pylist()
    return len(row["image"] or b"") + len((row["text"] or "").encode())
