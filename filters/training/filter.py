"""Train the filtering network: a CLIP on a small clean set (Fang et al., Data Filtering Networks, arXiv 2309.17425).

A filter is good if its training pairs are right, not if there are many. So this is plain InfoNCE with open_clip's own
loss, AdamW and a cosine schedule, over batches in which no text occurs twice. Options of `filters.rules` are
added to that in `filters.training.memory` and the objective.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from curate.errors import RecipeError
from filters.method import Progress as Progress
from filters.method import checkpoint_hash, pair_digest, versions
from filters.metrics import KS, against_others, auroc_with_interval, ranks
from filters.rules import FilterTrainingRules as FilterTrainingRules
from filters.rules import check_filter_training
from filters.towers.layers import set_patch_dropout
from filters.towers.lit import LitModel
from filters.towers.model import Filter, arch_of, create_filter, save_filter
from filters.training.curve import Row, write_epochs
from filters.training.distributed import DistributedContext, determinism
from filters.training.loop import Course, Trainer, train_epochs
from filters.training.memory import MIN_TEXTS as MIN_TEXTS
from filters.training.memory import (
    MemorySteps,
    Pairs,
    Phase,
    cached_features,
    decode_pairs,
    embed,
    read_reference,
    text_features,
)
from filters.training.objectives.contrastive import Contrastive
from filters.training.plan import hold_out

_SHUFFLES = 16  # wrong texts for each held-out image
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
    """Train on n pairs and write the filter's folder ``out``; returns the metrics that are on its card.

    ``images`` are encoded PNG or JPEG bytes, ``groups`` name the patient: a held-out patient is in no training pair.
    ``progress(epoch, epochs, {"loss": ..., "lr": ...})`` after each epoch. The order of the pairs does not matter.
    Equal inputs, ``seed`` and ``threads`` give equal bytes on one kind of machine. ``second`` (images, texts,
    groups) is used by the last ``rules.finetune`` epochs; without it they use the first set again.

    With no ``epochs`` the checkpoint is unchanged, and the pairs only measure it. A clean set with fewer distinct texts
    than ``batch`` is trained in smaller batches. Raises RunError if it has fewer than `MIN_TEXTS`, or the loss is not
    finite; RecipeError if the model's parts do not fit together.
    """
    check_filter_training(rules)
    first, digest = _sorted(images, texts, groups)
    second_pairs, second_digest = (first, digest) if second is None else _sorted(*second)
    with determinism(rules.seed, rules.threads):
        network = create_filter(rules.model, first[1], rules.vocab, rules.device, rules.objective)
        pairs = _prepare(network, first, rules)
        held_out = hold_out(list(pairs.groups), rules.holdout, rules.seed)
        curve: list[Row] = []
        if rules.epochs:
            curve += _learn(network, _phase(network, pairs, ~held_out, rules, first), rules, progress)
        if rules.finetune:
            cleaner = pairs if second is None else _prepare(network, second_pairs, rules)
            allowed = ~np.isin(
                cleaner.groups, pairs.groups[held_out]
            )  # no held-out patient enters through the second set
            phase = _phase(network, cleaner, allowed, rules, None)
            curve += _learn(network, phase, rules, progress, rules.epochs)
        metrics = evaluate(network, pairs.take(held_out), rules.seed)
    metrics |= {
        "train_pairs": float((~held_out).sum()) if curve else 0.0,
        "undecodable": float(len(first[0]) - len(held_out)),
    }
    if curve:
        metrics["loss"] = curve[-1]["loss"]
    hashes = {"sha256": digest} | ({} if second is None else {"second": second_digest})
    save_filter(network, out, _card(network, rules, hashes, metrics))
    write_epochs(out, curve)
    return metrics


def _sorted(
    images: Sequence[bytes], texts: Sequence[str], groups: Sequence[str]
) -> tuple[tuple[list[bytes], list[str], list[str]], str]:
    """The pairs sorted by digest, and the digest of all."""
    if not len(images) == len(texts) == len(groups):
        raise ValueError(f"{len(images)} images, {len(texts)} texts, {len(groups)} groups")
    digests = [pair_digest(*pair) for pair in zip(images, texts, groups, strict=True)]
    order = sorted(range(len(digests)), key=digests.__getitem__)
    columns = [images[i] for i in order], [texts[i] for i in order], [groups[i] for i in order]
    return columns, hashlib.sha256(b"".join(sorted(digests))).hexdigest()


def _prepare(network: Filter, columns: tuple[list[bytes], list[str], list[str]], rules: FilterTrainingRules) -> Pairs:
    """The pairs as the network reads them: pixels and token ids, or the features of frozen towers."""
    pairs = decode_pairs(network, *columns)
    if not isinstance(network.model, LitModel):
        return pairs
    for name in ("mirror", "caption", "distill", "masked", "patch_dropout"):
        if getattr(rules, name):
            raise RecipeError(f"filter.{name}", "the towers of lit are frozen, and run once", "0, or another arch")
    return cached_features(network, network.model, pairs)


def _learn(
    network: Filter, phase: Phase, rules: FilterTrainingRules, progress: Progress | None, before: int = 0
) -> list[Row]:
    """Train one phase; the rows of its epochs, numbered from ``before`` on."""
    steps = MemorySteps(network, phase, rules)
    set_patch_dropout(network.model, rules.patch_dropout)
    parts = rules.caption, rules.distill, rules.distill_after, rules.masked
    objective = Contrastive(rules.objective, network, *parts)
    course = Course.of(rules, lr=phase.lr, bf16=rules.bf16 and network.device.startswith("cuda"))
    trainer = Trainer(network.model, objective, course, DistributedContext(device=network.device))
    curve = train_epochs(trainer, steps, rules.epochs + rules.finetune, progress, before)
    set_patch_dropout(network.model, 0.0)
    return curve


def evaluate(trained: Filter, pairs: Pairs, seed: int) -> dict[str, float]:
    """Metrics on held-out patients: retrieval, and AUROC of matched pairs against texts of other patients."""
    n = len(pairs.labels)
    if n < 2:
        return {"holdout_pairs": float(n)}
    left, right = (rows.numpy() for rows in embed(trained, pairs))
    owner, partner = against_others(np.arange(n), pairs.labels, pairs.groups, _SHUFFLES)
    scores = np.einsum("ij,ij->i", left[owner], right[partner])
    first, text = np.unique(pairs.labels, return_index=True, return_inverse=True)[1:]
    rank = ranks(left, right[first], np.arange(n), text)
    measured = auroc_with_interval("holdout_auroc", scores, owner == partner, list(pairs.groups[owner]), seed)
    return {"holdout_pairs": float(n), **{f"holdout_r{k}": float((rank <= k).mean()) for k in KS}, **measured}


def _phase(
    network: Filter,
    pairs: Pairs,
    mask: NDArray[np.bool_],
    rules: FilterTrainingRules,
    columns: tuple[list[bytes], list[str], list[str]] | None,
) -> Phase:
    """The phase of the pairs under ``mask``; that of the first set (``columns``) with the reference's embeddings."""
    model = network.model

    def encode(texts: list[str]) -> torch.Tensor:
        ids = torch.from_numpy(network.tokenizer(texts))
        return text_features(network, model, ids) if isinstance(model, LitModel) else ids

    if columns is None:
        return Phase(pairs.take(mask), rules.finetune, rules.finetune_lr, encode)
    reference = None if rules.reference is None else read_reference(rules.reference, *columns, rules.device).take(mask)
    return Phase(pairs.take(mask), rules.epochs, rules.lr, encode, reference)


def _card(
    trained: Filter, rules: FilterTrainingRules, hashes: dict[str, str], metrics: dict[str, float]
) -> dict[str, Any]:
    """The content of card.json. No path and no time: the same filter has the same card wherever it was trained."""
    origin = checkpoint_hash(rules.model.checkpoint)
    arch = arch_of(rules.model, trained)
    recorded = asdict(rules) | {
        "model": {"arch": arch, "checkpoint": origin, "tokenizer": rules.model.tokenizer},
        "reference": checkpoint_hash(rules.reference),
    }
    return {
        "format": 1,
        "arch": arch,
        "tokenizer": rules.model.tokenizer,
        "rules": recorded,
        "data": hashes,
        "metrics": {k: v if math.isfinite(v) else None for k, v in metrics.items()},
        "preprocessing": trained.preprocessing,
        "versions": versions(),
    }
