"""Fits the tagger (`curate.deid.text.tagger`) to texts with marked identifiers, and writes its numbers.

    python -m benchmarks.deid.fit_tagger --names DIR --folds FOLDER             # fit to all texts, write
    python -m benchmarks.deid.fit_tagger --names DIR --folds FOLDER --cross     # measure only

DIR is where faker (MIT) is unpacked, whose locales' names are drawn from as `fit_words` does, which is run before and
writes FOLDER: each writer's texts are read with the decision per word that was fitted without them. The limits are
chosen by leaving the first of `FOLDS` out: a network fitted to the other writers' texts judges theirs, whose wordings
and values it has not seen. What is written is then fitted to all.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.deid import frame_score
from benchmarks.deid.fit_words import RULES, use
from benchmarks.deid.frame_people import OTHER, WORD
from benchmarks.deid.frames import Gold, Text
from benchmarks.deid.made_sentences import Maker, load_names
from benchmarks.deid.tagger_texts import (
    FOLDS,
    Drawer,
    Marked,
    Pieces,
    forms,
    framed,
    sentences,
    written,
)
from curate.deid.patterns import clock
from curate.deid.patterns.prefilter import find_all
from curate.deid.text import closed_class, tagger
from curate.deid.text.closed_class import Found
from curate.deid.text.scrub import Looked, first_look
from curate.deid.text.text_index import Glance
from curate.deid.words import looks, vocabulary
from curate.deid.words.vocabulary import Kind, kind

DATA = Path(vocabulary.__file__).parent / "data" / "tagger.npz"
_LABEL = {name: number for number, name in enumerate(tagger.LABELS)}
_IGNORED = -1  # times of day, which the texts do not mark, and what stands masked already
# what of each share counts as one: two words lost are as bad as an identifier left
GOALS = {"hard": 0.005, "word names": 0.005, "other names": 0.003, "lost": 0.001}
# Lower ones would be chosen by the writers' texts, which are odd, and break tests of plain reports ("also 5/1").
FLOORS = {
    "begin": np.array([0, 0.5, 0.35, 0.6, 0.35, 0.35, 0.5, 0.5, 0.9], np.float32),
    "inside": np.array([0.2], np.float32),
    "back": np.array([0.85, 0.85, 0, 0.85, 0.94], np.float32),
}
START = {
    "begin": np.full(len(tagger.LABELS), 0.5, np.float32),
    "inside": np.array([0.2], np.float32),
    "back": np.array([0.97, 0.97, tagger.NEVER, 0.97, 0.97], np.float32),  # what a cue gave away stays away
}


@dataclass(frozen=True)
class Example:
    """A text as the tagger reads it, and what is wanted: the label of each token, or _IGNORED."""

    key: str
    pieces: Pieces
    seen: Looked
    tokens: tagger.Tokens
    wanted: NDArray[np.int64]


def example(one: Marked) -> Example:
    pieces = one.pieces
    text = "".join(piece for _, piece in pieces)
    seen = first_look(text, (), {}, None, RULES, frozenset())
    tokens = tagger.read(seen.folded, seen.spans, seen.labels, seen.likely())
    of = np.concatenate([np.full(len(t), _LABEL.get(k, _IGNORED)) for k, t in pieces] or [np.zeros(0, int)])
    wanted = np.array([of[seen.index[start]] for start in tokens.starts], np.int64)
    timed = _clocked(seen)
    for i, mask in enumerate(tokens.masks):
        if (mask >= 0 and wanted[i] == 0 and timed[tokens.starts[i]]) or tokens.forms[i][0] == tagger.BARRIER:
            wanted[i] = _IGNORED
    return Example(one.key, pieces, seen, tokens, wanted)


def _clocked(seen: Looked) -> NDArray[np.bool_]:
    """Which characters are of a time of day, which goes and is not marked."""
    found = np.zeros(len(seen.folded) + 1, bool)
    for start, end, _ in find_all((*clock.SURE, *clock.STRICT), Glance(seen.folded)):
        found[start:end] = True
    return found


class Net(torch.nn.Module):
    """`tagger.probabilities` with gradients."""

    def __init__(self) -> None:
        super().__init__()
        size, hidden = tagger.EMBEDDED, tagger.HIDDEN
        self.forms = torch.nn.EmbeddingBag(tagger.ROWS, size, mode="sum")
        self.places = torch.nn.EmbeddingBag(len(tagger.PLACE) + 1, size, mode="sum", padding_idx=len(tagger.PLACE))
        for table in (self.forms, self.places):
            torch.nn.init.normal_(table.weight, std=0.12)
        kernels = [(size, 5, 1)] + [(hidden, 3, dilation) for dilation in tagger.DILATIONS[1:]]
        self.layers = torch.nn.ModuleList(
            torch.nn.Conv1d(n, hidden, k, dilation=d, padding=d * (k // 2)) for n, k, d in kernels
        )
        self.out = torch.nn.Linear(hidden, len(tagger.LABELS))
        self.drop = torch.nn.Dropout(0.2)

    def forward(self, x: torch.Tensor, here: torch.Tensor) -> torch.Tensor:
        """x: (texts, n, EMBEDDED); here: (texts, n, 1), 0 where no token stands."""
        hidden = x.transpose(1, 2)
        for number, layer in enumerate(self.layers):
            more = torch.relu(layer(self.drop(hidden))) * here.transpose(1, 2)
            hidden = hidden + more if number else more
        return self.out(self.drop(hidden.transpose(1, 2)))

    def numbers(self) -> dict[str, NDArray[Any]]:
        found = {
            "forms": self.forms.weight, "places": self.places.weight[:-1],
            "out": self.out.weight.T, "out_bias": self.out.bias,
        }  # fmt: skip
        for number, layer in enumerate(self.layers):
            kernel = layer.weight.permute(2, 1, 0).reshape(-1, tagger.HIDDEN)
            found |= {f"layer{number - 1}" if number else "first": kernel}
            found |= {f"bias{number - 1}" if number else "first_bias": layer.bias}
        return {name: value.detach().numpy().astype(np.float16) for name, value in found.items()}


def fit(examples: Sequence[Example], epochs: int, seed: int = 0, rate: float = 4e-3) -> dict[str, NDArray[Any]]:
    """The numbers of a network fitted to ``examples``."""
    torch.manual_seed(seed)
    rng = random.Random(seed)
    net = Net()
    optimizer = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=0.02)
    batches = _batches(examples)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, epochs * len(batches) + 1, pct_start=0.1)
    for epoch in range(epochs):
        rng.shuffle(batches)
        total = 0.0
        for batch in batches:
            loss = _loss(net, batch)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            total += loss.item()
        print(f"epoch {epoch} loss {total / len(batches):.4f}", flush=True)
    return net.numbers()


@dataclass(frozen=True)
class Batch:
    flat: torch.Tensor  # rows of the forms, one after the other
    hashed: torch.Tensor
    offsets: torch.Tensor
    forms: torch.Tensor  # (texts, n): which form
    places: torch.Tensor  # (texts, n, most)
    wanted: torch.Tensor
    weight: torch.Tensor


_BY_RULES = torch.tensor([": " in name for name in tagger.PLACE] + [False])


def _batches(examples: Sequence[Example], size: int = 24) -> list[Batch]:
    order = sorted(range(len(examples)), key=lambda i: len(examples[i].tokens.forms))
    groups = [[examples[i] for i in order[at : at + size]] for at in range(0, len(order), size)]
    return [_batch([one for one in group if one.tokens.forms]) for group in groups]


def _batch(group: Sequence[Example]) -> Batch:
    longest = max(len(one.tokens.forms) for one in group)
    known: dict[str, int] = {"\n": 0}
    forms = np.zeros((len(group), longest), np.int64)
    places = np.full((len(group), longest, 9), len(tagger.PLACE), np.int64)
    wanted = np.full((len(group), longest), _IGNORED, np.int64)
    weight = np.zeros((len(group), longest), np.float32)
    for row, one in enumerate(group):
        for i, (form, placed) in enumerate(zip(one.tokens.forms, one.tokens.places, strict=True)):
            forms[row, i] = known.setdefault(form, len(known))
            places[row, i, : len(placed)] = placed[:9]
            weight[row, i] = 1.0 if form[0].isalnum() else 0.2
        wanted[row, : len(one.wanted)] = one.wanted
    rows = [tagger.rows(form) for form in known]
    flat = torch.tensor([n for some in rows for n in some])
    offsets = torch.tensor(np.cumsum([0, *map(len, rows)])[:-1])
    hashed = flat >= len(tagger.FIXED)
    return Batch(flat, hashed, offsets, *map(torch.from_numpy, (forms, places, wanted, weight)))


def _loss(net: Net, batch: Batch) -> torch.Tensor:
    left_out = torch.where(batch.hashed, 0.3, 0.1)
    kept = (torch.rand(len(batch.flat)) > left_out).float() / (1 - left_out)
    vectors = net.forms(batch.flat, batch.offsets, per_sample_weights=kept)
    # now and then what the rules found is not told, for a token or a whole text: they are better on texts they know
    texts, n, most = batch.places.shape
    told = (torch.rand(texts, 1, 1) > 0.12) & (torch.rand(texts, n, 1) > 0.08)
    places = torch.where(_BY_RULES[batch.places] & ~told, len(tagger.PLACE), batch.places)
    x = vectors[batch.forms] + net.places(places.view(-1, most)).view(texts, n, -1)
    here = (batch.weight > 0).float().unsqueeze(-1)
    odds = net(x * here, here)
    asked = batch.wanted != _IGNORED
    losses = torch.nn.functional.cross_entropy(odds[asked], batch.wanted[asked], reduction="none", label_smoothing=0.01)
    return (losses * batch.weight[asked]).sum() / batch.weight[asked].sum()


# -- measured


def chances(one: Example, fitted: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
    """(tokens, labels) by numbers that are not the product's yet."""
    tokens = one.tokens
    x = np.stack([fitted["forms"][list(tagger.rows(form))].sum(axis=0) for form in tokens.forms])
    x = x + np.stack([fitted["places"][list(placed)].sum(axis=0) for placed in tokens.places])
    return tagger.probabilities(x.astype(np.float32), fitted)


