"""Train the filtering network: a CLIP on a small clean set (Fang et al., Data Filtering Networks, arXiv 2309.17425).

What makes a filter good is that its training pairs are right, not that there are many; so this is plain InfoNCE
with open_clip's own loss, AdamW and a cosine schedule, over batches in which no text comes twice.
"""

from __future__ import annotations

import csv
import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from curate.errors import RunError
from filters import data
from filters.augment import augment
from filters.checkpoint import ClipLoss
from filters.holdout import evaluate
from filters.model import Filter, ModelRules, arch_name, checkpoint_hash, create_filter, save_filter
from filters.pairs import Pairs, decode_pairs

Progress = Callable[[int, int, dict[str, float]], None]
LEAST_TEXTS = 8  # fewer different texts than this teach nothing
_MAX_LOGIT_SCALE = math.log(100)  # Radford et al. 2021, section 2.5


@dataclass(frozen=True)
class TrainRules:
    """How to train. ``warmup`` and ``holdout`` are shares, of the steps and of the pairs."""

    model: ModelRules = field(default_factory=ModelRules)
    epochs: int = 20
    batch: int = 32
    lr: float = 1e-3
    weight_decay: float = 0.1
    warmup: float = 0.1
    seed: int = 0
    threads: int = 2
    holdout: float = 0.1
    vocab: int = 4096
    augment: bool = True
    device: str = "auto"


def train_filter(
    images: Sequence[bytes],
    texts: Sequence[str],
    groups: Sequence[str],
    out: Path,
    rules: TrainRules,
    progress: Progress | None = None,
) -> dict[str, float]:
    """Train on n pairs and write the filter's folder into ``out``; returns the metrics that are on its card.

    ``images`` are encoded PNG or JPEG bytes, ``groups`` name the patient: a held-out patient is in no training pair.
    ``progress(epoch, epochs, {"loss": ..., "lr": ...})`` after each epoch. The order of the pairs does not matter.
    Equal inputs, ``seed`` and ``threads`` give equal bytes on one kind of machine.

    With no ``epochs`` the checkpoint is taken as it is, and the pairs only measure it. A clean set with fewer different
    texts than ``batch`` is trained in smaller batches. Raises RunError where it has fewer than `LEAST_TEXTS`, or the
    loss leaves the numbers; RecipeError where the model's parts do not fit.
    """
    if not len(images) == len(texts) == len(groups):
        raise ValueError(f"{len(images)} images, {len(texts)} texts, {len(groups)} groups")
    digests = [data.digest(*pair) for pair in zip(images, texts, groups, strict=True)]
    order = sorted(range(len(digests)), key=digests.__getitem__)
    with _determinism(rules.seed, rules.threads):
        started = create_filter(rules.model, [texts[i] for i in order], rules.vocab, rules.device)
        pairs = decode_pairs(started, [images[i] for i in order], [texts[i] for i in order], [groups[i] for i in order])
        held = data.hold_out(list(pairs.groups), rules.holdout, rules.seed)
        curve = _fit(started, pairs.take(~held), rules, progress) if rules.epochs else []
        metrics = evaluate(started, pairs.take(held), rules.seed)
    metrics |= {
        "train_pairs": float((~held).sum()) if curve else 0.0,
        "undecodable": float(len(order) - len(held)),
    }
    if curve:
        metrics["loss"] = curve[-1]["loss"]
    save_filter(started, out, _card(started, rules, hashlib.sha256(b"".join(sorted(digests))).hexdigest(), metrics))
    _write_curve(out / "metrics.csv", curve)
    return metrics


