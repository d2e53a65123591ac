"""Train the filtering network: a CLIP on a small clean set (Fang et al., Data Filtering Networks, arXiv 2309.17425).

A filter is good if its training pairs are right, not if there are many. So this is plain InfoNCE with open_clip's own
loss, AdamW and a cosine schedule, over batches in which no text occurs twice. Options of `filters.rules` are
added to that in `filters.training.memory` and the objective.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from curate.errors import RecipeError
from filters.method import Progress as Progress
from filters.method import pair_digest, public_rules, read_card, versions
from filters.metrics import KS, against_others, auroc_with_interval, ranks
from filters.rules import FilterTrainingRules as FilterTrainingRules
from filters.rules import check_filter_training
from filters.towers.layers import set_patch_dropout
from filters.towers.lit import LitModel
from filters.towers.model import TOWERS, Filter, arch_of, bring_towers, create_filter, open_towers, save_filter
from filters.training.curve import Row, write_epochs
from filters.training.distributed import DistributedContext, determinism
from filters.training.loop import Trainer, train_epochs
from filters.training.memory import MIN_TEXTS as MIN_TEXTS
from filters.training.memory import (
    MemorySteps,
    Pairs,
    Reference,
    cached_features,
    decode_pairs,
    embed,
    read_reference,
)
from filters.training.objectives.contrastive import Contrastive
from filters.training.optimizers import Course
from filters.training.plan import hold_out

_SHUFFLES = 16  # wrong texts for each held-out image


def train_filter(
    images: Sequence[bytes],
    texts: Sequence[str],
    groups: Sequence[str],
    out: Path,
    rules: FilterTrainingRules,
    progress: Progress | None = None,
) -> dict[str, float]:
    """Train on n pairs and write the filter's folder ``out``; returns the metrics that are on its card.

    ``images`` are encoded PNG or JPEG bytes, ``groups`` name the patient: a held-out patient is in no training pair.
    ``progress(epoch, epochs, {"loss": ..., "lr": ...})`` after each epoch. The order of the pairs does not matter.
    Equal inputs, ``seed`` and ``threads`` give equal bytes on one kind of machine.

    With no ``epochs`` the checkpoint is unchanged, and the pairs only measure it. A clean set with fewer distinct texts
    than ``batch`` is trained in smaller batches. Raises RunError if it has fewer than `MIN_TEXTS`, or the loss is not
    finite; RecipeError if the model's parts do not fit together.
    """
    check_filter_training(rules)
    columns, digest = _sorted(images, texts, groups)
    with determinism(rules.seed, rules.threads):
        network = create_filter(rules.model, columns[1], rules.vocab, rules.device, rules.objective)
        pairs = _prepare(network, columns, rules)
        held_out = hold_out(list(pairs.groups), rules.holdout, rules.seed)
        curve: list[Row] = []
        if rules.epochs:
            reference = None
            if rules.reference is not None:
                reference = read_reference(rules.reference, *columns, rules.device).take(~held_out)
            curve = _learn(network, pairs.take(~held_out), rules, reference, progress)
        metrics = evaluate(network, pairs.take(held_out), rules.seed)
    metrics |= {
        "train_pairs": float((~held_out).sum()) if curve else 0.0,
        "undecodable": float(len(columns[0]) - len(held_out)),
    }
    if curve:
        metrics["loss"] = curve[-1]["loss"]
    save_filter(network, out, _card(network, rules, digest, metrics))
    write_epochs(out, curve)
    return metrics


def own_towers(rules: Any, images: Sequence[bytes], texts: Sequence[str], groups: Sequence[str], out: Path) -> Filter:
    """The towers that a filter in ``out`` looks through, and its folder holds: those of ``rules.encoder``, or new ones
    trained on these pairs by the rules' seed, threads and device."""
    if rules.encoder is not None:
        read_card(Path(rules.encoder))
        bring_towers(Path(rules.encoder), out)
    else:
        how = FilterTrainingRules(seed=rules.seed, threads=rules.threads, device=rules.device)
        train_filter(images, texts, groups, out / TOWERS, how)
    return open_towers(out, rules.device)


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
    network: Filter, pairs: Pairs, rules: FilterTrainingRules, reference: Reference | None, progress: Progress | None
) -> list[Row]:
    """Train; the rows of its epochs."""
    steps = MemorySteps(network, pairs, rules, reference)
    set_patch_dropout(network.model, rules.patch_dropout)
    parts = rules.caption, rules.distill, rules.distill_after, rules.masked
    objective = Contrastive(rules.objective, network, *parts)
    course = Course.of(rules, bf16=rules.bf16 and network.device.startswith("cuda"))
    trainer = Trainer(network.model, objective, course, DistributedContext(device=network.device))
    curve = train_epochs(trainer, steps, rules.epochs, progress)
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


def _card(trained: Filter, rules: FilterTrainingRules, digest: str, metrics: dict[str, float]) -> dict[str, Any]:
    """The content of card.json. No path and no time: the same filter has the same card wherever it was trained."""
    arch, recorded = arch_of(rules.model, trained), public_rules(rules)
    recorded["model"]["arch"] = arch
    return {
        "format": 1,
        "arch": arch,
        "tokenizer": rules.model.tokenizer,
        "rules": recorded,
        "data": {"sha256": digest},
        "metrics": {k: v if math.isfinite(v) else None for k, v in metrics.items()},
        "preprocessing": trained.preprocessing,
        "versions": versions(),
    }