@dataclass(frozen=True)
class Judged:
    """What of a text must go and may not, as the frames' score tells it."""

    text: Text
    words: list[tuple[int, int]]
    known: dict[tuple[tuple[int, int], ...], Counter[str]]

    @classmethod
    def of(cls, one: Example) -> Judged:
        gold, kept, at = list[Gold](), list[tuple[int, int]](), 0
        for label, piece in one.pieces:
            if label:
                gold.append(Gold(at, at + len(piece), _kind(label, piece)))
            else:
                kept.append((at, at + len(piece)))
            at += len(piece)
        text = Text("", "", "", "", "".join(p for _, p in one.pieces), tuple(gold), tuple(kept), ())
        words = [
            word.span()
            for a, b in kept
            for word in frame_score._WORD.finditer(text.text, a, b)
            if word[0].casefold() not in frame_score.ENGLISH.neutral
        ]
        timed = np.zeros(len(text.text), bool)
        for at in np.flatnonzero(_clocked(one.seen)):
            timed[one.seen.index[at]] = True
        words = [(s, e) for s, e in words if not timed[s:e].any()]
        return cls(text, words, {})


_HARD = {"ADDRESS": "address", "DATE": "date", "AGE": "age over 89", "PHONE": "phone", "ID": "id"}


def _kind(label: str, value: str) -> str:
    if label != "NAME":
        return _HARD.get(label, label.lower())
    words = [w.lower() for w in frame_score._ANY.findall(value)]
    return WORD if any(kind(w) & Kind.KNOWN for w in words) else OTHER


