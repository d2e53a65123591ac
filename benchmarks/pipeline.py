"""How fast is the main job: archive -> clean shards, against the floor of a bare decode-resize-encode loop.

    python -m benchmarks.pipeline [--studies 300] [--out benchmarks/results/pipeline.json]

One run, so that the ratios hold on a noisy machine; on a loaded one those of CPU-seconds do (Ray's processes are not
counted). The floor is one process that decodes with pydicom, windows,
resizes to 256 px, encodes PNG and writes a tar: it de-identifies nothing, pairs nothing, verifies nothing.
"""

from __future__ import annotations

import argparse
import io
import json
import platform
import resource
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import yaml
from PIL import Image
from pydicom.pixels import apply_modality_lut, apply_voi_lut

from curate.engine import start_engine
from curate.engine.resources import Resources
from curate.synth.archive import SynthConfig, write_archive
from pipelines.recipe.load import load_recipe
from pipelines.run.execute import run_pipeline


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=300)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/pipeline.json"))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        write_archive(work / "archive", SynthConfig(studies=args.studies, seed=11, side=512))
        (work / "secret").write_text("ab" * 32)
        rows = [measure_floor(work)]
        for kind, workers in (("local", 1), ("local", 2), ("ray", 2)):
            rows.append(measure_run(work, kind, workers))
        rows += [measure_run(work, "local", workers, min_checked=0) for workers in (1, 2)]
        rows.append(measure_run(work, "local", 2, "trust"))
    for row in rows:
        row["of floor"] = round(row["images/CPU-s"] / rows[0]["images/CPU-s"], 2) if row["images/CPU-s"] else None
        print("  ".join(f"{k} {v}" for k, v in row.items()))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps({"machine": machine(), "studies": args.studies, "rows": rows}, indent=2) + "\n")


def measure_floor(work: Path) -> dict[str, Any]:
    """Decode, window, resize, encode, tar; files that fail are passed over."""
    start, cpu, written, sink = time.perf_counter(), _cpu(), 0, io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as tar:
        for path in sorted((work / "archive" / "dicom").rglob("*")):
            if path.is_file():
                try:
                    dataset = pydicom.dcmread(path, force=True)
                    pixels = apply_voi_lut(apply_modality_lut(dataset.pixel_array, dataset), dataset)
                except Exception:  # noqa: BLE001  the archive holds planted broken files: whatever they raise, the floor goes on
                    continue
                pixels = pixels[len(pixels) // 2] if int(dataset.get("NumberOfFrames") or 1) > 1 else pixels
                low, high = float(np.min(pixels)), float(np.max(pixels))
                eight = ((pixels - low) * (255 / max(high - low, 1))).astype(np.uint8)
                image, encoded = Image.fromarray(eight), io.BytesIO()
                image.thumbnail((256, 256))
                image.save(encoded, "PNG")
                info = tarfile.TarInfo(f"{written}.png")
                info.size = len(encoded.getvalue())
                tar.addfile(info, io.BytesIO(encoded.getvalue()))
                written += 1
    return _row("floor, 1 process", written, time.perf_counter() - start, _cpu() - cpu)


def measure_run(
    work: Path, kind: str, workers: int, burned_in: str = "blank", min_checked: int | None = None
) -> dict[str, Any]:
    """The main job without the filter: index, ingest, dedup, select, export. ``burned_in`` "trust" looks for no text in
    the pictures: what that search costs. ``least``: of the pictures without text, how many the verifier reads at least
    (None: 200, which is half of a small archive and a hundredth of one of 20,000)."""
    columns = {"text": "report", "accession": "accession", "study": "study_uid", "patient": "patient_id"}
    columns |= {"patient_name": "patient_name", "date": "study_date"}
    recipe = work / "recipe.yaml"
    fields = {
        "out": str(work / f"{kind}{workers}{burned_in}{'' if min_checked is None else min_checked}"),
        "deid": {"burned_in": burned_in} | ({} if min_checked is None else {"second_look": {"least": min_checked}}),
        "secret": str(work / "secret"),
        "images": [{"path": str(work / "archive" / "dicom")}],
        "reports": [{"path": str(work / "archive" / "reports" / "reports.csv"), "columns": columns}],
        "image": {"side": 256},
        "filters": {},
        "records_per_partition": 50,
    }
    recipe.write_text(yaml.safe_dump(fields))
    cpu = _cpu()
    engine = start_engine(Resources(kind="ray" if kind == "ray" else "local", workers=workers))
    try:
        list(engine.map(_warm, list(range(workers * 2))))  # imports are not the job's seconds, but of its CPU
        start = time.perf_counter()
        _, manifests = run_pipeline(load_recipe(recipe), engine, lambda name, done, total: None)
        seconds = time.perf_counter() - start
    finally:
        engine.close()
    images = next(m.rows_in for m in manifests if m.step == "ingest")
    name = f"curate run, {kind}, {workers} worker{'s' if workers > 1 else ''}"
    name += "" if burned_in == "blank" else f", burned_in: {burned_in}"
    name += "" if min_checked is None else ", second look at a hundredth, as in a large archive"
    return _row(name, images, seconds, _cpu() - cpu if kind == "local" else None)


def _row(name: str, images: int, seconds: float, cpu: float | None) -> dict[str, Any]:
    row = {"what": name, "images": images, "seconds": round(seconds, 2), "images/s": round(images / seconds, 1)}
    return row | {"CPU s": cpu and round(cpu, 2), "images/CPU-s": cpu and round(images / cpu, 1)}


def _cpu() -> float:
    """CPU-seconds of this process and of those that it started and that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def _warm(item: int) -> int:
    import curate.ingest.chain

    time.sleep(0.5)
    return item + len(curate.ingest.chain.ATTRIBUTES)


def machine() -> str:
    """What this ran on."""
    return f"{platform.processor() or platform.machine()}, Python {platform.python_version()}"


if __name__ == "__main__":
    main()
