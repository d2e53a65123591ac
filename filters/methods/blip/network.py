"""BLIP's networks (Li et al., arXiv 2201.12086): transformers' own classes around one image encoder.

`BlipForImageTextRetrieval` judges (ITC, ITM), `BlipForConditionalGeneration` writes. Trained here they share the image
encoder, and the text encoder and decoder share all but their self-attention (the paper's section 3.1). A folder is a
checkpoint of transformers too: each class loads its part of config.json and model.safetensors; a captioner with an
image encoder of its own lies in ``captioner.safetensors`` with ``captioner_config.json``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import normalize

from curate.errors import RecipeError
from filters.methods.blip.matcher import PAD, mean_log_probability
from filters.registry import BlipRules, Shape
from filters.towers import torchvision_ops
from filters.towers.tokenizer import TextTokenizer, WordPiece, read_wordpiece, train_wordpiece
from filters.towers.transformers_folder import Picture, load_model
from filters.towers.weights import read_folder, write_object, write_state

torchvision_ops.ensure()
from transformers import BlipConfig as BlipConfig  # noqa: E402  after `ensure`
from transformers import BlipForConditionalGeneration, BlipForImageTextRetrieval, BlipTextConfig, BlipVisionConfig  # noqa: E402


def small_config(shape: Shape, tokenizer: TextTokenizer) -> BlipConfig:
    """The config of ``shape`` for a WordPiece of ours: the last id but one starts a text, the last ends it."""
    spread = 0.6 / shape.width**0.5  # transformers' 0.02 is for 768; a narrow net would start all but silent
    common = {"hidden_size": shape.width, "intermediate_size": 4 * shape.width, "initializer_range": spread}
    heads = max(1, shape.width // 32)
    text = BlipTextConfig(
        **common,
        vocab_size=tokenizer.vocab_size,
        num_hidden_layers=shape.text_layers,
        num_attention_heads=heads,
        max_position_embeddings=tokenizer.context_length,
        bos_token_id=tokenizer.vocab_size - 2,
        eos_token_id=tokenizer.vocab_size - 1,
        sep_token_id=tokenizer.vocab_size - 1,
        pad_token_id=PAD,
    )
    vision = BlipVisionConfig(
        **common,
        num_hidden_layers=shape.vision_layers,
        num_attention_heads=heads,
        image_size=shape.side,
        patch_size=shape.patch,
    )
    return BlipConfig(
        text_config=text.to_dict(),
        vision_config=vision.to_dict(),
        image_text_hidden_size=shape.width,
        initializer_range=spread,
    )


class BlipNet(torch.nn.Module):
    """The judge and, where there is one, the captioner; its image encoder is the judge's unless it brings its own."""

    def __init__(self, judge: Any, captioner: Any = None, own_vision: bool = False) -> None:
        super().__init__()
        self.judge, self.captioner, self.own_vision = judge, captioner, own_vision
        self.config: BlipConfig = judge.config
        if captioner is not None and not own_vision:
            self.captioner.vision_model = judge.vision_model

    @property
    def side(self) -> int:
        """Pixels of a side of the image."""
        return int(self.config.vision_config.image_size)

    def share_text(self) -> None:
        """Encoder and decoder become one but for self-attention: what each reads is the other's practice too."""
        decoder, encoder = self.captioner.text_decoder, self.judge.text_encoder
        decoder.bert.embeddings = encoder.embeddings
        decoder.cls.predictions.decoder.weight = encoder.embeddings.word_embeddings.weight
        for mine, other in zip(decoder.bert.encoder.layer, encoder.encoder.layer, strict=True):
            mine.crossattention, mine.intermediate, mine.output = other.crossattention, other.intermediate, other.output

    def image_tokens(self, pixels: torch.Tensor) -> torch.Tensor:
        """float32[n, 1 + patches, d] of normalised float32[n, 3, side, side]: what judge and captioner attend to."""
        return torch.as_tensor(self.judge.vision_model(pixel_values=pixels).last_hidden_state)

    def caption_tokens(self, pixels: torch.Tensor) -> torch.Tensor:
        """The same as the captioner sees it, where it has its own image encoder."""
        return torch.as_tensor(self.captioner.vision_model(pixel_values=pixels).last_hidden_state)

    def image_vectors(self, image_tokens: torch.Tensor) -> torch.Tensor:
        """Unit rows float32[n, e] of `image_tokens`."""
        return normalize(self.judge.vision_proj(image_tokens[:, 0]), dim=-1)

    def text_vectors(self, ids: torch.Tensor) -> torch.Tensor:
        """Unit rows float32[n, e] of int64[n, k] padded with `PAD`."""
        states = self.judge.text_encoder(input_ids=ids, attention_mask=(ids != PAD).long()).last_hidden_state
        return normalize(self.judge.text_proj(states[:, 0]), dim=-1)

    def cosines(self, images: torch.Tensor, texts: torch.Tensor) -> torch.Tensor:
        """float32[n, m] of `image_vectors` and `text_vectors`."""
        return images @ texts.T

    def own_cosines(self, images: torch.Tensor, texts: torch.Tensor) -> torch.Tensor:
        """float32[n] of n image vectors, each with its own of n text vectors."""
        return (images * texts).sum(1)

    def match(self, image_tokens: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        """float32[n, 2] logits (wrong, right) of the matching head."""
        mask = (ids != PAD).long()
        states = self.judge.text_encoder(input_ids=ids, attention_mask=mask, encoder_hidden_states=image_tokens)
        return torch.as_tensor(self.judge.itm_head(states.last_hidden_state[:, 0]))

    def log_likelihood(self, image_tokens: torch.Tensor, ids: torch.Tensor, smoothing: float = 0.0) -> torch.Tensor:
        """float32[n]: the captioner's mean log-probability a token, the end counted and the start not."""
        mask = (ids != PAD).long()
        found = self.captioner.text_decoder(input_ids=ids, attention_mask=mask, encoder_hidden_states=image_tokens)
        return mean_log_probability(found.logits[:, :-1], ids, smoothing)

    def started(self, ids: torch.Tensor) -> torch.Tensor:
        """``ids`` as the captioner reads them: its own token of the beginning first (BERT's [CLS] is not BLIP's)."""
        if self.captioner is None:
            return ids
        out = ids.clone()
        out[:, 0] = self.captioner.config.text_config.bos_token_id
        return out


@dataclass(frozen=True, eq=False)
class InitializedModel:
    """A net with what it reads: its tokenizer, and the statistics of its pixels."""

    net: BlipNet
    tokenizer: WordPiece
    picture: Picture


def start(rules: BlipRules, texts: Sequence[str]) -> InitializedModel:
    """What training begins with; a net at random is drawn under torch's current seed."""
    if rules.checkpoint is None:
        if rules.captioner is not None:
            raise RecipeError("captioner", "a captioner needs a judge beside it", "give checkpoint too")
        tokenizer = train_wordpiece(texts, rules.vocab, rules.context)
        config = small_config(rules.shape, tokenizer)
        net = BlipNet(BlipForImageTextRetrieval(config), BlipForConditionalGeneration(config))
        seed_positions(net.judge.vision_model.embeddings.position_embedding)
        net.share_text()
        return InitializedModel(net, tokenizer, Picture.read(None, net.side))
    model = open_folder(Path(rules.checkpoint), rules.context, rules.captioner)
    if rules.epochs and model.net.own_vision:
        problem = "the captioner has an image encoder of its own, and training shares one"
        raise RecipeError("captioner", problem, "epochs: 0 to use both as they are, or no captioner")
    if rules.epochs and model.net.captioner is None:  # it begins as the judge's text encoder, self-attention included
        writer = BlipForConditionalGeneration(model.net.config)
        writer.text_decoder.bert.load_state_dict(model.net.judge.text_encoder.state_dict())
        net = BlipNet(model.net.judge, writer)
        net.share_text()
        return InitializedModel(net, model.tokenizer, model.picture)
    return model


def open_folder(folder: Path, context: int, captioner: str | None = None) -> InitializedModel:
    """A folder of ours or of transformers, with the captioner in it, beside it, or in the folder ``captioner``."""
    judge = load_model(BlipForImageTextRetrieval, folder)
    writer: Any = None
    own_vision = captioner is not None or (folder / "captioner_config.json").is_file()
    if own_vision:
        writer = load_model(
            BlipForConditionalGeneration, Path(captioner or folder), "model" if captioner else "captioner"
        )
    elif any(k.startswith("text_decoder.") for k in read_folder(folder)):
        writer = load_model(BlipForConditionalGeneration, folder)
    both = [model.config.text_config for model in (judge, writer) if model is not None]
    context = min(context, *(text.max_position_embeddings for text in both))
    net = BlipNet(judge, writer, own_vision)
    tokenizer = read_wordpiece(folder, context, min(text.vocab_size for text in both))
    return InitializedModel(net, tokenizer, Picture.read(folder, net.side))


def save_net(model: InitializedModel, folder: Path) -> None:
    """The folder `open_folder` reads, and transformers too; the same net gives the same bytes."""
    net, weights = model.net, dict(model.net.judge.state_dict())
    if net.captioner is not None and not net.own_vision:
        weights |= net.captioner.state_dict()
    write_state(weights, folder / "model.safetensors")
    write_object(folder / "config.json", plain(net.config))
    if net.own_vision:
        write_state(net.captioner.state_dict(), folder / "captioner.safetensors")
        write_object(folder / "captioner_config.json", plain(net.captioner.config))
    for name, content in model.tokenizer.transformers_files().items():
        (folder / name).write_bytes(content)
    model.picture.write(folder)


def plain(config: Any) -> dict[str, Any]:
    """A transformers config without where it was loaded from and by which version."""
    own = ("_name_or_path", "transformers_version", "architectures", "dtype")

    def strip(value: Any) -> Any:
        return {k: strip(v) for k, v in value.items() if k not in own} if isinstance(value, dict) else value

    return dict(strip(config.to_dict()))


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
