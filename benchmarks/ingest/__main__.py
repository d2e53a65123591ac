"""What ingest costs without the text search, and what a command costs that has nothing to do: CPU-seconds of whole
processes, beside what others need for the same files, in one run.

    python -m benchmarks.ingest [--plain 800 8000] [--dicom 4000] [--out benchmarks/results/ingest.json]

`curate run` here decodes, pairs, de-identifies, verifies, deduplicates and writes shards, with one worker and
``deid.burned_in: trust``; the others decode, resize, encode and write. img2dataset runs in an environment of its own.
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
from pathlib import Path
from typing import Any

import yaml

from benchmarks.deid.peers import Peer, default_cache, install
from benchmarks.ingest.files import SECRET, SIDE, plain, series, synthetic
from benchmarks.pipeline import machine

IMG2DATASET = Peer("img2dataset 1.47", ("img2dataset==1.47.0",), "", "img2dataset")
_SLICES = 40


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plain", type=int, nargs="*", default=[800, 8000])
    parser.add_argument("--dicom", type=int, nargs="*", default=[4000])
    parser.add_argument("--studies", type=int, default=300)
    parser.add_argument("--again", type=int, default=3, help="times that a command with nothing to do is run")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/ingest.json"))
    chosen = parser.parse_args()
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        (work / "secret").write_text(SECRET)
        archive = synthetic(work / "archive", chosen.studies)
        for n in chosen.plain:
            rows += _plain(work, plain(archive, work / f"plain{n}", n), n, chosen.again)
        for n in chosen.dicom:
            rows += _dicom(work, series(archive, work / f"dicom{n}", n, _SLICES), n, archive)
    found = {"machine": machine(), "studies": chosen.studies, "slices": _SLICES, "rows": rows}
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text(json.dumps(found, indent=2) + "\n")


def _plain(work: Path, source: Path, n: int, again: int) -> list[dict[str, Any]]:
    fields = {
        "images": [{"name": "pictures", "path": str(source / "images")}],
        "reports": [
            {
                "path": str(source / "pairs.csv"),
                "columns": {"text": "text", "image": "image", "patient": "patient"},
            }
        ],
        "pair": {"by": ["image"]},
    }
    recipe = _recipe(work, source.name, fields)
    what = f"{n} pictures"
    rows = [_ours(what, recipe, n)]
    if n <= 1000:
        for name in ("run", "plan"):
            label = "curate run, finished" if name == "run" else "curate plan"
            rows.append(_best([_timed(what, label, _curate(name, recipe), n) for _ in range(again)]))
    why = install(IMG2DATASET, default_cache())
    if why:
        print(f"{IMG2DATASET.name}: {why}")
    else:
        out = _new(work / f"img2dataset{n}")
        driver = Path(__file__).with_name("img2dataset_driver.py")
        command = [str(IMG2DATASET.python(default_cache())), str(driver), str(source), str(out)]
        rows.append(_timed(what, IMG2DATASET.name, command, n))
    rows.append(_loop(work, "pillow", "Pillow, ShardWriter", source, what, n))
    return rows


def _dicom(work: Path, source: Path, n: int, archive: Path) -> list[dict[str, Any]]:
    columns = {"text": "report", "accession": "accession", "study": "study_uid", "patient": "patient_id"}
    columns |= {"patient_name": "patient_name", "date": "study_date"}
    fields = {
        "images": [{"name": "archive", "path": str(source)}],
        "reports": [{"path": str(archive / "reports" / "reports.csv"), "columns": columns}],
    }
    what = f"{n} DICOM files"
    return [
        _ours(what, _recipe(work, source.name, fields), n),
        _loop(work, "exact", "fastest exact loop", source, what, n),
        _loop(work, "pydicom_pillow", "pydicom, Pillow", source, what, n),
    ]


def _recipe(work: Path, name: str, fields: dict[str, Any]) -> Path:
    more = {"out": str(work / f"run-{name}"), "secret": str(work / "secret"), "filters": {}, "select": {}}
    more |= {"deid": {"burned_in": "trust"}, "image": {"side": SIDE}, "engine": {"workers": 1}}
    path = work / f"{name}.yaml"
    path.write_text(yaml.safe_dump({**fields, **more}))
    return path


def _curate(command: str, recipe: Path) -> list[str]:
    return [sys.executable, "-m", "pipelines.cli", command, str(recipe)]


def _ours(what: str, recipe: Path, n: int) -> dict[str, Any]:
    return _timed(what, "curate run", _curate("run", recipe), n)


def _loop(work: Path, loop: str, label: str, source: Path, what: str, n: int) -> dict[str, Any]:
    out = _new(work / f"{loop}-{source.name}")
    return _timed(what, label, [sys.executable, "-m", "benchmarks.ingest.loops", loop, str(source), str(out)], n)


def _new(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _best(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return min(rows, key=lambda row: row["CPU-s"])


def _timed(what: str, who: str, command: list[str], n: int) -> dict[str, Any]:
    """One process and its children, all waited for."""
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"{who}: exit {done.returncode}\n{done.stderr[-2000:]}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    row = {"what": what, "who": who, "CPU-s": round(cpu, 2), "seconds": round(time.monotonic() - began, 1)}
    row["a CPU-second"] = round(n / cpu, 1)
    print("  ".join(f"{k} {v}" for k, v in row.items()), flush=True)
    return row


if __name__ == "__main__":
    main()
