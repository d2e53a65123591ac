"""Buckets of who could meet pair as the whole archive does, whatever ids, names and places lead to whom."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.ingest.files import ids_of_files, with_column
from curate.ingest.index import Matched, match, match_part, read_as_reports, report_table, with_source
from curate.ingest.links import buckets_of, links_of_files, links_of_reports, none_of
from curate.ingest.rules import IndexRules
from curate.record import Reason
from curate.sources.identity import placeholders, telling_ids
from curate.sources.pairing.coverage import Tally
from curate.sources.pairing.known import IDS, IdSurvey
from curate.sources.pairing.rules import PairRules
from curate.sources.reports.report import Report
from curate.sources.scan import SCAN
from tests.curate.indexing import sources
from tests.curate.test_index import file

KEYS = ("accession", "study", "patient_date", "image")
CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
BOTH = sources("a", "b")
RULES = {
    "usual": IndexRules(PairRules(), BOTH),
    "ignoring": IndexRules(PairRules(ignore=("leading_zeros", "prefix")), BOTH),
    "strangers": IndexRules(PairRules(by=KEYS, require_same_patient=False, unpaired_images="keep"), BOTH),
    "names": IndexRules(PairRules(by=("image", "accession")), BOTH),
    "names alone": IndexRules(PairRules(by=("image",)), BOTH),
    "middle": IndexRules(PairRules(per_series="middle"), BOTH),
    "key": IndexRules(PairRules(by=("image", "study"), per_series="key", slices=1), BOTH),
    "paths": IndexRules(files=BOTH | sources("a", key_pattern=r"p(?P<patient>\d+)/s(?P<study>\d+)", key_first="path")),
    "headers": IndexRules(files=BOTH | sources("b", key_pattern=r"p(?P<patient>\d+)/s(?P<accession>\d+)")),
}


def some_file(rng: random.Random, i: int) -> dict[str, Any]:
    """A file whose name, ids and kind are another's as often as not."""
    suffix = rng.choice((".dcm", ".png", ".PNG", ".jpg", ""))
    name = f"p{rng.randrange(6)}/s{rng.randrange(4)}/{rng.choice(('view', 'View', f'im{rng.randrange(9)}'))}{suffix}"
    kind = rng.choice(("dicom", "png", "png"))
    told = {"accession": rng.choice(("", "0", "n/a", f"A{rng.randrange(12)}", f"00{rng.randrange(9)}", "1111"))}
    told |= {"study_uid": rng.choice(("", f"1.2.{rng.randrange(9)}", f"1.2.{rng.randrange(9)}"))}
    told |= {"patient_id": rng.choice(("", "ANON", f"P{rng.randrange(6)}", f"{rng.randrange(12)}"))}
    told |= {"study_date": rng.choice(("", "20240102", "20240103")), "series_uid": f"1.9.{rng.randrange(9)}"}
    told |= {"sop_class": rng.choice(("", "", CAPTURE)), "reason": rng.choice((None, None, None, "not_an_image"))}
    made = file(f"{i}/{name}" if rng.random() < 0.4 else name, kind=kind, instance=i, modality="CT", **told)
    return made | ({"sample": f"case{rng.randrange(9)}"} if rng.random() < 0.1 else {})


def some_report(rng: random.Random, i: int, names: list[str]) -> Report:
    named = rng.choice(names)
    changes = (named, named.rpartition(".")[0], f"./{named}", named.rpartition("/")[2], named.upper(), "", f"x/{named}")
    image = rng.choice((*changes, f"{named};{rng.choice(names)}", f"case{rng.randrange(9)}", "nowhere.png"))
    accession = rng.choice(("", "0", f"A{rng.randrange(12)}", f"{rng.randrange(9)}", f"A{i}; A{rng.randrange(12)}"))
    return Report(
        row=f"0/r.csv#{i}" if i % 2 else f"0/{named}",
        text=f"image {rng.randrange(9)} said {rng.randrange(3)}",
        accession=accession,
        study=rng.choice(("", f"1.2.{rng.randrange(9)}")),
        patient=rng.choice(("", f"P{rng.randrange(6)}", "anon", f"X7^^^A~P{rng.randrange(6)}^^^B")),
        date=rng.choice(("", "20240102", "2024-01-03")),
        image=image,
        file=rng.choice(("", "/a/r.csv", f"/a/{named}", f"/b/{named}")),
        reason=rng.choice((None, None, Reason.NOT_A_REPORT)),
        several=rng.choice(("ambiguous", "join")),
    )


