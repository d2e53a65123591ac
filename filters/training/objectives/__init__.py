"""The ways two towers can learn, by name: each an `filters.training.objectives.protocol.Objective`."""

from __future__ import annotations

from collections.abc import Sequence

from filters.towers.encoder import Filter
from filters.training.objectives.coca import Coca
from filters.training.objectives.contrastive import Contrastive
from filters.training.objectives.distill import Distill
from filters.training.objectives.protocol import Objective
from filters.training.objectives.semantic import SemanticMatch
from filters.training.rules import ObjectiveName, TrainingRules

SIGMOID: tuple[ObjectiveName, ...] = ("siglip", "siglip2")  # these need a learner with a bias


def make_objective(learner: Filter, rules: TrainingRules, texts: Sequence[str]) -> Objective:
    """What ``rules.objective`` names, for ``learner``, its heads at random under torch's current seed.

    ``texts`` are the training set's: findings' vocabulary is learned from them, the same for the same texts in the same
    order. The learner of a `SIGMOID` objective has a bias (`filters.towers.model.create_filter`, objective "siglip").
    RecipeError where learner, rules or teacher do not go together; RunError where the texts do not serve.
    """
    match rules.objective:
        case "clip" | "siglip" as kind:
            return Contrastive(kind, learner)
        case "siglip2":
            return Contrastive("siglip", learner, rules.caption, rules.distill, rules.distill_after, rules.masked)
        case "coca":
            return Coca(learner, rules.caption)
        case "distill":
            return Distill(learner, rules)
        case "medclip":
            return SemanticMatch(texts)
