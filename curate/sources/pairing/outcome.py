"""How the pairing went, as one is told of it and as it lies beside the index."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

import pyarrow as pa

FEW = 0.5  # of the images: below, the user is told


@dataclass(frozen=True)
class Pairing:
    """How the pairing went. ``images``: those that could be paired; ``paired``: those that found a report of their
    own; ``lines``: what the user must know: ids that are no one's, and why not more pair where few do."""

    images: int
    reports: int
    paired: int
    lines: tuple[str, ...] = ()

    @property
    def is_few(self) -> bool:
        """True where both sides hold something and under half of the images found a report."""
        return self.images > 0 and self.reports > 0 and self.paired < FEW * self.images

    @property
    def headline(self) -> str:
        """One sentence."""
        return f"{self.paired:,} of {self.images:,} images found a report among {self.reports:,}"

    @property
    def warnings(self) -> list[str]:
        """What is to be loud about: ids that lead to nobody, or that few images found a report. The first line says how
        many did, others why not more."""
        return [self.headline, *self.lines] if self.lines or self.is_few else []

    def table(self) -> pa.Table:
        """As one row, to be sealed beside the index."""
        return pa.table({"pairing": [json.dumps(asdict(self))]})

    @classmethod
    def of_table(cls, table: pa.Table) -> Pairing:
        """What `table` made."""
        stored = json.loads(table["pairing"][0].as_py())
        return cls(**{**stored, "lines": tuple(stored["lines"])})
