"""Judges: do picture and text belong together, by several simple opinions of frozen features (`filters.judges`).

Where a clean set is declared it teaches the judges; where none is, which is the usual case, the pool does, and the
judges of one part of the patients say how much the pairs of another count. What the patient's other pairs say
is weighed with the pair's own score, under two faults fitted together: a single text exchanged, and a whole study.

Columns: "" the probability that the pair is right, its patient's other pairs considered; "alone" the same by the pair
alone. Those of a patient whom the judges learned from are judged by judges that did not.

The folder holds rows of the (de-identified) pairs of the pool that was looked at, at most 20,000, and digests of their
keys and patients: a record is compared with its patient's others among them (`filters.banks` takes some out again).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from curate.errors import RecipeError
from filters.banks import digests
from filters.judges import fit as fitting
from filters.judges import folder as files
from filters.judges.spaces import Rows
from filters.method import (
    UNCALIBRATED,
    Batch,
    Progress,
    Records,
    Scores,
    TrainingSet,
    load_method,
    of_valid,
    read_card,
    write_card,
)
from filters.methods.two_towers import Towers
from filters.registry import JudgesRules as Rules
from filters.registry import require_towers
from filters.score import Needs, prepare
from filters.towers import lit
from filters.towers.model import TOWERS, Filter, bring_towers, pick_device

PACKAGED = "packaged"
_BATCH = 64


def train(data: TrainingSet, out: Path, rules: Rules, progress: Progress | None = None) -> dict[str, float]:
    """Fit the judges on the clean set where it is declared, else on the pool; RunError where there is too little."""
    clean, pool = data.clean.sorted(), data.pool.sorted()
    known_right = data.declared or not len(pool)
    reference = (clean if known_right else pool).at_most(rules.max_pairs)
    encoder = _encoder(out, rules)
    towers = _towers(out, encoder, rules.device)
    looked_at = _features(towers, pool)
    taught = _features(towers, reference) if known_right else looked_at.take(_rows_of(pool, reference, looked_at.names))
    panel, metrics = fitting.fit(taught, looked_at, known_right, rules.seed, rules.rounds)
    if progress is not None:
        progress(1, 1, {"auroc": metrics["holdout_auroc"]})
    files.save(panel, out)
    metrics = {"train_pairs": float(len(taught)), **metrics}
    about = {"sides": list(towers.sides), "native": towers.native}
    more = {"encoder": encoder, "declared": known_right, UNCALIBRATED: fitting.uncalibrated(metrics)}
    write_card(out, "judges", rules, data, metrics, preprocessing=about, **more)
    return metrics


def _encoder(out: Path, rules: Rules) -> str:
    """Whose towers are read: those in ``out``, which the recipe brought, or the packaged ones; RecipeError without."""
    if rules.encoder is not None:
        read_card(Path(rules.encoder))
        bring_towers(Path(rules.encoder), out)
        return TOWERS
    require_towers(rules)
    return PACKAGED


def _features(towers: Towers, records: Records) -> fitting.PairFeatures:
    """The pairs whose image decodes, as the towers see them."""
    images, sentences, valid = features(towers, records)
    whole = fitting.PairFeatures(records.keys, records.groups, images, sentences, records.texts)
    return whole.take(valid)


def _rows_of(pool: Records, reference: Records, names: list[str]) -> NDArray[np.bool_]:
    wanted = set(reference.keys) if len(reference) < len(pool) else None
    return np.array([wanted is None or name in wanted for name in names], np.bool_)


def load(folder: Path, device: str = "auto") -> JudgesMethod:
    """The judges in ``folder``; RecipeError where a file is missing or damaged, or towers are not there."""
    encoder = str(read_card(folder).get("encoder", ""))
    if not encoder:
        raise RecipeError(str(folder / "card.json"), "names no encoder", "train the filter again")
    panel = files.load(folder)
    return JudgesMethod(panel, _towers(folder, encoder, device))


def _towers(folder: Path, encoder: str, device: str) -> Towers:
    return open_towers(str(folder / TOWERS) if encoder == TOWERS else encoder, device)


def open_towers(encoder: str, device: str) -> Towers:
    """The towers in the folder ``encoder``, or `PACKAGED` ones without heads; RecipeError where they are not there."""
    if encoder != PACKAGED:
        found = load_method(Path(encoder), device)
        if not isinstance(found, Towers):
            raise RecipeError(
                "filter.encoder", f"{encoder} holds no two towers", "a folder of clip, dfn, siglip or eva"
            )
        return found
    model, tokenizer = lit.create()
    model.image_head, model.text_head = torch.nn.Sequential(), torch.nn.Sequential()  # the features themselves
    return Towers(Filter(model, tokenizer, model.config, {}, pick_device(device)), None)


def features(towers: Towers, records: Records) -> tuple[Rows, Rows, NDArray[np.bool_]]:
    """(images float32[n, f], texts float32[n, g], bool[n]: the image decoded), unit rows; NaN where it did not."""
    needs = Needs(towers.sides, towers.native)
    rows = [towers.embed(b) for b in prepare(records.images, records.texts, needs, _BATCH)]
    if not rows:
        return np.zeros((0, 1), np.float32), np.zeros((0, 1), np.float32), np.zeros(0, np.bool_)
    left, right = (np.concatenate(part) for part in zip(*rows, strict=True))
    return left, right, np.isfinite(left[:, 0])


class JudgesMethod:
    """A `Method` over a `Panel`."""

    columns = ("", "alone")

    def __init__(self, panel: fitting.Panel, towers: Towers) -> None:
        self.panel, self.towers = panel, towers
        self.sides, self.native = towers.sides, towers.native

    def __call__(self, batch: Batch) -> Scores:
        """float32[n] a column; NaN where the image did not decode. Without ``whose`` no other pair is considered."""
        return of_valid(batch, self.columns, self._score)

    def _score(self, batch: Batch) -> NDArray[np.float64]:
        rows = self.panel.rows(*self.towers.embed(batch), batch.texts)
        keys, groups = (digests([own[k] for own in batch.whose or [("", "")] * len(batch.texts)]) for k in (0, 1))
        return np.column_stack(self.panel.probability(keys, groups, *rows))
