"""What reviewers say of records: good, bad (and why) or unsure, a Parquet file a reviewer under RUN/review/.

Marks hold keys and codes, no text of a reviewer's own: a free text could name a patient.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from itertools import combinations
from pathlib import Path
from threading import Lock
from time import time
from typing import Any

import polars as pl
import pyarrow as pa

from curate.errors import RecipeError
from curate.export.remove import without_records
from curate.storage import commit_bytes, commit_marker, digest, read_marker, read_table, table_bytes

WITHDRAWN = "withdrawn.json"
VERDICTS = ("good", "bad", "unsure")
WHYS = (
    "another_study",  # the text is of another picture
    "wrong_side",
    "not_shown",  # the text states what the picture does not show
    "left_out",  # the picture shows what the text leaves out
    "no_description",  # of this picture: an order, a greeting, a template
    "poor_picture",
    "meaning_lost",  # de-identification took what mattered
    "identity_left",  # something identifies the patient: to be told to who is in charge
)
MARKS = pa.schema(
    [
        pa.field("key", pa.string(), nullable=False),
        pa.field("reviewer", pa.string(), nullable=False),
        pa.field("verdict", pa.string(), nullable=False),
        pa.field("why", pa.string()),  # of a bad one, where it was said
        pa.field("drawn", pa.string()),  # how the record came before the reviewer
        pa.field("at", pa.timestamp("s", "UTC")),
    ]
)
_REVIEWER = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")


class Marks:
    """The marks in ``folder``; those of ``reviewer`` can be set. RecipeError on a name that is none."""

    def __init__(self, folder: Path, reviewer: str | None = None) -> None:
        if reviewer is not None and not _REVIEWER.fullmatch(reviewer):
            fix = "small letters, digits, - and _, 32 at most; a pseudonym will do"
            raise RecipeError("--reviewer", f"{reviewer[:40]!r} is no name", fix)
        self.folder, self.reviewer = folder, reviewer
        self._lock = Lock()

    def table(self) -> pl.DataFrame:
        """All marks of all reviewers, one row a record and reviewer, as `MARKS`."""
        files = sorted(self.folder.glob("*.parquet")) if self.folder.is_dir() else []
        marks: Any = pl.from_arrow(pa.concat_tables([MARKS.empty_table(), *(_read(path) for path in files)]))
        return marks  # type: ignore[no-any-return]

    def good(self) -> list[str]:
        """Keys of records that more reviewers find good than bad."""
        judged = consensus(self.table())
        return [str(key) for key in judged.filter(judged["good"].fill_null(False))["key"]]

    def withdrawn(self) -> list[str]:
        """Digests of the keys that were `good` and whose patients withdrew: what was learned from them has its name
        still."""
        return list((read_marker(self.folder / WITHDRAWN) or {}).get("good", ()))

    def forget(self, keys: Collection[str]) -> None:
        """Remove every mark of these records; killed halfway, to be called again."""
        gone = {digest(key) for key in self.good() if key in keys}
        if gone:
            commit_marker(self.folder / WITHDRAWN, {"good": sorted(gone | set(self.withdrawn()))})
        for path in sorted(self.folder.glob("*.parquet")):
            table = read_table(path)
            left = without_records(table, keys)
            if left.num_rows != table.num_rows:
                commit_bytes(path, table_bytes(left))

    def mine(self) -> pl.DataFrame:
        """Those of this reviewer."""
        return self.table().filter(pl.col("reviewer") == (self.reviewer or ""))

    def mark(self, key: str, verdict: str, why: str | None, drawn: str | None) -> None:
        """Say ``verdict`` of a record, in place of what was said before; "" takes it back. ValueError on what is none
        of `VERDICTS`, `WHYS`, or where nobody is named who marks."""
        if self.reviewer is None:
            raise ValueError("nobody is named who marks: start with --reviewer NAME")
        if verdict not in ("", *VERDICTS):
            raise ValueError(f"verdict: {verdict[:40]!r}; one of {', '.join(VERDICTS)}")
        if why is not None and (why not in WHYS or verdict != "bad"):
            raise ValueError(f"why: {why[:40]!r}; of a bad one, one of {', '.join(WHYS)}")
        path = self.folder / f"{self.reviewer}.parquet"
        with self._lock:
            rows = [r for r in _read(path).to_pylist() if r["key"] != key] if path.exists() else []
            if verdict:
                new = {"key": key, "reviewer": self.reviewer, "verdict": verdict, "why": why, "drawn": drawn}
                rows.append(new | {"at": int(time())})
            columns = {f.name: pa.array([r[f.name] for r in rows], f.type) for f in MARKS}
            commit_bytes(path, table_bytes(pa.table(columns, schema=MARKS)))


def _read(path: Path) -> pa.Table:
    try:
        return read_table(path).select(MARKS.names).cast(MARKS)
    except (KeyError, ValueError, pa.ArrowException):
        raise RecipeError(str(path), "holds no marks", "take it out of the review folder") from None


def consensus(marks: pl.DataFrame) -> pl.DataFrame:
    """key and ``good`` (Boolean, null where as many say good as bad) of every record that somebody judged; unsure ones
    do not count."""
    judged = marks.filter(pl.col("verdict").is_in(["good", "bad"]))
    side = (pl.col("verdict") == "good").cast(pl.Int32) * 2 - 1
    summed = judged.group_by("key").agg(side.sum().alias("sum")).sort("key")
    good = pl.when(pl.col("sum") != 0).then(pl.col("sum") > 0)
    return summed.select("key", good.alias("good"))


def agreement(marks: pl.DataFrame) -> list[dict[str, Any]]:
    """Of every two reviewers: how many records both judged good or bad, the share on which they agree, and Cohen's
    kappa (Cohen 1960; None where it is not defined: both said only one and the same)."""
    from sklearn.metrics import cohen_kappa_score  # slow to import: only where marks are summed up

    judged = marks.filter(pl.col("verdict").is_in(["good", "bad"]))
    out = []
    for a, b in combinations(sorted(judged["reviewer"].unique()), 2):
        both = judged.filter(pl.col("reviewer") == a).join(judged.filter(pl.col("reviewer") == b), on="key")
        if len(both):
            verdicts = both["verdict"].to_list(), both["verdict_right"].to_list()
            kappa = float(cohen_kappa_score(*verdicts)) if len({*verdicts[0], *verdicts[1]}) > 1 else None
            same = sum(x == y for x, y in zip(*verdicts, strict=True)) / len(both)
            out.append({"reviewers": [a, b], "records": len(both), "agree": same, "kappa": kappa})
    return out


def precision(good: pl.Series) -> dict[str, Any]:
    """The share of good ones with its exact 95 % interval (Clopper and Pearson 1934), nulls left out."""
    from scipy.stats import binomtest

    n, k = len(good) - good.null_count(), int(good.sum() or 0)
    if not n:
        return {"records": 0, "good": 0, "share": None, "low": None, "high": None}
    interval = binomtest(k, n).proportion_ci(method="exact")
    return {"records": n, "good": k, "share": k / n, "low": float(interval.low), "high": float(interval.high)}
