"""The figures of the frames: shares of what was left and lost, with intervals; the table; the texts that failed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.deid.frames.values.people import OTHER, SHORT, WORD
from curate.report.interval import wilson

if TYPE_CHECKING:
    from benchmarks.deid.frames.fillings import Text
    from benchmarks.deid.frames.score import Outcome

HARD = "hard identifiers"


def summary(texts: Sequence[Text], outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Shares with 95 % intervals: leaks by kind, group, case and style, words and closed-class words lost."""
    spans, leaks, telling = Counter[str](), Counter[str](), Counter[str]()
    for text, outcome in zip(texts, outcomes, strict=True):
        if outcome.out is None:
            continue
        telling.update(_group(gold.kind) for gold in outcome.telling)
        for counter, found in ((spans, text.gold), (leaks, outcome.leaks)):
            for gold in found:
                cued = gold.kind.endswith(", cued")
                group = _group(gold.kind)
                names = [f"{group}: {'cued' if cued else 'uncued'}"] if group != HARD else [f"hard: {gold.kind}"]
                counter.update([group, f"{group}; {text.case}", f"{group}; {text.style}", *names])
    words, lost, by_kind, closed = 0, 0, Counter[str](), 0
    by_case: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for text, outcome in zip(texts, outcomes, strict=True):
        words, closed = words + outcome.words, closed + outcome.closed
        gone = sum(kind == "" for kind, _ in outcome.lost)
        lost += gone
        by_case[text.case][0] += gone
        by_case[text.case][1] += outcome.words
        by_kind.update(kind for kind, _ in outcome.lost if kind)
    cpu = sum(o.cpu for o in outcomes)
    return {
        "texts": len(texts),
        "frames": len({t.frame for t in texts}),
        "names": len({t.text[g.start : g.end].casefold() for t in texts for g in t.gold if "name" in g.kind}),
        "withheld": sum(o.out is None for o in outcomes),
        "left, by drawing frames": _drawn(texts, outcomes),
        "left": {k: share(leaks[k], n) for k, n in sorted(spans.items(), key=lambda kn: kn[0])},
        "left, and it tells": {HARD: share(telling[HARD], spans[HARD])} if spans[HARD] else {},
        "clinical words lost": share(lost, words),
        "clinical words lost, by case": {k: share(*v) for k, v in by_case.items()},
        "closed-class words lost": share(by_kind.total(), closed),
        "closed-class words lost, by kind": dict(by_kind.most_common()),
        "texts/cpu-s": round(len(texts) / cpu, 1),
        "tokens/cpu-s": round(sum(len(t.text.split()) for t in texts) / cpu),
    }


def _drawn(texts: Sequence[Text], outcomes: Sequence[Outcome]) -> dict[str, list[float]]:
    """95 % intervals of the groups' shares by drawing frames again: fillings of one frame fail together."""
    names = sorted({t.frame for t in texts})
    row = {name: i for i, name in enumerate(names)}
    counts: dict[str, NDArray[np.int64]] = defaultdict(lambda: np.zeros((len(names), 2), np.int64))
    for text, outcome in zip(texts, outcomes, strict=True):
        if outcome.out is not None:
            for column, found in enumerate((outcome.leaks, text.gold)):
                for gold in found:
                    counts[_group(gold.kind)][row[text.frame], column] += 1
    draws = np.random.default_rng(0).integers(0, len(names), (1000, len(names)))
    drawn = {k: c[draws].sum(1) for k, c in counts.items()}
    return {
        k: [round(float(v), 5) for v in np.percentile(d[:, 0] / np.maximum(1, d[:, 1]), (2.5, 97.5))]
        for k, d in drawn.items()
    }


def _group(kind: str) -> str:
    base = kind.removesuffix(", cued")
    return {WORD: "names that are words", OTHER: "other names", SHORT: "names of two letters"}.get(base, HARD)


def share(n: int, of: int) -> dict[str, Any]:
    """{"n", "of", "share", "interval"}: a share with its 95 % Wilson interval."""
    low, high = (float(v) for v in wilson(n, of))
    return {"n": n, "of": of, "share": round(n / of, 5) if of else None, "interval": [round(low, 5), round(high, 5)]}


def markdown(found: dict[str, Any]) -> str:
    """The summary as a table."""
    lines = ["| what | n | of | share | 95 % |", "|---|---:|---:|---:|---|"]
    told = [(f"left, and it tells: {k}", v) for k, v in found["left, and it tells"].items()]
    for name, s in [(f"left: {k}", v) for k, v in found["left"].items()] + [
        *told,
        ("clinical words lost", found["clinical words lost"]),
        *((f"... {k}", v) for k, v in found["clinical words lost, by case"].items()),
        ("closed-class words lost", found["closed-class words lost"]),
    ]:
        low, high = s["interval"]
        lines.append(f"| {name} | {s['n']} | {s['of']} | {s['share'] or 0:.2%} | {low:.2%} - {high:.2%} |")
    by_kind = ", ".join(f"{k} {n}" for k, n in found["closed-class words lost, by kind"].items())
    drawn = ", ".join(f"{k} {low:.2%} - {high:.2%}" for k, (low, high) in found["left, by drawing frames"].items())
    lines.append(f"\n95 % by drawing frames: {drawn}")
    lines.append(
        f"closed class lost: {by_kind or 'none'}; withheld {found['withheld']}; "
        f"texts/cpu-s {found['texts/cpu-s']}, tokens/cpu-s {found['tokens/cpu-s']}"
    )
    return "\n".join(lines)


def write_failures(path: Path, texts: Sequence[Text], outcomes: Sequence[Outcome]) -> int:
    """What leaked and what was lost, with the text before and after; returns how many texts failed."""
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for text, outcome in zip(texts, outcomes, strict=True):
            if outcome.out is not None and not outcome.leaks and not outcome.lost:
                continue
            count += 1
            file.write(
                f"## {text.frame} {text.style} {text.modality}, {text.case}\nIN  {text.text!r}\nOUT {outcome.out!r}\n"
            )
            file.writelines(f"LEFT {g.kind}: {text.text[g.start : g.end]!r}\n" for g in outcome.leaks)
            file.writelines(f"LOST {kind or 'word'}: {word!r}\n" for kind, word in outcome.lost)
    return count
