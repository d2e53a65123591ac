"""An index of scans and reports that a test has at hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa

from curate.deid.pseudonym import Pseudonymizer
from curate.ingest.index import match, settled
from curate.ingest.rules import IndexRules
from curate.sources.reports.report import Report
from curate.sources.rules import ImageSource


def sources(*names: str, **rules: Any) -> dict[str, ImageSource]:
    """Image sources of these names, all with these rules."""
    return {name: ImageSource(name=name, path=name, **rules) for name in names}


def build_index(
    scans: Sequence[tuple[str, pa.Table]], reports: Sequence[Report], rules: IndexRules, pseudo: Pseudonymizer
) -> pa.Table:
    """INDEX rows; ``scans``: source name and its SCAN table."""
    rules = replace(rules, files=sources(*(name for name, _ in scans)) | dict(rules.files))
    return settled(match(scans, reports, rules).rows(reports, rules, pseudo), rules)
