"""What images and reports are compared by: ids in one spelling, a cell's list of ids, a patient on a day, a path."""

from __future__ import annotations

import polars as pl
import pyarrow as pa

from curate.record import Reason
from curate.sources.days import sure_day
from curate.sources.identity import PADDING, canonical_id, canonical_ids, listed, separators
from curate.sources.pairing.known import KnownIds

_COLUMNS = ["row", "accession", "study", "patient", "date", "image"]
_OPTIONAL = ["text", "reason", "status", "order", "several"]


def frames_of(
    images: pa.Table, reports: pa.Table, ignore: tuple[str, ...], known: KnownIds
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Both tables with their columns as strings, ids canonical; ``accession_raw`` and ``study_raw``: as written;
    ``patient_bare``: without what is ignored; ``owner``: that, or of a report without a patient its study's.

    What stands for no id is none, as ``known`` says of the images' ids and of both sides' patients. ValueError where
    ``row`` is not unique.
    """
    left, right = _frame(images), _frame(reports)
    right = right.with_columns(_known_repetition(reports["patient"], right["patient"], left["patient"]))
    left = left.with_columns(_without(name, known.none["images", name]) for name in ("accession", "study"))
    left, right = (
        frame.with_columns(_without("patient", known.nobody)).with_columns(patient_bare=bare(pl.col("patient"), ignore))
        for frame in (left, right)
    )
    whose = left.filter((pl.col("study") != "") & (pl.col("patient_bare") != ""))
    whose = whose.select("study", owner="patient_bare").unique().filter(~pl.col("study").is_duplicated())
    right = right.join(whose, on="study", how="left", maintain_order="left")
    own = pl.when(pl.col("patient_bare") != "").then("patient_bare")
    return left, right.with_columns(owner=pl.coalesce(own, "owner", pl.lit("")))


def _known_repetition(cells: pa.ChunkedArray, patients: pl.Series, known: pl.Series) -> pl.Series:
    """``patients``, the reports' canonical ids; of an HL7 list, if its best is no image's, the first that is one."""
    ids, chosen = set(known.unique()), patients.to_list()
    for i, cell in enumerate(cells.to_pylist()):
        if cell and "~" in cell and chosen[i] not in ids:
            parts = map(canonical_id, cell.split("~"))
            chosen[i] = next((part for part in parts if part and part in ids), chosen[i])
    return pl.Series("patient", chosen, pl.String)


def _without(name: str, values: frozenset[str]) -> pl.Expr:
    return pl.when(pl.col(name).is_in(sorted(values))).then(pl.lit("")).otherwise(name).alias(name)


def _frame(table: pa.Table) -> pl.DataFrame:
    present = [name for name in _OPTIONAL if name in table.column_names]
    frame = pl.DataFrame(pl.from_arrow(table.select([*_COLUMNS, *present])))
    if frame["row"].is_duplicated().any():
        raise ValueError("row is not unique")
    strings = [pl.col(name).cast(pl.String) for name in frame.columns if name != "row"]
    absent = [pl.lit(None, pl.String).alias(name) for name in _OPTIONAL if name not in present]
    frame = frame.with_columns(pl.col("row").cast(pl.Int64), *strings, *absent)
    frame = frame.with_columns(pl.col(*_COLUMNS[1:], "status", "order").fill_null("").str.strip_chars(PADDING))
    frame = frame.with_columns(pl.col("several").fill_null("ambiguous"))
    frame = frame.with_columns(pl.col(name).alias(f"{name}_raw") for name in ("accession", "study"))
    return frame.with_columns(canonical_ids(name) for name in ("accession", "study", "patient"))


def bare(ids: pl.Expr, ignore: tuple[str, ...]) -> pl.Expr:
    """Canonical ids without what is ignored in them; UIDs, whose points part their numbers, as they are."""
    bare_ids = ids
    if "punctuation" in ignore:
        bare_ids = bare_ids.str.replace_all(r"[^\p{L}\p{N}]", "")
    if "prefix" in ignore:
        bare_ids = bare_ids.str.replace(r"^\p{L}[\p{L} ._-]*(\d)", "$1")
    if "leading_zeros" in ignore:
        bare_ids = bare_ids.str.replace(r"^0+(\d+)$", "$1")
    return pl.when(ids.str.contains(r"^\d+(\.\d+){2,}$")).then(ids).otherwise(bare_ids)


def keys_of(
    images: pl.DataFrame, reports: pl.DataFrame, key: str, ignore: tuple[str, ...], known: KnownIds
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Both frames with the column ``key``, what this identity is compared by, "" where there is none; a report that
    lists several has a row for each. ``unlike``: of a relaxed key, that images of different ids share it."""
    if key == "image":
        return images.with_columns(key=_posix(pl.col("image"))), _by_image(reports, images)
    if key == "patient_date":
        patient = "patient_bare" if ignore else "patient"
        mine, theirs = (frame.with_columns(key=_patient_day(patient)) for frame in (images, reports))
    else:
        theirs = _listed(reports, key, images[key], known.inside[key])
        mine, theirs = images.with_columns(key=pl.col(key)), theirs.unique(["row", "key"], maintain_order=True)
        if ignore:
            mine, theirs = (frame.with_columns(key=bare(pl.col("key"), ignore)) for frame in (mine, theirs))
            theirs = theirs.unique(["row", "key"], maintain_order=True)
    exact = pl.col("patient" if key == "patient_date" else key)
    return mine.with_columns(unlike=exact.n_unique().over("key") > 1), theirs


def _listed(reports: pl.DataFrame, key: str, known: pl.Series, inside: str) -> pl.DataFrame:
    """``reports`` with ``key``, one row for each id that a cell lists: where no image has the whole cell for its id.

    A character that stands ``inside`` the images' own ids separates nothing.
    """
    raw = pl.col(f"{key}_raw")
    whole = pl.col(key).is_in(known.unique().implode())
    lists = (raw.str.contains(r"[;|~,/&+\s\[]") & ~whole) | raw.str.contains(r"[\\~]")
    cells = reports.filter(lists)[f"{key}_raw"].unique().to_list()
    parts = [listed_ids(cell, inside) for cell in cells]
    several = pl.DataFrame(
        {f"{key}_raw": cells, "key": parts}, schema={f"{key}_raw": pl.String, "key": pl.List(pl.String)}
    )
    frame = reports.join(several, on=f"{key}_raw", how="left")
    return frame.with_columns(pl.coalesce("key", pl.concat_list(key))).explode("key")


def listed_ids(cell: str, inside: str) -> list[str]:
    """The canonical ids that a cell lists, or its own; what stands ``inside`` ids separates nothing."""
    return [i for each in listed(cell, separators(inside)) if (i := canonical_id(each))]


def by_patient(mine: pl.DataFrame, theirs: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Keys under which several patients are known, on either side, lead each patient's images to that one's reports.

    (images, reports, refused): ``refused`` are the images whose key leads only to others' reports
    (PATIENT_MISMATCH) or to ones of whom nobody says whose they are (SEVERAL_PATIENTS).
    """
    known = pl.concat([mine.select("key", who="patient_bare"), theirs.select("key", who="owner")])
    known = known.filter(pl.col("who") != "").unique()
    keys = known.filter(pl.col("key").is_duplicated())["key"].unique().implode()
    shared = pl.col("key").is_in(keys)
    unknown = theirs.filter(shared & (pl.col("owner") == ""))["key"].unique().implode()
    of_others = ~pl.col("key").is_in(unknown) & (pl.col("patient_bare") != "")
    reason = (
        pl.when(of_others).then(pl.lit(Reason.PATIENT_MISMATCH.value)).otherwise(pl.lit(Reason.SEVERAL_PATIENTS.value))
    )
    met = mine.filter(shared & pl.col("key").is_in(theirs["key"].unique().implode())).with_columns(refusal=reason)
    # a report of nobody known is no one's of several: its key ends as no image's does
    mine = mine.with_columns(
        key=pl.when(shared).then(pl.concat_str("key", pl.lit("\0"), "patient_bare")).otherwise("key")
    )
    ends = pl.when(pl.col("owner") == "").then(pl.lit("\0")).otherwise("owner")
    theirs = theirs.with_columns(key=pl.when(shared).then(pl.concat_str("key", pl.lit("\0"), ends)).otherwise("key"))
    refused = met.join(mine.join(theirs, on="key", how="semi"), on="row", how="anti")
    return mine, theirs, refused


def of_another_study(
    found: pl.DataFrame, mine: pl.DataFrame, reports: pl.DataFrame, compare: bool
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Of the images that their patient's day has led to a report: (those whose study it is, ``refused``).

    A day of several studies does not say which of them the report is of, and a report under another accession number
    of the same form (``compare``) is another study's; of another form it may be the same one, spelt otherwise.
    """
    study, accession = (pl.col(name).filter(pl.col(name) != "").n_unique() for name in ("study", "accession"))
    counts = mine.group_by("key").agg(studies=study, numbers=accession)
    several = counts.filter((pl.col("studies") > 1) | ((pl.col("studies") == 0) & (pl.col("numbers") > 1)))["key"]
    found = found.join(reports.select(report="row", other="accession"), on="report", how="left")
    own, other = (
        pl.col(name).str.replace_all(r"\p{L}", "a").str.replace_all(r"\p{N}", "#") for name in ("accession", "other")
    )
    differs = (pl.col("accession") != pl.col("other")) & (own == other) & (own != "") & pl.lit(compare)
    is_other = ~pl.col("ambiguous") & (pl.col("key").is_in(several.implode()) | differs)
    refused = found.filter(is_other).with_columns(refusal=pl.lit(Reason.ANOTHER_STUDY.value))
    return found.filter(~is_other).drop("other"), refused.drop("other")


def _patient_day(patient: str) -> pl.Expr:
    when = day(pl.col("date"))
    known = (pl.col(patient) != "") & when.is_not_null()
    return pl.when(known).then(pl.concat_str(pl.col(patient), pl.lit("\0"), when)).otherwise(pl.lit(""))


def day(date: pl.Expr) -> pl.Expr:
    """YYYYMMDD of the day that `sure_day` reads, or null."""
    return date.map_batches(_days, pl.String)


def _days(values: pl.Series) -> pl.Series:
    known = values.unique().to_list()
    days = [found.strftime("%Y%m%d") if (found := sure_day(value or "")) else None for value in known]
    return values.replace_strict(known, days, return_dtype=pl.String) if known else values


def _by_image(reports: pl.DataFrame, images: pl.DataFrame) -> pl.DataFrame:
    """``key``: the relative path of the image that the report names by path, or by a file name unique in the archive.

    A path that starts elsewhere (an absolute one, a parent's) counts where one path is the end of the other. A cell
    that is no image's path may list several, separated by semicolons, bars or commas.
    """
    paths = images.select(_posix(pl.col("image")).alias("path")).filter(pl.col("path") != "").unique()
    names = paths.with_columns(_name("path")).filter(pl.col("name").is_unique())
    frame = reports.with_columns(_posix(pl.col("image")).alias("whole"))
    parts = pl.col("whole").str.replace_all("[;|,]", "\0").str.split("\0")
    frame = frame.with_columns(named=pl.concat_list("whole", parts).list.unique(maintain_order=True)).explode("named")
    is_whole = pl.col("named") == pl.col("whole")
    bare_part = _posix(pl.col("named").str.strip_chars(PADDING + "[]'\""))
    frame = frame.with_columns(pl.when(is_whole).then("named").otherwise(bare_part).alias("named"), is_whole=is_whole)
    frame = frame.with_columns(_name("named")).join(names, on="name", how="left")
    whole = pl.concat_str(pl.lit("/"), "path")
    named = pl.concat_str(pl.lit("/"), pl.col("named").str.strip_prefix("/"))
    fits = whole.str.ends_with(named) | named.str.ends_with(whole)
    exact = pl.col("named").is_in(paths["path"].implode())
    key = pl.when(exact).then("named").when(fits).then("path").otherwise(pl.lit("")).alias("key")
    frame = frame.with_columns(key)
    whole_found = (pl.col("is_whole") & (pl.col("key") != "")).any().over("row")
    return frame.filter(pl.col("is_whole") | ~whole_found).unique(["row", "key"], maintain_order=True)


def _posix(path: pl.Expr) -> pl.Expr:
    return path.str.replace_all("\\", "/", literal=True).str.replace(r"^(?:\./+)+", "")


def _name(path: str) -> pl.Expr:
    return pl.col(path).str.split("/").list.last().alias("name")
