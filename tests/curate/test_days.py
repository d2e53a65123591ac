"""Days as cells write them, and which of two a column's other cells prove."""

from __future__ import annotations

import datetime as dt

import pytest

from curate.deid.pseudonym import Pseudonymizer
from curate.deid.rules import TextRules
from curate.deid.text.scrub import scrub
from curate.deid.verify.finding import Finding
from curate.deid.verify.text import text_findings
from curate.sources.days import day_first, possible_days, sure_day, whole_day


@pytest.mark.parametrize(
    ("cell", "first"),
    [("22/01/2024", True), ("1/22/2024 10:05", False), ("13.12.18", True), ("12-13-2018", False),
     ("01/02/2024", None), ("2024-01-22", None), ("22 Jan 2024", None), ("22/23/2024", None), ("22/01-2024", None)],
)  # fmt: skip
def test_a_date_shows_the_order_of_its_day_and_month(cell: str, first: bool | None) -> None:
    assert day_first(cell) is first


@pytest.mark.parametrize(
    ("cell", "proven", "day"),
    [
        ("11.12.2018", (), (2018, 12, 11)),  # dots, and nobody says otherwise
        ("11.12.2018 08:30", (False,), (2018, 11, 12)),
        ("11/12/2018", (), (2018, 11, 12)),
        ("11/12/2018", (True,), (2018, 12, 11)),
        ("11/12/2018", (True, False), None),  # a column of both orders
        ("13/12/2018", (True, False), (2018, 12, 13)),
        ("2018-12-11", (True, False), (2018, 12, 11)),
        ("12 Mark 2020", (), None),
        ("12. März 2020", (), (2020, 3, 12)),
    ],
)
def test_of_two_days_it_is_the_one_that_the_column_proves(
    cell: str, proven: tuple[bool, ...], day: tuple[int, int, int] | None
) -> None:
    assert whole_day(cell, proven) == (day and dt.date(*day))


def test_a_name_like_a_month_is_no_month() -> None:
    assert sure_day("12 Mark 2020") is None is sure_day("12 Junge 2020")
    assert sure_day("12 märz 2020") == sure_day("Mar. 12, 2020") == sure_day("12-MAR-20") == dt.date(2020, 3, 12)


@pytest.mark.parametrize(
    ("cell", "month"), [("3 janv. 2024", 1), ("3 févr. 2024", 2), ("3. Febr. 2024", 2), ("3 juill. 2024", 7)]
)
def test_months_as_french_german_and_dutch_shorten_them(cell: str, month: int) -> None:
    assert sure_day(cell) == whole_day(cell) == dt.date(2024, month, 3)
    text = f"Comparison with {cell}."
    assert scrub(text, (), "p", Pseudonymizer(bytes(32)), TextRules("mask")) == "Comparison with [DATE]."
    assert Finding.DATE in text_findings([text], (), [text])


def test_both_days_of_a_birth_are_known() -> None:
    assert possible_days("03/04/1950") == (dt.date(1950, 4, 3), dt.date(1950, 3, 4))
