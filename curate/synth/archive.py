"""A synthetic hospital archive of any size with ground truth: what `curate synth` writes.

    OUT/dicom/<patient>/<study>/<n>.dcm   images: modalities, transfer syntaxes, injected faults
    OUT/reports/reports.csv               one row a report
    OUT/truth/truth.parquet               the truth about every file, apart from the archive (`study.TRUTH`)

Memory does not grow with the archive, the same seed gives the same bytes, and study i is the same in every archive
of that seed and those shares.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from curate.errors import RecipeError
from curate.synth.faults import SynthConfig
from curate.synth.study import COLUMNS, TRUTH, Study, make_study

__all__ = ["SynthConfig", "write_archive"]

_GROUP = 1000  # rows of the truth that are written at once


def write_archive(out: Path, config: SynthConfig, progress: Callable[[int], None] | None = None) -> dict[str, int]:
    """Write the archive; ``progress`` is called with the number of studies done.

    Returns counts: ``studies``, ``images``, ``reports``, ``bytes`` of image files, and ``fault:<name>`` in truth rows.
    Raises RecipeError if ``out`` is not empty or cannot be written.
    """
    _prepare(out)
    rows_of_truth: list[dict[str, Any]] = []
    counts: Counter[str] = Counter(studies=config.studies, images=0, reports=0, bytes=0)
    with (
        open(out / "reports" / "reports.csv", "w", encoding="utf-8", newline="") as table,
        pq.ParquetWriter(out / "truth" / "truth.parquet", TRUTH, compression="zstd") as truth,
    ):
        rows = csv.writer(table, lineterminator="\n")
        rows.writerow(COLUMNS)
        for index in range(config.studies):
            study = make_study(config, index)
            _write_files(out / "dicom", study)
            rows.writerows(study.reports)
            rows_of_truth += study.truth
            if len(rows_of_truth) >= _GROUP or (rows_of_truth and index + 1 == config.studies):
                truth.write_table(pa.Table.from_pylist(rows_of_truth, schema=TRUTH))
                rows_of_truth = []
            _count(counts, study)
            if progress:
                progress(index + 1)
    return {name: counts[name] for name in sorted(counts)}


def _prepare(out: Path) -> None:
    fix = "name a folder that is new or empty"
    try:
        if out.exists() and any(out.iterdir()):
            raise RecipeError("out", f"{out} is not empty", fix)
        for name in ("dicom", "reports", "truth"):
            (out / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RecipeError("out", f"{out} cannot be written ({error.strerror})", fix) from None


def _write_files(folder: Path, study: Study) -> None:
    for path, data in study.files:
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


def _count(counts: Counter[str], study: Study) -> None:
    counts["images"] += len(study.files)
    counts["reports"] += len(study.reports)
    counts["bytes"] += sum(len(data) for _, data in study.files)
    for row in study.truth:
        counts[f"fault:{row['fault']}"] += 1
