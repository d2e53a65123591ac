"""A filter that knows nothing must not cut, and none by a probability that it does not know: asked before `select`, of
what each filter's card says of itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from curate.errors import RunError
from filters.method import ON_CARD, UNCALIBRATED
from pipelines.recipe.recipe import Recipe

LEAST = 0.55  # AUROC on pairs with another's text that it had not seen; 0.5 is a coin


def require_sight(recipe: Recipe, cards: Mapping[str, Mapping[str, Any]]) -> None:
    """RunError where the cut is by a filter that cannot tell right pairs from exchanged ones, or by a precision that is
    of a probability that is not calibrated, by its card; unless the recipe says ``select.force``."""
    rules = recipe.select_rules()
    if not rules.cuts or recipe.select.force:
        return
    for name in _filters_of(rules.score_columns, cards):
        metrics = cards[name].get("metrics", {})
        auroc = metrics.get(f"{ON_CARD}mismatch", metrics.get("holdout_auroc"))
        if auroc is not None and auroc < LEAST:
            raise RunError(
                f"filter '{name}' cannot tell right pairs from others: AUROC {auroc:.2f} on pairs it had not seen, "
                f"and {LEAST} is the least to cut by\n"
                "  choose: more or cleaner clean pairs ('clean'), another filter ('select.by'), no cut "
                "('select: {}'), or 'select.force: true' to cut all the same"
            )
    if rules.precision is None:
        return
    for name in _filters_of([rules.probability or str(rules.by)], cards):
        if reason := cards[name].get(UNCALIBRATED):
            raise RunError(
                f"select.precision: the probability of '{name}' is not calibrated: {reason}\n"
                "  choose: 'select.keep', 'top_k' or 'threshold', which read its order alone, a larger clean set, or "
                "'select.force: true' to cut all the same"
            )


def _filters_of(columns: Iterable[str], names: Iterable[str]) -> list[str]:
    """The filters whose columns these are; of names that begin alike the longest."""
    known = sorted(names, key=len, reverse=True)
    found = {next((n for n in known if column == n or column.startswith(f"{n}_")), None) for column in columns}
    return sorted(name for name in found if name is not None)
