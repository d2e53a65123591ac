"""The objectives by name: each a `filters.training.objectives.protocol.Objective`."""

from __future__ import annotations

from collections.abc import Sequence

from filters.rules import ObjectiveName, TrainingRules
from filters.towers.encoder import Filter
from filters.training.objectives.contrastive import Contrastive
from filters.training.objectives.distill import Coca, Distill
from filters.training.objectives.protocol import Objective
from filters.training.objectives.semantic import SemanticMatch

SIGMOID: tuple[ObjectiveName, ...] = ("siglip", "siglip2")  # these need a learner with a bias


def make_objective(learner: Filter, rules: TrainingRules, texts: Sequence[str]) -> Objective:
    """The objective ``rules.objective`` for ``learner``, its heads initialised under torch's current seed.

    ``texts`` of the training set, from which the findings' vocabulary is learned deterministically. The learner of a
    `SIGMOID` objective has a bias (`filters.towers.model.create_filter`, objective "siglip"). RecipeError if learner,
    rules or teacher do not fit together; RunError if the texts affirm too few findings.
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
