"""What clinicians stated of real pictures, and its contrary: does a filter know which of the two is right?

DATA/vqa_rad: a closed question and its answer make a statement and its denial; of what is affirmed with a side or a
position, the opposite one is the contrary. A quarter of the pictures is the test part, drawn by `_SPLIT` before
anything was tried on it; the others' statements teach. The share of statements that score above their contrary is .5
by chance; "words alone" sees no picture, and what is not above it is no knowledge of pictures.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from benchmarks import frozen
from benchmarks.filters.methods import Contender, columns_of
from benchmarks.filters.mismatches import BASELINES
from curate.sources.reports.statements import claim
from filters.banks import digests
from filters.judges.fit import PairFeatures, fit
from filters.judges.method import PACKAGED, features, open_towers
from filters.method import Records

_SPLIT, _TEST, _BOOT = 20261129, 0.25, 1000
_OPPOSITES = {
    "side": (("left", "right"),),
    # not lateral, basal, above: in ventricles, ganglia and "the above image" they are no positions
    "position": (("upper", "lower"), ("anterior", "posterior"), ("superior", "inferior")),
}
_LIT = {"arch": "lit", "tokenizer": "open_clip"}
HEADS = (
    Contender("plain DFN", "dfn", _LIT),
    Contender("DFN, edited negatives and mirrors", "dfn", {**_LIT, "negatives": 2}),
    Contender("SigLIP", "siglip", _LIT),
)
Scores = NDArray[np.float64]


@dataclass(frozen=True)
class Contrast:
    """A statement of a picture and its contrary, of a ``kind``."""

    image: str
    kind: str
    right: str
    wrong: str


def contrasts(data: Path) -> list[Contrast]:
    """Of every picture, each once; questions that were answered both ways are left out."""
    with (data / "vqa_rad" / "qa.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    found = [(r["image"], told) for r in rows if (told := claim(r["question"], r["answer"])) is not None]
    stated: dict[tuple[str, str], set[str]] = {}
    for image, told in found:
        stated.setdefault((image, told.question), set()).add(told.statement)
    out: dict[Contrast, None] = {}
    for image, told in found:
        if len(stated[image, told.question]) > 1:
            continue
        if told.denial is not None:
            out[Contrast(image, "denial", told.statement, told.denial)] = None
        if re.search(r"\b(?:no|not|none|nothing|cannot)\b", told.statement, re.IGNORECASE):
            continue  # of what is denied, the opposite may be true too
        for kind, pairs in _OPPOSITES.items():
            other = exchanged(told.statement, pairs)
            if other != told.statement:
                out[Contrast(image, kind, told.statement, other)] = None
    return list(out)


def exchanged(text: str, pairs: tuple[tuple[str, str], ...]) -> str:
    """Every word of ``pairs`` by its opposite; the text itself where it names both of a pair, for then there is no
    telling what would be wrong."""
    to = {a: b for pair in pairs for a, b in (pair, pair[::-1])}
    named = [w for w in re.findall(r"[a-z]+", text.lower()) if w in to]
    if any(to[w] in named for w in named):
        return text

    def swap(match: re.Match[str]) -> str:
        word = match.group()
        other = to.get(word.lower())
        return word if other is None else other.capitalize() if word[0].isupper() else other

    return re.sub(r"[A-Za-z]+", swap, text)


def parts(told: list[Contrast]) -> tuple[NDArray[np.str_], NDArray[np.str_]]:
    """The pictures of the test part, and the others."""
    names = np.random.default_rng(_SPLIT).permutation(np.unique([c.image for c in told]))
    return names[: round(_TEST * len(names))], names[round(_TEST * len(names)) :]


def measure(data: Path, work: Path, test: bool = True, heads: bool = True) -> dict[str, Any]:
    """kind -> method -> share of statements above their contrary, and its standard error over pictures drawn again.
    ``test``: of the test part; else of a third of the others, for choices."""
    told = contrasts(data)
    kept, rest = parts(told)
    asked = set(map(str, kept if test else rest[: len(rest) // 3]))
    taught = set(map(str, rest if test else rest[len(rest) // 3 :]))
    statements = sorted({(c.image, c.right) for c in told if c.image in taught})
    right, wrong = ([(c.image, getattr(c, part)) for c in told if c.image in asked] for part in ("right", "wrong"))
    kinds = np.array([c.kind for c in told if c.image in asked])
    owner = np.array([image for image, _ in right])
    with frozen.cached_features(work / "towers.safetensors"):
        clean, good, bad = (
            records_of(data, rows, part) for rows, part in zip((statements, right, wrong), "crw", strict=True)
        )
        towers = open_towers(PACKAGED, "cpu")
        known, yes, no = (PairFeatures(r.keys, r.groups, *features(towers, r)[:2], r.texts) for r in (clean, good, bad))
        scores: dict[str, tuple[Scores, Scores]] = {"words alone": _words(told, taught, good.texts, bad.texts)}
        panel, _ = fit(known, known, True, 0, 2)
        scores["judges"] = _both(lambda g: panel.log_odds(*panel.rows(g.images, g.sentences, g.texts),
                                                          digests(g.groups)), yes, no)  # fmt: skip
        for name in ("nearest pictures' texts", "kernel ridge"):
            scores[name] = _both(lambda g, ask=BASELINES[name]: ask(known, g), yes, no)
        for contender in HEADS if heads else ():
            place = work / f"statements-{'test' if test else 'dev'}"
            told_of = [
                columns_of(contender, clean, r, place / p, 0, place)[0][""] for r, p in ((good, "r"), (bad, "w"))
            ]
            scores[contender.name] = (told_of[0].astype(np.float64), told_of[1].astype(np.float64))
    return {str(kind): {name: _share(a[kinds == kind], b[kinds == kind], owner[kinds == kind])
                        for name, (a, b) in scores.items()} for kind in np.unique(kinds)}  # fmt: skip


def records_of(data: Path, rows: list[tuple[str, str]], part: str) -> Records:
    """Pictures and what is said of them, a picture a patient."""
    pictures = {image: (data / "vqa_rad" / image).read_bytes() for image, _ in rows}
    keys = [f"{part}{i:05d}" for i in range(len(rows))]
    return Records(keys, [pictures[image] for image, _ in rows], [text for _, text in rows], [i for i, _ in rows])


def _both(ask: Callable[[PairFeatures], Scores], right: PairFeatures, wrong: PairFeatures) -> tuple[Scores, Scores]:
    return ask(right), ask(wrong)


def _words(told: list[Contrast], taught: set[str], right: list[str], wrong: list[str]) -> tuple[Scores, Scores]:
    """A logistic regression on words, of statements and contraries of the pictures that teach."""
    known = [c for c in told if c.image in taught]
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    rows = words.fit_transform([c.right for c in known] + [c.wrong for c in known])
    model = LogisticRegression(C=10, max_iter=1000).fit(rows, np.repeat([True, False], len(known)))
    return model.decision_function(words.transform(right)), model.decision_function(words.transform(wrong))


def _share(right: Scores, wrong: Scores, owner: NDArray[np.str_]) -> dict[str, float]:
    hits = (right > wrong) + 0.5 * (right == wrong)
    names, of = np.unique(owner, return_inverse=True)
    sums, counts = np.bincount(of, weights=hits), np.bincount(of)
    drawn = np.random.default_rng(1).integers(0, len(names), (_BOOT, len(names)))
    shares = sums[drawn].sum(1) / counts[drawn].sum(1)
    return {"share": float(hits.mean()), "error": float(shares.std()), "statements": len(hits), "pictures": len(names)}
