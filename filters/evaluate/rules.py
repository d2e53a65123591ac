"""Options of an evaluation."""

from __future__ import annotations

from dataclasses import dataclass

from curate.errors import RecipeError
from filters.registry import renamed

TASKS = ("zero_shot", "findings", "retrieval", "linear_probe", "few_shot", "language")


@dataclass(frozen=True)
class EvaluateRules:
    """The tasks and their options. A task that does not apply to a set is left out of the results."""

    tasks: tuple[str, ...] = TASKS
    facts: tuple[str, ...] | None = (
        None  # facts to classify by zero-shot and probes; None: all with a few frequent values
    )
    min_records: int = renamed(
        "least", 10
    )  # records that a value of a fact, or each class of a finding, needs to be included
    max_values: int = renamed("most_values", 20)  # of a fact; one with more is free text
    draws: int = 1000  # bootstrap samples of whole patients
    seed: int = 0
    probe_test: float = 0.5  # share of patients that a probe is measured on, if no training set is given
    max_probe: int = renamed("probe_most", 10_000)  # at most so many records to train a probe on
    shots: tuple[int, ...] = (1, 2, 4, 8, 16)
    shot_draws: int = 5
    subgroups: tuple[str, ...] = ("modality", "body_part", "view", "sex", "age_band", "source")
    min_subgroup: int = renamed("subgroup_least", 30)  # records of the smallest subgroup that is reported
    batch: int = 64
    threads: int = 1
    device: str = "auto"


def check_evaluate_rules(rules: EvaluateRules) -> None:
    """RecipeError for a value out of range, before any work."""
    unknown = sorted(set(rules.tasks) - set(TASKS))
    if unknown:
        raise RecipeError("evaluate.tasks", f"{', '.join(unknown)}: no such task", f"of {', '.join(TASKS)}")
    for name in ("min_records", "draws", "max_probe", "shot_draws", "min_subgroup", "batch", "threads"):
        if getattr(rules, name) < 1:
            raise RecipeError(f"evaluate.{name}", f"{getattr(rules, name)}", "1 or more")
    if rules.seed < 0:
        raise RecipeError("evaluate.seed", f"{rules.seed}", "0 or more")
    if rules.device != "auto" and rules.device.partition(":")[0] not in ("cpu", "cuda"):
        raise RecipeError("evaluate.device", f"{rules.device}", "auto, cpu or cuda")
    if rules.max_values < 2:
        raise RecipeError("evaluate.max_values", f"{rules.max_values}", "2 or more")
    if not 0 < rules.probe_test < 1:
        raise RecipeError("evaluate.probe_test", f"{rules.probe_test}", "a share, above 0 and below 1")
    if any(k < 1 for k in rules.shots):
        raise RecipeError("evaluate.shots", f"{list(rules.shots)}", "1 or more each")
