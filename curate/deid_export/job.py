"""`curate deid`: read this first. Walk the source, survey its reports, release every file, attest.

    SRC/  any depth               DST/attestation.json, index.html
      *.dcm, DICOM of any name      dicom/ab/<key>.dcm
      *.png *.jpg *.tif       ->    image/cd/<key>.png
      *.csv *.jsonl *.parquet       report/ef/<key>.csv
      *.txt                         .work/ (only while it runs: sealed listings, the step's parts)

A killed run resumes with the same command, to the same bytes. At the end DST holds what the attestation names.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from curate import __version__
from curate.deid.attest import attest, attestation_bytes
from curate.deid.pseudonym import Pseudonymizer
from curate.deid.vault import SecretSource, sealed
from curate.deid_export.crosswalk import CROSSWALK
from curate.deid_export.rules import WORK, ReleaseRules, check_folders
from curate.deid_export.task import RELEASED, STEP, ReleaseTask, file_key, list_source, survey_reports
from curate.engine import Engine
from curate.errors import DropRecord, RecipeError, RunError
from curate.report.render import render
from curate.sources.dicom.read import read_header
from curate.sources.identity import first_id
from curate.sources.scan import read_listing
from curate.sources.sniff import sniff
from curate.step import Progress, Step, read_parts, run_step
from curate.storage import commit_bytes, commit_json, digest, exclusive, private_folder, read_json, remove_tree, sweep

ATTESTATION, PAGE = "attestation.json", "index.html"
_RELEASED_FILE = re.compile(r"(dicom|image|report)/[0-9a-f]{2}/[0-9a-f]{32}(-\d+)?\.\w+(\.gz)?")


def release(
    source: Path,
    target: Path,
    rules: ReleaseRules,
    secret: SecretSource,
    engine: Engine,
    progress: Progress,
    crosswalk: Path | None = None,
) -> dict[str, Any]:
    """De-identify every file below ``source`` into ``target``; returns the attestation, which is also written there.

    Raises RecipeError for wrong folders (`check_folders`) and for an unfinished run under other rules.
    """
    check_folders(source, target, {"--crosswalk": crosswalk})
    work = private_folder(target / WORK)
    with exclusive(work / "lock"):
        pseudo = secret.pseudonymizer()
        secret_id = pseudo.key("secret-id")
        _claim(work, digest(__version__, str(source.resolve()), repr(asdict(rules)), secret_id))
        sweep(target)
        names = list_source(source, work / "lists", pseudo)
        survey_reports(names, work / "lists", secret, engine, progress)
        task = ReleaseTask(tuple(names), str(work / "lists"), str(target), rules, secret)
        step = Step(STEP, task, len(names), {"rules": asdict(rules), "secret": digest(secret_id)}, names, version=6)
        run_step(step, work, engine, progress)
        released = read_parts(step.folder(work), empty=RELEASED)
        if crosswalk is not None:
            write_crosswalk(crosswalk, (read_listing(work / "lists", name, pseudo) for name in names), pseudo)
        attestation = attest(released, _options(rules), secret_id)
        _remove_unnamed(target, released)
        commit_bytes(target / PAGE, render("attestation.html.j2", a=attestation).encode())
        commit_bytes(target / ATTESTATION, attestation_bytes(attestation))
        remove_tree(work, target)
    return attestation


def _claim(work: Path, job: str) -> None:
    """Begin or resume this job; RecipeError if the target holds an unfinished run of another one."""
    marker = work / "job.json"
    if not marker.exists():
        commit_json(marker, {"job": job})
    elif read_json(marker)["job"] != job:
        raise RecipeError("DST", "holds an unfinished run of other rules, source or secret", "name a new folder")


def _options(rules: ReleaseRules) -> dict[str, Any]:
    """What the attestation says of ``rules``, as a file of rules says it: not how far days may have moved, which would
    lead some of the way back, nor the least number of pictures looked at again, which a folder has not."""
    options = asdict(rules)
    del options["deid"]["max_shift_days"], options["deid"]["second_look"]["least"]
    return options


def _remove_unnamed(target: Path, released: pa.Table) -> None:
    """Remove the output of an earlier, killed attempt for files that are no longer in the source. RunError if somebody
    else has put files there: DST must hold exactly what the attestation names."""
    named = {target / out for outs in released["out"].to_pylist() for out in outs or []}
    written = [path for kind in ("dicom", "image", "report") for path in (target / kind).rglob("*")]
    others = [path for path in written if not path.is_dir() and path not in named]
    unexpected = [path for path in others if not _RELEASED_FILE.fullmatch(path.relative_to(target).as_posix())]
    if unexpected:
        raise RunError(
            f"DST holds {len(unexpected)} files that this command did not write; move them away and run again"
        )
    for path in others:
        path.unlink()


def write_log(path: Path, attestation: Mapping[str, Any]) -> None:
    """Append one JSON line for each input (keys and codes only, for monitoring) and the attestation's summary to
    ``path``; RecipeError if it cannot be written."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    summary = {name: attestation[name] for name in ("inputs", "fates", "reasons", "verification")}
    lines = [{"time": now, "event": "input", **entry} for entry in attestation["files"]]
    try:
        with path.open("a", encoding="utf-8") as log:
            log.writelines(json.dumps(line) + "\n" for line in [*lines, {"time": now, "event": "attested", **summary}])
    except OSError as error:
        raise RecipeError("--log", f"cannot write it ({error.strerror})", "name a file in a folder there is") from None


# The crosswalk: which key stands for which source file and patient. Encrypted, and never inside the release.
def write_crosswalk(path: Path, listings: Iterable[pa.Table], pseudo: Pseudonymizer) -> int:
    """Seal the crosswalk of all listed files into ``path`` under the run's secret; the number of rows."""
    rows = [_row(row, pseudo) for table in listings for row in table.to_pylist()]
    commit_bytes(path, sealed(pa.Table.from_pylist(rows, CROSSWALK), pseudo))
    path.chmod(0o600)
    return len(rows)


def _row(listed: dict[str, Any], pseudo: Pseudonymizer) -> dict[str, str | None]:
    path, relative = Path(os.fsdecode(listed["path"])), listed["relative"]
    row: dict[str, str | None] = {"key": file_key(relative, pseudo), "path": relative}
    try:
        # what the walk refused (a link, a pipe) is not opened here, either
        if not listed["reason"] and sniff(path) == "dicom":
            header = read_header(path)
            identity = first_id((header.patient_id, header.study_uid, header.series_uid, header.sop_uid))
            row |= {"patient_id": header.patient_id, "study_uid": header.study_uid}
            row["patient"] = pseudo.key("patient", identity) if identity else None
    except DropRecord:
        pass  # an unreadable header names no patient: the row has the path alone
    return row
