"""The results as Markdown, means over seeds with 95 % intervals of Student's t."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks.filters.pool import FAULTS
from filters.compare.outcome import estimate

WANTED = {"mismatch": 0.95, "side": 0.92, "negation": 0.85, "boilerplate": 0.95, "blank": 0.95, "nonradiology": 0.95}


def interval(values: list[float]) -> tuple[float, float]:
    """(mean, half width) over seeds; the half width is nan for one seed."""
    found = estimate(values)
    return found.value, math.nan if found.high is None else found.high - found.value


def said(values: list[float], halves: bool = True) -> str:
    """``0.912 ± 0.010``, without the interval where not ``halves``."""
    mean, half = interval(values)
    half = half if halves else math.nan
    return "–" if math.isnan(mean) else f"{mean:.3f}" + ("" if math.isnan(half) else f" ± {half:.3f}")


def methods(results: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """name -> what each seed found."""
    found: dict[str, list[dict[str, Any]]] = {}
    for seed in results.get("synthetic", {}).values():
        for name, told in seed["methods"].items():
            found.setdefault(name, []).append(told)
    return found


def markdown(results: dict[str, Any]) -> str:
    """All tables that there are results for."""
    makers: tuple[Callable[[dict[str, Any]], Iterator[str]], ...] = (
        _by_fault,
        _poison,
        _mismatches,
        _statements,
        _second_writer,
        _rest,
    )
    return "\n".join(line for make in makers for line in make(results))


def _by_fault(results: dict[str, Any]) -> Iterator[str]:
    if not (found := methods(results)):
        return
    yield "| filter | precision | " + " | ".join(FAULTS) + " | CPU-s |"
    yield "|---|---|" + "---|" * (len(FAULTS) + 1)
    for name, seeds in sorted(found.items(), key=lambda x: -interval([s["precision"] for s in x[1]])[0]):
        cells = [said([s["auroc"][f] for s in seeds if "auroc" in s]) for f in FAULTS]
        cost = interval([s["cpu-s"]["train"] + s["cpu-s"]["score"] for s in seeds if "cpu-s" in s])[0]
        shown = "–" if math.isnan(cost) else f"{cost:.0f}"
        yield f"| {name} | {said([s['precision'] for s in seeds])} | {' | '.join(cells)} | {shown} |"
    yield ""


def _poison(results: dict[str, Any]) -> Iterator[str]:
    seeds = list(results.get("poison", {}).values())
    if not seeds:
        return
    yield "| shuffled texts in the training set | precision of plain DFN |"
    yield "|---|---|"
    for share in seeds[0]:
        yield f"| {float(share):.0%} | {said([s[share] for s in seeds])} |"
    yield ""


def _mismatches(results: dict[str, Any]) -> Iterator[str]:
    for one in results.get("mismatches", {}).values():
        for name, modes in one.items():
            for mode, kinds in modes.items():
                columns = list(dict.fromkeys(n for told in kinds.values() for t in told for n in t["auroc"]))
                yield f"{name}, {'a clean set' if mode == 'clean' else 'no clean set'}"
                yield ""
                heads = [*columns, "over the best other", "right", "said", "ECE", "precision refused", "CPU-s"]
                yield f"| deranged | {' | '.join(heads)} |"
                yield "|---|" + "---|" * len(heads)
                for kind, told in kinds.items():
                    cells = [said([t["auroc"][n] for t in told if n in t["auroc"]], halves=False) for n in columns]
                    right = [said([t["right"][k] for t in told], halves=False) for k in ("true", "said")]
                    reasons = [t["uncalibrated"] for t in told if "uncalibrated" in t]  # earlier results do not say
                    refused = f"{len(reasons) - reasons.count(None)} of {len(reasons)}" if reasons else "–"
                    cost = f"{told[0]['cpu-s']['judges']:.0f}"
                    rest = [said([t["ece"] for t in told], False), refused, cost]
                    yield f"| {kind} | {' | '.join([*cells, _over(told), *right, *rest])} |"
                yield ""


def _second_writer(results: dict[str, Any]) -> Iterator[str]:
    seeds = list(results.get("second-writer", {}).values())
    if not seeds:
        return
    faults = list(next(iter(seeds[0]["methods"].values()))["auroc"])
    yield f"| filter | {' | '.join(faults)} | CPU-s |"
    yield "|---|" + "---|" * (len(faults) + 1)
    for name in seeds[0]["methods"]:
        cells = [said([s["methods"][name]["auroc"][f] for s in seeds]) for f in faults]
        yield f"| {name} | {' | '.join(cells)} | {interval([s['methods'][name]['cpu-s'] for s in seeds])[0]:.0f} |"
    yield ""


def _statements(results: dict[str, Any]) -> Iterator[str]:
    for one in results.get("statements", {}).values():
        kinds = list(one)
        yield f"| filter | {' | '.join(kinds)} |"
        yield "|---|" + "---|" * len(kinds)
        for name in one[kinds[0]]:
            cells = (f"{one[k][name]['share']:.3f} ± {1.96 * one[k][name]['error']:.3f}" for k in kinds)
            yield f"| {name} | {' | '.join(cells)} |"
        first = next(iter(one[kinds[0]]))
        counts = (f"{one[k][first]['statements']} of {one[k][first]['pictures']}" for k in kinds)
        yield f"| statements, pictures | {' | '.join(counts)} |"
        yield ""


def _over(told: list[dict[str, Any]]) -> str:
    """The mean difference with a 95 % interval: that of cases drawn again, and that of plantings, together."""
    mean, half = interval([t["over best"]["mean"] for t in told])
    cases = float(np.sqrt(np.mean([t["over best"]["error"] ** 2 for t in told])))
    whole = math.sqrt((1.96 * cases) ** 2 + (0.0 if math.isnan(half) else half) ** 2)
    return f"{mean:+.3f} ± {whole:.3f}"


def _rest(results: dict[str, Any]) -> Iterator[str]:
    for rate in results.get("rate", {}).values():
        whole, share = rate["end to end"], rate["share"]
        yield f"Scoring on one CPU: {whole:.0f} pairs/s end to end, {share:.1%} of the model alone."
    for one in results.get("reselect", {}).values():
        for name, row in one.items():
            yield f"Over a million scores, {name}: {row['seconds']} s ({row['kept']:,} kept)."
