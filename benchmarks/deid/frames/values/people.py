"""Names for the frames, drawn so that few texts see many; no two splits share one."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from importlib.resources import files

Pieces = list[tuple[str, str]]  # (kind, text); kind "" is of no one
WORD, OTHER, SHORT = "name that is a word", "other name", "name of two letters"


@cache
def names(split: str) -> dict[str, tuple[str, ...]]:
    """Group -> its names: of "dev" and "test" one half each of a file, by hash; other splits have their own."""
    halves = split in ("dev", "test")
    file = "names.txt" if halves else f"names_{split}.txt"
    lines = files("benchmarks.deid.frames").joinpath(file).read_text(encoding="utf-8").splitlines()
    pairs = [line.split(" | ") for line in lines if line and not line.startswith("#")]
    return {group: tuple(n for n in found.split() if not halves or split == half(n)) for group, found in pairs}


def half(text: str) -> str:
    """ "dev" or "test", by hash."""
    return "dev" if int(sha256(text.encode()).hexdigest()[:8], 16) % 2 else "test"


@dataclass
class Deck:
    """Draws without putting back until all have been drawn, so that few texts see many names."""

    all: list[str]
    rng: random.Random
    left: list[str] = field(default_factory=list)

    def draw(self) -> str:
        """The next one."""
        if not self.left:
            self.left = self.rng.sample(self.all, len(self.all))
        return self.left.pop()


class Cast:
    """Names of one split."""

    def __init__(self, split: str, rng: random.Random) -> None:
        kinds = {"surname": "words as surnames", "given": "words as given names"}
        self.rng = rng
        self.words = {k: Deck(list(names(split)[g]), rng) for k, g in kinds.items()}
        self.others = Deck([n for g, found in names(split).items() if not g.startswith("words") for n in found], rng)

    def name(self, role: str) -> Pieces:
        """A surname or given name: a word or no word, one as often as the other."""
        if self.rng.random() < 0.5:
            return [(WORD, self.words[role].draw())]
        name = self.others.draw()
        return [(SHORT if len(name) == 2 else OTHER, name)]

    def full(self) -> Pieces:
        """Given name and surname."""
        return [*self.name("given"), ("", " "), *self.name("surname")]
