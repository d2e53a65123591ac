"""Ours: a learned mixture of filters, calibrated to the probability that a pair is right, that says what is wrong.

Each part is trained on most of the clean set. On the rest, which no part has seen, every fault is injected
(`filters.methods.ours.inject`), every part scores it, and a mixture learns from the parts' columns which fault a pair
has, if any (`filters.methods.ours.mixture`). Then the parts are trained again with the pool's surest pairs beside the
clean ones: a filter is as good as its training set is clean (2309.17425), and larger where it can be so without losing
that. Last, what was injected is weighed by how common it is: another study's text is the usual fault, each of the
others `rare` times as common, and less where the parts could not tell it from right on pairs they had not seen: what is
mere suspicion of every pair that names a side would else outweigh what is known. How many pairs are right is estimated
from the pool itself (Saerens, Latinne & Decaestecker 2002), before a part has learned from it, so that the probability
is one of this archive.

Where `judges` (`filters.judges`) are a part, they alone say whether picture and text belong together: they need no
clean set, are fitted once, see the patient's other pairs, and their probability is the archive's own. The mixture then
says whether a pair that belongs together has another fault. A part that reads nothing in these texts (`findings`, of
reports in another language) is left out, and the card says so.

Columns: "" the probability that the pair is right; "mismatch", "side", "negation", "omission", "boilerplate", "blank",
"nonradiology": the probability of that fault, where alone more is worse. "duplicate" is no class of the mixture, for a
copy of a right pair is right: it is read off the pool by rule (`filters.methods.ours.copies`), 1 - 1/m of a pair that m
pairs of the pool, itself with them, nearly repeat in picture and claims; the other columns do not depend on it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curate.errors import RunError
from curate.report.trust import Reliability
from curate.storage import remove_tree
from filters.findings import concept
from filters.method import (
    LEFT_OUT,
    ON_CARD,
    UNCALIBRATED,
    Batch,
    NothingToLearn,
    Progress,
    Records,
    Scores,
    TrainingSet,
    load_method,
    module_of,
    read_card,
    reading,
    write_card,
)
from filters.methods.ours.calibration import reliability
from filters.methods.ours.copies import Copies
from filters.methods.ours.inject import FAULTS, RIGHT, Injected, inject
from filters.methods.ours.mixture import Mixture, fit
from filters.methods.ours.prior import USUAL, beside, factors, right_share, weighed
from filters.registry import OursRules as Rules
from filters.registry import field_names, make_rules, registered
from filters.score import Needs, Scorer, column, prepare
from filters.training.plan import hold_out

JUDGES = "judges"
_LEAST = 40  # clean pairs, below which there is nothing to hold out
_BATCH = 64
_SIDE = 64  # px at which copies are looked for where no part reads images


def train(data: TrainingSet, out: Path, rules: Rules, progress: Progress | None = None) -> dict[str, float]:
    """Train the parts, the mixture and its calibration; RunError where the clean set is too small to hold any out."""
    clean, pool = data.clean.sorted(), data.pool.sorted()
    if len(clean) < _LEAST:
        raise RunError(f"the clean set has {len(clean)} pairs, 'ours' needs {_LEAST}: declare more, or use 'dfn'")
    held_out = hold_out(clean.groups, rules.holdout, rules.seed)
    taught, rest = clean.take(np.flatnonzero(held_out)), clean.take(np.flatnonzero(~held_out))
    injected = inject(taught, rules.seed, rules.copies)
    grown, mixed, left_out = rest, [name for name in rules.parts if name != JUDGES], dict[str, str]()
    belongs, judges = _judged(data, out / "parts", rules, pool) if JUDGES in rules.parts else (None, {})
    share = None if belongs is None else judges["metrics"]["right_in_pool"]
    for round_ in range(rules.rounds + 1):
        for name in mixed:
            remove_tree(out / "parts" / name, out)
        left_out |= _train_parts(TrainingSet(grown, pool, data.declared), out / "parts", rules, mixed)
        if not (mixed := [name for name in mixed if name not in left_out]):
            raise RunError(f"'ours' has no part left to mix: {'; '.join(left_out.values())}")
        scorer = _scorer(out / "parts", rules, mixed)
        features = _features(scorer, injected.records)
        mixture = fit(
            features, scorer.columns, [f or "right" for f in injected.faults], injected.records.groups, rules.seed
        )
        if progress is not None:
            progress(round_ + 1, rules.rounds + 1, {"auroc": mixture.metrics["auroc"]})
        if not len(pool):
            break
        if round_ == 0 or round_ < rules.rounds:
            of_pool = _features(scorer, pool)
        if share is None:  # in the first round: no part has been taught a pair of the pool yet
            share = right_share(mixture, rules.rare, of_pool)
        if round_ < rules.rounds:
            common = factors(mixture, rules.rare) if belongs is None else beside(mixture, rules.rare, share)
            right = weighed(mixture, common, of_pool)[:, mixture.classes.index("right")]
            right = right if belongs is None else right * belongs
            grown = _grow(rest, clean, pool, right, rules)
    probability = mixture.probability(features)
    if belongs is None or share is None:
        prior = factors(mixture, rules.rare, share)
    else:
        prior = beside(mixture, rules.rare, share)
        probability = weighed(mixture, {USUAL: 0.0}, features)[:, mixture.classes.index("right")]
    (out / "mixture.json").write_text(json.dumps({"mixture": mixture.to_json(), "prior": prior}, sort_keys=True) + "\n")
    metrics = {
        "holdout_pairs": float(len(taught)),
        "train_pairs": float(len(grown)),
        **({} if share is None else {"right_in_pool": share}),
        "planted_auroc": mixture.metrics["auroc"],
        **{ON_CARD + name: mixture.metrics[f"auroc_{name}"] for name in mixture.classes if name != "right"},
    }
    about: dict[str, Any] = {"prior": prior, "faults": [*FAULTS, "duplicate"], LEFT_OUT: left_out}
    if belongs is not None:
        metrics |= {ON_CARD + USUAL: judges["metrics"]["holdout_auroc"]}
        metrics |= {k: v for k, v in judges["metrics"].items() if k == "right_error"}
        about |= {UNCALIBRATED: judges[UNCALIBRATED]}
    drawn = _reliability(probability, injected, len(taught), exchanged=belongs is None)
    preprocessing = _preprocessing(out / "parts")
    _copies(clean, pool, max(preprocessing["sides"])).save(out)
    write_card(out, "ours", rules, data, metrics, preprocessing=preprocessing, reliability=asdict(drawn), **about)
    return metrics


def _reliability(
    probability: NDArray[np.float64], injected: Injected, held_out: int, *, exchanged: bool
) -> Reliability:
    """How often held-out pairs with faults injected into them are as right as ``probability`` says; exchanged texts,
    of which judges have a probability of their own, are left out unless ``exchanged``."""
    judged = np.array([exchanged or f != USUAL for f in injected.faults])
    return reliability(
        probability[judged],
        np.array([f == RIGHT for f in injected.faults])[judged],
        [g for g, a in zip(injected.records.groups, judged, strict=True) if a],
        note=f"{held_out} held-out clean pairs and faults planted in them"
        + ", exchanged texts left out" * (not exchanged),
    )


def _judged(data: TrainingSet, folder: Path, rules: Rules, pool: Records) -> tuple[NDArray[np.float64], dict[str, Any]]:
    """Judges trained in ``folder``: their probability that each pair of the pool belongs together, float64[n], and
    their card."""
    _train_parts(data, folder, rules, [JUDGES])
    return _features(_scorer(folder, rules, [JUDGES]), pool)[:, 0], read_card(folder / JUDGES)


def _train_parts(data: TrainingSet, folder: Path, rules: Rules, names: Sequence[str]) -> dict[str, str]:
    """Train each into ``folder``; of those for which there is nothing to learn, why."""
    left_out = {}
    for name in names:
        given = (rules.part_rules or {}).get(name, {})
        common = {"seed": rules.seed, "threads": rules.threads, "device": rules.device, "margin": True}
        known = field_names(registered(name).rules)
        own_rules = make_rules(name, {**{k: v for k, v in common.items() if k in known}, **given})
        try:
            module_of(name).train(data, folder / name, own_rules)
        except NothingToLearn as nothing:
            left_out[name] = str(nothing)
    return left_out


def _scorer(folder: Path, rules: Rules, names: Sequence[str]) -> Scorer:
    return Scorer({name: str(folder / name) for name in names}, rules.device, rules.threads)


def _features(scorer: Scorer, records: Records) -> NDArray[np.float64]:
    """float64[n, k]: every column of every part."""
    whose = list(zip(records.keys, records.groups, strict=True))
    batches = [scorer(b) for b in prepare(records.images, records.texts, scorer.needs, _BATCH, whose=whose)]
    return np.column_stack([np.concatenate([b[c] for b in batches]) for c in scorer.columns]).astype(np.float64)


def _grow(rest: Records, clean: Records, pool: Records, right: NDArray[np.float64], rules: Rules) -> Records:
    """``rest`` and the pool's surest pairs; no concept takes a larger share of them than twice that of the clean
    set, for what a filter likes best is what is easy."""
    known = set(clean.keys)
    wanted = round(rules.grow * len(pool))
    share: dict[str, float] = {}
    for text in clean.texts:
        share[concept(text)] = share.get(concept(text), 0.0) + 1 / len(clean)
    room = {c: max(2.0, 2 * s * wanted) for c, s in share.items()}
    chosen: list[int] = []
    for i in np.argsort(-right, kind="stable"):
        if len(chosen) == wanted:
            break
        subject = concept(pool.texts[i])
        if pool.keys[i] not in known and room.get(subject, 2.0) >= 1:
            room[subject] = room.get(subject, 2.0) - 1
            chosen.append(int(i))
    more = pool.take(sorted(chosen))
    return Records(
        rest.keys + more.keys, rest.images + more.images, rest.texts + more.texts, rest.groups + more.groups
    ).sorted()


def _preprocessing(folder: Path) -> dict[str, Any]:
    needs = Needs.of(sorted(folder.iterdir()))
    return {"sides": list(needs.sides or (_SIDE,)), "native": needs.native}


def _copies(clean: Records, pool: Records, side: int) -> Copies:
    """What there are copies of: all pairs of the pool and of the clean set whose image decodes."""
    images, texts = [*clean.images, *pool.images], [*clean.texts, *pool.texts]
    whose = list(zip([*clean.keys, *pool.keys], [*clean.groups, *pool.groups], strict=True))
    return Copies.of(prepare(images, texts, Needs((side,)), _BATCH, whose=whose), side)


def load(folder: Path, device: str = "auto") -> Ours:
    """The mixture in ``folder`` and its parts; RecipeError where a file is missing or damaged."""
    card = read_card(folder)
    with reading(folder / "mixture.json"):
        stored = json.loads((folder / "mixture.json").read_text("utf-8"))
        mixture = Mixture.from_json(stored["mixture"])
        prior = {str(k): float(v) for k, v in stored["prior"].items()}
        parts = [str(name) for name in card["rules"]["parts"] if name not in card[LEFT_OUT]]
    methods = {name: load_method(folder / "parts" / name, device) for name in parts}
    return Ours(methods, mixture, prior, Copies.load(folder))


class Ours:
    """A `Method` over other methods."""

    columns = ("", *FAULTS, "duplicate")

    def __init__(self, parts: dict[str, Any], mixture: Mixture, prior: Mapping[str, float], copies: Copies) -> None:
        self.parts, self.mixture, self.copies = parts, mixture, copies
        self.sides = tuple(sorted({side for m in parts.values() for side in m.sides})) or (_SIDE,)
        self.native = any(m.native for m in parts.values())
        self.prior = prior

    def __call__(self, batch: Batch) -> Scores:
        """float32[n] a column; NaN where the image did not decode."""
        scored = {column(n, s): v for n, m in self.parts.items() for s, v in m(batch).items()}
        features = np.column_stack([np.round(scored[name], 5) for name in self.mixture.names]).astype(np.float64)
        if (lost := np.isnan(features[batch.valid]).any(axis=0)).any():  # the mixture would take it for missing
            raise RunError(
                f"'{self.mixture.names[int(lost.argmax())]}', a part of 'ours', is NaN: train the filter again"
            )
        belongs = scored[column(JUDGES, "")].astype(np.float64) if JUDGES in self.parts else None
        share = weighed(self.mixture, self.prior, features)
        share[~batch.valid] = np.nan
        if belongs is not None:  # other faults are of a pair that belongs together
            share *= belongs[:, None]
        at = {name: k for k, name in enumerate(self.mixture.classes)}
        found: dict[str, NDArray[Any]] = {"": share[:, at["right"]]}
        for fault in FAULTS:
            found[fault] = share[:, at[fault]] if fault in at else np.where(batch.valid, 0.0, np.nan)
        if belongs is not None:
            found[USUAL] = 1 - belongs
        found["duplicate"] = self.copies(batch.images[max(self.sides)], batch.texts, batch.valid)
        return {name: values.astype(np.float32) for name, values in found.items()}
