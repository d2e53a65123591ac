"""Fits the tagger (`curate.deid.text.tagger`): its network to texts with marked identifiers, its limits to others.

The network is fitted on texts as the rules and a decision per word leave them that has not seen the text's writer.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.deid.fit.texts import Marked
from benchmarks.deid.fit.words_net import RULES
from benchmarks.deid.frames import score
from benchmarks.deid.frames.fillings import Text
from benchmarks.deid.frames.marked import Pieces, text_of
from benchmarks.deid.frames.values.people import OTHER, WORD
from curate.deid.patterns import clock
from curate.deid.patterns.prefilter import find_all
from curate.deid.text import closed_class, revision, tagger
from curate.deid.text.scrub import Looked, first_look
from curate.deid.text.text_index import TextIndex

Numbers = Mapping[str, NDArray[np.floating]]
EPOCHS, RATE = 4, 4e-3
_LABEL = {name: number for number, name in enumerate(tagger.LABELS)}
_IGNORED = -1  # times of day, which the texts do not mark, and what stands masked already


@dataclass(frozen=True)
class Example:
    """A text as the tagger reads it, and what is wanted: the label of each token, or _IGNORED; ``timed``: which
    characters are of a time of day, which goes and is not marked."""

    pieces: Pieces
    seen: Looked
    tokens: tagger.Tokens
    wanted: NDArray[np.int64]
    timed: NDArray[np.bool_]


def example(one: Marked) -> Example:
    seen = first_look("".join(piece for _, piece in one.pieces), (), {}, None, RULES, frozenset())
    tokens = tagger.read(seen.folded, seen.spans, seen.labels, seen.likely())
    of = np.concatenate([np.full(len(t), _LABEL.get(k, _IGNORED)) for k, t in one.pieces] or [np.zeros(0, int)])
    wanted = np.array([of[seen.index[start]] for start in tokens.starts], np.int64)
    timed = np.zeros(len(of) + 1, bool)
    for start, end, _ in find_all((*clock.SURE, *clock.STRICT), TextIndex(seen.folded)):
        timed[seen.index[start] : seen.index[end]] = True
    for i, mask in enumerate(tokens.masks):
        if (mask >= 0 and wanted[i] == 0 and timed[seen.index[tokens.starts[i]]]) or tokens.forms[i][
            0
        ] == tagger.BARRIER:
            wanted[i] = _IGNORED
    return Example(one.pieces, seen, tokens, wanted, timed)


class Net(torch.nn.Module):
    """`tagger.probabilities` with gradients."""

    def __init__(self) -> None:
        super().__init__()
        size, hidden = tagger.EMBEDDED, tagger.HIDDEN
        self.forms = torch.nn.EmbeddingBag(tagger.ROWS, size, mode="sum")
        self.places = torch.nn.EmbeddingBag(len(tagger.PLACE) + 1, size, mode="sum", padding_idx=len(tagger.PLACE))
        for table in (self.forms, self.places):
            torch.nn.init.normal_(table.weight, std=0.12)
        torch.nn.init.zeros_(self.forms.weight[len(tagger.FIXED) :])  # of letters that were never seen nothing is said
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

    def numbers(self) -> dict[str, NDArray[np.float16]]:
        found = {
            "forms": self.forms.weight, "places": self.places.weight[:-1],
            "out": self.out.weight.T, "out_bias": self.out.bias,
        }  # fmt: skip
        for number, layer in enumerate(self.layers):
            kernel = layer.weight.permute(2, 1, 0).reshape(-1, tagger.HIDDEN)
            found |= {f"layer{number - 1}" if number else "first": kernel}
            found |= {f"bias{number - 1}" if number else "first_bias": layer.bias}
        return {name: value.detach().numpy().astype(np.float16) for name, value in found.items()}


def fit(examples: Sequence[Example]) -> dict[str, NDArray[np.float16]]:
    """The numbers of a network fitted to ``examples``."""
    torch.manual_seed(0)
    rng = random.Random(0)
    net = Net()
    optimizer = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=0.02)
    batches = _batches(examples)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, EPOCHS * len(batches) + 1, pct_start=0.1)
    for _ in range(EPOCHS):
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
    print(f"tagger: {len(examples)} texts, loss {total / len(batches):.4f}", flush=True)
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


# -- limits

# What of each share that is left counts as one, and what of the words that are lost, dearer from one to the next.
GOALS = {"hard": 0.005, "names that are words": 0.005, "other names": 0.003}
PRICES = (0.003, 0.002, 0.0015)
ALLOWED = 0.95  # of the words that are lost without the tagger so many may be lost with it
# No lower ones: the texts are odder than reports, and below these plain wordings go ("seen in our local hospital").
GRID = {
    "begin": (0.2, 0.35, 0.5, 0.65, 0.8, 0.9),
    "inside": (0.2, 0.3, 0.5),
    "back": (0.85, 0.9, 0.94, 0.97, 0.99),
    "site": (0.03, 0.1, 0.3),
    "sure": (0.7, 0.8, 0.9, 0.95, 0.98),
}
# Where the choice begins. What a cue gave away never comes back: the cue is the better witness. Of addresses of mail
# and web the texts have too few to choose by, and rules take them whole.
START = {
    "begin": np.array([0.5, 0.5, 0.35, 0.5, 0.5, 0.35, 0.35, 0.5, 0.9], np.float32),
    "inside": np.array([0.2], np.float32),
    "back": np.array([0.85, 0.85, tagger.NEVER, 0.94, 0.94], np.float32),
    "site": np.array([0.1, 0.03], np.float32),
    "sure": np.array([0.9, 0.7], np.float32),
}
_FIXED = {("back", 2), *(("begin", tagger.LABELS.index(label)) for label in ("", "EMAIL", "URL"))}
_FLOORS = {("back", 4): 0.94, ("sure", 0): 0.9}  # below, names of plain sentences come back ("According to Antoni")


@dataclass(frozen=True)
class Held:
    """A text that neither network has seen, what must go of it, and what the tagger says."""

    one: Example
    text: Text
    chances: NDArray[np.float32]
    counts: dict[tuple[tuple[int, int], ...], Counter[str]] = field(default_factory=dict)
    known: dict[bytes, Counter[str]] = field(default_factory=dict)  # by what is asked of the chances

    @classmethod
    def of(cls, one: Example, fitted: Numbers) -> Held:
        tokens, text = one.tokens, text_of("", one.pieces)
        x = np.stack([fitted["forms"][list(tagger.rows(form))].sum(axis=0) for form in tokens.forms])
        x = x + np.stack([fitted["places"][list(placed)].sum(axis=0) for placed in tokens.places])
        untimed = [(a, b) for a, b in text.protected for a, b in _untimed(one.timed, a, b)]
        return cls(one, replace(text, protected=tuple(untimed)), tagger.probabilities(x.astype(np.float32), fitted))

    def counted(self, limits: Numbers | None) -> Counter[str]:
        """What was left and lost with such limits, or without the tagger: "hard", "hard of", ..."""
        asked = b"" if limits is None else _asked(self.chances, limits)
        if asked not in self.known:
            self.known[asked] = self._count(limits)
        return self.known[asked]

    def _count(self, limits: Numbers | None) -> Counter[str]:
        seen = self.one.seen
        spans = seen.spans
        if limits is not None:
            spans = revision.revised(self.one.tokens, spans, self.chances, limits)[0]
        key = tuple((one.start, one.end) for one in closed_class.without(seen.folded, spans, seen.cued))
        if key not in self.counts:
            stayed = [True] * len(self.text.text)
            for start, end in key:
                first, last = seen.index[start], seen.index[end]
                stayed[first:last] = [False] * (last - first)
            leaks, lost, words, _ = score.verdict(self.text, stayed)
            self.counts[key] = Counter({"words": len(lost), "words of": words})
            for suffix, some in (("", leaks), (" of", self.text.gold)):
                for gold in some:
                    group = {WORD: "names that are words", OTHER: "other names"}.get(gold.kind, "hard")
                    self.counts[key].update({group + suffix: 1})
                    if group == "hard":
                        self.counts[key].update({gold.kind + suffix: 1})
        return self.counts[key]


def _asked(chances: NDArray[np.float32], limits: Numbers) -> bytes:
    """All that `revision.revised` asks of ``chances``: limits that answer alike do alike."""
    nobody, place = chances[:, :1], chances[:, tagger.LABELS.index("ADDRESS")][:, None]
    begin = limits["begin"][1 + chances[:, 1:].argmax(axis=1)][:, None]
    anybody = np.concatenate([begin, np.broadcast_to([*limits["inside"], *limits["sure"]], (len(begin), 3))], axis=1)
    return b"".join(
        some.tobytes() for some in (1 - nobody >= anybody, place >= limits["site"], nobody < limits["back"])
    )


def _untimed(timed: NDArray[np.bool_], start: int, end: int) -> list[tuple[int, int]]:
    """The stretches between times of day."""
    edges = np.flatnonzero(np.diff(np.concatenate([[True], timed[start:end], [True]]).astype(np.int8)))
    return [(start + int(a), start + int(b)) for a, b in edges.reshape(-1, 2)]


def total(held: Iterable[Held], limits: Numbers | None) -> Counter[str]:
    found = Counter[str]()
    for one in held:
        found.update(one.counted(limits))
    return found


def shares(found: Counter[str]) -> dict[str, float]:
    """Of each of `GOALS`, of words and of every kind of hard identifier, the share that was left or lost."""
    kinds = [name.removesuffix(" of") for name in sorted(found) if name.endswith(" of")]
    return {name: found[name] / max(1, found[f"{name} of"]) for name in dict.fromkeys([*GOALS, "words", *kinds])}


def cost(found: Counter[str], price: float) -> float:
    """``price``: the share of words lost that counts as one."""
    of = shares(found)
    return sum(of[name] / goal for name, goal in GOALS.items()) + of["words"] / price


def choose(held: Sequence[Held]) -> dict[str, NDArray[np.float32]]:
    """The limits of least cost over ``held``, one after the other from `START` on, at the first of `PRICES` at which no
    more than `ALLOWED` of the words that the rules lose are lost; `START` where there is none."""
    allowed = ALLOWED * total(held, None)["words"]
    limits = START
    for price in PRICES:
        limits = _cheapest(held, limits, price)
        if total(held, limits)["words"] <= allowed:
            return limits
    return START


def _cheapest(held: Sequence[Held], limits: Numbers, price: float) -> dict[str, NDArray[np.float32]]:
    limits = {name: values.copy() for name, values in limits.items()}
    best = cost(total(held, limits), price)
    for name, grid in GRID.items():
        for at in range(len(limits[name])):
            for value in () if (name, at) in _FIXED else grid:
                if value < _FLOORS.get((name, at), 0):
                    continue
                tried = limits | {name: limits[name].copy()}
                tried[name][at] = value
                if (now := cost(total(held, tried), price)) < best - 1e-9:
                    best, limits = now, tried
    return limits
