"""Which report belongs to which image: by equal identities, counted by Reason where they do not decide, never guessed.

Both sides are tables of identity columns; the joins are polars, so a million images pair in seconds. The result is a
function of the rows' values alone: the order of the tables, and of the threads, does not matter. What makes two
spellings one identity is `curate.sources.identity`'s, which of several reports is the one
`curate.sources.pairing.several`'s.
"""

from __future__ import annotations

from typing import Any

import polars as pl
import pyarrow as pa

from curate.record import Reason
from curate.sources.pairing.keys import bare, by_patient, frames_of, keys_of, of_another_study
from curate.sources.pairing.known import IDS, IdSurvey, KnownIds
from curate.sources.pairing.rules import PairRules, Several
from curate.sources.pairing.several import Candidate, resolve

IMAGE_MATCH = pa.schema(
    [("row", pa.int64()), ("report", pa.int64()), ("also", pa.list_(pa.int64())), ("reason", pa.string())]
)
REPORT_MATCH = pa.schema([("row", pa.int64()), ("used", pa.bool_()), ("reason", pa.string())])
_NO_PARTS = pl.lit([], pl.List(pl.Int64))
_NOBODY, _NONE = pl.lit(None, pl.Int64), pl.lit(None, pl.String)
_DECIDED = ("row", "patient", "key", "turn", "report", "also")


def pair(
    images: pa.Table, reports: pa.Table, rules: PairRules, known: KnownIds | None = None
) -> tuple[pa.Table, pa.Table]:
    """Match every image with at most one report; returns (image_match, report_match), each sorted by ``row``.

    ``images``: ``row`` int64, unique, and the strings ``accession, study, patient, date, image`` ("" or null: absent;
    ``image`` is the relative path). ``reports``: the same columns, ``image`` being the file it names, and optionally
    ``text`` (the report, or a digest of it: only compared), ``reason`` (a Reason's value or null: why it is bad),
    ``status``, ``order`` and ``several`` (`curate.sources.pairing.several`). A report's accession, study or image
    may list several, of which each is its own. ``known``: what is known of the archive whose part they are, by default
    what they say themselves.

    For each image the first key of ``rules.by`` that it has and that some report shares decides, by equal ids, else by
    what ``rules.ignore`` leaves of them: one report is a match; of several one that `resolve` chooses, else they are
    AMBIGUOUS_REPORT; reports of equal text (case and white space apart) count as one, the lowest row, and one without
    text steps aside for one with text. No key: ORPHAN_IMAGE. Both patients known and different: PATIENT_MISMATCH. Where
    several patients share a key, each has the reports that name it (or its study), and a report that names nobody is
    no one's: SEVERAL_PATIENTS. By patient and day, a report that may be of another study is none: ANOTHER_STUDY. What
    stands for no id ("0", "n/a", "TEMP") is none. A bad report's reason becomes that of the images it matches.

    image_match: ``row``, ``report`` int64 (null: none), ``also`` (reports that follow it: addenda), ``reason`` (null:
    paired). report_match: ``row``, ``used`` (an image has it, or its equal), ``reason``: its own, else SUPERSEDED where
    an image has a later one in its place or it was cancelled, else ORPHAN_REPORT where not used, else null.
    """
    known = known or known_of(images, reports)
    left, right = frames_of(images, reports, rules.ignore, known)
    current = right.filter(pl.col("status") != "void")
    decided: list[pl.DataFrame] = []
    members: list[pl.DataFrame] = []
    pending = left
    for key in rules.by:
        for relaxed in (False, True) if rules.ignore and key != "image" else (False,):
            mine, theirs = keys_of(left, current, key, rules.ignore if relaxed else (), known)
            mine, turn = mine.filter(pl.col("key") != ""), pl.lit(len(decided)).alias("turn")
            refused = mine.clear().with_columns(refusal=_NONE)
            if rules.require_same_patient:
                mine, theirs, refused = by_patient(mine, theirs)
            members.append(_grouped(theirs.join(mine, on="key", how="semi")).with_columns(turn))
            mine_all, mine = mine, mine.join(pending, on="row", how="semi")
            groups = members[-1].filter("leads").select("key", "report", "also", "ambiguous", "turn")
            found = mine.join(groups, on="key")
            if key == "patient_date":
                found, others = of_another_study(found, mine_all, right, "accession" in rules.by)
                refused = pl.concat([refused, others.select(refused.columns)])
            strange = pl.col("ambiguous") | (pl.col("unlike") & relaxed if key != "image" else False)
            found = found.select(*_DECIDED, ambiguous=strange, refusal=_NONE)
            refused = refused.join(pending, on="row", how="semi").with_columns(turn, report=_NOBODY, also=_NO_PARTS)
            decided.append(pl.concat([found, refused.select(*_DECIDED, "refusal", ambiguous=False)], how="diagonal"))
            pending = pending.join(decided[-1], on="row", how="anti")
    found = _judge(pl.concat(decided), right, rules)
    orphans = pending.select("row", report=pl.lit(None, pl.Int64), also=_NO_PARTS, reason=_lit(Reason.ORPHAN_IMAGE))
    image_match = pl.concat([found.select(orphans.columns), orphans]).sort("row")
    report_match = _report_outcomes(right, pl.concat(members), found)
    return image_match.to_arrow().cast(IMAGE_MATCH), report_match.to_arrow().cast(REPORT_MATCH)


