"""What a report is worth by itself, without its picture: does it say anything that only this picture could have?

Columns, of all more is better: "" their sum; "boilerplate" how little of it is said of everybody (sentences seen word
for word in many patients' reports), how many findings it affirms and how rare its words are; "prior" how little it
speaks of earlier studies, which no picture shows; "template" that no placeholder or empty heading was left in; "length"
that it is neither a word nor a novel. Text quality as a filter of its own: DFN's sequels, and the remark of CheXbert
and MedCLIP that reports refer to studies the model cannot see.

Nothing of a patient is kept: sentences and words only as hashes, and only those of at least ``min_groups`` patients.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from curate.errors import RunError
from filters.findings import extract
from filters.findings.lexicon import lexicon
from filters.method import Batch, Progress, Records, Scores, TrainingSet, read_card, reading, write_card
from filters.registry import TextQualityRules as Rules

_SENTENCE = re.compile(r"(?<=[.!?;])\s+|\n+")
_WORD = re.compile(r"[^\W\d_]{2,}")
_LONGEST = 20_000  # characters read of a text
_PRIOR = re.compile(
    r"\b(?:compar(?:ed|ison|ing)|unchanged|interval|since|again (?:seen|noted|demonstrated)|previous(?:ly)?|prior|"
    r"no longer|has (?:resolved|improved|worsened|increased|decreased)|(?:in|de)creas(?:ed|ing) (?:in size|since)|"
    r"stable|persistent|follow[- ]?up|new(?:ly)? (?:since|compared)|worsening|improv(?:ed|ing)|redemonstrat\w+)\b",
    re.IGNORECASE,
)
# our own de-identification leaves [NAME], [DATE]: capitals in brackets are no fault
_TEMPLATE = re.compile(
    r"\b(?:replace this|description of the image|insert (?:text|findings|description|here)|lorem ipsum|to be (?:added|"
    r"completed|filled)|in progress|under construction|enter (?:text|findings)|type here|click here|no caption|"
    r"no description|not available|untitled|place ?holder|dictated but not read|see (?:report|above|below|text)|"
    r"pending|tbd|todo|n/a)\b|_{3,}|\*{3,}|\.{4,}|<[^<>\n]{1,40}>|\[\s*\]|\{[^{}\n]{0,40}\}|\[[a-z][^\[\]\n]{0,40}\]",
    re.IGNORECASE,
)
_DEIDENTIFIED = re.compile(r"\[[A-Z][A-Z0-9 _-]*\]")
_HEADING = re.compile(r"(?m)^[ \t]*[A-Za-z][A-Za-z ]{2,30}:[ \t]*(?=$)")
_ENOUGH, _TOO_MANY = 12, 400  # words
_PARTS = {"boilerplate": 1.0, "prior": 0.25, "template": 1.0, "length": 0.5}
_OFTEN, _RARE = 20, 8  # a sentence of every twentieth patient is said of all; words that can be rare
_WORST = -4.0  # the least a part can take away, in spreads of the clean set


@dataclass(frozen=True, eq=False)
class Tables:
    """What the archive says often: hashes in order, with the share of patients whose reports hold each."""

    sentences: NDArray[np.uint64]
    sentence_share: NDArray[np.float32]
    words: NDArray[np.uint64]
    word_share: NDArray[np.float32]
    groups: int

    def sentence(self, text: str) -> float:
        """The share of patients with this sentence, 0 where it is rarer than may be known."""
        return _look_up(self.sentences, self.sentence_share, text)

    def rarity(self, word: str) -> float:
        """Inverse document frequency (Sparck Jones 1972) in 0..1; a word too rare to be known is rarest."""
        share = _look_up(self.words, self.word_share, word)
        return min(-math.log(share) / math.log(self.groups + 1), 1.0) if share > 0 else 1.0


def train(training: TrainingSet, out: Path, rules: Rules, progress: Progress | None = None) -> dict[str, float]:
    """Learn what is said often from all texts, and what is usual from the clean ones; RunError where there are none."""
    clean = training.clean.sorted()
    if not len(clean):
        raise RunError("text_quality needs clean texts: declare a clean set")
    tables = _count([clean, training.pool.sorted()], rules.min_groups)
    raw = _raw(tables, clean.texts)
    middle = np.median(raw, axis=0)
    spread = np.maximum(np.median(np.abs(raw - middle), axis=0) * 1.4826, 0.25)
    out.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, NDArray[Any]] = {
        "sentences": tables.sentences.view(np.int64),
        "sentence_share": tables.sentence_share,
        "words": tables.words.view(np.int64),
        "word_share": tables.word_share,
    }
    save_file(arrays, out / "tables.safetensors")
    metrics = {"sentences": float(len(tables.sentences)), "words": float(len(tables.words))}
    scale = {name: [round(float(m), 5), round(float(s), 5)] for name, m, s in zip(_PARTS, middle, spread, strict=True)}
    write_card(out, "text_quality", rules, training, metrics, groups=tables.groups, scale=scale)
    return metrics


def load(folder: Path, device: str = "auto") -> TextQuality:
    """The filter `train` wrote; RecipeError where the folder is another's or damaged."""
    card = read_card(folder)
    with reading(folder / "tables.safetensors"):
        found = load_file(folder / "tables.safetensors")
        sentences, words = (found[name].view(np.uint64) for name in ("sentences", "words"))
        tables = Tables(sentences, found["sentence_share"], words, found["word_share"], int(card["groups"]))
        scale = np.array([card["scale"][name] for name in _PARTS], np.float64)
        for keys, share in ((sentences, tables.sentence_share), (words, tables.word_share)):
            if keys.ndim != 1 or keys.shape != share.shape or not np.isfinite(share).all():
                raise ValueError
    return TextQuality(tables, scale)


