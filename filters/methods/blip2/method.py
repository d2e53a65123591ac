"""BLIP-2 as a filter (Li et al., arXiv 2301.12597): a Q-Former judges pairs over an image encoder that stays frozen.

Columns: "" the log-odds of the image-text matching head; "itc" the cosine of the text with the closest query; where
the rules say ``generate``, "caption": the mean log-likelihood a token of the text given the image, less that given a
black image. The image tokens are computed once and kept, so training costs no image encoding.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from curate.errors import RecipeError
from curate.storage import remove_tree
from filters.method import Progress, Records, TrainingSet, checkpoint_hash, read_card, write_card
from filters.methods.blip import files
from filters.methods.blip.holdout import measure
from filters.methods.blip.matcher import Matcher
from filters.methods.blip.texts import read_texts
from filters.methods.blip.train import Draw, last_losses, train_net
from filters.methods.blip2.image_encoders import ImageEncoder, VitEncoder, of_filter_folder, saved_tower
from filters.methods.blip2.qformer import Blip2Config, QFormer, small_config
from filters.registry import Blip2Rules as Rules
from filters.towers import preprocess
from filters.towers.model import pick_device
from filters.towers.tokenizer import WordPiece, read_wordpiece, train_wordpiece
from filters.towers.weights import read_folder, read_state
from filters.training.augment import augment
from filters.training.batches import hold_out
from filters.training.curve import write_epochs
from filters.training.determinism import determinism
from filters.training.filter import train_filter
from filters.training.rules import FilterTrainingRules

_WRITER = "language_head.safetensors"  # what transformers has no place for


class Blip2(Matcher):
    """A Q-Former over a frozen ``encoder``."""

    tokenizer: WordPiece

    def __init__(self, encoder: ImageEncoder, net: QFormer, tokenizer: WordPiece, device: str) -> None:
        super().__init__(net, tokenizer, encoder.side, device)
        self.encoder = encoder.to(device)

    def image_tokens(self, pixels: torch.Tensor) -> torch.Tensor:
        """See `Matcher`."""
        return torch.as_tensor(self.encoder(pixels))


def train(data_: TrainingSet, out: Path, rules: Rules, progress: Progress | None = None) -> dict[str, float]:
    """Train the Q-Former on the clean pairs and write the filter's folder, its image encoder included.

    A checkpoint of transformers is used as it is and only measured. Errors as `filters.methods.blip.method.train`.
    """
    out.mkdir(parents=True, exist_ok=True)
    clean = data_.clean.sorted()
    device = pick_device(rules.device)
    metrics: dict[str, float] = {}
    if rules.encoder is not None and _is_transformers(Path(rules.encoder)):
        with determinism(rules.seed, rules.threads):
            blip2 = _open(Path(rules.encoder), rules.context, device)
            pixels, good = preprocess.decode_all(clean.images, blip2.encoder.side)
            metrics |= measure(blip2, pixels, clean.take(good), None, rules.seed)
    else:
        encoder = _encoder(rules, clean, out)
        with determinism(rules.seed, rules.threads):
            blip2, metrics = _fit(encoder, clean, rules, device, out, progress)
    _save(blip2, out)
    public = replace(rules, encoder=checkpoint_hash(rules.encoder))
    about = {"side": blip2.encoder.side, "mean": blip2.encoder.mean, "std": blip2.encoder.std}
    context = blip2.tokenizer.context_length
    write_card(out, "blip2", public, data_, metrics, context=context, preprocessing=about)
    return metrics


def _encoder(rules: Rules, clean: Records, out: Path) -> ImageEncoder:
    if rules.encoder is not None:
        return of_filter_folder(Path(rules.encoder))
    folder = Path(tempfile.mkdtemp(prefix=".towers-", dir=out))
    try:
        towers = FilterTrainingRules(seed=rules.seed, threads=rules.threads, device=rules.device)
        train_filter(clean.images, clean.texts, clean.groups, folder, towers)
        return of_filter_folder(folder)
    finally:
        remove_tree(folder, out)


def _fit(
    encoder: ImageEncoder, clean: Records, rules: Rules, device: str, out: Path, progress: Progress | None
) -> tuple[Blip2, dict[str, float]]:
    pixels, good = preprocess.decode_all(clean.images, encoder.side)
    pairs = clean.take(good)
    held = hold_out(pairs.groups, rules.holdout, rules.seed)
    tokenizer = train_wordpiece(pairs.texts, rules.vocab, rules.context)
    seen = encode_once(encoder.to(device), pixels[~held], rules.views, rules.seed)
    net = QFormer(small_config(rules.shape, seen.shape[-1], encoder.side, tokenizer, rules.generate), rules.generate)
    blip2 = Blip2(encoder, net, tokenizer, device)
    texts = read_texts(pairs.texts, tokenizer, rules.findings, rules.seed)
    curve = train_net(net, lambda net, tokens: tokens, kept_tokens(seen), texts.take(~held), rules, progress)
    write_epochs(out, curve)
    metrics = last_losses(curve) | {"train_pairs": float((~held).sum()), "undecodable": float(len(clean) - len(good))}
    return blip2, metrics | measure(blip2, pixels, pairs, np.flatnonzero(held), rules.seed)


@torch.no_grad()
def encode_once(encoder: ImageEncoder, pixels: preprocess.Pixels, views: int, seed: int) -> torch.Tensor:
    """float16[max(1, views), n, t, d]: the tokens of each image; of changed copies of it, the first view excepted."""
    device = next(encoder.parameters()).device
    generator = torch.Generator().manual_seed(seed)
    kept = []
    for view in range(max(1, views)):
        rows = []
        for start in range(0, len(pixels), 64):
            shown = torch.from_numpy(pixels[start : start + 64]).permute(0, 3, 1, 2)
            shown = augment(shown, generator) if view else shown
            rows.append(encoder(shown.to(device)).half().cpu())
        kept.append(torch.cat(rows))
    return torch.stack(kept)


def kept_tokens(seen: torch.Tensor) -> Draw:
    """Training's images as their tokens: a view of each pair, drawn from the kept ones."""

    def draw(index: NDArray[np.int64], generator: torch.Generator) -> torch.Tensor:
        view = torch.randint(len(seen), (len(index),), generator=generator)
        return seen[view, torch.from_numpy(index)].float()

    return draw


