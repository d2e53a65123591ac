"""The funnel: what went into every step, what it kept, what it dropped and why; and the terminal's picture of it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from curate.errors import FunnelError
from curate.record import Reason

FUNNEL = ("index", "ingest", "dedup", "semantic", "select", "export")  # the steps that records pass through, in order
QUARANTINE = frozenset(r.value for r in Reason if r.is_quarantine)
_HEAD = ("step", "in", "kept", "dropped", "kept %", "reasons")


@dataclass(frozen=True)
class StepCount:
    """One step's row of the funnel. ``dropped`` maps a Reason's value to a number of rows; ``seconds`` is wall time.

    ``reused`` says that the step was found done and not run. Raises FunnelError unless
    ``rows_in == kept + sum(dropped)`` and nothing is negative.
    """

    step: str
    rows_in: int
    kept: int
    dropped: dict[str, int]
    seconds: float
    reused: bool

    def __post_init__(self) -> None:
        if self.rows_in != self.kept + self.lost or min(self.kept, *self.dropped.values(), 0) < 0:
            raise FunnelError(
                f"step {self.step}: {self.rows_in} rows in, but {self.kept} kept and {self.lost} dropped "
                "(none may be negative, and they must add up)"
            )

    @property
    def lost(self) -> int:
        """Rows dropped, for whatever reason."""
        return sum(self.dropped.values())

    @property
    def quarantined(self) -> int:
        """Rows dropped because they could not be proven clean."""
        return sum(n for reason, n in self.dropped.items() if reason in QUARANTINE)

    @property
    def reasons(self) -> list[tuple[str, int]]:
        """(reason, rows), most frequent first, ties by name; reasons that dropped nothing are left out."""
        return sorted(((r, n) for r, n in self.dropped.items() if n), key=lambda item: (-item[1], item[0]))


def share(part: int, whole: int) -> str:
    """``part`` of ``whole`` in percent. Only nothing prints as 0 % and only all of it as 100 %."""
    if whole <= 0:
        return "–"
    percent = 100 * part / whole
    if 0 < percent < 0.1:
        return "<0.1 %"
    if 99.9 < percent < 100:
        return ">99.9 %"
    return f"{percent:.0f} %" if part in (0, whole) else f"{math.floor(percent * 10 + 0.5) / 10:.1f} %"


def funnel_gaps(counts: Sequence[StepCount]) -> list[str]:
    """One sentence for every step that took in another number of rows than the step before it kept."""
    return [
        f"{after.step} took in {after.rows_in:,} rows, but {before.step} had kept {before.kept:,}."
        for before, after in pairwise(counts)
        if after.rows_in != before.kept
    ]


def render_funnel(counts: Sequence[StepCount]) -> RenderableType:
    """The funnel as a rich table: one row a step, its reasons most frequent first, the whole run in the last row."""
    table = Table(show_footer=len(counts) > 1, header_style="bold", footer_style="bold", pad_edge=False)
    total = _total(counts)
    for i, name in enumerate(_HEAD):
        number = 0 < i < 5
        foot = Text(total[i] if i < 5 else "\n".join(total[5:]))
        table.add_column(name, footer=foot, justify="right" if number else "left", no_wrap=number, overflow="fold")
    for count in counts:
        name, *numbers = _cells(count)
        reasons = Text("\n").join(
            Text.assemble((f"{n:>7,} ", "bold"), (reason, "magenta" if reason in QUARANTINE else "yellow"))
            for reason, n in count.reasons
        )
        table.add_row(Text(name, style="dim" if count.reused else "cyan"), *map(Text, numbers), reasons)
    return table


def fault_lines(faults: Iterable[str | None]) -> list[str]:
    """What to say aloud of the records, or files, on which the program failed: a line a place in the code."""
    found = Counter(place for place in faults if place)
    return [
        f"{n} {'record' if n == 1 else 'records'} ended in a fault of the program at {place}, dropped as "
        f"'{Reason.FAILED.value}': please report it"
        for place, n in sorted(found.items())
    ]


def print_funnel(counts: Sequence[StepCount], console: Console) -> None:
    """Print the funnel: a table on a terminal; elsewhere plain aligned lines, never wrapped, that `grep` can read."""
    if console.is_terminal:
        console.print(render_funnel(counts))
        return
    for line in plain_lines(counts):
        console.print(Text(line), soft_wrap=True, highlight=False)


def _cells(count: StepCount) -> list[str]:
    name = f"{count.step} (reused)" if count.reused else count.step
    numbers = [f"{n:,}" for n in (count.rows_in, count.kept, count.lost)]
    return [name, *numbers, share(count.kept, count.rows_in)]


def _total(counts: Sequence[StepCount]) -> list[str]:
    """The run's own row: what the first step took in, what the last one kept, all that any dropped; then remarks."""
    if not counts:
        return ["", "", "", "", ""]
    first, last = counts[0].rows_in, counts[-1].kept
    lost = sum(c.lost for c in counts)
    quarantined = sum(c.quarantined for c in counts)
    remarks = [f"{quarantined:,} quarantined"] if quarantined else []
    return ["all", f"{first:,}", f"{last:,}", f"{lost:,}", share(last, first), *remarks, *funnel_gaps(counts)]


def plain_lines(counts: Sequence[StepCount]) -> list[str]:
    """The funnel as aligned lines of text, with its head and, of several steps, the whole run."""
    rows = [list(_HEAD)]
    rows += [[*_cells(c), "  ".join(f"{reason}={n}" for reason, n in c.reasons)] for c in counts]
    if len(counts) > 1:
        total = _total(counts)
        rows.append([*total[:5], "  ".join(total[5:])])
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    return [
        "  ".join([row[0].ljust(widths[0]), *(row[i].rjust(widths[i]) for i in range(1, 5)), row[5]]).rstrip()
        for row in rows
    ]
