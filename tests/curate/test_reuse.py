"""What an earlier ingest made of the same rows is found; a step of which a killed removal left half is none."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from curate.deid.rules import TextRules
from curate.deid.vault import SecretSource
from curate.ingest.reuse import Reuse
from curate.intact import MANIFEST, part_path
from curate.record import RECORD
from curate.step import commit_part
from curate.storage import commit_marker, digest


def step(folder: Path, made_of: list[list[str | None]]) -> None:
    rows = []
    for i, some in enumerate(made_of):
        made = [{"key": f"{i}-{n}", "patient": "p", "study": "s", "made_of": one} for n, one in enumerate(some)]
        commit_part(folder, i, pa.Table.from_pylist(made, RECORD), 0.0)
        rows.append({"sha256": "", "rows": len(some)})
    totals = {"rows_in": sum(map(len, made_of)), "kept": sum(map(len, made_of)), "dropped": {}, "seconds": 0.0}
    commit_marker(folder / MANIFEST, {"step": "ingest", "hash": folder.name, "parts": rows, **totals})


def test_records_of_several_earlier_steps_are_found_by_what_they_were_made_of(tmp_path: Path) -> None:
    one, other, third, none = (digest(name)[:32] for name in ("one", "other", "third", "none"))
    near = one[:16] + other[16:]  # as far as it is looked up, another's
    step(tmp_path / "ingest-a", [[None, one], [None]])
    step(tmp_path / "ingest-b", [[], [other, one], [third]])
    reuse = Reuse(str(tmp_path), "", TextRules(), SecretSource(None), "")
    found = reuse.find([third, none, one, near])
    assert dict(zip(found["made_of"].to_pylist(), found["key"].to_pylist(), strict=True)) == {one: "0-1", third: "2-0"}


@pytest.mark.parametrize("killed", (False, True))
def test_a_step_of_fewer_rows_than_it_says_gives_none(killed: bool, tmp_path: Path) -> None:
    one, other = (digest(name)[:32] for name in ("one", "other"))
    step(tmp_path / "ingest-a", [[one, other]])
    if killed:
        left = pa.Table.from_pylist([{"key": "0-1", "patient": "p", "study": "s", "made_of": other}], RECORD)
        commit_part(tmp_path / "ingest-a", 0, left, 0.0)
    assert part_path(tmp_path / "ingest-a", 0).exists()
    assert Reuse(str(tmp_path), "", TextRules(), SecretSource(None), "").find([other]).num_rows == (not killed)
