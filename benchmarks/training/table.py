"""The results as Markdown: what was wanted, what was measured, with 95 % intervals of Student's t over seeds."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.training.answers import Name, cells_of, enough, gap, rows
from benchmarks.training.induced import KINDS, NATURAL, OURS_KIND, POOLED, PRIMARY, SETS, VQA
from benchmarks.training.synthetic import SAME
from filters.compare.outcome import ALL, Estimate, estimate

_RATIO, _PARITY, _GAP, _BUDGET, _WAITING = 0.95, 1e-5, 0.95, 0.25, 0.01
SYNTHETIC: dict[str, Name] = {
    "R@10": (SAME, "retrieval", "r10"),
    "R@1": (SAME, "retrieval", "r1"),
    "findings, AUROC": (SAME, "findings", "auroc"),
    "side": (SAME, "side", "preferred"),
}
HEADLINE = "R@10"
Results = dict[str, Any]
Line = tuple[str, str, str, bool | None]


def markdown(results: Results) -> str:
    """The promises, then every selection's numbers, as far as there are results."""
    makers: tuple[Callable[[Results], Iterator[Line]], ...] = (_loader, _steps, _parity, _paid)
    promised = [line for make in makers for line in make(results)]
    lines = ["| what | wanted | measured | reached |", "|---|---|---|---|"] if promised else []
    for what, wanted, measured, reached in promised:
        lines.append(f"| {what} | {wanted} | {measured} | {'–' if reached is None else 'yes' if reached else 'no'} |")
    tables = [_selections("Synthetic pool", cells_of(results, "synthetic"), SYNTHETIC)]
    tables += [_pooled(results), _ours(results), _by_set(results)]
    return "\n".join(lines + [line for part in tables for line in part])


def said(found: Estimate, digits: int = 3) -> str:
    """``0.912 [0.902, 0.922]``; no interval for one seed."""
    if math.isnan(found.value):
        return "–"
    shown = f"{found.value:.{digits}f}"
    return shown if found.low is None else f"{shown} [{found.low:.{digits}f}, {found.high:.{digits}f}]"


def _loader(results: Results) -> Iterator[Line]:
    for told in results.get("loader", {}).values():
        for case, rates in told.items():
            ratio = rates["ratio"]
            yield f"loader against webdataset, {case}", f"≥ {_RATIO}", f"{ratio:.2f}", ratio >= _RATIO


def _steps(results: Results) -> Iterator[Line]:
    for told in results.get("steps", {}).values():
        for arch, row in told.items():
            what = f"share of a step spent waiting for data, {arch}, batches of {row['batch']}, two workers"
            yield what, f"≤ {_WAITING:.0%}", f"{row['waiting']:.2%}", row["waiting"] <= _WAITING


def _parity(results: Results) -> Iterator[Line]:
    for told in results.get("parity", {}).values():
        for what, apart in told.items():
            exact = what.startswith("weights")
            reached = apart == 0 if exact else apart < _PARITY
            yield f"difference: {what}", "0" if exact else f"< {_PARITY:g}", f"{apart:.1e}", reached


def _paid(results: Results) -> Iterator[Line]:
    cells = cells_of(results, "synthetic")
    if not cells:
        return
    for title, name in SYNTHETIC.items():
        found, promised = gap(cells, name), title == HEADLINE
        what = f"synthetic pool, ours on the way from all to oracle, {title}"
        yield what, f"≥ {_GAP}" if promised else "", said(found, 2), found.value >= _GAP if promised else None
    for title, name in SYNTHETIC.items():
        least, promised = enough(cells, name), title == HEADLINE
        what = f"synthetic pool, samples with which ours equals all, {title}"
        shown = "more than were tried" if least is None else f"{least:.0%}"
        reached = (least is not None and least <= _BUDGET) if promised else None
        yield what, f"≤ {_BUDGET:.0%}" if promised else "", shown, reached


