"""Text to token ids: a small WordPiece of our own, trained on the clean texts, or the tokenizer open_clip ships.

A stock vocabulary of 49,408 words is most of a tiny model's parameters and knows little radiology; a few thousand
pieces learned from the reports themselves are enough. Ids follow what open_clip's text towers expect: 0 pads, and
the end-of-text token has the highest id, because their ``argmax`` pooling reads the feature there.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

from curate.errors import RecipeError
from filters.towers.weights import read_object

PAD, UNKNOWN, START, END = "[PAD]", "[UNK]", "[SOT]", "[EOT]"
_PLACEHOLDER = re.compile(r"\[[A-Z][A-Z0-9_-]*\]")  # what de-identification leaves behind: [NAME], [DATE], ...


class TextTokenizer(Protocol):
    """Texts to int64[n, context_length], each row ``start, pieces..., end, pad...``, cut so that the end is kept."""

    vocab_size: int
    context_length: int

    def __call__(self, texts: Sequence[str]) -> np.ndarray: ...


class WordPiece:
    """WordPiece (Schuster & Nakajima 2012: greedy longest match) over lower-cased words, digits one by one."""

    def __init__(self, tokenizer: Tokenizer, context_length: int) -> None:
        self.context_length = context_length
        self.vocab_size: int = tokenizer.get_vocab_size()
        self._tokenizer = tokenizer
        tokenizer.enable_truncation(context_length)
        tokenizer.enable_padding(length=context_length, pad_id=0, pad_token=PAD)

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        if not texts:
            return np.zeros((0, self.context_length), np.int64)
        return np.array([e.ids for e in self._tokenizer.encode_batch(list(texts))], np.int64)

    def save(self, path: Path) -> None:
        """The `tokenizers` JSON; equal tokenizers give equal bytes."""
        path.write_text(json.dumps(json.loads(self._tokenizer.to_str()), ensure_ascii=False, indent=1) + "\n", "utf-8")

    @classmethod
    def load(cls, path: Path, context_length: int) -> WordPiece:
        """A tokenizer written by `save`; RecipeError where the file is not one."""
        try:
            tokenizer = Tokenizer.from_str(path.read_text("utf-8"))
        except Exception:  # noqa: BLE001  the library raises nothing narrower on a bad file
            raise RecipeError(str(path), "is not a tokenizer", "train the filter again") from None
        return cls(tokenizer, context_length)


def read_wordpiece(folder: Path, context_length: int, words: int) -> WordPiece:
    """tokenizer.json, or BERT's vocab.txt; RecipeError where neither is there or its ids exceed ``words``."""
    if (folder / "tokenizer.json").is_file():
        tokenizer = WordPiece.load(folder / "tokenizer.json", context_length)
    elif (folder / "vocab.txt").is_file():
        from transformers import BertTokenizerFast

        lower = bool(_optional_json(folder / "tokenizer_config.json").get("do_lower_case", True))
        bert: Any = BertTokenizerFast(vocab=str(folder / "vocab.txt"), do_lower_case=lower)
        tokenizer = WordPiece(Tokenizer.from_str(bert.backend_tokenizer.to_str()), context_length)
    else:
        problem = f"{folder.name} holds no tokenizer.json and no vocab.txt"
        raise RecipeError("filter.checkpoint", problem, "put the checkpoint's tokenizer beside it")
    if tokenizer.vocab_size > words:
        problem = f"the tokenizer knows {tokenizer.vocab_size} tokens, the model {words}"
        raise RecipeError("filter.checkpoint", problem, "give the tokenizer of this checkpoint")
    return tokenizer


def _optional_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file, {} where there is no file; RecipeError where it holds none."""
    if not path.is_file():
        return {}
    if (content := read_object(path)) is None:
        raise RecipeError("filter.checkpoint", f"cannot read {path.name}", "the checkpoint's own file")
    return content


def train_wordpiece(texts: Sequence[str], vocab: int, context_length: int) -> WordPiece:
    """A WordPiece of at most ``vocab`` tokens, the same for the same multiset of texts on any machine.

    The library's own WordPiece trainer numbers its pieces in hash order, differently every time. So the pieces come
    from its BPE trainer, which is deterministic, and are then numbered by how often they occur.
    """
    placeholders = sorted({p for text in texts for p in _PLACEHOLDER.findall(text)} - {PAD, UNKNOWN, START, END})
    first, last = [PAD, UNKNOWN, *placeholders], [START, END]
    room = vocab - len(first) - len(last)
    pieces = _pieces(texts, placeholders, room)
    if len(pieces) > room:
        raise RecipeError(
            "vocab", f"{vocab} tokens do not hold the alphabet of the texts", f"at least {vocab - room + len(pieces)}"
        )
    tokens = [*first, *pieces, *last]
    tokenizer = Tokenizer(models.WordPiece({t: i for i, t in enumerate(tokens)}, unk_token=UNKNOWN))
    tokenizer.normalizer, tokenizer.pre_tokenizer = _normalizer(), _splitter()
    tokenizer.add_special_tokens([*first, *last])
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{START} $A {END}", special_tokens=[(START, len(tokens) - 2), (END, len(tokens) - 1)]
    )
    return WordPiece(tokenizer, context_length)


def _pieces(texts: Sequence[str], placeholders: list[str], room: int) -> list[str]:
    """Word beginnings ``p`` and continuations ``##p``: the alphabet, then the most frequent, at most ``room``."""
    bpe = Tokenizer(models.BPE())
    bpe.normalizer, bpe.pre_tokenizer = _normalizer(), _splitter()
    bare = [_PLACEHOLDER.sub(" ", text) for text in texts]
    bpe.train_from_iterator(bare, trainers.BpeTrainer(vocab_size=max(room, 1), show_progress=False))
    count: Counter[str] = Counter()
    for encoding in bpe.encode_batch(bare):
        word = None
        for piece, owner in zip(encoding.tokens, encoding.word_ids, strict=True):
            count[piece if owner != word else f"##{piece}"] += 1
            word = owner
    letters = sorted(bpe.get_vocab())
    alphabet = [prefix + c for c in letters if len(c) == 1 for prefix in ("", "##")]
    rest = sorted((p for p in count if p not in set(alphabet)), key=lambda p: (-count[p], p))
    return alphabet + rest[: max(room - len(alphabet), 0)]


def _normalizer() -> normalizers.Normalizer:
    return normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])


def _splitter() -> pre_tokenizers.PreTokenizer:
    return pre_tokenizers.Sequence([pre_tokenizers.BertPreTokenizer(), pre_tokenizers.Digits(individual_digits=True)])
