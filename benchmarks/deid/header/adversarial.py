"""Adversarial headers: which of the cases leak, which lose their pixels, in our release and in the peers'.

A case leaks where any planted string or blob is in any output file (`plant.survivors`), or where something still
shows in the bits above those stored. A case that a tool withholds (quarantines, refuses, fails on) does not leak; the
cases withheld although nothing about the kind of file asks for it are counted, since a tool that passes nothing leaks
nothing.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.deid import ours, peers
from benchmarks.deid.header.cases import ALL, make
from benchmarks.deid.header.cases.build import Built
from benchmarks.deid.plant import Ledger, pixels_of, survivors

_STORED = 0x0FFF  # every case with spare bits has 12 stored ones


def measure(names: list[str], installed: list[peers.Peer], cache: Path) -> dict[str, Any]:
    """{"cases": n, "tools": {tool: {"leaking", "withheld", "clean", "pixels changed", "leaks": {case: [..]}, ...}}}"""
    made = {name: make(name) for name in names or ALL}
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "in"
        for name, (built, _) in made.items():
            for file, data in built.files.items():
                path = source / name / file
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
        tools = {ours.NAME: _judge(made, _ours(made, source, ours.DEFAULT))}
        tools[f"{ours.NAME}, reports and unknown classes too"] = _judge(made, _ours(made, source, ours.REPORTS_TOO))
        for peer in installed:
            target = Path(folder) / peer.module
            status = peers.drive(peer, cache, source, target)
            tools[peer.name] = _judge(made, _theirs(made, target, status))
    return {"cases": len(made), "tools": tools}


Ends = dict[str, dict[str, tuple[bytes | None, str]]]  # case -> file -> output, or why there is none


def _ours(made: dict[str, tuple[Built, Ledger]], source: Path, rules: Any) -> Ends:
    ends: Ends = {}
    for name, (built, _) in made.items():
        for file in built.files:
            done = ours.clean(source / name / file, rules)
            why = f"EXCEPTION {done.error} at {done.where}" if done.outcome is None else str(done.outcome.reason or "")
            found = " ".join(done.outcome.findings) if done.outcome else ""
            ends.setdefault(name, {})[file] = (done.outcome.data if done.outcome else None, f"{why} {found}".strip())
    return ends


def _theirs(made: dict[str, tuple[Built, Ledger]], target: Path, status: dict[str, dict[str, object]]) -> Ends:
    ends: Ends = {}
    for name, (built, _) in made.items():
        for file in built.files:
            path, error = target / name / file, status[f"{name}/{file}"]["error"]
            data = path.read_bytes() if path.exists() and not error else None
            ends.setdefault(name, {})[file] = (data, str(error or ""))
    return ends


def _judge(made: dict[str, tuple[Built, Ledger]], ends: Ends) -> dict[str, Any]:
    leaks: dict[str, list[str]] = {}
    withheld: dict[str, str] = {}
    changed: list[str] = []
    exceptions = 0
    for name, (built, ledger) in made.items():
        outputs = {file: data for file, (data, _) in ends[name].items() if data is not None}
        found = survivors(list(outputs.values()), ledger)
        if built.spare_bits and any(_spare(data) for data in outputs.values()):
            found.append("bits above those stored")
        if found:
            leaks[name] = found
        whys = [why for data, why in ends[name].values() if data is None]
        exceptions += sum(why.startswith("EXCEPTION") for why in whys)
        if whys:
            withheld[name] = "; ".join(whys)
        if built.pixels and any(_changed(built, file, data) for file, data in outputs.items()):
            changed.append(name)
    needless = [n for n in withheld if not made[n][0].withhold]
    return {
        "leaking": len(leaks),
        "leaking what the case is about": sum(bool(set(found) - made[n][1].everywhere) for n, found in leaks.items()),
        "clean": sum(n not in leaks and n not in withheld and n not in changed for n in made),
        "withheld": len(withheld),
        "withheld without need": len(needless),
        "pixels changed": len(changed),
        "unhandled exceptions": exceptions,
        "leaks": leaks,
        "reasons": withheld,
        "changed": changed,
    }


def _spare(data: bytes) -> bool:
    pixels = pixels_of(data)
    return pixels is not None and bool((pixels.astype(np.int64) & 0xFFFF & ~_STORED).any())


def _changed(built: Built, file: str, data: bytes) -> bool:
    """Does an output decode to other pixels than its source, where that decodes?"""
    before, after = pixels_of(built.files[file]), pixels_of(data)
    if before is None:
        return False
    if after is None or after.shape != before.shape:
        return True
    if built.spare_bits:
        before, after = before & _STORED, after & _STORED
    return not np.array_equal(before, after)
