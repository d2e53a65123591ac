"""The training loop: batches of differing texts, a contrast, what else is asked for, one optimizer step."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from curate.errors import RunError
from filters import data
from filters.anatomy import image_tokens, set_patch_dropout
from filters.augment import augment, local_crop
from filters.auxiliary import Agreement, Captioner
from filters.curate_batch import Reference, choose
from filters.method import Progress
from filters.model import Filter
from filters.objectives import contrastive, same_text
from filters.optimizers import Averaged, make_optimizer, set_rate
from filters.pairs import Encoder, Features, Pairs
from filters.train_rules import TrainRules
from filters.variants import Variants, make_variants

LEAST_TEXTS = 8  # fewer different texts than this teach nothing
_MAX_LOGIT_SCALE = math.log(100)  # Radford et al. 2021, section 2.5
_TEACHER_DECAY = 0.99  # of the teacher, where no average is kept for its own sake
Row = dict[str, float]


class Learner(Encoder, Protocol):
    """A `Filter`, or the heads of one."""

    @property
    def model(self) -> torch.nn.Module: ...

    @property
    def device(self) -> str: ...


@dataclass(frozen=True)
class Phase:
    """One set of pairs and how long to train on it. ``encode`` makes rows of texts as ``pairs`` holds them."""

    pairs: Pairs
    epochs: int
    lr: float
    encode: Callable[[list[str]], torch.Tensor]
    reference: Reference | None = None


def fit(learner: Learner, phase: Phase, rules: TrainRules, progress: Progress | None, before: int = 0) -> list[Row]:
    """Train; one row of the curve an epoch, of which ``before`` went before. RunError where there is too little to
    learn from, or the loss leaves the numbers."""
    size = _batch_size(phase, rules)
    run = _Run(learner, phase, rules)
    curve: list[Row] = []
    learner.model.train()
    for epoch in range(1, phase.epochs + 1):
        sums: defaultdict[str, float] = defaultdict(float)
        drawn = list(data.batches(phase.pairs.labels, _super(size, phase, rules), run.rng))
        for step, index in enumerate(drawn):
            done = (epoch - 1 + step / len(drawn)) / phase.epochs
            lr = set_rate(run.optimizer, phase.lr, rules.warmup, done)
            for name, value in run.step(run.choose(index, size), done).items():
                sums[name] += value
            if not math.isfinite(sums["loss"]):
                problem = f"loss {sums['loss']} in epoch {before + epoch}"
                raise RunError(f"{problem}: lower lr (now {phase.lr}) or raise warmup")
        means = {name: total / len(drawn) for name, total in sums.items()}
        curve.append({"epoch": before + epoch, "loss": means.pop("loss"), "lr": lr, "pairs": len(drawn) * size} | means)
        if progress is not None:
            total = rules.epochs + rules.finetune if before or rules.finetune else phase.epochs
            progress(before + epoch, total, {"loss": curve[-1]["loss"], "lr": lr})
    if rules.ema and run.averaged is not None:
        run.averaged.copy_to(learner.model)
    set_patch_dropout(learner.model, 0.0)
    learner.model.eval()
    return curve


def _batch_size(phase: Phase, rules: TrainRules) -> int:
    """Pairs of a step: no text twice, and enough of them for what a super-batch leaves out."""
    distinct = len(np.unique(phase.pairs.labels))
    if distinct < LEAST_TEXTS:
        found = f"the clean set's {len(phase.pairs.labels)} training pairs hold {distinct} different texts"
        fix = "declare more (reports.columns.clean), or train none: --set filters={} --set select={}"
        raise RunError(f"{found}, a filter needs {LEAST_TEXTS}: {fix}")
    most = distinct if phase.reference is None else max(2, math.floor(distinct * (1 - rules.filter_ratio)))
    return min(rules.batch, most)


def _super(size: int, phase: Phase, rules: TrainRules) -> int:
    """Pairs a batch is chosen from: 2406.17711's B = b / (1 - f)."""
    if phase.reference is None:
        return size
    return min(round(size / (1 - rules.filter_ratio)), len(np.unique(phase.pairs.labels)))


