"""What a recipe says of the pool: which of it is the clean set, and whether other texts are proposed. No torch here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class CapfiltRules:
    """How texts are proposed and chosen.

    ``decoder``: nucleus sampling at ``top_p``, the paper's choice, or beam search. ``shortest`` and ``longest`` are in
    tokens. ``threshold``: the log-odds at which a text is believed. A believed original stays unless ``better`` is set
    and the synthetic text is believed by that much more. ``least_groups``: a sentence seen in fewer patients'
    training texts may not be repeated; 0 allows it.
    """

    decoder: Literal["nucleus", "beam"] = "nucleus"
    top_p: float = 0.9
    beams: int = 3
    shortest: int = 5
    longest: int = 60
    threshold: float = 0.0
    better: float | None = None
    least_groups: int = 8
    seed: int = 0


@dataclass(frozen=True)
class CleanRules:
    """Where the clean set is not declared by a column: ``folder`` of an earlier run's shards, or the pool's texts of
    at least ``min_words`` words that no two patients share (what many share is boilerplate). With ``folds``, of those
    the part ``agree`` on which networks trained on the other folds agree most. At most ``most``, lowest keys first."""

    folder: str | None = None
    min_words: int = 5
    most: int = 100_000
    folds: int = 0
    agree: float = 0.5
