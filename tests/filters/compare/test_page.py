"""The page answers, for any names and with numbers missing; it asks for nothing and runs nothing."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from curate.errors import RecipeError, RunError
from filters.compare.page import render, report
from tests.filters.compare.results import NAME, cell

HEAD = (NAME[1], NAME[2])
_EMPTY = {"meta", "line", "rect", "circle", "path", "polyline", "br", "use", "stop", "input", "link", "img", "hr"}


class Reader(HTMLParser):
    """The page's text; every element it opens is closed in its turn."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.seen.append(tag)
        if tag not in _EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.seen.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in _EMPTY:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.text += data + " "


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert not reader.open
    return reader


def many(seeds: int = 3) -> list[dict[str, Any]]:
    found = []
    for seed in range(1, seeds + 1):
        for budget in (0.25, 0.5, 1.0):
            found.append(cell("all", seed, 0.3 * budget**0.2 + 0.01 * seed, budget))
            found.append(cell("recipe", seed, 0.5 * budget**0.2 + 0.012 * seed, budget))
        found.append(cell("random", seed, 0.29 + 0.02 * (-1) ** seed))
        found.append(cell("oracle", seed, 0.55 + 0.01 * seed))
    return found


def test_the_page_says_what_came_of_it() -> None:
    found = report(many(), ["held out"], HEAD, 321.4, "a pool", among=("ours", "random"))
    assert found["choice"] is None, "nothing was measured on validation"
    page = render(found)
    text = read(page).text
    for word in ("a pool", "recipe", "oracle", "within noise", "R@10", "321 s", "With more compute", "At 10 times"):
        assert word in text
    assert found["headline"] == list(NAME) and found["seeds"] == 3
    assert {e["of"]: e["share"] for e in found["efficiency"]["recipe"]}["the samples seen"] == 0.25
    assert set(found["scaling"]) == {"all", "recipe"} and found["scaling"]["all"]["b"] < 0
    assert [s["samples"] for s in found["selections"] if s["selection"] == "recipe"] == [1000, 2000, 4000]
    json.dumps(found, allow_nan=False)


def test_it_needs_no_network_and_runs_no_script() -> None:
    page = render(report(many(), ["held out"], HEAD, 0.0, "a pool"))
    assert "default-src 'none'" in page
    assert not {"script", "iframe", "object", "embed", "link", "img", "form"} & set(read(page).seen)
    assert not re.search(r"(?:src|href)=[\"'](?!#)", page)
    assert not re.search(r"url\(\s*[\"']?http|@import", page)


def test_names_are_text_wherever_they_stand() -> None:
    evil = "<script>alert(1)</script>\"'><b onload=x>"
    results = [cell(s, 1, v, b) for s, v, b in (("all", 0.3, 1.0), (evil, 0.4, 1.0), (evil, 0.4, 0.5))]
    for result in results:
        result["tasks"] = {evil: {f"zero_shot/{evil}": {"auroc": 0.7 + result["budget"] / 10}, HEAD[0]: {HEAD[1]: 0.4}}}
    page = render(report(results, [evil], HEAD, 1.0, evil, chosen=evil))
    assert not {"script", "b"} & set(read(page).seen)
    assert evil in read(page).text


def test_numbers_that_are_missing_are_not_shown_as_numbers() -> None:
    results = many()
    for result in results:
        if result["selection"] == "random" or (result["seed"] == 2 and result["budget"] == 0.5):
            result["tasks"]["held out"][NAME[1]][NAME[2]] = None
        result["right"] = None
    found = report(results, ["held out"], HEAD, 0.0, "a pool")
    json.dumps(found, allow_nan=False)
    page = render(found)
    text = read(page).text
    assert not re.search(r"\b(?:nan|None|inf)\b", text, re.IGNORECASE)
    assert not re.search(r"=\"(?:nan|None|inf)", page, re.IGNORECASE)
    assert "unknown" in text


def test_one_seed_is_said_to_be_too_few() -> None:
    text = read(render(report(many(1), ["held out"], HEAD, 0.0, "a pool"))).text
    assert "too few to tell an effect from noise" in text and "one seed" in text


def test_a_headline_that_nobody_has_names_those_there_are() -> None:
    with pytest.raises(RecipeError, match=r"no findings, auroc(?s:.)*one of \["):
        report(many(2), ["held out"], ("findings", "auroc"), 0.0, "a pool")


def test_cells_without_a_number_are_an_error() -> None:
    results = many(1)
    for result in results:
        result["tasks"] = {"held out": {}}
    with pytest.raises(RunError, match="no cell has a number"):
        report(results, ["held out"], HEAD, 0.0, "a pool")
