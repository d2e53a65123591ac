"""The report page: nothing breaks out of it, nothing is loaded, and it holds with too little or too much to show."""

from __future__ import annotations

import base64
import dataclasses
import io
import json
import math
import re
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from curate.errors import RunError
from curate.report import plot
from curate.report.fairness import Fairness, KeepRate
from curate.report.funnel import StepCount
from curate.report.page import (
    MAX_CARDS,
    DuplicatePair,
    Histogram,
    Measure,
    Painting,
    RunReport,
    Sample,
    render_page,
    report_json,
)
from curate.report.trust import Drift, Reliability, ReliabilityBin

EMPTY = RunReport("run", "", {}, [], [], [], [], [], [], [], {}, {}, [])
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</style></title></pre></summary><svg onload=alert(1)>",
    "' onmouseover='alert(1)",
    "javascript:alert(1)",
    "{{ 7 * 7 }}{% raw %}",
    "&lt;b&gt; ]]> --> <!-- ",
    "\x00\x1b[31m \ud800 \ufffe \u202e evil \u0301\u0301\u0301 \U0001f9e0",
]


class Page(HTMLParser):
    """The page as a browser's parser sees it: tags with their attributes, and all the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.said: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.said.append(data)

    @property
    def shape(self) -> list[tuple[str, list[str]]]:
        return [(tag, sorted(attrs)) for tag, attrs in self.tags]

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.said))

    def having(self, css: str) -> int:
        return sum(css in (attrs.get("class") or "").split() for _, attrs in self.tags)


def picture(kind: str = "PNG") -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(out, kind)
    return out.getvalue()


def report(word: str = "word") -> RunReport:
    """One of everything, with ``word`` in every place that takes text from outside."""
    sample = Sample(word, word, "", "", 0.5, word, picture(), {word: word})
    lost = Sample(word, "", word, word, None, word, picture("JPEG"), {word: word})
    rate = KeepRate(word, word, 6, 1, 1 / 6, 0.03, 0.25, True)
    return RunReport(
        title=word,
        recipe_yaml=word,
        versions={word: word},
        counts=[StepCount(word, 12, 10, {word: 2}, 3.2, False), StepCount(word, 10, 4, {word: 6}, 0.1, True)],
        histograms=[Histogram(word, [0.0, 0.5, 1.0], [0, 4], [5, 1], 0.6)],
        measures=[Measure(word, 0.9, 0.8, 0.95, word)],
        kept=[sample],
        dropped=[lost, dataclasses.replace(lost, reason="blank_image")],
        duplicates=[DuplicatePair(sample, lost, word)],
        shards=[{"split": word, "name": word, "records": 4, "bytes": 100}],
        breakdown={word: [(word, 12, 4)]},
        curves={word: [(0.0, 2.0), (1.0, 1.0)]},
        warnings=[word],
        patients=3,
        fairness=Fairness(12, 4, 1 / 3, {word: (rate, dataclasses.replace(rate, behind=False))}),
        reliability=[Reliability(word, (ReliabilityBin(0.1, 0.5, 9, 0.3, 0.4, 0.2, 0.6),), 0.1, 0.2, word)],
        drift=[Drift(word, word, 0.3, word, word, (0.5, 0.5), (0.2, 0.8))],
        painting=Painting(12, 3, 0.0412, 0.013, 2, [sample]),
    )


PLACES = {"x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "width", "height", "points", "d"}
BENIGN = Page(render_page(report())).shape


@pytest.mark.parametrize("word", HOSTILE)
def test_hostile_text_changes_no_tag_and_no_attribute(word: str) -> None:
    assert Page(render_page(report(word))).shape == BENIGN


def test_what_was_painted_over_is_said_and_the_worst_are_shown() -> None:
    page = Page(render_page(report()))
    assert "painted over in 3 of 12 pictures" in page.text
    assert "4.12 % of the worst" in page.text and "2 more would have lost too much" in page.text
    assert json.loads(report_json(report()))["painting"]["largest"] == 0.0412


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(), min_size=1, max_size=40))
def test_any_text_stays_text(word: str) -> None:
    page = render_page(report(word))
    assert Page(page).shape == BENIGN
    page.encode("utf-8")


@pytest.mark.parametrize("word", HOSTILE[:7])
def test_hostile_text_is_shown_as_it_is(word: str) -> None:
    assert re.sub(r"\s+", " ", word).strip() in Page(render_page(report(word))).text


def test_nothing_is_loaded_and_nothing_runs() -> None:
    page = Page(render_page(report()))
    assert not {tag for tag, _ in page.tags} & {"script", "link", "iframe", "object", "embed", "base", "form"}
    for _, attrs in page.tags:
        assert not [name for name in attrs if name.startswith("on")]
        assert (attrs.get("src") or "data:image/").startswith("data:image/")
        assert (attrs.get("href") or "#").startswith("#")
    style = "".join(page.said)
    assert "@import" not in style and not re.search(r"url\((?!#)", style)


def test_the_policy_forbids_everything_but_its_own_images_and_style() -> None:
    tags = Page(render_page(EMPTY)).tags
    policies = [attrs["content"] for _, attrs in tags if attrs.get("http-equiv") == "Content-Security-Policy"]
    assert len(policies) == 1 and policies[0] is not None
    rules = dict(rule.strip().split(" ", 1) for rule in policies[0].split(";"))
    assert rules["default-src"] == "'none'" and rules["img-src"] == "data:"
    assert "script-src" not in rules


def test_every_anchor_has_its_section_and_no_id_twice() -> None:
    page = Page(render_page(report()))
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert {(a["href"] or "")[1:] for tag, a in page.tags if tag == "a"} <= set(ids)
    assert all(attrs.get("alt") for tag, attrs in page.tags if tag == "img")


@pytest.mark.parametrize(("kind", "mime"), [("PNG", "image/png"), ("JPEG", "image/jpeg")])
def test_a_thumbnail_comes_through_byte_for_byte(kind: str, mime: str) -> None:
    data = picture(kind)
    sample = Sample("k", "train", "", "", None, "t", data, {})
    (src,) = [a["src"] for tag, a in Page(render_page(dataclasses.replace(EMPTY, kept=[sample]))).tags if tag == "img"]
    head, body = (src or "").split(",")
    assert head == f"data:{mime};base64" and base64.b64decode(body) == data


@pytest.mark.parametrize("data", [b"", b"<svg onload=alert(1)>", b"GIF89a..", b"\x89PNG", b"II*\x00"])
def test_bytes_that_are_neither_png_nor_jpeg_are_not_embedded(data: bytes) -> None:
    page = Page(render_page(dataclasses.replace(EMPTY, kept=[Sample("k", "", "", "", None, "t", data, {})])))
    assert not [tag for tag, _ in page.tags if tag == "img"] and "no image" in page.text


@pytest.mark.parametrize("payload", [("a text", b""), ("", picture())])
def test_a_quarantined_sample_may_not_carry_its_payload(payload: tuple[str, bytes]) -> None:
    with pytest.raises(RunError, match="quarantined") as caught:
        Sample("k", "", "ingest", "quarantine_verify_failed", None, *payload, {})
    assert "a text" not in str(caught.value)
    bare = Sample("k", "", "ingest", "quarantine_verify_failed", None, "", b"", {})
    assert "withheld" in Page(render_page(dataclasses.replace(EMPTY, dropped=[bare]))).text


def test_headline_and_quarantine_say_what_the_counts_say() -> None:
    counts = [
        StepCount("index", 2000, 1500, {"image_without_report": 500}, 1.0, False),
        StepCount("ingest", 1500, 1200, {"quarantine_burned_in_text": 100, "blank_image": 200}, 75.0, False),
        StepCount("select", 1200, 300, {"score_below_cut": 900}, 4000.0, True),
    ]
    text = Page(render_page(dataclasses.replace(EMPTY, counts=counts, patients=77))).text
    for said in ("2,000", "15.0 % of all", "1,700 records, 100 quarantined", "Patients 77", "1 min 15 s", "1 h 06 min"):
        assert (said in text) == (said != "1 h 06 min")  # a reused step has no time of its own
    assert "100 records in quarantine (5.0 %)" in text
    assert "Nothing in quarantine" not in text and "Read this first" not in text
    assert "Nothing in quarantine" in Page(render_page(dataclasses.replace(EMPTY, counts=counts[:1]))).text


def test_rows_lost_between_two_steps_are_a_loud_warning() -> None:
    counts = [StepCount("a", 9, 9, {}, 0.0, False), StepCount("b", 7, 7, {}, 0.0, False)]
    text = Page(render_page(dataclasses.replace(EMPTY, counts=counts))).text
    assert "Read this first" in text and "b took in 7 rows, but a had kept 9." in text


def test_an_empty_report_has_every_section_and_says_so() -> None:
    page = Page(render_page(EMPTY))
    assert sum(tag == "section" for tag, _ in page.tags) == 12
    for said in ("No step has counted", "scored nothing", "No dropped", "No kept", "No duplicates", "No shards"):
        assert said in page.text


def test_no_drops_no_scores_no_finite_number() -> None:
    odd = dataclasses.replace(
        EMPTY,
        counts=[StepCount("a", 0, 0, {}, math.nan, False)],
        histograms=[Histogram("none", [], [], [], None), Histogram("point", [0.3, 0.3], [5], [0], 9.0)],
        measures=[
            Measure("m", math.nan, None, None, ""),
            Measure("n", -5.0, -9.0, math.inf, ""),
            Measure("z", 1e9, None, None, ""),
        ],
        curves={"none": [], "nan": [(0.0, math.nan)], "one": [(1.0, 1.0)]},
        breakdown={"none": [], "zero": [("", 0, 0)]},
        kept=[Sample("k", "", "", "", math.nan, "", b"", {})],
    )
    page = render_page(odd)
    assert "n/a" in page and "not finite" in page and "not stated" in page
    places = [v for _, attrs in Page(page).tags for name, v in attrs.items() if v and name in PLACES]
    assert len(places) > 20 and not [v for v in places if re.search(r"nan|inf", v)]


def test_thousands_of_everything_stay_bounded_and_the_rest_is_said() -> None:
    n = 3000
    sample = Sample("k", "train", "", "", 0.5, "text", b"", {})
    many = dataclasses.replace(
        EMPTY,
        counts=[StepCount(f"step {i}", n - i, n - i - 1, {"blank_image": 1}, 0.1, False) for i in range(n)],
        histograms=[Histogram("h", [float(i) for i in range(n + 1)], [i % 7 for i in range(n)], [1] * n, 40.0)],
        kept=[sample] * n,
        shards=[{"split": "train", "name": f"{i}", "records": 1, "bytes": 10} for i in range(n)],
        breakdown={"modality": [(f"value {i}", 2, 1) for i in range(n)]},
        curves={"loss": [(float(i), 1 / (i + 1)) for i in range(n)]},
    )
    html = render_page(many)
    page = Page(html)
    assert page.having("card") == MAX_CARDS
    assert "120 of 3,000 are shown" in page.text and "2,987 other values" in page.text
    assert len(html) < 3_000_000


def test_the_reason_filter_has_a_rule_for_every_reason() -> None:
    base = Sample("k", "", "dedup", "", None, "t", b"", {})
    dropped = [dataclasses.replace(base, reason=r) for r in ("duplicate_text", "blank_image", "duplicate_text")]
    html = render_page(dataclasses.replace(EMPTY, dropped=dropped))
    cards = [a["data-reason"] for tag, a in Page(html).tags if tag == "article"]
    assert cards == ["0", "1", "0"]  # the most frequent reason is number 0
    for i in range(2):
        assert f'id="reason-{i}"' in html and f'#reason-{i}:checked) .card:not([data-reason="{i}"])' in html


def test_long_texts_fold_and_none_is_cut() -> None:
    long = "Lungs are clear. " * 60 + "THE END"
    page = Page(render_page(dataclasses.replace(EMPTY, kept=[Sample("k", "", "", "", None, long, b"", {})])))
    assert "summary" in [tag for tag, _ in page.tags] and "THE END" in page.text


def test_the_same_report_gives_the_same_bytes() -> None:
    assert render_page(report()) == render_page(report())
    a, b = {"b": "2", "a": "1"}, {"a": "1", "b": "2"}
    assert report_json(dataclasses.replace(EMPTY, versions=a)) == report_json(dataclasses.replace(EMPTY, versions=b))


def test_json_is_whole_ascii_and_without_thumbnails() -> None:
    odd = dataclasses.replace(
        report("naïve \ud800"),
        measures=[Measure("m", np.float32(0.5), math.nan, None, "")],
        patients=np.int64(3),  # type: ignore[arg-type]
    )
    text = report_json(odd)
    assert text.isascii() and "thumb" not in text
    read: dict[str, Any] = json.loads(text)
    assert read["counts"][0]["dropped"] == {"naïve \ud800": 2} and read["patients"] == 3
    assert read["measures"] == [{"name": "m", "value": 0.5, "low": None, "high": None, "note": ""}]
    assert set(read) == {f.name for f in dataclasses.fields(RunReport)}


def test_json_refuses_what_it_cannot_hold() -> None:
    with pytest.raises(TypeError, match="bytes"):
        report_json(dataclasses.replace(EMPTY, shards=[{"name": b"x"}]))


@pytest.mark.parametrize(
    ("edges", "kept", "dropped"),
    [
        ([0.0, 1.0], [1, 2], [1, 2]),
        ([0.0], [], []),
        ([1.0, 0.0], [1], [1]),
        ([0.0, math.inf], [1], [1]),
        ([0.0, 1.0], [1], []),
    ],
)
def test_a_histogram_that_does_not_fit_is_a_bug(edges: list[float], kept: list[int], dropped: list[int]) -> None:
    with pytest.raises(ValueError, match="histogram h"):
        Histogram("h", edges, kept, dropped, None)


@given(st.floats(-1e12, 1e12), st.floats(1e-9, 1e12))
def test_ticks_are_few_even_and_inside(low: float, span: float) -> None:
    high = low + span
    marks = plot.ticks(low, high)
    assert len(marks) <= 7
    slack = 1e-6 * max(abs(low), abs(high), high - low)
    assert all(low - slack <= m <= high + slack for m in marks)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=400))
def test_a_histogram_draws_every_count(kept: list[int]) -> None:
    edges = [i / len(kept) for i in range(len(kept) + 1)]
    svg = str(plot.histogram(edges, kept, [1] * len(kept), 0.5, "h"))
    drawn = re.findall(r": (\d+) kept, (\d+) dropped", svg)
    assert sum(int(k) for k, _ in drawn) == sum(kept) and sum(int(d) for _, d in drawn) == len(kept)
    assert len(drawn) <= 90


@pytest.mark.parametrize("top", [3, 900, 9_000, 40_000, 900_000, 40_000_000, 10**12])
def test_tick_labels_fit_their_margin(top: int) -> None:
    labels = re.findall(r'class="tick y"[^>]*>([^<]+)<', str(plot.histogram([0.0, 1.0], [top], [0], None, "h")))
    assert 2 <= len(labels) == len(set(labels)) and max(map(len, labels)) <= 6


def test_stacked_bars_have_the_heights_of_their_counts() -> None:
    svg = str(plot.histogram([0.0, 1.0, 2.0], [10, 5], [0, 5], None, "h"))
    heights = [(css, float(h)) for css, h in re.findall(r'<rect class="(\w+)"[^>]*height="([\d.]+)"', svg)]
    assert heights[0][1] == pytest.approx(heights[1][1] + heights[2][1], abs=0.02)
    assert [css for css, _ in heights] == ["kept", "kept", "dropped"]
    assert heights[1][1] == pytest.approx(heights[2][1], abs=0.02)


@pytest.mark.parametrize(
    ("values", "axis"),
    [((0.9, 0.8, 1.0), (0.0, 1.0)), ((412.0, 380.0, 447.0), (0.0, 600.0)), ((-2.0, -3.0, 1.0), (-3.0, 1.0))],
)
def test_an_interval_lies_on_its_axis(values: tuple[float, float, float], axis: tuple[float, float]) -> None:
    svg, start, end = plot.interval(*values, "m")
    assert (start, end) == axis
    spots = [float(v) for v in re.findall(r'[xc]\w="(-?[\d.]+)%"', str(svg))]
    assert spots and all(0 <= v <= 100 for v in spots)
