"""Fits both networks of the text rules and writes them: one command, the same bytes each time.

    python -m benchmarks.deid.fit [--cross]        # eight CPU-minutes; --cross: judge alone, write nothing

Texts with marked identifiers (`tagger_texts`) and sentences of our own making (`made_sentences`) give the decision per
word, then the tagger, which is fitted to texts as a decision reads them that has not seen their writer: each of
`FOLDS` is left out once. What is written is fitted to all, with the limits that `fit_tagger.LIMITS` declares; --cross
says of every fold what is left and lost by networks that have not seen it, and which limits would cost least. The
files that are shipped are of the fit before this command (DECISIONS, 2026-11-29). Seeds are fixed and one thread adds
up, so the same machine writes the same bytes; another kind of CPU may add in another order and differ in last bits.
The texts, the word lists, the rules in front (`first_look`) and faker's lists of names (MIT; the version of
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

from benchmarks.deid import fit_tagger, fit_words
from benchmarks.deid.fit_tagger import LIMITS, Example, Held, example, shares, total
from benchmarks.deid.made_sentences import Maker, load_names
from benchmarks.deid.tagger_texts import FOLDS, FRESH, LATER, WRITERS, Drawer, Marked, forms, framed, sentences, written
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
    names = [name for name in (*WRITERS, FRESH) if name not in LATER]
    own = {name: fit_words.collected(fit_words.of_marked(drawer.of(name, TIMES_WORDS))) for name in names}
    found = []
    for left_out in [*FOLDS, ()]:
        some = [rows for name, rows in own.items() if name not in left_out]
        found.append(fit_words.fit(fit_words.joined([sentences, *some * OFTEN])) | {"letters": letters})
    return found


def judged(texts: Sequence[Marked]) -> list[Example]:
    """As written, and every third in capitals and another third in small letters as well."""
    found = []
    for number, one in enumerate(texts):
        for change in ((str,), (str, str.upper), (str, str.lower))[number % 3]:
            pieces = [(k, "".join(change(c) if len(change(c)) == 1 else c for c in t)) for k, t in one.pieces]
            found.append(example(Marked(one.key, pieces)))
    return found


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


def read(blind: Sequence[fit_words.Numbers]) -> list[list[Example]]:
    """Of each of `FOLDS` its texts drawn anew, by the decision that was fitted without them; last those that are in no
    fold, by the decision that was fitted to all."""
    maker = Maker(load_names(), 20261129)
    drawer = Drawer(maker, random.Random(5))
    found = list[list[Example]]()
    for fold, numbers in zip(FOLDS, blind[:-1], strict=True):
        fit_words.use(numbers)
        found.append([example(one) for name in fold for one in drawer.of(name, TIMES_TAGGER)])
    fit_words.use(blind[-1])
    more = [*framed("dev", 3, 5), *sentences(maker, 1200), *([*forms("dev"), *forms("families")] * 2)]
    return [*found, [example(drawer.drawn(one)) for one in more]]


def held_out(left_out: int, blind: Sequence[fit_words.Numbers], drawn: Sequence[Sequence[Example]]) -> list[Held]:
    """The texts of one of `FOLDS`, read by networks that were fitted without them."""
    fitted = fit_tagger.fit([one for at, some in enumerate(drawn) if at != left_out for one in some])
    fit_words.use(blind[left_out])
    return [Held.of(one, fitted) for one in judged([t for n in FOLDS[left_out] if n != FRESH for t in written(n)])]


def fit(*, cross: bool) -> None:
    blind = fit_words_blind()
    drawn = read(blind)
    for left_out in range(len(FOLDS)) if cross else ():
        held = held_out(left_out, blind, drawn)
        print(
            "".join(FOLDS[left_out]),
            f"rules alone: {told(held, None)}\n  with tagger: {told(held, LIMITS)}",
            flush=True,
        )
        chosen = fit_tagger.choose(held[::4])
        print("  least cost at", {k: [round(float(x), 3) for x in v] for k, v in chosen.items()}, flush=True)
    if not cross:
        fitted = fit_tagger.fit([one for some in drawn for one in some])
        np.savez_compressed(DATA / "words.npz", **blind[-1], features=np.array(features.version(), np.int32))
        np.savez_compressed(DATA / "tagger.npz", **fitted, **LIMITS, version=np.array(tagger.version(), np.int32))
    print(f"{time.process_time():.0f} CPU-s")


if __name__ == "__main__":
    main()
