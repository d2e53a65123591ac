"""The ways the final model can learn, by name: each a `filters.training.objective.Objective`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from filters.encoder import Filter
from filters.training.objective import Objective
from filters.training.objectives.caption import Coca, Siglip2
from filters.training.objectives.contrastive import Clip, Siglip
from filters.training.objectives.distill import Distill
from filters.training.objectives.semantic import SemanticMatch
from filters.training.rules import ObjectiveName, TrainingRules

_MADE: dict[ObjectiveName, Callable[[Filter, TrainingRules, Sequence[str]], Objective]] = {
    "clip": lambda learner, rules, texts: Clip(),
    "siglip": lambda learner, rules, texts: Siglip(learner),
    "coca": lambda learner, rules, texts: Coca(learner, rules),
    "siglip2": lambda learner, rules, texts: Siglip2(learner, rules),
    "medclip": lambda learner, rules, texts: SemanticMatch(texts),
    "distill": lambda learner, rules, texts: Distill(learner, rules),
}
SIGMOID: tuple[ObjectiveName, ...] = ("siglip", "siglip2")  # these need a learner with a bias


def make_objective(learner: Filter, rules: TrainingRules, texts: Sequence[str]) -> Objective:
    """What ``rules.objective`` names, for ``learner``, its heads at random under torch's current seed.

    ``texts`` are the training set's: findings' vocabulary is learned from them, the same for the same texts in the
    same order. The learner of a `SIGMOID` objective has a bias (`filters.model.create_filter`, objective "siglip").
    RecipeError where learner, rules or teacher do not go together; RunError where the texts do not serve.
    """
    return _MADE[rules.objective](learner, rules, texts)
