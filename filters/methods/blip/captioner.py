"""BLIP's captioner at work: texts for images, drawn by each record's key."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from filters.methods.blip.matcher import PAD
from filters.methods.blip.texts import readable

if TYPE_CHECKING:
    from filters.methods.blip.method import Blip
    from filters.registry import CapfiltRules


@torch.inference_mode()
def propose(model: Blip, keys: Sequence[str], pixels: torch.Tensor, rules: CapfiltRules) -> list[str]:
    """A text for each of n images uint8[n, c, side, side]; the same for a key and an image whatever the others."""
    writer: Any = model.net.captioner
    text = writer.config.text_config
    longest = min(rules.longest, text.max_position_embeddings)
    chances = torch.from_numpy(np.stack([_draws(key, rules.seed, longest) for key in keys]))
    banned = model.tokenizer.unwritable(text.sep_token_id, text.vocab_size)

    def write(index: torch.Tensor) -> torch.Tensor:
        image_tokens = model.caption_tokens(pixels[index].to(model.device))
        start = torch.full((len(index), 1), text.bos_token_id, device=model.device)
        at = chances[index].to(model.device)

        def nucleus(ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
            """Rule out all but the token drawn at this step among the likeliest that hold ``top_p`` (1904.09751)."""
            drawn = _draw(scores.float().softmax(-1), at[:, ids.shape[1] - 1], rules.top_p)
            return torch.full_like(scores, -torch.inf).scatter(1, drawn[:, None], 0.0)

        found = writer.text_decoder.generate(
            input_ids=start,
            attention_mask=torch.ones_like(start),
            encoder_hidden_states=image_tokens,
            encoder_attention_mask=torch.ones(image_tokens.shape[:2], dtype=torch.int64, device=model.device),
            eos_token_id=text.sep_token_id,
            pad_token_id=PAD,
            do_sample=False,
            max_length=longest,
            min_length=rules.shortest,
            suppress_tokens=banned,
            logits_processor=[nucleus],
        )
        return torch.nn.functional.pad(found, (0, longest - found.shape[1]), value=PAD)

    rows = model.blocks(write, torch.arange(len(keys))).astype(np.int64)
    return [readable(model.tokenizer.decode(row.tolist())) for row in rows]


def _draws(key: str, seed: int, longest: int) -> NDArray[np.float64]:
    """float64[longest] in 0..1, of the key and the seed alone."""
    start = int.from_bytes(hashlib.sha256(f"{seed}:{key}".encode()).digest()[:16], "big")
    return np.random.default_rng(start).random(longest)


def _draw(chance: torch.Tensor, at: torch.Tensor, top_p: float) -> torch.Tensor:
    """int64[n]: of each row's nucleus the token at quantile ``at``; the likeliest is always in it."""
    value, index = chance.sort(dim=-1, descending=True, stable=True)
    before = value.cumsum(-1) - value
    value = torch.where(before < top_p, value, 0.0)
    reached = value.double().cumsum(-1)
    place = (reached < at[:, None] * reached[:, -1:]).sum(-1)
    return index.gather(1, place[:, None])[:, 0]
