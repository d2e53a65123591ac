"""`curate remove`: a patient leaves a finished run, and what is left is as if the others had been alone but for their
choice.

What is rewritten: the sealed index and listings, every step's tables, the shards that held the patient, the page. What
stays byte by byte: all other parts and shards. The cut is not taken again, nor are duplicates of the patient's records
brought back. A list of who withdrew (pseudonyms, sealed) keeps a later index from taking them in again. Rows that
filters keep of the patient's records are taken out of their banks (`filters.banks`); weights, and what else was fitted,
cannot forget one: such models are named, or, where asked, their steps are removed to be trained anew.

Killed halfway, the same command goes on: the list comes first, and every table is rewritten whole.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from curate.deid.pseudonym import Pseudonymizer
from curate.deid.replace.surrogates import taken_names
from curate.deid.vault import read_sealed, write_sealed
from curate.errors import RecipeError, RunError
from curate.export.remove import withdrawn_fates, without_planned, without_records
from curate.export.webdataset import MARKER, remove_from_shard
from curate.ingest.sealed import NAMES, read_withdrawn, write_withdrawn
from curate.intact import files_of, marker_path, part_path
from curate.record import RECORD, SHARD_PLAN
from curate.report.words import MAP
from curate.sources.scan import forget_scanned
from curate.step import FINISHED, Step, commit_part, finish, load_manifest, read_parts
from curate.storage import (
    beside,
    commit_bytes,
    commit_marker,
    exclusive,
    private_folder,
    read_marker,
    read_table,
    remove_tree,
    table_bytes,
)
from filters.banks import FILES as BANKS
from filters.banks import JUDGES, without_rows
from pipelines.build import Pipeline, pool_pipeline, scan_folder
from pipelines.report.drawn import FILES, SUMMARY
from pipelines.report.summary import write_report
from pipelines.upkeep.proof import BEGUN, Progress, Withdrawal, hashes, search, write_proof
from pipelines.upkeep.verify import prune_locked

_LONG, _DAY = 8, re.compile(r"(?:19|20)\d{6}")  # a shorter value, or a day, is found anywhere
_SHORT = 24  # bytes below which a text proves nothing


def withdraw(
    pipeline: Pipeline, patients: Sequence[str], keys: Sequence[str], progress: Progress, forget_models: bool = False
) -> Withdrawal:
    """Take patients, by their ids in the archive or by the key of a record of theirs, out of a finished run.

    RecipeError where the run knows none of them; RunError where it is not finished, another run is at work, or
    something of the patient was found afterwards.
    """
    run, pseudo = pipeline.run, pipeline.secret.pseudonymizer()
    with exclusive(private_folder(run / "private") / "lock"):
        finished = read_marker(run / FINISHED)
        if finished is None or not {step.folder(run).name for step in pipeline.steps()} <= {*finished["steps"]}:
            raise RunError("the run is not finished; finish it first: curate run RECIPE")
        whose = _pseudonyms(pipeline, patients, keys)
        prune_locked(pipeline)  # steps that nothing refers to hold the patient too
        known = _Known.of(pipeline, whose, pseudo)
        intent = run / "private" / BEGUN
        write_sealed(intent, pa.table({"key": pa.array(sorted(known.keys), pa.string())}), pseudo)
        write_withdrawn(run / "private", whose | read_withdrawn(run / "private", pseudo), pseudo)
        done = Withdrawal(records=len(known.keys))
        before = hashes(run)
        done.models = _models(pipeline, known)
        _forget_index(pipeline, known, pseudo)
        for i, each in enumerate(_pipelines(pipeline)):
            for j, step in enumerate(steps := each.steps()):
                progress(f"remove{i or ''}", j, len(steps))
                _rewrite(each, step, known, pseudo)
        _rewrite_others(run, known)
        if forget_models:
            _forget_models(pipeline, done.models)
        else:
            _draw_again(pipeline)
        after = hashes(run)
        both = sorted(before.keys() | after.keys())
        done.changed = {n: (before.get(n, ""), after.get(n, "")) for n in both if before.get(n) != after.get(n)}
        for name in (n for n, (_, now) in done.changed.items() if now and n.rpartition("/")[2] in BANKS):
            model, file = "/".join(name.split("/")[:2]), "/".join(name.split("/")[2:])
            done.models[model] = f"{done.models.get(model, 'rows were kept')}; the rows in {file} are out"
        done.searched, done.found = search(run, known.needles, pseudo, progress)
        done.proof = write_proof(run, whose, done, pseudo)
        intent.unlink()
    if done.found:
        where = ", ".join(sorted({name for name, _ in done.found})[:3])
        raise RunError(f"{len(done.found)} places still hold something of the patient, the first in {where}")
    return done


@dataclass(frozen=True)
class _Known:
    """Everything the run knows of who withdraws, before it forgets it."""

    patients: frozenset[str]
    keys: frozenset[str]
    paths: frozenset[bytes]
    needles: dict[str, frozenset[bytes]]  # kind -> bytes that must not be found afterwards

    @classmethod
    def of(cls, pipeline: Pipeline, patients: Collection[str], pseudo: Pseudonymizer) -> _Known:
        """From the fates, the sealed index and the payload."""
        run = pipeline.run
        fates = read_parts(pipeline.index.folder(run), ["key", "patient", "study"])
        mine = [r for r in fates.to_pylist() if r["patient"] in patients]
        keys = frozenset(r["key"] for r in mine)
        if (intent := run / "private" / BEGUN).is_file():
            keys |= frozenset(read_sealed(intent, pseudo)["key"].to_pylist())
        studies = {r["study"] for r in mine if r["study"]}
        rows, others = list[dict[str, Any]](), set[str]()
        for table in _sealed(pipeline, pseudo):
            for row in table.select(["patient", "path", "phi", "patient_id"]).to_pylist():
                if row["patient"] in patients:
                    rows.append(row)
                else:
                    others |= {*(row["phi"] or []), row["patient_id"]}
        identifying = {v for r in rows for v in (*(r["phi"] or []), r["patient_id"]) if v} - others
        raw = {v for v in identifying if len(v) >= _LONG and not _DAY.fullmatch(v)}
        needles = {
            "key": {k.encode() for k in keys},
            "pseudonym": {p.encode() for p in [*patients, *studies]},
            "identity": {v.encode() for v in raw},
            **_payload(pipeline, keys),
        }
        paths = frozenset(r["path"] for r in rows if r["path"])
        return cls(frozenset(patients), keys, paths, {kind: frozenset(found) for kind, found in needles.items()})


def _payload(pipeline: Pipeline, keys: Collection[str]) -> dict[str, set[bytes]]:
    """Bytes of the patient's pictures and texts that no other record of the run shares."""
    folder = pipeline.ingest.folder(pipeline.run)
    names = ["key", "pixel_hash", "text_hash"]
    marks = read_parts(folder, names, empty=RECORD).to_pylist()
    shared = {r[n] for r in marks if r["key"] not in keys for n in names[1:]}
    found: dict[str, set[bytes]] = {"picture": set(), "text": set(), "signature": set()}
    for i in range(pipeline.partitions):
        wanted = [("key", "in", sorted(keys))]
        for r in read_table(part_path(folder, i), ["image", "text", *names], wanted).to_pylist():
            if r["pixel_hash"] and r["pixel_hash"] not in shared:
                found["signature"].add(r["pixel_hash"].encode())
                found["picture"].add(r["image"][len(r["image"]) // 2 :][:64])
            if r["text"] and len(r["text"]) >= _SHORT and r["text_hash"] not in shared:
                found["text"].add(r["text"].encode())
    return found


def _pseudonyms(pipeline: Pipeline, patients: Sequence[str], keys: Sequence[str]) -> frozenset[str]:
    """Of those the run knows; RecipeError where it does not know one."""
    pseudo, run = pipeline.secret.pseudonymizer(), pipeline.run
    fates = read_parts(pipeline.index.folder(run), ["key", "patient"]).to_pylist()
    of_key = {r["key"]: r["patient"] for r in fates if r["patient"]}
    known, wanted = set(of_key.values()), {pseudo.key("patient", p) for p in patients}
    again = read_withdrawn(run / "private", pseudo)  # of a command that was killed
    if unknown := [k for k in keys if k not in of_key]:
        raise RecipeError("--key", f"{len(unknown)} of {len(keys)} keys are no record of this run", "32 hex digits")
    lacking = len(wanted - known - again)
    if lacking:
        problem = f"the run has no record of {lacking} of {len(wanted)} patients"
        raise RecipeError("--patient-file", problem, "one Patient ID a line, as in the archive")
    return frozenset(wanted | {of_key[k] for k in keys})


def _pipelines(pipeline: Pipeline) -> list[Pipeline]:
    """The run's, and that of its comparison, which has shards of its own."""
    return [pipeline, *([pool_pipeline(pipeline)] if (pipeline.run / "compare").is_dir() else [])]


def _sealed(pipeline: Pipeline, pseudo: Pseudonymizer) -> Iterator[pa.Table]:
    for path in sorted(pipeline.sealed_index.glob("part-*.sealed")):
        yield read_sealed(path, pseudo)


def _forget_index(pipeline: Pipeline, known: _Known, pseudo: Pseudonymizer) -> None:
    """The sealed index, the names that no surrogate may have, and the headers of the files."""
    values: list[str] = []
    for path in sorted(pipeline.sealed_index.glob("part-*.sealed")):
        table = read_sealed(path, pseudo)
        left = without_records(table, known.keys)
        values += [v for row in left["phi"].to_pylist() for v in row or []]
        if left.num_rows != table.num_rows:
            write_sealed(path, left, pseudo)
    names = pa.table({"word": pa.array(sorted(taken_names(list(dict.fromkeys(values)))), pa.string())})
    if not names.equals(read_sealed(pipeline.sealed_index / NAMES, pseudo)):
        write_sealed(pipeline.sealed_index / NAMES, names, pseudo)
    forget_scanned(scan_folder(pipeline.run), known.patients, known.paths, pseudo)


def _rewrite(pipeline: Pipeline, step: Step, known: _Known, pseudo: Pseudonymizer) -> None:
    """A step's parts without the patient, its markers and its manifest; what does not change keeps its bytes."""
    run = pipeline.run
    folder, manifest = step.folder(run), load_manifest(step.folder(run))
    if manifest is None:
        return
    inputs = step.made_of(run)
    for i in range(step.partitions):
        marker = read_marker(marker_path(folder, i))
        if marker is None:
            raise RunError(f"{step.name}: a marker is damaged; mend it first: curate run RECIPE")
        table = read_table(part_path(folder, i))
        files = [beside(folder, name) for name in files_of(folder, i, marker) if name != part_path(folder, i).name]
        if step.name == "export":
            for split, shard in {(r["split"], r["shard"]) for r in _placed(table, known)}:
                remove_from_shard(pipeline.shards / split, shard, known.keys)
        new, banks = _left(step, table, known, pseudo), [path for path in files if path.name in BANKS]
        for path in banks:
            _forget_rows(path, known)
        if new is not table or banks or step.name == "index":
            commit_part(folder, i, new, marker["seconds"], inputs, files)
        elif marker["inputs"] != inputs:
            commit_marker(marker_path(folder, i), {**marker, "inputs": inputs})
    if step.name == "export":
        commit_marker(pipeline.shards / MARKER, {"hash": step.hash, "records": inputs})
    finish(step, run, manifest.seconds)


def _forget_rows(bank: Path, known: _Known) -> None:
    data = bank.read_bytes()
    if bank.name == JUDGES:
        from filters.judges.folder import without_patients  # SciPy and torch: only where there are judges

        left = without_patients(data, known.keys, known.patients)
    else:
        left = without_rows(data, known.keys)
    if left is not data:
        commit_bytes(bank, left)


def _placed(table: pa.Table, known: _Known) -> list[dict[str, Any]]:
    return [r for r in table.select(["key", "split", "shard"]).to_pylist() if r["key"] in known.keys]


def _left(step: Step, table: pa.Table, known: _Known, pseudo: Pseudonymizer) -> pa.Table:
    """The table without the patient; the very same object where it did not hold one."""
    named = {v for n in ("key", "cluster", "duplicate_of") if n in table.column_names for v in table[n].to_pylist()}
    if not named & known.keys:
        return table
    if step.name == "index":
        return withdrawn_fates(table, known.keys, {k: pseudo.key("withdrawn", k) for k in known.keys})
    return (without_planned if step.name == "plan" else without_records)(table, known.keys)


def _rewrite_others(run: Path, known: _Known) -> None:
    """Tables of keys that a comparison has left beside its trainings, and reviewers' marks."""
    if (run / "review").is_dir():
        from pipelines.browse.marks import Marks

        Marks(run / "review").forget(known.keys)
    for path in sorted((run / "compare").rglob("*.parquet")) if (run / "compare").is_dir() else []:
        table = read_table(path)
        left = without_records(table, known.keys)
        if left.num_rows != table.num_rows:
            commit_bytes(path, table_bytes(left))


def _models(pipeline: Pipeline, known: _Known) -> dict[str, str]:
    """What learned from the patient: filters whose clean set or pool held a record, models trained on shards."""
    run, found = pipeline.run, dict[str, str]()
    dedup = read_parts(pipeline.dedup.folder(run), ["key", "drop_reason"]).to_pylist()
    pooled = any(r["key"] in known.keys and r["drop_reason"] is None for r in dedup)
    for step in pipeline.train_filters.values():
        folder = step.folder(run)
        if load_manifest(folder) is None:
            continue
        clean = set(read_parts(folder)["key"].to_pylist()) & known.keys
        how = f"{len(clean)} records were in its clean set" if clean else "records may have been in its pool"
        if clean or pooled:
            found[f"steps/{folder.name}"] = how
    exported = read_parts(pipeline.export.folder(run), ["key", "split"], empty=SHARD_PLAN).to_pylist()
    shown = {r["split"] for r in exported if r["key"] in known.keys}
    for model in sorted((run / "train").glob("*")) if (run / "train").is_dir() and shown else []:
        found[f"train/{model.name}"] = f"records were in its shards ({', '.join(sorted(shown))})"
    for cells in sorted((run / "compare").glob("*")) if (run / "compare").is_dir() and pooled else []:
        if cells.name != "pool" and cells.is_dir():
            found[f"compare/{cells.name}"] = "records may have been in its selections"
    return found


def _forget_models(pipeline: Pipeline, models: Collection[str]) -> None:
    """Remove the run's filters among ``models``, with what they keep of pictures, what they said of every record, and
    the page: the next run trains, scores, cuts and draws anew, without the patient."""
    run, filters = pipeline.run, [name for name in models if name.startswith("steps/")]
    scored = [step.folder(run) for step in (pipeline.score, pipeline.capfilt) if step is not None and filters]
    for folder in [*(run / name for name in filters), *scored]:
        remove_tree(folder, run / "steps")
    for name in (*FILES, SUMMARY, MAP):
        (run / "report" / name).unlink(missing_ok=True)


def _draw_again(pipeline: Pipeline) -> None:
    """The page shows pictures."""
    write_report(pipeline, pipeline.manifests())