def by_row(matched: Matched, rows: np.ndarray, reports: np.ndarray) -> dict[int, Any]:
    """Of each file (by its number in the archive) the reports it was given, by their numbers, and its reason."""
    told: dict[int, Any] = {}
    columns = (matched.files[name].to_pylist() for name in ("report", "also", "reason"))
    for row, report, also, reason in zip(rows.tolist(), *columns, strict=True):
        given = [] if report is None else [int(reports[r]) for r in (report, *(also or ()))]
        told[row] = given, reason
    ends = matched.reports.select(["used", "reason"]).to_pylist()
    return told | {-1 - int(number): tuple(end.values()) for number, end in zip(reports, ends, strict=True)}


@pytest.mark.parametrize("seed", (2, 6))
@pytest.mark.parametrize("name", RULES)
def test_parts_pair_as_the_whole(name: str, seed: int) -> None:
    rng, rules = random.Random(seed), RULES[name]
    tables = [(n, pa.Table.from_pylist([some_file(rng, i) for i in range(14)], SCAN)) for n in ("a", "b")]
    files = pa.concat_tables([with_source(table, n) for n, table in tables])
    names = files["relative"].to_pylist()
    reports = [some_report(rng, i, names) for i in range(18)]
    whole = match(tables, reports, rules)

    told = report_table(reports)
    known = ids_of_files(files, rules.files).add_cells("reports", told.select(IDS).to_pydict()).known()
    links = links_of_files(files, rules), links_of_reports(reports, rules, known.inside)
    bucket, read = buckets_of(*links, (files.num_rows, len(reports)), none_of(known), 1)
    files = with_column(files, "reason", read_as_reports(files, read.tolist()))
    found: dict[int, Any] = {}
    counts = []
    for number in range(bucket.max() + 1):
        rows = np.flatnonzero(bucket[: files.num_rows] == number)
        theirs = np.flatnonzero(bucket[files.num_rows :] == number)
        mine = [reports[i] for i in theirs]
        matched = match_part(files.take(pa.array(rows, pa.int64())), mine, report_table(mine), rules, known)
        found |= by_row(matched, rows, theirs)
        counts.append(matched.counts.table())
    assert found == by_row(whole, np.arange(files.num_rows), np.arange(len(reports)))
    assert Tally.of_tables(counts) == whole.counts
    assert sorted(set(bucket.tolist())) == list(range(bucket.max() + 1))


@given(
    st.lists(
        st.sampled_from(
            [
                "0",
                "00",
                "000",
                "1",
                "01",
                "001",
                "99",
                "98",
                "100",
                "9999",
                "9998",
                "10000",
                "111",
                "112",
                "11",
                "n/a",
                "temp",
                "--",
                "A0",
                "0a",
                "\u1369",
                "0" * 5000,
            ]
        )
    )
)
def test_telling_ids_of_parts_say_what_all_say(ids: list[str]) -> None:
    parts = telling_ids(ids[::2]) | telling_ids(ids[1::2])
    assert placeholders(parts) == placeholders(ids)
    survey = IdSurvey().add_cells("images", dict.fromkeys(IDS, ids))
    assert survey.known() == IdSurvey().add_table(survey.table()).known()


def test_who_shares_nothing_is_apart() -> None:
    """Names alone, all unlike: as many buckets as there are pairs."""
    rules = RULES["names"]
    files = with_source(pa.Table.from_pylist([file(f"{i}/view.png", kind="png") for i in range(50)], SCAN), "a")
    reports = [Report(f"0/r.csv#{i}", "Clear.", image=f"{i}/view.png", file="/a/r.csv") for i in range(50)]
    known = ids_of_files(files, rules.files).add_cells("reports", report_table(reports).to_pydict()).known()
    links = links_of_files(files, rules), links_of_reports(reports, rules, known.inside)
    bucket, _ = buckets_of(*links, (50, 50), none_of(known), 1)
    assert bucket.max() == 49 and (bucket[:50] == bucket[50:]).all()
    assert not buckets_of(*links, (50, 50), none_of(known), 100)[0].any()  # all fit into one
