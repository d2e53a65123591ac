"""Fits the decision per word (`curate.deid.text.decide`) to marked texts and sentences of our own making.

    python -m benchmarks.deid.fit_words --names DIR --folds FOLDER     # about ten CPU-minutes; then fit_tagger

DIR is where faker (MIT) is unpacked. Written are the product's numbers, fitted to all writers, and to FOLDER those
that are fitted without the writers of each of `FOLDS`: what the tagger is fitted to must be chances of texts that the
decision has not seen, as those are that it will be asked about. Each fit says what it would leave and lose of the
writers that it has not seen.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.deid.made_sentences import Maker, Names, load_names
from benchmarks.deid.tagger_texts import FOLDS, FRESH, WRITERS, Drawer, Marked
from curate.deid.rules import TextRules
from curate.deid.text import decide, features
from curate.deid.text.scrub import first_look
from curate.deid.words import looks, vocabulary
from curate.deid.words.vocabulary import Kind, kind

BATCH = 2048
LEFT_OUT = 0.15  # of the features of a row
DATA = Path(vocabulary.__file__).parent / "data" / "words.npz"
RULES = TextRules(dates="mask", max_masked=1.0)
OFTEN = 2  # times the rows of marked texts count


class Rows(NamedTuple):
    """Words that are asked about: the numbers of the features each has, filled up with WIDTH (n, most), whether it is a
    name, whether a vocabulary knows it."""

    x: NDArray[np.int16]
    named: NDArray[np.float32]
    known: NDArray[np.bool_]


def fit_letters(maker: Maker, names: Names) -> np.ndarray:
    """(BUCKETS + 1,) float32: the log-odds of `looks`, by logistic regression."""
    r = maker.r
    people = list(dict.fromkeys([*names.common[:12000], *names.given, *names.foreign]))
    made = [maker.invented() for _ in range(4000)]
    words = [w for w in {*maker.medical, *maker.large, *r.sample(maker.plain, 25000)} if not kind(w) & Kind.NAME]
    wrong = [maker.misspelt(w) for w in r.sample(sorted(words), 15000)]
    rows = [(w, 1.0) for w in (*people, *made)] + [(w, 0.0) for w in (*words, *wrong)]
    r.shuffle(rows)
    flat = torch.tensor([b for w, _ in rows for b in looks.buckets(w)])
    offsets = torch.tensor([0, *np.cumsum([len(looks.buckets(w)) for w, _ in rows])[:-1]])
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
    return torch.cat([table.weight.detach()[:, 0], bias.detach()]).numpy()


def of_sentences(maker: Maker, count: int) -> Iterator[tuple[decide.State, list[bool]]]:
    """Texts as they are decided on, and which of the words that are asked about are names."""
    for _ in range(count):
        text, spans, masked = maker.text()
        seen = {span for span in spans if maker.r.random() > 0.25}  # the rest is masked already
        hidden = sorted([*masked, *((s, e, "NAME") for s, e in spans if (s, e) not in seen)])
        state = decide.read(text, frozenset(), hidden, frozenset())
        yield state, [any(s <= state.words[i].start < e for s, e in spans) for i in state.which]


def of_marked(texts: Iterable[Marked]) -> Iterator[tuple[decide.State, list[bool]]]:
    """The same of marked texts, behind the rules; names of places are names."""
    for one in texts:
        seen = first_look("".join(text for _, text in one.pieces), (), {}, None, RULES, frozenset())
        goes = np.concatenate([np.full(len(text), label != "") for label, text in one.pieces])
        for first, state in seen.states:
            yield state, [bool(goes[seen.index[first + state.words[i].start]]) for i in state.which]


def collected(texts: Iterable[tuple[decide.State, list[bool]]]) -> Rows:
    active, named, known = list[NDArray[np.int64]](), list[bool](), list[bool]()
    for state, goal in texts:
        if state.which:
            active += [np.flatnonzero(row) for row in state.table()]
            named += goal
            known += [bool(state.words[i].kind & Kind.KNOWN) for i in state.which]
    x = np.full((len(active), max(map(len, active))), features.WIDTH, np.int16)
    for filled, numbers in zip(x, active, strict=True):
        filled[: len(numbers)] = numbers
    return Rows(x, np.array(named, np.float32), np.array(known))


def joined(some: Sequence[Rows]) -> Rows:
    width = max(rows.x.shape[1] for rows in some)
    x = [np.pad(r.x, ((0, 0), (0, width - r.x.shape[1])), constant_values=features.WIDTH) for r in some]
    return Rows(np.concatenate(x), np.concatenate([r.named for r in some]), np.concatenate([r.known for r in some]))


class Net(torch.nn.Module):
    """One hidden layer over the features that are there, given by their numbers (n, most) and filled up with WIDTH."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.one = torch.nn.EmbeddingBag(features.WIDTH + 1, hidden, mode="sum", padding_idx=features.WIDTH)
        torch.nn.init.uniform_(self.one.weight, -(features.WIDTH**-0.5), features.WIDTH**-0.5)
        self.bias = torch.nn.Parameter(torch.zeros(hidden))
        self.two = torch.nn.Linear(hidden, 1)
        self.drop = torch.nn.Dropout(0.3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # features are left out by chance, so that no one of them is all that speaks for a sentence known by heart
        kept = (torch.rand(x.shape) > LEFT_OUT).float() / (1 - LEFT_OUT)
        return self.two(self.drop(torch.relu(self.one(x.long(), per_sample_weights=kept) + self.bias)))[:, 0]


def fit_words(rows: Rows, hidden: int, epochs: int) -> dict[str, np.ndarray]:
    """The numbers of the network, fitted to ``rows``."""
    x, y = torch.from_numpy(rows.x), torch.from_numpy(rows.named)
    torch.manual_seed(0)
    net = Net(hidden)
    optimizer = torch.optim.AdamW(net.parameters(), lr=6e-3, weight_decay=1e-3)
    steps = epochs * (len(x) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for epoch in range(epochs):
        order, total = torch.randperm(len(x)), 0.0
        for n in range(len(x) // BATCH):
            rows = order[n * BATCH : (n + 1) * BATCH]
            loss = torch.nn.functional.binary_cross_entropy_with_logits(net(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        print(f"words: epoch {epoch} loss {total / (len(x) // BATCH):.4f}", flush=True)
    return {
        "hidden": net.one.weight.detach()[: features.WIDTH].numpy().astype(np.float16),
        "hidden_bias": net.bias.detach().numpy(),
        "out": net.two.weight.detach()[0].numpy(),
        "out_bias": net.two.bias.detach().numpy(),
    }


def report(rows: Rows, fitted: dict[str, np.ndarray]) -> str:
    """What it would leave of names and lose of words that it has not seen, at two losses."""
    layer = np.concatenate([fitted["hidden"].astype(np.float32), np.zeros((1, fitted["hidden"].shape[1]), np.float32)])
    odds = np.concatenate(
        [
            np.maximum(layer[rows.x[at : at + BATCH]].sum(axis=1) + fitted["hidden_bias"], 0) @ fitted["out"]
            for at in range(0, len(rows.x), BATCH)
        ]
    )
    said = []
    for label, some in (("known", rows.known), ("unknown", ~rows.known)):
        names, others = odds[some & (rows.named > 0)], odds[some & (rows.named == 0)]
        for lost in (0.05, 0.1):
            left = (names < np.quantile(others, 1 - lost)).mean()
            said.append(f"{label}: {100 * left:.1f} % of {len(names)} left at {lost:.0%} of {len(others)} lost")
    return "; ".join(said)


def use(fitted: dict[str, np.ndarray]) -> None:
    """Decide by these numbers from now on, in this process."""
    looks.weights().update({name: np.asarray(value, np.float32) for name, value in fitted.items()})
    features._own_hidden.cache_clear()
    features._gap_hidden.cache_clear()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--names", type=Path, required=True, help="where faker is unpacked")
    parser.add_argument("--folds", type=Path, required=True, help="a folder for what fit_tagger reads")
    parser.add_argument("--sentences", type=int, default=50_000, help="texts of them")
    parser.add_argument("--times", type=int, default=4, help="times each marked text is drawn anew")
    parser.add_argument("--keep-letters", action="store_true", help="fit only the decision, to the letters there are")
    parser.add_argument("--hidden", type=int, default=96)
    parser.add_argument("--epochs", type=int, default=6)
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    names = load_names(given.names)
    print(f"names: {len(names.wordlike)} words, {len(names.common)} common, {len(names.foreign)} in no list")
    maker = Maker(names, 20261128)
    if not given.keep_letters:
        use({"letters": fit_letters(maker, names).astype(np.float16)})
        features.own_features.cache_clear()
    sentences = collected(of_sentences(maker, given.sentences))
    drawer = Drawer(maker, random.Random(5))
    own = {name: collected(of_marked(drawer.of(name, given.times))) for name in (*WRITERS, FRESH)}
    print(f"{len(sentences.x)} words of sentences, {sum(len(rows.x) for rows in own.values())} of marked texts")
    given.folds.mkdir(parents=True, exist_ok=True)
    fitted = dict[str, np.ndarray]()
    for number, left_out in enumerate([*FOLDS, ()]):
        some = [rows for name, rows in own.items() if name not in left_out]
        fitted = fit_words(joined([sentences, *some * OFTEN]), given.hidden, given.epochs)
        for name in left_out:
            print(f"{name}: {report(own[name], fitted)}", flush=True)
        if left_out:
            np.savez(given.folds / f"words_{number}.npz", **fitted)
    letters = looks.weights()["letters"].astype(np.float16)
    np.savez_compressed(DATA, letters=letters, features=np.array(features.version(), np.int32), **fitted)
    print(DATA.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
