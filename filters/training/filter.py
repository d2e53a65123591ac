"""Train the filtering network: a CLIP on a small clean set (Fang et al., Data Filtering Networks, arXiv 2309.17425).

What makes a filter good is that its training pairs are right, not that there are many; so this is plain InfoNCE
with open_clip's own loss, AdamW and a cosine schedule, over batches in which no text comes twice. What more the
rules ask for (`filters.training.rules`) is added to that, in `filters.training.memory` and the objective.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from filters.method import Progress as Progress
from filters.method import checkpoint_hash, pair_digest
from filters.towers.layers import set_patch_dropout
from filters.towers.lit import LitModel
from filters.towers.model import Filter, arch_of, create_filter, save_filter
from filters.training.batches import hold_out
from filters.training.curation import read_reference
from filters.training.curve import Row, write_epochs
from filters.training.determinism import determinism
from filters.training.distributed import DistributedContext
from filters.training.holdout import evaluate
from filters.training.lit_features import Heads, check_lit_rules, image_features, text_features
from filters.training.loop import Course, Trainer, train_epochs
from filters.training.memory import LEAST_TEXTS as LEAST_TEXTS
from filters.training.memory import Learner, MemorySteps, Phase
from filters.training.objectives.contrastive import Contrastive
from filters.training.pairs import Pairs, decode_pairs
from filters.training.rules import FilterTrainingRules as FilterTrainingRules
from filters.training.rules import check_filter_training
from filters.training.variants import tokenized

Columns = tuple[Sequence[bytes], Sequence[str], Sequence[str]]


def train_filter(
    images: Sequence[bytes],
    texts: Sequence[str],
    groups: Sequence[str],
    out: Path,
    rules: FilterTrainingRules,
    progress: Progress | None = None,
    second: Columns | None = None,
) -> dict[str, float]:
    """Train on n pairs and write the filter's folder into ``out``; returns the metrics that are on its card.

    ``images`` are encoded PNG or JPEG bytes, ``groups`` name the patient: a held-out patient is in no training pair.
    ``progress(epoch, epochs, {"loss": ..., "lr": ...})`` after each epoch. The order of the pairs does not matter.
    Equal inputs, ``seed`` and ``threads`` give equal bytes on one kind of machine. ``second`` (images, texts,
    groups) is what the last ``rules.finetune`` epochs see; without it they see the first set again.

    With no ``epochs`` the checkpoint is taken as it is, and the pairs only measure it. A clean set with fewer different
    texts than ``batch`` is trained in smaller batches. Raises RunError where it has fewer than `LEAST_TEXTS`, or the
    loss leaves the numbers; RecipeError where the model's parts do not fit.
    """
    check_filter_training(rules)
    first, digest = _sorted(images, texts, groups)
    then, then_digest = (first, digest) if second is None else _sorted(*second)
    with determinism(rules.seed, rules.threads):
        started = create_filter(rules.model, first[1], rules.vocab, rules.device, rules.objective)
        learner, pairs = _prepare(started, decode_pairs(started, *first), rules)
        held = hold_out(list(pairs.groups), rules.holdout, rules.seed)
        curve: list[Row] = []
        if rules.epochs:
            curve += _learn(started, learner, _phase(started, pairs, ~held, rules, first), rules, progress)
        if rules.finetune:
            cleaner = pairs if second is None else _prepare(started, decode_pairs(started, *then), rules)[1]
            kept = ~np.isin(cleaner.groups, pairs.groups[held])  # no held-out patient comes in by this door
            phase = _phase(started, cleaner, kept, rules, None)
            curve += _learn(started, learner, phase, rules, progress, rules.epochs)
        metrics = evaluate(learner, pairs.take(held), rules.seed)
    metrics |= {
        "train_pairs": float((~held).sum()) if curve else 0.0,
        "undecodable": float(len(first[0]) - len(held)),
    }
    if curve:
        metrics["loss"] = curve[-1]["loss"]
    hashes = {"sha256": digest} | ({} if second is None else {"second": then_digest})
    save_filter(started, out, _card(started, rules, hashes, metrics))
    write_epochs(out, curve)
    return metrics


def _sorted(
    images: Sequence[bytes], texts: Sequence[str], groups: Sequence[str]
) -> tuple[tuple[list[bytes], list[str], list[str]], str]:
    """The pairs in the order of their digests, and the digest of all."""
    if not len(images) == len(texts) == len(groups):
        raise ValueError(f"{len(images)} images, {len(texts)} texts, {len(groups)} groups")
    digests = [pair_digest(*pair) for pair in zip(images, texts, groups, strict=True)]
    order = sorted(range(len(digests)), key=digests.__getitem__)
    columns = [images[i] for i in order], [texts[i] for i in order], [groups[i] for i in order]
    return columns, hashlib.sha256(b"".join(sorted(digests))).hexdigest()


def _prepare(started: Filter, pairs: Pairs, rules: FilterTrainingRules) -> tuple[Learner, Pairs]:
    """What learns, and from what: the filter from pixels, or frozen towers' heads from their features."""
    if not isinstance(started.model, LitModel):
        return started, pairs
    check_lit_rules(rules)
    return Heads(started, started.model), image_features(started, started.model, pairs)