class _Run:
    """What a phase's steps share."""

    def __init__(self, learner: Learner, phase: Phase, rules: TrainRules) -> None:
        self.learner, self.phase, self.rules = learner, phase, rules
        self.rng = np.random.default_rng(rules.seed)
        self.generator = torch.Generator().manual_seed(rules.seed)
        set_patch_dropout(learner.model, rules.patch_dropout)
        self.variants = self._make_variants()
        self.captioner = self._make_captioner() if rules.caption else None
        dim = int(self._encode(phase.pairs.images(np.arange(1))).shape[1]) if rules.distill else 0
        self.agreement = Agreement(dim).to(learner.device) if rules.distill else None
        decay = rules.ema or (_TEACHER_DECAY if rules.distill else 0.0)
        self.averaged = Averaged(learner.model, decay) if decay else None
        others = (self.captioner, None if self.agreement is None else self.agreement.head)
        self.optimizer = make_optimizer(learner.model, rules, tuple(o for o in others if o is not None))

    def _make_variants(self) -> Variants | None:
        rules = self.rules
        if not rules.negatives and not rules.mirror:
            return None
        kinds = rules.negative_kinds if rules.negatives else ()
        rng = np.random.default_rng([rules.seed, 1])
        return make_variants(list(self.phase.pairs.sentences), kinds, bool(rules.mirror), self.phase.encode, rng)

    def _make_captioner(self) -> Captioner:
        first = self.phase.pairs.images(np.arange(1))
        with torch.no_grad():
            width = image_tokens(self.learner.model, self._whole().scaled(first))[1].shape[2]
        tokenizer = self._whole().tokenizer
        vocab = max(tokenizer.vocab_size, int(self.phase.pairs.ids.max()) + 1)
        return Captioner(width, vocab, tokenizer.context_length).to(self.learner.device)

    def _whole(self) -> Filter:
        if not isinstance(self.learner, Filter):
            raise TypeError("heads alone have no images")
        return self.learner

    @torch.no_grad()
    def _encode(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.learner.encode_images(pixels)

    def choose(self, index: NDArray[np.int64], size: int) -> NDArray[np.int64]:
        """The batch of a super-batch; all of it where there is no reference."""
        if self.phase.reference is None:
            return index
        self.learner.model.eval()
        scale, bias = self._logit()
        number = 0.0 if bias is None else float(bias.detach())
        chosen = choose(
            self.learner,
            float(scale.detach()),
            number,
            self.phase.pairs,
            self.phase.reference,
            index,
            min(size, len(index)),
            self.rules.chunks,
            self.generator,
            self.rules.objective,
        )
        self.learner.model.train()
        return chosen

    def _logit(self) -> tuple[torch.Tensor, torch.Tensor | None]:
        model: Any = self.learner.model
        return model.logit_scale.exp(), getattr(model, "logit_bias", None)

    def step(self, index: NDArray[np.int64], done: float) -> Row:
        """One update; the losses by name, "loss" being what was minimised."""
        pixels, ids, extra, owner = self._draw(index)
        seen = pixels
        if self.rules.augment and not isinstance(self.phase.pairs, Features):
            seen = augment(pixels, self.generator)
        autocast = self.rules.bf16 and self.learner.device.startswith("cuda")
        with torch.autocast("cuda", torch.bfloat16, enabled=autocast):
            losses = self._losses(seen, ids, extra, owner)
            if self.agreement is not None and self.averaged is not None and done >= self.rules.distill_after:
                losses["distill"] = self._agree(seen)
        weights = {"caption": self.rules.caption, "distill": self.rules.distill}
        loss = losses.pop("loss")
        total = loss + sum((weights[name] * value for name, value in losses.items()), torch.zeros_like(loss))
        self._update(total)
        return {"loss": float(total.detach()), **{name: float(value.detach()) for name, value in losses.items()}}

    def _draw(
        self, index: NDArray[np.int64]
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None, torch.Tensor | None]:
        """Images and texts of the step, some mirrored; the wrong texts and whose they are."""
        pixels, ids = self.phase.pairs.images(index), self.phase.pairs.texts(index)
        if self.variants is None:
            return pixels, ids, None, None
        flipped = np.zeros(len(index), np.bool_)
        if self.rules.mirror:
            flipped = self.variants.mirrorable[index] & (self.rng.random(len(index)) < self.rules.mirror)
            mask = torch.from_numpy(flipped)
            pixels = torch.where(mask[:, None, None, None], pixels.flip(-1), pixels)
            ids = torch.where(mask.reshape(-1, *(1,) * (ids.ndim - 1)), self.variants.mirrored[index], ids)
        if not self.rules.negatives:
            return pixels, ids, None, None
        extra, owner = self.variants.draw(index, flipped, self.rules.negatives, self.rng)
        return (pixels, ids, extra, owner) if len(extra) else (pixels, ids, None, None)

    def _losses(
        self, seen: torch.Tensor, ids: torch.Tensor, extra: torch.Tensor | None, owner: torch.Tensor | None
    ) -> dict[str, torch.Tensor]:
        losses: dict[str, torch.Tensor] = {}
        if self.captioner is None:
            left = self.learner.encode_images(seen)
        else:
            pooled, tokens = image_tokens(self.learner.model, self._whole().scaled(seen))
            left = torch.nn.functional.normalize(pooled.float(), dim=-1)
            losses["caption"] = self.captioner(tokens, ids)
        right = self.learner.encode_ids(ids)
        wrong = None if extra is None else self.learner.encode_ids(extra)
        blocked = None if self.variants is None else same_text(ids, extra).to(left.device)
        scale, bias = self._logit()
        return {"loss": contrastive(self.rules.objective, left, right, scale, bias, wrong, blocked), **losses}

    def _agree(self, seen: torch.Tensor) -> torch.Tensor:
        teacher: Any = self.averaged
        agreement: Any = self.agreement
        whole = self._whole()
        with torch.no_grad():
            answers = teacher.model.encode_image(whole.scaled(seen)).float()
        loss: torch.Tensor = agreement(whole.encode_images(local_crop(seen, self.generator)), answers)
        return loss

    def _update(self, loss: torch.Tensor) -> None:
        model: Any = self.learner.model
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        self.optimizer.step()
        with torch.no_grad():
            model.logit_scale.clamp_(0, _MAX_LOGIT_SCALE)
        if self.averaged is not None:
            self.averaged.update(model)
        if self.agreement is not None:
            self.agreement.update()
