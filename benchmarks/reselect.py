"""Choosing again: another cut on a million scored keys, from the parts on disk through `SelectTask`; no image is read.

    python -m benchmarks.reselect [--records 1000000] [--json results/reselect.json]

The archive is made of random keys, scores and facts in parts of a run's shape (500 records each); its image column is
left out of the ingest parts, so a read of one would fail. Each row is one selection, timed after the first, which also
makes the narrow copies; a second figure for rows in another order than the keys' shows what the order is worth.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from curate.export.rules import Floor, SelectRules
from curate.export.select import SelectTask
from curate.export.split import SplitRules
from curate.intact import part_path
from curate.record import DEDUP, RECORD, conform

PER_PART = 500
FINDINGS = ("atelectasis", "cardiomegaly", "consolidation", "edema", "effusion", "fracture", "mass", "nodule", "normal")
RULES = {
    "top 20 %": SelectRules(by="dfn", keep=0.2),
    "top 15 %": SelectRules(by="dfn", keep=0.15),
    "threshold": SelectRules(by="dfn", threshold=0.7),
    "expected precision 0.8": SelectRules(by="ours", precision=0.8),
    "two columns, a third must agree": SelectRules(keep=0.2, by={"dfn": 1, "ours": 2}, all_of={"text": 0.9}),
    "1,000 a concept": SelectRules(by="dfn", keep=0.2, cap=1000),
    "balanced over findings": SelectRules(by="dfn", keep=0.2, balance=0.5),
    "floor over findings and views": SelectRules(by="dfn", keep=0.2, floor=Floor(("finding", "view"), 0.1)),
    "drawn up to three times": SelectRules(by="dfn", keep=0.2, repeats=3),
    "all of these": SelectRules(
        keep=0.2, by={"dfn": 1, "ours": 2}, all_of={"text": 0.9}, cap=1000, balance=0.5, repeats=3,
        floor=Floor(("finding", "view", "age_band"), 0.1),
    ),
}  # fmt: skip


def archive(folder: Path, records: int) -> SelectTask:
    """Ingest, dedup and score parts of ``records`` random records; the task over them, keeping everything."""
    rng = np.random.default_rng(0)
    keys = sorted({rng.bytes(16).hex() for _ in range(records)})
    n = len(keys)
    patients = np.array([rng.bytes(16).hex() for _ in range(n // 3 + 1)])
    draw = lambda names: np.array(names)[rng.integers(0, len(names), n)]  # noqa: E731
    facts = {"key": keys, "patient": patients[rng.integers(0, len(patients), n)], "sex": draw(["F", "M"])}
    facts |= {"modality": draw(["CR", "CT", "DX", "MR"]), "body_part": draw(["CHEST", "HEAD"]), "source": draw(["a"])}
    facts |= {"view": draw(["PA", "AP", "LL"]), "age": rng.integers(0, 91, n).astype(np.int16)}
    fields = [f for f in RECORD if f.name in facts]
    table = pa.table([pa.array(facts[f.name], f.type) for f in fields], schema=pa.schema(fields))
    concepts = [
        ";".join(sorted({f"{a}@{s}", b})) for a in FINDINGS for s in ("left", "right", "both") for b in FINDINGS
    ]
    chances = np.sort(rng.pareto(1.0, len(concepts)))[::-1]
    findings = pa.array(np.array(concepts)[rng.choice(len(concepts), n, p=chances / chances.sum())])
    right = rng.random(n)
    scores = {c: right + rng.normal(scale=0.2, size=n) for c in ("dfn", "ours", "text")}
    scores["ours"] = np.clip(scores["ours"], 0, 1)
    scored = pa.table({"key": keys, **{c: pa.array(v, pa.float32()) for c, v in scores.items()}, "findings": findings})
    for name, rows in (("ingest", table), ("score", scored)):
        (folder / name).mkdir()
        for i in range(-(-n // PER_PART)):
            pq.write_table(rows.slice(i * PER_PART, PER_PART), part_path(folder / name, i), compression="zstd")
    (folder / "dedup").mkdir()
    deduplicated = pa.table({"key": keys, "partition": pa.array(np.arange(n) // PER_PART, pa.int32())})
    pq.write_table(conform(deduplicated, DEDUP), part_path(folder / "dedup", 0), compression="zstd")
    folders = (str(folder / name) for name in ("ingest", "dedup", "score"))
    ingest, dedup, score = folders
    return SelectTask(ingest, dedup, score, SelectRules(by="dfn"), SplitRules())


def measure(folder: Path, records: int, rounds: int) -> list[dict[str, object]]:
    """One row a rule: the best and the worst of ``rounds`` end to end, in seconds and of CPU, and how many are kept."""
    task = archive(folder, records)
    out: list[dict[str, object]] = []
    for name, rules in {"top 20 %, the first time": RULES["top 20 %"], **RULES}.items():
        selection = SelectTask(task.ingest, task.dedup, task.scores, rules, task.splits)
        times, work = [], []
        for _ in range(1 if "first" in name else rounds):
            start, cpu_start = time.perf_counter(), time.process_time()
            table = pa.concat_tables(selection.run(0))
            times.append(time.perf_counter() - start)
            work.append(time.process_time() - cpu_start)
        selected = table.num_rows - len(table["drop_reason"].drop_null())
        row = {"selection": name, "seconds": round(min(times), 2), "worst": round(max(times), 2)}
        out.append(row | {"cpu_seconds": round(min(work), 2), "kept": selected})
        print(f"| {name} | {row['seconds']} | {row['worst']} | {min(work):.2f} | {selected:,} |", flush=True)
    return out


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the results here as well")
    args = parser.parse_args(arguments)
    print(f"{args.records:,} records, parts of {PER_PART}; {platform.machine()}, {os.cpu_count()} cores\n")
    print("| selection | s, best | s, worst | cpu s, best | kept |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(Path(folder), args.records, args.rounds)
    if args.json:
        results = {"records": args.records, "cores": os.cpu_count(), "selections": rows}
        args.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
