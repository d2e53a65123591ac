"""Options of an evaluation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from filters.rules import AtLeastOne, Seed, check_fields

Task = Literal["zero_shot", "findings", "retrieval", "linear_probe", "few_shot", "language"]
TASKS: tuple[Task, ...] = ("zero_shot", "findings", "retrieval", "linear_probe", "few_shot", "language")


@dataclass(frozen=True)
class EvaluateRules:
    """The tasks and their options. A task that does not apply to a set is left out of the results."""

    tasks: tuple[Task, ...] = TASKS
    # facts to classify by zero-shot and probes; None: all with a few frequent values
    facts: tuple[str, ...] | None = None
    # records that a value of a fact, or each class of a finding, needs to be included
    min_records: AtLeastOne = 10
    max_values: Annotated[int, Field(ge=2)] = 20  # of a fact; one with more is free text
    draws: AtLeastOne = 1000  # bootstrap samples of whole patients
    seed: Seed = 0
    # share of patients that a probe is measured on, if no training set is given
    probe_test: Annotated[float, Field(gt=0, lt=1)] = 0.5
    max_probe: AtLeastOne = 10_000  # at most so many records to train a probe on
    shots: tuple[AtLeastOne, ...] = (1, 2, 4, 8, 16)
    shot_draws: AtLeastOne = 5
    subgroups: tuple[str, ...] = ("modality", "body_part", "view", "sex", "age_band", "source")
    min_subgroup: AtLeastOne = 30  # records of the smallest subgroup that is reported
    batch: AtLeastOne = 64
    threads: AtLeastOne = 1
    device: Annotated[str, Field(pattern="^(auto|(cpu|cuda)(:.*)?)$")] = "auto"


def check_evaluate_rules(rules: EvaluateRules) -> None:
    """RecipeError for a value out of range, before any work."""
    check_fields(rules, "evaluate")
