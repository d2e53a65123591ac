"""The funnel: the invariant, percentages that do not lie, and what a terminal and a log file see."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from curate.errors import FunnelError
from curate.record import Reason
from curate.report.funnel import StepCount, funnel_gaps, print_funnel, render_funnel, share

COUNTS = [
    StepCount("index", 1200, 1100, {"empty_file": 1, "image_without_report": 99}, 1.5, False),
    StepCount("ingest", 1100, 1000, {"quarantine_burned_in_text": 60, "text_too_short": 40}, 9.0, True),
    StepCount("select", 1000, 300, {"score_below_cut": 700}, 0.1, False),
]


def printed(counts: list[StepCount], *, terminal: bool) -> str:
    console = Console(file=io.StringIO(), force_terminal=terminal, width=100, color_system=None)
    print_funnel(counts, console)
    return console.file.getvalue()  # type: ignore[attr-defined]


@given(st.integers(0, 10**9), st.dictionaries(st.sampled_from([r.value for r in Reason]), st.integers(0, 10**9)))
def test_what_adds_up_is_accepted(kept: int, dropped: dict[str, int]) -> None:
    count = StepCount("s", kept + sum(dropped.values()), kept, dropped, 0.0, False)
    assert count.lost == sum(n for _, n in count.reasons)
    assert [n for _, n in count.reasons] == sorted((n for n in dropped.values() if n), reverse=True)
    assert count.quarantined == sum(n for r, n in dropped.items() if Reason(r).is_quarantine)


@given(st.integers(0, 1000), st.integers(0, 1000), st.integers(-50, 50).filter(bool))
def test_a_lost_or_doubled_row_is_an_error(kept: int, lost: int, off: int) -> None:
    with pytest.raises(FunnelError, match="step s: "):
        StepCount("s", kept + lost + off, kept, {"blank_image": lost}, 0.0, False)


@pytest.mark.parametrize(("kept", "dropped"), [(-1, {"blank_image": 4}), (4, {"blank_image": -1}), (-3, {})])
def test_negative_counts_are_an_error_even_where_they_add_up(kept: int, dropped: dict[str, int]) -> None:
    with pytest.raises(FunnelError):
        StepCount("s", kept + sum(dropped.values()), kept, dropped, 0.0, False)


@pytest.mark.parametrize(
    ("part", "whole", "said"),
    [(0, 7, "0 %"), (7, 7, "100 %"), (1, 3, "33.3 %"), (1, 9999, "<0.1 %"), (9998, 9999, ">99.9 %"), (0, 0, "–")],
)
def test_share(part: int, whole: int, said: str) -> None:
    assert share(part, whole) == said


@given(st.integers(0, 10**9), st.integers(1, 10**9))
def test_only_nothing_is_0_percent_and_only_all_is_100(part: int, whole: int) -> None:
    part = min(part, whole)
    assert (share(part, whole) == "0 %") == (part == 0)
    assert (share(part, whole) == "100 %") == (part == whole)
    assert share(part, whole) not in ("0.0 %", "100.0 %")


def test_a_log_file_gets_one_whole_line_a_step() -> None:
    out = printed(COUNTS, terminal=False)
    lines = out.splitlines()
    assert "\x1b" not in out
    assert len(lines) == 1 + len(COUNTS) + 1
    assert " ".join(lines[1].split()) == "index 1,200 1,100 100 91.7 % image_without_report=99 empty_file=1"
    assert lines[2].startswith("ingest (reused)")
    assert lines[-1].split() == ["all", "1,200", "300", "900", "25.0", "%", "60", "quarantined"]


def test_a_log_line_is_not_wrapped_however_many_reasons() -> None:
    every = {r.value: i + 1 for i, r in enumerate(Reason)}
    n = sum(every.values())
    lines = printed([StepCount("all", n, 0, every, 0.0, False)], terminal=False).splitlines()
    assert len(lines) == 2 and all(f"{r}={k}" in lines[1] for r, k in every.items())


def test_a_terminal_gets_a_table_with_reasons_in_order() -> None:
    out = printed(COUNTS, terminal=True)
    assert "│" in out
    assert out.index("image_without_report") < out.index("empty_file") < out.index("quarantine_burned_in_text")
    assert "60 quarantined" in out


def test_names_are_text_not_markup() -> None:
    odd = [StepCount("[red]x[/red]", 3, 1, {"[bold]y": 2}, 0.0, False)]
    for terminal in (True, False):
        out = printed(odd, terminal=terminal)
        assert "[red]x[/red]" in out and "[bold]y" in out


def test_nothing_counted_yet() -> None:
    assert printed([], terminal=False).split() == ["step", "in", "kept", "dropped", "kept", "%", "reasons"]
    assert render_funnel([]) is not None and "step" in printed([], terminal=True)


def test_a_gap_between_steps_is_said() -> None:
    broken = [COUNTS[0], COUNTS[2]]
    assert funnel_gaps(COUNTS) == []
    assert funnel_gaps(broken) == ["select took in 1,000 rows, but index had kept 1,100."]
    assert "select took in 1,000 rows" in printed(broken, terminal=False)