def _fit(started: Filter, pairs: Pairs, rules: TrainRules, progress: Progress | None) -> list[dict[str, float]]:
    """The training loop; one row of the loss curve an epoch."""
    distinct = len(np.unique(pairs.labels))
    if distinct < LEAST_TEXTS:
        found = f"the clean set's {len(pairs.labels)} training pairs hold {distinct} different texts"
        fix = "declare more (reports.columns.clean), or train none: --set filter=null --set select={}"
        raise RunError(f"{found}, a filter needs {LEAST_TEXTS}: {fix}")
    size = min(rules.batch, distinct)  # no text twice in a batch
    rng, generator = np.random.default_rng(rules.seed), torch.Generator().manual_seed(rules.seed)
    optimizer = _optimizer(started.model, rules)
    curve: list[dict[str, float]] = []
    started.model.train()
    for epoch in range(1, rules.epochs + 1):
        losses: list[float] = []
        drawn = list(data.batches(pairs.labels, size, rng))
        for index in drawn:
            lr = _set_rate(optimizer, rules, (epoch - 1 + len(losses) / len(drawn)) / rules.epochs)
            losses.append(_step(started, optimizer, pairs, index, generator if rules.augment else None))
            if not math.isfinite(losses[-1]):
                raise RunError(f"loss {losses[-1]} in epoch {epoch}: lower lr (now {rules.lr}) or raise warmup")
        curve.append({"epoch": epoch, "loss": float(np.mean(losses)), "lr": lr, "pairs": len(drawn) * size})
        if progress is not None:
            progress(epoch, rules.epochs, {"loss": curve[-1]["loss"], "lr": lr})
    started.model.eval()
    return curve


def _step(
    started: Filter,
    optimizer: torch.optim.Optimizer,
    pairs: Pairs,
    index: NDArray[np.int64],
    generator: torch.Generator | None,
) -> float:
    pixels = pairs.images(index)
    pixels = pixels if generator is None else augment(pixels, generator)
    scale: Any = started.model.logit_scale
    with torch.autocast("cuda", torch.bfloat16, enabled=started.device.startswith("cuda")):
        left, right = started.encode_images(pixels), started.encode_ids(pairs.texts(index))
    bias: Any = getattr(started.model, "logit_bias", None)
    loss = ClipLoss()(left, right, scale.exp(), bias)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(started.model.parameters(), 1.0)
    optimizer.step()
    with torch.no_grad():
        scale.clamp_(0, _MAX_LOGIT_SCALE)
    return float(loss.detach())


def _optimizer(model: torch.nn.Module, rules: TrainRules) -> torch.optim.Optimizer:
    """AdamW; gains, biases and the temperature are not decayed, as in open_clip."""
    named = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    plain = [p for n, p in named if p.ndim < 2 or "logit_scale" in n]
    decayed = [p for n, p in named if not (p.ndim < 2 or "logit_scale" in n)]
    parts = [{"params": plain, "weight_decay": 0.0}, {"params": decayed, "weight_decay": rules.weight_decay}]
    return torch.optim.AdamW(parts, lr=rules.lr, betas=(0.9, 0.98), eps=1e-6)


def _set_rate(optimizer: torch.optim.Optimizer, rules: TrainRules, done: float) -> float:
    """Linear warm-up over the share ``warmup`` of the steps, then half a cosine down to zero."""
    if done < rules.warmup:
        share = (done + 1e-3) / rules.warmup
    else:
        share = 0.5 * (1 + math.cos(math.pi * (done - rules.warmup) / max(1 - rules.warmup, 1e-9)))
    for part in optimizer.param_groups:
        part["lr"] = rules.lr * share
    return rules.lr * share


def _card(trained: Filter, rules: TrainRules, data_hash: str, metrics: dict[str, float]) -> dict[str, Any]:
    """What card.json says. No path and no time: the same filter has the same card wherever it was trained."""
    origin = checkpoint_hash(rules.model.checkpoint)
    said = asdict(rules) | {
        "model": {"arch": arch_name(rules.model.arch), "checkpoint": origin, "tokenizer": rules.model.tokenizer}
    }
    return {
        "format": 1,
        "arch": arch_name(rules.model.arch),
        "tokenizer": rules.model.tokenizer,
        "rules": said,
        "data": {"sha256": data_hash},
        "metrics": {k: v if math.isfinite(v) else None for k, v in metrics.items()},
        "preprocessing": trained.preprocessing,
        "versions": {
            name: version(name) for name in ("torch", "open_clip_torch", "tokenizers", "opencv-python-headless")
        },
    }


def _write_curve(path: Path, curve: list[dict[str, float]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["epoch", "loss", "lr", "pairs"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(curve)


@contextmanager
def _determinism(seed: int, threads: int) -> Iterator[None]:
    """Torch's global state set for a repeatable training, and put back."""
    before = (
        torch.get_num_threads(),
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # a debugging aid that costs 7 % here
        try:
            yield
        finally:
            torch.set_num_threads(before[0])
            torch.use_deterministic_algorithms(before[1], warn_only=before[2])
