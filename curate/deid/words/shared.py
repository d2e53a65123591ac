"""Words that an archive's reports share: what the vocabulary does not know, and is yet no one's name.

A word seen with many patients is the hospital's own (a device, a protocol, an abbreviation); a name can be seen with
many patients too, a radiologist's. So a word counts only where it is written in small letters, and never if a header, a
report column, a title or a signature gives it away as a name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from curate.deid.text.fold import fold_value
from curate.deid.text.names import find_names
from curate.deid.words.vocabulary import unusual_words

_UID = re.compile(r"[0-2](?:\.\d+){3,}")
_RUN = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*")


def rare_words(text: str) -> list[str]:
    """Folded words of a raw text that the vocabulary does not know and the text writes in small letters, in order."""
    found = unusual_words(text)
    if not found:
        return []
    small = {w.removesuffix("'s") for w in re.findall(r"[^\W\d_]+(?:'[^\W\d_]+)*", fold_value(text)) if w.islower()}
    return [w for w in found if w in small]


def name_words(value: str) -> list[str]:
    """Folded lower-case words of a value that is someone's or somewhere's name, umlauts written either way."""
    if _UID.fullmatch(value):
        return []
    both = f"{fold_value(value)} {fold_value(value, wide=True)}".lower()
    return list(dict.fromkeys(w for run in _RUN.findall(both) for w in (run, *re.split("['-]", run))))


def called_words(text: str) -> list[str]:
    """Words of names that a title, a signature or a facility's kind gives away in free text."""
    folded = fold_value(text)
    return list(dict.fromkeys(w for start, end, _ in find_names(folded) for w in name_words(folded[start:end])))


class WordCount:
    """Which patients write which rare word, and which words name someone; of parts of an archive, and then together.
    Of a word that ``k`` patients write no more are remembered."""

    def __init__(self, k: int) -> None:
        self.k, self.patients, self.called = k, dict[str, set[str]](), set[str]()

    def add(self, reports: Iterable[tuple[str, str]], names: Iterable[str]) -> WordCount:
        """``reports``: (patient, raw text), ``names``: identifying values."""
        self.called.update(w for value in names for w in name_words(value))
        writers_of: dict[str, set[str]] = {}  # a text that many reports repeat is read once
        for patient, text in reports:
            writers_of.setdefault(text, set()).add(patient)
        for text, whose in writers_of.items():
            self.called.update(called_words(text))
            for word in rare_words(text):
                self.count(word, whose)
        return self

    def count(self, word: str, whose: Iterable[str]) -> None:
        """The word was written by these patients, too."""
        writers = self.patients.setdefault(word, set())
        if len(writers) < self.k:
            writers.update(whose)

    def shared(self) -> frozenset[str]:
        """The words that at least ``k`` patients share and that name no one."""
        return frozenset(w for w, writers in self.patients.items() if len(writers) >= self.k and w not in self.called)
