"""What a run may use: the part ``engine`` of a recipe, and the options of commands."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from curate.part import PART


@dataclass(frozen=True, config=PART)
class Resources:
    """Where the run runs; never part of a step's hash: results do not depend on it."""

    kind: Literal["local", "ray"] = "local"
    """local: processes of this machine; ray: a cluster."""
    workers: Annotated[int, Field(ge=1)] | None = None
    """Processes, or Ray CPUs; null: as many as there are cores."""
    address: str | None = None
    """Of a running Ray cluster, or auto; null starts one here."""
    gpus: Annotated[float, Field(ge=0)] = 0.0
    """Of a model's actor, and of a filter's training on Ray: 1, or a part of one; 0 scores on the CPU."""
    actors: Annotated[int, Field(ge=1)] = 1
    """Models that score beside each other at most: on Ray, as many of them as there is room for."""
    record_seconds: Annotated[float, Field(ge=0, le=1e6)] = 600.0
    """What takes longer to decode, clean or verify has its process ended, is tried again, and is then dropped as
    crashed_its_process; waiting for a source does not count. 0: no limit."""
