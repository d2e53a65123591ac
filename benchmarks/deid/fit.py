"""Fits both networks of the text rules and writes them: one command, the same bytes each time.

    python -m benchmarks.deid.fit [--cross]        # about ... CPU-minutes; --cross: judge alone, write nothing

Texts with marked identifiers (`tagger_texts`) and sentences of our own making (`made_sentences`) give the decision per
word, then the tagger. `FOLDS` are left out in turn: what the tagger is fitted to are chances of a decision that has not
seen the text's writer, and its limits are chosen on texts whose writers neither network has seen. What is written is
fitted to all. Seeds are fixed and one thread adds up, so the same machine writes the same bytes; another kind of CPU
may add in another order and differ in last bits. The texts, the word lists, the rules in front (`first_look`) and
faker's lists of names (MIT; the version of constraints.txt) are what it hangs on.
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

from benchmarks.deid import fit_tagger, fit_words
from benchmarks.deid.fit_tagger import Example, Held, example, shares, total
from benchmarks.deid.made_sentences import Maker, load_names
from benchmarks.deid.tagger_texts import FOLDS, FRESH, WRITERS, Drawer, Marked, forms, framed, sentences, written
from curate.deid.text import features, tagger
from curate.deid.words import vocabulary

DATA = Path(vocabulary.__file__).parent / "data"
SENTENCES = 50_000  # texts of them, for the decision per word
OFTEN = 2  # times the words of marked texts count there
TIMES_WORDS, TIMES_TAGGER = 4, 3  # times each marked text is drawn anew


def fit_words_blind() -> list[fit_words.Numbers]:
    """The decision per word without each of `FOLDS`, and with all of them; the letters, fitted once, are in use."""
    maker = Maker(load_names(), 20261128)
    letters = fit_words.fit_letters(maker)
    fit_words.use({"letters": letters})
    sentences = fit_words.collected(fit_words.of_sentences(maker, SENTENCES))
    drawer = Drawer(maker, random.Random(5))
    own = {name: fit_words.collected(fit_words.of_marked(drawer.of(name, TIMES_WORDS))) for name in (*WRITERS, FRESH)}
    found = []
    for left_out in [*FOLDS, ()]:
        some = [rows for name, rows in own.items() if name not in left_out]
        found.append(fit_words.fit(fit_words.joined([sentences, *some * OFTEN])) | {"letters": letters})
    return found


def judged(texts: Sequence[Marked]) -> list[Example]:
    """As written, and every third in capitals and another third in small letters instead."""
    return [
        example(
            Marked(one.key, [(k, "".join(c if len(change(c)) != 1 else change(c) for c in t)) for k, t in one.pieces])
        )
        for number, one in enumerate(texts)
        for change in ((str, str.upper, str.lower)[number % 3],)
    ]


def told(held: Sequence[Held], limits: fit_tagger.Numbers | None) -> str:
    found = total(held, limits)
    return ", ".join(f"{name} {100 * share:.2f} % of {found[f'{name} of']}" for name, share in shares(found).items())


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cross", action="store_true", help="judge alone, write nothing")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    with threadpool_limits(1):
        fit(cross=given.cross)


def fit(*, cross: bool) -> None:
    *blind, words = fit_words_blind()
    maker = Maker(load_names(), 20261129)
    drawer = Drawer(maker, random.Random(5))
    more = [*framed("dev", 3, 5), *sentences(maker, 1200), *([*forms("dev"), *forms("families")] * 2)]
    fit_words.use(words)
    everywhere = [example(drawer.drawn(one)) for one in more]
    own, unseen = list[list[Example]](), list[list[Example]]()
    for fold, numbers in zip(FOLDS, blind, strict=True):
        fit_words.use(numbers)
        own.append([example(one) for name in fold for one in drawer.of(name, TIMES_TAGGER)])
        unseen.append(judged([one for name in fold if name != FRESH for one in written(name)]))
    held = list[list[Held]]()
    for number, texts in enumerate(unseen):
        others = [one for at, some in enumerate(own) if at != number for one in some]
        fitted = fit_tagger.fit([*others, *everywhere])
        held.append([Held.of(one, fitted) for one in texts])
    everyone = [one for some in held for one in some]
    limits = fit_tagger.choose(everyone[::2])
    for name, some in [*zip(map("".join, FOLDS), held, strict=True), ("all", everyone)]:
        print(f"{name}: rules alone: {told(some, None)}\n  with tagger: {told(some, limits)}", flush=True)
    print({k: [round(float(x), 3) for x in v] for k, v in limits.items()})
    if not cross:
        fitted = fit_tagger.fit([*(one for some in own for one in some), *everywhere])
        np.savez_compressed(DATA / "words.npz", **words, features=np.array(features.version(), np.int32))
        np.savez_compressed(DATA / "tagger.npz", **fitted, **limits, version=np.array(tagger.version(), np.int32))
    print(f"{time.process_time():.0f} CPU-s")


if __name__ == "__main__":
    main()
