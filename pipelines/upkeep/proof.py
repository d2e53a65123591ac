"""The proof of a withdrawal: what changed, and a search of every file of the run for bytes of who left, signed."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from curate.deid.pseudonym import Pseudonymizer
from curate.deid.vault import read_sealed
from curate.ingest.sealed import WITHDRAWN
from curate.storage import commit_marker, digest_file, name_from

PROOFS = "withdrawals"  # below RUN/report
_SIGNED = "withdrawal"
BEGUN = "removing.sealed"  # in RUN/private: the keys that are going, for a command that goes on with it

Progress = Callable[[str, int, int], None]


@dataclass
class Withdrawal:
    """``records``: how many went, dropped ones included; ``changed``: file -> (sha256 before, after; empty: none);
    ``models``: that learned from the patient, and how; ``searched``: files, ``found``: (file, what) of what is left."""

    records: int = 0
    changed: dict[str, tuple[str, str]] = field(default_factory=dict)
    models: dict[str, str] = field(default_factory=dict)
    searched: int = 0
    found: list[tuple[str, str]] = field(default_factory=list)
    proof: str = ""


def hashes(run: Path) -> dict[str, str]:
    """sha256 of what a run shows to others: tables, shards, models, the page. Sealed files differ by their nonce."""
    kinds = ("steps", "shards", "report", "compare", "review", "train")
    files = [p for kind in kinds for p in sorted((run / kind).rglob("*")) if p.is_file() and p.name != "verified.json"]
    return {name_from(p, run): digest_file(p) for p in files if PROOFS not in p.parts}


def search(
    run: Path, needles: Mapping[str, Collection[bytes]], pseudo: Pseudonymizer, progress: Progress
) -> tuple[int, list[tuple[str, str]]]:
    """Search every file of the run, sealed and compressed ones opened, for bytes of the patient (``needles``: kind ->
    them): how many files, and (file, kind) of what was found."""
    files = sorted(p for p in run.rglob("*") if p.is_file() and PROOFS not in p.parts)
    found = []
    for done, path in enumerate(files, 1):
        if path.name == BEGUN:
            continue
        for data in _opened(path, pseudo):
            hits = sorted(kind for kind, bytes_of in needles.items() if any(needle in data for needle in bytes_of))
            found += [(name_from(path, run), kind) for kind in hits]
        progress("search", done, len(files))
    return len(files), found


def _opened(path: Path, pseudo: Pseudonymizer) -> Iterable[bytes]:
    """A file's bytes, and the values of a table uncompressed, where a byte search would be blind."""
    if path.suffix in (".sealed", ".headers", ".list"):
        table = read_sealed(path, pseudo)
        # a listing's paths are those of files that the archive has: the next walk would find them again
        own = [n for n in table.column_names if path.suffix == ".sealed" or n not in ("path", "relative")]
        own = [n for n in own if path.name != WITHDRAWN or n != "patient"]
        yield _values(table.select(own))
        return
    yield path.read_bytes()
    if path.suffix == ".parquet":
        with path.open("rb") as file:
            parquet = pq.ParquetFile(file)
            for i in range(parquet.num_row_groups):
                yield _values(parquet.read_row_group(i))


def _values(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue().to_pybytes())


def write_proof(run: Path, patients: Collection[str], done: Withdrawal, pseudo: Pseudonymizer) -> str:
    """RUN/report/withdrawals/NNNN.json: what changed and what was searched, signed under the run's secret."""
    folder = run / "report" / PROOFS
    number = 1 + max((int(p.stem) for p in folder.glob("[0-9]*.json")), default=0)
    value: dict[str, Any] = {
        "withdrawn": sorted(pseudo.key(_SIGNED, p) for p in patients),
        "records": done.records,
        "changed": {name: {"before": a, "after": b} for name, (a, b) in done.changed.items()},
        "learned_from": done.models,
        "searched_files": done.searched,
        "found": [list(hit) for hit in done.found],
    }
    value["signature"] = signature(value, pseudo)
    path = folder / f"{number:04d}.json"
    commit_marker(path, value)
    return name_from(path, run)


def signature(value: dict[str, Any], pseudo: Pseudonymizer) -> str:
    """HMAC-SHA256, 64 hex digits, of a proof without its signature: who holds the secret can tell that it was so."""
    text = json.dumps({k: v for k, v in value.items() if k != "signature"}, sort_keys=True, ensure_ascii=False)
    return pseudo.digest("withdrawal-signature", text).hex()


def is_signed(value: dict[str, Any], pseudo: Pseudonymizer) -> bool:
    """Whether a proof (`curate.storage.read_marker` of it) is as this run's secret signed it."""
    return hmac.compare_digest(str(value.get("signature", "")), signature(value, pseudo))
