"""Silent damage around a run: files that change, an archive that goes away, a folder that is not ours."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest

from curate.engine import Engine
from curate.errors import DamagedError, RecipeError, SourceError
from curate.record import Reason
from curate.step import read_parts
from pipelines.build import Pipeline, run_pipeline
from pipelines.check import check
from pipelines.load import load_recipe
from tests.pipelines.archive import fingerprint, make_archive, recipe_for

PLAIN = {"filters": {"text_quality": {}}, "select": {"by": "text_quality", "keep": 0.5}}


def silent(name: str, done: int, total: int) -> None:
    pass


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_archive(tmp_path_factory.mktemp("archive") / "a", 24, side=64)


@pytest.fixture(scope="module")
def finished(
    archive: Path, secret_file: Path, inline_engine: Engine, tmp_path_factory: pytest.TempPathFactory
) -> Pipeline:
    recipe = load_recipe(recipe_for(archive, tmp_path_factory.mktemp("runs") / "run", secret_file, **PLAIN))
    return run_pipeline(recipe, inline_engine, silent)[0]


def flip(data: bytes) -> bytes:
    return data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 4]) + data[len(data) // 2 + 1 :]


def cut(data: bytes) -> bytes:
    return data[: len(data) * 2 // 3]


DAMAGE: list[Callable[[bytes], bytes]] = [flip, cut, lambda data: b""]
KINDS = {  # what is damaged -> the steps that are then not found done
    "steps/index-*/part-00000.parquet": {"index"},
    "steps/index-*/manifest.json": {"index"},
    "steps/ingest-*/part-00001.parquet": {"ingest"},
    "steps/ingest-*/part-00001.json": {"ingest"},
    "steps/ingest-*/verified.json": set(),
    "steps/dedup-*/part-00000.parquet": {"dedup"},
    "steps/train-text_quality-*/model/card.json": {"train-text_quality"},
    "steps/score-*/part-00000.parquet": {"score"},
    "steps/select-*/part-00000.json": {"select"},
    "steps/plan-*/part-00000.parquet": {"plan"},
    "steps/export-*/part-00000.parquet": {"export"},
    "private/index-*/part-00000.sealed": {"index"},
    "private/index-*/words.sealed": {"index"},
    "shards/train/000000.tar": {"export"},
    "shards/train/000000.parquet": {"export"},
    "shards/train/000000_stats.json": {"export"},
    "shards/export.json": set(),
    "listing.json": set(),
    "private/scan/*.headers": set(),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_damaged_is_made_again_and_nothing_else(kind: str, finished: Pipeline, inline_engine: Engine) -> None:
    run = finished.run
    before = fingerprint(run)
    path = sorted(run.glob(kind))[-1]
    others = {p: p.stat().st_mtime_ns for p in run.glob("steps/ingest-*/part-*.parquet") if p.stem != path.stem}
    for damage in DAMAGE:
        path.write_bytes(damage(path.read_bytes()))
        _, manifests = run_pipeline(finished.recipe, inline_engine, silent)
        assert {m.step for m in manifests if not m.reused} == KINDS[kind]
        assert fingerprint(run) == before
        assert {p: p.stat().st_mtime_ns for p in others} == others
    assert all(m.reused for m in run_pipeline(finished.recipe, inline_engine, silent)[1])


def test_a_missing_part_is_made_again(finished: Pipeline, inline_engine: Engine) -> None:
    before = fingerprint(finished.run)
    for kind in ("steps/ingest-*/part-00000.parquet", "shards/train/000000.tar", "steps/train-*/model/card.json"):
        next(finished.run.glob(kind)).unlink()
        run_pipeline(finished.recipe, inline_engine, silent)
        assert fingerprint(finished.run) == before


def test_a_bit_that_a_disk_loses_by_itself_is_found_in_reading_and_never_exported(
    finished: Pipeline, inline_engine: Engine, tmp_path: Path
) -> None:
    """The part looks untouched (`verified.json` says so); another cut makes the export read its pictures."""
    run = Path(shutil.copytree(finished.run, tmp_path / "run"))
    recipe = load_recipe(run / "recipe.yaml", [f"out={run}"]) if (run / "recipe.yaml").exists() else None
    recipe = recipe or finished.recipe.model_copy(update={"out": run})
    run_pipeline(recipe, inline_engine, silent)
    part = next(run.glob("steps/ingest-*/part-00000.parquet"))
    images = [i for i in read_parts(part.parent, ["image"])["image"].to_pylist() if i]
    data = part.read_bytes()
    places = [data.find(image[60:90]) for image in images]
    at = next(place for place in places if place > 0)
    info = part.stat()
    part.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    _pretend(part, info)
    other = recipe.model_copy(update={"export": recipe.export.model_copy(update={"records_per_shard": 7})})
    run_pipeline(other, inline_engine, silent)
    assert part.read_bytes() == data
    with pytest.raises(DamagedError):
        part.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        read_parts(part.parent)


def _pretend(part: Path, info: os.stat_result) -> None:
    """The part as it stands counts as compared: what a file system shows of a bit that its disk has lost."""
    from curate.storage import commit_marker, read_marker

    os.utime(part, ns=(info.st_atime_ns, info.st_mtime_ns))
    known = read_marker(part.parent / "verified.json")
    assert known is not None
    now = part.stat()
    known[part.name] = [now.st_size, now.st_mtime_ns, now.st_ctime_ns, now.st_ino]
    commit_marker(part.parent / "verified.json", known)


def test_an_archive_that_goes_away_is_no_records_fate(
    finished: Pipeline, archive: Path, secret_file: Path, inline_engine: Engine, tmp_path: Path
) -> None:
    """Unmounted while it is read: the run stops and says so, and goes on to the same bytes when it is back."""
    recipe = load_recipe(recipe_for(archive, tmp_path / "run", secret_file, **PLAIN))
    root, away = archive / "dicom", archive / "away"

    def unmount(name: str, done: int, total: int) -> None:
        if name == "ingest" and done == 1 and root.exists():
            root.rename(away)
            root.mkdir()  # a mount point

    try:
        with pytest.raises(SourceError, match=r"source 'archive' cannot be read: No such file.*\d+ of the \d+ files"):
            run_pipeline(recipe, inline_engine, unmount)
        with pytest.raises(SourceError, match=r"it held .* files at the last run and holds none"):
            run_pipeline(recipe, inline_engine, silent)
    finally:
        if away.exists():
            root.rmdir()
            away.rename(root)
    pipeline, manifests = run_pipeline(recipe, inline_engine, silent)
    assert Reason.CHANGED.value not in {r for m in manifests for r in m.dropped}
    assert fingerprint(pipeline.run) == fingerprint(finished.run)


def test_one_file_that_was_away_is_read_when_it_is_back(
    finished: Pipeline, archive: Path, secret_file: Path, inline_engine: Engine, tmp_path: Path
) -> None:
    recipe = load_recipe(recipe_for(archive, tmp_path / "run", secret_file, **PLAIN))
    file = _of_a_full_folder(archive / "dicom")
    hidden = archive / "hidden"

    def remove(name: str, done: int, total: int) -> None:
        if name == "ingest" and done == 0:
            file.rename(hidden)

    try:
        _, manifests = run_pipeline(recipe, inline_engine, remove)
    finally:
        hidden.rename(file)
    assert sum(m.dropped.get(Reason.CHANGED.value, 0) for m in manifests) == 1
    pipeline, manifests = run_pipeline(recipe, inline_engine, silent)
    assert Reason.CHANGED.value not in {r for m in manifests for r in m.dropped}
    assert fingerprint(pipeline.run) == fingerprint(finished.run)


def _of_a_full_folder(root: Path) -> Path:
    """A good file that is not alone in its folder: one that is would be taken for a folder that went away."""
    for path in sorted(root.rglob("*.dcm")):
        if sum(p.is_file() for p in path.parent.iterdir()) > 1 and _patient(path):
            return path
    raise AssertionError("the archive has no such folder")


def _patient(path: Path) -> str:
    try:
        dataset = pydicom.dcmread(path, stop_before_pixels=True)
    except Exception:  # noqa: BLE001  a planted broken file
        return ""
    return str(dataset.get("PatientID", "")) if "Rows" in dataset else ""


def test_a_file_replaced_by_another_patients_of_equal_size_is_not_paired(
    archive: Path, secret_file: Path, inline_engine: Engine, tmp_path: Path
) -> None:
    mine = Path(shutil.copytree(archive, tmp_path / "a"))
    recipe = load_recipe(recipe_for(mine, tmp_path / "run", secret_file, truth=None, **PLAIN))
    victim = _of_a_full_folder(mine / "dicom")
    patient = _patient(victim).encode()
    other = victim.read_bytes().replace(patient, patient[::-1])
    assert patient != patient[::-1]

    def replace(name: str, done: int, total: int) -> None:
        if name == "ingest" and done == 0:
            info = victim.stat()
            victim.write_bytes(other)
            os.utime(victim, ns=(info.st_atime_ns, info.st_mtime_ns))

    pipeline, manifests = run_pipeline(recipe, inline_engine, replace)
    assert next(m for m in manifests if m.step == "ingest").dropped[Reason.CHANGED.value] == 1
    records = read_parts(pipeline.ingest.folder(pipeline.run), ["key", "image", "drop_reason"]).to_pylist()
    assert [r["image"] for r in records if r["drop_reason"] == Reason.CHANGED.value] == [None]


def test_a_foreign_folder_is_refused_before_any_work_and_left_as_it_is(
    finished: Pipeline, secret_file: Path, tmp_path: Path
) -> None:
    precious = {"shards/holiday/1.jpg": b"me", "shards/train/000000.tar": b"somebody's", "notes.txt": b"mine"}
    for name, data in precious.items():
        path = tmp_path / "out" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    recipe = finished.recipe.model_copy(update={"out": tmp_path / "out"})
    for touch in (False, True):
        with pytest.raises(RecipeError) as told:
            check(recipe, touch=touch)
        assert told.value.field == "out" and told.value.fix
    found = {str(p.relative_to(tmp_path / "out")): p.read_bytes() for p in (tmp_path / "out").rglob("*") if p.is_file()}
    assert found == precious


@pytest.mark.parametrize("foreign", ["holiday.jpg", "train/holiday.jpg", "train/000000.tar.bak", "holiday/1.jpg"])
def test_foreign_files_among_a_runs_shards_are_refused_and_left(
    foreign: str, finished: Pipeline, inline_engine: Engine, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(finished.run, tmp_path / "run"))
    path = run / "shards" / foreign
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"mine")
    before = fingerprint(run)
    recipe = finished.recipe.model_copy(update={"out": run})
    with pytest.raises(RecipeError, match="no run wrote"):
        check(recipe)
    with pytest.raises(RecipeError, match="no run wrote"):
        run_pipeline(recipe, inline_engine, silent)
    assert fingerprint(run) == before and path.read_bytes() == b"mine"


def test_shards_and_steps_that_are_links_are_not_followed(
    finished: Pipeline, inline_engine: Engine, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(finished.run, tmp_path / "run"))
    for name in ("shards", "steps"):
        (run / name).rename(tmp_path / name)
        (run / name).symlink_to(tmp_path / name)
        recipe = finished.recipe.model_copy(update={"out": run, "records_per_partition": 11})
        for refuse in (check, lambda r: run_pipeline(r, inline_engine, silent)):
            with pytest.raises(RecipeError, match="link"):
                refuse(recipe)
        assert any((tmp_path / name).iterdir())
        (run / name).unlink()
        (tmp_path / name).rename(run / name)