def known_of(images: pa.Table, reports: pa.Table) -> KnownIds:
    """What these tables' own ids say."""
    survey = IdSurvey().add_cells("images", images.select(IDS).to_pydict())
    return survey.add_cells("reports", reports.select(IDS).to_pydict()).known()


def _grouped(theirs: pl.DataFrame) -> pl.DataFrame:
    """The rows under each key that count: ``key, row, report, also, ambiguous, leads, superseded``.

    ``report`` is the lowest row of equal text; the one line of a key that ``leads`` says which report and which
    ``also`` the key leads to, or that it is ``ambiguous``.
    """
    shared = pl.col("key").is_duplicated()
    single = theirs.filter(~shared).select(*_member())
    # texts are only looked at where rows meet; what a row without one, or with an unreadable one, says is not known
    unknown = pl.col("text").is_null() | (pl.col("reason") != Reason.EMPTY_REPORT.value).fill_null(False)
    words = pl.col("text").str.to_lowercase().str.replace_all(r"\s+", " ").str.strip_chars(" ")
    rows = theirs.filter(shared).with_columns(
        pl.when(unknown).then(pl.format("\0{}", "row")).otherwise(words).alias("text")
    )
    has_text = pl.col("text") != ""
    rows = rows.filter(has_text | ~has_text.any().over("key"))
    rows = rows.with_columns(report=pl.col("row").min().over("key", "text"))
    differ = pl.col("text").n_unique().over("key") > 1
    alike = rows.filter(~differ).select(*_member(report=pl.col("report"), leads=pl.col("row") == pl.col("report")))
    return pl.concat([single, alike, _resolved(rows.filter(differ))])


_MEMBER = ("key", "row", "report", "also", "ambiguous", "leads", "superseded")


def _member(**other: pl.Expr) -> list[pl.Expr]:
    """The columns of `_grouped`, as of a report that stands alone but for ``other``."""
    no = pl.lit(False)
    usual = {"report": pl.col("row"), "also": _NO_PARTS, "ambiguous": no, "leads": pl.lit(True), "superseded": no}
    return [pl.col("key"), pl.col("row"), *(expr.alias(name) for name, expr in (usual | other).items())]


def _resolved(rows: pl.DataFrame) -> pl.DataFrame:
    """Of keys under which texts differ: which report is the one, by `resolve`, or that it is not known."""
    members: list[tuple[str, int, int, list[int], bool, bool, bool]] = []
    for (key,), group in rows.sort("row").group_by("key", maintain_order=True):
        records = group.to_dicts()
        rules = {r["several"] for r in records}
        rule: Several = rules.pop() if len(rules) == 1 else "ambiguous"
        if rule == "join":
            _set_apart(records)
        chosen = resolve(_candidates(records), rule)
        known, also = chosen is not None, list(chosen[1:]) if chosen else []
        leader = chosen[0] if chosen else records[0]["row"]
        for r in records:
            past = chosen is not None and r["report"] not in chosen
            members.append((str(key), r["row"], r["report"], also, not known, r["row"] == leader, past))
    types = (pl.String, pl.Int64, pl.Int64, pl.List(pl.Int64), pl.Boolean, pl.Boolean, pl.Boolean)
    return pl.DataFrame(members, schema=dict(zip(_MEMBER, types, strict=True)), orient="row")


