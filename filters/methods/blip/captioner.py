"""BLIP's captioner at work: texts for images, drawn by each record's key or searched by beams."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from filters.methods.blip.matcher import PAD

if TYPE_CHECKING:
    from filters.methods.blip.method import Blip
    from filters.registry import CapfiltRules


@torch.inference_mode()
def propose(model: Blip, keys: Sequence[str], pixels: torch.Tensor, rules: CapfiltRules) -> list[str]:
    """A text for each of n images uint8[n, c, side, side]; the same for a key and an image whatever the others."""
    writer: Any = model.net.captioner
    longest = min(rules.longest, writer.config.text_config.max_position_embeddings)
    draws = np.stack([_draws(key, rules.seed, longest) for key in keys])
    chances = torch.from_numpy(draws)

    def write(index: torch.Tensor) -> torch.Tensor:
        image_tokens = model.caption_tokens(pixels[index].to(model.device))
        if rules.decoder == "beam":
            return _beams(model, image_tokens, rules, longest)
        return _nucleus(model, image_tokens, chances[index].to(model.device), rules)

    rows = model.blocks(write, torch.arange(len(keys))).astype(np.int64)
    return [model.vocabulary.text(row) for row in rows]


def _draws(key: str, seed: int, longest: int) -> NDArray[np.float64]:
    """float64[longest] in 0..1, of the key and the seed alone."""
    start = int.from_bytes(hashlib.sha256(f"{seed}:{key}".encode()).digest()[:16], "big")
    return np.random.default_rng(start).random(longest)


def _nucleus(model: Blip, image_tokens: torch.Tensor, chances: torch.Tensor, rules: CapfiltRules) -> torch.Tensor:
    """int64[n, k + 1] tokens, padded: each step draws among the likeliest tokens that hold ``top_p`` (1904.09751)."""
    text = model.net.captioner.config.text_config
    tokens = torch.full((len(image_tokens), 1), text.bos_token_id, device=image_tokens.device)
    open_ = torch.ones(len(image_tokens), dtype=torch.bool, device=image_tokens.device)
    banned = model.vocabulary.banned(text.sep_token_id, text.vocab_size).to(image_tokens.device)
    memory: Any = None
    for step in range(chances.shape[1] - 1):
        out = model.net.captioner.text_decoder(
            input_ids=tokens[:, -1:],
            attention_mask=torch.ones_like(tokens),
            encoder_hidden_states=image_tokens,
            past_key_values=memory,
            use_cache=True,
        )
        memory, logits = out.past_key_values, out.logits[:, -1].float().masked_fill(banned, -torch.inf)
        if step + 1 < rules.shortest:
            logits[:, text.sep_token_id] = -torch.inf
        drawn = _draw(logits.softmax(-1), chances[:, step], rules.top_p)
        tokens = torch.cat([tokens, torch.where(open_, drawn, PAD)[:, None]], dim=1)
        open_ = open_ & (drawn != text.sep_token_id)
        if not open_.any():
            break
    return torch.nn.functional.pad(tokens, (0, chances.shape[1] - tokens.shape[1]), value=PAD)


def _draw(chance: torch.Tensor, at: torch.Tensor, top_p: float) -> torch.Tensor:
    """int64[n]: of each row's nucleus the token at quantile ``at``; the likeliest is always in it."""
    value, index = chance.sort(dim=-1, descending=True, stable=True)
    before = value.cumsum(-1) - value
    value = torch.where(before < top_p, value, 0.0)
    reached = value.double().cumsum(-1)
    place = (reached < at[:, None] * reached[:, -1:]).sum(-1)
    return index.gather(1, place[:, None])[:, 0]


def _beams(model: Blip, image_tokens: torch.Tensor, rules: CapfiltRules, longest: int) -> torch.Tensor:
    """int64[n, longest], padded: transformers' own beam search."""
    text: Any = model.net.captioner.config.text_config
    start = torch.full((len(image_tokens), 1), text.bos_token_id, device=image_tokens.device)
    banned = model.vocabulary.banned(text.sep_token_id, text.vocab_size).nonzero()[:, 0].tolist()
    found = model.net.captioner.text_decoder.generate(
        input_ids=start,
        attention_mask=torch.ones_like(start),
        encoder_hidden_states=image_tokens,
        encoder_attention_mask=torch.ones(image_tokens.shape[:2], dtype=torch.int64, device=image_tokens.device),
        eos_token_id=text.sep_token_id,
        pad_token_id=PAD,
        num_beams=rules.beams,
        do_sample=False,
        max_length=longest,
        min_length=rules.shortest,
        suppress_tokens=banned,
    )
    return torch.nn.functional.pad(found, (0, longest - found.shape[1]), value=PAD)
