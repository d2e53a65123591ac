"""An index of scans and reports that a test has at hand."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from curate.deid.pseudonym import Pseudonymizer
from curate.ingest.index import IndexRules, match
from curate.sources.reports.report import Report


def build_index(
    scans: Sequence[tuple[str, pa.Table]], reports: Sequence[Report], rules: IndexRules, pseudo: Pseudonymizer
) -> pa.Table:
    """INDEX rows; ``scans``: source name and its SCAN table."""
    return match(scans, reports, rules).index(reports, rules, pseudo)
