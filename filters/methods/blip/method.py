"""BLIP as a filter (Li et al., arXiv 2201.12086): does the matching head believe the pair, would the captioner say it?

Columns: "" the log-odds of the image-text matching head; "itc" the cosine of the contrastive towers; "caption" the
captioner's mean log-likelihood a token of the text given the image, less the same given a black image: how much of
the text the picture explains. The proposals of CapFilt are made in `filters.methods.blip.capfilt`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from filters.method import Batch, Progress, Scores, TrainingSet, checkpoint_hash, read_card, write_card
from filters.methods.blip import files
from filters.methods.blip.blocks import by_length
from filters.methods.blip.holdout import decode, measure
from filters.methods.blip.network import BlipNet
from filters.methods.blip.start import open_folder, save_net, start
from filters.methods.blip.texts import count_seen, rarest, read_texts
from filters.methods.blip.train import Draw, last_losses, train_net
from filters.methods.blip.vocabulary import Vocabulary
from filters.registry import BlipRules as Rules
from filters.towers import preprocess
from filters.towers.blocks import Blocks
from filters.towers.model import pick_device
from filters.towers.tokenizer import TextTokenizer
from filters.training.augment import augment
from filters.training.batches import hold_out
from filters.training.curve import Row, write_epochs
from filters.training.determinism import determinism
from filters.training.loop import to_device

SEEN = "seen.json"  # in how many patients' texts each training sentence occurred, by fingerprint


class Blip:
    """A `filters.method.Method`, and what CapFilt asks: judge any text, write new ones
    (`filters.methods.blip.capfilt`)."""

    native = False

    def __init__(
        self, net: BlipNet, tokenizer: TextTokenizer, preprocessing: tuple[list[float], list[float]], device: str
    ) -> None:
        self.net, self.tokenizer, self.preprocessing = net.to(device).eval(), tokenizer, preprocessing
        self.device = torch.device(device)
        self.normalise = files.normaliser(*preprocessing)
        self.blocks = Blocks(device)
        self.sides: tuple[int, ...] = (net.side,)
        self.columns: tuple[str, ...] = ("", "itc", "caption") if net.captioner is not None else ("", "itc")
        self.vocabulary = Vocabulary({}, frozenset())  # `load` knows it, and what was seen in training
        self.seen: dict[str, int] = {}
        self._blank: torch.Tensor | None = None

    def __call__(self, batch: Batch) -> Scores:
        """float32[n] a column; NaN exactly where the image did not decode."""
        out = {name: np.full(len(batch.texts), np.nan, np.float32) for name in self.columns}
        if batch.valid.any():
            texts = [t for t, valid in zip(batch.texts, batch.valid, strict=True) if valid]
            ids = torch.from_numpy(np.asarray(self.tokenizer(texts), np.int64))
            pixels = batch.pixels(self.net.side)[torch.from_numpy(batch.valid)]
            with torch.inference_mode():
                found = by_length(self.blocks, self._score, ids, pixels)
            for i, name in enumerate(self.columns):
                out[name][batch.valid] = found[:, i]
        return out

    def judge(self, pixels: torch.Tensor, texts: Sequence[str]) -> NDArray[np.float32]:
        """float32[n]: the matching head's log-odds alone, of uint8[n, c, side, side] and n texts."""
        ids = torch.from_numpy(np.asarray(self.tokenizer(texts), np.int64))
        with torch.inference_mode():
            return by_length(self.blocks, lambda p, i: _log_odds(self.net.match(self._look(p), i)), ids, pixels)

    def rarest(self, text: str) -> int | None:
        """The fewest patients in whose training texts ``text`` or one of its sentences stood; None where it is new."""
        return rarest(text, self.seen)

    def _look(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.look_by(self.net, pixels)

    def look_by(self, net: BlipNet, pixels: torch.Tensor) -> torch.Tensor:
        """Image tokens float32[n, t, d] that ``net`` makes of uint8[n, c, side, side]."""
        return net.look(self.normalise(pixels))

    def look_to_write(self, pixels: torch.Tensor, seen: torch.Tensor | None = None) -> torch.Tensor:
        """What the captioner attends to: ``seen``, the judge's tokens, where the image encoder is shared."""
        if self.net.own_vision:
            return self.net.look_to_write(self.normalise(pixels))
        return self._look(pixels) if seen is None else seen

    def _score(self, pixels: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        """float32[n, columns]; the image is encoded once for all of them."""
        net = self.net
        seen = self._look(pixels)
        columns = [_log_odds(net.match(seen, ids)), net.own_cosines(net.image_vectors(seen), net.text_vectors(ids))]
        if net.captioner is not None:
            written = net.started(ids)
            blank = self._black().expand(len(ids), -1, -1)
            given = net.log_likelihood(self.look_to_write(pixels, seen), written)
            columns.append(given - net.log_likelihood(blank, written))
        return torch.stack([c.float() for c in columns], dim=1)

    def _black(self) -> torch.Tensor:
        """float32[1, tokens, d]: what the captioner sees of a black image, encoded once."""
        if self._blank is None:
            self._blank = self.look_to_write(torch.zeros((1, 1, self.net.side, self.net.side), device=self.device))
        return self._blank


def _log_odds(logits: torch.Tensor) -> torch.Tensor:
    return logits[:, 1] - logits[:, 0]


def train(data_: TrainingSet, out: Path, rules: Rules, progress: Progress | None = None) -> dict[str, float]:
    """Train on the clean pairs and write the filter's folder; returns the metrics on its card.

    The pool has no part in it. RunError where the clean set holds fewer than eight different texts or a loss leaves
    the numbers; RecipeError where no image decodes or the checkpoint does not fit.
    """
    with determinism(rules.seed, rules.threads):
        clean = data_.clean.sorted()
        initial = start(rules, clean.texts)
        device = pick_device(rules.device)
        blip = Blip(initial.net, initial.tokenizer, initial.preprocessing, device)
        metrics: dict[str, float] = {}
        curve: list[Row] = []
        held = np.zeros(len(clean), dtype=bool)
        pixels, good = decode(clean, blip.net.side)
        if rules.epochs:
            pairs = clean.take(good)
            held = hold_out(pairs.groups, rules.holdout, rules.seed)
            texts = read_texts(pairs.texts, blip.tokenizer, rules.findings, rules.seed)
            draw = looking(pixels[~held], rules.augment, device)
            curve = train_net(blip.net, blip.look_by, draw, texts.take(~held), rules, progress)
            metrics = {**last_losses(curve), "train_pairs": float((~held).sum())}
        metrics["undecodable"] = float(len(clean) - len(good))
        metrics |= measure(blip, pixels, clean.take(good), np.flatnonzero(held) if rules.epochs else None, rules.seed)
    out.mkdir(parents=True, exist_ok=True)
    save_net(blip.net, initial.tokenizer, initial.preprocessing, out)
    write_epochs(out, curve)
    files.save_json(count_seen(clean.texts, clean.groups), out / SEEN)
    said = replace(rules, checkpoint=checkpoint_hash(rules.checkpoint), captioner=checkpoint_hash(rules.captioner))
    about = {"side": blip.net.side, "mean": initial.preprocessing[0], "std": initial.preprocessing[1]}
    write_card(out, "blip", said, data_, metrics, context=initial.tokenizer.context_length, preprocessing=about)
    return metrics


def looking(pixels: preprocess.Pixels, augmented: bool, device: str) -> Draw:
    """Training's images: uint8[n, side, side, c], each time a little changed where ``augmented``."""

    def draw(index: NDArray[np.int64], generator: torch.Generator) -> torch.Tensor:
        shown = to_device(torch.from_numpy(pixels[index]).permute(0, 3, 1, 2), device)
        return augment(shown, generator) if augmented else shown

    return draw


def load(folder: Path, device: str = "auto") -> Blip:
    """The filter in ``folder``; RecipeError naming the file where one is missing, damaged or of another shape."""
    card = read_card(folder)
    initial = open_folder(folder, int(card.get("context", Rules.context)))
    blip = Blip(initial.net, initial.tokenizer, initial.preprocessing, pick_device(device))
    blip.vocabulary = Vocabulary.read(folder / "tokenizer.json")
    blip.seen = {str(k): int(v) for k, v in files.read_json(folder / SEEN).items()}
    return blip
