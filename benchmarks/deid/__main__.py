"""Every number that `curate deid` promises, measured in one run: headers, files, burned-in text, notes, speed, key.

    python -m benchmarks.deid [--quick] [--only NAME,NAME] [--no-peers] [--data FOLDER] [--out FILE] [--plot FILE]

The peers (dicom-anonymizer, dicognito, deid, presidio-analyzer) are installed into environments of their own under
~/.cache/radsift-bench (or $RADSIFT_BENCH_CACHE) and see the same files in the same run. --data names a folder holding
`dicom` and `deid/text`; without it a `shared/data` folder beside the checkout, and without that those parts see only
the files that come with pydicom. With --only, files are written only where --out or --plot names
one. A standard run takes about 20 minutes on two cores, --quick about 3.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.deid import burnin, peers, plot, speed, table
from benchmarks.deid.frames import fillings
from benchmarks.deid.header import adversarial, answer_key
from benchmarks.deid.languages import detector
from benchmarks.deid.notes import recall, surrogates
from benchmarks.deid.public import dicom, in_sample, meaning, text
from benchmarks.deid.verifier import __main__ as verifier
from benchmarks.deid.verifier import chance

_RESULTS, _PLOT = Path("benchmarks/results/deid.json"), Path("docs/images/deid.svg")
_BESIDE = Path(__file__).resolve().parents[3] / "shared" / "data"


@dataclass(frozen=True)
class Run:
    """What a part is told."""

    quick: bool
    data: Path | None
    peers: list[peers.Peer]
    with_peers: bool
    cache: Path
    seed: int


def _speed(run: Run) -> dict[str, Any]:
    files, repeats, total = (20, 3, 500) if run.quick else (60, 5, 10_000)
    return {**speed.measure(run.peers, run.cache, files, repeats), "memory": speed.memory(total)}


def _later(split: str, run: Run) -> dict[str, Any]:
    return {**fillings.measure(2 if run.quick else 12, split), "meaning": meaning.of_frames(split, 2)}


def _public(run: Run) -> dict[str, Any]:
    return text.measure(run.data, 100 if run.quick else 0) if run.data else {}


PARTS: dict[str, Callable[[Run], dict[str, Any]]] = {
    "headers": lambda run: adversarial.measure([], run.peers, run.cache),
    "speed": _speed,
    "burnin": lambda run: burnin.measure(run.peers, run.cache),
    "text": lambda run: recall.measure(200 if run.quick else 1000, run.seed, run.with_peers, run.cache),
    "frames": lambda run: fillings.measure(2 if run.quick else 12, "dev", "test"),
    "fresh": lambda run: _later("fresh", run),
    "third": lambda run: _later("third", run),
    "fourth": lambda run: _later("fourth", run),
    "meaning": lambda run: meaning.measure(run.data, 100 if run.quick else 0),
    "in_sample": lambda run: in_sample.measure(run.data),
    "languages": lambda run: detector.measure(run.data, 2 if run.quick else 12),
    "verifier": lambda run: verifier.measure(run.data, 60 if run.quick else 200, run.seed),
    "chance": lambda run: chance.measure(run.data, 200 if run.quick else 600),
    "surrogates": lambda run: surrogates.measure(run.data, 60 if run.quick else 200, run.seed, 0.01),
    "answer_key": lambda run: answer_key.measure(25 if run.quick else 150, 40 if run.quick else 120),
    "public_text": _public,
    "real": lambda run: dicom.measure(run.data, min(2, os.cpu_count() or 1), 40 if run.quick else 0),
}


def main() -> None:
    """Run the parts, print the table, write JSON and plot."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer files and notes, about 3 minutes")
    parser.add_argument("--only", nargs="*", type=_names, default=[], help=f"only these parts of {', '.join(PARTS)}")
    parser.add_argument("--peers", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--data", type=Path, default=_BESIDE if _BESIDE.is_dir() else None)
    parser.add_argument("--out", type=Path, help="default: benchmarks/results/deid.json")
    parser.add_argument("--plot", type=Path, help="default: docs/images/deid.svg")
    parser.add_argument("--seed", type=int, default=20261122, help="of the notes")
    chosen = parser.parse_args()
    names = list(dict.fromkeys(n for some in chosen.only for n in some)) or list(PARTS)
    if not chosen.only:
        chosen.out, chosen.plot = chosen.out or _RESULTS, chosen.plot or _PLOT
    warnings.simplefilter("ignore")
    cache = peers.default_cache()
    why = {p.name: peers.install(p, cache) for p in peers.DICOM_PEERS} if chosen.peers else {}
    installed = [p for p in peers.DICOM_PEERS if chosen.peers and not why[p.name]]
    run = Run(chosen.quick, chosen.data, installed, chosen.peers, cache, chosen.seed)
    results: dict[str, Any] = {"machine": machine(), "quick": chosen.quick, "peers": why, "seconds": {}}
    for name in names:
        start = time.perf_counter()
        results[name] = PARTS[name](run)
        results["seconds"][name] = round(time.perf_counter() - start, 1)
        if chosen.out:
            _write(chosen.out, json.dumps(results, indent=1) + "\n")  # what is measured stays, should a later part fail
        print(f"{name}: {results['seconds'][name]} s", flush=True)
    print(table.markdown(results))
    if chosen.plot:
        _write(chosen.plot, plot.svg(results))
    print("written:", chosen.out or "nothing", chosen.plot or "")


def _names(argument: str) -> list[str]:
    """ "frames,meaning" -> the two names."""
    found = [n for n in argument.split(",") if n]
    if not all(n in PARTS for n in found):
        raise argparse.ArgumentTypeError(f"no such part in {argument}; there are {', '.join(PARTS)}")
    return found


def _write(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")


def machine() -> str:
    """What this ran on."""
    return f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"


if __name__ == "__main__":
    main()
