"""CPU time and memory of the steps that one process does for the whole archive, against the number of records.

    python -m benchmarks.scale [--records 10000 100000] [--out benchmarks/results/scale.json]

Small payloads: pictures of 8 px in files (for `index`), and after that ingested records as a run leaves them, with
signatures and no decoding. Every measurement is a process of its own; CPU is its user and system time with its
children's, memory its peak, and how much of that its imports take stands beside. A slope of 1 is linear.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import yaml

INGESTED = "ingested"  # not measured: makes the input of later steps
STEPS = ("index", "dedup", "select", "plan", "export", "report")
PER_PARTITION, PER_SHARD, SHARDS = 500, 1000, 5  # of `export` so many shards are written, the first
_WORDS = [f"word{chr(97 + i % 26)}{chr(97 + i // 26)}" for i in range(600)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, nargs="+", default=[10_000, 30_000, 100_000])
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/scale.json"))
    parser.add_argument("--plot", type=Path, default=Path("docs/images/scale.svg"))
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)  # a step and its place: a process of its own
    args = parser.parse_args()
    if args.one:
        step, place = args.one
        print(json.dumps(measure(step, Path(place), args.records[0])))
        return
    rows: list[dict[str, Any]] = []
    for n in args.records:
        with tempfile.TemporaryDirectory() as folder:
            for step in STEPS:
                if step == "dedup":
                    _run_in_process(INGESTED, folder, n)
                rows.append(_run_in_process(step, folder, n))
                print("  ".join(f"{k} {v}" for k, v in rows[-1].items()), flush=True)
    slopes = {step: slope([r for r in rows if r["step"] == step]) for step in STEPS}
    print("slope  " + "  ".join(f"{step} {value}" for step, value in slopes.items()))
    machine = {"machine": f"{platform.machine()}, {os.cpu_count()} CPUs", "python": platform.python_version()}
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps({**machine, "rows": rows, "slopes": slopes}, indent=2) + "\n")
    draw(rows, args.plot)


def slope(rows: list[dict[str, Any]]) -> float | None:
    """Of log CPU against log records, by least squares; None of one size."""
    if len(rows) < 2:
        return None
    x, y = (np.log([max(r[name], 1e-3) for r in rows]) for name in ("records", "CPU-s"))
    return round(float(np.polyfit(x, y, 1)[0]), 2)


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """CPU and peak memory against records, both axes by powers of ten, as SVG."""
    shapes = []
    for place, (name, low, high) in enumerate((("CPU-s", -2, 3), ("peak MiB", 2, 4))):
        left = 60 + 420 * place
        shapes.append(f'<text x="{left}" y="16">{name} against records</text>')
        for power in range(low, high + 1):
            y = 250 - 220 * (power - low) / (high - low)
            shapes.append(f'<path d="M{left} {y:.0f}h300" stroke="#ccc"/>')
            shapes.append(f'<text x="{left - 6}" y="{y + 4:.0f}" text-anchor="end">{10.0**power:g}</text>')
        for power in (3, 4, 5, 6):
            x = left + 100 * (power - 3)
            shapes.append(f'<text x="{x}" y="268" text-anchor="middle">{10**power:,}</text>')
        for step, colour in zip(STEPS, ("#1b6", "#06c", "#c60", "#909", "#c33", "#555"), strict=True):
            some = [r for r in rows if r["step"] == step]
            at = [
                f"{left + 100 * (np.log10(r['records']) - 3):.1f},"
                f"{250 - 220 * (np.log10(max(r[name], 10.0**low)) - low) / (high - low):.1f}"
                for r in some
            ]
            shapes.append(f'<polyline points="{" ".join(at)}" fill="none" stroke="{colour}" stroke-width="2"/>')
            if at and place:
                x, y = at[-1].split(",")
                shapes.append(f'<text x="{float(x) + 5:.0f}" y="{float(y) + 4:.0f}" fill="{colour}">{step}</text>')
    head = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 880 280" font-family="sans-serif" font-size="12">'
    path.write_text(f'{head}<rect width="880" height="280" fill="#fff"/>{"".join(shapes)}</svg>\n')


def _run_in_process(step: str, place: str, n: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.scale", "--one", step, place, "--records", str(n)]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    if process.returncode:
        raise SystemExit(process.stderr)
    row: dict[str, Any] = json.loads(process.stdout.splitlines()[-1])
    return row


def measure(step: str, place: Path, n: int) -> dict[str, Any]:
    """Measure one step at one size; its input is made before the clock starts."""
    work = WORK[step](place, n)
    memory_before, cpu_before, clock = _peak(), _cpu(), time.monotonic()
    work()
    spent, waited = _cpu() - cpu_before, time.monotonic() - clock
    row = {"step": step, "records": n, "CPU-s": round(spent, 3), "s": round(waited, 2)}
    return {**row, "peak MiB": round(_peak()), "of it before": round(memory_before)}


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def _peak() -> float:
    return max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 1024


def pipeline_of(place: Path) -> Any:
    """The run's pipeline; its archive was walked by `index`."""
    from pipelines.build import Pipeline
    from pipelines.recipe.load import load_recipe
    from pipelines.run.listing import last_listing

    recipe = load_recipe(place / "recipe.yaml", [])
    return Pipeline(recipe, last_listing(recipe))


