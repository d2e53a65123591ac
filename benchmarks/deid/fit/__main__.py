"""Fits both networks of the text rules and chooses the tagger's limits: one command, the same bytes each time.

    python -m benchmarks.deid.fit [--out FOLDER]        # where the product reads them, if no folder is named

Texts with marked identifiers (`texts`) and sentences of our own making (`made_sentences`) give the decision per
word, then the tagger, which is fitted to texts as a decision reads them that has not seen their writer: each of
`FOLDS` is left out once. What networks that have not seen a fold say of its texts is what the limits are chosen by
(`tagger_net.choose`), and it is told fold by fold. What is written is fitted to all. Seeds are fixed and one thread
adds up, so the same machine writes the same bytes; another kind of CPU may add in another order and differ in last
bits. The texts, the word lists, the rules in front (`first_look`) and faker's lists of names (MIT; the version of
constraints.txt) are what it hangs on.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from benchmarks.deid.fit import tagger_net, words_net
from benchmarks.deid.fit.made_sentences import Maker, load_names
from benchmarks.deid.fit.tagger_net import Example, Held, example, shares, total
from benchmarks.deid.fit.texts import (
    FOLDS,
    FRESH,
    LATER,
    PLAIN,
    WRITERS,
    Drawer,
    Marked,
    forms,
    framed,
    sentences,
    written,
)
from curate.deid.text import features, tagger
from curate.deid.words import vocabulary

DATA = Path(vocabulary.__file__).parent / "data"
SENTENCES = 50_000  # texts of them, for the decision per word
OFTEN = 2  # times the words of marked texts count there
TIMES_WORDS, TIMES_TAGGER = 4, 3  # times each marked text is drawn anew
TIMES_PLAIN = 6
EVERY = 5  # of so many readings of texts that were held out one is asked
SMALL, STEPS = 500, 127  # rows of a table that is kept as it is; steps on either side of 0 of those of a larger one


def fit_words_blind() -> list[words_net.Numbers]:
    """The decision per word without each of `FOLDS`, and with all of them; the letters, fitted once, are in use."""
    maker = Maker(load_names(), 20261128)
    letters = words_net.fit_letters(maker)
    words_net.use({"letters": letters})
    sentences = words_net.collected(words_net.of_sentences(maker, SENTENCES))
    drawer = Drawer(maker, random.Random(5))
    names = [name for name in (*WRITERS, FRESH, PLAIN) if name not in LATER]
    own = {name: words_net.collected(words_net.of_marked(drawer.of(name, TIMES_WORDS))) for name in names}
    found = []
    for left_out in [*FOLDS, ()]:
        some = [rows for name, rows in own.items() if name not in left_out]
        found.append(words_net.fit(words_net.joined([sentences, *some * OFTEN])) | {"letters": letters})
    return found


def judged(texts: Sequence[Marked]) -> list[Example]:
    """As written, and every third in capitals and another third in small letters as well; of these every fifth."""
    found = []
    for number, one in enumerate(texts):
        for change in ((str,), (str, str.upper), (str, str.lower))[number % 3]:
            pieces = [(k, "".join(change(c) if len(change(c)) == 1 else c for c in t)) for k, t in one.pieces]
            found.append(Marked(one.key, pieces))
    return [example(one) for one in found[::EVERY]]


def told(held: Sequence[Held], limits: tagger_net.Numbers | None) -> str:
    found = total(held, limits)
    return ", ".join(f"{name} {100 * share:.2f} % of {found[f'{name} of']}" for name, share in shares(found).items())


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=DATA, help="where words.npz and tagger.npz are written")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    with threadpool_limits(1):
        fit(given.out)


def read(blind: Sequence[words_net.Numbers]) -> list[list[Example]]:
    """Of each of `FOLDS` its texts drawn anew, by the decision that was fitted without them; last those that are in no
    fold, by the decision that was fitted to all."""
    maker = Maker(load_names(), 20261129)
    drawer = Drawer(maker, random.Random(5))
    found = list[list[Example]]()
    for fold, numbers in zip(FOLDS, blind[:-1], strict=True):
        words_net.use(numbers)
        found.append([example(one) for name in fold for one in drawer.of(name, TIMES_TAGGER)])
    words_net.use(blind[-1])
    more = [*framed("dev", 3, 5), *sentences(maker, 1200), *([*forms("dev"), *forms("families")] * 2)]
    more += written(PLAIN) * TIMES_PLAIN
    return [*found, [example(drawer.drawn(one)) for one in more]]


def held_out(left_out: int, blind: Sequence[words_net.Numbers], drawn: Sequence[Sequence[Example]]) -> list[Held]:
    """The texts of one of `FOLDS`, read by networks that were fitted without them."""
    fitted = tagger_net.fit([one for at, some in enumerate(drawn) if at != left_out for one in some])
    fitted = {name: value.astype(np.float32) for name, value in fitted.items()}
    words_net.use(blind[left_out])
    return [Held.of(one, fitted) for one in judged([t for n in FOLDS[left_out] if n != FRESH for t in written(n)])]


def fit(out: Path) -> None:
    blind = fit_words_blind()
    drawn = read(blind)
    held = [held_out(left_out, blind, drawn) for left_out in range(len(FOLDS))]
    limits = tagger_net.choose([one for some in held for one in some])
    print("limits", {name: [round(float(x), 3) for x in values] for name, values in limits.items()})
    for names, some in zip(FOLDS, held, strict=True):
        print("".join(names), f"rules alone: {told(some, None)}\n  with tagger: {told(some, limits)}", flush=True)
    fitted = tagger_net.fit([one for some in drawn for one in some])
    out.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(out / "words.npz", **blind[-1], features=np.array(features.version(), np.int32))
    write(out / "tagger.npz", fitted | limits | {"version": np.array(tagger.version(), np.int32)})
    print(f"{time.process_time():.0f} CPU-s")


def write(path: Path, numbers: words_net.Numbers) -> None:
    """Large tables in whole steps, each column with its own size of a step, as `looks.read_weights` reads them."""
    kept = dict(numbers)
    for name, values in numbers.items():
        if values.ndim == 2 and len(values) > SMALL:
            step = np.abs(values.astype(np.float32)).max(axis=0) / STEPS
            kept |= {name: np.round(values / step).astype(np.int8), f"{name} step": step.astype(np.float32)}
    np.savez_compressed(path, **kept)


if __name__ == "__main__":
    main()
