"""A model's tokenizer as files for transformers' AutoTokenizer, and so for open_clip's HFTokenizer."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from filters.towers.encoder import Filter, StockTokenizer
from filters.towers.openclip import open_clip
from filters.towers.tokenizer import END, PAD, START, UNKNOWN, WordPiece
from filters.towers.torchvision_ops import ensure

# open_clip's names and transformers'
_SPECIAL = {"<start_of_text>": "<|startoftext|>", "<end_of_text>": "<|endoftext|>"}


def wordpiece_files(tokenizer: WordPiece) -> dict[str, bytes]:
    """tokenizer.json and tokenizer_config.json: a plain fast tokenizer.

    In transformers the caller sets padding and truncation, so they are removed from tokenizer.json.
    """
    with tempfile.TemporaryDirectory() as name:
        tokenizer.save(Path(name) / "tokenizer.json")
        content = json.loads((Path(name) / "tokenizer.json").read_text("utf-8"))
    content |= {"padding": None, "truncation": None}
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": tokenizer.context_length,
        "padding_side": "right",
        "model_input_names": ["input_ids", "attention_mask"],
        "clean_up_tokenization_spaces": False,
        "bos_token": START,
        "eos_token": END,
        "pad_token": PAD,
        "unk_token": UNKNOWN,
    }
    return {"tokenizer.json": _json(content), "tokenizer_config.json": _json(config)}


def clip_files(trained: Filter) -> dict[str, bytes]:
    """open_clip's own byte-pair tokenizer (OpenAI's) as transformers' CLIPTokenizer."""
    ensure()
    from transformers import CLIPTokenizer

    stock = open_clip.SimpleTokenizer()
    merges = sorted(stock.bpe_ranks, key=stock.bpe_ranks.__getitem__)
    vocab = {_SPECIAL.get(piece, piece): i for piece, i in stock.encoder.items()}
    exported: Any = CLIPTokenizer(vocab=vocab, merges=merges, model_max_length=trained.tokenizer.context_length)
    with tempfile.TemporaryDirectory() as name:
        exported.save_pretrained(name)
        return {path.name: path.read_bytes() for path in sorted(Path(name).iterdir())}


def own_files(trained: Filter) -> dict[str, bytes]:
    """The transformers tokenizer that came with the model; {} for open_clip's own."""
    tokenizer = trained.tokenizer
    if isinstance(tokenizer, WordPiece):
        return wordpiece_files(tokenizer)
    return dict(tokenizer.files) if isinstance(tokenizer, StockTokenizer) else {}


def _json(content: dict[str, Any]) -> bytes:
    return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()