def _index(place: Path, n: int) -> Callable[[], object]:
    from curate.engine import start_engine
    from curate.engine.resources import Resources
    from pipelines.recipe.load import load_recipe
    from pipelines.run.check import save_recipe
    from pipelines.run.execute import run_pipeline

    picture = cv2.imencode(".png", np.arange(64, dtype=np.uint8).reshape(8, 8))[1].tobytes()
    lines = ["file,report,patient"]
    for i in range(n):
        name = f"{i // 1000:04d}/{i:08d}.png"
        path = place / "archive" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture)
        lines.append(f"{name},no effusion {_WORDS[i % 600]},{i // 5:08d}")
    (place / "reports.csv").write_text("\n".join(lines) + "\n")
    (place / "secret").write_text("ab" * 32)
    columns = {"text": "report", "image": "file", "patient": "patient"}
    recipe_fields = {
        "name": "scale",
        "out": str(place / "run"),
        "secret": str(place / "secret"),
        "deid": {"burned_in": "trust"},
    }
    recipe_fields |= {"images": [{"name": "archive", "path": str(place / "archive")}], "filters": {"text_quality": {}}}
    recipe_fields |= {"reports": [{"path": str(place / "reports.csv"), "columns": columns}], "engine": {"workers": 1}}
    recipe_fields |= {
        "select": {"by": "text_quality", "keep": 0.5, "force": True},
        "records_per_partition": PER_PARTITION,
    }
    recipe_fields |= {"dedup": {"text_near": "archive"}, "export": {"records_per_shard": PER_SHARD}}
    (place / "recipe.yaml").write_text(yaml.safe_dump(recipe_fields))
    recipe = load_recipe(place / "recipe.yaml", [])

    def work() -> None:
        save_recipe(recipe)
        engine = start_engine(Resources(workers=1))
        run_pipeline(recipe, engine, lambda *_: None, until="index")
        engine.close()

    return work


