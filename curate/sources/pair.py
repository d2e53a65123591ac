"""Which report belongs to which image: by equal identities, counted by Reason where they do not decide, never guessed.

Both sides are tables of identity columns; the joins are polars, so a million images pair in seconds. The result is a
function of the rows' values alone: the order of the tables, and of the threads, does not matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import polars as pl
import pyarrow as pa

from curate.errors import RecipeError
from curate.record import Reason

PAIR_KEYS = Literal["accession", "study", "patient_date", "image"]

_COLUMNS = ["row", "accession", "study", "patient", "date", "image"]
_PADDING = " \t\r\n\v\f\0\u00a0"  # DICOM pads UIDs with NUL and strings with spaces (PS3.5 6.2)
_DATES = (
    r"^(?<y>\d{4})(?<m>\d\d)(?<d>\d\d)(?:\d{4,6})?(?:\D.*)?$",
    r"^(?<y>\d{4})[-/. ](?<m>\d\d?)[-/. ](?<d>\d\d?)(?:\D.*)?$",
    r"^(?<d>\d\d?)\.(?<m>\d\d?)\.(?<y>\d{4})(?:\D.*)?$",
)
IMAGE_MATCH = pa.schema([("row", pa.int64()), ("report", pa.int64()), ("reason", pa.string())])
REPORT_MATCH = pa.schema([("row", pa.int64()), ("used", pa.bool_()), ("reason", pa.string())])


@dataclass(frozen=True)
class PairRules:
    """``by``: the identities to try, in this order. ``require_same_patient``: a match across two patients is none."""

    by: tuple[str, ...] = ("accession", "study", "patient_date")
    require_same_patient: bool = True

    def __post_init__(self) -> None:
        wrong = [key for key in self.by if key not in get_args(PAIR_KEYS)]
        if wrong or not self.by:
            problem = f"{wrong[0]!r} is no key" if wrong else "names no key"
            raise RecipeError("pair.by", problem, "choose among " + ", ".join(get_args(PAIR_KEYS)))


def pair(images: pa.Table, reports: pa.Table, rules: PairRules) -> tuple[pa.Table, pa.Table]:
    """Match every image with at most one report; returns (image_match, report_match), each sorted by ``row``.

    ``images``: ``row`` int64, unique, and the strings ``accession, study, patient, date, image`` ("" or null: absent;
    ``image`` is the relative path). ``reports``: the same columns, ``image`` being the file it names, and optionally
    ``text`` (the report, or a digest of it: only compared) and ``reason`` (a Reason's value or null: why it is bad).

    For each image the first key of ``rules.by`` that it has and that some report shares decides: one report is a
    match, several are AMBIGUOUS_REPORT; reports of equal text (case and white space apart) count as one, the lowest
    row, and one without text steps aside for one with text. No key: ORPHAN_IMAGE. Both patients known and different:
    PATIENT_MISMATCH. A bad report's reason becomes that of the images it matches.

    image_match: ``row``, ``report`` int64 (null: none), ``reason`` (null: paired). report_match: ``row``, ``used``
    (an image has it, or its equal), ``reason``: its own, else ORPHAN_REPORT where not used, else null.
    """
    left, right = _frame(images), _frame(reports)
    decided: list[pl.DataFrame] = []
    members: list[pl.DataFrame] = []
    pending = left
    for key in rules.by:
        mine, theirs = _keyed(pending, key), _by_image(right, left) if key == "image" else _keyed(right, key)
        members.append(_grouped(theirs.filter(pl.col("key") != "")))
        groups = members[-1].select("key", "report", "ambiguous").unique()
        decided.append(mine.join(groups, on="key").select("row", "patient", "report", "ambiguous"))
        pending = pending.join(decided[-1], on="row", how="anti")
    orphans = pending.select("row", pl.lit(None, pl.Int64).alias("report"), _lit(Reason.ORPHAN_IMAGE).alias("reason"))
    image_match = pl.concat([_judge(pl.concat(decided), right, rules), orphans]).sort("row")
    used = pl.concat(members).filter(~pl.col("ambiguous")).join(image_match, on="report", how="semi")
    report_match = _report_fates(right, used["row"])
    return image_match.to_arrow().cast(IMAGE_MATCH), report_match.to_arrow().cast(REPORT_MATCH)


def _frame(table: pa.Table) -> pl.DataFrame:
    """The identity columns, stripped, null as ""; ``text`` and ``reason`` null where the table has none."""
    optional = [name for name in ("text", "reason") if name in table.column_names]
    frame = pl.DataFrame(pl.from_arrow(table.select([*_COLUMNS, *optional])))
    if frame["row"].is_duplicated().any():
        raise ValueError("row is not unique")
    strings = [pl.col(name).cast(pl.String) for name in frame.columns if name != "row"]
    absent = [pl.lit(None, pl.String).alias(name) for name in ("text", "reason") if name not in optional]
    frame = frame.with_columns(pl.col("row").cast(pl.Int64), *strings, *absent)
    return frame.with_columns(pl.col(*_COLUMNS[1:]).fill_null("").str.strip_chars(_PADDING))


def _grouped(theirs: pl.DataFrame) -> pl.DataFrame:
    """``key, row, report, ambiguous``: the rows that count under each key, their lowest, and whether they differ."""
    shared = pl.col("key").is_duplicated()
    single = theirs.filter(~shared).select(
        "key", "row", pl.col("row").alias("report"), pl.lit(False).alias("ambiguous")
    )
    # texts are only looked at where rows meet; what a row without one, or with an unreadable one, says is not known
    unknown = pl.col("text").is_null() | (pl.col("reason") != Reason.EMPTY_REPORT.value).fill_null(False)
    words = pl.col("text").str.to_lowercase().str.replace_all(r"\s+", " ").str.strip_chars(" ")
    rows = theirs.filter(shared).with_columns(
        pl.when(unknown).then(pl.format("\0{}", "row")).otherwise(words).alias("text")
    )
    told = pl.col("text") != ""
    rows = rows.filter(told | ~told.any().over("key"))
    lowest, differ = pl.col("row").min().over("key"), pl.col("text").n_unique().over("key") > 1
    return pl.concat([single, rows.select("key", "row", lowest.alias("report"), differ.alias("ambiguous"))])


def _judge(found: pl.DataFrame, reports: pl.DataFrame, rules: PairRules) -> pl.DataFrame:
    """``row, report, reason`` of the images whose key found something."""
    theirs = reports.select(pl.col("row").alias("report"), pl.col("patient").alias("other"), "reason")
    both = found.join(theirs, on="report", how="left")
    mine, other = pl.col("patient").str.to_lowercase(), pl.col("other").str.to_lowercase()
    stranger = (mine != other) & (mine != "") & (other != "") & pl.lit(rules.require_same_patient)
    reason = (
        pl.when("ambiguous").then(_lit(Reason.AMBIGUOUS_REPORT))
        .when(stranger).then(_lit(Reason.PATIENT_MISMATCH))
        .otherwise("reason")
    )  # fmt: skip
    refused = pl.col("ambiguous") | stranger
    return both.select("row", pl.when(~refused).then("report").alias("report"), reason.alias("reason"))


def _report_fates(reports: pl.DataFrame, used: pl.Series) -> pl.DataFrame:
    is_used = pl.col("row").is_in(used.implode())
    orphan = pl.when(~is_used).then(_lit(Reason.ORPHAN_REPORT))
    return reports.select("row", is_used.alias("used"), pl.coalesce("reason", orphan).alias("reason")).sort("row")


def _keyed(frame: pl.DataFrame, key: str) -> pl.DataFrame:
    """``frame`` with the column ``key``: what this identity is compared by, "" where it has none."""
    if key == "patient_date":
        day = _day(pl.col("date"))
        known = (pl.col("patient") != "") & day.is_not_null()
        value = pl.when(known).then(pl.concat_str(pl.col("patient").str.to_lowercase(), pl.lit("\0"), day))
        return frame.with_columns(value.fill_null("").alias("key"))
    return frame.with_columns((_posix(pl.col("image")) if key == "image" else pl.col(key)).alias("key"))


def _day(date: pl.Expr) -> pl.Expr:
    """YYYYMMDD, or null. Year first (DICOM DA or DT, ISO 8601) or day first with dots; 01/02/2024 could be two days."""
    parts = [date.str.extract_groups(form) for form in _DATES]
    year, month, day = (
        pl.coalesce(p.struct.field(name) for p in parts).str.zfill(width)
        for name, width in (("y", 4), ("m", 2), ("d", 2))
    )
    return pl.concat_str(year, month, day).str.to_date("%Y%m%d", strict=False).dt.strftime("%Y%m%d")


def _by_image(reports: pl.DataFrame, images: pl.DataFrame) -> pl.DataFrame:
    """``key``: the relative path of the image that the report names by path, or by a file name unique in the archive.

    A path that starts elsewhere (an absolute one, a parent's) counts where one path is the end of the other.
    """
    paths = images.select(_posix(pl.col("image")).alias("path")).filter(pl.col("path") != "").unique()
    names = paths.with_columns(_name("path")).filter(pl.col("name").is_unique())
    frame = reports.with_columns(_posix(pl.col("image")).alias("asked")).with_columns(_name("asked"))
    frame = frame.join(names, on="name", how="left")
    whole = pl.concat_str(pl.lit("/"), "path")
    asked = pl.concat_str(pl.lit("/"), pl.col("asked").str.strip_prefix("/"))
    fits = whole.str.ends_with(asked) | asked.str.ends_with(whole)
    exact = pl.col("asked").is_in(paths["path"].implode())
    return frame.with_columns(pl.when(exact).then("asked").when(fits).then("path").otherwise(pl.lit("")).alias("key"))


def _posix(path: pl.Expr) -> pl.Expr:
    return path.str.replace_all("\\", "/", literal=True).str.replace(r"^(?:\./+)+", "")


def _name(path: str) -> pl.Expr:
    return pl.col(path).str.split("/").list.last().alias("name")


def _lit(reason: Reason) -> pl.Expr:
    return pl.lit(reason.value, pl.String)