def judge(judged: Judged, seen: Looked, spans: Iterable[Found]) -> Counter[str]:
    """Counts of what must go, was left, may not go, was lost."""
    text = judged.text
    stayed = [True] * len(text.text)
    for one in spans:
        first, last = seen.index[one.start], seen.index[one.end]
        stayed[first:last] = [False] * (last - first)
    found = Counter[str]()
    for gold in text.gold:
        group = {WORD: "word names", OTHER: "other names"}.get(gold.kind, "hard")
        left = frame_score._left(text.text, gold, stayed, frame_score.ENGLISH)
        found.update({f"{group} of": 1, group: int(left), f"{gold.kind} of": 1, f"{gold.kind} left": int(left)})
    found["lost of"] = len(judged.words)
    found["lost"] = sum(not all(stayed[s:e]) for s, e in judged.words)
    return found


def shares(found: Counter[str]) -> dict[str, float]:
    return {name: found[name] / max(1, found[f"{name} of"]) for name in GOALS}


def cost(found: Counter[str]) -> float:
    """How far from the goals: shares over what is wanted of each."""
    return sum(share / GOALS[name] for name, share in shares(found).items())


Held = list[tuple[Example, Judged, NDArray[np.float32]]]


def counted(held: Held, limits: Mapping[str, NDArray[np.float32]] | None) -> Counter[str]:
    """With such limits, or without the tagger."""
    total = Counter[str]()
    for one, judged, chance in held:
        spans = one.seen.spans if limits is None else tagger.revised(one.tokens, one.seen.spans, chance, limits)[0]
        spans = [*closed_class.without(one.seen.folded, spans, one.seen.cued)]
        key = tuple((span.start, span.end) for span in spans)
        if key not in judged.known:
            judged.known[key] = judge(judged, one.seen, spans)
        total.update(judged.known[key])
    return total


def choose(held: Held, rounds: int = 1) -> dict[str, NDArray[np.float32]]:
    """The limits with the least cost, one after the other."""
    limits = {name: values.copy() for name, values in START.items()}
    best = cost(counted(held, limits))
    grids = {
        "begin": (0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.97),
        "inside": (0.1, 0.2, 0.3, 0.5),
        "back": (0.5, 0.7, 0.85, 0.93, 0.97, 0.985, 0.995, 1.1),
    }
    for _ in range(rounds):
        for name, grid in grids.items():
            for at in range(1 if name == "begin" else 0, len(limits[name])):
                for value in grid if limits[name][at] != tagger.NEVER else ():
                    tried = {k: v.copy() for k, v in limits.items()}
                    tried[name][at] = value
                    if (now := cost(counted(held, tried))) < best - 1e-9:
                        best, limits = now, tried
    return limits


