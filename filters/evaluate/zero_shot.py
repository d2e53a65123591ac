"""Zero-shot classification: classes and facts by prompt ensembles, findings by "there is" against "there is no".

A finding's truth is extracted from the report by `filters.findings`: affirmed is 1, denied is 0, uncertain or historic
does not count. An unmentioned finding counts as 0 if the report is about that region of the body or says that nothing
is wrong, and does not count otherwise: that a head CT has no effusion is trivial.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax
from sklearn.metrics import precision_recall_curve

from filters.evaluate.encode import Encoded, Rows
from filters.evaluate.estimate import Metric, auprc, auroc, average, classified, f1
from filters.evaluate.targets import ABSENT, PRESENT, Target, ensemble
from filters.findings import Claim, extract, regions
from filters.findings.items import NOTHING_WRONG
from filters.findings.lexicon import lexicon
from filters.findings.spelling import spellings
from filters.towers.encoder import Filter
from filters.training.plan import hold_out

Truth = NDArray[np.float64]
ReportClaims = list[tuple[tuple[Claim, ...], frozenset[str]]]  # for each text its claims and the regions that it names


def zero_shot(model: Filter, images: Rows, target: Target) -> dict[str, Metric]:
    """Images by the nearest class. The score of a class is its log-probability under the model's own temperature."""
    return classified(target.labels, class_scores(model, images, ensemble(model, target.names, target.templates)))


def class_scores(model: Filter, images: Rows, classes: Rows) -> Truth:
    """float64[n, c]: log softmax over classes of the scaled cosines."""
    return np.asarray(log_softmax(model.logit()[0] * (images.astype(np.float64) @ classes.T), axis=1))


def finding_truth(texts: Sequence[str], min_examples: int) -> dict[str, Truth]:
    """float64[n] of 1, 0 or NaN, by name, for each finding with at least ``min_examples`` positives and negatives."""
    reports = _read(texts)
    known = lexicon().findings
    asserted = {c.finding for claims, _ in reports for c in claims if c.state == "present" and not c.historic}
    truths = _truth(reports, sorted(f for f in asserted if f != NOTHING_WRONG and not known[f].device))
    return {name: y for name, y in truths.items() if (y == 1).sum() >= min_examples and (y == 0).sum() >= min_examples}


def truth_of(texts: Sequence[str], names: Iterable[str]) -> dict[str, Truth]:
    """float64[n] of 1, 0 or NaN for each finding of ``names``."""
    return _truth(_read(texts), names)


def _read(texts: Sequence[str]) -> ReportClaims:
    return [(extract(t), regions(t)) for t in texts]


def _truth(reports: ReportClaims, names: Iterable[str]) -> dict[str, Truth]:
    known = lexicon().findings
    return {name: np.array([_state(name, known[name].region, c, r) for c, r in reports]) for name in names}


def _state(name: str, region: str, claims: Sequence[Claim], named_regions: frozenset[str]) -> float:
    states = {"historic" if c.historic else c.state for c in claims if c.finding == name}
    if states:
        return (
            1.0 if "present" in states else 0.0 if states <= {"absent", "historic"} and "absent" in states else np.nan
        )
    normal = any(c.finding == NOTHING_WRONG and not c.historic for c in claims)
    return 0.0 if normal or region in named_regions else np.nan


def findings(model: Filter, encoded: Encoded, truths: dict[str, Truth], seed: int) -> dict[str, dict[str, Metric]]:
    """Task name -> AUROC, AUPRC and F1 of each finding of `finding_truth`, and under "findings" their macro means.

    F1 uses cross-fitted thresholds: the one with the best F1 on one half of the patients is applied to the other half.
    """
    if not truths:
        return {}
    class_names = [spellings(name) for name in truths]
    present, absent = ensemble(model, class_names, PRESENT), ensemble(model, class_names, ABSENT)
    scores = model.logit()[0] * (encoded.images @ (present - absent).T).astype(np.float64)
    half = hold_out(encoded.data.groups, 0.5, seed)
    per_finding: dict[str, dict[str, Metric]] = {}
    for k, (name, truth) in enumerate(truths.items()):
        predicted = cross_thresholded(scores[:, k], truth, half)
        per_finding[name] = {
            "auroc": auroc(scores[:, k], truth), "auprc": auprc(scores[:, k], truth), "f1": f1(predicted, truth),
        }  # fmt: skip
    macro = {kind: average([m[kind] for m in per_finding.values()]) for kind in ("auroc", "auprc", "f1")}
    return {"findings": macro, **{f"findings/{name}": m for name, m in per_finding.items()}}


def cross_thresholded(scores: Truth, truth: Truth, half: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """bool[n]: predicted present, each half by the threshold that is best on the other."""
    out = np.zeros(len(scores), bool)
    for part in (half, ~half):
        known = ~part & np.isfinite(truth)
        out[part] = scores[part] >= best_threshold(scores[known], truth[known])
    return out


def best_threshold(scores: Truth, truth: Truth) -> float:
    """The threshold with the highest F1; 0, the neutral score, if there is no positive to choose by."""
    if not (truth > 0).any():
        return 0.0
    precision, recall, thresholds = precision_recall_curve(truth > 0, scores)
    value = np.round(2 * precision * recall / np.maximum(precision + recall, 1e-12), 9)
    return float(thresholds[::-1][np.argmax(value[:-1][::-1])])  # of equally good ones the highest
