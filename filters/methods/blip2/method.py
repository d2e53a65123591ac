"""BLIP-2 as a filter (Li et al., arXiv 2301.12597): a Q-Former judges pairs over an image encoder that stays frozen.

Columns: "" the log-odds of the image-text matching head; "itc" the cosine of the text with the closest query; where
the rules say ``generate``, "caption": the mean log-likelihood a token of the text given the image, less that given a
black image. The image tokens are computed once and kept, so training costs no image encoding.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from curate.errors import RecipeError
from filters.method import Progress, Records, TrainingSet, read_card, write_card
from filters.methods.blip.matcher import Matcher
from filters.methods.blip.network import plain
from filters.methods.blip.texts import read_texts
from filters.methods.blip.train import Draw, last_losses, train_net
from filters.methods.blip2.qformer import Blip2Config, Blip2VisionModel, QFormer, small_config
from filters.registry import Blip2Rules as Rules
from filters.towers import preprocess
from filters.towers.model import TOWERS, Filter, open_towers, pick_device
from filters.towers.tokenizer import WordPiece, read_wordpiece, train_wordpiece
from filters.towers.transformers_folder import Picture, read_config
from filters.towers.weights import fill, read_folder, read_object, read_state, write_object, write_state
from filters.training.augment import augment
from filters.training.curve import write_epochs
from filters.training.distributed import determinism
from filters.training.filter import own_towers
from filters.training.plan import hold_out

_WRITER = "language_head.safetensors"  # what transformers has no place for
_STAGES = 2  # of a tower without a class token, the last ones; the finer grid keeps where things are


class ImageEncoder(torch.nn.Module):
    """uint8[n, c, side, side] to tokens float32[n, t, width]; nothing in it is ever trained."""

    def __init__(self, picture: Picture) -> None:
        super().__init__()
        self.side, self.picture, self.normalise = picture.image_size, picture, picture.normalise

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """See the class."""
        with torch.no_grad():
            return self.tokens(self.normalise(pixels))

    def tokens(self, pixels: torch.Tensor) -> torch.Tensor:
        """The tokens of normalised pixels float32[n, 3, side, side]."""
        raise NotImplementedError


class TowerEncoder(ImageEncoder):
    """An open_clip image tower: the grids of its last two stages, the coarser one repeated to the finer's grid."""

    def __init__(self, found: Filter) -> None:
        pixels, visual = found.preprocessing, found.model.visual
        super().__init__(Picture(found.side, pixels["mean"], pixels["std"]))
        self.visual: Any = visual
        if not hasattr(visual, "forward_intermediates"):
            kind = type(visual).__name__
            raise RecipeError("encoder", f"open_clip's {kind} gives no token grid", "a ResNet, ViT or timm tower")
        self.eval().requires_grad_(False)

    def tokens(self, pixels: torch.Tensor) -> torch.Tensor:
        """float32[n, h * w, channels], rows of the grid after one another, each channel group of unit scale."""
        found = self.visual.forward_intermediates(pixels, indices=_STAGES, intermediates_only=True, output_fmt="NCHW")
        grids = [g.float() for g in found["image_intermediates"]]
        size = max((tuple(g.shape[2:]) for g in grids), key=lambda s: s[0] * s[1])
        grids = [torch.nn.functional.interpolate(g, size=size, mode="nearest") for g in grids]
        rows = [g.flatten(2).transpose(1, 2) for g in grids]
        return torch.cat([torch.nn.functional.layer_norm(r, r.shape[2:]) for r in rows], dim=2)


class VitEncoder(ImageEncoder):
    """BLIP-2's own image encoder."""

    def __init__(self, config: Any, picture: Picture) -> None:
        super().__init__(picture)
        self.vision_model: Any = Blip2VisionModel(config.vision_config)
        self.eval().requires_grad_(False)

    def tokens(self, pixels: torch.Tensor) -> torch.Tensor:
        """float32[n, 1 + patches, d]."""
        return torch.as_tensor(self.vision_model(pixel_values=pixels).last_hidden_state)


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
            metrics |= blip2.measure(pixels, clean.take(good), np.arange(len(good)), rules.seed)
    else:
        encoder = TowerEncoder(own_towers(rules, clean.images, clean.texts, clean.groups, out))
        with determinism(rules.seed, rules.threads):
            blip2, metrics = _fit(encoder, clean, rules, device, out, progress)
    _save(blip2, out)
    picture = blip2.encoder.picture
    about = {"side": picture.image_size, "mean": picture.image_mean, "std": picture.image_std}
    context = blip2.tokenizer.context_length
    write_card(out, "blip2", rules, data_, metrics, context=context, preprocessing=about)
    return metrics


