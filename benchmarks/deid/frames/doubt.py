"""Would withholding what is doubtful help? Reports withheld against what is left in the others, by several doubts.

    python -m benchmarks.deid.frames.doubt [--hands no | --texts FILE] [--data FOLDER] [--out FILE]

A text is read once more as it goes out; by each of `DOUBTS` the most doubtful are withheld, and what is left of
identifiers is counted in those that stay. An oracle that knows what leaked bounds what any doubt can bring. The shipped
networks have seen the texts of every hand (`benchmarks.deid.fit.texts`) but n and o. With --data, the share of reports
and captions in which nobody stands (the dev halves of `benchmarks.deid.public.meaning`) that is withheld where a tenth
of the hands' texts is.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.deid.fit.texts import written
from benchmarks.deid.fit.words_net import RULES
from benchmarks.deid.frames import marked, score, table
from benchmarks.deid.frames.fillings import Text
from benchmarks.deid.frames.marked import text_of
from benchmarks.deid.public import meaning
from curate.deid.text import revision, scrub, tagger
from curate.deid.verify.text import findings
from curate.deid.words.vocabulary import Kind, kind

SHARES = (0.0, 0.02, 0.05, 0.1, 0.2, 0.3)  # of the texts, withheld
TENTH = 0.1


@dataclass(frozen=True)
class Stays:
    """A word or number that goes out: how likely it is anybody's by the tagger, and a name by the decision per word."""

    form: str
    anyone: float
    name: float


@dataclass(frozen=True)
class Read:
    """A text that went out: what became of it, what stays in it, how many words were taken back, how many findings the
    verifier has."""

    text: Text
    outcome: score.Outcome
    stays: tuple[Stays, ...]
    back: int
    found: int


def read(text: Text, outcome: score.Outcome) -> Read:
    """``text`` as it was and as it went out, each looked at once."""
    out = outcome.out or ""
    tokens, chances, names, _ = _look(out)
    stays = tuple(
        Stays(form, 1 - float(nobody), names.get(start, 0.0))
        for form, start, nobody in zip(tokens.forms, tokens.starts, chances[:, 0], strict=True)
        if form[0].isalnum()
    )
    return Read(text, outcome, stays, _look(text.text)[3], len(findings([out], text.header, [text.text])))


def _look(text: str) -> tuple[tagger.Tokens, NDArray[np.float32], dict[int, float], int]:
    """Its tokens, of what each is likely part, which words are likely names, and how many the tagger takes back."""
    seen = scrub.first_look(text, (), {}, None, RULES, frozenset())
    names = seen.likely()
    tokens = tagger.read(seen.folded, seen.spans, seen.labels, names)
    if not tokens.forms:
        return tokens, np.ones((0, len(tagger.LABELS)), np.float32), names, 0
    chances = tagger.probabilities(tagger.embedded(tokens))
    return tokens, chances, names, len(revision.revised(tokens, seen.spans, chances, tagger.limits())[1])


def _likeliest(some: Read) -> float:
    return max((one.anyone for one in some.stays), default=0)


def _any(some: Read) -> float:
    return float(1 - np.prod([1 - min(0.999, one.anyone) for one in some.stays if one.anyone > 0.02] or [1.0]))


def _of_somebody(some: Read) -> float:
    """Of numbers, and of words that are unknown or names."""
    return max((one.anyone for one in some.stays if _is_asked(one.form)), default=0)


def _is_asked(form: str) -> bool:
    known = kind(form.lower())
    return not form.isalpha() or not known & Kind.KNOWN or bool(known & (Kind.NAME | Kind.TOWN))


DOUBTS: dict[str, Callable[[Read], float]] = {
    "the likeliest word, by the tagger": _likeliest,
    "any word, by the tagger": _any,
    "the likeliest number, name or unknown word": _of_somebody,
    "the likeliest name, by the decision per word": lambda some: max((one.name for one in some.stays), default=0),
    "words that the tagger took back from the rules": lambda some: some.back,
    "findings of the verifier": lambda some: some.found,
    "an oracle: identifiers left": lambda some: len(some.outcome.leaks),
}


def curve(some: Sequence[Read], doubt: Callable[[Read], float]) -> dict[str, Any]:
    """{share withheld: shares left in the others}, and from which doubt on a tenth is withheld."""
    doubts = np.array([doubt(one) for one in some])
    order = np.lexsort((np.random.default_rng(0).random(len(some)), doubts))
    found: dict[str, Any] = {"a tenth": float(doubts[order[len(some) - 1 - round(TENTH * len(some))]])}
    for share in SHARES:
        kept = [some[i] for i in order[: len(some) - round(share * len(some))]]
        summed = table.summary([one.text for one in kept], [one.outcome for one in kept])
        names = {k: v["share"] for k, v in summed["left"].items() if k in ("names that are words", table.HARD)}
        found[f"{share:g}"] = names | {"telling": summed["left, and it tells"][table.HARD]["share"]}
    return found


def _read_all(texts: Sequence[Text]) -> list[Read]:
    return [read(text, one) for text, one in zip(texts, score.run(texts), strict=True) if one.out is not None]


def main() -> None:
    """The curves on the terminal, the figures in a file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--hands", default="no")
    parser.add_argument("--texts", type=Path, help="marked texts in place of the hands'")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    hands = (text_of(one.key, one.pieces) for hand in given.hands for one in written(hand))
    some = _read_all(marked.read(given.texts) if given.texts else [*hands])
    found = {name: curve(some, doubt) for name, doubt in DOUBTS.items()}
    for name, texts in (meaning.sets(given.data) if given.data else {}).items():
        clean = _read_all([text_of("", [("", text)]) for side, text in texts if side == "dev"][::3])
        for doubt, row in found.items():
            over = [DOUBTS[doubt](one) > row["a tenth"] for one in clean]
            row[name] = table.share(sum(over), len(over))
    for name, row in found.items():
        print(name)
        for share in map("{:g}".format, SHARES):
            print(f"  {share} withheld: " + ", ".join(f"{k} {100 * v:.2f} %" for k, v in row[share].items()))
        print(
            "  withheld of "
            + ", ".join(f"{k} {v['share']:.1%}" for k, v in row.items() if isinstance(v, dict) and "of" in v)
        )
    if given.out is not None:
        given.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