def _selections(title: str, cells: list[dict[str, Any]], names: dict[str, Name]) -> Iterator[str]:
    """A table of every selection; in brackets the interval, after it the difference to all, where it is certain."""
    found = {name: told for name, at in names.items() if (told := rows(cells, at))}
    if not found:
        return
    yield ""
    yield f"| {title} | right | {' | '.join(found)} |"
    yield "|---|---|" + "---|" * len(found)
    for place, row in enumerate(next(iter(found.values()))):
        right = [c["right"] for c in cells if c["selection"] == row.selection and c["budget"] == 1]
        cols = [told[place] for told in found.values()]
        shown = " | ".join(said(r.estimate) + _against_all(r.gain) for r in cols)
        yield f"| {row.selection} | {sum(right) / len(right):.0%} | {shown} |"


def _pooled(results: Results) -> Iterator[str]:
    """Gains over all, the mean over the sets of real pairs, and their share of the oracle's."""
    for one in results.get("real", {}).values():
        gains = {kind: one[kind][POOLED][PRIMARY] for kind in KINDS if kind in one}
        names = list(dict.fromkeys(name for told in gains.values() for name in told if name != ALL))
        yield ""
        heads = [f"{kind}, {one[kind]['seeds']} seeds" for kind in gains]
        yield f"| {PRIMARY} | {' | '.join(heads)} |"
        yield "|---|" + "---|" * len(gains)
        means = [f"{told[ALL]['mean']:.3f}" for told in gains.values()]
        yield f"| {ALL} | {' | '.join(means)} |"
        for name in names:
            yield f"| {name} | {' | '.join(_gain(told.get(name)) for told in gains.values())} |"


def _ours(results: Results) -> Iterator[str]:
    """`OURS` beside the others, on the seeds that were asked of it: AUROC against exchanged pairs, and gains."""
    for one in (found["ours"] for found in results.get("real", {}).values() if "ours" in found):
        yield ""
        yield f"| {OURS_KIND}, {one['seeds']} seeds | {' | '.join(f'{n}, AUROC | {n}, gain' for n in one['auroc'])} |"
        yield "|---|" + "---|" * 2 * len(one["auroc"])
        for by in next(iter(one[name][PRIMARY] for name in one["auroc"])):
            cells = []
            for name, aurocs in one["auroc"].items():
                cells += [said(estimate(aurocs[by])) if by in aurocs else "–", _gain(one[name][PRIMARY].get(by))]
            yield f"| {by} | {' | '.join(cells)} |"


def _by_set(results: Results) -> Iterator[str]:
    """Every measure of every set: the gain over all; and how well the sets' own faults are found."""
    for one in results.get("real", {}).values():
        for kind in (kind for kind in KINDS if kind in one):
            for name, measures in one[kind].items():
                for measure, told in measures.items() if name in (*SETS, VQA) else ():
                    shown = "; ".join(f"{n} {_gain(g)}" for n, g in told.items() if n != ALL)
                    yield f"{kind}, {name}, {measure}: all {told[ALL]['mean']:.3f}; {shown}"
        for name, told in one.get(NATURAL, {}).get("own faults", {}).items():
            yield f"own faults of {name}, AUROC: " + "; ".join(f"{n} {said(estimate(v))}" for n, v in told.items())


def _gain(found: dict[str, Any] | None) -> str:
    if found is None or "gain" not in found:
        return "–"
    shown = f"{found['gain']:+.3f} [{found['low']:+.3f}, {found['high']:+.3f}]"
    share = found.get("of the oracle's")
    return shown if share is None else f"{shown}, {share[0]:.0%} [{share[1]:.0%}, {share[2]:.0%}]"


def _against_all(gain: Estimate | None) -> str:
    """The difference to the unfiltered pool, seed by seed."""
    if gain is None or gain.low is None:
        return ""
    return f" ({gain.value:+.3f})" if gain.certain else f" ({gain.value:+.3f}, within noise)"
