"""A million records in the browser: how long `curate browse` takes to open, filter, turn a page, search, move the cut.

    python -m benchmarks.browse [--records 1000000] [--json results/browse.json]

Milliseconds of the clock, and of CPU (all threads, the asking one too), which other work on the machine does not move.

The run is made of random keys, facts, scores and texts by the steps' own writers, without pictures. Every question goes
over HTTP, with an address that was not requested before, and is timed until the last byte has arrived.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import platform
import resource
import tempfile
import threading
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pyarrow as pa
import yaml

import curate
from benchmarks.reselect import FINDINGS
from curate.export.rules import SelectRules
from curate.export.select import SelectTask
from curate.export.split import SplitRules
from curate.record import DEDUP, FATE, RECORD, Reason, conform
from curate.step import FINISHED, Manifest, Step, commit_part, finish
from curate.storage import commit_marker
from filters.score import DECIMALS
from pipelines.browse.bench import Bench
from pipelines.browse.server import Server
from pipelines.browse.table import Query

PER_PART = 2000
_TEXT = (
    "no acute osseous abnormality the lungs are clear heart size is normal there is a small left pleural effusion "
    "with adjacent atelectasis right upper lobe nodule unchanged since prior examination mediastinal contours stable "
    "tube in good position interval increase mild moderate severe opacity consistent with pneumonia fracture spine"
)
_WORDS = _TEXT.split(" ")


def make_run(folder: Path, records: int) -> None:
    """A finished run of ``records`` random records: index, ingest, dedup, score and select."""
    rng = np.random.default_rng(0)
    raw = rng.bytes(16 * records).hex()
    keys = np.array(sorted(raw[32 * i : 32 * i + 32] for i in range(records)))
    draw = lambda names: np.array(names, dtype=object)[rng.integers(0, len(names), records)]  # noqa: E731
    bad = rng.random(records)
    reasons = np.where(bad < 0.02, Reason.UNDECODABLE.value, None)
    words = np.array(_WORDS, dtype=object)[rng.integers(0, len(_WORDS), (records, 30))]
    facts: dict[str, Any] = {
        "key": keys, "patient": keys, "study": keys, "source": draw(["a", "b"]), "sex": draw(["F", "M", None]),
        "modality": draw(["CR", "CT", "DX", "MR"]), "body_part": draw(["CHEST", "HEAD", "SPINE"]),
        "view": draw(["PA", "AP", "LL", None]), "text": [" ".join(row) for row in words],
        "drop_step": np.where(bad < 0.02, "decode", None), "drop_reason": reasons,
    }  # fmt: skip
    ingested = pa.table({n: pa.array(v, RECORD.field(n).type) for n, v in facts.items()})
    readable = np.flatnonzero(bad >= 0.02)
    is_duplicate = rng.random(len(readable)) < 0.1
    original = np.roll(keys[readable], 1)
    dedup = {
        "key": keys[readable], "partition": (readable // PER_PART).astype(np.int32), "cluster": keys[readable],
        "duplicate_of": np.where(is_duplicate, original, None), "drop_step": np.where(is_duplicate, "dedup", None),
        "drop_reason": np.where(is_duplicate, Reason.NEAR_DUPLICATE_IMAGE.value, None),
    }  # fmt: skip
    unique = readable[~is_duplicate]
    right = rng.random(len(unique))
    scores = {
        n: np.round(right + rng.normal(scale=0.2, size=len(unique)), DECIMALS).astype(np.float32)
        for n in ("dfn", "dfn_b", "dfn_c")
    }
    scored = pa.table({"key": keys[unique], "findings": np.array(FINDINGS)[rng.integers(0, 9, len(unique))], **scores})
    steps = [
        _step(folder, "index", _parts(conform(ingested.drop_columns(["drop_step", "drop_reason"]), FATE))),
        _step(folder, "ingest", _parts(conform(ingested, RECORD))),
        _step(folder, "dedup", [conform(pa.table(dedup), DEDUP)]),
        _step(folder, "score", _parts(scored, np.searchsorted(unique, np.arange(0, records, PER_PART)))),
    ]  # fmt: skip
    _, ingest, deduped, score = (str(folder / "steps" / name) for name in steps)
    task = SelectTask(ingest, deduped, score, SelectRules(by="dfn", keep=0.3), SplitRules(val=0.05, test=0.05))
    steps.append(_step(folder, "select", [pa.concat_tables(task.run(0))]))
    reports = [{"path": str(folder / "none.csv"), "columns": {"text": "text"}}]
    recipe = {"name": "a million", "out": str(folder), "secret": str(folder / "none.key"), "reports": reports}
    recipe |= {"images": [{"name": "a", "path": str(folder)}], "filters": {"dfn": {}}}
    recipe |= {"select": {"by": "dfn", "keep": 0.3}, "split": {"val": 0.05, "test": 0.05}}
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    commit_marker(folder / FINISHED, {"steps": steps})


def _parts(table: pa.Table, begins: Sequence[int] | None = None) -> list[pa.Table]:
    """A part for each partition, whose first rows are ``begins``."""
    starts = range(0, table.num_rows, PER_PART) if begins is None else begins
    return [table.slice(a, b - a) for a, b in pairwise([*starts, table.num_rows])]


def _step(run: Path, name: str, parts: Sequence[pa.Table]) -> str:
    step = Step(name, None, len(parts), {})  # type: ignore[arg-type]
    for i, part in enumerate(parts):
        commit_part(step.folder(run), i, part, 0.0)
    manifest: Manifest = finish(step, run, 0.0)
    return f"{manifest.step}-{manifest.hash}"


def requests_by_topic() -> dict[str, list[str]]:
    """The addresses to request by what they measure, each requested once."""
    records = lambda **query: "/api/records?" + urlencode(query)  # noqa: E731
    return {
        "filter": [records(modality=m, drop_step=s) for m in ("CT", "MR") for s in ("", "dedup", "select")],
        "filter by a score's range": [records(column="dfn", low=x, high=x + 0.1) for x in (0.2, 0.5, 0.8)],
        "sort by a score, first time": [records(sort="dfn_b"), records(sort="dfn_c", order="up")],
        "filter, sorted": [records(sort="dfn_b", finding=f, status="kept") for f in ("mass", "edema", "normal")],
        "page turn": [records(sort="dfn_b", page=p) for p in (1, 2, 1000, 30000)],
        "page turn, filtered": [records(modality="CT", drop_step="", page=p) for p in (1, 2, 500)],
        "search, one word": [records(q=w) for w in ("pneumonia", "fracture", "mediastinal")],
        "search, a phrase": [records(q='"left pleural"'), records(q='"small left"')],
        "search, three words": [records(q="nodule opacity tube"), records(q="heart spine mild")],
        "move the cut": [f"/api/cut?kind=threshold&value={x}" for x in (0.4, 0.55, 0.7)],
        "next to mark": [f"/api/draw?mode={m}" for m in ("random", "subgroup", "near")],
    }


def measure(folder: Path) -> dict[str, Any]:
    """Seconds to open, milliseconds per request (median, worst), peak memory."""
    started = time.perf_counter()
    bench = Bench(curate.open(folder), "a")
    opened = time.perf_counter() - started
    bench.table.find(Query(text="once"))  # waits for the texts
    texts = time.perf_counter() - started
    out: dict[str, Any] = {"opened_s": round(opened, 1), "texts_read_s": round(texts, 1), "ms": {}}
    with Server(bench) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        headers = {"Cookie": f"{server.cookie}={server.token}"}
        for name, addresses in {"start": ["/api/start"], **requests_by_topic()}.items():
            times, spent = [], []
            for address in addresses:
                connection = http.client.HTTPConnection("127.0.0.1", server.port)
                start, before = time.perf_counter(), time.process_time()
                connection.request("GET", address, headers=headers)
                answer = connection.getresponse()
                body = answer.read()
                times.append(1000 * (time.perf_counter() - start))
                spent.append(1000 * (time.process_time() - before))
                if answer.status != 200:
                    raise SystemExit(f"{address}: {body.decode()}")
            timings = {"median": float(np.median(times)), "worst": max(times), "cpu": float(np.median(spent))}
            out["ms"][name] = {n: round(value) for n, value in timings.items()}
            print(f"| {name} | {timings['median']:.0f} | {timings['worst']:.0f} | {timings['cpu']:.0f} |", flush=True)
        server.shutdown()
    out["memory_gb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2)
    return out


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, help="where the run is made, or was made before; else a temporary one")
    parser.add_argument("--json", type=Path, help="write the results here as well")
    args = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.folder or Path(temporary)
        if not (folder / FINISHED).exists():
            make_run(folder, args.records)
        print(f"{args.records:,} records, parts of {PER_PART:,}; {platform.machine()}, {os.cpu_count()} cores\n")
        print("| asked | ms, median | ms, worst | ms of CPU, median |\n|---|---|---|---|")
        results = measure(folder)
    print(
        f"\nopened in {results['opened_s']} s, texts read after {results['texts_read_s']} s, "
        f"{results['memory_gb']} GB at most"
    )
    if args.json:
        args.json.write_text(json.dumps({"records": args.records, "cores": os.cpu_count(), **results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
