"""What a report says of its picture, and reports that say something else. Nothing here needs torch."""

from filters.findings.claims import REGIONS, Claim, concept, extract, regions
from filters.findings.edit import EDITS, edit

__all__ = ["EDITS", "REGIONS", "Claim", "concept", "edit", "extract", "regions"]
