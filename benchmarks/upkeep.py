"""CPU of what happens to a run after its first time: nothing new, a touched table, 1 % more studies, a withdrawal.

    python -m benchmarks.upkeep [--patients 10000] [--per-partition 10] [--side 128] [--search] [--out results.json]

One picture and one report a patient, no filter. Unasked, pictures of 128 px in which no text is looked for: cheap
records, so that what does not grow with payloads weighs as much as it can; with ``--side 512 --search`` they cost what
real ones do. Every command is a process of its own, CPU its user and system time with its children's. Digests of all
shards before and after say which bytes a command changed.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml

_WORDS = ("clear", "lungs", "heart", "normal", "size", "effusion", "left", "right", "small", "no", "nodule", "lobe")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=10_000)
    parser.add_argument("--per-partition", type=int, default=10)
    parser.add_argument("--side", type=int, default=128, help="px of a picture")
    parser.add_argument("--search", action="store_true", help="look for text in pictures, as a recipe does unasked")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/upkeep.json"))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = measured(Path(folder), args)
    options = {name: value for name, value in vars(args).items() if name != "out"}
    machine = {"machine": f"{os.uname().machine}, {os.cpu_count()} CPUs"}
    args.out.write_text(json.dumps({**machine, **options, "rows": rows}, indent=2) + "\n")


def measured(folder: Path, args: argparse.Namespace) -> list[dict[str, Any]]:
    """A row for each thing that happens, in this order, to one run."""
    recipe, run, patients = _recipe(folder, args.per_partition, args.search), folder / "run", args.patients
    _add(folder, 0, patients, args.side)
    rows = [_measure("first", folder, "run", str(recipe))]
    rows.append(_measure("again", folder, "run", str(recipe)))
    os.utime(folder / "reports.csv")
    rows.append(_measure("reports touched", folder, "run", str(recipe)))
    _add(folder, patients, patients // 100, args.side)
    rows.append(_measure("1 % more studies", folder, "run", str(recipe)))
    (folder / "who").write_text("P00000042\n")
    rows.append(_measure("one patient removed", folder, "remove", str(run), "--patient-file", str(folder / "who")))
    return rows


def _recipe(folder: Path, per_partition: int, search: bool) -> Path:
    (folder / "secret").write_text("ab" * 32)
    columns = {"text": "report", "image": "file", "patient": "patient"}
    fields: dict[str, Any] = {"name": "upkeep", "out": str(folder / "run"), "secret": str(folder / "secret")}
    fields |= {"images": [{"name": "archive", "path": str(folder / "archive")}], "filters": {}, "select": {}}
    fields |= {"reports": [{"path": str(folder / "reports.csv"), "columns": columns}], "engine": {"workers": 1}}
    fields |= {} if search else {"deid": {"burned_in": "trust"}}
    fields |= {"records_per_partition": per_partition, "export": {"records_per_shard": 1000, "append": True}}
    (folder / "recipe.yaml").write_text(yaml.safe_dump(fields))
    return folder / "recipe.yaml"


def _add(folder: Path, start: int, count: int, side: int) -> None:
    """So many more patients, in new folders of the archive and at the end of the table."""
    rng = np.random.default_rng(start)
    lines = [] if start else ["file,report,patient"]
    for i in range(start, start + count):
        coarse = rng.integers(0, 256, (6, 6), dtype=np.uint8)
        picture = cv2.imencode(".png", cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC))[1]
        name = f"{i // 100:04d}/{i:08d}.png"
        path = folder / "archive" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture.tobytes())
        lines.append(f"{name},{' '.join(_WORDS[w] for w in rng.integers(0, len(_WORDS), 12))}.,P{i:08d}")
    with (folder / "reports.csv").open("a") as table:
        table.write("\n".join(lines) + "\n")


def _measure(event: str, folder: Path, *command: str) -> dict[str, Any]:
    before, cpu, clock = _shards(folder), _cpu(), time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.cli", *command], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{event}: exit {done.returncode}\n{done.stdout}\n{done.stderr}")
    row = {"event": event, "CPU-s": round(_cpu() - cpu, 2), "s": round(time.monotonic() - clock, 1)}
    after = _shards(folder)
    changed = sum(after.get(name) != digest for name, digest in before.items())
    row |= {"shards": len(after), "shards changed": changed, "new": len(after.keys() - before.keys())}
    print("  ".join(f"{name} {value}" for name, value in row.items()), flush=True)
    return row


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _shards(folder: Path) -> dict[str, str]:
    tars = sorted((folder / "run" / "shards").rglob("*.tar"))
    return {str(path): sha256(path.read_bytes()).hexdigest() for path in tars}


if __name__ == "__main__":
    main()
