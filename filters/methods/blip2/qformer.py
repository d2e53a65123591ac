"""BLIP-2's Q-Former (Li et al., arXiv 2301.12597) on the tokens of a frozen image encoder: transformers' own modules.

The names are `Blip2ForImageTextRetrieval`'s, whose forward this is with the image encoder taken out, so that its
tokens can be computed once and kept.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.functional import gelu, linear, normalize

from filters.methods.blip.matcher import PAD, mean_log_probability
from filters.registry import QShape
from filters.towers import torchvision_ops
from filters.towers.tokenizer import TextTokenizer

torchvision_ops.ensure()
from transformers import Blip2Config as Blip2Config  # noqa: E402  after `ensure`
from transformers import Blip2QFormerConfig, Blip2VisionConfig  # noqa: E402  after `ensure`
from transformers.models.blip_2.modeling_blip_2 import (  # noqa: E402
    Blip2QFormerModel,
    Blip2TextEmbeddings,
)
from transformers.models.blip_2.modeling_blip_2 import Blip2VisionModel as Blip2VisionModel  # noqa: E402


def small_config(shape: QShape, width: int, side: int, tokenizer: TextTokenizer, generate: bool = False) -> Blip2Config:
    """transformers' config for image tokens of width ``width``; its vision part only says that width and the side.

    Where it is to ``generate``, one more token says so in the place of a text's first.
    """
    reader = Blip2QFormerConfig(
        vocab_size=tokenizer.vocab_size + generate,
        hidden_size=shape.width,
        intermediate_size=4 * shape.width,
        num_hidden_layers=shape.layers,
        num_attention_heads=max(1, shape.width // 32),
        max_position_embeddings=tokenizer.context_length,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        cross_attention_frequency=1,
        encoder_hidden_size=width,
        initializer_range=_spread(shape.width),
        use_qformer_text_input=True,
    )
    vision = Blip2VisionConfig(hidden_size=width, intermediate_size=width, num_hidden_layers=0, image_size=side)
    return Blip2Config(
        qformer_config=reader.to_dict(),
        vision_config=vision.to_dict(),
        num_query_tokens=shape.queries,
        image_text_hidden_size=shape.width,
        initializer_range=_spread(shape.width),
    )


def _spread(width: int) -> float:
    return float(0.6 / width**0.5)  # transformers' 0.02 is for 768; a narrow net would start all but silent


class LanguageHead(torch.nn.Module):
    """BERT's head: states to logits over the words, whose embeddings are its last matrix."""

    def __init__(self, width: int, words: int, eps: float, std: float) -> None:
        super().__init__()
        self.dense, self.norm = torch.nn.Linear(width, width), torch.nn.LayerNorm(width, eps)
        self.bias = torch.nn.Parameter(torch.zeros(words))
        torch.nn.init.normal_(self.dense.weight, std=std)

    def forward(self, states: torch.Tensor, words: torch.Tensor) -> torch.Tensor:
        """float[n, k, words] of float[n, k, width] and the embeddings float[words, width]."""
        return linear(self.norm(gelu(self.dense(states))), words, self.bias)


class QFormer(torch.nn.Module):
    """Queries that read image tokens, alone (ITC) or together with a text (ITM), or write it (ITG, ``generate``)."""

    def __init__(self, config: Blip2Config, generate: bool = False) -> None:
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
        self.captioner: LanguageHead | None = None
        if generate:
            spread = reader.initializer_range
            self.captioner = LanguageHead(reader.hidden_size, reader.vocab_size, reader.layer_norm_eps, spread)
        # transformers leaves the queries at zero, all the same for ever; they are drawn as the paper's code draws them
        torch.nn.init.normal_(self.query_tokens, std=reader.initializer_range)

    def image_vectors(self, tokens: torch.Tensor) -> torch.Tensor:
        """Unit rows float32[n, queries, e] of image tokens float32[n, t, d]."""
        queries = self.query_tokens.expand(len(tokens), -1, -1)
        found = self.qformer(query_embeds=queries, encoder_hidden_states=tokens).last_hidden_state
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

    def match(self, tokens: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        """float32[n, 2] logits (wrong, right), the mean over the queries."""
        queries = self.query_tokens.expand(len(tokens), -1, -1)
        looked = torch.ones(queries.shape[:2], dtype=torch.int64, device=ids.device)
        mask = torch.cat([looked, (ids != PAD).long()], dim=1)
        both = self.embeddings(input_ids=ids, query_embeds=queries)
        found = self.qformer(
            query_embeds=both, query_length=queries.shape[1], attention_mask=mask, encoder_hidden_states=tokens
        ).last_hidden_state
        return torch.as_tensor(self.itm_head(found[:, : queries.shape[1]]).mean(dim=1))

    def log_likelihood(self, tokens: torch.Tensor, ids: torch.Tensor, smoothing: float = 0.0) -> torch.Tensor:
        """float32[n]: image-grounded generation's mean log-probability a token (section 3.2), the first not counted.

        Queries see one another and the image, no word; a word sees all queries and the words before it.
        """
        if self.captioner is None:
            raise TypeError("a Q-Former without a language head writes nothing")
        queries = self.query_tokens.expand(len(tokens), -1, -1)
        q = queries.shape[1]
        both = self.embeddings(input_ids=ids, query_embeds=queries)
        found = self.qformer(
            query_embeds=both,
            query_length=q,
            attention_mask=_writing_mask(q, ids.shape[1], both),
            encoder_hidden_states=tokens,
        ).last_hidden_state
        logits = self.captioner(found[:, q:-1], self.embeddings.word_embeddings.weight)
        return mean_log_probability(logits, ids, smoothing)

    def started(self, ids: torch.Tensor) -> torch.Tensor:
        """``ids`` as they are written: the token that says so in the place of the first ([DEC] for [CLS])."""
        if self.captioner is None:
            return ids
        out = ids.clone()
        out[:, 0] = self.captioner.bias.shape[0] - 1
        return out


def _writing_mask(queries: int, words: int, like: torch.Tensor) -> torch.Tensor:
    """float[n, 1, queries + words, queries + words], 0 where a row sees a column and the least number where not.

    Padding follows all words, so that no word sees it.
    """
    visible = torch.ones(queries + words, queries + words, dtype=torch.bool, device=like.device).tril()
    visible[:, :queries] = True
    mask = torch.zeros(visible.shape, dtype=like.dtype, device=like.device)
    mask = mask.masked_fill(~visible, torch.finfo(like.dtype).min)
    return mask.expand(len(like), 1, -1, -1)