def _fit(
    encoder: ImageEncoder, clean: Records, rules: Rules, device: str, out: Path, progress: Progress | None
) -> tuple[Blip2, dict[str, float]]:
    pixels, good = preprocess.decode_all(clean.images, encoder.side)
    pairs = clean.take(good)
    held_out = hold_out(pairs.groups, rules.holdout, rules.seed)
    tokenizer = train_wordpiece(pairs.texts, rules.vocab, rules.context)
    tokens = encode_once(encoder.to(device), pixels[~held_out], rules.views, rules.seed)
    net = QFormer(small_config(rules.shape, tokens.shape[-1], encoder.side, tokenizer, rules.generate), rules.generate)
    blip2 = Blip2(encoder, net, tokenizer, device)
    texts = read_texts(pairs.texts, tokenizer, rules.findings, rules.seed)
    curve = train_net(net, lambda net, tokens: tokens, kept_tokens(tokens), texts.take(~held_out), rules, progress)
    write_epochs(out, curve)
    metrics = last_losses(curve) | {"train_pairs": float((~held_out).sum())}
    metrics["undecodable"] = float(len(clean) - len(good))
    return blip2, metrics | blip2.measure(pixels, pairs, np.flatnonzero(held_out), rules.seed)


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


def kept_tokens(tokens: torch.Tensor) -> Draw:
    """Training's images as their tokens: a view of each pair, drawn from the kept ones."""

    def draw(index: NDArray[np.int64], generator: torch.Generator) -> torch.Tensor:
        view = torch.randint(len(tokens), (len(index),), generator=generator)
        return tokens[view, torch.from_numpy(index)].float()

    return draw


def load(folder: Path, device: str = "auto") -> Blip2:
    """The filter in ``folder``; RecipeError naming the file where one is missing, damaged or of another shape."""
    return _open(folder, int(read_card(folder).get("context", Rules.context)), pick_device(device))


def _is_transformers(folder: Path) -> bool:
    """Whether a folder is a checkpoint of transformers' BLIP-2, not a filter with towers."""
    config = read_object(folder / "config.json")
    if config is None:
        problem = f"{folder} holds no config.json"
        raise RecipeError("encoder", problem, "a filter's folder, or a checkpoint of Blip2ForImageTextRetrieval")
    return config.get("model_type") == "blip-2"


def _open(folder: Path, context: int, device: str) -> Blip2:
    config, name = read_config(Blip2Config, folder), f"{folder.name}/model.safetensors"
    kept = read_folder(folder).items()
    weights = {k: v for k, v in kept if not k.endswith("position_ids")}  # buffers that older versions saved
    encoder: ImageEncoder
    if (folder / TOWERS).is_dir():
        encoder = TowerEncoder(open_towers(folder, "cpu"))
    else:
        encoder = VitEncoder(config, Picture.read(folder, int(config.vision_config.image_size)))
        fill(encoder, {k: v for k, v in weights.items() if k.startswith("vision_model.")}, name)
    net = QFormer(config, generate=(folder / _WRITER).is_file())
    own: dict[str, torch.Tensor] = {}
    if net.captioner is not None:
        fill(net.captioner, read_state(folder / _WRITER), f"{folder.name}/{_WRITER}")
        own = {f"captioner.{k}": v for k, v in net.captioner.state_dict().items()}
    fill(net, {k: v for k, v in weights.items() if not k.startswith("vision_model.")} | own, name)
    reader: Any = config.qformer_config
    tokenizer = read_wordpiece(folder, min(context, reader.max_position_embeddings), reader.vocab_size)
    return Blip2(encoder, net, tokenizer, device)


def _save(blip2: Blip2, folder: Path) -> None:
    weights = {k: v for k, v in blip2.net.state_dict().items() if not k.startswith("captioner.")}
    if isinstance(blip2.encoder, VitEncoder):  # its weights go under transformers' names
        weights |= blip2.encoder.state_dict()
        blip2.encoder.picture.write(folder)
    if blip2.net.captioner is not None:
        write_state(blip2.net.captioner.state_dict(), folder / _WRITER)
    write_state(weights, folder / "model.safetensors")
    write_object(folder / "config.json", plain(blip2.net.config))
    for name, content in blip2.tokenizer.transformers_files().items():
        (folder / name).write_bytes(content)
