"""BLIP-2's Q-Former (Li et al., arXiv 2301.12597) on the tokens of a frozen image encoder: transformers' own modules.

The names are `Blip2ForImageTextRetrieval`'s, whose forward this is with the image encoder taken out, so that its
tokens can be computed once and kept.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.functional import normalize

from filters import torchvision_ops
from filters.method_rules import QShape
from filters.tokenizer import TextTokenizer

torchvision_ops.ensure()
from transformers import Blip2Config as Blip2Config  # noqa: E402  after `ensure`
from transformers import Blip2QFormerConfig, Blip2VisionConfig  # noqa: E402  after `ensure`
from transformers.models.blip_2.modeling_blip_2 import Blip2QFormerModel, Blip2TextEmbeddings  # noqa: E402

PAD = 0


def small_config(shape: QShape, seen: int, side: int, tokenizer: TextTokenizer) -> Blip2Config:
    """transformers' config for image tokens of width ``seen``; its vision part only says that width and the side."""
    reader = Blip2QFormerConfig(
        vocab_size=tokenizer.vocab_size,
        hidden_size=shape.width,
        intermediate_size=4 * shape.width,
        num_hidden_layers=shape.layers,
        num_attention_heads=max(1, shape.width // 32),
        max_position_embeddings=tokenizer.context_length,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        cross_attention_frequency=1,
        encoder_hidden_size=seen,
        initializer_range=_spread(shape.width),
        use_qformer_text_input=True,
    )
    vision = Blip2VisionConfig(hidden_size=seen, intermediate_size=seen, num_hidden_layers=0, image_size=side)
    return Blip2Config(
        qformer_config=reader.to_dict(),
        vision_config=vision.to_dict(),
        num_query_tokens=shape.queries,
        image_text_hidden_size=shape.width,
        initializer_range=_spread(shape.width),
    )


def _spread(width: int) -> float:
    return float(0.6 / width**0.5)  # transformers' 0.02 is for 768; a narrow net would start all but silent


class QFormer(torch.nn.Module):
    """Queries that read image tokens, alone (ITC) or together with a text (ITM)."""

    captioner: Any = None  # image-grounded generation is not trained: transformers has no head for it here

    def __init__(self, config: Blip2Config) -> None:
        super().__init__()
        self.config = config
        reader: Any = config.qformer_config
        self.query_tokens = torch.nn.Parameter(torch.empty(1, config.num_query_tokens, reader.hidden_size))
        self.embeddings: Any = Blip2TextEmbeddings(reader)
        self.qformer: Any = Blip2QFormerModel(reader)
        self.vision_projection = torch.nn.Linear(reader.hidden_size, config.image_text_hidden_size)
        self.text_projection = torch.nn.Linear(reader.hidden_size, config.image_text_hidden_size)
        self.itm_head = torch.nn.Linear(reader.hidden_size, 2)
        for table in (self.embeddings.word_embeddings.weight, self.embeddings.position_embeddings.weight):
            torch.nn.init.normal_(table, std=reader.initializer_range)
        # transformers leaves the queries at zero, all the same for ever; they are drawn as the paper's code draws them
        torch.nn.init.normal_(self.query_tokens, std=reader.initializer_range)

    def image_vectors(self, seen: torch.Tensor) -> torch.Tensor:
        """Unit rows float32[n, queries, e] of image tokens float32[n, t, d]."""
        queries = self.query_tokens.expand(len(seen), -1, -1)
        found = self.qformer(query_embeds=queries, encoder_hidden_states=seen).last_hidden_state
        return normalize(self.vision_projection(found), dim=-1)

    def text_vectors(self, ids: torch.Tensor) -> torch.Tensor:
        """Unit rows float32[n, e] of int64[n, k] padded with `PAD`."""
        mask = (ids != PAD).long()
        words = self.embeddings(input_ids=ids)
        found = self.qformer(query_embeds=words, query_length=0, attention_mask=mask).last_hidden_state
        return normalize(self.text_projection(found[:, 0]), dim=-1)

    def cosines(self, images: torch.Tensor, texts: torch.Tensor) -> torch.Tensor:
        """float32[n, m]: of each image's queries the one closest to the text."""
        return torch.einsum("nqe,me->nmq", images, texts).amax(-1)

    def own_cosines(self, images: torch.Tensor, texts: torch.Tensor) -> torch.Tensor:
        """float32[n] of n images, each with its own of n texts."""
        return torch.einsum("nqe,ne->nq", images, texts).amax(-1)

    def match(self, seen: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        """float32[n, 2] logits (wrong, right), the mean over the queries."""
        queries = self.query_tokens.expand(len(seen), -1, -1)
        looked = torch.ones(queries.shape[:2], dtype=torch.int64, device=ids.device)
        mask = torch.cat([looked, (ids != PAD).long()], dim=1)
        both = self.embeddings(input_ids=ids, query_embeds=queries)
        found = self.qformer(
            query_embeds=both, query_length=queries.shape[1], attention_mask=mask, encoder_hidden_states=seen
        ).last_hidden_state
        return torch.as_tensor(self.itm_head(found[:, : queries.shape[1]]).mean(dim=1))

    def log_likelihood(self, seen: torch.Tensor, ids: torch.Tensor, smoothing: float = 0.0) -> torch.Tensor:
        """There is no captioner."""
        raise NotImplementedError("the Q-Former is trained without a language head")

    def started(self, ids: torch.Tensor) -> torch.Tensor:
        """``ids`` as they are."""
        return ids