def told(found: Counter[str]) -> str:
    return ", ".join(f"{name} {100 * share:.2f} % of {found[f'{name} of']}" for name, share in shares(found).items())


def to_judge(texts: Sequence[Marked]) -> list[tuple[Example, Judged]]:
    """As written, and every third in capitals and another third in small letters as well."""
    found = []
    for number, one in enumerate(texts):
        for change in ((str,), (str, str.upper), (str, str.lower))[number % 3]:
            pieces = [(k, "".join(change(c) if len(change(c)) == 1 else c for c in t)) for k, t in one.pieces]
            found.append(example(Marked(one.key, pieces)))
    return [(one, Judged.of(one)) for one in found]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--names", type=Path, required=True, help="where faker is unpacked")
    parser.add_argument("--folds", type=Path, required=True, help="what fit_words wrote")
    parser.add_argument("--cross", action="store_true", help="measure only")
    parser.add_argument("--times", type=int, default=3, help="times each text is drawn anew")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--show", type=Path, help="write what was left and lost here, with its text")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    start = time.process_time()
    everywhere = {name: value.copy() for name, value in looks.weights().items()}
    maker = Maker(load_names(given.names), 20261129)
    drawer = Drawer(maker, random.Random(5))
    texts = [*framed("dev", 3, 5), *sentences(maker, 1200), *([*forms("dev"), *forms("families")] * 2)]
    more = [example(drawer.drawn(one)) for one in texts]
    own, judged = dict[str, list[Example]](), dict[str, list[tuple[Example, Judged]]]()
    for number, names in enumerate(FOLDS):
        with np.load(given.folds / f"words_{number}.npz") as blind:
            use(dict(blind))
        own |= {name: [example(one) for one in drawer.of(name, given.times)] for name in names}
        judged |= {name: to_judge(written(name)) for name in names if names == FOLDS[0]}
    use(everywhere)
    print({name: len(some) for name, some in own.items()}, f"read in {time.process_time() - start:.0f} s", flush=True)
    others = [one for name, some in own.items() if name not in judged for one in some]
    fitted = {k: v.astype(np.float32) for k, v in fit([*others, *more], given.epochs).items()}
    held = {name: [(one, judge_, chances(one, fitted)) for one, judge_ in some] for name, some in judged.items()}
    everyone = [one for some in held.values() for one in some]
    limits = choose(everyone[::3])
    limits |= {name: np.maximum(limits[name], floor) for name, floor in FLOORS.items()}
    total, before = counted(everyone, limits), counted(everyone, None)
    print(f"all: rules alone: {told(before)}\n  with tagger: {told(total)}")
    for name, some in held.items():
        print(f"  {name}: {told(counted(some, limits))}")
    for kind_ in sorted(k[:-5] for k in total if k.endswith(" left")):
        print(f"  {kind_}: {before[f'{kind_} left']} -> {total[f'{kind_} left']} of {total[f'{kind_} of']}")
    print({k: [round(float(x), 3) for x in v] for k, v in limits.items()})
    if given.show:
        show(given.show, held, limits)
    if not given.cross:
        fitted_all = fit([*(one for some in own.values() for one in some), *more], given.epochs)
        np.savez_compressed(DATA, **fitted_all, **limits, version=np.array(tagger.version(), np.int32))
        print(DATA.stat().st_size, "bytes", f"{time.process_time() - start:.0f} s")


def show(path: Path, held: Mapping[str, Held], limits: Mapping[str, NDArray[np.float32]]) -> None:
    """What failed, of the texts that are for fitting."""
    with path.open("w", encoding="utf-8") as file:
        for some in held.values():
            for one, judged, chance in some:
                spans = tagger.revised(one.tokens, one.seen.spans, chance, limits)[0]
                gone = [(one.seen.index[s.start], one.seen.index[s.end], s) for s in spans]
                text = judged.text.text
                for gold in judged.text.gold:
                    if not all(
                        any(a <= i < b for a, b, _ in gone) or not text[i].isalnum()
                        for i in range(gold.start, gold.end)
                    ):
                        around = text[max(0, gold.start - 40) : gold.end + 20]
                        file.write(json.dumps(["LEFT", gold.kind, text[gold.start : gold.end], around]) + "\n")
                for s, e in judged.words:
                    by = [f.by for a, b, f in gone if a < e and b > s]
                    if by:
                        file.write(json.dumps(["LOST", by[0][:24], text[s:e], text[max(0, s - 40) : e + 20]]) + "\n")


if __name__ == "__main__":
    main()
