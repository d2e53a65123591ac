"""Zero-shot classification: classes and facts by prompt ensembles, findings by "there is" against "there is no".

A finding's truth is read from the report by `filters.findings`: affirmed is 1, denied is 0, doubtful or historic does
not count. A finding a report is silent on counts as 0 where the report speaks of that region of the body or says that
nothing is wrong, and does not count otherwise: that a head CT has no effusion is no news of a model.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax
from sklearn.metrics import precision_recall_curve

from filters.evaluate.encode import Encoded, Rows
from filters.evaluate.estimate import Metric, auprc, auroc, average, classified, f1
from filters.evaluate.prompts import ABSENT, PRESENT, ensemble, finding_names
from filters.evaluate.targets import Target
from filters.findings import Claim, extract, regions
from filters.findings.items import NOTHING_WRONG
from filters.findings.lexicon import lexicon
from filters.towers.encoder import Filter
from filters.training.batches import hold_out

Truth = NDArray[np.float64]
ReportClaims = list[tuple[tuple[Claim, ...], frozenset[str]]]  # of each text its claims and the regions it names


def zero_shot(model: Filter, images: Rows, target: Target) -> dict[str, Metric]:
    """Images by the nearest class. The score of a class is its log-probability under the model's own temperature."""
    return classified(target.labels, class_scores(model, images, ensemble(model, target.names, target.templates)))


def class_scores(model: Filter, images: Rows, classes: Rows) -> Truth:
    """float64[n, c]: log softmax over classes of the scaled cosines; a monotone function of nothing but the image."""
    return np.asarray(log_softmax(model.logit()[0] * (images.astype(np.float64) @ classes.T), axis=1))


def finding_truth(texts: Sequence[str], least: int) -> dict[str, Truth]:
    """Of each finding with at least ``least`` positives and as many negatives: float64[n] of 1, 0 or NaN, by name."""
    said = _read(texts)
    known = lexicon().findings
    shown = {c.finding for claims, _ in said for c in claims if c.state == "present" and not c.historic}
    told = _truth(said, sorted(f for f in shown if f != NOTHING_WRONG and not known[f].device))
    return {name: y for name, y in told.items() if (y == 1).sum() >= least and (y == 0).sum() >= least}


def truth_of(texts: Sequence[str], names: Iterable[str]) -> dict[str, Truth]:
    """float64[n] of 1, 0 or NaN for each finding of ``names``."""
    return _truth(_read(texts), names)


def _read(texts: Sequence[str]) -> ReportClaims:
    return [(extract(t), regions(t)) for t in texts]


def _truth(said: ReportClaims, names: Iterable[str]) -> dict[str, Truth]:
    known = lexicon().findings
    return {name: np.array([_state(name, known[name].region, c, r) for c, r in said]) for name in names}


def _state(name: str, region: str, claims: Sequence[Claim], spoken: frozenset[str]) -> float:
    said = {"historic" if c.historic else c.state for c in claims if c.finding == name}
    if said:
        return 1.0 if "present" in said else 0.0 if said <= {"absent", "historic"} and "absent" in said else np.nan
    normal = any(c.finding == NOTHING_WRONG and not c.historic for c in claims)
    return 0.0 if normal or region in spoken else np.nan


def findings(model: Filter, found: Encoded, truths: dict[str, Truth], seed: int) -> dict[str, dict[str, Metric]]:
    """Task name -> AUROC, AUPRC and F1 of each finding of `finding_truth`, and under "findings" their macro means.

    F1 is taken at a threshold that needs no training: of all scores of one half of the patients the one with the best
    F1, used on the other half, and the reverse.
    """
    if not truths:
        return {}
    said = [finding_names(name) for name in truths]
    there, not_there = ensemble(model, said, PRESENT), ensemble(model, said, ABSENT)
    scores = model.logit()[0] * (found.images @ (there - not_there).T).astype(np.float64)
    half = hold_out(found.data.groups, 0.5, seed)
    each: dict[str, dict[str, Metric]] = {}
    for k, (name, truth) in enumerate(truths.items()):
        shown = crossed(scores[:, k], truth, half)
        each[name] = {
            "auroc": auroc(scores[:, k], truth), "auprc": auprc(scores[:, k], truth), "f1": f1(shown, truth),
        }  # fmt: skip
    macro = {kind: average([m[kind] for m in each.values()]) for kind in ("auroc", "auprc", "f1")}
    return {"findings": macro, **{f"findings/{name}": m for name, m in each.items()}}


def crossed(scores: Truth, truth: Truth, half: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """bool[n]: what is called present, each half by the threshold that serves the other best."""
    out = np.zeros(len(scores), bool)
    for mine in (half, ~half):
        known = ~mine & np.isfinite(truth)
        out[mine] = scores[mine] >= best_threshold(scores[known], truth[known])
    return out


def best_threshold(scores: Truth, truth: Truth) -> float:
    """The score from which calling a finding present gives the highest F1; 0, as near to yes as to no, where there is
    no positive to choose by."""
    if not (truth > 0).any():
        return 0.0
    precision, recall, thresholds = precision_recall_curve(truth > 0, scores)
    value = np.round(2 * precision * recall / np.maximum(precision + recall, 1e-12), 9)
    return float(thresholds[::-1][np.argmax(value[:-1][::-1])])  # of equally good ones the highest
