"""The index spread over workers holds what one process makes of the same archive."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pytest

from curate.deid.vault import SecretSource, read_sealed, write_sealed
from curate.engine import Engine
from curate.errors import RecipeError
from curate.export.split import SplitRules, SplitTable
from curate.ingest.index_job import IndexJob
from curate.ingest.rules import IndexRules
from curate.ingest.sealed import write_withdrawn
from curate.record import Reason
from curate.sources.pairing.rules import PairRules
from curate.sources.reports.captions import Columns
from curate.sources.rules import ReportSource
from curate.sources.scan import SCAN
from curate.step import Step, read_parts, run_spread_step
from tests.curate.indexing import sources
from tests.curate.test_index import file
from tests.inline import InlineEngine

FILES = 60
SIZES = {"chunks": 2, "batch": 11, "bucket": 25, "range_rows": 20, "small": 0}


def archive(folder: Path, secret: SecretSource) -> tuple[IndexJob, str]:
    """Sixty files of twenty studies in five chunks, reports with addenda and without pictures, a table of splits."""
    pseudo, rows = secret.pseudonymizer(), list[dict[str, Any]]()
    for i in range(FILES):
        said: dict[str, Any] = {"accession": f"A{i // 3}", "patient_id": f"P{i // 6}", "series_uid": f"1.2.{i // 3}"}
        said |= {"study_uid": f"1.2.3.{i // 3}", "sop_uid": f"1.2.9.{i}", "instance": i, "series": 1, "modality": "CT"}
        said |= {"device": f"maker{i % 4}", "rows": 64, "columns": 64, "frames": 1 + 4 * (i % 7 == 0)}
        said |= {"reason": Reason.NO_PIXELS.value} if i % 11 == 0 else {}
        rows.append(file(f"p{i // 6}/{i:03}.dcm", **said))
    for i in range(5):
        write_sealed(folder / "private" / "scan" / f"c{i}.headers", pa.Table.from_pylist(rows[i::5], SCAN), pseudo)
    lines = ["acc,mrn,report,keep"]
    for i in range(26):
        lines.append(f'A{i},P{i // 2},"Gadgetron seen, image {i} of series 1. Dr. Miller{i}.",x{i}')
        lines += [f'A{i},P{i // 2},"Addendum: no wobblefish in patient {i}.",y{i}'] if i % 4 == 0 else []
        lines += [f"A{i},P{i // 2},Normal.,z{i}"] * 2 if i % 5 == 1 else []  # equal lines, of which each counts
    (folder / "reports.csv").write_text("\n".join(lines) + "\n")
    (folder / "splits.csv").write_text("subject,split\nP1,test\nP2,val\nP3,train\n")
    columns = Columns(text="report", accession="acc", patient="mrn", keep={"keep": "keep"})
    reports = [ReportSource(folder / "reports.csv", columns=columns, several="join")]
    chunks = [("pacs", ("c0", "c1", "c2")), ("more", ("c3", "c4"))]
    rules = IndexRules(files=sources("pacs", "more"))
    task = IndexJob(chunks, str(folder / "private" / "scan"), "", reports, rules, 7, secret, 2)
    return task, pseudo.key("patient", "P4")


def made(run: Path, task: IndexJob, engine: Engine, **sizes: int) -> dict[str, Any]:
    """What the sealed index holds, by file, and the fates."""
    sealed = run / "private" / "index-0"
    step = Step("index", None, 1, {})
    run_spread_step(step, replace(task, sealed=str(sealed), **sizes), run, engine)
    pseudo = task.secret.pseudonymizer()
    assert sorted(p.suffix for p in sealed.iterdir()) == [".sealed"] * len(list(sealed.iterdir()))
    assert not (step.folder(run) / "work").exists()
    found = {path.name: read_sealed(path, pseudo).combine_chunks() for path in sorted(sealed.iterdir())}
    return {**found, "fates": read_parts(step.folder(run))}


@pytest.fixture(scope="module")
def secret(secret_file: Path) -> SecretSource:
    return SecretSource(str(secret_file))


RULES = {
    "usual": IndexRules(),
    "frames": IndexRules(PairRules(frames="all", unpaired_reports="keep")),
    "montage": IndexRules(PairRules(per_series="montage", slices=2, unpaired_images="keep")),
    "key": IndexRules(PairRules(by=("accession", "study"), per_series="key", slices=1)),
    "excluded": IndexRules(files=sources("more", key_pattern=r"(?P<patient>p\d+)/", key_first="path")),
}


@pytest.mark.parametrize("name", RULES)
def test_spread_and_whole_are_the_same_index(tmp_path: Path, secret: SecretSource, name: str) -> None:
    task, patient = archive(tmp_path, secret)
    write_withdrawn(tmp_path / "private", [patient], secret.pseudonymizer())
    table = SplitTable(tmp_path / "splits.csv", patient="subject")
    splits = SplitRules(table=table) if name in ("usual", "montage") else SplitRules()
    rules = replace(RULES[name], splits=splits, files=sources("pacs", "more") | dict(RULES[name].files))
    task = replace(task, rules=rules)
    whole = made(tmp_path / "whole", task, InlineEngine(), small=99)
    spread = made(tmp_path / "spread", task, InlineEngine(), **SIZES)
    assert sorted(whole) == sorted(spread) and len(whole) > 6
    for what, table in whole.items():
        assert spread[what].equals(table), what
    rows = pa.concat_tables([table for what, table in whole.items() if what.startswith("part-")])
    assert (rows["tiles"].null_count < rows.num_rows) == (name == "montage") and (rows.num_rows > 60) == (
        name == "frames"
    )
    assert "wobblefish" in whole["words.sealed"]["word"].to_pylist()


def test_an_index_that_fails_leaves_nothing_in_memory(tmp_path: Path, secret: SecretSource) -> None:
    task, _ = archive(tmp_path, secret)
    (tmp_path / "nobody.csv").write_text("subject,split\nQ1,test\n")
    splits = SplitRules(table=SplitTable(tmp_path / "nobody.csv", patient="subject"))
    with pytest.raises(RecipeError, match=r"split\.table"):
        made(tmp_path / "run", replace(task, rules=replace(task.rules, splits=splits)), InlineEngine())
    assert not fsspec.filesystem("memory").find("index")


def test_a_killed_index_goes_on(tmp_path: Path, secret: SecretSource) -> None:
    class Stops(InlineEngine):
        left = 9

        def map(self, fn, items, alone=False, idle=None):  # type: ignore[no-untyped-def]
            for item in items:
                self.left -= 1
                if not self.left:
                    raise KeyboardInterrupt
                yield from super().map(fn, [item])

    task, _ = archive(tmp_path, secret)
    with pytest.raises(KeyboardInterrupt):
        made(tmp_path / "run", task, Stops(), **SIZES)
    assert (tmp_path / "run" / "private" / "index-0" / "work").is_dir()
    found, want = made(tmp_path / "run", task, InlineEngine(), **SIZES), made(tmp_path / "other", task, InlineEngine())
    assert all(found[what].equals(table) for what, table in want.items()) and sorted(found) == sorted(want)


def test_inner_tables_in_the_clear_name_nobody(tmp_path: Path, secret: SecretSource) -> None:
    class Stops(InlineEngine):
        def map(self, fn, items, alone=False, idle=None):  # type: ignore[no-untyped-def]
            yield from super().map(fn, items)
            if "Parts" in repr(fn):
                raise KeyboardInterrupt

    task, _ = archive(tmp_path, secret)
    with pytest.raises(KeyboardInterrupt):
        made(tmp_path / "run", task, Stops(), **SIZES)
    parts = sorted((tmp_path / "run" / "steps").rglob("*.parquet"))
    names = {name for path in parts for name in pa.parquet.read_schema(path).names}
    assert len(parts) > 8
    assert names == {
        "rows",
        "part",
        "bucket",
        "batch",
        "key",
        "patient",
        "study",
        "source",
        "fault",
        "drop_step",
        "drop_reason",
    }
    for path in (p for p in (tmp_path / "run").rglob("*") if p.is_file()):
        assert not any(word in path.read_bytes() for word in (b"Miller", b"1.2.3.", b"Gadgetron", b"reports.csv"))