def load(folder: Path, device: str = "auto") -> Blip2:
    """The filter in ``folder``; RecipeError naming the file where one is missing, damaged or of another shape."""
    return _open(folder, int(read_card(folder).get("context", Rules.context)), pick_device(device))


def _is_transformers(folder: Path) -> bool:
    """Whether a folder is a checkpoint of transformers' BLIP-2, not a filter with towers."""
    if not (folder / "config.json").is_file():
        problem = f"{folder} holds no config.json"
        raise RecipeError("encoder", problem, "a filter's folder, or a checkpoint of Blip2ForImageTextRetrieval")
    return "model_type" in files.read_json(folder / "config.json")


def _open(folder: Path, context: int, device: str) -> Blip2:
    config = files.read_config(folder / "config.json", Blip2Config)
    weights = read_folder(folder)
    encoder: ImageEncoder | None = saved_tower(folder)
    if encoder is None:
        encoder = VitEncoder(config, *files.read_preprocessing(folder))
        visual = {k.removeprefix("vision_model."): v for k, v in weights.items() if k.startswith("vision_model.")}
        files.fill(encoder.vision_model, visual, f"{folder.name}/model.safetensors", {})
    net = QFormer(config, generate=(folder / _WRITER).is_file())
    if net.captioner is not None:
        files.fill(net.captioner, read_state(folder / _WRITER), f"{folder.name}/{_WRITER}", {})
    rest = {k: v for k, v in weights.items() if not k.startswith("vision_model.")}
    own = {f"captioner.{k}": v for k, v in net.captioner.state_dict().items()} if net.captioner is not None else {}
    files.fill(net, rest | own, f"{folder.name}/model.safetensors", {})
    reader: Any = config.qformer_config
    tokenizer = read_wordpiece(folder, min(context, reader.max_position_embeddings), reader.vocab_size)
    return Blip2(encoder, net, tokenizer, device)


def _save(blip2: Blip2, folder: Path) -> None:
    state = blip2.net.state_dict()
    weights = blip2.encoder.save(folder) | {k: v for k, v in state.items() if not k.startswith("captioner.")}
    if blip2.net.captioner is not None:
        files.save_weights(blip2.net.captioner.state_dict(), folder / _WRITER)
    files.save_weights(weights, folder / "model.safetensors")
    files.save_json(files.plain(blip2.net.config), folder / "config.json")
    files.save_tokenizer(blip2.tokenizer, folder)
