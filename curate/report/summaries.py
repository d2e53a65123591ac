"""A run on one page for each of those who must agree to it: a radiologist, a privacy officer, who runs the cluster."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from curate.report.page import RunReport, breakdown_of, headline, quarantined
from curate.report.render import render
from curate.report.words import PAGES, REASONS

_PAYLOAD = ("index", "ingest", "score")  # whose time grows with the records
_RECUT = ("select", "plan", "export")


@dataclass(frozen=True)
class StepCost:
    """What a step took: records in, parts, seconds of the clock, bytes on disk, bytes that one worker held at most (0:
    not known), how often a part was begun again since its process died."""

    step: str
    rows: int
    parts: int
    seconds: float
    bytes: int
    memory: int = 0
    retries: int = 0


def summaries(
    report: RunReport, steps: Sequence[StepCost], engine: str, settings: Sequence[str], faults: Sequence[str]
) -> dict[str, str]:
    """The pages of `PAGES`, each one self-contained HTML document, by name. ``engine``: where it ran, in words;
    ``settings``: choices less safe than the default; ``faults``: places in the code that met what nobody foresaw."""
    lost: Counter[str] = Counter()
    for count in report.counts:
        lost.update(count.dropped)
    head = headline(report.counts)
    records = max(head["in"], 1)
    work = [s for s in steps if s.step in _PAYLOAD]
    cost = {
        "steps": steps,
        "total_bytes": sum(int(s.get("bytes", 0)) for s in report.shards),
        "more": 1000 * sum(s.seconds for s in work) / records,
        "more_bytes": 1000 * sum(s.bytes for s in work) / records,
        "recut": sum(s.seconds for s in steps if s.step in _RECUT),
        "engine": engine,
        "faults": faults,
    }
    contents: dict[str, dict[str, Any]] = {
        "radiologist.html": {
            "breakdown": {name: breakdown_of(rows) for name, rows in report.breakdown.items() if rows},
            "lost": sorted(lost.items(), key=lambda item: (-item[1], item[0])),
        },
        "privacy.html": {"quarantine": quarantined(report.counts), "settings": settings},
        "cluster.html": cost,
    }
    words = {reason.value: sentence for reason, sentence in REASONS.items()}
    return {name: render(f"{name}.j2", report=report, head=head, words=words, **contents[name]) for name in PAGES}
