"""Findings that a report states, and reports edited to state others. English only (`READS`); no torch."""

from filters.findings.claims import READS, REGIONS, Claim, concept, extract, language_read, regions
from filters.findings.edit import EDITS, edit, versions

__all__ = ["EDITS", "READS", "REGIONS", "Claim", "concept", "edit", "extract", "language_read", "regions", "versions"]
