"""Where a BLIP begins: small and at random, from checkpoints of transformers, or from a filter's folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from curate.errors import RecipeError
from filters.methods.blip import files
from filters.methods.blip.network import BlipConfig, BlipNet, small_config
from filters.registry import BlipRules as Rules
from filters.towers.tokenizer import WordPiece, read_wordpiece, train_wordpiece
from filters.towers.weights import read_folder

# names transformers leaves out of a file because another tensor is the same
_TIED = {
    "text_decoder.cls.predictions.decoder.weight": "text_decoder.bert.embeddings.word_embeddings.weight",
    "text_decoder.cls.predictions.decoder.bias": "text_decoder.cls.predictions.bias",
    "text_decoder.cls.predictions.bias": "text_decoder.cls.predictions.decoder.bias",
}
_OWN_CAPTIONER = "captioner_config.json"


@dataclass(frozen=True, eq=False)
class InitializedModel:
    """A net with what it reads: its tokenizer, and mean and standard deviation of its pixels."""

    net: BlipNet
    tokenizer: WordPiece
    preprocessing: tuple[list[float], list[float]]


def start(rules: Rules, texts: Sequence[str]) -> InitializedModel:
    """What training begins with; a net at random is drawn under torch's current seed."""
    if rules.checkpoint is None:
        if rules.captioner is not None:
            raise RecipeError("captioner", "a captioner needs a judge beside it", "give checkpoint too")
        tokenizer = train_wordpiece(texts, rules.vocab, rules.context)
        config = small_config(rules.shape, tokenizer)
        net = BlipNet(config, config)
        seed_positions(net.judge.vision_model.embeddings.position_embedding)
        net.share_text()
        return InitializedModel(net, tokenizer, files.read_preprocessing(Path()))
    model = open_folder(Path(rules.checkpoint), rules.context, rules.captioner)
    if rules.epochs and model.net.own_vision:
        problem = "the captioner has an image encoder of its own, and training shares one"
        raise RecipeError("captioner", problem, "epochs: 0 to use both as they are, or no captioner")
    if rules.epochs and model.net.captioner is None:
        return InitializedModel(_with_captioner(model.net), model.tokenizer, model.preprocessing)
    return model


def _with_captioner(net: BlipNet) -> BlipNet:
    """A judge alone is given a decoder that begins as its own text encoder, self-attention included."""
    out = BlipNet(net.config, net.config)
    out.judge.load_state_dict(net.judge.state_dict())
    out.captioner.text_decoder.bert.load_state_dict(net.judge.text_encoder.state_dict())
    out.share_text()
    return out


def open_folder(folder: Path, context: int, captioner: str | None = None) -> InitializedModel:
    """A folder of ours or of transformers, with the captioner in it, beside it, or in the folder ``captioner``."""
    config = files.read_config(folder / "config.json", BlipConfig)
    weights = read_folder(folder)
    beside = Path(captioner) if captioner else folder if (folder / _OWN_CAPTIONER).is_file() else None
    writer: BlipConfig | None = None
    if beside is not None:
        writer = files.read_config(beside / ("config.json" if captioner else _OWN_CAPTIONER), BlipConfig)
    elif any(k.startswith("text_decoder.") for k in weights):
        writer = config
    net = BlipNet(config, writer, own_vision=beside is not None)
    judged = {k: v for k, v in weights.items() if not k.startswith("text_decoder.")}
    files.fill(net.judge, judged, f"{folder.name}/model.safetensors", {})
    if writer is not None:
        spoken = read_folder(beside, "model" if captioner else "captioner") if beside else weights
        files.fill(net.captioner, spoken, f"{(beside or folder).name}'s captioner", _TIED)
    wide = min(c.text_config.max_position_embeddings for c in (config, writer) if c is not None)
    known = min(c.text_config.vocab_size for c in (config, writer) if c is not None)
    tokenizer = read_wordpiece(folder, min(context, wide), known)
    return InitializedModel(net, tokenizer, files.read_preprocessing(folder))


def save_net(net: BlipNet, tokenizer: WordPiece, preprocessing: tuple[list[float], list[float]], folder: Path) -> None:
    """The folder `open_folder` reads, and transformers too; the same net gives the same bytes."""
    weights = dict(net.judge.state_dict())
    if net.captioner is not None and not net.own_vision:
        weights |= net.captioner.state_dict()
    files.save_weights(weights, folder / "model.safetensors")
    files.save_json(files.plain(net.config), folder / "config.json")
    if net.own_vision:
        files.save_weights(net.captioner.state_dict(), folder / "captioner.safetensors")
        files.save_json(files.plain(net.captioner.config), folder / _OWN_CAPTIONER)
    files.save_tokenizer(tokenizer, folder)
    files.save_preprocessing(net.side, *preprocessing, folder)


@torch.no_grad()
def seed_positions(table: torch.nn.Parameter) -> None:
    """Sines and cosines of row and column (MoCo v3, arXiv 2104.02057, section 4): few images do not teach a ViT where.

    ``table`` float32[1, 1 + side * side, width], the class token first.
    """
    side, width = round((table.shape[1] - 1) ** 0.5), table.shape[2]
    steps = torch.arange(side, dtype=torch.float32)
    y, x = (g.reshape(-1, 1) for g in torch.meshgrid(steps, steps, indexing="ij"))
    waves = 10_000 ** -(torch.arange(width // 4) / (width // 4))
    parts = [turn(v * waves) for v in (x, y) for turn in (torch.sin, torch.cos)]
    table[0, 1:] = 0.5 * torch.cat(parts, dim=1)
    table[0, 0] = 0
