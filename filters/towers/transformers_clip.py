"""CLIP as transformers stores it (openai/clip-vit-*, PubMedCLIP, most chest CLIPs), and two towers of any kind that it
joined (``vision-text-dual-encoder``), behind the interface `filters.towers.encoder.Filter` needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from curate.errors import RecipeError
from filters.towers.torchvision_ops import ensure
from filters.towers.transformers_folder import (
    FolderTokenizer,
    TransformersModel,
    load_model,
    read_model_config,
    read_preprocessor,
)

MODEL_TYPES = ("clip", "vision-text-dual-encoder")
_MEAN, _STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]  # CLIP's, where none are said
_OLD_END = 2  # an eos_token_id that older configs say and transformers reads as "the highest id of the row"


class TransformersClip(TransformersModel):
    """CLIPModel or VisionTextDualEncoderModel."""

    def __init__(self, model: Any, preprocessor: dict[str, Any]) -> None:
        super().__init__(model, preprocessor, int(model.config.vision_config.image_size), _MEAN, _STD)
        text = model.config.text_config
        self._end: int | None = None
        if text.model_type == "clip_text_model":
            self._end = int(text.eos_token_id)
        else:  # a text tower that masks padding everywhere
            self.masked_pad = int(text.pad_token_id or 0)

    def image_tokens(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """See `TransformersModel`."""
        outputs = self.inner.vision_model(pixel_values=x)
        tokens: torch.Tensor = outputs.last_hidden_state
        rows: torch.Tensor = self.inner.visual_projection(outputs.pooler_output)
        return rows, tokens if tokens.ndim == 3 else tokens.flatten(2).mT

    def encode_text(self, ids: torch.Tensor) -> torch.Tensor:
        """Rows float[n, d]. What follows the end of a text, or pads it, does not change its row."""
        if self._end is not None:
            outputs = self.inner.text_model(input_ids=ids)
        else:
            outputs = self.inner.text_model(input_ids=ids, attention_mask=(ids != self.masked_pad).long())
        rows: torch.Tensor = self.inner.text_projection(outputs.pooler_output)
        return rows

    def text_ends(self, ids: torch.Tensor) -> torch.Tensor:
        """int64[n]: the columns a causal tower that pools at the end of text needs of each row."""
        if self._end is None:
            raise TypeError("this text tower looks both ways")
        at = ids.argmax(dim=1) if self._end == _OLD_END else (ids == self._end).int().argmax(dim=1)
        return at + 1

    @property
    def is_causal(self) -> bool:
        """Whether `text_ends` has an answer."""
        return self._end is not None


def load_clip(folder: Path) -> tuple[TransformersClip, FolderTokenizer]:
    """The model and tokenizer of a folder in transformers' layout.

    RecipeError where a part is missing or damaged, or the weights are of another architecture.
    """
    ensure()
    from transformers import CLIPModel, VisionTextDualEncoderModel

    config = read_model_config(folder)
    if config is None or config["model_type"] not in MODEL_TYPES:
        problem = f"{folder} is no folder of transformers' CLIP"
        raise RecipeError("filter.checkpoint", problem, f"model_type {' or '.join(MODEL_TYPES)}")
    model = load_model(CLIPModel if config["model_type"] == "clip" else VisionTextDualEncoderModel, folder)
    text = model.config.text_config
    tokenizer = FolderTokenizer(folder, int(text.max_position_embeddings), int(text.vocab_size))
    return TransformersClip(model, read_preprocessor(folder)), tokenizer
