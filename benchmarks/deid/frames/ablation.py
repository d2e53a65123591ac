"""Single rules of the text scrubber switched off: what is left and what is lost more by it, counts alone.

    python -m benchmarks.deid.frames.ablation [--every 1] [--only clock]

A rule finds nothing, goes without its check, or a predicate always says the same: tried on the writers' texts and dev
frames where it acts. The tagger was fitted to the former and makes good what it has seen: so also told without it.
"""

from __future__ import annotations

import argparse
import inspect
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.deid.frames import fillings, marked, score
from benchmarks.deid.frames.fillings import Text
from curate.deid.patterns.prefilter import Rule
from curate.deid.text import revision

_ROOT = Path(__file__).parents[3]
_FIT = _ROOT / "benchmarks" / "deid" / "fit"
Switch = tuple[Any, str, Any]  # of what, which attribute, is what instead


def switches() -> dict[str, Switch]:
    """Rules by the module and the table that first holds them; private functions that say yes or no."""
    found, rules, deid = dict[str, Switch](), set[Rule](), _ROOT / "curate" / "deid"
    for path in (p for room in ("patterns", "text", "known") for p in sorted((deid / room).glob("[a-z]*.py"))):
        stem, module = path.stem, import_module(f"curate.deid.{path.parent.name}.{path.stem}")
        for name, value in vars(module).items():
            for n, one in enumerate(value if isinstance(value, tuple) else (value,)):
                if isinstance(one, Rule) and one not in rules:
                    rules.add(one)
                    found[f"{stem}.{name}[{n}] off"] = (one, "pattern", re.compile(r"(?!)"))
                    if one.check is not None:
                        found[f"{stem}.{name}[{n}] unchecked"] = (one, "check", None)
            if inspect.isfunction(value) and value.__module__ == module.__name__ and name.startswith("_is_"):
                for always in (False, True):
                    found[f"{stem}.{name} {always}"] = (module, name, lambda *_, always=always, **__: always)
    return found


def _set(of: Any, name: str, value: Any) -> None:
    object.__setattr__(of, name, value) if isinstance(of, Rule) else setattr(of, name, value)


@contextmanager
def switched(*switches: Switch) -> Iterator[None]:
    with ExitStack() as after:
        for of, name, value in switches:
            after.callback(_set, of, name, getattr(of, name))
            _set(of, name, value)
        yield


def acting(found: dict[str, Switch], texts: Sequence[Text]) -> dict[str, list[int]]:
    """On which texts a switch could change anything: its rule finds, its check refuses, its predicate answers other."""
    did, now = {name: dict[int, None]() for name in found}, [0]
    names, find = {of: name for name, (of, _, _) in found.items() if name.endswith(" off")}, Rule.find

    def watch_find(rule: Rule, index: Any) -> list[re.Match[str]]:
        hits = list(find(rule, index))
        for hit in hits:
            kept = rule.check is None or rule.check(hit)
            did[names[rule] if kept else names[rule].replace(" off", " unchecked")][now[0]] = None
        return hits

    def watched(name: str, predicate: Callable[..., bool], *args: Any, **kwargs: Any) -> bool:
        answer = bool(predicate(*args, **kwargs))
        did[f"{name} {not answer}"][now[0]] = None
        return answer

    predicates = [(n.removesuffix(" False"), *s[:2]) for n, s in found.items() if n.endswith(" False")]
    watches = [(of, name, partial(watched, n, getattr(of, name))) for n, of, name in predicates]
    with switched((Rule, "find", watch_find), *watches):
        for now[0], text in enumerate(texts):
            score.run([text])
    return {name: [*which] for name, which in did.items()}


def scored(texts: Sequence[Text]) -> list[tuple[set[Any], Counter[Any]]]:
    """(what of the gold stayed, which words went) of each text."""
    return [(set(o.leaks), Counter(o.lost)) for o in score.run(texts)] if texts else []


def more(before: Any, after: Any) -> list[int]:
    """[left more, left less, words lost more, lost less] over the texts."""
    pairs = [*zip(after, before, strict=True)]
    left = [sum(len(x[0] - y[0]) for x, y in pairs), sum(len(y[0] - x[0]) for x, y in pairs)]
    return [*left, sum((x[1] - y[1]).total() for x, y in pairs), sum((y[1] - x[1]).total() for x, y in pairs)]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--every", type=int, default=1, help="every n-th text")
    parser.add_argument("--only", default="", help="switches whose names match this pattern")
    given = parser.parse_args()
    texts = [t for f in sorted(_FIT.glob("train_*.jsonl")) for t in marked.read(f)] + list(fillings.render("dev", 1))
    texts, found = texts[:: given.every], switches()
    without: Switch = (revision, "revised", lambda tokens, masked, *_: (list(masked), []))
    with_tagger = scored(texts)
    with switched(without):
        alone = scored(texts)
    print("texts, left more, less, lost more, less; without the tagger left more, less, lost more, less")
    for name, which in ((n, w) for n, w in acting(found, texts).items() if re.search(given.only, n)):
        chosen = [texts[i] for i in which]
        with switched(found[name]):
            first = more([with_tagger[i] for i in which], scored(chosen))
            with switched(without):
                second = more([alone[i] for i in which], scored(chosen))
        print(len(which), *first, *second, name, sep="\t", flush=True)


if __name__ == "__main__":
    main()
