"""BLIP as a filter (Li et al., arXiv 2201.12086): does the matching head accept the pair, would the captioner say it?

Columns: "" the log-odds of the image-text matching head; "itc" the cosine of the contrastive towers; "caption" the
captioner's mean log-likelihood a token of the text given the image, less the same given a black image: how much of
the text the picture explains. The proposals of CapFilt are made in `filters.methods.blip.capfilt`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from curate.errors import RecipeError
from filters.method import Progress, TrainingSet, read_card, write_card
from filters.methods.blip.matcher import Matcher, log_odds
from filters.methods.blip.network import BlipNet, InitializedModel, open_folder, save_net, start
from filters.methods.blip.texts import count_seen, rarest, read_texts
from filters.methods.blip.train import Draw, last_losses, train_net
from filters.registry import BlipRules as Rules
from filters.towers import preprocess
from filters.towers.blocks import to_device
from filters.towers.model import pick_device
from filters.towers.weights import read_object, write_object
from filters.training.augment import augment
from filters.training.curve import Row, write_epochs
from filters.training.distributed import determinism
from filters.training.plan import hold_out

SEEN = "seen.json"  # in how many patients' texts each training sentence occurred, by fingerprint


class Blip(Matcher):
    """Also what CapFilt asks: judge any text, write new ones (`filters.methods.blip.capfilt`)."""

    def __init__(self, initial: InitializedModel, device: str) -> None:
        super().__init__(initial.net, initial.tokenizer, initial.net.side, device)
        self.initial, self.normalise = initial, initial.picture.normalise
        self.sentence_counts: dict[str, int] = {}  # in training: `load` knows it

    def judge(self, pixels: torch.Tensor, texts: Sequence[str]) -> NDArray[np.float32]:
        """float32[n]: the matching head's log-odds alone, of uint8[n, c, side, side] and n texts."""
        return self.run(lambda p, ids: log_odds(self.net.match(self.image_tokens(p), ids)), texts, pixels)

    def rarest(self, text: str) -> int | None:
        """The fewest patients in whose training texts ``text`` or one of its sentences stood; None where it is new."""
        return rarest(text, self.sentence_counts)

    def image_tokens(self, pixels: torch.Tensor) -> torch.Tensor:
        """See `Matcher`."""
        return self.encode_by(self.net, pixels)

    def encode_by(self, net: BlipNet, pixels: torch.Tensor) -> torch.Tensor:
        """Image tokens float32[n, t, d] that ``net`` makes of uint8[n, c, side, side]."""
        return net.image_tokens(self.normalise(pixels))

    def caption_tokens(self, pixels: torch.Tensor, image_tokens: torch.Tensor | None = None) -> torch.Tensor:
        """See `Matcher`; a captioner may have an image encoder of its own."""
        if self.net.own_vision:
            return torch.as_tensor(self.net.caption_tokens(self.normalise(pixels)))
        return super().caption_tokens(pixels, image_tokens)


def train(data_: TrainingSet, out: Path, rules: Rules, progress: Progress | None = None) -> dict[str, float]:
    """Train on the clean pairs and write the filter's folder; returns the metrics on its card.

    The pool has no part in it. RunError where the clean set holds fewer than eight different texts or a loss leaves
    the numbers; RecipeError where no image decodes or the checkpoint does not fit.
    """
    with determinism(rules.seed, rules.threads):
        clean = data_.clean.sorted()
        initial, device = start(rules, clean.texts), pick_device(rules.device)
        blip = Blip(initial, device)
        metrics: dict[str, float] = {}
        curve: list[Row] = []
        held_out = np.zeros(len(clean), dtype=bool)
        pixels, good = preprocess.decode_all(clean.images, blip.net.side)
        if rules.epochs:
            pairs = clean.take(good)
            held_out = hold_out(pairs.groups, rules.holdout, rules.seed)
            texts = read_texts(pairs.texts, blip.tokenizer, rules.findings, rules.seed)
            draw = drawn_images(pixels[~held_out], rules.augment, device)
            curve = train_net(blip.net, blip.encode_by, draw, texts.take(~held_out), rules, progress)
            metrics = {**last_losses(curve), "train_pairs": float((~held_out).sum())}
        metrics["undecodable"] = float(len(clean) - len(good))
        measured = np.flatnonzero(held_out) if rules.epochs else np.arange(len(good))
        metrics |= blip.measure(pixels, clean.take(good), measured, rules.seed)
    out.mkdir(parents=True, exist_ok=True)
    save_net(initial, out)
    write_epochs(out, curve)
    write_object(out / SEEN, count_seen(clean.texts, clean.groups))
    picture = initial.picture
    about = {"side": blip.net.side, "mean": picture.image_mean, "std": picture.image_std}
    write_card(out, "blip", rules, data_, metrics, context=initial.tokenizer.context_length, preprocessing=about)
    return metrics


def drawn_images(pixels: preprocess.Pixels, augmented: bool, device: str) -> Draw:
    """Training's images: uint8[n, side, side, c], each time a little changed where ``augmented``."""

    def draw(index: NDArray[np.int64], generator: torch.Generator) -> torch.Tensor:
        shown = to_device(torch.from_numpy(pixels[index]).permute(0, 3, 1, 2), device)
        return augment(shown, generator) if augmented else shown

    return draw


def load(folder: Path, device: str = "auto") -> Blip:
    """The filter in ``folder``; RecipeError naming the file where one is missing, damaged or of another shape."""
    card = read_card(folder)
    initial = open_folder(folder, int(card.get("context", Rules.context)))
    blip = Blip(initial, pick_device(device))
    sentence_counts = read_object(folder / SEEN)
    if sentence_counts is None:
        raise RecipeError("filter", f"cannot read {SEEN} of {folder.name}", "train the filter again")
    blip.sentence_counts = {str(k): int(v) for k, v in sentence_counts.items()}
    return blip
