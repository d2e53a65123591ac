"""How good the filters are, as the report page says it: on held-out pairs, and against known truth where there is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate.export.labels import Labels
from curate.record import live
from curate.report.fairness import Fairness, fairness
from curate.report.page import Measure
from curate.report.trust import Drift, Reliability, ReliabilityBin
from curate.step import read_parts
from curate.storage import read_table
from filters.drift import ScoreReference, score_drift
from filters.method import LEFT_OUT, ON_CARD, UNCALIBRATED, method_of
from filters.metrics import auroc, bootstrap_interval
from filters.task import FINDINGS
from pipelines.build import Pipeline

_FLATTERED = 0.25  # share of the scored records that a filter was trained on, above which the page says so
_TOLD = 0.6  # AUROC against a planted fault, below which the page says that it is not seen
_AGAINST = {  # what a method's held-out AUROC is of
    "image_quality": "clean pictures against drawn ones",
    "findings": "own text against another's and edited ones",
}
_FAULTS = ("mismatch", "wrong_side", "negated", "boilerplate")


def measures(pipeline: Pipeline, selection: pa.Table) -> list[Measure]:
    """What each filter's card says of itself, and every score against the truth where the recipe names one."""
    found: list[Measure] = []
    for name, card in pipeline.cards.items():
        found += _held_out(name, _AGAINST.get(method_of(card), "own text against another's"), card["metrics"])
        if pipeline.recipe.truth is None:  # else real faults say it better
            found += _planted(name, card)
        found += _estimated(name, card)
    if pipeline.recipe.truth is not None and pipeline.score is not None:
        found += _against_truth(pipeline, selection)
    return found


def _held_out(name: str, title: str, metrics: dict[str, Any]) -> list[Measure]:
    """What the filter's card says of itself; a card without held-out pairs says nothing."""
    if metrics.get("holdout_auroc") is None:
        return []
    low, high = metrics.get("holdout_auroc_low"), metrics.get("holdout_auroc_high")
    counts = [metrics.get(key) for key in ("holdout_pairs", "train_pairs")]
    measured, trained = ("" if n is None else f"{n:.0f} " for n in counts)
    pairs = f"{measured}held-out pairs of the clean set, trained on {trained or 'the '}others"
    found = [Measure(f"{name}: AUROC, {title}", metrics["holdout_auroc"], low, high, pairs)]
    if metrics.get("holdout_r1") is not None:
        found.append(Measure(f"{name}: R@1", metrics["holdout_r1"], None, None, pairs))
    return found


def _planted(name: str, card: Mapping[str, Any]) -> list[Measure]:
    """What a filter that was asked about planted faults says of each."""
    pairs = f"{card['metrics'].get('holdout_pairs', 0):.0f} held-out clean pairs, and the fault planted in them"
    by_fault = _by_planted(card).items()
    return [Measure(f"{name}: AUROC on planted {fault}", value, None, None, pairs) for fault, value in by_fault]


def _estimated(name: str, card: Mapping[str, Any]) -> list[Measure]:
    """How many pairs of its pool a filter takes for right, and why its probability is none to cut by."""
    if (share := card["metrics"].get("right_in_pool")) is None:
        return []
    note = "of the pool it was trained beside; faults it does not see count as right"
    if reason := card.get(UNCALIBRATED):
        note += f". Not calibrated: {reason}"
    note += "".join(f". Without {part}: {why}" for part, why in card.get(LEFT_OUT, {}).items())
    half = 1.96 * card["metrics"].get("right_error", math.nan)
    low, high = (None, None) if math.isnan(half) else (max(0.0, share - half), min(1.0, share + half))
    return [Measure(f"{name}: right pairs, its estimate", share, low, high, note)]


def _by_planted(card: Mapping[str, Any]) -> dict[str, float]:
    """The AUROC against each planted fault, by its name."""
    return {k.removeprefix(ON_CARD): v for k, v in sorted(card["metrics"].items()) if k.startswith(ON_CARD)}


def _against_truth(pipeline: Pipeline, selection: pa.Table) -> list[Measure]:
    """AUROC of every filter on each kind of planted fault against right pairs, outside the clean set."""
    recipe = pipeline.recipe
    assert recipe.truth is not None and pipeline.score is not None
    facts = truths(pipeline)
    clean = _clean_set(pipeline)
    names = list(recipe.filters)
    scored = _scored(pipeline, names).to_pylist()
    rows = [{**r, **facts[r["key"]]} for r in scored if r["key"] in facts and r["key"] not in clean]
    found = [m for name in names for m in _by_fault(name, rows)]
    pool = [r for r in selection.to_pylist() if r["key"] in facts and r["split"] == "train"]
    kept = [r for r in pool if r["drop_reason"] is None and r["text_from"] != "synthetic"]  # of those no truth is known
    for when, among in (("before the cut", pool), ("after the cut", kept)):
        if among:
            share = sum(bool(facts[r["key"]]["pair_is_right"]) for r in among) / len(among)
            note = f"of the train split's {len(among)} records, by known truth"
            found.append(Measure(f"right pairs {when}", share, None, None, note))
    return found


