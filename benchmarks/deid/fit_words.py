"""Fits the decision per word (`curate.deid.text.decide`) to text of our own making, and writes its numbers.

    python -m benchmarks.deid.fit_words --names DIR      # about ten CPU-minutes

The texts and where their names stand are made by `benchmarks.deid.fit_texts`. Some names are masked already, some by
half ("[NAME] Ode"), as they are when the scrubber looks again.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from benchmarks.deid.fit_texts import Maker, Names, load_names
from curate.deid.text import decide, features
from curate.deid.words import looks, vocabulary
from curate.deid.words.vocabulary import Kind, kind

BATCH = 2048
LEFT_OUT = 0.15  # of the features of a row
MASKED, HALF_MASKED = 0.25, 0.2  # of the names that the scrubber has found before; of those of two words, a half
DATA = Path(vocabulary.__file__).parent / "data" / "words.npz"


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


def examples(maker: Maker, count: int) -> Iterator[tuple[list[np.ndarray], np.ndarray, np.ndarray]]:
    """A text at a time: the numbers of the features of each word asked about; (n,) names or not, unknown or not."""
    for _ in range(count):
        text, spans, masked = maker.text()
        hidden = sorted([*masked, *found_before(text, spans, maker.r)])
        state = decide.read(text, frozenset(), hidden, frozenset())
        if not state.which:
            continue
        goal = [any(s <= state.words[i].start < e for s, e in spans) for i in state.which]
        strange = [not state.words[i].kind & Kind.KNOWN for i in state.which]
        yield list(state.numbers()), np.array(goal, np.float32), np.array(strange)


def found_before(text: str, spans: Sequence[tuple[int, int]], r: random.Random) -> Iterator[tuple[int, int, str]]:
    """Names, and halves of names, that are masked when the decision is asked."""
    for start, end in spans:
        words = [start + len(piece) for piece in (text[start:end].partition(" ")[0],)]
        x = r.random()
        if x < MASKED:
            yield start, end, "NAME"
        elif x < MASKED + HALF_MASKED and words[0] < end:
            yield (start, words[0], "NAME") if r.random() < 0.5 else (words[0] + 1, end, "NAME")


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


def fit_words(
    x: torch.Tensor, y: torch.Tensor, hidden: int, epochs: int, begun: dict[str, np.ndarray] | None = None
) -> dict[str, np.ndarray]:
    """The numbers of the network, fitted to rows of features (see `Net`), names (1) and others (0); ``begun``: those of
    an earlier fit, to go on from."""
    torch.manual_seed(0)
    net = Net(hidden)
    if begun is not None:
        with torch.no_grad():
            net.one.weight[: features.WIDTH] = torch.from_numpy(begun["hidden"])
            net.bias.copy_(torch.from_numpy(begun["hidden_bias"]))
            net.two.weight[0] = torch.from_numpy(begun["out"])
            net.two.bias.copy_(torch.from_numpy(begun["out_bias"]))
    optimizer = torch.optim.AdamW(net.parameters(), lr=6e-3 if begun is None else 2e-3, weight_decay=1e-3)
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


def report(x: torch.Tensor, y: np.ndarray, strange: np.ndarray, fitted: dict[str, np.ndarray]) -> None:
    table = np.zeros((len(x), features.WIDTH + 1), np.float32)
    np.put_along_axis(table, x.numpy().astype(np.int64), 1, axis=1)
    p = decide.probability(table[:, : features.WIDTH], fitted)
    for label, some in (("known", ~strange), ("unknown", strange)):
        names, others = p[some & (y > 0)], p[some & (y == 0)]
        for threshold in (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5):
            left, lost = (names < threshold).mean(), (others >= threshold).mean()
            counts = f"names left {left:.4f} of {len(names)}, words lost {lost:.4f} of {len(others)}"
            print(f"{label:8} at {threshold:<5} {counts}")


def collect(maker: Maker, count: int) -> tuple[torch.Tensor, np.ndarray, np.ndarray]:
    """(n, most) int16: the numbers of each word's features, filled up with WIDTH; (n,) names or not, unknown or not."""
    rows = list(examples(maker, count))
    active = [one for row in rows for one in row[0]]
    x = np.full((len(active), max(map(len, active))), features.WIDTH, np.int16)
    for filled, found in zip(x, active, strict=True):
        filled[: len(found)] = found
    return torch.from_numpy(x), np.concatenate([row[1] for row in rows]), np.concatenate([row[2] for row in rows])


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--names", type=Path, required=True, help="where faker is unpacked")
    parser.add_argument("--texts", type=int, default=120_000)
    parser.add_argument("--keep-letters", action="store_true", help="fit only the decision, to the letters there are")
    parser.add_argument("--go-on", action="store_true", help="begin with the numbers there are, on other texts")
    parser.add_argument("--seed", type=int, default=20261128, help="of the texts")
    parser.add_argument("--hidden", type=int, default=96)
    parser.add_argument("--epochs", type=int, default=10)
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    names = load_names(given.names)
    print(f"names: {len(names.wordlike)} words, {len(names.common)} common, {len(names.foreign)} in no list")
    maker = Maker(names, given.seed)
    begun = looks.weights() if given.go_on else None
    if given.keep_letters:
        letters = looks.weights()["letters"]
    else:
        letters = fit_letters(maker, names)
        np.savez(DATA, letters=letters.astype(np.float16))
        looks.weights.cache_clear()
    x, y, _ = collect(maker, given.texts)
    print(f"{len(x)} words to decide, {int(y.sum())} names")
    fitted = fit_words(x, torch.from_numpy(y), given.hidden, given.epochs, begun)
    report(*collect(Maker(names, 7), 3000), fitted)
    fitted["features"] = np.array(features.version(), np.int32)
    np.savez_compressed(DATA, letters=letters.astype(np.float16), **fitted)
    print(DATA.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
