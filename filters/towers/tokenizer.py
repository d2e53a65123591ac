"""Text to token ids: a small WordPiece of our own, trained on the clean texts, or the tokenizer open_clip ships.

A stock vocabulary of 49,408 words is most of a tiny model's parameters and knows little radiology; a few thousand
pieces learned from the reports themselves are enough. Ids follow what open_clip's text towers expect: 0 pads, and
the end-of-text token has the highest id, because their ``argmax`` pooling reads the feature there.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from curate.errors import RecipeError
from filters.towers.weights import read_object

PAD, UNKNOWN, START, END = "[PAD]", "[UNK]", "[SOT]", "[EOT]"
_PLAIN = re.compile(r"[\n\t -%'-;=-~]*")  # printable ASCII but & and <
_WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|[a-z]+|[0-9]|[^\sa-z0-9]+"  # open_clip's, of lower-cased ASCII
_PROBE = "Mild cardiomegaly, 3.5cm (vs. 2); patient's 'ER' film -- no PNEUMOTHORAX?! we're/they'll\n\tT12-L1 o'clock"
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

    def transformers_files(self) -> dict[str, bytes]:
        """tokenizer.json and tokenizer_config.json: a plain fast tokenizer of transformers, with the same ids. There
        the caller sets padding and truncation."""
        content = json.loads(self._tokenizer.to_str()) | {"padding": None, "truncation": None}
        config = {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": self.context_length,
            "padding_side": "right",
            "model_input_names": ["input_ids", "attention_mask"],
            "clean_up_tokenization_spaces": False,
            "pad_token": PAD,
            "unk_token": UNKNOWN,
        }
        known = self._tokenizer.get_vocab()
        config |= {name: token for name, token in (("bos_token", START), ("eos_token", END)) if token in known}
        return {
            name: (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode()
            for name, value in (("tokenizer.json", content), ("tokenizer_config.json", config))
        }

    def unwritable(self, end: int, size: int) -> list[int]:
        """The ids below ``size`` that no captioner may write: marks other than ``end``, and ids no piece has."""
        marks = self._marks() - {end}
        return [i for i in range(size) if i in marks or self._tokenizer.id_to_token(i) is None]

    def decode(self, row: Sequence[int]) -> str:
        """The words of a row of ids, marks left out, with a space between them."""
        marks = self._marks()
        pieces = [self._tokenizer.id_to_token(i) for i in row if i not in marks]
        return decoders.WordPiece(cleanup=False).decode([piece for piece in pieces if piece])

    def _marks(self) -> set[int]:
        return {i for i, token in self._tokenizer.get_added_tokens_decoder().items() if token.special}

    @classmethod
    def load(cls, path: Path, context_length: int) -> WordPiece:
        """A tokenizer written by `save`; RecipeError where there is no file, or it is not one."""
        if not path.is_file():
            raise RecipeError(str(path), "is missing", "train the filter again")
        data = path.read_bytes()
        try:
            tokenizer = Tokenizer.from_buffer(data)
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


class PlainText:
    """CLIP's byte-pair tokens in compiled code: open_clip's own, in Python (``slow``), hold its lock for a tenth of a
    millisecond a text, which a GPU that scores 20,000 pairs a second cannot wait for.

    Only plain text goes this way, of which open_clip's cleaning (ftfy, HTML entities) leaves every sign as it is:
    printable ASCII without ``&`` and ``<``. The rest is open_clip's to read. Called with texts: int64[n,
    context_length], as ``slow`` has them.
    """

    def __init__(self, slow: Any, context_length: int) -> None:
        self._slow, self._context = slow, context_length
        merges = sorted(slow.bpe_ranks, key=slow.bpe_ranks.__getitem__)
        self._fast = Tokenizer(models.BPE(vocab=slow.encoder, merges=merges, end_of_word_suffix="</w>"))
        split = pre_tokenizers.Split(Regex(_WORDS), "removed", invert=True)
        self._fast.pre_tokenizer = pre_tokenizers.Sequence(
            [split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
        )

    def __call__(self, texts: Sequence[str]) -> NDArray[np.int64]:
        out = np.zeros((len(texts), self._context), np.int64)
        plain = [i for i, text in enumerate(texts) if _PLAIN.fullmatch(text)]
        for i, encoding in zip(plain, self._fast.encode_batch([texts[i].lower() for i in plain]), strict=True):
            ids = [self._slow.sot_token_id, *encoding.ids[: self._context - 2], self._slow.eot_token_id]
            out[i, : len(ids)] = ids
        other = sorted(set(range(len(texts))) - set(plain))
        if other:
            out[other] = np.asarray(self._slow([texts[i] for i in other], context_length=self._context), np.int64)
        return out


def faster(slow: Any, context_length: int) -> Callable[[Sequence[str]], NDArray[np.int64]] | None:
    """`PlainText` of ``slow`` where that is CLIP's tokenizer as open_clip sets it up; None of any other."""
    if not hasattr(slow, "bpe_ranks") or context_length < 2 or getattr(slow, "reduction_fn", None) is not None:
        return None
    fast = PlainText(slow, context_length)
    same = (fast([_PROBE]) == np.asarray(slow([_PROBE], context_length=context_length))).all()
    return fast if same else None
