"""BLIP's networks (Li et al., arXiv 2201.12086): transformers' own classes around one image encoder.

`BlipForImageTextRetrieval` judges (ITC, ITM), `BlipForConditionalGeneration` writes. Trained here they share the image
encoder, and the text encoder and decoder share all but their self-attention (the paper's section 3.1).
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.functional import normalize

from filters.methods.blip.matcher import PAD, mean_log_probability
from filters.registry import Shape
from filters.towers import torchvision_ops
from filters.towers.tokenizer import TextTokenizer

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

    def __init__(self, config: BlipConfig, captioner: BlipConfig | None, own_vision: bool = False) -> None:
        super().__init__()
        self.config = config
        self.judge: Any = BlipForImageTextRetrieval(config)
        self.captioner: Any = None if captioner is None else BlipForConditionalGeneration(captioner)
        self.own_vision = own_vision
        if self.captioner is not None and not own_vision:
            self.captioner.vision_model = self.judge.vision_model

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
