"""How often a comparison's main difference is outside noise, by how many pairs are held out and how many seeds trained.

    python -m benchmarks.training.power --on RUN COMPARE ... [--pairs 75 150 290] [--seeds 3] [--draws 300]

COMPARE: finished comparisons (RUN/compare/<hash>), each under a secret of its own. Their models are measured on the
right pairs of the test split of another RUN, which none of them has seen: on all of them with all seeds, then on drawn
patients of so many pairs with drawn seeds. Pictures are found among all of the split's.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from curate.ingest.index import image_key
from curate.storage import read_json, read_table
from filters.compare.outcome import ALL, Estimate, estimate
from filters.evaluate.data import read_set
from filters.evaluate.encode import Encoded, encode
from filters.evaluate.estimate import Metric
from filters.evaluate.retrieval import retrieval
from filters.evaluate.sets import EvalSet
from filters.metrics import resampled
from filters.towers.model import load_filter
from pipelines.recipe.load import load_recipe

_SAMPLES = 200  # of patients, as compare draws them


def right_pairs(run: Path) -> EvalSet:
    """The right pairs of the run's test split."""
    recipe = load_recipe(run / "recipe.yaml")
    assert recipe.truth is not None, f"{run} names no truth"
    pseudo = recipe.secret_source().pseudonymizer()
    rows = read_table(recipe.truth.path, ["file", "pair_is_right"]).to_pylist()
    right = {image_key(recipe.truth.source, r["file"], pseudo) for r in rows if r["file"] and r["pair_is_right"]}
    data = read_set(run, "test").sorted()
    return data.take([i for i, key in enumerate(data.keys) if key in right])


def measured(comparison: Path, data: EvalSet, selection: str) -> dict[str, list[Metric]]:
    """The AUROC of finding a text's picture by the models of all and of ``selection``, a seed each."""
    seeds = read_json(comparison / "results.json")["seeds"]
    found: dict[str, list[Metric]] = {}
    for name in (ALL, selection):
        (folder,) = comparison.glob(f"{name}-??????")
        for seed in range(1, seeds + 1):
            model = load_filter(folder / f"{seed}-1" / "model", "cpu")
            encoded: Encoded = encode(model, data)
            found.setdefault(name, []).append(retrieval(model, encoded)["retrieval/text_to_image"]["auroc"])
    return found


def gain(ours: list[Metric], others: list[Metric], seeds: NDArray[np.int64], weights: NDArray[np.float64]) -> Estimate:
    """Of the first row of ``weights``; the others are samples of patients."""
    by_seed = np.stack([ours[s].measure(weights) - others[s].measure(weights) for s in seeds])
    return estimate(by_seed[:, 0].tolist(), list(by_seed[:, 1:]))


def drawn_patients(groups: list[str], pairs: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """bool[n]: the pairs of patients drawn until there are ``pairs``."""
    names, owner, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    order = rng.permutation(len(names))
    return np.isin(owner, order[: int(np.searchsorted(np.cumsum(sizes[order]), pairs)) + 1])


def weights_of(chosen: NDArray[np.bool_], groups: list[str]) -> NDArray[np.float64]:
    """float64[1 + samples, n]: every chosen pair once, then samples of their patients."""
    weights = np.zeros((1 + _SAMPLES, len(groups)))
    weights[0, chosen] = 1
    of_chosen = [g for g, c in zip(groups, chosen, strict=True) if c]
    weights[1:, chosen] = np.concatenate(list(resampled(of_chosen, _SAMPLES, 0)))
    return weights


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("comparisons", type=Path, nargs="+")
    parser.add_argument("--on", type=Path, required=True)
    parser.add_argument("--pairs", type=int, nargs="*", default=[75, 150, 290, 377])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--draws", type=int, default=300)
    parser.add_argument("--selection", default="recipe")
    asked = parser.parse_args()
    data = right_pairs(asked.on)
    groups = list(data.groups)
    print(f"{len(groups)} pairs of {len(set(groups))} patients")
    for comparison in asked.comparisons:
        found = measured(comparison, data, asked.selection)
        ours, others = found[asked.selection], found[ALL]
        whole = gain(ours, others, np.arange(len(ours)), weights_of(np.ones(len(groups), bool), groups))
        assert whole.low is not None and whole.high is not None, f"{comparison} has one seed"
        print(f"{comparison}: {whole.value:+.3f} [{whole.low:+.3f}, {whole.high:+.3f}], {whole.n} seeds")
        rng = np.random.default_rng(0)
        for pairs in asked.pairs:
            told = [
                gain(ours, others, rng.permutation(len(ours))[: asked.seeds], weights_of(chosen, groups))
                for chosen in (drawn_patients(groups, pairs, rng) for _ in range(asked.draws))
            ]
            outside = np.mean([e.certain and e.value > 0 for e in told])
            spread = np.std([e.value for e in told])
            print(
                f"  {pairs} pairs, {asked.seeds} seeds: outside noise {outside:.1%}; the gain's spread {spread:.3f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