def _set_apart(records: list[dict[str, Any]]) -> None:
    """Equal texts of rows that are joined are as many lines of one report ("Normal." of each side): the same one only
    where both stand at one place of an order that tells lines apart, or where all of the rows stand there again."""
    texts, orders = [r["text"] for r in records], [r["order"] for r in records]
    again = next((n for n in range(1, len(texts)) if texts == texts[:n] * (len(texts) // n)), len(texts))
    apart = len(set(orders)) > 1 and len(set(zip(texts, orders, strict=True))) == len(set(orders))
    first: dict[tuple[str, str, int], int] = {}
    for i, r in enumerate(records):
        place = (r["text"], r["order"], 0) if apart else ("", "", i % again)
        r["report"] = first.setdefault(place, r["row"])


_STANDING = ("preliminary", "", "addendum", "final", "corrected")  # of equal texts the highest says what they are


def _candidates(records: list[dict[str, Any]]) -> list[Candidate]:
    """One for each text among the rows of a key."""
    best: dict[int, dict[str, Any]] = {}
    for r in records:
        if r["report"] not in best or _STANDING.index(r["status"]) > _STANDING.index(best[r["report"]]["status"]):
            best[r["report"]] = r
    return [
        Candidate(row, r["status"], r["order"], r["patient"], not r["text"].startswith("\0")) for row, r in best.items()
    ]


def _judge(found: pl.DataFrame, reports: pl.DataFrame, rules: PairRules) -> pl.DataFrame:
    """``row, report, also, reason, key, turn`` of the images whose key found something."""
    theirs = reports.select(pl.col("row").alias("report"), pl.col("patient").alias("other"), "reason")
    both = found.join(theirs, on="report", how="left")
    mine, other = bare(pl.col("patient"), rules.ignore), bare(pl.col("other"), rules.ignore)
    stranger = (mine != other) & (mine != "") & (other != "") & pl.lit(rules.require_same_patient)
    refused = pl.col("ambiguous") | stranger | pl.col("refusal").is_not_null()
    reason = (
        pl.when(pl.col("refusal").is_not_null()).then("refusal")
        .when("ambiguous").then(_lit(Reason.AMBIGUOUS_REPORT))
        .when(stranger).then(_lit(Reason.PATIENT_MISMATCH))
        .otherwise("reason")
    )  # fmt: skip
    return both.select(
        "row",
        pl.when(~refused).then("report").alias("report"),
        pl.when(refused).then(_NO_PARTS).otherwise("also").alias("also"),
        reason.alias("reason"),
        "key",
        "turn",
    )


def _report_outcomes(reports: pl.DataFrame, members: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    had = found.filter(pl.col("report").is_not_null())
    chosen = pl.concat([had["report"], had["also"].explode()]).drop_nulls().unique()
    sure = members.filter(~pl.col("ambiguous"))
    used = sure.filter(pl.col("report").is_in(chosen.implode()) & ~pl.col("superseded"))["row"]
    past = sure.filter("superseded").join(had, on=["turn", "key"], how="semi")["row"]
    is_used = pl.col("row").is_in(used.implode())
    is_past = pl.col("row").is_in(past.implode()) | (pl.col("status") == "void")
    outcome = (
        pl.when(is_used).then(None)
        .when(is_past).then(_lit(Reason.SUPERSEDED))
        .otherwise(_lit(Reason.ORPHAN_REPORT))
    )  # fmt: skip
    return reports.select("row", is_used.alias("used"), pl.coalesce("reason", outcome).alias("reason")).sort("row")


def _lit(reason: Reason) -> pl.Expr:
    return pl.lit(reason.value, pl.String)
