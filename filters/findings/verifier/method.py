"""The findings verifier: does the picture show what the text claims, finding by finding?

`filters.findings` extracts the claims of texts; a small network reads pictures, trained on the claims of right pairs
and on unpaired pictures and texts of the pool, as MedCLIP (Wang et al., arXiv 2210.10163, section 3.3). Columns: "" the
log-odds that the pair is right, fitted on held-out patients; "contradiction" the claim that the picture contradicts
most; "omission" what the picture shows and the text leaves out. For all, higher is better; 0 is an average pair without
evidence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file

from curate.errors import RunError
from filters.findings import edit
from filters.findings.slots import Claims, Slots, learn_slots, read_claims
from filters.findings.verifier.network import FindingsNet
from filters.findings.verifier.train import fit
from filters.method import (
    Batch,
    NothingToLearn,
    Progress,
    Records,
    Scores,
    TrainingSet,
    of_valid,
    read_card,
    reading,
    write_card,
)
from filters.metrics import auroc
from filters.registry import FindingsRules as Rules
from filters.towers import preprocess
from filters.towers.model import pick_device
from filters.towers.weights import write_state
from filters.training.curve import write_epochs
from filters.training.distributed import determinism
from filters.training.plan import hold_out

FEATURES = ("claims", "worst", "silence", "most_left_out", "match", "place")
_FLOOR = 0.02  # bound of the network's probabilities
_MIN_PAIRS = 16  # clean pairs
_BLOCK = 64


def train(training: TrainingSet, out: Path, rules: Rules, progress: Progress | None = None) -> dict[str, float]:
    """Train on the clean pairs and the unpaired pool; RunError if the clean texts affirm too few findings."""
    clean = _Decoded.of(training.clean.sorted(), rules.side)
    if len(clean.texts) < _MIN_PAIRS:
        raise RunError(
            f"the clean set has {len(clean.texts)} pairs with an image, findings needs {_MIN_PAIRS}: declare more"
        )
    slots = learn_slots(clean.texts, rules.min_texts, rules.max_findings)
    if not slots.findings:
        raise NothingToLearn(
            f"no finding is affirmed by {rules.min_texts} of the clean set's {len(clean.texts)} texts (it reads English"
            " alone): more pairs, fewer 'min_texts' (in ours: part_rules.findings.min_texts), or another filter"
            " (text_quality needs few)"
        )
    pool = _Decoded.of(training.pool.at_most(rules.pool), rules.side)
    held_out = hold_out(clean.groups, rules.holdout, rules.seed)
    with determinism(rules.seed, rules.threads):
        device = pick_device(rules.device)
        net = FindingsNet(slots, rules.width, rules.embed).to(device)
        claims = read_claims(slots, clean.texts)
        train_rows = np.flatnonzero(~held_out)
        right = clean.pixels[train_rows], claims.take(train_rows)
        curve = fit(net, slots, right, (pool.pixels, read_claims(slots, pool.texts)), rules, device, progress)
        prior = prior_of(claims)
        judge = Findings(net, slots, prior, np.zeros(len(FEATURES) + 1), rules.side, device)
        judge.weights, metrics = _calibrate(
            judge, clean, np.flatnonzero(held_out) if held_out.sum() >= _MIN_PAIRS else train_rows
        )
    out.mkdir(parents=True, exist_ok=True)
    write_state(net.state_dict(), out / "model.safetensors")
    write_epochs(out, curve)
    metrics |= {
        "loss": curve[-1]["loss"],
        "train_pairs": float(len(train_rows)),
        "findings": float(len(slots.findings)),
    }
    more = {
        "preprocessing": {"side": rules.side},
        "findings": list(slots.findings),
        "regions": list(slots.regions),
        "prior": [round(float(p), 5) for p in prior],
        "calibration": [round(float(w), 5) for w in judge.weights],
    }
    write_card(out, "findings", rules, training, metrics, **more)
    return metrics


def load(folder: Path, device: str = "auto") -> Findings:
    """The filter that `train` wrote; RecipeError if the folder is damaged or holds something else."""
    card = read_card(folder)
    with reading(folder / "model.safetensors"):
        slots, rules = Slots(tuple(card["findings"]), tuple(card["regions"])), card["rules"]
        net = FindingsNet(slots, int(rules["width"]), int(rules["embed"]))
        net.load_state_dict(load_file(folder / "model.safetensors"))
        prior, weights = np.array(card["prior"], np.float64), np.array(card["calibration"], np.float64)
        side = int(rules["side"])
    return Findings(net, slots, prior, weights, side, pick_device(device))


class Findings:
    """The trained filter, a `filters.method.Method`."""

    native = False
    columns: tuple[str, ...] = ("", "contradiction", "omission")

    def __init__(
        self,
        net: FindingsNet,
        slots: Slots,
        prior: NDArray[np.float64],
        weights: NDArray[np.float64],
        side: int,
        device: str,
    ) -> None:
        self.net, self.slots, self.prior, self.weights = net.to(device).eval(), slots, prior, weights
        self.sides: tuple[int, ...] = (side,)
        self.device = device

    def __call__(self, batch: Batch) -> Scores:
        """float32[n] for each column, NaN if the image did not decode."""
        return of_valid(batch, self.columns, self._score)

    def _score(self, batch: Batch) -> NDArray[np.float64]:
        features = self.features(batch.images[self.sides[0]], batch.texts)
        odds = features @ self.weights[1:] + self.weights[0]
        if not np.isfinite(odds).all():
            raise RunError(f"findings: {int((~np.isfinite(odds)).sum())} of {len(odds)} scores are NaN: train it again")
        return np.column_stack([odds, features[:, 1], features[:, 3]])

    def features(self, pixels: preprocess.Pixels, texts: Sequence[str]) -> NDArray[np.float64]:
        """float64[n, 6]: `FEATURES`, in that order."""
        logits, images = self._encode(pixels)
        claims = read_claims(self.slots, texts)
        with torch.inference_mode():
            claim_rows = self.net.embed_claims(torch.from_numpy(claims.polarity).to(self.device)).cpu().numpy()
        match = np.einsum("ij,ij->i", images, claim_rows.astype(np.float64)) * (claims.polarity != 0).any(axis=1)
        *sums, region_sum = evidence(logits, claims, self.prior, 1 + 3 * len(self.slots.findings))
        return np.column_stack([*sums, match, region_sum])

    @torch.inference_mode()
    def _encode(self, pixels: preprocess.Pixels) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Logits and embeddings, in blocks of one shape so that a record's values do not depend on the others."""
        logits, images = [], []
        for start in range(0, len(pixels), _BLOCK):
            part = torch.from_numpy(pixels[start : start + _BLOCK]).permute(0, 3, 1, 2).float()
            part = part.mean(
                dim=1, keepdim=True
            ).round()  # as in training: grey pictures stored as colour give the same values
            filled = torch.cat([part, part[:1].expand(_BLOCK - len(part), -1, -1, -1)]).to(self.device)
            z, e = self.net(filled)
            logits.append(z[: len(part)].cpu().numpy().astype(np.float64))
            images.append(e[: len(part)].cpu().numpy().astype(np.float64))
        return np.concatenate(logits), np.concatenate(images)


