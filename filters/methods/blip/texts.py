"""Texts as BLIP and BLIP-2 train on them: token rows, the edited versions of each, and what was seen how often."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from filters.findings import EDITS, concept, versions
from filters.towers.tokenizer import TextTokenizer

_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
_MARKS = re.compile(r"[^\w]+")
_DIGITS = re.compile(r"(?<=\d) (?=\d)")  # our tokenizer writes numbers digit by digit
_BEFORE = re.compile(r" (?=[.,;:!?%)\]])")
_AFTER = re.compile(r"(?<=[(\[]) ")
_TIGHT = re.compile(r"(?<=\w) ([-/'’]) (?=\w)|(?<=\d)([.,]) (?=\d)")
_BEGINNING = re.compile(r"(^|[.!?] )([a-z])")


@dataclass(frozen=True, eq=False)
class Texts:
    """n texts. Equal ``labels``: equal tokens; equal ``meanings``: the same findings, in whatever words.

    ``edits[label]``: int64[k, context], k >= 0, versions of the text that say something else.
    """

    ids: torch.Tensor  # int64[n, context]
    labels: NDArray[np.int64]
    meanings: NDArray[np.int64]
    edits: list[torch.Tensor]

    def take(self, mask: NDArray[np.bool_]) -> Texts:
        """The texts under ``mask``; labels stay what they are."""
        return Texts(self.ids[torch.from_numpy(mask)], self.labels[mask], self.meanings[mask], self.edits)


def read_texts(texts: Sequence[str], tokenizer: TextTokenizer, findings: bool, seed: int) -> Texts:
    """Tokens of ``texts`` and, where ``findings`` are read, which mean the same and what each is not."""
    ids = np.asarray(tokenizer(texts), np.int64)
    _, first, labels = np.unique(ids, axis=0, return_index=True, return_inverse=True)
    labels = labels.reshape(-1)
    rows = torch.from_numpy(ids)
    none = torch.zeros((0, ids.shape[1]), dtype=torch.int64)
    if not findings:
        return Texts(rows, labels, labels, [none] * len(first))
    meant = [concept(texts[at]) or f"\0{label}" for label, at in enumerate(first)]
    meanings = np.unique(meant, return_inverse=True)[1].reshape(-1)[labels]
    edits = []
    for at in first:
        changed = torch.from_numpy(np.asarray(tokenizer(versions(texts[at], EDITS, seed=seed)), np.int64))
        edits.append(changed[(changed != rows[at]).any(dim=1)])  # where the tokenizer sees a difference
    return Texts(rows, labels, meanings, edits)


def trim(*rows: torch.Tensor, pad: int = 0) -> tuple[torch.Tensor, ...]:
    """Token rows cut behind the last column any of them uses: attention never looks at padding, so nothing is lost."""
    width = max([1, *(int((r != pad).any(dim=0).sum()) for r in rows)])
    return tuple(r[:, :width] for r in rows)


def count_seen(texts: Sequence[str], groups: Sequence[str]) -> dict[str, int]:
    """In how many groups (patients) each training text and each of its sentences was seen, by `fingerprint`."""
    who: dict[str, set[str]] = defaultdict(set)
    for text, group in zip(texts, groups, strict=True):
        for part in (text, *sentences(text)):
            who[fingerprint(part)].add(group)
    return {mark: len(who[mark]) for mark in sorted(who)}


def rarest(text: str, counts: dict[str, int]) -> int | None:
    """The fewest groups in which ``text`` or one of its sentences was seen verbatim; None where none ever was."""
    found = [counts[mark] for part in (text, *sentences(text)) if (mark := fingerprint(part)) in counts]
    return min(found) if found else None


def sentences(text: str) -> list[str]:
    """The sentences of ``text`` that hold a letter."""
    return [s for s in _SENTENCE.split(text) if any(c.isalpha() for c in s)]


def fingerprint(text: str) -> str:
    """32 hex digits of a text's letters and digits: spacing, case and marks make no difference."""
    bare = _MARKS.sub("", text.casefold())
    return hashlib.sha256(bare.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def readable(text: str) -> str:
    """Words and marks joined by spaces to a text as it is written: marks closed up, sentences begun with a capital."""
    text = _AFTER.sub("", _BEFORE.sub("", _DIGITS.sub("", text)))
    text = _TIGHT.sub(lambda m: m[1] or m[2], text)
    return _BEGINNING.sub(lambda m: m[1] + m[2].upper(), text).strip()
