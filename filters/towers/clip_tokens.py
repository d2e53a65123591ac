"""CLIP's byte-pair tokens by `tokenizers`, in compiled code: open_clip's own, in Python, holds its lock for a tenth of
a millisecond a text, which a GPU that scores 20,000 pairs a second cannot wait for.

Only plain text goes this way, of which open_clip's cleaning (ftfy, HTML entities) leaves every sign as it is: printable
ASCII without ``&`` and ``<``. The rest is open_clip's to read. The ids are the same either way.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Regex, Tokenizer, models, pre_tokenizers

_PLAIN = re.compile(r"[\n\t -%'-;=-~]*")  # printable ASCII but & and <
_WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|[a-z]+|[0-9]|[^\sa-z0-9]+"  # open_clip's, of lower-cased ASCII
_PROBE = "Mild cardiomegaly, 3.5cm (vs. 2); patient's 'ER' film -- no PNEUMOTHORAX?! we're/they'll\n\tT12-L1 o'clock"


class PlainText:
    """``slow``: open_clip's SimpleTokenizer. Called with texts: int64[n, context_length], as ``slow`` has them."""

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