def truths(pipeline: Pipeline) -> dict[str, dict[str, Any]]:
    """What the recipe's truth says of each record, by key: fault, pair_is_right, patient_id; {} without a truth."""
    recipe = pipeline.recipe
    if recipe.truth is None:
        return {}
    from curate.ingest.index import image_key  # what makes the index: only where a truth is to be joined to it

    pseudo = recipe.secret_source().pseudonymizer()
    rows = read_table(recipe.truth.path, ["file", "fault", "pair_is_right", "patient_id"]).to_pylist()
    return {image_key(recipe.truth.source, r["file"], pseudo): r for r in rows if r["file"]}


def blind_spots(told_by: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Of each filter that was asked about planted faults, by its card, those it could not tell from right: a line."""
    found = []
    for name, card in told_by.items():
        for fault, value in _by_planted(card).items():
            if value < _TOLD:
                found.append(
                    f"filter '{name}' cannot tell {fault} from right (AUROC {value:.2f} on pairs it had not seen): "
                    f"such pairs stay, and its column '{name}_{fault}' says little; more clean pairs may help"
                )
    return found


def drifts(pipeline: Pipeline) -> list[Drift]:
    """How far this archive's scores lie from those of the pool each filter was trained on, as its card remembers."""
    if pipeline.score is None:
        return []
    found = []
    for name, card in pipeline.cards.items():
        if (noted := card.get("pool_scores")) is not None:
            scores = _scored(pipeline, [name])[name].to_numpy()
            found.append(score_drift(ScoreReference.from_json(noted), scores, name))
    return found


def reliabilities(pipeline: Pipeline) -> list[Reliability]:
    """The reliability diagrams that filters carry on their cards."""
    found = []
    for name, card in pipeline.cards.items():
        if (noted := card.get("reliability")) is not None:
            bins = tuple(ReliabilityBin(**b) for b in noted["bins"])
            found.append(Reliability(name, bins, noted["ece"], noted["brier"], noted["note"]))
    return found


def _scored(pipeline: Pipeline, columns: list[str]) -> pa.Table:
    """``key`` and ``columns`` of the score table; no rows where there was nothing to score."""
    assert pipeline.score is not None
    kinds = {name: pa.string() if name == FINDINGS else pa.float32() for name in columns}
    empty = pa.schema([("key", pa.string()), *kinds.items()])
    return read_parts(pipeline.score.folder(pipeline.run), ["key", *columns], empty)


def keep_rates(pipeline: Pipeline, records: pa.Table, selection: pa.Table) -> Fairness | None:
    """Keep rates of the cut by subgroup, over the records it cut; None where nothing was."""
    rules = pipeline.recipe.select_rules()
    if pipeline.score is None or not rules.cuts:
        return None
    if not rules.filter_eval:
        selection = selection.filter(pc.equal(selection["split"], "train"))
    scored = _scored(pipeline, [FINDINGS])
    selection = selection.filter(pc.is_in(selection["key"], value_set=scored["key"]))  # not reports without an image
    columns: dict[str, Labels] = {}
    for table, names in ((scored, (FINDINGS,)), (records, ("modality", "body_part", "view", "sex", "source"))):
        rows = pc.index_in(selection["key"].combine_chunks(), value_set=table["key"])
        assert not rows.null_count, "what is selected was ingested"
        columns |= {name: Labels.of(table[name]).take(rows.to_numpy()) for name in names}
    return fairness({**columns, "age": records["age"].take(rows)}, live(selection))


def _by_fault(name: str, rows: list[dict[str, Any]]) -> list[Measure]:
    known = [r for r in rows if r[name] is not None and np.isfinite(r[name])]
    right = [r for r in known if r["pair_is_right"]]
    found = []
    for fault in _FAULTS:
        wrong = [r for r in known if r["fault"] == fault]
        if len(wrong) < 2 or len(right) < 2:
            continue
        scores = np.array([r[name] for r in right + wrong], dtype=np.float32)
        positive = np.array([True] * len(right) + [False] * len(wrong))
        low, high = bootstrap_interval(scores, positive, groups=[r["patient_id"] for r in right + wrong])
        note = f"{len(right)} right pairs against {len(wrong)} planted, unseen by the filter; 95 % over patients"
        found.append(Measure(f"{name}: AUROC on {fault}", auroc(scores, positive), low, high, note))
    return found


def _clean_set(pipeline: Pipeline) -> set[str]:
    """Keys that the run's own filters were trained on; empty where all were brought."""
    steps = pipeline.train_filters.values()
    return {key for step in steps for key in read_parts(step.folder(pipeline.run))["key"].to_pylist()}


def flattered(pipeline: Pipeline, selection: pa.Table) -> list[str]:
    """A filter scores the pairs it was trained on too high; said aloud where they are many."""
    scored = selection["key"].filter(pc.is_valid(selection["score"]))
    own = pc.sum(pc.is_in(scored, value_set=pa.array(list(_clean_set(pipeline)), pa.string()))).as_py() or 0
    if own <= len(scored) * _FLATTERED:
        return []
    share = f"{own} of {len(scored)} scored records are the filter's own training pairs, and their scores flatter them"
    return [f"{share}: declare a smaller clean set (reports.columns.clean), or bring a filter (filters.NAME.folder)"]