class TextQuality:
    """The trained filter, a `filters.method.Method` of texts alone."""

    sides: tuple[int, ...] = ()
    native = False
    columns = ("", *_PARTS)

    def __init__(self, tables: Tables, scale: NDArray[np.float64]) -> None:
        self.tables, self.scale = tables, scale

    def __call__(self, batch: Batch) -> Scores:
        """float32[n] a column; the parts in spreads of the clean set around its median, never NaN."""
        parts = (_raw(self.tables, batch.texts) - self.scale[:, 0]) / self.scale[:, 1]
        total = np.clip(parts, _WORST, 1.0) @ np.array(list(_PARTS.values()))
        columns = np.column_stack([total, parts])
        return {n: columns[:, k].astype(np.float32) for k, n in enumerate(self.columns)}


def _raw(tables: Tables, texts: Sequence[str]) -> NDArray[np.float64]:
    """float64[n, 4]: the parts before they are scaled."""
    rows = [_parts(tables, text[:_LONGEST]) for text in texts]
    return np.array(rows, np.float64).reshape(len(rows), len(_PARTS))


def _parts(tables: Tables, text: str) -> tuple[float, float, float, float]:
    words = _WORD.findall(text.lower())
    sentences = list(_sentences(text))
    own = [s for s in sentences if not _PRIOR.search(s)]  # what is said of earlier studies says nothing of this one
    total = max(sum(len(s.split()) for s in own), 1)
    often = sum(len(s.split()) * min(1.0, _OFTEN * tables.sentence(s)) for s in own) / total
    rare = sorted((tables.rarity(w) for w in {w for s in own for w in _WORD.findall(s)}), reverse=True)[:_RARE]
    specific = math.log1p(_specifics(text)) + sum(rare) / _RARE - 1.5 * often
    spoken_of = (len(sentences) - len(own)) / max(len(sentences), 1)
    left_in = len(_TEMPLATE.findall(_DEIDENTIFIED.sub(" ", text))) + _empty_headings(text)
    length = min(math.log1p(len(words)) / math.log1p(_ENOUGH), 1.0) - max(math.log(max(len(words), 1) / _TOO_MANY), 0.0)
    return specific, -spoken_of, -float(left_in) - float(not words), length


def _specifics(text: str) -> float:
    """Findings affirmed, each with what is said of it; what is denied counts a little."""
    devices = lexicon().findings
    best: dict[tuple[str, str], float] = {}  # saying it twice says no more
    for c in extract(text):
        value = 0.05
        if not c.historic and c.state != "absent":
            weight = 0.5 if c.state == "uncertain" or devices[c.finding].device else 1.0
            value = weight * (1 + 0.3 * (bool(c.side) + bool(c.size) + bool(c.level)))
        at = c.finding, "" if c.state == "absent" else c.side
        best[at] = max(value, best.get(at, 0.0))
    return sum(best.values())


def _empty_headings(text: str) -> int:
    """Headings with nothing below them but the next heading or the end."""
    found = list(_HEADING.finditer(text))
    ends = [*(m.start() for m in found[1:]), len(text)][: len(found)]
    return sum(not text[m.end() : end].strip() for m, end in zip(found, ends, strict=True))


def _sentences(text: str) -> Iterator[str]:
    """Sentences as they are compared: small letters, numbers all alike, no punctuation."""
    for sentence in _SENTENCE.split(text):
        if words := re.findall(r"[^\W_]+", re.sub(r"\d+", "0", sentence.lower())):
            yield " ".join(words)


def _count(sources: Sequence[Records], least: int) -> Tables:
    groups_of: dict[str, set[str]] = defaultdict(set)
    used: dict[str, set[str]] = defaultdict(set)
    groups: set[str] = set()
    for records in sources:
        for text, group in zip(records.texts, records.groups, strict=True):
            groups.add(group)
            for sentence in _sentences(text[:_LONGEST]):
                groups_of[sentence].add(group)
            for word in _WORD.findall(text[:_LONGEST].lower()):
                used[word].add(group)
    return Tables(*_table(groups_of, least, len(groups)), *_table(used, least, len(groups)), len(groups))


def _table(holders: dict[str, set[str]], least: int, groups: int) -> tuple[NDArray[np.uint64], NDArray[np.float32]]:
    kept = {_hash(text): len(of) / groups for text, of in holders.items() if len(of) >= least}
    keys = np.array(sorted(kept), np.uint64)
    return keys, np.array([kept[int(k)] for k in keys], np.float32)


def _look_up(keys: NDArray[np.uint64], values: NDArray[np.float32], text: str) -> float:
    wanted = np.uint64(_hash(text))
    at = int(np.searchsorted(keys, wanted))
    return float(values[at]) if at < len(keys) and keys[at] == wanted else 0.0


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8], "big")
