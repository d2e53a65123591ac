"""Folders as they are published, with random weights at small size: what lies in them, and under which names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from filters.towers import torchvision_ops

torchvision_ops.ensure()
import transformers as t  # noqa: E402  after `ensure`

TEXTS = ["left pleural effusion", "no pneumothorax", "the heart is large " * 30]
WORDS = sorted(set(" ".join(TEXTS).split()))
BERT_WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, *"abcdefghijklmnopqrstuvwxyz"]
LAYERS = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
MEAN, STD = [0.3, 0.4, 0.5], [0.2, 0.3, 0.4]


def write_pixels(folder: Path, **more: Any) -> None:
    """preprocessor_config.json."""
    said = {"image_mean": MEAN, "image_std": STD, "do_normalize": True, "do_rescale": True, "rescale_factor": 1 / 255}
    (folder / "preprocessor_config.json").write_text(json.dumps(said | more))


def write_gemma_tokenizer(folder: Path) -> int:
    """As google/siglip2-* of fixed size bring it; the number of tokens."""
    marks = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "\u2581"]
    vocab = {token: i for i, token in enumerate([*marks, *(chr(c) for c in range(33, 127))])}
    tokens = t.GemmaTokenizer(vocab=vocab, merges=[], add_bos_token=False, add_eos_token=True, padding_side="right")
    tokens.save_pretrained(folder)
    return len(vocab)


def write_bert_tokenizer(folder: Path) -> None:
    """BERT's vocab.txt with its tokenizer_config.json."""
    (folder / "vocab.txt").write_text("\n".join(BERT_WORDS) + "\n")
    said = {"tokenizer_class": "BertTokenizer", "do_lower_case": True, "model_max_length": 24}
    (folder / "tokenizer_config.json").write_text(json.dumps(said))


def write_clip_tokenizer(folder: Path) -> int:
    """vocab.json and merges.txt as OpenAI's on the hub; the number of tokens."""
    letters = [chr(c) for c in range(33, 127)]
    tokens = [*letters, *(f"{c}</w>" for c in letters), "le", "ft</w>", "<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({token: i for i, token in enumerate(tokens)}))
    (folder / "merges.txt").write_text("#version: 0.2\nl e\nf t</w>\n")
    end = "<|endoftext|>"
    said = {"tokenizer_class": "CLIPTokenizer", "model_max_length": 24, "pad_token": end, "unk_token": end}
    said |= {"bos_token": "<|startoftext|>", "eos_token": end, "do_lower_case": True}
    (folder / "tokenizer_config.json").write_text(json.dumps(said))
    return len(tokens)


def as_bin(folder: Path, shards: int = 1, **more: torch.Tensor) -> None:
    """The folder's safetensors become ``pytorch_model.bin``, whole or in ``shards``; ``more`` lies in it too."""
    state = {**load_file(folder / "model.safetensors"), **more}
    (folder / "model.safetensors").unlink()
    if shards == 1:
        torch.save(state, folder / "pytorch_model.bin")
        return
    place: dict[str, str] = {}
    for i in range(shards):
        name = f"pytorch_model-{i + 1:05}-of-{shards:05}.bin"
        part = {k: v for j, (k, v) in enumerate(sorted(state.items())) if j % shards == i}
        torch.save(part, folder / name)
        place |= dict.fromkeys(part, name)
    index = {"metadata": {}, "weight_map": place}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index))


def write_clip(folder: Path, old_end: bool = False) -> Any:
    """openai/clip-vit-*, PubMedCLIP: CLIPModel. ``old_end``: eos_token_id 2, as configs of its first years say."""
    folder.mkdir(parents=True)
    words = write_clip_tokenizer(folder)
    write_pixels(folder, crop_size=32, size=32, feature_extractor_type="CLIPFeatureExtractor", resample=3)
    text = LAYERS | {"vocab_size": words, "max_position_embeddings": 24, "projection_dim": 16}
    text |= {"eos_token_id": 2 if old_end else words - 1, "bos_token_id": 0 if old_end else words - 2}
    vision = LAYERS | {"image_size": 32, "patch_size": 8, "projection_dim": 16}
    torch.manual_seed(5)
    model = t.CLIPModel(t.CLIPConfig(text_config=text, vision_config=vision, projection_dim=16)).eval()
    spread(model)
    model.save_pretrained(folder)
    return model


def write_dual_encoder(folder: Path) -> Any:
    """Two towers that transformers joined: a ViT and a BERT."""
    folder.mkdir(parents=True)
    write_bert_tokenizer(folder)
    write_pixels(folder)
    vision = t.ViTConfig(**LAYERS, image_size=32, patch_size=8)
    text = t.BertConfig(**LAYERS, vocab_size=len(BERT_WORDS), max_position_embeddings=24)
    torch.manual_seed(6)
    config = t.VisionTextDualEncoderConfig(vision_config=vision.to_dict(), text_config=text.to_dict())
    model = t.VisionTextDualEncoderModel(config).eval()
    spread(model)
    model.save_pretrained(folder)
    return model