@dataclass(frozen=True, eq=False)
class _Decoded:
    pixels: preprocess.Pixels
    texts: list[str]
    groups: list[str]

    @classmethod
    def of(cls, records: Records, side: int) -> _Decoded:
        """The records whose image decodes, as grey pictures."""
        decoded = [preprocess.decode(image, side) for image in records.images]
        good = [i for i, pixels in enumerate(decoded) if pixels is not None]
        grey = [np.rint(p.mean(axis=2, keepdims=True)).astype(np.uint8) for p in decoded if p is not None]
        pixels = np.stack(grey) if grey else np.zeros((0, side, side, 1), np.uint8)
        return cls(pixels, [records.texts[i] for i in good], [records.groups[i] for i in good])


def _calibrate(
    judge: Findings, clean: _Decoded, rows: NDArray[np.int64]
) -> tuple[NDArray[np.float64], dict[str, float]]:
    """Logistic regression of right against wrong on ``rows``: wrong ones are other patients' texts and edited texts."""
    rng = np.random.default_rng(len(rows))
    pixels: list[int] = []
    texts: list[str] = []
    right: list[bool] = []
    for i in (int(r) for r in rows):
        wrong = [edit(clean.texts[i], kind, rng) for kind in ("side", "negation", "drop")]
        others = (int(k) for k in rng.choice(rows, 3))
        wrong += [clean.texts[j] for j in others if clean.groups[j] != clean.groups[i]]
        negatives = [t for t in wrong if t is not None and t != clean.texts[i]]
        pixels += [i] * (len(negatives) + 1)
        texts += [clean.texts[i], *negatives]
        right += [True, *(False for _ in negatives)]
    features, truth = judge.features(clean.pixels[pixels], texts), np.array(right)
    weights = logistic(features, truth)
    scores = features @ weights[1:] + weights[0]
    return weights, {"holdout_auroc": auroc(scores, truth), "holdout_pairs": float(len(rows))}