def _learn(
    started: Filter,
    learner: Learner,
    phase: Phase,
    rules: FilterTrainingRules,
    progress: Progress | None,
    before: int = 0,
) -> list[Row]:
    """One phase; the rows of its epochs, of which ``before`` went before."""
    steps = MemorySteps(learner, phase, rules)
    set_patch_dropout(learner.model, rules.patch_dropout)
    parts = rules.caption, rules.distill, rules.distill_after, rules.masked
    objective = Contrastive(rules.objective, started, *parts)
    course = Course.of(rules, lr=phase.lr, bf16=rules.bf16 and learner.device.startswith("cuda"))
    trainer = Trainer(learner.model, objective, course, DistributedContext(device=learner.device))
    curve = train_epochs(trainer, steps, rules.epochs + rules.finetune, progress, before)
    set_patch_dropout(learner.model, 0.0)
    return curve


def _phase(
    started: Filter,
    pairs: Pairs,
    kept: NDArray[np.bool_],
    rules: FilterTrainingRules,
    columns: tuple[list[bytes], list[str], list[str]] | None,
) -> Phase:
    """The pairs ``kept``; the first set's (``columns``) with the reference's view of them, the second's with none."""
    tokenize = tokenized(started.tokenizer)
    model = started.model
    encode = (lambda t: text_features(started, model, tokenize(t))) if isinstance(model, LitModel) else tokenize
    if columns is None:
        return Phase(pairs.take(kept), rules.finetune, rules.finetune_lr, encode)
    reference = None if rules.reference is None else read_reference(rules.reference, *columns, rules.device).take(kept)
    return Phase(pairs.take(kept), rules.epochs, rules.lr, encode, reference)


def _card(
    trained: Filter, rules: FilterTrainingRules, hashes: dict[str, str], metrics: dict[str, float]
) -> dict[str, Any]:
    """What card.json says. No path and no time: the same filter has the same card wherever it was trained."""
    origin = checkpoint_hash(rules.model.checkpoint)
    arch = arch_of(rules.model, trained)
    said = asdict(rules) | {
        "model": {"arch": arch, "checkpoint": origin, "tokenizer": rules.model.tokenizer},
        "reference": checkpoint_hash(rules.reference),
    }
    return {
        "format": 1,
        "arch": arch,
        "tokenizer": rules.model.tokenizer,
        "rules": said,
        "data": hashes,
        "metrics": {k: v if math.isfinite(v) else None for k, v in metrics.items()},
        "preprocessing": trained.preprocessing,
        "versions": {
            name: version(name) for name in ("torch", "open_clip_torch", "tokenizers", "opencv-python-headless")
        },
    }