def _ingested(pipeline: Any, n: int) -> None:
    """What `ingest` and `score` leave: a fifth of the pictures and of the texts have a near duplicate."""
    from curate.dedup.image import thumb_hash
    from curate.dedup.text import text_signature
    from curate.record import RECORD, conform
    from curate.step import commit_part, finish

    rng = np.random.default_rng(0)
    picture = cv2.imencode(".png", np.zeros((8, 8), np.uint8))[1].tobytes()
    ingest, score = pipeline.ingest, pipeline.score
    for at in range(0, n, PER_PARTITION):
        m = min(PER_PARTITION, n - at)
        thumbs = rng.integers(0, 256, (m, 1024), dtype=np.uint8)
        texts = [" ".join(_WORDS[w] for w in rng.integers(0, 600, 40)) for _ in range(m)]
        for i in range(4, m, 5):
            thumbs[i] = np.clip(thumbs[i - 1].astype(int) + rng.integers(-3, 4, 1024), 0, 255)
            texts[i] = f"{texts[i - 1]} signed"
        signed = [text_signature(t) for t in texts]
        keys = [f"{(i << 96) // n:032x}" for i in range(at, at + m)]  # rising, spread as HMACs are
        patients = [f"{((i // 5) * 0x9E3779B97F4A7C15) % 2**64:016x}{i // 5:016x}" for i in range(at, at + m)]
        columns: dict[str, Any] = {"key": keys, "patient": patients, "study": patients, "source": ["archive"] * m}
        columns |= {"image": [picture] * m, "image_format": ["png"] * m, "width": [8] * m, "height": [8] * m}
        columns |= {"bits": [8] * m, "channels": [1] * m, "text": texts, "modality": ["CT"] * m}
        columns |= {"sex": ["FM"[i % 2] for i in range(m)]}
        columns |= {"pixel_hash": keys, "phash": [thumb_hash(t.tobytes()) for t in thumbs]}
        columns |= {"thumb": [t.tobytes() for t in thumbs], "text_hash": [s[0] for s in signed]}
        columns |= {"minhash": [s[1] for s in signed], "actions": [[("mask NAME", 1), ("words", 40)]] * m}
        arrays = {k: pa.array(v, RECORD.field(k).type) for k, v in columns.items()}
        commit_part(ingest.folder(pipeline.run), at // PER_PARTITION, conform(pa.table(arrays), RECORD), 0)
        scores = {"key": keys, "findings": ["effusion@left"] * m, "text_quality": pa.array(rng.random(m), pa.float32())}
        commit_part(score.folder(pipeline.run), at // PER_PARTITION, pa.table(scores), 0)
    for step in pipeline.train_filters.values():
        commit_part(step.folder(pipeline.run), 0, pa.table({"key": pa.array([], pa.string())}), 0)
    finish(ingest, pipeline.run, 0)
    finish(score, pipeline.run, 0)


def _dedup(place: Path, n: int) -> Callable[[], object]:
    from curate.engine import start_engine
    from curate.engine.resources import Resources
    from pipelines.run.execute import execute_step

    pipeline = pipeline_of(place)

    def work() -> None:
        engine = start_engine(Resources(workers=1))
        execute_step(pipeline, pipeline.dedup, engine, lambda *_: None)
        engine.close()

    return work


def _global(pipeline: Any, name: str) -> None:
    """A step of one partition, in this process."""
    from curate.step import commit_part, finish

    step = pipeline.named(name)[0]
    commit_part(step.folder(pipeline.run), 0, step.task.run(0), 0)
    finish(step, pipeline.run, 0)


def _then(name: str) -> Callable[[Path, int], Callable[[], object]]:
    return lambda place, n: partial(_global, pipeline_of(place), name)


def _export(place: Path, n: int) -> Callable[[], object]:
    from curate.step import commit_part

    pipeline = pipeline_of(place)
    step = pipeline.export

    def work() -> None:
        for i in range(min(step.partitions, SHARDS)):
            commit_part(step.folder(pipeline.run), i, step.task.run(i), 0)

    return work


def _report(place: Path, n: int) -> Callable[[], object]:
    from curate.report.page import render_page
    from curate.step import load_manifest
    from pipelines.report.summary import collect

    pipeline = pipeline_of(place)
    manifests = [m for s in pipeline.steps() if (m := load_manifest(s.folder(pipeline.run)))]
    return lambda: io.StringIO(render_page(collect(pipeline, manifests)))


WORK: dict[str, Callable[[Path, int], Callable[[], object]]] = {
    "index": _index,
    INGESTED: lambda place, n: partial(_ingested, pipeline_of(place), n),
    "dedup": _dedup,
    "select": _then("select"),
    "plan": _then("plan"),
    "export": _export,
    "report": _report,
}


if __name__ == "__main__":
    main()
