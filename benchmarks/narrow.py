"""Select and shard plan on narrow tables alone, as many keys as the disk holds: CPU, clock and memory of each.

`append` is the plan once more, as the continuation of one that knew all but every hundredth record.

    python -m benchmarks.narrow [--records 1000000 10000000] [--per-partition 10000] [--out results/narrow.json]

Ingest, dedup and score parts of a run's shape without payloads, some 85 bytes a record: random keys in their order, a
patient for five records, the facts that subgroups are made of, one score; a fifth was dropped by dedup. Each step is a
process of its own that writes its part as a run does; MiB is its peak, imports (110) included.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from curate.export.plan import PlanTask
from curate.export.rules import SelectRules
from curate.export.select import SelectTask
from curate.export.split import SplitRules
from curate.intact import part_path
from curate.step import commit_part

STEPS = ("select", "plan", "append")
_HEX = np.frombuffer(b"0123456789abcdef", np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, nargs="+", default=[1_000_000, 10_000_000])
    parser.add_argument("--per-partition", type=int, default=10_000)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/narrow.json"))
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)  # a step and its place: a process of its own
    args = parser.parse_args()
    if args.one:
        print(json.dumps(measure(args.one[0], Path(args.one[1]), args.records[0])))
        return
    rows = []
    for n in args.records:
        with tempfile.TemporaryDirectory() as folder:
            make(Path(folder), n, args.per_partition)
            for step in STEPS:
                if step == "append":
                    earlier_plan(Path(folder))
                command = [sys.executable, "-m", "benchmarks.narrow", "--one", step, folder, "--records", str(n)]
                rows.append(json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout))
                print("  ".join(f"{name} {value}" for name, value in rows[-1].items()), flush=True)
    machine = {"machine": f"{os.uname().machine}, {os.cpu_count()} CPUs", "per_partition": args.per_partition}
    args.out.write_text(json.dumps({**machine, "rows": rows}, indent=2) + "\n")


def make(folder: Path, n: int, per_partition: int) -> None:
    """What `ingest`, `dedup` and `score` leave of n records, in so many a part."""
    rng, step = np.random.default_rng(0), 2**64 // n
    for name in ("ingest", "dedup", "score"):
        (folder / name).mkdir()
    names = ("key", "drop_step", "drop_reason")
    schema = pa.schema([("partition", pa.int32()), *((name, pa.string()) for name in names)])
    with pq.ParquetWriter(
        part_path(folder / "dedup", 0), schema, compression="zstd", write_page_checksum=True
    ) as dedup:
        for part, at in enumerate(range(0, n, per_partition)):
            m = min(per_partition, n - at)
            rows = np.arange(at, at + m, dtype=np.uint64)
            keys = _hex(rows * np.uint64(step) + rng.integers(0, step, m, dtype=np.uint64), rng.integers(0, 2**63, m))
            patient = (rows // np.uint64(5)) * np.uint64(0x9E3779B97F4A7C15)
            facts = {"modality": "CT", "body_part": "CHEST", "view": None, "source": "archive", "official_split": None}
            columns = {name: pa.array([value] * m, pa.string()) for name, value in facts.items()}
            columns |= {"key": keys, "patient": _hex(patient, patient), "sex": pa.array((["F", "M"] * m)[:m])}
            columns |= {"age": pa.array(rng.integers(0, 90, m), pa.float32())}
            _write(part_path(folder / "ingest", part), columns)
            scores = {"key": keys, "findings": pa.array(["effusion@left"] * m), "dfn": rng.random(m, np.float32)}
            _write(part_path(folder / "score", part), scores)
            reasons = pa.array(np.where(rng.random(m) < 0.2, "near_duplicate_image", None), pa.string())
            dropped = [np.full(m, part, np.int32), keys, pa.nulls(m, pa.string()), reasons]
            dedup.write_table(pa.table(dropped, schema=schema))


def earlier_plan(folder: Path) -> None:
    """The plan without every hundredth of its records, which are new to it."""
    (folder / "before").mkdir()
    plan = pq.ParquetFile(part_path(folder / "plan", 0))
    with pq.ParquetWriter(part_path(folder / "before", 0), plan.schema_arrow, write_page_checksum=True) as before:
        for batch in plan.iter_batches():
            before.write_batch(batch.filter(pa.array(np.arange(batch.num_rows) % 100 != 0)))


def _hex(high: npt.NDArray[Any], low: npt.NDArray[Any]) -> pa.Array:
    """32 hex digits a row."""
    raw = np.stack([high, low.astype(np.uint64)], 1).astype(">u8").view(np.uint8).reshape(len(high), 16)
    digits = np.stack([_HEX[raw >> 4], _HEX[raw & 15]], 2)
    ends = np.arange(0, 32 * len(high) + 1, 32, dtype=np.int32)
    return pa.Array.from_buffers(pa.string(), len(high), [None, pa.py_buffer(ends), pa.py_buffer(digits.tobytes())])


def _write(path: Path, columns: dict[str, Any]) -> None:
    pq.write_table(pa.table(columns), path, compression="zstd", write_page_checksum=True)


def measure(step: str, folder: Path, n: int) -> dict[str, Any]:
    """One step's part written, and a digest of it."""
    where = [str(folder / name) for name in ("dedup", "score", "select")]
    rules = SelectRules(by="dfn", keep=0.5)
    tasks = {"select": SelectTask(str(folder / "ingest"), where[0], where[1], rules, SplitRules())}
    tasks |= {"plan": PlanTask(where[2], 1000), "append": PlanTask(where[2], 1000, str(folder / "before"))}
    before, clock = time.process_time(), time.monotonic()
    rows = commit_part(folder / step, 0, tasks[step].run(0), 0)
    row = {"step": step, "records": n, "rows": rows, "CPU-s": round(time.process_time() - before, 2)}
    row |= {"s": round(time.monotonic() - clock, 1)}
    row |= {"peak MiB": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)}
    with part_path(folder / step, 0).open("rb") as file:
        return row | {"part": hashlib.file_digest(file, "sha256").hexdigest()[:16]}


if __name__ == "__main__":
    main()
