"""Fits the decision per word (`curate.deid.text.decide`) to marked texts and sentences of our own making."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.deid.fit.made_sentences import Maker
from benchmarks.deid.fit.texts import Marked
from curate.deid.rules import TextRules
from curate.deid.text import decide, features
from curate.deid.text.scrub import first_look
from curate.deid.words import looks
from curate.deid.words.vocabulary import Kind, kind

BATCH, EPOCHS, HIDDEN = 2048, 6, 96
LEFT_OUT = 0.15  # of the features of a row
RULES = TextRules(dates="mask", max_masked=1.0)

Numbers = dict[str, NDArray[np.floating]]
Asked = Iterable[tuple[features.State, list[bool]]]  # texts as they are decided on, which of the words asked about go
Rows = tuple[NDArray[np.int16], NDArray[np.float32]]  # (n, most) features of each word, filled up with WIDTH; (n,) goes


def fit_letters(maker: Maker) -> NDArray[np.float16]:
    """(BUCKETS + 1,): the log-odds of `looks`, by logistic regression."""
    r, names = maker.r, maker.names
    people = list(dict.fromkeys([*names.common[:12000], *names.given, *names.foreign]))
    made = [maker.invented() for _ in range(4000)]
    pool = dict.fromkeys([*maker.medical, *maker.large, *r.sample(maker.plain, 25000)])
    words = [w for w in pool if not kind(w) & Kind.NAME]
    wrong = [maker.misspelt(w) for w in r.sample(words, 15000)]
    rows = [(w, 1.0) for w in (*people, *made)] + [(w, 0.0) for w in (*words, *wrong)]
    found = [looks.buckets(w) for w, _ in rows]
    flat = torch.tensor([b for some in found for b in some])
    offsets = torch.tensor([0, *np.cumsum([*map(len, found)])[:-1]])
    goal = torch.tensor([y for _, y in rows])
    table = torch.nn.EmbeddingBag(looks.BUCKETS, 1, mode="sum")
    torch.nn.init.zeros_(table.weight)
    bias = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.Adam([table.weight, bias], lr=0.02)
    for _ in range(120):
        optimizer.zero_grad()
        odds = table(flat, offsets)[:, 0] + bias
        loss = torch.nn.functional.binary_cross_entropy_with_logits(odds, goal) + 1e-6 * table.weight.square().sum()
        loss.backward()
        optimizer.step()
    print(f"letters: loss {loss.item():.3f}, right {((odds > 0) == (goal > 0)).float().mean().item():.3f}")
    return torch.cat([table.weight.detach()[:, 0], bias.detach()]).numpy().astype(np.float16)


def of_sentences(maker: Maker, count: int) -> Iterator[tuple[features.State, list[bool]]]:
    """Sentences of our own making; a quarter of their names is masked already."""
    for _ in range(count):
        text, spans, masked = maker.text()
        seen = {span for span in spans if maker.r.random() > 0.25}
        hidden = sorted([*masked, *((s, e, "NAME") for s, e in spans if (s, e) not in seen)])
        state = decide.read(text, frozenset(), hidden, frozenset())
        yield state, [any(s <= state.words[i].start < e for s, e in spans) for i in state.which]


def of_marked(texts: Iterable[Marked]) -> Iterator[tuple[features.State, list[bool]]]:
    """Marked texts behind the rules; names of places are names."""
    for one in texts:
        seen = first_look("".join(text for _, text in one.pieces), (), {}, None, RULES, frozenset())
        goes = np.concatenate([np.full(len(text), label != "") for label, text in one.pieces])
        for first, state in seen.states:
            yield state, [bool(goes[seen.index[first + state.words[i].start]]) for i in state.which]


def collected(texts: Asked) -> Rows:
    """The words that are asked about."""
    active, goes = list[NDArray[np.int64]](), list[bool]()
    for state, goal in texts:
        if state.which:
            active += [np.flatnonzero(row) for row in features.table(state)]
            goes += goal
    x = np.full((len(active), max(map(len, active))), features.WIDTH, np.int16)
    for filled, numbers in zip(x, active, strict=True):
        filled[: len(numbers)] = numbers
    return x, np.array(goes, np.float32)


def joined(some: Sequence[Rows]) -> Rows:
    width = max(x.shape[1] for x, _ in some)
    padded = [np.pad(x, ((0, 0), (0, width - x.shape[1])), constant_values=features.WIDTH) for x, _ in some]
    return np.concatenate(padded), np.concatenate([goes for _, goes in some])


class Net(torch.nn.Module):
    """One hidden layer over the features that are there, given by their numbers (n, most) and filled up with WIDTH."""

    def __init__(self) -> None:
        super().__init__()
        most = features.WIDTH**-0.5
        self.one = torch.nn.Parameter(torch.empty(features.WIDTH, HIDDEN).uniform_(-most, most))
        self.bias = torch.nn.Parameter(torch.zeros(HIDDEN))
        self.two = torch.nn.Linear(HIDDEN, 1)
        self.drop = torch.nn.Dropout(0.3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # features are left out by chance, so that no one of them is all that speaks for a sentence known by heart
        kept = (torch.rand(x.shape) > LEFT_OUT).float() / (1 - LEFT_OUT)
        # one product of matrices takes .6 of what looking rows up and adding them does
        there = torch.zeros(len(x), features.WIDTH + 1).scatter_(1, x.long(), kept)[:, :-1]
        return self.two(self.drop(torch.relu(there @ self.one + self.bias)))[:, 0]


def fit(rows: Rows) -> dict[str, NDArray[np.floating]]:
    """The numbers of the network, fitted to ``rows``."""
    x, y = map(torch.from_numpy, rows)
    torch.manual_seed(0)
    net = Net()
    optimizer = torch.optim.AdamW(net.parameters(), lr=6e-3, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS * (len(x) // BATCH))
    for _ in range(EPOCHS):
        order, total = torch.randperm(len(x)), 0.0
        for n in range(len(x) // BATCH):
            some = order[n * BATCH : (n + 1) * BATCH]
            loss = torch.nn.functional.binary_cross_entropy_with_logits(net(x[some]), y[some])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
    print(f"words: {len(x)} rows, loss {total / (len(x) // BATCH):.4f}", flush=True)
    return {
        "hidden": net.one.detach().numpy().astype(np.float16),
        "hidden_bias": net.bias.detach().numpy(),
        "out": net.two.weight.detach()[0].numpy(),
        "out_bias": net.two.bias.detach().numpy(),
    }


def use(fitted: dict[str, NDArray[np.floating]]) -> None:
    """Decide by these numbers from now on, in this process."""
    looks.weights().update({name: np.asarray(value, np.float32) for name, value in fitted.items()})
    features.own_features.cache_clear()
    features._own_hidden.cache_clear()
    features._gap_hidden.cache_clear()
