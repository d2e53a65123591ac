"""A model's tokenizer as files for transformers' AutoTokenizer, and so for open_clip's HFTokenizer."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from filters.towers.encoder import Filter, StockTokenizer
from filters.towers.openclip import open_clip
from filters.towers.tokenizer import WordPiece
from filters.towers.torchvision_ops import ensure

# open_clip's names and transformers'
_SPECIAL = {"<start_of_text>": "<|startoftext|>", "<end_of_text>": "<|endoftext|>"}


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
        return tokenizer.transformers_files()
    return dict(tokenizer.files) if isinstance(tokenizer, StockTokenizer) else {}
