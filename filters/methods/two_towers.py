"""Two towers and their cosine: CLIP (2103.00020), EVA-CLIP (2303.15389), SigLIP (2303.15343), SigLIP 2 (2502.14786),
and the data filtering network (DFN, 2309.17425), which is a CLIP trained on a small clean set.

One trained or loaded pair of towers gives several scores:

    ""         the cosine of image and text; for a sigmoid-trained filter too, whose probability is ``p``
    "p"        sigma(t cos + b), of a sigmoid-trained filter alone
    "negclip"  the cosine less the pair's usual closeness to others: s-CLIPLoss of 2405.19547, over a fixed bank
    "normsim"  the image's largest cosine with a clean image of the bank: NormSim-infinity of the same paper
    "margin"   the text's cosine less the best of its own edited versions': another side, a denied finding; on demand
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file
from scipy.special import logsumexp

from filters.banks import digests
from filters.findings import EDITS, versions
from filters.method import Batch, Progress, Records, Scores, TrainingSet, read_card, reading, write_card
from filters.registry import SCORING
from filters.registry import TowersRules as Rules
from filters.rules import FilterTrainingRules
from filters.score import Needs, prepare
from filters.towers.blocks import Blocks, Precision, compile_towers, lower, to_device
from filters.towers.model import Filter, load_filter
from filters.training.filter import train_filter

_BANK = "bank.safetensors"
_EMBEDDINGS = ("image_embedding", "text_embedding")

_NATIVE = 16  # images of their own aspect encoded at a time
_KINDS = tuple(kind for kind in EDITS if kind != "severity")
_EDITS = 3  # edited versions a text is held against, of each kind that applies
_TEXTS = {"cpu": 4, "cuda": 64}  # texts encoded at a time: those of a batch that are of one length are few


def train(data: TrainingSet, out: Path, rules: Rules, progress: Progress | None = None) -> dict[str, float]:
    """Train on ``data.clean``, begun on the pool where ``pretrain`` says so. The bank is drawn from the clean set, by
    hash."""
    clean = data.clean.sorted()
    with _starting_rules(data.pool, rules) as starting:
        metrics = train_filter(clean.images, clean.texts, clean.groups, out, starting, progress)
    card = read_card(out)
    found = load_filter(out, rules.train.device)
    more = {k: card[k] for k in ("arch", "tokenizer")}
    more["preprocessing"] = {**card["preprocessing"], "native": found.native}
    write_card(out, rules.method, rules, data, metrics, **more)
    if rules.bank:
        _write_bank(out, found, clean, rules.bank)
    return metrics


@contextmanager
def _starting_rules(pool: Records, rules: Rules) -> Iterator[FilterTrainingRules]:
    """The rules to train on the clean set with: from a checkpoint made on the pool, where one is wanted."""
    if not rules.pretrain or not len(pool) or rules.train.model.checkpoint is not None:
        yield rules.train
        return
    with TemporaryDirectory() as folder:
        pairs = pool.sorted()
        first = replace(rules.train, epochs=rules.pretrain, holdout=0.0, ema=0.0)
        train_filter(pairs.images, pairs.texts, pairs.groups, Path(folder), first)
        yield replace(rules.train, model=replace(rules.train.model, checkpoint=folder))


def _write_bank(out: Path, found: Filter, clean: Records, most: int) -> None:
    chosen, towers = clean.at_most(most), Towers(found, None)
    needs = Needs(towers.sides, towers.native)
    rows = [towers.embed(b) for b in prepare(chosen.images, chosen.texts, needs, 64)]
    valid = np.concatenate([np.isfinite(left[:, 0]) for left, _ in rows])
    left, right = (np.concatenate(part)[valid].astype(np.float16) for part in zip(*rows, strict=True))
    names = digests(chosen.keys)[valid]
    save_file({"images": left, "texts": right, "names": names}, out / _BANK)


def load(folder: Path, device: str = "auto", **scoring: Any) -> Towers:
    """The towers in ``folder`` and their bank, scoring as the card says but for ``scoring``.

    RecipeError where a file is missing, damaged or of another width.
    """
    found, path = load_filter(folder, device), folder / _BANK
    trained_with = read_card(folder).get("rules", {})
    chosen = {name: trained_with[name] for name in ("embeddings", *SCORING) if name in trained_with}
    chosen |= scoring
    if not path.exists():
        return Towers(found, None, **chosen)
    with reading(path):
        bank = load_file(path)
        images, texts = (np.asarray(bank[name], np.float32) for name in ("images", "texts"))
        width = found.config.get("embed_dim", images.shape[-1])
        finite = np.isfinite(images).all() and np.isfinite(texts).all()
        if images.shape != texts.shape or images.ndim != 2 or images.shape[1] != width or not finite:
            raise ValueError
    return Towers(found, (images, texts), **chosen)


class Towers:
    """A `Method` over a `Filter`."""

    def __init__(
        self,
        found: Filter,
        bank: tuple[NDArray[np.float32], NDArray[np.float32]] | None,
        embeddings: bool = False,
        margin: bool = False,
        precision: Precision = "f32",
        compile: bool = False,
    ) -> None:
        self.filter, self.bank, self.blocks = found, bank, Blocks(found.device, precision)
        self.native = found.native
        self.sides: tuple[int, ...] = () if found.native else (found.side,)
        self.scale, bias = found.logit()
        self.is_sigmoid = bias != 0
        more = [*(["p"] if self.is_sigmoid else []), *(["negclip", "normsim"] if bank is not None else [])]
        self.columns = ("", *more, *(["margin"] if margin else []), *(_EMBEDDINGS if embeddings else ()))
        if precision == "bf16":
            lower(found.model)
        if compile and self.blocks.kind == "cuda":
            compile_towers(found.model)

    def __call__(self, batch: Batch) -> Scores:
        """float32[n] a column; NaN where the image did not decode."""
        left, right = self.embed(batch)
        cosine = _cosine(left, right)
        out: Scores = {"": cosine}
        if "margin" in self.columns:
            out["margin"] = cosine - self._best_edit(batch.texts, left)
        if self.is_sigmoid:
            out["p"] = self.filter.probability(cosine)
        if self.bank is not None:
            others = [_usual(left, self.bank[1], self.scale), _usual(right, self.bank[0], self.scale)]
            out["negclip"] = np.asarray(cosine - (others[0] + others[1]) / 2, np.float32)
            out["normsim"] = np.asarray((left @ self.bank[0].T).max(axis=1), np.float32)
        out |= dict(zip(_EMBEDDINGS, (left, right), strict=True))
        return {name: out[name].astype(np.float32) for name in self.columns}

    def embed(self, batch: Batch) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Unit rows float32[n, d] of images (NaN where one did not decode) and texts."""
        images = self._image_rows(batch) if batch.valid.any() else None  # a GPU goes on with them
        right = self._text_rows(batch.texts, batch.rows).cpu().numpy()
        width = right.shape[1] if images is None else images.shape[1]
        left: NDArray[np.float32] = np.full((len(right), width), np.nan, np.float32)
        if images is not None:
            left[batch.valid] = images.cpu().numpy()
        return left, right

    @torch.inference_mode()
    def _image_rows(self, batch: Batch) -> torch.Tensor:
        device = self.filter.device
        if not self.native:
            pixels = batch.pixels(self.filter.side)
            if not batch.valid.all():
                pixels = pixels[torch.from_numpy(batch.valid)]
            rows = batch.rows if self.blocks.kind == "cuda" else 0
            return self.blocks.encoded(lambda p: self.filter.encode_images(to_device(p, device)), pixels, rows or None)
        images = [np.require(image, requirements="W") for image in batch.native or [] if image is not None]
        parts = []
        for start in range(0, len(images), _NATIVE):  # blocks, as of the squares
            part = images[start : start + _NATIVE]
            with self.blocks.autocast():
                encoded = self.filter.encode_native([*part, *part[:1] * (_NATIVE - len(part))])
            parts.append(encoded[: len(part)].float())
        return torch.cat(parts)

    def embed_texts(self, texts: list[str]) -> NDArray[np.float32]:
        """Unit rows float32[n, d]."""
        return self._text_rows(texts).cpu().numpy()

    @torch.inference_mode()
    def _text_rows(self, texts: list[str], rows: int = 0) -> torch.Tensor:
        """Texts of one length are encoded together, so that each is cut by its own. On a GPU an eighth of a batch of
        ``rows`` pairs at a time, for a small block leaves it idle."""
        if not texts:
            return torch.zeros((0, 0))
        ids = torch.from_numpy(self.filter.tokenizer(texts))
        lengths = self.filter.lengths(ids).cpu()
        device = self.filter.device
        size = max(_TEXTS[self.blocks.kind], rows // 8 if self.blocks.kind == "cuda" else 0)
        return self.blocks.by_length(lambda i: self.filter.encode_ids(to_device(i, device)), lengths, ids, size)

    def _best_edit(self, texts: list[str], left: NDArray[np.float32]) -> NDArray[np.float32]:
        """The largest cosine of an image with an edited version of its text; where no edit applies, the text's
        nearest other of the bank's, or 0."""
        edited = [(i, version) for i, text in enumerate(texts) for version in versions(text, _KINDS, _EDITS)]
        best = np.full(len(texts), -np.inf, np.float32)
        if edited:
            rows = [i for i, _ in edited]
            cosine = _cosine(left[rows], self.embed_texts([version for _, version in edited]))
            with np.errstate(invalid="ignore"):  # of an image that did not decode
                np.maximum.at(best, rows, cosine)
        none = np.isneginf(best)
        if none.any():
            best[none] = 0.0 if self.bank is None else (left[none] @ self.bank[1].T).mean(axis=1)
        best[np.isnan(left[:, 0])] = np.nan
        return best


def _usual(rows: NDArray[np.float32], bank: NDArray[np.float32], scale: float) -> NDArray[np.float32]:
    """float32[n]: how close each row usually comes to the bank's, in cosines: the soft maximum over it."""
    logits = np.asarray(rows @ bank.T, np.float64) * scale
    return np.asarray(logsumexp(logits, axis=1, b=1 / len(bank)) / scale, np.float32)


def _cosine(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(np.clip((left * right).sum(axis=1), -1, 1), np.float32)
