"""What a run will cost, from doing some of its records in memory: CPU time, bytes, pictures that a network must read.

The ingest chain itself is run on a sample, de-identification and verification with it, and nothing is kept. What
filters cost is not in it: a training's and a scorer's time is not a record's.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from curate.deid.vault import write_sealed
from curate.ingest.chain import ingest_stages
from curate.ingest.files import with_column
from curate.ingest.sealed import NAMES, WORDS
from curate.memory import remembering
from curate.record import Reason, live
from curate.report.render import duration as in_words
from curate.report.render import size
from curate.stage import Stage, run_stages
from pipelines.recipe.recipe import Recipe
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
        most = f"at most {self.records:,} records of {self.files:,} files ({self.probed} tried)"
        return [
            f"{most}: index {index} and ingest {ingest} of CPU, about {wall} with {self.workers} workers",
            f"{size(self.payload)} written by ingest, and the shards of what is kept again",
            f"text recognition reads {self.read:.0%} of the pictures: text found in {self.painted:.0%}, and a sample "
            f"of {self.looked:,} ({in_words(self.second_look)} of CPU); {self.withheld:.0%} of records lost at ingest",
        ]

    @property
    def cpu_hours(self) -> float:
        """Of index and ingest."""
        return (self.index + self.ingest) / 3600


def probe(recipe: Recipe, looked: Looked, most: int = RECORDS) -> Estimate | None:
    """The estimate by at most ``most`` of the records that `look` found; None where it found none."""
    rows = looked.rows(recipe)
    rows = rows.filter(pa.array(live(rows)))
    if not rows.num_rows:
        return None
    drawn = rows.take(np.linspace(0, rows.num_rows - 1, min(most, rows.num_rows)).astype(np.int64))
    drawn = with_texts(recipe, drawn)
    if not drawn.num_rows:
        return None
    records = round(rows.num_rows / max(looked.seen, 1) * looked.files) if looked.seen else rows.num_rows
    pictures = records if recipe.images else 0
    wanted = recipe.deid.second_look
    trusts = recipe.deid.burned_in == "trust"
    sample = 0 if trusts else min(pictures, max(wanted.least, round(wanted.share * pictures)))
    tried = _try(recipe, drawn)
    painted = float(np.mean(tried.painted)) if pictures else 0.0
    second = sample * (1 - painted) * tried.look
    return Estimate(
        files=looked.files,
        records=records,
        probed=len(tried.seconds),
        index=looked.header_seconds * looked.files,
        ingest=float(np.mean(tried.seconds)) * records + second,
        second_look=second,
        looked=sample,
        payload=round(float(np.mean(tried.bytes)) * records),
        painted=painted,
        withheld=float(np.mean(tried.lost)),
        read=0.0 if trusts or not pictures else min(painted + sample / pictures, 1.0),
        workers=recipe.engine.workers or os.cpu_count() or 1,
    )


@dataclass(frozen=True)
class _Tried:
    """Of each record: CPU-seconds, bytes written, whether it was painted, whether it was lost; ``look``: CPU-seconds
    that the verifier's second look adds to a picture."""

    seconds: Sequence[float]
    bytes: Sequence[int]
    painted: Sequence[bool]
    lost: Sequence[bool]
    look: float


def _try(recipe: Recipe, rows: pa.Table) -> _Tried:
    """The chain on each of ``rows`` alone; the first one twice, since it loads networks and word lists."""
    source = recipe.secret_source()
    with tempfile.TemporaryDirectory() as folder:
        for name in (WORDS, NAMES):  # of an index that is not made yet: no word is shared
            write_sealed(Path(folder) / name, pa.table({"word": pa.array([], pa.string())}), source.pseudonymizer())
        stages = ingest_stages(recipe.picture_rules(), recipe.report_rules(), source, folder)
        plain, looked = (with_column(rows, "second_look", pa.array([v] * rows.num_rows)) for v in (False, True))
        for first in (looked, plain):
            _timed(first.slice(0, 1), stages)
        done: list[tuple[float, pa.Table]] = []
        for i in range(rows.num_rows):
            if done and sum(seconds for seconds, _ in done) > _SECONDS:
                break
            done.append(_timed(plain.slice(i, 1), stages))
        extra = [
            _timed(looked.slice(i, 1), stages)[0] - done[i][0] for i in range(len(done)) if not _shows_text(done[i][1])
        ][:_LOOKED]
    return _Tried(
        seconds=[seconds for seconds, _ in done],
        bytes=[_bytes(made) for _, made in done],
        painted=[_shows_text(made) for _, made in done],
        lost=[not live(made).all() for _, made in done],
        look=max(float(np.mean(extra)), 0.0) if extra else 0.0,
    )


def _timed(row: pa.Table, stages: Sequence[Stage]) -> tuple[float, pa.Table]:
    before = time.process_time()
    with remembering():
        made = run_stages(row, stages)
    return time.process_time() - before, made


def _shows_text(made: pa.Table) -> bool:
    """Whether text was found in the one picture, so that it is read again whatever comes of it."""
    told = made["actions"][0].as_py() if "actions" in made.column_names else None
    return "blank pixels" in dict(told or ()) or made["drop_reason"][0].as_py() in _TEXT


def _bytes(made: pa.Table) -> int:
    """What of the one record is written."""
    if not live(made).all():
        return 0
    row = made.select([n for n in ("image", "text") if n in made.column_names]).to_pylist()[0]
    return len(row.get("image") or b"") + len((row.get("text") or "").encode())