def write_siglip(folder: Path, naflex: bool) -> Any:
    """google/siglip-*, google/siglip2-* of fixed size (both of model_type siglip), and NaFlex."""
    folder.mkdir(parents=True)
    words = write_gemma_tokenizer(folder)
    write_pixels(folder, **({"patch_size": 8, "max_num_patches": 16} if naflex else {}))
    text = LAYERS | {"vocab_size": words, "max_position_embeddings": 24, "projection_size": 32}
    vision = LAYERS | {"patch_size": 8} | ({"num_patches": 16} if naflex else {"image_size": 32})
    kind: Any = (t.Siglip2Config, t.Siglip2Model) if naflex else (t.SiglipConfig, t.SiglipModel)
    torch.manual_seed(7)
    model = kind[1](kind[0](text_config=text, vision_config=vision)).eval()
    model.save_pretrained(folder)
    return model


class ReferenceMedclip(torch.nn.Module):
    """MedCLIP's own forward: section 3 of 2210.10163 as its release computes it, a text at a time."""

    def __init__(self, image: str) -> None:
        super().__init__()
        torch.manual_seed(8)
        config = t.BertConfig(vocab_size=len(BERT_WORDS), hidden_size=64, num_hidden_layers=3, num_attention_heads=1,
                              intermediate_size=96, max_position_embeddings=24)  # fmt: skip
        self.text: Any = t.BertModel(config)
        self.text_head = torch.nn.Linear(64, 20, bias=False)
        self.kind = image
        if image == "vit":
            swin = t.SwinConfig(image_size=224, embed_dim=8, depths=[1, 2], num_heads=[1, 2], window_size=7)
            self.image: Any = t.SwinModel(swin)
            self.image_head = torch.nn.Linear(16, 20, bias=False)
        else:
            from torchvision.models.resnet import BasicBlock, ResNet

            self.image = ResNet(BasicBlock, [1, 1, 1, 1])
            self.image.fc = torch.nn.Linear(512, 20, bias=False)
        self.eval()
        spread(self)

    @torch.no_grad()
    def encode_image(self, x: torch.Tensor) -> torch.Tensor:
        found = self.image_head(self.image(x).pooler_output) if self.kind == "vit" else self.image(x)
        return found / found.norm(dim=-1, keepdim=True)

    @torch.no_grad()
    def encode_text(self, ids: torch.Tensor) -> torch.Tensor:
        states = self.text(input_ids=ids, attention_mask=torch.ones_like(ids), output_hidden_states=True).hidden_states
        found = self.text_head(torch.stack([states[1], states[2], states[-1]]).permute(1, 0, 2, 3).mean(2).mean(1))
        return found / found.norm(dim=-1, keepdim=True)

    def write(self, folder: Path) -> None:
        """``pytorch_model.bin`` and nothing else but the text tower's vocab.txt, which the user puts beside it."""
        folder.mkdir(parents=True)
        (folder / "vocab.txt").write_text("\n".join(BERT_WORDS) + "\n")
        state = {"logit_scale": torch.tensor(2.5), "text_model.projection_head.weight": self.text_head.weight}
        self.text.save_pretrained(folder / "text")
        state |= {f"text_model.model.{k}": v for k, v in load_file(folder / "text/model.safetensors").items()}
        state["text_model.model.embeddings.position_ids"] = torch.arange(24)[None]
        if self.kind == "vit":
            self.image.save_pretrained(folder / "image")
            saved = load_file(folder / "image/model.safetensors")
            state |= {f"vision_model.model.{k}": v for k, v in saved.items()}
            at = "vision_model.model.encoder.layers.0.blocks.0.attention.self.relative_position_index"
            state[at] = torch.zeros((49, 49), dtype=torch.int64)  # a buffer that older versions saved
            state["vision_model.projection_head.weight"] = self.image_head.weight
        else:
            state |= {f"vision_model.model.{k}": v for k, v in self.image.state_dict().items()}
        torch.save(state, folder / "pytorch_model.bin")


@torch.no_grad()
def spread(model: torch.nn.Module) -> None:
    """Weights wide enough that rows differ: 0.02 is for a width of 768."""
    generator = torch.Generator().manual_seed(9)
    for name, parameter in model.named_parameters():
        if parameter.ndim >= 2 and "conv" not in name:
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.6 / parameter.shape[-1] ** 0.5)