def evidence(
    logits: NDArray[np.float64], claims: Claims, prior: NDArray[np.float64], first_region: int
) -> list[NDArray[np.float64]]:
    """Log-likelihood ratios of claims given the picture against the prior, in natural logarithms.

    Returns the sum over claims on findings, the worst claim, the sum over omitted findings, the worst of those, and
    the sum over regions, whose slots begin at ``first_region``.
    """
    probability = np.clip(1 / (1 + np.exp(-logits)), _FLOOR, 1 - _FLOOR)
    log_present, log_absent = np.log(probability) - np.log(prior), np.log1p(-probability) - np.log1p(-prior)
    per_slot = np.where(claims.polarity > 0, log_present, log_absent) * np.abs(claims.polarity)
    omitted = np.where(claims.unmentioned, np.minimum(log_absent, 0.0), 0.0)
    any_claim = (claims.polarity != 0).any(axis=1)
    worst = np.where(claims.polarity != 0, per_slot, np.inf).min(axis=1)
    return [
        per_slot[:, :first_region].sum(axis=1),
        np.where(any_claim, np.minimum(worst, 2.0), 0.0),
        omitted.sum(axis=1),
        omitted.min(axis=1),
        per_slot[:, first_region:].sum(axis=1),
    ]


def prior_of(claims: Claims) -> NDArray[np.float64]:
    """The weighted share of texts in which each slot is true, smoothed by one text."""
    known = claims.weight.sum(axis=0)
    return np.asarray(np.clip(((claims.truth * claims.weight).sum(axis=0) + 0.5) / (known + 2), 0.01, 0.99), np.float64)


def logistic(x: NDArray[np.float64], y: NDArray[np.bool_], ridge: float = 1.0) -> NDArray[np.float64]:
    """Weights (constant first) of a ridge logistic regression, both classes of equal weight, no slope negative."""
    from sklearn.linear_model import LogisticRegression  # slow import, needed only for fitting

    slopes, active = np.zeros(x.shape[1]), np.ones(x.shape[1], np.bool_)
    while active.any():
        fitted = LogisticRegression(C=1 / ridge, class_weight="balanced", solver="newton-cholesky", tol=1e-8)
        slopes[active] = fitted.fit(x[:, active], y).coef_[0]
        if (slopes >= 0).all():
            return np.asarray(np.r_[fitted.intercept_, slopes])
        active, slopes = slopes > 0, np.zeros(x.shape[1])
    return np.zeros(x.shape[1] + 1)  # no feature indicates a right pair
